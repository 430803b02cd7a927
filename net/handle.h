/* SPDX-License-Identifier: MIT */
/* handle.h - what an actor has open on a loop, and what a loop and a runtime keep of that.
 *
 * Handles lie in a slab, so that an id that has become stale is found out by its generation, and
 * libuv's part of one stays in place until the loop has let go of it:
 *
 *     made ---> opened on the worker's loop ---> closing: nobody's any more ---> free
 *      |         owned, listed with its owner       (libuv's close callback)       ^
 *      `---------------- its owner ended first -----------------------------------'
 *
 * Everything but making and giving one happens on its worker. The callbacks of the loop only
 * note what has come and poke the owner. */
#ifndef BSK_HANDLE_H
#define BSK_HANDLE_H

#include "actors/fiber.h"
#include "actors/send.h"
#include "net.h"

struct stream;

/* What a kind of handle is. */
struct handle_kind {
    size_t size;
    /* Its owner ends, or lets go of it: the caller has delisted it. Ends in handle_free, which
     * `close` does not wait for longer than libuv needs. */
    void (*release)(struct handle *h);
    void (*close)(struct handle *h);
    /* Its message was taken: tells whether the owner shall see it. NULL: it has none. */
    bool (*received)(struct handle *h, struct bsk_msg *m);
};

struct handle {
    struct slab_item item;
    const struct handle_kind *kind;
    struct handle *next, *prev;   /* of the owner's, the newest first */
    struct handle *below, *above; /* of those on the loop */
    bsk_self *owner;              /* NULL: nobody's */
    uint32_t owner_gen;
    struct worker *worker; /* whose loop it is for */
    _Atomic uint16_t at;   /* the same, as its index: for who does not know whether it is there */
    struct net *net;
    bool opened; /* on that loop */
};
#define HANDLE_BYTES 1024

/* Counts of one loop, each written by its thread alone. */
struct net_figures {
    _Atomic uint64_t opened, closed, accepted, connected, refused, idle, silent, no_descriptors;
    _Atomic uint64_t received, sent, moved;
};

#define SCRATCH ((size_t)64 * 1024)

/* What a loop has open. */
struct net_loop {
    struct handle *all;
    struct stream *unsent;  /* has written since the loop was polled */
    unsigned closing;       /* helpers of handles that libuv still has */
    _Atomic unsigned gives; /* to that worker's loop, index + 1; 0: to none; see move.c */
    struct net_figures count;
    char scratch[SCRATCH]; /* what is read stands here until its length is known */
};

struct net {
    struct bsk_rt *rt;
    struct slab handles;
};

/* A handle for that worker's loop, zeroed but for the head; NULL: *rc says why. From any thread. */
struct handle *handle_new(struct worker *w, const struct handle_kind *kind, int *rc);
/* It becomes the running actor's, and stays on its loop with it. BSK_ENOMEM: it does not. */
int handle_own(bsk_self *self, struct handle *h);
/* It is opened on its worker's loop, by that. BSK_ENOMEM. */
int handle_open(struct handle *h);
/* It leaves its loop's list, and comes to another's, by the threads of these. */
void handle_leave(struct handle *h);
void handle_arrive(struct handle *h);
/* It becomes nobody's. */
void handle_disown(struct handle *h);
/* Its slot becomes free: the loop has let go of it. */
void handle_free(struct handle *h);
uint64_t handle_id(const struct handle *h);
/* The running actor's own handle of that id and kind, or NULL. */
struct handle *handle_mine(bsk_self *self, uint64_t id, const struct handle_kind *kind);
/* Tells whether the actor may open something: not in a seeded runtime, nor once it lets go of what
 * it has. 0, BSK_ENOTSUP, BSK_EINVAL. */
int handle_may_open(bsk_self *self);
/* The loop's part of a worker, made at first use; NULL for want of memory. From any worker. */
struct net_loop *net_loop(struct worker *w);

#endif
