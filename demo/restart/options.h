/* SPDX-License-Identifier: MIT */
/* options.h - the command line. */
#ifndef RESTART_OPTIONS_H
#define RESTART_OPTIONS_H

#include "script.h"
#include "stage.h"

struct options {
    bool plain;
    bool all;                        /* scenarios */
    const struct scenario *scenario; /* one of them, or NULL */
    uint64_t seed;
    int64_t seconds; /* 0: until told to quit */
    unsigned workers;
    struct script script;
};

/* Reads the command line. Ends the process after --help, --list and --version, and with status 2
 * when the command line makes no sense. */
void options_read(struct options *o, int argc, char **argv);

#endif
