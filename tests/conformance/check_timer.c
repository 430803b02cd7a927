/* SPDX-License-Identifier: MIT */
/* check_timer.c - the cases of timers, intervals, time limits and virtual time.
 *
 * ctest: valgrind timeout=120 */
#include "conformance.h"

#include <string.h>

#define SEEDS 40
#define TICKS 128
#define YEAR (INT64_C(365) * 24 * 3600 * 1000)

BSK_MSG(tick, (i64, n));
BSK_MSG(other);
BSK_MSG(go);
BSK_CALL(question, tick);
BSK_LOCAL(load, load_drop, (int, n), (int, size));

static int drops;

void load_drop(void *body)
{
    const load *l = body;
    expect_eq(l->size, 77);
    drops++;
}

/* Returns the number of the next tick, or the code of the wait. */
static int64_t next_tick(bsk_self *self, int64_t ms)
{
    bsk_msg *m = bsk_recv(self, ms);
    if (!m) return bsk_error(self);
    int64_t n = -1000;
    bsk_match(m) {
        bsk_on(tick, t) n = t->n;
        bsk_on(load, l) n = l->n;
    }
    return n;
}

/* The next tick must be n, and come at the time. */
#define expect_tick(self, number, time)                                                            \
    do {                                                                                           \
        expect_eq(next_tick(self, BSK_FOREVER), number);                                           \
        expect_eq(now(self), time);                                                                \
    } while (0)

/* Nothing is left to come. */
static void expect_silence(bsk_self *self)
{
    expect_eq(next_tick(self, 10 * YEAR), BSK_ETIMEDOUT);
}

static void reset_before(bsk_self *self, int64_t first, int64_t wait, int64_t again)
{
    int64_t start = now(self);
    bsk_timer t = bsk_after(self, first, tick, .n = 1);
    expect_eq(bsk_sleep(self, wait), 0);
    expect_eq(bsk_timer_reset(self, t, again), 0);
    expect_tick(self, 1, start + wait + again);
    expect_eq(bsk_timer_reset(self, t, 5), BSK_EDEAD);
    expect_silence(self);
}

static void reset_later(bsk_self *self)
{
    reset_before(self, 100, 0, 200);
    reset_before(self, 100, 50, 150);
    reset_before(self, 100, 99, 101);
}

START_TEST(TIM_002_a_timer_moved_to_later_fires_once_then)
{
    run_seeds(SEEDS, 0, reset_later);
}
END_TEST

static void reset_earlier(bsk_self *self)
{
    reset_before(self, 100, 10, 70);
    reset_before(self, YEAR, 10, 70);
}

START_TEST(TIM_003_a_timer_moved_to_earlier_fires_once_then)
{
    run_seeds(SEEDS, 0, reset_earlier);
}
END_TEST

/* What a local message carries is the timer's wherever it is moved, and is dropped once. */
static void reset_local(bsk_self *self)
{
    drops = 0;
    bsk_timer t = bsk_after(self, 100, load, .n = 2, .size = 77);
    expect_eq(bsk_sleep(self, 10), 0);
    expect_eq(bsk_timer_reset(self, t, 200), 0);
    expect_eq(bsk_sleep(self, 250), 0);          /* due by now */
    expect_eq(bsk_timer_reset(self, t, 100), 0); /* starts anew all the same */
    expect_eq(drops, 0);
    expect_tick(self, 2, 360);
    expect_eq(bsk_sleep(self, 0), 0);
    expect_eq(drops, 1);
    expect_silence(self);
    expect_eq(drops, 1);
}

START_TEST(TIM_003_a_timer_that_is_moved_drops_what_it_carries_once)
{
    run_seeds(SEEDS, 0, reset_local);
}
END_TEST

static void reset_to_past(bsk_self *self)
{
    bsk_timer t = bsk_after(self, 1000, tick, .n = 1);
    expect_eq(bsk_sleep(self, 50), 0);
    expect_eq(bsk_timer_reset(self, t, -1), BSK_EINVAL);
    expect_eq(bsk_timer_reset(self, t, 0), 0);
    expect_tick(self, 1, 50);
    bsk_after(self, 0, tick, .n = 2);
    expect_tick(self, 2, 50);
    expect_eq(bsk_after(self, -1, tick).gen, 0);
    expect_eq(bsk_error(self), BSK_EINVAL);
    expect_silence(self);
}

START_TEST(TIM_004_a_timer_moved_to_now_is_due_at_the_next_wait)
{
    run_seeds(SEEDS, 0, reset_to_past);
}
END_TEST

static void wait_longest(bsk_self *self)
{
    bsk_after(self, INT64_MAX, tick, .n = 1);
    bsk_timer every = bsk_every(self, INT64_MAX, tick, .n = 2);
    bsk_timer moved = bsk_after(self, 1, tick, .n = 3);
    expect_eq(bsk_timer_reset(self, moved, INT64_MAX), 0);
    expect_eq(next_tick(self, 100 * YEAR), BSK_ETIMEDOUT);
    expect_eq(bsk_sleep(self, 100 * YEAR), 0);
    expect_eq(now(self), 200 * YEAR);
    bsk_timer_stop(self, every);
    expect_eq(bsk_stop(bsk_me(self), 1), 0);
    expect_eq(bsk_sleep(self, INT64_MAX), BSK_ECANCELED);
    expect_eq(next_tick(self, INT64_MAX), BSK_ECANCELED);
    expect_eq(now(self), 200 * YEAR);
}

static void sleep_longest(bsk_self *self)
{
    expect_eq(bsk_sleep(self, INT64_MAX), BSK_ECANCELED);
}

static void cut_longest_short(bsk_self *self)
{
    bsk_addr sleeper = bsk_spawn(bsk_rt_of(self), sleep_longest);
    expect_eq(bsk_sleep(self, 200 * YEAR), 0);
    expect(bsk_alive(sleeper));
    expect_eq(bsk_stop(sleeper, INT64_MAX), 0);
}

START_TEST(TIM_006_the_longest_time_neither_overflows_nor_ends_early)
{
    run_seeds(SEEDS, 0, wait_longest);
    run_seeds(SEEDS, 0, cut_longest_short);
}
END_TEST

static void huge_and_tiny(bsk_self *self)
{
    static const int64_t huge[] = {INT64_MAX, 500 * YEAR, YEAR, 5 * 60 * 1000, 4097};
    for (int i = 0; i < 5; i++) {
        int64_t start = now(self);
        bsk_timer t = bsk_after(self, huge[i], tick, .n = 1);
        bsk_after(self, 1, tick, .n = 2);
        expect_tick(self, 2, start + 1);
        bsk_timer_stop(self, t);
    }
    expect_silence(self);
}

START_TEST(TIM_007_a_tiny_timer_beside_a_huge_one_fires_on_time)
{
    run_seeds(SEEDS, 0, huge_and_tiny);
}
END_TEST

#define MANY 100
struct many {
    bsk_timer timer[MANY];
    int fired;
};

/* The first to come stops all others. */
static void stop_others(bsk_self *self, bsk_msg *m)
{
    struct many *all = bsk_state(self);
    bsk_match(m) {
        bsk_on(go, v) {
            for (int i = 0; i < MANY; i++)
                all->timer[i] = i % 2 ? bsk_after(self, 10, tick, .n = i)
                                      : bsk_every(self, 10, load, .n = i, .size = 77);
        }
        bsk_on(tick, t) all->fired++;
        bsk_on(load, l) all->fired++;
        bsk_on(other, v) expect_eq(all->fired, 1);
    }
    if (all->fired == 1)
        for (int i = 0; i < MANY; i++) bsk_timer_stop(self, all->timer[i]);
}

static void first_stops_all(bsk_self *self)
{
    drops = 0;
    bsk_addr a = bsk_spawn(bsk_rt_of(self), stop_others, BSK_STATE(struct many, .fired = 0));
    bsk_tell(a, go);
    expect_eq(bsk_sleep(self, 100), 0);
    expect(bsk_alive(a));
    expect_eq(drops, MANY / 2);
    bsk_tell(a, other);
    expect_eq(bsk_sleep(self, 1), 0);
    bsk_stats_out s;
    bsk_stats(bsk_rt_of(self), &s);
    expect_eq(s.timers, 0);
    expect_eq(bsk_stop(a, BSK_FOREVER), 0);
}

START_TEST(TIM_008_the_first_of_many_timers_of_one_tick_can_stop_all_others)
{
    run_seeds(SEEDS, 0, first_stops_all);
}
END_TEST

/* The same by ending: what is due goes with the actor. */
static void end_at_first(bsk_self *self)
{
    for (int i = 0; i < MANY; i++) bsk_after(self, 10, load, .n = i, .size = 77);
    expect(next_tick(self, 100) >= 0);
    expect_eq(now(self), 10);
}

static void first_ends_all(bsk_self *self)
{
    drops = 0;
    bsk_spawn(bsk_rt_of(self), end_at_first);
    expect_eq(bsk_sleep(self, 100), 0);
    expect_eq(drops, MANY);
}

START_TEST(TIM_008_timers_that_are_due_go_with_their_actor)
{
    run_seeds(SEEDS, 0, first_ends_all);
}
END_TEST

static void stop_after_move(bsk_self *self)
{
    for (int64_t at = 2; at <= 300; at += 37) {
        int64_t start = now(self);
        bsk_after(self, at, tick, .n = 1);
        bsk_timer moved = bsk_after(self, 1000, tick, .n = 2);
        expect_eq(bsk_timer_reset(self, moved, at), 0);
        expect_tick(self, 1, start + at);
        bsk_timer_stop(self, moved);
        bsk_timer_stop(self, moved);
        expect_eq(bsk_timer_reset(self, moved, 1), BSK_EDEAD);
    }
    expect_silence(self);
}

START_TEST(TIM_009_a_timer_moved_to_the_time_of_another_can_be_stopped_when_that_fires)
{
    run_seeds(SEEDS, 0, stop_after_move);
}
END_TEST

/* A consumer of 300 ms ticks that is late by 700 ms; the times at which it gets ticks then. */
static void be_late(bsk_self *self, enum bsk_missed policy, const int64_t *times, int n)
{
    int64_t start = now(self);
    bsk_timer t = bsk_every(self, 300, tick, .n = 1);
    expect_eq(bsk_timer_missed(self, t, policy), 0);
    expect_tick(self, 1, start + 300);
    expect_eq(bsk_sleep(self, 1000), 0); /* 600, 900 and 1200 pass */
    for (int i = 0; i < n; i++) expect_tick(self, 1, start + times[i]);
    bsk_timer_stop(self, t);
    expect_eq(bsk_timer_missed(self, t, policy), BSK_EDEAD);
    expect_silence(self);
}

static void late_burst(bsk_self *self)
{
    static const int64_t times[] = {1300, 1300, 1300, 1500, 1800, 2100};
    be_late(self, BSK_BURST, times, 6);
}

START_TEST(TIM_011_burst_missed_ticks_come_at_once_and_the_grid_stays)
{
    run_seeds(SEEDS, 0, late_burst);
}
END_TEST

static void late_delay(bsk_self *self)
{
    static const int64_t times[] = {1300, 1600, 1900, 2200};
    be_late(self, BSK_DELAY, times, 4);
}

START_TEST(TIM_012_delay_one_tick_comes_now_and_the_next_a_full_period_later)
{
    run_seeds(SEEDS, 0, late_delay);
}
END_TEST

static void late_skip(bsk_self *self)
{
    static const int64_t times[] = {1300, 1500, 1800, 2100};
    be_late(self, BSK_SKIP, times, 4);
    /* It is what an interval does if nothing else was said. */
    int64_t start = now(self);
    bsk_timer t = bsk_every(self, 300, tick, .n = 1);
    expect_eq(bsk_sleep(self, 900), 0);
    expect_tick(self, 1, start + 900);
    expect_tick(self, 1, start + 1200);
    bsk_timer_stop(self, t);
}

START_TEST(TIM_013_skip_one_tick_comes_now_missed_ones_never_and_the_grid_stays)
{
    run_seeds(SEEDS, 0, late_skip);
}
END_TEST

static void no_interval(bsk_self *self)
{
    expect_eq(bsk_every(self, 0, tick).gen, 0);
    expect_eq(bsk_error(self), BSK_EINVAL);
    expect_eq(bsk_every(self, -1, tick).gen, 0);
    expect_silence(self);
}

START_TEST(TIM_014_an_interval_of_0_is_refused)
{
    run_seeds(SEEDS, 0, no_interval);
}
END_TEST

static void reply_at_once(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(question, q) expect_eq(bsk_reply(q, question, .n = 5), 0);
        bsk_on(go, v) bsk_exit(self);
    }
}

/* What is ready wins over a time limit that has passed: a message, room, a reply that has come. */
static void ready_in_the_past(bsk_self *self)
{
    expect_eq(bsk_send(self, bsk_me(self), 0, tick, .n = 3), 0);
    expect_eq(next_tick(self, 0), 3);
    expect_eq(next_tick(self, 0), BSK_ETIMEDOUT);
    expect_eq(bsk_sleep(self, 0), 0);
    bsk_addr a = bsk_spawn(bsk_rt_of(self), reply_at_once);
    expect_eq(bsk_ask(self, a, 10, question), 0);
    expect_eq(bsk_sleep(self, 20), 0);
    int64_t n = 0;
    bsk_match(bsk_recv(self, 0)) {
        bsk_on_reply(question, r) n = r->n;
    }
    expect_eq(n, 5);
    bsk_tell(a, go);
}

START_TEST(TIM_018_what_is_ready_wins_over_a_time_limit_that_has_passed)
{
    run_seeds(SEEDS, 0, ready_in_the_past);
}
END_TEST

static int seen;

static void never_reply(bsk_self *self)
{
    bsk_match(bsk_recv(self, BSK_FOREVER)) {
        bsk_on(question, q) expect(bsk_later(q, question).node != 0);
    }
    seen++;
    expect(bsk_recv_only(self, BSK_FOREVER, BSK_T(go)) != NULL);
    expect(!bsk_recv(self, 0)); /* the second request is not shown any more */
}

static void call_never(bsk_self *self)
{
    seen = 0;
    bsk_addr a = bsk_spawn(bsk_rt_of(self), never_reply);
    for (int i = 0; i < 2; i++) {
        int64_t start = now(self);
        expect(!bsk_call(self, a, 300, question));
        expect_eq(bsk_error(self), BSK_ETIMEDOUT);
        expect_eq(now(self), start + 300);
    }
    expect_eq(seen, 1);
    bsk_tell(a, go);
    expect_eq(bsk_sleep(self, 1), 0);
    expect_eq(dead_letters(bsk_rt_of(self), BSK_DEAD_EXPIRED), 1);
}

START_TEST(TIM_019_a_call_that_nobody_answers_times_out_and_is_released)
{
    run_seeds(SEEDS, 0, call_never);
}
END_TEST

/* A fiber that never waits, but always has something to send and to receive; in real time. */
static _Atomic bool limit_over;

static void never_wait(bsk_self *self)
{
    bsk_after(self, 1, other);
    for (bool due = false; !due || !limit_over;) {
        expect_eq(bsk_send(self, bsk_me(self), 1000, tick), 0);
        bsk_match(bsk_recv(self, 1000)) {
            bsk_on(other, v) due = true;
            bsk_on(tick, t) continue;
        }
    }
}

static void wait_beside(bsk_self *self)
{
    expect(!bsk_recv(self, 1));
    expect_eq(bsk_error(self), BSK_ETIMEDOUT);
    limit_over = true;
}

START_TEST(TIM_020_a_time_limit_ends_beside_a_fiber_that_never_waits)
{
    bsk_rt *rt = start_parallel(1);
    limit_over = false;
    bsk_spawn(rt, never_wait);
    bsk_spawn(rt, wait_beside);
    expect_eq(bsk_wait(rt), 0);
    expect(limit_over);
}
END_TEST

#define SLEEPERS 100
static int64_t times[SLEEPERS][100];

static void sleep_at_random(bsk_self *self)
{
    const int *me = bsk_state(self);
    for (int i = 0; i < 100; i++) {
        expect_eq(bsk_sleep(self, (int64_t)(bsk_random(self) % 500)), 0);
        times[*me][i] = now(self);
    }
}

static uint64_t run_sleepers(uint64_t seed)
{
    bsk_rt *rt = start_seeded(seed);
    for (int i = 0; i < SLEEPERS; i++) bsk_spawn(rt, sleep_at_random, BSK_STATE(int, i));
    bsk_advance(rt, 100 * 500);
    uint64_t digest = bsk_digest(rt);
    expect_eq(bsk_wait(rt), 0);
    return digest;
}

START_TEST(TIM_021_ten_thousand_random_sleeps_go_the_same_way_with_the_same_seed)
{
    static int64_t before[SLEEPERS][100];
    for (uint64_t seed = 1; seed <= 3; seed++) {
        uint64_t digest = run_sleepers(seed);
        memcpy(before, times, sizeof times);
        memset(times, 0, sizeof times);
        ck_assert_uint_eq(run_sleepers(seed), digest);
        ck_assert_mem_eq(before, times, sizeof times);
        ck_assert_uint_ne(run_sleepers(seed + 10), digest);
    }
}
END_TEST

/* The times are seen from outside, advancing a millisecond or nearly all of a wait at a time. */
#define STEPS 6
static const int64_t delays[STEPS] = {2, 3, 18, 256, 4097, 7 * 60 * 1000};
static int fired;

static void wait_for_six(bsk_self *self)
{
    static const int shuffled[STEPS] = {5, 1, 3, 0, 4, 2};
    for (int i = 0; i < STEPS; i++) bsk_after(self, delays[shuffled[i]], tick, .n = shuffled[i]);
    for (int i = 0; i < STEPS; i++) {
        expect_eq(next_tick(self, BSK_FOREVER), i);
        fired++;
    }
}

START_TEST(TIM_024_timers_fire_each_in_its_own_millisecond_in_the_order_of_their_times)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        bsk_rt *rt = start_seeded(seed);
        fired = 0;
        bsk_spawn(rt, wait_for_six);
        bsk_advance(rt, 0);
        for (int i = 0; i < STEPS; i++) {
            bsk_advance(rt, delays[i] - 1 - bsk_now(rt));
            expect_eq(fired, i);
            bsk_advance(rt, 1);
            expect_eq(fired, i + 1);
            expect_eq(bsk_now(rt), delays[i]);
        }
        expect_eq(bsk_wait(rt), 0);
    }
}
END_TEST

static void take_pending(bsk_self *self)
{
    drops = 0;
    bsk_timer t = bsk_after(self, 100, load, .n = 8, .size = 77);
    expect_eq(bsk_sleep(self, 99), 0);
    expect(!bsk_timer_take(self, t, tick)); /* of another type: it goes on */
    const load *back = bsk_timer_take(self, t, load);
    expect(back && back->n == 8 && back->size == 77);
    expect(!bsk_timer_take(self, t, load));
    expect_eq(drops, 0);
    expect_eq(bsk_sleep(self, 0), 0);
    expect_eq(drops, 1);
    /* Or it is thrown away. */
    t = bsk_after(self, 100, load, .n = 8, .size = 77);
    bsk_timer_stop(self, t);
    expect_eq(drops, 2);
    expect_silence(self);
    expect_eq(drops, 2);
}

START_TEST(TIM_025_a_timer_that_is_taken_never_fires_and_gives_its_message_back)
{
    run_seeds(SEEDS, 0, take_pending);
}
END_TEST

/* Due, and its message in the mailbox, or passed over there, before it is cancelled. */
static void take_due(bsk_self *self)
{
    drops = 0;
    for (int pass = 0; pass < 2; pass++) {
        bsk_timer t = bsk_after(self, 10, load, .n = 9, .size = 77);
        bsk_timer every = bsk_every(self, 10, tick, .n = 4);
        bsk_timer stopped = bsk_after(self, 10, tick, .n = 5);
        expect_eq(bsk_sleep(self, 25), 0);
        if (pass) expect(!bsk_recv_only(self, 0, BSK_T(other)));
        const load *back = bsk_timer_take(self, t, load);
        expect(back && back->n == 9 && back->size == 77);
        const tick *ticked = bsk_timer_take(self, every, tick);
        expect(ticked && ticked->n == 4);
        bsk_timer_stop(self, stopped);
        expect_silence(self);
        expect_eq(drops, pass + 1);
    }
}

static void take_in_handler(bsk_self *self, bsk_msg *m)
{
    static bsk_timer second;
    bsk_match(m) {
        bsk_on(go, v) {
            bsk_after(self, 10, tick, .n = 1);
            second = bsk_after(self, 10, load, .n = 2, .size = 77);
        }
        bsk_on(tick, t) {
            const load *back = bsk_timer_take(self, second, load);
            expect(back && back->n == 2 && back->size == 77);
            expect_eq(drops, 0);
            bsk_after(self, 10, other);
        }
        bsk_on(other, v) bsk_exit(self);
    }
}

static void take_due_in_handler(bsk_self *self)
{
    drops = 0;
    bsk_addr a = bsk_spawn(bsk_rt_of(self), take_in_handler);
    bsk_tell(a, go);
    expect_eq(bsk_sleep(self, 100), 0);
    expect_eq(reason_of(a), BSK_NORMAL);
    expect_eq(drops, 1);
}

START_TEST(TIM_026_a_timer_that_is_due_but_not_received_can_still_be_taken)
{
    run_seeds(SEEDS, 0, take_due);
    run_seeds(SEEDS, 0, take_due_in_handler);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("timer");
    tcase_add_test(t, TIM_002_a_timer_moved_to_later_fires_once_then);
    tcase_add_test(t, TIM_003_a_timer_moved_to_earlier_fires_once_then);
    tcase_add_test(t, TIM_003_a_timer_that_is_moved_drops_what_it_carries_once);
    tcase_add_test(t, TIM_004_a_timer_moved_to_now_is_due_at_the_next_wait);
    tcase_add_test(t, TIM_006_the_longest_time_neither_overflows_nor_ends_early);
    tcase_add_test(t, TIM_007_a_tiny_timer_beside_a_huge_one_fires_on_time);
    tcase_add_test(t, TIM_008_the_first_of_many_timers_of_one_tick_can_stop_all_others);
    tcase_add_test(t, TIM_008_timers_that_are_due_go_with_their_actor);
    tcase_add_test(t, TIM_009_a_timer_moved_to_the_time_of_another_can_be_stopped_when_that_fires);
    tcase_add_test(t, TIM_011_burst_missed_ticks_come_at_once_and_the_grid_stays);
    tcase_add_test(t, TIM_012_delay_one_tick_comes_now_and_the_next_a_full_period_later);
    tcase_add_test(t, TIM_013_skip_one_tick_comes_now_missed_ones_never_and_the_grid_stays);
    tcase_add_test(t, TIM_014_an_interval_of_0_is_refused);
    tcase_add_test(t, TIM_018_what_is_ready_wins_over_a_time_limit_that_has_passed);
    tcase_add_test(t, TIM_019_a_call_that_nobody_answers_times_out_and_is_released);
    tcase_add_test(t, TIM_020_a_time_limit_ends_beside_a_fiber_that_never_waits);
    tcase_add_test(t, TIM_021_ten_thousand_random_sleeps_go_the_same_way_with_the_same_seed);
    tcase_add_test(t, TIM_024_timers_fire_each_in_its_own_millisecond_in_the_order_of_their_times);
    tcase_add_test(t, TIM_025_a_timer_that_is_taken_never_fires_and_gives_its_message_back);
    tcase_add_test(t, TIM_026_a_timer_that_is_due_but_not_received_can_still_be_taken);
    return run_suite("timer", t, 30);
}
