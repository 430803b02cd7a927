/* SPDX-License-Identifier: MIT */
/* Memory and clean-ups that an actor owns: they go with it, last in first out. */
#include "arena.h"

#include "mailbox/memory.h"

#define CHUNK_LEAST ((size_t)448) /* with the heads, a block of the largest class */

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, size;
    max_align_t data[];
};

static struct arena_chunk *add_chunk(bsk_self *a, size_t n)
{
    size_t size = n < CHUNK_LEAST ? CHUNK_LEAST : n;
    if (size > SIZE_MAX / 2) return NULL;
    struct arena_chunk *c = mem_alloc(sizeof *c + size);
    if (!c) return NULL;
    *c = (struct arena_chunk){.next = a->arena, .size = size};
    a->arena = c;
    return c;
}

void *arena_get(bsk_self *a, size_t n)
{
    size_t padded = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (padded < n) return NULL;
    struct arena_chunk *c = a->arena;
    if (!c || c->size - c->used < padded) c = add_chunk(a, padded);
    if (!c) return NULL;
    void *at = (char *)c->data + c->used;
    c->used += padded;
    assert(c->used <= c->size);
    return at;
}

void arena_free(bsk_self *a)
{
    assert(a->arena);
    for (struct arena_chunk *c = a->arena, *next; c; c = next) {
        next = c->next;
        mem_free(c);
    }
    a->arena = NULL;
}

void *bsk_alloc(bsk_self *self, size_t n)
{
    void *p = arena_get(self, n);
    if (!p) act_set_error(self, BSK_ENOMEM);
    return p;
}

int bsk_defer(bsk_self *self, void (*undo)(void *arg), void *arg)
{
    struct defer *d = arena_get(self, sizeof *d);
    if (!d) return BSK_ENOMEM;
    defer_push(self, d, undo, arg);
    return 0;
}

void defer_run(bsk_self *a)
{
    struct defer *d;
    /* Off the list before it runs: one that fails is not run again. */
    while ((d = a->defers)) {
        a->defers = d->next;
        d->undo(d->arg);
    }
}
