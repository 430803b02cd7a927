/* SPDX-License-Identifier: MIT */
/* The watchdog: a thread that looks now and then whether every worker gets on, and sleeps when
 * all do.
 *
 *     worker wakes                    watchdog
 *     state = RUNS                    asleep = true
 *     asleep? -> wake it              any RUNS? -> stay up
 *
 * Seq_cst on both: a worker that runs has a watchdog that is up. */
#include "watchdog.h"

#include "clock.h"
#include "hooks.h"
#include "load.h"
#include "name.h"
#include "relief.h"
#include "scheduler.h"
#include "trace.h"

#define LOOK_EVERY (UINT64_C(25) * NS_PER_MS)

/* What a worker was seen at. */
struct sight {
    uint64_t ticks, since, reported;
    int until;
    bsk_self *self;
};

static bool anyone_runs(struct bsk_rt *rt)
{
    unsigned n = atomic_load(&rt->nworkers);
    for (unsigned i = 0; i < n; i++) {
        struct worker *w = atomic_load_explicit(&rt->workers[i], memory_order_acquire);
        if (atomic_load(&w->state) == WORKER_RUNS) return true;
    }
    return false;
}

static void report(struct bsk_rt *rt, struct worker *w, struct sight *s, uint64_t now)
{
    uint64_t held = now - s->since;
    if (held < 2 * s->reported) return;
    char name[64];
    const bsk_type *type = atomic_load_explicit(&w->doing, memory_order_relaxed);
    s->reported = held;
    name_describe(rt, s->self, name, sizeof name);
    trc_log(rt, BSK_LOG_WARN, "%s holds its loop for %llu ms, at work on %s", name,
            (unsigned long long)(held / NS_PER_MS), type ? type->name : "no message");
}

/* Brings an idle worker to take over what waits behind a stuck one. */
static void call_rescue(struct bsk_rt *rt)
{
    for (unsigned i = 0; i < rt->nloops; i++) {
        struct worker *w = atomic_load_explicit(&rt->workers[i], memory_order_acquire);
        if (atomic_load(&w->state) != WORKER_PARKED) continue;
        sch_ring(w);
        return;
    }
}

static void look_at(struct bsk_rt *rt, struct worker *w, struct sight *s, uint64_t now)
{
    /* Relaxed: if all three are as they were, the worker has not got on; a torn look shows
     * progress. */
    uint64_t ticks = atomic_load_explicit(&w->ticks, memory_order_relaxed);
    int until = atomic_load_explicit(&w->until, memory_order_relaxed);
    bsk_self *self = atomic_load_explicit(&w->self, memory_order_relaxed);
    bool runs = atomic_load_explicit(&w->state, memory_order_relaxed) == WORKER_RUNS;
    /* A message longer than those before: tick at the next. A lost store is made good by the
     * next look. */
    if (runs && ticks == s->ticks) atomic_store_explicit(&w->until, 0, memory_order_relaxed);
    if (!runs || !self || ticks != s->ticks || until != s->until || self != s->self) {
        *s = (struct sight){ticks, now, 0, until, self};
        return;
    }
    call_rescue(rt);
    if (rt->opts.slow_ms != BSK_FOREVER &&
        now - s->since >= (uint64_t)rt->opts.slow_ms * NS_PER_MS) {
        report(rt, w, s, now);
        rlf_held(rt, w, ticks, now);
    }
    if (rt->opts.hang_ms && now - s->since >= (uint64_t)rt->opts.hang_ms * NS_PER_MS)
        act_hooks.interrupt(w, self, ticks, until);
}

static void look_around(struct bsk_rt *rt, struct sight *sights)
{
    unsigned n = atomic_load_explicit(&rt->nworkers, memory_order_acquire);
    uint64_t now = clk_now(rt);
    for (unsigned i = 0; i < n && i < WORKERS_MAX; i++)
        look_at(rt, atomic_load_explicit(&rt->workers[i], memory_order_acquire), &sights[i], now);
    load_look(rt, now);
}

static void sleep_locked(struct bsk_rt *rt)
{
    struct watchdog *d = &rt->dog;
    atomic_store(&d->asleep, true);
    while (!d->stop && atomic_load(&d->asleep) && !anyone_runs(rt))
        uv_cond_wait(&d->cond, &d->lock);
    atomic_store(&d->asleep, false);
}

static void watch(void *arg)
{
    struct bsk_rt *rt = arg;
    struct watchdog *d = &rt->dog;
    uv_mutex_lock(&d->lock);
    while (!d->stop) {
        uv_cond_timedwait(&d->cond, &d->lock, LOOK_EVERY);
        if (d->stop) break;
        if (anyone_runs(rt)) {
            look_around(rt, d->sights);
        } else {
            load_rest(rt);
            sleep_locked(rt);
        }
    }
    uv_mutex_unlock(&d->lock);
}

void dog_wake(struct bsk_rt *rt)
{
    struct watchdog *d = &rt->dog;
    if (!atomic_load(&d->asleep)) return;
    uv_mutex_lock(&d->lock);
    atomic_store(&d->asleep, false);
    uv_cond_signal(&d->cond);
    uv_mutex_unlock(&d->lock);
}

int dog_start(struct bsk_rt *rt)
{
    struct watchdog *d = &rt->dog;
    if (rt->seeded) return 0;
    if (uv_mutex_init(&d->lock)) return BSK_ENOMEM;
    if (uv_cond_init(&d->cond)) goto destroy_lock;
    d->sights = mem_map(WORKERS_MAX * sizeof *d->sights, 4096);
    if (!d->sights) goto destroy_cond;
    if (uv_thread_create(&d->thread, watch, rt)) goto unmap;
    d->running = true;
    return 0;
unmap:
    mem_unmap(d->sights, WORKERS_MAX * sizeof *d->sights);
destroy_cond:
    uv_cond_destroy(&d->cond);
destroy_lock:
    uv_mutex_destroy(&d->lock);
    return BSK_ENOMEM;
}

void dog_stop(struct bsk_rt *rt)
{
    struct watchdog *d = &rt->dog;
    if (!d->running) return;
    uv_mutex_lock(&d->lock);
    d->stop = true;
    uv_cond_signal(&d->cond);
    uv_mutex_unlock(&d->lock);
    uv_thread_join(&d->thread);
    d->running = false;
    mem_unmap(d->sights, WORKERS_MAX * sizeof *d->sights);
}
