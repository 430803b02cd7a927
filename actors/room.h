/* SPDX-License-Identifier: MIT */
/* room.h - waiting for room in a mailbox. */
#ifndef BSK_ROOM_H
#define BSK_ROOM_H

#include "runtime.h"

void room_wake(struct worker *w, struct bsk_rt *rt, bsk_self *a); /* as many as there is room for */
void room_wake_all(struct worker *w, struct bsk_rt *rt, bsk_self *a); /* it is closed, or gone */
bool room_wanted(bsk_self *a);                                        /* somebody is in the list */
void room_forget(struct worker *w, bsk_self *a); /* a killed fiber waited for room */

/* As bsk_send; for a call the request's `ask`. self NULL: a thread. */
int room_send(bsk_self *self, struct bsk_rt *rt, bsk_addr to, uint64_t deadline,
              const bsk_type *type, const void *body, uint64_t ask);

#endif
