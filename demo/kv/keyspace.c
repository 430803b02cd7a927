/* SPDX-License-Identifier: MIT */
/* keyspace.c - a hash table that grows by one bucket at a time, so that no request ever waits for
 * the whole of it to be moved.
 *
 * Linear hashing: of n buckets, with 2^k <= n < 2^(k+1), those numbered below n - 2^k have been
 * split, each with its fellow 2^k further on. A hash belongs to the bucket of its lowest k+1 bits
 * if there is one of that number, and otherwise to that of its lowest k.
 *
 *     n = 6:    0   1   2   3   4   5         0 and 4, 1 and 5 tell apart by three bits,
 *              000 001 .10 .11 100 101        2 and 3 go by two until they are split
 *
 * A scan goes through the hashes in the order of their bits reversed: the lowest bit is the most
 * significant. A bucket is then one unbroken run of hashes, whether it was split or not, and a
 * cursor, which is the hash where the next run begins, says for any later table what was seen
 * already: all in front of it. So splitting and merging lose nothing; merging may show some again.
 */
#include "keyspace.h"

#include <stdlib.h>
#include <string.h>

enum { SEGMENT_BITS = 9, SEGMENT = 1 << SEGMENT_BITS, LEAST = 16 };
enum { EACH = 2 }; /* buckets for a key: few share one, which is a miss of the cache more */
enum { SHRINK = 4 * EACH }; /* buckets that may go with a key */
enum { ENTRY_COST = 16 };   /* what the allocator adds */

static uint64_t level_mask(uint64_t buckets)
{
    return (UINT64_MAX >> __builtin_clzll(buckets)) >> 1;
}

/* The bits by which the bucket of a hash is told from others. */
static uint64_t bucket_mask(const struct keyspace *ks, uint64_t hash)
{
    uint64_t mask = level_mask(ks->buckets);
    bool split = (hash & mask) + mask + 1 < ks->buckets;
    return split ? mask << 1 | 1 : mask;
}

static struct entry **bucket_at(const struct keyspace *ks, uint64_t number)
{
    return &ks->segments[number >> SEGMENT_BITS][number & (SEGMENT - 1)];
}

static struct entry **bucket_of(const struct keyspace *ks, uint64_t hash)
{
    return bucket_at(ks, hash & bucket_mask(ks, hash));
}

static bool add_segment(struct keyspace *ks)
{
    uint64_t number = ks->buckets >> SEGMENT_BITS;
    if (number == ks->room) {
        struct entry ***more = realloc(ks->segments, 2 * ks->room * sizeof *more);
        if (!more) return false;
        memset(more + ks->room, 0, ks->room * sizeof *more);
        ks->segments = more;
        ks->room *= 2;
    }
    if (!ks->segments[number]) ks->segments[number] = calloc(SEGMENT, sizeof(struct entry *));
    return ks->segments[number];
}

/* More keys went than there are graves: nobody can tell any more which. */
static void forget_graves(struct keyspace *ks)
{
    ks->gone = ++ks->version;
    ks->ngraves = GRAVES;
    for (int i = 0; i < GRAVES; i++) ks->graves[i] = (struct grave){0, ks->version};
}

bool keyspace_init(struct keyspace *ks, uint64_t version)
{
    *ks = (struct keyspace){.version = version, .room = 8};
    forget_graves(ks);
    ks->segments = calloc(ks->room, sizeof *ks->segments);
    if (!ks->segments || !add_segment(ks)) return false;
    ks->buckets = LEAST;
    return true;
}

static void bury(struct keyspace *ks, const struct entry *e)
{
    ks->gone = ++ks->version;
    ks->graves[ks->ngraves++ % GRAVES] = (struct grave){e->hash, ks->version};
}

static void free_chain(struct keyspace *ks, struct entry *e, bool few)
{
    for (struct entry *next; e; e = next) {
        next = e->next;
        if (few) bury(ks, e);
        free(e);
    }
}

void keyspace_clear(struct keyspace *ks)
{
    bool few = ks->count <= GRAVES / 2;
    for (uint64_t b = 0; b < ks->buckets; b++) {
        free_chain(ks, *bucket_at(ks, b), few);
        *bucket_at(ks, b) = NULL;
    }
    for (uint64_t s = 1; s < ks->room; s++) {
        free(ks->segments[s]);
        ks->segments[s] = NULL;
    }
    ks->buckets = LEAST;
    ks->count = ks->expiring = ks->bytes = 0;
    /* Also that nothing was there to be removed is not on disk before the removal is. */
    ks->gone = ++ks->version;
    if (!few) forget_graves(ks);
}

void keyspace_fini(struct keyspace *ks)
{
    if (!ks->segments) return;
    if (ks->segments[0]) keyspace_clear(ks);
    free(ks->segments[0]);
    free(ks->segments);
    ks->segments = NULL;
}

/* The bucket to come gets its share of the bucket that it was part of. Without memory the chains
 * are a little longer. */
static void grow(struct keyspace *ks)
{
    if ((ks->buckets & (SEGMENT - 1)) == 0 && !add_segment(ks)) return;
    uint64_t mask = level_mask(ks->buckets), fresh = ks->buckets;
    struct entry **from = bucket_at(ks, fresh & mask), **to = bucket_at(ks, fresh);
    ks->buckets++;
    while (*from) {
        struct entry *e = *from;
        if ((e->hash & (mask << 1 | 1)) != fresh) {
            from = &e->next;
            continue;
        }
        *from = e->next;
        e->next = *to;
        *to = e;
    }
}

/* The last bucket goes back to the one that it was split from. */
static void shrink(struct keyspace *ks)
{
    struct entry **from = bucket_at(ks, --ks->buckets);
    struct entry **to = bucket_at(ks, ks->buckets & level_mask(ks->buckets));
    while (*to) to = &(*to)->next;
    *to = *from;
    *from = NULL;
}

struct entry **keyspace_find(struct keyspace *ks, uint64_t hash, const char *key, size_t len)
{
    struct entry **place = bucket_of(ks, hash);
    for (; *place; place = &(*place)->next) {
        struct entry *e = *place;
        if (e->hash == hash && e->klen == len && memcmp(e->bytes, key, len) == 0) break;
    }
    return place;
}

void keyspace_fetch_bucket(const struct keyspace *ks, uint64_t hash)
{
    __builtin_prefetch(bucket_of(ks, hash));
}

void keyspace_fetch_entry(const struct keyspace *ks, uint64_t hash)
{
    const struct entry *e = *bucket_of(ks, hash);
    if (!e) return;
    __builtin_prefetch(e);
    __builtin_prefetch(e->bytes + 16);
}

static uint64_t cost(const struct entry *e)
{
    return sizeof *e + ENTRY_COST + e->klen + e->cap + EACH * sizeof(struct entry *);
}

/* Makes *place an entry with room for `vlen` bytes of value. */
static struct entry *make_room(struct keyspace *ks, struct entry **place, size_t klen, size_t vlen)
{
    struct entry *old = *place, *e;
    if (old && vlen <= old->cap && vlen + 64 >= old->cap / 2) return old;
    /* One that grows will grow again. */
    size_t cap = old && vlen > old->vlen && old->vlen ? vlen + vlen / 2 : vlen;
    cap = cap < 8 ? 8 : cap;
    uint64_t before = old ? cost(old) : 0;
    e = realloc(old, sizeof *e + klen + cap);
    if (!e) return NULL;
    if (!old) *e = (struct entry){.klen = (uint32_t)klen};
    e->cap = (uint32_t)cap;
    *place = e;
    ks->bytes += cost(e) - before;
    return e;
}

void keyspace_set_expiry(struct keyspace *ks, struct entry *e, int64_t expires)
{
    ks->expiring += (uint64_t)(expires != 0) - (uint64_t)(e->expires != 0);
    e->expires = expires;
    e->version = ++ks->version;
}

struct entry *keyspace_set(struct keyspace *ks, struct entry **place, uint64_t hash, struct arg key,
                           struct arg value, int64_t expires)
{
    bool fresh = !*place;
    struct entry *e = make_room(ks, place, key.len, value.len);
    if (!e) return NULL;
    if (fresh) {
        e->hash = hash;
        memcpy(e->bytes, key.at, key.len);
    }
    memcpy(entry_value(e), value.at, value.len);
    e->vlen = value.len;
    keyspace_set_expiry(ks, e, expires);
    ks->count += fresh;
    for (int i = 0; i < EACH && ks->buckets < EACH * ks->count; i++) grow(ks);
    return e;
}

struct entry *keyspace_append(struct keyspace *ks, struct entry **place, struct arg more)
{
    struct entry *e = make_room(ks, place, (*place)->klen, (size_t)(*place)->vlen + more.len);
    if (!e) return NULL;
    memcpy(entry_value(e) + e->vlen, more.at, more.len);
    e->vlen += more.len;
    e->version = ++ks->version;
    return e;
}

void keyspace_remove(struct keyspace *ks, struct entry **place)
{
    struct entry *e = *place;
    bury(ks, e);
    ks->bytes -= cost(e);
    ks->expiring -= e->expires != 0;
    ks->count--;
    *place = e->next;
    free(e);
    for (int i = 0; i < SHRINK && ks->buckets > LEAST && ks->count < ks->buckets / SHRINK; i++)
        shrink(ks);
}

uint64_t keyspace_version(const struct keyspace *ks, const struct entry *e)
{
    return e ? e->version : ks->version;
}

/* A key that is not there now, and was not there then, may have come and gone. */
static bool was_gone_since(const struct keyspace *ks, uint64_t hash, uint64_t version)
{
    if (ks->gone <= version) return false;
    unsigned known = ks->ngraves < GRAVES ? ks->ngraves : GRAVES;
    bool forgot = known == GRAVES;
    for (unsigned i = 0; i < known; i++) {
        if (ks->graves[i].version > version && ks->graves[i].hash == hash) return true;
        if (ks->graves[i].version <= version) forgot = false;
    }
    return forgot;
}

bool keyspace_unchanged(const struct keyspace *ks, const struct entry *e, uint64_t hash,
                        uint64_t version)
{
    return e ? e->version <= version : !was_gone_since(ks, hash, version);
}

static uint64_t reversed(uint64_t x)
{
    x = __builtin_bswap64(x);
    x = (x & UINT64_C(0x0f0f0f0f0f0f0f0f)) << 4 | (x >> 4 & UINT64_C(0x0f0f0f0f0f0f0f0f));
    x = (x & UINT64_C(0x3333333333333333)) << 2 | (x >> 2 & UINT64_C(0x3333333333333333));
    return (x & UINT64_C(0x5555555555555555)) << 1 | (x >> 1 & UINT64_C(0x5555555555555555));
}

uint64_t keyspace_scan(const struct keyspace *ks, uint64_t cursor, keyspace_seen *fn, void *arg)
{
    uint64_t mask = bucket_mask(ks, cursor);
    for (const struct entry *e = *bucket_at(ks, cursor & mask); e; e = e->next) fn(arg, e);
    /* To the end of the bucket's run, and one further. */
    return reversed(reversed(cursor | ~mask) + 1);
}

static void sweep_bucket(struct keyspace *ks, uint64_t bucket, int64_t now, keyspace_seen *fn,
                         void *arg)
{
    struct entry **place = bucket_at(ks, bucket);
    while (*place) {
        struct entry *e = *place;
        if (!e->expires || e->expires > now) {
            place = &e->next;
            continue;
        }
        fn(arg, e);
        keyspace_remove(ks, place);
        /* The bucket itself may be gone: merged. */
        if (bucket >= ks->buckets) return;
    }
}

void keyspace_sweep(struct keyspace *ks, int64_t now, unsigned buckets, keyspace_seen *fn,
                    void *arg)
{
    for (unsigned i = 0; i < buckets && ks->expiring; i++) {
        if (ks->sweep >= ks->buckets) ks->sweep = 0;
        sweep_bucket(ks, ks->sweep++, now, fn, arg);
    }
}
