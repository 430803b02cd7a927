/* SPDX-License-Identifier: MIT */
/* histogram.c - see histogram.h. Below 64 a bucket holds one value; above, 64 share a power of
 * two. */
#include "histogram.h"

static unsigned bucket_of(uint64_t v)
{
    if (v < HISTOGRAM_SUB) return v;
    unsigned shift = 63 - __builtin_clzll(v) - HISTOGRAM_BITS;
    return shift * HISTOGRAM_SUB + (v >> shift);
}

static uint64_t highest_in(unsigned bucket)
{
    if (bucket < HISTOGRAM_SUB) return bucket;
    unsigned shift = bucket / HISTOGRAM_SUB - 1;
    uint64_t next = bucket - shift * HISTOGRAM_SUB + 1;
    return (next << shift) - 1;
}

void histogram_add(struct histogram *h, int64_t value)
{
    uint64_t v = value > 0 ? value : 0;
    h->bucket[bucket_of(v)]++;
    h->count++;
    if (v > h->max) h->max = v;
}

uint64_t histogram_quantile(const struct histogram *h, double share)
{
    double seen = 0, want = share * h->count;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen > 0 && seen >= want) return highest_in(i) < h->max ? highest_in(i) : h->max;
    }
    return h->max;
}

void histogram_report(struct bench *b, const struct histogram *h)
{
    bench_check(h->count, b->n, "latencies measured");
    b->out.ops = b->n;
    b->out.value = histogram_quantile(h, 0.99);
    bench_extra(b, "p50", histogram_quantile(h, 0.5));
    bench_extra(b, "p90", histogram_quantile(h, 0.9));
    bench_extra(b, "p99", histogram_quantile(h, 0.99));
    bench_extra(b, "p99.9", histogram_quantile(h, 0.999));
    bench_extra(b, "p99.99", histogram_quantile(h, 0.9999));
    bench_extra(b, "max", h->max);
}
