/* SPDX-License-Identifier: MIT */
/* channels.c - who is to get what is published. */
#include <stdlib.h>

#include "glob.h"
#include "order.h"
#include "trouble.h"

enum { ROOM = 256 };

struct listener {
    struct listener *next;
    bsk_addr who;
};

/* A channel or a pattern that somebody listens to. */
struct channel {
    struct channel *next;
    bool pattern;
    struct listener *listeners;
    uint32_t len;
    char name[];
};

/* A connection that listens to something. */
struct watched {
    struct watched *next;
    bsk_addr who;
    uint64_t subscriptions;
    bsk_monitor monitor;
};

struct channels_state {
    struct channel **channels; /* by the hash of the name, and behind them the patterns */
    uint64_t n, npatterns;
    struct watched **watched; /* by the slot of the address */
    struct buffer out, argv;
};

static void free_channel(struct channel *ch)
{
    for (struct listener *l; (l = ch->listeners);) {
        ch->listeners = l->next;
        free(l);
    }
    free(ch);
}

static void channels_free(void *arg)
{
    struct channels_state *s = arg;
    for (unsigned i = 0; s->channels && i <= ROOM; i++)
        for (struct channel *ch; (ch = s->channels[i]);) {
            s->channels[i] = ch->next;
            free_channel(ch);
        }
    for (unsigned i = 0; s->watched && i < ROOM; i++)
        for (struct watched *w; (w = s->watched[i]);) {
            s->watched[i] = w->next;
            free(w);
        }
    free(s->channels);
    free(s->watched);
    buffer_free(&s->out);
    buffer_free(&s->argv);
}

static void channels_init(bsk_self *self)
{
    struct channels_state *s = bsk_state(self);
    if (bsk_defer(self, channels_free, s)) bsk_fail(self, "out of memory");
    s->channels = calloc(ROOM + 1, sizeof(struct channel *));
    s->watched = calloc(ROOM, sizeof(struct watched *));
    if (!s->channels || !s->watched) bsk_fail(self, "out of memory");
    atomic_store(&kv.count.channels, 0);
    atomic_store(&kv.count.patterns, 0);
    say_born(self);
}

static struct channel **find(struct channels_state *s, bool pattern, struct arg name)
{
    unsigned row = pattern ? ROOM : (unsigned)(hash_of(&kv.secret, name.at, name.len) % ROOM);
    struct channel **place = &s->channels[row];
    while (*place && ((*place)->len != name.len || memcmp((*place)->name, name.at, name.len) != 0))
        place = &(*place)->next;
    return place;
}

static struct watched **find_watched(struct channels_state *s, bsk_addr who)
{
    struct watched **place = &s->watched[who.slot % ROOM];
    while (*place && !bsk_same((*place)->who, who)) place = &(*place)->next;
    return place;
}

static struct listener **find_listener(struct channel *ch, bsk_addr who)
{
    struct listener **place = &ch->listeners;
    while (*place && !bsk_same((*place)->who, who)) place = &(*place)->next;
    return place;
}

static void watch_listener(bsk_self *self, struct channels_state *s, bsk_addr who)
{
    struct watched **place = find_watched(s, who);
    if (!*place) {
        if (!(*place = calloc(1, sizeof **place))) bsk_fail(self, "out of memory");
        (*place)->who = who;
        (*place)->monitor = bsk_watch(self, who);
        if (!(*place)->monitor.gen) bsk_fail(self, "out of memory");
    }
    (*place)->subscriptions++;
}

static void show(struct channels_state *s, bool pattern, int by)
{
    uint64_t *n = pattern ? &s->npatterns : &s->n;
    *n += (uint64_t)(int64_t)by;
    atomic_store(pattern ? &kv.count.patterns : &kv.count.channels, *n);
}

static void subscribe(bsk_self *self, struct channels_state *s, bool pattern, bsk_addr who,
                      struct arg name)
{
    struct channel **place = find(s, pattern, name);
    if (!*place) {
        struct channel *ch = calloc(1, sizeof *ch + name.len);
        if (!ch) bsk_fail(self, "out of memory");
        ch->pattern = pattern;
        ch->len = name.len;
        memcpy(ch->name, name.at, name.len);
        *place = ch;
        show(s, pattern, 1);
    }
    struct listener **l = find_listener(*place, who);
    if (*l) return;
    if (!(*l = calloc(1, sizeof **l))) bsk_fail(self, "out of memory");
    (*l)->who = who;
    watch_listener(self, s, who);
}

static void drop_listener(struct channels_state *s, struct channel **place, bsk_addr who)
{
    struct channel *ch = *place;
    struct listener **l = find_listener(ch, who), *gone = *l;
    if (!gone) return;
    *l = gone->next;
    free(gone);
    if (ch->listeners) return;
    *place = ch->next;
    show(s, ch->pattern, -1);
    free_channel(ch);
}

static void unsubscribe(bsk_self *self, struct channels_state *s, bool pattern, bsk_addr who,
                        struct arg name)
{
    struct channel **place = find(s, pattern, name);
    struct watched **w = find_watched(s, who), *gone = *w;
    if (!*place || !gone || !*find_listener(*place, who)) return;
    drop_listener(s, place, who);
    if (--gone->subscriptions) return;
    bsk_unwatch_flush(self, gone->monitor);
    *w = gone->next;
    free(gone);
}

/* Who ends has left all channels. */
static void on_down(struct channels_state *s, const bsk_down *d)
{
    struct watched **w = find_watched(s, d->who), *gone = *w;
    if (!gone) return;
    *w = gone->next;
    for (unsigned i = 0; i <= ROOM; i++)
        for (struct channel **place = &s->channels[i], *ch; (ch = *place);) {
            drop_listener(s, place, d->who);
            if (*place == ch) place = &ch->next;
        }
    free(gone);
}

/* A message as subscribers get it, but for the first byte, which depends on what they speak. */
static bsk_blob *message_text(const struct channel *ch, struct arg channel, struct arg message)
{
    struct buffer b = {0};
    buffer_text(&b, ch->pattern ? "4\r\n$8\r\npmessage\r\n" : "3\r\n$7\r\nmessage\r\n");
    if (ch->pattern) reply_bulk(&b, ch->name, ch->len);
    reply_bulk(&b, channel.at, channel.len);
    reply_bulk(&b, message.at, message.len);
    bsk_blob *text = b.failed ? NULL : bsk_blob_new(b.at, b.len);
    buffer_free(&b);
    return text;
}

/* Who has no room in its mailbox has not looked into it for long. */
static int64_t send(bsk_self *self, const struct channel *ch, struct arg channel,
                    struct arg message)
{
    int64_t n = 0;
    bsk_blob *text = message_text(ch, channel, message);
    if (!text) bsk_fail(self, "out of memory");
    for (struct listener *l = ch->listeners; l; l = l->next) {
        int rc = bsk_try(l->who, pushed, .text = text);
        n += rc == 0;
        if (rc != BSK_EFULL) continue;
        count_up(&kv.count.slow, 1);
        bsk_kill(l->who);
    }
    bsk_blob_drop(text);
    return n;
}

static int64_t publish(bsk_self *self, struct channels_state *s, struct arg channel,
                       struct arg message)
{
    struct channel *ch = *find(s, false, channel);
    int64_t n = ch ? send(self, ch, channel, message) : 0;
    for (ch = s->channels[ROOM]; ch; ch = ch->next)
        if (glob_match(ch->name, ch->len, channel.at, channel.len, false))
            n += send(self, ch, channel, message);
    count_up(&kv.count.published, 1);
    return n;
}

static void execute(bsk_self *self, struct channels_state *s, const struct call *c)
{
    local_fn *what = c->command->local;
    bsk_addr who;
    if (what == publish_local) {
        reply_int(&s->out, publish(self, s, c->argv[1], c->argv[2]));
        return;
    }
    memcpy(&who, c->argv[1].at, sizeof who);
    bool pattern = what == psubscribe_local || what == punsubscribe_local;
    if (what == subscribe_local || what == psubscribe_local)
        subscribe(self, s, pattern, who, c->argv[2]);
    else
        unsubscribe(self, s, pattern, who, c->argv[2]);
}

static bsk_bytes execute_all(bsk_self *self, struct channels_state *s, bsk_bytes orders)
{
    struct call c = {0};
    const char *at = orders.ptr, *end = at + orders.len;
    buffer_clear(&s->out);
    while (order_next(&at, end, &c, &s->argv)) {
        size_t frame = frame_open(&s->out);
        execute(self, s, &c);
        frame_close(&s->out, frame);
    }
    if (s->out.failed || s->argv.failed) bsk_fail(self, "out of memory");
    return (bsk_bytes){s->out.at, s->out.len};
}

static void channels(bsk_self *self, bsk_msg *m)
{
    struct channels_state *s = bsk_state(self);
    bsk_match(m) {
        bsk_on(batch, q)
            bsk_reply(q, batch, .outcome = DONE, .target = kv.options.shards,
                      .replies = execute_all(self, s, q->orders));
        bsk_on(listen_again, q) {
            execute_all(self, s, q->orders);
            bsk_reply(q, listen_again, .outcome = DONE);
        }
        bsk_on(bsk_down, d) on_down(s, d);
        bsk_on(trouble, t) trouble_make(self, t->kind);
    }
}

bsk_child_spec channels_spec(void)
{
    static const struct channels_state fresh;
    return (bsk_child_spec)bsk_child(channels, .name = "channels", .init = channels_init,
                                     .mailbox = BSK_MAILBOX_MAX, .keeps_mailbox = true,
                                     .state = &fresh, .state_size = sizeof fresh);
}
