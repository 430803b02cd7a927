/* SPDX-License-Identifier: MIT */
/* What is open on a loop keeps its actor there, so loops do not even themselves out as they do with
 * other actors. Things are kept together first: on two loops they would cost more, since each
 * wakes and polls for half as many. Once a loop is full, and another is not, and there are cores
 * with nothing to do, things move. Without such cores a second busy thread gains nothing: it takes
 * its time from the first, or from whoever the loop serves. */
#include "load.h"

#include "cores.h"
#include "hooks.h"

#define LOOKS 4        /* uneven in a row, before anything moves */
#define IDLE_ENOUGH 50 /* percent of a core */

static unsigned busy(const struct worker *w)
{
    /* Relaxed: a figure. */
    return atomic_load_explicit(&w->busy, memory_order_relaxed);
}

static struct worker *loop(struct bsk_rt *rt, unsigned i)
{
    return atomic_load_explicit(&rt->workers[i], memory_order_acquire);
}

static struct worker *least_busy(struct bsk_rt *rt, struct worker *best)
{
    for (unsigned i = 0; i < rt->nloops; i++)
        if (busy(loop(rt, i)) < busy(best)) best = loop(rt, i);
    return best;
}

struct worker *load_place(struct worker *here)
{
    struct bsk_rt *rt = here->rt;
    if (here->index >= rt->nloops) here = loop(rt, 0);
    return busy(here) < LOAD_ENOUGH ? here : least_busy(rt, here);
}

bool load_uneven(struct bsk_rt *rt, struct worker **full, struct worker **other)
{
    struct worker *most = loop(rt, 0);
    for (unsigned i = 1; i < rt->nloops; i++)
        if (busy(loop(rt, i)) > busy(most)) most = loop(rt, i);
    *full = most;
    *other = least_busy(rt, most);
    return busy(most) >= LOAD_FULL && busy(*other) < LOAD_ENOUGH;
}

/* For how long the worker has slept until now. */
static uint64_t slept(struct worker *w, uint64_t now)
{
    /* Acquire pairs with the release in doze: a sleep that is in the sum is not found going on.
     * One that ends between the two loads is counted at the next look. */
    uint64_t sum = atomic_load_explicit(&w->slept, memory_order_acquire);
    uint64_t since = atomic_load_explicit(&w->sleeps, memory_order_relaxed);
    return sum + (since && since < now ? now - since : 0);
}

static void measure(struct worker *w, uint64_t now, uint64_t span)
{
    uint64_t sum = slept(w, now), idle = sum > w->slept_then ? sum - w->slept_then : 0;
    if (idle > span) idle = span;
    w->slept_then = sum;
    atomic_store_explicit(&w->busy, (unsigned)(1000 - 1000 * idle / span), memory_order_relaxed);
}

/* Tells whether cores had nothing to do since the last call; where that is not known, they had. */
static bool cores_to_spare(struct load_watch *l, uint64_t now)
{
    uint64_t idle, then = l->idle, span = now - l->idle_at;
    if (!cores_idle(&idle)) return true;
    l->idle = idle;
    l->idle_at = now;
    return idle - then >= span * IDLE_ENOUGH / 100;
}

void load_look(struct bsk_rt *rt, uint64_t now)
{
    struct load_watch *l = &rt->dog.load;
    struct worker *full, *other;
    uint64_t span = now - l->at;
    if (rt->nloops < 2 || now <= l->at) return;
    l->at = now;
    for (unsigned i = 0; i < rt->nloops; i++) measure(loop(rt, i), now, span);
    if (!load_uneven(rt, &full, &other)) {
        l->uneven = 0;
        return;
    }
    bool first = l->uneven++ == 0;
    if (!first && l->uneven <= LOOKS) return;
    if (cores_to_spare(l, now) && !first) loop_hooks.spread(full, other);
    l->uneven = 1;
}

void load_rest(struct bsk_rt *rt)
{
    for (unsigned i = 0; i < rt->nloops; i++)
        atomic_store_explicit(&loop(rt, i)->busy, 0, memory_order_relaxed);
    rt->dog.load.uneven = 0;
}
