/* SPDX-License-Identifier: MIT */
/* check_chunk.c - bytes that wait to be sent: in order, all or none, however they come and go. */
#include "peer.h"

#include "net/chunk.h"

#include <stdlib.h>

#define MOST 200000

static struct worker *w;
static struct chunks all;
static uint64_t put, got; /* places in the run */
static char run[MOST];
static int64_t live;

/* A worker with nothing but what blocks are taken from. */
static void setup(void)
{
    static struct bsk_rt rt;
    live = mem_live();
    w = mem_aligned(64, sizeof *w);
    ck_assert_ptr_nonnull(w);
    memset(w, 0, sizeof *w);
    memset(&rt, 0, sizeof rt);
    ck_assert_int_eq(pool_init(&rt.pool), 0);
    w->rt = &rt;
    pool_cache_init(&w->pool, &rt.pool);
    all = (struct chunks){NULL, NULL};
    put = got = 0;
}

static void teardown(void)
{
    struct bsk_rt *rt = w->rt;
    chunks_free(w, &all);
    ck_assert(!all.first && !all.last);
    pool_cache_flush(&w->pool);
    mem_free(w);
    pool_fini(&rt->pool);
    ck_assert_int_eq(mem_live(), live);
}

static int append(size_t n)
{
    ck_assert_uint_le(n, MOST);
    run_fill(run, put, n);
    int rc = chunks_append(w, &all, run, n);
    if (rc == 0) put += n;
    return rc;
}

static uint64_t held(void)
{
    uint64_t n = 0;
    struct chunk *last = NULL;
    for (struct chunk *k = all.first; k; last = k, k = k->next) {
        ck_assert(k->from <= k->to && k->to <= k->size);
        /* None is empty: a system call gets as much as it can. */
        ck_assert_uint_lt(k->from, k->to);
        n += k->to - k->from;
    }
    ck_assert_ptr_eq(last, all.last);
    return n;
}

/* What comes first is what was put first. */
static size_t look(void)
{
    uv_buf_t bufs[CHUNK_BUFS];
    unsigned n = chunks_view(&all, bufs);
    size_t at = 0;
    ck_assert_uint_le(n, CHUNK_BUFS);
    for (unsigned i = 0; i < n; i++) {
        ck_assert(run_holds(bufs[i].base, got + at, bufs[i].len));
        at += bufs[i].len;
    }
    return at;
}

static void drop(size_t n)
{
    chunks_drop(w, &all, n);
    got += n;
    ck_assert_uint_eq(held(), put - got);
}

START_TEST(nothing_is_there_at_first_and_after_all_was_dropped)
{
    ck_assert_uint_eq(look(), 0);
    ck_assert_int_eq(append(0), 0);
    ck_assert_uint_eq(held(), 0);
    ck_assert_int_eq(append(1), 0);
    ck_assert_uint_eq(look(), 1);
    drop(1);
    ck_assert(!all.first && !all.last);
    drop(0);
    ck_assert_int_eq(append(0), 0);
    ck_assert_uint_eq(look(), 0);
}
END_TEST

START_TEST(small_pieces_fill_blocks)
{
    for (int i = 0; i < 20000; i++) ck_assert_int_eq(append(7), 0);
    unsigned n = 0;
    for (struct chunk *k = all.first; k; k = k->next) n++;
    ck_assert_uint_eq(held(), 140000);
    ck_assert_uint_le(n, 12);
    ck_assert_uint_eq(look(), 140000);
    drop(139999);
    ck_assert_uint_eq(look(), 1);
}
END_TEST

START_TEST(sizes_around_the_blocks_are_kept_whole)
{
    static const size_t sizes[] = {1, 440, 470, 480, 512, 4000, 4096, 16000, 16384, 16385, MOST};
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int d = -40; d <= 40; d++) {
            size_t n = sizes[i] + (size_t)(d + 40) - 40;
            if (n == 0 || n > MOST) continue;
            ck_assert_int_eq(append(n), 0);
            while (got < put) drop(look());
        }
}
END_TEST

START_TEST(random_pieces_come_out_as_they_went_in)
{
    srand(7);
    for (int i = 0; i < 3000; i++) {
        size_t n = (size_t)rand() % (rand() % 20 ? 700 : 40000);
        ck_assert_int_eq(append(n), 0);
        size_t there = look();
        ck_assert_uint_le(there, put - got);
        if (there && rand() % 3) drop((size_t)rand() % (there + 1));
        if (put - got > 400000) drop((size_t)(put - got));
    }
    drop((size_t)(put - got));
    ck_assert(!all.first);
}
END_TEST

START_TEST(without_memory_all_stays_as_it_was)
{
    unsigned failed = 0;
    srand(8);
    for (int i = 0; i < 3000; i++) {
        uint64_t before = held();
        size_t n = (size_t)rand() % 70000;
        mem_fail_at(1 + (uint64_t)rand() % 3, rand() % 2);
        int rc = append(n);
        mem_fail_at(0, 0);
        ck_assert(rc == 0 || rc == BSK_ENOMEM);
        ck_assert_uint_eq(held(), before + (rc ? 0 : n));
        failed += rc != 0;
        while (put - got > 100000) drop(look() / 2 + 1);
        (void)look();
    }
    ck_assert_uint_gt(failed, 10);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {nothing_is_there_at_first_and_after_all_was_dropped,
                                  small_pieces_fill_blocks, sizes_around_the_blocks_are_kept_whole,
                                  random_pieces_come_out_as_they_went_in,
                                  without_memory_all_stays_as_it_was};
    Suite *s = suite_create("chunk");
    TCase *t = tcase_create("chunk");
    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, setup, teardown);
    for (unsigned i = 0; i < sizeof tests / sizeof *tests; i++) tcase_add_test(t, tests[i]);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
