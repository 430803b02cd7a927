/* SPDX-License-Identifier: MIT */
/* books.h - what a run of the workload enters about every message, and the audit. */
#ifndef SIMULATION_BOOKS_H
#define SIMULATION_BOOKS_H

#include "actors/actors.h"
#include "workload.h"

#include <pthread.h>
#include <stdatomic.h>

#define TEXT_MAX 700 /* more than the largest pooled block */
#define TIMERS 4     /* of each player */
#define RIGHTS 6     /* requests that a player has put off */

/* What a local message carries, or a blob, or an ask: freed, or answered, how often? */
struct token {
    _Atomic unsigned done; /* dropped; undone; answered */
    _Atomic bool given;    /* accepted: no longer the caller's */
    _Atomic bool expected; /* done must be 1 at the end, not only at most */
    const char *what;
    bsk_pending right; /* a right to reply that travels */
    int64_t ask;
};

/* What is sent. `from` and `seq` number what one player sends to another. Texts describe
 * themselves, so that they can be checked wherever they end up. */
BSK_MSG(wl_note, (i64, from), (i64, seq));
BSK_MSG(wl_text, (i64, from), (i64, seq), (i64, len), (str, text), (bytes, raw));
BSK_MSG(wl_echo, (bytes, raw), (str, text), (i64, len), (i64, seq), (i64, from));
BSK_MSG(wl_blob, (i64, from), (i64, seq), (blob, data));
BSK_LOCAL(wl_local, wl_local_drop, (struct token *, token), (int64_t, from), (int64_t, seq));
BSK_LOCAL(wl_right, wl_right_drop, (struct token *, token), (int64_t, from), (int64_t, seq));
BSK_MSG(wl_odd, (i64, from), (i64, seq)); /* matches no case */
BSK_MSG(wl_got, (i64, ask), (i64, len), (str, text), (blob, data));
BSK_CALL(wl_get, wl_got, (i64, from), (i64, seq), (i64, ask), (str, text));
BSK_CALL(wl_dial, wl_got, (i64, from), (i64, seq), (i64, ask)); /* a call: waits */
BSK_MSG(wl_did, (i64, ask));
BSK_CALL(wl_job, wl_did, (i64, ask), (i64, how), (bool, parallel)); /* blocking work */
BSK_MSG(wl_tick);
BSK_MSG(wl_alarm, (i64, slot), (i64, serial), (str, text));
BSK_LOCAL(wl_load, wl_load_drop, (struct token *, token), (int64_t, slot), (int64_t, serial));

/* The kinds of messages that take places in mailboxes. */
enum kind {
    KIND_NOTE,
    KIND_TEXT,
    KIND_ECHO,
    KIND_BLOB,
    KIND_LOCAL,
    KIND_RIGHT,
    KIND_ODD,
    KIND_GET,
    KIND_DIAL,
    KINDS
};

enum stage { FRESH, ACTIVE, ENDING, LINGERING };

struct timer_entry {
    bsk_timer timer;
    int64_t serial, due, period;
    bool armed, loaded;
    struct token *load;
};

struct player {
    struct run *run;
    unsigned id;
    bsk_addr who;
    _Atomic bool known; /* `who` is set */
    bool fiber, selective, thread;
    uint32_t capacity;
    enum bsk_overflow overflow;

    /* Its own: the runtime runs it on one thread at a time. */
    uint64_t random;
    enum stage stage;
    _Atomic int shown; /* the stage, for others */
    unsigned steps;
    bool inside, over;
    uint32_t *sent, *seen; /* sequence numbers by player */
    uint32_t (*seen_kind)[KINDS];
    unsigned asks, rooms, alarms; /* whose answers are still to come */
    unsigned rooms_wanted;
    struct timer_entry timers[TIMERS];
    int64_t serial;
    bsk_timer tick; /* what a handler's steps come from, if nothing else */
    struct {
        bsk_pending right;
        int64_t ask;
    } rights[RIGHTS];
    unsigned nrights;
    bsk_blob *held; /* has a count, though it may be killed while it waits */
    _Atomic bool begun, gone;
};

struct run {
    struct wl_setup setup;
    bsk_rt *rt;
    struct player *players;
    _Atomic unsigned nplayers;
    struct token *tokens;
    _Atomic unsigned ntokens;
    unsigned most_tokens;

    _Atomic uint64_t accepted[KINDS], handled[KINDS];
    _Atomic uint64_t maybe[KINDS]; /* may have been accepted: a call that timed out */
    _Atomic uint64_t dead_kind[KINDS][BSK_DEAD_COUNT], dead[BSK_DEAD_COUNT];
    _Atomic uint64_t spawned, signals, replies;
    _Atomic bool closing, over; /* for threads: leave the runtime's pointer alone; end */
    _Atomic unsigned inside;    /* threads that use it */

    pthread_mutex_t lock; /* guards fault */
    char fault[512];
};

/* Enters the first thing that is wrong. */
void blame(struct run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Returns a new token, or NULL if there are none left. */
struct token *token_new(struct run *r, const char *what, bool expected);
/* A blob that enters its end into a token, or NULL. */
bsk_blob *blob_new(struct run *r, unsigned len);
/* The runtime's hook. */
void enter_dead(void *run, const bsk_dead_letter *dead);
/* Compares the runtime's figures with the books: at rest they agree. False: not (yet). */
bool figures_agree(struct run *r, bool blaming);
/* When all has ended. */
void audit(struct run *r);

static inline void enter(_Atomic uint64_t *count, uint64_t n)
{
    atomic_fetch_add_explicit(count, n, memory_order_relaxed);
}

/* It is known by now whether one that may have been accepted was. */
static inline void settle(struct run *r, enum kind kind, uint64_t accepted)
{
    enter(&r->accepted[kind], accepted);
    enter(&r->maybe[kind], UINT64_MAX);
}

static inline uint64_t entered(_Atomic uint64_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

#endif
