/* SPDX-License-Identifier: MIT */
/* due.h - who is next, of many that wait each for its time: a heap of items that bear their own
 * links, so adding to it cannot fail. Of those with one time the first added comes first. */
#ifndef BSK_DUE_H
#define BSK_DUE_H

#include <stdint.h>

/* In the item. */
struct due {
    struct due *below, *next; /* the first of those below it; the next beside it */
    struct due *prev;         /* beside it; of a first one, the one above */
    uint64_t at, turn;
};

/* Zero is an empty one. */
struct dues {
    struct due *first;
    uint64_t turns;
};

void due_add(struct dues *h, struct due *d, uint64_t at);
/* Takes out one that is in it. */
void due_remove(struct dues *h, struct due *d);

#endif
