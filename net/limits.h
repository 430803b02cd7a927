/* SPDX-License-Identifier: MIT */
/* limits.h - the times that a stream must keep. */
#ifndef BSK_LIMITS_H
#define BSK_LIMITS_H

#include "stream.h"

struct limits {
    uv_timer_t timer;
    struct net_loop *loop;
    struct stream *stream;
    int64_t idle_ms, first_byte_ms; /* 0: no limit */
    uint64_t heard, opened;         /* ms, of the loop's clock */
    bool started, late;             /* late: found to be past, once */
};

/* What the options ask for, if anything. 0, BSK_ENOMEM, BSK_EINVAL. */
int limits_new(struct stream *s, const bsk_stream_opts *o);
/* The stream is open. */
void limits_start(struct stream *s);
/* It closes after that time, whatever it was to keep. 0 or BSK_ENOMEM. */
int limits_linger(struct stream *s, int64_t ms);
void limits_stop(struct stream *s);
/* The stream leaves its loop, and comes to another: its times go on. 0 or BSK_ENOMEM: nothing is
 * changed. */
int limits_leave(struct stream *s);
void limits_arrive(struct stream *s);

/* A byte was read or written. */
static inline void limits_heard(struct stream *s)
{
    if (s->limits) s->limits->heard = uv_now(&s->h.worker->loop);
}

#endif
