/* SPDX-License-Identifier: MIT */
/* keyspace.h - the keys of a shard, in its memory. */
#ifndef KV_KEYSPACE_H
#define KV_KEYSPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol.h"

struct entry {
    struct entry *next;
    uint64_t hash;
    uint64_t version; /* of its last change */
    int64_t expires;  /* ms since 1970; 0: never */
    uint32_t klen, vlen, cap;
    char bytes[]; /* the key, then the value */
};

static inline char *entry_value(struct entry *e)
{
    return e->bytes + e->klen;
}

/* Keys that went lately, for WATCH: a key that came and went again has changed. */
enum { GRAVES = 128 };
struct grave {
    uint64_t hash, version;
};

struct keyspace {
    struct entry ***segments; /* of the directory of buckets; see keyspace.c */
    uint64_t buckets, room;   /* buckets; segments that the array has room for */
    uint64_t count, expiring; /* keys; those that expire */
    uint64_t bytes;           /* of memory */
    uint64_t version;         /* counts the changes; never goes back */
    uint64_t gone;            /* version of the last removal */
    uint64_t sweep;           /* bucket to be looked at next for expired keys */
    struct grave graves[GRAVES];
    unsigned ngraves;
};

/* A keyspace whose versions begin above `version`. False: want of memory. */
bool keyspace_init(struct keyspace *ks, uint64_t version);
void keyspace_fini(struct keyspace *ks);
/* Removes all keys. */
void keyspace_clear(struct keyspace *ks);

/* Returns the place that holds the entry: of the bucket, or `next` of the one before. It holds NULL
 * if there is no such key. Until the next change. */
struct entry **keyspace_find(struct keyspace *ks, uint64_t hash, const char *key, size_t len);
/* Have the processor fetch what keyspace_find will look at: the bucket of a hash, and, some time after
 * that, the first entry in it. For several keys first the one of all, then the other of all: their
 * memory is waited for once. */
void keyspace_fetch_bucket(const struct keyspace *ks, uint64_t hash);
void keyspace_fetch_entry(const struct keyspace *ks, uint64_t hash);
/* Sets the value, of a new key too: *place is of keyspace_find. `expires` 0: never. NULL: want of
 * memory, and nothing has changed. */
struct entry *keyspace_set(struct keyspace *ks, struct entry **place, uint64_t hash, struct arg key,
                           struct arg value, int64_t expires);
/* Adds bytes to the value of a key that is there. */
struct entry *keyspace_append(struct keyspace *ks, struct entry **place, struct arg more);
void keyspace_set_expiry(struct keyspace *ks, struct entry *e, int64_t expires);
void keyspace_remove(struct keyspace *ks, struct entry **place);

/* The version of a key, or, if it is not there, the version of the whole, which is later than all
 * that ever befell that key. */
uint64_t keyspace_version(const struct keyspace *ks, const struct entry *e);
/* Tells whether the key has not changed since that was its version. */
bool keyspace_unchanged(const struct keyspace *ks, const struct entry *e, uint64_t hash,
                        uint64_t version);

/* Calls fn for the entries of the next bucket of a scan; 0 begins, and is returned at the end. What
 * is there from the first to the last call is seen at least once. fn must not change anything. */
typedef void keyspace_seen(void *arg, const struct entry *e);
uint64_t keyspace_scan(const struct keyspace *ks, uint64_t cursor, keyspace_seen *fn, void *arg);

/* Looks at some buckets in turn and removes keys that expired before `now`; calls fn before each
 * removal. */
void keyspace_sweep(struct keyspace *ks, int64_t now, unsigned buckets, keyspace_seen *fn,
                    void *arg);

#endif
