/* SPDX-License-Identifier: MIT */
/* check_pool.c - blocks for messages: size classes, caches, the depot, memory given back, want of
 * memory.
 *
 * ctest: timeout=120 */
#include "mailbox/memory.h"
#include "mailbox/pool.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 10000 };

static struct pool pool;
static struct pool_cache cache, other;
static struct bsk_msg *blocks[MANY];

static void setup(void)
{
    ck_assert_int_eq(pool_init(&pool), 0);
    pool_cache_init(&cache, &pool);
    pool_cache_init(&other, &pool);
}

static uint64_t mapped(void)
{
    return atomic_load(&pool.mapped);
}

/* All that was got has been put. */
static void teardown(void)
{
    mem_fail_at(0, 0);
    pool_cache_flush(&cache);
    pool_cache_flush(&other);
    pool_trim(&pool);
    ck_assert_uint_eq(mapped(), 0);
    ck_assert_uint_eq(atomic_load(&pool.heaped), 0);
    pool_fini(&pool);
    ck_assert_int_eq(mem_mapped(), 0);
    ck_assert_int_eq(mem_live(), 0);
}

/* Fills a block, and its class stays. */
static struct bsk_msg *get(struct pool_cache *c, size_t size)
{
    struct bsk_msg *m = pool_get(c, size);
    if (!m) return NULL;
    ck_assert_uint_eq((uintptr_t)m % 64, 0);
    ck_assert_uint_eq(m->cls, pool_class(size));
    uint8_t cls = m->cls;
    memset((void *)m, 0xa5, size);
    m->cls = cls;
    return m;
}

static void get_many(struct pool_cache *c, size_t size, int n)
{
    for (int i = 0; i < n; i++) {
        blocks[i] = get(c, size);
        ck_assert_ptr_nonnull(blocks[i]);
    }
}

static void put_many(struct pool_cache *c, int n)
{
    for (int i = 0; i < n; i++) pool_put(c, blocks[i]);
}

START_TEST(sizes_fall_into_classes)
{
    static const size_t sizes[] = {0, 1, 32, 64, 65, 128, 129, 256, 257, 512, 513, SIZE_MAX};
    static const unsigned classes[] = {0, 0, 0, 0, 1, 1, 2, 2, 3, 3, POOL_HEAP, POOL_HEAP};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        ck_assert_uint_eq(pool_class(sizes[i]), classes[i]);
}
END_TEST

static int by_address(const void *x, const void *y)
{
    uintptr_t a = (uintptr_t) * (struct bsk_msg *const *)x,
              b = (uintptr_t) * (struct bsk_msg *const *)y;
    return (a > b) - (a < b);
}

START_TEST(blocks_are_aligned_and_do_not_overlap)
{
    static const size_t sizes[] = {64, 128, 256, 512, 2000};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        get_many(&cache, sizes[s], 1000);
        qsort(blocks, 1000, sizeof *blocks, by_address);
        for (int i = 1; i < 1000; i++)
            ck_assert_uint_ge((uintptr_t)blocks[i] - (uintptr_t)blocks[i - 1], sizes[s]);
        put_many(&cache, 1000);
    }
}
END_TEST

START_TEST(the_block_put_last_is_got_first)
{
    struct bsk_msg *a = get(&cache, 64), *b = get(&cache, 64);
    pool_put(&cache, a);
    pool_put(&cache, b);
    ck_assert_ptr_eq(get(&cache, 64), b);
    ck_assert_ptr_eq(get(&cache, 64), a);
    pool_put(&cache, a);
    pool_put(&cache, b);
}
END_TEST

START_TEST(what_was_put_is_used_again_before_memory_is_mapped)
{
    get_many(&cache, 64, MANY);
    uint64_t before = mapped();
    for (int round = 0; round < 10; round++) {
        put_many(&cache, MANY);
        get_many(&cache, 64, MANY);
    }
    ck_assert_uint_eq(mapped(), before);
    put_many(&cache, MANY);
}
END_TEST

START_TEST(blocks_go_from_one_cache_to_another_by_the_depot)
{
    get_many(&cache, 128, MANY);
    uint64_t before = mapped();
    put_many(&cache, MANY);
    pool_cache_flush(&cache);
    get_many(&other, 128, MANY);
    ck_assert_uint_eq(mapped(), before);
    put_many(&other, MANY);
}
END_TEST

START_TEST(a_cache_keeps_two_magazines_at_most)
{
    get_many(&cache, 64, 10 * POOL_MAGAZINE);
    put_many(&cache, 10 * POOL_MAGAZINE);
    uint64_t before = mapped();
    /* All but what the first cache keeps is there for the second. */
    get_many(&other, 64, 8 * POOL_MAGAZINE);
    ck_assert_uint_eq(mapped(), before);
    put_many(&other, 8 * POOL_MAGAZINE);
}
END_TEST

START_TEST(partial_magazines_are_used_up)
{
    for (int n = 1; n < 3 * POOL_MAGAZINE; n += 7) {
        get_many(&cache, 64, n);
        put_many(&cache, n);
        pool_cache_flush(&cache);
        get_many(&other, 64, n);
        put_many(&other, n);
        pool_cache_flush(&other);
    }
    ck_assert_uint_eq(mapped(), 256 * 1024);
}
END_TEST

START_TEST(large_blocks_come_from_the_heap_and_go_back_at_once)
{
    struct bsk_msg *a = get(&cache, 513), *b = get(&cache, 100000);
    ck_assert(a && b);
    ck_assert_uint_eq(atomic_load(&pool.heaped), 100513);
    ck_assert_int_eq(mem_live(), 2);
    pool_put(&cache, a);
    pool_put_shared(&pool, b);
    ck_assert_uint_eq(atomic_load(&pool.heaped), 0);
    ck_assert_int_eq(mem_live(), 0);
}
END_TEST

START_TEST(no_block_is_as_large_as_memory)
{
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 63, SIZE_MAX - 64, SIZE_MAX / 2 + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        ck_assert_ptr_null(pool_get(&cache, sizes[i]));
        ck_assert_ptr_null(pool_get_shared(&pool, sizes[i]));
    }
}
END_TEST

START_TEST(trim_gives_back_what_is_free)
{
    static const size_t sizes[] = {64, 128, 256, 512};
    for (int i = 0; i < 4; i++) {
        get_many(&cache, sizes[i], MANY);
        put_many(&cache, MANY);
    }
    ck_assert_uint_ge(mapped(), MANY * 960);
    pool_cache_flush(&cache);
    pool_trim(&pool);
    ck_assert_uint_eq(mapped(), 0);
    ck_assert_int_eq(mem_mapped(), 0);
    get_many(&cache, 64, 100);
    put_many(&cache, 100);
}
END_TEST

START_TEST(trim_keeps_the_chunks_of_blocks_in_use)
{
    get_many(&cache, 512, MANY);
    /* One stays in use; it lies in one chunk. */
    struct bsk_msg *kept = blocks[MANY / 2];
    blocks[MANY / 2] = blocks[0];
    blocks[0] = kept;
    for (int i = 1; i < MANY; i++) pool_put(&cache, blocks[i]);
    pool_cache_flush(&cache);
    pool_trim(&pool);
    ck_assert_uint_eq(mapped(), 256 * 1024);
    memset(kept->body, 1, 512 - MSG_HEAD);
    /* The rest of its chunk is used before another is mapped. */
    for (int i = 1; i < 500; i++) blocks[i] = get(&other, 512);
    ck_assert_uint_eq(mapped(), 256 * 1024);
    put_many(&other, 500);
}
END_TEST

START_TEST(trim_counts_what_lies_in_a_cache_as_used)
{
    get_many(&cache, 64, 10);
    put_many(&cache, 10);
    pool_trim(&pool);
    ck_assert_uint_eq(mapped(), 256 * 1024);
    get_many(&cache, 64, 10);
    put_many(&cache, 10);
}
END_TEST

START_TEST(threads_without_a_cache_share_one)
{
    for (int i = 0; i < MANY; i++) {
        blocks[i] = pool_get_shared(&pool, i % 2 ? 64 : 200);
        ck_assert_ptr_nonnull(blocks[i]);
        ck_assert_uint_eq((uintptr_t)blocks[i] % 64, 0);
        ck_assert_uint_eq(blocks[i]->cls, i % 2 ? 0 : 2);
    }
    uint64_t before = mapped();
    for (int i = 0; i < MANY; i++) pool_put_shared(&pool, blocks[i]);
    get_many(&cache, 64, MANY / 2);
    ck_assert_uint_eq(mapped(), before);
    put_many(&cache, MANY / 2);
}
END_TEST

START_TEST(want_of_memory_is_no_block_and_passes)
{
    mem_fail_at(1, 1);
    ck_assert_ptr_null(pool_get(&cache, 64));
    ck_assert_ptr_null(pool_get(&cache, 1000));
    ck_assert_ptr_null(pool_get_shared(&pool, 64));
    ck_assert_ptr_null(pool_get_shared(&pool, 1000));
    mem_fail_at(0, 0);
    ck_assert_uint_eq(mapped(), 0);
    struct bsk_msg *a = get(&cache, 64), *b = pool_get_shared(&pool, 1000);
    ck_assert(a && b);
    pool_put(&cache, a);
    pool_put(&cache, b);
}
END_TEST

START_TEST(what_is_mapped_is_used_up_before_memory_is_wanted)
{
    int n = 0;
    blocks[n++] = get(&cache, 512);
    mem_fail_at(1, 1);
    while ((blocks[n] = get(&cache, 512))) n++;
    /* A chunk holds 512 of them, one of which is its head. */
    ck_assert_int_eq(n, 511);
    put_many(&cache, n);
    for (int i = 0; i < n; i++) ck_assert_ptr_nonnull(blocks[i] = get(&cache, 512));
    put_many(&cache, n);
}
END_TEST

/* Threads pass blocks around: each gets some, and puts those that others got. */

enum { THREADS = 4, PLACES = 256, TURNS = 100000 };

static struct bsk_msg *_Atomic places[PLACES];

static void *pass_around(void *arg)
{
    struct pool_cache mine;
    uint64_t seed = (uintptr_t)arg * UINT64_C(0x9e3779b97f4a7c15) + 1;
    pool_cache_init(&mine, &pool);
    for (int i = 0; i < TURNS; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        struct bsk_msg *m = pool_get(&mine, (size_t)64 << (seed >> 60) % 4);
        if (m) m->ref = seed;
        m = atomic_exchange_explicit(&places[(seed >> 33) % PLACES], m, memory_order_acq_rel);
        if (m && (seed & UINT64_C(0x1000000)))
            pool_put_shared(&pool, m);
        else if (m)
            pool_put(&mine, m);
        if ((seed >> 20) % 10000 == 0) pool_trim(&pool);
    }
    pool_cache_flush(&mine);
    return NULL;
}

START_TEST(threads_pass_blocks_around)
{
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, pass_around, (void *)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    for (int i = 0; i < PLACES; i++)
        if (places[i]) pool_put(&cache, places[i]);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("pool");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, sizes_fall_into_classes);
    tcase_add_test(tc, blocks_are_aligned_and_do_not_overlap);
    tcase_add_test(tc, the_block_put_last_is_got_first);
    tcase_add_test(tc, what_was_put_is_used_again_before_memory_is_mapped);
    tcase_add_test(tc, blocks_go_from_one_cache_to_another_by_the_depot);
    tcase_add_test(tc, a_cache_keeps_two_magazines_at_most);
    tcase_add_test(tc, partial_magazines_are_used_up);
    tcase_add_test(tc, large_blocks_come_from_the_heap_and_go_back_at_once);
    tcase_add_test(tc, no_block_is_as_large_as_memory);
    tcase_add_test(tc, trim_gives_back_what_is_free);
    tcase_add_test(tc, trim_keeps_the_chunks_of_blocks_in_use);
    tcase_add_test(tc, trim_counts_what_lies_in_a_cache_as_used);
    tcase_add_test(tc, threads_without_a_cache_share_one);
    tcase_add_test(tc, want_of_memory_is_no_block_and_passes);
    tcase_add_test(tc, what_is_mapped_is_used_up_before_memory_is_wanted);
    tcase_add_test(tc, threads_pass_blocks_around);

    Suite *suite = suite_create("pool");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
