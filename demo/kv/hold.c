/* SPDX-License-Identifier: MIT */
/* hold.c - a batch that several shards execute at once, as one.
 *
 * The shards are held in the order of their numbers, so that two who hold never wait for each
 * other. When all are held all run their part. What they wrote is sealed: sent to the writer in
 * one. Only then are they released: what they are asked next is sent to the writer after it. A
 * connection that ends in between leaves the shards to go back to what the store has. */
#include "conn.h"

enum { HOLD_MS = 15000 };

static bsk_bytes bytes_of(const struct buffer *b)
{
    return (bsk_bytes){b->at, b->len};
}

static void let_go(struct conn *c, bool undo)
{
    for (unsigned t = 0; t < kv.options.shards; t++) {
        uint64_t id = batch_asks(c, t) ? batch_part_of(c, t)->id : 0;
        if (!id) continue;
        int rc = bsk_try(target_addr(c->self, t, false), release, .id = id, .undo = undo);
        /* Who is full would stay held: he hears of it by the end of who holds him. */
        if (rc && rc != BSK_EDEAD) bsk_fail(c->self, "shard-%u: %s", t, bsk_strerror(rc));
    }
}

static void give_up(struct conn *c, enum outcome outcome, bool undo)
{
    let_go(c, undo);
    batch_fail(c, outcome);
}

/* Nothing has run yet: who is held is let go, and all is tried again. */
static void try_again(struct conn *c)
{
    if (!batch_waits(c)) {
        give_up(c, AWAY, false);
        return;
    }
    let_go(c, false);
    for (unsigned t = 0; t < kv.options.shards; t++) batch_part_of(c, t)->id = 0;
}

static void run_part(struct conn *c, unsigned target)
{
    struct part *p = batch_part_of(c, target);
    int rc;
    if (target == channels_target())
        rc = bsk_ask(c->self, target_addr(c->self, target, true), HOLD_MS, batch,
                     .orders = bytes_of(&p->kept));
    else
        rc = bsk_ask(c->self, target_addr(c->self, target, false), HOLD_MS, run, .id = p->id,
                     .orders = bytes_of(&p->kept));
    c->waiting += rc == 0;
}

static void run_all(struct conn *c)
{
    c->phase = RUNNING;
    c->waiting = 0;
    for (unsigned t = 0; t <= channels_target(); t++)
        if (batch_asks(c, t)) run_part(c, t);
    if (!c->waiting) hold_after_run(c);
}

static void hold_next(struct conn *c)
{
    struct buffer watches = {0};
    while (c->turn < kv.options.shards && !batch_asks(c, c->turn)) c->turn++;
    if (c->turn == kv.options.shards) {
        run_all(c);
        return;
    }
    if (c->checked) watches_of(c, c->turn, &watches);
    int rc = bsk_ask(c->self, target_addr(c->self, c->turn, true), HOLD_MS, hold,
                     .holder = bsk_me(c->self), .watches = bytes_of(&watches));
    buffer_free(&watches);
    if (rc == BSK_EFULL)
        give_up(c, BUSY, false);
    else if (rc)
        try_again(c);
}

void hold_start(struct conn *c)
{
    for (unsigned t = 0; t <= channels_target(); t++) {
        if (!batch_asks(c, t)) continue;
        struct buffer *orders = batch_part(c, t), *kept = &c->parts[t].kept;
        buffer_add(kept, orders->at, orders->len);
        if (kept->failed) bsk_fail(c->self, "out of memory");
    }
    c->phase = HOLDING;
    c->turn = 0;
    hold_next(c);
}

void hold_again(struct conn *c)
{
    c->turn = 0;
    hold_next(c);
}

void hold_on_held(struct conn *c, const held *h)
{
    if (h->outcome != DONE) {
        give_up(c, (enum outcome)h->outcome, false);
        return;
    }
    batch_part_of(c, c->turn++)->id = h->id;
    hold_next(c);
}

static bool all_done(struct conn *c)
{
    for (unsigned t = 0; t < kv.options.shards; t++)
        if (batch_asks(c, t) && batch_part_of(c, t)->outcome != DONE) return false;
    return true;
}

void hold_after_run(struct conn *c)
{
    if (!all_done(c)) {
        give_up(c, LOST, true);
        return;
    }
    if (c->marks.len) {
        c->phase = SEALING;
        /* Without a deadline: a seal that the writer skips would leave the shards as they are. */
        int rc = bsk_ask(c->self, bsk_whereis(bsk_rt_of(c->self), "writer"), BSK_FOREVER, seal,
                         .marks = bytes_of(&c->marks), .writes = bytes_of(&c->writes));
        if (rc)
            give_up(c, rc == BSK_EFULL ? BUSY : AWAY, true);
        else
            let_go(c, false);
        return;
    }
    let_go(c, false);
    batch_finish(c);
}

void hold_on_ran(struct conn *c, const ran *r)
{
    struct part *p = batch_part_of(c, (unsigned)r->target);
    p->outcome = (enum outcome)r->outcome;
    buffer_clear(&p->kept);
    buffer_add(&p->kept, r->replies.ptr, r->replies.len);
    p->frames = (struct arg){p->kept.at, (uint32_t)p->kept.len};
    if (r->waits) buffer_add(&c->marks, r->mark.ptr, r->mark.len);
    buffer_add(&c->writes, r->writes.ptr, r->writes.len);
    if (p->kept.failed || c->marks.failed || c->writes.failed) bsk_fail(c->self, "out of memory");
    if (--c->waiting == 0) hold_after_run(c);
}

void hold_on_sealed(struct conn *c, enum outcome outcome)
{
    if (outcome == DONE)
        batch_finish(c);
    else
        batch_fail(c, outcome);
}

/* Who was asked to be held, or to run, ended. */
void hold_on_lost(struct conn *c)
{
    if (c->phase == HOLDING)
        try_again(c);
    else if (c->phase == SEALING)
        batch_fail(c, LOST);
    else if (--c->waiting == 0)
        hold_after_run(c);
}
