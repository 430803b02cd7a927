/* SPDX-License-Identifier: MIT */
/* group.c - what is written in one transaction. */
#define _GNU_SOURCE 1
#include "group.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
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

/* ---- groups */

static void group_free(struct group *g)
{
    if (!g) return;
    buffer_free(&g->writes);
    buffer_free(&g->replies);
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

void group_answer(const struct group *g, const struct asker *a, enum outcome outcome)
{
    bsk_bytes replies = {NULL, 0};
    if (outcome == DONE && a->len) replies = (bsk_bytes){g->replies.at + a->replies, a->len};
    if (a->kind == ASKED_BATCH)
        bsk_answer(a->who, batch, .outcome = outcome, .target = a->shard, .replies = replies);
    else
        bsk_answer(a->who, seal, .outcome = outcome);
}

void group_answer_all(const struct group *g, enum outcome outcome)
{
    for (unsigned i = 0; outcome == DONE && i < kv.options.shards; i++)
        if (g->versions[i])
            atomic_store_explicit(&kv.shards[i].durable, g->versions[i], memory_order_release);
    for (size_t i = 0; i < group_len(g); i++)
        if (group_asker(g, i)->kind != ASKED_ATTACH) group_answer(g, group_asker(g, i), outcome);
}

/* ---- the line */

enum { SLICE_LEAST_US = 10, SLICE_MOST_US = 1000, SLICES = 2, PACE_MOST_NS = 1000000, MANY = 32 };

struct line {
    _Atomic(struct group *) open;  /* NULL: there is none, or somebody has it in hand */
    _Atomic(struct group *) spare; /* empty */
    struct group *left;
    _Atomic uint64_t added; /* to all groups of the line */
    uint64_t taken;         /* of these, by who commits */
    _Atomic uint64_t want;  /* who commits sleeps until so many were added; 0: it does not */
    sem_t more;
    _Atomic bool closing;
    bool probing, counted; /* counted: as under way, until it is freed */
    int64_t sync_us;       /* what a commit takes, on average, */
    int64_t pace_ns;       /* and the time from one that is added to the next */
    int64_t since_us;
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

/* Seq_cst, as in sleep_until: either this sees that it is wanted, or who commits sees it. */
void line_put(struct line *l, struct group *g, bool added)
{
    atomic_store(&l->open, g);
    if (!added) return;
    uint64_t n = atomic_fetch_add(&l->added, 1) + 1, want = atomic_load(&l->want);
    if (want && n >= want && atomic_compare_exchange_strong(&l->want, &want, 0)) sem_post(&l->more);
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
    buffer_clear(&g->replies);
    buffer_clear(&g->askers);
    memset(g->versions, 0, sizeof g->versions);
    g->count = 0;
    g->attaches = false;
    group_free(atomic_exchange(&l->spare, g));
}

/* Until so many were added, the line is closed, or the time is over; us < 0: as long as it takes. */
static void sleep_until(struct line *l, uint64_t want, int64_t us)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_nsec += us * 1000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    atomic_store(&l->want, want);
    while (atomic_load(&l->added) < want && !atomic_load(&l->closing))
        if ((us < 0 ? sem_wait(&l->more) : sem_timedwait(&l->more, &t)) && errno == ETIMEDOUT)
            break;
    atomic_store(&l->want, 0);
}

/* Others are about to write, too: to wait for them costs less than the sync that they would need of
 * their own. It is waited for no longer than a sync takes, and only while more comes; not when many
 * share the sync already, and a client that is alone comes too seldom to be waited for. */
static void gather(struct line *l)
{
    int64_t slice = l->sync_us / 2;
    if (slice < SLICE_LEAST_US) slice = SLICE_LEAST_US;
    if (slice > SLICE_MOST_US) slice = SLICE_MOST_US;
    uint64_t before = 0, n = atomic_load(&l->added);
    if (l->pace_ns * 2 > slice * 1000) return;
    for (int i = 0; i < SLICES && n != before && n - l->taken < MANY; i++) {
        before = n;
        sleep_until(l, UINT64_MAX, slice);
        n = atomic_load(&l->added);
    }
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
        sleep_until(l, seen + 1, -1);
    }
}

/* An entry for each who asked. What was done stays done when a later one fails: those before
 * hear of a failure too, which they must expect to be none. */
static int apply_each(const struct group *g)
{
    size_t from = 0;
    int rc = 0;
    for (size_t i = 0; i < group_len(g) && !rc; i++) {
        size_t end = group_asker(g, i)->writes;
        if (end > from) rc = journal_append(g->writes.at + from, end - from);
        from = end;
    }
    return !rc && g->writes.len > from ? journal_append(g->writes.at + from, g->writes.len - from)
                                       : rc;
}

static int apply(const struct group *g)
{
    if (!g->writes.len) return journal_append(NULL, 0);
    if (kv.options.durability == DURABLE_EACH) return apply_each(g);
    return journal_append(g->writes.at, g->writes.len);
}

static void note(struct line *l, const struct group *g, int64_t us)
{
    int64_t now = now_us(), pace = (now - l->since_us) * 1000 / (int64_t)(g->count ? g->count : 1);
    if (pace > PACE_MOST_NS) pace = PACE_MOST_NS;
    l->since_us = now;
    l->sync_us += (us - l->sync_us) / 8;
    l->pace_ns += (pace - l->pace_ns) / 8;
    count_up(&kv.count.commits, 1);
    count_up(&kv.count.committed, group_len(g));
    count_up(&kv.count.commit_us, (uint64_t)us);
}

/* A group without writes only waited for the one before it. */
static int commit_one(struct line *l, struct group *g)
{
    int64_t start = now_us();
    l->taken += g->count;
    if (g->writes.failed || g->replies.failed || g->askers.failed) return ENOMEM;
    int rc = g->writes.len || l->probing ? apply(g) : 0;
    l->probing = false;
    if (rc == 0) note(l, g, now_us() - start);
    return rc;
}

/* Until the writer has to see to something, or all is written. */
static int commit_all(struct line *l)
{
    struct group *g;
    while ((g = take(l))) {
        bool told = l->probing || g->attaches;
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
