/* SPDX-License-Identifier: MIT */
/* lock.h - a lock of one byte for sections of a few nanoseconds that take no other lock. */
#ifndef BSK_LOCK_H
#define BSK_LOCK_H

#include <sched.h>
#include <stdatomic.h>

struct lock {
    _Atomic unsigned char held;
};

/* Spins a little, then lets the holder run: on few cores it may be waiting for this very core. */
static inline void lock_take(struct lock *l)
{
    unsigned spins = 0;
    /* Acquire pairs with the release in lock_give: this section sees all that the last one
     * wrote. */
    while (atomic_exchange_explicit(&l->held, 1, memory_order_acquire)) {
        while (atomic_load_explicit(&l->held, memory_order_relaxed))
            if (++spins > 100) sched_yield();
    }
}

static inline void lock_give(struct lock *l)
{
    /* Release pairs with the acquire in lock_take. */
    atomic_store_explicit(&l->held, 0, memory_order_release);
}

#endif
