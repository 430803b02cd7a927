/* SPDX-License-Identifier: MIT */
/* check_backoff.c - how long a restart waits, by itself and in a supervisor that goes on
 * meanwhile. */
#include "../actors/fixture.h"

#include "actors/clock.h"
#include "supervisor/backoff.h"
#include "supervisor/supervisor.h"

#define MS NS_PER_MS

/* With this random number the jitter is 0: the middle of its span. */
static uint64_t middle(uint64_t delay, uint64_t percent)
{
    return delay / 100 * percent;
}

static void expect_next(struct backoff *b, const bsk_sup_opts *o, uint64_t now, uint64_t ms)
{
    ck_assert_uint_eq(backoff_next(b, o, now, middle(ms * MS, 10)), ms * MS);
}

START_TEST(without_a_least_time_there_is_no_wait)
{
    struct backoff b = {0};
    bsk_sup_opts o = {.backoff_max_ms = 100, .backoff_factor = 300};
    for (uint64_t i = 0; i < 10; i++) ck_assert_uint_eq(backoff_next(&b, &o, i, i), 0);
}
END_TEST

START_TEST(it_doubles_from_the_least_to_the_longest)
{
    struct backoff b = {0};
    bsk_sup_opts o = {.backoff_min_ms = 100, .backoff_max_ms = 1000};
    const uint64_t waits[] = {100, 200, 400, 800, 1000, 1000, 1000};
    for (int i = 0; i < 7; i++) expect_next(&b, &o, 0, waits[i]);
}
END_TEST

START_TEST(it_grows_by_the_factor_in_percent)
{
    struct backoff b = {0};
    bsk_sup_opts o = {.backoff_min_ms = 100, .backoff_max_ms = 100000, .backoff_factor = 150};
    const uint64_t waits[] = {100, 150, 225};
    for (int i = 0; i < 3; i++) expect_next(&b, &o, 0, waits[i]);
    struct backoff same = {0};
    o.backoff_factor = 100;
    for (int i = 0; i < 5; i++) expect_next(&same, &o, 0, 100);
}
END_TEST

START_TEST(the_longest_is_a_minute_by_default_and_never_less_than_the_least)
{
    struct backoff b = {0}, c = {0};
    bsk_sup_opts o = {.backoff_min_ms = 50000};
    expect_next(&b, &o, 0, 50000);
    expect_next(&b, &o, 0, 60000);
    expect_next(&b, &o, 0, 60000);
    o.backoff_min_ms = 90000;
    for (int i = 0; i < 3; i++) expect_next(&c, &o, 0, 90000);
}
END_TEST

START_TEST(without_jitter_each_wait_is_exact)
{
    bsk_sup_opts o = {.backoff_min_ms = 100, .backoff_max_ms = 400, .backoff_jitter = BSK_NONE};
    const uint64_t waits[] = {100, 200, 400, 400};
    struct backoff b = {0};
    for (uint64_t i = 0; i < 4; i++)
        ck_assert_uint_eq(backoff_next(&b, &o, 0, i * UINT64_C(0x9e3779b97f4a7c15)), waits[i] * MS);
}
END_TEST

START_TEST(the_jitter_stays_within_its_percent_and_uses_them)
{
    bsk_sup_opts o = {.backoff_min_ms = 1000, .backoff_factor = 100};
    for (int jitter = 0; jitter <= 100; jitter += 20) {
        uint64_t percent = jitter ? (uint64_t)jitter : 10, least = UINT64_MAX, most = 0;
        o.backoff_jitter = jitter;
        struct backoff b = {0};
        srand(1);
        for (int i = 0; i < 10000; i++) {
            uint64_t random = ((uint64_t)rand() << 32) ^ (uint64_t)rand() << 11 ^ (uint64_t)rand();
            uint64_t d = backoff_next(&b, &o, 0, random);
            least = d < least ? d : least;
            most = d > most ? d : most;
        }
        uint64_t span = 10 * percent * MS;
        ck_assert_uint_ge(least, 1000 * MS - span);
        ck_assert_uint_le(most, 1000 * MS + span);
        ck_assert_uint_le(least, 1000 * MS - span / 10 * 9);
        ck_assert_uint_ge(most, 1000 * MS + span / 10 * 9);
    }
}
END_TEST

START_TEST(after_a_quiet_time_it_begins_anew)
{
    struct backoff b = {0};
    bsk_sup_opts o = {.backoff_min_ms = 100, .backoff_max_ms = 1000, .backoff_reset_ms = 5000};
    expect_next(&b, &o, 0, 100);
    expect_next(&b, &o, 100 * MS, 200);
    /* The quiet time begins when the last wait is over: at 300 ms. */
    struct backoff early = b;
    expect_next(&early, &o, 5300 * MS - 1, 400);
    expect_next(&b, &o, 5300 * MS, 100);
    expect_next(&b, &o, 5300 * MS, 200);
}
END_TEST

START_TEST(the_quiet_time_is_ten_times_the_longest_by_default)
{
    struct backoff b = {0};
    bsk_sup_opts o = {.backoff_min_ms = 100, .backoff_max_ms = 1000};
    expect_next(&b, &o, 0, 100);
    struct backoff early = b;
    expect_next(&early, &o, 10100 * MS - 1, 200);
    expect_next(&b, &o, 10100 * MS, 100);
}
END_TEST

START_TEST(the_largest_options_do_not_overflow)
{
    struct backoff b = {0};
    bsk_sup_opts o = {.backoff_min_ms = 1,
                      .backoff_max_ms = INT32_MAX,
                      .backoff_factor = INT32_MAX,
                      .backoff_jitter = 100,
                      .backoff_reset_ms = INT32_MAX};
    for (uint64_t i = 0; i < 20; i++) {
        uint64_t d = backoff_next(&b, &o, i, UINT64_MAX - i);
        ck_assert_uint_le(d, 2 * (uint64_t)INT32_MAX * MS);
    }
    ck_assert_uint_eq(b.delay, (uint64_t)INT32_MAX * MS);
}
END_TEST

static int64_t starts[32];
static _Atomic unsigned nstarts;
static bool never_again;

static void crash_at_once(bsk_self *self)
{
    if (never_again) {
        while (bsk_recv(self, BSK_FOREVER)) continue;
        return;
    }
    starts[nstarts++] = bsk_now(bsk_rt_of(self));
    bsk_fail(self, "again");
}

/* Answers come at once while a restart waits. */
static void count_meanwhile(bsk_self *self)
{
    bsk_rt *rt = bsk_rt_of(self);
    bsk_addr sup = bsk_supervise(rt,
                                 BSK_SUP(.intensity = 100, .backoff_min_ms = 100,
                                         .backoff_max_ms = 400, .backoff_jitter = 1),
                                 bsk_child(crash_at_once, .id = "a"));
    ck_assert(!bsk_is_nobody(sup));
    while (nstarts < 6) {
        bsk_sup_counts n;
        int64_t before = bsk_now(rt);
        ck_assert_int_eq(bsk_sup_count(self, sup, 1, &n), 0);
        ck_assert_int_eq(bsk_now(rt), before);
        ck_assert_uint_eq(n.workers, 1);
        bsk_sleep(self, 7);
    }
    bsk_shutdown(rt);
}

START_TEST(a_supervisor_answers_while_a_restart_waits)
{
    bsk_rt *rt = bsk_start(.seed = 1, .quiet = true, FIX_HOOKS);
    bsk_spawn(rt, count_meanwhile);
    ck_assert_int_eq(bsk_wait(rt), 0);
    const int64_t waits[] = {100, 200, 400, 400, 400};
    for (int i = 0; i < 5; i++) {
        int64_t waited = starts[i + 1] - starts[i];
        ck_assert_int_ge(waited, waits[i] - waits[i] / 100);
        ck_assert_int_le(waited, waits[i] + waits[i] / 100 + 1);
    }
}
END_TEST

static void stop_while_waiting(bsk_self *self)
{
    bsk_rt *rt = bsk_rt_of(self);
    bsk_addr sup = bsk_supervise(rt, BSK_SUP(.backoff_min_ms = 1000000),
                                 bsk_child(crash_at_once, .name = "a"));
    bsk_sleep(self, 10);
    bsk_child_info i;
    ck_assert_int_eq(bsk_sup_child(self, sup, 1, "a", &i), 0);
    ck_assert_int_eq(i.state, BSK_CHILD_RESTARTING);
    ck_assert(bsk_is_nobody(i.who));
    int64_t before = bsk_now(rt);
    ck_assert_int_eq(bsk_stop(sup, BSK_FOREVER), 0);
    bsk_sup_counts n;
    ck_assert_int_eq(bsk_sup_count(self, sup, BSK_FOREVER, &n), BSK_EDEAD);
    ck_assert_int_eq(bsk_now(rt), before);
}

START_TEST(a_supervisor_stops_at_once_while_a_restart_waits)
{
    bsk_rt *rt = bsk_start(.seed = 1, .quiet = true, FIX_HOOKS);
    bsk_spawn(rt, stop_while_waiting);
    ck_assert_int_eq(bsk_wait(rt), 0);
}
END_TEST

/* Children that wait do not keep others from being restarted, each in its own time. */
static void many_wait(bsk_self *self)
{
    bsk_rt *rt = bsk_rt_of(self);
    bsk_addr sup = bsk_supervise(
        rt, BSK_SUP(.strategy = BSK_DYNAMIC, .intensity = 100000, .backoff_min_ms = 1000),
        bsk_child(crash_at_once));
    for (int i = 0; i < 20; i++) ck_assert_int_eq(bsk_sup_add(self, sup, 100, NULL, NULL), 0);
    never_again = true;
    bsk_sleep(self, 800);
    bsk_sup_counts n;
    ck_assert_int_eq(bsk_sup_count(self, sup, 1, &n), 0);
    ck_assert_uint_eq(n.active, 0);
    ck_assert_uint_eq(n.workers, 20);
    bsk_sleep(self, 400);
    ck_assert_int_eq(bsk_sup_count(self, sup, 1, &n), 0);
    ck_assert_uint_eq(n.active, 20);
    ck_assert_uint_eq(n.restarts, 20);
    bsk_shutdown(rt);
}

START_TEST(many_wait_each_for_its_own_time)
{
    bsk_rt *rt = bsk_start(.seed = 1, .quiet = true, FIX_HOOKS);
    bsk_spawn(rt, many_wait);
    ck_assert_int_eq(bsk_wait(rt), 0);
}
END_TEST

FIX_MAIN("backoff", 20, without_a_least_time_there_is_no_wait,
         it_doubles_from_the_least_to_the_longest, it_grows_by_the_factor_in_percent,
         the_longest_is_a_minute_by_default_and_never_less_than_the_least,
         without_jitter_each_wait_is_exact, the_jitter_stays_within_its_percent_and_uses_them,
         after_a_quiet_time_it_begins_anew, the_quiet_time_is_ten_times_the_longest_by_default,
         the_largest_options_do_not_overflow, a_supervisor_answers_while_a_restart_waits,
         a_supervisor_stops_at_once_while_a_restart_waits, many_wait_each_for_its_own_time)
