/* SPDX-License-Identifier: MIT */
/* group.c - what is written in one transaction. */
#define _GNU_SOURCE 1
#include "group.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#include "journal.h"
#include "store.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t fewer = PTHREAD_COND_INITIALIZER;
static unsigned under_way;

static void count_under_way(int by)
{
    pthread_mutex_lock(&lock);
    under_way += (unsigned)by;
    pthread_cond_broadcast(&fewer);
    pthread_mutex_unlock(&lock);
}

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static void group_free(struct group *g)
{
    if (!g) return;
    buffer_free(&g->writes);
    buffer_free(&g->sizes);
    buffer_free(&g->askers);
    free(g);
}

size_t group_len(const struct group *g)
{
    return g->askers.len / sizeof(struct asker);
}

const struct asker *group_asker(const struct group *g, size_t i)
{
    const void *first = g->askers.at;
    return (const struct asker *)first + i;
}

static void answer(const struct asker *a, enum outcome outcome)
{
    if (a->kind == ASKED_COMMIT)
        bsk_answer(a->who, commit, .outcome = outcome, .version = a->version);
    else
        bsk_answer(a->who, seal, .outcome = outcome);
}

void group_answer_all(const struct group *g, enum outcome outcome)
{
    for (unsigned i = 0; outcome == DONE && i < kv.options.shards; i++)
        if (g->versions[i])
            atomic_store_explicit(&kv.shards[i].durable, g->versions[i], memory_order_release);
    for (size_t i = 0; i < group_len(g); i++)
        if (group_asker(g, i)->kind != ASKED_ATTACH) answer(group_asker(g, i), outcome);
}

/* Of who commits: it waits for more. Relaxed, as all on it: who misses that is in the next group. */
static _Atomic bool gathers;

enum { SLICE_LEAST_US = 10, SLICE_MOST_US = 100, SLICES = 4, FEW = 4, MANY = 40 };

/* Each exchange that takes a group pairs with the store or exchange that put it there, and so sees all
 * that is in it. They are seq_cst for line_put's sake. */
struct line {
    _Atomic(struct group *) open;  /* NULL: there is none, or somebody has it in hand */
    _Atomic(struct group *) spare; /* empty */
    struct group *left;
    _Atomic uint64_t added; /* to all groups of the line */
    uint64_t taken;         /* of these, by who commits */
    _Atomic bool sleeps;    /* who commits does, or is about to */
    sem_t more;
    _Atomic bool closing;
    bool probing, counted; /* counted: as under way, until it is freed */
    int64_t sync_us;       /* what a commit takes, on average */
    uint64_t before;       /* what the last one had */
};

static void line_free(void *data, void *arg)
{
    struct line *l = data;
    (void)arg;
    if (l->counted) count_under_way(-1);
    group_free(l->open);
    group_free(l->spare);
    group_free(l->left);
    sem_destroy(&l->more);
    free(l);
}

bsk_blob *line_new(struct line **out)
{
    struct line *l = calloc(1, sizeof *l);
    if (!l) return NULL;
    sem_init(&l->more, 0, 0);
    bsk_blob *blob = bsk_blob_take(l, sizeof *l, line_free, NULL);
    if (!blob) line_free(l, NULL);
    *out = l;
    return blob;
}

void line_start(struct line *l)
{
    if (!l->counted) count_under_way(1);
    l->counted = true;
}

void line_close(struct line *l)
{
    atomic_store(&l->closing, true);
    sem_post(&l->more);
}

struct group *line_open(struct line *l)
{
    struct group *g = atomic_exchange(&l->open, NULL);
    if (!g) g = atomic_exchange(&l->spare, NULL);
    return g ? g : calloc(1, sizeof *g);
}

/* Seq_cst, as in sleep_until_more: either this sees who sleeps, or who is about to sees that there
 * is more. */
void line_put(struct line *l, struct group *g, uint64_t added)
{
    atomic_store(&l->open, g);
    if (!added) return;
    atomic_fetch_add(&l->added, added);
    if (atomic_load(&l->sleeps) && atomic_exchange(&l->sleeps, false)) sem_post(&l->more);
}

struct group *line_left(struct line *l)
{
    struct group *g = l->left;
    l->left = NULL;
    return g;
}

bool line_is_empty(struct line *l)
{
    return atomic_load(&l->added) == l->taken;
}

void line_probe(struct line *l)
{
    l->probing = true;
}

void line_skip(struct line *l, const struct group *g)
{
    l->taken += g->count;
}

/* What a large group needed is given back. */
void line_recycle(struct line *l, struct group *g)
{
    buffer_clear(&g->writes);
    buffer_clear(&g->sizes);
    buffer_clear(&g->askers);
    memset(g->versions, 0, sizeof g->versions);
    g->count = 0;
    g->attaches = false;
    group_free(atomic_exchange(&l->spare, g));
}

/* Until more was added than what was seen, or the line is closed. A post may be for what was seen
 * already: whoever adds next has to find that this sleeps again. */
static void sleep_until_more(struct line *l, uint64_t seen)
{
    for (;;) {
        atomic_store(&l->sleeps, true);
        if (atomic_load(&l->added) != seen || atomic_load(&l->closing)) break;
        sem_wait(&l->more);
    }
    atomic_store(&l->sleeps, false);
}

bool line_gathers(void)
{
    return atomic_load_explicit(&gathers, memory_order_relaxed);
}

static void nap(int64_t us)
{
    struct timespec t = {.tv_nsec = us * 1000};
    nanosleep(&t, NULL);
}

/* Others are about to write, too: to wait for them costs less than the sync that they would need of
 * their own. It is waited while more than one comes in half the time of a sync, and not at all where
 * they were few before, or are many already, or where nothing is synced. */
static void gather(struct line *l)
{
    int64_t slice = l->sync_us / 2;
    uint64_t seen = 0, n = atomic_load(&l->added);
    if (l->before < FEW || slice < SLICE_LEAST_US) return;
    if (slice > SLICE_MOST_US) slice = SLICE_MOST_US;
    atomic_store_explicit(&gathers, true, memory_order_relaxed);
    for (int i = 0; i < SLICES && n > seen + 1 && n - l->taken < MANY; i++) {
        seen = n;
        nap(slice);
        n = atomic_load(&l->added);
    }
    atomic_store_explicit(&gathers, false, memory_order_relaxed);
}

/* Waits for a group. NULL: the line is closed, and nothing is left. */
static struct group *take(struct line *l)
{
    for (;;) {
        uint64_t seen = atomic_load(&l->added);
        struct group *g = NULL;
        if (seen != l->taken) {
            gather(l);
            seen = atomic_load(&l->added);
            g = atomic_exchange(&l->open, NULL);
        }
        if (g) return g;
        if (l->probing) return line_open(l);
        if (atomic_load(&l->closing)) return NULL;
        sleep_until_more(l, seen);
    }
}

/* An entry for each batch. What was done stays done when a later one fails: those before hear of a
 * failure too, which they must expect to be none. */
static int apply_each(const struct group *g)
{
    size_t from = 0;
    int rc = 0;
    for (size_t at = 0; at < g->sizes.len && !rc; at += sizeof(uint64_t)) {
        uint64_t size;
        memcpy(&size, g->sizes.at + at, sizeof size);
        rc = journal_append(g->writes.at + from, size);
        from += size;
    }
    assert(rc || from == g->writes.len);
    return rc;
}

static int apply(const struct group *g)
{
    if (!g->writes.len) return journal_append(NULL, 0);
    if (kv.options.durability == DURABLE_EACH) return apply_each(g);
    return journal_append(g->writes.at, g->writes.len);
}

static void note(struct line *l, const struct group *g, int64_t us)
{
    l->sync_us += (us - l->sync_us) / 8;
    count_up(&kv.count.commits, 1);
    count_up(&kv.count.committed, g->sizes.len / sizeof(uint64_t));
    count_up(&kv.count.commit_us, (uint64_t)us);
}

/* A group without writes only waited for the one before it. */
static int commit_one(struct line *l, struct group *g)
{
    int64_t start = now_us();
    l->taken += g->count;
    l->before = g->count;
    if (g->writes.failed || g->sizes.failed || g->askers.failed) return ENOMEM;
    bool writes = g->writes.len || l->probing;
    int rc = writes ? apply(g) : 0;
    l->probing = false;
    if (writes && rc == 0) note(l, g, now_us() - start);
    return rc;
}

static bool commit_what_fits(struct line *l, int *rc)
{
    struct group *g = atomic_exchange(&l->open, NULL);
    *rc = 0;
    if (!g) return true;
    bool fits = journal_takes(g->writes.len);
    if (fits)
        *rc = commit_one(l, l->left = g);
    else
        line_put(l, g, 0);
    return fits;
}

/* No fault in here is contained, and no hang: the journal has locks that nobody would give back. */
bool line_commit_here(struct line *l, int *rc)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool here = commit_what_fits(l, rc);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return here;
}

/* Until the writer has to see to something, or all is written; one, where the writer would commit the
 * next. */
static int commit_all(struct line *l)
{
    struct group *g;
    while ((g = take(l))) {
        bool told = l->probing || g->attaches || kv.options.durability == DURABLE_EVERYSEC;
        int rc = commit_one(l, g);
        if (rc || told) {
            l->left = g;
            return rc;
        }
        group_answer_all(g, DONE);
        line_recycle(l, g);
    }
    return 0;
}

void group_flush(bsk_msg *m)
{
    bsk_match(m)
        bsk_on(flush, q) {
            void *l = (void *)(uintptr_t)bsk_blob_bytes(q->line).ptr;
            prctl(PR_SET_TIMERSLACK, 1000UL); /* ns: naps are short */
            int rc = commit_all(l);
            bsk_reply(q, flush, .rc = rc);
        }
}

void group_transfer(bsk_msg *m)
{
    bsk_match(m)
        bsk_on(transfer, q) {
            count_under_way(1);
            int rc = journal_apply();
            count_under_way(-1);
            bsk_reply(q, transfer, .rc = rc);
        }
}

void group_settle(bsk_msg *m)
{
    bsk_match(m)
        bsk_on(settle, q) {
            pthread_mutex_lock(&lock);
            while (under_way && !bsk_abandoned(q)) pthread_cond_wait(&fewer, &lock);
            pthread_mutex_unlock(&lock);
            bsk_reply(q, settle);
        }
}

void group_load(bsk_msg *m)
{
    bsk_match(m)
        bsk_on(load, q) {
            struct buffer out = {0};
            struct arg after = {q->after.ptr, (uint32_t)q->after.len};
            bool more = false;
            int rc = store_load((unsigned)q->from, (unsigned)q->to, after, &out, &more);
            bsk_reply(q, load, .rc = rc, .more = more, .records = {out.at, out.len});
            buffer_free(&out);
        }
}
