/* SPDX-License-Identifier: MIT */
/* scheduler.h - which actor runs next, on which thread, and when a thread sleeps. */
#ifndef BSK_SCHEDULER_H
#define BSK_SCHEDULER_H

#include "runtime.h"

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
/* Returns a new worker with a thread for one actor, or NULL: *rc says why. */
struct worker *sch_add_solo(struct bsk_rt *rt, int *rc);

#endif
