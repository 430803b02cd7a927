/* SPDX-License-Identifier: MIT */
/* The orderly end of a runtime: actors are stopped one after another, the youngest first, each
 * with its time to finish, all within the runtime's.
 *
 * The end of one stops the next, on the worker where it happens; the thread in bsk_wait looks at
 * the clock, kills who is late, and names who does not end even then. */
#include "shutdown.h"

#include "clock.h"
#include "dump.h"
#include "name.h"
#include "relief.h"
#include "scheduler.h"
#include "spawn.h"
#include "trace.h"
#include "work.h"

#include <signal.h>
#include <stdlib.h>

#define LOOK_AGAIN_NS (UINT64_C(10) * NS_PER_MS)
#define KILL_GRACE_NS (UINT64_C(500) * NS_PER_MS) /* for kills to reach actors that still run */

static struct worker *own_worker(struct bsk_rt *rt)
{
    struct worker *w = rt_worker();
    return w && w->rt == rt ? w : NULL;
}

static void stop_one_locked(struct bsk_rt *rt, bsk_addr who)
{
    bsk_self *a = rt_slot(rt, who.slot);
    int64_t ms = spawn_finish_ms(a);
    rt->victim = who;
    rt->victim_until = ms == BSK_KILL ? clk_now(rt) + KILL_GRACE_NS : clk_deadline(clk_now(rt), ms);
    if (rt->victim_until < rt->looks_at) uv_cond_broadcast(&rt->changed);
    act_control(own_worker(rt), rt, a, who.gen, ms == BSK_KILL ? CTL_KILL : CTL_STOP);
}

static bool has_ended(struct bsk_rt *rt, bsk_addr who)
{
    return act_gen(rt_slot(rt, who.slot)) != who.gen;
}

static void stop_next_locked(struct bsk_rt *rt)
{
    while (rt->nvictims) {
        bsk_addr who = rt->victims[--rt->nvictims].who;
        if (has_ended(rt, who)) continue;
        stop_one_locked(rt, who);
        return;
    }
    rt->victim = (bsk_addr){0, 0, 0};
    rt->victim_until = NEVER;
    uv_cond_broadcast(&rt->changed);
}

void sht_ended(struct bsk_rt *rt, bsk_addr who)
{
    uv_mutex_lock(&rt->lock);
    if (bsk_same(who, rt->victim)) stop_next_locked(rt);
    uv_mutex_unlock(&rt->lock);
}

static int by_birth(const void *x, const void *y)
{
    const struct birth *a = x, *b = y;
    return (a->born > b->born) - (a->born < b->born);
}

/* Calls f for each living actor. */
static void for_all(struct bsk_rt *rt, void (*f)(struct bsk_rt *rt, bsk_self *a))
{
    /* Acquire pairs with the release in the slab: what is used can be read. */
    uint32_t used = atomic_load_explicit(&rt->actors.used, memory_order_acquire);
    for (uint32_t i = 0; i < used; i++) {
        bsk_self *a = rt_slot(rt, i);
        /* Acquire pairs with the release in spawn: who lives is whole. */
        if (atomic_load_explicit(&a->item.gen, memory_order_acquire) & 1) f(rt, a);
    }
}

static void gather_one(struct bsk_rt *rt, bsk_self *a)
{
    /* Parents stop their children. Who started after the count was taken is gathered in the next
     * round. */
    if ((act_flags(a) & ACT_CHILD) || rt->nvictims == rt->victims_cap) return;
    /* Relaxed: written before the generation. */
    uint64_t born = atomic_load_explicit(&a->born, memory_order_relaxed);
    rt->victims[rt->nvictims++] = (struct birth){born, rt_addr(rt, a, act_gen(a))};
}

static void stop_at_once(struct bsk_rt *rt, bsk_self *a)
{
    if (act_flags(a) & ACT_CHILD) return;
    act_control(own_worker(rt), rt, a, act_gen(a), CTL_STOP);
}

static void kill_at_once(struct bsk_rt *rt, bsk_self *a)
{
    act_control(own_worker(rt), rt, a, act_gen(a), CTL_KILL);
}

static void name_late(struct bsk_rt *rt, bsk_self *a)
{
    char name[64];
    name_describe(rt, a, name, sizeof name);
    trc_log(rt, BSK_LOG_ERROR, "%s did not stop", name);
}

/* Begins to stop all who live, in the reverse order of their start; without memory for that, in
 * none. */
static void stop_all_locked(struct bsk_rt *rt)
{
    uint64_t n = rt_alive(rt);
    mem_free(rt->victims);
    rt->nvictims = 0;
    rt->victims_cap = (size_t)n;
    rt->victims = mem_alloc(n * sizeof *rt->victims);
    if (!rt->victims) {
        for_all(rt, stop_at_once);
        return;
    }
    for_all(rt, gather_one);
    qsort(rt->victims, rt->nvictims, sizeof *rt->victims, by_birth);
    stop_next_locked(rt);
}

static void kill_victim_locked(struct bsk_rt *rt)
{
    char name[64];
    bsk_self *a = rt_slot(rt, rt->victim.slot);
    name_describe(rt, a, name, sizeof name);
    trc_log(rt, BSK_LOG_WARN, "%s did not stop in its time: killed", name);
    act_control(own_worker(rt), rt, a, rt->victim.gen, CTL_KILL);
    rt->victim_until = NEVER;
    /* One that cannot even be killed must not keep the others. */
    stop_next_locked(rt);
}

static bool quit_or_empty(void *arg)
{
    struct bsk_rt *rt = arg;
    return rt->quit || rt_alive(rt) == 0;
}

static bool victims_done(void *arg)
{
    struct bsk_rt *rt = arg;
    return rt_alive(rt) == 0 || !rt->victim.gen || rt->victim_until < rt->looks_at;
}

/* Waits, under the lock, until the condition holds or the time comes. False: seeded, and nothing
 * more can happen before `until`. */
static bool wait_locked(struct bsk_rt *rt, bool (*condition)(void *rt), uint64_t until)
{
    if (rt->seeded) {
        uv_mutex_unlock(&rt->lock);
        bool met = sch_drive(rt->workers[0], condition, rt, until);
        if (!met && until < NEVER - 1 && rt->virtual_now < until) rt->virtual_now = until;
        uv_mutex_lock(&rt->lock);
        return met || until < NEVER - 1;
    }
    while (!condition(rt)) {
        uint64_t now = clk_now(rt);
        if (until == NEVER)
            uv_cond_wait(&rt->changed, &rt->lock);
        else if (now >= until)
            break;
        else
            clk_wait(&rt->changed, &rt->lock, until - now);
    }
    return true;
}

static bool nobody(void *arg)
{
    struct bsk_rt *rt = arg;
    return rt_alive(rt) == 0;
}

/* One that ended just as stopping began may have seen nothing of that, nor been seen to end: so the
 * victim is looked at soon. */
static uint64_t next_look(const struct bsk_rt *rt, uint64_t deadline)
{
    uint64_t look = rt->seeded ? NEVER : clk_now(rt) + LOOK_AGAIN_NS;
    if (rt->victim_until < look) look = rt->victim_until;
    return look < deadline ? look : deadline;
}

static void stop_until_locked(struct bsk_rt *rt, uint64_t deadline)
{
    while (rt_alive(rt) && clk_now(rt) < deadline) {
        if (!rt->victim.gen) stop_all_locked(rt);
        if (!rt->victims || !rt->victim.gen) {
            /* All at once; who started meanwhile is stopped in the next round. So is one that was
             * detached, and has not looked yet: nobody else's child, nor the root's. */
            uint64_t look = clk_now(rt) + LOOK_AGAIN_NS;
            if (!wait_locked(rt, nobody, look < deadline ? look : deadline)) return;
            continue;
        }
        rt->looks_at = next_look(rt, deadline);
        if (!wait_locked(rt, victims_done, rt->looks_at)) return;
        if (rt->victim.gen && has_ended(rt, rt->victim)) stop_next_locked(rt);
        if (rt->victim.gen && clk_now(rt) >= rt->victim_until) kill_victim_locked(rt);
    }
}

int sht_wait(struct bsk_rt *rt, bool *all_ended)
{
    uv_mutex_lock(&rt->lock);
    bool stuck = !wait_locked(rt, quit_or_empty, NEVER);
    if (stuck) trc_log(rt, BSK_LOG_ERROR, "all actors wait for what can never happen");
    /* Release pairs with the acquire in finished; see end.c. */
    atomic_store_explicit(&rt->stopping, true, memory_order_release);
    uint64_t deadline = clk_deadline(clk_now(rt), rt->opts.shutdown_ms);
    stop_until_locked(rt, deadline);
    if (rt_alive(rt)) {
        for_all(rt, kill_at_once);
        wait_locked(rt, nobody, clk_now(rt) + KILL_GRACE_NS);
    }
    for_all(rt, name_late);
    bool ended = rt_alive(rt) == 0;
    mem_free(rt->victims);
    rt->victims = NULL;
    rt->nvictims = 0;
    uv_mutex_unlock(&rt->lock);
    uint64_t grace = deadline < NEVER - KILL_GRACE_NS ? deadline + KILL_GRACE_NS : NEVER;
    if (ended && !work_wait(rt, grace)) ended = false;
    *all_ended = ended;
    if (!ended || stuck) return 2;
    return atomic_load_explicit(&rt->root_failed, memory_order_relaxed) ? 1 : 0;
}

void bsk_shutdown(bsk_rt *rt)
{
    uv_mutex_lock(&rt->lock);
    rt->quit = true;
    uv_cond_broadcast(&rt->changed);
    uv_mutex_unlock(&rt->lock);
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct worker *w = handle->data;
    if (signum != SIGUSR1)
        bsk_shutdown(w->rt);
    else if (!w->relief || rlf_is_held(w->rt->workers[0]))
        dmp_log(w->rt);
}

static int watch(struct worker *w, uv_signal_t *handle, int signum)
{
    handle->data = w;
    if (uv_signal_init(&w->loop, handle)) return BSK_ENOMEM;
    if (uv_signal_start(handle, on_signal, signum)) return BSK_ENOMEM;
    uv_unref((uv_handle_t *)handle);
    return 0;
}

bool sht_hears_signals(const struct bsk_rt *rt)
{
    return !rt->seeded && (!rt->opts.no_signals || rt->opts.dump_on_usr1);
}

int sht_watch_signals(struct worker *w)
{
    const struct bsk_rt *rt = w->rt;
    if (rt->seeded) return 0;
    int rc = 0;
    if (!rt->opts.no_signals) rc = watch(w, &w->signals[0], SIGINT);
    if (rc == 0 && !rt->opts.no_signals) rc = watch(w, &w->signals[1], SIGTERM);
    if (rc == 0 && rt->opts.dump_on_usr1) rc = watch(w, &w->signals[2], SIGUSR1);
    return rc;
}

void bsk_advance(bsk_rt *rt, int64_t ms)
{
    assert(rt->seeded);
    if (!rt->seeded) return;
    uint64_t until = clk_deadline(rt->virtual_now, ms);
    sch_drive(rt->workers[0], NULL, NULL, until);
    if (rt->virtual_now < until && until < NEVER - 1) rt->virtual_now = until;
}
