/* SPDX-License-Identifier: MIT */
/* slab.h - type-stable memory: items that keep their place, and their generation, for ever.
 *
 * One reserved mapping per slab; an item is named by its index. A freed item stays readable, so
 * that a stale name can be checked against the generation in it. Free items are used first in,
 * first out. */
#ifndef BSK_SLAB_H
#define BSK_SLAB_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

/* The head of every item. The generation is even while the item is free and odd while somebody
 * has it; whoever gets the item, and puts it back, adds one. */
struct slab_item {
    _Atomic uint32_t link; /* of the free list: an index + 1; the owner's while it is in use */
    _Atomic uint32_t gen;
};

struct slab {
    char *base;
    uint32_t size;  /* of an item, a multiple of 64 */
    uint32_t shift; /* size = odd << shift; and the odd's inverse: see slab_index */
    uint64_t inverse;
    uint32_t run;          /* items to a run of whole pages: what is given back together */
    uint32_t limit;        /* items at most, rounded up to runs: what is mapped */
    uint32_t most;         /* items at most, as asked for */
    uint32_t batch, keep;  /* of a cache: it takes and gives, and holds no more than */
    _Atomic uint32_t used; /* items ever handed out; read by whoever walks them */
    pthread_mutex_t lock;
    uint32_t head, tail;     /* free, under the lock: index + 1 */
    _Atomic uint32_t nfree;  /* written under the lock */
    uint32_t *floors;        /* a run's generations begin above this */
    uint32_t *blank, nblank; /* runs given back to the system */
};

/* A thread's own free items. */
struct slab_cache {
    struct slab *slab;
    uint32_t head, tail, n;
};

/* Reserves room for `limit` items of `size` bytes. 0 or BSK_ENOMEM. A small limit is exact:
 * caches keep nothing then; else what they keep of others' may be missing at the limit. */
int slab_init(struct slab *s, uint32_t size, uint32_t limit);
void slab_fini(struct slab *s);
void slab_cache_init(struct slab_cache *c, struct slab *s);
void slab_cache_flush(struct slab_cache *c);
/* Returns a free item, zeroed or as its last owner left it; NULL: at the limit. */
struct slab_item *slab_get(struct slab_cache *c);
void slab_put(struct slab_cache *c, struct slab_item *item);
/* The same for a thread without a cache. */
struct slab_item *slab_get_shared(struct slab *s);
void slab_put_shared(struct slab *s, struct slab_item *item);
/* Bytes of free items that a trim may give back; and of all that was used and not given back. */
uint64_t slab_idle_bytes(const struct slab *s);
uint64_t slab_bytes(struct slab *s);
/* Gives the pages of runs that are all free back. Only while no other thread can look at an
 * item. */
void slab_trim(struct slab *s);

static inline void *slab_at(const struct slab *s, uint32_t index)
{
    return s->base + (uint64_t)index * s->size;
}

/* The division has no remainder, so multiplying with the inverse modulo 2^64 is exact, and
 * cheap. */
static inline uint32_t slab_index(const struct slab *s, const void *item)
{
    return (uint32_t)(((uint64_t)((const char *)item - s->base) >> s->shift) * s->inverse);
}

#endif
