/* SPDX-License-Identifier: MIT */
/* check_biased.c - the real biased lock: its owner and its thieves are never inside together, and
 * each sees what the last one left, with the barrier on all cores and with fences. */
#include "barrier.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct biased lock;
static int guarded, inside;
static int entered; /* by all; follows the lock's own steps */

static void reset(bool barrier)
{
    memset(&lock, 0, sizeof lock);
    barrier_works = barrier;
    biased_init(&lock);
    mdl_assert(lock.fence == !barrier);
    guarded = inside = entered = 0;
}

static void with_barrier(void)
{
    reset(true);
}

static void with_fences(void)
{
    reset(false);
}

static void work_inside(void)
{
    mdl_assert(++inside == 1);
    mdl_write(&guarded);
    guarded++;
    entered++;
}

static void own_once(void)
{
    biased_enter(&lock);
    work_inside();
    inside--;
    biased_leave(&lock);
}

static void own_twice(void)
{
    own_once();
    own_once();
}

static void steal_once(void)
{
    if (!biased_seize(&lock)) return;
    work_inside();
    inside--;
    biased_release(&lock);
}

static void steal_twice(void)
{
    steal_once();
    steal_once();
}

static void all_counted(void)
{
    mdl_assert(guarded == entered && entered >= 1 && !lock.in && !lock.want);
}

static void run(const char *name, void (*setup)(void), void (*second)(void), void (*third)(void))
{
    mdl_run(&(struct mdl_program){.name = name,
                                  .setup = setup,
                                  .threads = {own_twice, second, third},
                                  .preemptions = third ? 2 : 3,
                                  .max_steps = 1000,
                                  .check = all_counted});
}

START_TEST(with_the_barrier_nobody_meets_inside)
{
    run("barrier: one thief", with_barrier, steal_twice, NULL);
    run("barrier: two thieves", with_barrier, steal_once, steal_once);
}
END_TEST

START_TEST(with_fences_nobody_meets_inside)
{
    run("fences: one thief", with_fences, steal_twice, NULL);
    run("fences: two thieves", with_fences, steal_once, steal_once);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("biased");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, with_the_barrier_nobody_meets_inside);
    tcase_add_test(tc, with_fences_nobody_meets_inside);

    Suite *suite = suite_create("biased");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
