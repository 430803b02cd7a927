/* SPDX-License-Identifier: MIT */
/* workloads.h - the list of workloads. */
#ifndef BENCH_WORKLOADS_H
#define BENCH_WORKLOADS_H

#include "bench.h"

/* How a workload's figure follows from its time and operations. All but OPS_PER_S: less is
 * better. */
enum measure { NS_PER_OP, OPS_PER_S, WALL_S, CPU_S, AS_GIVEN };

enum {
    BIG = 1,   /* needs gigabytes */
    FAILS = 2, /* an actor of it fails, as it should */
    LOUD = 4,  /* actors fail below a supervisor, which says so */
    FAULTS = 8 /* and commit faults */
};

struct workload {
    const char *name;
    void (*run)(struct bench *b);
    enum measure measure;
    const char *unit;
    int64_t n;         /* default size */
    int64_t most_warm; /* limit of the warm-up's size, n / 10; 0: none */
    unsigned flags;
    const char *about;
};

enum { WORKLOADS_MAX = 32 };

/* Ends with a workload without a name. */
extern const struct workload workloads[];
/* Returns the workload of this name, or NULL. */
const struct workload *workload_find(const char *name);

void run_pingpong(struct bench *b);
void run_pingpong_fiber(struct bench *b);
void run_ring(struct bench *b);
void run_ring_fiber(struct bench *b);
void run_ring100(struct bench *b);
void run_fanin(struct bench *b);
void run_fanin_fiber(struct bench *b);
void run_fanout(struct bench *b);
void run_spawn(struct bench *b);
void run_skynet(struct bench *b);
void run_big(struct bench *b);
void run_chameneos(struct bench *b);
void run_idle(struct bench *b);
void run_idle_fiber(struct bench *b);
void run_ask(struct bench *b);
void run_ask_handler(struct bench *b);
void run_timers(struct bench *b);
void run_mailbox(struct bench *b);
void run_latency(struct bench *b);
void run_wake(struct bench *b);
void run_restart(struct bench *b);
void run_tree(struct bench *b);
void run_faults(struct bench *b);

#endif
