/* SPDX-License-Identifier: MIT */
/* hooks.h - what the floors above are told, and asked, in an actor's life. They define the two
 * tables: the calls go up, what is included does not. But for init and fini all run on the
 * actor's worker. */
#ifndef BSK_HOOKS_H
#define BSK_HOOKS_H

#include "runtime.h"

struct act_hooks {
    /* The floor's own part of a runtime, rt->upper. 0, BSK_ENOMEM, or BSK_EINVAL:
     * faults cannot be contained here. Not on a worker. */
    int (*init)(struct bsk_rt *rt);
    void (*fini)(struct bsk_rt *rt);
    /* What it keeps the floor's things in, whose memory goes back with the others'. From any
     * thread. */
    struct slab *(*slab)(struct bsk_rt *rt);
    /* The calling thread begins, or ends, to run actors on the worker. */
    void (*enter)(struct worker *w);
    void (*leave)(struct worker *w);
    void (*free_worker)(struct worker *w);
    /* The actor on the worker hangs: seen at these `ticks` and `until` it has not got on since.
     * From the watchdog's thread, again and again. */
    void (*interrupt)(struct worker *w, const bsk_self *a, uint64_t ticks, int until);
    /* CTL_KIN was set: there is news of the actor's children, or of its time. */
    void (*look)(struct worker *w, bsk_self *a);
    /* The actor is to end. Tells whether children of it are left: then they are told to end, and
     * this is asked again when there is news. Only for an actor with kin. */
    bool (*linger)(struct worker *w, bsk_self *a);
    /* A message that nobody will handle now: tells whether it is kept for a successor. Only with
     * kin. */
    bool (*keep)(struct worker *w, bsk_self *a, struct bsk_msg *m);
    /* The actor lets go of what it holds of others. Only with kin. */
    void (*release)(struct worker *w, bsk_self *a);
    /* The actor has ended, its name is free: those tied to it hear of that. Only with ties or
     * kin. */
    void (*ended)(struct worker *w, bsk_self *a, struct ending *e);
    /* A message flagged MSG_MONITOR was taken: tells whether it still counts. */
    bool (*received)(struct worker *w, bsk_self *a, struct bsk_msg *m);
    /* The earliest time that the actor's place in the tree allows, or NEVER. Only with kin. */
    uint64_t (*deadline)(const bsk_self *a);
    /* Of that, what the actor has set itself: at others' deadlines it is told to stop. */
    uint64_t (*waits_until)(const bsk_self *a);
    /* The reason of one that ends by itself after it was told to stop. Only with kin. */
    enum bsk_reason (*stopped)(const bsk_self *a);
};
extern const struct act_hooks act_hooks;

/* Of the floor that opens things on loops for actors. */
struct loop_hooks {
    /* Its part of a runtime, rt->net; 0 or BSK_ENOMEM. Not on a worker. */
    int (*init)(struct bsk_rt *rt);
    void (*fini)(struct bsk_rt *rt);
    struct slab *(*slab)(struct bsk_rt *rt);
    /* The worker is about to poll its loop. Only with w->net. */
    void (*polls)(struct worker *w);
    /* The one loop is full, the other is not: what can be moved shall be. From the watchdog's
     * thread. */
    void (*spread)(struct worker *from, struct worker *to);
    /* What was moved to this worker with its actor is opened there. */
    void (*arrive)(struct worker *w, bsk_self *a);
    /* The worker's thread runs no actor any more: what is still open is closed. Only with w->net. */
    void (*leave)(struct worker *w);
    void (*free_worker)(struct worker *w);
    /* An actor that nobody knows yet gets a handle that is not open yet, and with it its place. */
    void (*give)(bsk_self *a, bsk_addr who, struct handle *h);
    /* The actor lets go of its handles. Only with any. */
    void (*release)(struct worker *w, bsk_self *a);
    /* A message flagged MSG_HANDLE was taken: tells whether it still counts. */
    bool (*received)(struct worker *w, bsk_self *a, struct bsk_msg *m);
};
extern const struct loop_hooks loop_hooks;

#endif
