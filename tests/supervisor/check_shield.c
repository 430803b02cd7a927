/* SPDX-License-Identifier: MIT */
/* check_shield.c - shields: a fiber that was cancelled cleans up, in its time.
 *
 * ctest: timeout=60 */
#include "../actors/fixture.h"

#include "buskin.h"

#define SEEDS 50

static _Atomic int begun, over;
static bsk_addr server;

static void run(int status, bsk_fiber *f)
{
    for (uint64_t seed = 1; seed <= SEEDS + 10; seed++) {
        bsk_rt *rt = seed <= SEEDS
                         ? bsk_start(.seed = seed, .quiet = true, FIX_TRACED)
                         : bsk_start(.workers = 2, .quiet = true, .no_signals = true, FIX_TRACED);
        ck_assert_ptr_nonnull(rt);
        begun = over = 0;
        fix_born(bsk_spawn(rt, f));
        ck_assert_int_eq(bsk_wait(rt), status);
    }
}

static void answer(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(get, g) bsk_reply(g, get, g->v + 1);
        bsk_on(stop_it, s) bsk_exit(self);
    }
}

/* Runs the fiber in a scope, cancels that once it has begun, and joins. */
static void cancel_it(bsk_self *self, bsk_fiber *f, int64_t ms, int64_t shutdown_ms)
{
    server = bsk_spawn(bsk_rt_of(self), answer);
    bsk_scope *s = bsk_scope_open(self, ms);
    ck_assert_ptr_nonnull(s);
    ck_assert(!bsk_is_nobody(bsk_go_(s, BSK_BEHAVIOR(f), &(bsk_opts){.shutdown_ms = shutdown_ms})));
    while (!begun) ck_assert_int_eq(bsk_yield(self), 0);
    if (ms == BSK_FOREVER) bsk_scope_cancel(s);
    ck_assert_int_eq(bsk_scope_join(s), ms == BSK_FOREVER ? BSK_ECANCELED : BSK_ETIMEDOUT);
    bsk_tell(server, stop_it);
}

static bool call_works(bsk_self *self)
{
    const num *n = bsk_call(self, server, BSK_FOREVER, get, 1);
    return n && n->v == 2;
}

static int receive_code(bsk_self *self, int64_t ms)
{
    return bsk_recv(self, ms) ? 0 : bsk_error(self);
}

/* Each word that waits does so behind the shield, and does not after it. */
static void clean_up(bsk_self *self)
{
    begun++;
    ck_assert_int_eq(bsk_sleep(self, BSK_FOREVER), BSK_ECANCELED);
    ck_assert(!call_works(self));
    ck_assert_int_eq(bsk_error(self), BSK_ECANCELED);
    bsk_shield(self);
    ck_assert(!bsk_cancelled(self));
    ck_assert(call_works(self));
    ck_assert_int_eq(bsk_sleep(self, 2), 0);
    ck_assert_int_eq(bsk_yield(self), 0);
    ck_assert_int_eq(bsk_send(self, server, 10, num, 1), 0);
    ck_assert_int_eq(receive_code(self, 1), BSK_ETIMEDOUT);
    bsk_tell(bsk_me(self), num, 1);
    ck_assert_int_eq(receive_code(self, BSK_FOREVER), 0);
    bsk_unshield(self);
    ck_assert(bsk_cancelled(self));
    ck_assert_int_eq(bsk_yield(self), BSK_ECANCELED);
    ck_assert_int_eq(receive_code(self, 1), BSK_ECANCELED);
    over++;
}

static void cancel_then_clean_up(bsk_self *self)
{
    cancel_it(self, clean_up, BSK_FOREVER, 0);
    ck_assert_int_eq(over, 1);
}

START_TEST(waits_behind_a_shield_are_not_cancelled)
{
    run(0, cancel_then_clean_up);
}
END_TEST

static void time_out_then_clean_up(bsk_self *self)
{
    cancel_it(self, clean_up, 3, 0);
    ck_assert_int_eq(over, 1);
}

START_TEST(nor_bounded_by_the_deadline_that_has_passed)
{
    run(0, time_out_then_clean_up);
}
END_TEST

static void clean_up_in_scopes(bsk_self *self);

static void call_for_it(bsk_self *self)
{
    ck_assert(call_works(self));
    over++;
}

static void sleep_for_it(bsk_self *self)
{
    ck_assert_int_eq(bsk_sleep(self, BSK_FOREVER), BSK_ECANCELED);
    over += 10;
}

/* Scopes in a shield are as good as any, and have their own deadlines. */
static void clean_up_in_scopes(bsk_self *self)
{
    bsk_scope *before = bsk_scope_open(self, 3);
    ck_assert_ptr_nonnull(before);
    bsk_go(before, sleep_for_it);
    begun++;
    bsk_shield(self);
    ck_assert_int_eq(bsk_sleep(self, 5), 0);
    bsk_scope *s = bsk_scope_open(self, BSK_FOREVER);
    ck_assert_ptr_nonnull(s);
    for (int i = 0; i < 3; i++) ck_assert(!bsk_is_nobody(bsk_go(s, call_for_it)));
    ck_assert_int_eq(bsk_scope_join(s), 0);
    s = bsk_scope_open(self, 4);
    ck_assert(!bsk_is_nobody(bsk_go(s, sleep_for_it)));
    ck_assert_int_eq(bsk_sleep(self, 1000), BSK_ETIMEDOUT);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ETIMEDOUT);
    bsk_unshield(self);
    int rc = bsk_scope_join(before);
    ck_assert(rc == BSK_ETIMEDOUT || rc == BSK_ECANCELED);
    ck_assert_int_eq(over, 23);
}

static void cancel_then_open(bsk_self *self)
{
    cancel_it(self, clean_up_in_scopes, BSK_FOREVER, 0);
    ck_assert_int_eq(over, 23);
}

START_TEST(scopes_opened_behind_a_shield_run)
{
    run(0, cancel_then_open);
}
END_TEST

static void nest(bsk_self *self)
{
    begun++;
    bsk_shield(self);
    bsk_shield(self);
    ck_assert_int_eq(bsk_sleep(self, 1), 0);
    bsk_unshield(self);
    ck_assert_int_eq(bsk_sleep(self, 1), 0);
    ck_assert(!bsk_cancelled(self));
    bsk_unshield(self);
    while (!bsk_cancelled(self)) (void)!bsk_yield(self);
    ck_assert_int_eq(bsk_sleep(self, 1), BSK_ECANCELED);
    /* One too many does nothing. */
    bsk_unshield(self);
    ck_assert_int_eq(bsk_sleep(self, 1), BSK_ECANCELED);
    bsk_shield(self);
    ck_assert_int_eq(bsk_sleep(self, 1), 0);
    over++;
}

static void cancel_nested(bsk_self *self)
{
    cancel_it(self, nest, BSK_FOREVER, 0);
    ck_assert_int_eq(over, 1);
}

START_TEST(shields_nest)
{
    run(0, cancel_nested);
}
END_TEST

static void hide(bsk_self *self)
{
    begun++;
    bsk_shield(self);
    (void)!bsk_sleep(self, 1000000);
    over++;
}

static void hide_too_long(bsk_self *self)
{
    int64_t t = bsk_now(bsk_rt_of(self));
    cancel_it(self, hide, BSK_FOREVER, 7);
    ck_assert_int_ge(bsk_now(bsk_rt_of(self)) - t, 7);
    ck_assert_int_lt(bsk_now(bsk_rt_of(self)) - t, 5000);
    ck_assert_int_eq(over, 0);
}

START_TEST(who_hides_behind_a_shield_for_too_long_is_killed)
{
    run(0, hide_too_long);
}
END_TEST

static void hide_from_kill(bsk_self *self)
{
    bsk_addr who = bsk_spawn(bsk_rt_of(self), hide);
    while (!begun) ck_assert_int_eq(bsk_yield(self), 0);
    ck_assert_int_eq(bsk_kill(who), 0);
    while (!fix_ended(who)) ck_assert_int_eq(bsk_yield(self), 0);
    ck_assert_int_eq(fix_end_of(who).reason, BSK_KILLED);
    ck_assert_int_eq(over, 0);
}

START_TEST(a_shield_is_none_against_a_kill)
{
    run(0, hide_from_kill);
}
END_TEST

static void stopped_by_others(bsk_self *self)
{
    server = bsk_spawn(bsk_rt_of(self), answer);
    bsk_addr who = bsk_spawn(bsk_rt_of(self), clean_up);
    while (!begun) ck_assert_int_eq(bsk_yield(self), 0);
    ck_assert_int_eq(bsk_stop(who, 1000), 0);
    while (!fix_ended(who)) ck_assert_int_eq(bsk_sleep(self, 1), 0);
    ck_assert_int_eq(fix_end_of(who).reason, BSK_SHUTDOWN);
    ck_assert_int_eq(over, 1);
    bsk_tell(server, stop_it);
}

START_TEST(a_shield_holds_against_any_stop)
{
    run(0, stopped_by_others);
}
END_TEST

static void shield_in_vain(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) {
            bsk_shield(self);
            ck_assert_int_eq(bsk_stop(bsk_me(self), BSK_FOREVER), 0);
            ck_assert(bsk_cancelled(self));
            begun = (int)n->v;
        }
    }
}

static void stop_a_handler(bsk_self *self)
{
    bsk_addr h = bsk_spawn(bsk_rt_of(self), shield_in_vain);
    bsk_tell(h, num, 1);
    while (!fix_ended(h)) ck_assert_int_eq(bsk_yield(self), 0);
    ck_assert_int_eq(begun, 1);
}

START_TEST(a_handler_has_no_shield)
{
    run(0, stop_a_handler);
}
END_TEST

FIX_MAIN("shield", 30, waits_behind_a_shield_are_not_cancelled,
         nor_bounded_by_the_deadline_that_has_passed, scopes_opened_behind_a_shield_run,
         shields_nest, who_hides_behind_a_shield_for_too_long_is_killed,
         a_shield_is_none_against_a_kill, a_shield_holds_against_any_stop, a_handler_has_no_shield)
