/* SPDX-License-Identifier: MIT */
/* check_mailbox.c - the cases of the bounded mailbox: waiting for room, closing, dropping, length.
 *
 * ctest: valgrind timeout=120 */
#include "conformance.h"

#include <string.h>

#define SEEDS 40
#define PARCELS 16

BSK_MSG(item, (i64, n));
BSK_MSG(go);
BSK_CALL(question, item, (i64, n));
BSK_LOCAL(parcel, parcel_drop, (int, n), (bsk_self *, fails));

static int drops[PARCELS];

/* Parcels are counted when they are dropped; one that fails does it in the name of its receiver. */
void parcel_drop(void *body)
{
    const parcel *p = body;
    ck_assert_int_lt(p->n, PARCELS);
    drops[p->n]++;
    if (p->fails) bsk_fail(p->fails, "parcel %d", p->n);
}

static void forget_drops(void)
{
    memset(drops, 0, sizeof drops);
}

static int dropped(void)
{
    int n = 0;
    for (int i = 0; i < PARCELS; i++) n += drops[i];
    return n;
}

static void expect_each_dropped_once(int n)
{
    for (int i = 0; i < n; i++) expect_eq(drops[i], 1);
    expect_eq(dropped(), n);
}

/* Senders that wait for room, in the order of their numbers, each with its time limit. */
#define SENDERS 3
static bsk_addr box, sender[SENDERS];
static struct {
    int64_t limit;
    int rc;
    int64_t at; /* when its wait ended */
} sent[SENDERS];

static void send_one(bsk_self *self)
{
    const int *i = bsk_state(self);
    sent[*i].rc = bsk_send(self, box, sent[*i].limit, item, .n = *i);
    sent[*i].at = now(self);
}

/* Fills the caller's mailbox, and makes n senders wait there. */
static void make_wait(bsk_self *self, int n)
{
    box = bsk_me(self);
    while (bsk_mailbox_room(self)) expect_eq(bsk_try(box, item, .n = -1), 0);
    for (int i = 0; i < n; i++) {
        sent[i].rc = 1;
        sender[i] = bsk_spawn(bsk_rt_of(self), send_one, BSK_STATE(int, i));
        expect_eq(bsk_sleep(self, 1), 0);
    }
}

static int64_t receive(bsk_self *self, int64_t ms)
{
    bsk_msg *m = bsk_recv(self, ms);
    if (!m) return bsk_error(self);
    int64_t n = 0;
    bsk_match(m) {
        bsk_on(item, v) n = v->n;
    }
    return n;
}

/* Runs f as an actor with a small mailbox, under many seeds. */
static bsk_fiber *boxed;
static uint32_t capacity;

static void spawn_boxed(bsk_self *self)
{
    forget_drops();
    expect(!bsk_is_nobody(bsk_spawn(bsk_rt_of(self), boxed, .mailbox = capacity)));
}

static void run_boxed(uint32_t room, int status, bsk_fiber *f)
{
    boxed = f;
    capacity = room;
    run_seeds(SEEDS, status, spawn_boxed);
}

static void first_waiter_times_out(bsk_self *self)
{
    sent[0].limit = 10;
    sent[1].limit = 1000;
    make_wait(self, 2);
    expect_eq(bsk_sleep(self, 18), 0);
    expect_eq(sent[0].rc, BSK_ETIMEDOUT);
    expect_eq(sent[0].at, 10);
    expect_eq(sent[1].rc, 1);
    expect_eq(receive(self, 0), -1);
    expect_eq(receive(self, 100), 1);
    expect_eq(now(self), 20);
    expect_eq(bsk_sleep(self, 1), 0);
    expect_eq(sent[1].rc, 0);
    expect_eq(sent[1].at, 20);
}

START_TEST(MBX_005_a_waiter_that_gave_up_does_not_take_the_wake_up_of_the_next)
{
    run_boxed(1, 0, first_waiter_times_out);
}
END_TEST

/* The first waiter is woken and ends before it has run: the second gets its place. */
static void first_waiter_ends_when_woken(bsk_self *self)
{
    sent[0].limit = sent[1].limit = 1000;
    make_wait(self, 2);
    expect_eq(receive(self, 0), -1);
    expect_eq(seed_now % 2 ? bsk_kill(sender[0]) : bsk_stop(sender[0], BSK_FOREVER), 0);
    if (seed_now % 4 < 2) expect_eq(bsk_yield(self), 0);
    int64_t first = receive(self, 100);
    expect(first == 1 || (first == 0 && receive(self, 100) == 1));
    expect_eq(now(self), 2);
}

START_TEST(MBX_005_a_waiter_that_ends_when_it_is_woken_hands_the_room_on)
{
    run_boxed(1, 0, first_waiter_ends_when_woken);
}
END_TEST

static void deadline_meets_room(bsk_self *self)
{
    sent[0].limit = 10;
    sent[1].limit = 1000;
    make_wait(self, 2);
    expect_eq(bsk_sleep(self, 8), 0); /* both at 10 */
    expect_eq(receive(self, 0), -1);
    int64_t first = receive(self, 100);
    expect(first == 1 || (first == 0 && receive(self, 100) == 1));
    expect_eq(now(self), 10);
    expect_eq(bsk_sleep(self, 1), 0);
    expect_eq(sent[0].rc, first == 0 ? 0 : BSK_ETIMEDOUT);
}

START_TEST(MBX_005_room_at_the_moment_of_the_deadline_is_not_lost)
{
    run_boxed(1, 0, deadline_meets_room);
}
END_TEST

static uint64_t refused_letters;

static void try_closed(bsk_self *self)
{
    expect_eq(bsk_try(box, item), BSK_ECLOSED);
    expect_eq(bsk_send(self, box, 100, item), BSK_ECLOSED);
    expect_eq(bsk_ask(self, box, 100, question), BSK_ECLOSED);
    expect(!bsk_call(self, box, 100, question));
    expect_eq(bsk_error(self), BSK_ECLOSED);
    refused_letters = dead_letters(bsk_rt_of(self), BSK_DEAD_REFUSED);
    bsk_tell(box, item);
    expect_eq(dead_letters(bsk_rt_of(self), BSK_DEAD_REFUSED), refused_letters + 1);
    expect_eq(now(self), 0);
}

static void close_idle(bsk_self *self)
{
    box = bsk_me(self);
    bsk_mailbox_close(self);
    expect(bsk_mailbox_closed(self));
    expect_eq(receive(self, BSK_FOREVER), BSK_ECLOSED);
    expect_eq(receive(self, 0), BSK_ECLOSED);
    bsk_spawn(bsk_rt_of(self), try_closed);
    expect_eq(bsk_sleep(self, 200), 0);
    expect_eq(receive(self, BSK_FOREVER), BSK_ECLOSED);
}

START_TEST(MBX_006_a_closed_mailbox_says_so_to_receivers_and_to_senders)
{
    run_seeds(SEEDS, 0, close_idle);
}
END_TEST

static int64_t drained_rc;

static void wait_for_ever(bsk_self *self)
{
    drained_rc = receive(self, BSK_FOREVER);
}

static void drain_idle(bsk_self *self)
{
    bsk_addr idle = bsk_spawn(bsk_rt_of(self), wait_for_ever);
    if (seed_now % 2) expect_eq(bsk_sleep(self, 1), 0);
    drained_rc = 1;
    expect_eq(bsk_drain(idle, 100), 0);
    expect_eq(bsk_try(idle, item), BSK_ECLOSED);
    expect_eq(bsk_sleep(self, 1), 0);
    expect_eq(drained_rc, BSK_ECLOSED);
    expect_eq(reason_of(idle), BSK_SHUTDOWN);
}

START_TEST(MBX_006_a_receiver_that_waits_is_woken_when_others_close_its_mailbox)
{
    run_seeds(SEEDS, 0, drain_idle);
}
END_TEST

static void close_with_three(bsk_self *self)
{
    for (int i = 1; i <= 3; i++) expect_eq(bsk_try(bsk_me(self), item, .n = i), 0);
    bsk_mailbox_close(self);
    for (int i = 1; i <= 3; i++) expect_eq(receive(self, 0), i);
    expect_eq(receive(self, 0), BSK_ECLOSED);
}

START_TEST(MBX_012_closing_never_hides_what_is_queued)
{
    run_seeds(SEEDS, 0, close_with_three);
}
END_TEST

/* An actor that is given parcels and ends with them queued; how: by its state. */
struct doomed {
    enum end how;
    bool fails; /* dropping one or two of them */
};

static void doom(bsk_self *self)
{
    const struct doomed *d = bsk_state(self);
    bsk_self *by = d->fails ? self : NULL;
    for (int i = 0; i < 8; i++)
        expect_eq(bsk_try(bsk_me(self), parcel, .n = i, .fails = i == 3 || i == 5 ? by : NULL), 0);
    if (!bsk_is_nobody(box)) expect_eq(bsk_sleep(self, 5), 0);
    end_by(self, d->how);
}

static void doomed_fiber(bsk_self *self)
{
    doom(self);
}

static void doomed_handler(bsk_self *self, bsk_msg *m)
{
    const struct doomed *d = bsk_state(self);
    bsk_match(m) {
        bsk_on(go, v) {
            doom(self);
            if (d->how == END_RETURN) bsk_exit(self);
        }
    }
}

static bsk_addr spawn_doomed(bsk_rt *rt, enum end how, bool fails, bool handler)
{
    if (!handler)
        return bsk_spawn(rt, doomed_fiber, BSK_STATE(struct doomed, how, fails), .mailbox = 8);
    bsk_addr a = bsk_spawn(rt, doomed_handler, BSK_STATE(struct doomed, how, fails), .mailbox = 8);
    bsk_tell(a, go);
    return a;
}

static enum end how_now;
static int dropped_when_told;

static void wait_for_room_at_doomed(bsk_self *self)
{
    expect_eq(bsk_send(self, box, 1000, item), BSK_EDEAD);
    dropped_when_told = dropped();
    expect_eq(now(self), 5);
}

static void receiver_ends(bsk_self *self)
{
    forget_drops();
    bsk_rt *rt = bsk_rt_of(self);
    dropped_when_told = -1;
    box = bsk_me(self); /* not nobody: it lives on for a while */
    box = spawn_doomed(rt, how_now, false, false);
    expect_eq(bsk_sleep(self, 1), 0);
    bsk_spawn(rt, wait_for_room_at_doomed);
    expect_eq(bsk_sleep(self, 5), 0);
    expect_eq(reason_of(box), reason_for(how_now));
    expect_eq(dropped_when_told, 8);
    expect_each_dropped_once(8);
    expect_eq(bsk_try(box, item), BSK_EDEAD);
    expect(!bsk_call(self, box, 10, question));
    expect_eq(bsk_error(self), BSK_EDEAD);
    expect_eq(dead_letters(rt, BSK_DEAD_UNHANDLED), 8);
}

START_TEST(MBX_014_when_the_receiver_ends_what_is_queued_is_freed_before_senders_are_told)
{
    how_now = (enum end)_i;
    run_seeds(SEEDS, status_for(how_now), receiver_ends);
}
END_TEST

static void send_parcels(bsk_self *self)
{
    for (int i = 0; i < PARCELS; i++) expect_eq(bsk_send(self, box, 10, parcel, .n = i), 0);
}

static void never_receive(bsk_self *self)
{
    expect_eq(bsk_sleep(self, BSK_FOREVER), BSK_ECANCELED);
}

/* Senders that are faster than an end can bury what they send do not hold it up. */
START_TEST(MBX_014_a_receiver_ends_while_others_go_on_sending)
{
    bsk_rt *rt = start_parallel(2);
    for (int round = 0; round < 50; round++) {
        box = bsk_spawn(rt, never_receive, .mailbox = BSK_MAILBOX_MAX);
        for (int i = 0; i < 1000; i++) bsk_tell(box, go);
        expect_eq(bsk_stop(box, BSK_FOREVER), 0);
        while (bsk_try(box, go) != BSK_EDEAD) continue;
    }
    expect_eq(bsk_wait(rt), 0);
}
END_TEST

static void both_ends_end(bsk_self *self)
{
    forget_drops();
    box = bsk_spawn(bsk_rt_of(self), never_receive);
    bsk_spawn(bsk_rt_of(self), send_parcels);
    expect_eq(bsk_sleep(self, 1), 0);
    expect_eq(dropped(), 0);
    bsk_shutdown(bsk_rt_of(self));
}

START_TEST(MBX_015_messages_that_nobody_received_are_dropped_exactly_once)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        expect_eq(run_seeded(seed, both_ends_end), 0);
        expect_each_dropped_once(PARCELS);
    }
}
END_TEST

static void send_after_end(bsk_self *self)
{
    forget_drops();
    box = (bsk_addr){0, 0, 0};
    bsk_addr gone = spawn_doomed(bsk_rt_of(self), how_now, false, seed_now % 2);
    expect_eq(bsk_sleep(self, 1), 0);
    expect_each_dropped_once(8);
    /* What was told is freed; what was tried stays the sender's, who is told. */
    bsk_tell(gone, parcel, .n = 8);
    expect_each_dropped_once(9);
    expect_eq(bsk_try(gone, parcel, .n = 9), BSK_EDEAD);
    expect_eq(bsk_send(self, gone, 10, parcel, .n = 9), BSK_EDEAD);
    expect_each_dropped_once(9);
    expect_eq(dead_letters(bsk_rt_of(self), BSK_DEAD_GONE), 1);
}

START_TEST(MBX_016_messages_queued_or_told_when_the_receiver_is_gone_are_freed)
{
    how_now = (enum end)_i;
    run_seeds(SEEDS, status_for(how_now), send_after_end);
}
END_TEST

static void ask_for_too_much(bsk_self *self)
{
    static const uint32_t margins[] = {1, 2, BSK_MAILBOX_MAX, UINT32_MAX - 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof margins / sizeof *margins; i++)
        expect_eq(bsk_try_margin(bsk_me(self), margins[i], item), BSK_EFULL);
    expect_eq(bsk_mailbox_len(self), 0);
    expect_eq(bsk_try_margin(bsk_me(self), 0, item), 0);
    for (size_t i = 0; i < sizeof margins / sizeof *margins; i++)
        expect_eq(bsk_try_margin(bsk_me(self), margins[i], item), BSK_EFULL);
    expect_eq(bsk_mailbox_len(self), 1);
    expect_eq(bsk_mailbox_resize(self, 0), BSK_EINVAL);
    expect_eq(bsk_mailbox_resize(self, BSK_MAILBOX_MAX + 1), BSK_EINVAL);
}

START_TEST(MBX_017_asking_for_more_than_the_capacity_fails_at_once)
{
    run_boxed(1, 0, ask_for_too_much);
}
END_TEST

static void count_room(bsk_self *self)
{
    uint32_t n = 1 + seed_now % 9;
    expect_eq(bsk_mailbox_resize(self, n), 0);
    expect_eq(bsk_mailbox_room(self), n);
    for (uint32_t i = 1; i <= n; i++) {
        expect_eq(bsk_try(bsk_me(self), item, .n = i), 0);
        expect_eq(bsk_mailbox_room(self), n - i);
    }
    expect_eq(bsk_try(bsk_me(self), item), BSK_EFULL);
    for (uint32_t i = 1; i <= n; i++) {
        expect_eq(receive(self, 0), i);
        expect_eq(bsk_mailbox_room(self), i);
    }
}

START_TEST(MBX_018_the_free_room_is_exact_at_each_step)
{
    run_seeds(SEEDS, 0, count_room);
}
END_TEST

static void send_to_full(bsk_self *self)
{
    int64_t start = now(self);
    expect_eq(bsk_send(self, box, 10, parcel, .n = 0), BSK_ETIMEDOUT);
    expect_eq(now(self), start + 10);
    expect_eq(bsk_send(self, box, 0, parcel, .n = 0), BSK_ETIMEDOUT);
    expect_eq(now(self), start + 10);
    expect_eq(dropped(), 0);
    expect_eq(bsk_send(self, box, 1000, parcel, .n = 0), BSK_ECLOSED);
    expect_eq(now(self), 20);
    expect_eq(bsk_send(self, box, 1000, parcel, .n = 0), BSK_ECLOSED);
    expect_eq(dropped(), 0);
}

static void full_then_closed(bsk_self *self)
{
    make_wait(self, 0);
    bsk_spawn(bsk_rt_of(self), send_to_full);
    expect_eq(bsk_sleep(self, 20), 0);
    expect_eq(bsk_mailbox_len(self), 5);
    bsk_mailbox_close(self);
    expect_eq(bsk_sleep(self, 100), 0);
}

START_TEST(MBX_022_send_with_a_time_limit_times_out_and_keeps_the_message)
{
    run_boxed(5, 0, full_then_closed);
}
END_TEST

static void full_then_drained(bsk_self *self)
{
    make_wait(self, 0);
    bsk_spawn(bsk_rt_of(self), send_to_full);
    expect_eq(bsk_sleep(self, 1000), 0);
}

static void drain_the_full_one(bsk_self *self)
{
    forget_drops();
    bsk_addr full = bsk_spawn(bsk_rt_of(self), full_then_drained, .mailbox = 5);
    expect_eq(bsk_sleep(self, 20), 0);
    expect_eq(bsk_drain(full, BSK_FOREVER), 0);
}

START_TEST(MBX_022_who_waits_for_room_is_told_when_others_close_the_mailbox)
{
    run_seeds(SEEDS, 0, drain_the_full_one);
}
END_TEST

static int refused_words;

static void answer_work(bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(question, q) bsk_reply(q, question, .n = q->n);
    }
}

static void wait_in_handler(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(go, v) {
            refused_words += bsk_send(self, box, 100, item) == BSK_EINVAL;
            refused_words += bsk_send(NULL, box, 100, item) == BSK_EINVAL;
            refused_words += !bsk_call(self, box, 100, question) && bsk_error(self) == BSK_EINVAL;
            refused_words += !bsk_call(NULL, box, 100, question) && bsk_error(self) == BSK_EINVAL;
            refused_words += !bsk_recv(self, 100) && bsk_error(self) == BSK_EINVAL;
            refused_words +=
                !bsk_recv_only(self, 100, BSK_T(item)) && bsk_error(self) == BSK_EINVAL;
            refused_words += bsk_sleep(self, 100) == BSK_EINVAL;
            refused_words += bsk_yield(self) == BSK_EINVAL;
            refused_words +=
                !bsk_work_call(self, 100, answer_work, question) && bsk_error(self) == BSK_EINVAL;
        }
    }
    if (refused_words) bsk_exit(self);
}

static void words_that_wait(bsk_self *self)
{
    bsk_rt *rt = bsk_rt_of(self);
    box = bsk_me(self);
    refused_words = 0;
    bsk_addr handler = bsk_spawn(rt, wait_in_handler);
    expect_eq(bsk_try(handler, go), 0);
    expect_eq(bsk_sleep(self, 1), 0);
    expect_eq(refused_words, 9);
    expect_eq(reason_of(handler), BSK_NORMAL);
    expect_eq(bsk_mailbox_len(self), 0);
}

START_TEST(MBX_023_words_that_wait_are_refused_in_a_handler)
{
    run_seeds(SEEDS, 0, words_that_wait);
}
END_TEST

static void close_and_look(bsk_self *self)
{
    for (int i = 1; i <= 4; i++) expect_eq(bsk_try(bsk_me(self), item, .n = i), 0);
    bsk_mailbox_close(self);
    for (int i = 1; i <= 4; i++) {
        expect(bsk_mailbox_closed(self));
        expect_eq(bsk_mailbox_len(self), 5 - i);
        expect_eq(receive(self, 0), i);
    }
    expect_eq(bsk_mailbox_len(self), 0);
}

START_TEST(MBX_025_a_closed_mailbox_still_shows_what_is_queued)
{
    run_seeds(SEEDS, 0, close_and_look);
}
END_TEST

/* Also what a selective receive has passed over, and a timer's message, which takes no place. */
static void count_down(bsk_self *self)
{
    const int n = 10;
    for (int i = 1; i <= n; i++) {
        if (i % 2)
            expect_eq(bsk_try(bsk_me(self), item, .n = i), 0);
        else
            expect_eq(bsk_try(bsk_me(self), go), 0);
    }
    expect(bsk_after(self, 0, item, .n = 99).gen != 0);
    for (int left = n; left > n / 2; left--) {
        expect_eq(bsk_mailbox_len(self), left);
        bsk_msg *m = bsk_recv_only(self, 0, BSK_T(go));
        expect(m != NULL);
        expect_eq(bsk_mailbox_len(self), left - 1);
    }
    expect(!bsk_recv_only(self, 0, BSK_T(go)));
    expect_eq(bsk_sleep(self, 1), 0);
    for (int i = 1; i <= n / 2; i++) {
        expect_eq(bsk_mailbox_len(self), n / 2 - i + 1);
        expect_eq(receive(self, 0), 2 * i - 1);
    }
    expect_eq(bsk_mailbox_len(self), 0);
    expect_eq(receive(self, 0), 99);
    expect_eq(bsk_mailbox_len(self), 0);
}

START_TEST(MBX_026_the_length_goes_down_to_zero_by_one_for_each_message)
{
    run_seeds(SEEDS, 0, count_down);
}
END_TEST

#define FLOOD 20000
static _Atomic uint32_t longest;

static void flood(bsk_self *self)
{
    for (int i = 0; i < FLOOD; i++)
        if (bsk_send(self, box, BSK_FOREVER, item, .n = i)) break;
}

static void swallow(bsk_self *self)
{
    for (int i = 0; i < 2 * FLOOD; i++) {
        uint32_t before = bsk_mailbox_len(self);
        if (before > longest) longest = before;
        if (!bsk_recv(self, BSK_FOREVER)) break;
    }
    if (bsk_mailbox_len(self)) longest = UINT32_MAX;
}

START_TEST(MBX_026_the_length_stays_within_the_capacity_with_senders_on_other_threads)
{
    bsk_rt *rt = start_parallel(2);
    longest = 0;
    box = bsk_spawn(rt, swallow, .mailbox = 7);
    bsk_spawn(rt, flood);
    for (int i = 0; i < FLOOD; i++) expect_eq(bsk_send(NULL, box, BSK_FOREVER, item, .n = i), 0);
    expect_eq(bsk_wait(rt), 0);
    ck_assert_uint_le(longest, 7);
}
END_TEST

static void drop_functions_fail(bsk_self *self)
{
    forget_drops();
    box = (bsk_addr){0, 0, 0};
    bsk_addr gone = spawn_doomed(bsk_rt_of(self), how_now, true, seed_now % 2);
    expect_eq(bsk_sleep(self, 1), 0);
    expect_each_dropped_once(8);
    /* Who fails on the way out has failed; but who was killed was killed. */
    expect_eq(reason_of(gone), how_now == END_KILLED ? BSK_KILLED : BSK_FAILED);
    expect_eq(dead_letters(bsk_rt_of(self), BSK_DEAD_UNHANDLED), 8);
    /* The slot is whole: its next actors get and free messages as ever. */
    for (int i = 0; i < 3; i++) {
        forget_drops();
        gone = spawn_doomed(bsk_rt_of(self), END_EXIT, false, i == 1);
        expect_eq(bsk_sleep(self, 1), 0);
        expect_each_dropped_once(8);
    }
}

START_TEST(MBX_028_all_others_are_freed_when_a_drop_function_fails)
{
    how_now = (enum end)_i;
    run_seeds(SEEDS, how_now == END_KILLED ? 0 : 1, drop_functions_fail);
}
END_TEST

/* A fiber that waits in one of the ways that leave a handle with somebody else. */
enum wait { WAIT_RECV, WAIT_ROOM, WAIT_CALL, WAIT_SLEEP, WAIT_COUNT };

static void wait_somehow(bsk_self *self)
{
    const enum wait *how = bsk_state(self);
    int rc = 0;
    switch (*how) {
    case WAIT_RECV: rc = bsk_recv(self, 500) ? 1 : bsk_error(self); break;
    case WAIT_ROOM: rc = bsk_send(self, box, 500, item); break;
    case WAIT_CALL: rc = bsk_call(self, box, 500, question) ? 1 : bsk_error(self); break;
    default: rc = bsk_sleep(self, 500);
    }
    expect_eq(rc, BSK_ECANCELED);
}

static bsk_stats_out stats_of(bsk_self *self)
{
    bsk_stats_out s;
    bsk_stats(bsk_rt_of(self), &s);
    return s;
}

static void waiter_ends(bsk_self *self, enum wait how, bool killed)
{
    bsk_addr waiter = bsk_spawn(bsk_rt_of(self), wait_somehow, BSK_STATE(enum wait, how));
    expect_eq(bsk_sleep(self, 1), 0);
    expect_eq(killed ? bsk_kill(waiter) : bsk_stop(waiter, BSK_FOREVER), 0);
    expect_eq(bsk_sleep(self, 1), 0);
    expect_eq(reason_of(waiter), killed ? BSK_KILLED : BSK_SHUTDOWN);
}

static void waiters_end(bsk_self *self)
{
    make_wait(self, 0);
    for (int i = 0; i < 3; i++) {
        bsk_stats_out before = stats_of(self);
        for (int how = 0; how < 2 * WAIT_COUNT; how++)
            waiter_ends(self, (enum wait)(how / 2), how % 2);
        bsk_stats_out after = stats_of(self);
        expect_eq(after.actors, before.actors);
        expect_eq(after.timers, before.timers);
        if (i) {
            expect_eq(after.memory_stacks, before.memory_stacks);
            expect_eq(after.memory_messages, before.memory_messages);
        }
    }
    /* What they waited with wakes nobody: not its time, nor room, which goes to who waits now. */
    sent[0].limit = 2000;
    make_wait(self, 1);
    expect_eq(bsk_sleep(self, 600), 0);
    expect_eq(receive(self, 0), -1);
    expect_eq(receive(self, 10), 0);
}

START_TEST(MBX_029_a_waiter_that_ends_leaves_nothing_behind)
{
    run_boxed(1, 0, waiters_end);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("mailbox");
    tcase_add_test(t, MBX_005_a_waiter_that_gave_up_does_not_take_the_wake_up_of_the_next);
    tcase_add_test(t, MBX_005_a_waiter_that_ends_when_it_is_woken_hands_the_room_on);
    tcase_add_test(t, MBX_005_room_at_the_moment_of_the_deadline_is_not_lost);
    tcase_add_test(t, MBX_006_a_closed_mailbox_says_so_to_receivers_and_to_senders);
    tcase_add_test(t, MBX_006_a_receiver_that_waits_is_woken_when_others_close_its_mailbox);
    tcase_add_test(t, MBX_012_closing_never_hides_what_is_queued);
    tcase_add_loop_test(
        t, MBX_014_when_the_receiver_ends_what_is_queued_is_freed_before_senders_are_told, 0,
        END_COUNT);
    tcase_add_test(t, MBX_014_a_receiver_ends_while_others_go_on_sending);
    tcase_add_test(t, MBX_015_messages_that_nobody_received_are_dropped_exactly_once);
    tcase_add_loop_test(t, MBX_016_messages_queued_or_told_when_the_receiver_is_gone_are_freed, 0,
                        END_COUNT);
    tcase_add_test(t, MBX_017_asking_for_more_than_the_capacity_fails_at_once);
    tcase_add_test(t, MBX_018_the_free_room_is_exact_at_each_step);
    tcase_add_test(t, MBX_022_send_with_a_time_limit_times_out_and_keeps_the_message);
    tcase_add_test(t, MBX_022_who_waits_for_room_is_told_when_others_close_the_mailbox);
    tcase_add_test(t, MBX_023_words_that_wait_are_refused_in_a_handler);
    tcase_add_test(t, MBX_025_a_closed_mailbox_still_shows_what_is_queued);
    tcase_add_test(t, MBX_026_the_length_goes_down_to_zero_by_one_for_each_message);
    tcase_add_test(t, MBX_026_the_length_stays_within_the_capacity_with_senders_on_other_threads);
    tcase_add_loop_test(t, MBX_028_all_others_are_freed_when_a_drop_function_fails, 0, END_COUNT);
    tcase_add_test(t, MBX_029_a_waiter_that_ends_leaves_nothing_behind);
    return run_suite("mailbox", t, 30);
}
