/* SPDX-License-Identifier: MIT */
/* Waiting for room: senders that found a mailbox full, in the order they came.
 *
 * A waiter stands in the list of the mailbox, under the slot's stripe, before it says WANT in
 * the mailbox's word and looks for room once more; the consumer takes WANT off when it has given
 * places free, or finds it in the word that it parks in (queue.h). So either the waiter sees the
 * room, or the consumer the waiter. As many are woken as there is room for; one that gives up
 * after it was woken wakes the next in its place. */
#include "room.h"

#include "clock.h"
#include "fiber.h"
#include "send.h"
#include "thread.h"

/* The list is a ring: the first's prev is the last. */
static struct waiter *first_of(bsk_self *a)
{
    /* Relaxed: under the lock; without it, a hint. */
    return atomic_load_explicit(&a->waiters, memory_order_relaxed);
}

static void set_first(bsk_self *a, struct waiter *first)
{
    atomic_store_explicit(&a->waiters, first, memory_order_relaxed);
}

bool room_wanted(bsk_self *a)
{
    return first_of(a) != NULL;
}

static bool listed(const struct waiter *me)
{
    return atomic_load_explicit(&me->listed, memory_order_relaxed);
}

static void enlist(struct bsk_rt *rt, bsk_self *a, struct waiter *me)
{
    assert(!me->actor + !me->notice + !me->thread == 2);
    struct lock *stripe = rt_stripe(rt, a);
    lock_take(stripe);
    struct waiter *first = first_of(a);
    me->next = first ? first : me;
    me->prev = first ? first->prev : me;
    me->prev->next = me;
    me->next->prev = me;
    if (!first) set_first(a, me);
    atomic_store_explicit(&me->listed, true, memory_order_relaxed);
    lock_give(stripe);
}

static void unlink_locked(bsk_self *a, struct waiter *me)
{
    assert(listed(me) && first_of(a));
    me->prev->next = me->next;
    me->next->prev = me->prev;
    if (first_of(a) == me) set_first(a, me->next == me ? NULL : me->next);
    /* Relaxed: a hint to look under the lock; see wait_in_fiber. */
    atomic_store_explicit(&me->listed, false, memory_order_relaxed);
}

/* Tells whether it was still listed: else it was woken. After this nobody touches it any more. */
static bool delist(struct bsk_rt *rt, bsk_self *a, struct waiter *me)
{
    struct lock *stripe = rt_stripe(rt, a);
    lock_take(stripe);
    bool was = listed(me);
    if (was) unlink_locked(a, me);
    lock_give(stripe);
    return was;
}

/* Under the stripe: once it is given back the waiter may be gone. */
static void wake_locked(struct worker *w, struct bsk_rt *rt, struct waiter *one)
{
    if (one->notice)
        snd_urgent(w, rt, one->to, one->notice);
    else if (one->thread)
        thread_wake(one->thread);
    else
        act_poke(w, rt, one->actor);
}

/* Wakes until `woken` are as many as there is room for. Tells whether somebody is left: for those
 * WANT is said before anyone is woken, who may come and go at once. */
static bool wake_first(struct worker *w, struct bsk_rt *rt, bsk_self *a, uint32_t room,
                       uint32_t *woken)
{
    struct lock *stripe = rt_stripe(rt, a);
    struct waiter *one, *first = NULL, **end = &first;
    lock_take(stripe);
    while (*woken < room && (one = first_of(a))) {
        unlink_locked(a, one);
        /* A notice takes no place: who gets it may not send. */
        if (!one->notice) ++*woken;
        *end = one;
        end = &one->next;
    }
    *end = NULL;
    bool more = room_wanted(a);
    /* Acquire pairs with mbox_park's release, as in mbox_want; parks after this see WANT. */
    if (more) atomic_fetch_or_explicit(&a->in.word, MBOX_WANT, memory_order_acq_rel);
    while ((one = first)) {
        first = one->next;
        wake_locked(w, rt, one);
    }
    lock_give(stripe);
    return more;
}

static uint32_t places(bsk_self *a)
{
    /* Who waits before a closed mailbox is to look, and see that. */
    if (bsk_mailbox_closed(a)) return UINT32_MAX;
    uint32_t held = mbox_len(&a->in, &a->out);
    uint32_t capacity = atomic_load_explicit(&a->in.capacity, memory_order_relaxed);
    return held < capacity ? capacity - held : 0;
}

/* With WANT said room is looked for once more, as by who comes to wait: the caller need not be the
 * consumer any more, who may have emptied the mailbox and gone idle meanwhile. Where there is no
 * more room than for those woken it is theirs: each sends, or wakes another in its place. */
static void wake(struct worker *w, struct bsk_rt *rt, bsk_self *a, uint32_t room)
{
    uint32_t woken = 0;
    while (wake_first(w, rt, a, room, &woken) && (room = places(a)) > woken) {
    }
}

void room_wake(struct worker *w, struct bsk_rt *rt, bsk_self *a)
{
    wake(w, rt, a, places(a));
}

void room_wake_all(struct worker *w, struct bsk_rt *rt, bsk_self *a)
{
    wake(w, rt, a, UINT32_MAX);
}

/* Waits until there may be room, or the deadline. 0, BSK_ETIMEDOUT or BSK_ECANCELED. */
static int wait_in_fiber(bsk_self *self, bsk_addr to, bsk_self *target, uint64_t deadline)
{
    struct bsk_rt *rt = self->worker->rt;
    struct fiber *f = act_fiber(self);
    struct waiter *me = &f->room;
    *me = (struct waiter){.actor = self, .to = to};
    enlist(rt, target, me);
    f->room_of = target;
    bool full = mbox_want(&target->in, &target->out);
    int rc = 0;
    while (full && rc == 0 && listed(me)) {
        fib_wait(self, MBOX_DEAF, deadline, WAIT_ROOM, to);
        if (bsk_cancelled(self))
            rc = BSK_ECANCELED;
        else if (clk_now(rt) >= deadline)
            rc = BSK_ETIMEDOUT;
    }
    f->room_of = NULL;
    if (!delist(rt, target, me) && rc) wake(self->worker, rt, target, 1);
    return rc;
}

void room_forget(struct worker *w, bsk_self *a)
{
    struct fiber *f = act_fiber(a);
    bsk_self *target = f->room_of;
    if (!target) return;
    f->room_of = NULL;
    if (!delist(w->rt, target, &f->room)) wake(w, w->rt, target, 1);
}

static int wait_in_thread(struct bsk_rt *rt, bsk_addr to, bsk_self *target, uint64_t deadline)
{
    struct foreign *t = thread_self();
    if (!t) return BSK_ENOMEM;
    struct waiter me = {.thread = &t->room, .to = to};
    thread_wait_begin(&t->room);
    enlist(rt, target, &me);
    int rc = 0;
    if (mbox_want(&target->in, &target->out)) rc = thread_wait_until(rt, &t->room, deadline);
    if (!delist(rt, target, &me) && rc) wake(NULL, rt, target, 1);
    return rc;
}

int room_send(bsk_self *self, struct bsk_rt *rt, bsk_addr to, uint64_t deadline,
              const bsk_type *type, const void *body, uint64_t ask)
{
    /* The first try comes before any wait, also with a deadline that has passed: there may be
     * room. */
    for (bool woken = false;; woken = true) {
        struct worker *w = self && self->worker->rt == rt ? self->worker : NULL;
        int rc = snd_try(w, rt, to, 0, type, body, ask);
        /* Who was woken and fails for another reason leaves the place to the next. */
        if (rc && rc != BSK_EFULL && woken) room_wake(w, rt, rt_slot(rt, to.slot));
        if (rc != BSK_EFULL) return rc;
        if (self && fib_cancelled(self)) return BSK_ECANCELED;
        if (clk_now(rt) >= deadline) return BSK_ETIMEDOUT;
        bsk_self *target = rt_slot(rt, to.slot);
        rc = self ? wait_in_fiber(self, to, target, deadline)
                  : wait_in_thread(rt, to, target, deadline);
        if (rc) return rc;
    }
}

int bsk_send_(bsk_self *self, bsk_addr to, int64_t ms, const bsk_type *type, const void *body)
{
    struct way way;
    struct worker *w = rt_worker();
    if (self ? !fib_on_own_stack(self) : rt_self(w) != NULL) return BSK_EINVAL;
    if (self && to.node != w->node) return BSK_EDEAD;
    if (!snd_enter(to, &way)) return BSK_EDEAD;
    uint64_t deadline = self ? act_deadline(self, ms) : clk_deadline(clk_now(way.rt), ms);
    int rc = room_send(self, way.rt, to, deadline, type, body, 0);
    /* Not before: what was sent may lie in what was borrowed. */
    if (self) fib_spend(self);
    snd_leave(&way);
    return rc;
}

struct notice {
    bsk_room room;
    struct waiter waiter;
};

int bsk_want_room(bsk_self *self, bsk_addr who)
{
    struct worker *w = self->worker;
    struct bsk_rt *rt = w->rt;
    bsk_self *target = rt_slot(rt, who.slot);
    if (who.node != rt->node || !target || act_gen(target) != who.gen) return BSK_EDEAD;
    struct bsk_msg *m = snd_block(w, rt, sizeof(struct notice));
    if (!m) return BSK_ENOMEM;
    m->type = &bsk_room_bsk;
    m->lane = MSG_SIGNAL;
    m->flags = m->done = 0;
    struct notice *n = (void *)m->body;
    n->room = (bsk_room){.who = who};
    n->waiter = (struct waiter){.notice = m, .to = bsk_me(self)};
    enlist(rt, target, &n->waiter);
    /* There is room, or never will be: nobody else may come to say so. */
    if (!mbox_want(&target->in, &target->out)) room_wake(w, rt, target);
    return 0;
}
