/* SPDX-License-Identifier: MIT */
/* mix.h - what is asked for: requests, drawn by a seed, and what they mean for which keys. */
#ifndef KVC_MIX_H
#define KVC_MIX_H

#include "shared.h"

enum shape {
    ONE,  /* one op, one reply */
    MSET, /* several, one reply */
    MGET, /* several, an array */
    EXEC, /* several between MULTI and EXEC */
    LOOK  /* MGET of all purses, which have no ops */
};
struct request {
    enum shape shape;
    uint32_t first, n; /* ops */
};

/* What is sent at once. */
struct batch {
    struct op *ops;
    struct request *requests;
    uint32_t nops, nrequests, ops_cap, requests_cap;
    struct bytes out;
    struct window window;
};
void batch_clear(struct batch *b);
void batch_fini(struct batch *b);

/* Whose requests they are. */
struct mix {
    struct key *keys;
    uint32_t nkeys;
    uint64_t random;
};

/* Adds a request to the batch. */
void mix_draw(struct mix *m, struct batch *b);
/* Adds one that tells what became of a key. */
void mix_settle(struct mix *m, struct batch *b, struct key *k);
/* Adds those that tell all of a key; that remove it. */
void mix_verify(struct batch *b, struct key *k);
void mix_remove(struct batch *b, struct key *k);
/* Adds one for a key of all connections; and a look at all purses. */
void mix_shared(struct batch *b, enum verb verb, unsigned i);
void mix_look(struct mix *m, struct batch *b);
uint64_t mix_random(struct mix *m, uint64_t below);

#endif
