/* SPDX-License-Identifier: MIT */
/* check_timely.c - timers fire in time while all workers are busy on short messages.
 *
 * On a shared machine a worker is now and then kept off its core for milliseconds. Every message
 * looks at the clock, so such gaps are seen, and what of a timer's lateness lies in a gap is not
 * the runtime's.
 *
 * ctest: timeout=120 serial only=gcc */
#include "suite.h"

#include "actors/actors.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SAMPLES 3000
#define TIMERS 20 /* at a time */

BSK_MSG(timely_ball, (i64, n));
BSK_MSG(timely_tick, (i64, due));

static int64_t late[SAMPLES], by_itself[SAMPLES];
static unsigned nlate;

#define GAP_NS 300000
#define GAPS 256 /* the last ones are remembered */

struct gap {
    int64_t from, to;
};
static struct gap gaps[GAPS];
static unsigned ngaps;
static pthread_mutex_t gaps_lock = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local int64_t looked;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Enters it if this thread has not run for long. */
static void look_at_clock(void)
{
    int64_t now = now_ns();
    if (looked && now - looked > GAP_NS) {
        pthread_mutex_lock(&gaps_lock);
        gaps[ngaps++ % GAPS] = (struct gap){looked, now};
        pthread_mutex_unlock(&gaps_lock);
    }
    looked = now;
}

static int by_start(const void *x, const void *y)
{
    const struct gap *a = x, *b = y;
    return (a->from > b->from) - (a->from < b->from);
}

/* Returns for how long between the times any worker was kept from running. */
static int64_t in_gaps(int64_t from, int64_t to)
{
    struct gap sorted[GAPS];
    int64_t sum = 0, n;
    pthread_mutex_lock(&gaps_lock);
    n = ngaps < GAPS ? ngaps : GAPS;
    for (int64_t i = 0; i < n; i++) sorted[i] = gaps[i];
    pthread_mutex_unlock(&gaps_lock);
    qsort(sorted, (size_t)n, sizeof *sorted, by_start);
    for (int64_t i = 0; i < n; i++) {
        if (sorted[i].from > from) from = sorted[i].from;
        if (from >= to) break;
        int64_t end = sorted[i].to < to ? sorted[i].to : to;
        if (end <= from) continue;
        sum += end - from;
        from = end;
    }
    return sum;
}

/* Keeps a ball in the air for ever: a short message always waits. */
static void juggle(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(timely_ball, v) {
            look_at_clock();
            bsk_tell(bsk_me(self), timely_ball, .n = v->n + 1);
        }
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
    bsk_match(m) {
        bsk_on(timely_tick, v) {
            look_at_clock();
            late[nlate] = looked - v->due;
            by_itself[nlate] = late[nlate] - in_gaps(v->due, looked);
            nlate++;
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

/* Sorts and prints; returns the 99th percentile. */
static int64_t report(const char *what, unsigned workers, unsigned jugglers, int64_t *samples)
{
    qsort(samples, nlate, sizeof *samples, ascending);
    int64_t p99 = samples[nlate * 99 / 100];
    printf("%u workers, %u busy actors: a timer is late, %s, by %" PRId64 " us (median), %" PRId64
           " us (p99), %" PRId64 " us (most)\n",
           workers, jugglers, what, samples[nlate / 2] / 1000, p99 / 1000,
           samples[nlate - 1] / 1000);
    fflush(stdout);
    return p99;
}

static void busy(unsigned workers, unsigned jugglers, int64_t median_most)
{
    bsk_rt *rt = bsk_start(.workers = workers, .no_signals = true, .slow_ms = BSK_FOREVER);
    for (unsigned i = 0; i < jugglers; i++) {
        bsk_addr who = bsk_spawn(rt, juggle);
        for (int n = 0; n < 4; n++) bsk_tell(who, timely_ball, .n = n);
    }
    ck_assert(!bsk_is_nobody(bsk_spawn(rt, measure, .init = begin)));
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_uint_eq(nlate, SAMPLES);
    report("in all", workers, jugglers, late);
    int64_t p99 = report("by itself", workers, jugglers, by_itself);
    ck_assert_int_ge(late[0], 0);
    ck_assert_int_lt(by_itself[nlate / 2], median_most);
    ck_assert_int_lt(p99, 20 * median_most);
}

START_TEST(timers_fire_within_a_millisecond_among_a_hundred_busy_actors)
{
    busy(2, 100, 1000000);
}
END_TEST

START_TEST(ten_thousand_busy_actors_do_not_starve_a_timer)
{
    /* After a gap several timers are due at once: some wait for a turn of all the others. */
    busy(2, 10000, 10000000);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("timely");
    TCase *c = tcase_create("timely");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, timers_fire_within_a_millisecond_among_a_hundred_busy_actors);
    tcase_add_test(c, ten_thousand_busy_actors_do_not_starve_a_timer);
    suite_add_tcase(s, c);
    return run_suite(s);
}
