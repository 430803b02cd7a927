/* SPDX-License-Identifier: MIT */
/* latency.c - how long an answer takes at a steady rate of requests.
 *
 * Each request has a time when it is due, and its latency counts from then, however late
 * it was sent: a stall is charged to all the requests that it delayed. The client polls the clock
 * between messages to itself, since a timer's milliseconds would be all that one saw. */
#include "histogram.h"
#include "server.h"
#include "workloads.h"

enum { PERIOD_NS = 10000 };

struct prober {
    bsk_addr driver, server;
    struct histogram *h;
    int64_t due, unsent, unanswered;
};

static void send_due(bsk_self *self, struct prober *s)
{
    while (s->unsent > 0 && s->due <= bench_now()) {
        int rc = bsk_ask(self, s->server, BSK_FOREVER, question, .v = s->due);
        if (rc == BSK_EFULL) break; /* stays due */
        bench_must(rc, "ask");
        s->due += PERIOD_NS;
        s->unsent--;
    }
    if (s->unsent > 0) bsk_tell(bsk_me(self), go_on);
}

static void on_answer(struct prober *s, int64_t due)
{
    histogram_add(s->h, bench_now() - due);
    if (--s->unanswered == 0) bsk_tell(s->driver, done);
}

static void prober(bsk_self *self, bsk_msg *m)
{
    struct prober *s = bsk_state(self);
    bsk_match(m) {
        bsk_on_reply(question, a) on_answer(s, a->v - 1);
        bsk_on_no_reply(question, rc) bench_must(rc, "ask");
        bsk_on(go_on, g) send_due(self, s);
        bsk_on(go, g) {
            s->unsent = s->unanswered = g->n;
            s->due = bench_now();
            send_due(self, s);
        }
    }
}

void run_latency(struct bench *b)
{
    struct histogram h = {0};
    bsk_addr at = server_spawn(b->rt);
    bsk_addr p = bsk_spawn(b->rt, prober,
                           BSK_STATE(struct prober, .driver = b->driver, .server = at, .h = &h));
    bench_first(b, bench_born(NULL, p), b->n);
    bench_run(b, 1);
    server_check(at, b->n);
    histogram_report(b, &h);
}
