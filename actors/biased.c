/* SPDX-License-Identifier: MIT */
#include "biased.h"

#include <sched.h>

#if defined(__linux__)
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool barrier_ready(void)
{
    return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

static void barrier_all(void)
{
    syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}
#else
static bool barrier_ready(void)
{
    return false;
}

static void barrier_all(void)
{
}
#endif

void biased_init(struct biased *b)
{
    atomic_init(&b->in, 0);
    atomic_init(&b->want, 0);
    b->fence = !barrier_ready();
}

void biased_wait(struct biased *b)
{
    do {
        /* Release pairs with the acquire in biased_seize, the acquires with the release in
         * biased_release: the thief sees what the owner left, the owner what the thief did. */
        atomic_store_explicit(&b->in, 0, memory_order_release);
        while (atomic_load_explicit(&b->want, memory_order_acquire)) sched_yield();
        atomic_store_explicit(&b->in, 1, memory_order_relaxed);
        atomic_thread_fence(memory_order_seq_cst); /* pairs as in biased_enter */
    } while (atomic_load_explicit(&b->want, memory_order_acquire));
}

bool biased_seize(struct biased *b)
{
    unsigned none = 0;
    /* Acquire pairs with biased_release: what the last thief did is seen. */
    if (!atomic_compare_exchange_strong_explicit(&b->want, &none, 1, memory_order_acq_rel,
                                                 memory_order_relaxed))
        return false;
    atomic_thread_fence(memory_order_seq_cst); /* pairs with the owner's, where it has one */
    if (!b->fence) barrier_all();
    /* An owner inside needs nanoseconds, unless it lost its core: then it is not worth waiting for.
     * Acquire pairs with the release in biased_leave. */
    for (int i = 0; i < 100; i++)
        if (!atomic_load_explicit(&b->in, memory_order_acquire)) return true;
    biased_release(b);
    return false;
}

void biased_release(struct biased *b)
{
    /* Release pairs with the acquires of `want` by the owner, and by the next thief. */
    atomic_store_explicit(&b->want, 0, memory_order_release);
}
