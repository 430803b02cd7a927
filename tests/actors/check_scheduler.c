/* SPDX-License-Identifier: MIT */
/* check_scheduler.c - who waits gets a turn, whoever else wants to run: one loop, so that nobody
 * comes to help.
 *
 * ctest: timeout=60 */
#include "fixture.h"

#include <time.h>

#define MANY 8
#define FIRST 500
#define LAST 5000

BSK_MSG(done);

static bsk_rt *rt;
static unsigned turns, begun;
static unsigned turns_when_begun[MANY];

static void spend_us(int64_t us)
{
    struct timespec from, now;
    clock_gettime(CLOCK_MONOTONIC, &from);
    do clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - from.tv_sec) * 1000000 + (now.tv_nsec - from.tv_nsec) / 1000 < us);
}

static void begin(bsk_self *self)
{
    (void)self;
    turns_when_begun[begun++] = turns;
}

/* Longer than a tick each time, and ready again at once. */
static void turn_until(bsk_self *self, unsigned last)
{
    while (begun < MANY && turns < last) {
        spend_us(100);
        turns++;
        if (bsk_yield(self)) return;
    }
}

static void turn_slowly(bsk_self *self)
{
    turn_until(self, LAST);
}

/* Ticks come after each turn by now. */
static void spawn_beside_slow_ones(bsk_self *self)
{
    turn_until(self, FIRST);
    for (int i = 0; i < MANY; i++) fix_born(bsk_spawn(rt, begin));
    turn_until(self, LAST);
}

START_TEST(who_is_new_runs_beside_slow_ones_that_are_always_ready)
{
    rt = bsk_start(.workers = 1, .quiet = true);
    for (int i = 0; i < 3; i++) fix_born(bsk_spawn(rt, turn_slowly));
    fix_born(bsk_spawn(rt, spawn_beside_slow_ones));
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_uint_eq(begun, MANY);
    for (int i = 0; i < MANY; i++)
        ck_assert_uint_le(turns_when_begun[i], FIRST + 10U * (1 + (unsigned)i));
}
END_TEST

static void answer(bsk_self *self)
{
    bsk_tell(*(bsk_addr *)bsk_state(self), done);
}

/* There is always one newer than those that have not run yet. */
static void spawn_and_await(bsk_self *self)
{
    begin(self);
    while (begun < MANY && turns++ < 1000000) {
        bsk_addr me = bsk_me(self);
        fix_born(bsk_spawn(rt, answer, .state = &me, .state_size = sizeof me));
        if (!bsk_recv(self, BSK_FOREVER)) return;
    }
}

static void spawn_spawners(bsk_self *self)
{
    (void)self;
    for (int i = 0; i < MANY; i++) fix_born(bsk_spawn(rt, spawn_and_await));
}

START_TEST(who_is_new_runs_though_newer_ones_come_all_the_time)
{
    rt = bsk_start(.workers = 1, .quiet = true);
    fix_born(bsk_spawn(rt, spawn_spawners));
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_uint_eq(begun, MANY);
    ck_assert_uint_lt(turns, 1000000);
}
END_TEST

FIX_MAIN("scheduler", 30, who_is_new_runs_beside_slow_ones_that_are_always_ready,
         who_is_new_runs_though_newer_ones_come_all_the_time)
