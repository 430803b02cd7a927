/* SPDX-License-Identifier: MIT */
/* journal.c - a commit is one write behind another, and one sync, or none.
 *
 * A transaction of the store changes pages here and there and syncs twice. So entries are first
 * written to a journal, which is what acknowledges them, and applied to the store many at a time,
 * later; of a key that was written a hundred times meanwhile, only the last value.
 *
 *     journal.0   head | 5 | 6 | 7 | (1) (2)      an entry: head, records
 *     journal.1   head | 3 | 4 |                  the numbers rise; those in brackets are old
 *
 * There are two files of a fixed size, filled in turn: writing over what is there is faster than
 * making a file longer, as only bytes change. One is written again from its beginning when the
 * store has all its entries: the store remembers, in the same transaction, the number of the last
 * entry applied. After a crash the entries with higher numbers are applied again, up to the first
 * that is not whole, which nobody was told of.
 *
 * Where entries are not synced, the end of the process loses none, but that of the machine those
 * that the store has not yet; and of these any may be missing while later ones are there. So each
 * entry says which were on disk for good when it was written. If one of those is missing, the
 * journal is damaged; else what stands behind the hole is lost with it, and wiped, lest it follow
 * what is written next.
 *
 * Whether an entry is whole is told by a check that depends on the store's secret: so nobody can
 * choose values that look like entries, where old ones are written over in part. */
#define _GNU_SOURCE 1
#include "journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buffer.h"

enum { FILES = 2, SIZE = 32 << 20, MUCH = 32 << 20, ALIGN = 8, NONE = -1 };

/* Of a file: what it is, and of which store. */
struct title {
    char what[8];
    uint64_t store;
};
enum { START = sizeof(struct title) }; /* of the first entry */
_Static_assert(START % ALIGN == 0, "entries are aligned");

struct head {
    uint64_t number, len, safe, check; /* safe: with this entry all up to that number are on disk */
};

struct file {
    int fd;
    uint64_t last; /* number of the last entry in it */
};

static struct {
    pthread_mutex_t lock; /* all but the writing to files */
    pthread_mutex_t one;  /* who applies: one at a time */
    struct file files[FILES];
    int current;
    off_t at;               /* in the current file */
    uint64_t last, applied; /* numbers of entries */
    struct buffer pending;  /* records of entries that are not applied */
    size_t coming;       /* bytes of the entry that is being written: pending has room for them */
    struct buffer taken; /* what is being applied, or could not be; up to entry `upto`. Empty, its
                            memory is what is pending next */
    uint64_t upto;
    journal_apply_fn *apply;
    struct secret secret;
    bool syncs;          /* each entry */
    struct buffer entry; /* as it is written; of who appends: one at a time */
    pthread_mutex_t append;
} j = {.lock = PTHREAD_MUTEX_INITIALIZER,
       .one = PTHREAD_MUTEX_INITIALIZER,
       .append = PTHREAD_MUTEX_INITIALIZER,
       .files = {{-1, 0}, {-1, 0}}};

static uint64_t check_of(const struct head *h, const char *records)
{
    return hash_of(&j.secret, records, h->len) ^ (h->number * UINT64_C(0x9e3779b97f4a7c15) +
                                                  h->len + h->safe * UINT64_C(0xc2b2ae3d27d4eb4f));
}

static struct title title(void)
{
    struct title t = {.what = "bsk-kvj\2"};
    t.store = hash_of(&j.secret, t.what, sizeof t.what);
    return t;
}

static off_t aligned(size_t n)
{
    return (off_t)((n + ALIGN - 1) / ALIGN * ALIGN);
}

/* The disk has all that was written, too. */
static int write_zeros(int fd, off_t from, off_t to)
{
    static const char zeros[64 * 1024];
    for (off_t at = from, n; at < to; at += n) {
        n = to - at < (off_t)sizeof zeros ? to - at : (off_t)sizeof zeros;
        if (pwrite(fd, zeros, (size_t)n, at) != n) return errno ? errno : ENOSPC;
    }
    return fsync(fd) ? errno : 0;
}

static int fill(int fd)
{
    struct stat st;
    return fstat(fd, &st) ? errno : write_zeros(fd, st.st_size, SIZE);
}

static int wipe(int fd, off_t from)
{
    struct stat st;
    return fstat(fd, &st) ? errno : write_zeros(fd, from, st.st_size);
}

/* A file without a title, but with a place for one, is new: nothing is in it. */
static int entitle(int fd)
{
    static const struct title none;
    struct title t = none, ours = title();
    if (pread(fd, &t, sizeof t, 0) < 0) return errno;
    if (memcmp(&t, &ours, sizeof t) == 0) return fill(fd);
    if (memcmp(&t, &none, sizeof t) != 0) return JOURNAL_FOREIGN;
    int rc = fill(fd);
    if (rc) return rc;
    if (pwrite(fd, &ours, sizeof ours, 0) != (ssize_t)sizeof ours) return errno ? errno : EIO;
    return fsync(fd) ? errno : 0;
}

/* If entries are synced each write is on disk when it returns. */
static int open_file(const char *dir, int i)
{
    char name[4096];
    snprintf(name, sizeof name, "%s/journal.%d", dir, i);
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return errno;
    int rc = entitle(fd);
    close(fd);
    j.files[i].last = 0;
    j.files[i].fd = rc ? -1 : open(name, O_RDWR | (j.syncs ? O_DSYNC : 0) | O_CLOEXEC);
    return rc ? rc : j.files[i].fd < 0 ? errno : 0;
}

/* Reads the entry at *at and goes behind it. 0, NONE: there is no whole one, or of errno. */
static int read_entry(int fd, off_t *at, struct head *h, struct buffer *records)
{
    struct stat st;
    buffer_clear(records);
    ssize_t n = fstat(fd, &st) ? -1 : pread(fd, h, sizeof *h, *at);
    if (n < 0) return errno;
    if (n != (ssize_t)sizeof *h || !h->number || h->len > (uint64_t)st.st_size) return NONE;
    char *to = buffer_room(records, h->len + 1);
    if (!to) return ENOMEM;
    n = pread(fd, to, h->len, *at + (off_t)sizeof *h);
    if (n < 0) return errno;
    if (n != (ssize_t)h->len || h->check != check_of(h, to)) return NONE;
    *at += aligned(sizeof *h + h->len);
    return 0;
}

/* Room for records. Memory that nobody touches costs nothing, but to grow is to copy, where clients
 * wait. */
static bool room_in(struct buffer *b, size_t n)
{
    if (!b->cap && !buffer_room(b, MUCH)) b->failed = false;
    bool room = buffer_room(b, n);
    b->failed = false; /* nothing was added */
    return room;
}

/* Takes up an entry that follows number j.last; what is much is applied. */
static int take_up(const struct head *h, const struct buffer *records)
{
    if (!room_in(&j.pending, h->len + 1)) return ENOMEM;
    buffer_add(&j.pending, records->at, h->len);
    j.last = h->number;
    return j.pending.len > MUCH ? journal_apply() : 0;
}

/* Takes up the entries of a file that follow number j.last, and says where the last ends. */
static int replay_file(int fd, off_t *at)
{
    struct buffer records = {0};
    struct head h;
    uint64_t before = 0;
    int rc;
    *at = START;
    for (off_t next = *at; !(rc = read_entry(fd, &next, &h, &records)); *at = next) {
        if (before && h.number != before + 1) break;
        before = h.number;
        if (h.number == j.last + 1 && (rc = take_up(&h, &records))) break;
    }
    buffer_free(&records);
    return rc == NONE ? 0 : rc;
}

/* Tells whether a number can be that of an entry behind j.last, in files of this size. */
static bool may_follow(uint64_t number)
{
    return number > j.last && number - j.last <= FILES * SIZE / sizeof(struct head);
}

/* `most` bounds what values that only look like entries can cost. */
static int read_whole(int fd, off_t at, size_t *most, struct head *h, struct buffer *records)
{
    if (pread(fd, h, sizeof *h, at) != (ssize_t)sizeof *h || h->len > *most) return NONE;
    *most -= h->len;
    return read_entry(fd, &at, h, records);
}

/* Looks for whole entries behind j.last in what stands behind the end. *lost: there are, and none of
 * them says that what is missing was on disk. */
static int look_behind(int fd, off_t end, bool *lost)
{
    uint64_t words[4096];
    struct buffer records = {0};
    size_t most = (size_t)4 * SIZE;
    ssize_t n = 0;
    int rc = NONE;
    *lost = false;
    for (off_t at = end; rc == NONE && (n = pread(fd, words, sizeof words, at)) > 0; at += n)
        for (size_t i = 0; rc == NONE && i < (size_t)n / ALIGN; i++) {
            struct head h;
            if (!may_follow(words[i])) continue;
            rc = read_whole(fd, at + (off_t)(i * ALIGN), &most, &h, &records);
            if (rc) continue;
            rc = h.safe > j.last ? JOURNAL_DAMAGED : NONE;
            *lost = true;
        }
    buffer_free(&records);
    if (n < 0) return errno;
    return rc == NONE ? 0 : rc;
}

/* The first entry of a file; number 0: there is none. */
static int first_of(int fd, struct head *h)
{
    struct buffer records = {0};
    off_t at = START;
    int rc = read_entry(fd, &at, h, &records);
    buffer_free(&records);
    if (rc) h->number = 0;
    return rc == NONE ? 0 : rc;
}

/* What stands in a file that was not taken up, behind *end: it may be damage, or *lost. */
static int look_at_rest(int fd, off_t *end, bool *lost)
{
    struct head first;
    int rc = first_of(fd, &first);
    if (rc) return rc;
    if (first.number > j.last && first.safe > j.last) return JOURNAL_GAP;
    if (first.number > j.last) *end = START;
    return look_behind(fd, *end, lost);
}

/* Which of the two is older is seen by which one goes on: the first is tried again. A file that
 * does not go on then has what follows entries that are lost. */
static int replay(void)
{
    off_t ends[FILES];
    bool lost[FILES] = {false};
    int rc = 0;
    for (int i = 0; i < FILES + 1 && !rc; i++)
        rc = replay_file(j.files[i % FILES].fd, &ends[i % FILES]);
    for (int i = 0; i < FILES && !rc; i++) rc = look_at_rest(j.files[i].fd, &ends[i], &lost[i]);
    for (int i = 0; i < FILES && !rc; i++)
        if (lost[i]) rc = wipe(j.files[i].fd, ends[i]);
    return rc ? rc : journal_apply();
}

int journal_open(const char *dir, const struct secret *secret, bool syncs, uint64_t applied,
                 journal_apply_fn *apply)
{
    int rc = 0;
    j.apply = apply;
    j.syncs = syncs;
    j.secret = *secret;
    j.applied = j.last = applied;
    j.current = 0;
    j.at = START;
    for (int i = 0; i < FILES && !rc; i++) rc = open_file(dir, i);
    return rc ? rc : replay();
}

void journal_close(void)
{
    if (j.apply && journal_pending()) journal_apply();
    for (int i = 0; i < FILES; i++) {
        if (j.files[i].fd >= 0) close(j.files[i].fd);
        j.files[i].fd = -1;
    }
    buffer_free(&j.pending);
    buffer_free(&j.taken);
    buffer_free(&j.entry);
}

size_t journal_pending(void)
{
    pthread_mutex_lock(&j.lock);
    size_t n = j.pending.len + j.taken.len;
    pthread_mutex_unlock(&j.lock);
    return n;
}

void journal_rest(void)
{
    pthread_mutex_lock(&j.lock);
    if (!j.taken.len) buffer_free(&j.taken);
    if (!j.pending.len && !j.coming) buffer_free(&j.pending);
    pthread_mutex_unlock(&j.lock);
}

/* Takes what is pending, if nothing is taken. The entry under way finds its room again. */
static int take_locked(void)
{
    struct buffer fresh = j.taken;
    if (j.taken.len || !j.pending.len) return 0;
    if (j.coming && !room_in(&fresh, j.coming)) return ENOMEM;
    j.taken = j.pending;
    j.upto = j.last;
    j.pending = fresh;
    return 0;
}

static int take(void)
{
    pthread_mutex_lock(&j.lock);
    int rc = take_locked();
    pthread_mutex_unlock(&j.lock);
    return rc;
}

static int apply_taken(void)
{
    if (!j.taken.len) return 0;
    int rc = j.apply(j.taken.at, j.taken.len, j.upto);
    if (rc) return rc;
    pthread_mutex_lock(&j.lock);
    j.applied = j.upto;
    j.taken.len = 0;
    pthread_mutex_unlock(&j.lock);
    return 0;
}

int journal_apply(void)
{
    pthread_mutex_lock(&j.one);
    int rc = apply_taken(); /* what could not be applied the last time */
    if (!rc) rc = take();
    if (!rc) rc = apply_taken();
    pthread_mutex_unlock(&j.one);
    return rc;
}

static bool fits(size_t len)
{
    return j.at == START || j.at + aligned(sizeof(struct head) + len) <= SIZE;
}

bool journal_takes(size_t len)
{
    pthread_mutex_lock(&j.append);
    bool takes = fits(len);
    pthread_mutex_unlock(&j.append);
    return takes;
}

/* The next entry goes into the other file, as soon as the store has what is there. */
static int turn(void)
{
    int other = (j.current + 1) % FILES, rc = 0;
    pthread_mutex_lock(&j.lock);
    bool wait = j.files[other].last > j.applied;
    pthread_mutex_unlock(&j.lock);
    if (wait) rc = journal_apply();
    if (rc) return rc;
    j.current = other;
    j.at = START;
    return 0;
}

/* The number up to which all is on disk when the entry of this number is. */
static uint64_t safe_with(uint64_t number)
{
    if (j.syncs) return number;
    pthread_mutex_lock(&j.lock);
    uint64_t applied = j.applied;
    pthread_mutex_unlock(&j.lock);
    return applied;
}

static int write_entry(uint64_t number, const char *writes, size_t len)
{
    struct head h = {.number = number, .len = len, .safe = safe_with(number)};
    h.check = check_of(&h, writes);
    buffer_clear(&j.entry);
    buffer_add(&j.entry, &h, sizeof h);
    buffer_add(&j.entry, writes, len);
    if (j.entry.failed) return ENOMEM;
    ssize_t n = pwrite(j.files[j.current].fd, j.entry.at, j.entry.len, j.at);
    if (n != (ssize_t)j.entry.len) return n < 0 ? errno : ENOSPC;
    return 0;
}

/* Keeps room for an entry before it is on disk, for then there is no way back. */
static int expect(size_t len)
{
    pthread_mutex_lock(&j.lock);
    int rc = room_in(&j.pending, len + 1) ? 0 : ENOMEM;
    j.coming = rc ? 0 : len + 1;
    pthread_mutex_unlock(&j.lock);
    return rc;
}

static void arrive(uint64_t number, const char *writes, size_t len)
{
    pthread_mutex_lock(&j.lock);
    j.last = j.files[j.current].last = number;
    buffer_add(&j.pending, writes, len);
    assert(!j.pending.failed);
    pthread_mutex_unlock(&j.lock);
}

static int append(const char *writes, size_t len)
{
    off_t size = aligned(sizeof(struct head) + len);
    int rc = fits(len) ? 0 : turn();
    uint64_t number = j.last + 1;
    if (!rc) rc = expect(len);
    if (!rc) rc = write_entry(number, writes, len);
    if (!rc) j.at += size;
    if (!rc) arrive(number, writes, len);
    pthread_mutex_lock(&j.lock);
    j.coming = 0;
    pthread_mutex_unlock(&j.lock);
    return rc;
}

int journal_append(const char *writes, size_t len)
{
    pthread_mutex_lock(&j.append);
    int rc = append(writes, len);
    pthread_mutex_unlock(&j.append);
    return rc;
}
