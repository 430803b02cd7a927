/* SPDX-License-Identifier: MIT */
/* What the runtime tells while the forest runs: who is born under whom, who ended, what a
 * supervisor decided. Most of what is promised about the order of ends is checked right here. */
#include "forest_books.h"

#include "supervisor/children.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

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
    l->restart = b->restart;
    l->keeps = b->keeps;
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

static void on_end(struct forest *f, const bsk_event *e)
{
    struct life *l = life_of(f, e->actor);
    enum bsk_reason reason = (enum bsk_reason)e->value;
    count(&f->ended);
    if (is_failure(reason)) count(&f->failed);
    if (!l) return;
    if (is_over(l)) fo_blame(f, "%u ended twice", l->id);
    snprintf(l->why, sizeof l->why, "%s", e->text ? e->text : "");
    check_children(l);
    check_reason(l, reason);
    check_clean_ups(l, reason);
    check_name(l);
    if (is_failure(reason) && !l->is_child) atomic_store(&f->root_failed, true);
    if (is_failure(reason) && atomic_load(&l->loose)) atomic_store(&f->root_unsure, true);
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

void fo_trace(void *forest, const bsk_event *e)
{
    struct forest *f = forest;
    count(&f->events);
    if (e->kind == BSK_EV_SPAWN) on_spawn(f, e);
    if (e->kind == BSK_EV_END) on_end(f, e);
    if (f->tells && (e->kind == BSK_EV_SPAWN || e->kind == BSK_EV_END)) tell(f, e);
}

/* What one leaves that keeps its mailbox is its successor's, unless there is to be none. */
static void check_kept(struct forest *f, const bsk_dead_letter *dead)
{
    struct worker *w = rt_worker();
    struct life *l = dead->why == BSK_DEAD_UNHANDLED ? life_of(f, dead->to) : NULL;
    if (!l || !is_over(l) || !l->keeps || l->restart != BSK_PERMANENT) return;
    bool ends = !w || w->ending.actor;
    if (!ends && !atomic_load(&l->parent->touched) && !atomic_load(&f->stopping))
        fo_blame(f, "a note to %u (%s) is not kept", l->id, l->text);
}

void fo_dead(void *forest, const bsk_dead_letter *dead)
{
    struct forest *f = forest;
    if (dead->type != &fo_note_bsk) return;
    count(&f->dead);
    check_kept(f, dead);
}

/* Counts the restarts within the period that ends now, this one included. */
static unsigned recent(struct life *sup, int64_t now)
{
    unsigned n = 0;
    for (unsigned i = 0; i < TIMES && i < sup->ntimes; i++)
        n += now - sup->times[i] <= sup->period_ns;
    return n;
}

/* Where others are stopped first the line is later than the decision: then fewer may count. */
static void check_intensity(struct life *sup, bool gives_up)
{
    bool at_once = sup->strategy == BSK_ONE_FOR_ONE || sup->strategy == BSK_DYNAMIC;
    struct forest *f = sup->forest;
    int64_t now = (int64_t)f->rt->virtual_now;
    unsigned before = recent(sup, now), most = (unsigned)sup->intensity;
    sup->times[sup->ntimes++ % TIMES] = now;
    if (gives_up && before < most && !f->setup.starve)
        fo_blame(f, "supervisor %u gives up after %u restarts of %u", sup->id, before, most);
    if (!gives_up && at_once && before >= most)
        fo_blame(f, "supervisor %u: restart %u of %u", sup->id, before + 1, most);
}

/* Whom the strategy stops has ended when the decision is made known. */
static void check_stopped(struct life *sup, const char *line)
{
    const struct sup *s = *(struct sup *const *)bsk_state(rt_self(rt_worker()));
    const char *id = strstr(line, ": child ") + 8;
    bool behind = sup->strategy == BSK_ONE_FOR_ALL;
    if (sup->strategy != BSK_ONE_FOR_ALL && sup->strategy != BSK_REST_FOR_ONE) return;
    for (const struct child *c = s->first; c; c = c->next) {
        size_t n = strlen(c->spec->id);
        struct life *l = behind && c->who.gen ? life_of(sup->forest, c->who) : NULL;
        if (l && !is_over(l))
            fo_blame(sup->forest, "supervisor %u restarts while its child %s lives", sup->id,
                     c->spec->id);
        if (strncmp(id, c->spec->id, n) == 0 && id[n] == ' ') behind = true;
    }
}

static bool ends_with(const char *line, const char *what)
{
    size_t n = strlen(line), m = strlen(what);
    return n >= m && strcmp(line + n - m, what) == 0;
}

static struct life *sup_in(struct forest *f, const char *line)
{
    bsk_addr who = {0, 0, 0};
    const char *at = strchr(line, '<');
    if (!at || !strstr(line, ": child ")) return NULL;
    if (sscanf(at, "<%" SCNu32 ".%" SCNu32 ">", &who.slot, &who.gen) != 2) return NULL;
    return life_of(f, who);
}

void fo_log(void *forest, enum bsk_level level, const char *line)
{
    struct forest *f = forest;
    if (f->tells) fprintf(stderr, "%s\n", line);
    if (level > BSK_LOG_WARN) return;
    bool gives_up = ends_with(line, ": too many restarts, giving up");
    if (!gives_up && !ends_with(line, ": restarted") && !ends_with(line, ": restarted later"))
        return;
    struct life *sup = sup_in(f, line);
    if (!sup) return;
    count(gives_up ? &f->gave_up : &f->restarts);
    if (gives_up) sup->gave_up = true;
    if (is_seeded(f)) check_intensity(sup, gives_up);
    if (!gives_up) check_stopped(sup, line);
}
