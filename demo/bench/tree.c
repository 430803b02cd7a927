/* SPDX-License-Identifier: MIT */
/* tree.c - a tree of actors, ten children each in a scope, is cancelled at its root. */
#include "workloads.h"

#include <stdatomic.h>

enum { CHILDREN = 10 };

/* What all nodes share. */
struct forest {
    struct bench *b;
    int64_t leaves;
    _Atomic int64_t grown, ended;
};

struct node {
    struct forest *f;
    int64_t leaves;
};

static void idle(bsk_self *self, bsk_msg *m)
{
    bench_check(m == NULL, bsk_cancelled(self), "messages to a node");
}

static void count_end(bsk_self *self)
{
    const struct node *n = bsk_state(self);
    atomic_fetch_add(&n->f->ended, 1);
}

static void grow(bsk_self *self)
{
    const struct node *n = bsk_state(self);
    if (n->leaves == 1) {
        int64_t grown = atomic_fetch_add(&n->f->grown, 1) + 1;
        if (grown == n->f->leaves) bsk_tell(n->f->b->driver, done);
        return;
    }
    bsk_scope *s = bsk_scope_open(self, BSK_FOREVER);
    if (!s) bench_must(bsk_error(self), "open a scope");
    for (int i = 0; i < CHILDREN; i++)
        bench_born(self, bsk_go(s, idle, .init = grow, .fini = count_end,
                                BSK_STATE(struct node, n->f, n->leaves / CHILDREN)));
}

static void cancel_tree(bsk_self *self)
{
    struct forest *f = *(struct forest **)bsk_state(self);
    bsk_scope *s = bsk_scope_open(self, BSK_FOREVER);
    if (!s) bench_must(bsk_error(self), "open a scope");
    bsk_go(s, idle, .init = grow, .fini = count_end, BSK_STATE(struct node, f, f->leaves));
    bench_wait_go(self);
    bsk_scope_cancel(s);
    bench_check(bsk_scope_join(s), BSK_ECANCELED, "end of the join");
    bsk_tell(f->b->driver, done);
}

static int64_t power_of_ten(int64_t most)
{
    int64_t n = 1;
    while (n <= most / 10) n *= 10;
    return n;
}

void run_tree(struct bench *b)
{
    struct forest forest = {.b = b, .leaves = power_of_ten(b->n)};
    struct forest *f = &forest;
    bsk_addr root = bench_born(NULL, bsk_spawn(b->rt, cancel_tree, BSK_STATE(struct forest *, f)));
    bench_run(b, 1);
    bench_first(b, root, 1);
    bench_run(b, 1);
    b->out.ops = f->leaves + (f->leaves * CHILDREN - 1) / 9 - f->leaves;
    bench_check(atomic_load(&f->ended), b->out.ops, "actors that ended");
}
