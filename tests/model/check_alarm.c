/* SPDX-License-Identifier: MIT */
/* check_alarm.c - the real lazy alarm of fibers: a wait is woken at its deadline whichever wheel
 * its alarm is filed in, and whoever fires it; and a fiber that ends leaves nothing behind that
 * could go off.
 *
 * model: actors/wheel.c */
#include "actors.h"

#include "actors/fiber.c"

#include <check.h>
#include <stdlib.h>

#define MS NS_PER_MS

static struct fiber fiber;
static struct mdl_park poked;
static _Atomic bool waits; /* the fiber has set its alarm */
static bool freed;
static bool fired_here; /* by the worker that the fiber runs on */

void act_poke(struct worker *w, struct bsk_rt *rt, bsk_self *a)
{
    mdl_assert(w->rt == rt && a == &model_slots[0] && !freed);
    if (w == &model_workers[0]) fired_here = true;
    mdl_unpark(&poked);
}

void sch_alarm(struct worker *w, uint64_t due)
{
    mdl_assert(w->wheel_lock.held && due);
}

void stk_put(struct stk_pool *pool, struct stk s)
{
    mdl_assert(pool && !s.low);
    freed = true;
}

void fib_drop(struct fib_context *c)
{
    mdl_assert(c);
}

void mem_free(void *p)
{
    mdl_assert(!p);
}

/* An earlier wait of the fiber, on worker 1, has left its alarm there, for 10 ms. */
static void with_old_alarm(void)
{
    model_reset();
    memset(&fiber, 0, sizeof fiber);
    memset(&poked, 0, sizeof poked);
    atomic_init(&waits, false);
    freed = false;
    fiber.self = &model_slots[0];
    fiber.rt = &model_rt;
    fiber.alarm.kind = ALARM_FIBER;
    static struct act_more more;
    more = (struct act_more){.fiber = &fiber};
    model_slots[0].more = &more;
    for (unsigned i = 0; i < 2; i++) {
        whl_init(&model_workers[i].wheel, 0);
        atomic_init(&model_workers[i].wheel_lock.held, 0);
    }
    fired_here = false;
    file(&model_workers[1], &fiber, 10 * MS);
}

/* The same, left on worker 0, where the fiber still runs. */
static void with_own_alarm(void)
{
    with_old_alarm();
    unfile(&model_rt, &fiber);
    file(&model_workers[0], &fiber, 10 * MS);
}

/* As tim_expire does. */
static void expire(struct worker *w, uint64_t now)
{
    struct whl_node *node;
    w->now = now;
    lock_take(&w->wheel_lock);
    while ((node = whl_collect(&w->wheel, now))) {
        mdl_assert(!freed);
        alarm_fired(w, node);
        mdl_assert(!freed);
    }
    lock_give(&w->wheel_lock);
}

static void wait_until(uint64_t deadline)
{
    struct worker *w = &model_workers[0];
    set_alarm(w, &fiber, deadline);
    mdl_assert(fiber.armed <= deadline);
    atomic_store_explicit(&waits, true, memory_order_relaxed);
    /* It is switched out; then its worker's own alarms go off. */
    expire(w, deadline);
    mdl_park(&poked);
    atomic_store_explicit(&fiber.deadline, 0, memory_order_relaxed);
}

static void wait_longer(void)
{
    wait_until(20 * MS);
}

static void wait_shorter(void)
{
    wait_until(5 * MS);
}

static void wait_twice(void)
{
    wait_until(10 * MS);
    atomic_store_explicit(&waits, false, memory_order_relaxed);
    wait_until(20 * MS);
}

/* As bsk_sleep does: woken early, it waits on. */
static void wait_on(void)
{
    struct worker *w = &model_workers[0];
    while (!fired_here) {
        set_alarm(w, &fiber, 20 * MS);
        expire(w, 20 * MS);
        mdl_park(&poked);
    }
    atomic_store_explicit(&fiber.deadline, 0, memory_order_relaxed);
}

/* A relief fires what is due of worker 0, whose message has held it until just now. */
static void relieve(void)
{
    struct worker *w = &model_workers[1], *home = &model_workers[0];
    struct whl_node *node;
    lock_take(&home->wheel_lock);
    while ((node = whl_collect(&home->wheel, 10 * MS))) alarm_fired_elsewhere(w, node);
    lock_give(&home->wheel_lock);
}

static bool it_waits(void *arg)
{
    (void)arg;
    return atomic_load_explicit(&waits, memory_order_relaxed);
}

/* The clock of worker 1, which goes on while the fiber waits. */
static void run_clock(void)
{
    expire(&model_workers[1], 10 * MS);
    mdl_wait(it_waits, NULL);
    expire(&model_workers[1], 20 * MS);
}

static void run_long_clock(void)
{
    run_clock();
    mdl_wait(it_waits, NULL);
    expire(&model_workers[1], 20 * MS);
}

static void end_fiber(void)
{
    atomic_store_explicit(&waits, true, memory_order_relaxed);
    fib_free(&model_slots[0]);
}

static void wait_and_end(void)
{
    set_alarm(&model_workers[0], &fiber, 15 * MS);
    end_fiber();
}

static void nothing_is_filed(void)
{
    mdl_assert(whl_count(&model_workers[0].wheel) == 0);
    mdl_assert(whl_count(&model_workers[1].wheel) == 0);
}

static void it_is_filed_once_at_most(void)
{
    mdl_assert(whl_count(&model_workers[0].wheel) + whl_count(&model_workers[1].wheel) <= 1);
}

START_TEST(a_wait_is_woken_at_its_deadline)
{
    mdl_run(&(struct mdl_program){.name = "a later deadline",
                                  .setup = with_old_alarm,
                                  .threads = {wait_longer, run_clock},
                                  .preemptions = 4,
                                  .check = it_is_filed_once_at_most});
    mdl_run(&(struct mdl_program){.name = "an earlier deadline",
                                  .setup = with_old_alarm,
                                  .threads = {wait_shorter, run_clock},
                                  .preemptions = 4,
                                  .check = it_is_filed_once_at_most});
    mdl_run(&(struct mdl_program){.name = "two waits",
                                  .setup = with_old_alarm,
                                  .threads = {wait_twice, run_long_clock},
                                  .check = it_is_filed_once_at_most});
}
END_TEST

START_TEST(a_wait_is_woken_when_another_fires_the_alarm)
{
    mdl_run(&(struct mdl_program){.name = "an alarm that a relief fires",
                                  .setup = with_own_alarm,
                                  .threads = {wait_on, relieve},
                                  .preemptions = 4,
                                  .check = nothing_is_filed});
    mdl_run(&(struct mdl_program){.name = "an end while a relief fires the alarm",
                                  .setup = with_own_alarm,
                                  .threads = {end_fiber, relieve},
                                  .preemptions = 4,
                                  .check = nothing_is_filed});
}
END_TEST

START_TEST(nothing_goes_off_after_the_end)
{
    mdl_run(&(struct mdl_program){.name = "an end",
                                  .setup = with_old_alarm,
                                  .threads = {end_fiber, run_clock},
                                  .preemptions = 4,
                                  .check = nothing_is_filed});
    mdl_run(&(struct mdl_program){.name = "a wait that is killed",
                                  .setup = with_old_alarm,
                                  .threads = {wait_and_end, run_clock},
                                  .preemptions = 4,
                                  .check = nothing_is_filed});
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("alarm");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_wait_is_woken_at_its_deadline);
    tcase_add_test(tc, a_wait_is_woken_when_another_fires_the_alarm);
    tcase_add_test(tc, nothing_goes_off_after_the_end);

    Suite *suite = suite_create("alarm");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
