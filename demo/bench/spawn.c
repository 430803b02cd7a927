/* SPDX-License-Identifier: MIT */
/* spawn.c - many short-lived actors, each gets one message and ends. */
#include <stdatomic.h>

#include "workloads.h"

BSK_MSG(errand, (i64, v));

enum { LITTER = 64 }; /* spawned before the spawner lets others run */

struct tally {
    bsk_addr driver;
    _Atomic int64_t sum, left;
};
struct runner {
    struct tally *tally;
};
struct spawner {
    struct tally *tally;
    int64_t left;
};

static void runner(bsk_self *self, bsk_msg *m)
{
    const struct runner *s = bsk_state(self);
    struct tally *t = s->tally;
    bsk_match(m)
        bsk_on(errand, e) {
            atomic_fetch_add_explicit(&t->sum, e->v, memory_order_relaxed);
            /* Acquire and release with the same line in the others: the last one sees all sums. */
            if (atomic_fetch_sub_explicit(&t->left, 1, memory_order_acq_rel) == 1)
                bsk_tell(t->driver, done, .sum = atomic_load(&t->sum));
            bsk_exit(self);
        }
}

static void breed(bsk_self *self, struct spawner *s)
{
    for (int i = 0; i < LITTER && s->left > 0; i++, s->left--) {
        bsk_addr a =
            bsk_spawn(bsk_rt_of(self), runner, BSK_STATE(struct runner, .tally = s->tally));
        bsk_tell(bench_born(self, a), errand, .v = s->left);
    }
    if (s->left > 0) bsk_tell(bsk_me(self), go_on);
}

static void spawner(bsk_self *self, bsk_msg *m)
{
    struct spawner *s = bsk_state(self);
    bsk_match(m) {
        bsk_on(go_on, g) breed(self, s);
        bsk_on(go, g) {
            s->left = g->n;
            breed(self, s);
        }
    }
}

void run_spawn(struct bench *b)
{
    struct tally t = {.driver = b->driver, .left = b->n};
    bsk_addr a = bsk_spawn(b->rt, spawner, BSK_STATE(struct spawner, .tally = &t));
    bench_first(b, bench_born(NULL, a), b->n);
    bench_run(b, 1);
    bench_check(b->sum, bench_sum_to(b->n), "sum of all errands");
    b->out.ops = b->n;
}
