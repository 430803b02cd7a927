/* SPDX-License-Identifier: MIT */
/* intensity.h - whether restarts come too fast: more than so many within a period. Exact: each
 * restart's time is kept while it counts. */
#ifndef BSK_INTENSITY_H
#define BSK_INTENSITY_H

#include <stdbool.h>
#include <stdint.h>

struct intensity {
    uint64_t *times; /* a ring, the oldest at `first` */
    uint32_t cap, first, n;
};

/* Counts a restart now. Tells whether it is one too many: `most` are allowed within `period` ns,
 * which both ends belong to. For want of memory it is one too many. */
bool intensity_exceeded(struct intensity *x, uint64_t now, uint32_t most, uint64_t period);
void intensity_fini(struct intensity *x);

#endif
