/* SPDX-License-Identifier: MIT */
/* move.h - connections move from a loop that has too much to one that has time. */
#ifndef BSK_MOVE_H
#define BSK_MOVE_H

#include "handle.h"

/* Half of the busy connections of the one loop shall go to the other. From any thread. */
void move_spread(struct worker *from, struct worker *to);
/* Sends off those that can go just now, to the loop that the worker's gives to; before a poll. */
void move_some(struct worker *w);
/* An actor came to this worker with its connection, which is opened here; or fails. */
void move_arrive(struct worker *w, bsk_self *a);

#endif
