/* SPDX-License-Identifier: MIT */
/* check_many.c - hundreds of connections at once, between fibers, handlers and plain threads, of
 * which many are harmed: killed, crashed, stopped, reset, left in the middle.
 *
 *     client --- its run of bytes, then its end ---> service
 *     client <-- its run of bytes, then its end ---- service
 *
 * Each side notes how much it has said when it ends in good order, and how much it has heard, each
 * byte of which must be the next of the other's run. When all is over: between two sides that both
 * ended in good order and that nobody harmed nothing is missing; nothing is open, nobody lives, and
 * all memory and descriptors are back.
 *
 * SEED in the environment plays a run's choices again.
 *
 * ctest: timeout=120 */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#define TALKS 1000 /* connections of actors */
#define PLAIN 150  /* of each plain thread */
#define THREADS 2
#define ALL (TALKS + THREADS * PLAIN)
#define AT_ONCE 150
#define PIECE 20000

enum { CLIENT, SERVICE };
enum how { RUNS, IN_ORDER, IN_DISORDER };
#define NOT_YET 1

struct side {
    _Atomic uint64_t said, heard;
    _Atomic int how, end; /* end: what was heard last: 0, or a code */
    _Atomic bool harmed;
    bsk_addr who; /* under `lock` */
};

static struct side talks[ALL][2];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bsk_rt *rt;
static int ports[2];
static _Atomic unsigned begun, ended;
static _Atomic bool over;
static uint64_t seed;

/* Choices. */

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* What one side does. */
struct part {
    struct side *mine;
    uint64_t random, from, hears; /* places where its run, and the other's, begin */
    uint64_t total;               /* to say */
    uint64_t leaves_at;           /* or before that, in disorder, when it has said so much */
    bool fails, resets;           /* in which way */
};

static size_t pick(struct part *p, size_t n)
{
    return (size_t)(next_random(&p->random) % n);
}

static uint64_t place(unsigned id, int side)
{
    return (uint64_t)id << 33 | (uint64_t)side << 32;
}

static struct part part_of(unsigned id, int side)
{
    struct part p = {.mine = &talks[id][side],
                     .random = seed ^ (place(id, side) * 3 + 1),
                     .from = place(id, side),
                     .hears = place(id, 1 - side),
                     .leaves_at = UINT64_MAX};
    p.total = pick(&p, 10) ? pick(&p, pick(&p, 3) ? 10000 : 300000) : 0;
    if (pick(&p, 4) == 0 && p.total) p.leaves_at = pick(&p, p.total);
    p.fails = pick(&p, 2);
    p.resets = pick(&p, 2);
    return p;
}

/* What all sides do. */

static void hear(struct part *p, const void *bytes, size_t n)
{
    ck_assert_msg(run_holds(bytes, p->hears + p->mine->heard, n), "a wrong byte after %llu",
                  (unsigned long long)p->mine->heard);
    p->mine->heard += n;
}

/* The next piece to say. */
static size_t compose(struct part *p, char *to)
{
    uint64_t left = p->total - p->mine->said;
    size_t n = 1 + pick(p, pick(p, 4) ? 700 : PIECE);
    if (n > left) n = (size_t)left;
    run_fill(to, p->from + p->mine->said, n);
    return n;
}

static bool leaves(const struct part *p)
{
    return p->mine->said >= p->leaves_at;
}

static void introduce(struct part *p, bsk_self *self)
{
    pthread_mutex_lock(&lock);
    p->mine->who = bsk_me(self);
    pthread_mutex_unlock(&lock);
}

/* Fibers. */

static void leave_in_disorder(struct part *p, bsk_self *self, bsk_stream s)
{
    p->mine->how = IN_DISORDER;
    if (p->fails) bsk_fail(self, "on purpose");
    if (p->resets)
        bsk_stream_reset(self, s);
    else
        bsk_stream_close(self, s);
}

/* Reads what there is. False: nothing comes any more, or it was stopped. */
static bool read_some(struct part *p, bsk_self *self, bsk_stream s, int64_t ms)
{
    bsk_bytes b;
    int n = bsk_stream_read(self, s, &b, ms);
    if (n > 0) hear(p, b.ptr, b.len);
    if (n > 0 || n == BSK_ETIMEDOUT) return true;
    p->mine->end = n;
    return false;
}

/* Says all; hears meanwhile. */
static int say_all(struct part *p, bsk_self *self, bsk_stream s, char *piece)
{
    bool hears = true;
    while (p->mine->said < p->total && !leaves(p)) {
        size_t n = compose(p, piece);
        int rc;
        while ((rc = bsk_stream_try(self, s, (bsk_bytes){piece, n})) == BSK_EFULL) {
            if (hears) hears = read_some(p, self, s, 1);
            if (!hears && (rc = bsk_stream_flush(self, s, 5)) && rc != BSK_ETIMEDOUT) return rc;
        }
        if (rc) return rc;
        p->mine->said += n;
        if (hears && pick(p, 3) == 0) hears = read_some(p, self, s, 0);
        if (pick(p, 20) == 0 && (rc = bsk_yield(self))) return rc;
    }
    if (leaves(p)) return 0;
    for (int rc; (rc = bsk_stream_flush(self, s, 1));) {
        if (rc != BSK_ETIMEDOUT) return rc;
        if (hears) hears = read_some(p, self, s, 1);
    }
    return 0;
}

static void talk(struct part *p, bsk_self *self, bsk_stream s)
{
    char *piece = bsk_alloc(self, PIECE);
    if (say_all(p, self, s, piece)) {
        p->mine->how = IN_DISORDER;
        return;
    }
    if (leaves(p)) {
        leave_in_disorder(p, self, s);
        return;
    }
    p->mine->how = IN_ORDER;
    if (bsk_stream_shut(self, s)) return;
    while (p->mine->end == NOT_YET && read_some(p, self, s, 60000)) continue;
}

static void count_end(void *arg)
{
    ck_assert_ptr_nonnull(arg);
    atomic_fetch_add(&ended, 1);
}

static void fiber_client(bsk_self *self)
{
    unsigned id = *(unsigned *)bsk_state(self);
    struct part p = part_of(id, CLIENT);
    uint64_t head = id;
    bsk_stream s;
    ck_assert_int_eq(bsk_defer(self, count_end, p.mine), 0);
    introduce(&p, self);
    bsk_stream_opts small = {.read_ahead = 1 + (uint32_t)pick(&p, 3000),
                             .write_high = 20000 + (uint32_t)pick(&p, 30000)};
    if (pick(&p, 2)) small = (bsk_stream_opts){.idle_ms = 60000};
    if (bsk_connect_(self, "127.0.0.1", ports[pick(&p, 2)], 60000, &s, &small)) {
        p.mine->how = IN_DISORDER;
        return;
    }
    if (bsk_stream_write(self, s, (bsk_bytes){&head, sizeof head}, 60000))
        p.mine->how = IN_DISORDER;
    else
        talk(&p, self, s);
}

static void fiber_service(bsk_self *self)
{
    uint64_t id;
    if (bsk_stream_fill(self, bsk_conn(self), &id, sizeof id, 60000)) return;
    ck_assert_uint_lt(id, ALL);
    struct part p = part_of((unsigned)id, SERVICE);
    introduce(&p, self);
    talk(&p, self, bsk_conn(self));
}

/* Handlers. */

struct handler {
    struct part p;
    bsk_stream s;
    uint64_t head;
    unsigned got; /* of the head */
    char piece[PIECE];
};

static void say_more(struct handler *h, bsk_self *self)
{
    struct part *p = &h->p;
    while (p->mine->said < p->total && !leaves(p)) {
        uint64_t random = p->random;
        size_t n = compose(p, h->piece);
        int rc = bsk_stream_try(self, h->s, (bsk_bytes){h->piece, n});
        if (rc == BSK_EFULL) {
            p->random = random;
            return;
        }
        if (rc) {
            p->mine->how = IN_DISORDER;
            return;
        }
        p->mine->said += n;
    }
    if (leaves(p)) {
        leave_in_disorder(p, self, h->s);
        bsk_exit(self);
    }
    if (p->mine->how != RUNS) return;
    p->mine->how = IN_ORDER;
    if (bsk_stream_shut(self, h->s)) p->mine->how = IN_DISORDER;
    if (p->mine->end != NOT_YET) bsk_exit(self);
}

static void take_end(struct handler *h, bsk_self *self, int code)
{
    h->p.mine->end = code == BSK_EEOF ? 0 : code;
    /* What it has to say it says also to one who says no more. */
    if (h->p.mine->how != RUNS || code != BSK_EEOF) bsk_exit(self);
}

static void handler_client(bsk_self *self, bsk_msg *m)
{
    struct handler *h = bsk_state(self);
    bsk_match(m) {
        bsk_on(bsk_dialed, d) {
            if (d->code) {
                h->p.mine->how = IN_DISORDER;
                bsk_exit(self);
            }
            h->s = (bsk_stream){d->stream};
            ck_assert_int_eq(bsk_stream_try(self, h->s, (bsk_bytes){&h->head, 8}), 0);
            say_more(h, self);
        }
        bsk_on(bsk_data, d) hear(&h->p, d->data.ptr, d->data.len);
        bsk_on(bsk_drained, d) say_more(h, self);
        bsk_on(bsk_closed, c) take_end(h, self, (int)c->code);
    }
}

static void begin_client(bsk_self *self)
{
    struct handler *h = bsk_state(self);
    ck_assert_int_eq(bsk_defer(self, count_end, h->p.mine), 0);
    introduce(&h->p, self);
    ck_assert_int_eq(bsk_dial(self, "127.0.0.1", ports[pick(&h->p, 2)], 60000), 0);
}

static void take_head(struct handler *h, bsk_self *self, bsk_bytes b)
{
    size_t n = b.len < 8 - h->got ? b.len : 8 - h->got;
    memcpy((char *)&h->head + h->got, b.ptr, n);
    h->got += (unsigned)n;
    if (h->got < 8) return;
    ck_assert_uint_lt(h->head, ALL);
    h->p = part_of((unsigned)h->head, SERVICE);
    introduce(&h->p, self);
    hear(&h->p, (const char *)b.ptr + n, b.len - n);
    say_more(h, self);
}

static void handler_service(bsk_self *self, bsk_msg *m)
{
    struct handler *h = bsk_state(self);
    bsk_match(m) {
        bsk_on(bsk_data, d) {
            h->s = (bsk_stream){d->stream};
            if (h->got < 8)
                take_head(h, self, d->data);
            else
                hear(&h->p, d->data.ptr, d->data.len);
        }
        bsk_on(bsk_drained, d) say_more(h, self);
        bsk_on(bsk_closed, c) {
            if (h->got < 8) bsk_exit(self);
            take_end(h, self, (int)c->code);
        }
    }
}

/* Plain threads. */

static bool send_some(struct part *p, int fd)
{
    char piece[PIECE];
    uint64_t random = p->random;
    size_t n = compose(p, piece);
    ssize_t some = send(fd, piece, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    p->random = random + 1;
    if (some > 0) p->mine->said += (uint64_t)some;
    return some > 0 || errno == EAGAIN;
}

static bool recv_some(struct part *p, int fd)
{
    char got[PIECE];
    ssize_t some = recv(fd, got, 1 + pick(p, sizeof got), MSG_DONTWAIT);
    if (some > 0) hear(p, got, (size_t)some);
    if (some > 0 || (some < 0 && errno == EAGAIN)) return true;
    p->mine->end = some ? BSK_ERESET : 0;
    return false;
}

static void talk_plainly(struct part *p, int fd)
{
    while (p->mine->end == NOT_YET || p->mine->how == RUNS) {
        struct pollfd f = {.fd = fd};
        if (p->mine->end == NOT_YET) f.events |= POLLIN;
        if (p->mine->how == RUNS) f.events |= POLLOUT;
        ck_assert_int_eq(poll(&f, 1, 60000), 1);
        if (f.revents & ~POLLOUT && p->mine->end == NOT_YET) (void)recv_some(p, fd);
        if (p->mine->how != RUNS || !(f.revents & ~POLLIN)) continue;
        if (leaves(p) || (p->mine->said < p->total && !send_some(p, fd))) {
            p->mine->how = IN_DISORDER;
            return;
        }
        if (p->mine->said < p->total) continue;
        p->mine->how = IN_ORDER;
        (void)shutdown(fd, SHUT_WR);
    }
}

static void *talk_from_outside(void *first)
{
    for (unsigned i = 0; i < PLAIN; i++) {
        uint64_t id = *(unsigned *)first + i;
        struct part p = part_of((unsigned)id, CLIENT);
        int fd = peer_dial(ports[pick(&p, 2)]);
        if (send(fd, &id, sizeof id, MSG_NOSIGNAL) == sizeof id)
            talk_plainly(&p, fd);
        else
            p.mine->how = IN_DISORDER;
        if (p.mine->how == IN_DISORDER && p.resets)
            peer_reset(fd);
        else
            peer_close(fd);
    }
    return first;
}

/* Harm. */

static void harm(uint64_t *random)
{
    static const char *const why = "harmed";
    struct side *s = &talks[next_random(random) % ALL][next_random(random) % 2];
    pthread_mutex_lock(&lock);
    bsk_addr who = s->who;
    pthread_mutex_unlock(&lock);
    if (bsk_is_nobody(who) || !bsk_alive(who)) return;
    s->harmed = true;
    switch (next_random(random) % 4) {
    case 0: (void)bsk_kill(who); break;
    case 1: (void)bsk_send_exit(NULL, who, BSK_FAILED, why); break;
    default: (void)bsk_stop(who, (int64_t)(next_random(random) % 20)); break;
    }
}

static void *harm_them(void *arg)
{
    uint64_t random = seed + 12345;
    while (!over) {
        for (int i = 0; i < 40; i++) harm(&random);
        peer_pause();
        peer_pause();
    }
    return arg;
}

/* All together. */

static void start_clients(void)
{
    static struct handler h;
    for (unsigned id = 0; id < TALKS; id++) {
        int64_t until = peer_clock() + 100000;
        while (begun - ended >= AT_ONCE) {
            ck_assert_int_lt(peer_clock(), until);
            peer_pause();
        }
        begun++;
        if (id % 2) {
            fix_born(bsk_spawn(rt, fiber_client, .state = &id, .state_size = sizeof id,
                               .own_thread = id % 40 == 1));
            continue;
        }
        h = (struct handler){.p = part_of(id, CLIENT), .head = id};
        fix_born(bsk_spawn(rt, handler_client, .init = begin_client, .state = &h,
                           .state_size = sizeof h, .own_thread = id % 40 == 0));
    }
}

static bool in_order(unsigned id, int side)
{
    const struct side *s = &talks[id][side];
    return s->how == IN_ORDER && !s->harmed;
}

static unsigned audit(void)
{
    unsigned whole = 0;
    for (unsigned id = 0; id < ALL; id++)
        for (int from = 0; from < 2; from++) {
            const struct side *s = &talks[id][from], *to = &talks[id][1 - from];
            ck_assert_msg(to->heard <= s->said, "%u: heard what was not said", id);
            if (!in_order(id, from) || !in_order(id, 1 - from)) continue;
            ck_assert_msg(to->end == 0 && to->heard == s->said,
                          "%u, from %d: said %llu, heard %llu, end %s", id, from,
                          (unsigned long long)s->said, (unsigned long long)to->heard,
                          bsk_errname(to->end));
            whole++;
        }
    return whole;
}

static uint64_t living(void)
{
    bsk_stats_out out;
    bsk_stats(rt, &out);
    return out.actors;
}

START_TEST(nothing_is_lost_between_those_who_part_in_good_order)
{
    static struct handler none;
    pthread_t outside[THREADS], harmer;
    unsigned first[THREADS];
    const char *given = getenv("SEED");
    seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 1000003 + (uint64_t)getpid();
    fprintf(stderr, "SEED=%llu\n", (unsigned long long)seed);
    for (unsigned i = 0; i < ALL; i++) talks[i][0].end = talks[i][1].end = NOT_YET;
    /* What the system keeps for the process is made once. */
    rt = bsk_start(.workers = 3, FIX_HOOKS);
    fix_stop(rt, 0);
    int before = count_descriptors();
    rt = bsk_start(.workers = 3, FIX_HOOKS);
    ports[0] = bsk_listen(rt, "127.0.0.1", 0, fiber_service, .conn = {.shutdown_ms = 2000},
                          .stream = {.write_high = 30000});
    ports[1] = bsk_listen(rt, "127.0.0.1", 0, handler_service,
                          .conn = {.state = &none, .state_size = sizeof none},
                          .stream = {.read_ahead = 10000, .idle_ms = 60000});
    ck_assert(ports[0] > 0 && ports[1] > 0);
    ck_assert_int_eq(pthread_create(&harmer, NULL, harm_them, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        first[i] = TALKS + i * PLAIN;
        ck_assert_int_eq(pthread_create(&outside[i], NULL, talk_from_outside, &first[i]), 0);
    }
    start_clients();
    for (unsigned i = 0; i < THREADS; i++) pthread_join(outside[i], NULL);
    UNTIL(ended == begun);
    UNTIL(living() == 2);
    over = true;
    pthread_join(harmer, NULL);
    UNTIL(open_now(rt) == 2);
    unsigned whole = audit();
    fprintf(stderr, "%u of %u runs arrived whole, the others were broken off\n", whole, 2 * ALL);
    ck_assert_uint_gt(whole, ALL / 10);
    bsk_shutdown(rt);
    ck_assert_int_le(bsk_wait(rt), 1);
    ck_assert_int_eq(count_descriptors(), before);
}
END_TEST

FIX_MAIN("many", 100, nothing_is_lost_between_those_who_part_in_good_order)
