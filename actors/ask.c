/* SPDX-License-Identifier: MIT */
/* Requests and replies.
 *
 * Each open request has a record in type-stable memory; the request's envelope names it, and so
 * does a kept right to reply. Whoever ends the request (a reply, its loss, the deadline, the
 * asker giving up) first swings the record's state from OPEN: exactly one succeeds, so a late or
 * second reply stops here, before any mailbox. The block for the reply is set aside when the
 * record is opened.
 *
 *     OPEN --reply, loss, deadline--> CLAIMED --filled--> DONE     then the asker is told
 *       |                                `--the asker ended--> ORPHANED     the claimant frees it
 *       `--the asker gave up--> FREE
 *
 * A call polls its record when it is poked; an ask gets the block as a message. */
#include "ask.h"

#include "clock.h"
#include "fiber.h"
#include "room.h"
#include "scheduler.h"
#include "send.h"
#include "thread.h"
#include "trace.h"
#include "trim.h"
#include "work.h"

enum ask_state { ASK_FREE, ASK_OPEN, ASK_CLAIMED, ASK_DONE, ASK_ORPHANED };
#define STATE_BITS 3

struct ask {
    struct slab_item item;
    _Atomic uint64_t state;  /* generation << STATE_BITS | enum ask_state */
    struct ask *next, *prev; /* of its actor's; not for calls */
    struct alarm alarm;      /* in the wheel of `home`, under its lock */
    struct bsk_msg *block;   /* for the reply; the reply, once DONE */
    const bsk_type *type;
    _Atomic uint64_t deadline;
    uint64_t sent;
    bsk_addr owner;
    struct thread_wait *thread; /* of a call by a thread */
    uint16_t home;
    bool call;
};

#define ASK_BYTES ((sizeof(struct ask) + 63) / 64 * 64)

int ask_init_slab(struct bsk_rt *rt)
{
    return slab_init(&rt->asks, ASK_BYTES, UINT32_C(1) << 24);
}

static uint64_t stamp(uint32_t gen, enum ask_state state)
{
    return (uint64_t)gen << STATE_BITS | state;
}

static uint64_t ref_of(struct bsk_rt *rt, const struct ask *k)
{
    uint32_t gen = atomic_load_explicit(&k->item.gen, memory_order_relaxed);
    return (uint64_t)gen << 32 | slab_index(&rt->asks, k);
}

static struct ask *ask_at(struct bsk_rt *rt, uint64_t ref)
{
    uint32_t index = (uint32_t)ref;
    return index < rt->asks.limit ? slab_at(&rt->asks, index) : NULL;
}

static bool swing(struct ask *k, uint32_t gen, enum ask_state from, enum ask_state to)
{
    uint64_t expected = stamp(gen, from);
    /* Acq_rel: a claimant sees the record as it was opened; who finds it DONE or ORPHANED, what the
     * claimant filled in. */
    return atomic_compare_exchange_strong_explicit(&k->state, &expected, stamp(gen, to),
                                                   memory_order_acq_rel, memory_order_acquire);
}

static uint32_t gen_of(const struct ask *k)
{
    return atomic_load_explicit(&k->item.gen, memory_order_relaxed);
}

static struct ask *get(struct worker *w, struct bsk_rt *rt)
{
    struct slab_item *item = w ? slab_get(&w->asks) : slab_get_shared(&rt->asks);
    if (!item) return NULL;
    /* Relaxed: the state carries the generation to others. */
    atomic_fetch_add_explicit(&item->gen, 1, memory_order_relaxed);
    return (struct ask *)(void *)item;
}

static void put(struct worker *w, struct bsk_rt *rt, struct ask *k)
{
    if (k->block) snd_free(w, rt, k->block);
    k->block = NULL;
    /* Relaxed: who comes with the old reference finds no open request before it nor after it. */
    atomic_store_explicit(&k->state, stamp(gen_of(k), ASK_FREE), memory_order_relaxed);
    atomic_fetch_add_explicit(&k->item.gen, 1, memory_order_relaxed);
    if (w)
        slab_put(&w->asks, &k->item);
    else
        slab_put_shared(&rt->asks, &k->item);
}

/* A thread may keep its last reply for longer than the runtime's pool lives. */
static struct bsk_msg *reply_block(struct worker *w, struct bsk_rt *rt, const struct ask *k,
                                   size_t size)
{
    return k->thread ? pool_get_heap(&rt->pool, MSG_HEAD + size) : snd_block(w, rt, size);
}

/* Makes the record ready for a request; its block is set aside here. */
static int open_ask(struct worker *w, struct bsk_rt *rt, struct ask *k, const bsk_type *type,
                    size_t reply_size, uint64_t deadline)
{
    /* For a reply, or for the code of its loss. */
    k->block = reply_block(w, rt, k, reply_size > sizeof(int) ? reply_size : sizeof(int));
    if (!k->block) return BSK_ENOMEM;
    k->block->lane = MSG_LOST; /* nothing in it yet */
    k->block->flags = k->block->done = 0;
    k->type = type;
    k->sent = rt->opts.histograms ? clk_now(rt) : 0;
    atomic_store_explicit(&k->deadline, deadline, memory_order_relaxed);
    /* Release pairs with the acquire in swing. */
    atomic_store_explicit(&k->state, stamp(gen_of(k), ASK_OPEN), memory_order_release);
    return 0;
}

static void unfile(struct bsk_rt *rt, struct ask *k)
{
    /* Relaxed: who takes it out opened it, or has swung its state since. */
    if (atomic_load_explicit(&k->deadline, memory_order_relaxed) == NEVER) return;
    struct worker *v = rt->workers[k->home];
    lock_take(&v->wheel_lock);
    if (whl_filed(&k->alarm.node)) whl_remove(&v->wheel, &k->alarm.node);
    lock_give(&v->wheel_lock);
}

static void file(struct worker *w, struct ask *k, uint64_t deadline)
{
    if (deadline == NEVER) return;
    k->home = w->index;
    k->alarm.kind = ALARM_ASK;
    lock_take(&w->wheel_lock);
    whl_add(&w->wheel, &k->alarm.node, deadline);
    sch_alarm(w, deadline);
    lock_give(&w->wheel_lock);
}

static void enlist(bsk_self *a, struct ask *k)
{
    assert(!k->call && (gen_of(k) & 1));
    k->prev = NULL;
    k->next = a->asks;
    if (a->asks) a->asks->prev = k;
    a->asks = k;
}

static void delist(bsk_self *a, struct ask *k)
{
    if (k->prev)
        k->prev->next = k->next;
    else
        a->asks = k->next;
    if (k->next) k->next->prev = k->prev;
}

static void release(struct worker *w, bsk_self *a, struct ask *k)
{
    delist(a, k);
    unfile(w->rt, k);
    put(w, w->rt, k);
}

/* A thread of the blocking pool looks at an actor's slot: as rt_hold, of a runtime that waits for
 * its pool before it ends. */
static void enter_slots(struct worker *w, struct bsk_rt *rt)
{
    if (w) return;
    /* Seq_cst with trim.c. */
    atomic_fetch_add(&rt->users, 1);
    if (atomic_load(&rt->trimming)) trm_wait(rt);
}

static void leave_slots(struct worker *w, struct bsk_rt *rt)
{
    if (!w) rt_drop(rt);
}

/* Hands the filled block over. The claimant's last look at the record. */
static void tell_asker(struct worker *w, struct bsk_rt *rt, struct ask *k, uint32_t gen)
{
    bsk_addr owner = k->owner;
    struct thread_wait *thread = k->thread;
    struct bsk_msg *m = k->block;
    bool call = k->call;
    if (!call) k->block = NULL;
    if (!swing(k, gen, ASK_CLAIMED, ASK_DONE)) {
        k->block = m;
        put(w, rt, k);
        return;
    }
    enter_slots(w, rt);
    if (!call)
        snd_urgent(w, rt, owner, m);
    else if (thread)
        thread_wake(thread);
    else
        act_poke(w, rt, rt_slot(rt, owner.slot));
    leave_slots(w, rt);
}

static void fill_lost(struct ask *k, uint64_t ref, int rc)
{
    assert(k->block && rc < 0);
    k->block->type = k->type;
    k->block->lane = MSG_LOST;
    k->block->ref = ref;
    memcpy(k->block->body, &rc, sizeof rc);
}

static void lose(struct worker *w, struct bsk_rt *rt, uint64_t ref, int rc)
{
    struct ask *k = ask_at(rt, ref);
    uint32_t gen = (uint32_t)(ref >> 32);
    if (!k || !swing(k, gen, ASK_OPEN, ASK_CLAIMED)) return;
    fill_lost(k, ref, rc);
    tell_asker(w, rt, k, gen);
}

/* A reply with strings or bytes may need a larger block than was set aside. */
static int make_room(struct worker *w, struct bsk_rt *rt, struct ask *k, const void *body)
{
    size_t tail = k->type->reply->tails ? msg_tail_size(k->type->reply, body) : 0;
    if (!tail) return 0;
    size_t size = k->type->reply->size + tail;
    struct bsk_msg *m = reply_block(w, rt, k, size);
    if (!m) return BSK_ENOMEM;
    snd_free_block(w, rt, k->block);
    k->block = m;
    m->flags = m->done = 0;
    return 0;
}

static int answer(struct worker *w, struct bsk_rt *rt, uint64_t ref, const bsk_type *type,
                  const void *body)
{
    struct ask *k = ask_at(rt, ref);
    uint32_t gen = (uint32_t)(ref >> 32);
    if (!k || !swing(k, gen, ASK_OPEN, ASK_CLAIMED)) {
        trc_dead(w, rt, (bsk_addr){0, 0, 0}, type->reply, BSK_DEAD_LATE);
        return BSK_EDEAD;
    }
    assert(k->type == type);
    int rc = make_room(w, rt, k, body);
    if (rc) {
        fill_lost(k, ref, rc);
    } else {
        struct bsk_msg *m = k->block;
        m->type = type;
        m->lane = MSG_REPLY;
        m->flags = msg_contents(type->reply);
        m->ref = ref;
        msg_copy_words(m->body, body, type->reply->size);
        if (type->reply->tails) msg_copy_tails(m);
    }
    tell_asker(w, rt, k, gen);
    return rc;
}

int bsk_reply_(const void *request, const bsk_type *type, const void *body)
{
    struct bsk_msg *m = msg_of(request);
    struct bsk_rt *rt = rt_here();
    if (!rt || !(m->flags & MSG_REQUEST)) return BSK_EDEAD;
    int rc = answer(rt_worker(), rt, m->ref, type, body);
    m->flags |= MSG_ANSWERED;
    return rc;
}

bool bsk_abandoned(const void *request)
{
    struct bsk_msg *m = msg_of(request);
    struct bsk_rt *rt = rt_here();
    if (!rt || !(m->flags & MSG_REQUEST)) return true;
    if (ask_open(rt, m->ref, clk_now(rt))) return false;
    /* If only its time is over and nobody has noticed yet: what was said here has to stay true. */
    lose(rt_worker(), rt, m->ref, BSK_ETIMEDOUT);
    return true;
}

/* Drops the refs that have been answered; they are looked at only when the array is full. */
static void compact(struct bsk_rt *rt, struct act_more *more)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < more->nlater; i++)
        if (ask_open(rt, more->later[i], 0)) more->later[n++] = more->later[i];
    more->nlater = n;
}

static int grow(struct act_more *more)
{
    uint32_t cap = more->later_cap ? 2 * more->later_cap : 8;
    uint64_t *later = mem_alloc(cap * sizeof *later);
    if (!later) return BSK_ENOMEM;
    if (more->nlater) memcpy(later, more->later, more->nlater * sizeof *later);
    mem_free(more->later);
    more->later = later;
    more->later_cap = cap;
    return 0;
}

static int keep(struct bsk_rt *rt, bsk_self *a, uint64_t ref)
{
    if (!a->more && !(a->more = mem_zalloc(sizeof *a->more))) return BSK_ENOMEM;
    struct act_more *more = a->more;
    if (more->nlater == more->later_cap) {
        compact(rt, more);
        if (more->nlater * 2 >= more->later_cap && grow(more)) return BSK_ENOMEM;
    }
    more->later[more->nlater++] = ref;
    return 0;
}

bsk_pending bsk_later_(const void *request)
{
    struct bsk_msg *m = msg_of(request);
    struct worker *w = rt_worker();
    struct bsk_rt *rt = rt_here();
    bsk_pending none = {0, 0};
    if (!rt || !(m->flags & MSG_REQUEST)) return none;
    bsk_self *self = rt_self(w);
    if (self && keep(rt, self, m->ref)) return none;
    m->flags |= MSG_KEPT;
    return (bsk_pending){rt->node, m->ref};
}

int bsk_answer_(bsk_pending pending, const bsk_type *type, const void *body)
{
    struct way way;
    if (!pending.node || !snd_enter((bsk_addr){.node = pending.node}, &way)) return BSK_EDEAD;
    int rc = answer(way.w, way.rt, pending.ref, type, body);
    snd_leave(&way);
    return rc;
}

/* What the asker hears of a request that was dropped. */
static int no_reply(struct worker *w)
{
    return w && w->ending.actor && w->ending.lost ? w->ending.lost : BSK_ENOREPLY;
}

void ask_later_lost(struct worker *w, bsk_self *a)
{
    struct act_more *more = a->more;
    while (more && more->nlater) lose(w, w->rt, more->later[--more->nlater], no_reply(w));
}

/* Whose time is over hears that, whoever comes first to say so. */
void ask_dropped(struct worker *w, struct bsk_rt *rt, uint64_t ref)
{
    lose(w, rt, ref, ask_open(rt, ref, clk_now(rt)) ? no_reply(w) : BSK_ETIMEDOUT);
}

bool ask_open(struct bsk_rt *rt, uint64_t ref, uint64_t now)
{
    struct ask *k = ask_at(rt, ref);
    /* Acquire pairs with open_ask: the deadline is this request's. */
    return k &&
           atomic_load_explicit(&k->state, memory_order_acquire) ==
               stamp((uint32_t)(ref >> 32), ASK_OPEN) &&
           atomic_load_explicit(&k->deadline, memory_order_relaxed) > now;
}

uint64_t ask_deadline(struct bsk_rt *rt, uint64_t ref)
{
    struct ask *k = ask_at(rt, ref);
    /* Relaxed: who has the reference got it after the deadline was written. Should it be another
     * request's by now, nobody waits for this one any more. */
    uint64_t deadline = atomic_load_explicit(&k->deadline, memory_order_relaxed);
    return ask_open(rt, ref, 0) ? deadline : NEVER;
}

uint64_t ask_sent(struct bsk_rt *rt, uint64_t ref)
{
    return ask_at(rt, ref)->sent;
}

void ask_expired(struct worker *w, struct whl_node *node)
{
    struct ask *k = (struct ask *)(void *)((char *)node - offsetof(struct ask, alarm.node));
    lose(w, w->rt, ref_of(w->rt, k), BSK_ETIMEDOUT);
}

void ask_received(struct worker *w, bsk_self *a, struct bsk_msg *m)
{
    release(w, a, ask_at(w->rt, m->ref));
}

static void abandon(struct worker *w, bsk_self *a, struct ask *k)
{
    uint32_t gen = gen_of(k);
    delist(a, k);
    unfile(w->rt, k);
    if (swing(k, gen, ASK_OPEN, ASK_FREE) || !swing(k, gen, ASK_CLAIMED, ASK_ORPHANED))
        put(w, w->rt, k);
}

void ask_abandon_all(struct worker *w, bsk_self *a)
{
    while (a->asks) abandon(w, a, a->asks);
}

int ask_begin(bsk_self *self, int64_t ms, const bsk_type *type, size_t reply_size, uint64_t *ref)
{
    struct worker *w = self->worker;
    uint64_t deadline = act_deadline(self, ms);
    struct ask *k = get(w, w->rt);
    if (!k) return BSK_ELIMIT;
    k->owner = bsk_me(self);
    k->thread = NULL;
    k->call = false;
    int rc = open_ask(w, w->rt, k, type, reply_size, deadline);
    if (rc) {
        put(w, w->rt, k);
        return rc;
    }
    enlist(self, k);
    file(w, k, deadline);
    *ref = ref_of(w->rt, k);
    return 0;
}

/* The request could not be sent. If its deadline has passed meanwhile, the asker hears that
 * instead. */
int ask_undo(bsk_self *self, uint64_t ref, int rc)
{
    struct worker *w = self->worker;
    struct ask *k = ask_at(w->rt, ref);
    if (!swing(k, (uint32_t)(ref >> 32), ASK_OPEN, ASK_FREE)) return 0;
    release(w, self, k);
    return rc;
}

int bsk_ask_(bsk_self *self, bsk_addr to, int64_t ms, const bsk_type *type, const void *body,
             size_t size)
{
    struct worker *w = self->worker;
    uint64_t ref;
    if (to.node != w->node) return BSK_EDEAD;
    int rc = ask_begin(self, ms, type, size, &ref);
    if (rc) return rc;
    rc = snd_try(w, w->rt, to, 0, type, body, ref);
    return rc ? ask_undo(self, ref, rc) : 0;
}

static struct ask *call_record(struct worker *w, struct fiber *f)
{
    if (!f->call) {
        f->call = get(w, w->rt);
    } else {
        /* Only its fiber moves the generation on; the state carries it to others. */
        atomic_store_explicit(&f->call->item.gen, gen_of(f->call) + 2, memory_order_relaxed);
    }
    return f->call;
}

void ask_release_call(struct worker *w, bsk_self *a)
{
    struct fiber *f = act_fiber(a);
    struct ask *k = f->call;
    if (!k) return;
    f->call = NULL;
    uint32_t gen = gen_of(k);
    if (swing(k, gen, ASK_OPEN, ASK_FREE) || !swing(k, gen, ASK_CLAIMED, ASK_ORPHANED))
        put(w, w->rt, k);
}

static bool done(const struct ask *k)
{
    /* Acquire pairs with the release in tell_asker's swing: the block is filled. */
    return atomic_load_explicit(&k->state, memory_order_acquire) == stamp(gen_of(k), ASK_DONE);
}

/* Waits for the reply; a claim that came first is waited for: the claimant is about to tell. */
static inline __attribute__((always_inline)) int wait_for_reply(bsk_self *self, struct ask *k,
                                                                bsk_addr to, uint64_t deadline)
{
    struct bsk_rt *rt = self->worker->rt;
    while (!done(k)) {
        fib_wait(self, MBOX_DEAF, deadline, WAIT_REPLY, to);
        if (done(k)) break;
        bool cancelled = bsk_cancelled(self);
        if (!cancelled && clk_now(rt) < deadline) continue;
        if (swing(k, gen_of(k), ASK_OPEN, ASK_FREE))
            return cancelled ? BSK_ECANCELED : BSK_ETIMEDOUT;
        deadline = NEVER;
    }
    return 0;
}

static int lost_code(const struct bsk_msg *m)
{
    int rc;
    memcpy(&rc, m->body, sizeof rc);
    return rc;
}

static const void *take_reply(bsk_self *self, struct ask *k, int *rc)
{
    struct bsk_msg *m = k->block;
    struct worker *w = self->worker;
    k->block = NULL;
    if (m->lane == MSG_LOST) {
        *rc = lost_code(m);
        snd_free_block(w, w->rt, m);
        return NULL;
    }
    struct fiber *f = act_fiber(self);
    m->next = f->loans;
    f->loans = m;
    return m->body;
}

static int send_request(bsk_self *self, struct bsk_rt *rt, bsk_addr to, uint64_t deadline,
                        const bsk_type *type, const void *body, uint64_t ref, bsk_work_fn *fn)
{
    if (fn) return work_submit(self ? self->worker : NULL, rt, fn, type, body, ref);
    return room_send(self, rt, to, deadline, type, body, ref);
}

/* One more request and its reply. */
static inline __attribute__((always_inline)) const void *
call_in_fiber(bsk_self *self, uint64_t deadline, const bsk_type *type, const void *body,
              bsk_addr to, bsk_work_fn *fn)
{
    struct worker *w = self->worker;
    struct ask *k = call_record(w, act_fiber(self));
    int rc = k ? 0 : BSK_ELIMIT;
    const void *reply = NULL;
    if (k) {
        k->owner = bsk_me(self);
        k->thread = NULL;
        k->call = true;
        rc = open_ask(w, w->rt, k, type, type->reply->size, deadline);
    }
    if (rc == 0) {
        rc = send_request(self, w->rt, to, deadline, type, body, ref_of(w->rt, k), fn);
        /* Not before: what was sent may lie in what was borrowed. */
        fib_spend(self);
        if (rc == 0)
            rc = wait_for_reply(self, k, to, deadline);
        else
            swing(k, gen_of(k), ASK_OPEN, ASK_FREE);
        w = self->worker;
        if (rc == 0) {
            reply = take_reply(self, k, &rc);
        } else {
            snd_free_block(w, w->rt, k->block);
            k->block = NULL;
        }
    }
    if (rc) act_set_error(self, rc);
    return reply;
}

static const void *call_in_thread(struct bsk_rt *rt, uint64_t deadline, const bsk_type *type,
                                  const void *body, bsk_addr to, bsk_work_fn *fn)
{
    struct foreign *t = thread_self();
    struct ask *k = t ? get(NULL, rt) : NULL;
    int rc = k ? 0 : t ? BSK_ELIMIT : BSK_ENOMEM;
    const void *reply = NULL;
    if (rc) goto out;
    k->thread = &t->wait;
    k->call = true;
    thread_wait_begin(&t->wait);
    if ((rc = open_ask(NULL, rt, k, type, type->reply->size, deadline))) goto put_record;
    rc = send_request(NULL, rt, to, deadline, type, body, ref_of(rt, k), fn);
    if (rc == 0) {
        rc = thread_wait_until(rt, &t->wait, deadline);
        /* Claimed meanwhile: the claimant wakes this thread in a moment. */
        if (rc && !swing(k, gen_of(k), ASK_OPEN, ASK_FREE))
            rc = thread_wait_until(rt, &t->wait, NEVER);
    }
    if (rc == 0 && k->block->lane == MSG_LOST) rc = lost_code(k->block);
    if (rc == 0) {
        reply = thread_keep(t, rt, k->block);
        k->block = NULL;
    }
put_record:
    put(NULL, rt, k);
out:
    if (rc) thread_set_error(rc);
    return reply;
}

const void *ask_call(bsk_self *self, struct bsk_rt *rt, int64_t ms, const bsk_type *type,
                     const void *body, bsk_addr to, bsk_work_fn *fn)
{
    if (self) {
        if (fib_cancelled(self)) {
            fib_return_loans(self);
            act_set_error(self, BSK_ECANCELED);
            return NULL;
        }
        return call_in_fiber(self, act_deadline(self, ms), type, body, to, fn);
    }
    return call_in_thread(rt, clk_deadline(clk_now(rt), ms), type, body, to, fn);
}

static int check_call(bsk_self *self, bsk_addr to)
{
    struct worker *w = rt_worker();
    if (self ? !fib_on_own_stack(self) : rt_self(w) != NULL) return BSK_EINVAL;
    if (self && bsk_same(bsk_me(self), to)) return BSK_EDEADLK;
    return self && to.node != w->node ? BSK_EDEAD : 0;
}

const void *bsk_call_(bsk_self *self, bsk_addr to, int64_t ms, const bsk_type *type,
                      const void *body)
{
    struct way way;
    const void *reply = NULL;
    int rc = check_call(self, to);
    if (rc == 0 && !snd_enter(to, &way)) rc = BSK_EDEAD;
    if (rc == 0) {
        reply = ask_call(self, way.rt, ms, type, body, to, NULL);
        snd_leave(&way);
    } else if (self) {
        act_set_error(self, rc);
    } else {
        act_tell_error(rt_worker(), rc);
    }
    return reply;
}
