/* SPDX-License-Identifier: MIT */
/* check_seeded.c - the generated workload in seeded runtimes: any failure replays by its seed.
 *
 * ctest: timeout=300
 *
 * SEED=n runs that seed alone; SEEDS=n, or --seeds n, runs that many from FROM (or --from), which
 * is 1 by default; LOG=1 shows what the runtime logs. */
#include "suite.h"
#include "workload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 100
#define CHUNKS 10
#define TWICE 50

static void fail_at(const char *what, uint64_t seed)
{
    ck_abort_msg("%s; to replay: SEED=%" PRIu64 " CK_FORK=no %s", what, seed,
                 "check_simulation_seeded");
}

static void run_seed(uint64_t seed, struct wl_result *out)
{
    struct wl_setup setup = wl_seeded(seed);
    wl_run(&setup, out);
    if (out->fault[0]) fail_at(out->fault, seed);
}

START_TEST(books_balance_for_any_seed)
{
    struct wl_result result;
    uint64_t first = 1 + (uint64_t)_i * CHUNK;
    for (uint64_t seed = first; seed < first + CHUNK; seed++) run_seed(seed, &result);
}
END_TEST

static void run_twice(uint64_t seed)
{
    struct wl_result a, b;
    run_seed(seed, &a);
    run_seed(seed, &b);
    if (a.digest != b.digest) fail_at("the digests of two runs differ", seed);
    if (a.handled != b.handled || a.dead != b.dead || a.players != b.players)
        fail_at("the books of two runs differ", seed);
}

START_TEST(same_seed_same_run)
{
    for (uint64_t seed = 1; seed <= TWICE; seed++) run_twice(seed);
}
END_TEST

START_TEST(other_seed_other_run)
{
    struct wl_result a, b;
    run_seed(1, &a);
    run_seed(2, &b);
    ck_assert_uint_ne(a.digest, b.digest);
}
END_TEST

/* Without Check: prints as it goes. */
static int run_many(uint64_t from, uint64_t n, bool twice)
{
    uint64_t handled = 0, faults = 0, digest = 0;
    for (uint64_t seed = from; seed < from + n; seed++) {
        struct wl_setup setup = wl_seeded(seed);
        struct wl_result out, again;
        wl_run(&setup, &out);
        handled += out.handled;
        digest ^= out.digest;
        if (twice) {
            wl_run(&setup, &again);
            if (!out.fault[0] && again.digest != out.digest) strcpy(out.fault, "two runs differ");
        }
        if (!out.fault[0]) continue;
        faults++;
        printf("SEED=%" PRIu64 ": %s\n", seed, out.fault);
    }
    printf("%" PRIu64 " seeds, %" PRIu64 " messages handled, %" PRIu64
           " faults, all digests %016" PRIx64 "\n",
           n, handled, faults, digest);
    return faults ? 1 : 0;
}

static Suite *suite(void)
{
    Suite *s = suite_create("seeded");
    TCase *c = tcase_create("seeds");
    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, books_balance_for_any_seed, 0, CHUNKS);
    tcase_add_test(c, same_seed_same_run);
    tcase_add_test(c, other_seed_other_run);
    suite_add_tcase(s, c);
    return s;
}

int main(int argc, char **argv)
{
    uint64_t seeds = number_of("SEEDS", 0), from = number_of("FROM", 1), one = number_of("SEED", 0);
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--seeds")) seeds = strtoull(argv[i + 1], NULL, 10);
        if (!strcmp(argv[i], "--from")) from = strtoull(argv[i + 1], NULL, 10);
    }
    if (one) return run_many(one, 1, true);
    if (seeds) return run_many(from, seeds, false);
    return run_suite(suite());
}
