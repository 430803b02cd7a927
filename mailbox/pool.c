/* SPDX-License-Identifier: MIT */
#include "pool.h"
#include "memory.h"

#include <stdatomic.h>

#define CHUNK_BYTES ((size_t)256 * 1024)

/* At the start of each chunk, which is aligned to its size: a block finds its chunk by its
 * address. */
struct pool_chunk {
    struct pool_chunk *next;
    uint32_t blocks; /* carved */
    uint32_t free;   /* counted while trimming */
};

static size_t class_size(unsigned cls)
{
    return (size_t)64 << cls;
}

static struct pool_chunk *chunk_of(const struct bsk_msg *m)
{
    return (struct pool_chunk *)((uintptr_t)m & ~(uintptr_t)(CHUNK_BYTES - 1));
}

static void cache_clear(struct pool_cache *c)
{
    for (unsigned i = 0; i < POOL_CLASSES; i++) {
        c->of[i].loaded = c->of[i].spare = NULL;
        c->of[i].n = 0;
    }
}

void pool_cache_init(struct pool_cache *c, struct pool *p)
{
    cache_clear(c);
    c->pool = p;
}

int pool_init(struct pool *p)
{
    memset(p, 0, sizeof *p);
    pool_cache_init(&p->shared, p);
    return pthread_mutex_init(&p->lock, NULL) ? BSK_ENOMEM : 0;
}

void pool_fini(struct pool *p)
{
    for (unsigned i = 0; i < POOL_CLASSES; i++) {
        for (struct pool_chunk *c = p->of[i].chunks, *next; c; c = next) {
            next = c->next;
            mem_unmap(c, CHUNK_BYTES);
        }
    }
    pthread_mutex_destroy(&p->lock);
}

static void put_chain_locked(struct pool *p, unsigned cls, struct bsk_msg *chain)
{
    if (!chain) return;
    chain->type = (const bsk_type *)(const void *)p->of[cls].chains;
    p->of[cls].chains = chain;
}

static struct bsk_msg *get_chain_locked(struct pool *p, unsigned cls)
{
    struct bsk_msg *chain = p->of[cls].chains;
    if (chain) p->of[cls].chains = (struct bsk_msg *)(uintptr_t)chain->type;
    return chain;
}

static int map_chunk_locked(struct pool *p, unsigned cls)
{
    struct pool_chunk *c = mem_map(CHUNK_BYTES, CHUNK_BYTES);
    if (!c) return BSK_ENOMEM;
    c->next = p->of[cls].chunks;
    p->of[cls].chunks = c;
    p->of[cls].fresh = (char *)c + class_size(cls);
    p->of[cls].end = (char *)c + CHUNK_BYTES;
    /* Relaxed: a figure for bsk_stats; the lock orders the rest. */
    atomic_fetch_add_explicit(&p->mapped, CHUNK_BYTES, memory_order_relaxed);
    return 0;
}

/* Links up to a page's worth of new blocks: no more fresh memory is touched than is used soon. */
static struct bsk_msg *carve_locked(struct pool *p, unsigned cls)
{
    if (p->of[cls].fresh == p->of[cls].end && map_chunk_locked(p, cls)) return NULL;
    struct bsk_msg *chain = NULL;
    size_t size = class_size(cls);
    for (int i = 0; i < POOL_MAGAZINE && p->of[cls].fresh < p->of[cls].end; i++) {
        struct bsk_msg *m = (struct bsk_msg *)(void *)p->of[cls].fresh;
        p->of[cls].fresh += size;
        p->of[cls].chunks->blocks++;
        m->cls = (uint8_t)cls;
        m->next = chain;
        chain = m;
    }
    return chain;
}

static uint32_t chain_length(const struct bsk_msg *chain)
{
    uint32_t n = 0;
    for (; chain; chain = chain->next) n++;
    return n;
}

static struct bsk_msg *refill_locked(struct pool_cache *c, unsigned cls)
{
    struct bsk_msg *m = get_chain_locked(c->pool, cls);
    if (!m) m = carve_locked(c->pool, cls);
    if (!m) return NULL;
    c->of[cls].loaded = m->next;
    c->of[cls].n = chain_length(m->next);
    return m;
}

struct bsk_msg *pool_refill(struct pool_cache *c, unsigned cls)
{
    struct bsk_msg *m = c->of[cls].spare;
    if (m) {
        c->of[cls].spare = NULL;
        c->of[cls].loaded = m->next;
        c->of[cls].n = POOL_MAGAZINE - 1;
        return m;
    }
    pthread_mutex_lock(&c->pool->lock);
    m = refill_locked(c, cls);
    pthread_mutex_unlock(&c->pool->lock);
    return m;
}

void pool_spill(struct pool_cache *c, unsigned cls)
{
    struct bsk_msg *full = c->of[cls].spare;
    c->of[cls].spare = c->of[cls].loaded;
    c->of[cls].loaded = NULL;
    c->of[cls].n = 0;
    if (!full) return;
    pthread_mutex_lock(&c->pool->lock);
    put_chain_locked(c->pool, cls, full);
    pthread_mutex_unlock(&c->pool->lock);
}

static void flush_locked(struct pool_cache *c)
{
    for (unsigned i = 0; i < POOL_CLASSES; i++) {
        put_chain_locked(c->pool, i, c->of[i].loaded);
        put_chain_locked(c->pool, i, c->of[i].spare);
    }
    cache_clear(c);
}

void pool_cache_flush(struct pool_cache *c)
{
    pthread_mutex_lock(&c->pool->lock);
    flush_locked(c);
    pthread_mutex_unlock(&c->pool->lock);
}

/* The size is kept in front of the block, in a line of its own so that the block stays aligned. */
struct bsk_msg *pool_get_heap(struct pool *p, size_t size)
{
    if (size > SIZE_MAX / 2) return NULL;
    char *at = mem_aligned(64, size + 64);
    if (!at) return NULL;
    *(size_t *)(void *)at = size;
    struct bsk_msg *m = (struct bsk_msg *)(void *)(at + 64);
    m->cls = POOL_HEAP;
    /* Relaxed: a figure for bsk_stats, as `mapped` is. */
    atomic_fetch_add_explicit(&p->heaped, size, memory_order_relaxed);
    return m;
}

void pool_put_heap(struct pool *p, struct bsk_msg *m)
{
    char *at = (char *)m - 64;
    atomic_fetch_sub_explicit(&p->heaped, *(size_t *)(void *)at, memory_order_relaxed);
    mem_free(at);
}

void pool_free_heap(struct bsk_msg *m)
{
    mem_free((char *)m - 64);
}

struct bsk_msg *pool_get_shared(struct pool *p, size_t size)
{
    unsigned cls = pool_class(size);
    if (cls == POOL_HEAP) return pool_get_heap(p, size);
    pthread_mutex_lock(&p->lock);
    struct bsk_msg *m = p->shared.of[cls].loaded;
    if (m) {
        p->shared.of[cls].loaded = m->next;
        p->shared.of[cls].n--;
    } else {
        m = refill_locked(&p->shared, cls);
    }
    pthread_mutex_unlock(&p->lock);
    return m;
}

void pool_put_shared(struct pool *p, struct bsk_msg *m)
{
    if (m->cls == POOL_HEAP) {
        pool_put_heap(p, m);
        return;
    }
    unsigned cls = m->cls;
    pthread_mutex_lock(&p->lock);
    m->next = p->shared.of[cls].loaded;
    p->shared.of[cls].loaded = m;
    if (++p->shared.of[cls].n == POOL_MAGAZINE) {
        put_chain_locked(p, cls, m);
        p->shared.of[cls].loaded = NULL;
        p->shared.of[cls].n = 0;
    }
    pthread_mutex_unlock(&p->lock);
}

static void count_free_locked(struct pool *p, unsigned cls)
{
    for (struct pool_chunk *c = p->of[cls].chunks; c; c = c->next) c->free = 0;
    for (struct bsk_msg *chain = p->of[cls].chains; chain;
         chain = (struct bsk_msg *)(uintptr_t)chain->type)
        for (struct bsk_msg *m = chain; m; m = m->next) chunk_of(m)->free++;
}

/* Rebuilds the magazines from the blocks whose chunks stay. */
static void keep_used_locked(struct pool *p, unsigned cls)
{
    struct bsk_msg *chain = p->of[cls].chains, *following, *next, *kept = NULL;
    uint32_t n = 0;
    p->of[cls].chains = NULL;
    for (; chain; chain = following) {
        following = (struct bsk_msg *)(uintptr_t)chain->type;
        for (struct bsk_msg *m = chain; m; m = next) {
            next = m->next;
            if (chunk_of(m)->free == chunk_of(m)->blocks) continue;
            m->next = kept;
            kept = m;
            if (++n % POOL_MAGAZINE) continue;
            put_chain_locked(p, cls, kept);
            kept = NULL;
        }
    }
    put_chain_locked(p, cls, kept);
}

static void unmap_free_locked(struct pool *p, unsigned cls)
{
    struct pool_chunk **link = &p->of[cls].chunks;
    while (*link) {
        struct pool_chunk *c = *link;
        if (c->free != c->blocks) {
            link = &c->next;
            continue;
        }
        if (c == p->of[cls].chunks) p->of[cls].fresh = p->of[cls].end = NULL;
        *link = c->next;
        mem_unmap(c, CHUNK_BYTES);
        atomic_fetch_sub_explicit(&p->mapped, CHUNK_BYTES, memory_order_relaxed);
    }
}

void pool_trim(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    flush_locked(&p->shared);
    for (unsigned i = 0; i < POOL_CLASSES; i++) {
        count_free_locked(p, i);
        keep_used_locked(p, i);
        unmap_free_locked(p, i);
    }
    pthread_mutex_unlock(&p->lock);
}
