/* SPDX-License-Identifier: MIT */
/* Sending: a message is built in a block of the sender's pool and pushed; nothing here waits but
 * bsk_send. */
#include "runtime.h"

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

struct bsk_msg *snd_block(struct worker *w, struct bsk_rt *rt, size_t body_size)
{
    size_t size = MSG_HEAD + body_size;
    if (size < MSG_HEAD) return NULL;
    return w ? pool_get(&w->pool, size) : pool_get_shared(&rt->pool, size);
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

static bool measured(struct worker *w, struct bsk_rt *rt)
{
    return w ? w->timing : rt->opts.histograms;
}

struct bsk_msg *snd_build(struct worker *w, struct bsk_rt *rt, const bsk_type *type, const void *body,
                          uint32_t gen)
{
    size_t tail = type->tails ? msg_tail_size(type, body) : 0;
    struct bsk_msg *m = snd_block(w, rt, type->size + tail);
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
static int overflow(struct worker *w, struct bsk_rt *rt, bsk_addr to, bsk_self *a, struct bsk_msg *m)
{
    RT_COUNT(w, rt, refused);
    switch (atomic_load_explicit(&a->overflow, memory_order_relaxed)) {
    case BSK_DROP_OLDEST:
        if (act_evict(w, rt, a)) return 1;
        /* All that is queued was passed over and is the receiver's: */
        /* fall through */
    case BSK_DROP_NEWEST:
        trc_dead(w, rt, to, m->type, BSK_DEAD_DROPPED);
        if (m->flags & MSG_REQUEST) ask_dropped(w, rt, m->ref);
        snd_free(w, rt, m);
        return 0;
    case BSK_FAIL: act_control(w, rt, a, CTL_OVERFLOW, 0); break;
    default: break;
    }
    return BSK_EFULL;
}

static int push(struct worker *w, struct bsk_rt *rt, bsk_addr to, bsk_self *a, struct bsk_msg *m,
                uint32_t margin)
{
    int rc;
    do {
        switch (mbox_push(&a->in, &a->out, m, margin)) {
        case MBOX_WOKE: act_wake(w, rt, a); return 0;
        case MBOX_QUEUED: return 0;
        case MBOX_SHUT: rc = act_gen(a) == to.gen ? BSK_ECLOSED : BSK_EDEAD; break;
        default: rc = margin ? BSK_EFULL : overflow(w, rt, to, a, m); break;
        }
        if (rc == 0) return 0;
    } while (rc == 1);
    take_back(w, rt, m);
    return rc;
}

int snd_try(struct worker *w, struct bsk_rt *rt, bsk_addr to, uint32_t margin, const bsk_type *type,
            const void *body, uint64_t ask)
{
    bsk_self *a = rt_slot(rt, to.slot);
    if (!a || !(to.gen & 1) || act_gen(a) != to.gen) return BSK_EDEAD;
    struct bsk_msg *m = snd_build(w, rt, type, body, to.gen);
    if (!m) return BSK_ENOMEM;
    if (ask) {
        m->flags |= MSG_REQUEST;
        m->ref = ask;
    }
    if (w ? w->tracing : rt->seeded || rt->opts.trace)
        trc_emit(w, rt, BSK_EV_SEND, to, sender(w), type, ask ? 1 : 0, NULL);
    return push(w, rt, to, a, m, margin);
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

int bsk_try_(bsk_addr to, uint32_t margin, const bsk_type *type, const void *body)
{
    struct way way;
    if (!snd_enter(to, &way)) return BSK_EDEAD;
    int rc = snd_try(way.w, way.rt, to, margin, type, body, 0);
    snd_leave(&way);
    return rc;
}

static enum bsk_dead why_dead(int rc)
{
    if (rc == BSK_EDEAD) return BSK_DEAD_GONE;
    return rc == BSK_ENOMEM ? BSK_DEAD_NOMEM : BSK_DEAD_REFUSED;
}

/* Nobody keeps what was told and not accepted. */
static void lose(struct worker *w, struct bsk_rt *rt, bsk_addr to, const bsk_type *type, const void *body,
                 int rc)
{
    if (rt) trc_dead(w, rt, to, type, why_dead(rc));
    if (type->drop) type->drop((void *)(uintptr_t)body);
}

void bsk_tell_(bsk_addr to, const bsk_type *type, const void *body)
{
    struct way way;
    if (!snd_enter(to, &way)) {
        lose(NULL, rt_current ? rt_current->rt : NULL, to, type, body, BSK_EDEAD);
        return;
    }
    int rc = snd_try(way.w, way.rt, to, 0, type, body, 0);
    if (rc) lose(way.w, way.rt, to, type, body, rc);
    snd_leave(&way);
}
