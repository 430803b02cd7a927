/* SPDX-License-Identifier: MIT */
/* store.h - the keys on disk, in LMDB; journal.h writes there. All words may block: they are for threads, not for actors. */
#ifndef KV_STORE_H
#define KV_STORE_H

#include "buffer.h"
#include "hash.h"
#include "protocol.h"

/* Opens, or creates, the store in a directory, which may hold up to `limit` bytes, with its journal,
 * which syncs each entry or none. 0, or a code for store_error. */
int store_open(const char *dir, uint64_t limit, bool syncs, struct secret *secret);
void store_close(void);
const char *store_error(int rc);

/* Reads keys of the ranges from `from` to below `to`, which stand behind `after` (empty: from the
 * first), as records. *more: there are more. */
int store_load(unsigned from, unsigned to, struct arg after, struct buffer *out, bool *more);

#endif
