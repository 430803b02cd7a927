/* SPDX-License-Identifier: MIT */
/* fanout.c - a master sends to 60 workers, round robin, and waits for room where one is full. */
#include "workloads.h"

BSK_MSG(job, (i64, v));

enum { WORKERS = 60, FANOUT_MAILBOX = 1024 };

struct worker {
    bsk_addr driver;
    int64_t left, sum;
};
struct master {
    bsk_addr to[WORKERS];
    int64_t round; /* from n down to 1: also what is sent */
    int next;
};

static void worker(bsk_self *self, bsk_msg *m)
{
    struct worker *s = bsk_state(self);
    bsk_match(m)
        bsk_on(job, j) {
            s->sum += j->v;
            if (--s->left == 0) bsk_tell(s->driver, done, .sum = s->sum);
        }
}

static void advance(struct master *s)
{
    if (++s->next < WORKERS) return;
    s->next = 0;
    s->round--;
}

static void deal(bsk_self *self, struct master *s)
{
    for (int i = 0; i < BENCH_SLICE && s->round > 0; i++) {
        int rc = bsk_try(s->to[s->next], job, .v = s->round);
        if (rc == BSK_EFULL) {
            bench_must(bsk_want_room(self, s->to[s->next]), "want room");
            return;
        }
        bench_must(rc, "try");
        advance(s);
    }
    if (s->round > 0) bsk_tell(bsk_me(self), go_on);
}

static void master(bsk_self *self, bsk_msg *m)
{
    struct master *s = bsk_state(self);
    bsk_match(m) {
        bsk_on(go_on, g) deal(self, s);
        bsk_on(bsk_room, r) deal(self, s);
        bsk_on(go, g) {
            s->round = g->n;
            deal(self, s);
        }
    }
}

void run_fanout(struct bench *b)
{
    struct master s = {.next = 0};
    for (int i = 0; i < WORKERS; i++) {
        bsk_addr w = bsk_spawn(b->rt, worker, .mailbox = FANOUT_MAILBOX,
                               BSK_STATE(struct worker, .driver = b->driver, .left = b->n));
        s.to[i] = bench_born(NULL, w);
    }
    bsk_addr a = bsk_spawn(b->rt, master, .state = &s, .state_size = sizeof(s));
    bench_first(b, bench_born(NULL, a), b->n);
    bench_run(b, WORKERS);
    bench_check(b->sum, WORKERS * bench_sum_to(b->n), "sum of all jobs");
    b->out.ops = WORKERS * b->n;
}
