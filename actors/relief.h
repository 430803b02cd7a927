/* SPDX-License-Identifier: MIT */
/* relief.h - what waits behind a message that holds its loop goes on elsewhere. */
#ifndef BSK_RELIEF_H
#define BSK_RELIEF_H

#include "runtime.h"

/* The worker has got on with nothing for .slow_ms, since it stood at `ticks`. The watchdog's
 * call, at each look that finds it so. */
void rlf_held(struct bsk_rt *rt, struct worker *w, uint64_t ticks, uint64_t now);
/* Tells whether that is said of the worker, and still true. From any thread. */
bool rlf_is_held(const struct worker *w);
/* A relief's look around: at each tick, and when it has nothing to do. */
void rlf_look(struct worker *w, bool idle);
/* Tells whether it should soon look again; asked by a relief that is about to sleep. */
bool rlf_wanted(struct worker *w);

#endif
