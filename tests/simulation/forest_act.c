/* SPDX-License-Identifier: MIT */
/* What the forest's actors, and threads, do of their own accord. */
#include "forest_books.h"

#include "mailbox/memory.h"

#include <stdlib.h>

struct life *pick_life(struct life *l)
{
    struct forest *f = l->forest;
    struct life *o = NULL;
    for (int i = 0; i < 4; i++) {
        unsigned n = life_count(f);
        /* The younger ones are more likely to live. */
        unsigned span = random_one_in(&l->random, 2) && n > 24 ? 24 : n;
        o = &f->lives[n - 1 - random_below(&l->random, span)];
        if (o != l && is_known(o) && !is_over(o)) return o;
    }
    return o != l && is_known(o) ? o : NULL;
}

static struct life *pick_sup(struct life *l)
{
    for (int i = 0; i < 12; i++) {
        struct life *o = pick_life(l);
        if (o && o->is_sup) return o;
        if (o && o->supervised && random_one_in(&l->random, 2)) return o->parent;
    }
    return NULL;
}

static void check_spawn(struct life *l, int rc)
{
    if (rc != BSK_EEXIST && rc != BSK_ESTOPPING && !excused(l->forest, rc))
        fo_blame(l->forest, "spawn: %s", bsk_errname(rc));
}

static bsk_addr spawn_linked(struct life *l, bsk_self *self, bsk_behavior b, const bsk_opts *o)
{
    fo_links_to = l;
    bsk_addr who = bsk_spawn_link_(self, b, o);
    fo_links_to = NULL;
    return who;
}

static bsk_addr spawn_watched(struct life *l, bsk_self *self, bsk_behavior b, const bsk_opts *o)
{
    bsk_monitor m = {0, 0};
    bsk_addr who = bsk_spawn_watch_(self, &m, b, o);
    struct life *of = bsk_is_nobody(who) ? NULL : life_of(l->forest, who);
    if (of) add_watch(l, m, of, false, false);
    return who;
}

void spawn_loner(struct life *l, bsk_self *self, bsk_rt *rt)
{
    char name[16];
    struct seedling s = {.forest = l->forest, .brief = random_one_in(&l->random, 4)};
    bsk_opts o = {.state = &s, .state_size = sizeof s};
    bsk_behavior b = choose(&l->random, &o, name, sizeof name);
    o.own_thread = l->forest->setup.workers && random_one_in(&l->random, 40);
    bsk_addr who;
    unsigned how = self ? random_below(&l->random, 3) : 0;
    if (how == 1)
        who = spawn_linked(l, self, b, &o);
    else if (how == 2 && free_watch(l))
        who = spawn_watched(l, self, b, &o);
    else
        who = bsk_spawn_(rt, b, &o);
    if (bsk_is_nobody(who)) check_spawn(l, bsk_error(self));
}

static void overflow(struct life *l, bsk_self *self)
{
    if (!l->fails_full) return;
    allow(l, BSK_FAILED);
    while (bsk_try(bsk_me(self), fo_tick) == 0) {
    }
}

static void stop_oneself(struct life *l, bsk_self *self)
{
    allow(l, BSK_SHUTDOWN);
    allow(l, BSK_KILLED);
    int rc = bsk_stop(bsk_me(self), 5);
    if (rc && !excused(l->forest, rc)) fo_blame(l->forest, "stop oneself: %s", bsk_errname(rc));
}

static void fail(struct life *l, bsk_self *self, unsigned how)
{
    allow(l, BSK_FAILED);
    if (how == 1) bsk_fail(self, "%u fails", l->id);
    if (how == 2) bsk_exit_as(self, BSK_FAILED, "%u leaves as failed", l->id);
    if (!atomic_load(&l->traps)) bsk_send_exit(self, bsk_me(self), BSK_FAILED, "by itself");
}

void end_now(struct life *l, bsk_self *self, unsigned how)
{
    switch (how) {
    case 1:
    case 2:
    case 3: fail(l, self, how); break;
    case 4: allow(l, BSK_SHUTDOWN); bsk_exit_as(self, BSK_SHUTDOWN, "%u shuts down", l->id);
    case 5: allow(l, BSK_NORMAL); bsk_exit_as(self, BSK_NORMAL, "%u leaves", l->id);
    case 6:
        allow(l, BSK_KILLED);
        bsk_kill(bsk_me(self));
        break;
    case 7: stop_oneself(l, self); break;
    case 8: overflow(l, self); break;
    default: allow(l, BSK_NORMAL); bsk_exit(self);
    }
}

static void ask(struct life *l, bsk_self *self, struct life *o)
{
    int rc = bsk_ask(self, o->who, 1 + random_below(&l->random, 20), fo_get, .from = l->id);
    if (rc == 0)
        atomic_fetch_add(&l->asks, 1);
    else if (rc != BSK_EDEAD && rc != BSK_EFULL && rc != BSK_ECLOSED && rc != BSK_ETIMEDOUT &&
             !excused(l->forest, rc))
        fo_blame(l->forest, "ask: %s", bsk_errname(rc));
}

static void call(struct life *l, bsk_self *self, struct life *o)
{
    if (self && !l->fiber) {
        ask(l, self, o);
        return;
    }
    if (!bsk_call(self, o->who, random_below(&l->random, 10), fo_get, .from = l->id) &&
        bsk_error(self) == BSK_EINVAL)
        fo_blame(l->forest, "call: %s", bsk_errname(bsk_error(self)));
}

/* A supervisor's end takes its tree along: seldom. */
static void end_another(struct life *l, struct life *o)
{
    if (!random_one_in(&l->random, o->is_sup ? 12 : 2)) return;
    int64_t ms = random_below(&l->random, 20);
    int rc;
    bool kill = random_one_in(&l->random, 3);
    allow(o, BSK_KILLED);
    if (!kill) allow(o, BSK_SHUTDOWN);
    if (kill)
        rc = bsk_kill(o->who);
    else
        rc = random_one_in(&l->random, 3) ? bsk_drain(o->who, ms) : bsk_stop(o->who, ms);
    if (rc && rc != BSK_EDEAD && !excused(l->forest, rc))
        fo_blame(l->forest, "stop: %s", bsk_errname(rc));
}

static void give(struct life *l, bsk_self *self)
{
    struct forest *f = l->forest;
    int rc = bsk_give(self, fo_gift, .forest = f);
    bool scoped = l->is_child && !l->supervised;
    if (rc == 0) count(&f->gifts);
    if (rc == 0 ? !scoped : scoped && !excused(f, rc) && !atomic_load(&l->loose))
        fo_blame(f, "give: %s", rc ? bsk_errname(rc) : "to nobody");
}

static void look_around(struct life *l, bsk_self *self, struct life *o)
{
    bsk_ties_out ties;
    if (!self || strchr("NP", l->text[0]) == NULL || !l->text[0]) {
        int rc = bsk_ties(o->who, &ties);
        if (rc && rc != BSK_EDEAD) fo_blame(l->forest, "ties: %s", bsk_errname(rc));
        if (rc == 0 && is_seeded(l->forest) && is_over(o)) fo_blame(l->forest, "ties of the dead");
        return;
    }
    if (!bsk_same(bsk_whereis(bsk_rt_of(self), l->text), bsk_me(self)))
        fo_blame(l->forest, "%u lives, but has lost its name %s", l->id, l->text);
}

/* An exit signal that came ends a fiber at its next wait. */
static void check_doom(struct life *l)
{
    if (atomic_load(&l->doomed))
        fo_blame(l->forest, "%u goes on after a wait, though an exit signal came", l->id);
}

static void rest(struct life *l, bsk_self *self)
{
    if (!self || !l->fiber) return;
    if (random_one_in(&l->random, 2))
        (void)!bsk_sleep(self, random_below(&l->random, 5));
    else
        (void)!bsk_yield(self);
    check_doom(l);
}

static void make_hungry(struct life *l)
{
    const struct fo_setup *s = &l->forest->setup;
    if (!s->starve || s->nth || !random_one_in(&l->random, 6)) return;
    bool onward = random_one_in(&l->random, 20);
    mem_fail_at(1 + random_below(&l->random, 12), onward);
}

static void live_in_trees(struct life *l, bsk_self *self, bsk_rt *rt)
{
    struct life *sup = pick_sup(l);
    bool full = is_late(l->forest);
    unsigned what = random_below(&l->random, 8);
    if (what < 2 && rt && !full) {
        spawn_loner(l, self, rt);
    } else if (what < 5 && self && !full) {
        if (l->fiber)
            scope_section(l, self);
        else
            handler_scope(l, self);
    } else if (what == 5 && rt && !full && random_one_in(&l->random, 8)) {
        grow_tree(l, self, rt);
    } else if (sup && (!self || l->fiber)) {
        sup_word(l, self, sup);
    }
}

void fo_act(struct life *l, bsk_self *self, bsk_rt *rt)
{
    struct life *o = pick_life(l);
    make_hungry(l);
    if (!o) return;
    switch (random_below(&l->random, 20)) {
    case 0: call(l, self, o); break;
    case 1: end_another(l, o); break;
    case 2: look_around(l, self, o); break;
    case 3:
        if (self) give(l, self);
        break;
    case 4: rest(l, self); break;
    case 5:
        if (self && random_one_in(&l->random, 6)) end_now(l, self, random_below(&l->random, 10));
        break;
    case 6:
    case 7: send_note(l, o); break;
    case 8:
        if (self) bsk_ready(self, l->id);
        break;
    case 9:
    case 10:
    case 11:
    case 12: live_in_trees(l, self, rt); break;
    default:
        if (self)
            tie_act(l, self, o);
        else if (random_one_in(&l->random, 4))
            send_exit(l, NULL, o);
        break;
    }
}
