/* SPDX-License-Identifier: MIT */
/* arena.h - memory and clean-ups that an actor owns. */
#ifndef BSK_ARENA_H
#define BSK_ARENA_H

#include "actor.h"

/* A clean-up. */
struct defer {
    struct defer *next;
    void (*undo)(void *arg);
    void *arg;
};

/* Adds a clean-up in the caller's storage, which lasts until it has run or is taken off again:
 * also a fiber's stack does. */
static inline void defer_push(bsk_self *a, struct defer *d, void (*undo)(void *arg), void *arg)
{
    *d = (struct defer){a->defers, undo, arg};
    a->defers = d;
}

/* Takes off the one added last. */
static inline void defer_pop(bsk_self *a, struct defer *d)
{
    assert(a->defers == d);
    a->defers = d->next;
}

/* Returns n bytes of the actor's arena, aligned for any type, or NULL. */
void *arena_get(bsk_self *a, size_t n);
/* Frees the arena of an actor that ends. */
void arena_free(bsk_self *a);
/* Runs the clean-ups, last in first out; entered again if one of them fails, it goes on behind
 * it. */
void defer_run(bsk_self *a);

#endif
