/* SPDX-License-Identifier: MIT */
/* Starting and ending a runtime, and finding it by the incarnation in an address. */
#include "ask.h"
#include "clock.h"
#include "cores.h"
#include "end.h"
#include "hooks.h"
#include "name.h"
#include "scheduler.h"
#include "shutdown.h"
#include "thread.h"
#include "timer.h"
#include "trace.h"
#include "trim.h"
#include "watchdog.h"
#include "work.h"

#include <string.h>

_Thread_local struct worker *rt_current;
_Thread_local struct bsk_rt *rt_working;

__attribute__((noinline)) struct worker *rt_worker(void)
{
    __asm__ volatile("");
    return rt_current;
}

__attribute__((noinline)) void rt_set_worker(struct worker *w)
{
    __asm__ volatile("");
    rt_current = w;
}

__attribute__((noinline)) struct bsk_rt *rt_here(void)
{
    __asm__ volatile("");
    return rt_current ? rt_current->rt : rt_working;
}

/* The runtimes of this process: an address names one by its incarnation, since a tell takes no
 * runtime. */
static uv_once_t once = UV_ONCE_INIT;
static uv_mutex_t registry_lock;
static struct bsk_rt *registry;
static bool registry_ready;

static void init_registry(void)
{
    registry_ready = uv_mutex_init(&registry_lock) == 0;
}

static bool lock_registry(void)
{
    uv_once(&once, init_registry);
    if (registry_ready) uv_mutex_lock(&registry_lock);
    return registry_ready;
}

struct bsk_rt *rt_hold(uint64_t node)
{
    if (!lock_registry()) return NULL;
    struct bsk_rt *rt = registry;
    while (rt && rt->node != node) rt = rt->next;
    /* Under the lock that unlist takes: an ending runtime is not found, or waits for this user.
     * Seq_cst with trim.c: it sees this user, or this user sees it. */
    if (rt) atomic_fetch_add(&rt->users, 1);
    uv_mutex_unlock(&registry_lock);
    if (rt && atomic_load(&rt->trimming)) trm_wait(rt);
    return rt;
}

void rt_drop(struct bsk_rt *rt)
{
    /* Release pairs with the acquire in unlist: what the user did is done. */
    atomic_fetch_sub_explicit(&rt->users, 1, memory_order_release);
}

static int list(struct bsk_rt *rt)
{
    if (!lock_registry()) return BSK_ENOMEM;
    rt->next = registry;
    registry = rt;
    uv_mutex_unlock(&registry_lock);
    return 0;
}

static void unlist(struct bsk_rt *rt)
{
    lock_registry();
    struct bsk_rt **link = &registry;
    while (*link != rt) link = &(*link)->next;
    *link = rt->next;
    uv_mutex_unlock(&registry_lock);
    /* Acquire pairs with the release in rt_drop. */
    while (atomic_load_explicit(&rt->users, memory_order_acquire)) sched_yield();
}

static uint64_t sum(struct bsk_rt *rt, size_t offset)
{
    const char *shared = (const char *)&rt->elsewhere;
    uint64_t n = atomic_load_explicit((const _Atomic uint64_t *)(const void *)(shared + offset),
                                      memory_order_acquire);
    unsigned workers = atomic_load_explicit(&rt->nworkers, memory_order_acquire);
    for (unsigned i = 0; i < workers; i++) {
        struct worker *w = atomic_load_explicit(&rt->workers[i], memory_order_acquire);
        n += atomic_load_explicit((_Atomic uint64_t *)(void *)((char *)&w->count + offset),
                                  memory_order_acquire);
    }
    return n;
}

/* Ended is summed before spawned: if they agree, nobody was alive at the moment between, since
 * no actor ends that was not spawned. Acquire keeps that order; act_end counts with a release. */
uint64_t rt_alive(struct bsk_rt *rt)
{
    uint64_t ended = sum(rt, offsetof(struct figures, ended));
    return sum(rt, offsetof(struct figures, spawned)) - ended;
}

static unsigned wanted_loops(const bsk_rt_opts *o)
{
    if (o->seed) return 1;
    return o->workers ? o->workers : cores_allowed();
}

static bool valid(const bsk_rt_opts *o)
{
    return o->workers <= WORKERS_MAX / 2 && o->shutdown_ms >= BSK_FOREVER &&
           o->slow_ms >= BSK_FOREVER && o->hang_ms >= 0 && (!o->hang_ms || o->contain_faults) &&
           o->max_actors <= UINT32_C(1) << 28;
}

static void set_defaults(bsk_rt_opts *o)
{
    if (!o->shutdown_ms) o->shutdown_ms = 10000;
    if (!o->max_actors) o->max_actors = UINT32_C(1) << 24;
    if (!o->work_threads) o->work_threads = 4;
    if (!o->work_queue) o->work_queue = 1024;
    if (!o->slow_ms) o->slow_ms = 100;
    if (!o->verbose) o->verbose = BSK_LOG_WARN;
}

static int init_memory(struct bsk_rt *rt)
{
    uint32_t limit = rt->opts.max_actors;
    if (pool_init(&rt->pool)) return BSK_ENOMEM;
    if (slab_init(&rt->actors, sizeof(bsk_self), limit)) goto fini_pool;
    if (ask_init_slab(rt)) goto fini_actors;
    if (tim_init_slab(rt)) goto fini_asks;
    if (name_init(rt)) goto fini_timers;
    if (stk_pool_init(&rt->stacks)) goto fini_names;
    return 0;
fini_names:
    name_fini(rt);
fini_timers:
    slab_fini(&rt->timers);
fini_asks:
    slab_fini(&rt->asks);
fini_actors:
    slab_fini(&rt->actors);
fini_pool:
    pool_fini(&rt->pool);
    return BSK_ENOMEM;
}

static void fini_memory(struct bsk_rt *rt)
{
    stk_pool_fini(&rt->stacks);
    name_fini(rt);
    slab_fini(&rt->timers);
    slab_fini(&rt->asks);
    slab_fini(&rt->actors);
    pool_fini(&rt->pool);
}

static void free_workers(struct bsk_rt *rt)
{
    /* Relaxed below: all their threads are over. */
    unsigned n = atomic_load_explicit(&rt->nworkers, memory_order_acquire);
    for (unsigned i = 0; i < n; i++) {
        struct worker *w = atomic_load_explicit(&rt->workers[i], memory_order_relaxed);
        sch_fini(w);
        mem_free(w);
    }
}

static int make_workers(struct bsk_rt *rt)
{
    for (unsigned i = 0; i < rt->nloops; i++) {
        struct worker *w = mem_aligned(64, sizeof *w);
        if (!w) goto fail;
        memset(w, 0, sizeof *w);
        if (sch_init(w, rt, i)) {
            mem_free(w);
            goto fail;
        }
        /* Release, both, pairs with the acquires of who walks the workers: each is whole. */
        atomic_store_explicit(&rt->workers[i], w, memory_order_release);
        atomic_store_explicit(&rt->nworkers, i + 1, memory_order_release);
    }
    return 0;
fail:
    free_workers(rt);
    return BSK_ENOMEM;
}

static void halt_workers(struct bsk_rt *rt)
{
    atomic_store(&rt->halt, true);
    unsigned n = atomic_load_explicit(&rt->nworkers, memory_order_acquire);
    for (unsigned i = 0; i < n; i++) {
        struct worker *w = atomic_load_explicit(&rt->workers[i], memory_order_relaxed);
        if (!w->threaded) continue;
        sch_ring(w);
        uv_thread_join(&w->thread);
    }
}

static int start_threads(struct bsk_rt *rt)
{
    for (unsigned i = 0; !rt->seeded && i < rt->nloops; i++) {
        struct worker *w = rt->workers[i];
        if (uv_thread_create(&w->thread, sch_main, w)) {
            halt_workers(rt);
            return BSK_ENOMEM;
        }
        w->threaded = true;
    }
    return 0;
}

static int init_locks(struct bsk_rt *rt)
{
    if (uv_mutex_init(&rt->lock)) return BSK_ENOMEM;
    if (uv_mutex_init(&rt->name_lock)) goto destroy_lock;
    if (uv_cond_init(&rt->changed) == 0) return 0;
    uv_mutex_destroy(&rt->name_lock);
destroy_lock:
    uv_mutex_destroy(&rt->lock);
    return BSK_ENOMEM;
}

static void fini_locks(struct bsk_rt *rt)
{
    uv_cond_destroy(&rt->changed);
    uv_mutex_destroy(&rt->name_lock);
    uv_mutex_destroy(&rt->lock);
}

static int start(struct bsk_rt *rt)
{
    int rc = BSK_ENOMEM;
    if (init_locks(rt)) return BSK_ENOMEM;
    if (init_memory(rt)) goto fini_locks;
    if ((rc = act_hooks.init(rt))) goto fini_memory;
    if ((rc = loop_hooks.init(rt))) goto fini_upper;
    rc = BSK_ENOMEM;
    if (make_workers(rt)) goto fini_net;
    if (work_init(rt)) goto free_workers;
    if (sht_watch_signals(rt->workers[0]) || list(rt)) goto fini_work;
    if (dog_start(rt)) goto unlist;
    if (start_threads(rt)) goto stop_dog;
    return 0;
stop_dog:
    dog_stop(rt);
unlist:
    unlist(rt);
fini_work:
    work_fini(rt);
free_workers:
    free_workers(rt);
fini_net:
    loop_hooks.fini(rt);
fini_upper:
    act_hooks.fini(rt);
fini_memory:
    fini_memory(rt);
fini_locks:
    fini_locks(rt);
    return rc;
}

bsk_rt *bsk_start_(const bsk_rt_opts *opts)
{
    if (!valid(opts)) {
        thread_set_error(BSK_EINVAL);
        return NULL;
    }
    int rc = BSK_ENOMEM;
    struct bsk_rt *rt = mem_zalloc(sizeof *rt);
    if (!rt) goto failed;
    rt->opts = *opts;
    set_defaults(&rt->opts);
    rt->seeded = opts->seed != 0;
    rt->started = rt->seeded ? 0 : uv_hrtime();
    rt->node = rnd_entropy();
    rt->nloops = wanted_loops(opts);
    if ((rc = start(rt))) goto free_rt;
    trc_log(rt, BSK_LOG_DEBUG, "%u loops; fibers' stacks have %s", rt->nloops,
            stk_guard_kind(&rt->stacks));
    return rt;
free_rt:
    mem_free(rt);
failed:
    thread_set_error(rc);
    return NULL;
}

/* Frees all of a runtime whose actors have ended. */
static void finish(struct bsk_rt *rt)
{
    unlist(rt);
    dog_stop(rt);
    halt_workers(rt);
    work_fini(rt);
    end_sweep_all(rt);
    free_workers(rt);
    loop_hooks.fini(rt);
    act_hooks.fini(rt);
    fini_memory(rt);
    fini_locks(rt);
    mem_free(rt);
}

int bsk_wait(bsk_rt *rt)
{
    bool all_ended;
    int status = sht_wait(rt, &all_ended);
    /* Else somebody's thread is still in it: what it holds cannot be freed under it. */
    if (all_ended) finish(rt);
    return status;
}
