/* SPDX-License-Identifier: MIT */
/* Figures: summed over the workers, who each count for themselves and are never stopped for it. */
#include "hooks.h"

static uint64_t load(const _Atomic uint64_t *figure)
{
    /* Relaxed: each figure stands for itself. */
    return atomic_load_explicit(figure, memory_order_relaxed);
}

static void add(bsk_stats_out *out, const struct figures *f)
{
    out->spawned += load(&f->spawned);
    out->ended += load(&f->ended);
    out->failed += load(&f->failed);
    out->handled_user += load(&f->user);
    out->handled_signal += load(&f->signal);
    out->handled_reply += load(&f->reply);
    out->refused += load(&f->refused);
    for (int i = 0; i < BSK_DEAD_COUNT; i++) out->dead[i] += load(&f->dead[i]);
    out->steals += load(&f->steals);
    out->parks += load(&f->parks);
    out->wakeups += load(&f->wakeups);
    out->timers += load(&f->timers_made) - load(&f->timers_freed);
}

static void summarise(bsk_quantiles *out, const struct hist *h)
{
    *out = (bsk_quantiles){hist_count(h),          hist_quantile(h, 0.5),   hist_quantile(h, 0.9),
                           hist_quantile(h, 0.99), hist_quantile(h, 0.999), hist_max(h)};
}

/* Without memory for a merged histogram it stays empty. */
static void add_histograms(bsk_rt *rt, bsk_stats_out *out)
{
    struct hist *sum = mem_zalloc(2 * sizeof *sum);
    if (!sum) return;
    /* Acquire, both, pairs with the releases where workers are added: each is whole. */
    unsigned n = atomic_load_explicit(&rt->nworkers, memory_order_acquire);
    for (unsigned i = 0; i < n; i++) {
        struct worker *w = atomic_load_explicit(&rt->workers[i], memory_order_acquire);
        hist_merge(&sum[0], w->in_mailbox);
        hist_merge(&sum[1], w->in_handler);
    }
    summarise(&out->in_mailbox, &sum[0]);
    summarise(&out->in_handler, &sum[1]);
    mem_free(sum);
}

void bsk_stats(bsk_rt *rt, bsk_stats_out *out)
{
    bsk_stats_out sum = {0};
    add(&sum, &rt->elsewhere);
    /* Acquire: as in add_histograms. */
    unsigned n = atomic_load_explicit(&rt->nworkers, memory_order_acquire);
    for (unsigned i = 0; i < n; i++) {
        struct worker *w = atomic_load_explicit(&rt->workers[i], memory_order_acquire);
        add(&sum, &w->count);
        sum.runnable += load(&w->queued);
    }
    sum.actors = sum.spawned - sum.ended;
    sum.memory_actors = slab_bytes(&rt->actors);
    sum.memory_messages = load(&rt->pool.mapped) + load(&rt->pool.heaped);
    sum.memory_stacks = stk_mapped(&rt->stacks);
    sum.memory_other = slab_bytes(&rt->asks) + slab_bytes(&rt->timers) + slab_bytes(&rt->names) +
                       slab_bytes(act_hooks.slab(rt)) + slab_bytes(loop_hooks.slab(rt));
    if (rt->opts.histograms) add_histograms(rt, &sum);
    *out = sum;
}
