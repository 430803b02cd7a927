/* SPDX-License-Identifier: MIT */
/* check_forest_parallel.c - the forest on real threads.
 *
 * ctest: timeout=300
 *
 * ROUNDS=n runs that many rounds of each kind; SEED=n is where the seeds begin (default: the clock;
 * printed when something is wrong: not an exact replay here). A round that hangs says so itself,
 * and aborts. */
#include "forest.h"
#include "suite.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS (FO_SLOWNESS > 2 ? 9 : 12)
#define PATIENCE 50

static uint64_t rounds, first;

/* Returns how often the workers took turns. */
static uint64_t play(uint64_t seed, unsigned workers, unsigned threads, bool shut_down, bool starve)
{
    struct fo_setup setup = fo_parallel(seed);
    struct fo_result out;
    setup.workers = workers;
    setup.threads = threads;
    setup.shut_down = shut_down;
    setup.starve = starve;
    fo_run(&setup, &out);
    if (out.fault[0])
        ck_abort_msg("%s; with SEED=%" PRIu64 ", %u workers, %u threads, %s, %s", out.fault, seed,
                     workers, threads, shut_down ? "shut down" : "to the end",
                     starve ? "starved" : "fed");
    return out.turns;
}

static void play_rounds(unsigned workers, unsigned threads, bool shut_down, bool starve)
{
    uint64_t turns = 0;
    /* On a busy machine it takes more of them until two workers have a core at once. */
    for (uint64_t i = 0; i < rounds || (turns == 0 && i < PATIENCE * rounds); i++)
        turns += play(first + i, workers, threads, shut_down, starve);
    ck_assert_msg(turns, "one worker did it all");
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
    tcase_set_timeout(c, 90 + (double)rounds);
    tcase_add_test(c, trees_keep_their_promises_on_two_workers);
    tcase_add_test(c, trees_keep_their_promises_on_four_workers);
    tcase_add_test(c, trees_keep_their_promises_among_foreign_threads);
    tcase_add_test(c, trees_keep_their_promises_without_memory);
    tcase_add_test(c, trees_are_cut_down_in_the_midst_of_things);
    tcase_add_test(c, foreign_threads_go_on_while_trees_are_cut_down);
    suite_add_tcase(s, c);
    return s;
}

int main(void)
{
    rounds = number_of("ROUNDS", ROUNDS);
    first = number_of("SEED", (uint64_t)time(NULL));
    return run_suite(suite());
}
