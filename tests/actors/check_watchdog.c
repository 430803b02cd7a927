/* SPDX-License-Identifier: MIT */
/* check_watchdog.c - reports of who holds a loop; what waits behind goes on elsewhere. */
#include "fixture.h"

#include <pthread.h>
#include <time.h>

static bsk_rt *rt;

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Holds its loop for so many ms. */
static void spin(bsk_self *self, bsk_msg *m)
{
    ck_assert_ptr_nonnull(self);
    bsk_match(m) {
        bsk_on(num, n) {
            int64_t end = now_ms() + n->v;
            while (now_ms() < end) continue;
            fix_hit();
        }
    }
}

static void spin_fiber(bsk_self *self)
{
    bsk_msg *m;
    while ((m = bsk_recv(self, BSK_FOREVER))) spin(self, m);
}

START_TEST(who_holds_a_loop_is_reported_by_name_and_message)
{
    rt = bsk_start(.workers = 1, .slow_ms = 50, FIX_HOOKS);
    bsk_addr h = fix_born(bsk_spawn(rt, spin, .name = "slow handler"));
    bsk_tell(h, num, 300);
    fix_await(1);
    bsk_addr f = fix_born(bsk_spawn(rt, spin_fiber, .name = "slow fiber"));
    bsk_tell(f, num, 300);
    fix_await(2);
    fix_stop(rt, 0);
    ck_assert_uint_ge(fix_lines("slow handler <"), 1);
    ck_assert_uint_ge(fix_lines("slow fiber <"), 1);
    ck_assert_uint_ge(fix_lines("holds its loop for"), 2);
    ck_assert_uint_ge(fix_lines("at work on num"), 1);
    /* Each time that it has doubled: about 50, 100, 200. */
    ck_assert_uint_le(fix_lines("holds its loop for"), 8);
}
END_TEST

START_TEST(nobody_is_reported_who_is_fast_enough)
{
    rt = bsk_start(.workers = 1, .slow_ms = 10000, FIX_HOOKS);
    bsk_addr a = fix_born(bsk_spawn(rt, spin));
    bsk_tell(a, num, 200);
    fix_await(1);
    fix_stop(rt, 0);
    ck_assert_uint_eq(fix_lines("holds its loop"), 0);
}
END_TEST

START_TEST(nobody_is_reported_where_that_was_asked)
{
    rt = bsk_start(.workers = 1, .slow_ms = BSK_FOREVER, FIX_HOOKS);
    bsk_addr a = fix_born(bsk_spawn(rt, spin));
    bsk_tell(a, num, 400);
    fix_await(1);
    fix_stop(rt, 0);
    ck_assert_uint_eq(fix_lines("holds its loop"), 0);
}
END_TEST

START_TEST(a_loop_of_its_own_may_be_reported_too)
{
    rt = bsk_start(.workers = 1, .slow_ms = 50, FIX_HOOKS);
    bsk_addr a = fix_born(bsk_spawn(rt, spin, .own_thread = true, .name = "alone"));
    bsk_tell(a, num, 300);
    fix_await(1);
    fix_stop(rt, 0);
    ck_assert_uint_ge(fix_lines("alone <"), 1);
}
END_TEST

/* Rescue. */

static _Atomic bool let_go;

static void hold(bsk_self *self, bsk_msg *m)
{
    bsk_addr *all = bsk_state(self);
    bsk_match(m) {
        bsk_on(stop_it, s) {
            /* All are queued here, behind this message. */
            for (int i = 0; i < 20; i++) bsk_tell(all[i], num, 0);
            fix_hit();
            while (!atomic_load(&let_go)) continue;
            fix_hit();
        }
    }
}

START_TEST(actors_queued_behind_a_stuck_handler_run_elsewhere)
{
    rt = bsk_start(.workers = 2, .slow_ms = 5000, FIX_HOOKS);
    bsk_addr all[20];
    for (int i = 0; i < 20; i++)
        all[i] = fix_born(i % 3 ? bsk_spawn(rt, spin) : bsk_spawn(rt, spin_fiber));
    bsk_addr a = fix_born(bsk_spawn(rt, hold, .state = all, .state_size = sizeof all));
    bsk_tell(a, stop_it);
    fix_await(21);
    atomic_store(&let_go, true);
    fix_await(22);
    bsk_stats_out s;
    bsk_stats(rt, &s);
    ck_assert_uint_ge(s.steals, 1);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(messages_from_outside_pass_a_stuck_handler)
{
    rt = bsk_start(.workers = 2, .slow_ms = 5000, FIX_HOOKS);
    bsk_addr all[20], more[40];
    for (int i = 0; i < 20; i++) all[i] = fix_born(bsk_spawn(rt, spin));
    bsk_addr a = fix_born(bsk_spawn(rt, hold, .state = all, .state_size = sizeof all));
    bsk_tell(a, stop_it);
    fix_await(1);
    for (int i = 0; i < 40; i++) {
        more[i] = fix_born(i % 3 ? bsk_spawn(rt, spin) : bsk_spawn(rt, spin_fiber));
        bsk_tell(more[i], num, 0);
    }
    fix_await(61);
    atomic_store(&let_go, true);
    fix_await(62);
    fix_stop(rt, 0);
}
END_TEST

static void *tell_now_and_then(void *to)
{
    for (int i = 0; i < 200; i++) {
        struct timespec t = {0, 200000};
        bsk_tell(*(bsk_addr *)to, num, 0);
        nanosleep(&t, NULL);
    }
    return to;
}

/* An idle runtime sleeps: it neither wakes by itself nor uses the processor. */
START_TEST(an_idle_runtime_sleeps)
{
    rt = bsk_start(.workers = 2, FIX_HOOKS);
    bsk_addr a = fix_born(bsk_spawn(rt, spin));
    tell_now_and_then(&a);
    fix_await(200);
    struct timespec t = {0, 300000000};
    nanosleep(&t, NULL);
    bsk_stats_out before, after;
    clock_t used = clock();
    bsk_stats(rt, &before);
    nanosleep(&t, NULL);
    bsk_stats(rt, &after);
    used = clock() - used;
    ck_assert_uint_le(after.parks - before.parks, 5);
    ck_assert_int_lt(used, CLOCKS_PER_SEC / 30);
    fix_stop(rt, 0);
}
END_TEST

FIX_MAIN("watchdog", 60, who_holds_a_loop_is_reported_by_name_and_message,
         nobody_is_reported_who_is_fast_enough, nobody_is_reported_where_that_was_asked,
         a_loop_of_its_own_may_be_reported_too, actors_queued_behind_a_stuck_handler_run_elsewhere,
         messages_from_outside_pass_a_stuck_handler, an_idle_runtime_sleeps)
