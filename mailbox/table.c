/* SPDX-License-Identifier: MIT */
#include "table.h"
#include "memory.h"

#include <assert.h>

#define FIRST_CAP 16

static struct table_node **chain(const struct table *t, uint64_t hash)
{
    return t->cap ? &t->chains[hash & (t->cap - 1)] : (struct table_node **)(uintptr_t)&t->only;
}

static void grow(struct table *t)
{
    struct table more = {.cap = t->cap ? 2 * t->cap : FIRST_CAP, .n = t->n};
    more.chains = mem_zalloc(more.cap * sizeof *more.chains);
    if (!more.chains) return;
    for (uint32_t i = 0; i < (t->cap ? t->cap : 1); i++) {
        for (struct table_node *x = *chain(t, i), *next; x; x = next) {
            next = x->next;
            struct table_node **at = chain(&more, x->hash);
            x->next = *at;
            *at = x;
        }
    }
    mem_free(t->chains);
    *t = more;
}

void table_add(struct table *t, struct table_node *node, uint64_t hash)
{
    assert(t->n < UINT32_MAX);
    if (++t->n > t->cap) grow(t);
    struct table_node **at = chain(t, hash);
    node->hash = hash;
    node->next = *at;
    *at = node;
}

void table_remove(struct table *t, struct table_node *node)
{
    struct table_node **at = chain(t, node->hash);
    while (*at && *at != node) at = &(*at)->next;
    assert(*at);
    *at = node->next;
    t->n--;
}

static struct table_node *find(struct table_node *x, uint64_t hash)
{
    while (x && x->hash != hash) x = x->next;
    return x;
}

struct table_node *table_first(const struct table *t, uint64_t hash)
{
    return find(*chain(t, hash), hash);
}

struct table_node *table_next(const struct table_node *node)
{
    return find(node->next, node->hash);
}

void table_fini(struct table *t)
{
    mem_free(t->chains);
    *t = (struct table){0};
}

uint64_t table_hash_text(const char *text)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (; *text; text++) h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return h;
}
