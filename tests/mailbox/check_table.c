/* SPDX-License-Identifier: MIT */
/* check_table.c - the hash table that cannot fail. */
#include "mailbox/memory.h"
#include "mailbox/table.h"

#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY 20000

struct item {
    struct table_node node; /* first */
    uint64_t key;
    bool in;
};

static struct item items[MANY];

static struct item *find(const struct table *t, uint64_t key, uint64_t hash)
{
    struct table_node *x = table_first(t, hash);
    while (x && ((struct item *)(void *)x)->key != key) x = table_next(x);
    return (struct item *)(void *)x;
}

static void add(struct table *t, unsigned i, uint64_t hash)
{
    items[i].key = i;
    items[i].in = true;
    table_add(t, &items[i].node, hash);
}

START_TEST(an_empty_table_has_nobody)
{
    struct table t = {0};
    ck_assert_ptr_null(table_first(&t, 0));
    ck_assert_ptr_null(table_first(&t, UINT64_MAX));
    table_fini(&t);
    ck_assert_uint_eq(t.n, 0);
}
END_TEST

START_TEST(what_was_added_is_found_until_it_is_removed)
{
    struct table t = {0};
    for (unsigned i = 0; i < MANY; i++) add(&t, i, table_hash(i));
    ck_assert_uint_eq(t.n, MANY);
    for (unsigned i = 0; i < MANY; i += 2) table_remove(&t, &items[i].node);
    ck_assert_uint_eq(t.n, MANY / 2);
    for (unsigned i = 0; i < MANY; i++)
        ck_assert_ptr_eq(find(&t, i, table_hash(i)), i % 2 ? &items[i] : NULL);
    table_fini(&t);
}
END_TEST

START_TEST(all_of_one_hash_are_handed_out_and_only_those)
{
    struct table t = {0};
    for (unsigned i = 0; i < 300; i++) add(&t, i, i % 3);
    for (uint64_t hash = 0; hash < 3; hash++) {
        unsigned n = 0;
        for (struct table_node *x = table_first(&t, hash); x; x = table_next(x), n++)
            ck_assert_uint_eq(((struct item *)(void *)x)->key % 3, hash);
        ck_assert_uint_eq(n, 100);
    }
    ck_assert_ptr_null(table_first(&t, 3));
    /* In the chain of another hash. */
    ck_assert_ptr_null(table_first(&t, UINT64_C(1) << 40));
    table_fini(&t);
}
END_TEST

START_TEST(random_adds_and_removes_agree_with_a_plain_array)
{
    struct table t = {0};
    unsigned n = 0;
    srand(1);
    for (int step = 0; step < 200000; step++) {
        unsigned i = (unsigned)rand() % 1000;
        uint64_t hash = table_hash(i / 3);
        ck_assert_ptr_eq(find(&t, i, hash), items[i].in ? &items[i] : NULL);
        if (!items[i].in) {
            add(&t, i, hash);
            n++;
        } else {
            table_remove(&t, &items[i].node);
            items[i].in = false;
            n--;
        }
        ck_assert_uint_eq(t.n, n);
    }
    table_fini(&t);
}
END_TEST

START_TEST(without_memory_for_chains_all_are_found_still)
{
    struct table t = {0};
    mem_fail_at(1, 1);
    for (unsigned i = 0; i < 500; i++) add(&t, i, table_hash(i));
    ck_assert_uint_eq(t.cap, 0);
    for (unsigned i = 0; i < 500; i++) ck_assert_ptr_eq(find(&t, i, table_hash(i)), &items[i]);
    mem_fail_at(0, 0);
    /* With memory it catches up. */
    add(&t, 500, table_hash(500));
    ck_assert_uint_gt(t.cap, 0);
    for (unsigned i = 0; i <= 500; i++) ck_assert_ptr_eq(find(&t, i, table_hash(i)), &items[i]);
    for (unsigned i = 0; i <= 500; i++) table_remove(&t, &items[i].node);
    ck_assert_uint_eq(t.n, 0);
    table_fini(&t);
    ck_assert_int_eq(mem_live(), 0);
}
END_TEST

START_TEST(hashes_of_numbers_and_texts_differ)
{
    char a[24], b[24];
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(a, sizeof a, "child %u", i);
        snprintf(b, sizeof b, "child %u", i + 1);
        ck_assert_uint_ne(table_hash_text(a), table_hash_text(b));
        ck_assert_uint_eq(table_hash_text(a), table_hash_text(a));
        ck_assert_uint_ne(table_hash(i), table_hash(i + 1));
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("table");
    TCase *t = tcase_create("table");
    tcase_set_timeout(t, 20);
    tcase_add_test(t, an_empty_table_has_nobody);
    tcase_add_test(t, what_was_added_is_found_until_it_is_removed);
    tcase_add_test(t, all_of_one_hash_are_handed_out_and_only_those);
    tcase_add_test(t, random_adds_and_removes_agree_with_a_plain_array);
    tcase_add_test(t, without_memory_for_chains_all_are_found_still);
    tcase_add_test(t, hashes_of_numbers_and_texts_differ);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
