/* SPDX-License-Identifier: MIT */
/* shared.c - keys that all connections write. */
#include "shared.h"

#include <inttypes.h>
#include <stdio.h>

struct shared shared[SHARED];

void shared_init(const char *prefix)
{
    for (unsigned i = 0; i < SHARED; i++)
        snprintf(shared[i].name, sizeof shared[i].name, "%s%s%u", prefix,
                 i < COUNTERS ? "counter" : "purse", i);
}

int64_t shared_floor(unsigned i)
{
    return atomic_load(&shared[i].top);
}

/* Counters only grow. One that has not is told of once: from then on it counts from there. */
enum verdict shared_answered(const struct op *op, const struct reply *r)
{
    struct shared *s = &shared[op->shared];
    if (r->type != ':') return WRONG;
    atomic_fetch_add(&s->acknowledged, op->n);
    if (op->shared >= COUNTERS) return FITS;
    int64_t top = atomic_load(&s->top);
    while (r->n > top && !atomic_compare_exchange_weak(&s->top, &top, r->n)) {
    }
    if (r->n > op->floor || top < op->floor) return FITS;
    atomic_store(&s->top, r->n);
    return LOST;
}

void shared_doubted(const struct op *op)
{
    atomic_fetch_add(&shared[op->shared].doubted, op->n);
}

enum verdict shared_final(unsigned i, int64_t n)
{
    int64_t least = atomic_load(&shared[i].acknowledged);
    if (n < least) return LOST;
    return n <= least + atomic_load(&shared[i].doubted) ? FITS : WRONG;
}

enum verdict shared_sum(int64_t n)
{
    static _Atomic int64_t known;
    return atomic_exchange(&known, n) == n ? FITS : WRONG;
}

void shared_describe(unsigned i, char *to, size_t size)
{
    int64_t least = atomic_load(&shared[i].acknowledged);
    snprintf(to, size, "%" PRId64 " to %" PRId64, least, least + atomic_load(&shared[i].doubted));
}
