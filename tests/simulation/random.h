/* SPDX-License-Identifier: MIT */
/* random.h - numbers from a seed: the same on every machine. */
#ifndef SIMULATION_RANDOM_H
#define SIMULATION_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

/* splitmix64, by Sebastiano Vigna. */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Returns a number below n, which is not 0. */
static inline unsigned random_below(uint64_t *state, unsigned n)
{
    return (unsigned)((random_next(state) >> 33) % n);
}

/* True in one of n cases. */
static inline bool random_one_in(uint64_t *state, unsigned n)
{
    return random_below(state, n) == 0;
}

#endif
