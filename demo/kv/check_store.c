/* SPDX-License-Identifier: MIT */
/* What was written is in the store after whatever end; it belongs to one process at a time; what it
 * has no room for stays in the journal; what is not ours is refused.
 * with: store.c journal.c latest.c writes.c buffer.c hash.c
 * ctest: not=tsan */
#define _GNU_SOURCE 1
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bounds.h"
#include "check_dir.h"
#include "journal.h"
#include "store.h"
#include "writes.h"

#define MIB ((size_t)1 << 20)
#define LIMIT ((uint64_t)64 << 20)

static struct secret secret;
static struct buffer loaded; /* all that is in the store, as records */

static void path_of(const char *name, char *to)
{
    sprintf(to, "%s/%s", dir, name);
}

static void setup(void)
{
    dir_open();
}

static void teardown(void)
{
    store_close();
    dir_close();
    buffer_free(&loaded);
}

/* Writing. */

static struct arg arg_of(const char *text)
{
    return (struct arg){text, (uint32_t)strlen(text)};
}

static struct record record_of(enum write_kind kind, struct arg key, struct arg value, int64_t when)
{
    return (struct record){.hash = hash_of(&secret, key.at, key.len),
                           .kind = kind,
                           .key = key,
                           .value = value,
                           .expires = when};
}

/* One entry. */
static int write_record(struct record r)
{
    struct buffer b = {0};
    writes_add(&b, &r);
    int rc = journal_append(b.at, b.len);
    buffer_free(&b);
    return rc;
}

static int put(const char *key, const char *value, int64_t when)
{
    return write_record(record_of(WRITE_PUT, arg_of(key), arg_of(value), when));
}

static int put_many(int from, int to, size_t len)
{
    char key[32], *value = malloc(len);
    struct buffer b = {0};
    memset(value, 'v', len);
    for (int i = from; i < to; i++) {
        sprintf(key, "key:%d", i);
        struct record r = record_of(WRITE_PUT, arg_of(key), (struct arg){value, (uint32_t)len}, i);
        writes_add(&b, &r);
    }
    int rc = journal_append(b.at, b.len);
    buffer_free(&b);
    free(value);
    return rc;
}

static void open_it(void)
{
    int rc = store_open(dir, LIMIT, true, &secret);
    ck_assert_msg(rc == 0, "%s", store_error(rc));
}

/* A process opens the store, does something, and is gone. */
static void life(int (*deed)(void))
{
    int status;
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (!child) {
        int rc = store_open(dir, LIMIT, true, &secret);
        if (!rc) rc = deed();
        if (rc) fprintf(stderr, "a life: %s\n", store_error(rc));
        _exit(rc != 0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}

/* Reading. */

/* Reads the ranges into `loaded`, a chunk after another as a shard does; returns the keys. */
static unsigned load(unsigned from, unsigned to)
{
    struct record r = {0};
    bool more = true;
    unsigned n = 0;
    char after[2 + KEY_MAX];
    struct arg last = {after, 0};
    buffer_clear(&loaded);
    while (more) {
        size_t before = loaded.len;
        struct buffer chunk = {0};
        ck_assert_int_eq(store_load(from, to, last, &chunk, &more), 0);
        buffer_add(&loaded, chunk.at, chunk.len);
        buffer_free(&chunk);
        const char *at = loaded.at + before, *end = loaded.at + loaded.len;
        for (; loaded.len > before && writes_next(&at, end, &r); n++)
            ck_assert(hash_range(r.hash) >= from && hash_range(r.hash) < to);
        if (!more) break;
        after[0] = (char)(hash_range(r.hash) >> 8);
        after[1] = (char)hash_range(r.hash);
        memcpy(after + 2, r.key.at, r.key.len);
        last.len = 2 + r.key.len;
    }
    return n;
}

static bool find(struct arg key, struct record *r)
{
    const char *at = loaded.at, *end = at + loaded.len;
    while (loaded.len && writes_next(&at, end, r))
        if (r->key.len == key.len && memcmp(r->key.at, key.at, key.len) == 0) return true;
    return false;
}

static void expect(const char *key, const char *value, int64_t when)
{
    struct record r;
    ck_assert_msg(find(arg_of(key), &r), "%s is not there", key);
    ck_assert_uint_eq(r.value.len, strlen(value));
    ck_assert_mem_eq(r.value.at, value, r.value.len);
    ck_assert_int_eq(r.expires, when);
}

/* All is moved to the store, and the process is another. */
static void open_again(void)
{
    ck_assert_int_eq(journal_apply(), 0);
    store_close();
    open_it();
}

START_TEST(what_is_written_is_read)
{
    static char long_key[KEY_MAX], large[3 * 1024 * 1024];
    struct record r;
    memset(long_key, 'k', sizeof long_key);
    for (size_t i = 0; i < sizeof large; i++) large[i] = (char)(i * 31 >> 3);
    struct arg keys[] = {{"", 0}, {"a\0b", 3}, {long_key, KEY_MAX}, {"large", 5}};
    struct arg values[] = {{"of the empty key", 16}, {"\0\r\n", 3}, {"", 0}, {large, sizeof large}};
    open_it();
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(write_record(record_of(WRITE_PUT, keys[i], values[i], i)), 0);
    open_again();
    ck_assert_uint_eq(load(0, RANGES), 4);
    for (int i = 0; i < 4; i++) {
        ck_assert(find(keys[i], &r));
        ck_assert_uint_eq(r.value.len, values[i].len);
        ck_assert_mem_eq(r.value.at, values[i].at, values[i].len);
        ck_assert_int_eq(r.expires, i);
        ck_assert_uint_eq(r.hash, hash_of(&secret, keys[i].at, keys[i].len));
    }
}
END_TEST

/* However many shards share the ranges, each key is read by one; also in many chunks. */
START_TEST(each_key_is_read_once)
{
    enum { KEYS = 5000, LEN = 1000 };
    open_it();
    ck_assert_int_eq(put_many(0, KEYS, LEN), 0);
    ck_assert_int_eq(journal_apply(), 0);
    for (unsigned shards = 1; shards <= SHARDS_MAX; shards += 9) {
        unsigned n = 0;
        for (unsigned i = 0; i < shards; i++)
            n += load(shard_from(i, shards), shard_from(i + 1, shards));
        ck_assert_uint_eq(n, KEYS);
    }
    ck_assert_uint_eq(load(0, RANGES), KEYS);
    ck_assert_uint_gt(loaded.len, 4 * MIB); /* so it came in chunks */
    ck_assert_uint_eq(load(0, 0), 0);
}
END_TEST

static int write_some(void)
{
    int rc = put("a", "1", 0);
    if (!rc) rc = put("b", "1", 12345678901234);
    if (!rc) rc = put("a", "2", 0);
    if (!rc) rc = put("c", "3", 0);
    return rc ? rc : write_record(record_of(WRITE_GONE, arg_of("c"), arg_of(""), 0));
}

static int write_some_and_apply(void)
{
    int rc = write_some();
    return rc ? rc : journal_apply();
}

static int write_in_part(void)
{
    int rc = put("a", "0", 7);
    if (!rc) rc = journal_apply();
    return rc ? rc : write_some();
}

/* In the journal, in the store, or in both: all the same. */
START_TEST(all_is_there_after_a_crash)
{
    static int (*const lives[])(void) = {write_some, write_some_and_apply, write_in_part};
    struct secret first;
    open_it();
    first = secret;
    store_close();
    life(lives[_i]);
    memset(&secret, 0, sizeof secret);
    open_it();
    ck_assert_mem_eq(&secret, &first, sizeof secret);
    ck_assert_uint_eq(load(0, RANGES), 2);
    expect("a", "2", 0);
    expect("b", "1", 12345678901234); /* it expires when it did before */
    ck_assert_uint_eq(journal_pending(), 0);
}
END_TEST

static int clear(unsigned ranges)
{
    return write_record((struct record){.kind = WRITE_CLEAR, .hash = 0, .expires = ranges});
}

/* Each is moved to the store in one transaction. */
START_TEST(clearing_keeps_its_place_among_the_writes)
{
    open_it();
    ck_assert_int_eq(put_many(0, 1000, 10), 0);
    ck_assert_int_eq(clear(RANGES / 2), 0);
    ck_assert_int_eq(put_many(1000, 1010, 10), 0);
    open_again();
    unsigned low = load(0, RANGES / 2), high = load(RANGES / 2, RANGES);
    ck_assert_uint_le(low, 10);
    ck_assert(high > 400 && high < 600 + 10);
    ck_assert_int_eq(put_many(2000, 3000, 10), 0);
    ck_assert_int_eq(clear(RANGES), 0);
    ck_assert_int_eq(put_many(3000, 3100, 10), 0);
    ck_assert_int_eq(clear(RANGES / 2), 0);
    open_again();
    ck_assert_uint_eq(load(0, RANGES / 2), 0);
    high = load(RANGES / 2, RANGES);
    ck_assert(high > 10 && high < 90);
}
END_TEST

/* No room. */

static int write_a_store_full(void)
{
    return put_many(0, 3000, 1000);
}

/* Three MB, and a store of one: they stay in the journal until it may have more. */
START_TEST(a_full_store_loses_nothing)
{
    ck_assert_int_eq(store_open(dir, MIB, true, &secret), 0);
    ck_assert_int_eq(put("a", "1", 0), 0);
    ck_assert_int_eq(journal_apply(), 0);
    ck_assert_int_eq(write_a_store_full(), 0);
    ck_assert_int_eq(journal_apply(), MDB_MAP_FULL);
    ck_assert_uint_eq(load(0, RANGES), 1); /* what is there is read */
    ck_assert_int_eq(put("b", "1", 0), 0);
    ck_assert_int_eq(journal_apply(), MDB_MAP_FULL);
    store_close();
    ck_assert_int_eq(store_open(dir, MIB, true, &secret), MDB_MAP_FULL);
    store_close();
    open_it();
    ck_assert_uint_eq(load(0, RANGES), 3002);
    expect("b", "1", 0);
}
END_TEST

static void limit_files(rlim_t bytes)
{
    struct rlimit r;
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &r), 0);
    r.rlim_cur = bytes < r.rlim_max ? bytes : r.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &r), 0);
}

/* The file of the store cannot grow; later it can, and the store goes on. */
START_TEST(a_full_disk_loses_nothing)
{
    open_it();
    ck_assert_int_eq(put("a", "1", 0), 0);
    ck_assert_int_eq(journal_apply(), 0);
    limit_files(MIB);
    for (int i = 0; i < 3; i++) {
        struct buffer b = {0};
        bool more;
        limit_files(RLIM_INFINITY);
        ck_assert_int_eq(put_many(1000 * i, 1000 * i + 1000, 1000), 0);
        limit_files(MIB);
        int rc = journal_apply();
        ck_assert_msg(rc, "there was room for %d", i);
        ck_assert_int_eq(store_load(0, RANGES, (struct arg){0}, &b, &more), 0);
        buffer_free(&b);
    }
    limit_files(RLIM_INFINITY);
    ck_assert_int_eq(journal_apply(), 0);
    ck_assert_uint_eq(load(0, RANGES), 3001);
    open_again();
    ck_assert_uint_eq(load(0, RANGES), 3001);
}
END_TEST

/* Who may not. */

/* Opens it, tells so, and keeps it until it is killed. */
static pid_t start_holder(void)
{
    int tell[2];
    char told = 1;
    ck_assert_int_eq(pipe(tell), 0);
    pid_t child = fork();
    if (!child) {
        close(tell[0]);
        told = store_open(dir, LIMIT, true, &secret) || put("held", "1", 0);
        if (write(tell[1], &told, 1) != 1) _exit(1);
        for (;;) pause();
    }
    close(tell[1]);
    ck_assert_int_eq(read(tell[0], &told, 1), 1);
    close(tell[0]);
    ck_assert_int_eq(told, 0);
    return child;
}

START_TEST(a_second_process_is_refused)
{
    pid_t holder = start_holder();
    int rc = store_open(dir, LIMIT, true, &secret);
    ck_assert_int_eq(rc, EWOULDBLOCK);
    ck_assert_str_eq(store_error(rc), "it is used by another process");
    store_close();
    kill(holder, SIGKILL);
    ck_assert_int_eq(waitpid(holder, NULL, 0), holder);
    open_it();
    ck_assert_uint_eq(load(0, RANGES), 1);
    expect("held", "1", 0);
}
END_TEST

static void write_file(const char *name, const char *text, size_t n)
{
    char path[96];
    path_of(name, path);
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(text, 1, n, f), n);
    fclose(f);
}

START_TEST(what_is_no_store_is_refused)
{
    char diary[16384], now[sizeof diary], path[96];
    memset(diary, 'd', sizeof diary);
    write_file("data.mdb", diary, sizeof diary);
    ck_assert_int_eq(store_open(dir, LIMIT, true, &secret), MDB_INVALID);
    store_close();
    path_of("data.mdb", path);
    FILE *f = fopen(path, "r");
    ck_assert_uint_eq(fread(now, 1, sizeof now, f), sizeof now);
    fclose(f);
    ck_assert_mem_eq(now, diary, sizeof now);
}
END_TEST

START_TEST(a_journal_of_another_store_is_refused)
{
    char path[96];
    life(write_some);
    path_of("data.mdb", path);
    ck_assert_int_eq(unlink(path), 0);
    int rc = store_open(dir, LIMIT, true, &secret);
    ck_assert_int_eq(rc, JOURNAL_FOREIGN);
    ck_assert_ptr_nonnull(strstr(store_error(rc), "another store"));
}
END_TEST

/* Another program's hand: changes a number that the store keeps of itself. */
static void set_number(const char *name, uint64_t n, size_t size)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi meta;
    char copy[16];
    strcpy(copy, name);
    MDB_val key = {.mv_size = strlen(copy), .mv_data = copy},
            value = {.mv_size = size, .mv_data = &n};
    ck_assert_int_eq(mdb_env_create(&env), 0);
    mdb_env_set_maxdbs(env, 2);
    ck_assert_int_eq(mdb_env_open(env, dir, 0, 0600), 0);
    ck_assert_int_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
    ck_assert_int_eq(mdb_dbi_open(txn, "meta", 0, &meta), 0);
    ck_assert_int_eq(mdb_put(txn, meta, &key, &value, 0), 0);
    ck_assert_int_eq(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

START_TEST(a_store_of_another_version_is_refused)
{
    life(write_some);
    set_number("format", 2, sizeof(uint64_t));
    ck_assert_int_eq(store_open(dir, LIMIT, true, &secret), MDB_VERSION_MISMATCH);
    store_close();
    set_number("format", 1, sizeof(uint64_t));
    open_it();
    ck_assert_uint_eq(load(0, RANGES), 2);
}
END_TEST

START_TEST(a_store_that_makes_no_sense_is_refused)
{
    static const char *const names[] = {"applied", "secret", "format"};
    life(write_some_and_apply);
    set_number(names[_i], 1, 1);
    ck_assert_int_eq(store_open(dir, LIMIT, true, &secret), MDB_CORRUPTED);
}
END_TEST

/* As if the store had been brought back from a copy, and the journal not. */
START_TEST(a_store_that_is_older_than_its_journal_is_refused)
{
    life(write_some_and_apply);
    life(write_some);
    set_number("applied", 2, sizeof(uint64_t));
    int rc = store_open(dir, LIMIT, true, &secret);
    ck_assert_int_eq(rc, JOURNAL_GAP);
    ck_assert_ptr_nonnull(strstr(store_error(rc), "does not follow"));
}
END_TEST

static int write_three_apply_one(void)
{
    int rc = put("a", "in the store", 0);
    if (!rc) rc = journal_apply();
    if (!rc) rc = put("b", "damaged", 0);
    return rc ? rc : put("c", "behind it", 0);
}

static void damage(const char *text)
{
    static char bytes[4096];
    char path[96];
    path_of("journal.0", path);
    int fd = open(path, O_RDWR);
    ck_assert_int_eq(pread(fd, bytes, sizeof bytes, 0), sizeof bytes);
    char *at = memmem(bytes, sizeof bytes, text, strlen(text));
    ck_assert_ptr_nonnull(at);
    ck_assert_int_eq(pwrite(fd, "?", 1, at - bytes), 1);
    close(fd);
}

/* Both files of it: one alone would be that of another time. */
static void put_journal_aside(void)
{
    char from[96], to[112];
    for (int i = 0; i < 2; i++) {
        path_of(i ? "journal.1" : "journal.0", from);
        sprintf(to, "%s.aside", from);
        ck_assert_int_eq(rename(from, to), 0);
    }
}

START_TEST(a_damaged_journal_is_refused_and_may_be_put_aside)
{
    life(write_three_apply_one);
    damage("damaged");
    int rc = store_open(dir, LIMIT, true, &secret);
    ck_assert_int_eq(rc, JOURNAL_DAMAGED);
    ck_assert_ptr_nonnull(strstr(store_error(rc), "damaged"));
    store_close();
    put_journal_aside();
    life(write_some);
    open_it();
    ck_assert_uint_eq(load(0, RANGES), 2);
    expect("a", "2", 0);
    expect("b", "1", 12345678901234);
}
END_TEST

START_TEST(a_place_that_is_none_is_refused)
{
    char path[96];
    path_of("none/below", path);
    ck_assert_int_eq(store_open(path, LIMIT, true, &secret), ENOENT);
    store_close();
    write_file("data.mdb", "", 0);
    path_of("data.mdb", path);
    ck_assert_int_eq(store_open(path, LIMIT, true, &secret), ENOTDIR);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("store");
    TCase *t = tcase_create("store");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, what_is_written_is_read);
    tcase_add_test(t, each_key_is_read_once);
    tcase_add_loop_test(t, all_is_there_after_a_crash, 0, 3);
    tcase_add_test(t, clearing_keeps_its_place_among_the_writes);
    tcase_add_test(t, a_full_store_loses_nothing);
    tcase_add_test(t, a_full_disk_loses_nothing);
    tcase_add_test(t, a_second_process_is_refused);
    tcase_add_test(t, what_is_no_store_is_refused);
    tcase_add_test(t, a_journal_of_another_store_is_refused);
    tcase_add_test(t, a_store_of_another_version_is_refused);
    tcase_add_loop_test(t, a_store_that_makes_no_sense_is_refused, 0, 3);
    tcase_add_test(t, a_store_that_is_older_than_its_journal_is_refused);
    tcase_add_test(t, a_damaged_journal_is_refused_and_may_be_put_aside);
    tcase_add_test(t, a_place_that_is_none_is_refused);
    suite_add_tcase(s, t);
    return dirs_run(s);
}
