/* SPDX-License-Identifier: MIT */
/* Cancel tokens. A tree has one lock, in its root; a child holds its parent, so the parent knows
 * its children by plain links. Cancelling goes down without recursion: from a token to its first
 * child, or the next sibling of itself or of the nearest token above that has one. */
#include "token.h"

#include "actors/clock.h"
#include "actors/runtime.h"
#include "scope.h"

struct bsk_token {
    bsk_token *parent, *root;
    bsk_token *first, *next, *prev; /* children; siblings; under the root's lock */
    _Atomic int count;
    _Atomic bool cancelled;
    uv_mutex_t lock; /* of a root */
    uv_cond_t changed;
};

static int init_root(bsk_token *t)
{
    t->root = t;
    if (uv_mutex_init(&t->lock)) return BSK_ENOMEM;
    if (uv_cond_init(&t->changed) == 0) return 0;
    uv_mutex_destroy(&t->lock);
    return BSK_ENOMEM;
}

static void join_parent(bsk_token *t, bsk_token *parent)
{
    t->root = parent->root;
    t->parent = bsk_token_hold(parent);
    uv_mutex_lock(&t->root->lock);
    t->next = parent->first;
    if (t->next) t->next->prev = t;
    parent->first = t;
    /* Relaxed: under the lock that a cancel holds. */
    bool cancelled = atomic_load_explicit(&parent->cancelled, memory_order_relaxed);
    atomic_store_explicit(&t->cancelled, cancelled, memory_order_relaxed);
    uv_mutex_unlock(&t->root->lock);
}

bsk_token *bsk_token_new(bsk_token *parent)
{
    bsk_token *t = mem_zalloc(sizeof *t);
    if (!t) return NULL;
    atomic_init(&t->count, 1);
    if (parent) {
        join_parent(t, parent);
    } else if (init_root(t)) {
        mem_free(t);
        return NULL;
    }
    return t;
}

bsk_token *bsk_token_hold(bsk_token *t)
{
    assert(!t || t->root);
    /* Relaxed: who adds a count has one. */
    if (t) atomic_fetch_add_explicit(&t->count, 1, memory_order_relaxed);
    return t;
}

static void leave_parent(bsk_token *t)
{
    uv_mutex_lock(&t->root->lock);
    if (t->prev)
        t->prev->next = t->next;
    else
        t->parent->first = t->next;
    if (t->next) t->next->prev = t->prev;
    uv_mutex_unlock(&t->root->lock);
}

void bsk_token_drop(bsk_token *t)
{
    /* Acq_rel: the last one frees what the others have done with it. */
    while (t && atomic_fetch_sub_explicit(&t->count, 1, memory_order_acq_rel) == 1) {
        bsk_token *parent = t->parent;
        if (parent) {
            leave_parent(t);
        } else {
            uv_cond_destroy(&t->changed);
            uv_mutex_destroy(&t->lock);
        }
        mem_free(t);
        t = parent;
    }
}

static bsk_token *next_below(bsk_token *t, const bsk_token *top)
{
    if (t->first) return t->first;
    while (t != top && !t->next) t = t->parent;
    return t == top ? NULL : t->next;
}

void bsk_token_cancel(bsk_token *t)
{
    uv_mutex_lock(&t->root->lock);
    /* Release pairs with the acquire in bsk_token_cancelled: what the canceller did is seen. */
    for (bsk_token *at = t; at; at = next_below(at, t))
        atomic_store_explicit(&at->cancelled, true, memory_order_release);
    uv_cond_broadcast(&t->root->changed);
    uv_mutex_unlock(&t->root->lock);
}

bool bsk_token_cancelled(const bsk_token *t)
{
    /* Acquire pairs with the release in bsk_token_cancel. */
    return atomic_load_explicit(&t->cancelled, memory_order_acquire);
}

int bsk_token_wait(bsk_token *t, int64_t ms)
{
    uint64_t deadline = clk_deadline(uv_hrtime(), ms);
    int rc = 0;
    if (rt_worker()) return BSK_EINVAL;
    uv_mutex_lock(&t->root->lock);
    while (!bsk_token_cancelled(t) && rc == 0) {
        uint64_t now = uv_hrtime();
        if (deadline >= NEVER - 1)
            uv_cond_wait(&t->root->changed, &t->root->lock);
        else if (now >= deadline)
            rc = BSK_ETIMEDOUT;
        else
            clk_wait(&t->root->changed, &t->root->lock, deadline - now);
    }
    uv_mutex_unlock(&t->root->lock);
    return rc;
}

bsk_token *bsk_scope_token(bsk_scope *s)
{
    if (!s->token) s->token = bsk_token_new(NULL);
    if (!s->token) return NULL;
    if (s->cancelled) bsk_token_cancel(s->token);
    return bsk_token_new(s->token);
}

void token_scope_cancelled(bsk_token *t)
{
    if (t) bsk_token_cancel(t);
}

void token_scope_over(bsk_token *t)
{
    token_scope_cancelled(t);
    bsk_token_drop(t);
}
