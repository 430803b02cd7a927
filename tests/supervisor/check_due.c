/* SPDX-License-Identifier: MIT */
/* check_due.c - who is next of many that wait.
 *
 * ctest: valgrind */
#include "supervisor/due.h"

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#define MANY 20000

static struct due items[MANY];
static bool in[MANY];

static void expect_first(const struct dues *h, const struct due *d)
{
    ck_assert_ptr_eq(h->first, d);
}

START_TEST(of_one_time_the_first_added_comes_first)
{
    struct dues h = {0};
    for (int i = 0; i < 100; i++) due_add(&h, &items[i], 7);
    for (int i = 0; i < 100; i++) {
        expect_first(&h, &items[i]);
        due_remove(&h, &items[i]);
    }
    expect_first(&h, NULL);
}
END_TEST

START_TEST(the_earliest_comes_first)
{
    struct dues h = {0};
    for (int i = 0; i < MANY; i++) due_add(&h, &items[i], (uint64_t)(i * 7919 % MANY));
    for (uint64_t at = 0; at < MANY; at++) {
        ck_assert_uint_eq(h.first->at, at);
        due_remove(&h, h.first);
    }
    expect_first(&h, NULL);
}
END_TEST

static const struct due *earliest(int n)
{
    const struct due *first = NULL;
    for (int i = 0; i < n; i++) {
        const struct due *d = &items[i];
        if (in[i] && (!first || d->at < first->at || (d->at == first->at && d->turn < first->turn)))
            first = d;
    }
    return first;
}

START_TEST(random_adds_and_removes_agree_with_a_plain_search)
{
    struct dues h = {0};
    srand(5);
    for (int step = 0; step < 30000; step++) {
        int i = rand() % 100;
        if (in[i])
            due_remove(&h, &items[i]);
        else
            due_add(&h, &items[i], (uint64_t)rand() % 50);
        in[i] = !in[i];
        expect_first(&h, earliest(100));
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("due");
    TCase *t = tcase_create("due");
    tcase_set_timeout(t, 20);
    tcase_add_test(t, of_one_time_the_first_added_comes_first);
    tcase_add_test(t, the_earliest_comes_first);
    tcase_add_test(t, random_adds_and_removes_agree_with_a_plain_search);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
