/* SPDX-License-Identifier: MIT */
/* writes.h - what is to be written to the store, as bytes: a row of records, to be applied in their
 * order. */
#ifndef KV_WRITES_H
#define KV_WRITES_H

#include "buffer.h"
#include "keyspace.h"

enum write_kind { WRITE_PUT, WRITE_GONE, WRITE_CLEAR };

/* CLEAR: all keys of the ranges from `hash` on, as many as `expires` says. */
struct record {
    uint64_t hash;
    int64_t expires;
    enum write_kind kind;
    struct arg key, value;
};

void writes_add(struct buffer *b, const struct record *r);
/* Reads the record at *at and goes behind it. False: there is none left. */
bool writes_next(const char **at, const char *end, struct record *r);

#endif
