/* SPDX-License-Identifier: MIT */
/* strings.c - values: GET and SET, and numbers. */
#include "bounds.h"
#include "commands.h"

static void reply_value(struct call *c, struct entry *e)
{
    if (e)
        reply_bulk(c->out, entry_value(e), e->vlen);
    else
        reply_null(c->out, c->resp);
}

void get_call(struct call *c)
{
    reply_value(c, *call_find(c, c->hash, c->argv[1]));
}

void mget_call(struct call *c)
{
    reply_array(c->out, c->argc - 1);
    for (uint32_t i = 1; i < c->argc; i++) {
        call_ahead(c, i, 1);
        reply_value(c, *call_find(c, call_hash(c, i), c->argv[i]));
    }
}

void strlen_call(struct call *c)
{
    struct entry *e = *call_find(c, c->hash, c->argv[1]);
    reply_int(c->out, e ? e->vlen : 0);
}

/* False: want of memory; has answered. */
static bool store(struct call *c, struct entry **place, uint64_t hash, struct arg key,
                  struct arg value, int64_t expires)
{
    struct entry *e = keyspace_set(c->ks, place, hash, key, value, expires);
    if (!e)
        call_nomem(c);
    else
        call_put(c, e);
    return e;
}

/* What may follow SET key value. */
struct set_options {
    bool nx, xx, get, keep, expires, seconds, relative;
    struct arg time;
};

static bool is_time(struct arg a, struct set_options *o)
{
    o->seconds = arg_is(a, "ex") || arg_is(a, "exat");
    o->relative = arg_is(a, "ex") || arg_is(a, "px");
    return o->seconds || o->relative || arg_is(a, "pxat");
}

static bool read_set_option(struct call *c, struct set_options *o, uint32_t *i)
{
    struct arg a = c->argv[*i];
    struct set_options time = {0};
    if (arg_is(a, "nx") && !o->xx) return o->nx = true;
    if (arg_is(a, "xx") && !o->nx) return o->xx = true;
    if (arg_is(a, "get")) return o->get = true;
    if (arg_is(a, "keepttl") && !o->expires) return o->keep = true;
    if (o->keep || !is_time(a, &time) || *i + 1 == c->argc) return false;
    /* The same again is right: the last counts. */
    bool same = o->seconds == time.seconds && o->relative == time.relative;
    if (o->expires && !same) return false;
    o->expires = true;
    o->seconds = time.seconds;
    o->relative = time.relative;
    o->time = c->argv[++*i];
    return true;
}

static bool read_set_options(struct call *c, struct set_options *o)
{
    for (uint32_t i = 3; i < c->argc; i++) {
        if (read_set_option(c, o, &i)) continue;
        reply_error(c->out, SYNTAX_ERROR);
        return false;
    }
    return true;
}

static bool read_expiry(struct call *c, struct arg given, bool seconds, bool relative, int64_t *at)
{
    int64_t n;
    if (!call_number(c, given, &n)) return false;
    if (n > 0) return call_time(c, n, seconds, relative, at);
    reply_error(c->out, "ERR invalid expire time in '%s' command", c->command->name);
    return false;
}

void set_call(struct call *c)
{
    struct set_options o = {0};
    int64_t expires = 0;
    if (!read_set_options(c, &o)) return;
    if (o.expires && !read_expiry(c, o.time, o.seconds, o.relative, &expires)) return;
    struct entry **place = call_find(c, c->hash, c->argv[1]), *e = *place;
    bool refused = (o.nx && e) || (o.xx && !e);
    if (o.get)
        reply_value(c, e);
    else if (refused)
        reply_null(c->out, c->resp);
    if (refused) return;
    if (o.keep && e) expires = e->expires;
    if (store(c, place, c->hash, c->argv[1], c->argv[2], expires) && !o.get) reply_ok(c->out);
}

void mset_call(struct call *c)
{
    if (c->argc % 2 == 0) {
        reply_error(c->out, "ERR wrong number of arguments for 'mset' command");
        return;
    }
    for (uint32_t i = 1; i < c->argc; i += 2) {
        call_ahead(c, i, 2);
        uint64_t hash = call_hash(c, i);
        struct entry **place = call_find(c, hash, c->argv[i]);
        if (!store(c, place, hash, c->argv[i], c->argv[i + 1], 0)) return;
    }
    reply_ok(c->out);
}

void setnx_call(struct call *c)
{
    struct entry **place = call_find(c, c->hash, c->argv[1]);
    if (*place)
        reply_int(c->out, 0);
    else if (store(c, place, c->hash, c->argv[1], c->argv[2], 0))
        reply_int(c->out, 1);
}

static void set_for(struct call *c, bool seconds)
{
    int64_t expires;
    if (!read_expiry(c, c->argv[2], seconds, true, &expires)) return;
    struct entry **place = call_find(c, c->hash, c->argv[1]);
    if (store(c, place, c->hash, c->argv[1], c->argv[3], expires)) reply_ok(c->out);
}

void setex_call(struct call *c)
{
    set_for(c, true);
}

void psetex_call(struct call *c)
{
    set_for(c, false);
}

static void add(struct call *c, int64_t by)
{
    char digits[24];
    int64_t n = 0;
    struct entry **place = call_find(c, c->hash, c->argv[1]), *e = *place;
    if (e && !call_number(c, (struct arg){entry_value(e), e->vlen}, &n)) return;
    if (__builtin_add_overflow(n, by, &n)) {
        reply_error(c->out, "ERR increment or decrement would overflow");
        return;
    }
    struct arg value = {digits, (uint32_t)number_write(digits, n)};
    if (store(c, place, c->hash, c->argv[1], value, e ? e->expires : 0)) reply_int(c->out, n);
}

void incr_call(struct call *c)
{
    add(c, 1);
}

void decr_call(struct call *c)
{
    add(c, -1);
}

void incrby_call(struct call *c)
{
    int64_t by;
    if (call_number(c, c->argv[2], &by)) add(c, by);
}

void decrby_call(struct call *c)
{
    int64_t by;
    if (!call_number(c, c->argv[2], &by)) return;
    if (by == INT64_MIN)
        reply_error(c->out, "ERR decrement would overflow");
    else
        add(c, -by);
}

void append_call(struct call *c)
{
    struct entry **place = call_find(c, c->hash, c->argv[1]);
    if (!*place) {
        if (store(c, place, c->hash, c->argv[1], c->argv[2], 0)) reply_int(c->out, c->argv[2].len);
        return;
    }
    if ((uint64_t)(*place)->vlen + c->argv[2].len > BULK_MAX) {
        reply_error(c->out, "ERR string exceeds maximum allowed size (proto-max-bulk-len)");
        return;
    }
    struct entry *e = keyspace_append(c->ks, place, c->argv[2]);
    if (!e) {
        call_nomem(c);
        return;
    }
    call_put(c, e);
    reply_int(c->out, e->vlen);
}
