/* SPDX-License-Identifier: MIT */
/* Names: registered ones are found by bsk_whereis; labels serve logs only. A record is
 * type-stable, so that a dump may read the name of an actor that ends at that moment. */
#include "name.h"

#include <stdio.h>

#define BUCKETS_FIRST 64

struct name {
    struct slab_item item;
    struct name *next; /* in its bucket; registered names only */
    bsk_addr who;
    uint32_t hash;
    bool registered;
    char text[BSK_NAME_MAX + 1];
};

#define NAME_BYTES ((sizeof(struct name) + 63) / 64 * 64)

int name_init(struct bsk_rt *rt)
{
    rt->buckets = mem_zalloc(BUCKETS_FIRST * sizeof(struct name *));
    if (!rt->buckets) return BSK_ENOMEM;
    rt->nbuckets = BUCKETS_FIRST;
    if (slab_init(&rt->names, NAME_BYTES, rt->opts.max_actors) == 0) return 0;
    mem_free(rt->buckets);
    return BSK_ENOMEM;
}

void name_fini(struct bsk_rt *rt)
{
    mem_free(rt->buckets);
    slab_fini(&rt->names);
}

/* FNV-1a. */
static uint32_t hash_of(const char *text)
{
    uint32_t h = UINT32_C(2166136261);
    for (; *text; text++) h = (h ^ (unsigned char)*text) * UINT32_C(16777619);
    return h;
}

static struct name **find_locked(struct bsk_rt *rt, uint32_t hash, const char *text)
{
    struct name **link = &rt->buckets[hash & (rt->nbuckets - 1)];
    while (*link && ((*link)->hash != hash || strcmp((*link)->text, text))) link = &(*link)->next;
    return link;
}

/* Without memory for more buckets the chains get longer, that is all. */
static void grow_locked(struct bsk_rt *rt)
{
    uint32_t n = rt->nbuckets * 2;
    struct name **buckets = mem_zalloc(n * sizeof *buckets);
    if (!buckets) return;
    for (uint32_t i = 0; i < rt->nbuckets; i++) {
        for (struct name *e = rt->buckets[i], *next; e; e = next) {
            next = e->next;
            e->next = buckets[e->hash & (n - 1)];
            buckets[e->hash & (n - 1)] = e;
        }
    }
    mem_free(rt->buckets);
    rt->buckets = buckets;
    rt->nbuckets = n;
}

static int register_locked(struct bsk_rt *rt, struct name *e)
{
    struct name **link = find_locked(rt, e->hash, e->text);
    if (*link) return BSK_EEXIST;
    *link = e;
    if (++rt->nnames > rt->nbuckets) grow_locked(rt);
    return 0;
}

static struct name *record_of(struct bsk_rt *rt, const bsk_self *a)
{
    /* Relaxed: the record can be read whatever is in it; see name_describe. */
    uint32_t link = atomic_load_explicit(&a->name, memory_order_relaxed);
    return link ? slab_at(&rt->names, link - 1) : NULL;
}

static void put(struct bsk_rt *rt, struct name *e)
{
    atomic_fetch_add_explicit(&e->item.gen, 1, memory_order_relaxed);
    slab_put_shared(&rt->names, &e->item);
}

int name_take(struct bsk_rt *rt, bsk_self *a, const char *text, bool registered, bsk_addr who)
{
    size_t n = strlen(text);
    if (!n || n > BSK_NAME_MAX) return BSK_EINVAL;
    struct name *e = (struct name *)(void *)slab_get_shared(&rt->names);
    if (!e) return BSK_ELIMIT;
    atomic_fetch_add_explicit(&e->item.gen, 1, memory_order_relaxed);
    memcpy(e->text, text, n + 1);
    e->hash = hash_of(text);
    e->who = who;
    e->next = NULL;
    e->registered = registered;
    int rc = 0;
    if (registered) {
        uv_mutex_lock(&rt->name_lock);
        rc = register_locked(rt, e);
        uv_mutex_unlock(&rt->name_lock);
    }
    if (rc)
        put(rt, e);
    else
        atomic_store_explicit(&a->name, slab_index(&rt->names, e) + 1, memory_order_relaxed);
    return rc;
}

void name_release(struct bsk_rt *rt, bsk_self *a)
{
    struct name *e = record_of(rt, a);
    if (!e || !e->registered) return;
    uv_mutex_lock(&rt->name_lock);
    *find_locked(rt, e->hash, e->text) = e->next;
    rt->nnames--;
    uv_mutex_unlock(&rt->name_lock);
    e->registered = false;
}

void name_free(struct bsk_rt *rt, bsk_self *a)
{
    struct name *e = record_of(rt, a);
    if (!e) return;
    name_release(rt, a);
    atomic_store_explicit(&a->name, 0, memory_order_relaxed);
    put(rt, e);
}

bsk_addr bsk_whereis(bsk_rt *rt, const char *name)
{
    uv_mutex_lock(&rt->name_lock);
    struct name *e = *find_locked(rt, hash_of(name), name);
    bsk_addr who = e ? e->who : (bsk_addr){0, 0, 0};
    uv_mutex_unlock(&rt->name_lock);
    return who;
}

void name_describe(struct bsk_rt *rt, const bsk_self *a, char *out, size_t size)
{
    struct name *e = record_of(rt, a);
    unsigned slot = slab_index(&rt->actors, a), gen = act_gen(a);
    if (e)
        snprintf(out, size, "%.*s <%u.%u>", BSK_NAME_MAX, e->text, slot, gen);
    else
        snprintf(out, size, "<%u.%u>", slot, gen);
}
