/* SPDX-License-Identifier: MIT */
/* Players: how they begin, live and end. */
#include "player.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct state {
    struct player *player;
    char more[120];
};

static struct player *mine(bsk_self *self)
{
    return ((struct state *)bsk_state(self))->player;
}

void set_stage(struct player *p, enum stage stage)
{
    p->stage = stage;
    atomic_store_explicit(&p->shown, (int)stage, memory_order_relaxed);
}

struct player *pick(struct player *p)
{
    struct run *r = p->run;
    unsigned n = atomic_load_explicit(&r->nplayers, memory_order_relaxed);
    if (n > r->setup.most) n = r->setup.most;
    struct player *q = &r->players[random_below(&p->random, n)];
    /* A few have more than their share. */
    if (random_one_in(&p->random, 3))
        q = &r->players[(r->setup.seed + random_below(&p->random, 4)) % n];
    return atomic_load_explicit(&q->known, memory_order_acquire) ? q : NULL;
}

struct player *player_of(struct run *r, bsk_addr who)
{
    unsigned n = atomic_load_explicit(&r->nplayers, memory_order_relaxed);
    for (unsigned i = 0; i < n && i < r->setup.most; i++) {
        struct player *q = &r->players[i];
        if (atomic_load_explicit(&q->known, memory_order_acquire) && bsk_same(q->who, who))
            return q;
    }
    return NULL;
}

struct player *new_player(struct run *r)
{
    unsigned id = atomic_fetch_add_explicit(&r->nplayers, 1, memory_order_relaxed),
             most = r->setup.most;
    if (id >= most) return NULL;
    struct player *p = &r->players[id];
    p->run = r;
    p->id = id;
    p->random = r->setup.seed * UINT64_C(0x9e3779b97f4a7c15) + id;
    p->steps = 1 + random_below(&p->random, r->setup.steps);
    p->sent = calloc(most, sizeof *p->sent);
    p->seen = calloc(most, sizeof *p->seen);
    p->seen_kind = calloc(most, sizeof *p->seen_kind);
    if (!p->sent || !p->seen || !p->seen_kind) abort();
    return p;
}

static void on_end(void *arg)
{
    struct player *p = arg;
    p->over = true;
    atomic_store_explicit(&p->gone, true, memory_order_release);
}

static void begin(bsk_self *self)
{
    struct player *p = mine(self);
    atomic_store_explicit(&p->begun, true, memory_order_relaxed);
    set_stage(p, ACTIVE);
    if (bsk_defer(self, on_end, p)) blame(p->run, "defer failed");
    int64_t period = p->run->setup.workers ? 1 : 1 + random_below(&p->random, 5);
    if (!p->fiber && !(p->tick = bsk_every(self, period, wl_tick)).gen) blame(p->run, "no tick");
    if (random_one_in(&p->random, 60)) bsk_fail(self, "in init");
}

/* Tells somebody, once more. */
static void last_word(bsk_self *self)
{
    struct player *p = mine(self), *q = pick(p);
    if (p->over) blame(p->run, "fini after the clean-ups");
    if (!q) return;
    bsk_tell(q->who, wl_note, .from = p->id, .seq = ++p->sent[q->id]);
    enter(&p->run->accepted[KIND_NOTE], 1);
    if (random_one_in(&p->random, 20)) bsk_fail(self, "in fini");
}

static bool waits(const struct player *p)
{
    return p->asks || p->alarms || p->rooms;
}

void finish(struct player *p, bsk_self *self)
{
    if (p->stage == ACTIVE) {
        stop_intervals(p, self);
        set_stage(p, random_one_in(&p->random, 6) ? LINGERING : ENDING);
        if (p->stage == LINGERING) bsk_timer_stop(self, p->tick);
    }
    if (p->stage == LINGERING && !bsk_cancelled(self)) return;
    if (waits(p) && !bsk_mailbox_closed(self) && !bsk_cancelled(self)) return;
    if (random_one_in(&p->random, 8)) bsk_fail(self, "at its end");
    bsk_exit(self);
}

static void handle(bsk_self *self, bsk_msg *m)
{
    struct player *p = mine(self);
    if (p->inside) blame(p->run, "player %u runs twice at once", p->id);
    p->inside = true;
    /* It may end in there. */
    take(p, self, m);
    if (p->steps && random_one_in(&p->random, 2)) {
        p->steps--;
        act(p, self);
    }
    p->inside = false;
    if (!p->steps) finish(p, self);
}

static bool is_one_of(bsk_msg *m, const bsk_type *a, const bsk_type *b)
{
    return bsk_msg_type(m) == a || bsk_msg_type(m) == b;
}

static bsk_msg *receive(struct player *p, bsk_self *self)
{
    int64_t ms = random_below(&p->random, 4);
    if (p->stage == LINGERING)
        return bsk_recv(self, random_one_in(&p->random, 8) ? BSK_FOREVER : 50);
    if (!p->selective || p->stage != ACTIVE || random_one_in(&p->random, 2))
        return bsk_recv(self, ms);
    bsk_msg *m = bsk_recv_only(self, ms, BSK_T(wl_local), BSK_T(wl_get));
    if (m && !is_one_of(m, BSK_T(wl_local), BSK_T(wl_get)))
        blame(p->run, "received what was not wanted");
    return m;
}

/* Tells whether it goes on after a receive that got nothing. */
static bool goes_on(struct player *p, bsk_self *self)
{
    int rc = bsk_error(self);
    if (rc == BSK_ECANCELED && !bsk_cancelled(self)) blame(p->run, "cancelled by nobody");
    if (rc == BSK_ECLOSED && !bsk_mailbox_closed(self)) blame(p->run, "closed by nobody");
    if (rc != BSK_ETIMEDOUT && rc != BSK_ECANCELED && rc != BSK_ECLOSED)
        blame(p->run, "receive: %s", bsk_errname(rc));
    return rc == BSK_ETIMEDOUT;
}

static void wait(bsk_self *self)
{
    struct player *p = mine(self);
    for (;;) {
        if (p->steps) {
            p->steps--;
            act(p, self);
        }
        bsk_msg *m = receive(p, self);
        if (!m && !goes_on(p, self)) return;
        if (m) take(p, self, m);
        if (!p->steps) finish(p, self);
    }
}

static uint32_t some_capacity(struct player *p)
{
    switch (random_below(&p->random, 4)) {
    case 0: return 1;
    case 1: return 1 + random_below(&p->random, 8);
    case 2: return 1 + random_below(&p->random, 1024);
    default: return 1024;
    }
}

static void choose(struct player *p, bsk_opts *o, char *name, size_t size)
{
    p->fiber = random_one_in(&p->random, 3);
    p->selective = p->fiber && random_one_in(&p->random, 2);
    p->capacity = some_capacity(p);
    p->overflow = (enum bsk_overflow)random_below(&p->random, 4);
    /* Who fails when full is soon gone: not too many of these. */
    if (p->overflow == BSK_FAIL && random_one_in(&p->random, 2)) p->overflow = BSK_REFUSE;
    o->mailbox = p->capacity;
    o->overflow = p->overflow;
    o->high = random_one_in(&p->random, 5);
    o->pinned = random_one_in(&p->random, 5);
    o->own_thread = p->run->setup.workers && random_one_in(&p->random, 40);
    o->trap_stop = !p->fiber && random_one_in(&p->random, 4);
    o->shutdown_ms = random_one_in(&p->random, 4) ? 1 + random_below(&p->random, 20) : 0;
    if (random_one_in(&p->random, 30)) o->shutdown_ms = BSK_KILL;
    if (random_one_in(&p->random, 2)) o->fini = last_word;
    snprintf(name, size, "n%u", random_below(&p->random, 16));
    if (random_one_in(&p->random, 4))
        o->name = name;
    else if (random_one_in(&p->random, 4))
        o->label = name;
}

struct player *spawn_player(struct run *r, struct player *parent, bsk_self *self)
{
    struct player *p = new_player(r);
    char name[16];
    if (!p) return NULL;
    bsk_opts o = {.init = begin};
    struct state state = {.player = p};
    o.state = &state;
    o.state_size = random_one_in(&p->random, 2) ? sizeof(struct player *) : sizeof state;
    choose(p, &o, name, sizeof name);
    bsk_addr who = bsk_spawn_(r->rt, p->fiber ? BSK_BEHAVIOR(wait) : BSK_BEHAVIOR(handle), &o);
    if (!bsk_is_nobody(who)) {
        enter(&r->spawned, 1);
        p->who = who;
        atomic_store_explicit(&p->known, true, memory_order_release);
        return p;
    }
    int rc = bsk_error(parent && !parent->thread ? self : NULL);
    if (rc != BSK_EEXIST && rc != BSK_ESTOPPING) blame(r, "spawn: %s", bsk_errname(rc));
    return NULL;
}
