/* SPDX-License-Identifier: MIT */
/* pool.h - blocks for messages: a cache per thread, a depot per runtime, no owner per block. */
#ifndef BSK_POOL_H
#define BSK_POOL_H

#include "message.h"

#include <pthread.h>

#define POOL_CLASSES 4 /* 64, 128, 256, 512 bytes; larger blocks come from the heap */
#define POOL_LEAST ((size_t)64)
#define POOL_HEAP POOL_CLASSES
#define POOL_MAGAZINE 64

struct pool_chunk;

/* What a thread has at hand. `loaded` is taken from and put to; `spare` is a full magazine or
 * none. */
struct pool_cache {
    struct {
        struct bsk_msg *loaded, *spare;
        uint32_t n; /* blocks in loaded */
    } of[POOL_CLASSES];
    struct pool *pool;
};

/* What all threads of a runtime share, under the lock. */
struct pool {
    pthread_mutex_t lock;
    struct {
        struct bsk_msg *chains;    /* magazines, linked through their first block's `type` */
        struct pool_chunk *chunks; /* all of this class; the first is being carved */
        char *fresh, *end;         /* what is not carved yet of the first */
    } of[POOL_CLASSES];
    struct pool_cache shared; /* for threads without a cache */
    _Atomic uint64_t mapped;
    _Atomic uint64_t heaped; /* bytes of blocks beyond the classes */
};

/* Initialises the caller's storage; 0 or BSK_ENOMEM. */
int pool_init(struct pool *p);
/* Unmaps everything: all blocks must be back or forgotten. */
void pool_fini(struct pool *p);
void pool_cache_init(struct pool_cache *c, struct pool *p);
/* Gives all that the cache holds back to the depot. */
void pool_cache_flush(struct pool_cache *c);
/* Unmaps chunks all of whose blocks lie in the depot. From any thread. */
void pool_trim(struct pool *p);

/* The slow halves. pool_refill: a block with `loaded` refilled, or NULL for want of memory. */
struct bsk_msg *pool_refill(struct pool_cache *c, unsigned cls);
void pool_spill(struct pool_cache *c, unsigned cls);
struct bsk_msg *pool_get_heap(struct pool *p, size_t size);
void pool_put_heap(struct pool *p, struct bsk_msg *m);
/* Frees a block from the heap that has outlived its pool. */
void pool_free_heap(struct bsk_msg *m);
/* For threads that have no cache: the same, under the depot's lock. */
struct bsk_msg *pool_get_shared(struct pool *p, size_t size);
void pool_put_shared(struct pool *p, struct bsk_msg *m);

static inline unsigned pool_class(size_t size)
{
    if (size <= 64) return 0;
    if (size <= 128) return 1;
    if (size <= 256) return 2;
    return size <= 512 ? 3 : POOL_HEAP;
}

/* Returns a block of at least `size` bytes, header included, 64-byte aligned, its class set, all
 * else undefined; or NULL. */
static inline struct bsk_msg *pool_get(struct pool_cache *c, size_t size)
{
    unsigned cls = pool_class(size);
    if (cls == POOL_HEAP) return pool_get_heap(c->pool, size);
    struct bsk_msg *m = c->of[cls].loaded;
    if (!m) return pool_refill(c, cls);
    c->of[cls].loaded = m->next;
    c->of[cls].n--;
    return m;
}

static inline void pool_put(struct pool_cache *c, struct bsk_msg *m)
{
    unsigned cls = m->cls;
    if (cls == POOL_HEAP) {
        pool_put_heap(c->pool, m);
        return;
    }
    m->next = c->of[cls].loaded;
    c->of[cls].loaded = m;
    if (++c->of[cls].n == POOL_MAGAZINE) pool_spill(c, cls);
}

/* A block of the least class, which is 0, if one is at hand; else NULL. */
static inline struct bsk_msg *pool_get_least(struct pool_cache *c)
{
    struct bsk_msg *m = c->of[0].loaded;
    if (!m) return NULL;
    c->of[0].loaded = m->next;
    c->of[0].n--;
    return m;
}

/* Takes back what pool_get_least has just given. */
static inline void pool_unget_least(struct pool_cache *c, struct bsk_msg *m)
{
    m->next = c->of[0].loaded;
    c->of[0].loaded = m;
    c->of[0].n++;
}

#endif
