/* SPDX-License-Identifier: MIT */
/* workload.h - a generated workload: actors that do random things, and books that must balance.
 *
 * From a seed come some dozens to hundreds of actors ("players") of all kinds. Each does a number
 * of random things, then ends in some way, or lingers until it is stopped. Everything that is sent
 * is entered in the run's books; when the runtime has ended they are audited: what was accepted was
 * handled, or was a dead letter, exactly; what was owned was freed exactly once. */
#ifndef SIMULATION_WORKLOAD_H
#define SIMULATION_WORKLOAD_H

#include <stdbool.h>
#include <stdint.h>

struct wl_setup {
    uint64_t seed;
    unsigned workers; /* 0: a seeded runtime */
    unsigned players; /* at the start */
    unsigned most;    /* with those that are spawned later */
    unsigned steps;   /* random things that each does at most */
    unsigned threads; /* that are no workers and take part */
    bool shut_down;   /* end it in the midst of things */
};

struct wl_result {
    char fault[512]; /* the first thing that was wrong; empty: nothing */
    uint64_t digest; /* of a seeded run */
    uint64_t handled, dead, players;
};

/* Runs a workload and audits it. */
void wl_run(const struct wl_setup *setup, struct wl_result *out);
/* Returns a setup drawn from the seed, for a seeded runtime. */
struct wl_setup wl_seeded(uint64_t seed);
/* The same for a parallel one. */
struct wl_setup wl_parallel(uint64_t seed);

#endif
