/* SPDX-License-Identifier: MIT */
/* trim.h - giving memory back. */
#ifndef BSK_TRIM_H
#define BSK_TRIM_H

#include "runtime.h"

#define TRIM_AFTER_NS (UINT64_C(100) * NS_PER_MS)
/* When an idle worker should give memory back: NEVER if there is nothing worth it. */
uint64_t trm_due(struct worker *w);
/* Gives back what lies free here and in the pools. The idle worker's own call. */
void trm_run(struct worker *w);
/* Waits until nobody trims: for who has just entered. */
void trm_wait(struct bsk_rt *rt);

#endif
