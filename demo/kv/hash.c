/* SPDX-License-Identifier: MIT */
/* hash.c - SipHash-1-3, as its authors describe it. */
#include "hash.h"

#include <string.h>

static inline uint64_t rotate(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

struct state {
    uint64_t v0, v1, v2, v3;
};

static inline void mix(struct state *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 = rotate(s->v2, 32);
}

static inline void take(struct state *s, uint64_t word)
{
    s->v3 ^= word;
    mix(s);
    s->v0 ^= word;
}

/* The bytes that are left, and the length on top of them. */
static inline uint64_t last_word(const unsigned char *p, size_t n)
{
    uint64_t word = 0;
    if (n & 7) memcpy(&word, p, n & 7); /* memcpy does not take NULL */
    return word | (uint64_t)n << 56;
}

uint64_t hash_of(const struct secret *key, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    struct state s = {key->a ^ UINT64_C(0x736f6d6570736575), key->b ^ UINT64_C(0x646f72616e646f6d),
                      key->a ^ UINT64_C(0x6c7967656e657261), key->b ^ UINT64_C(0x7465646279746573)};
    for (size_t i = n / 8; i; i--, p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        take(&s, word);
    }
    take(&s, last_word(p, n));
    s.v2 ^= 0xff;
    for (int i = 0; i < 3; i++) mix(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
