/* SPDX-License-Identifier: MIT */
/* journal.h - what has been acknowledged and is not in the store yet. From any thread; may block. */
#ifndef KV_JOURNAL_H
#define KV_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hash.h"

/* Applies records (see writes.h) to the store, for good, and remembers `number` with them. */
typedef int journal_apply_fn(const char *writes, size_t len, uint64_t number);

/* JOURNAL_FOREIGN: a file there is of another store, or no journal, or of another version of it.
 * JOURNAL_GAP: entries are lost that are in neither the journal nor the store. JOURNAL_DAMAGED: an
 * entry is not whole any more, and whole ones stand behind it, so that it is not the last, which
 * may have been cut off. */
enum { JOURNAL_FOREIGN = -30700, JOURNAL_GAP = -30701, JOURNAL_DAMAGED = -30702 };

/* Opens the journal in a directory, or makes one, of the store that has this secret; what stands
 * there behind entry number `applied` is applied. `syncs`: each entry that is added is on disk at
 * once; else it is the system's until it is applied. 0, or a code: one of these, of errno or of
 * `apply`; then nothing that stands there is lost. */
int journal_open(const char *dir, const struct secret *secret, bool syncs, uint64_t applied,
                 journal_apply_fn *apply);
/* Applies what there is, and closes it. */
void journal_close(void);
/* Adds an entry. When it returns 0 the entry is on disk, or the system's (see journal_open); else it
 * counts for nothing, and the next one takes its place. Without writes (NULL, 0) it tells whether the
 * journal takes entries again. */
int journal_append(const char *writes, size_t len);
/* Tells whether an entry of this length would go into the file without waiting for the store: of who
 * alone adds entries. */
bool journal_takes(size_t len);
/* Applies all entries. When it returns 0 all that were added before are in the store; else those
 * that are not are kept, and applied the next time. */
int journal_apply(void);
/* Bytes that are not applied yet. */
size_t journal_pending(void);
/* Nothing is being written: gives back memory that was kept for more. */
void journal_rest(void);

#endif
