/* SPDX-License-Identifier: MIT */
/* service.h - the tree of the service, and what all in it share. */
#ifndef KV_SERVICE_H
#define KV_SERVICE_H

#include <stdatomic.h>

#include "bounds.h"
#include "hash.h"
#include "options.h"
#include "words.h"

enum cause { CAUSE_FAILED, CAUSE_FAULT, CAUSE_HANG, CAUSE_KILLED, CAUSE_SHUTDOWN, CAUSES };
extern const char *const cause_names[CAUSES];

/* Of one shard; on lines of its own, as each shard writes its own all the time. */
struct shard_face {
    _Alignas(64) _Atomic uint64_t durable; /* the version that is on disk */
    _Alignas(64) _Atomic uint64_t keys;
    _Atomic uint64_t expiring, bytes, expired;
    _Atomic bool ready;
};

struct counters {
    _Atomic uint64_t connections, clients, commands, busy, errors, lost, slow, refused;
    _Atomic uint64_t hits, misses;
    _Atomic uint64_t commits, committed, commit_us, failures; /* committed: batches in them */
    _Atomic uint64_t channels, patterns, published;
    _Atomic uint64_t faults;        /* committed by chaos */
    _Atomic uint64_t starts;        /* of writer, shards and channels */
    _Atomic uint64_t ended[CAUSES]; /* of them, why */
    _Atomic uint64_t buffers;       /* bytes that connections hold */
};

/* There is one service in a process. It outlives the runtime and all its actors. What actors
 * change of it here is atomic; the rest is as it was before the first of them started. */
struct service {
    struct options options;
    struct secret secret;
    _Atomic int port; /* known once the gate has said it; connections may ask before */
    int64_t started_ms;
    bsk_rt *rt;
    bsk_addr gate;
    struct shard_face shards[SHARDS_MAX];
    struct counters count;
    _Atomic bool read_only; /* the disk takes no more */
};
extern struct service kv;

/* Starts the tree. Nobody on failure: bsk_error. */
bsk_addr service_open(bsk_rt *rt);
/* The name of a shard; `to` has room for SHARD_NAME bytes. */
enum { SHARD_NAME = 16 };
const char *shard_name(unsigned shard, char *to);
/* ms since 1970. */
int64_t clock_ms(void);
/* Bytes in use: keys and buffers. */
uint64_t memory_used(void);

/* How each is started and watched over. */
bsk_child_spec registrar_spec(void);
bsk_child_spec writer_spec(void);
bsk_child_spec shard_spec(unsigned index);
bsk_child_spec channels_spec(void);
bsk_child_spec chaos_spec(void);
bsk_opts connection_opts(void);
bsk_handler connection;
/* An actor has started: who ends is counted. By the actor itself. */
void say_born(bsk_self *self);

static inline void count_up(_Atomic uint64_t *n, uint64_t by)
{
    atomic_fetch_add_explicit(n, by, memory_order_relaxed);
}

static inline uint64_t count_of(const _Atomic uint64_t *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

#endif
