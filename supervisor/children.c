/* SPDX-License-Identifier: MIT */
#include "children.h"

#include "actors/clock.h"
#include "actors/fiber.h"

#include <stdio.h>

static uint64_t hash_of(bsk_addr who)
{
    return table_hash((uint64_t)who.slot << 32 | who.gen);
}

static struct child *child_of(struct table_node *node)
{
    return (struct child *)(void *)node;
}

int child_add(struct sup *s, struct spec *spec, struct child **out)
{
    bool by_id = !sup_is_dynamic(s);
    if (by_id && child_by_id(s, spec->id)) return BSK_EEXIST;
    struct child *c = mem_zalloc(sizeof *c);
    if (!c) return BSK_ENOMEM;
    c->spec = spec;
    c->last_reason = BSK_NORMAL;
    if (by_id) table_add(&s->table, &c->node, table_hash_text(spec->id));
    c->prev = s->last;
    if (s->last)
        s->last->next = c;
    else
        s->first = c;
    s->last = c;
    s->n++;
    *out = c;
    return 0;
}

void child_remove(struct sup *s, struct child *c)
{
    assert(!c->bond);
    if (c->state == BSK_CHILD_RESTARTING) due_remove(&s->restarting, &c->due);
    if (!sup_is_dynamic(s)) table_remove(&s->table, &c->node);
    if (c->prev)
        c->prev->next = c->next;
    else
        s->first = c->next;
    if (c->next)
        c->next->prev = c->prev;
    else
        s->last = c->prev;
    s->n--;
    if (c->kept) kept_bury(s->self->worker, c->kept_of, &c->kept);
    spec_drop(c->spec);
    mem_free(c->own_state);
    mem_free(c);
}

struct child *child_by_id(struct sup *s, const char *id)
{
    struct table_node *x = table_first(&s->table, table_hash_text(id));
    while (x && strcmp(child_of(x)->spec->id, id) != 0) x = table_next(x);
    return child_of(x);
}

struct child *child_by_addr(struct sup *s, bsk_addr who)
{
    if (sup_is_dynamic(s)) {
        struct table_node *x = table_first(&s->table, hash_of(who));
        while (x && !bsk_same(child_of(x)->who, who)) x = table_next(x);
        return child_of(x);
    }
    struct child *c = s->first;
    while (c && !(c->bond && bsk_same(c->who, who))) c = c->next;
    return c;
}

bool sup_told_to_stop(const struct sup *s)
{
    return act_ctl(s->self) & (CTL_STOP | CTL_DRAIN | CTL_KILL);
}

void sup_wait(struct sup *s, uint64_t until)
{
    if (act_ctl(s->self) & CTL_KIN)
        act_look(s->self->worker, s->self);
    else
        fib_wait(s->self, MBOX_IDLE, until, WAIT_MESSAGE, (bsk_addr){0, 0, 0});
}

/* Waits until there is news of children, or a stop; requests wait meanwhile. May return early. */
static void wait_for_news(struct sup *s)
{
    if (act_ctl(s->self) & CTL_KIN)
        act_look(s->self->worker, s->self);
    else
        fib_wait(s->self, MBOX_DEAF, NEVER, WAIT_CHILDREN, (bsk_addr){0, 0, 0});
}

static void set_ready(bsk_self *self, struct bond *b)
{
    bsk_addr parent = b->parent;
    struct worker *w = self->worker;
    /* Release pairs with the acquire in is_ready. */
    atomic_store_explicit(&b->ready, true, memory_order_release);
    act_control(w, w->rt, rt_slot(w->rt, parent.slot), parent.gen, CTL_KIN);
}

/* Runs in the child, whose record its supervisor leaves alone while it starts. */
static void run_init(bsk_self *self)
{
    struct bond *b = act_kin(self)->bond;
    const bsk_opts *o = &b->child->spec->given.opts;
    o->init(self);
    if (!o->reports_ready) set_ready(self, b);
}

void bsk_ready(bsk_self *self, int64_t info)
{
    struct kin *kin = act_kin(self);
    struct bond *b = kin ? kin->bond : NULL;
    /* Relaxed: nobody says so but this actor, or who started it, before. */
    if (!b || !b->child || atomic_load_explicit(&b->ready, memory_order_relaxed)) return;
    const bsk_child_spec *g = &b->child->spec->given;
    b->info = info;
    /* Others are ready when their init has returned. */
    if (spec_is_sup(g) || g->opts.reports_ready) set_ready(self, b);
}

void bsk_ignore(bsk_self *self)
{
    struct kin *kin = act_kin(self);
    if (kin && kin->bond) kin->bond->ignored = true;
    bsk_exit(self);
}

static bool is_ready(const struct bond *b)
{
    /* Acquire pairs with set_ready: what the child did before it said so is seen. */
    return atomic_load_explicit(&b->ready, memory_order_acquire);
}

static int spawn_sup(struct sup *s, struct child *c)
{
    const bsk_child_spec *g = &c->spec->given;
    struct sup *below = sup_new(g->sup, NULL, c->spec->children, g->nchildren);
    if (!below) return BSK_ENOMEM;
    bsk_opts o = {.name = g->sup->name,
                  .label = c->spec->id,
                  .shutdown_ms = spec_shutdown_ms(g),
                  .state = &below,
                  .state_size = sizeof below};
    below->undo = (struct defer){.undo = sup_free, .arg = below};
    int rc = scope_spawn(s->scope, (bsk_behavior){.fiber = sup_main}, &o,
                         &(struct start){.child = c, .undo = &below->undo}, &c->bond);
    if (rc) sup_free(below);
    return rc;
}

static int spawn_child(struct sup *s, struct child *c)
{
    if (sup_is_dynamic(s) && c->spec != s->template) {
        spec_drop(c->spec);
        c->spec = spec_hold(s->template);
    }
    bsk_opts o = c->spec->given.opts;
    if (c->own_state) {
        o.state = c->own_state;
        o.state_size = c->own_state_size;
    }
    if (!o.name && !o.label) o.label = c->spec->id;
    bool waits = o.init || o.reports_ready;
    o.init = o.init ? run_init : NULL;
    int rc = scope_spawn(s->scope, c->spec->given.behavior, &o,
                         &(struct start){.child = c, .kept = &c->kept}, &c->bond);
    /* Relaxed: the caller is who asks. */
    if (rc == 0 && !waits) atomic_store_explicit(&c->bond->ready, true, memory_order_relaxed);
    return rc;
}

static void set_running(struct sup *s, struct child *c)
{
    assert(c->bond && c->state == BSK_CHILD_STOPPED);
    c->who = c->bond->who;
    c->state = BSK_CHILD_RUNNING;
    s->nrunning++;
    if (sup_is_dynamic(s)) table_add(&s->table, &c->node, hash_of(c->who));
    if (c->spec->given.opts.restart != BSK_TEMPORARY) return;
    /* It is never started again. */
    mem_free(c->own_state);
    c->own_state = NULL;
    if (!sup_is_dynamic(s)) spec_drop_state(c->spec);
}

/* What is left of an older queue comes first. */
static void inherit(struct child *c, struct bond *b)
{
    struct bsk_msg **end = &c->kept;
    while (*end) end = &(*end)->next;
    *end = b->kept;
    b->kept = NULL;
    c->kept_of = b->who;
}

void child_note_end(struct sup *s, struct child *c, struct bond *b)
{
    assert(c->bond == b && b->over && b->child == c);
    struct cause cause = cause_of(cause_blob(b->cause), cause_reason(b->cause));
    c->last_reason = cause.reason;
    snprintf(c->last_text, sizeof c->last_text, "%s", cause.text);
    if (c->state == BSK_CHILD_RUNNING) {
        s->nrunning--;
        if (sup_is_dynamic(s)) table_remove(&s->table, &c->node);
    }
    c->state = BSK_CHILD_STOPPED;
    c->bond = NULL;
    inherit(c, b);
    bond_free(s->self->worker, b);
}

/* Waits until the child's bond is among those that have ended, and takes it. */
static struct bond *await_end(struct sup *s, struct child *c)
{
    while (!c->bond->over) wait_for_news(s);
    scope_take(s->scope, c->bond);
    return c->bond;
}

static int failed_start(struct sup *s, struct child *c, int rc, const char *reason,
                        const char *text)
{
    snprintf(s->why, sizeof s->why, "failed to start child %s: %s%s%s", c->spec->id, reason,
             *text ? ": " : "", text);
    return rc;
}

/* It ended before it was ready. */
static int stillborn(struct sup *s, struct child *c)
{
    struct bond *b = await_end(s, c);
    bool ignored = b->ignored;
    child_note_end(s, c, b);
    if (ignored) return 1;
    return failed_start(s, c, BSK_ECHILD, bsk_reason_name(c->last_reason), c->last_text);
}

int child_start(struct sup *s, struct child *c, int64_t *info)
{
    assert(!c->bond);
    int rc = spec_is_sup(&c->spec->given) ? spawn_sup(s, c) : spawn_child(s, c);
    if (rc) return failed_start(s, c, rc, bsk_strerror(rc), "");
    bool told = false;
    while (!is_ready(c->bond) && !c->bond->over) {
        if (sup_told_to_stop(s) && !told) {
            scope_stop_child(s->self->worker, c->bond, false);
            told = true;
        }
        wait_for_news(s);
    }
    if (!is_ready(c->bond)) return stillborn(s, c);
    *info = c->bond->info;
    set_running(s, c);
    return 0;
}

void child_stop_waiting(struct sup *s, struct child *c)
{
    if (c->state != BSK_CHILD_RESTARTING) return;
    due_remove(&s->restarting, &c->due);
    c->state = BSK_CHILD_STOPPED;
}

void child_stop(struct sup *s, struct child *c)
{
    child_stop_waiting(s, c);
    if (!c->bond) return;
    if (!c->bond->over) scope_stop_child(s->self->worker, c->bond, false);
    child_note_end(s, c, await_end(s, c));
}
