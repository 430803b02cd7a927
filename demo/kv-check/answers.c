/* SPDX-License-Identifier: MIT */
/* answers.c - holds answers against what they may be. */
#include "answers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tally.h"

enum { TOLD_MOST = 10, EXPECTED = 300 };

struct reading {
    struct wire *wire;
    struct batch *batch;
    int64_t ms;
    unsigned troubles;
};

/* What an answer says of what was asked for. */
enum fate { ANSWERED, NOT_DONE, UNKNOWN };

static int next_reply(struct reading *a, struct reply *r)
{
    int rc = wire_reply(a->wire, r, a->ms);
    a->batch->window.to = bsk_now(bsk_rt_of(a->wire->self));
    return rc;
}

static void print_reply(const struct reply *r)
{
    int len = r->len < 60 ? (int)r->len : 60;
    if (r->type == ':' || r->type == '*')
        fprintf(stderr, "%c%" PRId64, r->type, r->n);
    else if (r->type == '_')
        fprintf(stderr, "nothing");
    else
        fprintf(stderr, "%c%.*s (%zu bytes)", r->type, len, r->at, r->len);
}

/* Counts it; true: it is told, too. */
static bool judged(enum verdict v, const char *name, const char *verb, const struct reply *r,
                   const char *expected)
{
    if (v == FITS) return false;
    _Atomic uint64_t *counter = v == LOST ? &tally.lost : &tally.wrong;
    count_up(counter, 1);
    if (count_of(&tally.lost) + count_of(&tally.wrong) > TOLD_MOST) return false;
    fprintf(stderr, "%s: %s %s answered ", v == LOST ? "lost" : "wrong", verb, name);
    print_reply(r);
    fprintf(stderr, "; may be: %s\n", expected);
    return true;
}

static int64_t number_of(const struct reply *r)
{
    char digits[24];
    size_t n = r->type != '$' ? 0 : r->len < sizeof digits - 1 ? r->len : sizeof digits - 1;
    memcpy(digits, r->at, n);
    digits[n] = '\0';
    return strtoll(digits, NULL, 10);
}

static void hold_against(struct reading *a, const struct op *op, const struct reply *r)
{
    char expected[EXPECTED];
    if (op->key) {
        key_describe(op->key, expected, sizeof expected);
        enum verdict v = key_answered(op->key, op, r, a->batch->window);
        if (judged(v, op->key->name, verb_name(op->verb), r, expected)) key_print_past(op->key);
    } else if (op->verb == INCR) {
        snprintf(expected, sizeof expected, "more than %" PRId64, op->floor);
        judged(shared_answered(op, r), shared[op->shared].name, "INCRBY", r, expected);
    } else if (op->verb == GET && op->shared < COUNTERS) {
        shared_describe(op->shared, expected, sizeof expected);
        judged(shared_final(op->shared, number_of(r)), shared[op->shared].name, "GET", r, expected);
    }
}

static void doubt(const struct op *op, struct window w)
{
    if (verb_writes(op->verb)) count_up(&tally.doubted, 1);
    if (op->key)
        key_doubted(op->key, op, w);
    else if (op->verb == INCR)
        shared_doubted(op);
}

static bool begins(const struct reply *r, const char *word)
{
    return r->len >= strlen(word) && memcmp(r->at, word, strlen(word)) == 0;
}

static bool says(const struct reply *r, const char *words)
{
    size_t len = strlen(words);
    for (size_t i = 0; i + len <= r->len; i++)
        if (memcmp(r->at + i, words, len) == 0) return true;
    return false;
}

/* Errors of a command are answers; others say that there is none. Some promise that nothing was
 * done: they are taken by their word. */
static enum fate fate_of(struct reading *a, const struct reply *r)
{
    if (r->type != '-' || begins(r, "ERR") || begins(r, "WRONGTYPE")) return ANSWERED;
    count_up(&tally.troubles[trouble_of_reply(r)], 1);
    a->troubles++;
    if (says(r, "was not executed") || begins(r, "LOADING") || begins(r, "EXECABORT"))
        return NOT_DONE;
    return UNKNOWN;
}

static void settle(struct reading *a, struct op *op, const struct reply *r, enum fate fate)
{
    op->settled = true;
    if (fate == UNKNOWN) doubt(op, a->batch->window);
    if (fate == NOT_DONE && op->key) key_not_done(op->key, op, a->batch->window);
    if (fate != ANSWERED) return;
    if (verb_writes(op->verb) && r->type != '-') count_up(&tally.acknowledged, 1);
    hold_against(a, op, r);
}

static int read_one(struct reading *a, struct op *op)
{
    struct reply r;
    int rc = next_reply(a, &r);
    if (rc == 0) settle(a, op, &r, fate_of(a, &r));
    return rc;
}

static int read_same(struct reading *a, struct op *ops, uint32_t n)
{
    struct reply r;
    int rc = next_reply(a, &r);
    enum fate fate = rc == 0 ? fate_of(a, &r) : UNKNOWN;
    for (uint32_t i = 0; rc == 0 && i < n; i++) settle(a, &ops[i], &r, fate);
    return rc;
}

/* An array of as many answers; or an error, or nothing, for all. */
static int read_array(struct reading *a, struct op *ops, uint32_t n, const char *verb)
{
    struct reply r;
    int rc = next_reply(a, &r);
    if (rc < 0) return rc;
    enum fate fate = fate_of(a, &r);
    if (r.type == '*' && r.n == n) {
        for (uint32_t i = 0; rc == 0 && i < n; i++) rc = read_one(a, &ops[i]);
        return rc;
    }
    if (fate == ANSWERED) judged(WRONG, "...", verb, &r, "an array");
    for (uint32_t i = 0; i < n; i++) settle(a, &ops[i], &r, fate == ANSWERED ? UNKNOWN : fate);
    return 0;
}

static int read_transaction(struct reading *a, struct op *ops, uint32_t n)
{
    struct reply r;
    for (uint32_t i = 0; i < n + 1; i++) {
        int rc = next_reply(a, &r);
        if (rc < 0) return rc;
        if (fate_of(a, &r) == ANSWERED && r.type != '+')
            judged(WRONG, "...", i ? "a queued command" : "MULTI", &r, "+QUEUED");
    }
    return read_array(a, ops, n, "EXEC");
}

static int read_purses(struct reading *a)
{
    struct reply r;
    int64_t sum = 0;
    unsigned before = a->troubles;
    int rc = next_reply(a, &r);
    if (rc < 0) return rc;
    int64_t n = r.type == '*' ? r.n : 0;
    if (fate_of(a, &r) == ANSWERED && n != PURSES) judged(WRONG, "purses", "MGET", &r, "an array");
    for (int64_t i = 0; i < n; i++) {
        if ((rc = next_reply(a, &r)) < 0) return rc;
        if (fate_of(a, &r) == ANSWERED) sum += number_of(&r);
    }
    if (a->troubles == before)
        judged(shared_sum(sum), "all purses", "MGET", &(struct reply){.type = ':', .n = sum},
               "a sum of 0");
    return 0;
}

static int read_request(struct reading *a, const struct request *q)
{
    struct op *ops = a->batch->ops + q->first;
    switch (q->shape) {
    case ONE: return read_one(a, ops);
    case MSET: return read_same(a, ops, q->n);
    case MGET: return read_array(a, ops, q->n, "MGET");
    case EXEC: return read_transaction(a, ops, q->n);
    default: return read_purses(a);
    }
}

void answers_doubt(struct batch *b, int64_t now)
{
    b->window.to = now;
    for (uint32_t i = 0; i < b->nops; i++) {
        if (!b->ops[i].settled) doubt(&b->ops[i], b->window);
        b->ops[i].settled = true;
    }
}

int answers_read(struct wire *w, struct batch *b, int64_t ms, unsigned *troubles)
{
    struct reading a = {w, b, ms, 0};
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < b->nrequests; i++) {
        rc = read_request(&a, &b->requests[i]);
        if (rc == 0) count_up(&tally.requests, 1);
    }
    if (rc < 0) answers_doubt(b, bsk_now(bsk_rt_of(w->self)));
    *troubles = a.troubles;
    return rc;
}
