/* SPDX-License-Identifier: MIT */
/* skynet.c - a tree of actors, ten children each; leaf i answers i, parents sum, all end. */
#include "workloads.h"

enum { CHILDREN = 10 };

struct node {
    bsk_addr parent; /* of the root: the driver */
    int64_t first, size, sum;
    int left;
};

static void answer(bsk_self *self, const struct node *s, int64_t sum)
{
    bsk_tell(s->parent, done, .sum = sum);
    bsk_exit(self);
}

static void node(bsk_self *self, bsk_msg *m);

static void grow(bsk_self *self, struct node *s)
{
    if (s->size == 1) answer(self, s, s->first);
    int64_t size = s->size / CHILDREN;
    s->left = CHILDREN;
    for (int i = 0; i < CHILDREN; i++) {
        bsk_addr a = bsk_spawn(bsk_rt_of(self), node,
                               BSK_STATE(struct node, .parent = bsk_me(self),
                                         .first = s->first + i * size, .size = size));
        bsk_tell(bench_born(self, a), go, .n = size);
    }
}

static void node(bsk_self *self, bsk_msg *m)
{
    struct node *s = bsk_state(self);
    bsk_match(m) {
        bsk_on(go, g) grow(self, s);
        bsk_on(done, e) {
            s->sum += e->sum;
            if (--s->left == 0) answer(self, s, s->sum);
        }
    }
}

static int64_t power_of_ten(int64_t most)
{
    int64_t n = 1;
    while (n <= most / 10) n *= 10;
    return n;
}

void run_skynet(struct bench *b)
{
    int64_t n = power_of_ten(b->n);
    bsk_addr root = bsk_spawn(b->rt, node, BSK_STATE(struct node, .parent = b->driver, .size = n));
    bench_first(b, bench_born(NULL, root), n);
    bench_run(b, 1);
    bench_check(b->sum, bench_sum_to(n - 1), "sum of all leaves");
    b->out.ops = n + (n - 1) / 9;
}
