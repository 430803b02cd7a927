/* SPDX-License-Identifier: MIT */
/* wake.c - from a thread's tell to the handler, while the whole runtime sleeps. */
#define _DEFAULT_SOURCE 1
#include <time.h>

#include "histogram.h"
#include "workloads.h"

BSK_MSG(knock, (i64, at));
BSK_MSG(knocks, (i64, count));
BSK_CALL(count_knocks, knocks);

enum { SLEEP_NS = 2000000 };

struct sleeper {
    struct histogram *h;
    int64_t count;
};

static void sleeper(bsk_self *self, bsk_msg *m)
{
    int64_t now = bench_now();
    struct sleeper *s = bsk_state(self);
    bsk_match(m) {
        bsk_on(knock, k) {
            histogram_add(s->h, now - k->at);
            s->count++;
        }
        bsk_on(count_knocks, q) bsk_reply(q, count_knocks, .count = s->count);
    }
}

static void knock_all(bsk_addr who, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        nanosleep(&(struct timespec){.tv_nsec = SLEEP_NS}, NULL); /* all workers park meanwhile */
        bsk_tell(who, knock, .at = bench_now());
    }
    const knocks *k = bsk_call(NULL, who, BSK_FOREVER, count_knocks);
    if (!k) bench_must(bsk_error(NULL), "count knocks");
    bench_check(k->count, n, "knocks heard");
}

void run_wake(struct bench *b)
{
    struct histogram h = {0};
    bsk_addr who = bench_born(NULL, bsk_spawn(b->rt, sleeper, BSK_STATE(struct sleeper, .h = &h)));
    int64_t ns = bench_now(), cpu_ns = bench_cpu();
    knock_all(who, b->n);
    b->out.ns = bench_now() - ns;
    b->out.cpu_ns = bench_cpu() - cpu_ns;
    histogram_report(b, &h);
}
