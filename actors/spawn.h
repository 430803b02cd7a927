/* SPDX-License-Identifier: MIT */
/* spawn.h - starting an actor, and taking back what that made. */
#ifndef BSK_SPAWN_H
#define BSK_SPAWN_H

#include "runtime.h"

#define SPAWN_FINISH_MS 5000 /* an actor's time to stop, if it does not say */

/* Ties the new actor to others, before anyone can know of it. */
typedef void spawn_tie_fn(struct worker *w, bsk_self *a, bsk_addr who, void *arg);
/* Starts an actor. With `tie` it has what few handlers have, and is tied when nothing can fail
 * any more. bsk_spawn's codes. */
int spawn_actor(struct worker *w, struct bsk_rt *rt, bsk_behavior b, const bsk_opts *o,
                spawn_tie_fn *tie, void *arg, bsk_addr *out);
void spawn_free_state(struct worker *w, struct bsk_rt *rt, bsk_self *a);
void spawn_free_more(bsk_self *a);
/* Sets what the next one returns. */
void spawn_set_finish(bsk_self *a, int64_t ms);
/* Returns the time to finish of one of the root's children: ms, BSK_FOREVER or BSK_KILL. */
int64_t spawn_finish_ms(const bsk_self *a);

#endif
