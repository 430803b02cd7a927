/* SPDX-License-Identifier: MIT */
/* check_monitor.c - monitors: of handlers and fibers, in all states; what is left of them: nothing.
 *
 * ctest: timeout=120 */
#include "../actors/fixture.h"

#include "supervisor/supervisor.h"

BSK_MSG(watch_it, (addr, who), (i64, times));
BSK_MSG(drop_it);
BSK_LOCAL(held, held_drop, (bsk_self *, self), (bsk_addr, who));

static bsk_rt *rt;
static unsigned downs, dropped;
static int64_t last_reason;
static char last_name[BSK_NAME_MAX + 1];

static void setup(void)
{
    rt = bsk_start(.seed = 31, FIX_TRACED);
    ck_assert_ptr_nonnull(rt);
}

static void ignore_line(void *arg, enum bsk_level level, const char *text)
{
    ck_assert(!arg && level <= BSK_LOG_DEBUG && text);
}

static void count_down(const bsk_down *d)
{
    downs++;
    last_reason = d->reason;
    snprintf(last_name, sizeof last_name, "%s", d->name);
    ck_assert_ptr_nonnull(d->text);
    ck_assert_ptr_nonnull(d->file);
    ck_assert_ptr_nonnull(d->trace);
}

static bsk_monitor made; /* the last one */

static void watch_times(bsk_self *self, const watch_it *w)
{
    for (int64_t i = 0; i < w->times; i++) {
        made = bsk_watch(self, w->who);
        ck_assert_uint_ne(made.gen, 0);
    }
}

static void watcher(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(watch_it, w) watch_times(self, w);
        bsk_on(bsk_down, d) count_down(d);
        bsk_on(drop_it, d) bsk_unwatch_flush(self, made);
        bsk_on(stop_it, s) bsk_exit(self);
    }
}

static void watcher_fiber(bsk_self *self)
{
    for (bsk_msg *m; (m = bsk_recv(self, BSK_FOREVER));) watcher(self, m);
}

static void target(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(stop_it, s) bsk_exit(self);
        bsk_on(note, n) bsk_fail(self, "%s", n->text);
    }
}

static bsk_addr spawn_watcher(bool handler)
{
    return fix_born(handler ? bsk_spawn(rt, watcher) : bsk_spawn(rt, watcher_fiber));
}

static bsk_addr spawn_target(void)
{
    return fix_born(bsk_spawn(rt, target));
}

static uint32_t watchers_of(bsk_addr who)
{
    bsk_ties_out ties;
    ck_assert_int_eq(bsk_ties(who, &ties), 0);
    ck_assert_uint_eq(ties.links, 0);
    return ties.watchers;
}

START_TEST(handlers_and_fibers_watch_and_are_counted)
{
    for (int handler = 0; handler < 2; handler++) {
        setup();
        downs = 0;
        bsk_addr w = spawn_watcher(handler), who = spawn_target();
        bsk_tell(w, watch_it, .who = who, .times = 5);
        bsk_advance(rt, 1);
        ck_assert_uint_eq(watchers_of(who), 5);
        bsk_tell(w, drop_it);
        bsk_advance(rt, 1);
        ck_assert_uint_eq(watchers_of(who), 4);
        bsk_tell(who, note, "broken");
        bsk_advance(rt, 1);
        ck_assert_uint_eq(downs, 4);
        ck_assert_int_eq(last_reason, BSK_FAILED);
        bsk_tell(w, watch_it, .who = who, .times = 2);
        bsk_advance(rt, 1);
        ck_assert_uint_eq(downs, 6);
        ck_assert_int_eq(last_reason, BSK_NO_ACTOR);
        fix_stop(rt, 1);
    }
}
END_TEST

/* Far more than a mailbox holds: a bsk_down takes no place. */
START_TEST(a_full_mailbox_takes_them_all)
{
    enum { ALL = 3000 };
    setup();
    bsk_addr w = fix_born(bsk_spawn(rt, watcher, .mailbox = 1)), who[ALL];
    for (int i = 0; i < ALL; i++) {
        who[i] = spawn_target();
        bsk_tell(w, watch_it, .who = who[i], .times = 1);
        bsk_advance(rt, 0);
    }
    for (int i = 0; i < ALL; i++) bsk_tell(who[i], stop_it);
    bsk_tell(w, watch_it, .who = who[0], .times = 0);
    bsk_advance(rt, 1);
    ck_assert_uint_eq(downs, ALL);
    ck_assert_uint_eq(fix_dead_all(), 0);
    fix_stop(rt, 0);
}
END_TEST

/* Monitors, and their messages, of a watcher that ends: listed, fired, passed over. */
static void leave_some(bsk_self *self)
{
    bsk_addr who[3];
    for (int i = 0; i < 3; i++) {
        who[i] = fix_born(bsk_spawn(rt, target));
        for (int k = 0; k < 3; k++) ck_assert_uint_ne(bsk_watch(self, who[i]).gen, 0);
    }
    bsk_tell(who[0], note, "passed over");
    ck_assert_int_eq(bsk_sleep(self, 1), 0);
    ck_assert_ptr_null(bsk_recv_only(self, 1, BSK_T(num)));
    bsk_tell(who[1], note, "in the mailbox");
    ck_assert_int_eq(bsk_sleep(self, 1), 0);
    fix_hit();
}

START_TEST(a_watcher_that_ends_leaves_nothing)
{
    setup();
    fix_born(bsk_spawn(rt, leave_some));
    bsk_advance(rt, 100);
    ck_assert_uint_eq(fix_hits(), 1);
    ck_assert_uint_eq(fix_ends(), 3);
    fix_stop(rt, 1);
}
END_TEST

/* Who got the slot of a watcher that ended is not told what that one asked for. */
START_TEST(a_watchers_successor_hears_nothing)
{
    setup();
    for (int i = 0; i < 200; i++) {
        bsk_addr w = spawn_watcher(i % 2), who = spawn_target();
        bsk_tell(w, watch_it, .who = who, .times = 1);
        bsk_advance(rt, 1);
        bsk_tell(w, stop_it);
        bsk_tell(who, stop_it);
        if (i % 3) bsk_advance(rt, 1);
    }
    bsk_advance(rt, 1);
    unsigned before = downs;
    bsk_advance(rt, 10);
    ck_assert_uint_eq(downs, before);
    fix_stop(rt, 0);
}
END_TEST

/* A message dropped while its receiver ends: that one cannot watch any more. */
void held_drop(void *body)
{
    struct held *h = body;
    bsk_monitor m = {0, 0};
    dropped++;
    if (!h->self) return;
    ck_assert_uint_eq(bsk_watch(h->self, h->who).gen, 0);
    ck_assert_int_eq(bsk_error(h->self), BSK_EINVAL);
    ck_assert(bsk_is_nobody(bsk_spawn_watch(h->self, &m, target)));
    ck_assert_uint_eq(m.gen, 0);
}

static void watch_at_end(bsk_self *self)
{
    ck_assert_uint_ne(bsk_watch(self, *(bsk_addr *)bsk_state(self)).gen, 0);
}

static void keep_held(bsk_self *self)
{
    bsk_addr who = *(bsk_addr *)bsk_state(self);
    bsk_tell(bsk_me(self), held, .self = self, .who = who);
    ck_assert_ptr_null(bsk_recv_only(self, 0, BSK_T(num)));
    bsk_tell(bsk_me(self), held, .self = self, .who = who);
}

START_TEST(who_ends_may_watch_in_fini_and_not_after_it)
{
    setup();
    bsk_addr who = spawn_target();
    fix_born(
        bsk_spawn(rt, keep_held, .fini = watch_at_end, .state = &who, .state_size = sizeof who));
    bsk_advance(rt, 1);
    ck_assert_uint_eq(dropped, 2);
    ck_assert_uint_eq(watchers_of(who), 0);
    fix_stop(rt, 0);
}
END_TEST

static void receive_in_any_way(bsk_self *self)
{
    bsk_monitor m[2];
    bsk_addr who[2];
    for (int i = 0; i < 2; i++) {
        who[i] = bsk_spawn_watch(self, &m[i], target);
        bsk_tell(who[i], stop_it);
        ck_assert_int_eq(bsk_sleep(self, 1), 0);
    }
    /* A selective receive of it; a call does not touch it. */
    bsk_match(bsk_recv_only(self, 0, BSK_T(bsk_down))) {
        bsk_on(bsk_down, d) ck_assert(bsk_is_of(d, m[0]));
        bsk_else(any) ck_abort_msg("no bsk_down");
    }
    ck_assert_ptr_null(bsk_call(self, who[1], 10, get, 1));
    ck_assert_ptr_null(bsk_recv_only(self, 0, BSK_T(num)));
    ck_assert(!bsk_unwatch(self, m[1]));
    bsk_match(bsk_recv(self, 0)) {
        bsk_on(bsk_down, d) ck_assert(bsk_is_of(d, m[1]) && !bsk_is_of(d, m[0]));
        bsk_else(any) ck_abort_msg("no bsk_down");
    }
    ck_assert(!bsk_unwatch(self, m[1]));
    bsk_unwatch_flush(self, m[1]);
    fix_hit();
}

START_TEST(it_is_received_as_other_messages_are)
{
    setup();
    fix_born(bsk_spawn(rt, receive_in_any_way));
    bsk_advance(rt, 100);
    ck_assert_uint_eq(fix_hits(), 1);
    fix_stop(rt, 0);
}
END_TEST

static void watch_oneself(bsk_self *self)
{
    bsk_monitor m = bsk_watch(self, bsk_me(self));
    ck_assert_uint_ne(m.gen, 0);
    ck_assert_uint_eq(watchers_of(bsk_me(self)), 1);
    ck_assert(bsk_unwatch(self, m));
    ck_assert(!bsk_unwatch(self, m));
    ck_assert_uint_ne(bsk_watch(self, bsk_me(self)).gen, 0);
    ck_assert_uint_ne(bsk_watch(self, bsk_me(self)).gen, 0);
}

START_TEST(one_may_watch_oneself_in_vain)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, watch_oneself));
    bsk_advance(rt, 1);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_NORMAL);
    fix_stop(rt, 0);
}
END_TEST

/* It is told before it runs for the first time, and also if it never runs. */
START_TEST(of_one_that_never_ran_too)
{
    setup();
    bsk_addr w = spawn_watcher(true), who = spawn_target();
    bsk_tell(w, watch_it, .who = who, .times = 1);
    bsk_advance(rt, 1);
    ck_assert_int_eq(bsk_kill(who), 0);
    bsk_advance(rt, 1);
    ck_assert_uint_eq(downs, 1);
    ck_assert_int_eq(last_reason, BSK_KILLED);
    bsk_addr fiber = fix_born(bsk_spawn(rt, watcher_fiber));
    bsk_tell(w, watch_it, .who = fiber, .times = 1);
    ck_assert_int_eq(bsk_kill(fiber), 0);
    bsk_advance(rt, 1);
    ck_assert_uint_eq(downs, 2);
    fix_stop(rt, 0);
}
END_TEST

enum { WATCH, WATCH_NAME, SPAWN_WATCH, WORDS };

static int word_now;
static uint64_t fail_from;
static int fail_onward;
static bsk_addr seen;

static bsk_monitor say_word(bsk_self *self, bsk_addr who)
{
    bsk_monitor m = {0, 0};
    if (word_now == WATCH) return bsk_watch(self, who);
    if (word_now == WATCH_NAME) return bsk_watch_name(self, "a name");
    bsk_addr child = bsk_spawn_watch(self, &m, target);
    ck_assert(bsk_is_nobody(child) == !m.gen);
    if (m.gen) bsk_tell(child, stop_it);
    return m;
}

static void watch_without_memory(bsk_self *self)
{
    seen = bsk_spawn(rt, target, .name = "a name");
    if (bsk_is_nobody(seen)) return;
    mem_fail_at(fail_from, fail_onward);
    bsk_monitor m = say_word(self, seen);
    mem_fail_at(0, 0);
    if (m.gen) {
        fix_hit();
        if (word_now != SPAWN_WATCH) ck_assert(bsk_unwatch(self, m));
    } else {
        ck_assert_int_eq(bsk_error(self), BSK_ENOMEM);
    }
    ck_assert_uint_eq(watchers_of(seen), 0);
    bsk_tell(seen, stop_it);
}

static void watch_without_memory_handler(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) watch_without_memory(self);
    }
    bsk_exit(self);
}

START_TEST(without_memory_nothing_is_half_made)
{
    for (int i = 0; i < WORDS * 4; i++) {
        word_now = i / 4;
        fail_onward = i % 2;
        unsigned done = fix_hits();
        for (fail_from = 1; fix_hits() == done; fail_from++) {
            int64_t live = mem_live();
            rt = bsk_start(.seed = 5);
            bsk_addr a = i % 4 / 2 ? bsk_spawn(rt, watch_without_memory)
                                   : bsk_spawn(rt, watch_without_memory_handler);
            if (i % 4 / 2 == 0) bsk_tell(fix_born(a), num, 1);
            bsk_advance(rt, 1);
            fix_stop(rt, 0);
            ck_assert_int_eq(mem_live(), live);
            ck_assert_uint_lt(fail_from, 50);
        }
        ck_assert_uint_gt(fail_from, 2);
    }
}
END_TEST

enum { BURST = 100000 };

static bsk_addr *burst;

static void watch_burst(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n)
            for (int i = 0; i < BURST; i++) ck_assert_uint_ne(bsk_watch(self, burst[i]).gen, 0);
        bsk_on(bsk_down, d) {
            downs++;
            ck_assert_int_eq(d->reason, BSK_FAILED);
            ck_assert_str_eq(d->text, "");
        }
    }
}

/* All that is needed was set aside when the monitors were made. */
START_TEST(a_burst_of_ends_without_memory_loses_none)
{
    burst = malloc(BURST * sizeof *burst);
    rt = bsk_start(.seed = 3, .log = ignore_line);
    bsk_addr w = fix_born(bsk_spawn(rt, watch_burst, .mailbox = 1));
    for (int i = 0; i < BURST; i++) burst[i] = spawn_target();
    bsk_tell(w, num, 1);
    bsk_advance(rt, 0);
    for (int i = 0; i < BURST; i++) bsk_tell(burst[i], note, "");
    mem_fail_at(1, 1);
    bsk_advance(rt, 1);
    mem_fail_at(0, 0);
    ck_assert_uint_eq(downs, BURST);
    free(burst);
    fix_stop(rt, 1);
}
END_TEST

static int64_t blocks_after_churn(bsk_addr w, int rounds)
{
    for (int i = 0; i < rounds; i++) {
        bsk_addr who = spawn_target();
        bsk_tell(w, watch_it, .who = who, .times = 10);
        bsk_tell(w, drop_it);
        bsk_advance(rt, 1);
        bsk_tell(who, note, i % 2 ? "a text" : "");
        bsk_advance(rt, 1);
    }
    return mem_live();
}

START_TEST(memory_returns_to_what_it_was)
{
    rt = bsk_start(.seed = 3, .log = ignore_line);
    bsk_addr w[2] = {spawn_watcher(false), spawn_watcher(true)};
    for (int i = 0; i < 2; i++) {
        int64_t before = blocks_after_churn(w[i], 50);
        ck_assert_int_eq(blocks_after_churn(w[i], 500), before);
    }
    fix_stop(rt, 1);
}
END_TEST

static _Atomic unsigned heard, unheard;

static void watch_in_parallel(bsk_self *self)
{
    bsk_monitor m[8];
    for (int round = 0; round < 200; round++) {
        unsigned due = 0, got = 0;
        for (int i = 0; i < 8; i++) {
            bsk_addr who = bsk_spawn_watch(self, &m[i], target);
            bsk_tell(who, stop_it);
        }
        for (int i = 0; i < 8; i += 2) due += !bsk_unwatch(self, m[i]);
        for (due += 4; got < due; got++) {
            bsk_match(bsk_recv(self, 10000)) {
                bsk_on(bsk_down, d) ck_assert_int_eq(d->reason, BSK_NORMAL);
                bsk_else(any) ck_abort_msg("no bsk_down");
            }
        }
        ck_assert_ptr_null(bsk_recv(self, 0));
        heard += due;
        unheard += 8 - due;
    }
}

START_TEST(many_watch_many_on_real_threads)
{
    rt = bsk_start(.workers = 3, .quiet = true);
    for (int i = 0; i < 8; i++) fix_born(bsk_spawn(rt, watch_in_parallel));
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_uint_eq(heard + unheard, 8 * 200 * 8);
}
END_TEST

/* Watchers end while those they watch do. */
static void watch_and_end(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(watch_it, w) {
            for (int64_t i = 0; i < w->times; i++) bsk_watch(self, w->who);
        }
        bsk_on(bsk_down, d) bsk_exit(self);
        bsk_on(stop_it, s) bsk_exit(self);
    }
}

START_TEST(watchers_end_while_the_watched_do)
{
    rt = bsk_start(.workers = 3, .quiet = true);
    for (int i = 0; i < 3000; i++) {
        bsk_addr a = fix_born(bsk_spawn(rt, watch_and_end)), b = fix_born(bsk_spawn(rt, target));
        bsk_tell(a, watch_it, .who = b, .times = 3);
        bsk_tell(b, stop_it);
        if (i % 2) bsk_tell(a, stop_it);
    }
    ck_assert_int_eq(bsk_wait(rt), 0);
}
END_TEST

FIX_MAIN("monitor", 30, handlers_and_fibers_watch_and_are_counted, a_full_mailbox_takes_them_all,
         a_watcher_that_ends_leaves_nothing, a_watchers_successor_hears_nothing,
         who_ends_may_watch_in_fini_and_not_after_it, it_is_received_as_other_messages_are,
         one_may_watch_oneself_in_vain, of_one_that_never_ran_too,
         without_memory_nothing_is_half_made, a_burst_of_ends_without_memory_loses_none,
         memory_returns_to_what_it_was, many_watch_many_on_real_threads,
         watchers_end_while_the_watched_do)
