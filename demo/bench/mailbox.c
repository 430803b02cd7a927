/* SPDX-License-Identifier: MIT */
/* mailbox.c - a flood into a full mailbox, once for each thing that may happen there.
 *
 * What counts is that the books balance: every message sent was handled, or its sender was told,
 * or it is a counted dead letter. */
#define _DEFAULT_SOURCE 1
#include <stdatomic.h>
#include <time.h>

#include "workloads.h"

BSK_MSG(parcel, (i64, v));

enum {
    FULL = 1024,
    FLOOD_SLICE = 4 * FULL,  /* so that the mailbox fills even where both share a worker */
    LEAST = 4 * FLOOD_SLICE, /* less would fill nothing */
    PATIENCE_MS = 10000      /* for what is still queued when the flood ends */
};

struct slow {
    _Atomic int64_t *handled; /* in the main thread: it outlives a receiver that fails */
    uint32_t x;
};
struct flood {
    bsk_addr driver, to;
    bool tells;
    int64_t left, told_so; /* refusals that a bsk_try returned */
};

static uint32_t grind(uint32_t x)
{
    for (int i = 0; i < 64; i++) x = x * 1664525 + 1013904223;
    return x;
}

static void slow(bsk_self *self, bsk_msg *m)
{
    struct slow *s = bsk_state(self);
    bsk_match(m)
        bsk_on(parcel, p) {
            s->x = grind(s->x);
            /* Pairs with the load in balance: whoever reads the last count may reuse its place. */
            atomic_fetch_add_explicit(s->handled, 1, memory_order_release);
        }
}

static bool try_one(struct flood *s)
{
    return bsk_try(s->to, parcel, .v = s->left) == 0;
}

static void pour(bsk_self *self, struct flood *s)
{
    for (int i = 0; i < FLOOD_SLICE && s->left > 0; i++, s->left--) {
        if (s->tells)
            bsk_tell(s->to, parcel, .v = s->left);
        else if (!try_one(s))
            s->told_so++;
    }
    if (s->left > 0)
        bsk_tell(bsk_me(self), go_on);
    else
        bsk_tell(s->driver, done, .sum = s->told_so);
}

static void flood(bsk_self *self, bsk_msg *m)
{
    struct flood *s = bsk_state(self);
    bsk_match(m) {
        bsk_on(go_on, g) pour(self, s);
        bsk_on(go, g) {
            s->left = g->n;
            pour(self, s);
        }
    }
}

static int64_t dead_letters(bsk_rt *rt)
{
    bsk_stats_out st;
    bsk_stats(rt, &st);
    return st.dead[BSK_DEAD_REFUSED] + st.dead[BSK_DEAD_DROPPED] + st.dead[BSK_DEAD_UNHANDLED] +
           st.dead[BSK_DEAD_GONE];
}

/* Waits until the receiver is through with what it accepted; an account too high never balances. */
static void balance(const struct bench *b, const _Atomic int64_t *handled, int64_t dead_before)
{
    int64_t sum = 0, lost = 0;
    for (int ms = 0; ms < PATIENCE_MS && sum != b->n; ms++) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        lost = b->sum + dead_letters(b->rt) - dead_before;
        sum = lost + atomic_load(handled);
    }
    bench_check(sum, b->n, "messages handled, refused or dropped");
    bench_check(lost > 0, true, "a flood that fills the mailbox");
}

static int64_t flood_once(struct bench *b, enum bsk_overflow policy, bool tells)
{
    _Atomic int64_t handled = 0;
    int64_t dead = dead_letters(b->rt);
    bsk_addr to = bsk_spawn(b->rt, slow, .mailbox = FULL, .overflow = policy,
                            BSK_STATE(struct slow, .handled = &handled));
    bsk_addr from = bsk_spawn(
        b->rt, flood,
        BSK_STATE(struct flood, .driver = b->driver, .tells = tells, .to = bench_born(NULL, to)));
    bench_first(b, bench_born(NULL, from), b->n);
    bench_run(b, 1);
    balance(b, &handled, dead);
    return b->out.ns;
}

void run_mailbox(struct bench *b)
{
    static const struct {
        const char *name;
        enum bsk_overflow policy;
        bool tells;
    } floods[] = {
        {"tell_refused", BSK_REFUSE, true},      {"try_refused", BSK_REFUSE, false},
        {"drop_newest", BSK_DROP_NEWEST, false}, {"drop_oldest", BSK_DROP_OLDEST, false},
        {"receiver_fails", BSK_FAIL, false},
    };
    enum { FLOODS = sizeof(floods) / sizeof(floods[0]) };
    int64_t sum_ns = 0;
    if (b->n < LEAST) b->n = LEAST;
    for (int i = 0; i < FLOODS; i++) {
        int64_t ns = flood_once(b, floods[i].policy, floods[i].tells);
        bench_extra(b, floods[i].name, b->n * 1e9 / ns);
        sum_ns += ns;
    }
    b->out.ns = sum_ns;
    b->out.ops = FLOODS * b->n;
}
