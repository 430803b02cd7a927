/* SPDX-License-Identifier: MIT */
/* keys.c - keys, one, many and all. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "commands.h"
#include "glob.h"
#include "hash.h"
#include "writes.h"

enum { SCAN_COUNT = 10, SCAN_EMPTY = 10 };

void del_call(struct call *c)
{
    int64_t n = 0;
    for (uint32_t i = 1; i < c->argc; i++) {
        struct entry **place = call_find(c, call_hash(c, i), c->argv[i]);
        if (!*place) continue;
        call_remove(c, place);
        n++;
    }
    reply_int(c->out, n);
}

void exists_call(struct call *c)
{
    int64_t n = 0;
    for (uint32_t i = 1; i < c->argc; i++) n += *call_find(c, call_hash(c, i), c->argv[i]) != NULL;
    reply_int(c->out, n);
}

void type_call(struct call *c)
{
    if (*call_find(c, c->hash, c->argv[1]))
        reply_raw(c->out, "+string\r\n");
    else
        reply_raw(c->out, "+none\r\n");
}

/* The answer is for WATCH: a number as it is. */
void version_call(struct call *c)
{
    uint64_t v = keyspace_version(c->ks, *call_find(c, c->hash, c->argv[1]));
    buffer_add(c->out, &v, sizeof v);
}

/* What a walk over many keys looks for, and what it found. */
struct walk {
    struct call *call;
    struct arg pattern; /* all: at NULL */
    bool none;          /* of another type than there is */
    int64_t found, seen;
    struct buffer out;
};

/* A star alone is all keys, the empty one too, which it would not match. */
static struct arg some_of(struct arg pattern)
{
    return pattern.len == 1 && *pattern.at == '*' ? (struct arg){0} : pattern;
}

static void see(void *arg, const struct entry *e)
{
    struct walk *w = arg;
    w->seen++;
    if (w->none || (e->expires && e->expires < w->call->now)) return;
    if (w->pattern.at && !glob_match(w->pattern.at, w->pattern.len, e->bytes, e->klen, false))
        return;
    w->found++;
    reply_bulk(&w->out, e->bytes, e->klen);
}

static void reply_found(struct walk *w)
{
    struct buffer *out = w->call->out;
    reply_array(out, w->found);
    buffer_add(out, w->out.at, w->out.len);
    out->failed |= w->out.failed;
    buffer_free(&w->out);
    /* Some of what was seen or missed may not be on disk yet. */
    w->call->waits |= w->call->ks->version > w->call->durable;
}

void keys_call(struct call *c)
{
    struct walk w = {.call = c, .pattern = some_of(c->argv[1])};
    uint64_t cursor = 0;
    do cursor = keyspace_scan(c->ks, cursor, see, &w);
    while (cursor);
    reply_found(&w);
}

static bool read_cursor(struct call *c, uint64_t *cursor)
{
    char text[24] = "", *end = text;
    struct arg a = c->argv[1];
    if (a.len && a.len < sizeof text && !isspace((unsigned char)*a.at)) {
        memcpy(text, a.at, a.len);
        errno = 0;
        *cursor = strtoull(text, &end, 10);
        if (a.len && end == text + a.len && errno == 0) return true;
    }
    if (!a.len) {
        *cursor = 0;
        return true;
    }
    reply_error(c->out, "ERR invalid cursor");
    return false;
}

static bool read_scan_options(struct call *c, struct walk *w, int64_t *count)
{
    for (uint32_t i = 2; i < c->argc; i += 2) {
        struct arg a = c->argv[i], value = i + 1 < c->argc ? c->argv[i + 1] : a;
        if (i + 1 < c->argc && arg_is(a, "count")) {
            if (!call_number(c, value, count)) return false;
            if (*count >= 1) continue;
        } else if (i + 1 < c->argc && arg_is(a, "match")) {
            w->pattern = some_of(value);
            continue;
        } else if (i + 1 < c->argc && arg_is(a, "type")) {
            w->none = !arg_is(value, "string");
            continue;
        }
        reply_error(c->out, SYNTAX_ERROR);
        return false;
    }
    return true;
}

/* A cursor is the shard's own, times the number of shards, and the shard's number: when one has
 * been gone through it is the turn of the next. */
void scan_call(struct call *c)
{
    struct walk w = {.call = c};
    char digits[24];
    uint64_t cursor;
    int64_t count = SCAN_COUNT;
    if (!read_cursor(c, &cursor) || !read_scan_options(c, &w, &count)) return;
    int64_t most = count < INT64_MAX / SCAN_EMPTY ? count * SCAN_EMPTY : count;
    uint64_t own = cursor / c->shards;
    do own = keyspace_scan(c->ks, own, see, &w);
    while (own && w.seen < count && --most > 0);
    uint64_t next = own ? own * c->shards + c->shard : (c->shard + 1) % c->shards;
    reply_array(c->out, 2);
    reply_bulk(c->out, digits, number_write(digits, (int64_t)next));
    reply_found(&w);
}

void dbsize_call(struct call *c)
{
    c->waits |= c->ks->version > c->durable;
    reply_int(c->out, (int64_t)c->ks->count);
}

void flush_call(struct call *c)
{
    if (c->argc > 2 ||
        (c->argc == 2 && !arg_is(c->argv[1], "sync") && !arg_is(c->argv[1], "async"))) {
        reply_error(c->out, SYNTAX_ERROR);
        return;
    }
    unsigned from = shard_from(c->shard, c->shards);
    struct record r = {
        .kind = WRITE_CLEAR, .hash = from, .expires = shard_from(c->shard + 1, c->shards) - from};
    if (c->writes) writes_add(c->writes, &r);
    keyspace_clear(c->ks);
    reply_ok(c->out);
}
