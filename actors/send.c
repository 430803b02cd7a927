/* SPDX-License-Identifier: MIT */
/* Sending: a message is built in a block of the sender's pool and pushed; nothing here waits but
 * bsk_send. */
#include "send.h"

#include "ask.h"
#include "clock.h"
#include "trace.h"

bool snd_enter(bsk_addr to, struct way *way)
{
    struct worker *w = rt_current;
    if (w && w->node == to.node) {
        *way = (struct way){w, w->rt};
        return true;
    }
    *way = (struct way){NULL, rt_hold(to.node)};
    return way->rt != NULL;
}

void snd_leave(const struct way *way)
{
    if (!way->w) rt_drop(way->rt);
}

/* Functions on the way of every message exist once for workers and once for other threads (w
 * NULL). */
#define ON_THE_WAY static inline __attribute__((always_inline))

ON_THE_WAY struct bsk_msg *block(struct worker *w, struct bsk_rt *rt, size_t body_size)
{
    size_t size = MSG_HEAD + body_size;
    if (size < MSG_HEAD) return NULL;
    return w ? pool_get(&w->pool, size) : pool_get_shared(&rt->pool, size);
}

struct bsk_msg *snd_block(struct worker *w, struct bsk_rt *rt, size_t body_size)
{
    return block(w, rt, body_size);
}

void snd_free_block(struct worker *w, struct bsk_rt *rt, struct bsk_msg *m)
{
    if (w)
        pool_put(&w->pool, m);
    else
        pool_put_shared(&rt->pool, m);
}

void snd_free(struct worker *w, struct bsk_rt *rt, struct bsk_msg *m)
{
    msg_release(m);
    snd_free_block(w, rt, m);
}

ON_THE_WAY bool measured(struct worker *w, struct bsk_rt *rt)
{
    return w ? w->timing : rt->opts.histograms;
}

ON_THE_WAY struct bsk_msg *build(struct worker *w, struct bsk_rt *rt, const bsk_type *type,
                                 const void *body, uint32_t gen)
{
    size_t tail = type->tails ? msg_tail_size(type, body) : 0;
    struct bsk_msg *m = block(w, rt, type->size + tail);
    if (!m) return NULL;
    m->type = type;
    m->gen = gen;
    m->lane = MSG_USER;
    m->flags = msg_contents(type);
    m->done = 0;
    m->ref = measured(w, rt) ? clk_now(rt) : 0;
    msg_copy_words(m->body, body, type->size);
    if (type->tails) msg_copy_tails(m);
    return m;
}

struct bsk_msg *snd_build(struct worker *w, struct bsk_rt *rt, const bsk_type *type,
                          const void *body, uint32_t gen)
{
    return build(w, rt, type, body, gen);
}

/* Frees a message that was not accepted: a local one's contents stay the sender's. */
static void take_back(struct worker *w, struct bsk_rt *rt, struct bsk_msg *m)
{
    if (m->type->drop)
        snd_free_block(w, rt, m);
    else
        snd_free(w, rt, m);
}

static bsk_addr sender(struct worker *w)
{
    bsk_self *a = rt_self(w);
    return a ? rt_addr(w->rt, a, act_gen(a)) : (bsk_addr){0, 0, 0};
}

/* Does what the receiver declared for a full mailbox. 1: there may be room now, push again. */
static int overflow(struct worker *w, struct bsk_rt *rt, bsk_addr to, bsk_self *a,
                    struct bsk_msg *m)
{
    RT_COUNT(w, rt, refused);
    /* Relaxed: as in act_guarded. */
    switch (atomic_load_explicit(&a->overflow, memory_order_relaxed)) {
    case BSK_DROP_OLDEST:
        if (act_evict(w, rt, a, to.gen)) return 1;
        /* All that is queued was passed over and is the receiver's: */
        /* fall through */
    case BSK_DROP_NEWEST:
        trc_dead(w, rt, to, m->type, BSK_DEAD_DROPPED);
        if (m->flags & MSG_REQUEST) ask_dropped(w, rt, m->ref);
        snd_free(w, rt, m);
        return 0;
    case BSK_FAIL: act_control(w, rt, a, to.gen, CTL_OVERFLOW); break;
    default: break;
    }
    return BSK_EFULL;
}

/* The mailbox did not take it: what the receiver declared for that. */
static int refused(struct worker *w, struct bsk_rt *rt, bsk_addr to, bsk_self *a, struct bsk_msg *m,
                   uint32_t margin, enum mbox_result result)
{
    int rc;
    if (result == MBOX_SHUT)
        rc = act_gen(a) == to.gen ? BSK_ECLOSED : BSK_EDEAD;
    else
        rc = margin ? BSK_EFULL : overflow(w, rt, to, a, m);
    if (rc < 0) take_back(w, rt, m);
    return rc;
}

ON_THE_WAY int push(struct worker *w, struct bsk_rt *rt, bsk_addr to, bsk_self *a,
                    struct bsk_msg *m, uint32_t margin)
{
    for (;;) {
        enum mbox_result result = mbox_push(&a->in, &a->out, m, margin);
        if (result == MBOX_QUEUED) return 0;
        if (result == MBOX_WOKE) {
            act_wake(w, rt, a);
            return 0;
        }
        int rc = refused(w, rt, to, a, m, margin, result);
        if (rc <= 0) return rc;
    }
}

ON_THE_WAY int try_to_send(struct worker *w, struct bsk_rt *rt, bsk_self *a, bsk_addr to,
                           uint32_t margin, const bsk_type *type, const void *body, uint64_t ask)
{
    if (!(to.gen & 1) || act_gen(a) != to.gen) return BSK_EDEAD;
    struct bsk_msg *m = build(w, rt, type, body, to.gen);
    if (!m) return BSK_ENOMEM;
    if (ask) {
        m->flags |= MSG_REQUEST;
        m->ref = ask;
    }
    if (w ? w->tracing : rt->seeded || rt->opts.trace)
        trc_emit(w, rt, BSK_EV_SEND, to, sender(w), type, ask ? 1 : 0, NULL);
    return push(w, rt, to, a, m, margin);
}

static int try_here(struct worker *w, bsk_addr to, uint32_t margin, const bsk_type *type,
                    const void *body, uint64_t ask)
{
    if (to.slot >= w->nslots) return BSK_EDEAD;
    return try_to_send(w, w->rt, &w->slots[to.slot], to, margin, type, body, ask);
}

static int try_from_outside(struct bsk_rt *rt, bsk_addr to, uint32_t margin, const bsk_type *type,
                            const void *body, uint64_t ask)
{
    bsk_self *a = rt_slot(rt, to.slot);
    return a ? try_to_send(NULL, rt, a, to, margin, type, body, ask) : BSK_EDEAD;
}

int snd_try(struct worker *w, struct bsk_rt *rt, bsk_addr to, uint32_t margin, const bsk_type *type,
            const void *body, uint64_t ask)
{
    return w ? try_here(w, to, margin, type, body, ask)
             : try_from_outside(rt, to, margin, type, body, ask);
}

void snd_urgent(struct worker *w, struct bsk_rt *rt, bsk_addr to, struct bsk_msg *m)
{
    bsk_self *a = rt_slot(rt, to.slot);
    m->gen = to.gen;
    if (act_gen(a) != to.gen)
        snd_free(w, rt, m);
    else if (mbox_push_urgent(&a->in, m))
        act_wake(w, rt, a);
}

/* The short way of most messages: small and plain, unwatched, to a mailbox that has room. False:
 * nothing was done. */
ON_THE_WAY bool try_plainly(struct worker *w, bsk_addr to, uint32_t margin, const bsk_type *type,
                            const void *body)
{
    if (!w || w->node != to.node || to.slot >= w->nslots || w->watched) return false;
    bsk_self *a = &w->slots[to.slot];
    if (!(to.gen & 1) || act_gen(a) != to.gen) return false;
    if (type->size > POOL_LEAST - MSG_HEAD || msg_contents(type)) return false;
    struct bsk_msg *m = pool_get_least(&w->pool);
    if (!m) return false;
    m->type = type;
    m->gen = to.gen;
    m->lane = MSG_USER;
    m->cls = m->flags = m->done = 0;
    m->ref = 0;
    msg_copy_words(m->body, body, type->size);
    enum mbox_result result = mbox_push_at_once(&a->in, m, margin);
    if (result == MBOX_WOKE) act_wake(w, w->rt, a);
    if (result == MBOX_FULL) pool_unget_least(&w->pool, m);
    return result != MBOX_FULL;
}

static __attribute__((noinline)) int try_thoroughly(bsk_addr to, uint32_t margin,
                                                    const bsk_type *type, const void *body)
{
    struct way way;
    if (!snd_enter(to, &way)) return BSK_EDEAD;
    int rc = snd_try(way.w, way.rt, to, margin, type, body, 0);
    snd_leave(&way);
    return rc;
}

int bsk_try_(bsk_addr to, uint32_t margin, const bsk_type *type, const void *body)
{
    /* More than any mailbox holds: as good as that, and sums with it do not overflow. */
    if (margin > BSK_MAILBOX_MAX) margin = BSK_MAILBOX_MAX;
    if (try_plainly(rt_current, to, margin, type, body)) return 0;
    return try_thoroughly(to, margin, type, body);
}

static enum bsk_dead why_dead(int rc)
{
    if (rc == BSK_EDEAD) return BSK_DEAD_GONE;
    return rc == BSK_ENOMEM ? BSK_DEAD_NOMEM : BSK_DEAD_REFUSED;
}

/* Nobody keeps what was told and not accepted. */
static void lose(struct worker *w, struct bsk_rt *rt, bsk_addr to, const bsk_type *type,
                 const void *body, int rc)
{
    if (rt) trc_dead(w, rt, to, type, why_dead(rc));
    if (type->drop) type->drop((void *)(uintptr_t)body);
}

static __attribute__((noinline)) void tell_thoroughly(bsk_addr to, const bsk_type *type,
                                                      const void *body)
{
    struct way way;
    if (!snd_enter(to, &way)) {
        lose(NULL, rt_here(), to, type, body, BSK_EDEAD);
        return;
    }
    int rc = snd_try(way.w, way.rt, to, 0, type, body, 0);
    if (rc) lose(way.w, way.rt, to, type, body, rc);
    snd_leave(&way);
}

void bsk_tell_(bsk_addr to, const bsk_type *type, const void *body)
{
    if (!try_plainly(rt_current, to, 0, type, body)) tell_thoroughly(to, type, body);
}
