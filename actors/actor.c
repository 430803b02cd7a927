/* SPDX-License-Identifier: MIT */
/* An actor at work: it takes messages out of its mailbox in slices, and obeys who controls it. */
#include "ask.h"
#include "clock.h"
#include "end.h"
#include "hooks.h"
#include "room.h"
#include "scheduler.h"
#include "send.h"
#include "thread.h"
#include "timer.h"
#include "trace.h"

/* For the way of a plain message to a handler, which then is one straight line: worth 8 %. */
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

void act_set_error(bsk_self *self, int rc)
{
    assert(rc <= 0 && self->worker);
    struct fiber *f = act_fiber(self);
    thread_clear_detail();
    if (f)
        f->error = rc;
    else
        self->worker->error = rc;
}

int bsk_error(const bsk_self *self)
{
    if (!self) return thread_error();
    struct fiber *f = act_fiber(self);
    return f ? f->error : self->worker->error;
}

void act_tell_error(struct worker *w, int rc)
{
    if (rt_self(w))
        act_set_error(rt_self(w), rc);
    else
        thread_set_error(rc);
}

uint64_t act_deadline(bsk_self *self, int64_t ms)
{
    struct worker *w = self->worker;
    uint64_t due = ms < 0 ? NEVER : clk_deadline(clk_now(w->rt), ms);
    struct bsk_msg *m = self->inhand;
    struct fiber *f = act_fiber(self);
    uint64_t ref = m && (m->flags & MSG_REQUEST) ? m->ref : f ? f->serves : 0;
    uint64_t inherited = ref ? ask_deadline(w->rt, ref) : NEVER;
    if (inherited < due) due = inherited;
    if (!act_kin(self)) return due;
    inherited = act_hooks.deadline(self);
    return inherited < due ? inherited : due;
}

void act_poke(struct worker *w, struct bsk_rt *rt, bsk_self *a)
{
    if (mbox_poke(&a->in)) act_wake(w, rt, a);
}

bool act_close(struct worker *w, struct bsk_rt *rt, bsk_self *a, uint32_t gen)
{
    /* Acquire: as in mbox_close. */
    uint64_t word = atomic_load_explicit(&a->in.word, memory_order_acquire);
    /* If the actor ends after this look at its generation, the word is another: MBOX_ERA. */
    do {
        if (act_gen(a) != gen) return false;
    } while (!mbox_close(&a->in, &word));
    if ((word & MBOX_STATE) != MBOX_BUSY) act_wake(w, rt, a);
    return true;
}

bool act_control(struct worker *w, struct bsk_rt *rt, bsk_self *a, uint32_t gen, uint32_t bits)
{
    assert(bits && !(bits & ~(uint32_t)CTL_BITS) && (!w || w->rt == rt));
    uint32_t ctl = atomic_load_explicit(&a->ctl, memory_order_relaxed);
    do {
        if ((ctl & ~(uint32_t)CTL_BITS) != act_tag(gen)) return false;
        /* Release pairs with act_look; others see it by the poke, which releases, and whoever
         * clears POKE acquires. */
    } while (!atomic_compare_exchange_weak_explicit(&a->ctl, &ctl, ctl | bits, memory_order_release,
                                                    memory_order_relaxed));
    act_poke(w, rt, a);
    return true;
}

static void guard(bsk_self *a)
{
    if (act_guarded(a)) lock_take(&a->in.end_lock);
}

static void unguard(bsk_self *a)
{
    if (act_guarded(a)) lock_give(&a->in.end_lock);
}

void act_collect(struct worker *w, bsk_self *a)
{
    guard(a);
    struct bsk_msg *mark = a->out.list ? NULL : mbox_collect(&a->in, &a->out);
    if (mark && mark->done) pool_put(&w->pool, mark);
    unguard(a);
}

struct bsk_msg *act_take(bsk_self *a)
{
    guard(a);
    struct bsk_msg *m = mbox_next(&a->out);
    if (m && m->lane == MSG_USER) mbox_popped(&a->out);
    unguard(a);
    return m;
}

struct bsk_msg *act_pass(bsk_self *a)
{
    guard(a);
    struct bsk_msg *m = mbox_next(&a->out);
    unguard(a);
    return m;
}

void act_unpass(bsk_self *a, struct bsk_msg *m)
{
    assert(m && !m->done);
    guard(a);
    m->next = a->out.list;
    a->out.list = m;
    unguard(a);
}

void act_popped(bsk_self *a, const struct bsk_msg *m)
{
    if (m->lane != MSG_USER) return;
    guard(a);
    mbox_popped(&a->out);
    unguard(a);
}

void act_unmark(bsk_self *a, struct bsk_msg *m)
{
    guard(a);
    if (m == mbox_newest(a->out.examined)) mbox_unmark(&a->in, &a->out);
    m->done = 0;
    unguard(a);
}

/* Drops the oldest user message for a new one: the senders' call. What a selective receive has
 * passed over is the fiber's own and stays. */
bool act_evict(struct worker *w, struct bsk_rt *rt, bsk_self *a, uint32_t gen)
{
    lock_take(&a->in.end_lock);
    /* Who refused the sender may have ended. If not, it does not park for the last time
     * meanwhile. */
    if (act_gen(a) != gen) {
        lock_give(&a->in.end_lock);
        return false;
    }
    struct bsk_msg *mark = a->out.list ? NULL : mbox_collect(&a->in, &a->out);
    if (mark && !mark->done) mark = NULL;
    struct bsk_msg **link = &a->out.list, *m;
    while ((m = *link) && m->lane != MSG_USER) link = &m->next;
    if (m) {
        *link = m->next;
        mbox_popped(&a->out);
        /* Out of the lock it must be nobody's but this thread's, until its contents are dropped. */
        if (m == mbox_newest(a->out.examined)) mbox_unmark(&a->in, &a->out);
    }
    lock_give(&a->in.end_lock);
    if (mark) snd_free_block(w, rt, mark);
    if (!m) return false;
    trc_dead(w, rt, rt_addr(rt, a, m->gen), m->type, BSK_DEAD_DROPPED);
    if (msg_owes(m)) ask_dropped(w, rt, m->ref);
    snd_free(w, rt, m);
    return true;
}

static void free_block(struct worker *w, bsk_self *a, struct bsk_msg *m)
{
    guard(a);
    bool reusable = mbox_done(&a->out, m);
    unguard(a);
    if (reusable) pool_put(&w->pool, m);
}

/* Drops what a message holds. That may fail the actor; then its end frees the block. */
static void release(struct worker *w, struct bsk_msg *m)
{
    if (!(m->flags & MSG_CONTENTS)) return;
    w->ending.dropping = m;
    msg_drop_contents(m);
    w->ending.dropping = NULL;
}

void act_drop_failed(struct worker *w, bsk_self *a)
{
    struct bsk_msg *m = w->ending.dropping;
    w->ending.dropping = NULL;
    if (m) free_block(w, a, m);
}

void act_finish(struct worker *w, bsk_self *a, struct bsk_msg *m)
{
    if (m->flags) {
        if ((m->flags & MSG_TIMER) && tim_again(w, a, m)) return;
        if (msg_owes(m)) ask_dropped(w, w->rt, m->ref);
    }
    release(w, m);
    free_block(w, a, m);
}

static void bury_contents(struct worker *w, bsk_self *a, struct bsk_msg *m, enum bsk_dead why)
{
    if (m->flags & MSG_EXIT) end_take_signal(w, a, m);
    if (m->lane == MSG_USER) trc_dead(w, w->rt, rt_addr(w->rt, a, m->gen), m->type, why);
    if (msg_owes(m)) ask_dropped(w, w->rt, m->ref);
    release(w, m);
}

/* Only while the actor ends, and until its slot is vacant. */
static bool kept(struct worker *w, bsk_self *a, struct bsk_msg *m)
{
    if (m->lane != MSG_USER || m->gen != act_gen(a)) return false;
    return (w->ending.kin || act_kin(a)) && act_hooks.keep(w, a, m);
}

void act_bury(struct worker *w, bsk_self *a, struct bsk_msg *m, enum bsk_dead why)
{
    if (why == BSK_DEAD_UNHANDLED && kept(w, a, m)) return;
    bury_contents(w, a, m, why);
    free_block(w, a, m);
}

/* Tells whether a message that is not a plain one for this actor should still be seen by it. */
static bool admit(struct worker *w, bsk_self *a, struct bsk_msg *m)
{
    if (m->gen != act_gen(a)) {
        act_bury(w, a, m, BSK_DEAD_GONE);
        return false;
    }
    if (m->flags & MSG_EXIT) {
        /* It ends who got it, and says why when the mailbox is cleared. */
        act_unpass(a, m);
        /* Relaxed: its own worker sets the bit here, and reads it. */
        atomic_fetch_or_explicit(&a->ctl, CTL_EXIT, memory_order_relaxed);
        return false;
    }
    if (((m->flags & MSG_TIMER) && !tim_received(w, a, m)) ||
        ((m->flags & MSG_MONITOR) && !act_hooks.received(w, a, m)) ||
        ((m->flags & MSG_HANDLE) && !loop_hooks.received(w, a, m))) {
        act_bury(w, a, m, BSK_DEAD_GONE);
        return false;
    }
    if ((m->flags & MSG_REQUEST) && !ask_open(w->rt, m->ref, w->now)) {
        act_bury(w, a, m, BSK_DEAD_EXPIRED);
        return false;
    }
    if (m->lane >= MSG_REPLY) ask_received(w, a, m);
    return true;
}

static void count(struct worker *w, const struct bsk_msg *m)
{
    rt_count(m->lane == MSG_USER     ? &w->count.user
             : m->lane == MSG_SIGNAL ? &w->count.signal
                                     : &w->count.reply,
             1);
}

static void measure_wait(struct worker *w, const struct bsk_msg *m)
{
    uint64_t sent = m->flags & MSG_REQUEST ? ask_sent(w->rt, m->ref) : m->ref;
    uint64_t now = clk_now(w->rt);
    if (m->lane == MSG_USER) hist_add(w->in_mailbox, now > sent ? now - sent : 0);
}

/* Tells whether a message that was taken is for the actor to see; if not it is buried. */
static bool deliver(struct worker *w, bsk_self *a, struct bsk_msg *m)
{
    bool plain = !(m->lane | m->flags) && m->gen == act_gen(a);
    if (!plain && !admit(w, a, m)) return false;
    count(w, m);
    if (w->timing) measure_wait(w, m);
    if (w->tracing)
        trc_emit(w, w->rt, BSK_EV_TAKE, rt_addr(w->rt, a, m->gen), (bsk_addr){0, 0, 0}, m->type,
                 m->lane, NULL);
    return true;
}

bool act_deliver(struct worker *w, bsk_self *a, struct bsk_msg *m)
{
    return deliver(w, a, m);
}

static void free_loans(struct worker *w)
{
    for (struct bsk_msg *m = w->loans, *next; m; m = next) {
        next = m->next;
        msg_release(m);
        pool_put(&w->pool, m);
    }
    w->loans = NULL;
}

/* Calls the handler. `watched`: with what measuring and dropping the oldest need; else without
 * asking. */
static inline __attribute__((always_inline)) void handle(struct worker *w, bsk_self *a,
                                                         struct bsk_msg *m, bool watched)
{
    uint64_t before = watched && w->timing ? clk_now(w->rt) : 0;
    a->inhand = m;
    /* Relaxed: for the watchdog and dumps; types are never freed. */
    atomic_store_explicit(&w->doing, m->type, memory_order_relaxed);
    a->run.handler(a, m);
    a->inhand = NULL;
    if (watched && w->timing) hist_add(w->in_handler, clk_now(w->rt) - before);
    if (UNLIKELY(w->loans)) free_loans(w);
    if (watched || UNLIKELY(m->flags))
        act_finish(w, a, m);
    else if (LIKELY(mbox_done(&a->out, m)))
        pool_put(&w->pool, m);
}

/* Hands bsk_stopping to a handler that traps stops, once; without memory for it the handler ends,
 * and this is false. */
static bool tell_stopping(struct worker *w, bsk_self *a)
{
    struct bsk_msg *m = pool_get(&w->pool, MSG_HEAD + sizeof(bsk_stopping));
    if (!m) {
        act_end(w, a, BSK_SHUTDOWN);
        return false;
    }
    /* Relaxed: its own worker sets the bit, and reads it. */
    atomic_fetch_or_explicit(&a->ctl, CTL_TOLD, memory_order_relaxed);
    m->type = &bsk_stopping_bsk;
    m->gen = act_gen(a);
    m->lane = MSG_SIGNAL;
    m->flags = m->done = 0;
    m->body[0] = 0;
    count(w, m);
    handle(w, a, m, true);
    return true;
}

static void begin(bsk_self *a)
{
    /* Relaxed: set before the actor was published, cleared by its worker. */
    atomic_fetch_and_explicit(&a->ctl, ~(uint32_t)CTL_START, memory_order_relaxed);
    if (a->more && a->more->init) a->more->init(a);
}

static void arrive(struct worker *w, bsk_self *a)
{
    /* Relaxed: set before it was sent here, cleared by its worker. */
    atomic_fetch_and_explicit(&a->ctl, ~(uint32_t)CTL_CAME, memory_order_relaxed);
    loop_hooks.arrive(w, a);
}

bool act_drained(bsk_self *a)
{
    guard(a);
    bool empty = !a->out.list && !mbox_has_more(&a->in, &a->out);
    unguard(a);
    return empty;
}

/* Does what the ctl bits ask for. Tells whether the actor goes on. */
static bool obey(struct worker *w, bsk_self *a, uint32_t ctl)
{
    bool handler = !(act_flags(a) & ACT_FIBER);
    if (ctl & CTL_CAME) arrive(w, a);
    if (ctl & CTL_KILL) {
        act_end(w, a, BSK_KILLED);
        return false;
    }
    if (ctl & CTL_EXIT) {
        act_end(w, a, END_BY_SIGNAL);
        return false;
    }
    if (ctl & CTL_OVERFLOW) {
        end_text(w, NULL, 0, "mailbox overflow");
        act_end(w, a, BSK_FAILED);
        return false;
    }
    if (ctl & CTL_KIN) act_look(w, a);
    if (ctl & CTL_START) begin(a);
    if (!handler || !(ctl & (CTL_STOP | CTL_DRAIN))) return true;
    /* A draining handler first handles all that came before its mailbox closed. */
    if (!(ctl & CTL_STOP) && !act_drained(a)) return true;
    if (!(act_flags(a) & ACT_TRAP_STOP)) {
        act_end(w, a, act_kin(a) ? act_hooks.stopped(a) : BSK_SHUTDOWN);
        return false;
    }
    return (ctl & CTL_TOLD) || tell_stopping(w, a);
}

enum mbox_parked act_park(bsk_self *a, uint64_t state, struct bsk_msg **mark)
{
    enum mbox_parked parked = MBOX_STAYS;
    bool lock = act_guarded(a);
    if (lock) lock_take(&a->in.end_lock);
    if (state == MBOX_DEAF || !a->out.list) parked = mbox_park(&a->in, &a->out, state, mark);
    if (lock) lock_give(&a->in.end_lock);
    return parked;
}

/* After the attempt to park: the mark is reused, who waits for room woken, the actor queued if
 * it stays. */
static void parked(struct worker *w, bsk_self *a, enum mbox_parked how, struct bsk_msg *mark)
{
    struct bsk_rt *rt = w->rt;
    if (mark && how != MBOX_STAYS) pool_put(&w->pool, mark);
    if (how == MBOX_PARKED_WANT || (how == MBOX_STAYS && mbox_take_want(&a->in)))
        room_wake(w, rt, a);
    if (how == MBOX_STAYS) sch_enqueue(w, a);
}

/* Sleeps in the state, or stands at the end of the queue if there is more to do. */
static void settle(struct worker *w, bsk_self *a, uint64_t state)
{
    struct bsk_msg *mark = NULL;
    enum mbox_parked how = state == MBOX_BUSY ? MBOX_STAYS : act_park(a, state, &mark);
    parked(w, a, how, mark);
}

/* The same, idle, for an actor from whose end nobody else takes. */
static inline __attribute__((always_inline)) void settle_plain(struct worker *w, bsk_self *a)
{
    struct bsk_msg *mark = NULL;
    enum mbox_parked how = a->out.list ? MBOX_STAYS : mbox_park(&a->in, &a->out, MBOX_IDLE, &mark);
    if (how != MBOX_PARKED)
        parked(w, a, how, mark);
    else if (mark)
        pool_put(&w->pool, mark);
}

/* Takes the next message to handle, or NULL; buries what is not for the actor. */
static inline __attribute__((always_inline)) struct bsk_msg *next(struct worker *w, bsk_self *a,
                                                                  uint32_t gen, bool watched)
{
    struct bsk_msg *m;
    while ((m = watched ? act_take(a) : mbox_next(&a->out))) {
        if (!watched && LIKELY(!(m->lane | m->flags) && m->gen == gen)) {
            mbox_popped(&a->out);
            rt_count(&w->count.user, 1);
            return m;
        }
        if (!watched && m->lane == MSG_USER) mbox_popped(&a->out);
        if (deliver(w, a, m)) return m;
        if (act_ctl(a) & CTL_EXIT) return NULL;
    }
    return NULL;
}

static inline __attribute__((always_inline)) unsigned run_handler(struct worker *w, bsk_self *a,
                                                                  bool watched)
{
    uint32_t gen = act_gen(a);
    unsigned n = 0;
    struct bsk_msg *m;
    while (n < w->batch && (m = next(w, a, gen, watched))) {
        n++;
        handle(w, a, m, watched);
        uint32_t ctl = act_ctl(a);
        if (UNLIKELY(ctl) && !obey(w, a, ctl)) return n;
    }
    if (watched)
        settle(w, a, MBOX_IDLE);
    else
        settle_plain(w, a);
    return n ? n : 1;
}

static inline __attribute__((always_inline)) unsigned run_fiber(struct worker *w, bsk_self *a)
{
    struct fiber *f = a->more->fiber;
    w->in_fiber = true;
    fib_switch(&w->ctx, &f->ctx);
    w->in_fiber = false;
    if (w->left) {
        w->left = false;
        act_end(w, a, w->ending.reason);
    } else if (f->park == MBOX_IDLE && !act_guarded(a)) {
        settle_plain(w, a);
    } else {
        settle(w, a, f->park);
    }
    return 1;
}

/* Takes what is not for the actor that lives here by now: what was sent to that one was pushed
 * after its generation was published, so the generation is seen with it. */
static struct bsk_msg *take_stale_locked(bsk_self *a)
{
    struct bsk_msg *stale = NULL, *m;
    while (a->out.list && a->out.list->gen != act_gen(a)) {
        m = mbox_next(&a->out);
        if (m->lane == MSG_USER) mbox_popped(&a->out);
        if (m == mbox_newest(a->out.examined)) mbox_unmark(&a->in, &a->out);
        m->next = stale;
        stale = m;
    }
    return stale;
}

/* A slot where nobody lived got a stale message. Meanwhile an actor may be spawned there, with
 * any policy: so the consumer's end is locked whatever the policy was. */
static void sweep(struct worker *w, bsk_self *a)
{
    enum mbox_parked how = MBOX_STAYS;
    struct bsk_msg *place = NULL;
    lock_take(&a->in.end_lock);
    struct bsk_msg *mark = a->out.list ? NULL : mbox_collect(&a->in, &a->out);
    if (mark && !mark->done) mark = NULL;
    struct bsk_msg *stale = take_stale_locked(a);
    if (!a->out.list) how = mbox_park(&a->in, &a->out, MBOX_IDLE, &place);
    lock_give(&a->in.end_lock);
    if (mark) pool_put(&w->pool, mark);
    for (struct bsk_msg *m = stale, *following; m; m = following) {
        following = m->next;
        bury_contents(w, a, m, BSK_DEAD_GONE);
        pool_put(&w->pool, m);
    }
    parked(w, a, how, place);
}

static bool at_home(struct worker *w, bsk_self *a, unsigned flags)
{
    if (!(flags & ACT_PINNED)) {
        /* Relaxed: senders take it as a hint, and who pins the actor is its own worker. */
        if (atomic_load_explicit(&a->home, memory_order_relaxed) != w->index)
            atomic_store_explicit(&a->home, w->index, memory_order_relaxed);
        return true;
    }
    if (atomic_load_explicit(&a->home, memory_order_relaxed) == w->index) return true;
    sch_send_home(w->rt, a, sch_home(w->rt, a));
    return false;
}

void act_over(struct worker *w)
{
    /* Relaxed: for the watchdog and dumps. */
    atomic_store_explicit(&w->self, NULL, memory_order_relaxed);
    atomic_store_explicit(&w->doing, NULL, memory_order_relaxed);
}

void act_set_flag(bsk_self *a, unsigned flag, bool on)
{
    unsigned flags = act_flags(a);
    /* Relaxed: see act_flags. */
    atomic_store_explicit(&a->flags, (uint8_t)(on ? flags | flag : flags & ~flag),
                          memory_order_relaxed);
}

void act_look(struct worker *w, bsk_self *a)
{
    /* Acquire pairs with act_control: the news that the bit stands for, of which there may be more
     * than the poke told that brought the caller here. */
    atomic_fetch_and_explicit(&a->ctl, ~(uint32_t)CTL_KIN, memory_order_acquire);
    if (act_kin(a)) act_hooks.look(w, a);
}

void act_linger(struct worker *w, bsk_self *a)
{
    act_set_flag(a, ACT_LINGERS, true);
    bsk_mailbox_close(a);
    settle(w, a, MBOX_DEAF);
}

/* One that is measured, or whose oldest messages are dropped, or who lingers. */
static __attribute__((noinline)) unsigned run_special(struct worker *w, bsk_self *a, unsigned flags)
{
    if (!(flags & ACT_FIBER)) act_collect(w, a);
    uint32_t ctl = act_ctl(a);
    if (flags & ACT_LINGERS) {
        act_end(w, a, END_BY_SIGNAL);
        return 1;
    }
    if (ctl && !obey(w, a, ctl)) return 1;
    return flags & ACT_FIBER ? run_fiber(w, a) : run_handler(w, a, true);
}

static inline __attribute__((always_inline)) unsigned run_plain(struct worker *w, bsk_self *a)
{
    struct bsk_msg *mark = a->out.list ? NULL : mbox_collect(&a->in, &a->out);
    if (mark && mark->done) pool_put(&w->pool, mark);
    uint32_t ctl = act_ctl(a);
    return UNLIKELY(ctl) && !obey(w, a, ctl) ? 1 : run_handler(w, a, false);
}

/* Inline: the processor's guess where a function returns to is wrong after a switch of stacks, so
 * that each return on the way costs some nanoseconds. */
static inline __attribute__((always_inline)) unsigned run_plain_fiber(struct worker *w, bsk_self *a)
{
    uint32_t ctl = act_ctl(a);
    return ctl && !obey(w, a, ctl) ? 1 : run_fiber(w, a);
}

unsigned act_run(struct worker *w, bsk_self *a)
{
    mbox_attend(&a->in);
    /* Acquire pairs with the release in spawn: an odd generation comes with all that was set up. */
    if (UNLIKELY(!(atomic_load_explicit(&a->item.gen, memory_order_acquire) & 1))) {
        sweep(w, a);
        return 1;
    }
    unsigned flags = act_flags(a), n;
    if (!at_home(w, a, flags)) return 1;
    a->worker = w;
    atomic_store_explicit(&w->self, a, memory_order_relaxed);
    if (flags & ACT_FRESH)
        atomic_store_explicit(&a->flags, (uint8_t)(flags & ~ACT_FRESH), memory_order_relaxed);
    if (UNLIKELY((flags & ACT_LINGERS) || w->watched || act_guarded(a)))
        n = run_special(w, a, flags);
    else if (LIKELY(!(flags & ACT_FIBER)))
        n = run_plain(w, a);
    else
        n = run_plain_fiber(w, a);
    act_over(w);
    return n;
}
