/* SPDX-License-Identifier: MIT */
/* check_receive.c - matching, and the waits for messages. */
#include "fixture.h"

#include <time.h>

BSK_LOCAL(held, held_drop, (int, n));
BSK_MSG(full, (i64, i), (u64, u), (f64, f), (bool, b), (str, s), (bytes, y), (addr, a), (blob, B));

static bsk_rt *rt;

void held_drop(void *body)
{
    ck_assert_int_ge(((struct held *)body)->n, 0);
    fix_hit();
}

static void setup(void)
{
    rt = bsk_start(.seed = 31, FIX_TRACED);
    ck_assert_ptr_nonnull(rt);
}

static void say_number(const char *what, int64_t n)
{
    char text[64];
    snprintf(text, sizeof text, "%s%lld ", what, (long long)n);
    fix_say(text);
}

/* The words of a match; the same in both kinds of actor. */

static void match_all(bsk_self *self, bsk_msg *m)
{
    ck_assert_ptr_nonnull(self);
    bsk_match(m) {
        bsk_on(num, n) say_number("num", n->v);
        bsk_on(note, n) {
            if (!n->text) break;
            if (!*n->text) continue;
            fix_say(n->text);
            break;
        }
        bsk_on(stop_it, s) bsk_exit(self);
    }
}

static void match_fiber(bsk_self *self)
{
    bsk_msg *m;
    while ((m = bsk_recv(self, BSK_FOREVER))) match_all(self, m);
}

static void both(void (*test)(bsk_addr who))
{
    setup();
    test(fix_born(bsk_spawn(rt, match_all)));
    fix_say("| ");
    test(fix_born(bsk_spawn(rt, match_fiber)));
    fix_stop(rt, 0);
}

static void matched(bsk_addr who)
{
    bsk_tell(who, num, 1);
    bsk_tell(who, note, "text ");
    bsk_tell(who, note, "");
    bsk_tell(who, note, NULL);
    bsk_tell(who, num, 2);
    bsk_tell(who, stop_it);
    bsk_advance(rt, 0);
    ck_assert(!bsk_alive(who));
}

START_TEST(a_match_takes_each_type_to_its_case)
{
    both(matched);
    ck_assert_str_eq(fix_said(), "num1 text num2 | num1 text num2 ");
    ck_assert_uint_eq(fix_dead_all(), 0);
}
END_TEST

static void unmatched(bsk_addr who)
{
    bsk_tell(who, other, 1);
    bsk_tell(who, held, .n = 3);
    bsk_tell(who, num, 1);
    bsk_advance(rt, 0);
    ck_assert(bsk_alive(who));
}

START_TEST(what_matches_no_case_is_a_dead_letter)
{
    both(unmatched);
    ck_assert_str_eq(fix_said(), "num1 | num1 ");
    ck_assert_uint_eq(fix_dead(&other_bsk, BSK_DEAD_UNMATCHED), 2);
    ck_assert_uint_eq(fix_dead(&held_bsk, BSK_DEAD_UNMATCHED), 2);
    ck_assert_uint_eq(fix_dead_all(), 4);
    ck_assert_uint_eq(fix_hits(), 2);
}
END_TEST

static void match_again(bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(other, o) say_number("again", o->v);
    }
}

static void take_rest(bsk_self *self, bsk_msg *m)
{
    ck_assert_ptr_nonnull(self);
    bsk_match(m) {
        bsk_on(num, n) say_number("num", n->v);
        bsk_else(any) {
            fix_say(bsk_msg_type(any)->name);
            fix_say(" ");
            match_again(any);
        }
    }
}

START_TEST(the_rest_goes_to_else_and_can_be_matched_again)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, take_rest));
    bsk_tell(a, num, 1);
    bsk_tell(a, other, 2);
    bsk_tell(a, note, "x");
    bsk_advance(rt, 0);
    ck_assert_str_eq(fix_said(), "num1 other again2 note ");
    ck_assert_uint_eq(fix_dead(&note_bsk, BSK_DEAD_UNMATCHED), 1);
    fix_stop(rt, 0);
}
END_TEST

static void no_match(bsk_self *self, bsk_msg *m)
{
    ck_assert_ptr_nonnull(self);
    fix_say(bsk_msg_type(m)->name);
}

START_TEST(a_handler_need_not_match)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, no_match));
    bsk_tell(a, num, 1);
    bsk_advance(rt, 0);
    ck_assert_str_eq(fix_said(), "num");
    ck_assert_uint_eq(fix_dead_all(), 0);
    fix_stop(rt, 0);
}
END_TEST

static void match_replies(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(stop_it, s) {
            bsk_addr to = bsk_whereis(bsk_rt_of(self), "answers");
            ck_assert_int_eq(bsk_ask(self, to, 10, get, 1), 0);
            ck_assert_int_eq(bsk_ask(self, to, 10, say, "x"), 0);
            ck_assert_int_eq(bsk_ask(self, to, 10, get, -1), 0);
        }
        bsk_on(get, g) fix_say("request! ");
        bsk_on(num, n) fix_say("message! ");
        bsk_on_reply(get, n) say_number("reply", n->v);
        bsk_on_no_reply(say, rc) fix_say(bsk_errname(rc));
    }
}

static void answers(bsk_self *self, bsk_msg *m)
{
    ck_assert_ptr_nonnull(self);
    bsk_match(m) {
        bsk_on(get, g) {
            if (g->v > 0) bsk_reply(g, get, .v = g->v + 1);
        }
        bsk_on(say, s) continue;
    }
}

START_TEST(replies_and_their_absence_have_words_of_their_own)
{
    setup();
    fix_born(bsk_spawn(rt, answers, .name = "answers"));
    bsk_addr a = fix_born(bsk_spawn(rt, match_replies));
    bsk_tell(a, stop_it);
    bsk_advance(rt, 1);
    ck_assert_ptr_nonnull(strstr(fix_said(), "reply2 "));
    ck_assert_ptr_nonnull(strstr(fix_said(), "ENOREPLY"));
    ck_assert_uint_eq(strlen(fix_said()), strlen("reply2 ENOREPLY"));
    /* The lost `get` matches no case. */
    ck_assert_uint_eq(fix_dead(&get_bsk, BSK_DEAD_UNMATCHED), 1);
    fix_stop(rt, 0);
}
END_TEST

static void check_full(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(full, f) {
            ck_assert_int_eq(f->i, INT64_MIN);
            ck_assert_uint_eq(f->u, UINT64_MAX);
            ck_assert(f->f > 1.4999 && f->f < 1.5001);
            ck_assert(f->b);
            ck_assert_str_eq(f->s, "a text");
            ck_assert_uint_eq(f->y.len, 1000);
            ck_assert_uint_eq((uintptr_t)f->y.ptr % 16, 0);
            for (size_t i = 0; i < 1000; i++)
                ck_assert_uint_eq(((const unsigned char *)f->y.ptr)[i], (unsigned char)i);
            ck_assert(bsk_same(f->a, bsk_me(self)));
            ck_assert_uint_eq(bsk_blob_bytes(f->B).len, 5);
            ck_assert_int_eq(memcmp(bsk_blob_bytes(f->B).ptr, "blob", 5), 0);
            fix_say("full ");
        }
    }
}

START_TEST(a_message_brings_every_kind_of_field)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, check_full));
    unsigned char bytes[1000];
    char text[] = "a text";
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)i;
    bsk_blob *b = bsk_blob_new("blob", 5);
    bsk_tell(a, full, .i = INT64_MIN, .u = UINT64_MAX, .f = 1.5, .b = true, .s = text,
             .y = {bytes, sizeof bytes}, .a = a, .B = b);
    memset(bytes, 0, sizeof bytes);
    memset(text, 'x', sizeof text - 1);
    bsk_blob_drop(b);
    bsk_advance(rt, 0);
    ck_assert_str_eq(fix_said(), "full ");
    fix_stop(rt, 0);
}
END_TEST

/* Order and time. */

static void receive_in_order(bsk_self *self)
{
    bsk_sleep(self, 5);
    for (int64_t i = 0; i < 1000; i++) {
        bsk_msg *m = bsk_recv(self, 0);
        ck_assert_ptr_nonnull(m);
        bsk_match(m) {
            bsk_on(num, n) ck_assert_int_eq(n->v, i);
            bsk_on(other, n) ck_assert_int_eq(n->v, i);
        }
    }
    ck_assert_ptr_null(bsk_recv(self, 0));
    ck_assert_int_eq(bsk_error(self), BSK_ETIMEDOUT);
    fix_say("all ");
}

START_TEST(messages_are_received_in_the_order_sent)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, receive_in_order));
    for (int64_t i = 0; i < 1000; i++) {
        if (i % 3)
            bsk_tell(a, num, i);
        else
            bsk_tell(a, other, i);
    }
    bsk_advance(rt, 5);
    ck_assert_str_eq(fix_said(), "all ");
    ck_assert_uint_eq(fix_dead_all(), 0);
    fix_stop(rt, 0);
}
END_TEST

static void time_out(bsk_self *self)
{
    int64_t times[] = {0, 1, 10, 999, INT64_C(100000000)};
    for (int i = 0; i < 5; i++) {
        int64_t begin = bsk_now(bsk_rt_of(self));
        ck_assert_ptr_null(bsk_recv(self, times[i]));
        ck_assert_int_eq(bsk_error(self), BSK_ETIMEDOUT);
        ck_assert_int_eq(bsk_now(bsk_rt_of(self)) - begin, times[i]);
        begin = bsk_now(bsk_rt_of(self));
        ck_assert_ptr_null(bsk_recv_only(self, times[i], BSK_T(num), BSK_T(note)));
        ck_assert_int_eq(bsk_error(self), BSK_ETIMEDOUT);
        ck_assert_int_eq(bsk_now(bsk_rt_of(self)) - begin, times[i]);
    }
    fix_say("timed out ");
}

START_TEST(a_receive_ends_with_its_time_to_the_millisecond)
{
    setup();
    fix_born(bsk_spawn(rt, time_out));
    bsk_advance(rt, INT64_C(300000000));
    ck_assert_str_eq(fix_said(), "timed out ");
    fix_stop(rt, 0);
}
END_TEST

static void only_after_others(bsk_self *self)
{
    int64_t begin = bsk_now(bsk_rt_of(self));
    ck_assert_ptr_null(bsk_recv_only(self, 10, BSK_T(note)));
    ck_assert_int_eq(bsk_error(self), BSK_ETIMEDOUT);
    ck_assert_int_eq(bsk_now(bsk_rt_of(self)) - begin, 10);
    ck_assert_uint_eq(bsk_mailbox_len(self), 4);
    fix_say("still there ");
}

START_TEST(messages_of_other_types_do_not_lengthen_a_selective_wait)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, only_after_others, .mailbox = 4));
    for (int i = 0; i < 4; i++) {
        bsk_advance(rt, 2);
        ck_assert_int_eq(bsk_try(a, num, i), 0);
    }
    ck_assert_int_eq(bsk_try(a, num, 5), BSK_EFULL);
    bsk_advance(rt, 20);
    ck_assert_str_eq(fix_said(), "still there ");
    ck_assert_uint_eq(fix_dead(&num_bsk, BSK_DEAD_UNHANDLED), 4);
    fix_stop(rt, 0);
}
END_TEST

/* Selective receive. */

static int64_t value_of(bsk_msg *m)
{
    ck_assert_ptr_nonnull(m);
    bsk_match(m) {
        bsk_on(num, n) return n->v;
        bsk_on(other, n) return 1000 + n->v;
        bsk_on(note, n) return 2000 + n->text[0];
        bsk_on(get, g) return 3000 + g->v;
    }
    return -1;
}

static void pick_types(bsk_self *self)
{
    bsk_sleep(self, 1);
    say_number("", value_of(bsk_recv_only(self, 0, BSK_T(note))));
    say_number("", value_of(bsk_recv_only(self, 0, BSK_T(other), BSK_T(note))));
    say_number("", value_of(bsk_recv_only(self, 0, BSK_T(note), BSK_T(num))));
    bsk_tell(bsk_me(self), num, 9);
    say_number("", value_of(bsk_recv_only(self, 0, BSK_T(get))));
    for (int i = 0; i < 5; i++) say_number("", value_of(bsk_recv(self, 0)));
    ck_assert_ptr_null(bsk_recv(self, 0));
}

START_TEST(a_selective_receive_keeps_the_order_of_what_it_passes_over)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, pick_types));
    bsk_tell(a, num, 1);
    bsk_tell(a, other, 2);
    bsk_tell(a, num, 3);
    bsk_tell(a, note, "\1");
    bsk_tell(a, other, 4);
    bsk_tell(a, note, "\2");
    bsk_tell(a, get, 5);
    bsk_tell(a, num, 6);
    bsk_advance(rt, 1);
    ck_assert_str_eq(fix_said(), "2001 1002 1 3005 3 1004 2002 6 9 ");
    fix_stop(rt, 0);
}
END_TEST

static void only_timers_and_replies(bsk_self *self)
{
    bsk_addr to = bsk_whereis(bsk_rt_of(self), "answers");
    ck_assert_uint_ne(bsk_after(self, 5, other, 7).gen, 0);
    ck_assert_int_eq(bsk_ask(self, to, 10, get, 8), 0);
    ck_assert_int_eq(bsk_ask(self, to, 10, say, "x"), 0);
    bsk_match(bsk_recv_only(self, 20, BSK_T(say))) {
        bsk_on_no_reply(say, rc) fix_say("lost ");
    }
    bsk_match(bsk_recv_only(self, 20, BSK_T(get))) {
        bsk_on_reply(get, n) say_number("reply", n->v);
    }
    say_number("timer", value_of(bsk_recv_only(self, 20, BSK_T(other))));
    ck_assert_int_eq(bsk_now(bsk_rt_of(self)), 5);
    say_number("first", value_of(bsk_recv(self, 0)));
}

START_TEST(a_selective_receive_finds_replies_and_timers_of_its_types)
{
    setup();
    fix_born(bsk_spawn(rt, answers, .name = "answers"));
    bsk_addr a = fix_born(bsk_spawn(rt, only_timers_and_replies));
    bsk_tell(a, num, 1);
    bsk_advance(rt, 10);
    ck_assert_str_eq(fix_said(), "lost reply9 timer1007 first1 ");
    fix_stop(rt, 0);
}
END_TEST

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t took[2];

/* Lets `passed` messages be passed over, then picks others one by one. */
static void pick_many(bsk_self *self)
{
    int64_t passed = *(int64_t *)bsk_state(self);
    for (int64_t i = 0; i < passed; i++) bsk_tell(bsk_me(self), num, i);
    ck_assert_ptr_null(bsk_recv_only(self, 0, BSK_T(other)));
    uint64_t begin = cpu_ns();
    for (int64_t i = 0; i < 10000; i++) {
        bsk_tell(bsk_me(self), other, i);
        ck_assert_int_eq(value_of(bsk_recv_only(self, 0, BSK_T(other), BSK_T(note))), 1000 + i);
    }
    took[passed != 0] = cpu_ns() - begin;
    for (int64_t i = 0; i < passed; i++) ck_assert_int_eq(value_of(bsk_recv(self, 0)), i);
}

START_TEST(what_was_passed_over_is_not_looked_at_again)
{
    setup();
    for (int64_t passed = 0; passed <= 10000; passed += 10000) {
        fix_born(bsk_spawn(rt, pick_many, .mailbox = 20000, BSK_STATE(int64_t, passed)));
        bsk_advance(rt, 1);
    }
    ck_assert_uint_gt(took[0], 0);
    ck_assert_uint_gt(took[1], 0);
    /* Looking at 10,000 again for each of 10,000 takes a thousand times as long. */
    ck_assert_uint_lt(took[1], 30 * took[0]);
    ck_assert_uint_eq(fix_dead_all(), 0);
    fix_stop(rt, 0);
}
END_TEST

static void pass_types(bsk_self *self)
{
    static bsk_type types[100];
    for (int i = 0; i < 100; i++) types[i] = num_bsk;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++) bsk_tell_(bsk_me(self), &types[i], &(num){.v = i});
        ck_assert_ptr_null(bsk_recv_only(self, 0, BSK_T(other)));
        for (int i = 99; i >= 0; i -= 2) {
            bsk_msg *m = bsk_recv_only(self, 0, &types[i]);
            ck_assert_ptr_nonnull(m);
            ck_assert_ptr_eq(bsk_msg_type(m), &types[i]);
        }
        for (int i = 0; i < 100; i += 2) {
            bsk_msg *m = bsk_recv(self, 0);
            ck_assert_ptr_nonnull(m);
            ck_assert_ptr_eq(bsk_msg_type(m), &types[i]);
        }
    }
    fix_say("all ");
}

START_TEST(any_number_of_types_may_be_passed_over)
{
    setup();
    fix_born(bsk_spawn(rt, pass_types));
    bsk_advance(rt, 1);
    ck_assert_str_eq(fix_said(), "all ");
    fix_stop(rt, 0);
}
END_TEST

static void die_with_saved(bsk_self *self)
{
    ck_assert_ptr_null(bsk_recv_only(self, 5, BSK_T(note)));
    bsk_fail(self, "enough");
}

START_TEST(what_was_passed_over_is_unhandled_when_the_fiber_ends)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, die_with_saved));
    bsk_tell(a, num, 1);
    bsk_tell(a, held, .n = 1);
    bsk_advance(rt, 1);
    bsk_tell(a, other, 1);
    bsk_advance(rt, 10);
    ck_assert_uint_eq(fix_dead(NULL, BSK_DEAD_UNHANDLED), 3);
    ck_assert_uint_eq(fix_hits(), 1);
    fix_stop(rt, 1);
}
END_TEST

/* What is passed over keeps its place, and takes no part in dropping the oldest. */
static void pass_over_two(bsk_self *self)
{
    ck_assert_ptr_null(bsk_recv_only(self, 5, BSK_T(note)));
    ck_assert_uint_eq(bsk_mailbox_len(self), 2);
    bsk_sleep(self, 10);
    for (int i = 0; i < 3; i++) say_number("", value_of(bsk_recv(self, 0)));
}

START_TEST(passed_over_messages_keep_their_places)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, pass_over_two, .mailbox = 3, .overflow = BSK_DROP_OLDEST));
    bsk_tell(a, num, 1);
    bsk_tell(a, num, 2);
    bsk_advance(rt, 8);
    bsk_tell(a, num, 3);
    bsk_tell(a, num, 4);
    bsk_tell(a, num, 5);
    bsk_advance(rt, 20);
    ck_assert_str_eq(fix_said(), "1 2 5 ");
    ck_assert_uint_eq(fix_dead(&num_bsk, BSK_DEAD_DROPPED), 2);
    fix_stop(rt, 0);
}
END_TEST

/* Closed, and where it must not be called. */

static void close_and_receive(bsk_self *self)
{
    ck_assert_uint_ne(bsk_after(self, 5, other, 1).gen, 0);
    bsk_mailbox_close(self);
    say_number("", value_of(bsk_recv(self, BSK_FOREVER)));
    ck_assert_ptr_null(bsk_recv(self, BSK_FOREVER));
    fix_say(bsk_errname(bsk_error(self)));
    ck_assert_ptr_null(bsk_recv_only(self, BSK_FOREVER, BSK_T(num)));
    fix_say(bsk_errname(bsk_error(self)));
}

START_TEST(a_closed_mailbox_gives_what_it_holds_and_then_says_so)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, close_and_receive));
    bsk_tell(a, num, 4);
    bsk_advance(rt, 1);
    ck_assert_str_eq(fix_said(), "4 ECLOSEDECLOSED");
    fix_stop(rt, 0);
}
END_TEST

static void receive_in_handler(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) {
            ck_assert_ptr_null(bsk_recv(self, 10));
            ck_assert_int_eq(bsk_error(self), BSK_EINVAL);
            ck_assert_ptr_null(bsk_recv_only(self, 10, BSK_T(num)));
            ck_assert_int_eq(bsk_error(self), BSK_EINVAL);
            ck_assert_int_eq(bsk_sleep(self, 10), BSK_EINVAL);
            ck_assert_int_eq(bsk_yield(self), BSK_EINVAL);
            ck_assert_int_eq(bsk_send(self, bsk_me(self), 10, num, 1), BSK_EINVAL);
            ck_assert_int_eq(bsk_send(NULL, bsk_me(self), 10, num, 1), BSK_EINVAL);
            ck_assert_ptr_null(bsk_call(self, bsk_me(self), 10, get, 1));
            ck_assert_int_eq(bsk_error(self), BSK_EINVAL);
            ck_assert_ptr_null(bsk_call(NULL, bsk_me(self), 10, get, 1));
            ck_assert_int_eq(n->v, 5);
            fix_say("refused ");
        }
    }
}

START_TEST(a_handler_must_not_wait)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, receive_in_handler));
    bsk_tell(a, num, 5);
    bsk_advance(rt, 1);
    ck_assert_str_eq(fix_said(), "refused ");
    ck_assert_uint_eq(fix_dead_all(), 0);
    fix_stop(rt, 0);
}
END_TEST

/* One function a message. */

struct total {
    int64_t sum;
};
#define SUMS(X)                                                                                    \
    X(summer, struct total, num) X(summer, struct total, other) X(summer, struct total, get)
BSK_BEHAVE(summer, SUMS)

static void summer_on_num(bsk_self *self, struct total *t, const num *n)
{
    ck_assert_ptr_nonnull(self);
    t->sum += n->v;
}

static void summer_on_other(bsk_self *self, struct total *t, const other *n)
{
    ck_assert_ptr_nonnull(self);
    t->sum -= n->v;
}

static void summer_on_get(bsk_self *self, struct total *t, const get *g)
{
    ck_assert_ptr_nonnull(self);
    bsk_reply(g, get, .v = t->sum);
}

START_TEST(a_protocol_may_be_one_function_a_message)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, summer, BSK_STATE(struct total, .sum = 100)));
    bsk_tell(a, num, 5);
    bsk_tell(a, other, 7);
    bsk_tell(a, note, "x");
    const num *n = bsk_call(NULL, a, 10, get, 0);
    ck_assert(n && n->v == 98);
    ck_assert_uint_eq(fix_dead(&note_bsk, BSK_DEAD_UNMATCHED), 1);
    fix_stop(rt, 0);
}
END_TEST

/* Real threads: a fiber that selects while others send. */

static void select_under_fire(bsk_self *self)
{
    int64_t next[2] = {0, 0};
    for (int i = 0; i < 20000; i++) {
        bsk_msg *m = i % 3 ? bsk_recv(self, BSK_FOREVER) : NULL;
        if (!m && next[1] < 10000) m = bsk_recv_only(self, BSK_FOREVER, BSK_T(other));
        if (!m) m = bsk_recv(self, BSK_FOREVER);
        int64_t v = value_of(m);
        if (bsk_msg_type(m) == BSK_T(other))
            ck_assert_int_eq(v, 1000 + next[1]++);
        else
            ck_assert_int_eq(v, next[0]++);
    }
    fix_hit();
}

static void fire(bsk_self *self)
{
    bsk_addr to = *(bsk_addr *)bsk_state(self);
    for (int64_t i = 0; i < 10000; i++) {
        ck_assert_int_eq(bsk_send(self, to, BSK_FOREVER, num, i), 0);
        ck_assert_int_eq(bsk_send(self, to, BSK_FOREVER, other, i), 0);
    }
}

START_TEST(a_selective_receive_loses_nothing_under_fire)
{
    rt = bsk_start(.workers = 2, FIX_HOOKS);
    bsk_addr a = fix_born(bsk_spawn(rt, select_under_fire, .mailbox = 20000));
    fix_born(bsk_spawn(rt, fire, .state = &a, .state_size = sizeof a));
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_uint_eq(fix_hits(), 1);
    ck_assert_uint_eq(fix_dead_all(), 0);
}
END_TEST

FIX_MAIN("receive", 30, a_match_takes_each_type_to_its_case, what_matches_no_case_is_a_dead_letter,
         the_rest_goes_to_else_and_can_be_matched_again, a_handler_need_not_match,
         replies_and_their_absence_have_words_of_their_own, a_message_brings_every_kind_of_field,
         messages_are_received_in_the_order_sent, a_receive_ends_with_its_time_to_the_millisecond,
         messages_of_other_types_do_not_lengthen_a_selective_wait,
         a_selective_receive_keeps_the_order_of_what_it_passes_over,
         a_selective_receive_finds_replies_and_timers_of_its_types,
         what_was_passed_over_is_not_looked_at_again, any_number_of_types_may_be_passed_over,
         what_was_passed_over_is_unhandled_when_the_fiber_ends,
         passed_over_messages_keep_their_places,
         a_closed_mailbox_gives_what_it_holds_and_then_says_so, a_handler_must_not_wait,
         a_protocol_may_be_one_function_a_message, a_selective_receive_loses_nothing_under_fire)
