/* SPDX-License-Identifier: MIT */
/* journal.h - the file that the book is in.
 *
 * It is only ever appended to, a record at a time in one write, so that whoever starts anew can
 * read what happened. The demo's file has no name and goes with the process; one that has to
 * outlive the machine's power adds an fsync, on the blocking pool (bsk_work). */
#ifndef RESTART_JOURNAL_H
#define RESTART_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

enum entry { KEPT, BOOKED, REFUSED };

struct record {
    int64_t id, amount;
    int64_t entry; /* of enum entry */
};

/* Opens a new one. Returns a file descriptor, or -1 and errno. */
int journal_open(void);
/* 0; -1: it could not be written, and nothing was; -2: half of it was. */
int journal_append(int file, const struct record *r);
/* Calls each(arg, record) for all records, in their order, until that returns false. 0, or -1: it
 * could not be read, or each() said stop. */
int journal_read(int file, bool (*each)(void *arg, const struct record *r), void *arg);

#endif
