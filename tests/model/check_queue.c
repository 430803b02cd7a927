/* SPDX-License-Identifier: MIT */
/* check_queue.c - the mailbox's real queue in all orders: nothing lost, order per sender, the bound
 * exact, no race, no wake-up missed, no block in use twice. Whoever wakes the consumer becomes it.
 *
 * ctest: timeout=120 */
#include "model.h"

#include "mailbox/queue.h"

#include <check.h>
#include <stdlib.h>

enum { SENDERS = 3, EACH = 2 };

/* A block of the pool: free blocks are taken again, which is where an ABA mistake would show. */
struct block {
    _Alignas(64) unsigned char bytes[sizeof(struct bsk_msg)];
    int sender, number;
    _Atomic bool used;
};

static struct mbox_in in;
static struct mbox_out out;
static struct block blocks[SENDERS][EACH];
static struct mdl_park room;
static int last[SENDERS];    /* the consumer's */
static int handled;          /* the consumer's */
static int refused[SENDERS]; /* each sender's */
static uint32_t capacity;
static uint32_t held;    /* user messages; follows the queue's own steps without one between */
static _Atomic int told; /* what a poke announces */
static int heard;        /* the consumer's */

static void reset(void)
{
    memset(&in, 0, sizeof in);
    memset(&out, 0, sizeof out);
    memset(blocks, 0, sizeof blocks);
    memset(last, 0, sizeof last);
    memset(refused, 0, sizeof refused);
    memset(&room, 0, sizeof room);
    handled = heard = 0;
    held = 0;
    atomic_init(&told, 0);
    atomic_init(&in.capacity, capacity);
}

static void with_room(void)
{
    capacity = 8;
    reset();
}

static void with_one_place(void)
{
    capacity = 1;
    reset();
}

static struct bsk_msg *message(struct block *b)
{
    return (struct bsk_msg *)(void *)b;
}

static void release(struct bsk_msg *m)
{
    struct block *b = (struct block *)(void *)m;
    mdl_write(b);
    m->next = NULL;
    atomic_store_explicit(&b->used, false, memory_order_release);
}

static struct block *take_block(int number)
{
    struct block *mine = blocks[mdl_self()];
    struct block *b = mine;

    for (int i = 0; atomic_load_explicit(&b->used, memory_order_acquire); i++) b = &mine[i + 1];
    atomic_store_explicit(&b->used, true, memory_order_relaxed);
    mdl_write(b);
    message(b)->done = 0;
    b->sender = (int)mdl_self();
    b->number = number;
    return b;
}

static void handle(struct bsk_msg *m)
{
    struct block *b = (struct block *)(void *)m;

    mdl_read(b);
    if (m->lane == MSG_USER) {
        mdl_assert(b->number > last[b->sender]);
        last[b->sender] = b->number;
    }
    handled++;
    if (m->lane == MSG_USER) {
        mbox_popped(&out);
        held--;
    }
    if (mbox_done(&out, m)) release(m);
}

static void work(void)
{
    struct bsk_msg *m, *mark;

    mbox_attend(&in);
    mark = mbox_collect(&in, &out);
    heard = atomic_load_explicit(&told, memory_order_relaxed);
    /* The collect is what takes the consumer's end over from whoever parked last. */
    mdl_write(&out);
    if (mark != NULL && mark->done) release(mark);
    while ((m = mbox_next(&out)) != NULL) handle(m);
    if (mbox_take_want(&in)) mdl_unpark(&room);
}

static void consume(void)
{
    enum mbox_parked parked;
    struct bsk_msg *mark;

    do {
        work();
        parked = mbox_park(&in, &out, MBOX_IDLE, &mark);
    } while (parked == MBOX_STAYS);
    if (mark != NULL) release(mark);
    if (parked == MBOX_PARKED_WANT) mdl_unpark(&room);
}

static enum mbox_result push(struct block *b)
{
    enum mbox_result r = mbox_push(&in, &out, message(b), 0);

    if (r != MBOX_FULL) mdl_assert(++held <= capacity);
    if (r == MBOX_WOKE) consume();
    return r;
}

static void send_all(void)
{
    for (int i = 1; i <= EACH; i++) {
        struct block *b = take_block(i);
        if (push(b) == MBOX_FULL) {
            refused[mdl_self()]++;
            release(message(b));
        }
    }
}

static void send_waiting(void)
{
    for (int i = 1; i <= EACH; i++) {
        struct block *b = take_block(i);
        while (push(b) == MBOX_FULL) {
            if (mbox_want(&in, &out)) mdl_park(&room);
        }
    }
}

static void signal_once(void)
{
    struct block *b = take_block(1);
    message(b)->lane = MSG_SIGNAL;
    if (mbox_push_urgent(&in, message(b))) consume();
}

static void poke_once(void)
{
    atomic_store_explicit(&told, 1, memory_order_relaxed);
    if (mbox_poke(&in)) consume();
}

static void all_is_handled(void)
{
    int sent = 0;

    for (int i = 0; i < SENDERS; i++) {
        for (int k = 0; k < EACH; k++) {
            sent += blocks[i][k].sender == i && blocks[i][k].number > 0;
            mdl_assert(!blocks[i][k].used);
        }
    }
    mdl_assert((in.word & MBOX_STATE) == MBOX_IDLE && mbox_newest(in.word) == NULL);
    mdl_assert(mbox_len(&in, &out) == 0 && out.list == NULL);
    mdl_assert(handled > 0 && sent > 0);
}

static void the_poke_is_heard(void)
{
    all_is_handled();
    mdl_assert(heard == 1);
}

static void nothing_is_lost(void)
{
    all_is_handled();
    mdl_assert(handled + refused[0] + refused[1] == 2 * EACH);
}

START_TEST(two_senders_lose_nothing_and_keep_order)
{
    mdl_run(&(struct mdl_program){.name = "two senders",
                                  .setup = with_room,
                                  .threads = {send_all, send_all},
                                  .check = nothing_is_lost});
}
END_TEST

START_TEST(with_one_place_all_is_handled_or_refused)
{
    mdl_run(&(struct mdl_program){.name = "two senders, one place",
                                  .setup = with_one_place,
                                  .threads = {send_all, send_all},
                                  .preemptions = 2,
                                  .check = nothing_is_lost});
}
END_TEST

START_TEST(signals_come_beside_a_full_mailbox)
{
    mdl_run(&(struct mdl_program){.name = "a sender and two signals",
                                  .setup = with_one_place,
                                  .threads = {send_all, signal_once, signal_once},
                                  .preemptions = 2,
                                  .check = all_is_handled});
}
END_TEST

START_TEST(a_poke_is_heard)
{
    mdl_run(&(struct mdl_program){.name = "a sender and a poke",
                                  .setup = with_room,
                                  .threads = {send_all, poke_once},
                                  .check = the_poke_is_heard});
}
END_TEST

START_TEST(a_sender_that_waits_for_room_is_woken)
{
    mdl_run(&(struct mdl_program){.name = "waiting for room",
                                  .setup = with_one_place,
                                  .threads = {send_waiting, send_all},
                                  .preemptions = 2,
                                  .check = all_is_handled});
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("queue");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, two_senders_lose_nothing_and_keep_order);
    tcase_add_test(tc, with_one_place_all_is_handled_or_refused);
    tcase_add_test(tc, signals_come_beside_a_full_mailbox);
    tcase_add_test(tc, a_poke_is_heard);
    tcase_add_test(tc, a_sender_that_waits_for_room_is_woken);

    Suite *suite = suite_create("queue");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
