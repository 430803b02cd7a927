/* SPDX-License-Identifier: MIT */
/* biased.h - a lock that costs its owner next to nothing and a thief microseconds.
 *
 *     owner                          thief
 *     in = 1                         want = 1
 *     (compiler barrier)             (barrier on all cores)
 *     want? -> step back             in? -> wait
 *
 * It is Dekker's handshake with the fence moved to the side that is rare: the thief's barrier
 * interrupts the owner's core (membarrier), so either the owner's `in` is visible to the thief,
 * or the thief's `want` to the owner. Where the system has no such barrier both sides use a full
 * fence. */
#ifndef BSK_BIASED_H
#define BSK_BIASED_H

#include <stdatomic.h>
#include <stdbool.h>

struct biased {
    _Atomic unsigned in;   /* the owner is inside, or about to look */
    _Atomic unsigned want; /* a thief is inside, or about to look */
    bool fence;            /* no barrier on all cores here: the owner fences */
};

/* Prepares the lock; asks the system once for the barrier on all cores. */
void biased_init(struct biased *b);
/* The owner's way in when a thief is at work: waits until it has left. */
void biased_wait(struct biased *b);
/* The thief's way in: false if the owner stayed inside or another thief is. */
bool biased_seize(struct biased *b);
void biased_release(struct biased *b);

static inline void biased_enter(struct biased *b)
{
    atomic_store_explicit(&b->in, 1, memory_order_relaxed);
    if (b->fence)
        atomic_thread_fence(memory_order_seq_cst); /* pairs with the fence in biased_seize */
    else
        atomic_signal_fence(memory_order_seq_cst); /* pairs with the barrier in biased_seize */
    /* Acquire pairs with the release in biased_release: what a thief left behind is seen. */
    if (atomic_load_explicit(&b->want, memory_order_acquire)) biased_wait(b);
}

static inline void biased_leave(struct biased *b)
{
    /* Release pairs with the acquire in biased_seize. */
    atomic_store_explicit(&b->in, 0, memory_order_release);
}

#endif
