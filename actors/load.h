/* SPDX-License-Identifier: MIT */
/* load.h - how busy each loop is; by that, what actors open is placed, and moved. */
#ifndef BSK_LOAD_H
#define BSK_LOAD_H

#include "runtime.h"

/* In thousandths: from here on a loop takes no more if another is less busy. */
#define LOAD_ENOUGH 500
/* From here on it is full: it gives to others what can be moved. */
#define LOAD_FULL 900

/* The loop for what comes now: this one, while it is not busy, for what stays on one loop needs no
 * other's waking; else the least busy. */
struct worker *load_place(struct worker *here);
/* A full loop and one with time left; false: there are no such. */
bool load_uneven(struct bsk_rt *rt, struct worker **full, struct worker **other);
/* Measures, and has the floor above move things when loops have been uneven for some looks while
 * cores had nothing to do. The watchdog's, at each look. */
void load_look(struct bsk_rt *rt, uint64_t now);
/* All loops sleep, and nobody looks until one wakes: none is busy. */
void load_rest(struct bsk_rt *rt);

#endif
