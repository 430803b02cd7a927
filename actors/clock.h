/* SPDX-License-Identifier: MIT */
/* clock.h - the one source of time and of randomness: real, or virtual and seeded. */
#ifndef BSK_CLOCK_H
#define BSK_CLOCK_H

#include "runtime.h"

/* Returns the ns since the runtime started: monotonic, or virtual. From any thread. */
uint64_t clk_now(const struct bsk_rt *rt);
/* Returns the time ms after now: NEVER for a negative ms; what is too far to count is just
 * before NEVER. */
uint64_t clk_deadline(uint64_t now, int64_t ms);
/* Waits on the condition for at most that long; maybe less, as any wait. Longer times than a day
 * overflow in some systems' words. */
static inline void clk_wait(uv_cond_t *cond, uv_mutex_t *lock, uint64_t ns)
{
    const uint64_t day = UINT64_C(86400000) * NS_PER_MS;
    uv_cond_timedwait(cond, lock, ns < day ? ns : day);
}
/* A generator of one thread: its next number; its start from a seed; a seed from the system, not
 * 0. */
uint64_t rnd_next(uint64_t state[2]);
void rnd_seed(uint64_t state[2], uint64_t seed);
uint64_t rnd_entropy(void);

#endif
