/* SPDX-License-Identifier: MIT */
/* check_worker.c - the real sleep of workers: whoever brings work, asks for help or ends the
 * runtime wakes who sleeps; what lies in the inbox of a worker that has gone moves on; each actor
 * is run by one; a relief that falls asleep hears that a loop is held. */
#define MODEL_SCHEDULED
#include "actors.h"
#include "barrier.h"

#include <poll.h>

static struct mdl_park bells[MODEL_WORKERS];

/* Sleeps until the bell, or until an alarm that it knows of. To look around once a millisecond
 * makes good what a lost ring spoils: here it does not. */
static int model_ppoll(struct pollfd *fd, const struct timespec *time)
{
    if (time && (time->tv_nsec < 1000000 || model_workers[fd->fd].relief)) {
        model_rt.virtual_now += (uint64_t)time->tv_nsec;
        if (model_workers[fd->fd].relief) mdl_yield();
        return 0;
    }
    mdl_park(&bells[fd->fd]);
    return 1;
}

#define ppoll(fd, n, time, mask) model_ppoll((fd), (time))
#include "actors/relief.c"
#include "actors/scheduler.c"

#include <check.h>
#include <stdlib.h>

static int ran[MODEL_SLOTS];
static _Atomic int nran;
static uint64_t filed; /* worker 0's alarm, under its wheel's lock; 0: none */
static bool fired;

int uv_async_send(uv_async_t *bell)
{
    struct worker *w = bell->data;
    mdl_unpark(&bells[w->index]);
    return 0;
}

int uv_backend_fd(const uv_loop_t *loop)
{
    const struct worker *w = (const void *)((const char *)loop - offsetof(struct worker, loop));
    return w->index;
}

int uv_backend_timeout(const uv_loop_t *loop)
{
    return loop ? -1 : 0;
}

int uv_run(uv_loop_t *loop, uv_run_mode mode)
{
    mdl_assert(loop && mode == UV_RUN_NOWAIT);
    return 0;
}

uint64_t whl_next(const struct whl *w)
{
    mdl_read(&filed);
    return w == &model_workers[0].wheel && filed ? filed : NEVER;
}

void tim_expire(struct worker *w)
{
    if (w->index) return;
    lock_take(&w->wheel_lock);
    mdl_write(&filed);
    if (filed && filed <= w->now) {
        fired = true;
        filed = 0;
        atomic_store(&w->alarm, NEVER);
    }
    lock_give(&w->wheel_lock);
}

bool sht_hears_signals(const struct bsk_rt *rt)
{
    return !rt;
}

uint64_t trm_due(struct worker *w)
{
    return w ? NEVER : 0;
}

uint64_t rt_alive(struct bsk_rt *rt)
{
    return rt != NULL;
}

void dog_wake(struct bsk_rt *rt)
{
    mdl_assert(rt == &model_rt);
}

static void reset(unsigned nloops)
{
    model_reset();
    memset(bells, 0, sizeof bells);
    memset(ran, 0, sizeof ran);
    atomic_init(&nran, 0);
    filed = 0;
    fired = false;
    model_rt.nloops = nloops;
    atomic_init(&model_rt.nworkers, MODEL_WORKERS);
    atomic_init(&model_rt.nparked, 0);
    atomic_init(&model_rt.halt, false);
    atomic_init(&model_rt.trimming, false);
    for (unsigned i = 0; i < MODEL_WORKERS; i++) {
        model_workers[i].bell.data = &model_workers[i];
        biased_init(&model_workers[i].q.lock);
        atomic_init(&model_workers[i].wheel_lock.held, 0);
        atomic_init(&model_workers[i].alarm, NEVER);
    }
}

static void one_loop(void)
{
    reset(1);
}

/* Worker 0 has two actors in its queue. */
static void two_loops(void)
{
    reset(2);
    run_queue_push(&model_workers[0].q, &model_slots[0]);
    run_queue_push(&model_workers[0].q, &model_slots[1]);
}

static void run_one(bsk_self *a)
{
    mdl_write(&a->link);
    mdl_assert(++ran[a - model_slots] == 1);
    atomic_fetch_add_explicit(&nran, 1, memory_order_relaxed);
}

/* As sch_main does. */
static void work_until_halt(void)
{
    struct worker *w = model_me();
    while (!atomic_load_explicit(&model_rt.halt, memory_order_acquire)) {
        bsk_self *a = pick(w);
        if (a)
            run_one(a);
        else
            idle(w);
    }
}

static void work_until_two_ran(void)
{
    struct worker *w = model_me();
    while (ran[0] + ran[1] < 2) {
        bsk_self *a = pick(w);
        if (a)
            run_one(a);
        else
            idle(w);
    }
}

static void bring(unsigned slot)
{
    mdl_write(&model_slots[slot].link);
    sch_send_home(&model_rt, &model_slots[slot], &model_workers[0]);
}

static void bring_first(void)
{
    bring(0);
}

static void bring_second(void)
{
    bring(1);
}

static void both_ran(void)
{
    mdl_assert(ran[0] == 1 && ran[1] == 1);
}

START_TEST(who_sleeps_is_woken_by_two_who_bring_work)
{
    mdl_run(&(struct mdl_program){.name = "two who bring work",
                                  .setup = one_loop,
                                  .threads = {work_until_two_ran, bring_first, bring_second},
                                  .preemptions = 2,
                                  .stale = 1,
                                  .check = both_ran});
}
END_TEST

/* As halt_workers does. */
static void halt(void)
{
    atomic_store(&model_rt.halt, true);
    for (unsigned i = 0; i < model_rt.nloops; i++) sch_ring(&model_workers[i]);
}

START_TEST(who_sleeps_is_woken_at_the_end)
{
    mdl_run(&(struct mdl_program){
        .name = "the end", .setup = one_loop, .threads = {work_until_halt, halt}});
}
END_TEST

static void work_until_fired(void)
{
    while (!fired) idle(model_me());
    mdl_assert(model_rt.virtual_now == 1000);
}

/* As a fiber on another worker files a timer of one that has gone elsewhere. */
static void file_for_the_first(void)
{
    struct worker *w = &model_workers[0];
    lock_take(&w->wheel_lock);
    mdl_write(&filed);
    filed = 1000;
    sch_alarm(w, filed);
    lock_give(&w->wheel_lock);
}

static void it_fired(void)
{
    mdl_assert(fired);
}

START_TEST(an_alarm_that_another_files_wakes_who_sleeps)
{
    mdl_run(&(struct mdl_program){.name = "an alarm filed by another",
                                  .setup = one_loop,
                                  .threads = {work_until_fired, file_for_the_first},
                                  .check = it_fired});
}
END_TEST

static bool one_counts_as_parked(void *arg)
{
    (void)arg;
    return atomic_load_explicit(&model_rt.nparked, memory_order_relaxed) == 1;
}

static bool one_ran(void *arg)
{
    (void)arg;
    return atomic_load_explicit(&nran, memory_order_relaxed) >= 1;
}

static bool two_ran(void *arg)
{
    (void)arg;
    return atomic_load_explicit(&nran, memory_order_relaxed) == 2;
}

/* Worker 0 has two actors, and calls for help when worker 1 counts as parked, whether it sleeps
 * already or not. Then it waits until one actor has run there. */
static void call_once(void)
{
    struct worker *w = model_me();
    mdl_wait(one_counts_as_parked, NULL);
    call_for_help(w);
    mdl_wait(one_ran, NULL);
    bsk_self *a = pick(w);
    if (a) run_one(a);
    mdl_wait(two_ran, NULL);
    halt();
}

START_TEST(a_call_for_help_is_seen_by_who_is_about_to_sleep)
{
    mdl_run(&(struct mdl_program){.name = "a call for help",
                                  .setup = two_loops,
                                  .threads = {call_once, work_until_halt},
                                  .stale = 1,
                                  .check = both_ran});
}
END_TEST

static void own(void)
{
    struct worker *w = model_me();
    bsk_self *a = pick(w);
    if (a) run_one(a);
    mdl_write(&model_slots[2].link);
    sch_enqueue(w, &model_slots[2]);
    while ((a = pick(w))) run_one(a);
}

static void steal(void)
{
    struct worker *w = model_me();
    bsk_self *a;
    steal_from(w, &model_workers[0], true);
    while ((a = pick(w))) run_one(a);
}

static void all_ran(void)
{
    mdl_assert(ran[0] == 1 && ran[1] == 1 && ran[2] == 1);
}

START_TEST(what_is_stolen_runs_once)
{
    mdl_run(&(struct mdl_program){.name = "an owner and a thief",
                                  .setup = two_loops,
                                  .threads = {own, steal},
                                  .max_steps = 1000,
                                  .stale = 1,
                                  .check = all_ran});
    mdl_run(&(struct mdl_program){.name = "an owner and two thieves",
                                  .setup = two_loops,
                                  .threads = {own, steal, steal},
                                  .preemptions = 2,
                                  .max_steps = 1000,
                                  .stale = 1,
                                  .check = all_ran});
}
END_TEST

/* Worker 0 has been held since its 5th tick, with two behind it; worker 1 is a relief. */
static void held_loop(void)
{
    reset(1);
    struct worker *loop = &model_workers[0], *relief = &model_workers[1];
    run_queue_push(&loop->q, &model_slots[0]);
    run_queue_push(&loop->q, &model_slots[1]);
    atomic_init(&loop->ticks, 5);
    atomic_init(&loop->held, 0);
    relief->relief = true;
    model_rt.reliefs[0] = relief;
    atomic_init(&model_rt.nreliefs, 1);
}

/* The watchdog does not look again. */
static void watch_once(void)
{
    rlf_held(&model_rt, &model_workers[0], 5, 0);
}

START_TEST(a_relief_that_falls_asleep_hears_that_a_loop_is_held)
{
    mdl_run(&(struct mdl_program){.name = "a held loop",
                                  .setup = held_loop,
                                  .threads = {watch_once, work_until_two_ran},
                                  .max_steps = 1000,
                                  .preemptions = 3,
                                  .stale = 1,
                                  .check = both_ran});
}
END_TEST

static void with_solo(void)
{
    reset(1);
    model_workers[0].solo = true;
    run_queue_push(&model_workers[0].q, &model_slots[2]);
    /* Who has gone forwards to the first of the array: let that be another. */
    atomic_init(&model_rt.workers[0], &model_workers[3]);
}

static void leave_solo(void)
{
    leave(model_me());
}

static void all_moved_on(void)
{
    int n = 0;
    for (bsk_self *a = model_workers[3].inbox; a; a = a->link) n++;
    mdl_assert(n == 3 && !model_workers[0].inbox);
}

START_TEST(what_comes_for_a_worker_that_has_gone_moves_on)
{
    mdl_run(&(struct mdl_program){.name = "a worker that goes",
                                  .setup = with_solo,
                                  .threads = {leave_solo, bring_first, bring_second},
                                  .preemptions = 2,
                                  .check = all_moved_on});
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("worker");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, who_sleeps_is_woken_by_two_who_bring_work);
    tcase_add_test(tc, who_sleeps_is_woken_at_the_end);
    tcase_add_test(tc, an_alarm_that_another_files_wakes_who_sleeps);
    tcase_add_test(tc, a_call_for_help_is_seen_by_who_is_about_to_sleep);
    tcase_add_test(tc, what_is_stolen_runs_once);
    tcase_add_test(tc, a_relief_that_falls_asleep_hears_that_a_loop_is_held);
    tcase_add_test(tc, what_comes_for_a_worker_that_has_gone_moves_on);

    Suite *suite = suite_create("worker");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
