/* SPDX-License-Identifier: MIT */
/* message.h - a message as it travels: an envelope of 32 bytes and a body aligned for any type. */
#ifndef BSK_MESSAGE_H
#define BSK_MESSAGE_H

#include "mailbox.h"

#include <assert.h>
#include <stdalign.h>
#include <string.h>

enum msg_lane {
    MSG_USER,   /* takes a place of the mailbox */
    MSG_SIGNAL, /* the runtime's own, timers; memory set aside before */
    MSG_REPLY,  /* answers an ask; `type` is the request's */
    MSG_LOST    /* an ask's reply will never come; the body is the code, an int */
};

enum msg_flag {
    MSG_REQUEST = 1,   /* `ref` is the ask to be answered */
    MSG_KEPT = 2,      /* the right to answer was kept: freeing the request does not answer it */
    MSG_TIMER = 4,     /* `ref` is the timer that it is the message of */
    MSG_CONTENTS = 8,  /* it holds what must be dropped with it */
    MSG_ANSWERED = 16, /* nothing is owed for it any more */
    MSG_MONITOR = 32,  /* `ref` is the monitor that it is the message of */
    MSG_EXIT = 64,     /* ends its receiver; `ref` is the cause, packed */
    MSG_HANDLE = 128   /* `ref` is the handle that it is the message of */
};

struct bsk_msg {
    struct bsk_msg *next;
    const bsk_type *type;
    uint32_t gen; /* of the actor that it was sent to */
    uint8_t lane; /* enum msg_lane */
    uint8_t cls;  /* size class of its block */
    uint8_t flags;
    uint8_t done; /* handled, but its block still marks a place in the mailbox */
    uint64_t
        ref; /* request: the ask; timer: the timer; else when it was sent, if that is measured */
    alignas(16) unsigned char body[];
};
static_assert(sizeof(struct bsk_msg) == 32, "bodies begin on a half of a 64-byte block");

#define MSG_HEAD ((size_t)32)

static inline struct bsk_msg *msg_of(const void *body)
{
    return (struct bsk_msg *)((uintptr_t)body - MSG_HEAD);
}

/* Tells whether freeing the message leaves somebody without an answer. */
static inline bool msg_owes(const struct bsk_msg *m)
{
    return (m->flags & (MSG_REQUEST | MSG_KEPT | MSG_ANSWERED)) == MSG_REQUEST;
}

/* Bytes beyond the struct that a body's strings and bytes need in the message. */
size_t msg_tail_size(const bsk_type *type, const void *body);
/* Copies strings and bytes behind the struct in `m`, and holds the blobs. */
void msg_copy_tails(struct bsk_msg *m);
/* Drops the blobs and runs a local type's drop. */
void msg_drop_contents(struct bsk_msg *m);

static inline uint8_t msg_contents(const bsk_type *type)
{
    return type->tails || type->drop ? MSG_CONTENTS : 0;
}

static inline void msg_release(struct bsk_msg *m)
{
    if (m->flags & MSG_CONTENTS) msg_drop_contents(m);
}

/* Copies a struct word by word: a call to memcpy would cost more than the few words of most. */
static inline void msg_copy_words(void *to, const void *from, uint32_t n)
{
    unsigned char *t = to;
    const unsigned char *f = from;
    for (; n >= 8; n -= 8, t += 8, f += 8) memcpy(t, f, 8);
    for (; n; n--) *t++ = *f++;
}

#endif
