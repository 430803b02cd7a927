/* SPDX-License-Identifier: MIT */
/* ask.c - four clients make request-reply calls to one server. */
#include "server.h"
#include "workloads.h"

enum { CLIENTS = 4 };

struct client {
    bsk_addr driver, server;
    int64_t left, sum;
};

static void client_fiber(bsk_self *self)
{
    struct client *s = bsk_state(self);
    for (int64_t v = bench_wait_go(self); v > 0; v--) {
        const answer *a = bsk_call(self, s->server, BSK_FOREVER, question, .v = v);
        if (!a) bench_must(bsk_error(self), "call");
        s->sum += a->v;
    }
    bsk_tell(s->driver, done, .sum = s->sum);
}

static void ask_next(bsk_self *self, struct client *s)
{
    if (s->left == 0)
        bsk_tell(s->driver, done, .sum = s->sum);
    else
        bench_must(bsk_ask(self, s->server, BSK_FOREVER, question, .v = s->left--), "ask");
}

static void client(bsk_self *self, bsk_msg *m)
{
    struct client *s = bsk_state(self);
    bsk_match(m) {
        bsk_on_reply(question, a) {
            s->sum += a->v;
            ask_next(self, s);
        }
        bsk_on_no_reply(question, rc) bench_must(rc, "ask");
        bsk_on(go, g) {
            s->left = g->n;
            ask_next(self, s);
        }
    }
}

static void finish(struct bench *b, bsk_addr server)
{
    bench_run(b, CLIENTS);
    server_check(server, CLIENTS * b->n);
    bench_check(b->sum, CLIENTS * (bench_sum_to(b->n) + b->n), "sum of all answers");
    b->out.ops = CLIENTS * b->n;
}

void run_ask(struct bench *b)
{
    bsk_addr at = server_spawn(b->rt);
    for (int i = 0; i < CLIENTS; i++) {
        bsk_addr c = bsk_spawn(b->rt, client_fiber,
                               BSK_STATE(struct client, .driver = b->driver, .server = at));
        bench_first(b, bench_born(NULL, c), b->n);
    }
    finish(b, at);
}

void run_ask_handler(struct bench *b)
{
    bsk_addr at = server_spawn(b->rt);
    for (int i = 0; i < CLIENTS; i++) {
        bsk_addr c =
            bsk_spawn(b->rt, client, BSK_STATE(struct client, .driver = b->driver, .server = at));
        bench_first(b, bench_born(NULL, c), b->n);
    }
    finish(b, at);
}
