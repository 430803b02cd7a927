/* SPDX-License-Identifier: MIT */
/* batch.c - commands of a client on their way to the shards, and the replies on their way back. */
#include <stdlib.h>

#include "conn.h"

enum { ASK_MS = 15000, AWAY_MS = 2000, AGAIN_MS = 5 };

static const char *const outcome_errors[] = {
    [DONE] = "",
    [LOST] = ("-TRYAGAIN a part of the service was restarted; it is not known whether the command "
              "was executed\r\n"),
    [AWAY] = "-TRYAGAIN a part of the service is being restarted; the command was not executed\r\n",
    [BUSY] = "-BUSY there is too much to do; the command was not executed\r\n",
    [LOADING] = "-LOADING Redis is loading the dataset in memory\r\n",
    [CHANGED] = "*-1\r\n",
    [REFUSED] = MISCONF_ERROR,
};

unsigned channels_target(void)
{
    return kv.options.shards;
}

bsk_addr target_addr(bsk_self *self, unsigned target, bool anew)
{
    static _Thread_local bsk_addr known[TARGETS_MAX];
    char name[SHARD_NAME];
    if (!anew && !bsk_is_nobody(known[target])) return known[target];
    const char *who = target == channels_target() ? "channels" : shard_name(target, name);
    return known[target] = bsk_whereis(bsk_rt_of(self), who);
}

void batch_begin(struct conn *c)
{
    buffer_clear(scratch(SCRATCH_LOCAL));
    buffer_clear(&c->items);
    c->barrier = c->again = c->atomic = c->checked = c->mute = c->asks_channels = false;
    c->asked = c->noted = 0;
}

struct buffer *conn_reply(struct conn *c)
{
    (void)c;
    return scratch(SCRATCH_LOCAL);
}

static void note_local(struct conn *c)
{
    size_t len = conn_reply(c)->len;
    struct item i = {.kind = ITEM_LOCAL, .n = len - c->noted};
    if (!i.n) return;
    c->noted = len;
    buffer_add(&c->items, &i, sizeof i);
}

static struct item *last_item(struct conn *c)
{
    void *end = c->items.at + c->items.len;
    return c->items.len ? (struct item *)end - 1 : NULL;
}

void batch_item(struct conn *c, struct item i)
{
    note_local(c);
    struct item *last = last_item(c);
    if (last && last->kind == ITEM_NEXT && i.kind == ITEM_NEXT && last->target == i.target)
        last->n += i.n;
    else
        buffer_add(&c->items, &i, sizeof i);
}

bool batch_asks(const struct conn *c, unsigned target)
{
    return target == channels_target() ? c->asks_channels : c->asked >> target & 1;
}

struct buffer *batch_part(struct conn *c, unsigned target)
{
    struct buffer *b = scratch(SCRATCH_PARTS + target);
    if (batch_asks(c, target)) return b;
    buffer_clear(b);
    if (target == channels_target())
        c->asks_channels = true;
    else
        c->asked |= UINT64_C(1) << target;
    return b;
}

struct part *batch_part_of(struct conn *c, unsigned target)
{
    return c->parts ? &c->parts[target] : &c->one;
}

static bsk_bytes bytes_of(const struct buffer *b)
{
    return (bsk_bytes){b->at, b->len};
}

bool batch_waits(struct conn *c)
{
    int64_t now = bsk_now(bsk_rt_of(c->self));
    if (!c->away_until) c->away_until = now + AWAY_MS;
    if (now >= c->away_until || c->stopping) return false;
    if (!c->waits && !bsk_after(c->self, AGAIN_MS, ask_again).gen)
        bsk_fail(c->self, "out of memory");
    c->waits = true;
    return true;
}

static void keep(struct conn *c, struct part *p, bsk_bytes orders)
{
    p->away = true;
    if (orders.ptr == p->kept.at) return;
    buffer_clear(&p->kept);
    buffer_add(&p->kept, orders.ptr, orders.len);
    if (p->kept.failed) bsk_fail(c->self, "out of memory");
}

static void ask(struct conn *c, unsigned target, bsk_bytes orders, bsk_bytes watches)
{
    struct part *p = batch_part_of(c, target);
    int rc = bsk_ask(c->self, target_addr(c->self, target, false), ASK_MS, batch, .orders = orders,
                     .watches = watches);
    if (rc == BSK_EDEAD || rc == BSK_ECLOSED)
        rc = bsk_ask(c->self, target_addr(c->self, target, true), ASK_MS, batch, .orders = orders,
                     .watches = watches);
    p->away = false;
    bool away = (rc == BSK_EDEAD || rc == BSK_ECLOSED) && batch_waits(c);
    if (away) keep(c, p, orders);
    if (away || !rc) {
        c->waiting++;
        return;
    }
    p->outcome = rc == BSK_EFULL ? BUSY : AWAY;
    p->answered = true;
    count_up(&kv.count.busy, rc == BSK_EFULL);
}

static void ask_all(struct conn *c)
{
    struct buffer watches = {0};
    if (c->checked && c->asked) watches_of(c, (unsigned)__builtin_ctzll(c->asked), &watches);
    c->phase = ASKING;
    c->waiting = 0;
    for (unsigned t = 0; t <= channels_target(); t++)
        if (batch_asks(c, t)) ask(c, t, bytes_of(batch_part(c, t)), bytes_of(&watches));
    buffer_free(&watches);
    if (!c->waiting) batch_finish(c);
}

static void ask_those_away(struct conn *c)
{
    struct buffer watches = {0};
    if (c->checked && c->asked) watches_of(c, (unsigned)__builtin_ctzll(c->asked), &watches);
    for (unsigned t = 0; t <= channels_target(); t++) {
        struct part *p = batch_part_of(c, t);
        if (!batch_asks(c, t) || !p->away) continue;
        c->waiting--;
        ask(c, t, bytes_of(&p->kept), bytes_of(&watches));
    }
    buffer_free(&watches);
    if (!c->waiting) batch_finish(c);
}

void batch_ask_again(struct conn *c)
{
    c->waits = false;
    if (c->phase == HOLDING)
        hold_again(c);
    else if (c->phase == ASKING)
        ask_those_away(c);
}

static void answer_at_once(struct conn *c)
{
    struct buffer *local = conn_reply(c);
    if (local->failed) bsk_fail(c->self, "out of memory");
    conn_write(c, local->at, local->len);
}

void batch_send(struct conn *c)
{
    if (!c->asked && !c->asks_channels) {
        answer_at_once(c);
        return;
    }
    note_local(c);
    buffer_clear(&c->local);
    buffer_add(&c->local, conn_reply(c)->at, conn_reply(c)->len);
    unsigned n = (unsigned)__builtin_popcountll(c->asked);
    c->one = (struct part){.outcome = LOST};
    c->away_until = 0;
    if (n + c->asks_channels > 1 && !(c->parts = calloc(channels_target() + 1, sizeof *c->parts)))
        bsk_fail(c->self, "out of memory");
    for (unsigned t = 0; c->parts && t <= channels_target(); t++) c->parts[t].outcome = LOST;
    if (c->local.failed || c->items.failed) bsk_fail(c->self, "out of memory");
    if (c->atomic && n > 1)
        hold_start(c);
    else
        ask_all(c);
}

static void batch_count(struct conn *c)
{
    if (--c->waiting) return;
    if (c->phase == RUNNING)
        hold_after_run(c);
    else
        batch_finish(c);
}

void batch_on_answers(struct conn *c, const answers *a)
{
    struct part *p = batch_part_of(c, (unsigned)a->target);
    p->answered = true;
    p->outcome = (enum outcome)a->outcome;
    p->frames = (struct arg){a->replies.ptr, (uint32_t)a->replies.len};
    if (c->parts) {
        buffer_clear(&p->kept);
        buffer_add(&p->kept, a->replies.ptr, a->replies.len);
        p->frames.at = p->kept.at;
        if (p->kept.failed) bsk_fail(c->self, "out of memory");
    }
    batch_count(c);
}

/* Who it was is seen at the end: a part that has no answer. */
void batch_on_lost(struct conn *c)
{
    batch_count(c);
}

void batch_fail(struct conn *c, enum outcome outcome)
{
    for (unsigned t = 0; t <= channels_target(); t++)
        if (batch_asks(c, t)) batch_part_of(c, t)->outcome = outcome;
    batch_finish(c);
}

static void add_error(struct buffer *out, enum outcome outcome)
{
    count_up(outcome == BUSY ? &kv.count.busy : &kv.count.lost, 1);
    buffer_text(out, outcome_errors[outcome]);
}

static struct arg next_reply(struct conn *c, unsigned target)
{
    struct part *p = batch_part_of(c, target);
    if (p->outcome == DONE) return frame_next(&p->frames);
    const char *text = outcome_errors[p->outcome];
    count_up(&kv.count.lost, 1);
    return (struct arg){text, (uint32_t)strlen(text)};
}

static void put_next(struct conn *c, struct item i, struct buffer *out)
{
    struct part *p = batch_part_of(c, i.target);
    for (; i.n && p->outcome == DONE; i.n--) {
        struct arg f = frame_next(&p->frames);
        buffer_add(out, f.at, f.len);
    }
    /* What the channels say to a SUBSCRIBE is nothing, so is their silence. */
    for (; i.n && i.target != channels_target(); i.n--) add_error(out, p->outcome);
}

/* The number behind the first byte of a reply: of an integer, or the length of an array. */
static int64_t number_of(struct arg reply)
{
    int64_t n = 0;
    const char *end = memchr(reply.at, '\r', reply.len);
    if (end) number_read(reply.at + 1, (size_t)(end - reply.at - 1), &n);
    return n;
}

static size_t head_len(struct arg reply)
{
    const char *end = memchr(reply.at, '\n', reply.len);
    return end ? (size_t)(end - reply.at) + 1 : reply.len;
}

/* Puts the replies of several shards together; an error of one is the answer of all. */
static void put_merged(struct conn *c, struct item i, struct buffer *out)
{
    struct arg reply = {NULL, 0}, error = {NULL, 0};
    struct buffer joined = {0};
    int64_t sum = 0;
    for (unsigned t = 0; t < kv.options.shards; t++) {
        if (!(i.mask >> t & 1)) continue;
        reply = next_reply(c, t);
        if (reply.len && *reply.at == '-') error = reply;
        if (error.at || i.kind == ITEM_SAME) continue;
        sum += number_of(reply);
        size_t head = head_len(reply);
        buffer_add(&joined, reply.at + head, reply.len - head);
    }
    if (error.at || i.kind == ITEM_SAME) {
        if (error.at) reply = error;
        buffer_add(out, reply.at, reply.len);
    } else if (i.kind == ITEM_SUM) {
        reply_int(out, sum);
    } else {
        reply_array(out, sum);
        buffer_add(out, joined.at, joined.len);
    }
    out->failed |= joined.failed;
    buffer_free(&joined);
}

static bool has_changed(struct conn *c)
{
    for (unsigned t = 0; c->checked && t < kv.options.shards; t++)
        if (batch_asks(c, t) && batch_part_of(c, t)->outcome == CHANGED) return true;
    return false;
}

static void put_together(struct conn *c, struct buffer *out)
{
    const void *first = c->items.at;
    const struct item *items = first;
    const char *local = c->local.at;
    for (size_t k = 0; k < c->items.len / sizeof *items; k++) {
        struct item i = items[k];
        switch (i.kind) {
        case ITEM_LOCAL:
            buffer_add(out, local, i.n);
            local += i.n;
            break;
        case ITEM_NEXT: put_next(c, i, out); break;
        case ITEM_VERSION: watches_set(c, i, next_reply(c, i.target)); break;
        default: put_merged(c, i, out);
        }
    }
}

static void forget(struct conn *c)
{
    for (unsigned t = 0; c->parts && t <= channels_target(); t++) buffer_free(&c->parts[t].kept);
    free(c->parts);
    c->parts = NULL;
    buffer_free(&c->one.kept);
    c->phase = IDLE;
    buffer_free(&c->marks);
    buffer_free(&c->writes);
    if (c->items.cap > 1024) buffer_free(&c->items);
    buffer_clear(&c->local);
}

void batch_finish(struct conn *c)
{
    struct buffer *out = scratch(SCRATCH_OUT);
    buffer_clear(out);
    if (has_changed(c))
        reply_null_array(out, c->resp);
    else
        put_together(c, out);
    if (out->failed) bsk_fail(c->self, "out of memory");
    if (c->checked) watches_forget(c);
    forget(c);
    conn_write(c, out->at, out->len);
    conn_let_pushes(c);
    conn_go_on(c);
}

bool batch_is_full(struct conn *c)
{
    size_t bytes = conn_reply(c)->len;
    for (unsigned t = 0; t < kv.options.shards; t++)
        if (batch_asks(c, t)) bytes += batch_part(c, t)->len;
    return bytes > BATCH_BYTES;
}
