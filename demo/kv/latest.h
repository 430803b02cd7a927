/* SPDX-License-Identifier: MIT */
/* latest.h - of many writes the last to each key, in about the order of the store. */
#ifndef KV_LATEST_H
#define KV_LATEST_H

#include <stddef.h>

#include "writes.h"

struct place {
    uint64_t hash;
    const char *at; /* the record */
};

struct latest {
    struct place *places; /* by hash; of equal ones in their order */
    size_t n, next;
    const char *end;
};

/* Puts the records of a row, which stays where it is, in order. False: the row has to be taken as it
 * is, as it clears ranges, or there is no memory; then there is nothing to free. */
bool latest_sort(struct latest *l, const char *writes, const char *end);
/* Reads the next record. False: there is none left. */
bool latest_next(struct latest *l, struct record *r);
void latest_free(struct latest *l);

#endif
