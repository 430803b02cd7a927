/* SPDX-License-Identifier: MIT */
/* note.h - what all kinds of handles need: messages to their owner, and waits of it. */
#ifndef BSK_NOTE_H
#define BSK_NOTE_H

#include "actors/clock.h"
#include "handle.h"

/* A message of the handle, its struct zeroed, with `tail` bytes behind; or NULL. */
struct bsk_msg *note_new(struct handle *h, const bsk_type *type, size_t tail);
/* Sends it to the owner: there must be one. */
void note_send(struct handle *h, struct bsk_msg *m);
void note_drop(struct handle *h, struct bsk_msg *m);
/* Wakes the owner, if it waits; `waits` becomes false. */
void note_wake(struct handle *h, bool *waits);
/* Tells whether the actor takes messages rather than waits. */
static inline bool note_handler(const bsk_self *self)
{
    return !act_fiber(self);
}

/* What the wait for a handle begins with; h NULL: the actor has none such. 0 or a code. */
int note_begin(bsk_self *self, const struct handle *h);
static inline uint64_t note_due(bsk_self *self, int64_t ms)
{
    return fib_until(self, clk_deadline(clk_now(self->worker->rt), ms));
}
/* Waits until note_wake, or the time; may return early. */
static inline __attribute__((always_inline)) int note_wait(bsk_self *self, bool *waits,
                                                           uint64_t until)
{
    if (until != NEVER && clk_now(self->worker->rt) >= until) return BSK_ETIMEDOUT;
    *waits = true;
    fib_wait(self, MBOX_DEAF, until, WAIT_IO, (bsk_addr){0, 0, 0});
    *waits = false;
    return act_ctl(self) && bsk_cancelled(self) ? BSK_ECANCELED : 0;
}

#endif
