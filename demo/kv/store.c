/* SPDX-License-Identifier: MIT */
/* store.c - the keys on disk.
 *
 * A key is stored behind its range, two bytes, the higher first: so the keys of a shard stand
 * together, however many shards there are. A value is stored behind its time of expiry.
 *
 * What is written comes from the journal, which remembers it until it is here for good. LMDB writes
 * a transaction in two steps, pages and then the root, and syncs each, so that it is there wholly
 * or not at all whatever happens in between. Both syncs are left on: they are few. */
#define _GNU_SOURCE 1
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bounds.h"
#include "journal.h"
#include "latest.h"
#include "writes.h"

enum { PREFIX = 2, EXPIRY = sizeof(int64_t), CHUNK = 1 << 20, READERS = 126, FORMAT = 1 };

static struct {
    char *dir;
    uint64_t limit;
    int lock;
    MDB_env *env;
    MDB_dbi keys, meta;
    pthread_rwlock_t open; /* who uses the environment reads; who opens it anew writes */
} store = {.lock = -1, .open = PTHREAD_RWLOCK_INITIALIZER};

const char *store_error(int rc)
{
    switch (rc) {
    case EWOULDBLOCK: return "it is used by another process";
    case JOURNAL_FOREIGN: return "a journal there is of another store, or of another version";
    case JOURNAL_GAP: return "what is in the journal does not follow what is in the store";
    case JOURNAL_DAMAGED: return "the journal is damaged: an entry in its midst is not whole";
    default: return mdb_strerror(rc);
    }
}

static int open_dbs(MDB_txn *txn)
{
    int rc = mdb_dbi_open(txn, "keys", MDB_CREATE, &store.keys);
    return rc ? rc : mdb_dbi_open(txn, "meta", MDB_CREATE, &store.meta);
}

static int open_env(void)
{
    MDB_txn *txn;
    int rc = mdb_env_create(&store.env);
    if (rc) return rc;
    mdb_env_set_maxdbs(store.env, 2);
    mdb_env_set_maxreaders(store.env, READERS);
    rc = mdb_env_set_mapsize(store.env, store.limit);
    if (!rc)
        rc = mdb_env_open(store.env, store.dir, MDB_NOTLS | MDB_NORDAHEAD | MDB_NOMEMINIT, 0600);
    if (!rc) rc = mdb_txn_begin(store.env, NULL, 0, &txn);
    if (rc) return rc;
    rc = open_dbs(txn);
    if (!rc) return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return rc;
}

/* The lock goes with the process, however it ends. */
static int lock_dir(void)
{
    if (mkdir(store.dir, 0700) && errno != EEXIST) return errno;
    store.lock = open(store.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (store.lock < 0) return errno;
    return flock(store.lock, LOCK_EX | LOCK_NB) ? errno : 0;
}

/* Reads the secret of the hash, or makes one for a new store. */
static int read_secret(MDB_txn *txn, struct secret *secret)
{
    MDB_val name = {.mv_size = 6, .mv_data = "secret"}, value;
    int rc = mdb_get(txn, store.meta, &name, &value);
    if (rc == 0 && value.mv_size != sizeof *secret) return MDB_CORRUPTED;
    if (rc == 0) memcpy(secret, value.mv_data, sizeof *secret);
    if (rc != MDB_NOTFOUND) return rc;
    if (getrandom(secret, sizeof *secret, 0) != sizeof *secret) return EIO;
    value = (MDB_val){.mv_size = sizeof *secret, .mv_data = secret};
    return mdb_put(txn, store.meta, &name, &value, 0);
}

/* *n stays as it is if there is no such number. */
static int read_number(MDB_txn *txn, char *name, uint64_t *n)
{
    MDB_val key = {.mv_size = strlen(name), .mv_data = name}, value;
    int rc = mdb_get(txn, store.meta, &key, &value);
    if (rc == 0 && value.mv_size != sizeof *n) return MDB_CORRUPTED;
    if (rc == 0) memcpy(n, value.mv_data, sizeof *n);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int write_number(MDB_txn *txn, char *name, uint64_t n)
{
    MDB_val key = {.mv_size = strlen(name), .mv_data = name};
    MDB_val value = {.mv_size = sizeof n, .mv_data = &n};
    return mdb_put(txn, store.meta, &key, &value, 0);
}

/* What this version cannot read it leaves alone. */
static int check_format(MDB_txn *txn)
{
    uint64_t format = 0;
    int rc = read_number(txn, "format", &format);
    if (rc) return rc;
    if (!format) return write_number(txn, "format", FORMAT);
    return format == FORMAT ? 0 : MDB_VERSION_MISMATCH;
}

static journal_apply_fn store_apply;

int store_open(const char *dir, uint64_t limit, bool syncs, struct secret *secret)
{
    MDB_txn *txn;
    uint64_t applied = 0;
    store.dir = strdup(dir);
    store.limit = limit;
    if (!store.dir) return ENOMEM;
    int rc = lock_dir();
    if (!rc) rc = open_env();
    if (!rc) rc = mdb_txn_begin(store.env, NULL, 0, &txn);
    if (rc) return rc;
    rc = check_format(txn);
    if (!rc) rc = read_secret(txn, secret);
    if (!rc) rc = read_number(txn, "applied", &applied);
    if (rc) {
        mdb_txn_abort(txn);
        return rc;
    }
    rc = mdb_txn_commit(txn);
    return rc ? rc : journal_open(dir, secret, syncs, applied, store_apply);
}

void store_close(void)
{
    journal_close();
    if (store.env) mdb_env_close(store.env);
    if (store.lock >= 0) close(store.lock);
    free(store.dir);
    store.env = NULL;
    store.lock = -1;
    store.dir = NULL;
}

/* After a failed write of its root LMDB wants to be opened anew. */
static void reopen(void)
{
    pthread_rwlock_wrlock(&store.open);
    if (store.env) mdb_env_close(store.env);
    store.env = NULL;
    if (open_env() && store.env) {
        mdb_env_close(store.env);
        store.env = NULL;
    }
    pthread_rwlock_unlock(&store.open);
}

static size_t write_key(unsigned char *to, unsigned range, struct arg key)
{
    to[0] = (unsigned char)(range >> 8);
    to[1] = (unsigned char)range;
    if (key.len) memcpy(to + PREFIX, key.at, key.len);
    return PREFIX + key.len;
}

static unsigned range_of(const MDB_val *key)
{
    const unsigned char *p = key->mv_data;
    return (unsigned)p[0] << 8 | p[1];
}

static int put(MDB_cursor *cursor, MDB_val *key, const struct record *r)
{
    MDB_val value = {.mv_size = EXPIRY + r->value.len};
    int rc = mdb_cursor_put(cursor, key, &value, MDB_RESERVE);
    if (rc) return rc;
    memcpy(value.mv_data, &r->expires, EXPIRY);
    memcpy((char *)value.mv_data + EXPIRY, r->value.at, r->value.len);
    return 0;
}

static int clear(MDB_txn *txn, unsigned from, unsigned to)
{
    unsigned char first[PREFIX];
    MDB_cursor *cursor;
    MDB_val key = {.mv_size = write_key(first, from, (struct arg){0}), .mv_data = first}, value;
    if (from == 0 && to == RANGES) return mdb_drop(txn, store.keys, 0);
    int rc = mdb_cursor_open(txn, store.keys, &cursor);
    if (rc) return rc;
    rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (rc == 0 && range_of(&key) < to) {
        rc = mdb_cursor_del(cursor, 0);
        if (rc == 0) rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int apply(MDB_txn *txn, MDB_cursor *cursor, const struct record *r)
{
    unsigned char bytes[PREFIX + KEY_MAX];
    if (r->kind == WRITE_CLEAR)
        return clear(txn, (unsigned)r->hash, (unsigned)r->hash + (unsigned)r->expires);
    if (r->key.len > KEY_MAX) return 0; /* of no key that there can be */
    MDB_val key = {.mv_size = write_key(bytes, hash_range(r->hash), r->key), .mv_data = bytes};
    if (r->kind == WRITE_PUT) return put(cursor, &key, r);
    int rc = mdb_cursor_get(cursor, &key, NULL, MDB_SET);
    if (rc == 0) rc = mdb_cursor_del(cursor, 0);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* A cursor finds what is beside the last one at once: in the order of the store this is fast. */
static int apply_all(MDB_txn *txn, MDB_cursor *cursor, const char *writes, const char *end)
{
    struct latest l;
    struct record r;
    int rc = 0;
    bool sorted = latest_sort(&l, writes, end);
    while (rc == 0 && (sorted ? latest_next(&l, &r) : writes_next(&writes, end, &r)))
        rc = apply(txn, cursor, &r);
    if (sorted) latest_free(&l);
    return rc;
}

static int apply_at_once(MDB_txn *txn, const char *writes, size_t len, uint64_t number)
{
    MDB_cursor *cursor;
    int rc = mdb_cursor_open(txn, store.keys, &cursor);
    if (rc) return rc;
    rc = apply_all(txn, cursor, writes, writes + len);
    mdb_cursor_close(cursor);
    return rc ? rc : write_number(txn, "applied", number);
}

static int apply_locked(const char *writes, size_t len, uint64_t number)
{
    MDB_txn *txn;
    if (!store.env) return EIO;
    int rc = mdb_txn_begin(store.env, NULL, 0, &txn);
    if (rc) return rc;
    rc = apply_at_once(txn, writes, len, number);
    if (!rc) return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return rc;
}

static int store_apply(const char *writes, size_t len, uint64_t number)
{
    pthread_rwlock_rdlock(&store.open);
    int rc = apply_locked(writes, len, number);
    pthread_rwlock_unlock(&store.open);
    if (rc && rc != MDB_MAP_FULL) reopen();
    return rc;
}

static void load_one(const MDB_val *key, const MDB_val *value, struct buffer *out,
                     const struct secret *secret)
{
    const char *k = key->mv_data, *v = value->mv_data;
    struct record r = {.key = {k + PREFIX, (uint32_t)(key->mv_size - PREFIX)},
                       .value = {v + EXPIRY, (uint32_t)(value->mv_size - EXPIRY)}};
    memcpy(&r.expires, v, EXPIRY);
    r.hash = hash_of(secret, r.key.at, r.key.len);
    writes_add(out, &r);
}

static int load_chunk(MDB_txn *txn, unsigned from, unsigned to, struct arg after,
                      struct buffer *out, bool *more)
{
    unsigned char first[PREFIX];
    struct secret secret;
    MDB_cursor *cursor;
    MDB_val key = {.mv_size = write_key(first, from, (struct arg){0}), .mv_data = first}, value;
    char last[PREFIX + KEY_MAX];
    if (after.len) {
        memcpy(last, after.at, after.len);
        key = (MDB_val){.mv_size = after.len, .mv_data = last};
    }
    int rc = read_secret(txn, &secret);
    if (rc || (rc = mdb_cursor_open(txn, store.keys, &cursor))) return rc;
    rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    if (rc == 0 && after.len && key.mv_size == after.len &&
        memcmp(key.mv_data, after.at, after.len) == 0)
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    for (; rc == 0 && range_of(&key) < to && out->len < CHUNK;
         rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))
        load_one(&key, &value, out, &secret);
    *more = rc == 0 && range_of(&key) < to;
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int store_load(unsigned from, unsigned to, struct arg after, struct buffer *out, bool *more)
{
    MDB_txn *txn;
    pthread_rwlock_rdlock(&store.open);
    int rc = store.env ? mdb_txn_begin(store.env, NULL, MDB_RDONLY, &txn) : EIO;
    if (!rc) {
        rc = load_chunk(txn, from, to, after, out, more);
        mdb_txn_abort(txn);
    }
    pthread_rwlock_unlock(&store.open);
    return rc ? rc : out->failed ? ENOMEM : 0;
}
