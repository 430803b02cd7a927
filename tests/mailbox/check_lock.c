/* SPDX-License-Identifier: MIT */
/* check_lock.c - the lock of one byte: one at a time, each sees what the last one wrote.
 *
 * ctest: timeout=120 */
#include "mailbox/lock.h"

#include <check.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

enum { THREADS = 4, TURNS = 50000 };

static struct lock lock;
static long counted;       /* plain: the lock is what orders it */
static int last, switches; /* who was inside last */

static void *take_turns(void *arg)
{
    int me = *(const int *)arg;
    for (int i = 0; i < TURNS; i++) {
        lock_take(&lock);
        counted++;
        switches += last != me;
        last = me;
        lock_give(&lock);
    }
    return NULL;
}

START_TEST(four_threads_count_exactly)
{
    pthread_t threads[THREADS];
    int names[THREADS];
    for (int i = 0; i < THREADS; i++) {
        names[i] = i + 1;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_turns, &names[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    ck_assert_int_eq(counted, (long)THREADS * TURNS);
    ck_assert_int_ge(switches, THREADS);
    ck_assert(!lock.held);
}
END_TEST

static void *wait_for_it(void *arg)
{
    lock_take(&lock);
    *(bool *)arg = true;
    lock_give(&lock);
    return NULL;
}

START_TEST(a_taken_lock_keeps_others_out_until_it_is_given)
{
    bool came_in = false;
    pthread_t thread;
    lock_take(&lock);
    ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_it, &came_in), 0);
    for (int i = 0; i < 1000; i++) sched_yield();
    ck_assert(!came_in);
    lock_give(&lock);
    pthread_join(thread, NULL);
    ck_assert(came_in);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("lock");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, four_threads_count_exactly);
    tcase_add_test(tc, a_taken_lock_keeps_others_out_until_it_is_given);

    Suite *suite = suite_create("lock");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
