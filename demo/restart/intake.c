/* SPDX-License-Identifier: MIT */
/* intake.c - accepts orders and gives them out until they are settled.
 *
 * What it knows is only a copy: an order is accepted after the ledger has it in its journal, and
 * a new intake begins with what the ledger says is open. An order goes to a worker again when its
 * worker has ended (a monitor tells), or when nothing was heard of it for a while. A worker that
 * has orders and is silent for too long hangs: it is killed, so that its supervisor starts
 * another. */
#include <inttypes.h>
#include <string.h>

#include "book.h"
#include "shop.h"
#include "trouble.h"

enum { LOOK_MS = 50, AGAIN_MS = 600, PATIENCE_MS = 1000, KEEP_MS = 500, RECALL_MS = 1000 };
enum { NOBODY = -1 };

BSK_MSG(look_round);

struct open_order {
    struct order order;
    int64_t given; /* when */
    int worker;    /* to whom, or NOBODY */
};

struct intake {
    bsk_self *self;
    bsk_rt *rt;
    struct open_order open[OPEN_MAX];
    int n;
    unsigned next;           /* worker to be asked */
    int64_t asked[WORKERS];  /* when a worker got an order, first since it settled one; or 0 */
    bsk_monitor on[WORKERS]; /* of who is watched */
};

static bsk_addr worker_of(struct intake *in, int w)
{
    return shop_holder(in->rt, (enum role)(WORKER_1 + w));
}

static struct open_order *find(struct intake *in, int64_t id)
{
    for (int i = 0; i < in->n; i++)
        if (in->open[i].order.id == id) return &in->open[i];
    return NULL;
}

/* Gives the order to the next worker who has room. */
static void give(struct intake *in, struct open_order *o)
{
    int64_t now = bsk_now(in->rt);
    o->worker = NOBODY;
    for (int i = 0; i < WORKERS && o->worker == NOBODY; i++) {
        int w = (int)(in->next++ % WORKERS);
        if (bsk_try(worker_of(in, w), job, .id = o->order.id, .amount = o->order.amount)) continue;
        o->worker = w;
        o->given = now;
        if (!in->asked[w]) in->asked[w] = now;
    }
}

static void add(struct intake *in, struct order order)
{
    if (in->n == OPEN_MAX || find(in, order.id)) return;
    in->open[in->n] = (struct open_order){.order = order};
    give(in, &in->open[in->n++]);
}

/* Has the order kept. False: nobody knows whether it is, so its customer is to come again. */
static bool have_kept(struct intake *in, struct order o)
{
    const kept *k = bsk_call(in->self, shop_holder(in->rt, LEDGER), KEEP_MS, keep, .id = o.id,
                             .amount = o.amount);
    if (k && !k->settled) add(in, o);
    return k;
}

static void on_place(struct intake *in, const place *q)
{
    struct order o = {q->id, q->amount};
    if (in->n == OPEN_MAX || o.id < 1 || o.id > ID_MAX) {
        bsk_reply(q, place, .accepted = false);
        return;
    }
    /* The request is borrowed until the next wait; the right to reply is kept. */
    bsk_pending customer = bsk_later(q, place);
    bsk_answer(customer, place, .accepted = have_kept(in, o));
}

static void on_settled(struct intake *in, const settled *s)
{
    struct open_order *o = find(in, s->id);
    if (s->worker >= 0 && s->worker < WORKERS) in->asked[s->worker] = 0;
    if (o) *o = in->open[--in->n];
}

static void on_down(struct intake *in, const bsk_down *d)
{
    for (int w = 0; w < WORKERS; w++) {
        if (!bsk_is_of(d, in->on[w])) continue;
        in->on[w] = (bsk_monitor){0, 0};
        in->asked[w] = 0;
        for (int i = 0; i < in->n; i++)
            if (in->open[i].worker == w) give(in, &in->open[i]);
    }
}

static void look_at_worker(struct intake *in, int w, int64_t now)
{
    bsk_addr who = worker_of(in, w);
    if (!in->on[w].gen && !bsk_is_nobody(who)) in->on[w] = bsk_watch(in->self, who);
    if (!in->asked[w] || now - in->asked[w] < PATIENCE_MS) return;
    in->asked[w] = 0;
    if (bsk_kill(who) == 0)
        post_say(in->self, "intake: %s has orders and is silent for %d ms: killed",
                 roles[WORKER_1 + w].name, PATIENCE_MS);
}

static void on_look(struct intake *in)
{
    int64_t now = bsk_now(in->rt);
    for (int w = 0; w < WORKERS; w++) look_at_worker(in, w, now);
    for (int i = 0; i < in->n; i++) {
        struct open_order *o = &in->open[i];
        if (o->worker == NOBODY || now - o->given >= AGAIN_MS) give(in, o);
    }
}

static void take(struct intake *in, bsk_msg *m)
{
    post_count(in->self);
    bsk_match(m) {
        bsk_on(place, q) on_place(in, q);
        bsk_on(settled, s) on_settled(in, s);
        bsk_on(look_round, l) on_look(in);
        bsk_on(bsk_down, d) on_down(in, d);
        bsk_on(trouble, t) trouble_make(in->self, t->kind);
        bsk_on(junk, j) trouble_chew(in->self, j);
    }
}

static void begin(struct intake *in)
{
    struct order o;
    const open_orders *r = bsk_call(in->self, shop_holder(in->rt, LEDGER), RECALL_MS, recall);
    if (!r && bsk_cancelled(in->self)) bsk_exit(in->self);
    if (!r) bsk_fail(in->self, "ledger: %s", bsk_strerror(bsk_error(in->self)));
    const char *p = r->orders.ptr;
    for (size_t i = 0; i < r->orders.len / sizeof o; i++) {
        memcpy(&o, p + i * sizeof o, sizeof o);
        add(in, o);
    }
    if (in->n) post_say(in->self, "intake: gives out %d orders that are open", in->n);
}

void intake(bsk_self *self)
{
    struct intake in = {.self = self, .rt = bsk_rt_of(self)};
    begin(&in);
    if (!bsk_every(self, LOOK_MS, look_round).gen) bsk_fail(self, "out of memory");
    bsk_ready(self, in.n);
    for (bsk_msg *m; (m = bsk_recv(self, BSK_FOREVER));) take(&in, m);
}
