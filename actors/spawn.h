/* SPDX-License-Identifier: MIT */
/* spawn.h - starting an actor, and taking back what that made. */
#ifndef BSK_SPAWN_H
#define BSK_SPAWN_H

#include "runtime.h"

void spawn_free_state(struct worker *w, struct bsk_rt *rt, bsk_self *a);
void spawn_free_more(bsk_self *a);
/* Returns an actor's time to finish: ms, BSK_FOREVER or BSK_KILL. */
int64_t spawn_finish_ms(const bsk_self *a);

#endif
