/* SPDX-License-Identifier: MIT */
/* fiber.h - actors with a stack of their own: how they are made, wait and end. */
#ifndef BSK_FIBER_H
#define BSK_FIBER_H

#include "hooks.h"

/* Gives an actor a stack and all that a fiber has. 0, BSK_ENOMEM, BSK_EINVAL (the size). */
int fib_create(struct bsk_rt *rt, bsk_self *a, size_t stack);
/* Gives the stack back; nothing runs on it any more. */
void fib_free(bsk_self *a);
/* Lets go of what a fiber that ended was waiting for or had borrowed. */
void fib_drop_held(struct worker *w, bsk_self *a);
/* Before the switch of fib_wait. */
void fib_prepare(bsk_self *a, uint64_t state, uint64_t deadline, enum wait_kind kind, bsk_addr on);
/* After it, with a seed: an alarm that nobody waits for would move virtual time. */
void fib_unset_alarm(bsk_self *a);

/* Tells whether the caller is this fiber, on its own stack: only then may it wait. */
static inline bool fib_on_own_stack(const bsk_self *a)
{
    struct worker *w = a->worker;
    return w->in_fiber && rt_self(w) == a;
}

static inline void fib_set_wait(bsk_self *a, enum wait_kind kind, uint32_t slot)
{
    /* Relaxed: for those who look on. */
    atomic_store_explicit(&a->item.link, (uint32_t)kind << WAIT_SHIFT | (slot & WAIT_SLOT),
                          memory_order_relaxed);
}

static inline void fib_resumed(bsk_self *a)
{
    assert(fib_on_own_stack(a));
    fib_set_wait(a, WAIT_NONE, 0);
    /* Relaxed: an alarm that still sees it pokes in vain. */
    atomic_store_explicit(&a->more->fiber->deadline, 0, memory_order_relaxed);
    if (a->worker->rt->seeded) fib_unset_alarm(a);
    if (act_ctl(a) & (CTL_KIN | CTL_STOP)) act_look(a->worker, a);
}

/* Waits in the given mailbox state until poked (or, IDLE, pushed to) or the deadline; may return
 * early. Inline, as what calls it should be: after a switch each return is mispredicted by the
 * processor. */
static inline __attribute__((always_inline)) void
fib_wait(bsk_self *a, uint64_t state, uint64_t deadline, enum wait_kind kind, bsk_addr on)
{
    fib_prepare(a, state, deadline, kind, on);
    fib_switch(&a->more->fiber->ctx, &a->worker->ctx);
    fib_resumed(a);
}

/* Lets others run, then goes on. */
void fib_turn(bsk_self *a);
/* Does what the ctl bits ask of a fiber, which may not return from it. Tells whether it was asked
 * to stop. */
bool fib_signalled(bsk_self *a);
/* The same for one that is about to wait; see fib_cancelled. */
bool fib_obey(bsk_self *a);
/* Give back the message in hand, and the replies, that were borrowed until this wait. */
void fib_finish_inhand(bsk_self *a);
void fib_return_replies(bsk_self *a);

/* Tells whether the fiber was asked to stop: what its waits ask before they begin. */
static inline bool fib_cancelled(bsk_self *a)
{
    return act_ctl(a) && fib_obey(a);
}

/* A wait until `due` ends no later than the actor's own scopes allow. */
static inline uint64_t fib_until(const bsk_self *a, uint64_t due)
{
    uint64_t until = act_kin(a) ? act_hooks.waits_until(a) : NEVER;
    return until < due ? until : due;
}

/* Gives back what was borrowed until this wait. */
static inline void fib_return_loans(bsk_self *a)
{
    if (a->inhand) fib_finish_inhand(a);
    if (a->more->fiber->loans) fib_return_replies(a);
}

/* The same; and gives others a turn, now and then. */
static inline void fib_spend(bsk_self *a)
{
    fib_return_loans(a);
    if (--a->more->fiber->budget == 0) fib_turn(a);
}

/* A fiber's alarm goes off; the caller holds the lock of the wheel that it was in. */
void alarm_fired(struct worker *w, struct whl_node *node);
/* The same on another thread than that wheel's. */
void alarm_fired_elsewhere(struct worker *w, struct whl_node *node);

#endif
