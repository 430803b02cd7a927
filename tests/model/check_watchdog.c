/* SPDX-License-Identifier: MIT */
/* check_watchdog.c - the real watchdog's sleep, and the trimmer's look at who is inside: a worker
 * that runs has a watchdog that is up, and no slots are given back under anyone's eyes. */
#include "actors.h"

#include "actors/trim.c"
#include "actors/watchdog.c"

#include <check.h>
#include <stdlib.h>

static struct lock mutex;
static struct mdl_park signalled;
static bool up; /* the watchdog has woken */
static int slots;
static int trims;

void uv_mutex_lock(uv_mutex_t *m)
{
    mdl_assert(m == &model_rt.dog.lock);
    lock_take(&mutex);
}

void uv_mutex_unlock(uv_mutex_t *m)
{
    mdl_assert(m == &model_rt.dog.lock);
    lock_give(&mutex);
}

/* What was signalled before the wait is forgotten, as a condition does. */
void uv_cond_wait(uv_cond_t *c, uv_mutex_t *m)
{
    mdl_assert(c == &model_rt.dog.cond);
    atomic_store_explicit(&signalled.token, 0, memory_order_relaxed);
    uv_mutex_unlock(m);
    mdl_park(&signalled);
    uv_mutex_lock(m);
}

void uv_cond_signal(uv_cond_t *c)
{
    mdl_assert(c == &model_rt.dog.cond);
    mdl_unpark(&signalled);
}

static void all_parked(void)
{
    model_reset();
    memset(&mutex, 0, sizeof mutex);
    memset(&signalled, 0, sizeof signalled);
    memset(&model_rt.dog, 0, sizeof model_rt.dog);
    up = false;
    slots = trims = 0;
    atomic_init(&model_rt.nworkers, 3);
    atomic_init(&model_rt.users, 0);
    atomic_init(&model_rt.trimming, false);
    for (unsigned i = 0; i < 3; i++) atomic_init(&model_workers[i].state, WORKER_PARKED);
}

static void sleep_once(void)
{
    uv_mutex_lock(&model_rt.dog.lock);
    sleep_locked(&model_rt);
    uv_mutex_unlock(&model_rt.dog.lock);
    up = true;
}

/* As a worker does that wakes up. */
static void wake_up(void)
{
    atomic_store(&model_me()->state, WORKER_RUNS);
    dog_wake(&model_rt);
}

static void wake_up_and_park(void)
{
    wake_up();
    atomic_store(&model_me()->state, WORKER_PARKED);
}

/* As sch_add_solo does. */
static void add_worker(void)
{
    atomic_store(&model_workers[3].state, WORKER_RUNS);
    atomic_store(&model_rt.nworkers, 4);
    dog_wake(&model_rt);
}

static void it_is_up(void)
{
    mdl_assert(up && !model_rt.dog.asleep);
}

START_TEST(a_worker_that_wakes_wakes_the_watchdog)
{
    mdl_run(&(struct mdl_program){.name = "one who wakes",
                                  .setup = all_parked,
                                  .threads = {sleep_once, wake_up},
                                  .check = it_is_up});
    mdl_run(&(struct mdl_program){.name = "one who is new",
                                  .setup = all_parked,
                                  .threads = {sleep_once, add_worker},
                                  .check = it_is_up});
    mdl_run(&(struct mdl_program){.name = "two who wake",
                                  .setup = all_parked,
                                  .threads = {sleep_once, wake_up, wake_up_and_park},
                                  .check = it_is_up});
}
END_TEST

void slab_trim(struct slab *s)
{
    mdl_write(&slots);
    trims += s == &model_rt.actors;
}

static void one_runs(void)
{
    all_parked();
    atomic_init(&model_workers[0].state, WORKER_RUNS);
}

static struct slab upper;
static struct slab *upper_slab(struct bsk_rt *rt)
{
    mdl_assert(rt == &model_rt);
    return &upper;
}
const struct act_hooks act_hooks = {.slab = upper_slab};
const struct loop_hooks loop_hooks = {.slab = upper_slab};

static void trim(void)
{
    trim_slabs(model_me());
}

static void look_at_slots(void)
{
    mdl_read(&slots);
}

/* As park does when it ends, and begins again. */
static void work_a_little(void)
{
    struct worker *w = model_me();
    atomic_store(&w->state, WORKER_RUNS);
    if (atomic_load(&model_rt.trimming)) trm_wait(&model_rt);
    look_at_slots();
    atomic_store(&w->state, WORKER_PARKED);
}

/* As rt_hold and rt_drop. */
static void use_from_outside(void)
{
    atomic_fetch_add(&model_rt.users, 1);
    if (atomic_load(&model_rt.trimming)) trm_wait(&model_rt);
    look_at_slots();
    atomic_fetch_sub_explicit(&model_rt.users, 1, memory_order_release);
}

START_TEST(slots_are_trimmed_while_nobody_looks)
{
    mdl_run(&(struct mdl_program){.name = "a trimmer, a worker and a user",
                                  .setup = one_runs,
                                  .threads = {trim, work_a_little, use_from_outside}});
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("watchdog");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_worker_that_wakes_wakes_the_watchdog);
    tcase_add_test(tc, slots_are_trimmed_while_nobody_looks);

    Suite *suite = suite_create("watchdog");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
