/* SPDX-License-Identifier: MIT */
/* The forest's lives and pairs: tables that grow only, without locks of their own. */
#include "forest_books.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void fo_blame(struct forest *f, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    pthread_mutex_lock(&f->lock);
    if (!f->fault[0]) vsnprintf(f->fault, sizeof f->fault, format, args);
    pthread_mutex_unlock(&f->lock);
    va_end(args);
}

static unsigned power_above(unsigned n)
{
    unsigned power = 1;
    while (power < n) power *= 2;
    return power;
}

static void *zeroed(size_t n, size_t size)
{
    void *p = calloc(n, size);
    if (!p) abort();
    return p;
}

void books_open(struct forest *f, const struct fo_setup *setup)
{
    memset(f, 0, sizeof *f);
    f->setup = *setup;
    f->tells = getenv("LOG");
    f->slots = power_above(2 * setup->most);
    f->pair_slots = power_above(8 * setup->most);
    f->lives = zeroed(setup->most, sizeof *f->lives);
    f->by_key = zeroed(f->slots, sizeof *f->by_key);
    f->keys = zeroed(f->slots, sizeof *f->keys);
    f->pairs = zeroed(f->pair_slots, sizeof *f->pairs);
    pthread_mutex_init(&f->lock, NULL);
    for (int i = 0; i < STRIPES; i++) pthread_mutex_init(&f->stripes[i], NULL);
}

void books_close(struct forest *f)
{
    for (unsigned i = 0; i < life_count(f); i++) free(f->lives[i].plan);
    for (int i = 0; i < STRIPES; i++) pthread_mutex_destroy(&f->stripes[i]);
    pthread_mutex_destroy(&f->lock);
    free(f->lives);
    free((void *)f->by_key);
    free((void *)f->keys);
    free(f->pairs);
}

static unsigned hash_of(uint64_t key, unsigned slots)
{
    return (unsigned)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (slots - 1);
}

struct life *life_new(struct forest *f)
{
    unsigned id = atomic_fetch_add(&f->nlives, 1);
    if (id >= f->setup.most) {
        fo_blame(f, "no room in the books for %u actors", id);
        return NULL;
    }
    struct life *l = &f->lives[id];
    l->forest = f;
    l->id = id;
    l->random = f->setup.seed * UINT64_C(0x9e3779b97f4a7c15) + id;
    return l;
}

static struct life *await_life(struct forest *f, unsigned i)
{
    struct life *l;
    /* Whoever has entered the key is about to enter the life. */
    while (!(l = atomic_load_explicit(&f->by_key[i], memory_order_acquire))) {
        if (life_count(f) >= f->setup.most) return NULL;
    }
    return l;
}

static struct life *enter_life(struct forest *f, unsigned i, bsk_addr who)
{
    struct life *l = life_new(f);
    if (!l) return NULL;
    l->who = who;
    atomic_store_explicit(&f->by_key[i], l, memory_order_release);
    return l;
}

struct life *life_of(struct forest *f, bsk_addr who)
{
    uint64_t key = (uint64_t)who.slot << 32 | who.gen, none = 0;
    if (bsk_is_nobody(who)) return NULL;
    for (unsigned i = hash_of(key, f->slots);; i = (i + 1) & (f->slots - 1)) {
        uint64_t at = atomic_load_explicit(&f->keys[i], memory_order_relaxed);
        if (at == key) return await_life(f, i);
        if (at) continue;
        if (life_count(f) >= f->setup.most) return life_new(f);
        none = 0;
        if (atomic_compare_exchange_strong(&f->keys[i], &none, key)) return enter_life(f, i, who);
        if (none == key) return await_life(f, i);
    }
}

static void push_pair(struct pair *p, unsigned side)
{
    struct life *l = p->ends[side];
    p->next[side] = atomic_load(&l->pairs);
    while (!atomic_compare_exchange_weak(&l->pairs, &p->next[side], p)) {
    }
}

static struct pair *enter_pair(struct forest *f, struct pair *p, struct life *x, struct life *y)
{
    p->ends[0] = x;
    p->ends[1] = y;
    atomic_fetch_add(&f->npairs, 1);
    push_pair(p, 0);
    push_pair(p, 1);
    atomic_store(&p->ready, true);
    return p;
}

static struct pair *await_pair(struct pair *p)
{
    while (!atomic_load(&p->ready)) {
    }
    return p;
}

struct pair *pair_of(struct life *x, struct life *y)
{
    struct forest *f = x->forest;
    if (x->id > y->id) return pair_of(y, x);
    uint64_t key = ((uint64_t)x->id << 32 | y->id) + 1;
    if (x == y || atomic_load(&f->npairs) > f->pair_slots / 2) return NULL;
    for (unsigned i = hash_of(key, f->pair_slots);; i = (i + 1) & (f->pair_slots - 1)) {
        struct pair *p = &f->pairs[i];
        uint64_t none = 0;
        if (atomic_compare_exchange_strong(&p->key, &none, key)) return enter_pair(f, p, x, y);
        if (none == key) return await_pair(p);
    }
}

static pthread_mutex_t *stripe_of(struct pair *p)
{
    struct forest *f = p->ends[0]->forest;
    return &f->stripes[(size_t)(p - f->pairs) % STRIPES];
}

void pair_lock(struct pair *p)
{
    pthread_mutex_lock(stripe_of(p));
}

void pair_unlock(struct pair *p)
{
    pthread_mutex_unlock(stripe_of(p));
}

uint32_t id_bit(const char *id)
{
    unsigned n = (unsigned)strtoul(*id ? id + 1 : id, NULL, 10);
    return UINT32_C(1) << ((*id == 'a' ? 8 + n : n) % 32);
}

void fo_gift_drop(void *body)
{
    count(&((fo_gift *)body)->forest->dropped);
}
