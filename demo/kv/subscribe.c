/* SPDX-License-Identifier: MIT */
/* subscribe.c - what a client has subscribed to. The channels hold the same; if they start anew
 * they are told again. */
#include <stdlib.h>

#include "conn.h"

enum { RENEW_MS = 5000 };

static const struct command *named(const char *name)
{
    return command_find((struct arg){name, (uint32_t)strlen(name)});
}

static struct subscription **find(struct conn *c, bool pattern, struct arg name)
{
    struct subscription **s = &c->subs;
    while (*s && ((*s)->pattern != pattern || (*s)->len != name.len ||
                  memcmp((*s)->name, name.at, name.len) != 0))
        s = &(*s)->next;
    return s;
}

static uint32_t *counter(struct conn *c, bool pattern)
{
    return pattern ? &c->npatterns : &c->nchannels;
}

static void order(struct conn *c, struct buffer *b, const char *command, struct arg name)
{
    bsk_addr me = bsk_me(c->self);
    const void *bytes = &me;
    order_begin(b, named(command), c->resp, 0, 2);
    order_arg(b, (struct arg){bytes, sizeof me});
    order_arg(b, name);
}

static void order_now(struct conn *c, const char *command, struct arg name)
{
    order(c, batch_part(c, channels_target()), command, name);
    batch_item(c, (struct item){.kind = ITEM_NEXT, .target = channels_target(), .n = 1});
    c->mute = true;
}

static void confirm(struct conn *c, const char *what, const struct arg *name)
{
    struct buffer *b = conn_reply(c);
    buffer_text(b, c->resp == 3 ? ">3\r\n" : "*3\r\n");
    reply_text(b, what);
    if (name)
        reply_bulk(b, name->at, name->len);
    else
        reply_null(b, c->resp);
    reply_int(b, c->nchannels + c->npatterns);
}

static void watch_channels(struct conn *c)
{
    if (c->channels.gen) return;
    c->channels = bsk_watch(c->self, target_addr(c->self, channels_target(), true));
    if (!c->channels.gen) bsk_fail(c->self, "out of memory");
}

static void add(struct conn *c, bool pattern, struct arg name)
{
    struct subscription **place = find(c, pattern, name), *s;
    if (*place) return;
    if (!(s = malloc(sizeof *s + name.len))) bsk_fail(c->self, "out of memory");
    *s = (struct subscription){.pattern = pattern, .len = name.len};
    memcpy(s->name, name.at, name.len);
    *place = s;
    ++*counter(c, pattern);
    order_now(c, pattern ? "psubscribe" : "subscribe", name);
    watch_channels(c);
}

static void drop(struct conn *c, struct subscription **place)
{
    struct subscription *s = *place;
    order_now(c, s->pattern ? "punsubscribe" : "unsubscribe", (struct arg){s->name, s->len});
    --*counter(c, s->pattern);
    *place = s->next;
    free(s);
}

static void subscribe(struct conn *c, const char *what, bool pattern, const struct arg *argv,
                      uint32_t argc)
{
    for (uint32_t i = 1; i < argc; i++) {
        add(c, pattern, argv[i]);
        confirm(c, what, &argv[i]);
    }
}

static struct subscription **any(struct conn *c, bool pattern)
{
    struct subscription **s = &c->subs;
    while (*s && (*s)->pattern != pattern) s = &(*s)->next;
    return s;
}

static void unsubscribe_all(struct conn *c, const char *what, bool pattern)
{
    struct subscription **s;
    if (!*any(c, pattern)) confirm(c, what, NULL);
    while (*(s = any(c, pattern))) {
        struct subscription copy = **s;
        struct buffer name = {0};
        buffer_add(&name, (*s)->name, copy.len);
        drop(c, s);
        confirm(c, what, &(struct arg){name.at, copy.len});
        buffer_free(&name);
    }
}

static void unsubscribe(struct conn *c, const char *what, bool pattern, const struct arg *argv,
                        uint32_t argc)
{
    if (argc == 1) unsubscribe_all(c, what, pattern);
    for (uint32_t i = 1; i < argc; i++) {
        struct subscription **s = find(c, pattern, argv[i]);
        if (*s) drop(c, s);
        confirm(c, what, &argv[i]);
    }
}

void subscribe_local(struct conn *c, const struct arg *argv, uint32_t argc)
{
    subscribe(c, "subscribe", false, argv, argc);
}

void psubscribe_local(struct conn *c, const struct arg *argv, uint32_t argc)
{
    subscribe(c, "psubscribe", true, argv, argc);
}

void unsubscribe_local(struct conn *c, const struct arg *argv, uint32_t argc)
{
    unsubscribe(c, "unsubscribe", false, argv, argc);
}

void punsubscribe_local(struct conn *c, const struct arg *argv, uint32_t argc)
{
    unsubscribe(c, "punsubscribe", true, argv, argc);
}

void publish_local(struct conn *c, const struct arg *argv, uint32_t argc)
{
    struct buffer *b = batch_part(c, channels_target());
    order_begin(b, c->command, c->resp, 0, argc - 1);
    for (uint32_t i = 1; i < argc; i++) order_arg(b, argv[i]);
    batch_item(c, (struct item){.kind = ITEM_NEXT, .target = channels_target(), .n = 1});
}

void subscriptions_free(struct conn *c)
{
    for (struct subscription *s; (s = c->subs);) {
        c->subs = s->next;
        free(s);
    }
}

void subscriptions_renew(struct conn *c)
{
    struct buffer b = {0};
    bsk_addr who = target_addr(c->self, channels_target(), true);
    c->channels = (bsk_monitor){0, 0};
    for (struct subscription *s = c->subs; s; s = s->next)
        order(c, &b, s->pattern ? "psubscribe" : "subscribe", (struct arg){s->name, s->len});
    int rc = c->subs ? bsk_ask(c->self, who, RENEW_MS, listen_again, .orders = {b.at, b.len}) : 0;
    buffer_free(&b);
    if (!c->subs) return;
    if (rc && !bsk_after(c->self, 10, renew_now).gen) bsk_fail(c->self, "out of memory");
    if (!rc) watch_channels(c);
}

static void write_push(struct conn *c, struct buffer *b, bsk_bytes text)
{
    buffer_add(b, c->resp == 3 ? ">" : "*", 1);
    buffer_add(b, text.ptr, text.len);
    if (b->failed) bsk_fail(c->self, "out of memory");
}

/* Who does not take what he asked for, loses his connection: to keep it for him has an end. */
static void bound(struct conn *c)
{
    if (c->pushes.len + c->out.len <= PUSHED_MAX) return;
    count_up(&kv.count.slow, 1);
    bsk_stream_reset(c->self, c->stream);
    bsk_exit(c->self);
}

void conn_on_pushed(struct conn *c, const pushed *p)
{
    bsk_bytes text = bsk_blob_bytes(p->text);
    struct buffer *b = c->phase != IDLE && c->mute ? &c->pushes : scratch(SCRATCH_OUT);
    if (b != &c->pushes) buffer_clear(b);
    write_push(c, b, text);
    if (b != &c->pushes) conn_write(c, b->at, b->len);
    bound(c);
}

void conn_let_pushes(struct conn *c)
{
    if (!c->pushes.len) return;
    conn_write(c, c->pushes.at, c->pushes.len);
    buffer_free(&c->pushes);
}
