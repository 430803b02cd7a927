/* SPDX-License-Identifier: MIT */
/* The forest's actors: how they begin, live and end. */
#include "forest_books.h"

#include <stdio.h>
#include <time.h>

#define TIMES_ALIVE 4 /* a child that was restarted more often lives in peace */
#define HELD_NS 100000

struct life *my_life(bsk_self *self)
{
    const struct seedling *s = bsk_state(self);
    return life_of(s->forest, bsk_me(self));
}

/* Clean-ups run in the reverse order, once each. */
static void undo(void *arg)
{
    const struct mark *m = arg;
    struct life *l = m->life;
    if (m->i + 1 + l->undone != l->defers)
        fo_blame(l->forest, "%u: clean-up %u of %u after %u", l->id, m->i, l->defers, l->undone);
    l->undone++;
}

static void defer(struct life *l, bsk_self *self)
{
    if (l->defers == MARKS) return;
    struct mark *m = &l->marks[l->defers];
    *m = (struct mark){l, l->defers};
    int rc = bsk_defer(self, undo, m);
    if (rc == 0)
        l->defers++;
    else if (!excused(l->forest, rc))
        fo_blame(l->forest, "defer: %s", bsk_errname(rc));
}

/* Between two steps: on threads more happens at the same time if it is short. */
static int64_t pause_ms(struct life *l)
{
    return random_below(&l->random, is_seeded(l->forest) ? 4 : 2);
}

static void start_ticks(struct life *l, bsk_self *self)
{
    l->tick = bsk_every(self, 1 + pause_ms(l), fo_tick);
    if (l->tick.gen) return;
    if (!excused(l->forest, bsk_error(self))) fo_blame(l->forest, "no tick");
    l->steps = 0;
    if (l->brief) end_now(l, self, 0);
}

/* Who supervises it may find it gone. */
static void ignore(struct life *l, bsk_self *self)
{
    allow(l, BSK_NORMAL);
    bool named = l->text[0] == 'P';
    atomic_fetch_or(&l->parent->touched, named ? UINT32_MAX : id_bit(l->text));
    bsk_ignore(self);
}

/* Left to itself a small forest lives on one worker. One that is held for a while calls others,
 * and who stays where it begins keeps them busy. */
static void spread(struct life *l, bsk_self *self)
{
    struct timespec from, now;
    if (is_seeded(l->forest)) return;
    clock_gettime(CLOCK_MONOTONIC, &from);
    do clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - from.tv_sec) * 1000000000 + now.tv_nsec - from.tv_nsec < HELD_NS);
    if (random_one_in(&l->random, 2)) bsk_pin(self, true);
}

static void begin(bsk_self *self)
{
    const struct seedling *s = bsk_state(self);
    struct life *l = my_life(self);
    if (!l) return;
    atomic_store(&l->begun, true);
    spread(l, self);
    l->place = s->place;
    l->brief = s->brief;
    l->steps = 1 + random_below(&l->random, s->forest->setup.steps);
    unsigned lives = l->place ? 1 + atomic_fetch_add(&l->place->lives, 1) : 0;
    bool calm = lives > TIMES_ALIVE || is_late(l->forest);
    if (calm) l->steps = 0;
    defer(l, self);
    defer(l, self);
    if (!l->fiber) start_ticks(l, self);
    if (!calm && random_one_in(&l->random, l->supervised ? 20 : 50)) end_now(l, self, 1);
    if (!calm && l->supervised && random_one_in(&l->random, 60)) ignore(l, self);
    if (calm || random_one_in(&l->random, 2)) bsk_ready(self, l->id);
}

/* The last thing that it does itself. */
static void fini(bsk_self *self)
{
    struct life *l = my_life(self);
    if (!l) return;
    l->finis++;
    if (l->undone) fo_blame(l->forest, "%u: fini after clean-ups", l->id);
    struct life *o = random_one_in(&l->random, 3) ? pick_life(l) : NULL;
    if (o) tie_act(l, self, o);
    if (!random_one_in(&l->random, 6)) return;
    allow(l, BSK_FAILED);
    bsk_fail(self, "in fini of %u", l->id);
}

static void answer(struct life *l, bsk_self *self, const fo_get *q)
{
    (void)self;
    if (random_one_in(&l->random, 6)) return;
    if (random_one_in(&l->random, 6)) {
        bsk_later(q, fo_get);
        return;
    }
    bsk_reply(q, fo_get, .ask = q->ask);
}

static void answered(struct life *l)
{
    if (!atomic_fetch_sub(&l->asks, 1)) fo_blame(l->forest, "%u is answered twice", l->id);
}

static void obey(struct life *l, bsk_self *self)
{
    if (l->depth == 0 && random_one_in(&l->random, 3)) handler_scope(l, self);
    allow(l, BSK_SHUTDOWN);
    bsk_exit(self);
}

static void take(struct life *l, bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(fo_note, n) take_note(l, n);
        bsk_on(fo_get, q) answer(l, self, q);
        bsk_on_reply(fo_get, r) answered(l);
        bsk_on_no_reply(fo_get, rc) answered(l);
        bsk_on(bsk_down, d) take_down(l, d);
        bsk_on(bsk_left, e) take_left(l, e);
        bsk_on(fo_finish, e) end_now(l, self, (unsigned)e->how);
        bsk_on(bsk_stopping, s) obey(l, self);
        bsk_on(fo_tick, t) {
        }
    }
}

/* It has done all that it had to do: waits to be stopped, or ends. */
static void finish(struct life *l, bsk_self *self)
{
    if (atomic_load(&l->lingers)) return;
    bsk_ready(self, l->id);
    bool stays = !l->brief && (is_late(l->forest) || !random_one_in(&l->random, 3) ||
                               (l->place && atomic_load(&l->place->lives) > TIMES_ALIVE));
    if (!stays) end_now(l, self, random_below(&l->random, 10));
    if (l->brief) end_now(l, self, 0);
    if (!l->fiber) bsk_timer_stop(self, l->tick);
    atomic_store(&l->lingers, true);
}

static void handle(bsk_self *self, bsk_msg *m)
{
    struct life *l = my_life(self);
    if (!l) bsk_exit(self);
    if (l->inside) fo_blame(l->forest, "%u runs twice at once", l->id);
    l->inside = true;
    take(l, self, m);
    if (l->steps && random_one_in(&l->random, 2)) {
        l->steps--;
        fo_act(l, self, bsk_rt_of(self));
    }
    l->inside = false;
    if (!l->steps) finish(l, self);
}

static void check_receive(struct life *l, bsk_self *self)
{
    int rc = bsk_error(self);
    if (rc != BSK_ETIMEDOUT && rc != BSK_ECANCELED && rc != BSK_ECLOSED)
        fo_blame(l->forest, "receive: %s", bsk_errname(rc));
    if (rc == BSK_ECANCELED && !bsk_cancelled(self)) fo_blame(l->forest, "cancelled by nobody");
}

static void wait(bsk_self *self)
{
    struct life *l = my_life(self);
    while (l && !bsk_cancelled(self)) {
        if (l->steps) {
            l->steps--;
            fo_act(l, self, bsk_rt_of(self));
        } else {
            finish(l, self);
        }
        bool lingers = atomic_load(&l->lingers);
        bsk_msg *m = bsk_recv(self, lingers ? BSK_FOREVER : pause_ms(l));
        if (m)
            take(l, self, m);
        else
            check_receive(l, self);
        if (!m && bsk_error(self) == BSK_ECLOSED) break;
    }
    if (l) allow(l, BSK_NORMAL);
}

bsk_behavior choose(uint64_t *random, bsk_opts *o, char *name, size_t size)
{
    bool fiber = random_one_in(random, 2);
    o->init = begin;
    o->fini = random_one_in(random, 2) ? fini : NULL;
    o->mailbox = random_one_in(random, 3) ? 2 + random_below(random, 6) : 200;
    o->overflow = random_one_in(random, 4) ? BSK_FAIL : BSK_REFUSE;
    o->high = random_one_in(random, 6);
    o->pinned = random_one_in(random, 6);
    o->trap_stop = !fiber && random_one_in(random, 4);
    o->shutdown_ms = random_one_in(random, 3) ? 1 + random_below(random, 20) : 0;
    if (random_one_in(random, 20)) o->shutdown_ms = BSK_KILL;
    o->stack = (size_t)32 * 1024;
    if (name && random_one_in(random, 3)) {
        snprintf(name, size, "N%u", random_below(random, SHARED_NAMES));
        o->name = name;
    }
    return fiber ? BSK_BEHAVIOR(wait) : BSK_BEHAVIOR(handle);
}
