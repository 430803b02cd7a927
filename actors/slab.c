/* SPDX-License-Identifier: MIT */
#include "slab.h"
#include "mailbox/mailbox.h"
#include "mailbox/memory.h"

#include <assert.h>
#include <string.h>

#define PAGE ((size_t)4096)
#define BATCH 64    /* items that move between a cache and the slab at once */
#define SMALL 65536 /* items: below, what lies in caches would be missed */

static size_t run_bytes(const struct slab *s)
{
    return (size_t)s->run * s->size;
}

static uint32_t runs(const struct slab *s)
{
    return s->limit / s->run;
}

/* Newton's iteration: each step doubles the bits that are right, of which an odd number has
 * three. */
static uint64_t inverse(uint64_t odd)
{
    uint64_t x = odd;
    for (int i = 0; i < 5; i++) x *= 2 - odd * x;
    assert(odd * x == 1);
    return x;
}

int slab_init(struct slab *s, uint32_t size, uint32_t limit)
{
    assert(size % 64 == 0 && size >= sizeof(struct slab_item));
    memset(s, 0, sizeof *s);
    s->size = size;
    while (!(size >> s->shift & 1)) s->shift++;
    s->inverse = inverse(size >> s->shift);
    s->run = PAGE / 64; /* 64 items of n * 64 bytes are n whole pages */
    s->most = limit;
    s->limit = (limit + s->run - 1) / s->run * s->run;
    s->batch = limit < SMALL ? 1 : BATCH;
    s->keep = limit < SMALL ? 0 : 2 * BATCH;
    s->base = mem_map((size_t)s->limit * size, PAGE);
    if (!s->base) return BSK_ENOMEM;
    s->floors = mem_map(runs(s) * sizeof *s->floors, PAGE);
    if (!s->floors) goto unmap_base;
    s->blank = mem_map(runs(s) * sizeof *s->blank, PAGE);
    if (!s->blank) goto unmap_floors;
    if (pthread_mutex_init(&s->lock, NULL) == 0) return 0;
    mem_unmap(s->blank, runs(s) * sizeof *s->blank);
unmap_floors:
    mem_unmap(s->floors, runs(s) * sizeof *s->floors);
unmap_base:
    mem_unmap(s->base, (size_t)s->limit * size);
    return BSK_ENOMEM;
}

void slab_fini(struct slab *s)
{
    mem_unmap(s->blank, runs(s) * sizeof *s->blank);
    mem_unmap(s->floors, runs(s) * sizeof *s->floors);
    mem_unmap(s->base, (size_t)s->limit * s->size);
    pthread_mutex_destroy(&s->lock);
}

void slab_cache_init(struct slab_cache *c, struct slab *s)
{
    *c = (struct slab_cache){.slab = s};
}

static struct slab_item *item_at(const struct slab *s, uint32_t link)
{
    return slab_at(s, link - 1);
}

/* Links are relaxed: under the lock, or in a cache of one thread; atomic for those who look at
 * items that may be free (dumps). */
static uint32_t link_of(const struct slab_item *item)
{
    return atomic_load_explicit(&item->link, memory_order_relaxed);
}

static void set_link(struct slab_item *item, uint32_t link)
{
    atomic_store_explicit(&item->link, link, memory_order_relaxed);
}

static void append(struct slab *s, uint32_t *head, uint32_t *tail, struct slab_item *item)
{
    uint32_t link = slab_index(s, item) + 1;
    set_link(item, 0);
    if (*head)
        set_link(item_at(s, *tail), link);
    else
        *head = link;
    *tail = link;
}

static struct slab_item *behead(struct slab *s, uint32_t *head)
{
    if (!*head) return NULL;
    struct slab_item *item = item_at(s, *head);
    *head = link_of(item);
    return item;
}

/* Relaxed: others want to know about how many there are; no read-modify-write under the lock. */
static void count_free_items_locked(struct slab *s, int64_t n)
{
    uint32_t nfree = atomic_load_explicit(&s->nfree, memory_order_relaxed);
    assert(n >= 0 || nfree >= (uint32_t)-n);
    atomic_store_explicit(&s->nfree, (uint32_t)(nfree + n), memory_order_relaxed);
}

/* Makes a run's items free for the first time, or again after its pages were given back. */
static void open_run_locked(struct slab *s, uint32_t run)
{
    uint32_t first = run * s->run, end = first + s->run < s->most ? first + s->run : s->most;
    for (uint32_t i = first; i < end; i++) {
        struct slab_item *item = slab_at(s, i);
        /* Relaxed: who looks at it has seen `used` grow, or finds no generation of its own. */
        atomic_store_explicit(&item->gen, s->floors[run], memory_order_relaxed);
        append(s, &s->head, &s->tail, item);
    }
    count_free_items_locked(s, end - first);
}

static void grow_locked(struct slab *s)
{
    /* Relaxed: written under this lock only. */
    uint32_t used = atomic_load_explicit(&s->used, memory_order_relaxed);
    if (s->nblank) {
        open_run_locked(s, s->blank[--s->nblank]);
    } else if (used < s->limit) {
        open_run_locked(s, used / s->run);
        /* Release pairs with the acquire of whoever walks the items: they are readable. */
        atomic_store_explicit(&s->used, used + s->run, memory_order_release);
    }
}

static struct slab_item *get_locked(struct slab *s)
{
    if (!s->head) grow_locked(s);
    struct slab_item *item = behead(s, &s->head);
    if (item) count_free_items_locked(s, -1);
    return item;
}

static void refill(struct slab_cache *c)
{
    struct slab *s = c->slab;
    pthread_mutex_lock(&s->lock);
    for (struct slab_item *item; c->n < s->batch && (item = get_locked(s)); c->n++)
        append(c->slab, &c->head, &c->tail, item);
    pthread_mutex_unlock(&s->lock);
}

struct slab_item *slab_get(struct slab_cache *c)
{
    if (!c->head) refill(c);
    struct slab_item *item = behead(c->slab, &c->head);
    if (item) c->n--;
    return item;
}

static void give_back(struct slab_cache *c, uint32_t n)
{
    struct slab *s = c->slab;
    pthread_mutex_lock(&s->lock);
    for (; n && c->head; n--, c->n--) {
        append(s, &s->head, &s->tail, behead(c->slab, &c->head));
        count_free_items_locked(s, 1);
    }
    pthread_mutex_unlock(&s->lock);
}

void slab_put(struct slab_cache *c, struct slab_item *item)
{
    append(c->slab, &c->head, &c->tail, item);
    if (++c->n > c->slab->keep) give_back(c, c->slab->batch);
}

void slab_cache_flush(struct slab_cache *c)
{
    give_back(c, c->n);
}

struct slab_item *slab_get_shared(struct slab *s)
{
    pthread_mutex_lock(&s->lock);
    struct slab_item *item = get_locked(s);
    pthread_mutex_unlock(&s->lock);
    return item;
}

void slab_put_shared(struct slab *s, struct slab_item *item)
{
    pthread_mutex_lock(&s->lock);
    append(s, &s->head, &s->tail, item);
    count_free_items_locked(s, 1);
    pthread_mutex_unlock(&s->lock);
}

static uint32_t run_of(const struct slab *s, const struct slab_item *item)
{
    return slab_index(s, item) / s->run;
}

uint64_t slab_idle_bytes(const struct slab *s)
{
    return (uint64_t)atomic_load_explicit(&s->nfree, memory_order_relaxed) * s->size;
}

uint64_t slab_bytes(struct slab *s)
{
    pthread_mutex_lock(&s->lock);
    uint64_t used = atomic_load_explicit(&s->used, memory_order_relaxed);
    uint64_t bytes = (used - (uint64_t)s->nblank * s->run) * s->size;
    pthread_mutex_unlock(&s->lock);
    return bytes;
}

static void count_free_locked(struct slab *s, uint8_t *free_in)
{
    for (uint32_t link = s->head; link; link = link_of(item_at(s, link)))
        free_in[(link - 1) / s->run]++;
}

static void keep_partial_locked(struct slab *s, const uint8_t *free_in)
{
    struct slab_item *item;
    uint32_t list = s->head;
    s->head = s->tail = 0;
    while ((item = behead(s, &list))) {
        uint32_t run = run_of(s, item),
                 gen = atomic_load_explicit(&item->gen, memory_order_relaxed);
        if (free_in[run] < s->run) {
            append(s, &s->head, &s->tail, item);
            continue;
        }
        if (gen > s->floors[run]) s->floors[run] = gen;
        count_free_items_locked(s, -1);
    }
}

void slab_trim(struct slab *s)
{
    pthread_mutex_lock(&s->lock);
    uint32_t n = atomic_load_explicit(&s->used, memory_order_relaxed) / s->run;
    uint8_t *free_in = n ? mem_zalloc(n) : NULL;
    if (free_in) {
        count_free_locked(s, free_in);
        keep_partial_locked(s, free_in);
        for (uint32_t i = 0; i < n; i++) {
            if (free_in[i] < s->run) continue;
            mem_release(slab_at(s, i * s->run), run_bytes(s));
            s->blank[s->nblank++] = i;
        }
        mem_free(free_in);
    }
    pthread_mutex_unlock(&s->lock);
}
