/* SPDX-License-Identifier: MIT */
/* key.c - what a key may be. */
#include "key.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More states than this are not told apart; and clocks differ by so many ms. */
enum { STATES_MAX = 64, SLACK_MS = 30 };

static const char *const verb_names[VERBS] = {"GET",    "SET",    "INCRBY",  "APPEND", "DEL",
                                              "EXISTS", "EXPIRE", "PERSIST", "TTL",    "STRLEN"};

const char *verb_name(enum verb v)
{
    return verb_names[v];
}

struct text *text_new(const char *at, size_t len)
{
    struct text *t = malloc(sizeof *t + len + 1);
    if (!t) abort();
    t->refs = 1;
    t->len = (uint32_t)len;
    if (at) memcpy(t->at, at, len);
    t->at[len] = '\0';
    return t;
}

struct text *text_hold(struct text *t)
{
    if (t) t->refs++;
    return t;
}

void text_drop(struct text *t)
{
    if (t && --t->refs == 0) free(t);
}

struct outcome {
    struct state after;  /* holds its value */
    char type;           /* of the reply: + - : $ _ */
    int64_t least, most; /* : */
};

static bool number_of(const struct text *t, int64_t *n)
{
    char *end;
    if (!t || !t->len || t->len > 18 || (t->at[0] != '-' && (t->at[0] < '0' || t->at[0] > '9')))
        return false;
    *n = strtoll(t->at, &end, 10);
    return *end == '\0';
}

static void say_number(struct outcome *o, int64_t n)
{
    o->type = ':';
    o->least = o->most = n;
}

static void become(struct outcome *o, struct text *value)
{
    text_drop(o->after.value);
    o->after.value = value;
    if (!value) o->after.from = o->after.until = 0;
}

static void do_set(struct outcome *o, const struct op *op, struct window w)
{
    become(o, text_hold(op->value));
    o->after.from = op->n ? w.from + op->n : 0;
    o->after.until = op->n ? w.to + op->n : 0;
    o->type = '+';
}

static void do_incr(struct outcome *o, const struct op *op)
{
    char digits[32];
    int64_t n = 0;
    if (o->after.value && !number_of(o->after.value, &n)) {
        o->type = '-';
        return;
    }
    say_number(o, n + op->n);
    become(o, text_new(digits, (size_t)snprintf(digits, sizeof digits, "%" PRId64, n + op->n)));
}

static void do_append(struct outcome *o, const struct op *op)
{
    const struct text *old = o->after.value;
    uint32_t had = old ? old->len : 0;
    struct text *t = text_new(NULL, had + op->value->len);
    if (had) memcpy(t->at, old->at, had);
    memcpy(t->at + had, op->value->at, op->value->len);
    say_number(o, t->len);
    become(o, t);
}

static void do_expire(struct outcome *o, const struct op *op, struct window w)
{
    say_number(o, o->after.value != NULL);
    if (!o->after.value) return;
    o->after.from = w.from + op->n * 1000;
    o->after.until = w.to + op->n * 1000;
}

static void do_persist(struct outcome *o)
{
    say_number(o, o->after.until != 0);
    o->after.from = o->after.until = 0;
}

static void do_ttl(struct outcome *o, struct window w)
{
    say_number(o, !o->after.value ? -2 : -1);
    if (!o->after.until) return;
    o->least = (o->after.from - w.to - SLACK_MS) / 1000 - 1;
    o->most = (o->after.until - w.from + SLACK_MS) / 1000 + 1;
    if (o->least < 0) o->least = 0;
}

static void do_op(struct outcome *o, const struct op *op, struct window w)
{
    switch (op->verb) {
    case GET: o->type = o->after.value ? '$' : '_'; break;
    case SET: do_set(o, op, w); break;
    case INCR: do_incr(o, op); break;
    case APPEND: do_append(o, op); break;
    case DEL:
        say_number(o, o->after.value != NULL);
        become(o, NULL);
        break;
    case EXISTS: say_number(o, o->after.value != NULL); break;
    case EXPIRE: do_expire(o, op, w); break;
    case PERSIST: do_persist(o); break;
    case TTL: do_ttl(o, w); break;
    default: say_number(o, o->after.value ? o->after.value->len : 0);
    }
}

static bool is_answer(const struct outcome *o, const struct reply *r)
{
    if (o->type != r->type) return false;
    if (r->type == ':') return r->n >= o->least && r->n <= o->most;
    if (r->type != '$') return true;
    const struct text *t = o->after.value;
    return t->len == r->len && memcmp(t->at, r->at, r->len) == 0;
}

/* The version that a value tells: "v<version>:...", or <version> thousands, counted up since. */
static int64_t version_of(const char *at, size_t len)
{
    char digits[24];
    bool text = len && at[0] == 'v';
    size_t n = len - text < sizeof digits - 1 ? len - text : sizeof digits - 1;
    memcpy(digits, at + text, n);
    digits[n] = '\0';
    return strtoll(digits, NULL, 10) / (text ? 1 : 1000);
}

static void remember(struct key *k, const struct op *op, struct window w, char how)
{
    const struct text *t = op->value;
    int64_t version = t ? version_of(t->at, t->len) : op->n;
    k->past[k->npast++ % PAST] = (struct past){w, op->verb, how, version};
}

void key_not_done(struct key *k, const struct op *op, struct window w)
{
    remember(k, op, w, '-');
}

void key_print_past(const struct key *k)
{
    for (uint32_t i = k->npast > PAST ? k->npast - PAST : 0; i < k->npast; i++) {
        const struct past *p = &k->past[i % PAST];
        fprintf(stderr, "    %10" PRId64 " to %" PRId64 " ms %c %s %" PRId64 "\n", p->window.from,
                p->window.to, p->how, verb_name(p->verb), p->version);
    }
}

static void add_state(struct key *k, struct state s)
{
    for (uint32_t i = 0; i < k->n; i++) {
        const struct state *m = &k->may[i];
        bool same = m->value == s.value || (m->value && s.value && m->value->len == s.value->len &&
                                            memcmp(m->value->at, s.value->at, s.value->len) == 0);
        if (!same || m->from != s.from || m->until != s.until) continue;
        text_drop(s.value);
        return;
    }
    k->may = realloc(k->may, (k->n + 1) * sizeof *k->may);
    if (!k->may) abort();
    k->may[k->n++] = s;
}

static void free_states(struct state *may, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) text_drop(may[i].value);
    free(may);
}

void key_init(struct key *k, const char *name)
{
    memset(k, 0, sizeof *k);
    snprintf(k->name, sizeof k->name, "%s", name);
    add_state(k, (struct state){0});
}

void key_fini(struct key *k)
{
    free_states(k->may, k->n);
    k->may = NULL;
    k->n = 0;
}

void key_anything(struct key *k)
{
    key_fini(k);
    k->any = true;
}

/* Adds what comes of one state; r NULL: the answer is not known. */
static void try_state(struct key *k, struct state s, const struct op *op, const struct reply *r,
                      struct window w)
{
    struct outcome o = {.after = {text_hold(s.value), s.from, s.until}};
    do_op(&o, op, w);
    if (!r || is_answer(&o, r))
        add_state(k, o.after);
    else
        text_drop(o.after.value);
}

/* All that a state may have become of itself when the op is done. */
static void try_times(struct key *k, struct state s, const struct op *op, const struct reply *r,
                      struct window w)
{
    bool may_live = !s.until || w.from <= s.until + SLACK_MS;
    bool may_be_gone = s.until && w.to >= s.from - SLACK_MS;
    if (may_live) try_state(k, s, op, r, w);
    if (may_be_gone) try_state(k, (struct state){0}, op, r, w);
}

static struct key renew(struct key *k)
{
    struct key old = *k;
    k->may = NULL;
    k->n = 0;
    return old;
}

void key_doubted(struct key *k, const struct op *op, struct window w)
{
    if (verb_writes(op->verb)) remember(k, op, w, '?');
    if (k->any || !verb_writes(op->verb)) return;
    struct key old = renew(k);
    for (uint32_t i = 0; i < old.n; i++) {
        add_state(k,
                  (struct state){text_hold(old.may[i].value), old.may[i].from, old.may[i].until});
        try_times(k, old.may[i], op, NULL, w);
    }
    free_states(old.may, old.n);
    if (k->n > STATES_MAX) key_anything(k);
}

/* Tells whether the answer is behind what this state has: then something was lost. */
static bool is_behind(const struct outcome *o, const struct reply *r)
{
    if (r->type == '_') return o->type == '$';
    if (r->type == ':') return o->type == ':' && r->n < o->least;
    const struct text *t = o->after.value;
    return r->type == '$' && t && version_of(r->at, r->len) <= version_of(t->at, t->len);
}

static enum verdict judge(const struct state *may, uint32_t n, const struct op *op,
                          const struct reply *r, struct window w)
{
    bool behind = true;
    for (uint32_t i = 0; i < n; i++) {
        struct outcome o = {.after = {text_hold(may[i].value), may[i].from, may[i].until}};
        do_op(&o, op, w);
        behind = behind && is_behind(&o, r);
        text_drop(o.after.value);
    }
    return behind ? LOST : WRONG;
}

/* A key that may be anything is something again when it is set, or removed. */
static void answered_anything(struct key *k, const struct op *op, const struct reply *r,
                              struct window w)
{
    if (!(op->verb == SET && r->type == '+') && !(op->verb == DEL && r->type == ':')) return;
    try_state(k, (struct state){0}, op, NULL, w);
    k->any = false;
}

enum verdict key_answered(struct key *k, const struct op *op, const struct reply *r,
                          struct window w)
{
    enum verdict v = FITS;
    remember(k, op, w, ' ');
    if (k->any) {
        answered_anything(k, op, r, w);
        return FITS;
    }
    struct key old = renew(k);
    for (uint32_t i = 0; i < old.n; i++) try_times(k, old.may[i], op, r, w);
    if (!k->n) {
        v = judge(old.may, old.n, op, r, w);
        key_anything(k);
    }
    free_states(old.may, old.n);
    return v;
}

void key_describe(const struct key *k, char *to, size_t size)
{
    size_t n = (size_t)snprintf(to, size, "%s", k->any ? "anything" : "");
    for (uint32_t i = 0; i < k->n && n < size; i++) {
        const struct state *s = &k->may[i];
        n += (size_t)snprintf(to + n, size - n, "%s", i ? " or " : "");
        if (n >= size) return;
        if (!s->value)
            n += (size_t)snprintf(to + n, size - n, "nothing");
        else
            n += (size_t)snprintf(to + n, size - n, "%.24s (%" PRIu32 " bytes%s)", s->value->at,
                                  s->value->len, s->until ? ", expires" : "");
    }
}
