/* SPDX-License-Identifier: MIT */
/* pingpong.c - two actors, one round trip in flight. */
#include "workloads.h"

BSK_MSG(ball, (i64, v));

struct ping {
    bsk_addr driver, pong;
    int64_t n;
};
struct pong {
    bsk_addr ping;
};

static void pong(bsk_self *self, bsk_msg *m)
{
    const struct pong *s = bsk_state(self);
    bsk_match(m)
        bsk_on(ball, b) bsk_tell(s->ping, ball, .v = b->v + 1);
}

static void serve(bsk_self *self, struct ping *s, int64_t n)
{
    s->n = n;
    s->pong = bench_born(
        self, bsk_spawn(bsk_rt_of(self), pong, BSK_STATE(struct pong, .ping = bsk_me(self))));
    bsk_tell(s->pong, ball, .v = 0);
}

static void ping(bsk_self *self, bsk_msg *m)
{
    struct ping *s = bsk_state(self);
    bsk_match(m) {
        bsk_on(ball, b) {
            if (b->v < s->n)
                bsk_tell(s->pong, ball, .v = b->v);
            else
                bsk_tell(s->driver, done, .sum = b->v);
        }
        bsk_on(go, g) serve(self, s, g->n);
    }
}

static void pong_fiber(bsk_self *self)
{
    bsk_msg *m;
    while ((m = bsk_recv(self, BSK_FOREVER))) pong(self, m);
}

static int64_t next_ball(bsk_self *self)
{
    bsk_msg *m = bsk_recv(self, BSK_FOREVER);
    bsk_match(m)
        bsk_on(ball, b) return b->v;
    bsk_exit(self);
}

static void ping_fiber(bsk_self *self)
{
    const struct ping *s = bsk_state(self);
    int64_t n = bench_wait_go(self), v = 0;
    bsk_addr to = bench_born(
        self, bsk_spawn(bsk_rt_of(self), pong_fiber, BSK_STATE(struct pong, .ping = bsk_me(self))));
    while (v < n) {
        bsk_tell(to, ball, .v = v);
        v = next_ball(self);
    }
    bsk_tell(s->driver, done, .sum = v);
}

static void play(struct bench *b, bsk_addr first)
{
    bench_first(b, bench_born(NULL, first), b->n);
    bench_run(b, 1);
    bench_check(b->sum, b->n, "the last answer");
    b->out.ops = b->n;
}

void run_pingpong(struct bench *b)
{
    play(b, bsk_spawn(b->rt, ping, BSK_STATE(struct ping, .driver = b->driver)));
}

void run_pingpong_fiber(struct bench *b)
{
    play(b, bsk_spawn(b->rt, ping_fiber, BSK_STATE(struct ping, .driver = b->driver)));
}
