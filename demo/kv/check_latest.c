/* SPDX-License-Identifier: MIT */
/* Of many writes to a key the last one comes last, whatever hashes keys have; and in the order of the
 * store each comes once.
 * with: latest.c writes.c buffer.c
 * ctest: not=tsan */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "latest.h"

enum { WRITES = 20000, KEYS = 997 };

static struct buffer row;
static uint64_t seed;
/* Number of the write: the last to each key as they were made, and as they came. */
static unsigned made[KEYS], came[KEYS];

static uint64_t next_random(void)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return seed >> 32;
}

/* No two alike, but many in their upper bits. */
static uint64_t spread(unsigned key)
{
    return (key + 1) * UINT64_C(0x9e3779b97f4a7c15) >> 7;
}

/* Keys that share all of their hash, or all but what is not sorted by, or have nothing in common. */
static uint64_t one_hash(unsigned key)
{
    (void)key;
    return 7;
}

static uint64_t low_bits(unsigned key)
{
    return UINT64_C(0xabcdef) << 40 | key % 10;
}

static void add(enum write_kind kind, uint64_t hash, unsigned key, unsigned number)
{
    struct record r = {.hash = hash,
                       .kind = kind,
                       .key = {(const char *)&key, sizeof key},
                       .value = {(const char *)&number, kind == WRITE_PUT ? sizeof number : 0},
                       .expires = number};
    writes_add(&row, &r);
}

static void make_row(uint64_t (*hash)(unsigned key), unsigned n, unsigned keys)
{
    buffer_clear(&row);
    memset(made, 0, sizeof made);
    memset(came, 0, sizeof came);
    for (unsigned i = 1; i <= n; i++) {
        unsigned key = (unsigned)next_random() % keys;
        add(next_random() % 4 ? WRITE_PUT : WRITE_GONE, hash(key), key, i);
        made[key] = i;
    }
    ck_assert(!row.failed);
}

/* Takes all; returns how many came. */
static unsigned take(bool rising)
{
    struct latest l;
    struct record r;
    unsigned n = 0;
    uint64_t before = 0;
    ck_assert(latest_sort(&l, row.at, row.at + row.len));
    for (; latest_next(&l, &r); n++) {
        unsigned key;
        memcpy(&key, r.key.at, sizeof key);
        ck_assert_int_gt(r.expires, came[key]);
        came[key] = (unsigned)r.expires;
        ck_assert_uint_eq(r.value.len, r.kind == WRITE_PUT ? sizeof key : 0);
        ck_assert(!rising || hash_range(r.hash) >= hash_range(before));
        before = r.hash;
    }
    latest_free(&l);
    return n;
}

static unsigned count_keys(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < KEYS; i++) n += made[i] != 0;
    return n;
}

START_TEST(each_key_comes_once_in_the_order_of_the_store)
{
    for (unsigned n = 1; n <= WRITES; n = n * 3 + 1) {
        make_row(spread, n, KEYS);
        ck_assert_uint_eq(take(true), count_keys());
        ck_assert_mem_eq(came, made, sizeof made);
    }
}
END_TEST

START_TEST(one_key_comes_once)
{
    make_row(spread, WRITES, 1);
    ck_assert_uint_eq(take(true), 1);
    ck_assert_uint_eq(came[0], WRITES);
}
END_TEST

START_TEST(keys_of_one_hash_are_told_apart)
{
    make_row(one_hash, WRITES, 3);
    take(true);
    ck_assert_mem_eq(came, made, sizeof made);
    make_row(low_bits, WRITES, KEYS);
    take(true);
    ck_assert_mem_eq(came, made, sizeof made);
}
END_TEST

START_TEST(what_clears_ranges_keeps_its_place)
{
    struct latest l;
    make_row(spread, 10, KEYS);
    add(WRITE_CLEAR, 0, 0, RANGES);
    ck_assert(!latest_sort(&l, row.at, row.at + row.len));
    ck_assert(!latest_sort(&l, row.at, row.at));
}
END_TEST

static void teardown(void)
{
    buffer_free(&row);
}

int main(void)
{
    Suite *s = suite_create("kv.latest");
    TCase *t = tcase_create("latest");
    tcase_add_checked_fixture(t, NULL, teardown);
    tcase_add_test(t, each_key_comes_once_in_the_order_of_the_store);
    tcase_add_test(t, one_key_comes_once);
    tcase_add_test(t, keys_of_one_hash_are_told_apart);
    tcase_add_test(t, what_clears_ranges_keeps_its_place);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
