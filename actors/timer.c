/* SPDX-License-Identifier: MIT */
/* Timers of actors: their message lies with them from the start, so firing cannot fail.
 *
 *     filed in a wheel --due--> queued in the mailbox --received--> in hand
 *            ^                                                        |
 *            `------------------- done, and an interval --------------'
 *
 * A timer is its actor's: only it stops, resets or takes one. The wheel is that of the worker it
 * was filed on, under the wheel's lock, so the actor may have moved on meanwhile, and another
 * thread may fire it while that worker's is held (see relief.c). A message in
 * the mailbox is valid while it is the one that its timer holds: stopping lets go of it, and it
 * is dropped when it comes up. */
#include "timer.h"

#include "ask.h"
#include "clock.h"
#include "fiber.h"
#include "scheduler.h"
#include "send.h"
#include "trace.h"

struct timer {
    struct slab_item item;
    uint16_t home; /* worker index of its wheel */
    bool queued;   /* its message is in the mailbox, or in hand; under the wheel's lock */
    uint8_t ctl;   /* not 0: no message: these bits are set for `owner` */
    uint8_t missed;
    struct alarm alarm;
    uint64_t period, due; /* ns; period 0: once */
    uint64_t reset;       /* when next, set while its message is in hand; 0: not */
    struct bsk_msg *msg;
    bsk_addr owner;
    struct timer *next, *prev; /* of its actor's */
};

#define TIMER_BYTES ((sizeof(struct timer) + 63) / 64 * 64)

int tim_init_slab(struct bsk_rt *rt)
{
    return slab_init(&rt->timers, TIMER_BYTES, UINT32_C(1) << 26);
}

static uint32_t gen_of(const struct timer *t)
{
    /* Relaxed: only its owner compares generations. */
    return atomic_load_explicit(&t->item.gen, memory_order_relaxed);
}

static struct timer *get(struct worker *w, struct bsk_rt *rt)
{
    struct slab_item *item = w ? slab_get(&w->timers) : slab_get_shared(&rt->timers);
    if (!item) return NULL;
    /* Relaxed: only its owner compares generations. */
    atomic_fetch_add_explicit(&item->gen, 1, memory_order_relaxed);
    struct timer *t = (struct timer *)(void *)item;
    t->alarm.kind = ALARM_TIMER;
    t->queued = false;
    t->ctl = 0;
    t->missed = BSK_SKIP;
    t->msg = NULL;
    t->reset = 0;
    RT_COUNT(w, rt, timers_made);
    return t;
}

static void put(struct worker *w, struct bsk_rt *rt, struct timer *t)
{
    assert((gen_of(t) & 1) && !whl_filed(&t->alarm.node));
    t->msg = NULL;
    atomic_fetch_add_explicit(&t->item.gen, 1, memory_order_relaxed);
    RT_COUNT(w, rt, timers_freed);
    if (w)
        slab_put(&w->timers, &t->item);
    else
        slab_put_shared(&rt->timers, &t->item);
}

static void file(struct worker *home, struct timer *t, uint64_t due)
{
    t->home = home->index;
    lock_take(&home->wheel_lock);
    assert(!whl_filed(&t->alarm.node));
    t->queued = false;
    t->due = due;
    if (due != NEVER) {
        whl_add(&home->wheel, &t->alarm.node, due);
        sch_alarm(home, due);
    }
    lock_give(&home->wheel_lock);
}

/* Takes it out of its wheel. Tells whether its message had been queued already. */
static bool unfile(struct bsk_rt *rt, struct timer *t)
{
    /* Acquire, wherever a worker is looked up, pairs with the release where it was added. */
    struct worker *home = atomic_load_explicit(&rt->workers[t->home], memory_order_acquire);
    lock_take(&home->wheel_lock);
    bool queued = t->queued;
    if (whl_filed(&t->alarm.node)) whl_remove(&home->wheel, &t->alarm.node);
    lock_give(&home->wheel_lock);
    return queued;
}

static void enlist(bsk_self *a, struct timer *t)
{
    assert((gen_of(t) & 1) && !t->ctl);
    t->prev = NULL;
    t->next = a->timers;
    if (a->timers) a->timers->prev = t;
    a->timers = t;
}

static void delist(bsk_self *a, struct timer *t)
{
    if (t->prev)
        t->prev->next = t->next;
    else
        a->timers = t->next;
    if (t->next) t->next->prev = t->prev;
}

static struct bsk_msg *message(struct worker *w, bsk_self *a, struct timer *t, const bsk_type *type,
                               const void *body)
{
    struct bsk_msg *m = snd_build(w, w->rt, type, body, act_gen(a));
    if (!m) return NULL;
    m->lane = MSG_SIGNAL;
    m->flags |= MSG_TIMER;
    m->ref = (uint64_t)gen_of(t) << 32 | slab_index(&w->rt->timers, t);
    return m;
}

/* The timer whose message this still is, or NULL. One that has ended may be another actor's by
 * now: its generation says so before anything else of it is looked at. */
static struct timer *timer_of(struct worker *w, const struct bsk_msg *m)
{
    struct timer *t = slab_at(&w->rt->timers, (uint32_t)m->ref);
    return gen_of(t) == m->ref >> 32 && t->msg == m ? t : NULL;
}

static bsk_timer start(bsk_self *self, int64_t ms, bool interval, const bsk_type *type,
                       const void *body)
{
    struct worker *w = self->worker;
    bsk_timer none = {0, 0};
    if (ms < 0 || (interval && !ms)) {
        act_set_error(self, BSK_EINVAL);
        return none;
    }
    struct timer *t = get(w, w->rt);
    if (!t || !(t->msg = message(w, self, t, type, body))) {
        if (t) put(w, w->rt, t);
        act_set_error(self, t ? BSK_ENOMEM : BSK_ELIMIT);
        return none;
    }
    t->owner = bsk_me(self);
    t->period = interval ? clk_deadline(0, ms) : 0;
    enlist(self, t);
    file(w, t, clk_deadline(clk_now(w->rt), ms));
    return (bsk_timer){slab_index(&w->rt->timers, t), gen_of(t)};
}

bsk_timer bsk_after_(bsk_self *self, int64_t ms, const bsk_type *type, const void *body)
{
    return start(self, ms, false, type, body);
}

bsk_timer bsk_every_(bsk_self *self, int64_t ms, const bsk_type *type, const void *body)
{
    return start(self, ms, true, type, body);
}

/* The actor's own timer of that name, if it has not ended. */
static struct timer *mine(bsk_self *self, bsk_timer t)
{
    struct bsk_rt *rt = self->worker->rt;
    if (!(t.gen & 1) || t.slot >= rt->timers.limit) return NULL;
    struct timer *found = slab_at(&rt->timers, t.slot);
    if (gen_of(found) != t.gen) return NULL;
    return bsk_same(found->owner, bsk_me(self)) ? found : NULL;
}

/* Ends a timer. Its message is returned if it was still filed; else the mailbox drops it. */
static struct bsk_msg *finish(bsk_self *self, struct timer *t)
{
    struct worker *w = self->worker;
    struct bsk_msg *m = unfile(w->rt, t) ? NULL : t->msg;
    delist(self, t);
    put(w, w->rt, t);
    return m;
}

void bsk_timer_stop(bsk_self *self, bsk_timer t)
{
    struct timer *one = mine(self, t);
    struct bsk_msg *m = one ? finish(self, one) : NULL;
    if (m) snd_free(self->worker, self->worker->rt, m);
}

static void lend(bsk_self *self, struct bsk_msg *m)
{
    struct fiber *f = act_fiber(self);
    struct bsk_msg **loans = f ? &f->loans : &self->worker->loans;
    m->next = *loans;
    *loans = m;
}

const void *bsk_timer_take_(bsk_self *self, bsk_timer t, const bsk_type *type)
{
    struct timer *one = mine(self, t);
    if (!one || one->msg->type != type) return NULL;
    if (one->msg == self->inhand) return NULL;
    const void *body = one->msg->body;
    struct bsk_msg *m = finish(self, one);
    /* One that was due stays in the mailbox until it comes up, and that is after this wait. */
    if (m) lend(self, m);
    return body;
}

int bsk_timer_reset(bsk_self *self, bsk_timer t, int64_t ms)
{
    struct worker *w = self->worker;
    struct timer *one = mine(self, t);
    if (ms < 0) return BSK_EINVAL;
    if (!one) return BSK_EDEAD;
    uint64_t due = clk_deadline(clk_now(w->rt), ms);
    if (one->msg == self->inhand) {
        one->reset = due;
        return 0;
    }
    /* First the memory: the message in the mailbox, if it is there, cannot be used again. */
    struct bsk_msg *old = one->msg, *m = message(w, self, one, old->type, old->body);
    if (!m) return BSK_ENOMEM;
    bool local =
        old->type->drop; /* its contents were not copied: one of the two must forget them */
    if (unfile(w->rt, one)) {
        one->msg = m;
        if (local) old->flags &= (uint8_t)~MSG_CONTENTS;
    } else {
        if (local) m->flags &= (uint8_t)~MSG_CONTENTS;
        snd_free(w, w->rt, m);
    }
    file(w, one, due);
    return 0;
}

int bsk_timer_missed(bsk_self *self, bsk_timer t, enum bsk_missed policy)
{
    struct timer *one = mine(self, t);
    if ((unsigned)policy > BSK_DELAY) return BSK_EINVAL;
    if (!one) return BSK_EDEAD;
    one->missed = (uint8_t)policy;
    return 0;
}

bool tim_received(struct worker *w, bsk_self *a, struct bsk_msg *m)
{
    struct timer *t = timer_of(w, m);
    if (!t) return false;
    if (w->tracing)
        trc_emit(w, w->rt, BSK_EV_TIMER, bsk_me(a), (bsk_addr){0, 0, 0}, m->type, 0, NULL);
    if (t->period) return true;
    delist(a, t);
    put(w, w->rt, t);
    m->flags &= (uint8_t)~MSG_TIMER;
    return true;
}

static uint64_t next_due(const struct timer *t, uint64_t now)
{
    if (t->missed == BSK_DELAY) return t->period > NEVER - 1 - now ? NEVER - 1 : now + t->period;
    uint64_t next = t->due > NEVER - 1 - t->period ? NEVER - 1 : t->due + t->period;
    if (t->missed == BSK_SKIP && next <= now)
        next += (now - next) / t->period * t->period + t->period;
    return next;
}

bool tim_again(struct worker *w, bsk_self *a, struct bsk_msg *m)
{
    struct timer *t = timer_of(w, m);
    if (!t) return false;
    act_unmark(a, m);
    uint64_t due = t->reset ? t->reset : next_due(t, clk_now(w->rt));
    t->reset = 0;
    file(w, t, due);
    return true;
}

void tim_free_all(struct worker *w, bsk_self *a)
{
    struct timer *t;
    while ((t = a->timers)) {
        struct bsk_msg *m = finish(a, t);
        if (m) snd_free(w, w->rt, m);
    }
}

static int control_at(struct worker *w, struct bsk_rt *rt, bsk_addr who, uint32_t bits,
                      uint64_t due, struct tim_notice *out)
{
    struct timer *t = get(w, rt);
    if (!t) return BSK_ELIMIT;
    t->ctl = (uint8_t)bits;
    t->owner = who;
    /* A thread of one actor's own goes with that; its wheel would never turn again. */
    struct worker *home =
        w && !w->solo ? w : atomic_load_explicit(&rt->workers[0], memory_order_acquire);
    /* Before it is filed: it may go off at once, and be another's. */
    *out = (struct tim_notice){slab_index(&rt->timers, t), gen_of(t), home->index};
    file(home, t, due);
    return 0;
}

int tim_kill_after(struct worker *w, struct bsk_rt *rt, bsk_addr who, int64_t ms)
{
    struct tim_notice notice;
    return control_at(w, rt, who, CTL_KILL, clk_deadline(clk_now(rt), ms), &notice);
}

int tim_notice_set(struct worker *w, struct bsk_rt *rt, bsk_addr who, uint64_t due,
                   struct tim_notice *out)
{
    return control_at(w, rt, who, CTL_KIN, due, out);
}

void tim_notice_clear(struct worker *w, struct bsk_rt *rt, struct tim_notice notice)
{
    if (!(notice.gen & 1)) return;
    struct timer *t = slab_at(&rt->timers, notice.slot);
    struct worker *home = atomic_load_explicit(&rt->workers[notice.home], memory_order_acquire);
    lock_take(&home->wheel_lock);
    /* While the generation is the notice's the timer is in this wheel. */
    bool mine = gen_of(t) == notice.gen;
    if (mine) whl_remove(&home->wheel, &t->alarm.node);
    lock_give(&home->wheel_lock);
    if (mine) put(w, rt, t);
}

static void control_now(struct worker *w, struct timer *t)
{
    bsk_self *a = rt_slot(w->rt, t->owner.slot);
    act_control(w, w->rt, a, t->owner.gen, t->ctl);
    put(w, w->rt, t);
}

static void fire(struct worker *w, struct timer *t)
{
    assert(!t->queued);
    if (t->ctl) {
        control_now(w, t);
        return;
    }
    t->queued = true;
    snd_urgent(w, w->rt, t->owner, t->msg);
}

static void fire_node(struct worker *w, struct worker *home, struct whl_node *node)
{
    struct alarm *alarm = (struct alarm *)(void *)node;
    switch (alarm->kind) {
    case ALARM_FIBER:
        if (w == home)
            alarm_fired(w, node);
        else
            alarm_fired_elsewhere(w, node);
        break;
    case ALARM_ASK: ask_expired(w, node); break;
    default: fire(w, (struct timer *)(void *)((char *)alarm - offsetof(struct timer, alarm)));
    }
}

/* Who stops a timer on another worker spins for this lock: it is given back now and then. */
#define EXPIRE_AT_ONCE 64

void tim_expire_of(struct worker *w, struct worker *home)
{
    bool more = true;
    while (more) {
        struct whl_node *node = NULL;
        lock_take(&home->wheel_lock);
        for (int i = 0; i < EXPIRE_AT_ONCE && (node = whl_collect(&home->wheel, w->now)); i++)
            fire_node(w, home, node);
        more = node != NULL;
        /* Seq_cst with the parker, see sch_alarm: written under the wheel's lock. */
        if (!more) atomic_store(&home->alarm, whl_next(&home->wheel));
        lock_give(&home->wheel_lock);
    }
}

void tim_expire(struct worker *w)
{
    tim_expire_of(w, w);
}
