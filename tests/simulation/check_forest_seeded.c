/* SPDX-License-Identifier: MIT */
/* check_forest_seeded.c - the forest in seeded runtimes: any failure replays by its seed.
 *
 * ctest: timeout=300
 *
 * SEED=n runs that seed alone; SEEDS=n, or --seeds n, runs that many from FROM (or --from), which
 * is 1 by default; LOG=1 shows what happens. */
#include "forest.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 100
#define CHUNKS 10
#define TWICE 40

static void fail_at(const char *what, uint64_t seed)
{
    ck_abort_msg("%s; to replay: SEED=%" PRIu64 " %s", what, seed,
                 "check_simulation_forest_seeded");
}

static void run_seed(uint64_t seed, struct fo_result *out)
{
    struct fo_setup setup = fo_seeded(seed);
    fo_run(&setup, out);
    if (out->fault[0]) fail_at(out->fault, seed);
}

START_TEST(trees_keep_their_promises_for_any_seed)
{
    struct fo_result result;
    uint64_t first = 1 + (uint64_t)_i * CHUNK;
    for (uint64_t seed = first; seed < first + CHUNK; seed++) run_seed(seed, &result);
}
END_TEST

START_TEST(same_seed_same_forest)
{
    struct fo_result a, b;
    for (uint64_t seed = 1; seed <= TWICE; seed++) {
        run_seed(seed, &a);
        run_seed(seed, &b);
        if (a.digest != b.digest) fail_at("the digests of two runs differ", seed);
        if (memcmp(&a.actors, &b.actors, sizeof a - offsetof(struct fo_result, actors)) != 0)
            fail_at("the books of two runs differ", seed);
    }
}
END_TEST

static uint64_t number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static void add_up(struct fo_result *sum, const struct fo_result *r)
{
    sum->digest ^= r->digest;
    sum->actors += r->actors;
    sum->supervisors += r->supervisors;
    sum->downs += r->downs;
    sum->exits += r->exits;
    sum->restarts += r->restarts;
    sum->gave_up += r->gave_up;
}

/* Without Check: prints as it goes. */
static int run_many(uint64_t from, uint64_t n, bool twice)
{
    struct fo_result sum = {.digest = 0}, out, again;
    uint64_t faults = 0;
    for (uint64_t seed = from; seed < from + n; seed++) {
        struct fo_setup setup = fo_seeded(seed);
        fo_run(&setup, &out);
        add_up(&sum, &out);
        if (twice) {
            fo_run(&setup, &again);
            if (!out.fault[0] && again.digest != out.digest) strcpy(out.fault, "two runs differ");
        }
        if (!out.fault[0]) continue;
        faults++;
        printf("SEED=%" PRIu64 ": %s\n", seed, out.fault);
        fflush(stdout);
    }
    printf("%" PRIu64 " seeds, %" PRIu64 " actors, %" PRIu64 " supervisors, %" PRIu64
           " downs, %" PRIu64 " exits, %" PRIu64 " restarts, %" PRIu64 " gave up, %" PRIu64
           " faults, all digests %016" PRIx64 "\n",
           n, sum.actors, sum.supervisors, sum.downs, sum.exits, sum.restarts, sum.gave_up, faults,
           sum.digest);
    return faults ? 1 : 0;
}

static Suite *suite(void)
{
    Suite *s = suite_create("forest_seeded");
    TCase *c = tcase_create("seeds");
    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, trees_keep_their_promises_for_any_seed, 0, CHUNKS);
    tcase_add_test(c, same_seed_same_forest);
    suite_add_tcase(s, c);
    return s;
}

int main(int argc, char **argv)
{
    uint64_t seeds = number("SEEDS", 0), from = number("FROM", 1), one = number("SEED", 0);
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--seeds")) seeds = strtoull(argv[i + 1], NULL, 10);
        if (!strcmp(argv[i], "--from")) from = strtoull(argv[i + 1], NULL, 10);
    }
    if (one) return run_many(one, 1, true);
    if (seeds) return run_many(from, seeds, false);
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
