/* SPDX-License-Identifier: MIT */
/* fanin.c - four producers, one consumer that sums; a bounded mailbox and no message lost. */
#include "workloads.h"

BSK_MSG(number, (i64, v));

enum { PRODUCERS = 4, FANIN_MAILBOX = 1024 };

struct consumer {
    bsk_addr driver;
    int64_t left, sum;
};
struct producer {
    bsk_addr to;
    int64_t left;
};

static void consumer(bsk_self *self, bsk_msg *m)
{
    struct consumer *s = bsk_state(self);
    bsk_match(m)
        bsk_on(number, v) {
            s->sum += v->v;
            if (--s->left == 0) bsk_tell(s->driver, done, .sum = s->sum);
        }
}

static void consumer_fiber(bsk_self *self)
{
    bsk_msg *m;
    while ((m = bsk_recv(self, BSK_FOREVER))) consumer(self, m);
}

/* Sends until the mailbox is full or the slice is over; bsk_room or go_on brings it back here. */
static void produce(bsk_self *self, struct producer *s)
{
    for (int i = 0; i < BENCH_SLICE && s->left > 0; i++) {
        int rc = bsk_try(s->to, number, .v = s->left);
        if (rc == BSK_EFULL) {
            bench_must(bsk_want_room(self, s->to), "want room");
            return;
        }
        bench_must(rc, "try");
        s->left--;
    }
    if (s->left > 0) bsk_tell(bsk_me(self), go_on);
}

static void producer(bsk_self *self, bsk_msg *m)
{
    struct producer *s = bsk_state(self);
    bsk_match(m) {
        bsk_on(go_on, g) produce(self, s);
        bsk_on(bsk_room, r) produce(self, s);
        bsk_on(go, g) {
            s->left = g->n;
            produce(self, s);
        }
    }
}

static void producer_fiber(bsk_self *self)
{
    const struct producer *s = bsk_state(self);
    for (int64_t v = bench_wait_go(self); v > 0; v--)
        bench_must(bsk_send(self, s->to, BSK_FOREVER, number, .v = v), "send");
}

static void finish(struct bench *b)
{
    bench_run(b, 1);
    bench_check(b->sum, PRODUCERS * bench_sum_to(b->n), "sum of all numbers");
    b->out.ops = PRODUCERS * b->n;
}

void run_fanin(struct bench *b)
{
    bsk_addr to =
        bsk_spawn(b->rt, consumer, .mailbox = FANIN_MAILBOX,
                  BSK_STATE(struct consumer, .driver = b->driver, .left = PRODUCERS * b->n));
    bench_born(NULL, to);
    for (int i = 0; i < PRODUCERS; i++) {
        bsk_addr p = bsk_spawn(b->rt, producer, BSK_STATE(struct producer, .to = to));
        bench_first(b, bench_born(NULL, p), b->n);
    }
    finish(b);
}

void run_fanin_fiber(struct bench *b)
{
    bsk_addr to =
        bsk_spawn(b->rt, consumer_fiber, .mailbox = FANIN_MAILBOX,
                  BSK_STATE(struct consumer, .driver = b->driver, .left = PRODUCERS * b->n));
    bench_born(NULL, to);
    for (int i = 0; i < PRODUCERS; i++) {
        bsk_addr p = bsk_spawn(b->rt, producer_fiber, BSK_STATE(struct producer, .to = to));
        bench_first(b, bench_born(NULL, p), b->n);
    }
    finish(b);
}
