/* SPDX-License-Identifier: MIT */
/* A link is two ties, one with each actor, and an entry in a table of pairs, so that it is found
 * by the addresses of the two.
 *
 *     A's ties: ... -> ends[0]            ends[1] <- ... :B's ties
 *                          `--- struct link ---'
 *                                  |
 *                            a chain of the table
 *
 * Whether the two are linked is decided under the lock of the chain, under which the stripes of
 * the two slots are taken one after another. An end fires its tie under the stripe alone, and
 * takes the chain's lock afterwards, for the rest. */
#include "link.h"

#include "actors/send.h"
#include "actors/spawn.h"
#include "monitor.h"

#define CHAINS_LEAST 16 /* of a bucket that has had any link */

struct link {
    struct tie ends[2];
    struct link *next; /* in its chain; this and the next under its lock */
    unsigned refs;     /* the chain, and each end that is listed or being fired */
    uint64_t hash;
    struct bsk_msg *left; /* for the one that hears */
    _Atomic bool fired;   /* `left` is used */
};

static struct link *link_of(struct tie *t)
{
    return (struct link *)(void *)(t->second ? t - 1 : t);
}

static struct tie *other_end(struct tie *t)
{
    return t->second ? t - 1 : t + 1;
}

static uint64_t key_of(bsk_addr a)
{
    return (uint64_t)a.slot << 32 | a.gen;
}

/* The same for (a, b) and (b, a). The constant is that of splitmix64. */
static uint64_t hash_of(bsk_addr a, bsk_addr b)
{
    uint64_t x = key_of(a), y = key_of(b);
    uint64_t h = (x < y ? x : y) * UINT64_C(0xbf58476d1ce4e5b9) ^ (x < y ? y : x);
    h ^= h >> 31;
    h *= UINT64_C(0x94d049bb133111eb);
    return h ^ h >> 29;
}

static struct link_bucket *bucket_of(struct bsk_rt *rt, uint64_t hash)
{
    return &rt->upper->links[hash % LINK_STRIPES];
}

static struct link **chain_of(struct link_bucket *b, uint64_t hash)
{
    return b->cap ? &b->chains[(hash / LINK_STRIPES) & (b->cap - 1)] : &b->only;
}

static struct link **find_locked(struct link_bucket *b, uint64_t hash, bsk_addr x, bsk_addr y)
{
    struct link **at = chain_of(b, hash);
    for (; *at; at = &(*at)->next) {
        const struct tie *e = (*at)->ends;
        if ((bsk_same(e[0].of, x) && bsk_same(e[1].of, y)) ||
            (bsk_same(e[0].of, y) && bsk_same(e[1].of, x)))
            break;
    }
    return at;
}

/* Without memory for the chains they stay as many as they are, that is all. */
static void resize_locked(struct link_bucket *b, uint32_t cap)
{
    uint32_t old_cap = b->cap ? b->cap : 1;
    struct link **chains = mem_zalloc(cap * sizeof *chains);
    if (!chains) return;
    struct link **old = b->cap ? b->chains : &b->only;
    for (uint32_t i = 0; i < old_cap; i++) {
        for (struct link *l = old[i], *next; l; l = next) {
            next = l->next;
            struct link **at = &chains[(l->hash / LINK_STRIPES) & (cap - 1)];
            l->next = *at;
            *at = l;
        }
    }
    if (b->cap) mem_free(b->chains);
    b->only = NULL;
    b->chains = chains;
    b->cap = cap;
}

static void chain_locked(struct link_bucket *b, struct link *l)
{
    if (++b->n > b->cap) resize_locked(b, b->cap ? 2 * b->cap : CHAINS_LEAST);
    struct link **at = chain_of(b, l->hash);
    l->next = *at;
    *at = l;
}

static void unchain_locked(struct link_bucket *b, struct link *l)
{
    struct link **at = chain_of(b, l->hash);
    while (*at && *at != l) at = &(*at)->next;
    if (!*at) return;
    *at = l->next;
    b->n--;
    l->refs--;
    if (b->cap > CHAINS_LEAST && b->n < b->cap / 8) resize_locked(b, b->cap / 2);
}

void lnk_fini(struct upper *u)
{
    for (unsigned i = 0; i < LINK_STRIPES; i++) {
        assert(!u->links[i].n);
        mem_free(u->links[i].chains);
    }
}

/* Frees the link if nobody has it any more. The lock of its chain is not held. */
static void free_unless(struct worker *w, struct bsk_rt *rt, struct link *l, unsigned refs)
{
    if (refs) return;
    /* Relaxed: it was set by who held a reference, and the last was dropped under the lock. */
    if (!atomic_load_explicit(&l->fired, memory_order_relaxed)) snd_free_block(w, rt, l->left);
    mem_free(l);
}

struct bsk_msg *exit_block(struct worker *w, struct bsk_rt *rt)
{
    struct bsk_msg *m = snd_block(w, rt, sizeof(bsk_left));
    if (!m) return NULL;
    m->type = &bsk_left_bsk;
    m->lane = MSG_SIGNAL;
    m->flags = m->done = 0;
    m->ref = 0;
    return m;
}

void exit_deliver(struct worker *w, struct bsk_rt *rt, bsk_addr from, bsk_addr to,
                  struct bsk_msg *m, enum bsk_reason reason, bsk_blob *cause)
{
    assert(m->lane == MSG_SIGNAL && m->type == &bsk_left_bsk);
    bsk_self *a = rt_slot(rt, to.slot);
    bool traps = act_flags(a) & ACT_TRAP_EXIT;
    if (act_gen(a) != to.gen || (!traps && reason == BSK_NORMAL)) {
        snd_free_block(w, rt, m);
        return;
    }
    struct cause c = cause_of(cause, reason);
    *(bsk_left *)(void *)m->body = (bsk_left){.who = from,
                                              .reason = reason,
                                              .text = c.text,
                                              .file = c.file,
                                              .line = c.line,
                                              .signal = c.signal,
                                              .address = c.address,
                                              .trace = c.trace,
                                              .keep = bsk_blob_hold(cause)};
    if (cause) m->flags |= MSG_CONTENTS;
    if (!traps) {
        m->flags |= MSG_EXIT;
        m->ref = cause_pack(cause, reason);
    }
    snd_urgent(w, rt, to, m);
    if (!traps) act_control(w, rt, a, to.gen, CTL_EXIT);
}

struct link *lnk_fire(struct worker *w, struct tie *t, enum bsk_reason reason, bsk_blob *cause)
{
    struct link *l = link_of(t);
    /* Relaxed: where both ends fire, the other one's actor has ended as well. */
    if (!atomic_exchange_explicit(&l->fired, true, memory_order_relaxed))
        exit_deliver(w, w->rt, t->of, other_end(t)->of, l->left, reason, cause);
    return l;
}

void lnk_over(struct bsk_rt *rt, struct link *l, struct tie *fired)
{
    struct link_bucket *b = bucket_of(rt, l->hash);
    lock_take(&b->lock);
    assert(l->refs && !fired->listed);
    unchain_locked(b, l);
    if (tie_unlist(rt, other_end(fired))) l->refs--;
    unsigned refs = --l->refs;
    lock_give(&b->lock);
    free_unless(rt_worker(), rt, l, refs);
}

static struct link *new_link(struct worker *w, bsk_addr me)
{
    struct link *l = mem_zalloc(sizeof *l);
    if (!l) return NULL;
    l->left = exit_block(w, w->rt);
    if (!l->left) {
        mem_free(l);
        return NULL;
    }
    l->ends[0] = (struct tie){.of = me, .link = true};
    l->ends[1] = (struct tie){.link = true, .second = true};
    return l;
}

/* Lists both ends and chains the link. False: the other has ended. */
static bool tie_both_locked(struct bsk_rt *rt, struct link_bucket *b, struct link *l)
{
    if (!tie_list(rt, &l->ends[1])) return false;
    bool listed = tie_list(rt, &l->ends[0]);
    assert(listed);
    (void)listed;
    l->refs = 3;
    chain_locked(b, l);
    return true;
}

int bsk_link(bsk_self *self, bsk_addr who)
{
    struct worker *w = self->worker;
    struct bsk_rt *rt = w->rt;
    bsk_addr me = bsk_me(self);
    if (bsk_is_nobody(who) || bsk_same(me, who)) return BSK_EINVAL;
    struct link *l = new_link(w, me);
    if (!l) return BSK_ENOMEM;
    l->ends[1].of = who;
    l->hash = hash_of(me, who);
    struct link_bucket *b = bucket_of(rt, l->hash);
    lock_take(&b->lock);
    struct link *known = *find_locked(b, l->hash, me, who);
    /* One that is fired has ended, though it is not out of its chain yet. Relaxed: the caller may
     * have received what it sent. */
    bool fired = known && atomic_load_explicit(&known->fired, memory_order_relaxed);
    bool tied = !known && who.node == rt->node && tie_both_locked(rt, b, l);
    lock_give(&b->lock);
    if (tied) return 0;
    if (!known || fired) {
        exit_deliver(w, rt, who, me, l->left, BSK_NO_ACTOR, NULL);
        /* Relaxed: nobody else has this one. */
        atomic_store_explicit(&l->fired, true, memory_order_relaxed);
    }
    free_unless(w, rt, l, 0);
    return 0;
}

void bsk_unlink(bsk_self *self, bsk_addr who)
{
    struct worker *w = self->worker;
    struct bsk_rt *rt = w->rt;
    bsk_addr me = bsk_me(self);
    uint64_t hash = hash_of(me, who);
    struct link_bucket *b = bucket_of(rt, hash);
    unsigned refs = 1;
    lock_take(&b->lock);
    struct link *l = *find_locked(b, hash, me, who);
    if (l) {
        for (int i = 0; i < 2; i++)
            if (tie_unlist(rt, &l->ends[i])) l->refs--;
        unchain_locked(b, l);
        refs = l->refs;
    }
    lock_give(&b->lock);
    free_unless(w, rt, l, refs);
}

static void tie_spawned(struct worker *w, bsk_self *a, bsk_addr who, void *arg)
{
    struct link *l = arg;
    struct link_bucket *b;
    l->ends[1].of = who;
    l->hash = hash_of(l->ends[0].of, who);
    b = bucket_of(w->rt, l->hash);
    lock_take(&b->lock);
    tie_list_new(a, &l->ends[1]);
    tie_list(w->rt, &l->ends[0]);
    l->refs = 3;
    chain_locked(b, l);
    lock_give(&b->lock);
}

bsk_addr bsk_spawn_link_(bsk_self *self, bsk_behavior behavior, const bsk_opts *opts)
{
    struct worker *w = self->worker;
    bsk_addr who = {0, 0, 0};
    struct link *l = new_link(w, bsk_me(self));
    int rc = l ? spawn_actor(w, w->rt, behavior, opts, tie_spawned, l, &who) : BSK_ENOMEM;
    if (rc && l) free_unless(w, w->rt, l, 0);
    if (rc) act_set_error(self, rc);
    return who;
}
