/* SPDX-License-Identifier: MIT */
/* check_scope_cancel.c - a cancel reaches whoever is below, in whatever wait, in trees of any shape.
 *
 * ctest: timeout=120 */
#include "scopes.h"

#include "tests/sanitizers.h"

#include <time.h>

/* Cancelling. */

static enum wait wait_now;

static void wait_somewhere(bsk_self *self)
{
    begun++;
    ck_assert_int_eq(wait_in(self, wait_now), BSK_ECANCELED);
    ck_assert(bsk_cancelled(self));
    /* Nor is there any other wait from now on. */
    for (int w = 0; w < IN_YIELD; w++) ck_assert_int_eq(wait_in(self, (enum wait)w), BSK_ECANCELED);
    dropped++;
}

static void cancel_a_wait(bsk_self *self)
{
    work_may_end = false;
    silent = start_silent(self, 2);
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    bsk_addr who = bsk_go(s, wait_somewhere);
    while (!begun) ck_assert_int_eq(bsk_yield(self), 0);
    /* It has begun to wait, most times. */
    if (!in_virtual_time || (wait_now != IN_YIELD && bsk_random(self) % 4))
        ck_assert_int_eq(bsk_sleep(self, 1), 0);
    bsk_scope_cancel(s);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECANCELED);
    work_may_end = true;
    ck_assert_int_eq(dropped, 1);
    ck_assert_int_eq(fix_end_of(who).reason, BSK_CANCELLED);
    bsk_shutdown(bsk_rt_of(self));
}

START_TEST(a_cancel_reaches_every_wait)
{
    for (int w = 0; w < WAITS; w++) {
        wait_now = (enum wait)w;
        /* A seeded runtime does blocking work on its own thread, at once. */
        if (wait_now != IN_WORK) run_seeded(0, cancel_a_wait);
        run_parallel(0, cancel_a_wait);
    }
}
END_TEST

static void trap_and_go_on(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(bsk_stopping, s) {
            ck_assert(bsk_cancelled(self));
            seen += 100;
            bsk_after(self, 1, stop_it);
        }
        bsk_on(stop_it, s) bsk_exit(self);
    }
}

static void cancel_handlers(bsk_self *self)
{
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    bsk_addr a = bsk_go(s, wait_handler), b = bsk_go(s, trap_and_go_on, .trap_stop = true);
    if (bsk_random(self) % 2) ck_assert_int_eq(bsk_sleep(self, 1), 0);
    bsk_scope_cancel(s);
    bsk_tell(a, num, 1);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECANCELED);
    ck_assert_int_eq(seen, 100);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_CANCELLED);
    ck_assert_int_eq(fix_end_of(b).reason, BSK_CANCELLED);
}

START_TEST(a_cancel_stops_handlers)
{
    run(0, cancel_handlers);
}
END_TEST

static void go_too_late(bsk_self *self)
{
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    bsk_scope_cancel(s);
    bsk_scope_cancel(s);
    ck_assert(bsk_is_nobody(bsk_go(s, return_at_once)));
    ck_assert_int_eq(bsk_error(self), BSK_ECANCELED);
    bsk_scope *inner = opened(self, BSK_FOREVER, BSK_ALL);
    ck_assert(bsk_is_nobody(bsk_go(inner, return_at_once)));
    ck_assert_int_eq(bsk_error(self), BSK_ECANCELED);
    ck_assert_int_eq(bsk_scope_join(inner), BSK_ECANCELED);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECANCELED);
    /* It was the scope that was cancelled, not who opened it. */
    ck_assert_int_eq(bsk_sleep(self, 1), 0);
    s = opened(self, BSK_FOREVER, BSK_ALL);
    ck_assert(!bsk_is_nobody(bsk_go(s, return_at_once)));
    ck_assert_int_eq(bsk_scope_join(s), 0);
}

START_TEST(nothing_starts_in_a_cancelled_scope_nor_in_one_opened_inside_it)
{
    run(0, go_too_late);
}
END_TEST

static void open_when_stopped(bsk_self *self)
{
    begun++;
    ck_assert_int_eq(bsk_sleep(self, BSK_FOREVER), BSK_ECANCELED);
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    ck_assert(bsk_is_nobody(bsk_go(s, return_at_once)));
    ck_assert_int_eq(bsk_error(self), BSK_ECANCELED);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECANCELED);
    over++;
}

static void stop_then_open(bsk_self *self)
{
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    ck_assert(!bsk_is_nobody(bsk_go(s, open_when_stopped)));
    while (!begun) ck_assert_int_eq(bsk_yield(self), 0);
    bsk_scope_cancel(s);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECANCELED);
    ck_assert_int_eq(over, 1);
}

START_TEST(a_cancelled_actor_starts_nothing)
{
    run(0, stop_then_open);
}
END_TEST

static void cancel_outer(bsk_self *self)
{
    bsk_scope *outer = opened(self, BSK_FOREVER, BSK_ALL);
    bsk_scope *inner = opened(self, BSK_FOREVER, BSK_ALL);
    bsk_addr a = go_sleeper(self, outer), b = go_sleeper(self, inner);
    bsk_scope_cancel(outer);
    ck_assert_int_eq(bsk_scope_join(inner), BSK_ECANCELED);
    ck_assert_int_eq(bsk_scope_join(outer), BSK_ECANCELED);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_CANCELLED);
    ck_assert_int_eq(fix_end_of(b).reason, BSK_CANCELLED);
    /* The other way round it does not reach. */
    outer = opened(self, BSK_FOREVER, BSK_ALL);
    inner = opened(self, BSK_FOREVER, BSK_ALL);
    bsk_go(outer, sleep_a_while, BSK_STATE(int, 2));
    go_sleeper(self, inner);
    bsk_scope_cancel(inner);
    ck_assert_int_eq(bsk_scope_join(inner), BSK_ECANCELED);
    ck_assert_int_eq(bsk_scope_join(outer), 0);
}

START_TEST(a_cancel_goes_inwards)
{
    run(0, cancel_outer);
}
END_TEST

static _Atomic int below;

static void note_the_cancel(bsk_self *self)
{
    below++;
    ck_assert_int_eq(bsk_sleep(self, BSK_FOREVER), BSK_ECANCELED);
    below--;
}

/* Computes on, or waits behind a shield, after it was cancelled: its children do not wait for
 * that. */
static void go_on_meanwhile(bsk_self *self)
{
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    bsk_go(s, note_the_cancel);
    begun++;
    ck_assert_int_eq(bsk_sleep(self, BSK_FOREVER), BSK_ECANCELED);
    bsk_shield(self);
    while (below) ck_assert_int_eq(bsk_sleep(self, 1), 0);
    bsk_unshield(self);
    over++;
}

static void cancel_one_that_goes_on(bsk_self *self)
{
    below = 0;
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    bsk_go(s, go_on_meanwhile);
    while (!begun || !below) ck_assert_int_eq(bsk_yield(self), 0);
    if (in_virtual_time) ck_assert_int_eq(bsk_sleep(self, 1), 0);
    bsk_scope_cancel(s);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECANCELED);
    ck_assert_int_eq(over, 1);
}

START_TEST(a_cancel_reaches_those_below_who_goes_on_for_a_while)
{
    run(0, cancel_one_that_goes_on);
}
END_TEST

/* Trees. */

static _Atomic int nodes;
static int depth_max, fanout;

/* Owns a scope of so many nodes, down to the depth; fibers and handlers in turn. */
static void tree_fiber(bsk_self *self);

static void tree_handler(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(stop_it, s) bsk_exit(self);
    }
}

static void grow(bsk_self *self)
{
    int depth = *(int *)bsk_state(self);
    if (depth < depth_max) {
        bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
        for (int i = 0; i < fanout; i++) {
            bool fiber = (depth + i) % 2;
            bsk_addr who = fiber ? bsk_go(s, tree_fiber, BSK_STATE(int, depth + 1))
                                 : bsk_go(s, tree_handler, BSK_STATE(int, depth + 1), .init = grow);
            if (bsk_is_nobody(who)) ck_assert_int_eq(bsk_error(self), BSK_ECANCELED);
        }
    }
    nodes++;
}

static void tree_fiber(bsk_self *self)
{
    grow(self);
    (void)!bsk_sleep(self, BSK_FOREVER);
}

static int nodes_of(int depth)
{
    int n = 1, all = 1;
    for (int i = 0; i < depth; i++) all += n *= fanout;
    return all;
}

static void cancel_tree(bsk_self *self)
{
    nodes = 0;
    unsigned before = fix_ends();
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    bsk_go(s, tree_fiber, BSK_STATE(int, 0));
    if (bsk_random(self) % 4)
        while (nodes < nodes_of(depth_max)) ck_assert_int_eq(bsk_yield(self), 0);
    bsk_scope_cancel(s);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECANCELED);
    bsk_stats_out out;
    bsk_stats(bsk_rt_of(self), &out);
    ck_assert_uint_eq(out.actors, 1);
    for (unsigned i = before; i < fix_ends(); i++)
        ck_assert_int_eq(fix_end_at(i).reason, BSK_CANCELLED);
}

START_TEST(a_tree_six_levels_deep_is_cancelled_from_its_top)
{
    depth_max = 6;
    fanout = 2;
    run(0, cancel_tree);
}
END_TEST

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#define MANY (SANITIZED ? 5000 : 100000)

static double took;

static void own_nodes(bsk_self *self);

/* A tree of handlers. */
static void grow_handlers(bsk_self *self, int n)
{
    int left = n - 1, each = (left + fanout - 1) / fanout;
    bsk_scope *s = left ? opened(self, BSK_FOREVER, BSK_ALL) : NULL;
    for (; left > 0; left -= each) {
        int some = left < each ? left : each;
        ck_assert(!bsk_is_nobody(bsk_go(s, tree_handler, BSK_STATE(int, some), .init = own_nodes)));
    }
    nodes++;
}

static void own_nodes(bsk_self *self)
{
    grow_handlers(self, *(int *)bsk_state(self));
}

static void cancel_many(bsk_self *self)
{
    nodes = 0;
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    ck_assert(!bsk_is_nobody(bsk_go(s, tree_handler, BSK_STATE(int, MANY), .init = own_nodes)));
    while (nodes < MANY) ck_assert_int_eq(bsk_yield(self), 0);
    double t = seconds();
    bsk_scope_cancel(s);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECANCELED);
    took = seconds() - t;
}

/* One loop, or several; broad, all under one, and deep. In release it has to be within the second
 * that is promised. */
START_TEST(a_hundred_thousand_are_cancelled_within_a_second)
{
    static const int fanouts[] = {10, MANY, 2};
    for (unsigned workers = 1; workers <= 2; workers++) {
        for (int i = 0; i < 3; i++) {
            fanout = fanouts[i];
            bsk_rt *rt =
                bsk_start(.workers = workers, .quiet = true, .no_signals = true, FIX_HOOKS);
            run_on(rt, 0, cancel_many);
            ck_assert_msg(took < (SANITIZED ? 20 : 2), "%f s", took);
        }
    }
}
END_TEST

FIX_MAIN("scope_cancel", 100, a_cancel_reaches_every_wait, a_cancel_stops_handlers,
         nothing_starts_in_a_cancelled_scope_nor_in_one_opened_inside_it,
         a_cancelled_actor_starts_nothing, a_cancel_goes_inwards,
         a_cancel_reaches_those_below_who_goes_on_for_a_while,
         a_tree_six_levels_deep_is_cancelled_from_its_top,
         a_hundred_thousand_are_cancelled_within_a_second)
