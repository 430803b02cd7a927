/* SPDX-License-Identifier: MIT */
/* bench.h - what the workloads of buskin-bench share: a run, its driver, its checks, its clock. */
#ifndef BENCH_H
#define BENCH_H

#include <buskin.h>

BSK_MSG(go, (i64, n));     /* the clock runs: begin, with this much to do */
BSK_MSG(go_on);            /* to oneself, after a slice: lets others run */
BSK_MSG(done, (i64, sum)); /* one part is done; to the driver */

enum {
    BENCH_SLICE = 256,    /* messages sent before a handler lets others run */
    BENCH_MAX_FIRST = 128 /* actors that one run begins with */
};

struct bench_extra {
    char name[16];
    double value;
};

/* What one run measured. Plain bytes: it travels through a pipe. */
struct bench_sample {
    int64_t ops, ns, cpu_ns;
    double value; /* in the workload's unit; the workload sets it only under AS_GIVEN */
    unsigned nextras;
    struct bench_extra extra[8];
};

/* One run of a workload, in a process that may have had a warm-up run of it. */
struct bench {
    bsk_rt *rt;
    bsk_addr driver; /* hears `done` from each part */
    int64_t n;       /* the size asked for */
    int64_t sum;     /* of all `done`, after bench_run */
    unsigned nfirst;
    struct {
        bsk_addr who;
        int64_t n;
    } first[BENCH_MAX_FIRST];
    struct bench_sample out;
};

/* Spawns the driver of a run. The bench must outlive the runtime. */
void bench_init(struct bench *b, bsk_rt *rt, int64_t n);
/* Adds an actor that is told `go` with n when the clock starts. */
void bench_first(struct bench *b, bsk_addr who, int64_t n);
/* Starts the clock, tells the first ones to go and waits for `parts` times `done`. Sets b->sum,
 * and in b->out the time between, as the driver saw it, so that waking the caller is not
 * measured. */
void bench_run(struct bench *b, int64_t parts);
/* Adds a figure to the report, at most 8 in a run. */
void bench_extra(struct bench *b, const char *name, double value);
/* Waits, in a fiber, for `go`; returns its n. */
int64_t bench_wait_go(bsk_self *self);

/* The checks end the process with status 1 and say what is wrong: a benchmark that has lost a
 * message has measured nothing. From any thread. */
void bench_check(int64_t got, int64_t want, const char *what);
void bench_must(int rc, const char *what);
/* Passes an address on that must not be nobody; `self` is who spawned it, or NULL. */
bsk_addr bench_born(const bsk_self *self, bsk_addr a);

/* Return monotonic time, and user and system time of the process, in nanoseconds. */
int64_t bench_now(void);
int64_t bench_cpu(void);
/* Return 1 + 2 + ... + n. */
int64_t bench_sum_to(int64_t n);

#endif
