/* SPDX-License-Identifier: MIT */
/* histogram.h - how values are spread over 64 bits, to within 1/32 of each, in 15 KiB.
 *
 * Values below 32 are counted exactly; above, every power of two has 32 buckets. One thread at a
 * time adds; any number may read meanwhile, and miss at most what is just being added. Nothing
 * here can fail or allocates. */
#ifndef BSK_HISTOGRAM_H
#define BSK_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

#define HIST_BITS 5
#define HIST_SUB (1u << HIST_BITS) /* buckets for each power of two */
#define HIST_BUCKETS ((64 - HIST_BITS + 1) * HIST_SUB)

/* In the caller's storage; zeroed, it is empty. The fields are private. All accesses are
 * relaxed: each count stands for itself and publishes nothing else. */
struct hist {
    _Atomic uint64_t max;
    _Atomic uint64_t bucket[HIST_BUCKETS];
};

/* Returns the bucket of the value. */
static inline unsigned hist_bucket_(uint64_t v)
{
    if (v < HIST_SUB) return (unsigned)v;
    unsigned shift = 63 - HIST_BITS - (unsigned)__builtin_clzll(v);
    return shift * HIST_SUB + (unsigned)(v >> shift);
}

/* Counts the value. For the one writer: it loads and stores, so two at once would lose counts. */
static inline void hist_add(struct hist *h, uint64_t v)
{
    _Atomic uint64_t *b = &h->bucket[hist_bucket_(v)];

    if (v > atomic_load_explicit(&h->max, memory_order_relaxed))
        atomic_store_explicit(&h->max, v, memory_order_relaxed);
    atomic_store_explicit(b, atomic_load_explicit(b, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* Adds all that `from` has counted to `into`, of which the caller is the writer; `from` may be
 * written meanwhile. */
void hist_merge(struct hist *into, const struct hist *from);

/* Returns a value that the share q of all those counted, 0 to 1, does not exceed: the highest
 * that shares a bucket with the one of rank q * count (rounded up, at least 1), but not above
 * the maximum. So it is at most 1/32 too high, and never too low. 0 when empty. Reads all
 * buckets: some microseconds. */
uint64_t hist_quantile(const struct hist *h, double q);

/* Returns how many values were counted. Reads all buckets. */
uint64_t hist_count(const struct hist *h);

/* Returns the greatest value counted, exactly; 0 when empty. */
uint64_t hist_max(const struct hist *h);

/* Forgets all values. For the writer; a reader at the same time sees part of them. */
void hist_reset(struct hist *h);

#endif
