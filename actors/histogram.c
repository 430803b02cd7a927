/* SPDX-License-Identifier: MIT */
/* histogram.c - the reading side of histograms; adding is inline in the header. */
#include "histogram.h"

#include <assert.h>

static uint64_t load(const _Atomic uint64_t *p)
{
    return atomic_load_explicit(p, memory_order_relaxed);
}

static void store(_Atomic uint64_t *p, uint64_t v)
{
    atomic_store_explicit(p, v, memory_order_relaxed);
}

/* Returns the highest value that bucket i counts. */
static uint64_t highest_in(unsigned i)
{
    if (i < HIST_SUB) return i;
    unsigned shift = i / HIST_SUB - 1;
    uint64_t lowest = (uint64_t)(i - shift * HIST_SUB) << shift;
    return lowest + ((1ull << shift) - 1);
}

/* Returns the rank, from 1, of the value below or at which the share q of `count` values lies. */
static uint64_t rank_of(double q, uint64_t count)
{
    double want = q * (double)count;

    /* Before the conversion, which a product rounded up to 2^64 would not survive. */
    if (want >= (double)count) return count;
    uint64_t rank = (uint64_t)want;
    if ((double)rank < want || rank == 0) rank++;
    return rank < count ? rank : count;
}

void hist_merge(struct hist *into, const struct hist *from)
{
    assert(into != from);
    if (load(&from->max) > load(&into->max)) store(&into->max, load(&from->max));
    for (unsigned i = 0; i < HIST_BUCKETS; i++) {
        uint64_t n = load(&from->bucket[i]);
        if (n) store(&into->bucket[i], load(&into->bucket[i]) + n);
    }
}

uint64_t hist_quantile(const struct hist *h, double q)
{
    assert(q >= 0 && q <= 1);
    uint64_t count = hist_count(h), max = hist_max(h), seen = 0;
    if (!count) return 0;

    uint64_t rank = rank_of(q, count);
    for (unsigned i = 0; i < HIST_BUCKETS; i++) {
        seen += load(&h->bucket[i]);
        if (seen >= rank) return highest_in(i) < max ? highest_in(i) : max;
    }
    return max;
}

uint64_t hist_count(const struct hist *h)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < HIST_BUCKETS; i++) count += load(&h->bucket[i]);
    return count;
}

uint64_t hist_max(const struct hist *h)
{
    return load(&h->max);
}

void hist_reset(struct hist *h)
{
    store(&h->max, 0);
    for (unsigned i = 0; i < HIST_BUCKETS; i++) store(&h->bucket[i], 0);
}
