/* SPDX-License-Identifier: MIT */
/* check_exits.c - the cases of exit reasons and of trapping exits.
 *
 * ctest: timeout=120 */
#include "conformance.h"

#include <sched.h>
#include <string.h>

#define SEEDS 100
#define LONG_TEXT (200 * 1024)

BSK_MSG(go);
BSK_MSG(number, (i64, n));
BSK_CALL(question, number);

static bsk_addr witness; /* who is asked, told, linked to */

static void return_at_once(bsk_self *self)
{
    expect(bsk_me(self).gen);
}

static void exit_when_told(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(go, g) bsk_exit(self);
    }
}

static void answer(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(question, q) expect_eq(bsk_reply(q, question, .n = 1), 0);
        bsk_on(go, g) bsk_exit(self);
    }
}

static void answer_in_fiber(bsk_self *self)
{
    for (bool goes = true; goes;) {
        bsk_match(bsk_recv(self, BSK_FOREVER)) {
            bsk_on(question, q) expect_eq(bsk_reply(q, question, .n = 1), 0);
            bsk_on(go, g) goes = false;
        }
    }
}

static bsk_addr spawn_answering(bsk_self *self, bool handler)
{
    bsk_rt *rt = bsk_rt_of(self);
    bsk_addr a = handler ? bsk_spawn(rt, answer) : bsk_spawn(rt, answer_in_fiber);
    expect(!bsk_is_nobody(a));
    return a;
}

/* Receives one bsk_down of it, with the reason and text. */
static void expect_down(bsk_self *self, bsk_addr who, int reason, const char *text)
{
    bool got = false;
    bsk_match(bsk_recv(self, 10000)) {
        bsk_on(bsk_down, d) {
            got = true;
            expect(bsk_same(d->who, who));
            expect_eq(d->reason, reason);
            expect(!strcmp(d->text, text));
        }
    }
    expect(got);
}

/* The same for a bsk_left. */
static void expect_left(bsk_self *self, bsk_addr who, int reason, const char *text)
{
    bool got = false;
    bsk_match(bsk_recv(self, 10000)) {
        bsk_on(bsk_left, l) {
            got = true;
            expect(bsk_same(l->who, who));
            expect_eq(l->reason, reason);
            expect(!strcmp(l->text, text));
        }
    }
    expect(got);
}

static void expect_silence(bsk_self *self)
{
    expect(!bsk_recv(self, 100));
    expect_eq(bsk_error(self), BSK_ETIMEDOUT);
}

static void hear_of_normal(bsk_self *self)
{
    bsk_monitor m;
    bsk_addr fiber = bsk_spawn_watch(self, &m, return_at_once);
    expect_down(self, fiber, BSK_NORMAL, "");
    bsk_addr handler = bsk_spawn_watch(self, &m, exit_when_told);
    bsk_tell(handler, go);
    expect_down(self, handler, BSK_NORMAL, "");
    expect_eq(reason_of(fiber), BSK_NORMAL);
    expect_eq(reason_of(handler), BSK_NORMAL);
}

START_TEST(EXT_001_who_returns_ends_as_normal)
{
    run_seeds(SEEDS, 0, hear_of_normal);
}
END_TEST

static void send_normal(bsk_self *self)
{
    bsk_addr who = spawn_answering(self, seed_now % 2);
    expect_eq(bsk_send_exit(seed_now % 4 / 2 ? self : NULL, who, BSK_NORMAL, "no matter"), 0);
    expect_eq(bsk_sleep(self, 1), 0);
    expect(bsk_alive(who));
    expect(bsk_call(self, who, 100, question) != NULL);
    expect_eq(reason_of(who), -1);
    /* Who traps hears of it. */
    bsk_trap_exit(self, true);
    expect_eq(bsk_send_exit(NULL, bsk_me(self), BSK_NORMAL, "all well"), 0);
    expect_left(self, (bsk_addr){0, 0, 0}, BSK_NORMAL, "all well");
    bsk_tell(who, go);
    expect_eq(bsk_sleep(self, 1), 0);
    expect_eq(bsk_send_exit(self, who, BSK_NORMAL, ""), BSK_EDEAD);
    expect_eq(bsk_send_exit(self, who, BSK_FAILED, "too late"), BSK_EDEAD);
    expect_eq(bsk_send_exit(self, (bsk_addr){0, 0, 0}, BSK_FAILED, ""), BSK_EDEAD);
    expect_eq(bsk_send_exit(self, bsk_me(self), (enum bsk_reason)77, ""), BSK_EINVAL);
    expect_eq(bsk_send_exit(self, bsk_me(self), (enum bsk_reason) - 1, ""), BSK_EINVAL);
    expect_silence(self);
}

START_TEST(EXT_003_a_normal_exit_signal_ends_nobody_else)
{
    run_seeds(SEEDS, 0, send_normal);
}
END_TEST

static enum bsk_reason reason_now;
static bool came_back, caught;

/* Clean-ups run; none of them can keep the actor. */
static void catch_it(void *arg)
{
    expect(arg != NULL);
    caught = true;
}

static void exit_oneself(bsk_self *self)
{
    expect_eq(bsk_defer(self, catch_it, self), 0);
    int rc = bsk_send_exit(self, bsk_me(self), reason_now, "I, myself");
    came_back = true;
    expect_eq(rc, 0);
}

static void exit_oneself_handler(bsk_self *self, bsk_msg *m)
{
    if (m) exit_oneself(self);
}

static void see_it_exit(bsk_self *self)
{
    bsk_monitor m;
    caught = came_back = false;
    bsk_addr who = seed_now % 2 ? bsk_spawn_watch(self, &m, exit_oneself)
                                : bsk_spawn_watch(self, &m, exit_oneself_handler);
    bsk_tell(who, go);
    expect_down(self, who, reason_now, "I, myself");
    expect(caught && !came_back);
}

START_TEST(EXT_004_who_sends_itself_a_normal_one_ends)
{
    reason_now = BSK_NORMAL;
    run_seeds(SEEDS, 0, see_it_exit);
}
END_TEST

START_TEST(EXT_005_EXT_006_who_sends_itself_another_ends_for_it_and_nothing_catches_it)
{
    static const enum bsk_reason reasons[] = {BSK_SHUTDOWN, BSK_FAILED, BSK_FAULT, BSK_GAVE_UP,
                                              BSK_CANCELLED};
    reason_now = reasons[_i];
    bool failure = reason_now != BSK_SHUTDOWN && reason_now != BSK_CANCELLED;
    run_seeds(SEEDS, failure, see_it_exit);
}
END_TEST

static void send_two(bsk_self *self)
{
    bsk_addr who = spawn_answering(self, seed_now % 2);
    expect(bsk_watch(self, who).gen);
    if (bsk_random(self) % 2) expect_eq(bsk_yield(self), 0);
    expect_eq(bsk_send_exit(self, who, BSK_SHUTDOWN, "the first"), 0);
    expect_eq(bsk_send_exit(self, who, BSK_FAILED, "the second"), 0);
    expect_down(self, who, BSK_SHUTDOWN, "the first");
    expect_silence(self);
}

START_TEST(EXT_007_of_two_signals_the_first_counts)
{
    run_seeds(SEEDS, 0, send_two);
}
END_TEST

static _Atomic bool looking;

/* Passes over what comes, all the time, so that signals come at any point of a look. */
static void look_and_look(bsk_self *self)
{
    looking = true;
    while (!bsk_recv_only(self, 0, BSK_T(number))) continue;
}

static void work_and_work(bsk_self *self, bsk_msg *m)
{
    looking = true;
    bsk_match(m) {
        bsk_on(go, g) bsk_tell(bsk_me(self), go);
    }
}

/* The receiver is at work on another thread. */
static void send_two_often(bsk_self *self)
{
    for (int round = 0; round < 1000; round++) {
        bsk_monitor m;
        looking = false;
        bsk_addr who = round % 2 ? bsk_spawn_watch(self, &m, look_and_look)
                                 : bsk_spawn_watch(self, &m, work_and_work);
        bsk_tell(who, go);
        /* Where nobody else runs it, it is this thread's turn. */
        for (int i = 0; !looking && i < 1000; i++) sched_yield();
        if (!looking) expect_eq(bsk_yield(self), 0);
        expect_eq(bsk_send_exit(self, who, BSK_SHUTDOWN, "the first"), 0);
        int rc = bsk_send_exit(self, who, BSK_FAILED, "the second");
        expect(rc == 0 || rc == BSK_EDEAD);
        expect_down(self, who, BSK_SHUTDOWN, "the first");
    }
}

/* Runs the fiber to its end on a thread of its own, beside two others. */
static void run_parallel(bsk_fiber *f, int status)
{
    bsk_rt *rt = start_parallel(2);
    ck_assert(!bsk_is_nobody(bsk_spawn(rt, f, .own_thread = true)));
    ck_assert_int_eq(bsk_wait(rt), status);
}

START_TEST(EXT_007_of_two_signals_the_first_counts_on_another_thread)
{
    run_parallel(send_two_often, 0);
}
END_TEST

enum wait { WAIT_RECV, WAIT_ONLY, WAIT_SLEEP, WAIT_CALL, WAIT_SEND, WAITS };

static enum wait wait_now;
static bsk_addr deaf; /* does not answer; its mailbox is full */

static int wait_for(bsk_self *self, int64_t ms)
{
    switch (wait_now) {
    case WAIT_RECV: expect(!bsk_recv(self, ms)); break;
    case WAIT_ONLY: expect(!bsk_recv_only(self, ms, BSK_T(number))); break;
    case WAIT_SLEEP: return bsk_sleep(self, ms) ? 0 : BSK_ETIMEDOUT;
    case WAIT_CALL: expect(!bsk_call(self, deaf, ms, question)); break;
    case WAIT_SEND: return bsk_send(self, deaf, ms, go);
    default: break;
    }
    return bsk_error(self);
}

static void wait_and_wait(bsk_self *self)
{
    expect_eq(wait_for(self, 10), BSK_ETIMEDOUT);
    /* It came first; then the signal ends this wait. */
    wait_for(self, 10);
    came_back = true;
}

static void lie_deaf(bsk_self *self)
{
    expect_eq(bsk_sleep(self, BSK_FOREVER), BSK_ECANCELED);
}

static void signal_in_time(bsk_self *self)
{
    bsk_monitor m;
    came_back = false;
    deaf = bsk_spawn(bsk_rt_of(self), lie_deaf, .mailbox = wait_now == WAIT_SEND ? 1 : 0);
    if (wait_now == WAIT_SEND) bsk_tell(deaf, go);
    bsk_addr who = bsk_spawn_watch(self, &m, wait_and_wait);
    expect_eq(bsk_sleep(self, 10), 0);
    expect_eq(bsk_send_exit(self, who, BSK_SHUTDOWN, "in time"), 0);
    expect_down(self, who, BSK_SHUTDOWN, "in time");
    expect(!came_back);
    expect_silence(self);
    expect_eq(bsk_kill(deaf), 0);
}

START_TEST(EXT_008_a_signal_and_a_timeout_at_once_end_it_by_the_signal)
{
    wait_now = (enum wait)_i;
    run_seeds(200, 0, signal_in_time);
}
END_TEST

static char long_text[LONG_TEXT];

static void fill_text(void)
{
    for (int i = 0; i < LONG_TEXT - 1; i++) long_text[i] = (char)('a' + i % 26);
}

static void fail_at_length(bsk_self *self)
{
    bsk_fail(self, "%s", long_text);
}

/* By links, by monitors, and by those who end of it. */
static void hear_at_length(bsk_self *self)
{
    bsk_addr middle = spawn_answering(self, seed_now % 2);
    bsk_trap_exit(self, true);
    bsk_addr who = bsk_spawn_link(self, fail_at_length);
    expect_left(self, who, BSK_FAILED, long_text);
    expect_eq(bsk_link(self, middle), 0);
    expect_eq(bsk_send_exit(self, middle, BSK_SHUTDOWN, long_text), 0);
    expect_left(self, middle, BSK_SHUTDOWN, long_text);
    expect_silence(self);
}

START_TEST(EXT_010_a_long_reason_arrives_whole)
{
    fill_text();
    run_seeds(20, 1, hear_at_length);
}
END_TEST

static bool traps;

static void wait_in_vain(bsk_self *self)
{
    bsk_trap_exit(self, traps);
    expect(!bsk_recv(self, BSK_FOREVER));
    came_back = true;
}

static void wait_in_vain_handler(bsk_self *self, bsk_msg *m)
{
    if (m) bsk_trap_exit(self, traps);
}

static void kill_it(bsk_self *self)
{
    bsk_monitor m;
    came_back = false;
    bsk_addr who = seed_now % 2 ? bsk_spawn_watch(self, &m, wait_in_vain)
                                : bsk_spawn_watch(self, &m, wait_in_vain_handler);
    if (seed_now % 2 == 0) bsk_tell(who, go);
    expect_eq(bsk_sleep(self, 1), 0);
    bsk_trap_exit(self, true);
    expect_eq(bsk_link(self, who), 0);
    if (seed_now % 4 / 2)
        expect_eq(bsk_kill(who), 0);
    else
        expect_eq(bsk_send_exit(self, who, BSK_KILLED, "now"), 0);
    expect_eq(bsk_sleep(self, 1), 0);
    expect(!came_back);
    int downs = 0, lefts = 0;
    for (bsk_msg *in; (in = bsk_recv(self, 0));) {
        bsk_match(in) {
            bsk_on(bsk_down, d) downs += bsk_is_of(d, m) && d->reason == BSK_KILLED;
            bsk_on(bsk_left, l) lefts += bsk_same(l->who, who) && l->reason == BSK_KILLED;
        }
    }
    expect_eq(downs, 1);
    expect_eq(lefts, 1);
    expect(!strcmp(bsk_reason_name(BSK_KILLED), "killed"));
}

START_TEST(EXT_011_who_was_killed_is_heard_of_as_killed)
{
    traps = false;
    run_seeds(SEEDS, 0, kill_it);
}
END_TEST

START_TEST(EXT_014_a_kill_is_not_trapped)
{
    traps = true;
    run_seeds(SEEDS, 0, kill_it);
}
END_TEST

/* Heard of through a link it is a reason as others are, and can be trapped. */
static void end_with_killed(bsk_self *self)
{
    bsk_addr first = spawn_answering(self, seed_now % 2);
    bsk_trap_exit(self, true);
    bsk_addr second = bsk_spawn_link(self, wait_in_vain);
    expect_eq(bsk_link(self, first), 0);
    expect_eq(bsk_kill(first), 0);
    expect_left(self, first, BSK_KILLED, "");
    expect_eq(bsk_kill(second), 0);
    expect_left(self, second, BSK_KILLED, "");
}

START_TEST(EXT_014_that_another_was_killed_is)
{
    run_seeds(SEEDS, 0, end_with_killed);
}
END_TEST

static void trap_own(bsk_self *self)
{
    bsk_trap_exit(self, true);
    expect_eq(bsk_send_exit(self, bsk_me(self), BSK_NORMAL, "one"), 0);
    expect_eq(bsk_send_exit(self, bsk_me(self), BSK_FAILED, "two"), 0);
    expect(bsk_alive(bsk_me(self)));
    expect_left(self, bsk_me(self), BSK_NORMAL, "one");
    expect_left(self, bsk_me(self), BSK_FAILED, "two");
    expect_silence(self);
    bsk_trap_exit(self, false);
    bsk_send_exit(self, bsk_me(self), BSK_SHUTDOWN, "three");
    expect(!"here");
}

START_TEST(EXT_017_who_traps_gets_its_own_as_a_message)
{
    run_seeds(SEEDS, 0, trap_own);
}
END_TEST

static void trap_too_late(bsk_self *self)
{
    expect_eq(bsk_send_exit(NULL, bsk_me(self), BSK_SHUTDOWN, "before"), 0);
    bsk_trap_exit(self, true);
    expect_eq(bsk_send_exit(NULL, bsk_me(self), BSK_FAILED, "after"), 0);
    if (seed_now % 3 == 0) bsk_recv(self, 0);
    if (seed_now % 3 == 1) bsk_sleep(self, 0);
    came_back = seed_now % 3 < 2;
}

static void trap_too_late_handler(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(go, g) {
            expect_eq(bsk_send_exit(NULL, bsk_me(self), BSK_SHUTDOWN, "before"), 0);
            bsk_trap_exit(self, true);
        }
        bsk_else(any) came_back = true;
    }
}

static void see_it_trap(bsk_self *self)
{
    bsk_monitor m;
    came_back = false;
    bsk_addr who = seed_now % 2 ? bsk_spawn_watch(self, &m, trap_too_late)
                                : bsk_spawn_watch(self, &m, trap_too_late_handler);
    bsk_tell(who, go);
    bsk_tell(who, number);
    expect_down(self, who, BSK_SHUTDOWN, "before");
    expect(!came_back);
}

START_TEST(EXT_018_a_signal_from_before_trapping_ends_it)
{
    run_seeds(SEEDS, 0, see_it_trap);
}
END_TEST

static _Atomic bool at_work;

/* It is at work when the signal comes from another thread. */
static void trap_when_signalled(bsk_self *self)
{
    at_work = true;
    while (bsk_alive(bsk_me(self))) sched_yield();
    bsk_trap_exit(self, true);
    bsk_recv(self, 0);
    came_back = true;
}

START_TEST(EXT_018_a_signal_from_before_trapping_ends_it_on_another_thread)
{
    bsk_rt *rt = start_parallel(1);
    for (int round = 0; round < 500; round++) {
        at_work = false;
        bsk_addr who = bsk_spawn(rt, trap_when_signalled);
        while (!at_work) sched_yield();
        ck_assert_int_eq(bsk_send_exit(NULL, who, BSK_SHUTDOWN, "before"), 0);
        while (bsk_try(who, go) != BSK_EDEAD) sched_yield();
    }
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert(!came_back);
}
END_TEST

static void die_unlinked(bsk_self *self)
{
    bsk_trap_exit(self, true);
    bsk_addr who = spawn_answering(self, seed_now % 2);
    expect_eq(bsk_link(self, who), 0);
    if (bsk_random(self) % 2) expect_eq(bsk_yield(self), 0);
    bsk_unlink(self, who);
    expect_eq(bsk_send_exit(self, who, BSK_SHUTDOWN, "unheard"), 0);
    expect_silence(self);
    expect_eq(reason_of(who), BSK_SHUTDOWN);
    expect_eq(dead_letters(bsk_rt_of(self), BSK_DEAD_GONE), 0);
}

/* With threads: LNK_009 in check_links.c. */
START_TEST(EXT_019_nothing_of_a_removed_link_is_heard)
{
    run_seeds(SEEDS, 0, die_unlinked);
}
END_TEST

static void end_in_between(bsk_self *self)
{
    bsk_tell(witness, number, .n = 3);
    bsk_exit_as(self, BSK_SHUTDOWN, "between");
}

static void keep_order(bsk_self *self)
{
    witness = bsk_me(self);
    bsk_trap_exit(self, true);
    bsk_tell(witness, number, .n = 1);
    bsk_tell(witness, number, .n = 2);
    bsk_addr who = bsk_spawn_link(self, end_in_between);
    expect_eq(bsk_sleep(self, 1), 0);
    bsk_tell(witness, number, .n = 4);
    for (int i = 1; i <= 4; i++) {
        if (i == 4) expect_left(self, who, BSK_SHUTDOWN, "between");
        bsk_match(bsk_recv(self, 0)) {
            bsk_on(number, n) expect_eq(n->n, i);
            bsk_else(any) expect(!"a number");
        }
    }
    expect_silence(self);
}

START_TEST(EXT_020_an_exit_message_stands_at_the_end_of_the_mailbox)
{
    run_seeds(SEEDS, 0, keep_order);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("exits");
    tcase_add_test(t, EXT_001_who_returns_ends_as_normal);
    tcase_add_test(t, EXT_003_a_normal_exit_signal_ends_nobody_else);
    tcase_add_test(t, EXT_004_who_sends_itself_a_normal_one_ends);
    tcase_add_loop_test(
        t, EXT_005_EXT_006_who_sends_itself_another_ends_for_it_and_nothing_catches_it, 0, 5);
    tcase_add_test(t, EXT_007_of_two_signals_the_first_counts);
    tcase_add_test(t, EXT_007_of_two_signals_the_first_counts_on_another_thread);
    tcase_add_loop_test(t, EXT_008_a_signal_and_a_timeout_at_once_end_it_by_the_signal, 0, WAITS);
    tcase_add_test(t, EXT_010_a_long_reason_arrives_whole);
    tcase_add_test(t, EXT_011_who_was_killed_is_heard_of_as_killed);
    tcase_add_test(t, EXT_014_a_kill_is_not_trapped);
    tcase_add_test(t, EXT_014_that_another_was_killed_is);
    tcase_add_test(t, EXT_017_who_traps_gets_its_own_as_a_message);
    tcase_add_test(t, EXT_018_a_signal_from_before_trapping_ends_it);
    tcase_add_test(t, EXT_018_a_signal_from_before_trapping_ends_it_on_another_thread);
    tcase_add_test(t, EXT_019_nothing_of_a_removed_link_is_heard);
    tcase_add_test(t, EXT_020_an_exit_message_stands_at_the_end_of_the_mailbox);
    return run_suite("exits", t, 30);
}
