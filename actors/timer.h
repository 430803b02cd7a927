/* SPDX-License-Identifier: MIT */
/* timer.h - timers of actors, and the firing of all that lies in a worker's wheel. */
#ifndef BSK_TIMER_H
#define BSK_TIMER_H

#include "runtime.h"

/* 0 or BSK_ENOMEM. */
int tim_init_slab(struct bsk_rt *rt);
/* Delivers all of the worker's wheel that is due: timers, the alarms of fibers, deadlines of
 * asks. */
void tim_expire(struct worker *w);
/* The same for the wheel of another, whose thread is held. */
void tim_expire_of(struct worker *w, struct worker *home);
/* A timer's message was taken: false if the timer was stopped since; a one-shot timer ends here. */
bool tim_received(struct worker *w, bsk_self *a, struct bsk_msg *m);
/* A timer's message was handled: true if the timer goes on and keeps it. */
bool tim_again(struct worker *w, bsk_self *a, struct bsk_msg *m);
/* Stops all timers of an actor that ends. */
void tim_free_all(struct worker *w, bsk_self *a);
/* Kills `who` in ms, if it still lives then. 0 or BSK_ELIMIT. w is NULL on other threads. */
int tim_kill_after(struct worker *w, struct bsk_rt *rt, bsk_addr who, int64_t ms);

/* A time at which ctl bits are set for an actor; zero: none. */
struct tim_notice {
    uint32_t slot, gen;
    unsigned home;
};
/* Sets CTL_KIN for `who` at `due`. 0, or BSK_ELIMIT. */
int tim_notice_set(struct worker *w, struct bsk_rt *rt, bsk_addr who, uint64_t due,
                   struct tim_notice *out);
/* Takes it back, if it was not given yet. */
void tim_notice_clear(struct worker *w, struct bsk_rt *rt, struct tim_notice notice);

#endif
