/* SPDX-License-Identifier: MIT */
/* The tree, as seen from outside: each slot says who its parent is. Nothing is locked, so it is not
 * one moment's picture; whose parent is not among those who live is shown as the root's. */
#include "supervisor.h"

#include "actors/dump.h"
#include "actors/runtime.h"

#include <stdio.h>
#include <stdlib.h>

#define NOBODY UINT32_MAX

struct node {
    uint64_t born;
    bsk_addr who;
    uint32_t parent, scope;     /* parent: an index, or NOBODY: the root */
    uint32_t first, last, next; /* children, in order of start */
};

struct walk {
    struct bsk_rt *rt;
    struct node *nodes;
    uint32_t n, cap;
    uint32_t *by_slot; /* index of a slot's node, or NOBODY */
    uint32_t used;
    struct node root;
};

static int by_birth(const void *x, const void *y)
{
    const struct node *a = x, *b = y;
    return (a->born > b->born) - (a->born < b->born);
}

static bool grow(struct walk *t)
{
    uint32_t cap = t->cap ? 2 * t->cap : 64;
    struct node *nodes = mem_alloc(cap * sizeof *nodes);
    if (!nodes) return false;
    if (t->n) memcpy(nodes, t->nodes, t->n * sizeof *nodes);
    mem_free(t->nodes);
    t->nodes = nodes;
    t->cap = cap;
    return true;
}

static bool gather_one(struct walk *t, bsk_self *a)
{
    /* Acquire pairs with the release in spawn: the slot is of an actor that was set up. */
    uint32_t gen = atomic_load_explicit(&a->item.gen, memory_order_acquire);
    if (!(gen & 1)) return true;
    if (t->n == t->cap && !grow(t)) return false;
    /* Relaxed: if the slot is another's by now, so is what is shown of it. */
    uint32_t parent = atomic_load_explicit(&a->parent, memory_order_relaxed);
    bool child = act_flags(a) & ACT_CHILD;
    t->nodes[t->n++] = (struct node){.born = atomic_load_explicit(&a->born, memory_order_relaxed),
                                     .who = rt_addr(t->rt, a, gen),
                                     .parent = child ? parent & PARENT_SLOT : NOBODY,
                                     .scope = child ? parent >> PARENT_SHIFT : 0,
                                     .first = NOBODY,
                                     .last = NOBODY,
                                     .next = NOBODY};
    return true;
}

static bool gather(struct walk *t)
{
    for (uint32_t i = 0; i < t->used; i++)
        if (!gather_one(t, rt_slot(t->rt, i))) return false;
    if (t->n) qsort(t->nodes, t->n, sizeof *t->nodes, by_birth);
    t->by_slot = mem_alloc((t->used + 1) * sizeof *t->by_slot);
    if (!t->by_slot) return false;
    for (uint32_t i = 0; i < t->used; i++) t->by_slot[i] = NOBODY;
    for (uint32_t i = 0; i < t->n; i++) t->by_slot[t->nodes[i].who.slot] = i;
    return true;
}

static struct node *parent_of(struct walk *t, uint32_t i)
{
    uint32_t slot = t->nodes[i].parent;
    uint32_t parent = slot < t->used ? t->by_slot[slot] : NOBODY;
    /* Parents are older: so whatever was read of slots that changed hands, there is no circle. */
    if (parent == NOBODY || parent >= i) parent = NOBODY;
    t->nodes[i].parent = parent;
    return parent == NOBODY ? &t->root : &t->nodes[parent];
}

static void join_up(struct walk *t)
{
    t->root.first = t->root.last = NOBODY;
    for (uint32_t i = 0; i < t->n; i++) {
        struct node *p = parent_of(t, i);
        if (p->last == NOBODY)
            p->first = i;
        else
            t->nodes[p->last].next = i;
        p->last = i;
    }
}

static void show(struct walk *t, const struct node *n, int depth,
                 void (*line)(void *arg, int depth, bsk_addr who, const char *text), void *arg)
{
    char text[DMP_LINE + 32], doing[DMP_LINE];
    dmp_describe(t->rt, rt_slot(t->rt, n->who.slot), doing, sizeof doing);
    if (n->scope)
        snprintf(text, sizeof text, "[scope %u] %s", n->scope, doing);
    else
        snprintf(text, sizeof text, "%s", doing);
    line(arg, depth, n->who, text);
}

static void show_all(struct walk *t,
                     void (*line)(void *arg, int depth, bsk_addr who, const char *text), void *arg)
{
    int depth = 0;
    uint32_t i = t->root.first;
    while (i != NOBODY) {
        const struct node *n = &t->nodes[i];
        show(t, n, depth, line, arg);
        if (n->first != NOBODY) {
            depth++;
            i = n->first;
            continue;
        }
        while (n->next == NOBODY && n->parent != NOBODY) {
            depth--;
            n = &t->nodes[n->parent];
        }
        i = n->next;
    }
}

int bsk_tree(bsk_rt *rt, void (*line)(void *arg, int depth, bsk_addr who, const char *text),
             void *arg)
{
    struct walk t = {.rt = rt};
    /* Acquire pairs with the release in the slab: what is used can be read. */
    t.used = atomic_load_explicit(&rt->actors.used, memory_order_acquire);
    bool gathered = gather(&t);
    if (gathered) {
        join_up(&t);
        show_all(&t, line, arg);
    }
    mem_free(t.by_slot);
    mem_free(t.nodes);
    return gathered ? 0 : BSK_ENOMEM;
}
