/* SPDX-License-Identifier: MIT */
/* What players do. */
#include "player.h"

#include <stdio.h>
#include <string.h>

enum verb { TELL, TRY, MARGIN, SEND };

/* One message of type T by the verb; the arguments are its fields. */
#define PASS(T, ...)                                                                               \
    (verb == TELL     ? (bsk_tell(q->who, T, __VA_ARGS__), 0)                                      \
     : verb == TRY    ? bsk_try(q->who, T, __VA_ARGS__)                                            \
     : verb == MARGIN ? bsk_try_margin(q->who, 2, T, __VA_ARGS__)                                  \
                      : bsk_send(self, q->who, ms, T, __VA_ARGS__))

void fill_text(char *text, unsigned n, unsigned seed)
{
    for (unsigned i = 0; i < n; i++) text[i] = (char)('a' + (seed + i) % 26);
    text[n] = '\0';
}

bool text_is_whole(const char *text, int64_t len)
{
    if (!text) return false;
    for (int64_t i = 0; i < len; i++)
        if (text[i] != 'a' + (text[0] - 'a' + i) % 26) return false;
    return text[len] == '\0';
}

static int64_t some_ms(struct player *p)
{
    return random_below(&p->random, 6);
}

static unsigned some_length(struct player *p)
{
    return 1 + random_below(&p->random, random_one_in(&p->random, 4) ? TEXT_MAX - 1 : 20);
}

static int pass_note(struct player *p, bsk_self *self, struct player *q, enum verb verb, int64_t ms)
{
    uint32_t seq = ++p->sent[q->id];
    return PASS(wl_note, .from = p->id, .seq = seq);
}

static int pass_odd(struct player *p, bsk_self *self, struct player *q, enum verb verb, int64_t ms)
{
    uint32_t seq = ++p->sent[q->id];
    return PASS(wl_odd, .from = p->id, .seq = seq);
}

static int pass_text(struct player *p, bsk_self *self, struct player *q, enum verb verb, int64_t ms)
{
    char text[TEXT_MAX + 1];
    uint32_t seq = ++p->sent[q->id];
    unsigned n = some_length(p);
    fill_text(text, n, seq);
    return PASS(wl_text, .from = p->id, .seq = seq, .len = n, .text = text, .raw = {text, n});
}

/* A player that is killed while it waits does not come back: who clears up drops its count. */
static int pass_blob(struct player *p, bsk_self *self, struct player *q, enum verb verb, int64_t ms)
{
    bsk_blob *blob = blob_new(p->run, some_length(p));
    if (!blob) return BSK_ENOMEM;
    uint32_t seq = ++p->sent[q->id];
    p->held = blob;
    int rc = PASS(wl_blob, .from = p->id, .seq = seq, .data = blob);
    p->held = NULL;
    bsk_blob_drop(blob);
    return rc;
}

static int pass_local(struct player *p, bsk_self *self, struct player *q, enum verb verb,
                      int64_t ms)
{
    struct token *t = token_new(p->run, "local", true);
    if (!t) return BSK_ENOMEM;
    uint32_t seq = ++p->sent[q->id];
    int rc = PASS(wl_local, .token = t, .from = p->id, .seq = seq);
    if (rc == 0) atomic_store_explicit(&t->given, true, memory_order_relaxed);
    return rc;
}

/* Hands the right to answer a request on to somebody else. */
static int pass_right(struct player *p, bsk_self *self, struct player *q, enum verb verb,
                      int64_t ms)
{
    struct token *t = p->nrights ? token_new(p->run, "right", true) : NULL;
    if (!t) return BSK_ENOMEM;
    uint32_t seq = ++p->sent[q->id];
    p->nrights--;
    t->right = p->rights[p->nrights].right;
    t->ask = p->rights[p->nrights].ask;
    int rc = PASS(wl_right, .token = t, .from = p->id, .seq = seq);
    if (rc == 0) atomic_store_explicit(&t->given, true, memory_order_relaxed);
    return rc;
}

static int pass_kind(struct player *p, bsk_self *self, struct player *q, enum kind kind,
                     enum verb verb, int64_t ms)
{
    switch (kind) {
    case KIND_TEXT: return pass_text(p, self, q, verb, ms);
    case KIND_BLOB: return pass_blob(p, self, q, verb, ms);
    case KIND_LOCAL: return pass_local(p, self, q, verb, ms);
    case KIND_RIGHT: return pass_right(p, self, q, verb, ms);
    case KIND_ODD: return pass_odd(p, self, q, verb, ms);
    default: return pass_note(p, self, q, verb, ms);
    }
}

static bool allowed(enum verb verb, int rc)
{
    switch (rc) {
    case 0: return true;
    case BSK_EFULL: return verb == TRY || verb == MARGIN;
    case BSK_ECLOSED:
    case BSK_EDEAD: return verb != TELL;
    case BSK_ETIMEDOUT:
    case BSK_ECANCELED: return verb == SEND;
    default: return false;
    }
}

static void want_room(struct player *p, bsk_self *self, struct player *q)
{
    if (!self || p->rooms >= 8) return;
    int rc = bsk_want_room(self, q->who);
    if (rc == BSK_EDEAD) return;
    if (rc) blame(p->run, "want_room: %s", bsk_errname(rc));
    p->rooms_wanted++;
    /* A handler handles all it has, or ends: the notice must come. */
    if (!q->fiber) p->rooms++;
}

static void pass(struct player *p, bsk_self *self, struct player *q, enum kind kind, enum verb verb)
{
    struct run *r = p->run;
    int rc = pass_kind(p, self, q, kind, verb, some_ms(p));
    bool closing = p->thread && atomic_load(&r->closing);
    if (rc == BSK_ENOMEM) return; /* out of tokens: nothing was sent */
    if (!allowed(verb, rc)) blame(r, "verb %d ended with %s", verb, bsk_errname(rc));
    if (kind == KIND_ECHO || (kind >= KIND_GET)) kind = KIND_NOTE;
    /* What is told while the runtime goes is not counted by anyone. */
    if (rc == 0) enter(verb == TELL && closing ? &r->maybe[kind] : &r->accepted[kind], 1);
    if (rc == BSK_EFULL && random_one_in(&p->random, 2)) want_room(p, self, q);
}

static enum verb some_verb(struct player *p)
{
    return (enum verb)random_below(&p->random, p->fiber || p->thread ? 4 : 3);
}

static void pass_one(struct player *p, bsk_self *self)
{
    struct player *q = pick(p);
    /* Drawn one after another: the order of evaluation among arguments is the compiler's. */
    enum kind kind = (enum kind)random_below(&p->random, KIND_GET);
    enum verb verb = some_verb(p);
    if (q) pass(p, self, q, kind, verb);
}

/* Fills a mailbox. */
static void pass_many(struct player *p, bsk_self *self)
{
    struct player *q = pick(p);
    enum verb verb = some_verb(p);
    enum kind kind = (enum kind)random_below(&p->random, KIND_GET);
    unsigned n = random_below(&p->random, 60);
    for (unsigned i = 0; q && i < n; i++) pass(p, self, q, kind, verb);
}

static struct token *ask_token(struct player *p, int64_t *id)
{
    struct token *t = token_new(p->run, "ask", false);
    if (!t) return NULL;
    atomic_store_explicit(&t->given, true, memory_order_relaxed);
    *id = t - p->run->tokens;
    return t;
}

static bool ask_code(int rc)
{
    return rc == BSK_EFULL || rc == BSK_EDEAD || rc == BSK_ECLOSED || rc == BSK_ELIMIT;
}

static void ask(struct player *p, bsk_self *self)
{
    struct player *q = pick(p);
    char text[TEXT_MAX + 1];
    int64_t id;
    if (!q || !self || !ask_token(p, &id)) return;
    unsigned n = some_length(p);
    fill_text(text, n, (unsigned)id);
    uint32_t seq = ++p->sent[q->id];
    int64_t ms = random_one_in(&p->random, 4) ? 0 : 3 * some_ms(p);
    int rc = bsk_ask(self, q->who, ms, wl_get, .from = p->id, .seq = seq, .ask = id, .text = text);
    if (rc == 0) {
        /* On other threads an ask may expire before it is refused: it has been asked then. */
        p->asks++;
        enter(p->run->setup.workers ? &p->run->maybe[KIND_GET] : &p->run->accepted[KIND_GET], 1);
    } else if (!ask_code(rc)) {
        blame(p->run, "ask: %s", bsk_errname(rc));
    }
}

/* What a call ended with says whether it was sent; a time-out leaves it open. */
static void enter_call(struct run *r, int rc)
{
    switch (rc) {
    case 0:
    case BSK_ENOREPLY: settle(r, KIND_DIAL, 1); break;
    case BSK_ETIMEDOUT:
    case BSK_ECANCELED: break;
    case BSK_EDEAD:
    case BSK_ECLOSED:
    case BSK_EDEADLK:
    case BSK_ELIMIT: settle(r, KIND_DIAL, 0); break;
    default: blame(r, "call: %s", bsk_errname(rc));
    }
}

static void call(struct player *p, bsk_self *self)
{
    struct player *q = pick(p);
    struct run *r = p->run;
    int64_t id;
    struct token *t = q ? ask_token(p, &id) : NULL;
    if (!t) return;
    uint32_t seq = ++p->sent[q->id];
    /* Entered before: who is killed in a call never comes back to say. */
    enter(&r->maybe[KIND_DIAL], 1);
    const wl_got *got =
        bsk_call(self, q->who, some_ms(p) * 2, wl_dial, .from = p->id, .seq = seq, .ask = id);
    int rc = got ? 0 : bsk_error(self);
    enter_call(r, rc);
    if (!got) return;
    atomic_fetch_add_explicit(&t->done, 1, memory_order_relaxed);
    if (got->ask != id) blame(r, "a call got another's reply");
    if (got->text && !text_is_whole(got->text, got->len)) blame(r, "a call's reply is damaged");
}

static void do_job(bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(wl_job, q) {
            if (q->how == 0) continue;
            if (q->how == 1 && bsk_abandoned(q)) continue;
            bsk_reply(q, wl_job, .ask = q->ask);
        }
    }
}

static void work(struct player *p, bsk_self *self)
{
    int64_t id, how = random_below(&p->random, 4);
    if (!self || !ask_token(p, &id)) return;
    int rc = bsk_work(self, 1 + some_ms(p), do_job, wl_job, .ask = id, .how = how);
    if (rc == 0)
        p->asks++;
    else if (rc != BSK_EFULL)
        blame(p->run, "work: %s", bsk_errname(rc));
}

static void work_call(struct player *p, bsk_self *self)
{
    int64_t id;
    if (!p->fiber || !ask_token(p, &id)) return;
    const wl_did *did = bsk_work_call(self, 1 + some_ms(p), do_job, wl_job, .ask = id, .how = 2);
    if (did && did->ask != id) blame(p->run, "a work_call got another's reply");
}

void answer_one(struct player *p)
{
    if (!p->nrights) return;
    bsk_pending right = p->rights[--p->nrights].right;
    if (random_one_in(&p->random, 6))
        return; /* never: the asker hears at its deadline or our end */
    int rc = bsk_answer(right, wl_get, .ask = p->rights[p->nrights].ask);
    if (rc != 0 && rc != BSK_EDEAD) blame(p->run, "answer: %s", bsk_errname(rc));
    if (bsk_answer(right, wl_get, .ask = 0) != BSK_EDEAD) blame(p->run, "answered twice");
}

static struct timer_entry *free_entry(struct player *p)
{
    for (int i = 0; i < TIMERS; i++)
        if (!p->timers[i].armed) return &p->timers[i];
    return NULL;
}

static struct timer_entry *armed_entry(struct player *p)
{
    struct timer_entry *e = &p->timers[random_below(&p->random, TIMERS)];
    return e->armed ? e : NULL;
}

static bsk_timer start_plain(struct player *p, bsk_self *self, struct timer_entry *e, int64_t ms)
{
    char text[TEXT_MAX + 1];
    int64_t slot = e - p->timers;
    fill_text(text, some_length(p), (unsigned)e->serial);
    return e->period
               ? bsk_every(self, ms, wl_alarm, .slot = slot, .serial = e->serial, .text = text)
               : bsk_after(self, ms, wl_alarm, .slot = slot, .serial = e->serial, .text = text);
}

static bsk_timer start_loaded(struct player *p, bsk_self *self, struct timer_entry *e, int64_t ms)
{
    int64_t slot = e - p->timers;
    return e->period
               ? bsk_every(self, ms, wl_load, .slot = slot, .serial = e->serial, .token = e->load)
               : bsk_after(self, ms, wl_load, .slot = slot, .serial = e->serial, .token = e->load);
}

static void start_timer(struct player *p, bsk_self *self)
{
    struct timer_entry *e = free_entry(p);
    if (!e || !self) return;
    bool interval = random_one_in(&p->random, 3);
    int64_t ms = some_ms(p) + interval;
    e->serial = ++p->serial;
    e->period = interval ? ms : 0;
    e->loaded = random_one_in(&p->random, 3);
    if (e->loaded && !(e->load = token_new(p->run, "load", true))) return;
    e->due = bsk_now(p->run->rt) + ms;
    e->timer = e->loaded ? start_loaded(p, self, e, ms) : start_plain(p, self, e, ms);
    if (!e->timer.gen) {
        blame(p->run, "timer: %s", bsk_errname(bsk_error(self)));
        return;
    }
    if (e->loaded) atomic_store_explicit(&e->load->given, true, memory_order_relaxed);
    e->armed = true;
    if (!interval) p->alarms++;
    if (interval && bsk_timer_missed(self, e->timer, (enum bsk_missed)random_below(&p->random, 3)))
        blame(p->run, "timer_missed failed");
}

static void disarm(struct player *p, struct timer_entry *e)
{
    e->armed = false;
    if (!e->period) p->alarms--;
}

static void stop_timer(struct player *p, bsk_self *self)
{
    struct timer_entry *e = armed_entry(p);
    if (!e || !self) return;
    bsk_timer_stop(self, e->timer);
    bsk_timer_stop(self, e->timer);
    disarm(p, e);
}

void stop_intervals(struct player *p, bsk_self *self)
{
    for (int i = 0; i < TIMERS; i++) {
        struct timer_entry *e = &p->timers[i];
        if (!e->armed || !e->period) continue;
        bsk_timer_stop(self, e->timer);
        e->armed = false;
    }
}

static void reset_timer(struct player *p, bsk_self *self)
{
    struct timer_entry *e = armed_entry(p);
    if (!e || !self) return;
    int64_t ms = some_ms(p);
    int64_t due = bsk_now(p->run->rt) + ms;
    int rc = bsk_timer_reset(self, e->timer, ms);
    if (rc) blame(p->run, "timer_reset: %s", bsk_errname(rc));
    e->due = due;
}

/* Only one that fires once: an interval's may be in hand. */
static void take_timer(struct player *p, bsk_self *self)
{
    struct timer_entry *e = armed_entry(p);
    if (!e || !self || e->period) return;
    int64_t serial = -1;
    if (e->loaded) {
        const wl_load *v = bsk_timer_take(self, e->timer, wl_load);
        if (v) serial = v->serial;
    } else {
        const wl_alarm *v = bsk_timer_take(self, e->timer, wl_alarm);
        if (v) serial = v->serial;
    }
    if (serial != e->serial)
        blame(p->run, "timer_take: %lld instead of %lld", (long long)serial, (long long)e->serial);
    disarm(p, e);
}

static void end_other(struct player *p, bsk_self *self)
{
    struct player *q = pick(p);
    if (!q || (!self && !p->thread) || !random_one_in(&p->random, 8)) return;
    int rc;
    switch (random_below(&p->random, 3)) {
    case 0: rc = bsk_stop(q->who, random_one_in(&p->random, 2) ? BSK_FOREVER : some_ms(p)); break;
    case 1: rc = bsk_drain(q->who, some_ms(p)); break;
    default: rc = bsk_kill(q->who);
    }
    if (rc != 0 && rc != BSK_EDEAD) blame(p->run, "stop, drain or kill: %s", bsk_errname(rc));
}

static void look_up(struct player *p)
{
    char name[16];
    if (p->thread) return; /* needs the runtime, which may be gone */
    snprintf(name, sizeof name, "n%u", random_below(&p->random, 16));
    bsk_addr who = bsk_whereis(p->run->rt, name);
    struct player *q = bsk_is_nobody(who) ? NULL : player_of(p->run, who);
    if (q) pass(p, NULL, q, KIND_NOTE, TELL);
    bsk_alive(who);
}

static void move(struct player *p, bsk_self *self)
{
    if (!self) return;
    if (random_one_in(&p->random, 2)) {
        bsk_pin(self, random_one_in(&p->random, 2));
        return;
    }
    uint32_t more = p->capacity + random_below(&p->random, 3);
    int rc = bsk_mailbox_resize(self, more);
    if (rc) blame(p->run, "resize: %s", bsk_errname(rc));
    p->capacity = more;
}

static void wait_a_little(struct player *p, bsk_self *self)
{
    if (!p->fiber) return;
    int rc = random_one_in(&p->random, 2) ? bsk_yield(self) : bsk_sleep(self, some_ms(p));
    if (rc != 0 && rc != BSK_ECANCELED) blame(p->run, "sleep: %s", bsk_errname(rc));
}

/* A handler must not wait, and is told so. */
static void try_to_wait(struct player *p, bsk_self *self)
{
    if (p->fiber || !self) return;
    if (bsk_sleep(self, 1) != BSK_EINVAL) blame(p->run, "a handler slept");
    if (bsk_send(self, p->who, 1, wl_note, .from = 0) != BSK_EINVAL)
        blame(p->run, "a handler waited");
    if (bsk_recv(self, 0) || bsk_error(self) != BSK_EINVAL) blame(p->run, "a handler received");
}

static void end_oneself(struct player *p, bsk_self *self)
{
    if (!self || !random_one_in(&p->random, 24)) return;
    if (random_one_in(&p->random, 2))
        bsk_mailbox_close(self);
    else if (random_one_in(&p->random, 2))
        bsk_fail(self, "on purpose %u", p->id);
    else
        bsk_exit(self);
}

static void spawn_child(struct player *p, bsk_self *self)
{
    if (!p->thread) spawn_player(p->run, p, self);
}

static void own_memory(struct player *p, bsk_self *self)
{
    if (!self) return;
    unsigned n = some_length(p);
    char *at = bsk_alloc(self, n);
    if (!at)
        blame(p->run, "no memory");
    else
        memset(at, 1, n);
}

void act(struct player *p, bsk_self *self)
{
    unsigned what = random_below(&p->random, 48);
    switch (what) {
    case 0:
    case 1: pass_many(p, self); break;
    case 2:
    case 3:
    case 4: ask(p, self); break;
    case 5: work(p, self); break;
    case 6: work_call(p, self); break;
    case 7:
    case 8:
    case 9: start_timer(p, self); break;
    case 10: stop_timer(p, self); break;
    case 11: reset_timer(p, self); break;
    case 12: take_timer(p, self); break;
    case 13: end_other(p, self); break;
    case 14: look_up(p); break;
    case 15: move(p, self); break;
    case 16: wait_a_little(p, self); break;
    case 17: try_to_wait(p, self); break;
    case 18: end_oneself(p, self); break;
    case 19:
    case 20: spawn_child(p, self); break;
    case 21: own_memory(p, self); break;
    case 22:
    case 23: answer_one(p); break;
    case 24:
    case 25:
    case 26:
        if (p->fiber || p->thread) call(p, self);
        break;
    default: pass_one(p, self);
    }
}
