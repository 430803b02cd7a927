/* SPDX-License-Identifier: MIT */
/* check_histogram.c - the error bound, quantiles against a sorted array, one writer among
 * readers. */
#include "../../actors/histogram.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t random_state;

static uint64_t random_next(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Returns a value of a random magnitude. */
static uint64_t random_value(void)
{
    return random_next() >> random_next() % 64;
}

/* Check writes to a file at each assert, so what runs by the million asserts only what has
 * failed. */
static void expect_close(uint64_t got, uint64_t truth)
{
    if (got < truth || got - truth > truth / 32)
        ck_abort_msg("%llu for %llu", (unsigned long long)got, (unsigned long long)truth);
}

START_TEST(an_empty_histogram_is_all_zero)
{
    static struct hist h;

    ck_assert_uint_eq(hist_count(&h), 0);
    ck_assert_uint_eq(hist_max(&h), 0);
    ck_assert_uint_eq(hist_quantile(&h, 0), 0);
    ck_assert_uint_eq(hist_quantile(&h, 1), 0);
    ck_assert_uint_le(sizeof h, 16384);
}
END_TEST

START_TEST(any_value_is_told_to_a_32nd)
{
    static struct hist h;

    for (unsigned i = 0; i < 20000; i++) {
        uint64_t v = random_value();
        atomic_store(&h.max, 0);
        hist_add(&h, v);
        /* A greater one keeps the maximum from hiding the error. */
        if (v < UINT64_MAX) hist_add(&h, UINT64_MAX);
        expect_close(hist_quantile(&h, 0.25), v);
        atomic_store(&h.bucket[hist_bucket_(v)], 0);
        atomic_store(&h.bucket[HIST_BUCKETS - 1], 0);
    }
}
END_TEST

START_TEST(each_power_of_two_begins_a_bucket)
{
    for (unsigned bit = 5; bit < 64; bit++) {
        uint64_t v = 1ull << bit;
        ck_assert_uint_eq(hist_bucket_(v), hist_bucket_(v - 1) + 1);
        ck_assert_uint_eq(hist_bucket_(v), (bit - 4) * HIST_SUB);
    }
    ck_assert_uint_eq(hist_bucket_(UINT64_MAX), HIST_BUCKETS - 1);
}
END_TEST

START_TEST(small_values_and_the_greatest_are_exact)
{
    static struct hist h;

    for (uint64_t v = 0; v < 64; v++) hist_add(&h, v);
    for (unsigned i = 1; i <= 64; i++) ck_assert_uint_eq(hist_quantile(&h, i / 64.0), i - 1);
    hist_add(&h, UINT64_MAX);
    hist_add(&h, 1000001);
    ck_assert_uint_eq(hist_quantile(&h, 1), UINT64_MAX);
    ck_assert_uint_eq(hist_max(&h), UINT64_MAX);
    ck_assert_uint_eq(hist_quantile(&h, 0), 0);
    ck_assert_uint_eq(hist_count(&h), 66);
}
END_TEST

START_TEST(no_quantile_is_above_the_maximum)
{
    static struct hist h;

    for (int i = 0; i < 10; i++) hist_add(&h, 1000001);
    ck_assert_uint_eq(hist_quantile(&h, 0.5), 1000001);
    ck_assert_uint_eq(hist_quantile(&h, 1), 1000001);
}
END_TEST

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* The quantiles are multiples of 1/1024 and the sizes of 1024: a rank then needs no rounding. */
START_TEST(quantiles_agree_with_a_sorted_array)
{
    enum { MOST = 8192 };
    static struct hist h;
    static uint64_t value[MOST];

    for (unsigned size = 1024; size <= MOST; size += 1024) {
        hist_reset(&h);
        for (unsigned i = 0; i < size; i++) hist_add(&h, value[i] = random_value());
        qsort(value, size, sizeof *value, compare);
        for (unsigned k = 1; k <= 1024; k += 31)
            expect_close(hist_quantile(&h, k / 1024.0), value[size / 1024 * k - 1]);
        expect_close(hist_quantile(&h, 0), value[0]);
        ck_assert_uint_eq(hist_quantile(&h, 1), value[size - 1]);
        ck_assert_uint_eq(hist_count(&h), size);
    }
}
END_TEST

START_TEST(a_rank_is_rounded_up)
{
    static struct hist h;

    for (unsigned v = 1; v <= 3; v++) hist_add(&h, v);
    ck_assert_uint_eq(hist_quantile(&h, 0.33), 1);
    ck_assert_uint_eq(hist_quantile(&h, 0.34), 2);
    ck_assert_uint_eq(hist_quantile(&h, 0.66), 2);
    ck_assert_uint_eq(hist_quantile(&h, 0.67), 3);
}
END_TEST

START_TEST(counts_of_any_size_have_quantiles)
{
    static struct hist h;

    atomic_store(&h.bucket[1], UINT64_MAX / 2);
    atomic_store(&h.bucket[2], UINT64_MAX / 2);
    atomic_store(&h.max, 2);
    ck_assert_uint_eq(hist_quantile(&h, 0.4), 1);
    ck_assert_uint_eq(hist_quantile(&h, 0.6), 2);
    ck_assert_uint_eq(hist_quantile(&h, 1), 2);
}
END_TEST

START_TEST(merged_histograms_equal_one_that_saw_all)
{
    static struct hist part[3], all, merged;

    for (unsigned i = 0; i < 30000; i++) {
        uint64_t v = random_value();
        hist_add(&part[i % 3], v);
        hist_add(&all, v);
    }
    for (unsigned i = 0; i < 3; i++) hist_merge(&merged, &part[i]);
    ck_assert_uint_eq(hist_count(&merged), 30000);
    ck_assert_uint_eq(hist_max(&merged), hist_max(&all));
    for (unsigned i = 0; i < HIST_BUCKETS; i++)
        if (atomic_load(&merged.bucket[i]) != atomic_load(&all.bucket[i]))
            ck_abort_msg("bucket %u", i);
    hist_reset(&merged);
    ck_assert_uint_eq(hist_count(&merged), 0);
    ck_assert_uint_eq(hist_max(&merged), 0);
}
END_TEST

enum { WRITES = 300000 };
static struct hist written[2];

static void *write_values(void *arg)
{
    struct hist *h = arg;

    for (unsigned i = 1; i <= WRITES; i++) hist_add(h, i);
    return NULL;
}

START_TEST(readers_run_beside_the_writers)
{
    static struct hist sum;
    pthread_t writer[2];
    uint64_t count = 0;

    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&writer[i], NULL, write_values, &written[i]), 0);
    while (count < 2 * WRITES) {
        hist_reset(&sum);
        for (int i = 0; i < 2; i++) hist_merge(&sum, &written[i]);
        uint64_t now = hist_count(&sum), median = hist_quantile(&sum, 0.5);
        if (now < count || now > 2 * WRITES || median > WRITES) ck_abort_msg("a count went astray");
        count = now;
    }
    for (int i = 0; i < 2; i++) pthread_join(writer[i], NULL);
    ck_assert_uint_eq(hist_max(&sum), WRITES);
    expect_close(hist_quantile(&sum, 0.5), WRITES / 2);
}
END_TEST

static double seconds(void)
{
    struct timespec t;

    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

START_TEST(adding_is_cheap)
{
    enum { N = 10000000, VALUES = 4096 };
    static struct hist h;
    static uint64_t value[VALUES];

    for (unsigned i = 0; i < VALUES; i++) value[i] = 200 + random_next() % 100000;
    double t = seconds();
    for (unsigned i = 0; i < N; i++) hist_add(&h, value[i % VALUES]);
    printf("histogram: add %6.2f ns\n", (seconds() - t) * 1e9 / N);
    t = seconds();
    for (unsigned i = 0; i < 1000; i++) hist_quantile(&h, 0.99);
    printf("histogram: quantile %6.0f ns\n", (seconds() - t) * 1e9 / 1000);
    ck_assert_uint_eq(hist_count(&h), N);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("histogram");
    TCase *exact = tcase_create("exact"), *speed = tcase_create("speed");

    tcase_add_test(exact, an_empty_histogram_is_all_zero);
    tcase_add_test(exact, any_value_is_told_to_a_32nd);
    tcase_add_test(exact, each_power_of_two_begins_a_bucket);
    tcase_add_test(exact, small_values_and_the_greatest_are_exact);
    tcase_add_test(exact, no_quantile_is_above_the_maximum);
    tcase_add_test(exact, quantiles_agree_with_a_sorted_array);
    tcase_add_test(exact, a_rank_is_rounded_up);
    tcase_add_test(exact, counts_of_any_size_have_quantiles);
    tcase_add_test(exact, merged_histograms_equal_one_that_saw_all);
    tcase_add_test(exact, readers_run_beside_the_writers);
    tcase_set_timeout(exact, 30);
    tcase_add_test(speed, adding_is_cheap);
    tcase_set_timeout(speed, 30);
    suite_add_tcase(s, exact);
    suite_add_tcase(s, speed);

    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
