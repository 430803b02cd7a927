/* SPDX-License-Identifier: MIT */
/* check_park.c - the mailbox's sleep: deaf to user messages, or closed, or with a block that is
 * pushed again, the consumer misses nothing that it should look at, and is woken by exactly one.
 *
 * ctest: timeout=120 */
#include "blocks.h"

#include <check.h>
#include <stdlib.h>

static _Atomic int told; /* what pokes announce: a bit for each teller */
static int awaited;      /* what the sleeper is deaf for: these bits, or a reply */
static bool answered;    /* the sleeper's: it came */
static int heard;        /* the sleeper's */
static int wakers;       /* since the last sleep */
static int sent, shut, full;

static void reset(uint32_t capacity, int waits_for)
{
    blocks_reset(capacity);
    atomic_init(&told, 0);
    awaited = waits_for;
    answered = false;
    heard = wakers = sent = shut = full = 0;
}

static void look(void)
{
    heard = atomic_load_explicit(&told, memory_order_relaxed);
    if (awaited && (heard & awaited) == awaited) answered = true;
}

/* A fiber's turns: deaf until what it awaits has come, then it handles its messages. A reply is
 * such a message, too: it looks for one among those that came. */
static void take_turns(void)
{
    enum mbox_parked parked = MBOX_STAYS;
    struct bsk_msg *mark = NULL;
    while (parked == MBOX_STAYS) {
        consumer_begins();
        wakers = 0;
        mbox_attend(&in);
        look();
        if (answered) collect_and_handle();
        consumer_ends();
        parked = mbox_park(&in, &out, answered ? MBOX_IDLE : MBOX_DEAF, &mark);
    }
    if (mark) block_release(mark);
}

static void woken(void)
{
    mdl_assert(++wakers == 1);
    take_turns();
}

static void push(int number)
{
    struct block *b = block_take(number);
    enum mbox_result r = mbox_push_at_once(&in, block_message(b), 0);
    if (r == MBOX_FULL) r = mbox_push(&in, &out, block_message(b), 0);
    if (r == MBOX_QUEUED || r == MBOX_WOKE) sent++;
    if (r == MBOX_WOKE) woken();
    if (r == MBOX_FULL) full++;
    if (r == MBOX_SHUT) shut++;
    if (r == MBOX_FULL || r == MBOX_SHUT) block_release(block_message(b));
}

static void send_two(void)
{
    push(1);
    push(2);
}

static void send_one(void)
{
    push(1);
}

static void poke(int bit)
{
    atomic_fetch_or_explicit(&told, bit, memory_order_relaxed);
    if (mbox_poke(&in)) woken();
}

static void poke_one(void)
{
    poke(1);
}

static void poke_two(void)
{
    poke(2);
}

static void push_urgent(int bit)
{
    struct block *b = block_take(1);
    block_message(b)->lane = MSG_SIGNAL;
    sent++;
    atomic_fetch_or_explicit(&told, bit, memory_order_relaxed);
    if (mbox_push_urgent(&in, block_message(b))) woken();
}

static void signal_one(void)
{
    push_urgent(1);
}

static void signal_two(void)
{
    push_urgent(2);
}

static void close_it(void)
{
    atomic_fetch_or_explicit(&told, 1, memory_order_relaxed);
    uint64_t w = atomic_load_explicit(&in.word, memory_order_relaxed);
    while (!mbox_close(&in, &w)) {
    }
    if ((w & MBOX_STATE) != MBOX_BUSY) woken();
}

/* Busy at first: thread 0 is the fiber, about to wait. */
static void deaf_for_one(void)
{
    reset(4, 1);
    atomic_init(&in.word, MBOX_BUSY);
}

static void deaf_for_both(void)
{
    reset(4, 3);
    atomic_init(&in.word, MBOX_BUSY);
}

static void awake(void)
{
    reset(4, 0);
    answered = true;
}

static void all_is_heard(void)
{
    mdl_assert(heard == told);
    mdl_assert(handled == sent);
    all_is_quiet();
}

START_TEST(who_is_deaf_hears_pokes_and_handles_what_came_meanwhile)
{
    mdl_run(&(struct mdl_program){.name = "deaf: two messages and a poke",
                                  .setup = deaf_for_one,
                                  .threads = {take_turns, send_two, poke_one},
                                  .preemptions = 2,
                                  .check = all_is_heard});
    mdl_run(&(struct mdl_program){.name = "deaf: a message and two pokes",
                                  .setup = deaf_for_both,
                                  .threads = {take_turns, send_one, poke_one, poke_two},
                                  .preemptions = 2,
                                  .stale = 1,
                                  .check = all_is_heard});
}
END_TEST

START_TEST(who_is_deaf_hears_signals)
{
    mdl_run(&(struct mdl_program){.name = "deaf: a message and a signal",
                                  .setup = deaf_for_one,
                                  .threads = {take_turns, send_one, signal_one},
                                  .preemptions = 2,
                                  .check = all_is_heard});
    mdl_run(&(struct mdl_program){.name = "deaf: a poke and a signal",
                                  .setup = deaf_for_both,
                                  .threads = {take_turns, poke_one, signal_two},
                                  .check = all_is_heard});
}
END_TEST

static void nobody_comes_in_later(void)
{
    mdl_assert(sent + shut == 2 && full == 0);
    mdl_assert(in.word & MBOX_CLOSED);
    all_is_heard();
}

START_TEST(what_came_before_the_close_is_handled)
{
    mdl_run(&(struct mdl_program){.name = "a close and two messages",
                                  .setup = awake,
                                  .threads = {send_one, send_one, close_it},
                                  .preemptions = 2,
                                  .stale = 1,
                                  .check = nobody_comes_in_later});
}
END_TEST

START_TEST(a_signal_passes_a_closed_mailbox)
{
    mdl_run(&(struct mdl_program){.name = "a close, a message and a signal",
                                  .setup = awake,
                                  .threads = {send_one, close_it, signal_two},
                                  .preemptions = 2,
                                  .stale = 1,
                                  .check = all_is_heard});
}
END_TEST

/* An interval: its one message is unmarked when it was handled, and pushed again. */

static int again;
static _Atomic bool rearmed; /* the block lies with the wheel */

static void handle_or_keep(struct bsk_msg *m)
{
    struct block *b = block_of(m);
    if (m->lane == MSG_USER) {
        block_handle(m);
        return;
    }
    mdl_write(b);
    again++;
    if (m == mbox_newest(out.examined)) mbox_unmark(&in, &out);
    m->done = 0;
    atomic_store_explicit(&rearmed, true, memory_order_release);
}

static void run_interval(void)
{
    enum mbox_parked parked = MBOX_STAYS;
    struct bsk_msg *mark, *m;
    while (parked == MBOX_STAYS) {
        consumer_begins();
        mbox_attend(&in);
        mark = out.list ? NULL : mbox_collect(&in, &out);
        mdl_write(&out);
        if (mark && mark->done) block_release(mark);
        while ((m = mbox_next(&out))) handle_or_keep(m);
        consumer_ends();
        parked = mbox_park(&in, &out, MBOX_IDLE, &mark);
    }
    if (mark) block_release(mark);
}

static bool is_rearmed(void *arg)
{
    (void)arg;
    return atomic_load_explicit(&rearmed, memory_order_acquire);
}

static void tick(struct block *b)
{
    mdl_write(b);
    block_message(b)->lane = MSG_SIGNAL;
    atomic_store_explicit(&rearmed, false, memory_order_relaxed);
    if (mbox_push_urgent(&in, block_message(b)) && mdl_self() < MDL_THREADS) run_interval();
}

static void tick_again(void)
{
    mdl_wait(is_rearmed, NULL);
    tick(blocks[BLOCK_OWNERS - 1]);
    mdl_wait(is_rearmed, NULL);
    atomic_store_explicit(&blocks[BLOCK_OWNERS - 1]->used, false, memory_order_relaxed);
}

static void send_between(void)
{
    struct block *b = block_take(1);
    if (mbox_push(&in, &out, block_message(b), 0) == MBOX_WOKE) run_interval();
}

/* The first tick has come, and thread 0 is to run the consumer. */
static void with_interval(void)
{
    reset(4, 0);
    again = 0;
    atomic_init(&rearmed, false);
    tick(block_take(1));
}

static void each_tick_came(void)
{
    mdl_assert(again == 2 && handled == 1);
    all_is_quiet();
}

START_TEST(a_block_is_pushed_again_after_unmark)
{
    mdl_run(&(struct mdl_program){.name = "an interval between messages",
                                  .setup = with_interval,
                                  .threads = {run_interval, tick_again, send_between},
                                  .preemptions = 2,
                                  .stale = 1,
                                  .check = each_tick_came});
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("park");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, who_is_deaf_hears_pokes_and_handles_what_came_meanwhile);
    tcase_add_test(tc, who_is_deaf_hears_signals);
    tcase_add_test(tc, what_came_before_the_close_is_handled);
    tcase_add_test(tc, a_signal_passes_a_closed_mailbox);
    tcase_add_test(tc, a_block_is_pushed_again_after_unmark);

    Suite *suite = suite_create("park");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
