/* SPDX-License-Identifier: MIT */
/* Names: registered ones are found by bsk_whereis; labels serve logs only. A record is
 * type-stable, so that a dump may read the name of an actor that ends at that moment. */
#include "name.h"

#include <stddef.h>
#include <stdio.h>

struct name {
    struct slab_item item;
    struct table_node node; /* registered names only */
    bsk_addr who;
    bool registered;
    char text[BSK_NAME_MAX + 1];
};

#define NAME_BYTES ((sizeof(struct name) + 63) / 64 * 64)

int name_init(struct bsk_rt *rt)
{
    return slab_init(&rt->names, NAME_BYTES, rt->opts.max_actors);
}

void name_fini(struct bsk_rt *rt)
{
    table_fini(&rt->name_table);
    slab_fini(&rt->names);
}

static struct name *name_of(struct table_node *node)
{
    return node ? (struct name *)(void *)((char *)node - offsetof(struct name, node)) : NULL;
}

static struct name *find_locked(struct bsk_rt *rt, const char *text, uint64_t hash)
{
    struct table_node *x = table_first(&rt->name_table, hash);
    while (x && strcmp(name_of(x)->text, text) != 0) x = table_next(x);
    return name_of(x);
}

static int register_locked(struct bsk_rt *rt, struct name *e, uint64_t hash)
{
    assert(*e->text && (e->who.gen & 1));
    if (find_locked(rt, e->text, hash)) return BSK_EEXIST;
    table_add(&rt->name_table, &e->node, hash);
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
    e->who = who;
    e->registered = registered;
    int rc = 0;
    if (registered) {
        uint64_t hash = table_hash_text(text);
        uv_mutex_lock(&rt->name_lock);
        rc = register_locked(rt, e, hash);
        uv_mutex_unlock(&rt->name_lock);
    }
    if (rc)
        put(rt, e);
    else
        /* Relaxed: see record_of. */
        atomic_store_explicit(&a->name, slab_index(&rt->names, e) + 1, memory_order_relaxed);
    return rc;
}

void name_release(struct bsk_rt *rt, bsk_self *a)
{
    struct name *e = record_of(rt, a);
    if (!e || !e->registered) return;
    uv_mutex_lock(&rt->name_lock);
    table_remove(&rt->name_table, &e->node);
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
    uint64_t hash = table_hash_text(name);
    uv_mutex_lock(&rt->name_lock);
    struct name *e = find_locked(rt, name, hash);
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
