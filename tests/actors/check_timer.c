/* SPDX-License-Identifier: MIT */
/* check_timer.c - timers beyond the conformance cases: many, stopped by themselves, left behind. */
#include "fixture.h"

BSK_LOCAL(held, held_drop, (int, n));

static bsk_rt *rt;
static unsigned drops;

void held_drop(void *body)
{
    ck_assert_int_ge(((struct held *)body)->n, 0);
    drops++;
}

static void setup(void)
{
    rt = bsk_start(.seed = 71, FIX_TRACED);
    ck_assert_ptr_nonnull(rt);
}

static uint64_t armed(void)
{
    bsk_stats_out out;
    bsk_stats(rt, &out);
    return out.timers;
}

static void say_number(const char *what, int64_t n)
{
    char text[64];
    snprintf(text, sizeof text, "%s%lld ", what, (long long)n);
    fix_say(text);
}

/* Many. */

enum { MANY = 100000 };

struct many {
    int64_t fired, late;
};

static void set_many(bsk_self *self, bsk_msg *m)
{
    struct many *s = bsk_state(self);
    bsk_match(m) {
        bsk_on(stop_it, x) {
            for (int64_t i = 0; i < MANY; i++) {
                int64_t ms = (i * 7919) % 50021;
                ck_assert_uint_ne(bsk_after(self, ms, num, bsk_now(rt) + ms).gen, 0);
            }
        }
        bsk_on(num, n) {
            s->fired++;
            s->late += n->v != bsk_now(rt);
        }
        bsk_on(get, g) bsk_reply(g, get, .v = g->v ? s->late : s->fired);
    }
}

START_TEST(a_hundred_thousand_timers_fire_each_in_its_millisecond)
{
    setup();
    struct many none = {0, 0};
    bsk_addr a =
        fix_born(bsk_spawn(rt, set_many, .state = &none, .state_size = sizeof none, .mailbox = 1));
    bsk_tell(a, stop_it);
    bsk_advance(rt, 0);
    ck_assert_uint_ge(armed(), MANY - 3);
    bsk_advance(rt, 60000);
    ck_assert_uint_eq(armed(), 0);
    const num *n = bsk_call(NULL, a, 10, get, 0);
    ck_assert(n && n->v == MANY);
    n = bsk_call(NULL, a, 10, get, 1);
    ck_assert(n && n->v == 0);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(an_actor_may_end_with_a_hundred_thousand_timers)
{
    setup();
    struct many none = {0, 0};
    for (int how = 0; how < 3; how++) {
        bsk_addr a = fix_born(bsk_spawn(rt, set_many, .state = &none, .state_size = sizeof none));
        bsk_tell(a, stop_it);
        bsk_advance(rt, how * 20000);
        ck_assert_int_eq(how == 1 ? bsk_kill(a) : bsk_stop(a, BSK_FOREVER), 0);
        bsk_advance(rt, 0);
        ck_assert_uint_eq(armed(), 0);
    }
    bsk_advance(rt, 60000);
    ck_assert_uint_eq(fix_dead_all(), 0);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(real_time_fires_them_too_and_never_early)
{
    rt = bsk_start(.workers = 2, FIX_HOOKS);
    struct many none = {0, 0};
    bsk_addr a = fix_born(bsk_spawn(rt, set_many, .state = &none, .state_size = sizeof none));
    bsk_tell(a, stop_it);
    const num *n;
    do n = bsk_call(NULL, a, BSK_FOREVER, get, 0);
    while (n && n->v == 0);
    ck_assert_ptr_nonnull(n);
    ck_assert_int_eq(bsk_kill(a), 0);
    ck_assert_int_eq(bsk_wait(rt), 0);
}
END_TEST

/* Stopping. */

struct one {
    bsk_timer t, u;
    int ticks;
};

static void stop_in_hand(bsk_self *self, bsk_msg *m)
{
    struct one *s = bsk_state(self);
    bsk_match(m) {
        bsk_on(stop_it, x) {
            s->t = bsk_every(self, 10, num, 1);
            s->u = bsk_after(self, 40, other, 2);
        }
        bsk_on(num, n) {
            say_number("tick", bsk_now(rt));
            if (++s->ticks == 3) {
                bsk_timer_stop(self, s->t);
                bsk_timer_stop(self, s->t);
                ck_assert_int_eq(bsk_timer_reset(self, s->t, 1), BSK_EDEAD);
                ck_assert_int_eq(bsk_timer_missed(self, s->t, BSK_SKIP), BSK_EDEAD);
                ck_assert_ptr_null(bsk_timer_take(self, s->t, num));
            }
        }
        bsk_on(other, o) {
            say_number("once", bsk_now(rt));
            bsk_timer_stop(self, s->u);
            ck_assert_int_eq(bsk_timer_reset(self, s->u, 1), BSK_EDEAD);
        }
    }
}

static void stop_in_hand_fiber(bsk_self *self)
{
    bsk_msg *m;
    while ((m = bsk_recv(self, BSK_FOREVER))) stop_in_hand(self, m);
}

START_TEST(an_interval_may_be_stopped_by_its_own_tick)
{
    setup();
    struct one none = {.ticks = 0};
    bsk_addr h = fix_born(bsk_spawn(rt, stop_in_hand, .state = &none, .state_size = sizeof none));
    bsk_tell(h, stop_it);
    bsk_advance(rt, 100);
    fix_say("| ");
    bsk_addr f =
        fix_born(bsk_spawn(rt, stop_in_hand_fiber, .state = &none, .state_size = sizeof none));
    bsk_tell(f, stop_it);
    bsk_advance(rt, 100);
    ck_assert_str_eq(fix_said(), "tick10 tick20 tick30 once40 | tick110 tick120 tick130 once140 ");
    ck_assert_uint_eq(armed(), 0);
    fix_stop(rt, 0);
}
END_TEST

static void no_timer(bsk_self *self)
{
    bsk_timer zero = {0, 0}, odd = {5, 1}, far = {UINT32_MAX, 1};
    bsk_timer all[] = {zero, odd, far};
    for (int i = 0; i < 3; i++) {
        bsk_timer_stop(self, all[i]);
        ck_assert_ptr_null(bsk_timer_take(self, all[i], num));
        ck_assert_int_eq(bsk_timer_reset(self, all[i], 1), BSK_EDEAD);
        ck_assert_int_eq(bsk_timer_missed(self, all[i], BSK_BURST), BSK_EDEAD);
    }
    bsk_timer t = bsk_after(self, -1, num, 1);
    ck_assert_uint_eq(t.gen, 0);
    ck_assert_int_eq(bsk_error(self), BSK_EINVAL);
    t = bsk_every(self, 0, num, 1);
    ck_assert_uint_eq(t.gen, 0);
    ck_assert_int_eq(bsk_error(self), BSK_EINVAL);
    t = bsk_after(self, 10, num, 1);
    ck_assert_int_eq(bsk_timer_reset(self, t, -1), BSK_EINVAL);
    ck_assert_int_eq(bsk_timer_missed(self, t, (enum bsk_missed)3), BSK_EINVAL);
    ck_assert_ptr_null(bsk_timer_take(self, t, other));
    fix_say("refused ");
}

START_TEST(what_is_no_timer_of_ones_own_is_refused)
{
    setup();
    fix_born(bsk_spawn(rt, no_timer));
    bsk_advance(rt, 1);
    ck_assert_str_eq(fix_said(), "refused ");
    fix_stop(rt, 0);
}
END_TEST

static bsk_timer others;

static void lend_timer(bsk_self *self)
{
    others = bsk_after(self, 50, num, 1);
    bsk_match(bsk_recv(self, 100)) {
        bsk_on(num, n) say_number("mine", bsk_now(rt));
    }
}

static void try_others(bsk_self *self)
{
    bsk_timer_stop(self, others);
    ck_assert_int_eq(bsk_timer_reset(self, others, 1), BSK_EDEAD);
    ck_assert_ptr_null(bsk_timer_take(self, others, num));
}

START_TEST(anothers_timer_is_out_of_reach)
{
    setup();
    fix_born(bsk_spawn(rt, lend_timer));
    bsk_advance(rt, 1);
    fix_born(bsk_spawn(rt, try_others));
    bsk_advance(rt, 100);
    ck_assert_str_eq(fix_said(), "mine50 ");
    fix_stop(rt, 0);
}
END_TEST

/* Due, and queued behind others in the mailbox: stopped before it came up it must not. */
static void stop_when_due(bsk_self *self)
{
    bsk_timer t = bsk_after(self, 5, num, 1), u = bsk_after(self, 5, other, 2),
              v = bsk_every(self, 5, note, "v");
    bsk_timer w = bsk_after(self, 5, held, .n = 1);
    bsk_sleep(self, 20);
    bsk_timer_stop(self, t);
    const other *o = bsk_timer_take(self, u, other);
    ck_assert(o && o->v == 2);
    ck_assert_int_eq(bsk_timer_reset(self, v, 30), 0);
    bsk_timer_stop(self, w);
    bsk_msg *m = bsk_recv(self, 100);
    ck_assert_ptr_nonnull(m);
    ck_assert_ptr_eq(bsk_msg_type(m), BSK_T(note));
    ck_assert_int_eq(bsk_now(rt), 50);
    ck_assert_uint_eq(drops, 1);
}

START_TEST(one_that_is_due_but_not_received_can_be_stopped_taken_and_reset)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, stop_when_due));
    bsk_advance(rt, 200);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_NORMAL);
    ck_assert_uint_eq(fix_dead_all(), 0);
    fix_stop(rt, 0);
}
END_TEST

/* Ends with timers in hand. */

static void return_with_tick(bsk_self *self)
{
    ck_assert_uint_ne(bsk_every(self, 10, held, .n = 1).gen, 0);
    ck_assert_uint_ne(bsk_after(self, 1000, held, .n = 2).gen, 0);
    bsk_timer t = bsk_after(self, 1000, held, .n = 3);
    bsk_sleep(self, 35);
    ck_assert_ptr_nonnull(bsk_recv(self, 0));
    ck_assert_ptr_nonnull(bsk_timer_take(self, t, held));
}

START_TEST(a_fiber_may_return_with_a_tick_in_hand)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, return_with_tick));
    bsk_advance(rt, 2000);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_NORMAL);
    ck_assert_uint_eq(armed(), 0);
    ck_assert_uint_eq(drops, 3);
    fix_stop(rt, 0);
}
END_TEST

static void exit_with_tick(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(stop_it, s) ck_assert_uint_ne(bsk_every(self, 10, held, .n = 1).gen, 0);
        bsk_on(held, h) bsk_exit(self);
    }
}

START_TEST(a_handler_may_exit_from_a_tick)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, exit_with_tick));
    bsk_tell(a, stop_it);
    bsk_advance(rt, 100);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_NORMAL);
    ck_assert_uint_eq(armed(), 0);
    ck_assert_uint_eq(drops, 1);
    fix_stop(rt, 0);
}
END_TEST

/* What a timer needs is set aside when it is made. */

static void set_then_starve(bsk_self *self)
{
    for (int i = 0; i < 10; i++) {
        ck_assert_uint_ne(bsk_after(self, 10 + i, note, "set aside").gen, 0);
        ck_assert_uint_ne(bsk_every(self, 10, num, i).gen, 0);
    }
    mem_fail_at(1, 1);
    int notes = 0, nums = 0;
    for (int i = 0; i < 10 + 10 * 5; i++) {
        bsk_match(bsk_recv(self, 1000)) {
            bsk_on(note, n) notes += strcmp(n->text, "set aside") == 0;
            bsk_on(num, n) nums++;
        }
    }
    mem_fail_at(0, 0);
    say_number("", notes);
    say_number("", nums);
}

START_TEST(timers_fire_without_memory_and_without_room)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, set_then_starve, .mailbox = 1));
    bsk_advance(rt, 55);
    ck_assert_str_eq(fix_said(), "10 50 ");
    ck_assert_int_eq(fix_end_of(a).reason, BSK_NORMAL);
    fix_stop(rt, 0);
}
END_TEST

static void very_long(bsk_self *self)
{
    bsk_timer t = bsk_after(self, INT64_MAX, num, 1), u = bsk_every(self, INT64_MAX, num, 2);
    ck_assert_uint_ne(t.gen, 0);
    ck_assert_uint_ne(u.gen, 0);
    ck_assert_ptr_null(bsk_recv(self, INT64_C(1) << 40));
    ck_assert_int_eq(bsk_error(self), BSK_ETIMEDOUT);
    ck_assert_int_eq(bsk_timer_reset(self, t, 1), 0);
    ck_assert_ptr_nonnull(bsk_recv(self, 10));
    ck_assert_int_eq(bsk_sleep(self, 5), 0);
    fix_say("short ");
}

START_TEST(the_longest_times_are_no_trouble)
{
    setup();
    fix_born(bsk_spawn(rt, very_long));
    bsk_advance(rt, (INT64_C(1) << 40) + 100);
    ck_assert_str_eq(fix_said(), "short ");
    fix_stop(rt, 0);
}
END_TEST

/* Real threads: who moves from worker to worker stops its timers wherever they are filed. */

static void hop(bsk_self *self, bsk_msg *m)
{
    struct {
        bsk_timer t[8];
        int64_t left, wrong;
    } *s = bsk_state(self);
    bsk_match(m) {
        bsk_on(num, n) {
            if (s->left-- == 0) bsk_exit(self);
            for (volatile int i = 0; i < 2000; i++) continue;
            int64_t k = s->left % 8;
            bsk_timer_stop(self, s->t[k]);
            s->t[k] = bsk_after(self, s->left % 3, other, k);
            ck_assert_uint_ne(s->t[k].gen, 0);
            bsk_tell(bsk_me(self), num, 1);
        }
        bsk_on(other, o) s->t[o->v].gen = 0;
    }
}

START_TEST(timers_follow_actors_that_move)
{
    rt = bsk_start(.workers = 2, FIX_HOOKS);
    struct {
        bsk_timer t[8];
        int64_t left, wrong;
    } s = {.left = 3000};
    for (int i = 0; i < 40; i++)
        bsk_tell(fix_born(bsk_spawn(rt, hop, .state = &s, .state_size = sizeof s)), num, 1);
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_uint_eq(fix_dead(&other_bsk, BSK_DEAD_UNMATCHED), 0);
}
END_TEST

FIX_MAIN("timer", 60, a_hundred_thousand_timers_fire_each_in_its_millisecond,
         an_actor_may_end_with_a_hundred_thousand_timers, real_time_fires_them_too_and_never_early,
         an_interval_may_be_stopped_by_its_own_tick, what_is_no_timer_of_ones_own_is_refused,
         anothers_timer_is_out_of_reach,
         one_that_is_due_but_not_received_can_be_stopped_taken_and_reset,
         a_fiber_may_return_with_a_tick_in_hand, a_handler_may_exit_from_a_tick,
         timers_fire_without_memory_and_without_room, the_longest_times_are_no_trouble,
         timers_follow_actors_that_move)
