/* SPDX-License-Identifier: MIT */
/* What the runtime tells while the forest runs: who is born under whom, who ended, what a
 * supervisor decided. Most of what is promised about the order of ends is checked right here. */
#include "forest_books.h"

#include "supervisor/children.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define KILLED (UINT32_C(1) << BSK_KILLED)

_Thread_local struct life *fo_links_to;

static bool is_failure(enum bsk_reason r)
{
    return r == BSK_FAILED || r == BSK_FAULT || r == BSK_GAVE_UP;
}

/* Children that have ended are of no interest in a supervisor's list. */
static void prune(struct life *parent)
{
    struct life **at = &parent->children;
    while (*at) {
        if (is_over(*at))
            *at = (*at)->sibling;
        else
            at = &(*at)->sibling;
    }
}

static void check_siblings(struct life *parent, const struct life *l)
{
    unsigned n = 1;
    for (const struct life *c = parent->children; c; c = c->sibling, n++)
        if (*l->text && strcmp(c->text, l->text) == 0)
            fo_blame(l->forest, "supervisor %u runs child %s twice", parent->id, l->text);
    if (n > atomic_load(&parent->specs))
        fo_blame(l->forest, "supervisor %u has %u children of %u specs", parent->id, n,
                 atomic_load(&parent->specs));
}

static void enter_sup(struct life *l, const bsk_self *a)
{
    const struct sup *s = *(struct sup *const *)a->state;
    l->strategy = s->opts->strategy;
    l->auto_shutdown = s->opts->auto_shutdown;
    l->intensity = s->opts->intensity ? s->opts->intensity : 1;
    if (l->intensity < 0) l->intensity = 0;
    l->period_ns = (s->opts->period_ms ? s->opts->period_ms : 5000) * INT64_C(1000000);
    atomic_fetch_add(&l->specs, s->n);
    l->is_sup = true;
    count(&l->forest->supervisors);
    allow(l, BSK_GAVE_UP);
    allow(l, BSK_FAILED);
    allow(l, BSK_SHUTDOWN);
}

static void enter_child(struct life *l, const bsk_self *a)
{
    const struct bond *b = a->more->kin->bond;
    struct life *parent = life_of(l->forest, b->parent);
    if (!parent) return;
    l->is_child = true;
    l->parent = parent;
    l->supervised = b->child;
    l->scope = b->scope;
    l->kind = b->scope->kind;
    l->restart = b->restart;
    l->keeps = b->keeps;
    l->significant = b->child && b->child->spec->given.opts.significant;
    if (b->child) parent->waiting &= ~id_bit(b->child->spec->id);
    allow(l, BSK_SHUTDOWN);
    allow(l, BSK_KILLED);
    if (!b->child) allow(l, BSK_CANCELLED);
    if (is_over(parent)) fo_blame(l->forest, "%u is born after its parent's end", l->id);
    if (parent->is_sup) prune(parent);
    if (parent->is_sup && parent->strategy != BSK_DYNAMIC) check_siblings(parent, l);
    l->sibling = parent->children;
    parent->children = l;
}

static void enter_link(struct life *l, struct life *to)
{
    struct pair *p = pair_of(l, to);
    if (!p) return;
    pair_lock(p);
    p->linked = true;
    pair_unlock(p);
}

static _Atomic(struct life *) *holder_of(struct life *l)
{
    return &l->forest->holders[strtoul(l->text + 1, NULL, 10) % SHARED_NAMES];
}

static void take_name(struct life *l)
{
    struct life *holder = atomic_exchange(holder_of(l), l);
    if (is_seeded(l->forest) && holder && !is_over(holder))
        fo_blame(l->forest, "%u and %u both have the name %s", holder->id, l->id, l->text);
}

static void on_spawn(struct forest *f, const bsk_event *e)
{
    const bsk_self *a = rt_slot(f->rt, e->actor.slot);
    struct life *l = life_of(f, e->actor), *linked = fo_links_to;
    count(&f->spawned);
    if (!l || is_over(l)) return;
    if (e->text) snprintf(l->text, sizeof l->text, "%s", e->text);
    unsigned flags = act_flags(a);
    l->fiber = flags & ACT_FIBER;
    l->has_fini = a->more && a->more->fini;
    l->fails_full = atomic_load_explicit(&a->overflow, memory_order_relaxed) == BSK_FAIL;
    if (flags & ACT_CHILD) enter_child(l, a);
    if (l->fiber && a->run.fiber == sup_main) enter_sup(l, a);
    if (l->text[0] == 'N') take_name(l);
    if (linked) enter_link(l, linked);
    atomic_store_explicit(&l->known, true, memory_order_release);
}

static void check_children(struct life *l)
{
    for (struct life *c = l->children; c; c = c->sibling)
        if (!is_over(c) && !atomic_load(&c->loose))
            fo_blame(l->forest, "%u (%s) ends before its child %u (%s)", l->id, l->text, c->id,
                     c->text);
}

static void check_reason(struct life *l, enum bsk_reason reason)
{
    struct forest *f = l->forest;
    uint32_t may = atomic_load(&l->may_end);
    if (atomic_load(&f->stopping)) may |= UINT32_C(1) << BSK_SHUTDOWN | UINT32_C(1) << BSK_KILLED;
    /* What starts may lack memory: an actor without its clean-ups ends itself, a supervisor too. */
    if (f->setup.starve) may |= UINT32_C(1) << BSK_FAILED | UINT32_C(1) << BSK_KILLED;
    if (l->fails_full && strcmp(l->why, "mailbox overflow") == 0) may |= UINT32_C(1) << BSK_FAILED;
    if (!(may & UINT32_C(1) << reason))
        fo_blame(f, "%u (%s) ended as %s (%s), for which nobody gave it cause", l->id, l->text,
                 bsk_reason_name(reason), l->why);
    bool struck = atomic_load(&l->struck) || reason == BSK_KILLED;
    if (l->is_sup && (reason == BSK_GAVE_UP) != l->gave_up && !struck)
        fo_blame(f, "supervisor %u %s, but ended as %s", l->id,
                 l->gave_up ? "gave up" : "did not give up", bsk_reason_name(reason));
}

static void check_clean_ups(struct life *l, enum bsk_reason reason)
{
    bool begun = atomic_load(&l->begun);
    unsigned finis = begun && l->has_fini && reason != BSK_KILLED;
    if (l->undone != l->defers)
        fo_blame(l->forest, "%u ended with %u of %u clean-ups", l->id, l->undone, l->defers);
    if (l->finis != finis)
        fo_blame(l->forest, "%u ended as %s with %u calls of fini, not %u", l->id,
                 bsk_reason_name(reason), l->finis, finis);
}

static void check_name(struct life *l)
{
    if (strchr("NPS", l->text[0]) && l->text[0] &&
        bsk_same(bsk_whereis(l->forest->rt, l->text), l->who))
        fo_blame(l->forest, "the name %s outlives %u", l->text, l->id);
}

/* Who is linked to one that has ended has its signal to come. */
static void fall_due(struct pair *p, struct life *l)
{
    unsigned other = 1 - side_of(p, l);
    struct life *o = p->ends[other];
    enum bsk_reason reason = reason_of(l);
    bool linked = p->linked;
    p->linked = false;
    if (!linked || is_over(o)) return;
    p->due[other] = OWED_SIGNAL;
    p->trapped[other] = atomic_load(&o->traps);
    allow(o, reason);
    atomic_store(&o->struck, true);
    if (is_seeded(l->forest) && !p->trapped[other] && reason != BSK_NORMAL)
        atomic_store(&o->doomed, true);
}

static void settle_pairs(struct life *l)
{
    for (struct pair *p = atomic_load(&l->pairs); p; p = p->next[side_of(p, l)]) {
        pair_lock(p);
        fall_due(p, l);
        pair_unlock(p);
    }
}

/* The last significant child's own end is why all is stopped, not the other way round; unless it
 * was stopped for another reason while the end of the one before was not known yet. One that waits
 * for its restart counts. */
static void check_significance(struct life *l, const struct bond *b)
{
    uint32_t touched = atomic_load(&l->touched);
    bool alone = l->strategy == BSK_ONE_FOR_ONE && l->auto_shutdown == BSK_ALL_SIGNIFICANT;
    if (l->significant && b) l->parent->last_was_told = atomic_load(&b->cancelled);
    if (!l->is_sup || !alone || strcmp(l->why, "a significant child has ended") != 0) return;
    if ((l->last_was_told && !touched) || (l->waiting & ~touched))
        fo_blame(l->forest, "supervisor %u stops, though significant children run", l->id);
}

/* A supervisor stops the youngest first and waits for each; unless it is stopped itself by force,
 * or somebody names a child. */
static void check_order(struct life *l, const struct bond *b)
{
    struct life *sup = l->parent;
    bool orderly = sup->strategy != BSK_DYNAMIC && !atomic_load(&sup->touched) &&
                   !atomic_load(&sup->struck) && !(atomic_load(&sup->may_end) & KILLED);
    if (!orderly || !atomic_load(&b->cancelled) || b->child->state != BSK_CHILD_RUNNING) return;
    for (const struct child *c = b->child->next; c; c = c->next) {
        struct life *o = c->bond ? life_of(l->forest, c->bond->who) : NULL;
        if (o && !is_over(o))
            fo_blame(l->forest, "supervisor %u stops %u before %u", sup->id, l->id, o->id);
    }
}

/* What decides how a scope ends. */
static bool is_decisive(struct life *c)
{
    enum bsk_reason reason = reason_of(c);
    if (c->kind == BSK_RACE) return reason == BSK_NORMAL;
    return c->kind == BSK_ALL && (is_failure(reason) || (reason == BSK_KILLED && !c->told));
}

/* Once a scope is decided the others are told to stop, before time goes on. */
static void check_rest(struct life *l)
{
    for (struct life *c = l->parent->children; c; c = c->sibling) {
        bool decided = c->scope == l->scope && is_over(c) && !atomic_load(&c->loose) &&
                       is_decisive(c) && c->ended_ns < l->ended_ns;
        if (decided && !l->told)
            fo_blame(l->forest, "%u goes on in a scope that %u's end has decided", l->id, c->id);
    }
}

/* What is exact where one thing happens at a time. `b` ties it to its parent, if it has one. */
static void check_family(struct life *l, const struct bond *b)
{
    if (!is_seeded(l->forest)) return;
    check_significance(l, b);
    if (!l->is_child || !b || atomic_load(&l->loose)) return;
    l->ended_ns = l->forest->rt->virtual_now;
    l->told = atomic_load(&b->cancelled);
    if (l->supervised)
        check_order(l, b);
    else if (l->scope)
        check_rest(l);
}

static void check_end(struct life *l, enum bsk_reason reason)
{
    struct forest *f = l->forest;
    const struct kin *kin = rt_worker()->ending.kin;
    check_children(l);
    check_reason(l, reason);
    check_clean_ups(l, reason);
    check_name(l);
    check_family(l, kin ? kin->bond : NULL);
    if (is_failure(reason) && !l->is_child) atomic_store(&f->root_failed, true);
    if (is_failure(reason) && atomic_load(&l->loose)) atomic_store(&f->root_unsure, true);
}

static void on_end(struct forest *f, const bsk_event *e)
{
    struct life *l = life_of(f, e->actor);
    enum bsk_reason reason = (enum bsk_reason)e->value;
    count(&f->ended);
    if (is_failure(reason)) count(&f->failed);
    if (!l) return;
    if (is_over(l)) fo_blame(f, "%u ended twice", l->id);
    snprintf(l->why, sizeof l->why, "%s", e->text ? e->text : "");
    /* A shutdown may find one, and end it, before its birth is told. */
    if (is_known(l))
        check_end(l, reason);
    else
        atomic_store(&f->root_unsure, true);
    atomic_store(&l->reason, (int)reason);
    atomic_store(&l->over, true);
    settle_pairs(l);
}

static void tell(struct forest *f, const bsk_event *e)
{
    const struct life *l = life_of(f, e->actor);
    bool born = e->kind == BSK_EV_SPAWN;
    if (l)
        fprintf(stderr, "%" PRId64 " us: %s %u <%u.%u> %s of %d: %s %s\n", e->ns / 1000,
                born ? "born" : "ends", l->id, l->who.slot, l->who.gen, l->text,
                l->parent ? (int)l->parent->id : -1,
                born ? "" : bsk_reason_name((enum bsk_reason)e->value), e->text ? e->text : "");
}

/* Notes when another worker tells of something than the one before. */
static void note_turn(struct forest *f)
{
    const struct worker *w = rt_worker();
    unsigned teller = w ? 1 + w->index : 0;
    unsigned last = w ? atomic_exchange_explicit(&f->teller, teller, memory_order_relaxed) : 0;
    if (last && last != teller) count(&f->turns);
}

void fo_trace(void *forest, const bsk_event *e)
{
    struct forest *f = forest;
    if (e->kind != BSK_EV_SPAWN && e->kind != BSK_EV_END) return;
    note_turn(f);
    if (e->kind == BSK_EV_SPAWN) on_spawn(f, e);
    if (e->kind == BSK_EV_END) on_end(f, e);
    if (f->tells) tell(f, e);
}

/* What one leaves that keeps its mailbox is its successor's, unless there is to be none. */
static void check_kept(struct forest *f, const bsk_dead_letter *dead)
{
    struct worker *w = rt_worker();
    struct life *l = dead->why == BSK_DEAD_UNHANDLED ? life_of(f, dead->to) : NULL;
    if (!l || !is_over(l) || !l->keeps || l->restart != BSK_PERMANENT) return;
    /* An instance that fails to start at once is forgotten. */
    bool ends = !w || w->ending.actor || l->parent->strategy == BSK_DYNAMIC;
    if (!ends && !atomic_load(&l->parent->touched) && !atomic_load(&f->stopping))
        fo_blame(f, "a note to %u (%s) is not kept", l->id, l->text);
}

void fo_dead(void *forest, const bsk_dead_letter *dead)
{
    struct forest *f = forest;
    if (dead->type != &fo_note_bsk) return;
    count(&f->dead);
    if (bsk_is_nobody(dead->to)) fo_blame(f, "a dead letter to nobody");
    check_kept(f, dead);
}
