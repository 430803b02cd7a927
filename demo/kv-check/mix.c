/* SPDX-License-Identifier: MIT */
/* mix.c - what is asked for. */
#include "mix.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILL_MOST = 200, LARGE = 40000, SOME_KEYS = 5, APPENDS_UP_TO = 600, TRANSFER_MOST = 100 };

uint64_t mix_random(struct mix *m, uint64_t below)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return (m->random >> 11) % below;
}

void batch_clear(struct batch *b)
{
    for (uint32_t i = 0; i < b->nops; i++) text_drop(b->ops[i].value);
    b->nops = b->nrequests = 0;
    b->out.len = 0;
}

void batch_fini(struct batch *b)
{
    batch_clear(b);
    free(b->ops);
    free(b->requests);
    free(b->out.at);
    *b = (struct batch){0};
}

static void *grown(void *at, uint32_t n, uint32_t *cap, size_t size)
{
    if (n < *cap) return at;
    *cap = *cap ? *cap * 2 : 64;
    at = realloc(at, *cap * size);
    if (!at) abort();
    return at;
}

static void add_request(struct batch *b, enum shape shape)
{
    b->requests = grown(b->requests, b->nrequests, &b->requests_cap, sizeof *b->requests);
    b->requests[b->nrequests++] = (struct request){shape, b->nops, 0};
}

/* Adds to the last request. */
static struct op *add_op(struct batch *b, struct op op)
{
    b->ops = grown(b->ops, b->nops, &b->ops_cap, sizeof *b->ops);
    b->requests[b->nrequests - 1].n++;
    b->ops[b->nops] = op;
    return &b->ops[b->nops++];
}

static const char *name_of(const struct op *op)
{
    return op->key ? op->key->name : shared[op->shared].name;
}

static void add_text(struct bytes *out, const char *text)
{
    bytes_arg(out, text, strlen(text));
}

/* As a request of its own. */
static void encode(struct bytes *out, const struct op *op)
{
    bool numbered = op->verb == INCR || op->verb == EXPIRE, lives = op->verb == SET && op->n;
    bytes_command(out, 2u + (op->value || numbered) + 2u * lives);
    add_text(out, verb_name(op->verb));
    add_text(out, name_of(op));
    if (op->value) bytes_arg(out, op->value->at, op->value->len);
    if (lives) add_text(out, "PX");
    if (numbered || lives) bytes_number(out, op->n);
}

/* Values: they tell their version, and whose they are. */

static struct text *fresh_value(struct mix *m, struct key *k)
{
    char head[KEY_NAME + 32];
    int64_t version = ++k->version;
    if (mix_random(m, 10) < 3)
        return text_new(head, (size_t)snprintf(head, sizeof head, "%" PRId64, version * 1000));
    int n = snprintf(head, sizeof head, "v%" PRId64 ":%s:", version, k->name);
    size_t fill = mix_random(m, mix_random(m, 2000) ? FILL_MOST : LARGE);
    struct text *t = text_new(NULL, (size_t)n + fill);
    memcpy(t->at, head, (size_t)n);
    for (size_t i = 0; i < fill; i++)
        t->at[(size_t)n + i] = (char)('a' + (i + (size_t)version) % 26);
    return t;
}

static struct text *more_value(struct key *k)
{
    char more[32];
    return text_new(more, (size_t)snprintf(more, sizeof more, "+%" PRId64, ++k->version));
}

static bool is_long(const struct key *k)
{
    for (uint32_t i = 0; i < k->n; i++)
        if (k->may[i].value && k->may[i].value->len > APPENDS_UP_TO) return true;
    return false;
}

static struct key *some_key(struct mix *m)
{
    return &m->keys[mix_random(m, m->nkeys)];
}

static struct op set_of(struct mix *m, struct key *k)
{
    return (struct op){.verb = SET, .key = k, .value = fresh_value(m, k)};
}

static enum verb some_verb(struct mix *m)
{
    static const enum verb verbs[] = {GET,     GET,  GET,    GET,    SET, SET,    SET,
                                      SET,     INCR, INCR,   APPEND, DEL, EXISTS, EXPIRE,
                                      PERSIST, TTL,  STRLEN, APPEND, SET, GET};
    return verbs[mix_random(m, sizeof verbs / sizeof *verbs)];
}

static struct op op_of(struct mix *m, struct key *k)
{
    struct op op = {.verb = some_verb(m), .key = k};
    if (op.verb == APPEND && is_long(k)) op.verb = SET;
    if (op.verb == SET) {
        op = set_of(m, k);
        if (mix_random(m, 10) == 0) op.n = 100 + (int64_t)mix_random(m, 2000);
    }
    if (op.verb == APPEND) op.value = more_value(k);
    if (op.verb == INCR) op.n = 1 + (int64_t)mix_random(m, 9);
    if (op.verb == EXPIRE) op.n = mix_random(m, 2) ? 1 : 1000;
    return op;
}

static void draw_one(struct mix *m, struct batch *b)
{
    add_request(b, ONE);
    encode(&b->out, add_op(b, op_of(m, some_key(m))));
}

static void draw_count(struct mix *m, struct batch *b)
{
    unsigned i = (unsigned)mix_random(m, COUNTERS);
    struct op op = {.verb = INCR, .shared = i, .n = 1, .floor = shared_floor(i)};
    add_request(b, ONE);
    encode(&b->out, add_op(b, op));
}

static void draw_mget(struct mix *m, struct batch *b)
{
    unsigned n = 1 + (unsigned)mix_random(m, SOME_KEYS);
    add_request(b, MGET);
    bytes_command(&b->out, n + 1);
    add_text(&b->out, "MGET");
    for (unsigned i = 0; i < n; i++)
        add_text(&b->out, add_op(b, (struct op){.verb = GET, .key = some_key(m)})->key->name);
}

static void draw_mset(struct mix *m, struct batch *b)
{
    unsigned n = 1 + (unsigned)mix_random(m, SOME_KEYS);
    add_request(b, MSET);
    bytes_command(&b->out, 2 * n + 1);
    add_text(&b->out, "MSET");
    for (unsigned i = 0; i < n; i++) {
        const struct op *op = add_op(b, set_of(m, some_key(m)));
        add_text(&b->out, op->key->name);
        bytes_arg(&b->out, op->value->at, op->value->len);
    }
}

static void draw_transaction(struct mix *m, struct batch *b)
{
    unsigned n = 1 + (unsigned)mix_random(m, SOME_KEYS);
    add_request(b, EXEC);
    bytes_words(&b->out, 1, "MULTI");
    for (unsigned i = 0; i < n; i++) encode(&b->out, add_op(b, op_of(m, some_key(m))));
    bytes_words(&b->out, 1, "EXEC");
}

static void draw_transfer(struct mix *m, struct batch *b)
{
    unsigned from = COUNTERS + (unsigned)mix_random(m, PURSES);
    unsigned to = COUNTERS + (unsigned)mix_random(m, PURSES);
    int64_t n = 1 + (int64_t)mix_random(m, TRANSFER_MOST);
    add_request(b, EXEC);
    bytes_words(&b->out, 1, "MULTI");
    encode(&b->out, add_op(b, (struct op){.verb = INCR, .shared = from, .n = -n}));
    encode(&b->out, add_op(b, (struct op){.verb = INCR, .shared = to, .n = n}));
    bytes_words(&b->out, 1, "EXEC");
}

void mix_look(struct mix *m, struct batch *b)
{
    (void)m;
    add_request(b, LOOK);
    bytes_command(&b->out, PURSES + 1);
    add_text(&b->out, "MGET");
    for (unsigned i = COUNTERS; i < SHARED; i++) add_text(&b->out, shared[i].name);
}

void mix_draw(struct mix *m, struct batch *b)
{
    static void (*const draws[])(struct mix *, struct batch *) = {
        draw_one,  draw_one,  draw_one,         draw_one, draw_one,   draw_one,
        draw_one,  draw_one,  draw_one,         draw_one, draw_one,   draw_count,
        draw_mget, draw_mset, draw_transaction, mix_look, draw_count, draw_transfer};
    draws[mix_random(m, sizeof draws / sizeof *draws)](m, b);
}

void mix_verify(struct batch *b, struct key *k)
{
    add_request(b, ONE);
    encode(&b->out, add_op(b, (struct op){.verb = GET, .key = k}));
    add_request(b, ONE);
    encode(&b->out, add_op(b, (struct op){.verb = TTL, .key = k}));
}

/* What may be anything cannot be learnt by reading: when it expires is not told exactly. */
void mix_settle(struct mix *m, struct batch *b, struct key *k)
{
    if (!k->any) {
        mix_verify(b, k);
        return;
    }
    add_request(b, ONE);
    encode(&b->out, add_op(b, set_of(m, k)));
}

void mix_remove(struct batch *b, struct key *k)
{
    add_request(b, ONE);
    encode(&b->out, add_op(b, (struct op){.verb = DEL, .key = k}));
}

void mix_shared(struct batch *b, enum verb verb, unsigned i)
{
    add_request(b, ONE);
    encode(&b->out, add_op(b, (struct op){.verb = verb, .shared = i}));
}
