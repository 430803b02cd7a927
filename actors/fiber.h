/* SPDX-License-Identifier: MIT */
/* fiber.h - actors with a stack of their own: how they are made, wait and end. */
#ifndef BSK_FIBER_H
#define BSK_FIBER_H

#include "runtime.h"

/* Gives an actor a stack and all that a fiber has. 0, BSK_ENOMEM, BSK_EINVAL (the size). */
int fib_create(struct bsk_rt *rt, bsk_self *a, size_t stack);
/* Gives the stack back; nothing runs on it any more. */
void fib_free(bsk_self *a);
/* Lets go of what a fiber that ended was waiting for or had borrowed. */
void fib_drop_held(struct worker *w, bsk_self *a);
/* Tells whether the caller is this fiber, on its own stack: only then may it wait. */
bool fib_on_own_stack(const bsk_self *a);
/* The halves of fib_wait around the switch. */
void fib_prepare(bsk_self *a, uint64_t state, uint64_t deadline, enum wait_kind kind, bsk_addr on);
void fib_resumed(bsk_self *a);

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
/* Tells whether the fiber was asked to stop: what its waits ask before they begin. */
bool fib_cancelled(bsk_self *a);
/* Gives back what was borrowed until this wait; and others a turn, now and then. */
void fib_spend(bsk_self *a);
/* Gives back what was borrowed until this wait. */
void fib_return_loans(bsk_self *a);
/* A fiber's alarm goes off; the caller holds the lock of the wheel that it was in. */
void alarm_fired(struct worker *w, struct whl_node *node);

#endif
