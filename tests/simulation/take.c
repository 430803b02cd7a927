/* SPDX-License-Identifier: MIT */
/* What players do about a message: they enter it, see whether it may be, and react. */
#include "player.h"

#include <string.h>

/* From one player to another: in the order sent. Who picks by type sees each type's order. */
static void check_order(struct player *p, enum kind kind, int64_t from, int64_t seq)
{
    struct run *r = p->run;
    enter(&r->handled[kind], 1);
    if (from < 0 || from >= r->setup.most || seq <= 0) {
        blame(r, "a message of nobody: from %lld, number %lld", (long long)from, (long long)seq);
        return;
    }
    uint32_t *seen = p->selective ? &p->seen_kind[from][kind] : &p->seen[from];
    if (seq <= *seen)
        blame(r, "player %u got number %lld from %lld after %u", p->id, (long long)seq,
              (long long)from, *seen);
    *seen = (uint32_t)seq;
}

static void check_text(struct player *p, const char *text, int64_t len, bsk_bytes raw)
{
    if (!text_is_whole(text, len) || raw.len != (size_t)len || ((uintptr_t)raw.ptr & 15) ||
        memcmp(raw.ptr, text, raw.len) != 0)
        blame(p->run, "player %u got a damaged text", p->id);
}

/* Sends on what is only borrowed, as another type: the fields lie elsewhere. */
static void forward(struct player *p, bsk_self *self, const wl_text *v)
{
    struct player *q = random_one_in(&p->random, 4) ? pick(p) : NULL;
    if (!q) return;
    uint32_t seq = ++p->sent[q->id];
    int rc;
    if (p->fiber && random_one_in(&p->random, 2))
        rc = bsk_send(self, q->who, 2, wl_echo, .raw = v->raw, .text = v->text, .len = v->len,
                      .seq = seq, .from = p->id);
    else
        rc = bsk_try(q->who, wl_echo, .raw = v->raw, .text = v->text, .len = v->len, .seq = seq,
                     .from = p->id);
    if (rc == 0) enter(&p->run->accepted[KIND_ECHO], 1);
}

static void keep_right(struct player *p, bsk_pending right, int64_t ask)
{
    if (p->nrights == RIGHTS) answer_one(p);
    p->rights[p->nrights].right = right;
    p->rights[p->nrights++].ask = ask;
}

static void reply_get(struct player *p, const wl_get *q)
{
    char text[TEXT_MAX + 1];
    unsigned n = 1 + random_below(&p->random, TEXT_MAX - 1);
    bsk_blob *blob = random_one_in(&p->random, 2) ? blob_new(p->run, n) : NULL;
    fill_text(text, n, p->id);
    int rc = bsk_reply(q, wl_get, .ask = q->ask, .len = n, .text = text, .data = blob);
    bsk_blob_drop(blob);
    if (rc != 0 && rc != BSK_EDEAD) blame(p->run, "reply: %s", bsk_errname(rc));
    if (random_one_in(&p->random, 4) && bsk_reply(q, wl_get, .ask = 0) != BSK_EDEAD)
        blame(p->run, "replied twice");
}

static void on_get(struct player *p, const wl_get *q)
{
    if (!text_is_whole(q->text, (int64_t)strlen(q->text))) blame(p->run, "a damaged request");
    switch (random_below(&p->random, 5)) {
    case 0: break; /* dropped */
    case 1: keep_right(p, bsk_later(q, wl_get), q->ask); break;
    default: reply_get(p, q);
    }
}

static void on_dial(struct player *p, const wl_dial *q)
{
    char text[TEXT_MAX + 1];
    unsigned n = 1 + random_below(&p->random, random_one_in(&p->random, 4) ? TEXT_MAX - 1 : 30);
    if (random_one_in(&p->random, 5)) return;
    bsk_blob *blob = random_one_in(&p->random, 4) ? blob_new(p->run, n) : NULL;
    fill_text(text, n, p->id);
    int rc = bsk_reply(q, wl_dial, .ask = q->ask, .len = n, .text = text, .data = blob);
    bsk_blob_drop(blob);
    if (rc != 0 && rc != BSK_EDEAD) blame(p->run, "reply: %s", bsk_errname(rc));
}

/* An ask has ended. */
static void conclude(struct player *p, int64_t id)
{
    struct run *r = p->run;
    enter(&r->replies, 1);
    if (!p->asks)
        blame(r, "player %u heard of more asks than it made", p->id);
    else
        p->asks--;
    if (id < 0) return;
    if (atomic_fetch_add_explicit(&r->tokens[id].done, 1, memory_order_relaxed))
        blame(r, "ask %lld was answered twice", (long long)id);
}

/* Parallel: it is only now known that the request was sent. */
static void conclude_get(struct player *p, int64_t id, bool sent)
{
    conclude(p, id);
    if (p->run->setup.workers && sent) settle(p->run, KIND_GET, 1);
}

static void check_lost(struct player *p, int rc)
{
    if (rc != BSK_ETIMEDOUT && rc != BSK_ENOREPLY) blame(p->run, "no reply: %s", bsk_errname(rc));
}

static void check_timer(struct player *p, int64_t slot, int64_t serial, bool loaded)
{
    struct run *r = p->run;
    struct timer_entry *e = slot >= 0 && slot < TIMERS ? &p->timers[slot] : NULL;
    enter(&r->signals, 1);
    if (!e || !e->armed || e->serial != serial || e->loaded != loaded) {
        blame(r, "player %u: timer %lld fired after it ended", p->id, (long long)serial);
        return;
    }
    if (bsk_now(r->rt) < e->due)
        blame(r, "player %u: timer %lld came early", p->id, (long long)serial);
    if (e->period) {
        e->due += e->period;
        return;
    }
    e->armed = false;
    p->alarms--;
}

static void on_room(struct player *p, const bsk_room *v)
{
    struct player *q = player_of(p->run, v->who);
    enter(&p->run->signals, 1);
    if (!p->rooms_wanted)
        blame(p->run, "player %u got room it did not want", p->id);
    else
        p->rooms_wanted--;
    if (q && !q->fiber && p->rooms) p->rooms--;
}

static void use_right(struct player *p, const wl_right *v)
{
    bsk_pending right = v->token->right;
    if (random_one_in(&p->random, 4)) return;
    int rc = bsk_answer(right, wl_get, .ask = v->token->ask);
    if (rc != 0 && rc != BSK_EDEAD) blame(p->run, "answer: %s", bsk_errname(rc));
}

static void check_mailbox(struct player *p, bsk_self *self)
{
    uint32_t len = bsk_mailbox_len(self);
    if (len > p->capacity) blame(p->run, "player %u holds %u of %u", p->id, len, p->capacity);
    if (p->over) blame(p->run, "player %u handles after its end", p->id);
    if (atomic_load_explicit(&p->known, memory_order_acquire) && !bsk_same(bsk_me(self), p->who))
        blame(p->run, "player %u has another's address", p->id);
}

void take(struct player *p, bsk_self *self, bsk_msg *m)
{
    check_mailbox(p, self);
    bsk_match(m) {
        bsk_on(wl_note, v) check_order(p, KIND_NOTE, v->from, v->seq);
        bsk_on(wl_text, v) {
            check_order(p, KIND_TEXT, v->from, v->seq);
            check_text(p, v->text, v->len, v->raw);
            forward(p, self, v);
        }
        bsk_on(wl_echo, v) {
            check_order(p, KIND_ECHO, v->from, v->seq);
            check_text(p, v->text, v->len, v->raw);
        }
        bsk_on(wl_blob, v) {
            check_order(p, KIND_BLOB, v->from, v->seq);
            if (!bsk_blob_bytes(v->data).len) blame(p->run, "an empty blob");
        }
        bsk_on(wl_local, v) {
            check_order(p, KIND_LOCAL, v->from, v->seq);
            if (atomic_load(&v->token->done)) blame(p->run, "a local message was dropped before");
        }
        bsk_on(wl_right, v) {
            check_order(p, KIND_RIGHT, v->from, v->seq);
            use_right(p, v);
        }
        bsk_on(wl_get, q) {
            check_order(p, KIND_GET, q->from, q->seq);
            on_get(p, q);
        }
        bsk_on(wl_dial, q) {
            check_order(p, KIND_DIAL, q->from, q->seq);
            on_dial(p, q);
        }
        bsk_on_reply(wl_get, v) {
            conclude_get(p, v->ask, true);
            if (v->text && !text_is_whole(v->text, v->len)) blame(p->run, "a damaged reply");
        }
        bsk_on_no_reply(wl_get, rc) {
            conclude_get(p, -1, rc == BSK_ENOREPLY);
            check_lost(p, rc);
        }
        bsk_on_reply(wl_job, v) conclude(p, v->ask);
        bsk_on_no_reply(wl_job, rc) {
            conclude(p, -1);
            check_lost(p, rc);
        }
        bsk_on(wl_tick, v) {
            if (v->bsk_end_) blame(p->run, "a damaged tick");
            enter(&p->run->signals, 1);
        }
        bsk_on(wl_alarm, v) {
            check_timer(p, v->slot, v->serial, false);
            if (!text_is_whole(v->text, (int64_t)strlen(v->text))) blame(p->run, "a damaged timer");
        }
        bsk_on(wl_load, v) {
            if (atomic_load(&v->token->done)) blame(p->run, "a timer's load was dropped before");
            check_timer(p, v->slot, v->serial, true);
        }
        bsk_on(bsk_room, v) on_room(p, v);
        bsk_on(bsk_stopping, v) {
            if (v->bsk_end_) blame(p->run, "a damaged stop");
            enter(&p->run->signals, 1);
            if (random_one_in(&p->random, 2)) bsk_exit(self);
            p->steps = 0;
            finish(p, self);
        }
    }
}
