/* SPDX-License-Identifier: MIT */
/* stream.h - a byte stream that an actor owns.
 *
 *     peer --> libuv --> in: o o o --> the actor         in: messages, each with what one read gave
 *     peer <-- sending <-- out: o o o <-- the actor      out: chunks, filled one after another
 *
 * Reading goes on by itself until read_ahead bytes wait for the actor. What is written leaves before
 * the loop is polled, in one system call: the writes of many actors in a row find the system's code
 * in the caches. What the system does not take then is `sending`, and nothing else is until that has
 * left. */
#ifndef BSK_STREAM_H
#define BSK_STREAM_H

#include "chunk.h"
#include "handle.h"

struct limits;
struct service;
struct tls_session;

enum stream_state {
    STREAM_GIVEN,      /* a descriptor that is not on a loop, yet or while it moves to another */
    STREAM_CONNECTING, /* no descriptor, or one that is no connection yet */
    STREAM_GREETING,   /* TLS: the peers agree on it */
    STREAM_OPEN,
    STREAM_LINGERS, /* nobody's; closes when all has left, or by its time */
    STREAM_CLOSING  /* libuv lets go of it */
};

enum stream_wait { WAITS_NOT, WAITS_INPUT, WAITS_ROOM, WAITS_EMPTY, WAITS_OPEN };

struct stream {
    struct handle h;
    enum stream_state state;
    int fd;       /* of a given one */
    bool shared;  /* opened: fd has a description that others use, too; see adopt.h */
    bool one_way; /* it is only written: to end that is to close it */
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
        uv_tty_t tty;
    } uv;
    union {
        uv_write_t write;
        uv_connect_t connect;
        uv_shutdown_t shutdown;
    } req;      /* one at a time */
    bool busy;  /* req is in libuv's hands */
    bool delay; /* Nagle's algorithm */

    struct bsk_msg *in, *in_last; /* not seen by the actor yet */
    struct bsk_msg *lent;         /* borrowed by the fiber until its next read */
    uint32_t unread, read_ahead;  /* bytes in `in`; and from how many on the peer waits */
    int end;                      /* nothing more comes: BSK_EEOF, or why; 0: more may */
    bool reading;                 /* libuv reads */
    bool discards;                /* and what it reads is thrown away */
    bool messages, paused;        /* the actor gets messages; it wants none for now */
    bool told;                    /* one is in its mailbox */
    struct bsk_msg *end_notice;   /* set aside; NULL: sent */

    struct chunks out, sending;
    size_t unsent; /* bytes in both */
    uint32_t write_high;
    int broken;                                    /* nothing more can be written: why */
    enum { SHUT_NOT, SHUT_ASKED, SHUT_SENT } shut; /* the sending side ends once all has left */
    struct bsk_msg *room_notice;                   /* owed when there is room; NULL: not */
    struct stream *next, *prev; /* of those that have written since the last poll */
    bool listed;

    enum stream_wait waits; /* what its fiber waits for */
    uint64_t received, sent;
    uint64_t seen;           /* both together, when its loop was looked through for what moves */
    uint16_t to;             /* the worker that it moves to */
    struct limits *limits;   /* NULL: none */
    struct tls_session *tls; /* NULL: none */
    struct service *service; /* of the listener that accepted it; NULL: none */
    struct dial *dial;       /* connecting: how far that is */
};
static_assert(sizeof(struct stream) <= HANDLE_BYTES, "it has a place in the slab");

extern const struct handle_kind stream_kind;

/* A stream for the worker's loop, not opened; NULL: *rc says why. From any thread. */
struct stream *stream_new(struct worker *w, const bsk_stream_opts *o, int *rc);
/* Frees one that was not opened nor given. */
void stream_discard(struct stream *s);
/* Puts its connected descriptor on the loop, as the kind of socket that it is; and begins with it
 * as its options say. 0 or a code. */
int stream_attach(struct stream *s);
int stream_open(struct stream *s);
/* The connection is there: reads, or agrees on TLS first. */
int stream_established(struct stream *s);
/* The actor's own stream of that id, or NULL. */
struct stream *stream_mine(bsk_self *self, bsk_stream id);
static inline bsk_stream stream_id(const struct stream *s)
{
    return (bsk_stream){handle_id(&s->h)};
}

/* Something that its actor waits for has happened. */
void stream_wake(struct stream *s, enum stream_wait what);
/* Bytes for the actor have come. */
void stream_input(struct stream *s, const char *bytes, size_t n);
/* Nothing more comes. */
void stream_ended(struct stream *s, int code);
/* It is of no use any more: what its actor waits for fails with the code. */
void stream_fail(struct stream *s, int code);
/* A message of the stream, of a type of its own, to be sent when it is time; or NULL. */
struct bsk_msg *notice_new(struct stream *s, const bsk_type *type);
/* Takes the oldest input, with its bytes, or returns NULL. */
struct bsk_msg *stream_take(struct stream *s);
/* Sets libuv reading or not, as there is room for input. */
void stream_steer(struct stream *s);
/* Sends the next message to the actor, if it gets messages and has seen the last. */
void stream_tell(struct stream *s);
/* The bytes are to be sent. 0 or BSK_ENOMEM: then none is. */
int stream_output(struct stream *s, const void *bytes, size_t n);
/* Gives what is to be sent to the system. */
void stream_flush(struct stream *s);
void stream_flush_all(struct worker *w);
/* Closes it at once; it must be nobody's. */
void stream_close(struct stream *s);

#endif
