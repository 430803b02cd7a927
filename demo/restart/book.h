/* SPDX-License-Identifier: MIT */
/* book.h - what has become of each order, in memory: the journal, read from its beginning, gives
 * it back. */
#ifndef RESTART_BOOK_H
#define RESTART_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "journal.h"

struct order {
    int64_t id, amount;
};

/* Zero is an empty one; ids are small numbers from 1. */
struct book {
    struct page {
        int64_t amount;
        unsigned char kept, booked,
            refused; /* how often each was written; 1 at most, if all is well */
    } * pages;
    size_t cap;
    int64_t open, booked, refused;
    int64_t sum;    /* amounts of all orders */
    int64_t astray; /* records that cannot be: settled before kept, kept or settled twice */
};

enum { ID_MAX = 100000000 };

/* Undoes an initialised book, also an empty one. */
void book_fini(struct book *b);
/* Tells whether there is room for this id, after making it. */
bool book_reach(struct book *b, int64_t id);
bool book_has(const struct book *b, int64_t id);
bool book_has_settled(const struct book *b, int64_t id);
/* Writes a record into the book. False: no memory, or no id. */
bool book_write(struct book *b, const struct record *r);
/* Writes a journal into it. 0 or -1. */
int book_replay(struct book *b, int file);
/* Writes up to `max` orders that are open, the oldest first; returns how many. */
size_t book_open_orders(const struct book *b, struct order *out, size_t max);

#endif
