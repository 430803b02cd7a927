/* SPDX-License-Identifier: MIT */
/* idle.c - the memory of an actor that waits, once its mailbox has been used. */
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "workloads.h"

BSK_MSG(awake, (i64, i), (addr, who));
BSK_CALL(rouse, awake, (i64, i));

enum { ROUSED = 256 }; /* asked at a time: what is in flight must not count as memory of the idle */

struct herd {
    bsk_addr driver;
    bsk_addr *all;
    bool fibers;
    int64_t n, born, asked, answered, sum;
};

static void idler(bsk_self *self, bsk_msg *m)
{
    bsk_match(m)
        bsk_on(rouse, q) bsk_reply(q, rouse, .i = q->i, .who = bsk_me(self));
}

static void idler_fiber(bsk_self *self)
{
    bsk_msg *m;
    while ((m = bsk_recv(self, BSK_FOREVER))) idler(self, m);
}

static void ask_next(bsk_self *self, struct herd *s)
{
    if (s->asked == s->n) return;
    int64_t i = s->asked++;
    bench_must(bsk_ask(self, s->all[i], BSK_FOREVER, rouse, .i = i), "ask");
}

static void breed(bsk_self *self, struct herd *s)
{
    bsk_rt *rt = bsk_rt_of(self);
    for (int i = 0; i < BENCH_SLICE && s->born < s->n; i++) {
        bsk_addr a = s->fibers ? bsk_spawn(rt, idler_fiber) : bsk_spawn(rt, idler);
        s->all[s->born++] = bench_born(self, a);
    }
    if (s->born < s->n)
        bsk_tell(bsk_me(self), go_on);
    else
        for (int i = 0; i < ROUSED; i++) ask_next(self, s);
}

static void on_answer(bsk_self *self, struct herd *s, const awake *a)
{
    bench_check(bsk_same(a->who, s->all[a->i]), true, "the one that was asked answers");
    s->sum += a->i + 1;
    if (++s->answered == s->n)
        bsk_tell(s->driver, done, .sum = s->sum);
    else
        ask_next(self, s);
}

static void herd(bsk_self *self, bsk_msg *m)
{
    struct herd *s = bsk_state(self);
    bsk_match(m) {
        bsk_on_reply(rouse, a) on_answer(self, s, a);
        bsk_on_no_reply(rouse, rc) bench_must(rc, "ask");
        bsk_on(go_on, g) breed(self, s);
        bsk_on(go, g) breed(self, s);
    }
}

static void measure(struct bench *b, bool fibers)
{
    size_t bytes = b->n * sizeof(bsk_addr);
    bsk_addr *all = malloc(bytes);
    if (!all) bench_must(BSK_ENOMEM, "addresses");
    memset(all, 0, bytes); /* touched now: the list of addresses is no part of the actors */
    bsk_addr a = bsk_spawn(
        b->rt, herd,
        BSK_STATE(struct herd, .driver = b->driver, .all = all, .fibers = fibers, .n = b->n));
    bench_first(b, bench_born(NULL, a), b->n);
    int64_t before = memory_resident();
    bench_run(b, 1);
    int64_t grown = memory_resident() - before;
    bench_check(b->sum, bench_sum_to(b->n), "sum of all answers");
    b->out.ops = b->n;
    b->out.value = (double)grown / b->n;
    free(all);
}

void run_idle(struct bench *b)
{
    measure(b, false);
}

void run_idle_fiber(struct bench *b)
{
    measure(b, true);
}
