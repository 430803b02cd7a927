/* SPDX-License-Identifier: MIT */
/* check_control.c - stop, drain, kill, alive; an actor's own mailbox. */
#include "fixture.h"

#include <pthread.h>

static bsk_rt *rt;

static void setup(void)
{
    rt = bsk_start(.seed = 5, FIX_TRACED);
    ck_assert_ptr_nonnull(rt);
}

static void say_fini(bsk_self *self)
{
    ck_assert_ptr_nonnull(self);
    fix_say("fini ");
}

static void say_undo(void *arg)
{
    fix_say(arg);
}

static void say_num(bsk_self *self, bsk_msg *m)
{
    ck_assert_ptr_nonnull(self);
    bsk_match(m) {
        bsk_on(num, n) fix_say(n->v == 1 ? "1 " : n->v == 2 ? "2 " : "3 ");
    }
}

static bsk_addr handler_with_three(void)
{
    bsk_addr a = fix_born(bsk_spawn(rt, say_num, .fini = say_fini));
    for (int i = 1; i <= 3; i++) bsk_tell(a, num, i);
    return a;
}

/* Handlers. */

START_TEST(a_stopped_handler_ends_and_leaves_what_is_queued)
{
    setup();
    bsk_addr a = handler_with_three();
    ck_assert_int_eq(bsk_stop(a, BSK_FOREVER), 0);
    ck_assert(!bsk_alive(a));
    bsk_advance(rt, 0);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_SHUTDOWN);
    ck_assert_str_eq(fix_said(), "fini ");
    ck_assert_uint_eq(fix_dead(&num_bsk, BSK_DEAD_UNHANDLED), 3);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(a_drained_handler_handles_what_is_queued_and_refuses_more)
{
    setup();
    bsk_addr a = handler_with_three();
    ck_assert_int_eq(bsk_drain(a, BSK_FOREVER), 0);
    ck_assert(!bsk_alive(a));
    ck_assert_int_eq(bsk_try(a, num, 4), BSK_ECLOSED);
    bsk_tell(a, num, 5);
    bsk_advance(rt, 0);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_SHUTDOWN);
    ck_assert_str_eq(fix_said(), "1 2 3 fini ");
    ck_assert_uint_eq(fix_dead(&num_bsk, BSK_DEAD_REFUSED), 1);
    ck_assert_uint_eq(fix_dead_all(), 1);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(a_drained_handler_that_is_idle_ends)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, say_num));
    bsk_addr b = fix_born(bsk_spawn(rt, say_num));
    bsk_tell(b, num, 1);
    bsk_advance(rt, 0);
    ck_assert_int_eq(bsk_drain(a, BSK_FOREVER), 0);
    ck_assert_int_eq(bsk_drain(b, BSK_FOREVER), 0);
    bsk_advance(rt, 0);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_SHUTDOWN);
    ck_assert_int_eq(fix_end_of(b).reason, BSK_SHUTDOWN);
    fix_stop(rt, 0);
}
END_TEST

static void init_with_defers(bsk_self *self)
{
    ck_assert_int_eq(bsk_defer(self, say_undo, "a "), 0);
    ck_assert_int_eq(bsk_defer(self, say_undo, "b "), 0);
}

START_TEST(a_killed_handler_runs_no_fini_but_its_clean_ups)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, say_num, .init = init_with_defers, .fini = say_fini));
    bsk_advance(rt, 0);
    bsk_tell(a, num, 1);
    ck_assert_int_eq(bsk_kill(a), 0);
    ck_assert(!bsk_alive(a));
    bsk_advance(rt, 0);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_KILLED);
    ck_assert_str_eq(fix_said(), "b a ");
    ck_assert_uint_eq(fix_dead(&num_bsk, BSK_DEAD_UNHANDLED), 1);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(who_is_killed_before_it_ran_is_neither_begun_nor_finished)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, say_num, .init = init_with_defers, .fini = say_fini));
    ck_assert_int_eq(bsk_kill(a), 0);
    bsk_advance(rt, 0);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_KILLED);
    ck_assert_str_eq(fix_said(), "");
    fix_stop(rt, 0);
}
END_TEST

START_TEST(who_is_stopped_before_it_ran_is_begun_and_finished)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, say_num, .init = init_with_defers, .fini = say_fini));
    ck_assert_int_eq(bsk_stop(a, BSK_FOREVER), 0);
    bsk_advance(rt, 0);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_SHUTDOWN);
    ck_assert_str_eq(fix_said(), "fini b a ");
    fix_stop(rt, 0);
}
END_TEST

/* Does to itself what the message says, then to its end once more. */
static void to_oneself(bsk_self *self, bsk_msg *m)
{
    bsk_addr me = bsk_me(self);
    bsk_match(m) {
        bsk_on(num, n) {
            int rc = n->v == 1   ? bsk_stop(me, BSK_FOREVER)
                     : n->v == 2 ? bsk_drain(me, BSK_FOREVER)
                     : n->v == 3 ? bsk_kill(me)
                                 : bsk_stop(me, BSK_KILL);
            ck_assert_int_eq(rc, 0);
            ck_assert(!bsk_alive(me));
            fix_say("did ");
        }
        bsk_on(other, o) fix_say("other ");
    }
}

START_TEST(a_handler_may_end_itself_by_each_word)
{
    setup();
    bsk_addr a[4];
    for (int i = 0; i < 4; i++) {
        a[i] = fix_born(bsk_spawn(rt, to_oneself, .fini = say_fini));
        bsk_tell(a[i], num, i + 1);
        bsk_tell(a[i], other, 0);
        bsk_advance(rt, 0);
        fix_say("| ");
    }
    ck_assert_str_eq(fix_said(), "did fini | did other fini | did | did | ");
    ck_assert_int_eq(fix_end_of(a[0]).reason, BSK_SHUTDOWN);
    ck_assert_int_eq(fix_end_of(a[1]).reason, BSK_SHUTDOWN);
    ck_assert_int_eq(fix_end_of(a[2]).reason, BSK_KILLED);
    ck_assert_int_eq(fix_end_of(a[3]).reason, BSK_KILLED);
    fix_stop(rt, 0);
}
END_TEST

/* Handlers that trap stops. */

static void trap(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(bsk_stopping, s) fix_say("stopping ");
        bsk_on(num, n) fix_say("num ");
        bsk_on(stop_it, s) bsk_exit(self);
    }
}

START_TEST(a_handler_that_traps_stops_hears_of_it_once_and_goes_on)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, trap, .trap_stop = true, .fini = say_fini));
    ck_assert_int_eq(bsk_stop(a, BSK_FOREVER), 0);
    bsk_advance(rt, 0);
    ck_assert_int_eq(bsk_stop(a, BSK_FOREVER), 0);
    bsk_tell(a, num, 1);
    bsk_advance(rt, 0);
    bsk_tell(a, stop_it);
    bsk_advance(rt, 0);
    ck_assert_str_eq(fix_said(), "stopping num fini ");
    ck_assert_int_eq(fix_end_of(a).reason, BSK_SHUTDOWN);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(a_trapped_drain_is_told_when_all_is_handled)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, trap, .trap_stop = true));
    bsk_tell(a, num, 1);
    bsk_tell(a, num, 2);
    ck_assert_int_eq(bsk_drain(a, 50), 0);
    bsk_advance(rt, 40);
    ck_assert_str_eq(fix_said(), "num num stopping ");
    ck_assert(!fix_ended(a));
    bsk_advance(rt, 20);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_KILLED);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(who_traps_and_does_not_end_is_killed_when_its_time_is_over)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, trap, .trap_stop = true, .fini = say_fini));
    int64_t begin = bsk_now(rt);
    ck_assert_int_eq(bsk_stop(a, 250), 0);
    bsk_advance(rt, 249);
    ck_assert(!fix_ended(a));
    bsk_advance(rt, 1);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_KILLED);
    ck_assert_int_eq(fix_end_of(a).ns / 1000000, begin + 250);
    ck_assert_str_eq(fix_said(), "stopping ");
    fix_stop(rt, 0);
}
END_TEST

START_TEST(a_later_stop_does_not_lengthen_the_time)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, trap, .trap_stop = true));
    ck_assert_int_eq(bsk_stop(a, 100), 0);
    ck_assert_int_eq(bsk_stop(a, 1000), 0);
    ck_assert_int_eq(bsk_stop(a, BSK_FOREVER), 0);
    bsk_advance(rt, 100);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_KILLED);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(times_to_finish)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, trap, .trap_stop = true));
    bsk_addr b = fix_born(bsk_spawn(rt, trap, .trap_stop = true));
    bsk_addr c = fix_born(bsk_spawn(rt, trap, .trap_stop = true));
    ck_assert_int_eq(bsk_stop(a, -3), BSK_EINVAL);
    ck_assert_int_eq(bsk_drain(a, INT64_MIN), BSK_EINVAL);
    ck_assert(bsk_alive(a));
    ck_assert_int_eq(bsk_stop(a, BSK_KILL), 0);
    ck_assert_int_eq(bsk_stop(b, BSK_FOREVER), 0);
    ck_assert_int_eq(bsk_stop(c, 0), 0);
    bsk_advance(rt, 0);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_KILLED);
    ck_assert_int_eq(fix_end_of(c).reason, BSK_KILLED);
    bsk_advance(rt, INT64_C(1) << 40);
    ck_assert(!fix_ended(b));
    ck_assert_int_eq(bsk_stop(b, BSK_KILL), 0);
    ck_assert_int_eq(bsk_wait(rt), 0);
}
END_TEST

/* Fibers. */

static void note_rc(const char *what, int rc)
{
    fix_say(what);
    fix_say(bsk_errname(rc));
    fix_say(" ");
}

static void try_all_waits(bsk_self *self)
{
    ck_assert(bsk_cancelled(self));
    note_rc("sleep:", bsk_sleep(self, 10));
    note_rc("yield:", bsk_yield(self));
    ck_assert_ptr_null(bsk_recv(self, 10));
    note_rc("recv:", bsk_error(self));
    ck_assert_ptr_null(bsk_recv_only(self, 10, BSK_T(num)));
    note_rc("only:", bsk_error(self));
    ck_assert_ptr_null(bsk_call(self, bsk_whereis(bsk_rt_of(self), "full"), 10, get, 1));
    note_rc("call:", bsk_error(self));
    note_rc("send:", bsk_send(self, bsk_whereis(bsk_rt_of(self), "full"), 10, num, 1));
}

static void wait_in_each_way(bsk_self *self)
{
    switch (*(int *)bsk_state(self)) {
    case 0: ck_assert_int_eq(bsk_sleep(self, BSK_FOREVER), BSK_ECANCELED); break;
    case 1:
        ck_assert_ptr_null(bsk_recv(self, BSK_FOREVER));
        ck_assert_int_eq(bsk_error(self), BSK_ECANCELED);
        break;
    case 2:
        ck_assert_ptr_null(bsk_recv_only(self, BSK_FOREVER, BSK_T(num)));
        ck_assert_int_eq(bsk_error(self), BSK_ECANCELED);
        break;
    case 3:
        ck_assert_ptr_null(
            bsk_call(self, bsk_whereis(bsk_rt_of(self), "mute"), BSK_FOREVER, get, 1));
        ck_assert_int_eq(bsk_error(self), BSK_ECANCELED);
        break;
    case 4:
        ck_assert_int_eq(bsk_send(self, bsk_whereis(bsk_rt_of(self), "full"), BSK_FOREVER, num, 1),
                         BSK_ECANCELED);
        break;
    }
    try_all_waits(self);
}

static void sleep_on(bsk_self *self)
{
    while (bsk_sleep(self, BSK_FOREVER) == 0) continue;
}

static void hoard(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(get, g) (void)bsk_later(g, get);
    }
    ck_assert_ptr_nonnull(self);
}

START_TEST(every_wait_of_a_stopped_fiber_is_cancelled)
{
    setup();
    bsk_addr full = fix_born(bsk_spawn(rt, sleep_on, .name = "full", .mailbox = 1));
    fix_born(bsk_spawn(rt, hoard, .name = "mute"));
    bsk_tell(full, num, 0);
    for (int i = 0; i < 5; i++) {
        bsk_addr f = fix_born(bsk_spawn(rt, wait_in_each_way, .fini = say_fini, BSK_STATE(int, i)));
        bsk_advance(rt, 5);
        ck_assert_int_eq(bsk_stop(f, BSK_FOREVER), 0);
        bsk_advance(rt, 0);
        ck_assert_int_eq(fix_end_of(f).reason, BSK_SHUTDOWN);
    }
    const char *each = "sleep:ECANCELED yield:ECANCELED recv:ECANCELED only:ECANCELED "
                       "call:ECANCELED send:ECANCELED fini ";
    ck_assert_uint_eq(strlen(fix_said()), 5 * strlen(each));
    ck_assert_int_eq(strncmp(fix_said(), each, strlen(each)), 0);
    fix_stop(rt, 0);
}
END_TEST

static void drink_up(bsk_self *self)
{
    bsk_msg *m;
    bsk_sleep(self, 10);
    while ((m = bsk_recv(self, BSK_FOREVER))) say_num(self, m);
    note_rc("then:", bsk_error(self));
    ck_assert(!bsk_cancelled(self));
    ck_assert(bsk_mailbox_closed(self));
}

START_TEST(a_drained_fiber_receives_what_is_queued_and_then_that_it_is_closed)
{
    setup();
    bsk_addr f = fix_born(bsk_spawn(rt, drink_up, .fini = say_fini));
    for (int i = 1; i <= 3; i++) bsk_tell(f, num, i);
    bsk_advance(rt, 5);
    ck_assert_int_eq(bsk_drain(f, BSK_FOREVER), 0);
    ck_assert_int_eq(bsk_try(f, num, 4), BSK_ECLOSED);
    bsk_advance(rt, 10);
    ck_assert_str_eq(fix_said(), "1 2 3 then:ECLOSED fini ");
    ck_assert_int_eq(fix_end_of(f).reason, BSK_SHUTDOWN);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(a_fiber_that_waits_for_messages_is_woken_by_a_drain)
{
    setup();
    bsk_addr f = fix_born(bsk_spawn(rt, drink_up));
    bsk_advance(rt, 50);
    ck_assert_int_eq(bsk_drain(f, BSK_FOREVER), 0);
    bsk_advance(rt, 0);
    ck_assert_str_eq(fix_said(), "then:ECLOSED ");
    ck_assert_int_eq(fix_end_of(f).reason, BSK_SHUTDOWN);
    fix_stop(rt, 0);
}
END_TEST

static void defer_and_sleep(bsk_self *self)
{
    ck_assert_int_eq(bsk_defer(self, say_undo, "undone "), 0);
    bsk_sleep(self, BSK_FOREVER);
    fix_say("went on ");
}

START_TEST(a_killed_fiber_ends_where_it_waits)
{
    setup();
    bsk_addr f = fix_born(bsk_spawn(rt, defer_and_sleep, .fini = say_fini));
    bsk_advance(rt, 5);
    ck_assert_int_eq(bsk_kill(f), 0);
    bsk_advance(rt, 0);
    ck_assert_int_eq(fix_end_of(f).reason, BSK_KILLED);
    ck_assert_str_eq(fix_said(), "undone ");
    fix_stop(rt, 0);
}
END_TEST

static void end_itself(bsk_self *self)
{
    bsk_addr me = bsk_me(self);
    int how = *(int *)bsk_state(self);
    if (how == 0) ck_assert_int_eq(bsk_stop(me, BSK_FOREVER), 0);
    if (how == 1) ck_assert_int_eq(bsk_drain(me, BSK_FOREVER), 0);
    if (how >= 2) ck_assert_int_eq(bsk_kill(me), 0);
    fix_say("asked ");
    switch (how) {
    case 2: ck_assert_int_ne(bsk_sleep(self, 1), 0); break;
    case 3: ck_assert_int_ne(bsk_yield(self), 0); break;
    case 4: ck_assert_ptr_null(bsk_recv(self, 1)); break;
    case 5:
        ck_assert_ptr_null(bsk_call(self, bsk_whereis(bsk_rt_of(self), "mute"), 1, get, 1));
        break;
    default: break;
    }
    fix_say("went on ");
}

START_TEST(a_fiber_may_end_itself_and_a_kill_ends_it_at_any_next_wait)
{
    setup();
    fix_born(bsk_spawn(rt, hoard, .name = "mute"));
    for (int i = 0; i < 6; i++) {
        bsk_addr f = fix_born(bsk_spawn(rt, end_itself, BSK_STATE(int, i)));
        bsk_advance(rt, 0);
        ck_assert_int_eq(fix_end_of(f).reason, i < 2 ? BSK_SHUTDOWN : BSK_KILLED);
    }
    ck_assert_str_eq(fix_said(), "asked went on asked went on asked asked asked asked ");
    fix_stop(rt, 0);
}
END_TEST

/* Fibers that do not care what their waits return. */
static void ignore_sleep(bsk_self *self)
{
    for (;;) (void)bsk_sleep(self, 1000);
}

static void ignore_yield(bsk_self *self)
{
    for (;;) (void)bsk_yield(self);
}

static void ignore_recv(bsk_self *self)
{
    for (;;) (void)bsk_recv(self, BSK_FOREVER);
}

static void ignore_call(bsk_self *self)
{
    for (;;) ck_assert_ptr_null(bsk_call(self, bsk_whereis(bsk_rt_of(self), "mute"), 100, get, 1));
}

static void ignore_send(bsk_self *self)
{
    for (;;) ck_assert_int_ne(bsk_send(self, bsk_whereis(bsk_rt_of(self), "full"), 100, num, 1), 0);
}

static bsk_fiber *const ignorant[] = {ignore_sleep, ignore_recv, ignore_call, ignore_send,
                                      ignore_yield};

START_TEST(a_fiber_that_ignores_the_stop_is_killed_when_its_time_is_over)
{
    setup();
    bsk_addr full = fix_born(bsk_spawn(rt, sleep_on, .name = "full", .mailbox = 1));
    fix_born(bsk_spawn(rt, hoard, .name = "mute"));
    bsk_tell(full, num, 0);
    for (int i = 0; i < 5; i++) {
        bsk_addr f = fix_born(bsk_spawn(rt, ignorant[i]));
        if (i < 4) bsk_advance(rt, 10);
        int64_t begin = bsk_now(rt);
        ck_assert_int_eq(bsk_stop(f, 250), 0);
        bsk_advance(rt, 500);
        ck_assert_int_eq(fix_end_of(f).reason, BSK_KILLED);
        ck_assert_int_eq(fix_end_of(f).ns / 1000000, begin + 250);
    }
    fix_stop(rt, 0);
}
END_TEST

START_TEST(in_a_real_runtime_too)
{
    rt = bsk_start(.workers = 1, FIX_TRACED);
    bsk_addr full = fix_born(bsk_spawn(rt, sleep_on, .name = "full", .mailbox = 1)), f[5];
    fix_born(bsk_spawn(rt, hoard, .name = "mute"));
    bsk_tell(full, num, 0);
    for (int i = 0; i < 5; i++) f[i] = fix_born(bsk_spawn(rt, ignorant[i]));
    for (int i = 0; i < 5; i++) ck_assert_int_eq(bsk_stop(f[i], 20), 0);
    /* The others are stopped only once these are gone: the runtime has no time for them else. */
    fix_stop(rt, 0);
    for (int i = 0; i < 5; i++) ck_assert_int_eq(fix_end_of(f[i]).reason, BSK_KILLED);
}
END_TEST

/* Whom no word reaches. */

static void refuse_all(bsk_addr who)
{
    ck_assert_int_eq(bsk_stop(who, BSK_FOREVER), BSK_EDEAD);
    ck_assert_int_eq(bsk_stop(who, 100), BSK_EDEAD);
    ck_assert_int_eq(bsk_stop(who, BSK_KILL), BSK_EDEAD);
    ck_assert_int_eq(bsk_drain(who, 0), BSK_EDEAD);
    ck_assert_int_eq(bsk_drain(who, BSK_FOREVER), BSK_EDEAD);
    ck_assert_int_eq(bsk_kill(who), BSK_EDEAD);
    ck_assert(!bsk_alive(who));
    ck_assert_int_eq(bsk_try(who, num, 1), BSK_EDEAD);
    ck_assert_int_eq(bsk_send(NULL, who, 5, num, 1), BSK_EDEAD);
    ck_assert_ptr_null(bsk_call(NULL, who, 5, get, 1));
    ck_assert_int_eq(bsk_error(NULL), BSK_EDEAD);
}

static void refuse_in_handler(bsk_self *self, bsk_msg *m)
{
    bsk_addr who = *(bsk_addr *)bsk_state(self);
    bsk_match(m) {
        bsk_on(num, n) {
            ck_assert_int_eq(bsk_stop(who, 5), BSK_EDEAD);
            ck_assert_int_eq(bsk_drain(who, 5), BSK_EDEAD);
            ck_assert_int_eq(bsk_kill(who), BSK_EDEAD);
            ck_assert(!bsk_alive(who));
            ck_assert_int_eq(bsk_try(who, num, 1), BSK_EDEAD);
            ck_assert_int_eq(bsk_want_room(self, who), BSK_EDEAD);
            ck_assert_int_eq(bsk_ask(self, who, 5, get, 1), BSK_EDEAD);
        }
    }
}

static void check_refused(bsk_addr who)
{
    refuse_all(who);
    bsk_addr h =
        fix_born(bsk_spawn(rt, refuse_in_handler, .state = &who, .state_size = sizeof who));
    bsk_tell(h, num, 1);
    bsk_advance(rt, 0);
    ck_assert_int_eq(bsk_kill(h), 0);
    bsk_advance(rt, 0);
}

START_TEST(addresses_of_nobody_are_refused_by_every_word)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, say_num)), b;
    check_refused((bsk_addr){0, 0, 0});
    b = a, b.node ^= 1, check_refused(b);
    b = a, b.gen += 1, check_refused(b);
    b = a, b.gen += 2, check_refused(b);
    b = a, b.gen = 0, check_refused(b);
    b = a, b.slot += 5000, check_refused(b);
    b = a, b.slot = UINT32_MAX, check_refused(b);
    b = (bsk_addr){a.node, 0, 0}, check_refused(b);
    ck_assert(bsk_alive(a));
    ck_assert_int_eq(bsk_kill(a), 0);
    bsk_advance(rt, 0);
    check_refused(a);
    ck_assert_uint_eq(fix_dead_all(), 0);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(a_forged_generation_that_comes_true_meets_a_message_never_meant_for_it)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, say_num)), next = a;
    next.gen += 2;
    ck_assert_int_eq(bsk_try(next, num, 1), BSK_EDEAD);
    ck_assert_int_eq(bsk_kill(a), 0);
    bsk_advance(rt, 0);
    for (int i = 0; i < 20000 && !bsk_alive(next); i++) {
        bsk_addr b = fix_born(bsk_spawn(rt, say_num));
        if (!bsk_same(b, next)) ck_assert_int_eq(bsk_kill(b), 0);
        bsk_advance(rt, 0);
    }
    ck_assert(bsk_alive(next) && !bsk_alive(a));
    ck_assert_int_eq(bsk_try(a, num, 1), BSK_EDEAD);
    ck_assert_int_eq(bsk_try(next, num, 2), 0);
    bsk_advance(rt, 0);
    ck_assert_str_eq(fix_said(), "2 ");
    fix_stop(rt, 0);
}
END_TEST

START_TEST(an_address_of_an_ended_runtime_is_nobodys)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, say_num));
    fix_stop(rt, 0);
    refuse_all(a);
    setup();
    bsk_addr b = fix_born(bsk_spawn(rt, say_num));
    ck_assert_uint_eq(a.slot, b.slot);
    ck_assert_uint_eq(a.gen, b.gen);
    ck_assert(!bsk_same(a, b));
    check_refused(a);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(an_actor_may_use_thread_words_to_nobody_too)
{
    setup();
    bsk_addr a = {1, 2, 3};
    bsk_addr f =
        fix_born(bsk_spawn(rt, refuse_in_handler, BSK_STATE(bsk_addr, a.node, a.slot, a.gen)));
    bsk_tell(f, num, 1);
    bsk_advance(rt, 0);
    ck_assert(bsk_alive(f));
    fix_stop(rt, 0);
}
END_TEST

/* One's own mailbox. */

static void own_mailbox(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(stop_it, s) {
            ck_assert_uint_eq(bsk_mailbox_len(self), 3);
            ck_assert_uint_eq(bsk_mailbox_room(self), 5);
            ck_assert_int_eq(bsk_mailbox_resize(self, 0), BSK_EINVAL);
            ck_assert_int_eq(bsk_mailbox_resize(self, BSK_MAILBOX_MAX + 1), BSK_EINVAL);
            ck_assert_uint_eq(bsk_mailbox_room(self), 5);
            ck_assert_int_eq(bsk_mailbox_resize(self, 2), 0);
            ck_assert_uint_eq(bsk_mailbox_len(self), 3);
            ck_assert_uint_eq(bsk_mailbox_room(self), 0);
            ck_assert_int_eq(bsk_try(bsk_me(self), num, 9), BSK_EFULL);
            ck_assert(!bsk_mailbox_closed(self));
            bsk_mailbox_close(self);
            ck_assert(bsk_mailbox_closed(self));
            ck_assert_int_eq(bsk_try(bsk_me(self), num, 9), BSK_ECLOSED);
            fix_say("seen ");
        }
        bsk_on(num, n) fix_say("num ");
    }
}

START_TEST(an_actor_resizes_and_closes_its_mailbox)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, own_mailbox, .mailbox = 8));
    bsk_tell(a, stop_it);
    for (int i = 0; i < 3; i++) bsk_tell(a, num, i);
    bsk_advance(rt, 0);
    ck_assert_str_eq(fix_said(), "seen num num num ");
    ck_assert(bsk_alive(a));
    ck_assert_int_eq(bsk_try(a, num, 9), BSK_ECLOSED);
    fix_stop(rt, 0);
}
END_TEST

/* Threads at once. */

struct target {
    bsk_addr who;
    pthread_barrier_t *go;
};

static void *hit_hard(void *arg)
{
    struct target *t = arg;
    pthread_barrier_wait(t->go);
    for (int i = 0; i < 20; i++) {
        (void)bsk_stop(t->who, i % 3 ? BSK_FOREVER : 5);
        (void)bsk_drain(t->who, BSK_FOREVER);
        bsk_tell(t->who, num, i);
        (void)bsk_kill(t->who);
        (void)bsk_alive(t->who);
    }
    return NULL;
}

START_TEST(many_threads_end_the_same_actor_at_once)
{
    rt = bsk_start(.workers = 2, .quiet = true);
    for (int round = 0; round < 200; round++) {
        pthread_barrier_t go;
        pthread_barrier_init(&go, NULL, 3);
        struct target t = {
            round % 2 ? bsk_spawn(rt, trap, .trap_stop = true) : bsk_spawn(rt, sleep_on), &go};
        pthread_t thread[3];
        for (int i = 0; i < 3; i++)
            ck_assert_int_eq(pthread_create(&thread[i], NULL, hit_hard, &t), 0);
        for (int i = 0; i < 3; i++) pthread_join(thread[i], NULL);
        pthread_barrier_destroy(&go);
    }
    ck_assert_int_eq(bsk_wait(rt), 0);
}
END_TEST

FIX_MAIN("control", 30, a_stopped_handler_ends_and_leaves_what_is_queued,
         a_drained_handler_handles_what_is_queued_and_refuses_more,
         a_drained_handler_that_is_idle_ends, a_killed_handler_runs_no_fini_but_its_clean_ups,
         who_is_killed_before_it_ran_is_neither_begun_nor_finished,
         who_is_stopped_before_it_ran_is_begun_and_finished, a_handler_may_end_itself_by_each_word,
         a_handler_that_traps_stops_hears_of_it_once_and_goes_on,
         a_trapped_drain_is_told_when_all_is_handled,
         who_traps_and_does_not_end_is_killed_when_its_time_is_over,
         a_later_stop_does_not_lengthen_the_time, times_to_finish,
         every_wait_of_a_stopped_fiber_is_cancelled,
         a_drained_fiber_receives_what_is_queued_and_then_that_it_is_closed,
         a_fiber_that_waits_for_messages_is_woken_by_a_drain, a_killed_fiber_ends_where_it_waits,
         a_fiber_may_end_itself_and_a_kill_ends_it_at_any_next_wait,
         a_fiber_that_ignores_the_stop_is_killed_when_its_time_is_over, in_a_real_runtime_too,
         addresses_of_nobody_are_refused_by_every_word,
         a_forged_generation_that_comes_true_meets_a_message_never_meant_for_it,
         an_address_of_an_ended_runtime_is_nobodys, an_actor_may_use_thread_words_to_nobody_too,
         an_actor_resizes_and_closes_its_mailbox, many_threads_end_the_same_actor_at_once)
