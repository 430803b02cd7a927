/* SPDX-License-Identifier: MIT */
/* check_timely.c - timers fire in time while all workers are busy on short messages.
 *
 * ctest: timeout=60 serial only=gcc,clang */
#include "actors/actors.h"

#include <check.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SAMPLES 3000
#define TIMERS 20 /* at a time */

BSK_MSG(timely_ball, (i64, n));
BSK_MSG(timely_tick, (i64, due));

static int64_t late[SAMPLES];
static unsigned nlate;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Keeps a ball in the air for ever: a short message always waits. */
static void juggle(bsk_self *self, bsk_msg *m)
{
    bsk_match(m)
    {
        bsk_on(timely_ball, v) bsk_tell(bsk_me(self), timely_ball, .n = v->n + 1);
    }
}

static void arm(bsk_self *self)
{
    int64_t ms = 1 + (int64_t)(bsk_random(self) % 20);
    /* Read before the runtime reads its clock: lateness is not understated. */
    int64_t due = now_ns() + ms * 1000000;
    if (!bsk_after(self, ms, timely_tick, .due = due).gen) abort();
}

static void begin(bsk_self *self)
{
    for (int i = 0; i < TIMERS; i++) arm(self);
}

static void measure(bsk_self *self, bsk_msg *m)
{
    bsk_match(m)
    {
        bsk_on(timely_tick, v)
        {
            late[nlate++] = now_ns() - v->due;
            if (nlate == SAMPLES) bsk_shutdown(bsk_rt_of(self));
            if (nlate == SAMPLES) bsk_exit(self);
            arm(self);
        }
    }
}

static int ascending(const void *x, const void *y)
{
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;
    return (a > b) - (a < b);
}

static void busy(unsigned workers, unsigned jugglers)
{
    bsk_rt *rt = bsk_start(.workers = workers, .no_signals = true, .quiet = true);
    for (unsigned i = 0; i < jugglers; i++) {
        bsk_addr who = bsk_spawn(rt, juggle);
        for (int n = 0; n < 4; n++) bsk_tell(who, timely_ball, .n = n);
    }
    ck_assert(!bsk_is_nobody(bsk_spawn(rt, measure, .init = begin)));
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_uint_eq(nlate, SAMPLES);
    qsort(late, nlate, sizeof *late, ascending);
    int64_t median = late[nlate / 2], p99 = late[nlate * 99 / 100];
    printf("%u workers, %u busy actors: a timer is late by %" PRId64 " us (median), %" PRId64
           " us (p99), %" PRId64 " us (most)\n",
           workers, jugglers, median / 1000, p99 / 1000, late[nlate - 1] / 1000);
    ck_assert_int_ge(late[0], 0);
    ck_assert_int_lt(median, 1000000);
}

START_TEST(timers_fire_within_a_millisecond_among_a_hundred_busy_actors)
{
    busy(2, 100);
}
END_TEST

START_TEST(timers_fire_within_a_millisecond_among_ten_thousand_busy_actors)
{
    busy(2, 10000);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("timely");
    TCase *c = tcase_create("timely");
    tcase_set_timeout(c, 30);
    tcase_add_test(c, timers_fire_within_a_millisecond_among_a_hundred_busy_actors);
    tcase_add_test(c, timers_fire_within_a_millisecond_among_ten_thousand_busy_actors);
    suite_add_tcase(s, c);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
