/* SPDX-License-Identifier: MIT */
/* adopt.h - descriptors become streams. */
#ifndef BSK_ADOPT_H
#define BSK_ADOPT_H

#include "stream.h"

enum adopt_way { ADOPT_BOTH, ADOPT_READ, ADOPT_WRITE };

/* The descriptor becomes a stream of the actor's, which can be used that way only; it is closed
 * also on failure. 0 or a code. */
int adopt_fd(bsk_self *self, int fd, enum adopt_way way, const bsk_stream_opts *o,
             struct stream **out);
/* Closes a copy, whose description did not block because of a stream: it does again. */
void adopt_give_back(int fd);

#endif
