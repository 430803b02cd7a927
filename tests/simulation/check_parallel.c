/* SPDX-License-Identifier: MIT */
/* check_parallel.c - the generated workload on real threads, with exact books.
 *
 * ctest: timeout=300 calm
 *
 * ROUNDS=n, or --rounds n, runs that many rounds of each kind; SEED=n, or --from n, is where the
 * seeds begin (default: the clock; printed when something is wrong: not an exact replay here). */
#include "suite.h"
#include "workload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 25

static uint64_t rounds = ROUNDS, first;

static void play(const struct wl_setup *setup)
{
    struct wl_result out;
    wl_run(setup, &out);
    if (out.fault[0])
        ck_abort_msg("%s; with SEED=%" PRIu64 ", %u workers, %u threads, %s", out.fault,
                     setup->seed, setup->workers, setup->threads,
                     setup->shut_down ? "shut down" : "to the end");
}

static void play_rounds(bool shut_down, unsigned workers, unsigned threads)
{
    for (uint64_t i = 0; i < rounds; i++) {
        struct wl_setup setup = wl_parallel(first + i);
        setup.shut_down = shut_down;
        if (workers) setup.workers = workers;
        setup.threads = threads;
        setup.most += threads;
        play(&setup);
    }
}

START_TEST(books_balance_on_two_workers)
{
    play_rounds(false, 2, 0);
}
END_TEST

START_TEST(books_balance_on_four_workers)
{
    play_rounds(false, 4, 0);
}
END_TEST

START_TEST(books_balance_with_other_threads)
{
    play_rounds(false, 0, 3);
}
END_TEST

START_TEST(books_balance_when_shut_down_in_the_midst)
{
    play_rounds(true, 0, 0);
}
END_TEST

START_TEST(eight_threads_go_on_while_the_runtime_ends)
{
    play_rounds(true, 0, 8);
}
END_TEST

/* Few rounds of many steps: far more that happens at the same time. */
START_TEST(books_balance_in_a_crowd)
{
    for (uint64_t i = 0; i < rounds; i += 5) {
        struct wl_setup setup = {.seed = first + i, .workers = 4, .players = 60, .most = 130};
        setup.threads = 2;
        setup.steps = 2000;
        setup.shut_down = i % 10 == 5;
        play(&setup);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("parallel");
    TCase *c = tcase_create("rounds");
    tcase_set_timeout(c, 60 + (double)rounds);
    tcase_add_test(c, books_balance_on_two_workers);
    tcase_add_test(c, books_balance_on_four_workers);
    tcase_add_test(c, books_balance_with_other_threads);
    tcase_add_test(c, books_balance_when_shut_down_in_the_midst);
    tcase_add_test(c, eight_threads_go_on_while_the_runtime_ends);
    tcase_add_test(c, books_balance_in_a_crowd);
    suite_add_tcase(s, c);
    return s;
}

int main(int argc, char **argv)
{
    rounds = number_of("ROUNDS", ROUNDS);
    first = number_of("SEED", (uint64_t)time(NULL));
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--rounds")) rounds = strtoull(argv[i + 1], NULL, 10);
        if (!strcmp(argv[i], "--from")) first = strtoull(argv[i + 1], NULL, 10);
    }
    return run_suite(suite());
}
