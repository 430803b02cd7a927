/* SPDX-License-Identifier: MIT */
/* timers.c - many one-shot timers, each a message to the one actor that set them. */
#include "workloads.h"

BSK_MSG(ring_bell, (i64, i));

struct collector {
    bsk_addr driver;
    int64_t unset, left, sum;
};

static void set(bsk_self *self, struct collector *s)
{
    for (int i = 0; i < BENCH_SLICE && s->unset > 0; i++, s->unset--) {
        bsk_timer t = bsk_after(self, 1 + s->unset % 1000, ring_bell, .i = s->unset);
        if (t.gen == 0) bench_must(bsk_error(self), "timer");
    }
    if (s->unset > 0) bsk_tell(bsk_me(self), go_on);
}

static void collector(bsk_self *self, bsk_msg *m)
{
    struct collector *s = bsk_state(self);
    bsk_match(m) {
        bsk_on(ring_bell, r) {
            s->sum += r->i;
            if (--s->left == 0) bsk_tell(s->driver, done, .sum = s->sum);
        }
        bsk_on(go_on, g) set(self, s);
        bsk_on(go, g) {
            s->unset = s->left = g->n;
            set(self, s);
        }
    }
}

void run_timers(struct bench *b)
{
    bsk_addr a = bsk_spawn(b->rt, collector, BSK_STATE(struct collector, .driver = b->driver));
    bench_first(b, bench_born(NULL, a), b->n);
    bench_run(b, 1);
    bench_check(b->sum, bench_sum_to(b->n), "sum of all timers");
    b->out.ops = b->n;
}
