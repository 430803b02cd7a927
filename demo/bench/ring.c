/* SPDX-License-Identifier: MIT */
/* ring.c - 1000 actors in a ring pass tokens on; where a token's hops end, that actor reports. */
#include "workloads.h"

BSK_MSG(token, (i64, left));
BSK_MSG(ring_close, (addr, next));

enum { RING = 1000 };

struct station {
    bsk_addr driver, next;
    int64_t index;
};

static void pass(const struct station *s, int64_t left)
{
    if (left > 0)
        bsk_tell(s->next, token, .left = left - 1);
    else
        bsk_tell(s->driver, done, .sum = s->index);
}

static void station(bsk_self *self, bsk_msg *m)
{
    struct station *s = bsk_state(self);
    bsk_match(m) {
        bsk_on(token, t) pass(s, t->left);
        bsk_on(go, g) pass(s, g->n);
        bsk_on(ring_close, c) s->next = c->next;
    }
}

static void station_fiber(bsk_self *self)
{
    bsk_msg *m;
    while ((m = bsk_recv(self, BSK_FOREVER))) station(self, m);
}

/* Spawned last to first, so that each knows the next; only the last one must be told. */
static void build(struct bench *b, bsk_addr ring[RING], bool fibers)
{
    for (int i = RING - 1; i >= 0; i--) {
        struct station s = {.driver = b->driver, .index = i};
        if (i < RING - 1) s.next = ring[i + 1];
        ring[i] = fibers ? bsk_spawn(b->rt, station_fiber, .state = &s, .state_size = sizeof(s))
                         : bsk_spawn(b->rt, station, .state = &s, .state_size = sizeof(s));
        bench_born(NULL, ring[i]);
    }
    bsk_tell(ring[RING - 1], ring_close, .next = ring[0]);
}

static void run(struct bench *b, int tokens, bool fibers)
{
    bsk_addr ring[RING];
    int64_t each = (b->n + tokens - 1) / tokens, ends = 0;
    build(b, ring, fibers);
    for (int k = 0; k < tokens; k++) {
        int64_t at = k * (RING / tokens);
        bench_first(b, ring[at], each);
        ends += (at + each) % RING;
    }
    bench_run(b, tokens);
    bench_check(b->sum, ends, "sum of the places where the tokens end");
    b->out.ops = each * tokens;
}

void run_ring(struct bench *b)
{
    run(b, 1, false);
}

void run_ring_fiber(struct bench *b)
{
    run(b, 1, true);
}

void run_ring100(struct bench *b)
{
    run(b, 100, false);
}
