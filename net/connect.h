/* SPDX-License-Identifier: MIT */
/* connect.h - a stream that is being connected. */
#ifndef BSK_CONNECT_H
#define BSK_CONNECT_H

#include "stream.h"

/* The connection is there and greeted; or it has failed. */
void dial_done(struct stream *s, int code);
/* Nobody waits for it any more. */
void dial_drop(struct stream *s);

#endif
