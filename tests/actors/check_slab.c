/* SPDX-License-Identifier: MIT */
/* check_slab.c - type-stable items: first in, first out; generations; limits; trimming.
 *
 * ctest: valgrind */
#include "fixture.h"

#include "actors/slab.h"

#include <pthread.h>

struct item {
    struct slab_item head;
    uint32_t mark;
    char fill[64 - sizeof(struct slab_item) - sizeof(uint32_t)];
};

static struct slab s;

static struct item *take(struct slab_cache *c)
{
    struct item *i = (struct item *)(void *)(c ? slab_get(c) : slab_get_shared(&s));
    if (!i) return NULL;
    ck_assert_uint_eq(atomic_load(&i->head.gen) % 2, 0);
    atomic_fetch_add(&i->head.gen, 1);
    return i;
}

static void give(struct slab_cache *c, struct item *i)
{
    atomic_fetch_add(&i->head.gen, 1);
    if (c)
        slab_put(c, &i->head);
    else
        slab_put_shared(&s, &i->head);
}

START_TEST(items_are_used_again_first_in_first_out)
{
    ck_assert_int_eq(slab_init(&s, 64, 100000), 0);
    struct item *all[64];
    for (int i = 0; i < 64; i++) {
        all[i] = take(NULL);
        ck_assert_uint_eq(slab_index(&s, all[i]), i);
        ck_assert_ptr_eq(slab_at(&s, (uint32_t)i), all[i]);
    }
    for (int i = 0; i < 64; i += 3) give(NULL, all[i]);
    for (int i = 0; i < 64; i += 3) ck_assert_ptr_eq(take(NULL), all[i]);
    slab_fini(&s);
}
END_TEST

START_TEST(a_cache_uses_its_items_first_in_first_out_too)
{
    struct slab_cache c;
    ck_assert_int_eq(slab_init(&s, 64, 100000), 0);
    slab_cache_init(&c, &s);
    struct item *all[200], *again[200];
    for (int i = 0; i < 200; i++) all[i] = take(&c);
    for (int i = 0; i < 200; i++) give(&c, all[i]);
    /* Some went home in batches; what is kept comes in order. */
    uint32_t last = 0;
    for (int i = 0; i < 60; i++) {
        again[i] = take(&c);
        ck_assert(i == 0 || slab_index(&s, again[i]) > last);
        last = slab_index(&s, again[i]);
    }
    slab_cache_flush(&c);
    ck_assert_uint_eq(c.n, 0);
    slab_fini(&s);
}
END_TEST

START_TEST(an_item_is_not_used_again_soon)
{
    struct slab_cache c;
    ck_assert_int_eq(slab_init(&s, 64, 100000), 0);
    slab_cache_init(&c, &s);
    struct item *first = take(&c);
    give(&c, first);
    int others = 0;
    while (take(&c) != first) others++;
    ck_assert_int_ge(others, 60);
    slab_fini(&s);
}
END_TEST

START_TEST(a_generation_never_comes_back)
{
    ck_assert_int_eq(slab_init(&s, 64, 100), 0);
    uint32_t seen[100] = {0};
    for (int round = 0; round < 2000; round++) {
        struct item *i = take(NULL);
        uint32_t n = slab_index(&s, i), gen = atomic_load(&i->head.gen);
        ck_assert_uint_eq(gen % 2, 1);
        ck_assert_uint_gt(gen, seen[n]);
        seen[n] = gen;
        give(NULL, i);
        if (round % 100 == 0) slab_trim(&s);
    }
    slab_fini(&s);
}
END_TEST

START_TEST(limits_are_exact)
{
    uint32_t limits[] = {1, 2, 63, 64, 65, 100, 1000};
    for (int k = 0; k < 7; k++) {
        ck_assert_int_eq(slab_init(&s, 192, limits[k]), 0);
        struct slab_cache c, d;
        slab_cache_init(&c, &s);
        slab_cache_init(&d, &s);
        struct item *one = NULL;
        for (uint32_t i = 0; i < limits[k]; i++) {
            one = take(i % 3 == 0 ? &c : i % 3 == 1 ? &d : NULL);
            ck_assert_ptr_nonnull(one);
        }
        ck_assert_ptr_null(take(&c));
        ck_assert_ptr_null(take(&d));
        ck_assert_ptr_null(take(NULL));
        give(&c, one);
        ck_assert_ptr_eq(take(&d), one);
        ck_assert_ptr_null(take(NULL));
        slab_fini(&s);
    }
}
END_TEST

START_TEST(trimming_gives_back_runs_that_are_all_free)
{
    enum { ALL = 640 };
    ck_assert_int_eq(slab_init(&s, 64, 100000), 0);
    struct item *all[ALL];
    for (int i = 0; i < ALL; i++) {
        all[i] = take(NULL);
        all[i]->mark = 7;
    }
    for (int i = 0; i < ALL; i++)
        if (i / 64 % 2) give(NULL, all[i]);
    uint32_t before = atomic_load(&all[64]->head.gen);
    slab_trim(&s);
    for (int i = 0; i < ALL; i++) {
        if (i / 64 % 2)
            ck_assert_uint_eq(all[i]->mark, 0);
        else
            ck_assert_uint_eq(all[i]->mark, 7);
    }
    for (int i = 0; i < ALL / 2; i++) {
        struct item *again = take(NULL);
        ck_assert_uint_lt(slab_index(&s, again), ALL);
        ck_assert_uint_gt(atomic_load(&again->head.gen), before);
    }
    ck_assert_uint_eq(slab_index(&s, take(NULL)), ALL);
    slab_trim(&s);
    slab_fini(&s);
}
END_TEST

START_TEST(trimming_without_memory_does_nothing)
{
    ck_assert_int_eq(slab_init(&s, 64, 100000), 0);
    struct item *i = take(NULL);
    i->mark = 7;
    give(NULL, i);
    mem_fail_at(1, 1);
    slab_trim(&s);
    mem_fail_at(0, 0);
    ck_assert_uint_eq(i->mark, 7);
    slab_fini(&s);
}
END_TEST

START_TEST(want_of_memory_leaves_nothing_half_made)
{
    for (uint64_t n = 1; n <= 3; n++) {
        mem_fail_at(n, 0);
        ck_assert_int_eq(slab_init(&s, 64, 100000), BSK_ENOMEM);
        mem_fail_at(0, 0);
    }
}
END_TEST

static void *use_at_random(void *arg)
{
    struct slab_cache c;
    struct item *held[100] = {NULL};
    unsigned r = *(unsigned *)arg, id = r;
    slab_cache_init(&c, &s);
    for (int i = 0; i < 50000; i++) {
        r = r * 1664525 + 1013904223;
        struct item **h = &held[(r >> 20) % 100];
        struct slab_cache *with = r & 256 ? &c : NULL;
        if (*h) {
            if ((*h)->mark != id) return NULL;
            give(with, *h);
            *h = NULL;
        } else if ((*h = take(with))) {
            (*h)->mark = id;
        }
    }
    slab_cache_flush(&c);
    return arg;
}

START_TEST(threads_share_a_slab)
{
    uint32_t limits[] = {150, 1 << 20};
    for (int k = 0; k < 2; k++) {
        ck_assert_int_eq(slab_init(&s, 64, limits[k]), 0);
        pthread_t t[4];
        unsigned id[4];
        for (unsigned i = 0; i < 4; i++) {
            id[i] = i + 1;
            ck_assert_int_eq(pthread_create(&t[i], NULL, use_at_random, &id[i]), 0);
        }
        for (int i = 0; i < 4; i++) {
            void *ok;
            pthread_join(t[i], &ok);
            ck_assert_ptr_eq(ok, &id[i]);
        }
        slab_fini(&s);
    }
}
END_TEST

FIX_MAIN("slab", 60, items_are_used_again_first_in_first_out,
         a_cache_uses_its_items_first_in_first_out_too, an_item_is_not_used_again_soon,
         a_generation_never_comes_back, limits_are_exact,
         trimming_gives_back_runs_that_are_all_free, trimming_without_memory_does_nothing,
         want_of_memory_leaves_nothing_half_made, threads_share_a_slab)
