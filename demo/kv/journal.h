/* SPDX-License-Identifier: MIT */
/* journal.h - what has been acknowledged and is not in the store yet. From any thread; may block. */
#ifndef KV_JOURNAL_H
#define KV_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

/* Applies records (see writes.h) to the store, for good, and remembers `number` with them. */
typedef int journal_apply_fn(const char *writes, size_t len, uint64_t number);

/* Opens the journal in a directory; what stands there behind entry number `applied` is applied. 0,
 * or a code of errno or of `apply`. */
int journal_open(const char *dir, uint64_t applied, journal_apply_fn *apply);
/* Applies what there is, and closes it. */
void journal_close(void);
/* Adds an entry. When it returns 0 the entry is on disk. */
int journal_append(const char *writes, size_t len);
/* Applies all entries. When it returns 0 all that were added before are in the store. */
int journal_apply(void);
/* Bytes that are not applied yet. */
size_t journal_pending(void);

#endif
