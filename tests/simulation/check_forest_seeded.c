/* SPDX-License-Identifier: MIT */
/* check_forest_seeded.c - the forest in seeded runtimes: any failure replays by its seed.
 *
 * ctest: timeout=300
 *
 * SEED=n runs that seed alone, with NTH=m so that the m-th allocation fails; SEEDS=n runs that many
 * from FROM, which is 1 by default; LOG=1 shows what happens. */
#include "forest.h"
#include "suite.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK (100 / FO_SLOWNESS)
#define CHUNKS 10
#define TWICE (CHUNK / 2)
#define THIN (CHUNK / 5) /* forests in which one allocation after another fails */
#define SAMPLES 50       /* of each one's allocations */

static void fail_at(const char *what, const struct fo_setup *setup)
{
    ck_abort_msg("%s; to replay: SEED=%" PRIu64 " NTH=%" PRIu64 " %s", what, setup->seed,
                 setup->nth, "check_simulation_forest_seeded");
}

static struct fo_setup setup_of(uint64_t seed, uint64_t nth)
{
    struct fo_setup setup = fo_seeded(seed);
    setup.nth = nth;
    setup.starve |= nth != 0;
    return setup;
}

static void run_seed(uint64_t seed, uint64_t nth, struct fo_result *out)
{
    struct fo_setup setup = setup_of(seed, nth);
    fo_run(&setup, out);
    if (out->fault[0]) fail_at(out->fault, &setup);
}

START_TEST(trees_keep_their_promises_for_any_seed)
{
    struct fo_result result;
    uint64_t first = 1 + (uint64_t)_i * CHUNK;
    for (uint64_t seed = first; seed < first + CHUNK; seed++) run_seed(seed, 0, &result);
}
END_TEST

START_TEST(trees_keep_their_promises_whichever_allocation_fails)
{
    struct fo_result result;
    for (uint64_t seed = 1; seed <= THIN; seed++) {
        run_seed(seed, 0, &result);
        /* All of a runtime's start, over the seeds; of the rest some. */
        uint64_t stride = 1 + result.asked / SAMPLES;
        for (uint64_t n = seed; n <= result.asked; n += n < 100 ? THIN : stride)
            run_seed(seed, n, &(struct fo_result){.digest = 0});
    }
}
END_TEST

START_TEST(same_seed_same_forest)
{
    struct fo_result a, b;
    for (uint64_t seed = 1; seed <= TWICE; seed++) {
        struct fo_setup setup = fo_seeded(seed);
        run_seed(seed, 0, &a);
        run_seed(seed, 0, &b);
        if (memcmp(&a.digest, &b.digest, sizeof a - offsetof(struct fo_result, digest)) != 0)
            fail_at("two runs differ", &setup);
    }
}
END_TEST

/* Without Check: prints as it goes. */
static int run_many(uint64_t from, uint64_t n, uint64_t nth)
{
    struct fo_result out;
    uint64_t faults = 0, actors = 0, digest = 0;
    for (uint64_t seed = from; seed < from + n; seed++) {
        struct fo_setup setup = setup_of(seed, nth);
        fo_run(&setup, &out);
        actors += out.actors;
        digest ^= out.digest;
        if (!out.fault[0]) continue;
        faults++;
        printf("SEED=%" PRIu64 ": %s\n", seed, out.fault);
        fflush(stdout);
    }
    printf("%" PRIu64 " seeds, %" PRIu64 " actors, %" PRIu64 " faults, all digests %016" PRIx64
           "; of the last: %" PRIu64 " supervisors, %" PRIu64 " restarts, %" PRIu64
           " gave up, %" PRIu64 " downs, %" PRIu64 " exits, %" PRIu64 " allocations\n",
           n, actors, faults, digest, out.supervisors, out.restarts, out.gave_up, out.downs,
           out.exits, out.asked);
    return faults ? 1 : 0;
}

static Suite *suite(void)
{
    Suite *s = suite_create("forest_seeded");
    TCase *c = tcase_create("seeds");
    tcase_set_timeout(c, 90);
    tcase_add_loop_test(c, trees_keep_their_promises_for_any_seed, 0, CHUNKS);
    tcase_add_test(c, trees_keep_their_promises_whichever_allocation_fails);
    tcase_add_test(c, same_seed_same_forest);
    suite_add_tcase(s, c);
    return s;
}

int main(void)
{
    uint64_t seeds = number_of("SEEDS", 0), one = number_of("SEED", 0);
    if (one) return run_many(one, 1, number_of("NTH", 0));
    if (seeds) return run_many(number_of("FROM", 1), seeds, 0);
    return run_suite(suite());
}
