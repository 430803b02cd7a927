/* SPDX-License-Identifier: MIT */
/* options.h - the command line. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include "workloads.h"

struct options {
    unsigned workers, repeat;
    int64_t n; /* 0: each workload's own */
    bool json, no_touch;
    const char *compare; /* file of an earlier --json run, or NULL */
    int echo_port;       /* not 0: serve an echo there, measure nothing */
    unsigned nchosen;
    const struct workload *chosen[WORKLOADS_MAX];
};

enum { REPEAT_MAX = 1000 };

/* Reads the command line. Ends the process after --help, --list and --version, and with status 2
 * when the command line makes no sense. */
void options_read(struct options *o, int argc, char **argv);

#endif
