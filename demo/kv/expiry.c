/* SPDX-License-Identifier: MIT */
/* expiry.c - how long keys live. */
#include <stdio.h>

#include "commands.h"

struct conditions {
    bool nx, xx, gt, lt;
};

static bool read_condition(struct call *c, struct conditions *o, struct arg a)
{
    if (arg_is(a, "nx")) return o->nx = true;
    if (arg_is(a, "xx")) return o->xx = true;
    if (arg_is(a, "gt")) return o->gt = true;
    if (arg_is(a, "lt")) return o->lt = true;
    reply_error(c->out, "ERR Unsupported option %.*s", (int)a.len, a.at);
    return false;
}

static bool read_conditions(struct call *c, struct conditions *o)
{
    for (uint32_t i = 3; i < c->argc; i++)
        if (!read_condition(c, o, c->argv[i])) return false;
    if (o->nx && (o->xx || o->gt || o->lt)) {
        reply_error(c->out, "ERR NX and XX, GT or LT options at the same time are not compatible");
        return false;
    }
    if (!o->gt || !o->lt) return true;
    reply_error(c->out, "ERR GT and LT options at the same time are not compatible");
    return false;
}

/* A key that never expires does so later than any other. */
static bool holds(const struct conditions *o, int64_t now, int64_t then)
{
    return !(o->nx && now) && !(o->xx && !now) && !(o->gt && (!now || then <= now)) &&
           !(o->lt && now && then >= now);
}

static void set_expiry(struct call *c, bool seconds, bool relative)
{
    struct conditions o = {0};
    int64_t then;
    if (!read_conditions(c, &o)) return;
    if (!call_number(c, c->argv[2], &then)) return;
    if (!call_time(c, then, seconds, relative, &then)) return;
    struct entry **place = call_find(c, c->hash, c->argv[1]), *e = *place;
    if (!e || !holds(&o, e->expires, then)) {
        reply_int(c->out, 0);
        return;
    }
    if (then <= c->now) {
        call_remove(c, place);
    } else {
        keyspace_set_expiry(c->ks, e, then);
        call_put(c, e);
    }
    reply_int(c->out, 1);
}

void expire_call(struct call *c)
{
    set_expiry(c, true, true);
}

void pexpire_call(struct call *c)
{
    set_expiry(c, false, true);
}

void expireat_call(struct call *c)
{
    set_expiry(c, true, false);
}

void pexpireat_call(struct call *c)
{
    set_expiry(c, false, false);
}

static void reply_left(struct call *c, int64_t unit)
{
    struct entry *e = *call_find(c, c->hash, c->argv[1]);
    if (!e || !e->expires)
        reply_int(c->out, e ? -1 : -2);
    else
        reply_int(c->out, (e->expires - c->now + unit / 2) / unit);
}

void ttl_call(struct call *c)
{
    reply_left(c, 1000);
}

void pttl_call(struct call *c)
{
    reply_left(c, 1);
}

void persist_call(struct call *c)
{
    struct entry *e = *call_find(c, c->hash, c->argv[1]);
    bool did = e && e->expires;
    if (did) {
        keyspace_set_expiry(c->ks, e, 0);
        call_put(c, e);
    }
    reply_int(c->out, did);
}
