/* SPDX-License-Identifier: MIT */
/* check_room.c - waiting for room: who comes first, who gives up, who is told. */
#include "fixture.h"

static bsk_rt *rt;

static void setup(void)
{
    rt = bsk_start(.seed = 51, FIX_TRACED);
    ck_assert_ptr_nonnull(rt);
}

static void say_number(const char *what, int64_t n)
{
    char text[64];
    snprintf(text, sizeof text, "%s%lld ", what, (long long)n);
    fix_say(text);
}

/* Receives one message each 100 ms. */
static void slow_taker(bsk_self *self)
{
    while (bsk_sleep(self, 100) == 0) {
        bsk_match(bsk_recv(self, BSK_FOREVER)) {
            bsk_on(num, n) say_number("", n->v);
        }
    }
}

static bsk_addr full_taker(void)
{
    bsk_addr a = fix_born(bsk_spawn(rt, slow_taker, .mailbox = 1));
    ck_assert_int_eq(bsk_try(a, num, 0), 0);
    return a;
}

struct sender {
    bsk_addr to;
    int64_t n, ms;
};

static void send_one(bsk_self *self)
{
    struct sender *s = bsk_state(self);
    int rc = bsk_send(self, s->to, s->ms, num, s->n);
    if (rc) fix_say(bsk_errname(rc));
}

static bsk_addr sender(bsk_addr to, int64_t n, int64_t ms)
{
    return fix_born(bsk_spawn(rt, send_one, BSK_STATE(struct sender, to, n, ms)));
}

/* Who was woken may find the place taken again: in which order they get in is not promised. */
static void said_each(const char *all)
{
    ck_assert_uint_eq(strlen(fix_said()), strlen(all));
    for (; *all; all++) ck_assert_ptr_nonnull(strchr(fix_said(), *all));
}

START_TEST(every_sender_that_waits_gets_room)
{
    setup();
    bsk_addr a = full_taker();
    for (int i = 1; i <= 5; i++) {
        sender(a, i, BSK_FOREVER);
        bsk_advance(rt, 1);
    }
    bsk_advance(rt, 1000);
    said_each("0 1 2 3 4 5 ");
    fix_stop(rt, 0);
}
END_TEST

START_TEST(who_gives_up_does_not_keep_the_others_waiting)
{
    setup();
    bsk_addr a = full_taker(), killed, stopped;
    sender(a, 1, 50);
    bsk_advance(rt, 1);
    killed = sender(a, 2, BSK_FOREVER);
    bsk_advance(rt, 1);
    stopped = sender(a, 3, BSK_FOREVER);
    bsk_advance(rt, 1);
    sender(a, 4, BSK_FOREVER);
    bsk_advance(rt, 1);
    ck_assert_int_eq(bsk_kill(killed), 0);
    ck_assert_int_eq(bsk_stop(stopped, BSK_FOREVER), 0);
    bsk_advance(rt, 300);
    ck_assert_str_eq(fix_said(), "ECANCELEDETIMEDOUT0 4 ");
    fix_stop(rt, 0);
}
END_TEST

/* Makes room, and kills the sender that is woken for it before that can run. */
static void take_and_kill(bsk_self *self)
{
    bsk_sleep(self, 100);
    bsk_match(bsk_recv(self, 0)) {
        bsk_on(num, n) say_number("", n->v);
    }
    /* Wakes as many as there is room for: the first. */
    ck_assert_int_eq(bsk_mailbox_resize(self, 1), 0);
    ck_assert_int_eq(bsk_kill(bsk_whereis(bsk_rt_of(self), "victim")), 0);
    bsk_match(bsk_recv(self, 1000)) {
        bsk_on(num, n) say_number("", n->v);
    }
}

START_TEST(who_is_killed_as_it_was_woken_hands_the_place_on)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        rt = bsk_start(.seed = seed, FIX_HOOKS);
        bsk_addr a = fix_born(bsk_spawn(rt, take_and_kill, .mailbox = 1));
        ck_assert_int_eq(bsk_try(a, num, 0), 0);
        fix_born(
            bsk_spawn(rt, send_one, .name = "victim", BSK_STATE(struct sender, a, 1, BSK_FOREVER)));
        bsk_advance(rt, 1);
        sender(a, 2, BSK_FOREVER);
        bsk_advance(rt, 300);
        ck_assert_int_eq(bsk_wait(rt), 0);
    }
    ck_assert_uint_eq(strlen(fix_said()), 50 * strlen("0 2 "));
    ck_assert_ptr_null(strchr(fix_said(), '1'));
}
END_TEST

/* Notices. */

static void asks_for_room(bsk_self *self, bsk_msg *m)
{
    bsk_addr to = *(bsk_addr *)bsk_state(self);
    bsk_match(m) {
        bsk_on(num, n) {
            int rc = bsk_try(to, num, n->v);
            if (rc == BSK_EFULL) rc = bsk_want_room(self, to);
            ck_assert_int_eq(rc, 0);
        }
        bsk_on(stop_it, s) ck_assert_int_eq(bsk_want_room(self, to), 0);
        bsk_on(bsk_room, r) {
            ck_assert(bsk_same(r->who, to));
            fix_say("room ");
        }
    }
}

START_TEST(a_refused_handler_is_told_once_when_there_is_room)
{
    setup();
    bsk_addr a = full_taker();
    bsk_addr h = fix_born(bsk_spawn(rt, asks_for_room, .state = &a, .state_size = sizeof a));
    bsk_tell(h, num, 1);
    bsk_advance(rt, 99);
    ck_assert_str_eq(fix_said(), "");
    bsk_advance(rt, 500);
    ck_assert_str_eq(fix_said(), "0 room ");
    fix_stop(rt, 0);
}
END_TEST

START_TEST(each_wish_for_room_is_answered)
{
    setup();
    bsk_addr a = full_taker();
    bsk_addr h = fix_born(bsk_spawn(rt, asks_for_room, .state = &a, .state_size = sizeof a));
    for (int i = 0; i < 3; i++) bsk_tell(h, stop_it);
    bsk_advance(rt, 500);
    ck_assert_str_eq(fix_said(), "0 room room room ");
    fix_stop(rt, 0);
}
END_TEST

START_TEST(where_there_is_room_already_the_notice_comes_at_once)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, slow_taker, .mailbox = 2));
    bsk_addr h = fix_born(bsk_spawn(rt, asks_for_room, .state = &a, .state_size = sizeof a));
    bsk_tell(h, stop_it);
    bsk_advance(rt, 0);
    ck_assert_str_eq(fix_said(), "room ");
    fix_stop(rt, 0);
}
END_TEST

START_TEST(a_receiver_that_ends_or_closes_gives_notice_too)
{
    setup();
    bsk_addr a = full_taker(), b = full_taker();
    bsk_addr h = fix_born(bsk_spawn(rt, asks_for_room, .state = &a, .state_size = sizeof a));
    bsk_addr k = fix_born(bsk_spawn(rt, asks_for_room, .state = &b, .state_size = sizeof b));
    bsk_tell(h, stop_it);
    bsk_tell(k, stop_it);
    bsk_advance(rt, 1);
    ck_assert_int_eq(bsk_kill(a), 0);
    bsk_advance(rt, 1);
    ck_assert_str_eq(fix_said(), "room ");
    ck_assert_int_eq(bsk_drain(b, BSK_FOREVER), 0);
    bsk_advance(rt, 1);
    ck_assert_str_eq(fix_said(), "room room ");
    fix_stop(rt, 0);
}
END_TEST

START_TEST(a_notice_for_an_actor_that_has_ended_is_freed)
{
    setup();
    bsk_addr a = full_taker();
    bsk_addr h = fix_born(bsk_spawn(rt, asks_for_room, .state = &a, .state_size = sizeof a));
    for (int i = 0; i < 10; i++) bsk_tell(h, stop_it);
    bsk_advance(rt, 1);
    ck_assert_int_eq(bsk_kill(h), 0);
    bsk_advance(rt, 500);
    ck_assert_str_eq(fix_said(), "0 ");
    ck_assert_uint_eq(fix_dead_all(), 0);
    fix_stop(rt, 0);
}
END_TEST

static void grow_later(bsk_self *self)
{
    bsk_sleep(self, 50);
    ck_assert_int_eq(bsk_mailbox_resize(self, 4), 0);
    ck_assert_uint_eq(bsk_mailbox_room(self), 3);
    bsk_sleep(self, 50);
    ck_assert_uint_eq(bsk_mailbox_len(self), 4);
    for (int i = 0; i < 6; i++)
        bsk_match(bsk_recv(self, 1000)) {
            bsk_on(num, n) say_number("", n->v);
        }
}

START_TEST(a_larger_mailbox_lets_waiting_senders_in)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, grow_later, .mailbox = 1));
    for (int i = 0; i < 6; i++) {
        sender(a, i, BSK_FOREVER);
        bsk_advance(rt, 1);
    }
    bsk_advance(rt, 500);
    said_each("0 1 2 3 4 5 ");
    fix_stop(rt, 0);
}
END_TEST

static void want_own_room(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) {
            ck_assert_int_eq(bsk_try(bsk_me(self), other, n->v), 0);
            ck_assert_int_eq(bsk_try(bsk_me(self), other, n->v), BSK_EFULL);
            ck_assert_int_eq(bsk_want_room(self, bsk_me(self)), 0);
        }
        bsk_on(other, o) fix_say("other ");
        bsk_on(bsk_room, r) fix_say("room ");
    }
}

START_TEST(an_actor_may_want_room_at_its_own)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, want_own_room, .mailbox = 1));
    bsk_tell(a, num, 1);
    bsk_advance(rt, 1);
    ck_assert_str_eq(fix_said(), "other room ");
    fix_stop(rt, 0);
}
END_TEST

/* Real threads: every message arrives, whoever waits in which way. */

enum { EACH = 5000 };

struct source {
    bsk_addr to;
    int64_t next;
};

static void pour(bsk_self *self, struct source *s)
{
    int rc = 0;
    while (s->next < EACH && (rc = bsk_try(s->to, num, s->next)) == 0) s->next++;
    if (s->next == EACH) bsk_exit(self);
    ck_assert_int_eq(rc, BSK_EFULL);
    ck_assert_int_eq(bsk_want_room(self, s->to), 0);
}

static void pourer(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(stop_it, s) pour(self, bsk_state(self));
        bsk_on(bsk_room, r) pour(self, bsk_state(self));
    }
}

static void sender_fiber(bsk_self *self)
{
    struct source *s = bsk_state(self);
    for (; s->next < EACH; s->next++) {
        int rc;
        do rc = bsk_send(self, s->to, s->next % 7 ? BSK_FOREVER : 1, num, s->next);
        while (rc == BSK_ETIMEDOUT);
        ck_assert_int_eq(rc, 0);
    }
}

static void sink(bsk_self *self, bsk_msg *m)
{
    int *n = bsk_state(self);
    bsk_match(m) {
        bsk_on(num, x) {
            if (++*n == 6 * EACH) bsk_exit(self);
        }
    }
}

START_TEST(nobody_waits_for_ever_beside_a_working_receiver)
{
    rt = bsk_start(.workers = 2, FIX_HOOKS);
    int zero = 0;
    bsk_addr a = fix_born(bsk_spawn(rt, sink, .mailbox = 3, BSK_STATE(int, zero)));
    for (int i = 0; i < 3; i++) {
        bsk_tell(fix_born(bsk_spawn(rt, pourer, BSK_STATE(struct source, a, 0))), stop_it);
        fix_born(bsk_spawn(rt, sender_fiber, BSK_STATE(struct source, a, 0)));
    }
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_uint_eq(fix_dead_all(), 0);
}
END_TEST

FIX_MAIN("room", 30, every_sender_that_waits_gets_room,
         who_gives_up_does_not_keep_the_others_waiting,
         who_is_killed_as_it_was_woken_hands_the_place_on,
         a_refused_handler_is_told_once_when_there_is_room, each_wish_for_room_is_answered,
         where_there_is_room_already_the_notice_comes_at_once,
         a_receiver_that_ends_or_closes_gives_notice_too,
         a_notice_for_an_actor_that_has_ended_is_freed, a_larger_mailbox_lets_waiting_senders_in,
         an_actor_may_want_room_at_its_own, nobody_waits_for_ever_beside_a_working_receiver)
