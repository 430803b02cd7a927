/* SPDX-License-Identifier: MIT */
/* hash.h - where a key belongs. */
#ifndef KV_HASH_H
#define KV_HASH_H

#include <stddef.h>
#include <stdint.h>

/* The hash depends on a secret, so that nobody can choose keys that meet in one place. The store
 * keeps the secret: the upper 16 bits of the hash, its range, stand before each key there. */
struct secret {
    uint64_t a, b;
};

/* No bytes (NULL, 0) have a hash, too. */
uint64_t hash_of(const struct secret *s, const void *bytes, size_t n);

enum { RANGES = 65536 };

static inline unsigned hash_range(uint64_t hash)
{
    return (unsigned)(hash >> 48);
}

/* Each shard has a run of ranges. */
static inline unsigned shard_of(uint64_t hash, unsigned shards)
{
    return hash_range(hash) * shards >> 16;
}

/* The first range of a shard; of `shard + 1`, where it ends. */
static inline unsigned shard_from(unsigned shard, unsigned shards)
{
    return (unsigned)(((uint64_t)shard * RANGES + shards - 1) / shards);
}

#endif
