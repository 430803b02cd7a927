/* SPDX-License-Identifier: MIT */
#include "actors/runtime.h"
#include "books.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const bsk_type *const types[KINDS] = {
    [KIND_NOTE] = &wl_note_bsk, [KIND_TEXT] = &wl_text_bsk,   [KIND_ECHO] = &wl_echo_bsk,
    [KIND_BLOB] = &wl_blob_bsk, [KIND_LOCAL] = &wl_local_bsk, [KIND_RIGHT] = &wl_right_bsk,
    [KIND_ODD] = &wl_odd_bsk,   [KIND_GET] = &wl_get_bsk,     [KIND_DIAL] = &wl_dial_bsk};

void blame(struct run *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    pthread_mutex_lock(&r->lock);
    if (!r->fault[0]) vsnprintf(r->fault, sizeof r->fault, format, args);
    pthread_mutex_unlock(&r->lock);
    va_end(args);
}

struct token *token_new(struct run *r, const char *what, bool expected)
{
    unsigned i = atomic_fetch_add_explicit(&r->ntokens, 1, memory_order_relaxed);
    if (i >= r->most_tokens) return NULL;
    struct token *t = &r->tokens[i];
    t->what = what;
    atomic_store_explicit(&t->expected, expected, memory_order_relaxed);
    return t;
}

static void done(struct token *t)
{
    atomic_fetch_add_explicit(&t->done, 1, memory_order_relaxed);
}

void wl_local_drop(void *body)
{
    done(((wl_local *)body)->token);
}

void wl_right_drop(void *body)
{
    done(((wl_right *)body)->token);
}

void wl_load_drop(void *body)
{
    done(((wl_load *)body)->token);
}

static char blob_bytes[TEXT_MAX];

static void undo_blob(void *data, void *arg)
{
    if (data == blob_bytes) done(arg);
}

bsk_blob *blob_new(struct run *r, unsigned len)
{
    struct token *t = token_new(r, "blob", true);
    if (!t) return NULL;
    atomic_store_explicit(&t->given, true, memory_order_relaxed);
    return bsk_blob_take(blob_bytes, len, undo_blob, t);
}

void enter_dead(void *run, const bsk_dead_letter *dead)
{
    struct run *r = run;
    enter(&r->dead[dead->why], 1);
    for (int i = 0; i < KINDS; i++)
        if (types[i] == dead->type) enter(&r->dead_kind[i][dead->why], 1);
}

static bool same(struct run *r, const char *what, uint64_t books, uint64_t figure, bool blaming)
{
    if (books == figure) return true;
    if (blaming)
        blame(r, "%s: %" PRIu64 " in the books, %" PRIu64 " by bsk_stats", what, books, figure);
    return false;
}

/* Counts the records that somebody has: their generation is odd. */
static uint64_t in_use(const struct slab *s)
{
    uint64_t n = 0;
    uint32_t used = atomic_load_explicit(&s->used, memory_order_acquire);
    for (uint32_t i = 0; i < used; i++) {
        const struct slab_item *item = slab_at(s, i);
        n += atomic_load_explicit(&item->gen, memory_order_relaxed) & 1;
    }
    return n;
}

static bool records_are_back(struct run *r, bool blaming)
{
    const struct bsk_rt *rt = r->rt;
    bool ok = same(r, "asks in use", 0, in_use(&rt->asks), blaming);
    ok &= same(r, "names in use", 0, in_use(&rt->names), blaming);
    /* What kills who was stopped, and did not end in time, stays until that time. */
    return ok & (r->setup.workers || same(r, "timers in use", 0, in_use(&rt->timers), blaming));
}

bool figures_agree(struct run *r, bool blaming)
{
    bsk_stats_out s;
    uint64_t user = 0;
    bsk_stats(r->rt, &s);
    bool ok = same(r, "actors alive", 0, s.actors, blaming);
    ok &= same(r, "actors spawned", entered(&r->spawned), s.spawned, blaming);
    for (int i = 0; i < BSK_DEAD_COUNT; i++)
        ok &= same(r, bsk_dead_name((enum bsk_dead)i), entered(&r->dead[i]), s.dead[i], blaming);
    for (int i = 0; i < KINDS; i++)
        user += entered(&r->handled[i]) + entered(&r->dead_kind[i][BSK_DEAD_UNMATCHED]);
    ok &= same(r, "user messages handled", user, s.handled_user, blaming);
    ok &= same(r, "signals handled", entered(&r->signals), s.handled_signal, blaming);
    ok &= same(r, "replies handled", entered(&r->replies), s.handled_reply, blaming);
    return records_are_back(r, blaming) && ok;
}

/* What came to its end: handled or dead. A reply that was late bears the reply's type: not here. */
static uint64_t ended(struct run *r, int kind)
{
    uint64_t n = entered(&r->handled[kind]);
    for (int i = 0; i < BSK_DEAD_COUNT; i++) n += entered(&r->dead_kind[kind][i]);
    return n;
}

static void audit_kind(struct run *r, int kind)
{
    uint64_t in = entered(&r->accepted[kind]), out = ended(r, kind),
             maybe = entered(&r->maybe[kind]);
    if (out >= in && out <= in + maybe) return;
    blame(r, "%s: %" PRIu64 " accepted (and perhaps %" PRIu64 "), but %" PRIu64 " handled or dead",
          types[kind]->name, in, maybe, out);
}

static void audit_token(struct run *r, struct token *t)
{
    unsigned n = atomic_load_explicit(&t->done, memory_order_relaxed);
    bool given = atomic_load_explicit(&t->given, memory_order_relaxed);
    if (n > given)
        blame(r, "%s %zu: %s %u times", t->what, (size_t)(t - r->tokens),
              given ? "dropped" : "still the caller's, but dropped", n);
    else if (given && !n && atomic_load_explicit(&t->expected, memory_order_relaxed))
        blame(r, "%s %zu: never dropped", t->what, (size_t)(t - r->tokens));
}

void audit(struct run *r)
{
    unsigned n = atomic_load_explicit(&r->ntokens, memory_order_relaxed);
    for (int i = 0; i < KINDS; i++) audit_kind(r, i);
    for (unsigned i = 0; i < n && i < r->most_tokens; i++) audit_token(r, &r->tokens[i]);
}
