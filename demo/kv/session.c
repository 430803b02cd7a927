/* SPDX-License-Identifier: MIT */
/* session.c - commands about the connection itself. */
#include <stdio.h>
#include <strings.h>

#include "conn.h"

static bool says(struct arg a, const char *word)
{
    return arg_is(a, word);
}

void ping_local(struct conn *c, const struct arg *argv, uint32_t argc)
{
    struct buffer *b = conn_reply(c);
    if (argc > 2) {
        reply_error(b, "ERR wrong number of arguments for 'ping' command");
    } else if (c->resp == 2 && c->nchannels + c->npatterns) {
        reply_array(b, 2);
        reply_text(b, "pong");
        reply_bulk(b, argc > 1 ? argv[1].at : "", argc > 1 ? argv[1].len : 0);
    } else if (argc > 1) {
        reply_bulk(b, argv[1].at, argv[1].len);
    } else {
        reply_raw(b, "+PONG\r\n");
    }
}

void echo_local(struct conn *c, const struct arg *argv, uint32_t argc)
{
    (void)argc;
    reply_bulk(conn_reply(c), argv[1].at, argv[1].len);
}

void quit_local(struct conn *c, const struct arg *argv, uint32_t argc)
{
    (void)argv, (void)argc;
    reply_ok(conn_reply(c));
    c->closing = true;
}

void select_local(struct conn *c, const struct arg *argv, uint32_t argc)
{
    int64_t n;
    (void)argc;
    if (!number_read(argv[1].at, argv[1].len, &n))
        reply_error(conn_reply(c), NOT_AN_INTEGER);
    else if (n < INT32_MIN || n > INT32_MAX)
        reply_error(conn_reply(c), "ERR value is out of range, value must between %d and %d",
                    INT32_MIN, INT32_MAX);
    else if (n != 0)
        reply_error(conn_reply(c), "ERR DB index is out of range");
    else
        reply_ok(conn_reply(c));
}

/* Takes as long for a wrong password as for one that is nearly right. */
static bool is_password(struct arg given)
{
    size_t len = strlen(kv.options.password);
    unsigned char differ = given.len != len;
    for (uint32_t i = 0; i < given.len && len; i++)
        differ |= (unsigned char)(given.at[i] ^ kv.options.password[i % len]);
    return !differ;
}

/* Answers if it is not the right one. */
static bool let_in(struct conn *c, const struct arg *user, struct arg password)
{
    bool known = !user || (user->len == 7 && memcmp(user->at, "default", 7) == 0);
    if (!known || (kv.options.password && !is_password(password))) {
        reply_error(conn_reply(c), "WRONGPASS invalid username-password pair or user is disabled.");
        return false;
    }
    c->authenticated = true;
    c->parser.stranger = false;
    return true;
}

void auth_local(struct conn *c, const struct arg *argv, uint32_t argc)
{
    if (argc > 3)
        reply_error(conn_reply(c), SYNTAX_ERROR);
    else if (argc == 2 && !kv.options.password)
        reply_error(conn_reply(c),
                    "ERR AUTH <password> called without any password configured for the default "
                    "user. Are you sure your configuration is correct?");
    else if (let_in(c, argc == 3 ? &argv[1] : NULL, argv[argc - 1]))
        reply_ok(conn_reply(c));
}

/* A name is of what can be printed, without blanks. */
static bool set_name(struct conn *c, struct arg name, const char *error)
{
    for (uint32_t i = 0; i < name.len; i++)
        if (name.at[i] < '!' || name.at[i] > '~') {
            reply_error(conn_reply(c), "%s", error);
            return false;
        }
    buffer_free(&c->name);
    buffer_add(&c->name, name.at, name.len);
    return true;
}

#define BAD_NAME "ERR Client names cannot contain spaces, newlines or special characters."

static void say_hello(struct conn *c)
{
    struct buffer *b = conn_reply(c);
    reply_map(b, c->resp, 7);
    reply_text(b, "server");
    reply_text(b, "redis");
    reply_text(b, "version");
    reply_text(b, "7.0.15");
    reply_text(b, "proto");
    reply_int(b, c->resp);
    reply_text(b, "id");
    reply_int(b, (int64_t)c->id);
    reply_text(b, "mode");
    reply_text(b, "standalone");
    reply_text(b, "role");
    reply_text(b, "master");
    reply_text(b, "modules");
    reply_array(b, 0);
}

static bool hello_options(struct conn *c, const struct arg *argv, uint32_t argc)
{
    for (uint32_t i = 2; i < argc; i++) {
        if (says(argv[i], "auth") && i + 2 < argc) {
            if (!let_in(c, &argv[i + 1], argv[i + 2])) return false;
            i += 2;
        } else if (says(argv[i], "setname") && i + 1 < argc) {
            if (!set_name(c, argv[++i], BAD_NAME)) return false;
        } else {
            reply_error(conn_reply(c), "ERR Syntax error in HELLO option '%.*s'", (int)argv[i].len,
                        argv[i].at);
            return false;
        }
    }
    return true;
}

void hello_local(struct conn *c, const struct arg *argv, uint32_t argc)
{
    int64_t version = c->resp;
    if (argc > 1 && !number_read(argv[1].at, argv[1].len, &version)) {
        reply_error(conn_reply(c), "ERR Protocol version is not an integer or out of range");
        return;
    }
    if (version < 2 || version > 3) {
        reply_error(conn_reply(c), "NOPROTO unsupported protocol version");
        return;
    }
    if (!hello_options(c, argv, argc)) return;
    if (!c->authenticated) {
        reply_error(conn_reply(c),
                    "NOAUTH HELLO must be called with the client already authenticated, otherwise "
                    "the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the "
                    "client and select the RESP protocol version at the same time");
        return;
    }
    c->resp = (uint8_t)version;
    say_hello(c);
}

static void describe(struct conn *c)
{
    char text[512];
    bsk_stream_info_out info;
    if (bsk_stream_info(c->self, c->stream, &info)) memset(&info, 0, sizeof info);
    int64_t age = (bsk_now(bsk_rt_of(c->self)) - c->since_ms) / 1000;
    int n =
        snprintf(text, sizeof text,
                 "id=%lld addr=%s laddr=%s name=%.*s age=%lld idle=0 flags=%s db=0 sub=%u "
                 "psub=%u multi=%d qbuf=%zu omem=%zu cmd=client user=default resp=%d\n",
                 (long long)c->id, info.peer, info.here, c->name.len < 128 ? (int)c->name.len : 128,
                 c->name.at ? c->name.at : "", (long long)age,
                 c->nchannels + c->npatterns ? "P" : "N", c->nchannels, c->npatterns,
                 conn_in_multi(c) ? (int)c->tx->count : -1, c->in.len, c->out.len, c->resp);
    if (n > (int)sizeof text - 1) n = (int)sizeof text - 1;
    reply_verbatim(conn_reply(c), c->resp, text, (size_t)n);
}

/* A connection knows of itself only: the list is it, or is empty. */
static void list_if(struct conn *c, bool listed)
{
    if (listed)
        describe(c);
    else
        reply_verbatim(conn_reply(c), c->resp, "", 0);
}

static void list_type(struct conn *c, struct arg type)
{
    bool listens = c->nchannels + c->npatterns > 0;
    if (says(type, "normal"))
        list_if(c, !listens);
    else if (says(type, "pubsub"))
        list_if(c, listens);
    else if (says(type, "master") || says(type, "replica") || says(type, "slave"))
        list_if(c, false);
    else
        reply_error(conn_reply(c), "ERR Unknown client type '%.*s'", (int)type.len, type.at);
}

static void list_ids(struct conn *c, const struct arg *ids, uint32_t n)
{
    bool listed = false;
    for (uint32_t i = 0; i < n; i++) {
        int64_t id;
        if (!number_read(ids[i].at, ids[i].len, &id)) {
            reply_error(conn_reply(c), "ERR Invalid client ID");
            return;
        }
        listed |= id == (int64_t)c->id;
    }
    list_if(c, listed);
}

static void client_list(struct conn *c, const struct arg *argv, uint32_t argc)
{
    if (argc == 2)
        describe(c);
    else if (argc == 4 && says(argv[2], "type"))
        list_type(c, argv[3]);
    else if (argc > 3 && says(argv[2], "id"))
        list_ids(c, argv + 3, argc - 3);
    else
        reply_error(conn_reply(c), SYNTAX_ERROR);
}

static void wrong_arguments(struct conn *c, const char *command, struct arg sub)
{
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)sub.len, sub.at);
    for (char *p = name; *p; p++)
        if (*p >= 'A' && *p <= 'Z') *p = (char)(*p | 32);
    reply_error(conn_reply(c), "ERR wrong number of arguments for '%s|%s' command", command, name);
}

static void unknown_sub(struct conn *c, const char *command, struct arg sub)
{
    reply_error(conn_reply(c), "ERR unknown subcommand '%.*s'. Try %s HELP.",
                sub.len < 128 ? (int)sub.len : 128, sub.at, command);
}

static bool is_known_client_sub(struct arg sub, uint32_t *least, uint32_t *most)
{
    static const struct {
        const char *name;
        uint32_t least, most;
    } subs[] = {{"id", 2, 2},   {"getname", 2, 2},       {"setname", 3, 3},  {"setinfo", 4, 4},
                {"info", 2, 2}, {"list", 2, UINT32_MAX}, {"no-evict", 3, 3}, {"reply", 3, 3}};
    for (size_t i = 0; i < sizeof subs / sizeof *subs; i++) {
        if (!says(sub, subs[i].name)) continue;
        *least = subs[i].least;
        *most = subs[i].most;
        return true;
    }
    return false;
}

static void client_name(struct conn *c)
{
    if (c->name.len)
        reply_bulk(conn_reply(c), c->name.at, c->name.len);
    else
        reply_null(conn_reply(c), c->resp);
}

static void client_no_evict(struct conn *c, struct arg a)
{
    if (says(a, "on") || says(a, "off"))
        reply_ok(conn_reply(c));
    else
        reply_error(conn_reply(c), SYNTAX_ERROR);
}

void client_local(struct conn *c, const struct arg *argv, uint32_t argc)
{
    struct arg sub = argv[1];
    uint32_t least, most;
    if (!is_known_client_sub(sub, &least, &most))
        unknown_sub(c, "CLIENT", sub);
    else if (argc < least || argc > most)
        wrong_arguments(c, "client", sub);
    else if (says(sub, "id"))
        reply_int(conn_reply(c), (int64_t)c->id);
    else if (says(sub, "getname"))
        client_name(c);
    else if (says(sub, "info"))
        describe(c);
    else if (says(sub, "list"))
        client_list(c, argv, argc);
    else if (says(sub, "no-evict") || says(sub, "reply"))
        client_no_evict(c, argv[2]);
    else if (says(sub, "setinfo") || set_name(c, argv[2], BAD_NAME))
        reply_ok(conn_reply(c));
}

static void describe_command(struct buffer *b, const struct command *cmd)
{
    reply_array(b, 10);
    reply_text(b, cmd->name);
    reply_int(b, cmd->arity);
    reply_array(b, 1);
    buffer_text(b, cmd->flags & WRITES ? "+write\r\n" : "+readonly\r\n");
    reply_int(b, cmd->first);
    reply_int(b, cmd->last);
    reply_int(b, cmd->first ? (cmd->flags & PAIRS ? 2 : 1) : 0);
    for (int i = 0; i < 4; i++) reply_array(b, 0);
}

void command_local(struct conn *c, const struct arg *argv, uint32_t argc)
{
    struct buffer *b = conn_reply(c);
    if (argc == 1) {
        reply_array(b, ncommands);
        for (unsigned i = 0; i < ncommands; i++) describe_command(b, &commands[i]);
    } else if (says(argv[1], "count")) {
        reply_int(b, ncommands);
    } else if (says(argv[1], "docs")) {
        reply_map(b, c->resp, 0);
    } else {
        unknown_sub(c, "COMMAND", argv[1]);
    }
}
