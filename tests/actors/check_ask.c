/* SPDX-License-Identifier: MIT */
/* check_ask.c - requests and replies: deadlines, losses, rights to reply. */
#include "fixture.h"

#include <pthread.h>

BSK_MSG(parcel, (blob, data), (bytes, bytes), (str, text));
BSK_CALL(fetch, parcel, (i64, size));
BSK_LOCAL(held, held_drop, (char *, text));
BSK_CALL(borrow, held, (i64, n));
BSK_CALL(nothing, stop_it);

static bsk_rt *rt;
static unsigned drops;

void held_drop(void *body)
{
    free(((struct held *)body)->text);
    drops++;
}

static void setup(void)
{
    rt = bsk_start(.seed = 61, FIX_TRACED);
    ck_assert_ptr_nonnull(rt);
}

static void say_number(const char *what, int64_t n)
{
    char text[64];
    snprintf(text, sizeof text, "%s%lld ", what, (long long)n);
    fix_say(text);
}

static void say_rc(int rc)
{
    fix_say(bsk_errname(rc));
    fix_say(" ");
}

static void lacks(const void *reply, const bsk_self *self, int rc)
{
    ck_assert_ptr_null(reply);
    ck_assert_msg(bsk_error(self) == rc, "%s instead of %s", bsk_errname(bsk_error(self)),
                  bsk_errname(rc));
}

/* get n: n > 0: n + 1; 0: no reply; -1: keeps the right; -2: fails; -3: exits. */
static void serve(bsk_self *self, bsk_msg *m)
{
    bsk_pending *keep = bsk_state(self);
    bsk_match(m) {
        bsk_on(get, g) {
            if (g->v > 0) ck_assert_int_eq(bsk_reply(g, get, .v = g->v + 1), 0);
            if (g->v == -1) *keep = bsk_later(g, get);
            if (g->v == -2) bsk_fail(self, "as asked");
            if (g->v == -3) bsk_exit(self);
        }
        bsk_on(num, n) say_rc(bsk_answer(*keep, get, .v = n->v));
        bsk_on(stop_it, s) bsk_exit(self);
    }
}

static void serve_fiber(bsk_self *self)
{
    bsk_msg *m;
    while ((m = bsk_recv(self, BSK_FOREVER))) serve(self, m);
}

static bsk_addr server(void)
{
    return fix_born(bsk_spawn(rt, serve, BSK_STATE(bsk_pending, 0, 0)));
}

/* Calls from a thread. */

START_TEST(a_thread_calls_and_gets_the_reply_or_why_not)
{
    setup();
    bsk_addr a = server(), f = fix_born(bsk_spawn(rt, serve_fiber, BSK_STATE(bsk_pending, 0, 0)));
    const num *n = bsk_call(NULL, a, 10, get, 41);
    ck_assert(n && n->v == 42);
    n = bsk_call(NULL, f, 10, get, 1);
    ck_assert(n && n->v == 2);
    lacks(bsk_call(NULL, a, 10, get, 0), NULL, BSK_ENOREPLY);
    lacks(bsk_call(NULL, f, 10, get, 0), NULL, BSK_ENOREPLY);
    int64_t begin = bsk_now(rt);
    lacks(bsk_call(NULL, a, 25, get, -1), NULL, BSK_ETIMEDOUT);
    ck_assert_int_eq(bsk_now(rt), begin + 25);
    lacks(bsk_call(NULL, a, 10, get, -2), NULL, BSK_ENOREPLY);
    lacks(bsk_call(NULL, a, 10, get, 1), NULL, BSK_EDEAD);
    lacks(bsk_call(NULL, f, 10, get, -3), NULL, BSK_ENOREPLY);
    lacks(bsk_call(NULL, fix_addr(0, 0, 0), 10, get, 1), NULL, BSK_EDEAD);
    fix_stop(rt, 1);
}
END_TEST

START_TEST(a_call_with_no_time_left_is_not_handled)
{
    setup();
    bsk_addr a = server();
    lacks(bsk_call(NULL, a, 0, get, 1), NULL, BSK_ETIMEDOUT);
    bsk_advance(rt, 1);
    ck_assert_uint_eq(fix_dead(&get_bsk, BSK_DEAD_EXPIRED), 1);
    fix_stop(rt, 0);
}
END_TEST

static void send_parcel(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(fetch, f) {
            char *text = bsk_alloc(self, (size_t)f->size + 1);
            memset(text, 'p', (size_t)f->size);
            text[f->size] = '\0';
            bsk_blob *b = bsk_blob_new(text, (size_t)f->size);
            bsk_reply(f, fetch, .data = b, .bytes = {text, (size_t)f->size}, .text = text);
            bsk_blob_drop(b);
        }
        bsk_on(borrow, b) {
            char *text = malloc(16);
            strcpy(text, "lent");
            if (bsk_reply(b, borrow, .text = text)) free(text);
        }
        bsk_on(nothing, n) bsk_reply(n, nothing);
        bsk_on(say, s) bsk_reply(s, say, .text = s->text);
    }
}

static void check_parcel(const parcel *p, size_t size)
{
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq(strlen(p->text), size);
    ck_assert_uint_eq(p->bytes.len, size);
    if (size) ck_assert_int_eq(((const char *)p->bytes.ptr)[size - 1], 'p');
    ck_assert_uint_eq((uintptr_t)p->bytes.ptr % 16, 0);
    ck_assert_uint_eq(bsk_blob_bytes(p->data).len, size);
}

static const int64_t sizes[] = {0, 1, 15, 16, 100, 440, 511, 512, 513, 1000, 100000};

START_TEST(a_reply_may_be_of_any_size)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, send_parcel));
    for (int i = 0; i < 11; i++)
        check_parcel(bsk_call(NULL, a, 10, fetch, sizes[i]), (size_t)sizes[i]);
    for (int i = 10; i >= 0; i--)
        check_parcel(bsk_call(NULL, a, 10, fetch, sizes[i]), (size_t)sizes[i]);
    ck_assert_ptr_nonnull(bsk_call(NULL, a, 10, nothing));
    fix_stop(rt, 0);
}
END_TEST

START_TEST(a_threads_last_reply_outlives_the_runtime)
{
    for (int i = 0; i < 11; i++) {
        setup();
        bsk_addr a = fix_born(bsk_spawn(rt, send_parcel));
        const parcel *p = bsk_call(NULL, a, 10, fetch, sizes[i]);
        fix_stop(rt, 0);
        check_parcel(p, (size_t)sizes[i]);
    }
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, send_parcel));
    const held *h = bsk_call(NULL, a, 10, borrow, 1);
    fix_stop(rt, 0);
    ck_assert_str_eq(h->text, "lent");
    ck_assert_uint_eq(drops, 0);
    setup();
    a = fix_born(bsk_spawn(rt, send_parcel));
    ck_assert_ptr_nonnull(bsk_call(NULL, a, 10, nothing));
    ck_assert_uint_eq(drops, 1);
    fix_stop(rt, 0);
}
END_TEST

static void *call_and_leave(void *to)
{
    const parcel *p = bsk_call(NULL, *(bsk_addr *)to, 10000, fetch, 5000);
    return p && strlen(p->text) == 5000 ? to : NULL;
}

static void *call_and_stay(void *barrier_and_to)
{
    struct {
        bsk_addr to;
        pthread_barrier_t *called, *over;
    } *a = barrier_and_to;
    void *ok = call_and_leave(&a->to);
    pthread_barrier_wait(a->called);
    pthread_barrier_wait(a->over);
    return ok;
}

START_TEST(a_threads_last_reply_goes_with_the_thread)
{
    rt = bsk_start(.workers = 2, FIX_HOOKS);
    bsk_addr a = fix_born(bsk_spawn(rt, send_parcel));
    pthread_t t;
    void *ok;
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(pthread_create(&t, NULL, call_and_leave, &a), 0);
        pthread_join(t, &ok);
        ck_assert_ptr_eq(ok, &a);
    }
    pthread_barrier_t called, over;
    pthread_barrier_init(&called, NULL, 2);
    pthread_barrier_init(&over, NULL, 2);
    struct {
        bsk_addr to;
        pthread_barrier_t *called, *over;
    } arg = {a, &called, &over};
    ck_assert_int_eq(pthread_create(&t, NULL, call_and_stay, &arg), 0);
    pthread_barrier_wait(&called);
    fix_stop(rt, 0);
    pthread_barrier_wait(&over);
    pthread_join(t, &ok);
    ck_assert_ptr_nonnull(ok);
}
END_TEST

/* Calls from a fiber. */

struct calls {
    bsk_addr to;
    int64_t n;
};

static void call_it(bsk_self *self)
{
    struct calls *c = bsk_state(self);
    const num *n = bsk_call(self, c->to, 50, get, c->n);
    if (n)
        say_number("", n->v);
    else
        say_rc(bsk_error(self));
}

static void fiber_calls(bsk_addr to, int64_t n)
{
    fix_born(bsk_spawn(rt, call_it, BSK_STATE(struct calls, to, n)));
    bsk_advance(rt, 100);
}

START_TEST(a_fiber_calls_and_gets_the_reply_or_why_not)
{
    setup();
    bsk_addr a = server();
    fiber_calls(a, 41);
    fiber_calls(a, 0);
    fiber_calls(a, -1);
    fiber_calls(a, -2);
    fiber_calls(a, 1);
    fiber_calls(fix_addr(a.node + 1, a.slot, a.gen), 1);
    fiber_calls(fix_addr(0, 0, 0), 1);
    ck_assert_str_eq(fix_said(), "42 ENOREPLY ETIMEDOUT ENOREPLY EDEAD EDEAD EDEAD ");
    fix_stop(rt, 1);
}
END_TEST

static void call_oneself(bsk_self *self)
{
    lacks(bsk_call(self, bsk_me(self), 10, get, 1), self, BSK_EDEADLK);
    lacks(bsk_call(self, bsk_me(self), BSK_FOREVER, get, 1), self, BSK_EDEADLK);
    fix_say("refused ");
}

START_TEST(a_call_to_oneself_is_refused_at_once)
{
    setup();
    fix_born(bsk_spawn(rt, call_oneself));
    bsk_advance(rt, 0);
    ck_assert_str_eq(fix_said(), "refused ");
    fix_stop(rt, 0);
}
END_TEST

static void borrow_replies(bsk_self *self)
{
    bsk_addr to = *(bsk_addr *)bsk_state(self);
    for (int i = 0; i < 11; i++) {
        check_parcel(bsk_call(self, to, 10, fetch, sizes[i]), (size_t)sizes[i]);
        const held *h = bsk_call(self, to, 10, borrow, 1);
        ck_assert_str_eq(h->text, "lent");
        ck_assert_uint_eq(drops, i);
        bsk_yield(self);
        ck_assert_uint_eq(drops, i + 1);
    }
    const held *last = bsk_call(self, to, 10, borrow, 1);
    ck_assert_str_eq(last->text, "lent");
    fix_say("done ");
}

START_TEST(a_fiber_borrows_a_reply_until_its_next_wait)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, send_parcel));
    fix_born(bsk_spawn(rt, borrow_replies, .state = &a, .state_size = sizeof a));
    bsk_advance(rt, 10);
    ck_assert_str_eq(fix_said(), "done ");
    ck_assert_uint_eq(drops, 12);
    fix_stop(rt, 0);
}
END_TEST

static void sleep_on(bsk_self *self)
{
    while (bsk_sleep(self, BSK_FOREVER) == 0) continue;
}

START_TEST(a_call_waits_for_room_first)
{
    setup();
    bsk_addr full = fix_born(bsk_spawn(rt, sleep_on, .mailbox = 1));
    ck_assert_int_eq(bsk_try(full, num, 1), 0);
    int64_t begin = bsk_now(rt);
    lacks(bsk_call(NULL, full, 20, get, 1), NULL, BSK_ETIMEDOUT);
    ck_assert_int_eq(bsk_now(rt), begin + 20);
    fiber_calls(full, 1);
    ck_assert_int_eq(bsk_drain(full, BSK_FOREVER), 0);
    lacks(bsk_call(NULL, full, 20, get, 1), NULL, BSK_ECLOSED);
    ck_assert_int_eq(bsk_kill(full), 0);
    fiber_calls(full, 1);
    ck_assert_str_eq(fix_said(), "ETIMEDOUT EDEAD ");
    fix_stop(rt, 0);
}
END_TEST

START_TEST(a_request_dropped_by_policy_is_lost)
{
    setup();
    bsk_addr newest = fix_born(bsk_spawn(rt, sleep_on, .mailbox = 1, .overflow = BSK_DROP_NEWEST));
    bsk_addr oldest = fix_born(bsk_spawn(rt, sleep_on, .mailbox = 1, .overflow = BSK_DROP_OLDEST));
    ck_assert_int_eq(bsk_try(newest, num, 1), 0);
    lacks(bsk_call(NULL, newest, 20, get, 1), NULL, BSK_ENOREPLY);
    fix_born(bsk_spawn(rt, call_it, BSK_STATE(struct calls, oldest, 1)));
    bsk_advance(rt, 1);
    ck_assert_int_eq(bsk_try(oldest, num, 1), 0);
    bsk_advance(rt, 1);
    ck_assert_str_eq(fix_said(), "ENOREPLY ");
    fix_stop(rt, 0);
}
END_TEST

/* Asks. */

struct asker {
    bsk_addr to;
};

static void ask_as_told(bsk_self *self, bsk_msg *m)
{
    struct asker *a = bsk_state(self);
    bsk_match(m) {
        bsk_on(num, n) {
            int rc = bsk_ask(self, a->to, n->v == -4 ? 0 : 50, get, n->v);
            if (rc) say_rc(rc);
        }
        bsk_on_reply(get, n) say_number("", n->v);
        bsk_on_no_reply(get, rc) say_rc(rc);
        bsk_on(stop_it, s) bsk_exit(self);
    }
}

static void ask_fiber(bsk_self *self)
{
    bsk_msg *m;
    while ((m = bsk_recv(self, BSK_FOREVER))) ask_as_told(self, m);
}

static void asks_through(bsk_addr from)
{
    for (int64_t n = 41; n >= -4; n = n > 0 ? 0 : n - 1) {
        if (n == -3) continue;
        bsk_tell(from, num, n);
        bsk_advance(rt, 100);
    }
    bsk_tell(from, num, 1);
    bsk_advance(rt, 100);
}

START_TEST(an_ask_brings_the_reply_or_why_not_once)
{
    setup();
    asks_through(fix_born(bsk_spawn(rt, ask_as_told, BSK_STATE(struct asker, server()))));
    fix_say("| ");
    asks_through(fix_born(bsk_spawn(rt, ask_fiber, BSK_STATE(struct asker, server()))));
    ck_assert_str_eq(fix_said(), "42 ENOREPLY ETIMEDOUT ENOREPLY EDEAD EDEAD | "
                                 "42 ENOREPLY ETIMEDOUT ENOREPLY EDEAD EDEAD ");
    fix_stop(rt, 1);
}
END_TEST

START_TEST(an_ask_with_no_time_is_lost_and_not_handled)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, ask_as_told, BSK_STATE(struct asker, server())));
    bsk_tell(a, num, -4);
    bsk_advance(rt, 10);
    ck_assert_str_eq(fix_said(), "ETIMEDOUT ");
    fix_stop(rt, 0);
}
END_TEST

START_TEST(an_ask_of_a_full_mailbox_is_refused_and_brings_nothing)
{
    setup();
    bsk_addr full = fix_born(bsk_spawn(rt, sleep_on, .mailbox = 1));
    ck_assert_int_eq(bsk_try(full, num, 1), 0);
    bsk_addr a = fix_born(bsk_spawn(rt, ask_as_told, BSK_STATE(struct asker, full)));
    bsk_tell(a, num, 5);
    bsk_advance(rt, 100);
    ck_assert_str_eq(fix_said(), "EFULL ");
    fix_stop(rt, 0);
}
END_TEST

static void ask_many(bsk_self *self, bsk_msg *m)
{
    struct {
        bsk_addr to;
        int64_t left, sum;
    } *s = bsk_state(self);
    bsk_match(m) {
        bsk_on(stop_it, x) {
            for (int64_t i = 0; i < s->left; i++)
                ck_assert_int_eq(bsk_ask(self, s->to, 1000 + i, get, i % 4 ? i + 1 : -1), 0);
        }
        bsk_on_reply(get, n) {
            s->sum += n->v;
            s->left--;
        }
        bsk_on_no_reply(get, rc) {
            ck_assert(rc == BSK_ETIMEDOUT || rc == BSK_ENOREPLY);
            s->left--;
        }
        bsk_on(get, g) bsk_reply(g, get, .v = s->left ? -1 : s->sum);
    }
}

START_TEST(ten_thousand_asks_may_be_open)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, serve, .mailbox = 20000, BSK_STATE(bsk_pending, 0, 0)));
    struct {
        bsk_addr to;
        int64_t left, sum;
    } s = {a, 10000, 0};
    bsk_addr b = fix_born(bsk_spawn(rt, ask_many, .state = &s, .state_size = sizeof s));
    bsk_tell(b, stop_it);
    bsk_advance(rt, 12000);
    int64_t want = 0;
    for (int64_t i = 0; i < 10000; i++) want += i % 4 ? i + 2 : 0;
    const num *n = bsk_call(NULL, b, 10, get, 0);
    ck_assert(n && n->v == want);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(an_asker_may_end_while_its_asks_are_open)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, serve, .mailbox = 3000, BSK_STATE(bsk_pending, 0, 0)));
    struct {
        bsk_addr to;
        int64_t left, sum;
    } s = {a, 1000, 0};
    for (int how = 0; how < 3; how++) {
        bsk_addr b = fix_born(bsk_spawn(rt, ask_many, .state = &s, .state_size = sizeof s));
        bsk_tell(b, stop_it);
        if (how)
            bsk_advance(rt, how == 1 ? 0 : 500);
        else
            bsk_advance(rt, 0);
        ck_assert_int_eq(how == 2 ? bsk_stop(b, 10) : bsk_kill(b), 0);
        bsk_advance(rt, 5000);
    }
    bsk_tell(a, num, 9);
    bsk_advance(rt, 1);
    ck_assert_str_eq(fix_said(), "EDEAD ");
    fix_stop(rt, 0);
}
END_TEST

/* The right to reply. */

START_TEST(a_kept_right_is_used_once)
{
    setup();
    bsk_addr a = server();
    bsk_addr b = fix_born(bsk_spawn(rt, ask_as_told, BSK_STATE(struct asker, a)));
    bsk_tell(b, num, -1);
    bsk_advance(rt, 1);
    bsk_tell(a, num, 7);
    bsk_advance(rt, 1);
    bsk_tell(a, num, 8);
    bsk_advance(rt, 1);
    ck_assert(strcmp(fix_said(), "OK 7 EDEAD ") == 0);
    ck_assert_uint_eq(fix_dead(&num_bsk, BSK_DEAD_LATE), 1);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(a_reply_after_the_deadline_is_late)
{
    setup();
    bsk_addr a = server();
    bsk_addr b = fix_born(bsk_spawn(rt, ask_as_told, BSK_STATE(struct asker, a)));
    bsk_tell(b, num, -1);
    bsk_advance(rt, 60);
    bsk_tell(a, num, 7);
    bsk_advance(rt, 1);
    ck_assert_str_eq(fix_said(), "ETIMEDOUT EDEAD ");
    ck_assert_uint_eq(fix_dead(&num_bsk, BSK_DEAD_LATE), 1);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(a_right_lost_with_its_keeper_says_so)
{
    setup();
    for (int how = 0; how < 3; how++) {
        bsk_addr a = how == 1 ? fix_born(bsk_spawn(rt, serve_fiber, BSK_STATE(bsk_pending, 0, 0)))
                              : server();
        fix_born(bsk_spawn(rt, call_it, BSK_STATE(struct calls, a, -1)));
        bsk_advance(rt, 1);
        if (how == 0)
            bsk_tell(a, stop_it);
        else if (how == 1)
            ck_assert_int_eq(bsk_kill(a), 0);
        else
            ck_assert_int_eq(bsk_stop(a, 5), 0);
        bsk_advance(rt, 1);
    }
    ck_assert_str_eq(fix_said(), "ENOREPLY ENOREPLY ENOREPLY ");
    fix_stop(rt, 0);
}
END_TEST

struct keeper {
    bsk_pending keep[2000];
    int n;
};

static void keep_many(bsk_self *self, bsk_msg *m)
{
    struct keeper *k = bsk_state(self);
    bsk_match(m) {
        bsk_on(get, g) {
            k->keep[k->n] = bsk_later(g, get);
            ck_assert_uint_ne(k->keep[k->n++].node, 0);
        }
        bsk_on(num, n) {
            for (int i = (int)n->v; i < k->n; i += 2)
                ck_assert_int_eq(bsk_answer(k->keep[i], get, .v = i), 0);
        }
    }
}

START_TEST(many_rights_may_be_kept_and_some_are_lost_at_the_end)
{
    setup();
    static struct keeper k;
    bsk_addr a =
        fix_born(bsk_spawn(rt, keep_many, .state = &k, .state_size = sizeof k, .mailbox = 4000));
    struct {
        bsk_addr to;
        int64_t left, sum;
    } s = {a, 2000, 0};
    bsk_addr b = fix_born(bsk_spawn(rt, ask_many, .state = &s, .state_size = sizeof s));
    bsk_tell(b, stop_it);
    bsk_advance(rt, 1);
    bsk_tell(a, num, 1);
    bsk_advance(rt, 1);
    const num *n = bsk_call(NULL, b, 10, get, 0);
    ck_assert(n && n->v == -1);
    ck_assert_int_eq(bsk_kill(a), 0);
    bsk_advance(rt, 1);
    n = bsk_call(NULL, b, 10, get, 0);
    ck_assert(n && n->v == 1000 * 1000);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(a_zero_right_answers_nobody)
{
    setup();
    ck_assert_int_eq(bsk_answer(((bsk_pending){.node = 0}), get, .v = 1), BSK_EDEAD);
    bsk_addr a = server();
    ck_assert_int_eq(bsk_answer(((bsk_pending){.node = a.node}), get, .v = 1), BSK_EDEAD);
    ck_assert_int_eq(bsk_answer(((bsk_pending){.node = a.node, .ref = UINT64_MAX}), get, .v = 1),
                     BSK_EDEAD);
    ck_assert_int_eq(bsk_answer(((bsk_pending){.node = 1, .ref = 1}), get, .v = 1), BSK_EDEAD);
    fix_stop(rt, 0);
}
END_TEST

static bsk_pending handed;

static void hand_over(bsk_self *self, bsk_msg *m)
{
    ck_assert_ptr_nonnull(self);
    bsk_match(m) {
        bsk_on(get, g) {
            handed = bsk_later(g, get);
            fix_hit();
        }
    }
}

static void *answer_it(void *arg)
{
    fix_await(1);
    return bsk_answer(handed, get, .v = 5) == 0 ? arg : NULL;
}

START_TEST(a_right_may_be_used_from_any_thread)
{
    rt = bsk_start(.workers = 1, FIX_HOOKS);
    bsk_addr a = fix_born(bsk_spawn(rt, hand_over));
    pthread_t t;
    void *ok;
    ck_assert_int_eq(pthread_create(&t, NULL, answer_it, rt), 0);
    const num *n = bsk_call(NULL, a, BSK_FOREVER, get, 1);
    ck_assert(n && n->v == 5);
    pthread_join(t, &ok);
    ck_assert_ptr_eq(ok, rt);
    ck_assert_int_eq(bsk_answer(handed, get, .v = 6), BSK_EDEAD);
    fix_stop(rt, 0);
    ck_assert_int_eq(bsk_answer(handed, get, .v = 7), BSK_EDEAD);
}
END_TEST

static void reply_twice(bsk_self *self, bsk_msg *m)
{
    ck_assert_ptr_nonnull(self);
    bsk_match(m) {
        bsk_on(get, g) {
            ck_assert(!bsk_abandoned(g));
            ck_assert_int_eq(bsk_reply(g, get, .v = 1), 0);
            ck_assert(bsk_abandoned(g));
            ck_assert_int_eq(bsk_reply(g, get, .v = 2), BSK_EDEAD);
            bsk_pending p = bsk_later(g, get);
            ck_assert_int_eq(bsk_answer(p, get, .v = 3), BSK_EDEAD);
            fix_say("twice ");
        }
    }
}

START_TEST(only_the_first_reply_counts)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, reply_twice));
    const num *n = bsk_call(NULL, a, 10, get, 0);
    ck_assert(n && n->v == 1);
    ck_assert_str_eq(fix_said(), "twice ");
    ck_assert_uint_eq(fix_dead(&num_bsk, BSK_DEAD_LATE), 2);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(a_request_that_was_only_told_has_nobody_to_answer)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, send_parcel));
    bsk_tell(a, say, "hello");
    bsk_tell(a, borrow, 1);
    bsk_advance(rt, 1);
    ck_assert(bsk_alive(a));
    fix_stop(rt, 0);
}
END_TEST

/* Deadlines go with calls. */

struct link {
    bsk_addr next;
    int64_t ms;
    int times;
    bool says; /* answers -1 where it got no reply */
};

/* Passes a request on with much more time than its asker has. */
static void pass_on(bsk_self *self)
{
    struct link *l = bsk_state(self);
    bsk_msg *m;
    while ((m = bsk_recv(self, BSK_FOREVER))) {
        bsk_match(m) {
            bsk_on(get, g) {
                bsk_pending p = bsk_later(g, get);
                int64_t v = g->v;
                for (int i = 0; i < l->times; i++) {
                    const num *n = bsk_call(self, l->next, l->ms, get, v);
                    say_number(n ? "got" : bsk_errname(bsk_error(self)), bsk_now(rt));
                    if (n && i + 1 == l->times) bsk_answer(p, get, .v = n->v);
                    if (!n && l->says) bsk_answer(p, get, .v = -1);
                }
            }
        }
    }
}

START_TEST(a_chain_of_calls_ends_with_the_first_deadline)
{
    setup();
    bsk_addr last = fix_born(bsk_spawn(rt, sleep_on)), a = last;
    for (int i = 0; i < 5; i++)
        a = fix_born(bsk_spawn(rt, pass_on,
                               BSK_STATE(struct link, a, i % 2 ? BSK_FOREVER : 100000, 1, false)));
    lacks(bsk_call(NULL, a, 30, get, 1), NULL, BSK_ETIMEDOUT);
    ck_assert_int_eq(bsk_now(rt), 30);
    bsk_advance(rt, 1);
    ck_assert_str_eq(fix_said(), "ETIMEDOUT30 ETIMEDOUT30 ETIMEDOUT30 ETIMEDOUT30 ETIMEDOUT30 ");
    fix_stop(rt, 0);
}
END_TEST

START_TEST(a_shorter_deadline_of_ones_own_comes_first)
{
    setup();
    bsk_addr last = fix_born(bsk_spawn(rt, sleep_on));
    bsk_addr a = fix_born(bsk_spawn(rt, pass_on, BSK_STATE(struct link, last, 10, 1, true)));
    const num *n = bsk_call(NULL, a, 30, get, 1);
    ck_assert(n && n->v == -1);
    ck_assert_str_eq(fix_said(), "ETIMEDOUT10 ");
    fix_stop(rt, 0);
}
END_TEST

START_TEST(each_call_made_for_a_request_inherits_its_deadline)
{
    setup();
    bsk_addr last = fix_born(bsk_spawn(rt, sleep_on));
    bsk_addr a = fix_born(bsk_spawn(rt, pass_on, BSK_STATE(struct link, last, 20, 4, false)));
    lacks(bsk_call(NULL, a, 30, get, 1), NULL, BSK_ETIMEDOUT);
    bsk_advance(rt, 100);
    ck_assert_int_eq(strncmp(fix_said(), "ETIMEDOUT20 ETIMEDOUT30 ", 24), 0);
    fix_stop(rt, 0);
}
END_TEST

/* What is sent on may lie in what was received. */

static void send_on_text(bsk_self *self)
{
    bsk_addr to = *(bsk_addr *)bsk_state(self);
    const note *r = NULL;
    bsk_match(bsk_recv(self, 10)) {
        bsk_on(note, n) ck_assert_int_eq(bsk_send(self, to, 10, note, n->text), 0);
    }
    bsk_match(bsk_recv(self, 10)) {
        bsk_on(note, n) r = bsk_call(self, to, 10, say, n->text);
    }
    for (int i = 0; i < 5; i++) {
        ck_assert_ptr_nonnull(r);
        ck_assert_str_eq(r->text, "a text that was received and is sent on");
        r = bsk_call(self, to, 10, say, r->text);
    }
    ck_assert_int_eq(bsk_send(self, to, 10, note, r->text), 0);
}

static void check_text(bsk_self *self, bsk_msg *m)
{
    ck_assert_ptr_nonnull(self);
    bsk_match(m) {
        bsk_on(note, n) {
            ck_assert_str_eq(n->text, "a text that was received and is sent on");
            fix_say("note ");
        }
        bsk_on(say, s) bsk_reply(s, say, s->text);
    }
}

START_TEST(a_fiber_may_send_on_what_it_has_borrowed)
{
    setup();
    bsk_addr to = fix_born(bsk_spawn(rt, check_text));
    bsk_addr f = fix_born(bsk_spawn(rt, send_on_text, .state = &to, .state_size = sizeof to));
    for (int i = 0; i < 2; i++) bsk_tell(f, note, "a text that was received and is sent on");
    bsk_advance(rt, 1);
    ck_assert_str_eq(fix_said(), "note note ");
    fix_stop(rt, 0);
}
END_TEST

static void ask_on(bsk_self *self, bsk_msg *m)
{
    struct link *l = bsk_state(self);
    bsk_match(m) {
        bsk_on(get, g) {
            (void)bsk_later(g, get);
            ck_assert_int_eq(bsk_ask(self, l->next, l->ms, get, g->v), 0);
        }
        bsk_on_no_reply(get, rc) say_number(bsk_errname(rc), bsk_now(rt));
    }
}

START_TEST(an_ask_made_for_a_request_inherits_its_deadline)
{
    setup();
    bsk_addr last = fix_born(bsk_spawn(rt, sleep_on));
    bsk_addr a =
        fix_born(bsk_spawn(rt, ask_on, BSK_STATE(struct link, last, BSK_FOREVER, 0, false)));
    lacks(bsk_call(NULL, a, 40, get, 1), NULL, BSK_ETIMEDOUT);
    bsk_advance(rt, 1);
    ck_assert_str_eq(fix_said(), "ETIMEDOUT40 ");
    fix_stop(rt, 0);
}
END_TEST

static void send_on(bsk_self *self)
{
    struct link *l = bsk_state(self);
    bsk_match(bsk_recv(self, BSK_FOREVER)) {
        bsk_on(get, g) {
            int rc = bsk_send(self, l->next, l->ms, num, g->v);
            say_number(bsk_errname(rc), bsk_now(rt));
        }
    }
    /* The request is not in hand any more: nothing is inherited. */
    int rc = bsk_send(self, l->next, 100, num, 1);
    if (rc) say_number(bsk_errname(rc), bsk_now(rt));
    bsk_match(bsk_recv(self, 1000)) {
        bsk_on(get, g) continue;
    }
}

START_TEST(a_send_made_for_a_request_inherits_its_deadline)
{
    setup();
    bsk_addr full = fix_born(bsk_spawn(rt, sleep_on, .mailbox = 1));
    ck_assert_int_eq(bsk_try(full, num, 1), 0);
    bsk_addr a =
        fix_born(bsk_spawn(rt, send_on, BSK_STATE(struct link, full, BSK_FOREVER, 0, false)));
    lacks(bsk_call(NULL, a, 40, get, 1), NULL, BSK_ETIMEDOUT);
    bsk_advance(rt, 1);
    ck_assert_int_eq(strncmp(fix_said(), "ETIMEDOUT40 ", 12), 0);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(a_request_whose_time_is_over_is_skipped)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(
        rt, pass_on, BSK_STATE(struct link, fix_born(bsk_spawn(rt, sleep_on)), 100, 1, false)));
    fix_born(bsk_spawn(rt, call_it, BSK_STATE(struct calls, a, 1)));
    bsk_advance(rt, 1);
    fix_born(bsk_spawn(rt, call_it, BSK_STATE(struct calls, a, 2)));
    bsk_advance(rt, 200);
    /* The first held the actor until 50; by 51 the second had given up as well. */
    ck_assert_uint_eq(fix_dead(&get_bsk, BSK_DEAD_EXPIRED), 0);
    lacks(bsk_call(NULL, a, 0, get, 3), NULL, BSK_ETIMEDOUT);
    bsk_advance(rt, 1);
    ck_assert_uint_eq(fix_dead(&get_bsk, BSK_DEAD_EXPIRED), 1);
    fix_stop(rt, 0);
}
END_TEST

static void see_abandoned(bsk_self *self)
{
    bsk_match(bsk_recv(self, BSK_FOREVER)) {
        bsk_on(get, g) {
            while (!bsk_abandoned(g)) {
                bsk_pending p = bsk_later(g, get);
                ck_assert_uint_ne(p.node, 0);
                break;
            }
            fix_say(bsk_abandoned(g) ? "abandoned " : "awaited ");
        }
    }
    ck_assert_ptr_nonnull(self);
}

START_TEST(who_handles_a_request_can_ask_whether_anyone_waits)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, see_abandoned));
    lacks(bsk_call(NULL, a, 10, get, 1), NULL, BSK_ENOREPLY);
    ck_assert_str_eq(fix_said(), "awaited ");
    fix_stop(rt, 0);
}
END_TEST

/* Real threads. */

static void echo(bsk_self *self, bsk_msg *m)
{
    ck_assert_ptr_nonnull(self);
    bsk_match(m) {
        bsk_on(get, g) bsk_reply(g, get, .v = g->v);
        bsk_on(say, s) bsk_reply(s, say, .text = s->text);
    }
}

static void *call_many(void *to)
{
    for (int64_t i = 1; i < 2000; i++) {
        const num *n = bsk_call(NULL, *(bsk_addr *)to, i % 10 ? BSK_FOREVER : 0, get, i);
        if (n ? n->v != i : bsk_error(NULL) != BSK_ETIMEDOUT) return NULL;
    }
    return to;
}

static void call_many_fiber(bsk_self *self)
{
    bsk_addr to = *(bsk_addr *)bsk_state(self);
    for (int64_t i = 1; i < 3000; i++) {
        const num *n = bsk_call(self, to, i % 10 ? BSK_FOREVER : i % 3, get, i);
        ck_assert(n ? n->v == i : bsk_error(self) == BSK_ETIMEDOUT);
    }
}

START_TEST(threads_and_fibers_call_at_once)
{
    rt = bsk_start(.workers = 2, .quiet = true);
    bsk_addr a = fix_born(bsk_spawn(rt, echo, .mailbox = 2));
    pthread_t t[3];
    void *ok;
    for (int i = 0; i < 4; i++)
        fix_born(bsk_spawn(rt, call_many_fiber, .state = &a, .state_size = sizeof a));
    for (int i = 0; i < 3; i++) ck_assert_int_eq(pthread_create(&t[i], NULL, call_many, &a), 0);
    for (int i = 0; i < 3; i++) {
        pthread_join(t[i], &ok);
        ck_assert_ptr_eq(ok, &a);
    }
    bsk_stats_out out;
    do bsk_stats(rt, &out);
    while (out.actors > 1);
    fix_stop(rt, 0);
}
END_TEST

FIX_MAIN("ask", 30, a_thread_calls_and_gets_the_reply_or_why_not,
         a_call_with_no_time_left_is_not_handled, a_reply_may_be_of_any_size,
         a_threads_last_reply_outlives_the_runtime, a_threads_last_reply_goes_with_the_thread,
         a_fiber_calls_and_gets_the_reply_or_why_not, a_call_to_oneself_is_refused_at_once,
         a_fiber_borrows_a_reply_until_its_next_wait, a_call_waits_for_room_first,
         a_request_dropped_by_policy_is_lost, an_ask_brings_the_reply_or_why_not_once,
         an_ask_with_no_time_is_lost_and_not_handled,
         an_ask_of_a_full_mailbox_is_refused_and_brings_nothing, ten_thousand_asks_may_be_open,
         an_asker_may_end_while_its_asks_are_open, a_kept_right_is_used_once,
         a_reply_after_the_deadline_is_late, a_right_lost_with_its_keeper_says_so,
         many_rights_may_be_kept_and_some_are_lost_at_the_end, a_zero_right_answers_nobody,
         a_right_may_be_used_from_any_thread, only_the_first_reply_counts,
         a_request_that_was_only_told_has_nobody_to_answer,
         a_chain_of_calls_ends_with_the_first_deadline, a_shorter_deadline_of_ones_own_comes_first,
         each_call_made_for_a_request_inherits_its_deadline,
         a_fiber_may_send_on_what_it_has_borrowed, an_ask_made_for_a_request_inherits_its_deadline,
         a_send_made_for_a_request_inherits_its_deadline, a_request_whose_time_is_over_is_skipped,
         who_handles_a_request_can_ask_whether_anyone_waits, threads_and_fibers_call_at_once)
