/* SPDX-License-Identifier: MIT */
/* The one source of time and of randomness: real, or virtual and seeded. */
#include "clock.h"

uint64_t clk_now(const struct bsk_rt *rt)
{
    return rt->seeded ? rt->virtual_now : uv_hrtime() - rt->started;
}

uint64_t clk_deadline(uint64_t now, int64_t ms)
{
    if (ms < 0) return NEVER;
    if ((uint64_t)ms > (NEVER - 1 - now) / NS_PER_MS) return NEVER - 1;
    return now + (uint64_t)ms * NS_PER_MS;
}

int64_t bsk_now(bsk_rt *rt)
{
    return (int64_t)(clk_now(rt) / NS_PER_MS);
}

/* splitmix64, by Sebastiano Vigna: spreads a seed of any quality. */
static uint64_t spread(uint64_t *x)
{
    uint64_t z = *x += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t rotl(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

/* xoroshiro128++, by David Blackman and Sebastiano Vigna. */
uint64_t rnd_next(uint64_t state[2])
{
    uint64_t a = state[0], b = state[1], result = rotl(a + b, 17) + a;
    b ^= a;
    state[0] = rotl(a, 49) ^ b ^ (b << 21);
    state[1] = rotl(b, 28);
    return result;
}

void rnd_seed(uint64_t state[2], uint64_t seed)
{
    state[0] = spread(&seed);
    state[1] = spread(&seed);
}

uint64_t rnd_entropy(void)
{
    uint64_t x = 0;
    if (uv_random(NULL, NULL, &x, sizeof x, 0, NULL) != 0) x = uv_hrtime() ^ (uintptr_t)&x;
    return x ? x : 1;
}

uint64_t bsk_random(bsk_self *self)
{
    return rnd_next(self->worker->random);
}
