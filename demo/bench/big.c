/* SPDX-License-Identifier: MIT */
/* big.c - 120 actors ping each other at random, each with one ping outstanding. */
#include "workloads.h"

BSK_MSG(big_ping, (i64, from));
BSK_MSG(big_pong);
BSK_MSG(pings, (i64, count));
BSK_CALL(count_pings, pings);

enum { CROWD = 120 };

struct member {
    bsk_addr driver;
    const bsk_addr *all; /* filled before anyone is told to go */
    int64_t me, left, got;
    uint32_t x;
};

static void ping_someone(struct member *s)
{
    s->x = s->x * 1664525 + 1013904223;
    int64_t other = (s->x >> 16) * (CROWD - 1) >> 16;
    if (other >= s->me) other++;
    s->left--;
    bsk_tell(s->all[other], big_ping, .from = s->me);
}

static void on_pong(struct member *s)
{
    if (s->left > 0)
        ping_someone(s);
    else
        bsk_tell(s->driver, done);
}

static void member(bsk_self *self, bsk_msg *m)
{
    struct member *s = bsk_state(self);
    bsk_match(m) {
        bsk_on(big_ping, p) {
            s->got++;
            bsk_tell(s->all[p->from], big_pong);
        }
        bsk_on(big_pong, p) on_pong(s);
        bsk_on(go, g) {
            s->left = g->n;
            ping_someone(s);
        }
        bsk_on(count_pings, q) bsk_reply(q, count_pings, .count = s->got);
    }
}

static int64_t count_all(const bsk_addr all[CROWD])
{
    int64_t sum = 0;
    for (int i = 0; i < CROWD; i++) {
        const pings *p = bsk_call(NULL, all[i], BSK_FOREVER, count_pings);
        if (!p) bench_must(bsk_error(NULL), "count pings");
        sum += p->count;
    }
    return sum;
}

void run_big(struct bench *b)
{
    bsk_addr all[CROWD];
    for (int i = 0; i < CROWD; i++) {
        all[i] = bsk_spawn(
            b->rt, member,
            BSK_STATE(struct member, .driver = b->driver, .all = all, .me = i, .x = i + 1));
        bench_first(b, bench_born(NULL, all[i]), b->n);
    }
    bench_run(b, CROWD);
    bench_check(count_all(all), CROWD * b->n, "pings received");
    b->out.ops = 2 * CROWD * b->n;
}
