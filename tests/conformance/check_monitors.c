/* SPDX-License-Identifier: MIT */
/* check_monitors.c - the cases of monitors: who watches hears of an end exactly once.
 *
 * ctest: timeout=120 */
#include "conformance.h"

#include <string.h>

#define SEEDS 100
#define LONG_TEXT (200 * 1024)

BSK_MSG(go);
BSK_MSG(number, (i64, n));
BSK_CALL(steal, number, (i64, slot), (i64, gen));

static enum end how_now;

static void end_when_told(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(go, g) end_by(self, how_now);
    }
    if (how_now == END_RETURN) bsk_exit(self);
}

static void wait_and_end(bsk_self *self)
{
    expect(bsk_recv(self, BSK_FOREVER) != NULL);
    end_by(self, how_now);
    if (how_now >= END_STOPPED) expect(!bsk_recv(self, BSK_FOREVER));
}

/* A handler or a fiber, by the seed. */
static bsk_addr spawn_target(bsk_self *self)
{
    bsk_rt *rt = bsk_rt_of(self);
    bsk_addr a = (seed_now + (uint64_t)how_now) % 2 ? bsk_spawn(rt, end_when_told)
                                                    : bsk_spawn(rt, wait_and_end);
    expect(!bsk_is_nobody(a));
    return a;
}

static bsk_monitor watch(bsk_self *self, bsk_addr who)
{
    bsk_monitor m = bsk_watch(self, who);
    expect(m.gen);
    return m;
}

/* Receives one bsk_down, of that monitor. */
static void expect_down(bsk_self *self, bsk_monitor m, bsk_addr who, int reason)
{
    bool got = false;
    bsk_match(bsk_recv(self, 1000)) {
        bsk_on(bsk_down, d) {
            got = true;
            expect(bsk_is_of(d, m));
            expect(bsk_same(d->who, who));
            expect_eq(d->reason, reason);
        }
    }
    expect(got);
}

static void expect_silence(bsk_self *self)
{
    expect(!bsk_recv(self, 100));
    expect_eq(bsk_error(self), BSK_ETIMEDOUT);
}

static void hear_of_any_end(bsk_self *self)
{
    bsk_addr who = spawn_target(self);
    bsk_monitor m = watch(self, who);
    if (bsk_random(self) % 2) expect_eq(bsk_yield(self), 0);
    bsk_tell(who, go);
    expect_down(self, m, who, reason_for(how_now));
    expect_eq(reason_of(who), reason_for(how_now));
    expect(!bsk_unwatch(self, m));
    expect_silence(self);
}

START_TEST(MON_001_a_watcher_hears_once_of_any_end)
{
    how_now = (enum end)_i;
    run_seeds(SEEDS, status_for(how_now), hear_of_any_end);
}
END_TEST

static void end_as_shutdown(bsk_self *self)
{
    bsk_exit_as(self, BSK_SHUTDOWN, "number %d of %s", 5, "five");
}

static void end_as_failed(bsk_self *self)
{
    bsk_exit_as(self, BSK_FAILED, "number %d of %s", 5, "five");
}

static void hear_why(bsk_self *self)
{
    bool fails = seed_now % 2;
    bsk_addr who = fails ? bsk_spawn(bsk_rt_of(self), end_as_failed)
                         : bsk_spawn(bsk_rt_of(self), end_as_shutdown);
    bsk_monitor m = watch(self, who);
    bsk_match(bsk_recv(self, 1000)) {
        bsk_on(bsk_down, d) {
            expect(bsk_is_of(d, m));
            expect_eq(d->reason, fails ? BSK_FAILED : BSK_SHUTDOWN);
            expect(!strcmp(d->text, "number 5 of five"));
            expect(strstr(d->file, "check_monitors.c") != NULL);
            expect(d->line > 0);
            expect(!strcmp(d->name, ""));
        }
        bsk_else(any) expect(!"a bsk_down");
    }
    expect_silence(self);
}

START_TEST(MON_002_it_hears_the_reason_the_text_and_the_place)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) expect_eq(run_seeded(seed, hear_why), seed % 2);
}
END_TEST

/* Of one that has ended, one that never was, and one of no node there is. */
static void watch_the_dead(bsk_self *self)
{
    bsk_addr who = spawn_target(self);
    bsk_tell(who, go);
    expect_eq(bsk_sleep(self, 1), 0);
    bsk_addr dead[] = {who,
                       {who.node, who.slot, who.gen + 2},
                       {who.node, UINT32_MAX, 1},
                       {who.node + 1, who.slot, who.gen}};
    for (int i = 0; i < 4; i++) {
        bsk_monitor m = watch(self, dead[i]);
        expect(!bsk_unwatch(self, m));
        bsk_match(bsk_recv(self, 0)) {
            bsk_on(bsk_down, d) {
                expect(bsk_is_of(d, m) && bsk_same(d->who, dead[i]));
                expect_eq(d->reason, BSK_NO_ACTOR);
                expect(!strcmp(d->text, ""));
            }
            bsk_else(any) expect(!"a bsk_down");
        }
    }
    expect_silence(self);
}

START_TEST(MON_003_of_a_dead_one_it_hears_at_once)
{
    how_now = (enum end)_i;
    run_seeds(SEEDS, status_for(how_now), watch_the_dead);
}
END_TEST

static bsk_monitor watch_name(bsk_self *self, const char *name)
{
    bsk_monitor m = bsk_watch_name(self, name);
    expect(m.gen);
    return m;
}

static void watch_no_name(bsk_self *self)
{
    bsk_monitor m = watch_name(self, "nobody's");
    bsk_match(bsk_recv(self, 0)) {
        bsk_on(bsk_down, d) {
            expect(bsk_is_of(d, m));
            expect_eq(d->reason, BSK_NO_ACTOR);
            expect(!strcmp(d->name, "nobody's"));
        }
        bsk_else(any) expect(!"a bsk_down");
    }
    expect_silence(self);
}

START_TEST(MON_004_of_a_name_that_nobody_holds_it_hears_at_once)
{
    run_seeds(SEEDS, 0, watch_no_name);
}
END_TEST

/* A copy of the name is kept; the next holder is another actor. */
static void watch_holder(bsk_self *self)
{
    char name[] = "the holder";
    bsk_rt *rt = bsk_rt_of(self);
    bsk_addr who = seed_now % 2 ? bsk_spawn(rt, end_when_told, .name = name)
                                : bsk_spawn(rt, wait_and_end, .name = name);
    bsk_monitor m = watch_name(self, name);
    memset(name, 'x', sizeof name - 1);
    bsk_tell(who, go);
    bsk_match(bsk_recv(self, 1000)) {
        bsk_on(bsk_down, d) {
            expect(bsk_is_of(d, m));
            expect(bsk_same(d->who, who));
            expect(d->who.node == bsk_me(self).node);
            expect(!strcmp(d->name, "the holder"));
            expect_eq(d->reason, reason_for(how_now));
            expect(bsk_is_nobody(bsk_whereis(rt, "the holder")));
        }
        bsk_else(any) expect(!"a bsk_down");
    }
    bsk_addr next = bsk_spawn(rt, end_when_told, .name = "the holder");
    expect(!bsk_is_nobody(next));
    bsk_tell(next, go);
    expect_silence(self);
}

START_TEST(MON_005_who_watched_a_name_is_told_the_name_and_it_is_free)
{
    how_now = (enum end)_i;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        expect_eq(run_seeded(seed, watch_holder), status_for(how_now));
}
END_TEST

static int index_of(const bsk_down *d, const bsk_monitor *m, int n)
{
    for (int i = 0; i < n; i++)
        if (bsk_is_of(d, m[i])) return i;
    return -1;
}

static void watch_three_times(bsk_self *self)
{
    bsk_addr who = spawn_target(self);
    bsk_monitor m[3];
    int got[3] = {0, 0, 0};
    bsk_ties_out ties;
    for (int i = 0; i < 3; i++) m[i] = watch(self, who);
    expect_eq(bsk_ties(who, &ties), 0);
    expect_eq(ties.watchers, 3);
    bsk_tell(who, go);
    for (int i = 0; i < 3; i++) {
        bsk_match(bsk_recv(self, 1000)) {
            bsk_on(bsk_down, d) {
                int which = index_of(d, m, 3);
                expect(which >= 0);
                got[which]++;
            }
        }
    }
    for (int i = 0; i < 3; i++) expect_eq(got[i], 1);
    expect_silence(self);
}

START_TEST(MON_006_three_monitors_of_one_are_three_messages)
{
    how_now = (enum end)_i;
    run_seeds(SEEDS, status_for(how_now), watch_three_times);
}
END_TEST

static bsk_addr watched;

static void watch_and_end(bsk_self *self)
{
    watch(self, watched);
    watch(self, watched);
    expect(bsk_recv(self, BSK_FOREVER) != NULL);
    end_by(self, how_now);
    if (how_now >= END_STOPPED) expect(!bsk_recv(self, BSK_FOREVER));
}

static void watch_and_end_handler(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(number, n) {
            watch(self, watched);
            watch(self, watched);
        }
        bsk_on(go, g) end_by(self, how_now);
    }
    if (how_now == END_RETURN && !bsk_mailbox_len(self)) bsk_exit(self);
}

static uint32_t watchers_of(bsk_addr who)
{
    bsk_ties_out ties = {77, 77};
    expect_eq(bsk_ties(who, &ties), 0);
    expect_eq(ties.links, 0);
    return ties.watchers;
}

static void end_a_watcher(bsk_self *self)
{
    enum end how = how_now;
    bsk_rt *rt = bsk_rt_of(self);
    watched = bsk_spawn(rt, end_when_told);
    bsk_addr watcher =
        seed_now % 2 ? bsk_spawn(rt, watch_and_end_handler) : bsk_spawn(rt, watch_and_end);
    if (seed_now % 2) bsk_tell(watcher, number);
    if (seed_now % 2 && how != END_RETURN) expect_eq(bsk_sleep(self, 1), 0);
    bsk_tell(watcher, go);
    expect_eq(bsk_sleep(self, 1), 0);
    expect_eq(reason_of(watcher), reason_for(how));
    expect(bsk_alive(watched));
    expect_eq(watchers_of(watched), 0);
    how_now = END_EXIT;
    bsk_tell(watched, go);
    how_now = how;
    expect_eq(bsk_kill(watched), 0);
    expect_silence(self);
}

START_TEST(MON_007_who_is_watched_does_not_feel_the_watchers_end)
{
    how_now = (enum end)_i;
    run_seeds(SEEDS, status_for(how_now), end_a_watcher);
}
END_TEST

static bool steal_flushes;

/* Tries to end a monitor that is not its own. */
static void try_to_steal(bsk_self *self, const steal *s)
{
    bsk_monitor m = {(uint32_t)s->slot, (uint32_t)s->gen};
    if (steal_flushes)
        bsk_unwatch_flush(self, m);
    else
        expect(!bsk_unwatch(self, m));
    expect_eq(bsk_reply(s, steal, .n = 1), 0);
}

static void thief_handler(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(steal, s) try_to_steal(self, s);
        bsk_on(go, g) bsk_exit(self);
    }
}

static void thief_fiber(bsk_self *self)
{
    for (bool goes = true; goes;) {
        bsk_match(bsk_recv(self, BSK_FOREVER)) {
            bsk_on(steal, s) try_to_steal(self, s);
            bsk_on(go, g) goes = false;
        }
    }
}

static void be_robbed(bsk_self *self)
{
    bsk_addr thief = seed_now % 2 ? bsk_spawn(bsk_rt_of(self), thief_handler)
                                  : bsk_spawn(bsk_rt_of(self), thief_fiber);
    bsk_addr who = spawn_target(self);
    bsk_monitor m = watch(self, who), of_thief = watch(self, thief);
    steal_flushes = seed_now % 4 / 2;
    /* The thief is a stranger to the one; to the other it is the one that is watched. */
    expect(bsk_call(self, thief, 1000, steal, .slot = m.slot, .gen = m.gen) != NULL);
    expect(bsk_call(self, thief, 1000, steal, .slot = of_thief.slot, .gen = of_thief.gen) != NULL);
    expect(bsk_call(self, thief, 1000, steal, .slot = INT32_MAX, .gen = 1) != NULL);
    expect_eq(watchers_of(who), 1);
    bsk_tell(who, go);
    expect_down(self, m, who, BSK_NORMAL);
    expect(bsk_call(self, thief, 1000, steal, .slot = m.slot, .gen = m.gen) != NULL);
    bsk_tell(thief, go);
    expect_down(self, of_thief, thief, BSK_NORMAL);
    expect_silence(self);
}

START_TEST(MON_011_MON_027_a_monitor_is_its_makers_only)
{
    how_now = END_EXIT;
    run_seeds(SEEDS, 0, be_robbed);
}
END_TEST

static void flush(bsk_self *self)
{
    bsk_addr who = spawn_target(self);
    bsk_monitor m = watch(self, who);
    bsk_tell(who, go);
    expect_eq(bsk_sleep(self, 1), 0);
    /* Passed over by a selective receive, or not. */
    if (seed_now % 3 == 0) expect(!bsk_recv_only(self, 0, BSK_T(number)));
    bsk_tell(bsk_me(self), number, .n = 1);
    bsk_unwatch_flush(self, m);
    bsk_unwatch_flush(self, m);
    bsk_match(bsk_recv(self, 100)) {
        bsk_on(number, n) expect_eq(n->n, 1);
        bsk_else(any) expect(!"the number");
    }
    expect_silence(self);
}

START_TEST(MON_012_a_flushed_monitor_is_not_seen)
{
    how_now = (enum end)_i;
    run_seeds(SEEDS, status_for(how_now), flush);
}
END_TEST

static void flush_one_of_three(bsk_self *self)
{
    bsk_addr who = spawn_target(self);
    bsk_monitor m[3];
    for (int i = 0; i < 3; i++) m[i] = watch(self, who);
    int early = seed_now % 4 == 0;
    if (early) expect(bsk_unwatch(self, m[2]));
    bsk_tell(who, go);
    expect_eq(bsk_sleep(self, 1), 0);
    bsk_unwatch_flush(self, m[0]);
    expect(!bsk_unwatch(self, m[1]));
    int got[3] = {0, 0, 0};
    for (bsk_msg *in; (in = bsk_recv(self, 10));) {
        bsk_match(in) {
            bsk_on(bsk_down, d) got[index_of(d, m, 3)]++;
        }
    }
    expect_eq(got[0], 0);
    expect_eq(got[1], 1);
    expect_eq(got[2], !early);
}

START_TEST(MON_013_only_what_is_flushed_is_taken_out)
{
    how_now = (enum end)_i;
    run_seeds(SEEDS, status_for(how_now), flush_one_of_three);
}
END_TEST

/* Runs the fiber to its end on a thread of its own, beside two others. */
static void run_parallel(bsk_fiber *f, int status)
{
    bsk_rt *rt = start_parallel(2);
    ck_assert(!bsk_is_nobody(bsk_spawn(rt, f, .own_thread = true)));
    ck_assert_int_eq(bsk_wait(rt), status);
}

#define RACES 100 /* monitors at once */

struct race {
    bsk_monitor m[RACES];
    bool seen[RACES], removed[RACES];
};

/* Receives what is there now. */
static void see(bsk_self *self, struct race *r)
{
    for (bsk_msg *m; (m = bsk_recv(self, 0));) {
        bsk_match(m) {
            bsk_on(bsk_down, d) {
                int i = index_of(d, r->m, RACES);
                if (i < 0 || r->seen[i] || r->removed[i]) ck_abort_msg("a down of monitor %d", i);
                r->seen[i] = true;
            }
        }
    }
}

/* A while from nothing to some hundred microseconds, short ones as often as long ones. */
static void pass_time(bsk_self *self)
{
    for (volatile uint32_t n = UINT32_C(1) << bsk_random(self) % 17; n; n--) continue;
}

static void unwatch_all(bsk_self *self, struct race *r)
{
    for (int i = 0; i < RACES; i++) {
        r->removed[i] = bsk_unwatch(self, r->m[i]);
        if (r->removed[i]) continue;
        see(self, r);
        if (!r->seen[i]) ck_abort_msg("monitor %d: neither removed nor there", i);
    }
}

static void end_at_once(bsk_self *self, bsk_msg *m)
{
    if (m) bsk_exit(self);
}

/* The watched ones end on other threads meanwhile. */
static void race_with_ends(bsk_self *self, struct race *r, bool one)
{
    bsk_addr who[RACES];
    *r = (struct race){.seen = {false}};
    for (int i = 0; i < RACES; i++) {
        who[i] = one && i ? who[0] : bsk_spawn(bsk_rt_of(self), end_at_once);
        r->m[i] = watch(self, who[i]);
    }
    for (int i = 0; i < (one ? 1 : RACES); i++) bsk_tell(who[i], go);
    pass_time(self);
    unwatch_all(self, r);
    for (int i = 0; i < (one ? 1 : RACES); i++)
        while (bsk_try(who[i], number) != BSK_EDEAD) expect_eq(bsk_yield(self), 0);
    see(self, r);
}

static _Atomic unsigned removed, heard;

static void race_often(bsk_self *self)
{
    static struct race r; /* one fiber runs this */
    for (int round = 0; round < 120; round++) {
        race_with_ends(self, &r, round % 2);
        for (int i = 0; i < RACES; i++) {
            if (r.removed[i] == r.seen[i]) ck_abort_msg("monitor %d", i);
            *(r.removed[i] ? &removed : &heard) += 1;
        }
    }
}

START_TEST(MON_014_removed_means_never_and_not_removed_means_already_there)
{
    run_parallel(race_often, 0);
    ck_assert_uint_eq(removed + heard, 120 * RACES);
}
END_TEST

/* The same in virtual time, where the ends come at any of the watcher's waits. */
static void race_seeded(bsk_self *self)
{
    bsk_addr who[10];
    bsk_monitor m[10];
    int state[10] = {0}, got = 0, due = 0;
    for (int i = 0; i < 10; i++) {
        who[i] = spawn_target(self);
        m[i] = watch(self, who[i]);
        bsk_tell(who[i], go);
    }
    for (int i = 0; i < 10; i++) {
        if (bsk_random(self) % 2) expect_eq(bsk_yield(self), 0);
        state[i] = bsk_unwatch(self, m[i]);
        due += !state[i];
    }
    for (bsk_msg *in; (in = bsk_recv(self, 0));) {
        bsk_match(in) {
            bsk_on(bsk_down, d) {
                int i = index_of(d, m, 10);
                expect(i >= 0 && !state[i]);
                got++;
            }
        }
    }
    expect_eq(got, due);
    expect_silence(self);
}

START_TEST(MON_014_the_same_under_seeds)
{
    how_now = (enum end)_i;
    run_seeds(SEEDS, status_for(how_now), race_seeded);
}
END_TEST

static void watch_each_other(bsk_self *self)
{
    bsk_addr me = bsk_me(self), first = spawn_target(self);
    watched = me;
    bsk_addr second = bsk_spawn(bsk_rt_of(self), watch_and_end);
    bsk_monitor m = watch(self, second), of_first = watch(self, first);
    expect_eq(bsk_yield(self), 0);
    while (!watchers_of(me)) expect_eq(bsk_yield(self), 0);
    expect_eq(watchers_of(me), 2);
    expect_eq(watchers_of(second), 1);
    expect_eq(watchers_of(first), 1);
    expect(bsk_unwatch(self, of_first));
    expect_eq(watchers_of(first), 0);
    bsk_tell(second, go);
    expect_down(self, m, second, reason_for(how_now));
    expect_eq(watchers_of(me), 0);
    bsk_ties_out ties = {77, 77};
    expect_eq(bsk_ties(second, &ties), BSK_EDEAD);
    expect_eq(ties.watchers, 77);
    expect(!bsk_unwatch(self, m));
    bsk_tell(first, go);
    expect_silence(self);
}

START_TEST(MON_017_whoever_ends_nothing_is_left_at_either_end)
{
    how_now = (enum end)_i;
    run_seeds(SEEDS, status_for(how_now), watch_each_other);
}
END_TEST

static char long_text[LONG_TEXT];

static void fail_at_length(bsk_self *self)
{
    bsk_fail(self, "%s", long_text);
}

/* Who holds the blob keeps it longer than the message. */
static void hear_at_length(bsk_self *self)
{
    bsk_addr who = bsk_spawn(bsk_rt_of(self), fail_at_length);
    bsk_monitor m[2] = {watch(self, who), watch(self, who)};
    const char *text = NULL;
    bsk_blob *keep = NULL;
    for (int i = 0; i < 2; i++) {
        bsk_match(bsk_recv(self, 1000)) {
            bsk_on(bsk_down, d) {
                expect(index_of(d, m, 2) >= 0);
                expect(!strcmp(d->text, long_text));
                text = d->text;
                if (!keep) keep = bsk_blob_hold(d->keep);
            }
        }
    }
    expect(keep != NULL);
    expect_silence(self);
    expect_eq(strlen(text), LONG_TEXT - 1);
    expect(!strcmp(text, long_text));
    bsk_blob_drop(keep);
}

START_TEST(MON_025_a_long_reason_arrives_whole)
{
    for (int i = 0; i < LONG_TEXT - 1; i++) long_text[i] = (char)('a' + i % 26);
    run_seeds(10, 1, hear_at_length);
}
END_TEST

static void refuse(bsk_self *self, bsk_monitor m)
{
    expect(!m.gen && !m.slot);
    expect_eq(bsk_error(self), BSK_EINVAL);
    expect(!bsk_unwatch(self, m));
    bsk_unwatch_flush(self, m);
}

static void watch_nonsense(bsk_self *self)
{
    char long_name[BSK_NAME_MAX + 2];
    memset(long_name, 'n', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    refuse(self, bsk_watch(self, (bsk_addr){0, 0, 0}));
    refuse(self, bsk_watch_name(self, NULL));
    refuse(self, bsk_watch_name(self, ""));
    refuse(self, bsk_watch_name(self, long_name));
    expect_silence(self);
}

START_TEST(MON_026_nonsense_is_refused_and_makes_no_token)
{
    run_seeds(SEEDS, 0, watch_nonsense);
}
END_TEST

#define BEFORE 20

static bsk_addr listener;

static void send_and_end(bsk_self *self)
{
    for (int i = 1; i <= BEFORE; i++) {
        bsk_tell(listener, number, .n = i);
        if (bsk_random(self) % 8 == 0) expect_eq(bsk_yield(self), 0);
    }
    end_by(self, how_now);
}

/* All that it sent comes before its end. */
static void listen(bsk_self *self)
{
    listener = bsk_me(self);
    int64_t last = 0;
    bool over = false;
    bsk_monitor m;
    expect(!bsk_is_nobody(bsk_spawn_watch(self, &m, send_and_end)));
    while (!over) {
        bsk_match(bsk_recv(self, BSK_FOREVER)) {
            bsk_on(number, n) {
                expect_eq(n->n, last + 1);
                last = n->n;
            }
            bsk_on(bsk_down, d) over = bsk_is_of(d, m);
        }
    }
    expect_eq(last, BEFORE);
}

START_TEST(ORD_007_messages_come_before_the_senders_down)
{
    how_now = (enum end)_i;
    run_seeds(500, status_for(how_now), listen);
}
END_TEST

static void listen_often(bsk_self *self)
{
    for (int round = 0; round < 500; round++) listen(self);
}

START_TEST(ORD_007_messages_come_before_the_senders_down_from_another_thread)
{
    how_now = END_EXIT;
    run_parallel(listen_often, 0);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("monitors");
    tcase_add_loop_test(t, MON_001_a_watcher_hears_once_of_any_end, 0, END_COUNT);
    tcase_add_test(t, MON_002_it_hears_the_reason_the_text_and_the_place);
    tcase_add_loop_test(t, MON_003_of_a_dead_one_it_hears_at_once, 0, END_COUNT);
    tcase_add_test(t, MON_004_of_a_name_that_nobody_holds_it_hears_at_once);
    tcase_add_loop_test(t, MON_005_who_watched_a_name_is_told_the_name_and_it_is_free, 0,
                        END_COUNT);
    tcase_add_loop_test(t, MON_006_three_monitors_of_one_are_three_messages, 0, END_COUNT);
    tcase_add_loop_test(t, MON_007_who_is_watched_does_not_feel_the_watchers_end, 0, END_COUNT);
    tcase_add_test(t, MON_011_MON_027_a_monitor_is_its_makers_only);
    tcase_add_loop_test(t, MON_012_a_flushed_monitor_is_not_seen, 0, END_COUNT);
    tcase_add_loop_test(t, MON_013_only_what_is_flushed_is_taken_out, 0, END_COUNT);
    tcase_add_test(t, MON_014_removed_means_never_and_not_removed_means_already_there);
    tcase_add_loop_test(t, MON_014_the_same_under_seeds, 0, END_COUNT);
    tcase_add_loop_test(t, MON_017_whoever_ends_nothing_is_left_at_either_end, 0, END_COUNT);
    tcase_add_test(t, MON_025_a_long_reason_arrives_whole);
    tcase_add_test(t, MON_026_nonsense_is_refused_and_makes_no_token);
    tcase_add_loop_test(t, ORD_007_messages_come_before_the_senders_down, 0, END_COUNT);
    tcase_add_test(t, ORD_007_messages_come_before_the_senders_down_from_another_thread);
    return run_suite("monitors", t, 30);
}
