/* SPDX-License-Identifier: MIT */
/* options.h - the command line. */
#ifndef KV_OPTIONS_H
#define KV_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum durability { DURABLE_NONE, DURABLE_EVERYSEC, DURABLE_GROUP, DURABLE_EACH };
extern const char *const durability_names[];

struct options {
    const char *bind, *unix_path, *dir, *password;
    int port;
    unsigned workers, shards, max_clients, queue;
    enum durability durability;
    uint64_t memory; /* bytes; 0: no limit */
    uint64_t store;  /* bytes that the store's file may have */
    double chaos;    /* faults a second */
    uint64_t seed;   /* of chaos */
    int64_t idle_ms;
};

/* Reads the command line. Ends the process after --help and --version, and with status 2 when the
 * command line makes no sense. */
void options_read(struct options *o, int argc, char **argv);

#endif
