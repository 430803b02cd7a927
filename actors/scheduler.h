/* SPDX-License-Identifier: MIT */
/* scheduler.h - which actor runs next, on which thread, and when a thread sleeps. */
#ifndef BSK_SCHEDULER_H
#define BSK_SCHEDULER_H

#include "runtime.h"

#define LOOK_NS UINT64_C(1000000) /* between two looks at workers that may be held */

/* Makes a worker, in the caller's storage, zeroed. 0 or BSK_ENOMEM. No thread runs yet. */
int sch_init(struct worker *w, struct bsk_rt *rt, unsigned index);
void sch_fini(struct worker *w);
/* A worker's thread, until the runtime halts or, solo, its actor has ended. */
void sch_main(void *worker);
/* Seeded: runs until `until` holds, or nothing more can happen up to `limit`. Tells whether it
 * holds. */
bool sch_drive(struct worker *w, bool (*until)(void *arg), void *arg, uint64_t limit);
/* Puts an actor at the end of the calling worker's queue. */
void sch_enqueue(struct worker *w, bsk_self *a);
/* Puts an actor into a worker's inbox, and wakes it if it is parked. From any thread. */
void sch_send_home(struct bsk_rt *rt, bsk_self *a, struct worker *to);
/* Returns where an actor may run, if not on the calling thread. */
struct worker *sch_home(struct bsk_rt *rt, const bsk_self *a);
/* Wakes a worker, if it is parked. From any thread. */
void sch_ring(struct worker *w);
/* Sees that a worker wakes by then, if it is parked. The caller holds its wheel's lock. */
void sch_alarm(struct worker *w, uint64_t due);
/* Waits for something on the worker's loop, or its bell, for at most that long. Its own thread. */
void sch_sleep(struct worker *w, uint64_t ns);
/* Returns a new worker with a thread for one actor, or NULL: *rc says why. */
struct worker *sch_add_solo(struct bsk_rt *rt, int *rc);
/* The same with a relief's thread; see relief.c. */
struct worker *sch_add_relief(struct bsk_rt *rt, int *rc);
/* Takes over what waits with v, which one message holds: actors queued and in its inbox, as many
 * as may be moved at once, and timers that are due. The call of w; tells whether it got actors. */
bool sch_relieve(struct worker *w, struct worker *v);
/* Tells whether anything waits with v that sch_relieve would take. From the watchdog. */
bool sch_keeps_waiting(struct worker *v, uint64_t now);
/* Gives what is queued here and may run elsewhere to loops: a part to those that sleep; or all. */
void sch_share(struct worker *w);
void sch_hand_back(struct worker *w);

#endif
