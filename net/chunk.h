/* SPDX-License-Identifier: MIT */
/* chunk.h - bytes that wait to be sent: a list of blocks, filled at one end, emptied at the
 * other. */
#ifndef BSK_CHUNK_H
#define BSK_CHUNK_H

#include "actors/runtime.h"

struct chunk {
    struct chunk *next;
    uint32_t from, to, size; /* bytes[from..to) wait */
    char bytes[];
};

struct chunks {
    struct chunk *first, *last;
};

#define CHUNK_BUFS 16 /* for one system call */

/* Appends a copy of all n bytes. 0 or BSK_ENOMEM: then none. The worker's own call, as all. */
int chunks_append(struct worker *w, struct chunks *c, const void *bytes, size_t n);
/* Describes the first bytes in up to CHUNK_BUFS pieces; returns how many. */
unsigned chunks_view(const struct chunks *c, uv_buf_t *bufs);
/* Drops the first n bytes. */
void chunks_drop(struct worker *w, struct chunks *c, size_t n);
void chunks_free(struct worker *w, struct chunks *c);

#endif
