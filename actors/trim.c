/* SPDX-License-Identifier: MIT */
/* Giving memory back: a worker that has been idle for a while after a burst returns what lies
 * free.
 *
 * Message blocks and stacks are given back under their pools' locks, at any time. Actors' slots
 * are read by stale senders without a lock, and so are asks, timers, monitors and handles by who
 * has a stale name of one. So their pages go only while nobody else can be inside:
 *
 *     trimmer                             worker                      other thread
 *     trimming = true                     state = RUNS                users + 1
 *     all others PARKED, no users?        trimming? -> wait           trimming? -> wait
 *
 * Seq_cst on all: whoever enters sees the trimmer, or the trimmer sees him and leaves it for a
 * later time. Threads of the blocking pool enter when they reply; before that they look at the
 * ask: pages given back read as zero, which is the state of no open ask. The watchdog reads no
 * more than actors' generations and names. */
#include "trim.h"

#include "clock.h"
#include "hooks.h"

#define WORTH_BYTES (UINT64_C(4) << 20) /* less than this stays for the next burst */
#define QUIET 256 /* so few messages, of a timer that ticks, say, are no end of being idle; */
#define AGAIN_NS (UINT64_C(1000) * NS_PER_MS) /* and are followed by no trim sooner than that */

static uint64_t activity(const struct worker *w)
{
    const struct figures *f = &w->count;
    /* Relaxed: figures, which need not be of one moment. */
    return atomic_load_explicit(&f->user, memory_order_relaxed) +
           atomic_load_explicit(&f->signal, memory_order_relaxed) +
           atomic_load_explicit(&f->reply, memory_order_relaxed) +
           atomic_load_explicit(&f->ended, memory_order_relaxed);
}

#define NSLABS 5
static struct slab *slab_of(struct bsk_rt *rt, unsigned i)
{
    assert(i < NSLABS);
    switch (i) {
    case 0: return &rt->actors;
    case 1: return &rt->asks;
    case 2: return &rt->timers;
    case 3: return act_hooks.slab(rt);
    default: return loop_hooks.slab(rt);
    }
}

static bool worth_it(struct bsk_rt *rt)
{
    /* Relaxed: a figure. */
    if (atomic_load_explicit(&rt->pool.mapped, memory_order_relaxed) > WORTH_BYTES) return true;
    for (unsigned i = 0; i < NSLABS; i++)
        if (slab_idle_bytes(slab_of(rt, i)) > WORTH_BYTES) return true;
    return stk_mapped(&rt->stacks) > WORTH_BYTES;
}

static bool alone(struct worker *w)
{
    struct bsk_rt *rt = w->rt;
    /* Counted again each time: who added one may have parked since. */
    for (unsigned i = 0; i < atomic_load_explicit(&rt->nworkers, memory_order_acquire); i++) {
        struct worker *v = atomic_load_explicit(&rt->workers[i], memory_order_acquire);
        int state = atomic_load(&v->state);
        if (v != w && state != WORKER_PARKED && state != WORKER_GONE) return false;
    }
    return atomic_load(&rt->users) == 0;
}

/* False: not now. */
static bool trim_slabs(struct worker *w)
{
    struct bsk_rt *rt = w->rt;
    bool none = false;
    if (!atomic_compare_exchange_strong(&rt->trimming, &none, true)) return false;
    bool may = alone(w);
    for (unsigned i = 0; i < NSLABS && may; i++) slab_trim(slab_of(rt, i));
    atomic_store(&rt->trimming, false);
    return may;
}

void trm_wait(struct bsk_rt *rt)
{
    while (atomic_load(&rt->trimming)) sched_yield();
}

uint64_t trm_due(struct worker *w)
{
    uint64_t now_at = activity(w);
    if (now_at - w->idle_at > QUIET) {
        w->idle_at = now_at;
        w->idle_since = w->now;
    }
    if (now_at == w->trimmed_at || !worth_it(w->rt)) return NEVER;
    uint64_t after = w->idle_since + TRIM_AFTER_NS;
    return after > w->trims_again ? after : w->trims_again;
}

void trm_run(struct worker *w)
{
    assert(!rt_self(w));
    w->trimmed_at = activity(w);
    w->trims_again = w->now + AGAIN_NS;
    pool_cache_flush(&w->pool);
    slab_cache_flush(&w->actors);
    slab_cache_flush(&w->asks);
    slab_cache_flush(&w->timers);
    pool_trim(&w->rt->pool);
    stk_trim(&w->rt->stacks);
    if (trim_slabs(w)) return;
    /* Somebody was awake, maybe for the same: tried again a little later. */
    w->trimmed_at = NEVER;
    w->trims_again = 0;
    w->idle_since = w->now + rnd_next(w->random) % TRIM_AFTER_NS;
}
