/* SPDX-License-Identifier: MIT */
/* transaction.c - MULTI, EXEC and WATCH.
 *
 * What is queued becomes part of a batch at EXEC. The shards of that batch execute it at once: one
 * does so anyhow, several are held (hold.c). With watched keys EXEC is a batch of its own, which is
 * executed only if none of them has changed. */
#include <stdlib.h>

#include "conn.h"

static struct transaction *transaction_of(struct conn *c)
{
    if (!c->tx && !(c->tx = calloc(1, sizeof *c->tx))) bsk_fail(c->self, "out of memory");
    return c->tx;
}

bool conn_in_multi(const struct conn *c)
{
    return c->tx && c->tx->open;
}

void multi_free(struct conn *c)
{
    if (!c->tx) return;
    buffer_free(&c->tx->queue);
    buffer_free(&c->tx->watches);
    free(c->tx);
    c->tx = NULL;
}

void multi_abort(struct conn *c)
{
    if (conn_in_multi(c)) c->tx->aborted = true;
}

void watches_forget(struct conn *c)
{
    if (!c->tx) return;
    buffer_free(&c->tx->watches);
    c->tx->round++;
}

static void end_multi(struct conn *c)
{
    if (!c->tx) return;
    buffer_free(&c->tx->queue);
    c->tx->open = c->tx->aborted = false;
    c->tx->count = 0;
}

void multi_queue(struct conn *c, const struct arg *argv, uint32_t argc)
{
    struct buffer *b = &c->tx->queue;
    buffer_add(b, &argc, sizeof argc);
    for (uint32_t i = 0; i < argc; i++) order_arg(b, argv[i]);
    c->tx->count++;
    if (b->failed || b->len > QUEUED_MAX) {
        reply_error(conn_reply(c), "ERR the transaction is larger than %d bytes", QUEUED_MAX);
        c->closing = true;
        return;
    }
    reply_raw(conn_reply(c), "+QUEUED\r\n");
}

void multi_local(struct conn *c, const struct arg *argv, uint32_t argc)
{
    (void)argv, (void)argc;
    struct transaction *tx = transaction_of(c);
    if (tx->open) {
        reply_error(conn_reply(c), "ERR MULTI calls can not be nested");
        return;
    }
    tx->open = true;
    reply_ok(conn_reply(c));
}

void multi_end(struct conn *c)
{
    end_multi(c);
    watches_forget(c);
}

void discard_local(struct conn *c, const struct arg *argv, uint32_t argc)
{
    (void)argv, (void)argc;
    if (!conn_in_multi(c)) {
        reply_error(conn_reply(c), "ERR DISCARD without MULTI");
        return;
    }
    multi_end(c);
    reply_ok(conn_reply(c));
}

/* Reads the queued command at *at and goes behind it. */
static uint32_t read_queued(const char **at, struct buffer *argv)
{
    uint32_t argc;
    memcpy(&argc, *at, sizeof argc);
    *at += sizeof argc;
    argv->len = 0;
    for (uint32_t i = 0; i < argc; i++) {
        struct arg a;
        memcpy(&a.len, *at, sizeof a.len);
        a.at = *at + sizeof a.len;
        *at = a.at + a.len;
        buffer_add(argv, &a, sizeof a);
    }
    return argc;
}

static void do_queued(struct conn *c, struct buffer *queue)
{
    struct buffer argv = {0};
    const char *at = queue->at, *end = at + queue->len;
    while (queue->len && at != end) {
        uint32_t argc = read_queued(&at, &argv);
        if (argv.failed) bsk_fail(c->self, "out of memory");
        const void *first = argv.at;
        const struct arg *args = first;
        conn_do(c, command_find(args[0]), args, argc);
    }
    buffer_free(&argv);
}

/* Each shard with a watched key has a part, even if it has nothing else to do. */
static void ask_watching(struct conn *c)
{
    struct watch w;
    const char *at = c->tx->watches.at, *end = at + c->tx->watches.len;
    for (; c->tx->watches.len && at != end; at += sizeof w + w.len) {
        memcpy(&w, at, sizeof w);
        batch_part(c, shard_of(w.hash, kv.options.shards));
    }
    c->barrier = true;
}

static void execute(struct conn *c)
{
    struct transaction *tx = c->tx;
    struct buffer queue = tx->queue;
    uint32_t count = tx->count;
    bool watching = tx->watches.len;
    tx->queue = (struct buffer){0};
    end_multi(c);
    c->checked = watching;
    reply_array(conn_reply(c), count);
    do_queued(c, &queue);
    buffer_free(&queue);
    c->atomic = true;
    if (watching) ask_watching(c);
}

void exec_local(struct conn *c, const struct arg *argv, uint32_t argc)
{
    (void)argv, (void)argc;
    if (!conn_in_multi(c)) {
        reply_error(conn_reply(c), "ERR EXEC without MULTI");
    } else if (c->tx->aborted) {
        multi_end(c);
        reply_error(conn_reply(c), "EXECABORT Transaction discarded because of previous errors.");
    } else if (c->tx->watches.len && (c->items.len || conn_reply(c)->len)) {
        c->barrier = c->again = true;
    } else {
        execute(c);
    }
}

void watch_local(struct conn *c, const struct arg *argv, uint32_t argc)
{
    if (conn_in_multi(c)) {
        reply_error(conn_reply(c), "ERR WATCH inside MULTI is not allowed");
        return;
    }
    struct transaction *tx = transaction_of(c);
    for (uint32_t i = 1; i < argc; i++) {
        struct watch w = {.hash = hash_of(&kv.secret, argv[i].at, argv[i].len), .len = argv[i].len};
        unsigned shard = shard_of(w.hash, kv.options.shards);
        size_t place = tx->watches.len;
        buffer_add(&tx->watches, &w, sizeof w);
        buffer_add(&tx->watches, argv[i].at, w.len);
        struct buffer *b = batch_part(c, shard);
        order_begin(b, &commands[ncommands], c->resp, w.hash, 1);
        order_arg(b, argv[i]);
        batch_item(
            c, (struct item){.kind = ITEM_VERSION, .target = shard, .n = place, .mask = tx->round});
    }
    if (tx->watches.failed) bsk_fail(c->self, "out of memory");
    reply_ok(conn_reply(c));
}

/* A version that is not known is one that the key does not have. */
void watches_set(struct conn *c, struct item i, struct arg version)
{
    struct watch w;
    if (!c->tx || c->tx->round != i.mask || i.n + sizeof w > c->tx->watches.len) return;
    char *at = c->tx->watches.at + i.n;
    memcpy(&w, at, sizeof w);
    w.version = 0;
    if (version.len == sizeof w.version) memcpy(&w.version, version.at, sizeof w.version);
    memcpy(at, &w, sizeof w);
}

void watches_of(struct conn *c, unsigned target, struct buffer *out)
{
    struct watch w;
    const struct buffer *b = &c->tx->watches;
    for (size_t at = 0; at < b->len; at += sizeof w + w.len) {
        memcpy(&w, b->at + at, sizeof w);
        if (shard_of(w.hash, kv.options.shards) == target)
            buffer_add(out, b->at + at, sizeof w + w.len);
    }
    if (out->failed) bsk_fail(c->self, "out of memory");
}

void unwatch_local(struct conn *c, const struct arg *argv, uint32_t argc)
{
    (void)argv, (void)argc;
    /* Between MULTI and EXEC it comes too late. */
    if (!c->checked) watches_forget(c);
    reply_ok(conn_reply(c));
}
