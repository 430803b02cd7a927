/* SPDX-License-Identifier: MIT */
#include "kin.h"

#include "actors/cause.h"
#include "actors/end.h"
#include "actors/spawn.h"
#include "monitor.h"
#include "scope.h"

struct kin *kin_of(bsk_self *a)
{
    if (!a->more) a->more = mem_zalloc(sizeof *a->more);
    if (!a->more) return NULL;
    if (!a->more->kin) a->more->kin = mem_zalloc(sizeof *a->more->kin);
    return a->more->kin;
}

/* Takes all bonds that were pushed, the oldest first. */
static struct bond *take_news(struct kin *kin)
{
    /* Acquire pairs with the release in tell_parent: each bond is filled in. */
    struct bond *b = atomic_exchange_explicit(&kin->news, NULL, memory_order_acquire);
    struct bond *first = NULL, *older;
    for (; b; b = older) {
        older = b->news;
        b->news = first;
        first = b;
    }
    return first;
}

static bsk_scope *turn_round(bsk_scope *s)
{
    bsk_scope *turned = NULL, *next;
    for (; s; s = next) {
        next = s->outer;
        s->outer = turned;
        turned = s;
    }
    return turned;
}

/* The deadline goes with who set it; its own ones, which came later, stay. Those further out come
 * first, since others have theirs from them: the list is turned round for that, and back. */
static void forget_deadline(const bsk_self *a, bsk_scope *innermost, uint64_t by)
{
    bsk_scope *outermost = turn_round(innermost);
    const bsk_scope *outer = NULL;
    for (bsk_scope *s = outermost; s; outer = s, s = s->outer) {
        if (s->deadline != by) continue;
        bool inside = act_fiber(a) && outer && outer->shields >= s->shields;
        s->deadline = inside && outer->deadline < s->own ? outer->deadline : s->own;
    }
    turn_round(outermost);
}

/* Becomes a child of the root, if its scope was detached from it. */
static void leave_parent(struct worker *w, bsk_self *a)
{
    struct kin *kin = act_kin(a);
    struct bond *b = kin->bond;
    /* Acquire pairs with bsk_scope_detach. */
    if (!b || atomic_load_explicit(&b->state, memory_order_acquire) != BOND_LOOSE) return;
    spawn_set_finish(a, b->finish_ms);
    act_set_flag(a, ACT_CHILD, false);
    forget_deadline(a, kin->scopes, b->by);
    kin->bond = NULL;
    bond_free(w, b);
}

void kin_look(struct worker *w, bsk_self *a)
{
    struct kin *kin = act_kin(a);
    leave_parent(w, a);
    for (struct bond *b = take_news(kin), *newer; b; b = newer) {
        newer = b->news;
        scope_ended(w, b->scope, b);
    }
    for (bsk_scope *s = kin->scopes; s; s = s->outer) scope_look(w, s);
    /* A fiber that goes on for a while, its children do not; a handler's hear at its end. */
    if (!act_fiber(a) || !bsk_cancelled(a)) return;
    for (bsk_scope *s = kin->scopes; s; s = s->outer) scope_cancel(w, s);
}

static bool childless(const struct kin *kin)
{
    const bsk_scope *s = kin->scopes;
    while (s && !s->live.n) s = s->outer;
    return !s;
}

/* What the end was about before it had to wait. */
static void restore_cause(struct ending *e, struct kin *kin)
{
    assert(kin->lingers);
    bsk_blob_drop(e->cause);
    e->cause = kin->cause;
    e->reason = kin->reason;
    e->told = kin->told;
    kin->cause = NULL;
    kin->lingers = false;
}

/* A kill is why one ends, whatever it was about to end for; of that the words stay, and that it
 * was a failure. */
static void end_as_killed(struct ending *e)
{
    assert(e->reason != BSK_KILLED && !e->failed);
    struct cause c = cause_of(e->cause, e->reason);
    e->failed = end_is_failure(e->reason);
    c.reason = e->reason = BSK_KILLED;
    bsk_blob *killed = cause_new(&c);
    bsk_blob_drop(e->cause);
    e->cause = killed;
}

bool kin_restarts(enum bsk_restart restart, enum bsk_reason reason)
{
    switch (restart) {
    case BSK_PERMANENT: return true;
    case BSK_TEMPORARY: return false;
    default: return reason != BSK_NORMAL && reason != BSK_SHUTDOWN;
    }
}

bool kin_keep(struct worker *w, bsk_self *a, struct bsk_msg *m)
{
    assert(m->lane == MSG_USER);
    struct kin *kin = w->ending.kin ? w->ending.kin : act_kin(a);
    struct bond *b = kin->bond;
    if (!b || !b->keeps) return false;
    act_unmark(a, m);
    struct bsk_msg **end = &b->kept;
    if (b->kept) end = &b->kept_last->next;
    m->next = NULL;
    *end = b->kept_last = m;
    return true;
}

/* What those hear who have asked one that ends: a supervisor is nobody then. */
static int lost_code(const struct kin *kin, enum bsk_reason reason)
{
    const struct bond *b = kin->bond;
    const bsk_scope *s = kin->scopes;
    if (b && b->child && kin_restarts(b->restart, reason)) return BSK_ERESTARTING;
    while (s && !s->supervises) s = s->outer;
    return s ? BSK_EDEAD : 0;
}

bool kin_linger(struct worker *w, bsk_self *a)
{
    struct kin *kin = act_kin(a);
    struct ending *e = &w->ending;
    e->lost = lost_code(kin, kin->lingers ? kin->reason : e->reason);
    kin_look(w, a);
    bool kill = e->reason == BSK_KILLED || (act_ctl(a) & CTL_KILL);
    for (bsk_scope *s = kin->scopes; s; s = s->outer) scope_stop_all(w, s, kill);
    if (childless(kin)) {
        if (!kin->lingers) return false;
        restore_cause(e, kin);
        if ((act_ctl(a) & CTL_KILL) && e->reason != BSK_KILLED) end_as_killed(e);
        return false;
    }
    if (!kin->lingers) {
        kin->cause = end_cause(e, &kin->reason);
        kin->told = e->told;
    }
    kin->lingers = true;
    return true;
}

void kin_release(struct worker *w, bsk_self *a)
{
    struct kin *kin = act_kin(a);
    mon_release_all(w, kin);
    while (kin->scopes) scope_free(kin->scopes);
    w->ending.kin = kin;
    a->more->kin = NULL;
}

/* The innermost scope that bounds what a fiber does: none from outside of a shield does. A handler
 * may have many at a time, each for something else. */
static const bsk_scope *scope_around(const bsk_self *a)
{
    const struct fiber *f = act_fiber(a);
    const bsk_scope *s = act_kin(a)->scopes;
    return f && s && s->shields >= f->shields ? s : NULL;
}

uint64_t kin_deadline(const bsk_self *a)
{
    const struct bond *b = act_kin(a)->bond;
    const struct fiber *f = act_fiber(a);
    const bsk_scope *s = scope_around(a);
    if (s) return s->deadline;
    /* Who was told to stop, and still does something, has its time to finish for that. */
    if (!b || (f && f->shields) || (act_ctl(a) & CTL_STOP)) return NEVER;
    return b->by;
}

uint64_t kin_waits_until(const bsk_self *a)
{
    const struct bond *b = act_kin(a)->bond;
    const bsk_scope *s = scope_around(a);
    /* At an inherited one it is told to stop. */
    return s && !(b && b->by == s->deadline) ? s->deadline : NEVER;
}

enum bsk_reason kin_stopped(const bsk_self *a)
{
    const struct bond *b = act_kin(a)->bond;
    /* Relaxed: written before the stop that brought the caller here. */
    bool cancelled = b && !b->child && atomic_load_explicit(&b->cancelled, memory_order_relaxed);
    return cancelled ? BSK_CANCELLED : BSK_SHUTDOWN;
}

static void tell_parent(struct worker *w, struct bond *b)
{
    assert(b->home && (b->parent.gen & 1));
    struct kin *home = b->home;
    bsk_addr parent = b->parent;
    /* Release pairs with take_news: the bond is the parent's then, and may be gone. */
    b->news = atomic_load_explicit(&home->news, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&home->news, &b->news, b, memory_order_release,
                                                  memory_order_relaxed)) {
    }
    act_control(w, w->rt, rt_slot(w->rt, parent.slot), parent.gen, CTL_KIN);
}

void kin_ended(struct worker *w, struct kin *kin, enum bsk_reason reason, bsk_blob *cause)
{
    assert(!kin->scopes && !kin->monitors && !kin->lingers);
    struct bond *b = kin->bond;
    mem_free(kin);
    if (!b) return;
    int tied = BOND_TIED;
    b->cause = cause_pack(bsk_blob_hold(cause), reason);
    /* Acquire pairs with bsk_scope_detach; what is written here goes with the push. */
    if (atomic_compare_exchange_strong_explicit(&b->state, &tied, BOND_ENDED, memory_order_acquire,
                                                memory_order_acquire))
        tell_parent(w, b);
    else
        bond_free(w, b);
}
