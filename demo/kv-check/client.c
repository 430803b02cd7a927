/* SPDX-License-Identifier: MIT */
/* client.c - a connection that writes, reads, checks, and connects again for ever. */
#include "client.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "answers.h"
#include "tally.h"

/* A reply may take as long as a service in trouble takes to get up again. */
enum { CONNECT_MS = 2000, REPLY_MS = 20000, PAUSE_LEAST = 10, PAUSE_MOST = 200, CHUNK = 50 };

static struct {
    struct client *all;
    unsigned n;
    int64_t began, patience_ms;
    _Atomic int64_t until; /* then writing ends */
    _Atomic unsigned writing, running, finished;
} clients;

static int64_t now_of(const struct client *c)
{
    return bsk_now(bsk_rt_of(c->wire.self));
}

static void note(int code)
{
    count_up(&tally.troubles[trouble_of_code(code)], 1);
}

/* Half of the connections speak RESP3. The server may be too busy to agree: then it is RESP2. */
static int greet(struct client *c)
{
    struct reply r;
    int rc;
    if (c->index % 2 == 0) return 0;
    c->batch.out.len = 0;
    bytes_words(&c->batch.out, 2, "HELLO", "3");
    if ((rc = wire_send(&c->wire, &c->batch.out, REPLY_MS)) < 0) return rc;
    if ((rc = wire_reply(&c->wire, &r, REPLY_MS)) < 0) return rc;
    for (int64_t n = r.type == '%' ? 2 * r.n : 0; n > 0; n--) {
        if ((rc = wire_reply(&c->wire, &r, REPLY_MS)) < 0) return rc;
        if (r.type == '*' && r.n > 0) n += r.n;
    }
    return 0;
}

static bool connect_to_server(struct client *c)
{
    const struct options *o = c->options;
    int rc = wire_open(&c->wire, c->wire.self, o->host, o->port, CONNECT_MS);
    if (rc == 0 && (rc = greet(c)) < 0) wire_close(&c->wire);
    if (rc < 0) note(rc);
    c->connected = rc == 0;
    if (c->connected) count_up(&tally.connects, 1);
    return c->connected;
}

/* Waits for longer, the longer the trouble lasts. */
static void rest(struct client *c)
{
    c->pause_ms = c->pause_ms < PAUSE_LEAST ? PAUSE_LEAST : c->pause_ms * 2;
    if (c->pause_ms > PAUSE_MOST) c->pause_ms = PAUSE_MOST;
    (void)bsk_sleep(c->wire.self, c->pause_ms);
}

static bool is_uneasy(const struct key *k)
{
    return k->any || k->n > 1;
}

/* After trouble it is learnt first what became of things, as later trouble would blur that; once,
 * as some stay in doubt: when a key expires is not told exactly. */
static void fill_writing(struct client *c)
{
    struct mix *m = &c->mix;
    for (; c->uneasy && c->next < m->nkeys && c->batch.nrequests < CHUNK; c->next++)
        if (is_uneasy(&m->keys[c->next])) mix_settle(m, &c->batch, &m->keys[c->next]);
    if (c->batch.nrequests) return;
    c->uneasy = false;
    uint64_t n = 1 + mix_random(m, c->options->pipeline);
    while (n--) mix_draw(m, &c->batch);
}

/* Of the keys of all connections. */
static void fill_shared(struct client *c)
{
    if (c->phase == COUNTING) mix_look(&c->mix, &c->batch);
    for (unsigned i = 0; i < SHARED; i++)
        mix_shared(&c->batch, c->phase == COUNTING ? GET : DEL, i);
}

static void fill(struct client *c)
{
    batch_clear(&c->batch);
    if (c->phase == WRITING) fill_writing(c);
    if (c->phase == COUNTING || c->phase == LEAVING) fill_shared(c);
    for (uint32_t i = c->next; i < c->mix.nkeys && i < c->next + CHUNK; i++) {
        if (c->phase == VERIFYING) mix_verify(&c->batch, &c->mix.keys[i]);
        if (c->phase == REMOVING) mix_remove(&c->batch, &c->mix.keys[i]);
    }
}

/* Sends what is asked for, and reads the answers. True: all came, and each was one. */
static bool play(struct client *c)
{
    unsigned troubles = 0;
    int64_t began = tally_now_us();
    c->batch.window.from = now_of(c);
    int rc = wire_send(&c->wire, &c->batch.out, REPLY_MS);
    if (rc == 0) rc = answers_read(&c->wire, &c->batch, REPLY_MS, &troubles);
    if (rc == 0 && !troubles) {
        tally_latency(tally_now_us() - began);
        c->pause_ms = 0;
        return true;
    }
    c->uneasy = true;
    if (c->phase == WRITING) c->next = 0;
    if (rc < 0) {
        answers_doubt(&c->batch, now_of(c));
        note(rc);
        wire_close(&c->wire);
        c->connected = false;
    }
    rest(c);
    return false;
}

/* Shared keys are counted, by one, when nobody writes any more. */
static enum phase after_verifying(const struct client *c)
{
    if (c->index != 0) return REMOVING;
    return atomic_load(&clients.writing) ? WAITING : COUNTING;
}

static enum phase next_phase(const struct client *c)
{
    switch (c->phase) {
    case WRITING: return VERIFYING;
    case VERIFYING:
    case WAITING: return after_verifying(c);
    case COUNTING: return REMOVING;
    case REMOVING: return c->index == 0 ? LEAVING : FINISHED;
    default: return FINISHED;
    }
}

static void enter(struct client *c, enum phase next)
{
    if (c->phase == WRITING) atomic_fetch_sub(&clients.writing, 1);
    /* What was found lost or wrong is left for people to look at. */
    if (next == REMOVING && count_of(&tally.lost) + count_of(&tally.wrong)) next = FINISHED;
    if (c->phase == COUNTING) count_up(&tally.verified, SHARED);
    c->phase = next;
    c->next = 0;
    if (next == FINISHED) atomic_fetch_add(&clients.finished, 1);
}

/* The batch went well. */
static void go_on(struct client *c)
{
    if (c->phase == VERIFYING || c->phase == REMOVING) {
        uint32_t left = c->mix.nkeys - c->next, n = left < CHUNK ? left : CHUNK;
        if (c->phase == VERIFYING) count_up(&tally.verified, n);
        c->next += n;
        if (c->next < c->mix.nkeys) return;
    }
    if (c->phase != WRITING) enter(c, next_phase(c));
}

static void wait_for_others(struct client *c)
{
    (void)bsk_sleep(c->wire.self, PAUSE_LEAST);
    if (!atomic_load(&clients.writing)) enter(c, COUNTING);
}

static void step(struct client *c)
{
    if (c->phase == WRITING && now_of(c) >= atomic_load(&clients.until)) enter(c, VERIFYING);
    if (c->phase == WAITING) {
        wait_for_others(c);
    } else if (!c->connected && !connect_to_server(c)) {
        rest(c);
    } else {
        fill(c);
        if (play(c)) go_on(c);
    }
}

static void client(bsk_self *self)
{
    struct client *c = *(struct client **)bsk_state(self);
    c->wire.self = self;
    c->connected = false;
    /* What a former life had under way is in doubt. */
    answers_doubt(&c->batch, now_of(c));
    while (c->phase != FINISHED && !bsk_cancelled(self) &&
           now_of(c) < atomic_load(&clients.until) + clients.patience_ms)
        step(c);
    if (c->connected) wire_close(&c->wire);
    if (atomic_fetch_sub(&clients.running, 1) == 1) bsk_shutdown(bsk_rt_of(self));
}

static void client_init(struct client *c, const struct options *o, unsigned index,
                        const char *prefix)
{
    char name[KEY_NAME];
    *c = (struct client){.options = o, .index = index, .phase = WRITING};
    c->mix = (struct mix){.nkeys = o->keys, .random = (o->seed + index) * 0x9e3779b97f4a7c15u | 1};
    c->mix.keys = calloc(o->keys, sizeof *c->mix.keys);
    if (!c->mix.keys) abort();
    for (unsigned i = 0; i < o->keys; i++) {
        snprintf(name, sizeof name, "%s%u.%u", prefix, index, i);
        key_init(&c->mix.keys[i], name);
    }
}

/* Names of their own, so that what another run has left is not found. */
void clients_init(const struct options *o)
{
    char prefix[24];
    snprintf(prefix, sizeof prefix, "check%x.%x:", (unsigned)time(NULL), (unsigned)getpid());
    shared_init(prefix);
    clients.n = o->connections;
    clients.all = calloc(clients.n, sizeof *clients.all);
    if (!clients.all) abort();
    for (unsigned i = 0; i < clients.n; i++) client_init(&clients.all[i], o, i, prefix);
    atomic_store(&clients.writing, clients.n);
    atomic_store(&clients.running, clients.n);
}

int clients_start(bsk_addr supervisor, int64_t now)
{
    clients.began = now;
    clients.patience_ms = clients.all->options->patience_ms;
    atomic_store(&clients.until, now + clients.all->options->load_ms);
    for (unsigned i = 0; i < clients.n; i++) {
        struct client *c = &clients.all[i];
        const bsk_child_spec spec = bsk_child(client, .label = "client", .restart = BSK_TRANSIENT,
                                              .state = &c, .state_size = sizeof c);
        int rc = bsk_sup_add(NULL, supervisor, 10000, &spec, NULL);
        if (rc < 0) return rc;
    }
    return 0;
}

bsk_addr clients_supervise(bsk_rt *rt)
{
    struct client *nobody = NULL;
    return bsk_supervise(rt, BSK_SUP(.name = "clients", .strategy = BSK_DYNAMIC, .intensity = 100),
                         bsk_child(client, .label = "client", .restart = BSK_TRANSIENT,
                                   .state = &nobody, .state_size = sizeof nobody));
}

void clients_hurry(int64_t now)
{
    if (now < atomic_load(&clients.until)) atomic_store(&clients.until, now);
}

double clients_seconds(void)
{
    return (double)(atomic_load(&clients.until) - clients.began) / 1000;
}

unsigned clients_finished(void)
{
    return atomic_load(&clients.finished);
}

void clients_fini(void)
{
    for (unsigned i = 0; i < clients.n; i++) {
        struct client *c = &clients.all[i];
        for (uint32_t k = 0; k < c->mix.nkeys; k++) key_fini(&c->mix.keys[k]);
        free(c->mix.keys);
        batch_fini(&c->batch);
        free(c->wire.in.at);
    }
    free(clients.all);
}
