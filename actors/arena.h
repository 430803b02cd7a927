/* SPDX-License-Identifier: MIT */
/* arena.h - memory and clean-ups that an actor owns. */
#ifndef BSK_ARENA_H
#define BSK_ARENA_H

#include "actor.h"

/* Returns n bytes of the actor's arena, aligned for any type, or NULL. */
void *arena_get(bsk_self *a, size_t n);
/* Frees the arena of an actor that ends. */
void arena_free(bsk_self *a);
/* Runs the clean-ups, last in first out; entered again if one of them fails, it goes on behind
 * it. */
void defer_run(bsk_self *a);

#endif
