/* SPDX-License-Identifier: MIT */
/* report.h - what the user sees. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "options.h"

/* All runs of one workload. */
struct report {
    const struct workload *workload;
    int64_t n;
    unsigned workers, runs;
    double least, most;
    struct bench_sample median; /* the whole run whose figure is the median */
    double ratio;               /* how many times better than an earlier run; 0: not compared */
};

/* Sums samples up, at least one, and sorts them on the way. */
void report_sum_up(struct report *r, struct bench_sample *samples, unsigned runs);
void report_table_head(const struct options *o);
void report_table_row(const struct report *r);
void report_json(const struct report *r);

/* Returns how many times better `value` is than what the file says of the workload, or 0 if it says
 * nothing of it. */
double compare_with(const char *path, const struct workload *w, double value);

/* Draws `made` of `of` runs on standard error if that is a terminal; wipes it when all are made. */
void progress_show(const struct workload *w, unsigned made, unsigned of);

#endif
