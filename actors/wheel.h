/* SPDX-License-Identifier: MIT */
/* wheel.h - timers by the million: a hierarchical timing wheel over nodes that the caller owns.
 *
 * A pure data structure: it takes no lock (the caller does), allocates nothing and reads no clock.
 * Times are nanoseconds from any origin, 0 and UINT64_MAX included. Nothing here can fail. */
#ifndef BSK_WHEEL_H
#define BSK_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#define WHL_TICK_BITS 17 /* a tick is 131 us: one slot of the lowest level */
#define WHL_LEVEL_BITS 6
#define WHL_SLOTS (1u << WHL_LEVEL_BITS)
#define WHL_LEVELS ((64 - WHL_TICK_BITS + WHL_LEVEL_BITS - 1) / WHL_LEVEL_BITS)
#define WHL_RUNS 64

/* A timer, inside a thing of the caller's that stays in place while it is filed. Starts zeroed; the
 * fields are the wheel's, of which the caller may read `due`, also after the node has left. */
struct whl_node {
    struct whl_node *next, *prev;
    uint64_t due; /* ns */
    uint64_t seq; /* the order of adding, from 1; 0: not filed */
};

struct whl_slot {
    struct whl_node *first; /* the list is roughly from the newest to the oldest */
    uint64_t soonest;       /* not after any of them; means nothing in an empty slot */
};

/* The wheel, in the caller's storage; all fields are private to wheel.c. */
struct whl {
    uint64_t tick;              /* the slots hold what is due in later ticks, the runs all else */
    uint64_t seq, count;        /* given to the last added; how many are filed */
    uint64_t levels;            /* bit i: level i has a slot in use */
    uint64_t used[WHL_LEVELS];  /* bit i: slot i has nodes */
    uint64_t stale[WHL_LEVELS]; /* bit i: slot i may have lost its soonest node */
    uint64_t runs;              /* bit i: run[i] has nodes */
    struct whl_node *run[WHL_RUNS]; /* sorted lists; run[i] took at least 2^i nodes to grow */
    struct whl_slot slot[WHL_LEVELS][WHL_SLOTS];
};

/* Makes the wheel empty, with `now` as its time. There is no fini: it owns nothing. */
void whl_init(struct whl *w, uint64_t now);

/* Files the node, which must not be filed, until it is collected or removed. A `due` in the past
 * is due at the next collect. O(1); into the current tick, O(log n) on average over the n nodes
 * of that tick. */
void whl_add(struct whl *w, struct whl_node *n, uint64_t due);

/* Takes the node, which must be filed in this wheel, out of it: it is the caller's again and is not
 * collected. Allowed at any time between calls. O(1). */
void whl_remove(struct whl *w, struct whl_node *n);

/* Tells whether the node is in a wheel: false for one zeroed, removed or collected. */
bool whl_filed(const struct whl_node *n);

/* Returns the earliest node that is due at `now` (due <= now, exact to the nanosecond), the
 * earliest added of those due at once, after removing it; NULL when none is. Call until NULL:
 * this brings the wheel to `now`. Adding and removing between the calls keeps the order; a `now`
 * that goes back is safe and merely finds less. */
struct whl_node *whl_collect(struct whl *w, uint64_t now);

/* Returns when to collect next: UINT64_MAX in an empty wheel, else the earliest due or a time
 * before it. It is exact for what is due within the current turn of the lowest level (8 ms), and
 * mostly so beyond; where the earliest was removed, that costs a look at all nodes of its tick.
 * Collecting at the times returned reaches the earliest due in at most one step for each level. */
uint64_t whl_next(const struct whl *w);

/* Returns the earliest due exactly, UINT64_MAX in an empty wheel. Looks at all nodes of one slot
 * when the earliest of them was removed. */
uint64_t whl_exact(const struct whl *w);

/* Returns how many nodes are filed. */
uint64_t whl_count(const struct whl *w);

#endif
