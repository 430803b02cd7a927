/* SPDX-License-Identifier: MIT */
/* restart.c - from a child's failure to the first message that its successor handles. */
#include "histogram.h"
#include "workloads.h"

#include <limits.h>

BSK_MSG(hello);

struct rounds {
    struct bench *b;
    struct histogram latency;
    int64_t failed_at, left;
};

/* The one child at a time has the rounds to itself. */
static void fail_again(bsk_self *self, struct rounds *r)
{
    r->failed_at = bench_now();
    bsk_fail(self, "as it should");
}

static void worker(bsk_self *self, bsk_msg *m)
{
    struct rounds *r = *(struct rounds **)bsk_state(self);
    bsk_match(m) {
        bsk_on(go, g) fail_again(self, r);
        bsk_on(hello, h) {
            histogram_add(&r->latency, bench_now() - r->failed_at);
            if (--r->left > 0) fail_again(self, r);
            bsk_tell(r->b->driver, done, .sum = r->left);
        }
    }
}

static void greet_oneself(bsk_self *self)
{
    const struct rounds *r = *(struct rounds **)bsk_state(self);
    if (r->failed_at) bsk_tell(bsk_me(self), hello);
}

void run_restart(struct bench *b)
{
    struct rounds rounds = {.b = b, .left = b->n};
    struct rounds *r = &rounds;
    bsk_addr sup = bsk_supervise(
        b->rt, BSK_SUP(.intensity = INT_MAX, .period_ms = 1),
        bsk_child(worker, .name = "worker", .init = greet_oneself, BSK_STATE(struct rounds *, r)));
    bench_born(NULL, sup);
    bench_first(b, bsk_whereis(b->rt, "worker"), b->n);
    bench_run(b, 1);
    bench_check((int64_t)r->latency.count, b->n, "restarts");
    bench_must(bsk_stop(sup, BSK_FOREVER), "stop the supervisor");
    b->out.value = (double)histogram_quantile(&r->latency, 0.5);
    bench_extra(b, "p99_ns", (double)histogram_quantile(&r->latency, 0.99));
    bench_extra(b, "restarts/s", (double)b->n * 1e9 / (double)b->out.ns);
    b->out.ops = b->n;
}
