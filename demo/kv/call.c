/* SPDX-License-Identifier: MIT */
/* call.c - what commands have in common as a shard executes them. */
#include "commands.h"
#include "service.h"
#include "writes.h"

uint64_t call_hash(const struct call *c, uint32_t arg)
{
    return arg == 1 ? c->hash : hash_of(&kv.secret, c->argv[arg].at, c->argv[arg].len);
}

static void put(struct call *c, enum write_kind kind, struct entry *e)
{
    if (!c->writes) return;
    struct record r = {.hash = e->hash, .kind = kind, .key = {e->bytes, e->klen}};
    if (kind == WRITE_PUT) {
        r.expires = e->expires;
        r.value = (struct arg){entry_value(e), e->vlen};
    }
    writes_add(c->writes, &r);
}

void call_put(struct call *c, struct entry *e)
{
    put(c, WRITE_PUT, e);
}

void call_remove(struct call *c, struct entry **place)
{
    put(c, WRITE_GONE, *place);
    keyspace_remove(c->ks, place);
}

struct entry **call_find(struct call *c, uint64_t hash, struct arg key)
{
    struct entry **place = keyspace_find(c->ks, hash, key.at, key.len);
    if (*place && (*place)->expires && (*place)->expires < c->now) {
        call_remove(c, place);
        place = keyspace_find(c->ks, hash, key.at, key.len);
    }
    /* What is told of a key must not be undone by a crash; nor what is told of its absence. */
    c->waits |= (*place ? (*place)->version : c->ks->gone) > c->durable;
    return place;
}

void call_ahead(const struct call *c, uint32_t arg, uint32_t step)
{
    uint64_t hashes[CALL_AHEAD];
    uint32_t n = 0;
    if ((arg - 1) / step % CALL_AHEAD) return;
    for (uint32_t i = arg; i < c->argc && n < CALL_AHEAD; i += step) {
        hashes[n] = call_hash(c, i);
        keyspace_fetch_bucket(c->ks, hashes[n++]);
    }
    for (uint32_t i = 0; i < n && n > 1; i++) keyspace_fetch_entry(c->ks, hashes[i]);
}

bool call_number(struct call *c, struct arg a, int64_t *n)
{
    if (number_read(a.at, a.len, n)) return true;
    reply_error(c->out, NOT_AN_INTEGER);
    return false;
}

bool call_time(struct call *c, int64_t given, bool seconds, bool relative, int64_t *ms)
{
    int64_t base = relative ? c->now : 0;
    bool fits = !seconds || (given <= INT64_MAX / 1000 && given >= INT64_MIN / 1000);
    if (fits && seconds) given *= 1000;
    if (fits && given <= INT64_MAX - base) {
        *ms = given + base;
        return true;
    }
    reply_error(c->out, "ERR invalid expire time in '%s' command", c->command->name);
    return false;
}

void call_nomem(struct call *c)
{
    reply_error(c->out, "OOM out of memory");
}
