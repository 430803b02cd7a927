/* SPDX-License-Identifier: MIT */
/* Giving memory back: a worker that has been idle for a while after a burst returns what lies
 * free.
 *
 * Message blocks and stacks are given back under their pools' locks, at any time. Actors' slots
 * are read by stale senders without a lock, so their pages go only while nobody else can be
 * inside:
 *
 *     trimmer                             worker                      other thread
 *     trimming = true                     state = RUNS                users + 1
 *     all others PARKED, no users?        trimming? -> wait           trimming? -> wait
 *
 * Seq_cst on all: whoever enters sees the trimmer, or the trimmer sees him and leaves it. */
#include "trim.h"

#define WORTH_BYTES (UINT64_C(4) << 20) /* less than this stays for the next burst */

static uint64_t activity(const struct worker *w)
{
    const struct figures *f = &w->count;
    return atomic_load_explicit(&f->user, memory_order_relaxed) +
           atomic_load_explicit(&f->signal, memory_order_relaxed) +
           atomic_load_explicit(&f->reply, memory_order_relaxed) +
           atomic_load_explicit(&f->ended, memory_order_relaxed);
}

static bool worth_it(struct bsk_rt *rt)
{
    return atomic_load_explicit(&rt->pool.mapped, memory_order_relaxed) > WORTH_BYTES ||
           stk_mapped(&rt->stacks) > WORTH_BYTES || slab_idle_bytes(&rt->actors) > WORTH_BYTES;
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

static void trim_slots(struct worker *w)
{
    struct bsk_rt *rt = w->rt;
    bool none = false;
    if (!atomic_compare_exchange_strong(&rt->trimming, &none, true)) return;
    if (alone(w)) slab_trim(&rt->actors);
    atomic_store(&rt->trimming, false);
}

void trm_wait(struct bsk_rt *rt)
{
    while (atomic_load(&rt->trimming)) sched_yield();
}

uint64_t trm_due(struct worker *w)
{
    uint64_t now_at = activity(w);
    if (now_at != w->idle_at) {
        w->idle_at = now_at;
        w->idle_since = w->now;
    }
    return w->idle_at == w->trimmed_at || !worth_it(w->rt) ? NEVER : w->idle_since + TRIM_AFTER_NS;
}

void trm_run(struct worker *w)
{
    w->trimmed_at = w->idle_at;
    pool_cache_flush(&w->pool);
    slab_cache_flush(&w->actors);
    slab_cache_flush(&w->asks);
    slab_cache_flush(&w->timers);
    pool_trim(&w->rt->pool);
    stk_trim(&w->rt->stacks);
    trim_slots(w);
}
