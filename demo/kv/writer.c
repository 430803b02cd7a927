/* SPDX-License-Identifier: MIT */
/* writer.c - the only one who writes to the store.
 *
 * What comes gathers in a group; a thread of the blocking pool commits one group after the other
 * and tells who asked for what is in them (see group.h). The writer hears of it only when there is
 * something to decide.
 *
 * Where nothing is synced, the writer commits itself.
 *
 * A group is written to the journal. From there it is moved to the store when much has come, or
 * some time has passed, or a shard that starts wants to read it.
 *
 * When the journal takes no more nobody's memory may be ahead of it: all shards go back to what the
 * store has, by attaching anew. What they wrote before bears an old epoch and is refused. Writes
 * are refused by the connections until a probe says that there is room again. When only the store
 * takes no more, what was acknowledged stays in the journal: writes are refused, nobody goes back.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "group.h"
#include "journal.h"
#include "store.h"
#include "trouble.h"

enum { TRANSFER_MS = 1000, TRANSFER_BYTES = 16 << 20 };
enum { PROBE_MS = 250, LATE_MS = 30000, STOP_MS = 5000 };

BSK_MSG(commit_here);
BSK_MSG(probe_now);
BSK_MSG(transfer_now);

struct writer_state {
    bsk_blob *blob; /* of the line */
    struct line *line;
    struct group *hand;               /* taken out of the line */
    uint64_t epochs[SHARDS_MAX];      /* 0: the shard has to attach */
    struct buffer attaching, reading; /* of struct asker: shards that wait for a transfer to begin,
                                         and to end */
    bool settling, broken, transferring, running; /* running: somebody commits */
    bool due, stuck;                              /* stuck: the store takes no more */
    bool added, unmoved; /* added: since the last transfer_now; unmoved: there may be something */
    bool waking, armed;  /* a transfer_now is to come; a commit_here is */
};

static _Atomic uint64_t last_epoch;

static void drop(void *arg)
{
    struct writer_state *w = arg;
    if (w->hand) line_put(w->line, w->hand, 0);
    line_close(w->line);
    bsk_blob_drop(w->blob);
    buffer_free(&w->attaching);
    buffer_free(&w->reading);
}

static void writer_init(bsk_self *self)
{
    struct writer_state *w = bsk_state(self);
    w->blob = line_new(&w->line);
    if (!w->blob || bsk_defer(self, drop, w)) bsk_fail(self, "out of memory");
    atomic_store(&kv.read_only, false);
    w->settling = w->unmoved = true;
    if (bsk_work(self, LATE_MS, group_settle, settle)) bsk_fail(self, "no work can be done");
    say_born(self);
}

static void move(bsk_self *self, struct writer_state *w)
{
    bool due = (w->due && journal_pending()) || journal_pending() >= TRANSFER_BYTES;
    if (w->transferring || w->stuck || w->settling || !(due || w->attaching.len)) return;
    w->due = false;
    struct buffer none = w->reading;
    w->reading = w->attaching;
    w->attaching = none;
    w->attaching.len = 0;
    w->transferring = true;
    if (w->reading.failed || bsk_work(self, BSK_FOREVER, group_transfer, transfer))
        bsk_fail(self, "no work can be done");
}

/* All that the shards' predecessors wrote is where they read it. */
static void let_read(struct writer_state *w)
{
    for (size_t at = 0; at < w->reading.len; at += sizeof(struct asker)) {
        struct asker a;
        memcpy(&a, w->reading.at + at, sizeof a);
        w->epochs[a.shard] = atomic_fetch_add(&last_epoch, 1) + 1;
        bsk_answer(a.who, attach, .epoch = w->epochs[a.shard]);
    }
    w->reading.len = 0;
}

static void on_transferred(struct writer_state *w, int rc)
{
    w->transferring = false;
    if (rc && !w->stuck) {
        fprintf(stderr, "buskin-kv: store: %s\n", store_error(rc));
        count_up(&kv.count.failures, 1);
    }
    w->stuck = rc;
    atomic_store(&kv.read_only, w->stuck || w->broken);
    if (!rc) {
        let_read(w);
        return;
    }
    buffer_add(&w->attaching, w->reading.at, w->reading.len);
    w->reading.len = 0;
    w->unmoved = true;
}

/* What has come is moved within a second, also if it is little; or it is tried again. */
static void on_transfer_now(struct writer_state *w)
{
    w->stuck = w->waking = false;
    w->due = true;
    w->unmoved = w->added || w->attaching.len || journal_pending();
    w->added = false;
    if (!w->unmoved) journal_rest();
}

/* Who has nothing to move is not woken. What was added just now may not be in the journal yet: so
 * there is one look more than there are additions. */
static void wake_later(bsk_self *self, struct writer_state *w)
{
    if (w->waking || w->transferring || !w->unmoved) return;
    int64_t ms = w->stuck ? PROBE_MS : TRANSFER_MS;
    if (!bsk_after(self, ms, transfer_now).gen) bsk_fail(self, "out of memory");
    w->waking = true;
}

/* Who does not hear of it would go on with what is not written: then all start again. */
static void send_back(bsk_self *self, struct writer_state *w, unsigned shard, enum outcome outcome)
{
    char name[SHARD_NAME];
    bsk_addr who = bsk_whereis(bsk_rt_of(self), shard_name(shard, name));
    w->epochs[shard] = 0;
    int rc = bsk_try(who, go_back, .outcome = outcome);
    if (rc && rc != BSK_EDEAD) bsk_fail(self, "%s: %s", name, bsk_strerror(rc));
}

static void send_all_back(bsk_self *self, struct writer_state *w)
{
    for (unsigned i = 0; i < kv.options.shards; i++)
        if (w->epochs[i]) send_back(self, w, i, REFUSED);
}

static void on_failure(bsk_self *self, struct writer_state *w, int rc)
{
    if (!w->broken) fprintf(stderr, "buskin-kv: store: %s\n", store_error(rc));
    atomic_store(&kv.read_only, true);
    count_up(&kv.count.failures, 1);
    w->broken = true;
    send_all_back(self, w);
    if (!bsk_after(self, PROBE_MS, probe_now).gen) bsk_fail(self, "out of memory");
}

/* A shard that attaches is answered whatever became of the group: what was before it is over. */
static void see_to(struct writer_state *w, struct group *g, enum outcome outcome)
{
    group_answer_all(g, outcome);
    for (size_t i = 0; g->attaches && i < group_len(g); i++)
        if (group_asker(g, i)->kind == ASKED_ATTACH)
            buffer_add(&w->attaching, group_asker(g, i), sizeof(struct asker));
    line_recycle(w->line, g);
}

static void start(bsk_self *self, struct writer_state *w)
{
    line_start(w->line);
    w->running = true;
    if (bsk_work(self, BSK_FOREVER, group_flush, flush, .line = w->blob))
        bsk_fail(self, "no work can be done");
}

/* When all that waits on this loop has run: so what comes together is written together. */
static void commit_here_soon(bsk_self *self, struct writer_state *w)
{
    if (w->armed) return;
    if (!bsk_after(self, 0, commit_here).gen) bsk_fail(self, "out of memory");
    w->armed = true;
}

/* What has gathered while nobody commits. */
static void see_to_all(bsk_self *self, struct writer_state *w, enum outcome outcome)
{
    struct group *g = line_open(w->line);
    if (!g) bsk_fail(self, "out of memory");
    line_skip(w->line, g);
    see_to(w, g, outcome);
}

/* While the disk takes nothing there is nothing to be written, see add. */
static void go_on(bsk_self *self, struct writer_state *w)
{
    if (w->running || w->settling || line_is_empty(w->line)) return;
    if (w->broken)
        see_to_all(self, w, DONE);
    else if (kv.options.durability == DURABLE_EVERYSEC)
        commit_here_soon(self, w);
    else
        start(self, w);
}

/* Who committed has come back. */
static void on_flushed(bsk_self *self, struct writer_state *w, int rc)
{
    struct group *g = line_left(w->line);
    w->running = false;
    if (rc == ENOMEM) bsk_fail(self, "out of memory");
    if (rc) {
        on_failure(self, w, rc);
        see_to_all(self, w, REFUSED);
    } else if (g && w->broken) {
        w->broken = false;
        atomic_store(&kv.read_only, w->stuck);
    }
    if (g) see_to(w, g, rc ? REFUSED : DONE);
}

/* To wake a thread costs more than to give the system what it takes at once. */
static void on_commit_here(bsk_self *self, struct writer_state *w)
{
    int rc;
    w->armed = false;
    if (w->running || w->settling || w->broken) return;
    if (line_commit_here(w->line, &rc))
        on_flushed(self, w, rc);
    else
        start(self, w);
}

/* Into the group that is in hand, which goes back to the line. */
static void add(struct writer_state *w, struct asker a, bsk_bytes writes, bsk_bytes sizes)
{
    struct group *g = w->hand;
    /* While the disk takes nothing only keys that have expired come here, which can wait. */
    if (!w->broken) {
        buffer_add(&g->writes, writes.ptr, writes.len);
        buffer_add(&g->sizes, sizes.ptr, sizes.len);
    }
    buffer_add(&g->askers, &a, sizeof a);
    g->attaches |= a.kind == ASKED_ATTACH;
    uint64_t n = sizes.len ? sizes.len / sizeof(uint64_t) : 1;
    g->count += n;
    w->hand = NULL;
    w->added = w->unmoved = true;
    line_put(w->line, g, n);
}

static void take_in_hand(bsk_self *self, struct writer_state *w)
{
    w->hand = line_open(w->line);
    if (!w->hand) bsk_fail(self, "out of memory");
}

/* Tells whether the shard may write. */
static bool admit(const struct writer_state *w, bsk_bytes marks)
{
    struct mark m;
    const char *at = marks.ptr;
    for (size_t i = 0; i < marks.len / sizeof m; i++) {
        memcpy(&m, at + i * sizeof m, sizeof m);
        if (m.shard >= SHARDS_MAX || !m.epoch || w->epochs[m.shard] != m.epoch) return false;
    }
    return true;
}

/* Remembers up to where the shards will be on disk. */
static void note_marks(struct group *g, bsk_bytes marks)
{
    struct mark m;
    const char *at = marks.ptr;
    for (size_t i = 0; i < marks.len / sizeof m; i++) {
        memcpy(&m, at + i * sizeof m, sizeof m);
        g->versions[m.shard] = m.version;
    }
}

/* What is of an old epoch is of a shard that has ended or goes back. */
static enum outcome why_refused(const struct writer_state *w)
{
    return w->broken ? REFUSED : LOST;
}

/* One of the shards has ended since it ran its part, so nothing is written; the others are released
 * already, with what they ran in memory. */
static void refuse_seal(bsk_self *self, struct writer_state *w, const seal *q)
{
    struct mark m;
    const char *at = q->marks.ptr;
    for (size_t i = 0; i < q->marks.len / sizeof m; i++) {
        memcpy(&m, at + i * sizeof m, sizeof m);
        if (m.shard < SHARDS_MAX && m.epoch && w->epochs[m.shard] == m.epoch)
            send_back(self, w, (unsigned)m.shard, AWAY);
    }
    bsk_reply(q, seal, .outcome = why_refused(w));
}

static void on_commit(bsk_self *self, struct writer_state *w, const commit *c)
{
    struct mark m;
    memcpy(&m, c->mark.ptr, sizeof m);
    struct asker a = {.kind = ASKED_COMMIT, .version = m.version};
    if (!admit(w, c->mark)) {
        bsk_reply(c, commit, .outcome = why_refused(w), .version = m.version);
        return;
    }
    a.who = bsk_later(c, commit);
    if (!a.who.node) bsk_fail(self, "out of memory");
    take_in_hand(self, w);
    note_marks(w->hand, c->mark);
    add(w, a, c->writes, c->sizes);
}

static void on_seal(bsk_self *self, struct writer_state *w, const seal *q)
{
    struct asker a = {.kind = ASKED_SEAL};
    uint64_t size = q->writes.len;
    if (!admit(w, q->marks)) {
        refuse_seal(self, w, q);
        return;
    }
    a.who = bsk_later(q, seal);
    if (!a.who.node) bsk_fail(self, "out of memory");
    take_in_hand(self, w);
    note_marks(w->hand, q->marks);
    add(w, a, q->writes, (bsk_bytes){&size, size ? sizeof size : 0});
}

static void on_attach(bsk_self *self, struct writer_state *w, const attach *q)
{
    struct asker a = {.kind = ASKED_ATTACH, .shard = (unsigned)q->shard};
    w->epochs[a.shard] = 0;
    a.who = bsk_later(q, attach);
    if (!a.who.node) bsk_fail(self, "out of memory");
    take_in_hand(self, w);
    add(w, a, (bsk_bytes){NULL, 0}, (bsk_bytes){NULL, 0});
}

/* Asks whether there is room again, by a group of nothing. */
static void on_probe(bsk_self *self, struct writer_state *w)
{
    if (!w->broken || w->running) return;
    line_probe(w->line);
    start(self, w);
}

/* Who is asked to stop writes what it has. */
static void on_stopping(bsk_self *self, struct writer_state *w)
{
    line_close(w->line);
    if (w->running || w->settling || w->transferring || !line_is_empty(w->line)) {
        if (!bsk_after(self, 1, bsk_stopping).gen) bsk_fail(self, "out of memory");
        return;
    }
    bsk_exit_as(self, BSK_SHUTDOWN, "all is written");
}

static void writer(bsk_self *self, bsk_msg *m)
{
    struct writer_state *w = bsk_state(self);
    bsk_match(m) {
        bsk_on(commit, c) on_commit(self, w, c);
        bsk_on_reply(flush, r) on_flushed(self, w, (int)r->rc);
        bsk_on(seal, q) on_seal(self, w, q);
        bsk_on(attach, q) on_attach(self, w, q);
        bsk_on_reply(settle, r) w->settling = r->rc != 0;
        bsk_on_no_reply(settle, rc) bsk_fail(self, "former writes: %s", bsk_strerror(rc));
        bsk_on_no_reply(flush, rc) bsk_fail(self, "write: %s", bsk_strerror(rc));
        bsk_on_reply(transfer, r) on_transferred(w, (int)r->rc);
        bsk_on_no_reply(transfer, rc) bsk_fail(self, "transfer: %s", bsk_strerror(rc));
        bsk_on(transfer_now, t) on_transfer_now(w);
        bsk_on(commit_here, c) on_commit_here(self, w);
        bsk_on(probe_now, p) on_probe(self, w);
        bsk_on(bsk_stopping, s) on_stopping(self, w);
        bsk_on(trouble, t) trouble_make(self, t->kind);
    }
    go_on(self, w);
    move(self, w);
    wake_later(self, w);
}

bsk_child_spec writer_spec(void)
{
    static const struct writer_state fresh;
    return (bsk_child_spec)bsk_child(
        writer, .name = "writer", .init = writer_init, .mailbox = BSK_MAILBOX_MAX,
        .trap_stop = true, .shutdown_ms = STOP_MS, .state = &fresh, .state_size = sizeof fresh);
}
