/* SPDX-License-Identifier: MIT */
/* check_links.c - the cases of links: who is linked hears of an end, or ends by it.
 *
 * ctest: timeout=120 */
#include "conformance.h"

#include <sched.h>
#include <string.h>

#define SEEDS 100

BSK_MSG(go);
BSK_MSG(number, (i64, n));
BSK_MSG(link_to, (addr, who));
BSK_MSG(unlink_from, (addr, who));
BSK_CALL(question, number);

static enum end how_now;

static uint32_t links_of(bsk_addr who)
{
    bsk_ties_out ties = {77, 77};
    expect_eq(bsk_ties(who, &ties), 0);
    return ties.links;
}

/* Does as it is told; ends by `go`. */
static void obey_handler(bsk_self *self, bsk_msg *m)
{
    bool goes = false;
    bsk_match(m) {
        bsk_on(link_to, l) expect_eq(bsk_link(self, l->who), 0);
        bsk_on(unlink_from, u) bsk_unlink(self, u->who);
        bsk_on(question, q) expect_eq(bsk_reply(q, question), 0);
        bsk_on(go, g) goes = true;
    }
    if (!goes) return;
    end_by(self, how_now);
    if (how_now == END_RETURN) bsk_exit(self);
}

static void obey_fiber(bsk_self *self)
{
    for (bool goes = false; !goes;) {
        bsk_match(bsk_recv(self, BSK_FOREVER)) {
            bsk_on(link_to, l) expect_eq(bsk_link(self, l->who), 0);
            bsk_on(unlink_from, u) bsk_unlink(self, u->who);
            bsk_on(question, q) expect_eq(bsk_reply(q, question), 0);
            bsk_on(go, g) goes = true;
        }
    }
    end_by(self, how_now);
    if (how_now >= END_STOPPED) expect(!bsk_recv(self, BSK_FOREVER));
}

static bsk_addr spawn_obeying(bsk_rt *rt, bool handler)
{
    bsk_addr a = handler ? bsk_spawn(rt, obey_handler) : bsk_spawn(rt, obey_fiber);
    expect(!bsk_is_nobody(a));
    return a;
}

/* Receives the one message that a link sends; returns its reason, -1: there is none. */
static int take_left(bsk_self *self, bsk_addr from, int64_t ms)
{
    int reason = -1;
    bsk_match(bsk_recv(self, ms)) {
        bsk_on(bsk_left, l) {
            expect(bsk_same(l->who, from));
            reason = (int)l->reason;
        }
        bsk_else(any) expect(!"a bsk_left");
    }
    return reason;
}

static void unlink_either(bsk_self *self)
{
    bsk_rt *rt = bsk_rt_of(self);
    bsk_addr pair[2] = {spawn_obeying(rt, seed_now % 2), spawn_obeying(rt, seed_now % 4 / 2)};
    int linker = bsk_random(self) % 2, unlinker = bsk_random(self) % 2, dies = bsk_random(self) % 2;
    bsk_tell(pair[linker], link_to, .who = pair[!linker]);
    if (bsk_random(self) % 2) bsk_tell(pair[!linker], link_to, .who = pair[linker]);
    expect_eq(bsk_sleep(self, 1), 0);
    expect_eq(links_of(pair[0]), 1);
    expect_eq(links_of(pair[1]), 1);
    bsk_tell(pair[unlinker], unlink_from, .who = pair[!unlinker]);
    expect_eq(bsk_sleep(self, 1), 0);
    expect_eq(links_of(pair[0]), 0);
    expect_eq(links_of(pair[1]), 0);
    bsk_tell(pair[dies], go);
    expect_eq(bsk_sleep(self, 1), 0);
    expect_eq(reason_of(pair[dies]), reason_for(how_now));
    expect(bsk_call(self, pair[!dies], 100, question) != NULL);
    expect_eq(bsk_kill(pair[!dies]), 0);
}

START_TEST(LNK_002_whoever_unlinks_it_is_gone_for_both)
{
    how_now = (enum end)_i;
    run_seeds(SEEDS, status_for(how_now), unlink_either);
}
END_TEST

/* If its parent has ended meanwhile, the signal has come. */
static void look_for_own_link(bsk_self *self)
{
    if (links_of(bsk_me(self)) != 1 && bsk_alive(bsk_me(self)))
        ck_abort_msg("a child was born without its link");
}

static void look_for_link(bsk_self *self)
{
    look_for_own_link(self);
    expect(!bsk_recv(self, BSK_FOREVER));
}

static bsk_addr spawn_linked(bsk_self *self, bool handler)
{
    bsk_addr a = handler ? bsk_spawn_link(self, obey_handler, .init = look_for_own_link)
                         : bsk_spawn_link(self, look_for_link);
    expect(!bsk_is_nobody(a));
    return a;
}

static void have_children(bsk_self *self)
{
    for (uint32_t i = 1; i <= 4; i++) {
        bsk_addr child = spawn_linked(self, (seed_now + i) % 2);
        expect_eq(links_of(bsk_me(self)), i);
        expect_eq(links_of(child), 1);
        if (bsk_random(self) % 2) expect_eq(bsk_yield(self), 0);
    }
    bsk_fail(self, "and all four with it");
}

static uint64_t alive(bsk_rt *rt)
{
    bsk_stats_out s;
    bsk_stats(rt, &s);
    return s.actors;
}

START_TEST(LNK_004_a_linked_child_is_linked_at_once)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        bsk_rt *rt = start_seeded(seed);
        expect(!bsk_is_nobody(bsk_spawn(rt, have_children)));
        bsk_advance(rt, 1);
        expect_eq(alive(rt), 0);
        expect_eq(bsk_wait(rt), 1);
    }
}
END_TEST

static void have_many(bsk_self *self)
{
    for (int i = 0; i < 100; i++) {
        spawn_linked(self, i % 2);
        if (i % 8 == 0) expect_eq(bsk_yield(self), 0);
    }
    bsk_exit_as(self, BSK_SHUTDOWN, "enough");
}

/* On other threads a child lives, and may end, before its parent's word returns. */
START_TEST(LNK_004_a_linked_child_is_linked_at_once_on_another_thread)
{
    bsk_rt *rt = start_parallel(2);
    for (int round = 0; round < 30; round++) ck_assert(!bsk_is_nobody(bsk_spawn(rt, have_many)));
    ck_assert_int_eq(bsk_wait(rt), 0);
}
END_TEST

static void die_of(bsk_self *self)
{
    bsk_fail(self, "died of %d", 42);
}

static void hear_of_death(bsk_self *self)
{
    bsk_trap_exit(self, true);
    bsk_addr who = bsk_spawn_link(self, die_of);
    bool got = false;
    bsk_match(bsk_recv(self, 100)) {
        bsk_on(bsk_left, l) {
            got = true;
            expect(bsk_same(l->who, who));
            expect_eq(l->reason, BSK_FAILED);
            expect(!strcmp(l->text, "died of 42"));
            expect(strstr(l->file, "check_links.c") != NULL);
            expect(l->line > 0);
        }
    }
    expect(got);
    expect(!bsk_recv(self, 100));
    expect_eq(bsk_error(self), BSK_ETIMEDOUT);
    expect_eq(links_of(bsk_me(self)), 0);
}

START_TEST(LNK_006_who_traps_hears_from_whom_and_why_and_lives)
{
    run_seeds(SEEDS, 1, hear_of_death);
}
END_TEST

static void hear_of_any_end(bsk_self *self)
{
    bsk_trap_exit(self, true);
    bsk_addr who = spawn_obeying(bsk_rt_of(self), seed_now % 2);
    expect_eq(bsk_link(self, who), 0);
    expect_eq(bsk_link(self, who), 0);
    bsk_tell(who, link_to, .who = bsk_me(self));
    bsk_tell(who, go);
    expect_eq(take_left(self, who, 100), reason_for(how_now));
    expect_eq(take_left(self, who, 100), -1);
}

START_TEST(LNK_006_of_any_end_once_however_often_linked)
{
    how_now = (enum end)_i;
    run_seeds(SEEDS, status_for(how_now), hear_of_any_end);
}
END_TEST

/* Who does not trap ends for the same reason, and those linked to it; a normal end ends nobody. */
static void end_together(bsk_self *self)
{
    bsk_rt *rt = bsk_rt_of(self);
    bsk_addr chain[4];
    for (int i = 0; i < 4; i++) {
        chain[i] = spawn_obeying(rt, (seed_now >> i) % 2);
        if (i) bsk_tell(chain[i], link_to, .who = chain[i - 1]);
    }
    expect_eq(bsk_sleep(self, 1), 0);
    bsk_tell(chain[1], go);
    expect_eq(bsk_sleep(self, 1), 0);
    bool normal = reason_for(how_now) == BSK_NORMAL;
    for (int i = 0; i < 4; i++) {
        expect_eq(reason_of(chain[i]), normal && i != 1 ? -1 : reason_for(how_now));
        if (normal && i != 1) expect_eq(bsk_kill(chain[i]), 0);
    }
}

START_TEST(LNK_006_who_does_not_trap_ends_for_the_same_reason)
{
    how_now = (enum end)_i;
    run_seeds(SEEDS, status_for(how_now), end_together);
}
END_TEST

static void link_to_nobody(bsk_self *self)
{
    bsk_addr dead = spawn_obeying(bsk_rt_of(self), seed_now % 2);
    expect_eq(bsk_kill(dead), 0);
    expect_eq(bsk_sleep(self, 1), 0);
    bsk_addr none[] = {dead,
                       {dead.node, dead.slot, dead.gen + 2},
                       {dead.node, UINT32_MAX, 1},
                       {dead.node + 1, dead.slot, dead.gen}};
    bsk_trap_exit(self, true);
    for (int i = 0; i < 4; i++) {
        expect_eq(bsk_link(self, none[i]), 0);
        expect_eq(take_left(self, none[i], 0), BSK_NO_ACTOR);
    }
    bsk_addr other = spawn_obeying(bsk_rt_of(self), seed_now % 4 / 2);
    bsk_tell(other, link_to, .who = dead);
    expect_eq(bsk_sleep(self, 1), 0);
    expect_eq(reason_of(other), BSK_NO_ACTOR);
    expect_eq(bsk_link(self, bsk_me(self)), BSK_EINVAL);
    expect_eq(bsk_link(self, (bsk_addr){0, 0, 0}), BSK_EINVAL);
    expect_eq(links_of(bsk_me(self)), 0);
}

START_TEST(LNK_007_a_link_to_who_does_not_exist_is_an_exit_signal)
{
    run_seeds(SEEDS, 0, link_to_nobody);
}
END_TEST

/* Runs the fiber to its end on a thread of its own, beside two others. */
static void run_parallel(bsk_fiber *f, int status)
{
    bsk_rt *rt = start_parallel(2);
    ck_assert(!bsk_is_nobody(bsk_spawn(rt, f, .own_thread = true)));
    ck_assert_int_eq(bsk_wait(rt), status);
}

/* Whoever hears that another has ended and links to it again hears that it is none. */
static void link_again(bsk_self *self)
{
    bsk_trap_exit(self, true);
    for (int round = 0; round < 800; round++) {
        bsk_addr who = bsk_spawn_link(self, obey_handler);
        bsk_tell(who, go);
        if (take_left(self, who, BSK_FOREVER) < 0) ck_abort_msg("round %d: no end", round);
        if (bsk_link(self, who)) ck_abort_msg("round %d: no link", round);
        if (take_left(self, who, 0) != BSK_NO_ACTOR) ck_abort_msg("round %d: no signal", round);
    }
}

START_TEST(LNK_007_also_of_one_that_was_linked_just_now)
{
    how_now = END_EXIT;
    run_parallel(link_again, 0);
}
END_TEST

/* A while from nothing to some hundred microseconds, short ones as often as long ones. */
static void pass_time(bsk_self *self)
{
    for (volatile uint32_t n = UINT32_C(1) << bsk_random(self) % 17; n; n--) continue;
}

/* Returns how many there are now. */
static int count_left(bsk_self *self)
{
    int n = 0;
    for (bsk_msg *m; (m = bsk_recv(self, 0));) {
        bsk_match(m) {
            bsk_on(bsk_left, l) n++;
        }
    }
    return n;
}

static unsigned came, came_not;

/* The other ends by an exit signal at any point of the unlinking. */
static void unlink_in_time(bsk_self *self)
{
    bsk_trap_exit(self, true);
    for (int round = 0; round < 800; round++) {
        bsk_addr who = bsk_spawn_link(self, obey_handler);
        expect_eq(bsk_send_exit(self, who, BSK_FAILED, "over"), 0);
        pass_time(self);
        bsk_unlink(self, who);
        int n = count_left(self);
        if (n > 1) ck_abort_msg("round %d: %d exit messages", round, n);
        while (bsk_try(who, number) != BSK_EDEAD) expect_eq(bsk_yield(self), 0);
        if (count_left(self)) ck_abort_msg("round %d: a late exit message", round);
        if (links_of(bsk_me(self))) ck_abort_msg("round %d: still linked", round);
        ++*(n ? &came : &came_not);
    }
}

START_TEST(LNK_009_after_unlinking_none_comes_late)
{
    run_parallel(unlink_in_time, 1);
    ck_assert_uint_eq(came + came_not, 800);
}
END_TEST

static void unlink_seeded(bsk_self *self)
{
    bsk_trap_exit(self, true);
    bsk_addr who = spawn_obeying(bsk_rt_of(self), seed_now % 2);
    expect_eq(bsk_link(self, who), 0);
    expect_eq(bsk_send_exit(self, who, BSK_FAILED, "over"), 0);
    for (uint64_t n = bsk_random(self) % 3; n; n--) expect_eq(bsk_yield(self), 0);
    bool ended = reason_of(who) >= 0;
    bsk_unlink(self, who);
    expect_eq(count_left(self), ended);
    expect_eq(bsk_sleep(self, 10), 0);
    expect_eq(count_left(self), 0);
}

START_TEST(LNK_009_the_same_under_seeds)
{
    run_seeds(500, 1, unlink_seeded);
}
END_TEST

/* Both ends unlink, and one ends, at the same time: it is one signal at most, and none is left. */
static void unlink_from_peer(bsk_self *self)
{
    const bsk_addr *peer = bsk_state(self);
    pass_time(self);
    bsk_unlink(self, *peer);
    if (bsk_random(self) % 2) bsk_fail(self, "at once");
}

static void unlink_from_both(bsk_self *self)
{
    bsk_addr me = bsk_me(self);
    bsk_trap_exit(self, true);
    for (int round = 0; round < 800; round++) {
        bsk_addr who =
            bsk_spawn_link(self, unlink_from_peer, .state = &me, .state_size = sizeof me);
        if (bsk_random(self) % 2) (void)bsk_send_exit(self, who, BSK_FAILED, "over");
        pass_time(self);
        bsk_unlink(self, who);
        int n = count_left(self);
        while (bsk_try(who, number) != BSK_EDEAD) expect_eq(bsk_yield(self), 0);
        if (n + count_left(self) > 1) ck_abort_msg("round %d: two exit messages", round);
        if (links_of(bsk_me(self))) ck_abort_msg("round %d: still linked", round);
    }
}

START_TEST(LNK_009_both_unlink_while_one_ends)
{
    run_parallel(unlink_from_both, 1);
}
END_TEST

static bsk_addr victim, peer;
static _Atomic bool came_back;

static void fail_late(bsk_self *self, bsk_msg *m)
{
    if (m) bsk_fail(self, "and the other too");
}

/* The signal has come while it was at work; then it unlinks. */
static void unlink_too_late(bsk_self *self)
{
    peer = bsk_spawn_link(self, fail_late);
    bsk_tell(peer, go);
    while (bsk_alive(bsk_me(self))) sched_yield();
    bsk_unlink(self, peer);
    if (bsk_random(self) % 2) bsk_unlink(self, peer);
    bsk_recv(self, 0);
    came_back = true;
}

static void judge(bsk_self *self)
{
    for (int round = 0; round < 500; round++) {
        bsk_monitor m;
        bsk_addr who = bsk_spawn_watch(self, &m, unlink_too_late);
        bsk_match(bsk_recv(self, BSK_FOREVER)) {
            bsk_on(bsk_down, d) {
                expect(bsk_same(d->who, who));
                expect_eq(d->reason, BSK_FAILED);
                expect(!strcmp(d->text, "and the other too"));
            }
        }
    }
}

START_TEST(LNK_010_a_signal_that_has_come_counts_though_it_is_unlinked)
{
    bsk_rt *rt = start_parallel(3);
    ck_assert(!bsk_is_nobody(bsk_spawn(rt, judge)));
    ck_assert_int_eq(bsk_wait(rt), 1);
    ck_assert(!came_back);
}
END_TEST

/* The same with a signal that it sends to itself, as nobody. */
static void unlink_with_signal(bsk_self *self)
{
    expect_eq(bsk_link(self, peer), 0);
    expect_eq(bsk_send_exit(NULL, bsk_me(self), BSK_FAILED, "has come"), 0);
    bsk_unlink(self, peer);
    if (seed_now % 3 == 0) expect(!bsk_recv(self, 0));
    if (seed_now % 3 == 1) expect_eq(bsk_sleep(self, 0), 0);
    came_back = seed_now % 3 < 2;
}

static void watch_it_unlink(bsk_self *self)
{
    peer = bsk_me(self);
    victim = bsk_spawn(bsk_rt_of(self), unlink_with_signal);
    expect_eq(bsk_sleep(self, 1), 0);
    expect_eq(reason_of(victim), BSK_FAILED);
    expect(!came_back);
    expect_eq(links_of(peer), 0);
}

START_TEST(LNK_010_the_same_under_seeds)
{
    run_seeds(SEEDS, 1, watch_it_unlink);
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
    bsk_trap_exit(self, true);
    int64_t last = 0;
    bool over = false;
    bsk_addr who = bsk_spawn_link(self, send_and_end);
    while (!over) {
        bsk_match(bsk_recv(self, BSK_FOREVER)) {
            bsk_on(number, n) {
                expect_eq(n->n, last + 1);
                last = n->n;
            }
            bsk_on(bsk_left, l) over = bsk_same(l->who, who);
        }
    }
    expect_eq(last, BEFORE);
}

START_TEST(ORD_007_messages_come_before_the_senders_exit_signal)
{
    how_now = (enum end)_i;
    run_seeds(500, status_for(how_now), listen);
}
END_TEST

static void listen_often(bsk_self *self)
{
    for (int round = 0; round < 500; round++) listen(self);
}

START_TEST(ORD_007_messages_come_before_the_senders_exit_signal_from_another_thread)
{
    how_now = END_EXIT;
    run_parallel(listen_often, 0);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("links");
    tcase_add_loop_test(t, LNK_002_whoever_unlinks_it_is_gone_for_both, 0, END_COUNT);
    tcase_add_test(t, LNK_004_a_linked_child_is_linked_at_once);
    tcase_add_test(t, LNK_004_a_linked_child_is_linked_at_once_on_another_thread);
    tcase_add_test(t, LNK_006_who_traps_hears_from_whom_and_why_and_lives);
    tcase_add_loop_test(t, LNK_006_of_any_end_once_however_often_linked, 0, END_COUNT);
    tcase_add_loop_test(t, LNK_006_who_does_not_trap_ends_for_the_same_reason, 0, END_COUNT);
    tcase_add_test(t, LNK_007_a_link_to_who_does_not_exist_is_an_exit_signal);
    tcase_add_test(t, LNK_007_also_of_one_that_was_linked_just_now);
    tcase_add_test(t, LNK_009_after_unlinking_none_comes_late);
    tcase_add_test(t, LNK_009_the_same_under_seeds);
    tcase_add_test(t, LNK_009_both_unlink_while_one_ends);
    tcase_add_test(t, LNK_010_a_signal_that_has_come_counts_though_it_is_unlinked);
    tcase_add_test(t, LNK_010_the_same_under_seeds);
    tcase_add_loop_test(t, ORD_007_messages_come_before_the_senders_exit_signal, 0, END_COUNT);
    tcase_add_test(t, ORD_007_messages_come_before_the_senders_exit_signal_from_another_thread);
    return run_suite("links", t, 30);
}
