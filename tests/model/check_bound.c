/* SPDX-License-Identifier: MIT */
/* check_bound.c - the mailbox's bound: exact with any number of senders, over the wrap of its
 * counts and with a margin; who is refused was refused by a full mailbox; who waits for room gets
 * it.
 *
 * ctest: timeout=120 */
#include "blocks.h"

#include <check.h>
#include <stdlib.h>

static uint32_t capacity, held; /* held follows the queue's own steps, without one between */
static uint32_t margin;         /* thread 0's */
static int sent, refused, wakers;
static struct mdl_park room[BLOCK_OWNERS];
static _Atomic bool told;
static bool deaf;                   /* until told */
static bool deaf_again;             /* when it has handled what was there */
static struct bsk_msg *passed_over; /* by a selective receive: it keeps its place */

static void reset(uint32_t places, uint64_t before)
{
    blocks_reset(places);
    memset(room, 0, sizeof room);
    capacity = places;
    held = margin = 0;
    sent = refused = wakers = 0;
    deaf = deaf_again = false;
    passed_over = NULL;
    atomic_init(&told, false);
    atomic_init(&in.word, before << 48);
    atomic_init(&in.seen, before);
    atomic_init(&out.popped, before);
}

static void one_place(void)
{
    reset(1, 0);
}

static void two_places(void)
{
    reset(2, 0);
}

static void two_places_at_the_wrap(void)
{
    reset(2, 65535);
}

static void wake_waiters(void)
{
    for (int i = 0; i < BLOCK_OWNERS; i++) mdl_unpark(&room[i]);
}

static void handle_one(struct bsk_msg *m)
{
    struct block *b = block_of(m);
    mdl_read(b);
    mdl_assert(b->number > last[b->sender]);
    last[b->sender] = b->number;
    handled++;
    mbox_popped(&out);
    held--;
    if (mbox_done(&out, m)) block_release(m);
}

static void collect(void)
{
    if (passed_over) handle_one(passed_over);
    passed_over = NULL;
    struct bsk_msg *m, *mark = mbox_collect(&in, &out);
    mdl_write(&out);
    if (mark && mark->done) block_release(mark);
    while ((m = mbox_next(&out))) handle_one(m);
}

static void consume(void)
{
    enum mbox_parked parked = MBOX_STAYS;
    struct bsk_msg *mark = NULL;
    mdl_assert(++wakers == 1);
    while (parked == MBOX_STAYS) {
        consumer_begins();
        wakers = 0;
        mbox_attend(&in);
        if (atomic_load_explicit(&told, memory_order_relaxed)) deaf = false;
        if (!deaf) collect();
        if (!atomic_load_explicit(&told, memory_order_relaxed)) deaf |= deaf_again;
        consumer_ends();
        parked = mbox_park(&in, &out, deaf ? MBOX_DEAF : MBOX_IDLE, &mark);
        if (parked == MBOX_STAYS && mbox_take_want(&in)) wake_waiters();
    }
    if (mark) block_release(mark);
    if (parked == MBOX_PARKED_WANT) wake_waiters();
}

static enum mbox_result push(struct block *b, uint32_t spare)
{
    enum mbox_result r = mbox_push_at_once(&in, block_message(b), spare);
    if (r == MBOX_FULL) r = mbox_push(&in, &out, block_message(b), spare);
    if (r == MBOX_FULL) return r;
    sent++;
    mdl_assert(++held + spare <= capacity);
    if (r == MBOX_WOKE) consume();
    return r;
}

static void send_some(int n)
{
    for (int i = 1; i <= n; i++) {
        struct block *b = block_take(i);
        if (push(b, mdl_self() == 0 ? margin : 0) != MBOX_FULL) continue;
        refused++;
        block_release(block_message(b));
    }
}

static void send_one(void)
{
    send_some(1);
}

static void send_two(void)
{
    send_some(2);
}

static void each_was_handled_or_refused(void)
{
    mdl_assert(handled == sent && sent > 0 && held == 0);
    all_is_quiet();
}

START_TEST(the_bound_is_exact_with_three_senders)
{
    mdl_run(&(struct mdl_program){.name = "three senders, one place",
                                  .setup = one_place,
                                  .threads = {send_two, send_one, send_one},
                                  .preemptions = 2,
                                  .stale = 1,
                                  .check = each_was_handled_or_refused});
    mdl_run(&(struct mdl_program){.name = "three senders, two places",
                                  .setup = two_places,
                                  .threads = {send_two, send_two, send_one},
                                  .preemptions = 2,
                                  .stale = 1,
                                  .check = each_was_handled_or_refused});
}
END_TEST

START_TEST(the_bound_is_exact_over_the_wrap)
{
    mdl_run(&(struct mdl_program){.name = "two senders at the wrap",
                                  .setup = two_places_at_the_wrap,
                                  .threads = {send_two, send_two},
                                  .preemptions = 2,
                                  .check = each_was_handled_or_refused});
}
END_TEST

static void with_margin(void)
{
    two_places();
    margin = 1;
}

START_TEST(a_margin_stays_free)
{
    mdl_run(&(struct mdl_program){.name = "a sender with a margin",
                                  .setup = with_margin,
                                  .threads = {send_two, send_two},
                                  .preemptions = 2,
                                  .check = each_was_handled_or_refused});
}
END_TEST

/* An empty mailbox whose consumer has gone idle takes what comes, even if the sender has learned of
 * that by a relaxed load only. */
static bool was_parked(void *arg)
{
    (void)arg;
    uint64_t w = atomic_load_explicit(&in.word, memory_order_relaxed);
    return (w & MBOX_STATE) == MBOX_IDLE && w >> 48 == 1;
}

static void send_after_park(void)
{
    mdl_wait(was_parked, NULL);
    struct block *b = block_take(1);
    mdl_assert(push(b, 0) == MBOX_WOKE);
}

START_TEST(who_sees_the_consumer_idle_is_not_refused)
{
    mdl_run(&(struct mdl_program){.name = "a sender after the park",
                                  .setup = one_place,
                                  .threads = {send_one, send_after_park},
                                  .check = each_was_handled_or_refused});
}
END_TEST

static void send_waiting(void)
{
    struct block *b = block_take(1);
    while (push(b, 0) == MBOX_FULL)
        if (mbox_want(&in, &out)) mdl_park(&room[mdl_self()]);
}

/* Thread 0 is the consumer, about to sleep deaf, with its only place taken. */
static void deaf_and_full(void)
{
    reset(1, 0);
    mbox_push(&in, &out, block_message(block_take(1)), 0);
    held = sent = 1;
    deaf = true;
}

static void tell(void)
{
    atomic_store_explicit(&told, true, memory_order_relaxed);
    if (mbox_poke(&in)) consume();
}

static void tell_and_wait_for_room(void)
{
    tell();
    send_waiting();
}

/* It handles what is there, and then waits for a reply that comes when the waiter has sent. */
static void deaf_after_work(void)
{
    deaf_and_full();
    deaf = false;
    deaf_again = true;
}

static void send_waiting_and_tell(void)
{
    send_waiting();
    tell();
}

START_TEST(nobody_sleeps_deaf_on_waiters_that_there_is_room_for)
{
    mdl_run(&(struct mdl_program){.name = "a waiter before one who becomes deaf",
                                  .setup = deaf_after_work,
                                  .threads = {consume, send_waiting_and_tell},
                                  .check = each_was_handled_or_refused});
}
END_TEST

/* Idle, its only place kept by a message that was passed over. */
static void idle_and_full(void)
{
    struct bsk_msg *mark;
    deaf_and_full();
    deaf = false;
    mbox_collect(&in, &out);
    passed_over = mbox_next(&out);
    mbox_park(&in, &out, MBOX_IDLE, &mark);
}

START_TEST(a_waiter_gets_the_place_of_what_was_passed_over)
{
    mdl_run(&(struct mdl_program){.name = "a waiter and a message passed over",
                                  .setup = idle_and_full,
                                  .threads = {tell, send_waiting},
                                  .check = each_was_handled_or_refused});
}
END_TEST

START_TEST(waiters_get_room_from_who_was_deaf)
{
    mdl_run(&(struct mdl_program){.name = "two waiters before one who is deaf",
                                  .setup = deaf_and_full,
                                  .threads = {consume, send_waiting, tell_and_wait_for_room},
                                  .preemptions = 2,
                                  .stale = 1,
                                  .check = each_was_handled_or_refused});
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("bound");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, the_bound_is_exact_with_three_senders);
    tcase_add_test(tc, the_bound_is_exact_over_the_wrap);
    tcase_add_test(tc, a_margin_stays_free);
    tcase_add_test(tc, who_sees_the_consumer_idle_is_not_refused);
    tcase_add_test(tc, nobody_sleeps_deaf_on_waiters_that_there_is_room_for);
    tcase_add_test(tc, a_waiter_gets_the_place_of_what_was_passed_over);
    tcase_add_test(tc, waiters_get_room_from_who_was_deaf);

    Suite *suite = suite_create("bound");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
