/* SPDX-License-Identifier: MIT */
/* check_order.c - the cases of order between messages, stops and late replies.
 *
 * ctest: timeout=120 */
#include "conformance.h"

#include <sched.h>

#define SEEDS 1000

BSK_MSG(number, (i64, from), (i64, n));
BSK_MSG(go);
BSK_CALL(question, number);

/* What a receiver, on any thread, has got: each sender's last number; who sent the first ones. */
static _Atomic int64_t last[3];
static _Atomic int order_of[8], norder;
static _Atomic int64_t latest; /* of any sender */
static _Atomic bool out_of_order;

static void forget(void)
{
    for (int i = 0; i < 3; i++) last[i] = 0;
    norder = 0;
    latest = 0;
    out_of_order = false;
}

static void note(const number *v)
{
    if (v->n != last[v->from] + 1) out_of_order = true;
    last[v->from] = v->n;
    latest = v->n;
    if (norder < 8) order_of[norder++] = (int)v->from;
}

static void receiving_handler(bsk_self *self, bsk_msg *m)
{
    if (seed_now) expect(!bsk_cancelled(self));
    bsk_match(m) {
        bsk_on(number, v) note(v);
    }
}

static void receiving_fiber(bsk_self *self)
{
    for (bsk_msg *m; (m = bsk_recv(self, BSK_FOREVER));) {
        bsk_match(m) {
            bsk_on(number, v) note(v);
        }
    }
}

static bsk_addr spawn_receiver(bsk_rt *rt, bool handler, uint32_t mailbox)
{
    forget();
    return handler ? bsk_spawn(rt, receiving_handler, .mailbox = mailbox)
                   : bsk_spawn(rt, receiving_fiber, .mailbox = mailbox);
}

static bsk_addr receiver;

static void send_three(bsk_self *self)
{
    const int *from = bsk_state(self);
    for (int i = 1; i <= 3; i++) {
        bsk_tell(receiver, number, .from = *from, .n = i);
        if (bsk_random(self) % 2) expect_eq(bsk_yield(self), 0);
    }
}

static bool after_each_other[2], mixed;

static void two_send(bsk_self *self)
{
    receiver = spawn_receiver(bsk_rt_of(self), seed_now % 2, 8);
    bsk_spawn(bsk_rt_of(self), send_three, BSK_STATE(int, 1));
    bsk_spawn(bsk_rt_of(self), send_three, BSK_STATE(int, 2));
    expect_eq(bsk_sleep(self, 1), 0);
    expect(!out_of_order);
    expect_eq(norder, 6);
    int changes = 0;
    for (int i = 1; i < 6; i++) changes += order_of[i] != order_of[i - 1];
    if (changes == 1)
        after_each_other[order_of[0] - 1] = true;
    else
        mixed = true;
    expect_eq(bsk_stop(receiver, BSK_FOREVER), 0);
}

START_TEST(ORD_002_two_senders_come_in_any_order_each_in_its_own)
{
    run_seeds(SEEDS, 0, two_send);
    ck_assert(after_each_other[0]);
    ck_assert(after_each_other[1]);
    ck_assert(mixed);
}
END_TEST

enum halt { HALT_STOP, HALT_KILL, HALT_DRAIN, HALTS };

static int halt(bsk_addr who, enum halt how)
{
    if (how == HALT_KILL) return bsk_kill(who);
    return how == HALT_STOP ? bsk_stop(who, BSK_FOREVER) : bsk_drain(who, BSK_FOREVER);
}

static enum halt halt_now;

static void send_around_halt(bsk_self *self)
{
    receiver = spawn_receiver(bsk_rt_of(self), seed_now % 2, 8);
    for (int i = 1; i <= 3; i++) {
        bsk_tell(receiver, number, .n = i);
        if (bsk_random(self) % 4 == 0) expect_eq(bsk_yield(self), 0);
    }
    expect_eq(halt(receiver, halt_now), 0);
    for (int i = 4; i <= 6; i++) {
        bsk_tell(receiver, number, .n = i);
        if (bsk_random(self) % 4 == 0) expect_eq(bsk_yield(self), 0);
    }
    expect_eq(bsk_sleep(self, 1), 0);
    expect(!out_of_order);
    expect(latest <= 3);
    if (halt_now == HALT_DRAIN) expect_eq(latest, 3);
    expect_eq(reason_of(receiver), halt_now == HALT_KILL ? BSK_KILLED : BSK_SHUTDOWN);
}

START_TEST(ORD_003_nothing_sent_after_a_stop_is_handled)
{
    halt_now = (enum halt)_i;
    run_seeds(SEEDS, 0, send_around_halt);
}
END_TEST

#define ROUNDS 300
#define BEFORE 1500

/* The sender is a thread: the receiver is at work while it is stopped. */
START_TEST(ORD_003_nothing_sent_after_a_stop_is_handled_on_another_thread)
{
    bsk_rt *rt = start_parallel(2);
    halt_now = (enum halt)(_i / 2);
    for (int round = 0; round < ROUNDS; round++) {
        bsk_addr to = spawn_receiver(rt, _i % 2, BEFORE + 50);
        int before = BEFORE - round;
        for (int i = 1; i <= before; i++) bsk_tell(to, number, .n = i);
        ck_assert_int_eq(halt(to, halt_now), 0);
        for (int i = 1; i <= 50; i++) bsk_tell(to, number, .n = before + i);
        expect(!bsk_call(NULL, to, BSK_FOREVER, question)); /* when it has ended */
        while (bsk_call(NULL, to, BSK_FOREVER, question) || bsk_error(NULL) != BSK_EDEAD) continue;
        if (latest > before)
            ck_abort_msg("round %d: handled number %" PRId64 ", sent after the stop", round,
                         latest - before);
        ck_assert(!out_of_order);
        if (halt_now == HALT_DRAIN) ck_assert_int_eq(latest, before);
    }
    ck_assert_int_eq(bsk_wait(rt), 0);
}
END_TEST

static _Atomic bool looking;

/* Looks all the time, so that a stop comes at any point of a look. */
static void look_and_look(bsk_self *self)
{
    looking = true;
    do {
        bsk_match(bsk_recv(self, 0)) {
            bsk_on(number, v) note(v);
        }
    } while (bsk_error(self) != BSK_ECANCELED);
}

START_TEST(ORD_003_nothing_sent_after_a_stop_is_received_by_a_fiber_that_looks_just_then)
{
    bsk_rt *rt = start_parallel(1);
    for (int round = 0; round < 3000; round++) {
        forget();
        looking = false;
        bsk_addr to = bsk_spawn(rt, look_and_look);
        while (!looking) sched_yield();
        for (volatile int i = 0; i < round % 512; i++) continue;
        ck_assert_int_eq(bsk_stop(to, BSK_FOREVER), 0);
        bsk_tell(to, number, .n = 1);
        while (bsk_try(to, go) != BSK_EDEAD) sched_yield();
        if (latest) ck_abort_msg("round %d: received what was sent after the stop", round);
    }
    ck_assert_int_eq(bsk_wait(rt), 0);
}
END_TEST

static void look_at_end(bsk_self *self)
{
    expect(!bsk_alive(bsk_me(self)));
}

static void ask_whether_alive(bsk_self *self)
{
    forget();
    receiver = seed_now % 2 ? bsk_spawn(bsk_rt_of(self), receiving_handler, .fini = look_at_end)
                            : bsk_spawn(bsk_rt_of(self), receiving_fiber, .fini = look_at_end);
    bsk_tell(receiver, number, .n = 1);
    if (bsk_random(self) % 2) expect_eq(bsk_yield(self), 0);
    expect(bsk_alive(receiver));
    expect_eq(halt(receiver, halt_now), 0);
    for (int i = 0; i < 20; i++) {
        expect(!bsk_alive(receiver));
        expect_eq(bsk_yield(self), 0);
    }
    /* Nor is its successor taken for it. */
    for (int i = 0; i < 3; i++) {
        bsk_addr next = spawn_receiver(bsk_rt_of(self), i % 2, 8);
        expect(!bsk_alive(receiver));
        expect(bsk_alive(next));
        expect_eq(bsk_kill(next), 0);
        expect_eq(bsk_sleep(self, 1), 0);
    }
}

START_TEST(ORD_004_who_was_told_to_stop_is_not_alive_any_more_every_time)
{
    halt_now = (enum halt)_i;
    run_seeds(SEEDS, 0, ask_whether_alive);
}
END_TEST

START_TEST(ORD_004_who_was_told_to_stop_is_not_alive_while_it_ends_on_another_thread)
{
    bsk_rt *rt = start_parallel(2);
    for (int round = 0; round < 1000; round++) {
        bsk_addr who = spawn_receiver(rt, _i % 2, 8);
        bsk_tell(who, number, .n = 1);
        if (!bsk_alive(who)) ck_abort_msg("round %d: not alive before", round);
        ck_assert_int_eq(halt(who, (enum halt)(_i / 2)), 0);
        for (int i = 0; bsk_try(who, number) != BSK_EDEAD; i++)
            if (bsk_alive(who)) ck_abort_msg("round %d: alive at look %d", round, i);
        if (bsk_alive(who)) ck_abort_msg("round %d: alive after its end", round);
    }
    ck_assert_int_eq(bsk_wait(rt), 0);
}
END_TEST

static bsk_pending kept[2];
static int nkept;

static void keep(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(question, q) kept[nkept++] = bsk_later(q, question);
        bsk_on(go, v) bsk_exit(self);
    }
}

/* Takes the replies and losses that are queued, as a number of two digits. */
static int take_replies(bsk_self *self)
{
    int got = 0;
    for (bsk_msg *m; (m = bsk_recv(self, 0));) {
        bsk_match(m) {
            bsk_on_reply(question, r) got += 10 * (int)r->n;
            bsk_on_no_reply(question, rc) got += rc == BSK_ETIMEDOUT;
        }
    }
    return got;
}

/* One reply is queued before its deadline and read after it; the other comes too late. */
static void reply_late(bsk_self *self)
{
    nkept = 0;
    bsk_addr keeper = bsk_spawn(bsk_rt_of(self), keep);
    for (int i = 0; i < 2; i++) expect_eq(bsk_ask(self, keeper, 10, question), 0);
    expect_eq(bsk_sleep(self, 5), 0);
    expect_eq(nkept, 2);
    expect_eq(bsk_answer(kept[0], question, .n = 4), 0);
    expect_eq(bsk_sleep(self, 15), 0);
    expect_eq(bsk_answer(kept[1], question, .n = 5), BSK_EDEAD);
    expect_eq(dead_letters(bsk_rt_of(self), BSK_DEAD_LATE), 1);
    expect_eq(bsk_mailbox_len(self), 0);
    expect_eq(take_replies(self), 41);
    expect_eq(bsk_sleep(self, 100), 0);
    expect_eq(take_replies(self), 0);
    bsk_tell(keeper, go);
}

START_TEST(ORD_008_a_late_reply_is_dropped_before_the_mailbox_and_queued_ones_stay)
{
    run_seeds(100, 0, reply_late);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("order");
    tcase_add_test(t, ORD_002_two_senders_come_in_any_order_each_in_its_own);
    tcase_add_loop_test(t, ORD_003_nothing_sent_after_a_stop_is_handled, 0, HALTS);
    tcase_add_loop_test(t, ORD_003_nothing_sent_after_a_stop_is_handled_on_another_thread, 0,
                        2 * HALTS);
    tcase_add_test(t,
                   ORD_003_nothing_sent_after_a_stop_is_received_by_a_fiber_that_looks_just_then);
    tcase_add_loop_test(t, ORD_004_who_was_told_to_stop_is_not_alive_any_more_every_time, 0, HALTS);
    tcase_add_loop_test(
        t, ORD_004_who_was_told_to_stop_is_not_alive_while_it_ends_on_another_thread, 0, 2 * HALTS);
    tcase_add_test(t, ORD_008_a_late_reply_is_dropped_before_the_mailbox_and_queued_ones_stay);
    return run_suite("order", t, 30);
}
