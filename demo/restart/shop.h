/* SPDX-License-Identifier: MIT */
/* shop.h - the shop: its tree of supervisors, and what all in it share. */
#ifndef RESTART_SHOP_H
#define RESTART_SHOP_H

#include <stdatomic.h>

#include "events.h"
#include "words.h"

/* Who is in the shop, in the order of their start. */
enum role {
    SHOP,
    COURIERS,
    OFFICE,
    LEDGER,
    NOTIFIER,
    FLOOR,
    WORKER_1,
    WORKER_2,
    WORKER_3,
    INTAKE,
    ROLES
};

enum { WORKERS = 3 };
enum { OPEN_MAX = 200 }; /* orders that are accepted and not settled: more are told to come again */
enum { WORKER_MAILBOX = 16, MAILBOX = 256 };

struct role_info {
    const char *name;
    enum role above; /* its supervisor; of the shop: itself */
    enum bsk_strategy strategy;
    bool supervisor;
    bool fiber; /* has a stack of its own, which it can run over */
};
extern const struct role_info roles[ROLES];

/* What customers were told, and what befell them. */
struct tally {
    _Atomic int64_t next_id;
    _Atomic int64_t accepted, sum; /* orders, and their amounts */
    _Atomic int64_t again;         /* placed again: there was no answer, or the shop was full */
    _Atomic int64_t next_amount;   /* not 0: the next order's */
    _Atomic int inside;            /* customers who still place orders */
    _Atomic bool closed;           /* the doors: no order is begun */
};

/* Outlives the runtime and all its actors, who each have its address in their state. */
struct shop {
    int journal;
    struct events events;
    struct tally tally;
    _Atomic uint64_t handled[ROLES]; /* messages */
    _Atomic int64_t delivered;       /* parcels */
};

/* The state of an actor of the shop. */
struct post {
    struct shop *shop;
    enum role role;
};

/* Prepares a shop, or says on standard error why not: false. */
bool shop_init(struct shop *s);
void shop_fini(struct shop *s);
/* Starts the tree and returns its top. Nobody on failure: bsk_error. From threads and fibers. */
bsk_addr shop_open(struct shop *s, bsk_rt *rt);
/* The role of a name, or ROLES. */
enum role shop_role(const char *name);
/* Returns who has the role now, or nobody. */
bsk_addr shop_holder(bsk_rt *rt, enum role p);

/* An actor of the shop takes a message. */
void post_count(bsk_self *self);
/* The name of an actor of the shop. */
const char *post_name(bsk_self *self);
/* An actor of the shop says something in the log of events. */
#define post_say(self, ...) events_say(&((struct post *)bsk_state(self))->shop->events, __VA_ARGS__)

void ledger_init(bsk_self *self);
bsk_handler ledger;
bsk_fiber notifier, courier, worker, intake;

#endif
