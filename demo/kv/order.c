/* SPDX-License-Identifier: MIT */
/* order.c - commands on their way to a shard. */
#include "order.h"

struct head {
    uint64_t hash;
    uint32_t args;
    uint16_t command;
    uint16_t resp;
};

void order_begin(struct buffer *b, const struct command *command, int resp, uint64_t hash,
                 uint32_t n)
{
    struct head h = {hash, n, (uint16_t)(command - commands), (uint16_t)resp};
    buffer_add(b, &h, sizeof h);
}

void order_arg(struct buffer *b, struct arg a)
{
    char *to = buffer_room(b, sizeof a.len + a.len);
    if (!to) return;
    memcpy(to, &a.len, sizeof a.len);
    if (a.len) memcpy(to + sizeof a.len, a.at, a.len);
    b->len += sizeof a.len + a.len;
}

bool order_next(const char **at, const char *end, struct call *c, struct buffer *argv)
{
    struct head h;
    if (*at == end) return false;
    memcpy(&h, *at, sizeof h);
    c->command = &commands[h.command];
    c->hash = h.hash;
    c->resp = h.resp;
    c->argc = h.args + 1;
    argv->len = 0;
    void *room = buffer_room(argv, c->argc * sizeof *c->argv);
    if (!room) return false;
    c->argv = room;
    c->argv[0] = (struct arg){c->command->name, (uint32_t)strlen(c->command->name)};
    const char *p = *at + sizeof h;
    for (uint32_t i = 1; i < c->argc; i++) {
        memcpy(&c->argv[i].len, p, sizeof c->argv[i].len);
        c->argv[i].at = p + sizeof c->argv[i].len;
        p = c->argv[i].at + c->argv[i].len;
    }
    *at = p;
    return true;
}

uint64_t order_skip(const char **at)
{
    struct head h;
    memcpy(&h, *at, sizeof h);
    const char *p = *at + sizeof h;
    for (uint32_t i = 0, len; i < h.args; i++, p += sizeof len + len) memcpy(&len, p, sizeof len);
    *at = p;
    return h.hash;
}

size_t frame_open(struct buffer *b)
{
    uint32_t none = 0;
    size_t at = b->len;
    buffer_add(b, &none, sizeof none);
    return at;
}

void frame_close(struct buffer *b, size_t at)
{
    uint32_t len = (uint32_t)(b->len - at - sizeof len);
    if (!b->failed) memcpy(b->at + at, &len, sizeof len);
}

struct arg frame_next(struct arg *frames)
{
    struct arg f = {NULL, 0};
    uint32_t head = sizeof f.len;
    if (frames->len < head) return f;
    memcpy(&f.len, frames->at, head);
    f.at = frames->at + head;
    frames->at += head + f.len;
    frames->len -= head + f.len;
    return f;
}
