/* SPDX-License-Identifier: MIT */
/* histogram.h - a log-linear histogram: 64 buckets to each power of two, so at most 1.6 % off. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include "bench.h"

enum {
    HISTOGRAM_BITS = 6,
    HISTOGRAM_SUB = 1 << HISTOGRAM_BITS,
    HISTOGRAM_BUCKETS = (64 - HISTOGRAM_BITS + 1) * HISTOGRAM_SUB
};

struct histogram {
    uint64_t count, max;
    uint64_t bucket[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, int64_t value);
/* Returns a value that `share` (0 to 1) of all values do not exceed; 0 if there are none. */
uint64_t histogram_quantile(const struct histogram *h, double share);
/* Reports the quantiles; the 99th percentile is the figure of the run, which must have b->n
 * values. */
void histogram_report(struct bench *b, const struct histogram *h);

#endif
