/* SPDX-License-Identifier: MIT */
/* check_forest_parallel.c - the forest on real threads.
 *
 * ctest: timeout=300
 *
 * ROUNDS=n, or --rounds n, runs that many rounds of each kind; SEED=n, or --from n, is where the
 * seeds begin (default: the clock; printed when something is wrong: not an exact replay here). */
#include "forest.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 14

static uint64_t rounds = ROUNDS, first;

static void play(const struct fo_setup *setup)
{
    struct fo_result out;
    fo_run(setup, &out);
    if (out.fault[0])
        ck_abort_msg("%s; with SEED=%" PRIu64 ", %u workers, %u threads, %s, %s", out.fault,
                     setup->seed, setup->workers, setup->threads,
                     setup->shut_down ? "shut down" : "to the end",
                     setup->starve ? "starved" : "fed");
}

static void play_rounds(unsigned workers, unsigned threads, bool shut_down, bool starve)
{
    for (uint64_t i = 0; i < rounds; i++) {
        struct fo_setup setup = fo_parallel(first + i);
        setup.workers = workers;
        setup.threads = threads;
        setup.shut_down = shut_down;
        setup.starve = starve;
        play(&setup);
    }
}

START_TEST(trees_keep_their_promises_on_two_workers)
{
    play_rounds(2, 0, false, false);
}
END_TEST

START_TEST(trees_keep_their_promises_on_four_workers)
{
    play_rounds(4, 0, false, false);
}
END_TEST

START_TEST(trees_keep_their_promises_among_foreign_threads)
{
    play_rounds(2, 3, false, false);
}
END_TEST

START_TEST(trees_keep_their_promises_without_memory)
{
    play_rounds(4, 1, false, true);
}
END_TEST

START_TEST(trees_are_cut_down_in_the_midst_of_things)
{
    play_rounds(4, 0, true, false);
    play_rounds(2, 0, true, true);
}
END_TEST

START_TEST(foreign_threads_go_on_while_trees_are_cut_down)
{
    play_rounds(4, 4, true, false);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("forest_parallel");
    TCase *c = tcase_create("rounds");
    tcase_set_timeout(c, 60 + 2 * (double)rounds);
    tcase_add_test(c, trees_keep_their_promises_on_two_workers);
    tcase_add_test(c, trees_keep_their_promises_on_four_workers);
    tcase_add_test(c, trees_keep_their_promises_among_foreign_threads);
    tcase_add_test(c, trees_keep_their_promises_without_memory);
    tcase_add_test(c, trees_are_cut_down_in_the_midst_of_things);
    tcase_add_test(c, foreign_threads_go_on_while_trees_are_cut_down);
    suite_add_tcase(s, c);
    return s;
}

static uint64_t number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    rounds = number("ROUNDS", ROUNDS);
    first = number("SEED", (uint64_t)time(NULL));
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--rounds")) rounds = strtoull(argv[i + 1], NULL, 10);
        if (!strcmp(argv[i], "--from")) first = strtoull(argv[i + 1], NULL, 10);
    }
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
