/* SPDX-License-Identifier: MIT */
/* check_queue.c - the bounded mailbox: its rules one by one, then four threads at once.
 *
 * ctest: timeout=120 */
#include "mailbox/memory.h"
#include "mailbox/pool.h"
#include "mailbox/queue.h"
#include "tests/sanitizers.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCKS = 64 };

static struct mbox_in in;
static struct mbox_out out;
static alignas(64) unsigned char memory[BLOCKS][64];
static unsigned used;

static void with_capacity(uint32_t capacity)
{
    memset(&in, 0, sizeof in);
    memset(&out, 0, sizeof out);
    atomic_init(&in.capacity, capacity);
    used = 0;
}

static void setup(void)
{
    with_capacity(4);
}

static struct bsk_msg *message(void)
{
    ck_assert_uint_lt(used, BLOCKS);
    struct bsk_msg *m = (struct bsk_msg *)(void *)memory[used];
    memset((void *)m, 0, sizeof *m);
    m->ref = used++;
    return m;
}

static enum mbox_result push(struct bsk_msg *m)
{
    return mbox_push(&in, &out, m, 0);
}

static uint64_t state(void)
{
    return atomic_load(&in.word) & MBOX_STATE;
}

/* Takes the next message as a consumer does, collecting if need be. */
static struct bsk_msg *take(void)
{
    if (!out.list) mbox_collect(&in, &out);
    struct bsk_msg *m = mbox_next(&out);
    if (m && m->lane == MSG_USER) mbox_popped(&out);
    return m;
}

static void expect_taken(uint64_t number)
{
    struct bsk_msg *m = take();
    ck_assert_ptr_nonnull(m);
    ck_assert_uint_eq(m->ref, number);
    mbox_done(&out, m);
}

static enum mbox_parked park(uint64_t how)
{
    struct bsk_msg *mark;
    return mbox_park(&in, &out, how, &mark);
}

START_TEST(zero_is_an_idle_empty_mailbox_without_room)
{
    with_capacity(0);
    ck_assert_uint_eq(state(), MBOX_IDLE);
    ck_assert_uint_eq(mbox_len(&in, &out), 0);
    ck_assert_int_eq(push(message()), MBOX_FULL);
    ck_assert_ptr_null(take());
}
END_TEST

START_TEST(the_first_push_wakes_and_only_it)
{
    ck_assert_int_eq(push(message()), MBOX_WOKE);
    ck_assert_int_eq(push(message()), MBOX_QUEUED);
    expect_taken(0);
    ck_assert_int_eq(push(message()), MBOX_QUEUED);
    expect_taken(1);
    expect_taken(2);
    ck_assert_int_eq(park(MBOX_IDLE), MBOX_PARKED);
    ck_assert_int_eq(push(message()), MBOX_WOKE);
}
END_TEST

START_TEST(messages_come_in_the_order_sent_over_several_collects)
{
    uint64_t next = 0;
    with_capacity(BLOCKS);
    for (int round = 1; round < 8; round++) {
        for (int i = 0; i < round; i++) ck_assert_int_ne(push(message()), MBOX_FULL);
        for (int i = 0; i < round / 2; i++) expect_taken(next++);
    }
    while (next < used) expect_taken(next++);
    ck_assert_ptr_null(take());
}
END_TEST

START_TEST(a_full_mailbox_refuses_and_the_message_stays_the_senders)
{
    for (int i = 0; i < 4; i++) ck_assert_int_ne(push(message()), MBOX_FULL);
    struct bsk_msg *late = message();
    ck_assert_int_eq(push(late), MBOX_FULL);
    ck_assert_int_eq(push(late), MBOX_FULL);
    ck_assert_uint_eq(mbox_len(&in, &out), 4);
    expect_taken(0);
    ck_assert_int_eq(push(late), MBOX_QUEUED);
    ck_assert_int_eq(push(message()), MBOX_FULL);
    for (uint64_t i = 1; i < 5; i++) expect_taken(i);
}
END_TEST

START_TEST(a_message_counts_until_it_is_popped)
{
    with_capacity(1);
    push(message());
    mbox_collect(&in, &out);
    struct bsk_msg *m = mbox_next(&out);
    ck_assert_uint_eq(mbox_len(&in, &out), 1);
    ck_assert_int_eq(push(message()), MBOX_FULL);
    mbox_popped(&out);
    ck_assert_uint_eq(mbox_len(&in, &out), 0);
    ck_assert_int_eq(push(message()), MBOX_QUEUED);
    ck_assert(!mbox_done(&out, m));
}
END_TEST

START_TEST(a_margin_keeps_places_free)
{
    ck_assert_int_eq(mbox_push(&in, &out, message(), 4), MBOX_FULL);
    ck_assert_int_eq(mbox_push(&in, &out, message(), 3), MBOX_WOKE);
    ck_assert_int_eq(mbox_push(&in, &out, message(), 3), MBOX_FULL);
    ck_assert_int_eq(mbox_push(&in, &out, message(), 2), MBOX_QUEUED);
    ck_assert_int_eq(mbox_push(&in, &out, message(), 65535), MBOX_FULL);
    ck_assert_uint_eq(mbox_len(&in, &out), 2);
}
END_TEST

START_TEST(signals_take_no_place_and_are_not_refused)
{
    with_capacity(1);
    push(message());
    for (int i = 0; i < 3; i++) {
        struct bsk_msg *s = message();
        s->lane = MSG_SIGNAL;
        ck_assert(!mbox_push_urgent(&in, s));
    }
    ck_assert_uint_eq(mbox_len(&in, &out), 1);
    for (uint64_t i = 0; i < 4; i++) expect_taken(i);
    ck_assert_uint_eq(mbox_len(&in, &out), 0);
}
END_TEST

START_TEST(a_closed_mailbox_takes_signals_only)
{
    push(message());
    uint64_t w = atomic_load(&in.word);
    while (!mbox_close(&in, &w)) {
    }
    ck_assert_int_eq(push(message()), MBOX_SHUT);
    struct bsk_msg *s = message();
    s->lane = MSG_SIGNAL;
    ck_assert(!mbox_push_urgent(&in, s));
    expect_taken(0);
    expect_taken(2);
    mbox_attend(&in);
    ck_assert_int_eq(park(MBOX_IDLE), MBOX_PARKED);
    ck_assert_int_eq(push(message()), MBOX_SHUT);
    mbox_open(&in);
    ck_assert_int_eq(push(message()), MBOX_WOKE);
}
END_TEST

START_TEST(closing_fails_on_another_word)
{
    uint64_t w = atomic_load(&in.word), before = w;
    push(message());
    ck_assert(!mbox_close(&in, &w));
    ck_assert_uint_ne(w, before);
    ck_assert(!(atomic_load(&in.word) & MBOX_CLOSED));
}
END_TEST

START_TEST(the_last_park_begins_an_era)
{
    uint64_t before = atomic_load(&in.word);
    ck_assert(mbox_poke(&in));
    ck_assert_int_eq(park(MBOX_IDLE), MBOX_PARKED);
    ck_assert_uint_eq(atomic_load(&in.word), before);
    ck_assert(mbox_poke(&in));
    ck_assert_int_eq(park(MBOX_IDLE | MBOX_ERA), MBOX_PARKED);
    ck_assert_uint_eq(atomic_load(&in.word), before ^ MBOX_ERA);
    ck_assert_int_eq(push(message()), MBOX_WOKE);
    expect_taken(0);
}
END_TEST

START_TEST(who_is_deaf_is_not_woken_by_messages)
{
    push(message());
    ck_assert_int_eq(park(MBOX_DEAF), MBOX_PARKED);
    ck_assert_int_eq(push(message()), MBOX_QUEUED);
    ck_assert_uint_eq(state(), MBOX_DEAF);
    ck_assert(mbox_poke(&in));
    ck_assert_uint_eq(state(), MBOX_BUSY);
    expect_taken(0);
    expect_taken(1);
}
END_TEST

START_TEST(who_is_deaf_is_woken_by_a_signal)
{
    struct bsk_msg *s = message();
    ck_assert(mbox_poke(&in));
    ck_assert_int_eq(park(MBOX_DEAF), MBOX_PARKED);
    s->lane = MSG_REPLY;
    ck_assert(mbox_push_urgent(&in, s));
    expect_taken(0);
}
END_TEST

START_TEST(nobody_sleeps_on_what_is_not_examined)
{
    push(message());
    ck_assert_int_eq(park(MBOX_IDLE), MBOX_STAYS);
    expect_taken(0);
    ck_assert(!mbox_poke(&in));
    ck_assert_int_eq(park(MBOX_IDLE), MBOX_STAYS);
    ck_assert_int_eq(park(MBOX_DEAF), MBOX_STAYS);
    ck_assert(mbox_has_more(&in, &out));
    mbox_attend(&in);
    ck_assert(!mbox_has_more(&in, &out));
    ck_assert_int_eq(park(MBOX_IDLE), MBOX_PARKED);
    ck_assert(mbox_poke(&in));
}
END_TEST

START_TEST(waiting_for_room_is_said_only_before_a_full_mailbox)
{
    with_capacity(1);
    ck_assert(!mbox_want(&in, &out));
    push(message());
    ck_assert(mbox_want(&in, &out));
    ck_assert(mbox_want(&in, &out));
    ck_assert(mbox_take_want(&in));
    ck_assert(!mbox_take_want(&in));
    ck_assert(mbox_want(&in, &out));
    expect_taken(0);
    ck_assert(!mbox_want(&in, &out));
    ck_assert_int_eq(park(MBOX_IDLE), MBOX_PARKED_WANT);
    ck_assert_int_eq(atomic_load(&in.word) & MBOX_WANT, 0);
}
END_TEST

START_TEST(nobody_waits_before_a_closed_mailbox)
{
    with_capacity(1);
    push(message());
    uint64_t w = atomic_load(&in.word);
    while (!mbox_close(&in, &w)) {
    }
    ck_assert(!mbox_want(&in, &out));
}
END_TEST

START_TEST(who_is_deaf_does_not_sleep_on_waiters_that_it_has_room_for)
{
    with_capacity(1);
    push(message());
    ck_assert(mbox_want(&in, &out));
    ck_assert_int_eq(park(MBOX_DEAF), MBOX_PARKED);
    ck_assert(mbox_poke(&in));
    expect_taken(0);
    ck_assert_int_eq(park(MBOX_DEAF), MBOX_STAYS);
    ck_assert(mbox_take_want(&in));
    ck_assert_int_eq(park(MBOX_DEAF), MBOX_PARKED);
}
END_TEST

START_TEST(the_block_of_a_mark_is_free_with_the_next_mark_or_the_park)
{
    struct bsk_msg *a = message(), *b = message(), *c = message(), *mark;
    push(a);
    push(b);
    ck_assert_ptr_null(mbox_collect(&in, &out));
    ck_assert(mbox_done(&out, mbox_next(&out)));
    ck_assert(!mbox_done(&out, mbox_next(&out)));
    ck_assert_uint_eq(b->done, 1);
    push(c);
    ck_assert_ptr_eq(mbox_collect(&in, &out), b);
    ck_assert(!mbox_done(&out, mbox_next(&out)));
    for (int i = 0; i < 3; i++) mbox_popped(&out);
    ck_assert_int_eq(mbox_park(&in, &out, MBOX_IDLE, &mark), MBOX_PARKED);
    ck_assert_ptr_eq(mark, c);
    push(a);
    ck_assert_ptr_null(mbox_collect(&in, &out));
    ck_assert_ptr_eq(mbox_next(&out), a);
}
END_TEST

START_TEST(a_deaf_sleeper_keeps_its_mark)
{
    struct bsk_msg *a = message(), *b = message(), *mark;
    push(a);
    mbox_collect(&in, &out);
    ck_assert(!mbox_done(&out, mbox_next(&out)));
    ck_assert_int_eq(mbox_park(&in, &out, MBOX_DEAF, &mark), MBOX_PARKED);
    ck_assert_ptr_null(mark);
    push(b);
    ck_assert(mbox_poke(&in));
    ck_assert_ptr_eq(mbox_collect(&in, &out), a);
    ck_assert_ptr_eq(mbox_next(&out), b);
}
END_TEST

START_TEST(a_mark_that_is_not_done_is_not_given_away)
{
    struct bsk_msg *a = message(), *mark;
    push(a);
    mbox_collect(&in, &out);
    mbox_next(&out);
    mbox_popped(&out);
    ck_assert_int_eq(mbox_park(&in, &out, MBOX_IDLE, &mark), MBOX_PARKED);
    ck_assert_ptr_null(mark);
    ck_assert(mbox_done(&out, a));
}
END_TEST

START_TEST(an_unmarked_block_is_pushed_again)
{
    struct bsk_msg *a = message(), *b = message();
    a->lane = MSG_SIGNAL;
    for (int i = 0; i < 3; i++) {
        mbox_push_urgent(&in, a);
        mbox_collect(&in, &out);
        ck_assert_ptr_eq(mbox_next(&out), a);
        if (i == 1) push(b);
        mbox_unmark(&in, &out);
        if (i == 1) ck_assert_ptr_eq(mbox_next(&out), b);
    }
    mbox_attend(&in);
    mbox_popped(&out);
    ck_assert_int_eq(park(MBOX_IDLE), MBOX_PARKED);
}
END_TEST

START_TEST(the_bound_is_exact_over_many_wraps_of_the_counts)
{
    with_capacity(3);
    uint64_t sent = 0, taken = 0;
    struct bsk_msg *m[4];
    for (int i = 0; i < 4; i++) m[i] = message();
    while (taken < 200000) {
        while (push(m[sent % 4]) != MBOX_FULL) sent++;
        ck_assert_uint_eq(sent - taken, 3);
        for (uint64_t n = sent % 3; n < 3; n++, taken++) ck_assert_ptr_eq(take(), m[taken % 4]);
        mbox_unmark(&in, &out);
    }
}
END_TEST

START_TEST(the_largest_capacity_is_exact)
{
    enum { MOST = 65535 };
    with_capacity(MOST);
    unsigned char *at = mem_aligned(64, ((size_t)MOST + 1) * 64);
    ck_assert_ptr_nonnull(at);
    memset(at, 0, ((size_t)MOST + 1) * 64);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < MOST; i++)
            ck_assert_int_ne(push((struct bsk_msg *)(void *)(at + 64 * i)), MBOX_FULL);
        ck_assert_uint_eq(mbox_len(&in, &out), MOST);
        ck_assert_int_eq(push((struct bsk_msg *)(void *)(at + 64 * (size_t)MOST)), MBOX_FULL);
        for (size_t i = 0; i < MOST; i++) ck_assert_ptr_nonnull(take());
        ck_assert_int_eq(park(MBOX_IDLE), MBOX_PARKED);
    }
    mem_free(at);
}
END_TEST

/* Four threads: each sends to the mailbox, and is its consumer when it woke it. Two of them wait
 * for room, one pokes, one sends signals between. */

enum { THREADS = 4, EACH = 100000 / (SANITIZED ? 10 : 1), PLACES = 16 };

struct letter {
    int from, number;
};

struct sender {
    struct pool_cache cache;
    int name, sent, refused, signals;
    pthread_mutex_t lock;
    pthread_cond_t room;
    bool woken;
};

static struct pool pool;
static struct sender senders[THREADS];
static struct {
    int last[THREADS], handled, signals, told;
} seen; /* the consumer's */
static _Atomic int told;

static void wake_waiters(void)
{
    for (int i = 0; i < THREADS; i++) {
        pthread_mutex_lock(&senders[i].lock);
        senders[i].woken = true;
        pthread_cond_signal(&senders[i].room);
        pthread_mutex_unlock(&senders[i].lock);
    }
}

static void handle(struct sender *me, struct bsk_msg *m)
{
    struct letter *l = (void *)m->body;
    if (m->lane == MSG_USER) {
        mbox_popped(&out);
        ck_assert_int_gt(l->number, seen.last[l->from]);
        seen.last[l->from] = l->number;
        seen.handled++;
    } else {
        seen.signals++;
    }
    if (mbox_done(&out, m)) pool_put(&me->cache, m);
}

static void consume(struct sender *me)
{
    struct bsk_msg *m, *mark;
    enum mbox_parked parked;
    do {
        mbox_attend(&in);
        seen.told = atomic_load_explicit(&told, memory_order_relaxed);
        mark = mbox_collect(&in, &out);
        if (mark && mark->done) pool_put(&me->cache, mark);
        ck_assert_uint_le(mbox_len(&in, &out), PLACES);
        while ((m = mbox_next(&out))) handle(me, m);
        parked = mbox_park(&in, &out, MBOX_IDLE, &mark);
        if (parked == MBOX_STAYS && mbox_take_want(&in)) wake_waiters();
    } while (parked == MBOX_STAYS);
    if (mark) pool_put(&me->cache, mark);
    if (parked == MBOX_PARKED_WANT) wake_waiters();
}

/* WANT stands for all who wait, so all are woken, and say it again. */
static void wait_for_room(struct sender *me)
{
    pthread_mutex_lock(&me->lock);
    me->woken = false;
    pthread_mutex_unlock(&me->lock);
    if (!mbox_want(&in, &out)) return;
    pthread_mutex_lock(&me->lock);
    while (!me->woken) pthread_cond_wait(&me->room, &me->lock);
    pthread_mutex_unlock(&me->lock);
}

static struct bsk_msg *write_letter(struct sender *me, int number)
{
    struct bsk_msg *m = pool_get(&me->cache, MSG_HEAD + sizeof(struct letter));
    ck_assert_ptr_nonnull(m);
    struct letter *l = (void *)m->body;
    m->done = 0;
    m->lane = MSG_USER;
    *l = (struct letter){me->name, number};
    return m;
}

static void send(struct sender *me, int number)
{
    struct bsk_msg *m = write_letter(me, number);
    for (;;) {
        enum mbox_result r = push(m);
        if (r == MBOX_WOKE) consume(me);
        if (r != MBOX_FULL) {
            me->sent++;
            return;
        }
        if (me->name >= 2) break;
        wait_for_room(me);
    }
    me->refused++;
    pool_put(&me->cache, m);
}

static void *take_part(void *arg)
{
    struct sender *me = arg;
    for (int i = 1; i <= EACH; i++) {
        send(me, i);
        if (me->name == 3 && i % 8 == 0) {
            struct bsk_msg *s = write_letter(me, 0);
            s->lane = MSG_SIGNAL;
            me->signals++;
            if (mbox_push_urgent(&in, s)) consume(me);
        }
        if (me->name == 2 && i % 8 == 0) {
            atomic_store_explicit(&told, i, memory_order_relaxed);
            if (mbox_poke(&in)) consume(me);
        }
    }
    return NULL;
}

START_TEST(four_threads_lose_nothing)
{
    pthread_t threads[THREADS];
    int sent = 0, signals = 0;
    with_capacity(PLACES);
    ck_assert_int_eq(pool_init(&pool), 0);
    for (int i = 0; i < THREADS; i++) {
        senders[i].name = i;
        pool_cache_init(&senders[i].cache, &pool);
        pthread_mutex_init(&senders[i].lock, NULL);
        pthread_cond_init(&senders[i].room, NULL);
    }
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_part, &senders[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(senders[i].sent + senders[i].refused, EACH);
        sent += senders[i].sent;
        signals += senders[i].signals;
        pool_cache_flush(&senders[i].cache);
    }
    ck_assert_int_eq(seen.handled, sent);
    ck_assert_int_eq(seen.signals, signals);
    ck_assert_int_eq(seen.told, EACH / 8 * 8);
    ck_assert_uint_eq(state(), MBOX_IDLE);
    ck_assert_uint_eq(mbox_len(&in, &out), 0);
    pool_trim(&pool);
    ck_assert_uint_eq(atomic_load(&pool.mapped), 0);
    pool_fini(&pool);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("queue");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, zero_is_an_idle_empty_mailbox_without_room);
    tcase_add_test(tc, the_first_push_wakes_and_only_it);
    tcase_add_test(tc, messages_come_in_the_order_sent_over_several_collects);
    tcase_add_test(tc, a_full_mailbox_refuses_and_the_message_stays_the_senders);
    tcase_add_test(tc, a_message_counts_until_it_is_popped);
    tcase_add_test(tc, a_margin_keeps_places_free);
    tcase_add_test(tc, signals_take_no_place_and_are_not_refused);
    tcase_add_test(tc, a_closed_mailbox_takes_signals_only);
    tcase_add_test(tc, closing_fails_on_another_word);
    tcase_add_test(tc, the_last_park_begins_an_era);
    tcase_add_test(tc, who_is_deaf_is_not_woken_by_messages);
    tcase_add_test(tc, who_is_deaf_is_woken_by_a_signal);
    tcase_add_test(tc, nobody_sleeps_on_what_is_not_examined);
    tcase_add_test(tc, waiting_for_room_is_said_only_before_a_full_mailbox);
    tcase_add_test(tc, nobody_waits_before_a_closed_mailbox);
    tcase_add_test(tc, who_is_deaf_does_not_sleep_on_waiters_that_it_has_room_for);
    tcase_add_test(tc, the_block_of_a_mark_is_free_with_the_next_mark_or_the_park);
    tcase_add_test(tc, a_deaf_sleeper_keeps_its_mark);
    tcase_add_test(tc, a_mark_that_is_not_done_is_not_given_away);
    tcase_add_test(tc, an_unmarked_block_is_pushed_again);
    tcase_add_test(tc, the_bound_is_exact_over_many_wraps_of_the_counts);
    tcase_add_test(tc, the_largest_capacity_is_exact);
    tcase_add_test(tc, four_threads_lose_nothing);

    Suite *suite = suite_create("queue");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
