/* SPDX-License-Identifier: MIT */
/* What others do to an actor, and what it does about its own mailbox and place. */
#include "ask.h"
#include "room.h"
#include "send.h"
#include "timer.h"

/* Finds the living actor of an address; then the way must be left again. */
static int find(bsk_addr who, struct way *way, bsk_self **actor)
{
    if (!snd_enter(who, way)) return BSK_EDEAD;
    bsk_self *a = rt_slot(way->rt, who.slot);
    if (a && (who.gen & 1) && act_gen(a) == who.gen) {
        *actor = a;
        return 0;
    }
    snd_leave(way);
    return BSK_EDEAD;
}

static int ask_to_end(bsk_addr who, int64_t ms, uint32_t bits)
{
    struct way way;
    bsk_self *a;
    if (ms < BSK_KILL) return BSK_EINVAL;
    if (ms == BSK_KILL) return bsk_kill(who);
    int rc = find(who, &way, &a);
    if (rc) return rc;
    if (ms != BSK_FOREVER) rc = tim_kill_after(way.w, way.rt, who, ms);
    /* Closed first: what was accepted before is handled by who sees that it is drained. */
    if (rc == 0 && bits == CTL_DRAIN && !act_close(way.w, way.rt, a, who.gen)) rc = BSK_EDEAD;
    if (rc == 0 && !act_control(way.w, way.rt, a, who.gen, bits)) rc = BSK_EDEAD;
    if (rc == 0 && bits == CTL_DRAIN) room_wake_all(way.w, way.rt, a);
    snd_leave(&way);
    return rc;
}

int bsk_stop(bsk_addr who, int64_t ms)
{
    return ask_to_end(who, ms, CTL_STOP);
}

int bsk_drain(bsk_addr who, int64_t ms)
{
    return ask_to_end(who, ms, CTL_DRAIN);
}

int bsk_kill(bsk_addr who)
{
    struct way way;
    bsk_self *a;
    int rc = find(who, &way, &a);
    if (rc) return rc;
    rc = act_control(way.w, way.rt, a, who.gen, CTL_KILL) ? 0 : BSK_EDEAD;
    snd_leave(&way);
    return rc;
}

bool bsk_alive(bsk_addr who)
{
    struct way way;
    bsk_self *a;
    if (find(who, &way, &a)) return false;
    /* Relaxed: one load tells whose bits they are, too. */
    uint32_t ctl = atomic_load_explicit(&a->ctl, memory_order_relaxed);
    snd_leave(&way);
    return (ctl & ~(uint32_t)CTL_BITS) == act_tag(who.gen) &&
           !(ctl & (CTL_KILL | CTL_STOP | CTL_DRAIN | CTL_OVERFLOW | CTL_EXIT));
}

void *bsk_state(bsk_self *self)
{
    return self->state;
}

bsk_addr bsk_me(const bsk_self *self)
{
    return rt_addr(self->worker->rt, self, act_gen(self));
}

bsk_rt *bsk_rt_of(const bsk_self *self)
{
    return self->worker->rt;
}

bool bsk_cancelled(const bsk_self *self)
{
    return act_cancelled(self, act_ctl(self));
}

void bsk_pin(bsk_self *self, bool on)
{
    struct worker *w = self->worker;
    if (w->solo) return;
    if (self->more && self->more->handles) {
        self->more->pinned = on;
        return;
    }
    /* Relaxed: senders take it as a hint; act_run looks again where it counts. */
    atomic_store_explicit(&self->home, w->index, memory_order_relaxed);
    act_set_flag(self, ACT_PINNED, on);
}

uint32_t bsk_mailbox_len(const bsk_self *self)
{
    return mbox_len(&self->in, &self->out);
}

uint32_t bsk_mailbox_room(const bsk_self *self)
{
    /* Relaxed: only the actor itself changes it. */
    uint32_t capacity = atomic_load_explicit(&self->in.capacity, memory_order_relaxed);
    uint32_t len = bsk_mailbox_len(self);
    return len < capacity ? capacity - len : 0;
}

bool bsk_mailbox_closed(const bsk_self *self)
{
    /* Relaxed: the bit stands for itself. */
    return atomic_load_explicit(&self->in.word, memory_order_relaxed) & MBOX_CLOSED;
}

int bsk_mailbox_resize(bsk_self *self, uint32_t capacity)
{
    if (!capacity || capacity > BSK_MAILBOX_MAX) return BSK_EINVAL;
    /* Relaxed: a sender that sees the old bound was at work before; see mbox_look_again. */
    atomic_store_explicit(&self->in.capacity, capacity, memory_order_relaxed);
    room_wake(self->worker, self->worker->rt, self);
    return 0;
}

void bsk_mailbox_close(bsk_self *self)
{
    /* Relaxed: the bit stands for itself, and carries on the senders' releases. */
    atomic_fetch_or_explicit(&self->in.word, MBOX_CLOSED, memory_order_relaxed);
    room_wake_all(self->worker, self->worker->rt, self);
}
