/* SPDX-License-Identifier: MIT */
/* options.h - the command line. */
#ifndef KVC_OPTIONS_H
#define KVC_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct options {
    const char *host;
    int port;
    unsigned connections, keys, pipeline, workers; /* keys: of each connection */
    int64_t load_ms, patience_ms;
    uint64_t seed, least; /* least: writes to be acknowledged */
    bool quiet;
};

/* Reads the command line. Ends the process after --help, and with status 2 when the command line
 * makes no sense. */
void options_read(struct options *o, int argc, char **argv);

#endif
