/* SPDX-License-Identifier: MIT */
/* check_intensity.c - exactly how many restarts within a period are too many.
 *
 * ctest: valgrind */
#include "mailbox/memory.h"
#include "supervisor/intensity.h"

#include <check.h>
#include <stdlib.h>

static struct intensity x;

static void teardown(void)
{
    mem_fail_at(0, 0);
    intensity_fini(&x);
    ck_assert_int_eq(mem_live(), 0);
}

static bool too_many(uint64_t now, uint32_t most, uint64_t period)
{
    return intensity_exceeded(&x, now, most, period);
}

START_TEST(none_are_allowed_with_none)
{
    ck_assert(too_many(0, 0, 1000));
    ck_assert(too_many(5000, 0, 1000));
}
END_TEST

START_TEST(one_more_than_allowed_at_one_moment_is_too_many)
{
    for (int i = 0; i < 5; i++) ck_assert(!too_many(7, 5, 1000));
    ck_assert(too_many(7, 5, 1000));
}
END_TEST

/* Both ends belong to the period, as in Erlang/OTP. */
START_TEST(a_restart_counts_until_its_period_is_over_and_not_longer)
{
    ck_assert(!too_many(100, 1, 1000));
    ck_assert(too_many(1099, 1, 1000));
    ck_assert(too_many(1100, 1, 1000));
    ck_assert(!too_many(1101, 1, 1000));
    ck_assert(too_many(2101, 1, 1000));
    ck_assert(!too_many(2102, 1, 1000));
}
END_TEST

START_TEST(the_window_slides_by_each_restart)
{
    for (uint64_t t = 0; t < 10000; t += 100) ck_assert(!too_many(t, 11, 1000));
    ck_assert(too_many(9900, 11, 1000));
    ck_assert(too_many(9900, 11, 1000));
    ck_assert(!too_many(9901, 11, 1000));
}
END_TEST

START_TEST(ten_thousand_are_counted_exactly)
{
    const uint32_t most = 10000;
    for (uint32_t i = 0; i < most; i++) ck_assert(!too_many(i, most, 20000));
    ck_assert(too_many(most, most, 20000));
    /* One leaves, one may come. */
    for (uint32_t i = 0; i < 3 * most; i++) {
        ck_assert(too_many(20000 + i, most, 20000));
        ck_assert(!too_many(20001 + i, most, 20000));
        if (i + 1 >= most) break;
    }
}
END_TEST

/* The same as a plain count over all that ever were. */
START_TEST(random_restarts_agree_with_a_plain_count)
{
    static uint64_t times[20000];
    unsigned n = 0;
    uint64_t now = 0;
    srand(3);
    for (int step = 0; step < 20000; step++) {
        now += (uint64_t)rand() % 50;
        unsigned within = 0;
        for (unsigned i = n; i-- && now - times[i] <= 1000;) within++;
        bool expected = within >= 40;
        ck_assert_int_eq(too_many(now, 40, 1000), expected);
        if (!expected) times[n++] = now;
    }
}
END_TEST

START_TEST(a_smaller_limit_counts_what_was_before)
{
    for (int i = 0; i < 10; i++) ck_assert(!too_many(1, 10, 1000));
    ck_assert(too_many(2, 3, 1000));
    ck_assert(!too_many(1002, 3, 1000));
}
END_TEST

START_TEST(times_far_apart_do_not_overflow)
{
    ck_assert(!too_many(0, 1, UINT64_MAX));
    ck_assert(too_many(UINT64_MAX, 1, UINT64_MAX));
    ck_assert(!too_many(UINT64_MAX, 1, 1000));
}
END_TEST

START_TEST(without_memory_it_is_one_too_many_and_nothing_is_lost)
{
    mem_fail_at(1, 0);
    ck_assert(too_many(1, 100, 1000));
    for (int i = 0; i < 8; i++) ck_assert(!too_many(1, 100, 1000));
    mem_fail_at(1, 0);
    ck_assert(too_many(1, 100, 1000));
    ck_assert(!too_many(1, 100, 1000));
    ck_assert_uint_eq(x.n, 9);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("intensity");
    TCase *t = tcase_create("intensity");
    tcase_set_timeout(t, 20);
    tcase_add_checked_fixture(t, NULL, teardown);
    tcase_add_test(t, none_are_allowed_with_none);
    tcase_add_test(t, one_more_than_allowed_at_one_moment_is_too_many);
    tcase_add_test(t, a_restart_counts_until_its_period_is_over_and_not_longer);
    tcase_add_test(t, the_window_slides_by_each_restart);
    tcase_add_test(t, ten_thousand_are_counted_exactly);
    tcase_add_test(t, random_restarts_agree_with_a_plain_count);
    tcase_add_test(t, a_smaller_limit_counts_what_was_before);
    tcase_add_test(t, times_far_apart_do_not_overflow);
    tcase_add_test(t, without_memory_it_is_one_too_many_and_nothing_is_lost);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
