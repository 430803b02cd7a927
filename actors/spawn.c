/* SPDX-License-Identifier: MIT */
/* Starting an actor: all that can fail is done before anyone can know of it. */
#include "spawn.h"

#include "clock.h"
#include "fiber.h"
#include "name.h"
#include "scheduler.h"
#include "send.h"
#include "trace.h"

static int check(struct bsk_rt *rt, bsk_behavior b, const bsk_opts *o)
{
    if (!b.handler == !b.fiber) return BSK_EINVAL;
    if (o->mailbox > BSK_MAILBOX_MAX || (unsigned)o->overflow > BSK_FAIL) return BSK_EINVAL;
    if (o->state_size && !o->state) return BSK_EINVAL;
    if (o->shutdown_ms < BSK_KILL) return BSK_EINVAL;
    if (o->trap_stop && b.fiber) return BSK_EINVAL;
    /* Relaxed: who spawns while the runtime begins to stop is stopped with the others. */
    return atomic_load_explicit(&rt->stopping, memory_order_relaxed) ? BSK_ESTOPPING : 0;
}

static int copy_state(struct worker *w, struct bsk_rt *rt, bsk_self *a, const bsk_opts *o)
{
    a->state = a->small;
    if (o->state_size > sizeof a->small) {
        size_t size = MSG_HEAD + o->state_size;
        if (size < MSG_HEAD) return BSK_ENOMEM;
        struct bsk_msg *m = w ? pool_get(&w->pool, size) : pool_get_shared(&rt->pool, size);
        if (!m) return BSK_ENOMEM;
        a->state = m->body;
    }
    if (o->state_size <= sizeof a->small)
        msg_copy_words(a->state, o->state, (uint32_t)o->state_size);
    else
        memcpy(a->state, o->state, o->state_size);
    return 0;
}

void spawn_free_state(struct worker *w, struct bsk_rt *rt, bsk_self *a)
{
    if (a->state != a->small && a->state) snd_free_block(w, rt, msg_of(a->state));
    a->state = NULL;
}

/* What only some actors have; a fiber keeps it on its own stack. */
static int add_more(struct bsk_rt *rt, bsk_self *a, bsk_behavior b, const bsk_opts *o,
                    bool with_kin)
{
    a->more = NULL;
    if (b.fiber) {
        int rc = fib_create(rt, a, o->stack);
        if (rc) return rc;
    } else if (o->init || o->fini || with_kin) {
        a->more = mem_zalloc(sizeof *a->more);
        if (!a->more) return BSK_ENOMEM;
    }
    if (!a->more) return 0;
    a->more->init = o->init;
    a->more->fini = o->fini;
    return 0;
}

void spawn_free_more(bsk_self *a)
{
    if (!a->more) return;
    mem_free(a->more->later);
    if (a->more->fiber)
        fib_free(a);
    else
        mem_free(a->more);
    a->more = NULL;
}

/* Increases, and follows the clock: among the actors of one worker the order of start, among all
 * nearly. */
static uint64_t order_of_start(struct worker *w, struct bsk_rt *rt)
{
    if (!w) return clk_now(rt);
    w->born = w->now > w->born ? w->now : w->born + 1;
    return w->born;
}

static int choose_home(struct worker *w, struct bsk_rt *rt, bsk_self *a, const bsk_opts *o)
{
    unsigned home = w && !w->solo ? w->index : 0;
    if (o->own_thread && !rt->seeded) {
        int rc;
        struct worker *solo = sch_add_solo(rt, &rc);
        if (!solo) return rc;
        home = solo->index;
    }
    /* Relaxed: published by the generation's release. */
    atomic_store_explicit(&a->home, (uint16_t)home, memory_order_relaxed);
    return 0;
}

/* 0: the default; the largest two: for ever, and no time at all. */
static uint32_t encode_finish(int64_t ms)
{
    if (ms < 0) return ms == BSK_FOREVER ? UINT32_MAX : UINT32_MAX - 1;
    return ms < (int64_t)UINT32_MAX - 1 ? (uint32_t)ms : UINT32_MAX - 2;
}

void spawn_set_finish(bsk_self *a, int64_t ms)
{
    /* Relaxed: published by the generation's release, or with the next look of those who ask. */
    atomic_store_explicit(&a->finish, encode_finish(ms), memory_order_relaxed);
}

int64_t spawn_finish_ms(const bsk_self *a)
{
    uint32_t ms = atomic_load_explicit(&a->finish, memory_order_relaxed);
    if (ms >= UINT32_MAX - 1) return ms == UINT32_MAX ? BSK_FOREVER : BSK_KILL;
    return ms ? ms : SPAWN_FINISH_MS;
}

static void set_fields(struct worker *w, struct bsk_rt *rt, bsk_self *a, bsk_behavior b,
                       const bsk_opts *o)
{
    unsigned flags = ACT_FRESH | (b.fiber ? ACT_FIBER : 0) | (o->high ? ACT_HIGH : 0) |
                     (o->pinned || o->own_thread ? ACT_PINNED : 0) |
                     (o->trap_stop ? ACT_TRAP_STOP : 0);
    if (b.fiber)
        a->run.fiber = b.fiber;
    else
        a->run.handler = b.handler;
    a->worker = w;
    a->arena = NULL;
    a->defers = NULL;
    a->timers = NULL;
    a->asks = NULL;
    atomic_store_explicit(&a->ties, act_no_ties(act_gen(a) + 1), memory_order_relaxed);
    atomic_store_explicit(&a->born, order_of_start(w, rt), memory_order_relaxed);
    /* Relaxed: published by the generation's release, below. */
    uint32_t capacity = o->mailbox ? o->mailbox : BSK_MAILBOX_DEFAULT;
    atomic_store_explicit(&a->in.capacity, capacity, memory_order_relaxed);
    spawn_set_finish(a, o->shutdown_ms);
    atomic_store_explicit(&a->item.link, 0, memory_order_relaxed);
    atomic_store_explicit(&a->overflow, (uint8_t)o->overflow, memory_order_relaxed);
    atomic_store_explicit(&a->flags, (uint8_t)flags, memory_order_relaxed);
    uint32_t ctl = act_tag(act_gen(a) + 1) | (b.fiber || o->init ? CTL_START : 0);
    atomic_store_explicit(&a->ctl, ctl, memory_order_relaxed);
    if (bsk_mailbox_closed(a)) mbox_open(&a->in);
}

static bsk_addr publish(struct worker *w, struct bsk_rt *rt, bsk_self *a, bsk_behavior b,
                        bsk_addr who, const bsk_opts *o)
{
    assert((who.gen & 1) && act_gen(a) + 1 == who.gen);
    RT_COUNT(w, rt, spawned);
    /* Release pairs with the acquire in act_run: even a worker that sweeps this slot for stale
     * messages right now sees a whole actor, or none. */
    atomic_store_explicit(&a->item.gen, who.gen, memory_order_release);
    if (rt->seeded || rt->opts.trace)
        trc_emit(w, rt, BSK_EV_SPAWN, who, (bsk_addr){0}, NULL, 0, o->name ? o->name : o->label);
    if (b.fiber || o->init) act_poke(w, rt, a);
    return who;
}

static struct slab_item *get_slot(struct worker *w, struct bsk_rt *rt)
{
    return w ? slab_get(&w->actors) : slab_get_shared(&rt->actors);
}

static void put_slot(struct worker *w, struct bsk_rt *rt, bsk_self *a)
{
    if (w)
        slab_put(&w->actors, &a->item);
    else
        slab_put_shared(&rt->actors, &a->item);
}

int spawn_actor(struct worker *w, struct bsk_rt *rt, bsk_behavior b, const bsk_opts *o,
                spawn_tie_fn *tie, void *arg, bsk_addr *out)
{
    int checked = check(rt, b, o);
    if (checked) return checked;
    bsk_self *a = (bsk_self *)(void *)get_slot(w, rt);
    if (!a) return BSK_ELIMIT;
    bsk_addr who = rt_addr(rt, a, act_gen(a) + 1);
    int rc = copy_state(w, rt, a, o);
    if (rc) goto put_slot;
    if ((rc = add_more(rt, a, b, o, tie != NULL))) goto free_state;
    const char *name = o->name ? o->name : o->label;
    if (name && (rc = name_take(rt, a, name, o->name != NULL, who))) goto free_more;
    if ((rc = choose_home(w, rt, a, o))) goto free_name;
    set_fields(w, rt, a, b, o);
    if (tie) tie(w, a, who, arg);
    *out = publish(w, rt, a, b, who, o);
    return 0;
free_name:
    name_free(rt, a);
free_more:
    spawn_free_more(a);
free_state:
    spawn_free_state(w, rt, a);
put_slot:
    put_slot(w, rt, a);
    return rc;
}

bsk_addr bsk_spawn_(bsk_rt *rt, bsk_behavior behavior, const bsk_opts *opts)
{
    struct worker *here = rt_worker(), *w = here && here->rt == rt ? here : NULL;
    bsk_addr who = {0, 0, 0};
    int rc = spawn_actor(w, rt, behavior, opts, NULL, NULL, &who);
    if (rc) act_tell_error(here, rc);
    return who;
}
