/* SPDX-License-Identifier: MIT */
/* check_idle.c - who idles costs nothing: no time, no wake-ups.
 *
 * ctest: timeout=60 calm only=gcc,clang */
#include "suite.h"

#include "actors/actors.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#define ACTORS 10000
#define SECONDS 5

BSK_MSG(idle_note, (i64, n));

static void handle(bsk_self *self, bsk_msg *m)
{
    if (!self) return;
    bsk_match(m) {
        bsk_on(idle_note, v) {
            if (v->n < 0) bsk_exit(self);
        }
    }
}

static void wait(bsk_self *self)
{
    bsk_msg *m;
    while ((m = bsk_recv(self, BSK_FOREVER))) handle(self, m);
}

static void sleep_seconds(time_t seconds)
{
    nanosleep(&(struct timespec){seconds, 0}, NULL);
}

static int64_t microseconds(const struct rusage *u)
{
    return (int64_t)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1000000 + u->ru_utime.tv_usec +
           u->ru_stime.tv_usec;
}

static void start_actors(bsk_rt *rt)
{
    for (int i = 0; i < ACTORS; i++) {
        bsk_addr who = i % 10 ? bsk_spawn(rt, handle) : bsk_spawn(rt, wait);
        ck_assert(!bsk_is_nobody(who));
        ck_assert_int_eq(bsk_try(who, idle_note, .n = i), 0);
    }
}

START_TEST(idle_actors_use_no_time_and_wake_nobody)
{
    bsk_rt *rt = bsk_start(.workers = 4, .no_signals = true);
    bsk_stats_out before, after;
    struct rusage used, used_after;
    start_actors(rt);
    sleep_seconds(3); /* until the memory of the start is given back */
    bsk_stats(rt, &before);
    getrusage(RUSAGE_SELF, &used);
    sleep_seconds(SECONDS);
    getrusage(RUSAGE_SELF, &used_after);
    bsk_stats(rt, &after);
    int64_t us = microseconds(&used_after) - microseconds(&used);
    int64_t switches = used_after.ru_nvcsw - used.ru_nvcsw;
    printf("idle for %d s: %" PRId64 " us of processor time, %" PRId64 " switches, %" PRIu64
           " parks\n",
           SECONDS, us, switches, after.parks - before.parks);
    ck_assert_uint_eq(after.handled_user, ACTORS);
    ck_assert_uint_eq(after.parks, before.parks);
    ck_assert_uint_eq(after.wakeups, before.wakeups);
    /* This very thread slept once, and asked twice. */
    ck_assert_int_le(switches, 2);
    ck_assert_int_le(us, 2000);
    bsk_shutdown(rt);
    ck_assert_int_eq(bsk_wait(rt), 0);
}
END_TEST

START_TEST(a_distant_timer_wakes_nobody)
{
    bsk_rt *rt = bsk_start(.workers = 2, .no_signals = true);
    bsk_stats_out before, after;
    bsk_addr who = bsk_spawn(rt, wait);
    start_actors(rt);
    ck_assert_int_eq(bsk_stop(who, 3600000), 0);
    sleep_seconds(3);
    bsk_stats(rt, &before);
    sleep_seconds(2);
    bsk_stats(rt, &after);
    ck_assert_uint_eq(after.parks, before.parks);
    bsk_shutdown(rt);
    ck_assert_int_eq(bsk_wait(rt), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("idle");
    TCase *c = tcase_create("idle");
    tcase_set_timeout(c, 30);
    tcase_add_test(c, idle_actors_use_no_time_and_wake_nobody);
    tcase_add_test(c, a_distant_timer_wakes_nobody);
    suite_add_tcase(s, c);
    return run_suite(s);
}
