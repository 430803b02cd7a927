/* SPDX-License-Identifier: MIT */
/* conformance.h - what the conformance tests share.
 *
 * A test is named after the case that it translates. Most are a fiber that runs alone in a runtime
 * with a seed, in virtual time, again for many seeds. So its variables can be the file's. */
#ifndef BSK_CONFORMANCE_H
#define BSK_CONFORMANCE_H

#include "buskin.h"

#include <check.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

/* The seed that runs now; 0: none. Failures print it. */
extern uint64_t seed_now;

#define expect(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) ck_abort_msg("seed %" PRIu64 ": %s", seed_now, #condition);              \
    } while (0)
#define expect_eq(a, b)                                                                            \
    do {                                                                                           \
        intmax_t a_ = (intmax_t)(a), b_ = (intmax_t)(b);                                           \
        if (a_ != b_)                                                                              \
            ck_abort_msg("seed %" PRIu64 ": %s is %" PRIdMAX ", %s is %" PRIdMAX, seed_now, #a,    \
                         a_, #b, b_);                                                              \
    } while (0)

/* Starts a runtime under the seed. Its log lines and ends of actors are kept, see below. */
bsk_rt *start_seeded(uint64_t seed);
/* Starts a runtime of so many threads, in real time: for what only happens between threads. */
bsk_rt *start_parallel(unsigned workers);
/* Runs the fiber as the first actor until all have ended. Returns bsk_wait's status. */
int run_seeded(uint64_t seed, bsk_fiber *f);
/* The same under the seeds 1 to n; each has to end with the status. */
void run_seeds(unsigned n, int status, bsk_fiber *f);
/* Returns why the actor ended, an enum bsk_reason, or -1 if it has not. */
int reason_of(bsk_addr who);
/* Returns the latest log line, "" if there is none. */
const char *logged(void);
/* Returns the dead letters of the kind so far. */
uint64_t dead_letters(bsk_rt *rt, enum bsk_dead why);
/* Returns the time, in ms, of the actor's runtime. */
int64_t now(bsk_self *self);

/* How an actor can end; end_by does it, to oneself or from elsewhere. */
enum end { END_EXIT, END_FAIL, END_RETURN, END_STOPPED, END_KILLED, END_COUNT };
/* Ends the calling actor in that way; comes back for END_RETURN, and for the last two, which take
 * effect at its next wait or return. */
void end_by(bsk_self *self, enum end how);
/* What reason_of says then. */
int reason_for(enum end how);
/* bsk_wait's status when an actor under the root has ended so. */
int status_for(enum end how);

/* Runs a suite of one test case with a time limit in seconds; main's exit status. */
int run_suite(const char *name, TCase *tests, double limit);

#endif
