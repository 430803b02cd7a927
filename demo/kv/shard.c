/* SPDX-License-Identifier: MIT */
/* shard.c - a part of the keys, in memory.
 *
 * A shard that starts, for the first time or again, attaches to the writer, reads its keys from the
 * store, and only then executes what was asked of it: requests wait meanwhile. They wait as well
 * while somebody holds the shard (see hold.c). */
#define _DEFAULT_SOURCE 1
#include <stdlib.h>
#include <time.h>

#include "group.h"
#include "order.h"
#include "store.h"
#include "trouble.h"
#include "writes.h"

enum { ATTACH_MS = 60000, LOAD_MS = 60000, SWEEP_MS = 100, SWEEP_BUCKETS = 2048 };
enum { AHEAD = 32 };            /* orders whose keys are fetched at once */
enum { COMMIT_MUCH = 1 << 20 }; /* bytes that do not wait for the commit before */

BSK_MSG(sweep_now);
BSK_MSG(attach_again);
BSK_MSG(commit_now);

/* A request that waits until the shard is free. */
struct waiting {
    struct waiting *next;
    bsk_pending asker;
    bool is_hold;
    bsk_addr holder;
    size_t len, watches; /* bytes that follow: orders, then watches */
    char bytes[];
};

/* Who holds the shard; id 0: nobody. */
struct holding {
    uint64_t id;
    bsk_addr holder;
    bsk_monitor monitor;
    bool ran; /* memory is ahead of what the writer knows, until it is released */
};

/* A batch that is executed and waits for the disk; in `due`, where the replies follow. */
struct due {
    bsk_pending asker;
    uint64_t version; /* which has to be on disk */
    size_t len;
};

struct shard_state {
    unsigned index;
    bool ready, sweeps; /* sweeps: a sweep_now is to come */
    struct keyspace keys;
    struct buffer out, argv, loaded; /* loaded: the last key that was, as it is stored */
    struct buffer writes, sizes;     /* for the next commit; sizes: of each batch, uint64_t */
    size_t sized;                    /* bytes of the writes that `sizes` tells of */
    struct buffer due;
    size_t answered;  /* bytes of `due` */
    unsigned commits; /* under way */
    uint64_t sent;    /* the version that the last of them has */
    bool armed;       /* commit_now will come */
    uint64_t epoch;
    bsk_addr writer;
    struct holding hold;
    uint64_t last_id;
    struct waiting *first, **last;
    unsigned nwaiting;
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static bool durable(void)
{
    return kv.options.durability != DURABLE_NONE;
}

static void drop_waiting(struct shard_state *s)
{
    for (struct waiting *w; (w = s->first);) {
        s->first = w->next;
        free(w);
    }
    s->last = &s->first;
    s->nwaiting = 0;
}

static void shard_free(void *arg)
{
    struct shard_state *s = arg;
    atomic_store(&kv.shards[s->index].ready, false);
    drop_waiting(s);
    keyspace_fini(&s->keys);
    buffer_free(&s->out);
    buffer_free(&s->writes);
    buffer_free(&s->sizes);
    buffer_free(&s->due);
    buffer_free(&s->argv);
    buffer_free(&s->loaded);
}

static void show(const struct shard_state *s)
{
    struct shard_face *f = &kv.shards[s->index];
    atomic_store_explicit(&f->keys, s->keys.count, memory_order_relaxed);
    atomic_store_explicit(&f->expiring, s->keys.expiring, memory_order_relaxed);
    atomic_store_explicit(&f->bytes, s->keys.bytes, memory_order_relaxed);
}

/* Who has no key that expires is not woken. */
static void sweep_soon(bsk_self *self, struct shard_state *s)
{
    if (s->sweeps || !s->keys.expiring) return;
    if (!bsk_after(self, SWEEP_MS, sweep_now).gen) bsk_fail(self, "out of memory");
    s->sweeps = true;
}

static uint64_t version_on_disk(const struct shard_state *s)
{
    if (!durable()) return UINT64_MAX;
    return atomic_load_explicit(&kv.shards[s->index].durable, memory_order_acquire);
}

static bsk_bytes bytes_of(const struct buffer *b)
{
    return (bsk_bytes){b->at, b->len};
}

static bool next_due(const struct shard_state *s, size_t at, struct due *d)
{
    if (at == s->due.len) return false;
    memcpy(d, s->due.at + at, sizeof *d);
    return true;
}

static void answer_one(const struct shard_state *s, const struct due *d, size_t at,
                       enum outcome outcome)
{
    bsk_bytes replies = {s->due.at + at + sizeof *d, outcome == DONE ? d->len : 0};
    bsk_answer(d->asker, batch, .outcome = outcome, .target = s->index, .replies = replies);
}

/* Answers those who wait for a version up to this one. */
static void answer_due(struct shard_state *s, uint64_t version, enum outcome outcome)
{
    struct due d;
    while (next_due(s, s->answered, &d) && d.version <= version) {
        answer_one(s, &d, s->answered, outcome);
        s->answered += sizeof d + d.len;
    }
    if (s->answered < s->due.len / 2) return;
    buffer_drop(&s->due, s->answered);
    s->answered = 0;
}

/* What was not sent to the writer has come to nothing; who asked for it hears that. */
static void drop_unsent(struct shard_state *s, enum outcome outcome)
{
    size_t at = s->answered, end;
    struct due d;
    while (next_due(s, at, &d) && d.version <= s->sent) at += sizeof d + d.len;
    end = at;
    for (; next_due(s, at, &d); at += sizeof d + d.len) answer_one(s, &d, at, outcome);
    s->due.len = end;
    buffer_clear(&s->writes);
    buffer_clear(&s->sizes);
    s->sized = 0;
}

/* Tells whether the writer has to be sent something. */
static bool has_unsent(const struct shard_state *s)
{
    return s->writes.len || (!s->commits && s->answered < s->due.len);
}

static struct mark mark_of(const struct shard_state *s)
{
    return (struct mark){s->index, s->epoch, s->keys.version};
}

/* The batch that was executed ends there. */
static void note_size(bsk_self *self, struct shard_state *s)
{
    uint64_t size = s->writes.len - s->sized;
    if (size) buffer_add(&s->sizes, &size, sizeof size);
    if (s->sizes.failed) bsk_fail(self, "out of memory");
    s->sized = s->writes.len;
}

/* Not while a request is handled: the commit would have that one's deadline, and be skipped if it
 * came late. */
static void send_commit(bsk_self *self, struct shard_state *s)
{
    struct mark m = mark_of(s);
    if (!has_unsent(s)) return;
    note_size(self, s);
    if (bsk_ask(self, s->writer, BSK_FOREVER, commit, .mark = {&m, sizeof m},
                .writes = bytes_of(&s->writes), .sizes = bytes_of(&s->sizes)))
        bsk_fail(self, "the writer is gone");
    s->commits++;
    s->sent = m.version;
    s->sized = 0;
    buffer_clear(&s->writes);
    buffer_clear(&s->sizes);
}

/* When all that waits on this loop has run: so what comes together is written together. */
static void arm(bsk_self *self, struct shard_state *s)
{
    if (s->armed) return;
    if (!bsk_after(self, 0, commit_now).gen) bsk_fail(self, "out of memory");
    s->armed = true;
}

/* While a commit is under way it waits, so that more goes into the next. */
static void commit_soon(bsk_self *self, struct shard_state *s)
{
    if (!s->commits || s->writes.len >= COMMIT_MUCH || line_gathers()) arm(self, s);
}

/* Keeps the replies until what was executed is on disk. */
static void answer_later(bsk_self *self, struct shard_state *s, bsk_pending asker)
{
    struct due d = {asker, s->keys.version, s->out.len};
    buffer_add(&s->due, &d, sizeof d);
    buffer_add(&s->due, s->out.at, s->out.len);
    if (!asker.node || s->due.failed) bsk_fail(self, "out of memory");
    note_size(self, s);
    commit_soon(self, s);
}

static void begin(bsk_self *self, struct shard_state *s, enum outcome unsent)
{
    s->ready = false;
    atomic_store(&kv.shards[s->index].ready, false);
    drop_unsent(s, unsent);
    s->hold = (struct holding){0};
    keyspace_fini(&s->keys);
    s->loaded.len = 0;
    /* Versions count on from the clock, so that no successor counts what this one has counted. */
    if (!keyspace_init(&s->keys, now_ns())) bsk_fail(self, "out of memory");
    s->writer = bsk_whereis(bsk_rt_of(self), "writer");
    if (bsk_ask(self, s->writer, ATTACH_MS, attach, .shard = s->index) &&
        !bsk_after(self, 1, attach_again).gen)
        bsk_fail(self, "out of memory");
}

static void load_more(bsk_self *self, struct shard_state *s)
{
    uint64_t from = shard_from(s->index, kv.options.shards);
    uint64_t to = shard_from(s->index + 1, kv.options.shards);
    if (bsk_work(self, LOAD_MS, group_load, load, .from = from, .to = to,
                 .after = bytes_of(&s->loaded)))
        bsk_fail(self, "no work can be done");
}

/* Those whose commit was under way have been answered: the writer was told of it before it was asked
 * to attach. Nobody may wait here for a version of the past. */
static void on_attached(bsk_self *self, struct shard_state *s, const attached *a)
{
    answer_due(s, UINT64_MAX, LOST);
    s->epoch = a->epoch;
    load_more(self, s);
}

/* Keeps the last key, as it is stored: from there it goes on. */
static void remember(struct shard_state *s, const struct record *r)
{
    unsigned range = hash_range(r->hash);
    char prefix[2] = {(char)(range >> 8), (char)range};
    s->loaded.len = 0;
    buffer_add(&s->loaded, prefix, sizeof prefix);
    buffer_add(&s->loaded, r->key.at, r->key.len);
}

static void take_records(bsk_self *self, struct shard_state *s, bsk_bytes records)
{
    struct record r = {0};
    int64_t now = clock_ms();
    const char *at = records.ptr, *end = at + records.len;
    while (records.len && writes_next(&at, end, &r)) {
        if (r.expires && r.expires < now) continue;
        struct entry **place = keyspace_find(&s->keys, r.hash, r.key.at, r.key.len);
        if (!keyspace_set(&s->keys, place, r.hash, r.key, r.value, r.expires))
            bsk_fail(self, "out of memory");
    }
    if (records.len) remember(s, &r);
}

static void answer_waiting(bsk_self *self, struct shard_state *s);

static void become_ready(bsk_self *self, struct shard_state *s)
{
    struct shard_face *f = &kv.shards[s->index];
    atomic_store(&f->durable, s->keys.version);
    atomic_store(&f->ready, true);
    s->ready = true;
    show(s);
    sweep_soon(self, s);
    answer_waiting(self, s);
}

static void on_chunk(bsk_self *self, struct shard_state *s, const chunk *c)
{
    if (c->rc) bsk_fail(self, "store: %s", store_error((int)c->rc));
    take_records(self, s, c->records);
    if (c->more)
        load_more(self, s);
    else
        become_ready(self, s);
}

static void refuse_or_run(struct shard_state *s, struct call *c)
{
    if (c->command->flags & WRITES && atomic_load_explicit(&kv.read_only, memory_order_relaxed)) {
        reply_raw(&s->out, MISCONF_ERROR);
        return;
    }
    c->command->call(c);
}

/* What the next orders will look at. One alone would wait for it as long. */
static void fetch_ahead(const struct shard_state *s, const char *at, const char *end)
{
    uint64_t hashes[AHEAD];
    unsigned n = 0;
    while (at != end && n < AHEAD) {
        hashes[n] = order_skip(&at);
        keyspace_fetch_bucket(&s->keys, hashes[n++]);
    }
    for (unsigned i = 0; i < n && n > 1; i++) keyspace_fetch_entry(&s->keys, hashes[i]);
}

/* Executes orders; the frames of the answers are in s->out, what is to be written is added to
 * s->writes. True: the answers have to wait for the disk. */
static bool execute(bsk_self *self, struct shard_state *s, bsk_bytes orders)
{
    struct call c = {.ks = &s->keys,
                     .now = clock_ms(),
                     .durable = version_on_disk(s),
                     .shard = s->index,
                     .shards = kv.options.shards,
                     .out = &s->out,
                     .writes = durable() ? &s->writes : NULL};
    const char *at = orders.ptr, *end = at + orders.len;
    size_t before = s->writes.len;
    buffer_clear(&s->out);
    for (unsigned n = 0; at != end; n++) {
        if (n % AHEAD == 0) fetch_ahead(s, at, end);
        if (!order_next(&at, end, &c, &s->argv)) break;
        size_t frame = frame_open(&s->out);
        refuse_or_run(s, &c);
        frame_close(&s->out, frame);
    }
    if (s->out.failed || s->writes.failed || s->argv.failed) bsk_fail(self, "out of memory");
    show(s);
    sweep_soon(self, s);
    return c.waits || s->writes.len > before;
}

static bool is_unchanged(struct shard_state *s, bsk_bytes watches)
{
    struct watch w;
    const char *at = watches.ptr, *end = at + watches.len;
    struct call c = {.ks = &s->keys, .now = clock_ms(), .writes = durable() ? &s->writes : NULL};
    for (; at != end; at += w.len) {
        memcpy(&w, at, sizeof w);
        at += sizeof w;
        struct entry *e = *call_find(&c, w.hash, (struct arg){at, w.len});
        if (!keyspace_unchanged(&s->keys, e, w.hash, w.version)) return false;
    }
    return true;
}

/* Executes a batch for who asked by `q`, or, if he has waited, by `asker`. */
static void do_batch(bsk_self *self, struct shard_state *s, const batch *q, bsk_pending asker,
                     bsk_bytes orders, bsk_bytes watches)
{
    if (watches.len && !is_unchanged(s, watches)) {
        if (q)
            bsk_reply(q, batch, .outcome = CHANGED, .target = s->index);
        else
            bsk_answer(asker, batch, .outcome = CHANGED, .target = s->index);
        return;
    }
    bool waits = execute(self, s, orders);
    if (waits)
        answer_later(self, s, q ? bsk_later(q, batch) : asker);
    else if (q)
        bsk_reply(q, batch, .outcome = DONE, .target = s->index, .replies = bytes_of(&s->out));
    else
        bsk_answer(asker, batch, .outcome = DONE, .target = s->index, .replies = bytes_of(&s->out));
}

static void do_hold(bsk_self *self, struct shard_state *s, bsk_pending asker, bsk_addr holder,
                    bsk_bytes watches)
{
    if (watches.len && !is_unchanged(s, watches)) {
        bsk_answer(asker, hold, .outcome = CHANGED);
        return;
    }
    s->hold = (struct holding){.id = ++s->last_id, .holder = holder};
    s->hold.monitor = bsk_watch(self, holder);
    if (!s->hold.monitor.gen) bsk_fail(self, "out of memory");
    if (bsk_answer(asker, hold, .outcome = DONE, .id = s->last_id) == 0) return;
    /* Nobody waits for it any more. */
    bsk_unwatch_flush(self, s->hold.monitor);
    s->hold = (struct holding){0};
}

static bool is_free(const struct shard_state *s)
{
    return s->ready && !s->hold.id && !s->first;
}

static void wait(bsk_self *self, struct shard_state *s, struct waiting about, bsk_bytes orders,
                 bsk_bytes watches)
{
    struct waiting *w = malloc(sizeof *w + orders.len + watches.len);
    if (!w || !about.asker.node) bsk_fail(self, "out of memory");
    *w = about;
    w->len = orders.len;
    w->watches = watches.len;
    if (orders.len) memcpy(w->bytes, orders.ptr, orders.len);
    if (watches.len) memcpy(w->bytes + orders.len, watches.ptr, watches.len);
    *s->last = w;
    s->last = &w->next;
    s->nwaiting++;
}

static bool is_full(const struct shard_state *s)
{
    return s->nwaiting >= kv.options.queue;
}

static void on_batch(bsk_self *self, struct shard_state *s, const batch *q)
{
    bsk_pending nobody = {0, 0};
    if (is_full(s))
        bsk_reply(q, batch, .outcome = s->ready ? BUSY : LOADING, .target = s->index);
    else if (is_free(s))
        do_batch(self, s, q, nobody, q->orders, q->watches);
    else
        wait(self, s, (struct waiting){.asker = bsk_later(q, batch)}, q->orders, q->watches);
}

static void on_hold(bsk_self *self, struct shard_state *s, const hold *q)
{
    struct waiting w = {.is_hold = true, .holder = q->holder};
    if (is_full(s)) {
        bsk_reply(q, hold, .outcome = s->ready ? BUSY : LOADING);
        return;
    }
    w.asker = bsk_later(q, hold);
    if (is_free(s) && !has_unsent(s)) {
        do_hold(self, s, w.asker, q->holder, q->watches);
        return;
    }
    wait(self, s, w, (bsk_bytes){NULL, 0}, q->watches);
    arm(self, s);
}

static void answer_waiting(bsk_self *self, struct shard_state *s)
{
    while (s->ready && !s->hold.id && s->first) {
        struct waiting *w = s->first;
        bsk_bytes orders = {w->bytes, w->len}, watches = {w->bytes + w->len, w->watches};
        /* What comes before a hold goes to the writer before what is done under it. */
        if (w->is_hold) send_commit(self, s);
        if (w->is_hold)
            do_hold(self, s, w->asker, w->holder, watches);
        else
            do_batch(self, s, NULL, w->asker, orders, watches);
        /* Taken out only now: what fails above is freed with the shard. */
        s->first = w->next;
        if (!s->first) s->last = &s->first;
        s->nwaiting--;
        free(w);
    }
}

static void on_commit_now(bsk_self *self, struct shard_state *s)
{
    s->armed = false;
    if (!s->ready || s->hold.id) return;
    send_commit(self, s);
    answer_waiting(self, s);
}

/* Under a hold the memory is ahead of what may be told to the writer. */
static void on_committed(bsk_self *self, struct shard_state *s, const committed *r)
{
    s->commits--;
    answer_due(s, r->version, (enum outcome)r->outcome);
    if (s->ready && !s->hold.id && !s->commits) send_commit(self, s);
}

static void on_run(bsk_self *self, struct shard_state *s, const run *q)
{
    if (!s->hold.id || s->hold.id != q->id) {
        bsk_reply(q, run, .outcome = LOST, .target = s->index);
        return;
    }
    /* There may be keys already that were found to have expired when it was held. */
    bool waits = execute(self, s, q->orders) || s->writes.len;
    struct mark m = mark_of(s);
    s->hold.ran = s->hold.ran || s->writes.len;
    bsk_reply(q, run, .outcome = DONE, .target = s->index, .waits = waits,
              .replies = bytes_of(&s->out), .mark = {&m, sizeof m}, .writes = bytes_of(&s->writes));
    buffer_clear(&s->writes);
}

static void let_go(bsk_self *self, struct shard_state *s, bool undo)
{
    bsk_unwatch_flush(self, s->hold.monitor);
    undo = undo && s->hold.ran;
    s->hold = (struct holding){0};
    if (undo) {
        begin(self, s, AWAY);
        return;
    }
    if (has_unsent(s)) commit_soon(self, s);
    answer_waiting(self, s);
}

static void on_release(bsk_self *self, struct shard_state *s, const release *r)
{
    if (s->hold.id && s->hold.id == r->id) let_go(self, s, r->undo);
}

/* The disk took no more: what the store has is what counts. */
static void on_go_back(bsk_self *self, struct shard_state *s, enum outcome unsent)
{
    if (!s->ready) bsk_fail(self, "the disk took no more while keys were read");
    if (s->hold.id) bsk_unwatch_flush(self, s->hold.monitor);
    begin(self, s, unsent);
}

/* Who held the shard ended: nobody knows whether what was run here is being written. What the store
 * has after all that was sent to the writer is what counts. */
static void on_down(bsk_self *self, struct shard_state *s, const bsk_down *d)
{
    if (s->hold.id && bsk_is_of(d, s->hold.monitor)) let_go(self, s, true);
}

static void sweep_one(void *arg, const struct entry *e)
{
    struct shard_state *s = arg;
    struct record r = {.hash = e->hash, .kind = WRITE_GONE, .key = {e->bytes, e->klen}};
    count_up(&kv.shards[s->index].expired, 1);
    if (durable()) writes_add(&s->writes, &r);
}

static void sweep(bsk_self *self, struct shard_state *s)
{
    keyspace_sweep(&s->keys, clock_ms(), SWEEP_BUCKETS, sweep_one, s);
    if (s->writes.len) commit_soon(self, s);
    show(s);
}

/* Keys that expired go although nobody asks for them. Not under a hold: it is not the holder's. */
static void on_sweep(bsk_self *self, struct shard_state *s)
{
    bool not_now = !s->ready || s->hold.id || atomic_load(&kv.read_only) || is_full(s);
    s->sweeps = false;
    if (!not_now) sweep(self, s);
    sweep_soon(self, s);
}

static void shard_init(bsk_self *self)
{
    struct shard_state *s = bsk_state(self);
    s->last = &s->first;
    if (bsk_defer(self, shard_free, s)) bsk_fail(self, "out of memory");
    say_born(self);
    if (durable()) {
        begin(self, s, AWAY);
        return;
    }
    if (!keyspace_init(&s->keys, now_ns())) bsk_fail(self, "out of memory");
    become_ready(self, s);
}

static void shard(bsk_self *self, bsk_msg *m)
{
    struct shard_state *s = bsk_state(self);
    bsk_match(m) {
        bsk_on(batch, q) on_batch(self, s, q);
        bsk_on(hold, q) on_hold(self, s, q);
        bsk_on(run, q) on_run(self, s, q);
        bsk_on(release, r) on_release(self, s, r);
        bsk_on(bsk_down, d) on_down(self, s, d);
        bsk_on(sweep_now, n) on_sweep(self, s);
        bsk_on_reply(attach, a) on_attached(self, s, a);
        bsk_on_no_reply(attach, rc) bsk_fail(self, "writer: %s", bsk_strerror(rc));
        bsk_on_reply(load, c) on_chunk(self, s, c);
        bsk_on_no_reply(load, rc) bsk_fail(self, "store: %s", bsk_strerror(rc));
        bsk_on(attach_again, a) begin(self, s, AWAY);
        bsk_on(commit_now, n) on_commit_now(self, s);
        bsk_on_reply(commit, r) on_committed(self, s, r);
        bsk_on_no_reply(commit, rc) bsk_fail(self, "writer: %s", bsk_strerror(rc));
        bsk_on(go_back, g) on_go_back(self, s, (enum outcome)g->outcome);
        bsk_on(trouble, t) trouble_make(self, t->kind);
    }
}

bsk_child_spec shard_spec(unsigned index)
{
    static struct shard_state fresh[SHARDS_MAX];
    static char names[SHARDS_MAX][SHARD_NAME];
    fresh[index].index = index;
    return (bsk_child_spec)bsk_child(shard, .name = shard_name(index, names[index]),
                                     .init = shard_init, .mailbox = kv.options.queue,
                                     .keeps_mailbox = true, .state = &fresh[index],
                                     .state_size = sizeof fresh[index]);
}
