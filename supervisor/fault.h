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
/* The worker is gone. */
void fault_free_worker(struct worker *w);
/* Ends the actor on the worker, if it is in its own code just now and has not got on since it was
 * seen at these `ticks` and `until`. From any thread. */
void fault_interrupt(struct worker *w, const bsk_self *a, uint64_t ticks, int until);

#endif
