/* SPDX-License-Identifier: MIT */
/* Scopes. Children leave a scope when they have ended, so one that ran a million short ones holds
 * none of them.
 *
 * A child that was told to stop has its time; the scope asks for one notice at the earliest of
 * these times and of its deadline, and looks through its children only then. */
#include "scope.h"

#include "actors/ask.h"
#include "actors/clock.h"
#include "actors/end.h"
#include "actors/fiber.h"
#include "actors/hooks.h"
#include "actors/send.h"
#include "actors/spawn.h"
#include "actors/thread.h"
#include "actors/trace.h"
#include "token.h"

static void append(struct bonds *list, struct bond *b)
{
    b->next = NULL;
    b->prev = list->last;
    if (list->last)
        list->last->next = b;
    else
        list->first = b;
    list->last = b;
    list->n++;
}

static void take_out(struct bonds *list, struct bond *b)
{
    assert(list->n && list->first && list->last);
    if (b->prev)
        b->prev->next = b->next;
    else
        list->first = b->next;
    if (b->next)
        b->next->prev = b->prev;
    else
        list->last = b->prev;
    list->n--;
}

void kept_bury(struct worker *w, bsk_addr who, struct bsk_msg **kept)
{
    struct bsk_msg *m;
    while ((m = *kept)) {
        *kept = m->next;
        trc_dead(w, w->rt, who, m->type, BSK_DEAD_UNHANDLED);
        if (msg_owes(m)) ask_dropped(w, w->rt, m->ref);
        snd_free(w, w->rt, m);
    }
}

void bond_free(struct worker *w, struct bond *b)
{
    bsk_blob_drop(cause_blob(b->cause));
    if (b->result) snd_free(w, w->rt, b->result);
    kept_bury(w, b->who, &b->kept);
    mem_free(b);
}

/* Asks for a look at the clock at `when` or before. False: there is no memory for that. */
static bool look_at(struct worker *w, bsk_scope *s, uint64_t when)
{
    struct tim_notice notice;
    if (when >= s->noticed) return true;
    if (tim_notice_set(w, w->rt, bsk_me(s->owner), when, &notice)) return false;
    if (s->noticed != NEVER) tim_notice_clear(w, w->rt, s->notice);
    s->notice = notice;
    s->noticed = when;
    return true;
}

bsk_scope *scope_new(bsk_self *a, uint64_t deadline, enum bsk_scope_kind kind, int *rc)
{
    struct kin *kin = kin_of(a);
    bsk_scope *s = kin ? mem_zalloc(sizeof *s) : NULL;
    *rc = BSK_ENOMEM;
    if (!s) return NULL;
    uint64_t inherited = kin_deadline(a);
    s->owner = a;
    s->kind = kind;
    s->own = deadline;
    s->deadline = deadline < inherited ? deadline : inherited;
    s->noticed = NEVER;
    s->shields = act_fiber(a) ? act_fiber(a)->shields : 0;
    s->number = 1 + (kin->scopes ? kin->scopes->number % 15 : 0);
    s->outer = kin->scopes;
    kin->scopes = s;
    /* An inherited deadline comes from above, or, once the actor is detached, not at all. */
    if (deadline == NEVER || look_at(a->worker, s, deadline)) return s;
    kin->scopes = s->outer;
    mem_free(s);
    return NULL;
}

static void free_ended(struct worker *w, bsk_scope *s)
{
    struct bond *b;
    while ((b = scope_take_ended(s))) bond_free(w, b);
    if (s->taken) bond_free(w, s->taken);
    if (s->winner) bond_free(w, s->winner);
}

void scope_free(bsk_scope *s)
{
    struct worker *w = s->owner->worker;
    bsk_scope **link = &act_kin(s->owner)->scopes;
    assert(!s->live.n);
    if (s->noticed != NEVER) tim_notice_clear(w, w->rt, s->notice);
    free_ended(w, s);
    bsk_blob_drop(cause_blob(s->cause));
    token_scope_over(s->token);
    while (*link != s) link = &(*link)->outer;
    *link = s->outer;
    mem_free(s);
}

struct newborn {
    struct bond *bond;
    struct kin *kin;
    const struct start *with;
    bool woken; /* by what it inherits */
};

/* What a predecessor has left, in order, as far as there is room. */
static void inherit(bsk_self *a, bsk_addr who, struct newborn *n)
{
    struct bsk_msg *m;
    struct bsk_msg **kept = n->with->kept;
    while ((m = *kept)) {
        struct bsk_msg *next = m->next;
        m->gen = who.gen;
        enum mbox_result result = mbox_push(&a->in, &a->out, m, 0);
        if (result != MBOX_QUEUED && result != MBOX_WOKE) return;
        if (result == MBOX_WOKE) n->woken = true;
        *kept = next;
    }
}

static void tie_child(struct worker *w, bsk_self *a, bsk_addr who, void *arg)
{
    struct newborn *n = arg;
    (void)w;
    n->bond->who = who;
    n->kin->bond = n->bond;
    a->more->kin = n->kin;
    uint32_t number = n->bond->child ? 0 : n->bond->scope->number;
    /* Relaxed, as all below: the generation, which is published after it, carries it. */
    atomic_store_explicit(&a->parent, n->bond->parent.slot | number << PARENT_SHIFT,
                          memory_order_relaxed);
    /* Clocks of workers differ a little; a child is younger than its parent all the same. */
    uint64_t older = atomic_load_explicit(&n->bond->scope->owner->born, memory_order_relaxed);
    if (atomic_load_explicit(&a->born, memory_order_relaxed) <= older)
        atomic_store_explicit(&a->born, older + 1, memory_order_relaxed);
    act_set_flag(a, ACT_CHILD, true);
    struct defer *undo = n->with->undo;
    if (undo) defer_push(a, undo, undo->undo, undo->arg);
    if (n->with->kept) inherit(a, who, n);
    if (n->with->handle) loop_hooks.give(a, who, n->with->handle);
}

static struct bond *new_bond(bsk_scope *s, const bsk_opts *o, struct child *child)
{
    struct bond *b = mem_zalloc(sizeof *b);
    if (!b) return NULL;
    b->parent = bsk_me(s->owner);
    b->home = act_kin(s->owner);
    b->scope = s;
    b->child = child;
    b->finish_ms = o->shutdown_ms ? o->shutdown_ms : SPAWN_FINISH_MS;
    b->kill_at = NEVER;
    b->by = s->deadline;
    b->keeps = child && o->keeps_mailbox;
    b->restart = o->restart;
    return b;
}

int scope_spawn(bsk_scope *s, bsk_behavior behavior, const bsk_opts *o, const struct start *with,
                struct bond **out)
{
    struct worker *w = s->owner->worker;
    if (s->cancelled) return BSK_ECANCELED;
    struct newborn n = {.bond = new_bond(s, o, with->child), .with = with};
    if (!n.bond) return BSK_ENOMEM;
    int rc = BSK_ENOMEM;
    bsk_addr who;
    n.kin = mem_zalloc(sizeof *n.kin);
    if (!n.kin) goto free_bond;
    rc = spawn_actor(w, w->rt, behavior, o, tie_child, &n, &who);
    if (rc) goto free_kin;
    /* Whoever pushes meanwhile finds it woken. */
    if (n.woken) act_wake(w, w->rt, rt_slot(w->rt, who.slot));
    append(&s->live, n.bond);
    *out = n.bond;
    return 0;
free_kin:
    mem_free(n.kin);
free_bond:
    mem_free(n.bond);
    return rc;
}

static void control(struct worker *w, const struct bond *b, uint32_t bits)
{
    act_control(w, w->rt, rt_slot(w->rt, b->who.slot), b->who.gen, bits);
}

void scope_stop_child(struct worker *w, struct bond *b, bool kill)
{
    assert(!b->over && (b->who.gen & 1));
    /* Relaxed: the stop that follows carries it to the child. */
    bool told = atomic_exchange_explicit(&b->cancelled, true, memory_order_relaxed);
    if (kill || b->finish_ms == BSK_KILL) {
        b->kill_at = NEVER;
        control(w, b, CTL_KILL);
        return;
    }
    if (told) return;
    b->kill_at = b->finish_ms == BSK_FOREVER ? NEVER : clk_deadline(clk_now(w->rt), b->finish_ms);
    control(w, b, CTL_STOP);
    /* If nobody would look at its time it has none. */
    if (!look_at(w, b->scope, b->kill_at)) scope_stop_child(w, b, true);
}

void scope_stop_all(struct worker *w, bsk_scope *s, bool kill)
{
    if (kill ? s->killed : s->cancelled) return;
    s->cancelled = true;
    s->killed = kill;
    token_scope_cancelled(s->token);
    for (struct bond *b = s->live.last; b; b = b->prev) scope_stop_child(w, b, kill);
}

static void cancel_one(struct worker *w, bsk_scope *s, bool timed_out)
{
    if (s->cancelled || s->supervises) return;
    s->timed_out = timed_out;
    scope_stop_all(w, s, false);
}

/* What a fiber opens while another scope is open lies inside that, unless there is a shield
 * between. A handler's scopes lie beside each other. */
static void cancel(struct worker *w, bsk_scope *s, bool timed_out)
{
    bool nested = act_fiber(s->owner);
    for (bsk_scope *in = act_kin(s->owner)->scopes; in != s; in = in->outer)
        if (nested && in->shields <= s->shields) cancel_one(w, in, timed_out);
    cancel_one(w, s, timed_out);
}

void scope_cancel(struct worker *w, bsk_scope *s)
{
    cancel(w, s, false);
}

/* Kills whose time is over; returns whose is next. */
static struct bond *kill_late(struct worker *w, bsk_scope *s, uint64_t now)
{
    struct bond *next = NULL;
    for (struct bond *b = s->live.first; b; b = b->next) {
        if (b->kill_at <= now)
            scope_stop_child(w, b, true);
        else if (b->kill_at != NEVER && (!next || b->kill_at < next->kill_at))
            next = b;
    }
    return next;
}

void scope_look(struct worker *w, bsk_scope *s)
{
    uint64_t now;
    if (s->noticed == NEVER || s->noticed > (now = clk_now(w->rt))) return;
    s->noticed = NEVER;
    if (!s->cancelled && s->deadline <= now) cancel(w, s, true);
    struct bond *next;
    /* If nobody would look at the next one's time it is over as well. */
    while ((next = kill_late(w, s, now)) && !look_at(w, s, next->kill_at)) now = next->kill_at;
}

static bool failed(const struct bond *b)
{
    switch (cause_reason(b->cause)) {
    case BSK_FAILED:
    case BSK_FAULT:
    case BSK_GAVE_UP: return true;
    /* Relaxed: it is the parent who sets it, and who asks. */
    case BSK_KILLED: return !atomic_load_explicit(&b->cancelled, memory_order_relaxed);
    default: return false;
    }
}

static void note_failure(bsk_scope *s, const struct bond *b)
{
    /* What happens after a cancel comes of that. */
    if (s->cancelled || !bsk_is_nobody(s->failed)) return;
    s->failed = b->who;
    s->cause = b->cause;
    bsk_blob_hold(cause_blob(b->cause));
}

void scope_ended(struct worker *w, bsk_scope *s, struct bond *b)
{
    assert(b->scope == s && !b->over && s->live.n);
    take_out(&s->live, b);
    b->over = true;
    bool lost = failed(b);
    if (s->supervises || s->kind == BSK_COLLECT) {
        append(&s->ended, b);
        return;
    }
    if (lost && s->kind != BSK_EACH) note_failure(s, b);
    if (s->kind == BSK_ALL && lost) cancel(w, s, false);
    if (s->kind == BSK_RACE && !s->winner && cause_reason(b->cause) == BSK_NORMAL) {
        s->winner = b;
        cancel(w, s, false);
        return;
    }
    bond_free(w, b);
}

void scope_take(bsk_scope *s, struct bond *b)
{
    take_out(&s->ended, b);
}

struct bond *scope_take_ended(bsk_scope *s)
{
    struct bond *b = s->ended.first;
    if (b) take_out(&s->ended, b);
    return b;
}

/* What is opened by a fiber that was told to stop, or inside a cancelled scope of its own, is
 * cancelled from birth. */
static void inherit_cancel(bsk_self *self, bsk_scope *s)
{
    const bsk_scope *outer = s->outer;
    if (!act_fiber(self)) return;
    bool inside = outer && outer->shields >= s->shields && outer->cancelled;
    s->timed_out = inside && outer->timed_out;
    s->cancelled = inside || bsk_cancelled(self);
}

bsk_scope *bsk_scope_open_kind(bsk_self *self, int64_t ms, enum bsk_scope_kind kind)
{
    int rc = BSK_EINVAL;
    bsk_scope *s = NULL;
    bool valid = ms >= BSK_FOREVER && (unsigned)kind <= BSK_EACH;
    /* One that ends starts nothing any more. */
    if (valid && self->worker->ending.actor != self)
        s = scope_new(self, clk_deadline(clk_now(self->worker->rt), ms), kind, &rc);
    if (s)
        inherit_cancel(self, s);
    else
        act_set_error(self, rc);
    return s;
}

bsk_scope *bsk_scope_open(bsk_self *self, int64_t ms)
{
    return bsk_scope_open_kind(self, ms, BSK_ALL);
}

bsk_addr bsk_go_(bsk_scope *s, bsk_behavior behavior, const bsk_opts *opts)
{
    struct bond *b;
    int rc = scope_spawn(s, behavior, opts, &(struct start){0}, &b);
    if (rc == 0) return b->who;
    act_set_error(s->owner, rc);
    return (bsk_addr){0, 0, 0};
}

void bsk_scope_cancel(bsk_scope *s)
{
    cancel(s->owner->worker, s, false);
}

uint32_t bsk_scope_len(const bsk_scope *s)
{
    return s->live.n + s->ended.n;
}

/* Waits until there is news of children, or the deadline; may return early. */
static inline __attribute__((always_inline)) void wait_for_news(bsk_self *self, uint64_t deadline)
{
    if (act_ctl(self) & CTL_KIN) {
        act_look(self->worker, self);
        return;
    }
    fib_wait(self, MBOX_DEAF, deadline, WAIT_CHILDREN, (bsk_addr){0, 0, 0});
}

static int result_of(const bsk_scope *s)
{
    bool lost = !bsk_is_nobody(s->failed);
    if (s->winner) return 0;
    /* Of all, the first failure is why the scope was cancelled. */
    if (s->kind == BSK_ALL && lost) return BSK_ECHILD;
    if (s->timed_out) return BSK_ETIMEDOUT;
    if (s->cancelled) return BSK_ECANCELED;
    return lost || s->kind == BSK_RACE ? BSK_ECHILD : 0;
}

static void say_why(const bsk_scope *s, int rc)
{
    struct cause c = cause_of(cause_blob(s->cause), cause_reason(s->cause));
    act_set_error(s->owner, rc);
    if (rc != BSK_ECHILD) return;
    if (bsk_is_nobody(s->failed))
        thread_set_detail("none succeeded");
    else
        thread_set_detail("<%u.%u> %s%s%s", s->failed.slot, s->failed.gen,
                          bsk_reason_name(c.reason), *c.text ? ": " : "", c.text);
}

/* Waits until nobody lives in the scope. Tells whether its actor was asked to stop meanwhile. */
static bool wait_for_all(bsk_self *self, bsk_scope *s)
{
    bool cancelled = false;
    while (s->live.n) {
        if (act_ctl(self) && fib_signalled(self) && !cancelled) {
            cancelled = true;
            cancel(self->worker, s, false);
        }
        if (s->live.n) wait_for_news(self, NEVER);
    }
    return cancelled;
}

int bsk_scope_join(bsk_scope *s)
{
    bsk_self *self = s->owner;
    bool fiber = fib_on_own_stack(self);
    if (fiber) fib_return_loans(self);
    if (act_ctl(self) & CTL_KIN) act_look(self->worker, self);
    if (!fiber && s->live.n) return BSK_EINVAL;
    bool cancelled = wait_for_all(self, s);
    for (const struct bond *b = s->ended.first; b; b = b->next)
        if (failed(b)) note_failure(s, b);
    int rc = cancelled ? BSK_ECANCELED : result_of(s);
    if (rc) say_why(s, rc);
    scope_free(s);
    return rc;
}

static const bsk_finished *hand_out(bsk_scope *s, const struct bond *b)
{
    struct cause c = cause_of(cause_blob(b->cause), cause_reason(b->cause));
    s->out = (bsk_finished){b->who, c.reason, c.text, b->result};
    return &s->out;
}

static const bsk_finished *take_finished(bsk_scope *s)
{
    if (s->taken) bond_free(s->owner->worker, s->taken);
    s->taken = scope_take_ended(s);
    return hand_out(s, s->taken);
}

/* Waits for a winner, or an end to take. */
static int wait_finished(bsk_scope *s, int64_t ms)
{
    bsk_self *self = s->owner;
    struct bsk_rt *rt = self->worker->rt;
    bool fiber = fib_on_own_stack(self);
    uint64_t deadline = 0;
    if (ms && !fiber) return BSK_EINVAL;
    if (fiber) fib_spend(self);
    if (act_ctl(self) & CTL_KIN) act_look(self->worker, self);
    while (!s->ended.first && !s->winner) {
        if (!s->live.n) return s->kind == BSK_RACE ? BSK_ECHILD : BSK_EEOF;
        if (fiber && fib_cancelled(self)) return BSK_ECANCELED;
        uint64_t now = clk_now(rt);
        if (!deadline) deadline = clk_deadline(now, ms);
        if (now >= deadline) return BSK_ETIMEDOUT;
        wait_for_news(self, deadline);
    }
    return 0;
}

const bsk_finished *bsk_scope_next(bsk_scope *s, int64_t ms)
{
    int rc = s->kind == BSK_COLLECT ? wait_finished(s, ms) : BSK_EINVAL;
    if (rc == 0) return take_finished(s);
    act_set_error(s->owner, rc);
    return NULL;
}

const bsk_finished *bsk_scope_winner(bsk_scope *s, int64_t ms)
{
    int rc = s->kind == BSK_RACE ? wait_finished(s, ms) : BSK_EINVAL;
    if (rc == 0) return hand_out(s, s->winner);
    say_why(s, rc);
    return NULL;
}

/* One that was told to stop keeps its time to do so. */
static void keep_time(struct worker *w, struct bond *b)
{
    uint64_t now = clk_now(w->rt), left = b->kill_at > now ? b->kill_at - now : 0;
    if (b->kill_at == NEVER) return;
    if (tim_kill_after(w, w->rt, b->who, (int64_t)((left + NS_PER_MS - 1) / NS_PER_MS)))
        scope_stop_child(w, b, true);
}

static void detach(struct worker *w, bsk_scope *s, struct bond *b)
{
    bsk_addr who = b->who;
    int tied = BOND_TIED;
    keep_time(w, b);
    take_out(&s->live, b);
    /* Release pairs with the acquires of the child, whose the bond is then. */
    if (atomic_compare_exchange_strong_explicit(&b->state, &tied, BOND_LOOSE, memory_order_release,
                                                memory_order_relaxed))
        act_control(w, w->rt, rt_slot(w->rt, who.slot), who.gen, CTL_KIN);
    else
        append(&s->live, b);
}

void bsk_scope_detach(bsk_scope *s)
{
    struct worker *w = s->owner->worker;
    for (struct bond *b = s->live.first, *next; b; b = next) {
        next = b->next;
        /* Who has ended already is in the news. */
        if (atomic_load_explicit(&b->state, memory_order_relaxed) == BOND_TIED) detach(w, s, b);
    }
}

int bsk_give_(bsk_self *self, const bsk_type *type, const void *body)
{
    struct worker *w = self->worker;
    struct bond *b = act_kin(self) ? act_kin(self)->bond : NULL;
    if (!b || b->child) return BSK_EINVAL;
    struct bsk_msg *m = snd_build(w, w->rt, type, body, 0);
    if (!m) return BSK_ENOMEM;
    if (b->result) snd_free(w, w->rt, b->result);
    b->result = m;
    return 0;
}

void bsk_shield(bsk_self *self)
{
    struct fiber *f = act_fiber(self);
    if (f) f->shields++;
}

void bsk_unshield(bsk_self *self)
{
    struct fiber *f = act_fiber(self);
    if (f && f->shields) f->shields--;
}

const char *bsk_error_text(const bsk_self *self)
{
    (void)self;
    return thread_detail();
}
