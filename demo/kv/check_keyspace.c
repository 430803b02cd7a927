/* SPDX-License-Identifier: MIT */
/* The keys of a shard: growing, shrinking, scans meanwhile, expiry, versions.
 * with: keyspace.c hash.c
 * ctest: not=tsan */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "keyspace.h"

static const struct secret secret = {1, 2};

static struct keyspace ks;

static void setup(void)
{
    ck_assert(keyspace_init(&ks, 100));
}

static void teardown(void)
{
    keyspace_fini(&ks);
}

static struct arg name_of(int i, char *to)
{
    return (struct arg){to, (uint32_t)sprintf(to, "key:%d", i)};
}

static struct entry **find(int i)
{
    char name[32];
    struct arg a = name_of(i, name);
    return keyspace_find(&ks, hash_of(&secret, a.at, a.len), a.at, a.len);
}

static void set(int i, int64_t expires)
{
    char name[32];
    struct arg a = name_of(i, name);
    uint64_t hash = hash_of(&secret, a.at, a.len);
    struct entry **place = keyspace_find(&ks, hash, a.at, a.len);
    ck_assert_ptr_nonnull(keyspace_set(&ks, place, hash, a, a, expires));
}

START_TEST(all_keys_are_found_while_it_grows_and_shrinks)
{
    enum { N = 5000 };
    for (int i = 0; i < N; i++) {
        set(i, 0);
        if (i % 500 == 0)
            for (int k = 0; k <= i; k++) ck_assert_ptr_nonnull(*find(k));
    }
    ck_assert_uint_eq(ks.count, N);
    ck_assert_uint_eq(ks.buckets, 2 * N);
    for (int i = 0; i < N; i++) {
        keyspace_remove(&ks, find(i));
        ck_assert_ptr_null(*find(i));
        if (i % 500 == 0)
            for (int k = i + 1; k < N; k++) ck_assert_ptr_nonnull(*find(k));
    }
    ck_assert_uint_eq(ks.count, 0);
    ck_assert_uint_eq(ks.bytes, 0);
    ck_assert_uint_eq(ks.buckets, 16);
}
END_TEST

START_TEST(values_change_their_size)
{
    char big[1000];
    struct arg key = {"k", 1};
    for (uint32_t n = 0; n < sizeof big; n += 7) {
        memset(big, 'a' + (int)(n % 26), n);
        struct entry **place = keyspace_find(&ks, 5, "k", 1);
        struct entry *e = keyspace_set(&ks, place, 5, key, (struct arg){big, n}, 0);
        ck_assert_uint_eq(e->vlen, n);
        ck_assert_int_eq(memcmp(entry_value(e), big, n), 0);
    }
    struct entry **place = keyspace_find(&ks, 5, "k", 1);
    uint32_t before = (*place)->vlen;
    struct entry *e = keyspace_append(&ks, place, (struct arg){"tail", 4});
    ck_assert_uint_eq(e->vlen, before + 4);
    ck_assert_int_eq(memcmp(entry_value(e) + before, "tail", 4), 0);
}
END_TEST

static unsigned char seen[20000];

static void mark(void *arg, const struct entry *e)
{
    int *n = arg;
    char number[16];
    snprintf(number, sizeof number, "%.*s", (int)e->klen - 4, e->bytes + 4);
    seen[atoi(number)] = 1;
    ++*n;
}

START_TEST(a_scan_of_what_rests_sees_each_once)
{
    int n = 0;
    uint64_t cursor = 0;
    for (int i = 0; i < 3000; i++) set(i, 0);
    do cursor = keyspace_scan(&ks, cursor, mark, &n);
    while (cursor);
    ck_assert_int_eq(n, 3000);
}
END_TEST

/* What is there all the time is seen, whatever comes and goes meanwhile. */
START_TEST(a_scan_sees_what_stays_while_the_table_changes)
{
    enum { STAY = 200, MORE = 3000 };
    srand((unsigned)_i);
    memset(seen, 0, sizeof seen);
    int n = 0, there = 0;
    uint64_t cursor = 0;
    for (int i = 0; i < STAY; i++) set(i, 0);
    bool grows = _i & 1;
    if (!grows)
        for (int i = STAY; i < STAY + MORE; i++) set(i, 0);
    there = grows ? 0 : MORE;
    do {
        cursor = keyspace_scan(&ks, cursor, mark, &n);
        for (int k = rand() % 40; k > 0; k--) {
            if (grows && there < MORE) set(STAY + there++, 0);
            if (!grows && there > 0) keyspace_remove(&ks, find(STAY + --there));
        }
        if (rand() % 500 == 0) grows = !grows;
    } while (cursor);
    for (int i = 0; i < STAY; i++) ck_assert(seen[i]);
}
END_TEST

static void count(void *arg, const struct entry *e)
{
    ck_assert_int_ne(e->expires, 0);
    ++*(int *)arg;
}

START_TEST(sweeps_find_all_that_expired)
{
    int gone = 0;
    for (int i = 0; i < 2000; i++) set(i, i % 2 ? 0 : i % 4 ? 50 : 5000);
    ck_assert_uint_eq(ks.expiring, 1000);
    for (int i = 0; i < 200; i++) keyspace_sweep(&ks, 100, 64, count, &gone);
    ck_assert_int_eq(gone, 500);
    ck_assert_uint_eq(ks.expiring, 500);
    ck_assert_uint_eq(ks.count, 1500);
}
END_TEST

static uint64_t hash_of_key(int i)
{
    char name[32];
    struct arg a = name_of(i, name);
    return hash_of(&secret, a.at, a.len);
}

static bool unchanged(int i, uint64_t version)
{
    return keyspace_unchanged(&ks, *find(i), hash_of_key(i), version);
}

START_TEST(versions_tell_what_changed)
{
    set(1, 0);
    uint64_t one = keyspace_version(&ks, *find(1)), two = keyspace_version(&ks, *find(2));
    ck_assert(unchanged(1, one) && unchanged(2, two));
    set(3, 0);
    ck_assert(unchanged(1, one) && unchanged(2, two));
    set(2, 0);
    ck_assert(!unchanged(2, two));
    keyspace_remove(&ks, find(2));
    ck_assert(!unchanged(2, two));
    keyspace_remove(&ks, find(1));
    ck_assert(!unchanged(1, one));
    set(1, 0);
    ck_assert(!unchanged(1, one));
}
END_TEST

START_TEST(a_cleared_keyspace_has_changed)
{
    set(1, 0);
    uint64_t one = keyspace_version(&ks, *find(1)), two = keyspace_version(&ks, *find(2));
    keyspace_clear(&ks);
    ck_assert(!unchanged(1, one) && unchanged(2, two)); /* 2 was not there before either */
    ck_assert_uint_eq(ks.count, 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("keyspace");
    TCase *t = tcase_create("keyspace");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, all_keys_are_found_while_it_grows_and_shrinks);
    tcase_add_test(t, values_change_their_size);
    tcase_add_test(t, a_scan_of_what_rests_sees_each_once);
    tcase_add_loop_test(t, a_scan_sees_what_stays_while_the_table_changes, 0, 40);
    tcase_add_test(t, sweeps_find_all_that_expired);
    tcase_add_test(t, versions_tell_what_changed);
    tcase_add_test(t, a_cleared_keyspace_has_changed);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
