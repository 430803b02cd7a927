/* SPDX-License-Identifier: MIT */
/* fault.h - faults of actors that end the actor. */
#ifndef BSK_FAULT_H
#define BSK_FAULT_H

#include "actors/runtime.h"

/* Begins, and ends, to contain faults for one more runtime. 0; BSK_EINVAL: not on this platform,
 * or not in this build. */
int fault_start(void);
void fault_stop(void);
/* A thread that runs actors gives its signals a stack of their own, and takes that back. */
void fault_enter_thread(struct worker *w);
void fault_leave_thread(struct worker *w);

#endif
