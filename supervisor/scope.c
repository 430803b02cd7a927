/* SPDX-License-Identifier: MIT */
/* Scopes. Children leave a scope when they have ended, so one that ran a million short ones holds
 * none of them.
 *
 * A child that was told to stop has its time; the scope asks for one notice at the earliest of
 * these times and of its deadline, and looks through its children only then. */
#include "scope.h"

#include "actors/clock.h"
#include "actors/end.h"
#include "actors/fiber.h"
#include "actors/send.h"
#include "actors/spawn.h"
#include "actors/thread.h"
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

void bond_free(struct worker *w, struct bond *b)
{
    bsk_blob_drop(cause_blob(b->cause));
    if (b->result) snd_free(w, w->rt, b->result);
    mem_free(b);
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
    s->deadline = deadline < inherited ? deadline : inherited;
    s->noticed = NEVER;
    s->number = 1 + (kin->scopes ? kin->scopes->number % 15 : 0);
    s->outer = kin->scopes;
    kin->scopes = s;
    /* An inherited deadline comes from above. */
    if (deadline >= inherited || deadline == NEVER) return s;
    struct worker *w = a->worker;
    *rc = tim_notice_set(w, w->rt, bsk_me(a), deadline, &s->notice);
    s->noticed = deadline;
    if (*rc == 0) return s;
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
};

static void tie_child(struct worker *w, bsk_self *a, bsk_addr who, void *arg)
{
    struct newborn *n = arg;
    assert(w->node == who.node);
    n->bond->who = who;
    n->kin->bond = n->bond;
    a->more->kin = n->kin;
    uint32_t number = n->bond->child ? 0 : n->bond->scope->number;
    atomic_store_explicit(&a->parent, n->bond->parent.slot | number << PARENT_SHIFT,
                          memory_order_relaxed);
    /* Clocks of workers differ a little; a child is younger than its parent all the same. */
    uint64_t older = atomic_load_explicit(&n->bond->scope->owner->born, memory_order_relaxed);
    if (atomic_load_explicit(&a->born, memory_order_relaxed) <= older)
        atomic_store_explicit(&a->born, older + 1, memory_order_relaxed);
    act_set_flag(a, ACT_CHILD, true);
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
    return b;
}

int scope_spawn(bsk_scope *s, bsk_behavior behavior, const bsk_opts *o, struct child *child,
                struct bond **out)
{
    struct worker *w = s->owner->worker;
    if (s->cancelled) return BSK_ECANCELED;
    struct newborn n = {.bond = new_bond(s, o, child)};
    if (!n.bond) return BSK_ENOMEM;
    int rc = BSK_ENOMEM;
    bsk_addr who;
    n.kin = mem_zalloc(sizeof *n.kin);
    if (!n.kin) goto free_bond;
    rc = spawn_actor(w, w->rt, behavior, o, tie_child, &n, &who);
    if (rc) goto free_kin;
    append(&s->live, n.bond);
    *out = n.bond;
    return 0;
free_kin:
    mem_free(n.kin);
free_bond:
    mem_free(n.bond);
    return rc;
}

static void notice_by(struct worker *w, bsk_scope *s, struct bond *b)
{
    if (b->kill_at >= s->noticed) return;
    if (s->noticed != NEVER) tim_notice_clear(w, w->rt, s->notice);
    s->noticed = b->kill_at;
    if (tim_notice_set(w, w->rt, b->parent, b->kill_at, &s->notice) == 0) return;
    /* Nobody would look at its time: it has none. */
    s->noticed = NEVER;
    scope_stop_child(w, b, true);
}

static void control(struct worker *w, const struct bond *b, uint32_t bits)
{
    act_control(w, w->rt, rt_slot(w->rt, b->who.slot), b->who.gen, bits);
}

void scope_stop_child(struct worker *w, struct bond *b, bool kill)
{
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
    notice_by(w, b->scope, b);
}

void scope_stop_all(struct worker *w, bsk_scope *s, bool kill)
{
    s->cancelled = true;
    for (struct bond *b = s->live.last; b; b = b->prev) scope_stop_child(w, b, kill);
}

static void cancel(struct worker *w, bsk_scope *s)
{
    if (s->cancelled) return;
    token_scope_cancelled(s->token);
    scope_stop_all(w, s, false);
}

/* Kills whose time is over; asks to look again at the next one's. */
static void kill_late(struct worker *w, bsk_scope *s, uint64_t now)
{
    struct bond *next = NULL;
    for (struct bond *b = s->live.first; b; b = b->next) {
        if (b->kill_at <= now)
            scope_stop_child(w, b, true);
        else if (b->kill_at != NEVER && (!next || b->kill_at < next->kill_at))
            next = b;
    }
    if (next) notice_by(w, s, next);
}

void scope_look(struct worker *w, bsk_scope *s)
{
    uint64_t now;
    if (s->noticed == NEVER || s->noticed > (now = clk_now(w->rt))) return;
    s->noticed = NEVER;
    if (!s->cancelled && s->deadline <= now) {
        s->timed_out = true;
        cancel(w, s);
    }
    kill_late(w, s, now);
}

static bool failed(const struct bond *b)
{
    switch (cause_reason(b->cause)) {
    case BSK_FAILED:
    case BSK_FAULT:
    case BSK_GAVE_UP: return true;
    case BSK_KILLED: return !atomic_load_explicit(&b->cancelled, memory_order_relaxed);
    default: return false;
    }
}

static void note_failure(bsk_scope *s, const struct bond *b)
{
    if (!bsk_is_nobody(s->failed)) return;
    s->failed = b->who;
    s->cause = b->cause;
    bsk_blob_hold(cause_blob(b->cause));
}

void scope_ended(struct worker *w, bsk_scope *s, struct bond *b)
{
    take_out(&s->live, b);
    b->over = true;
    bool lost = failed(b);
    if (s->supervises || s->kind == BSK_COLLECT) {
        append(&s->ended, b);
        return;
    }
    if (lost) note_failure(s, b);
    if (s->kind == BSK_ALL && lost) cancel(w, s);
    if (s->kind == BSK_RACE && !s->winner && cause_reason(b->cause) == BSK_NORMAL) {
        s->winner = b;
        cancel(w, s);
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

bsk_scope *bsk_scope_open_kind(bsk_self *self, int64_t ms, enum bsk_scope_kind kind)
{
    int rc = BSK_EINVAL;
    bsk_scope *s = NULL;
    bool valid = ms >= BSK_FOREVER && (unsigned)kind <= BSK_COLLECT;
    /* One that ends starts nothing any more. */
    if (valid && self->worker->ending.actor != self)
        s = scope_new(self, clk_deadline(clk_now(self->worker->rt), ms), kind, &rc);
    if (!s) act_set_error(self, rc);
    return s;
}

bsk_scope *bsk_scope_open(bsk_self *self, int64_t ms)
{
    return bsk_scope_open_kind(self, ms, BSK_ALL);
}

bsk_addr bsk_go_(bsk_scope *s, bsk_behavior behavior, const bsk_opts *opts)
{
    struct bond *b;
    int rc = scope_spawn(s, behavior, opts, NULL, &b);
    if (rc == 0) return b->who;
    act_set_error(s->owner, rc);
    return (bsk_addr){0, 0, 0};
}

void bsk_scope_cancel(bsk_scope *s)
{
    cancel(s->owner->worker, s);
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

static int result_of(bsk_scope *s, bool cancelled)
{
    if (cancelled) return BSK_ECANCELED;
    if (s->winner) return 0;
    if (!bsk_is_nobody(s->failed)) {
        struct cause c = cause_of(cause_blob(s->cause), cause_reason(s->cause));
        act_set_error(s->owner, BSK_ECHILD);
        thread_set_detail("<%u.%u> %s: %s", s->failed.slot, s->failed.gen,
                          bsk_reason_name(c.reason), c.text);
        return BSK_ECHILD;
    }
    if (s->timed_out) return BSK_ETIMEDOUT;
    if (s->kind == BSK_RACE) return BSK_ECHILD;
    return s->cancelled ? BSK_ECANCELED : 0;
}

int bsk_scope_join(bsk_scope *s)
{
    bsk_self *self = s->owner;
    if (!fib_on_own_stack(self)) return BSK_EINVAL;
    fib_return_loans(self);
    bool cancelled = false;
    while (s->live.n) {
        if (act_ctl(self) && fib_signalled(self) && !cancelled) {
            cancelled = true;
            cancel(self->worker, s);
        }
        if (s->live.n) wait_for_news(self, NEVER);
    }
    int rc = result_of(s, cancelled);
    scope_free(s);
    return rc;
}

static const bsk_finished *take_finished(bsk_scope *s)
{
    struct worker *w = s->owner->worker;
    if (s->taken) bond_free(w, s->taken);
    struct bond *b = s->taken = scope_take_ended(s);
    if (!b) return NULL;
    struct cause c = cause_of(cause_blob(b->cause), cause_reason(b->cause));
    s->out = (bsk_finished){b->who, c.reason, c.text, b->result};
    return &s->out;
}

static int wait_finished(bsk_scope *s, int64_t ms)
{
    bsk_self *self = s->owner;
    struct bsk_rt *rt = self->worker->rt;
    bool fiber = fib_on_own_stack(self);
    uint64_t deadline = 0;
    if (act_ctl(self) & CTL_KIN) act_look(self->worker, self);
    while (!s->ended.first) {
        if (!s->live.n) return BSK_EEOF;
        if (!fiber && ms) return BSK_EINVAL;
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

const bsk_finished *bsk_scope_winner(bsk_scope *s)
{
    struct bond *b = s->winner;
    if (!b) return NULL;
    struct cause c = cause_of(cause_blob(b->cause), cause_reason(b->cause));
    s->out = (bsk_finished){b->who, c.reason, c.text, b->result};
    return &s->out;
}

void bsk_scope_detach(bsk_scope *s)
{
    struct worker *w = s->owner->worker;
    for (struct bond *b = s->live.first, *next; b; b = next) {
        next = b->next;
        bsk_addr who = b->who;
        int tied = BOND_TIED;
        /* Release pairs with the acquires of the child, whose the bond is then. Who has ended
         * already is in the news. */
        take_out(&s->live, b);
        if (atomic_compare_exchange_strong_explicit(&b->state, &tied, BOND_LOOSE,
                                                    memory_order_release, memory_order_relaxed))
            act_control(w, w->rt, rt_slot(w->rt, who.slot), who.gen, CTL_KIN);
        else
            append(&s->live, b);
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
    assert(!self || self->worker);
    return thread_detail();
}
