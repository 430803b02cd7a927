/* SPDX-License-Identifier: MIT */
/* Ending an actor: what it owns goes with it, last in first out, before anyone hears of it.
 *
 * User code runs on the way (fini, clean-ups, what frees a local message) and may itself fail:
 * then the end is entered again and goes on behind it. So each step is taken off the list before
 * it is done. */
#include "end.h"

#include "arena.h"
#include "ask.h"
#include "cause.h"
#include "fiber.h"
#include "hooks.h"
#include "name.h"
#include "receive.h"
#include "room.h"
#include "shutdown.h"
#include "spawn.h"
#include "timer.h"
#include "trace.h"

#include <stdarg.h>
#include <stdio.h>

#define TEXT_IN_LOG 640 /* bytes of a reason, so that a line has room for the place behind it */

void end_text(struct worker *w, const char *file, int line, const char *text)
{
    assert(text && (file || !line));
    struct ending *e = &w->ending;
    if (e->text != e->brief) mem_free(e->text);
    /* What was why before is not any more. */
    bsk_blob_drop(e->cause);
    e->cause = NULL;
    e->told = false;
    e->file = file;
    e->line = line;
    size_t n = strlen(text) + 1;
    e->text = n <= sizeof e->brief ? e->brief : mem_alloc(n);
    if (!e->text) {
        e->text = e->brief;
        n = sizeof e->brief;
    }
    memcpy(e->text, text, n - 1);
    e->text[n - 1] = '\0';
}

static void forget(struct ending *e)
{
    if (e->text != e->brief) mem_free(e->text);
    e->text = e->brief;
    e->brief[0] = '\0';
    e->file = NULL;
    e->signal = 0;
    if (e->trace) mem_free(e->trace);
    e->trace = NULL;
    bsk_blob_drop(e->cause);
    e->cause = NULL;
    e->told = false;
    e->failed = false;
    e->kin = NULL;
    e->lost = 0;
    e->actor = NULL;
}

void end_take_signal(struct worker *w, const bsk_self *a, const struct bsk_msg *m)
{
    struct ending *e = &w->ending;
    /* One that was sent to who lived here before says nothing. */
    if (e->actor != a || e->reason != END_BY_SIGNAL || m->gen != act_gen(a)) return;
    e->told = true;
    e->reason = cause_reason(m->ref);
    e->cause = bsk_blob_hold(cause_blob(m->ref));
}

bsk_blob *end_cause(struct ending *e, enum bsk_reason *reason)
{
    *reason = e->reason;
    if (e->cause) return bsk_blob_hold(e->cause);
    e->cause = cause_new(&(struct cause){.reason = e->reason,
                                         .line = e->line,
                                         .signal = e->signal,
                                         .address = e->address,
                                         .text = e->text,
                                         .file = e->file ? e->file : "",
                                         .trace = e->trace ? e->trace : ""});
    return bsk_blob_hold(e->cause);
}

/* Tells whether it is why the actor ends, if it leaves now for this reason: nothing else was, or
 * this is a failure, and it neither was killed nor has failed already. */
static bool counts(const struct ending *e, const bsk_self *self, enum bsk_reason reason)
{
    if (e->actor != self) return true;
    bool failed = reason == BSK_FAILED || reason == BSK_FAULT;
    return failed && (e->reason == BSK_NORMAL || e->reason == BSK_SHUTDOWN);
}

void end_fault(struct worker *w, const char *text, int sig, uint64_t address, const char *trace)
{
    struct ending *e = &w->ending;
    if (!counts(e, rt_self(w), BSK_FAULT)) return;
    end_text(w, NULL, 0, text);
    size_t n = strlen(trace) + 1;
    e->signal = sig;
    e->address = address;
    if (e->trace) mem_free(e->trace);
    e->trace = mem_alloc(n);
    if (e->trace) memcpy(e->trace, trace, n);
}

void act_leave(bsk_self *self, enum bsk_reason reason)
{
    struct worker *w = self->worker;
    assert(rt_self(w) == self);
    if (counts(&w->ending, self, reason)) w->ending.reason = reason;
    if (!w->in_fiber) fib_back(&w->mark);
    w->left = true;
    fib_leave(&self->more->fiber->ctx, &w->ctx);
}

static enum bsk_reason end_stopped(const bsk_self *a)
{
    return act_kin(a) ? act_hooks.stopped(a) : BSK_SHUTDOWN;
}

/* Who ends by itself after it was asked to stop has done what it was asked; who was killed, or got
 * an exit signal, not. */
void bsk_exit(bsk_self *self)
{
    uint32_t ctl = act_ctl(self);
    if (ctl & CTL_KILL) act_leave(self, BSK_KILLED);
    if (ctl & CTL_EXIT) act_leave(self, END_BY_SIGNAL);
    if (!(ctl & (CTL_STOP | CTL_DRAIN))) act_leave(self, BSK_NORMAL);
    act_leave(self, end_stopped(self));
}

void bsk_exit_as_(bsk_self *self, enum bsk_reason reason, const char *file, int line,
                  const char *why, ...)
{
    struct worker *w = self->worker;
    va_list args, again;
    va_start(args, why);
    va_copy(again, args);
    char brief[256];
    int n = vsnprintf(brief, sizeof brief, why, args);
    char *text = n < (int)sizeof brief ? brief : mem_alloc((size_t)n + 1);
    if (text && text != brief) vsnprintf(text, (size_t)n + 1, why, again);
    va_end(again);
    va_end(args);
    if (counts(&w->ending, self, reason)) end_text(w, file, line, text ? text : brief);
    if (text != brief) mem_free(text);
    act_leave(self, reason);
}

const char *bsk_reason_name(enum bsk_reason reason)
{
    static const char *const names[] = {
        [BSK_NORMAL] = "normal",       [BSK_SHUTDOWN] = "shutdown",
        [BSK_FAILED] = "failed",       [BSK_KILLED] = "killed",
        [BSK_FAULT] = "fault",         [BSK_GAVE_UP] = "gave up",
        [BSK_CANCELLED] = "cancelled", [BSK_NO_ACTOR] = "no such actor",
        [BSK_NODE_DOWN] = "node down"};
    return (unsigned)reason <= BSK_NODE_DOWN ? names[reason] : "unknown";
}

static void bury_unhandled(struct worker *w, bsk_self *a, struct bsk_msg *m)
{
    act_bury(w, a, m, BSK_DEAD_UNHANDLED);
}

/* Frees the message that the handler did not return from, or that the fiber borrowed last. */
static void drop_inhand(struct worker *w, bsk_self *a)
{
    struct bsk_msg *m = a->inhand;
    a->inhand = NULL;
    struct bsk_msg *loan;
    while ((loan = w->loans)) {
        w->loans = loan->next;
        msg_release(loan);
        pool_put(&w->pool, loan);
    }
    if (!m) return;
    m->flags &= (uint8_t)~MSG_TIMER;
    act_finish(w, a, m);
}

static void drop_owned(struct worker *w, bsk_self *a)
{
    drop_inhand(w, a);
    if (a->more && a->more->handles) loop_hooks.release(w, a);
    if (act_kin(a)) act_hooks.release(w, a);
    if (act_fiber(a)) fib_drop_held(w, a);
    if (a->asks) ask_abandon_all(w, a);
    if (a->more) ask_later_lost(w, a);
    if (a->timers) tim_free_all(w, a);
    if (act_fiber(a)) rcv_bury_saved(w, a);
    if (a->arena) arena_free(a);
}

bool end_is_failure(enum bsk_reason reason)
{
    return reason == BSK_FAILED || reason == BSK_FAULT || reason == BSK_GAVE_UP;
}

static void say(struct worker *w, bsk_self *a, bsk_addr who)
{
    struct ending *e = &w->ending;
    char name[64];
    struct cause c = cause_of(e->cause, e->reason);
    if (!e->cause) c.text = e->text, c.file = e->file ? e->file : "", c.line = e->line;
    bool failed = end_is_failure(e->reason) || e->failed;
    rt_count(&w->count.failed, end_is_failure(e->reason));
    if (w->tracing) trc_emit(w, w->rt, BSK_EV_END, who, (bsk_addr){0}, NULL, e->reason, c.text);
    if (!failed) return;
    if (!(act_flags(a) & ACT_CHILD))
        /* Relaxed: the end is counted after it, with a release; see finished. */
        atomic_store_explicit(&w->rt->root_failed, true, memory_order_relaxed);
    name_describe(w->rt, a, name, sizeof name);
    const char *what = e->failed                 ? "failed, and was killed"
                       : e->reason == BSK_FAILED ? "failed"
                                                 : bsk_reason_name(e->reason);
    /* Where a signal told, who failed first has said so. */
    trc_log(w->rt, e->told ? BSK_LOG_INFO : BSK_LOG_ERROR,
            *c.file ? "%s %s: %.*s (%s:%d)" : "%s %s: %.*s", name, what, TEXT_IN_LOG, c.text,
            c.file, c.line);
}

/* Nobody lives here any more: what comes from now on is dropped by its generation. */
static void vacate(struct worker *w, bsk_self *a)
{
    struct bsk_rt *rt = w->rt;
    bool was_fiber = act_flags(a) & ACT_FIBER;
    name_free(rt, a);
    spawn_free_state(w, rt, a);
    if (was_fiber || a->more) spawn_free_more(a);
    /* Relaxed: see act_flags. */
    atomic_store_explicit(&a->flags, 0, memory_order_relaxed);
    /* Release pairs with the acquire in act_run; see spawn's publish. */
    atomic_store_explicit(&a->item.gen, act_gen(a) + 1, memory_order_release);
}

/* Buries what is queued by now: while the actor has its address, senders may be faster than
 * this. */
static void bury_queued(struct worker *w, bsk_self *a)
{
    struct bsk_msg *m;
    while ((m = act_take(a))) bury_unhandled(w, a, m);
    mbox_attend(&a->in);
    act_collect(w, a);
    while ((m = act_take(a))) bury_unhandled(w, a, m);
}

static void bury_mailbox(struct worker *w, bsk_self *a)
{
    do bury_queued(w, a);
    while (!act_drained(a));
}

/* Leaves the consumer's role with nothing in the mailbox, not even a place that is marked. */
static enum mbox_parked park_empty(struct worker *w, bsk_self *a)
{
    struct bsk_msg *mark;
    enum mbox_parked how;
    while ((how = act_park(a, MBOX_IDLE | MBOX_ERA, &mark)) == MBOX_STAYS) bury_mailbox(w, a);
    if (mark) pool_put(&w->pool, mark);
    return how;
}

/* Gives the slot away. Who waits for room here is either seen in the list of waiters, or says WANT
 * in the word that is parked in. */
static void retire(struct worker *w, bsk_self *a)
{
    if (park_empty(w, a) == MBOX_PARKED_WANT || room_wanted(a)) room_wake_all(w, w->rt, a);
    slab_put(&w->actors, &a->item);
}

/* The slot is somebody else's by now. */
static void finished(struct worker *w)
{
    assert(w->ending.stage == 4 && (w->ending.who.gen & 1));
    struct ending *e = &w->ending;
    forget(e);
    if (e->solo) w->done = true;
    /* Release pairs with the acquire in rt_alive. */
    uint64_t ended = atomic_load_explicit(&w->count.ended, memory_order_relaxed);
    atomic_store_explicit(&w->count.ended, ended + 1, memory_order_release);
    /* Acquire pairs with the release in sht_wait: who ends by its stop sees that. */
    if (atomic_load_explicit(&w->rt->stopping, memory_order_acquire)) sht_ended(w->rt, e->who);
}

/* Tells whether the end has to wait for children; then nothing of it is under way any more. */
static bool linger(struct worker *w, bsk_self *a)
{
    if (!act_hooks.linger(w, a)) return false;
    if (act_fiber(a)) rcv_bury_saved(w, a);
    bury_queued(w, a);
    /* Once more: the poke of a child that ended meanwhile was taken for one about the queue. */
    if (!act_hooks.linger(w, a)) return false;
    forget(&w->ending);
    act_linger(w, a);
    return true;
}

/* Tells whether fini is due: it may rely on what init sets up, and that was not called if an end
 * came first. */
static bool has_fini(const bsk_self *a)
{
    return a->more && a->more->fini && !(a->more->init && (act_ctl(a) & CTL_START));
}

void act_end(struct worker *w, bsk_self *a, enum bsk_reason reason)
{
    struct ending *e = &w->ending;
    if (e->actor != a) {
        e->actor = a;
        e->stage = 0;
        e->reason = reason;
    }
    act_drop_failed(w, a);
    if (e->stage == 0) {
        if (e->reason == END_BY_SIGNAL) bury_queued(w, a);
        if (act_kin(a) && linger(w, a)) return;
        e->stage = 1;
        if (has_fini(a) && e->reason != BSK_KILLED) a->more->fini(a);
    }
    if (e->stage == 1) {
        if (a->defers) defer_run(a);
        e->stage = 2;
    }
    if (e->stage == 2) {
        /* Before those hear of the end who are not answered any more. */
        name_release(w->rt, a);
        drop_owned(w, a);
        if (!act_drained(a)) bury_queued(w, a);
        e->stage = 3;
    }
    if (e->stage == 3) {
        e->who = rt_addr(w->rt, a, act_gen(a));
        e->solo = w->solo && (act_flags(a) & ACT_PINNED);
        say(w, a, e->who);
        vacate(w, a);
        /* Acquire pairs with the release in tie_list: who is tied to the actor is told; who comes
         * later finds the list closed. */
        uintptr_t ties = atomic_fetch_or_explicit(&a->ties, TIES_CLOSED, memory_order_acquire);
        if ((ties && !(ties & TIES_NONE)) || e->kin) act_hooks.ended(w, a, e);
        e->stage = 4;
    }
    retire(w, a);
    finished(w);
}

void end_sweep_all(struct bsk_rt *rt)
{
    struct worker *w = atomic_load_explicit(&rt->workers[0], memory_order_acquire);
    uint32_t used = atomic_load_explicit(&rt->actors.used, memory_order_acquire);
    for (uint32_t i = 0; i < used; i++) {
        bsk_self *a = rt_slot(rt, i);
        if (!act_drained(a)) (void)park_empty(w, a);
    }
}
