/* SPDX-License-Identifier: MIT */
/* client.h - a connection that writes, reads, checks, and connects again for ever. */
#ifndef KVC_CLIENT_H
#define KVC_CLIENT_H

#include "mix.h"
#include "options.h"
#include "wire.h"

enum phase {
    WRITING,
    VERIFYING, /* reads all its keys */
    WAITING,   /* until nobody writes */
    COUNTING,  /* reads what all have written */
    REMOVING,
    LEAVING, /* removes that too */
    FINISHED
};

/* What is known of its keys outlives the fiber, should that fail. */
struct client {
    const struct options *options;
    unsigned index;
    struct mix mix;
    struct batch batch;
    struct wire wire;
    enum phase phase;
    bool connected, uneasy; /* uneasy: some key may be in several states */
    uint32_t next;          /* key to be looked at */
    int64_t pause_ms;       /* the next one */
};

/* The clients of a run, all of which are to end at about the same time. */
void clients_init(const struct options *o);
void clients_fini(void);
/* Their supervisor; and has it start them: 0 or a code. */
bsk_addr clients_supervise(bsk_rt *rt);
int clients_start(bsk_addr supervisor, int64_t now);
/* Writing is to end now. And how long it took. */
void clients_hurry(int64_t now);
double clients_seconds(void);
unsigned clients_finished(void);

#endif
