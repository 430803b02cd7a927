/* SPDX-License-Identifier: MIT */
/* connection.c - an actor for each client: a handler, which costs little while nothing comes. */
#define _DEFAULT_SOURCE 1
#include <stdlib.h>

#include "conn.h"
#include "trouble.h"

enum { PIECE = 64 * 1024, MAILBOX = 4096, STOP_MS = 3000 };

static _Atomic uint64_t last_id;

static void conn_free(void *arg)
{
    struct conn *c = arg;
    atomic_fetch_sub(&kv.count.clients, 1);
    atomic_fetch_sub(&kv.count.buffers, c->counted);
    for (unsigned t = 0; c->parts && t <= channels_target(); t++) buffer_free(&c->parts[t].kept);
    free(c->parts);
    buffer_free(&c->one.kept);
    parser_fini(&c->parser);
    struct buffer *all[] = {&c->in,     &c->out,   &c->items,  &c->local,
                            &c->pushes, &c->marks, &c->writes, &c->name};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) buffer_free(all[i]);
    multi_free(c);
    subscriptions_free(c);
}

static void conn_init(bsk_self *self)
{
    struct conn *c = bsk_state(self);
    parser_init(&c->parser);
    c->self = self;
    c->stream = bsk_conn(self);
    c->id = atomic_fetch_add(&last_id, 1) + 1;
    c->since_ms = bsk_now(bsk_rt_of(self));
    c->resp = 2;
    c->authenticated = !kv.options.password;
    c->parser.stranger = !c->authenticated;
    count_up(&kv.count.clients, 1);
    count_up(&kv.count.connections, 1);
    if (bsk_defer(self, conn_free, c)) {
        conn_free(c);
        bsk_fail(self, "out of memory");
    }
}

/* Gives the stream as much as it takes. */
static size_t write_some(struct conn *c, const char *at, size_t len)
{
    size_t done = 0;
    while (done < len) {
        size_t n = len - done < PIECE ? len - done : PIECE;
        int rc = bsk_stream_try(c->self, c->stream, (bsk_bytes){at + done, n});
        if (rc == BSK_EFULL) break;
        if (rc) bsk_exit(c->self);
        done += n;
    }
    return done;
}

void conn_write(struct conn *c, const char *at, size_t len)
{
    size_t done = c->out.len || !len ? 0 : write_some(c, at, len);
    if (done == len) return;
    buffer_add(&c->out, at + done, len - done);
    if (c->out.failed) bsk_fail(c->self, "out of memory");
}

static void on_drained(struct conn *c)
{
    if (!c->out.len) return;
    buffer_drop(&c->out, write_some(c, c->out.at, c->out.len));
    conn_go_on(c);
}

static bool must_not_now(struct conn *c, const struct command *cmd)
{
    return c->resp == 2 && c->nchannels + c->npatterns && !(cmd->flags & LISTENING);
}

static bool no_memory(const struct command *cmd, bool multi)
{
    bool grows = cmd->flags & GROWS || (multi && !(cmd->flags & IN_MULTI));
    return kv.options.memory && grows && memory_used() > kv.options.memory;
}

/* The arguments of a command that is not known are shown, up to a length. */
static void refuse_unknown(struct conn *c, const struct arg *argv, uint32_t argc)
{
    char shown[256];
    size_t len = 0;
    for (uint32_t i = 1; i < argc && len < 128; i++) {
        size_t most = 128 - len, n = strnlen(argv[i].at, argv[i].len < most ? argv[i].len : most);
        shown[len++] = '\'';
        memcpy(shown + len, argv[i].at, n);
        len += n;
        shown[len++] = '\'';
        shown[len++] = ' ';
    }
    shown[len] = '\0';
    reply_error(conn_reply(c), "ERR unknown command '%.*s', with args beginning with: %s",
                argv[0].len < 128 ? (int)argv[0].len : 128, argv[0].at, shown);
}

static void refuse_arguments(struct conn *c, const struct command *cmd)
{
    bool exec = cmd->local == exec_local;
    if (exec) multi_end(c);
    reply_error(conn_reply(c), "%s wrong number of arguments for '%s' command",
                exec ? "EXECABORT Transaction discarded because of:" : "ERR", cmd->name);
}

/* Answers why the command cannot be executed, or returns false. */
static bool refuse(struct conn *c, const struct command *cmd, const struct arg *argv, uint32_t argc)
{
    struct buffer *out = conn_reply(c);
    if (!cmd)
        refuse_unknown(c, argv, argc);
    else if ((cmd->arity > 0 && argc != (uint32_t)cmd->arity) || argc < (uint32_t)abs(cmd->arity))
        refuse_arguments(c, cmd);
    else if (!c->authenticated && !(cmd->flags & NOAUTH))
        reply_error(out, "NOAUTH Authentication required.");
    else if (no_memory(cmd, conn_in_multi(c)))
        reply_error(out, "OOM command not allowed when used memory > 'maxmemory'.");
    else if (cmd->flags & WRITES && atomic_load_explicit(&kv.read_only, memory_order_relaxed))
        reply_raw(out, MISCONF_ERROR);
    else if (must_not_now(c, cmd))
        reply_error(out,
                    "ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT "
                    "/ RESET are allowed in this context",
                    cmd->name);
    else
        return false;
    count_up(&kv.count.errors, 1);
    multi_abort(c);
    return true;
}

void conn_take(struct conn *c, const struct arg *argv, uint32_t argc)
{
    const struct command *cmd = command_find(argv[0]);
    if (refuse(c, cmd, argv, argc)) return;
    if (conn_in_multi(c) && !(cmd->flags & IN_MULTI))
        multi_queue(c, argv, argc);
    else
        conn_do(c, cmd, argv, argc);
}

static void take_parsed(struct conn *c, const char *bytes)
{
    struct arg few[16] = {{NULL, 0}}, *argv = few;
    uint32_t argc = c->parser.argc;
    if (argc > 16 && !(argv = malloc(argc * sizeof *argv))) bsk_fail(c->self, "out of memory");
    for (uint32_t i = 0; i < argc; i++) argv[i] = parser_arg(&c->parser, bytes, i);
    conn_take(c, argv, argc);
    if (argv != few) free(argv);
}

static void refuse_bytes(struct conn *c, const char *why)
{
    reply_error(conn_reply(c), "ERR Protocol error: %s", why);
    count_up(&kv.count.errors, 1);
    c->closing = true;
}

/* Makes a batch of commands. Returns the bytes that they took; *more: there may be another. */
static size_t gather(struct conn *c, const char *bytes, size_t n, bool *more)
{
    const char *error = NULL;
    size_t at = 0, used = 0;
    unsigned count = 0;
    *more = false;
    batch_begin(c);
    while (!c->closing && !c->barrier) {
        *more = at < n;
        if (count == BATCH_COMMANDS || (count % 16 == 15 && batch_is_full(c))) break;
        enum parsed r = parser_next(&c->parser, bytes + at, n - at, &used, &error);
        *more = false;
        if (r == PARSED_NOMEM) bsk_fail(c->self, "out of memory");
        if (r == PARSED_BAD) refuse_bytes(c, error);
        if (r == PARSED_NONE || r == PARSED_BAD) break;
        if (r == PARSED_COMMAND) take_parsed(c, bytes + at);
        if (c->again) break;
        at += used;
        count++;
    }
    *more |= c->barrier;
    count_up(&kv.count.commands, count);
    return at;
}

/* Takes commands until a batch is under way; returns the bytes that they took. */
static size_t take(struct conn *c, const char *bytes, size_t n)
{
    size_t at = 0;
    bool more = true;
    while (more && at < n && c->phase == IDLE && !c->closing && !c->out.len) {
        at += gather(c, bytes + at, n - at, &more);
        batch_send(c);
    }
    return at;
}

static void leave(struct conn *c)
{
    if (c->stopping) bsk_exit_as(c->self, BSK_SHUTDOWN, "served");
    bsk_exit(c->self);
}

/* What a client has sent ahead is taken until it is much; then it has to wait. */
static void pause_or_go(struct conn *c)
{
    bool much = c->in.len > INPUT_HIGH && (c->phase != IDLE || c->out.len);
    if (much == c->paused || c->ended) return;
    c->paused = much;
    if (bsk_stream_pause(c->self, c->stream, much)) c->paused = false;
}

/* Keeps the sum of what connections hold, roughly. */
static void count_buffers(struct conn *c)
{
    uint64_t bytes = c->in.cap + c->out.cap + c->local.cap + c->pushes.cap;
    if (bytes == c->counted || (bytes && bytes < c->counted + 1024 && bytes + 1024 > c->counted))
        return;
    count_up(&kv.count.buffers, bytes - c->counted);
    c->counted = bytes;
}

void conn_go_on(struct conn *c)
{
    if (c->going) return;
    c->going = true;
    if (c->in.len && c->phase == IDLE) buffer_drop(&c->in, take(c, c->in.at, c->in.len));
    c->going = false;
    if (c->phase == IDLE && !c->out.len && (c->closing || c->stopping || c->ended)) leave(c);
    pause_or_go(c);
    count_buffers(c);
}

static void too_much(struct conn *c)
{
    conn_write(c, "-OOM no memory for so long a command\r\n", 38);
    bsk_exit(c->self);
}

static void on_data(struct conn *c, bsk_bytes data)
{
    size_t taken = 0;
    if (c->closing) return;
    c->going = true;
    if (!c->in.len) taken = take(c, data.ptr, data.len);
    c->going = false;
    const char *bytes = data.ptr;
    buffer_add(&c->in, bytes + taken, data.len - taken);
    if (c->in.failed) bsk_fail(c->self, "out of memory");
    if (kv.options.memory && c->in.len > PIECE && memory_used() > kv.options.memory) too_much(c);
    conn_go_on(c);
}

static void on_closed(struct conn *c)
{
    c->ended = true;
    if (c->phase == IDLE && !c->in.len && !c->out.len) leave(c);
    conn_go_on(c);
}

static void on_stopping(struct conn *c)
{
    c->stopping = true;
    if (!c->ended && bsk_stream_pause(c->self, c->stream, true)) leave(c);
    c->ended = true;
    conn_go_on(c);
}

static void on_lost(struct conn *c)
{
    if (c->phase == ASKING || c->phase == RUNNING) batch_on_lost(c);
}

void connection(bsk_self *self, bsk_msg *m)
{
    struct conn *c = bsk_state(self);
    bsk_match(m) {
        bsk_on(bsk_data, d) on_data(c, d->data);
        bsk_on_reply(batch, a) batch_on_answers(c, a);
        bsk_on_no_reply(batch, rc) on_lost(c);
        bsk_on_reply(hold, h) hold_on_held(c, h);
        bsk_on_no_reply(hold, rc) hold_on_lost(c);
        bsk_on_reply(run, r) hold_on_ran(c, r);
        bsk_on_no_reply(run, rc) hold_on_lost(c);
        bsk_on_reply(seal, s) hold_on_sealed(c, (enum outcome)s->outcome);
        bsk_on_no_reply(seal, rc) hold_on_lost(c);
        bsk_on(ask_again, a) batch_ask_again(c);
        bsk_on(pushed, p) conn_on_pushed(c, p);
        bsk_on(bsk_drained, d) on_drained(c);
        bsk_on(bsk_closed, d) on_closed(c);
        bsk_on(bsk_stopping, s) on_stopping(c);
        bsk_on(bsk_down, d) subscriptions_renew(c);
        bsk_on(renew_now, r) subscriptions_renew(c);
        bsk_on_reply(listen_again, a) conn_go_on(c);
        bsk_on_no_reply(listen_again, rc) subscriptions_renew(c);
        bsk_on(trouble, t) trouble_make(self, t->kind);
    }
}

bsk_opts connection_opts(void)
{
    static const struct conn fresh;
    return (bsk_opts){.label = "client",
                      .init = conn_init,
                      .mailbox = MAILBOX,
                      .trap_stop = true,
                      .shutdown_ms = STOP_MS,
                      .state = &fresh,
                      .state_size = sizeof fresh};
}
