/* SPDX-License-Identifier: MIT */
/* key.h - what a key may be: all the states that fit what was answered so far.
 *
 * Only one connection writes a key, so there is one state as long as all is answered. A write whose
 * answer does not come was done or not: then each state is there twice. The next read chooses. */
#ifndef KVC_KEY_H
#define KVC_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "wire.h"

/* Bytes that several states share. */
struct text {
    uint32_t refs, len;
    char at[];
};
struct text *text_new(const char *at, size_t len);
struct text *text_hold(struct text *t);
void text_drop(struct text *t);

enum verb { GET, SET, INCR, APPEND, DEL, EXISTS, EXPIRE, PERSIST, TTL, STRLEN, VERBS };
const char *verb_name(enum verb v); /* as in the protocol */
static inline bool verb_writes(enum verb v)
{
    return v != GET && v != EXISTS && v != TTL && v != STRLEN;
}

/* One key's share in a request. */
struct op {
    enum verb verb;
    bool settled;    /* what became of it is known, or known not to be */
    struct key *key; /* NULL: that of all connections whose number is `shared` */
    unsigned shared;
    int64_t n;          /* INCR: by; EXPIRE: seconds; SET: ms to live, 0: for ever */
    struct text *value; /* SET, APPEND */
    int64_t floor;      /* shared: what a counter must exceed */
};

struct state {
    struct text *value;  /* NULL: there is no such key */
    int64_t from, until; /* it expires at some time in between; until 0: it does not */
};

/* When it was done, in ms. */
struct window {
    int64_t from, to;
};

/* What was done last, for people to find out why. */
struct past {
    struct window window;
    enum verb verb;
    char how; /* ' ' answered, '?' in doubt, '-' not done */
    int64_t version;
};

enum { KEY_NAME = 48, PAST = 8 };
struct key {
    char name[KEY_NAME];
    struct state *may;
    uint32_t n;
    bool any; /* it may be anything */
    int64_t version;
    struct past past[PAST];
    uint32_t npast;
};

enum verdict { FITS, LOST, WRONG };

/* A key that is not there. */
void key_init(struct key *k, const char *name);
void key_fini(struct key *k);
/* Takes an answer into account. If it fits no state: LOST if it tells of less than is expected, and
 * from then on the key may be anything. */
enum verdict key_answered(struct key *k, const struct op *op, const struct reply *r,
                          struct window w);
/* The op may have been done, or not. */
void key_doubted(struct key *k, const struct op *op, struct window w);
void key_anything(struct key *k);
/* The op was not done. */
void key_not_done(struct key *k, const struct op *op, struct window w);
/* Describes the states for people; and what was done before. */
void key_describe(const struct key *k, char *to, size_t size);
void key_print_past(const struct key *k);

#endif
