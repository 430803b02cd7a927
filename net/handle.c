/* SPDX-License-Identifier: MIT */
#include "handle.h"

#include "actors/clock.h"
#include "actors/scheduler.h"
#include "move.h"
#include "stream.h"

#include <signal.h>

#define HANDLES_MAX (UINT32_C(1) << 20)
#define LEAVE_MS 1000

struct net_loop *net_loop(struct worker *w)
{
    struct net_loop *there = rt_net(w), *l;
    if (there || !(l = mem_zalloc(sizeof *l))) return there;
    /* Release pairs with the acquire in rt_net, and of who sums its figures. */
    if (atomic_compare_exchange_strong_explicit(&w->net, &there, l, memory_order_acq_rel,
                                                memory_order_acquire))
        return l;
    mem_free(l);
    return there;
}

struct handle *handle_new(struct worker *w, const struct handle_kind *kind, int *rc)
{
    assert(kind->size <= HANDLE_BYTES);
    struct net *net = w->rt->net;
    struct handle *h = (struct handle *)(void *)slab_get_shared(&net->handles);
    *rc = h ? 0 : BSK_ELIMIT;
    if (!h) return NULL;
    memset((char *)h + sizeof h->item, 0, kind->size - sizeof h->item);
    h->kind = kind;
    h->worker = w;
    atomic_init(&h->at, w->index);
    h->net = net;
    /* Relaxed: whoever compares generations is its owner. */
    atomic_fetch_add_explicit(&h->item.gen, 1, memory_order_relaxed);
    return h;
}

void handle_leave(struct handle *h)
{
    struct net_loop *l = rt_net(h->worker);
    if (h->above)
        h->above->below = h->below;
    else
        l->all = h->below;
    if (h->below) h->below->above = h->above;
    h->opened = false;
}

void handle_arrive(struct handle *h)
{
    struct net_loop *l = rt_net(h->worker);
    h->above = NULL;
    h->below = l->all;
    if (h->below) h->below->above = h;
    l->all = h;
    h->opened = true;
}

void handle_free(struct handle *h)
{
    assert(!h->owner);
    if (h->opened) {
        handle_leave(h);
        rt_count(&rt_net(h->worker)->count.closed, 1);
    }
    atomic_fetch_add_explicit(&h->item.gen, 1, memory_order_relaxed);
    slab_put_shared(&h->net->handles, &h->item);
}

int handle_open(struct handle *h)
{
    assert(!h->opened && h->worker == rt_worker());
    struct net_loop *l = net_loop(h->worker);
    if (!l) return BSK_ENOMEM;
    handle_arrive(h);
    rt_count(&l->count.opened, 1);
    return 0;
}

static void enlist(bsk_self *a, uint32_t gen, struct handle *h)
{
    struct act_more *more = a->more;
    if (!more->handles) more->pinned = act_flags(a) & ACT_PINNED;
    h->owner = a;
    h->owner_gen = gen;
    h->prev = NULL;
    h->next = more->handles;
    if (h->next) h->next->prev = h;
    more->handles = h;
    /* Relaxed: senders take it as a hint; act_run looks again where it counts. */
    atomic_store_explicit(&a->home, h->worker->index, memory_order_relaxed);
    act_set_flag(a, ACT_PINNED, true);
}

int handle_own(bsk_self *self, struct handle *h)
{
    assert(h->worker == self->worker);
    if (!self->more) self->more = mem_zalloc(sizeof *self->more);
    if (!self->more) return BSK_ENOMEM;
    enlist(self, act_gen(self), h);
    return 0;
}

static void give(bsk_self *a, bsk_addr who, struct handle *h)
{
    enlist(a, who.gen, h);
    a->more->conn = h;
}

void handle_disown(struct handle *h)
{
    bsk_self *a = h->owner;
    struct act_more *more = a->more;
    if (h->prev)
        h->prev->next = h->next;
    else
        more->handles = h->next;
    if (h->next) h->next->prev = h->prev;
    if (more->conn == h) more->conn = NULL;
    if (!more->handles) act_set_flag(a, ACT_PINNED, more->pinned);
    h->owner = NULL;
}

uint64_t handle_id(const struct handle *h)
{
    uint32_t gen = atomic_load_explicit(&h->item.gen, memory_order_relaxed);
    return (uint64_t)gen << 32 | slab_index(&h->net->handles, h);
}

struct handle *handle_mine(bsk_self *self, uint64_t id, const struct handle_kind *kind)
{
    struct slab *s = &self->worker->rt->net->handles;
    uint32_t slot = (uint32_t)id, gen = (uint32_t)(id >> 32);
    if (!(gen & 1) || slot >= s->limit) return NULL;
    struct handle *h = slab_at(s, slot);
    if (atomic_load_explicit(&h->item.gen, memory_order_relaxed) != gen) return NULL;
    /* Another worker's is none of its: what else it says is that worker's to read. Relaxed: what
     * this thread may read came to it before this. */
    if (atomic_load_explicit(&h->at, memory_order_relaxed) != self->worker->index) return NULL;
    return h->owner == self && h->kind == kind ? h : NULL;
}

int handle_may_open(bsk_self *self)
{
    const struct ending *e = &self->worker->ending;
    if (self->worker->rt->seeded) return BSK_ENOTSUP;
    return e->actor == self && e->stage >= 2 ? BSK_EINVAL : 0;
}

/* Who writes to a peer that is gone is told so; a program that has said what it wants is left
 * alone. */
static void ignore_broken_pipes(void)
{
    struct sigaction now;
    if (sigaction(SIGPIPE, NULL, &now) || (now.sa_flags & SA_SIGINFO)) return;
    if (now.sa_handler == SIG_DFL) signal(SIGPIPE, SIG_IGN);
}

static int init(struct bsk_rt *rt)
{
    struct net *net = mem_zalloc(sizeof *net);
    if (!net) return BSK_ENOMEM;
    if (slab_init(&net->handles, HANDLE_BYTES, HANDLES_MAX)) {
        mem_free(net);
        return BSK_ENOMEM;
    }
    net->rt = rt;
    rt->net = net;
    ignore_broken_pipes();
    return 0;
}

static void fini(struct bsk_rt *rt)
{
    slab_fini(&rt->net->handles);
    mem_free(rt->net);
}

static struct slab *slab(struct bsk_rt *rt)
{
    return &rt->net->handles;
}

static void free_worker(struct worker *w)
{
    mem_free(rt_net(w));
}

static void release(struct worker *w, bsk_self *a)
{
    struct handle *h;
    (void)w;
    while ((h = a->more->handles)) {
        handle_disown(h);
        h->kind->release(h);
    }
}

static bool received(struct worker *w, bsk_self *a, struct bsk_msg *m)
{
    struct slab *s = &w->rt->net->handles;
    struct handle *h = slab_at(s, (uint32_t)m->ref);
    bool lives = atomic_load_explicit(&h->item.gen, memory_order_relaxed) == m->ref >> 32;
    return lives && h->owner == a && h->kind->received(h, m);
}

static void polls(struct worker *w)
{
    struct net_loop *l = rt_net(w);
    stream_flush_all(w);
    /* Relaxed: a hint, looked at again and again. */
    if (atomic_load_explicit(&l->gives, memory_order_relaxed)) move_some(w);
}

static bool turn(struct worker *w)
{
    uv_run(&w->loop, UV_RUN_NOWAIT);
    bool more = rt_net(w)->all || rt_net(w)->closing;
    if (more) sch_sleep(w, NS_PER_MS);
    return more;
}

/* What nobody owns any more has a moment to be sent; then all is closed, and the loop lets go. */
static void leave(struct worker *w)
{
    uint64_t until = clk_deadline(clk_now(w->rt), LEAVE_MS);
    while (turn(w) && clk_now(w->rt) < until) {
    }
    for (struct handle *h = rt_net(w)->all, *below; h; h = below) {
        below = h->below;
        h->kind->close(h);
    }
    while (turn(w)) {
    }
}

const struct loop_hooks loop_hooks = {.init = init,
                                      .fini = fini,
                                      .slab = slab,
                                      .polls = polls,
                                      .spread = move_spread,
                                      .arrive = move_arrive,
                                      .leave = leave,
                                      .free_worker = free_worker,
                                      .give = give,
                                      .release = release,
                                      .received = received};
