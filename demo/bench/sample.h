/* SPDX-License-Identifier: MIT */
/* sample.h - one measured run. */
#ifndef BENCH_SAMPLE_H
#define BENCH_SAMPLE_H

#include "workloads.h"

/* Runs the workload in a process of its own, after a warm-up there. False if it went wrong; then
 * that process has said what, or how it ended is said here. */
bool sample_take(const struct workload *w, unsigned workers, int64_t n, struct bench_sample *out);

#endif
