/* SPDX-License-Identifier: MIT */
/* forest.h - a generated workload of trees: supervisors, scopes, links, monitors, crashes, cancels.
 *
 * From a seed come supervisors of all strategies and scopes of all kinds, with fibers and handlers
 * in them that tie themselves to each other, and end in every way. What the trace tells and what
 * the actors hear is compared: who ended, when, why, who had to hear of it, and who is left. */
#ifndef SIMULATION_FOREST_H
#define SIMULATION_FOREST_H

#include "tests/sanitizers.h"

#include <stdbool.h>
#include <stdint.h>

/* How many times as long a run takes here, about. */
#define FO_SLOWNESS (UNDER_TSAN ? 5 : UNDER_ASAN ? 2 : 1)

struct fo_setup {
    uint64_t seed;
    unsigned workers; /* 0: a seeded runtime */
    unsigned trees;   /* supervisors under the root at the start */
    unsigned loners;  /* other actors there */
    unsigned most;    /* actors in the whole run, those that are restarted included */
    unsigned steps;   /* random things that each does at most */
    unsigned threads; /* that are no workers and take part */
    bool shut_down;   /* end it in the midst of things */
    bool starve;      /* allocations fail now and then */
    uint64_t nth;     /* with starve: this one alone, from the runtime's start */
};

struct fo_result {
    char fault[512]; /* the first thing that was wrong; empty: nothing */
    uint64_t digest; /* of a seeded run */
    uint64_t actors, supervisors, downs, exits, restarts, gave_up;
    uint64_t asked; /* allocations */
    uint64_t turns; /* times that another worker told of something than the one before */
};

/* Runs a forest and audits it. */
void fo_run(const struct fo_setup *setup, struct fo_result *out);
/* Returns a setup drawn from the seed, for a seeded runtime. */
struct fo_setup fo_seeded(uint64_t seed);
/* The same for a parallel one, but for workers and threads. */
struct fo_setup fo_parallel(uint64_t seed);

#endif
