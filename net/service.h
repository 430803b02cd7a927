/* SPDX-License-Identifier: MIT */
/* service.h - what a listener and its connections share: how connections are begun, and how many
 * there are. Counted, since connections may outlive the listener, and end on any loop. */
#ifndef BSK_SERVICE_H
#define BSK_SERVICE_H

#include "stream.h"

struct service {
    _Atomic uint32_t count;       /* of who has it */
    _Atomic uint32_t live;        /* connections */
    bsk_listen_opts opts;         /* own copies of all it points to */
    void (*init)(bsk_self *self); /* of a connection's actor, the user's; NULL: none */
};

/* A copy of the options, counted once; NULL for want of memory. */
struct service *service_new(const bsk_listen_opts *o);
struct service *service_hold(struct service *v);
void service_drop(struct service *v);
/* The stream is one of its connections; and is not any more. */
void service_join(struct service *v, struct stream *s);
void service_leave(struct stream *s);

#endif
