/* SPDX-License-Identifier: MIT */
/* wire.h - the Redis protocol, from the client's side. */
#ifndef KVC_WIRE_H
#define KVC_WIRE_H

#include <stddef.h>

#include <buskin.h>

struct bytes {
    char *at;
    size_t len, cap;
};

/* Puts n bytes behind what is there. For want of memory the program ends. */
void bytes_add(struct bytes *b, const void *at, size_t n);
/* Begins a request of so many arguments; and one argument of it. */
void bytes_command(struct bytes *b, unsigned args);
void bytes_arg(struct bytes *b, const void *at, size_t n);
void bytes_words(struct bytes *b, unsigned args, ...); /* a whole request of strings */
void bytes_number(struct bytes *b, int64_t n);         /* one argument */

/* One reply; of an array its head, whose elements are replies. Nothing, of whatever kind, is a '_'. */
struct reply {
    char type;      /* + - : $ * % _ */
    int64_t n;      /* of ':', '*' and '%' */
    const char *at; /* of + - $; borrowed until the next is read */
    size_t len;
};

/* A connection, and what was read from it ahead. */
struct wire {
    bsk_self *self;
    bsk_stream stream;
    struct bytes in;
    size_t at;
};

/* Connects within ms. 0 or a code. */
int wire_open(struct wire *w, bsk_self *self, const char *host, int port, int64_t ms);
void wire_close(struct wire *w);
int wire_send(struct wire *w, const struct bytes *b, int64_t ms);
/* Waits up to ms for the next reply. 0, or a code; BSK_EINVAL: these bytes are none. */
int wire_reply(struct wire *w, struct reply *r, int64_t ms);

#endif
