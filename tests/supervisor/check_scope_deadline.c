/* SPDX-License-Identifier: MIT */
/* check_scope_deadline.c - time in scopes: deadlines, the time that children have to stop, and who is
 * let go from both.
 *
 * ctest: timeout=120 */
#include "scopes.h"

/* Deadlines. */

static void time_out(bsk_self *self)
{
    int64_t t = now(self);
    bsk_scope *s = opened(self, 20, BSK_ALL);
    bsk_addr a = bsk_go(s, sleep_for_ever), b = bsk_go(s, wait_handler);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ETIMEDOUT);
    ck_assert_int_eq(now(self) - t, 20);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_CANCELLED);
    ck_assert_int_eq(fix_end_of(b).reason, BSK_CANCELLED);
}

START_TEST(a_deadline_cancels_to_the_millisecond)
{
    run_seeded(0, time_out);
}
END_TEST

static void finish_in_time(bsk_self *self)
{
    bsk_scope *s = opened(self, 20, BSK_ALL);
    bsk_go(s, sleep_a_while, BSK_STATE(int, 19));
    ck_assert_int_eq(bsk_scope_join(s), 0);
    /* It is of the past. */
    ck_assert_int_eq(bsk_sleep(self, 100), 0);
    bsk_stats_out out;
    bsk_stats(bsk_rt_of(self), &out);
    ck_assert_uint_eq(out.timers, 0);
}

START_TEST(a_deadline_ends_with_its_scope)
{
    run_seeded(0, finish_in_time);
}
END_TEST

static void nest_two(bsk_self *self, int64_t outer_ms, int64_t inner_ms, int outer_rc)
{
    int64_t t = now(self), least = inner_ms < 0 || outer_ms < inner_ms ? outer_ms : inner_ms;
    bsk_scope *outer = opened(self, outer_ms, BSK_ALL);
    bsk_scope *inner = opened(self, inner_ms, BSK_ALL);
    bsk_go(inner, sleep_for_ever);
    ck_assert_int_eq(bsk_scope_join(inner), BSK_ETIMEDOUT);
    ck_assert_int_eq(now(self) - t, least);
    ck_assert_int_eq(bsk_scope_join(outer), outer_rc);
}

static void nest(bsk_self *self)
{
    nest_two(self, 50, 20, 0);
    nest_two(self, 20, 50, BSK_ETIMEDOUT);
    nest_two(self, 20, BSK_FOREVER, BSK_ETIMEDOUT);
    nest_two(self, 20, 20, BSK_ETIMEDOUT);
}

START_TEST(the_earliest_deadline_of_nested_scopes_wins)
{
    run_seeded(0, nest);
}
END_TEST

static int64_t ended_at;

static void sleep_and_note(bsk_self *self)
{
    ck_assert_int_eq(bsk_sleep(self, BSK_FOREVER), BSK_ECANCELED);
    ended_at = now(self);
}

static void open_inside(bsk_self *self)
{
    bsk_scope *s = opened(self, *(int *)bsk_state(self), BSK_ALL);
    bsk_go(s, sleep_and_note);
    seen = bsk_scope_join(s);
}

static void inherit(bsk_self *self, int64_t mine, int theirs, int64_t at, int rc)
{
    int64_t t = now(self);
    bsk_scope *s = opened(self, mine, BSK_ALL);
    bsk_go(s, open_inside, BSK_STATE(int, theirs));
    (void)!bsk_scope_join(s);
    ck_assert_int_eq(seen, rc);
    ck_assert_int_eq(ended_at - t, at);
}

static void inherit_all(bsk_self *self)
{
    inherit(self, 20, 50, 20, BSK_ECANCELED);
    inherit(self, 20, BSK_FOREVER, 20, BSK_ECANCELED);
    inherit(self, 50, 20, 20, BSK_ETIMEDOUT);
}

START_TEST(a_deadline_is_inherited_down_the_tree)
{
    run_seeded(0, inherit_all);
}
END_TEST

static void wait_past_deadline(bsk_self *self)
{
    silent = start_silent(self, 2);
    for (int w = 0; w <= IN_SLEEP; w++) {
        int64_t t = now(self);
        bsk_scope *s = opened(self, 10, BSK_ALL);
        ck_assert_int_eq(wait_in(self, (enum wait)w), BSK_ETIMEDOUT);
        ck_assert_int_eq(now(self) - t, 10);
        ck_assert_int_eq(wait_in(self, (enum wait)w), BSK_ETIMEDOUT);
        ck_assert_int_eq(now(self) - t, 10);
        ck_assert(!bsk_cancelled(self));
        /* A shorter wait of its own is as it always is. */
        ck_assert_int_eq(bsk_scope_join(s), BSK_ETIMEDOUT);
        s = opened(self, 10, BSK_ALL);
        ck_assert_ptr_null(bsk_recv(self, 3));
        ck_assert_int_eq(bsk_sleep(self, 3), 0);
        ck_assert_int_eq(now(self) - t, 16);
        ck_assert_int_eq(bsk_scope_join(s), 0);
    }
    bsk_shutdown(bsk_rt_of(self));
}

START_TEST(the_openers_own_waits_end_at_the_deadline)
{
    run_seeded(0, wait_past_deadline);
}
END_TEST

static bsk_addr front;
static int64_t got_at, lost_at;

/* Takes its time for each request, and asks another for it. */
static void serve(bsk_self *self)
{
    for (bsk_msg *m; (m = bsk_recv(self, BSK_FOREVER));) {
        bsk_match(m) {
            bsk_on(get, g) {
                seen++;
                if (!bsk_call(self, silent, BSK_FOREVER, get, g->v)) lost_at = now(self);
            }
        }
    }
}

static void call_server(bsk_self *self)
{
    bool ok = bsk_call(self, front, BSK_FOREVER, get, *(int *)bsk_state(self));
    ck_assert(!ok);
    got_at = now(self);
}

static void call_outside(bsk_self *self)
{
    int64_t t = now(self);
    unsigned expired = fix_dead(BSK_T(get), BSK_DEAD_EXPIRED);
    silent = start_silent(self, 2);
    front = bsk_spawn(bsk_rt_of(self), serve);
    bsk_scope *s = opened(self, 20, BSK_ALL);
    /* The first is served, the others wait behind it until nobody cares. */
    for (int i = 0; i < 3; i++) bsk_go(s, call_server, BSK_STATE(int, i));
    ck_assert_int_eq(bsk_scope_join(s), BSK_ETIMEDOUT);
    ck_assert_int_eq(got_at - t, 20);
    ck_assert_int_eq(bsk_sleep(self, 1), 0);
    ck_assert_int_eq(lost_at - t, 20);
    ck_assert_int_eq(seen, 1);
    ck_assert_uint_eq(fix_dead(BSK_T(get), BSK_DEAD_EXPIRED) - expired, 2);
    bsk_shutdown(bsk_rt_of(self));
}

START_TEST(a_deadline_travels_with_calls_and_what_nobody_waits_for_is_skipped)
{
    run_seeded(0, call_outside);
}
END_TEST

static void cancel_callers(bsk_self *self)
{
    unsigned expired = fix_dead(BSK_T(get), BSK_DEAD_EXPIRED);
    front = bsk_spawn(bsk_rt_of(self), serve);
    silent = start_silent(self, 2);
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    for (int i = 0; i < 3; i++) bsk_go(s, call_server, BSK_STATE(int, i));
    ck_assert_int_eq(bsk_sleep(self, 1), 0);
    bsk_scope_cancel(s);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECANCELED);
    ck_assert_int_eq(bsk_kill(silent), 0);
    ck_assert_int_eq(bsk_sleep(self, 1), 0);
    ck_assert_int_eq(seen, 1);
    ck_assert_uint_eq(fix_dead(BSK_T(get), BSK_DEAD_EXPIRED) - expired, 2);
    bsk_shutdown(bsk_rt_of(self));
}

START_TEST(the_calls_of_cancelled_actors_are_skipped_by_who_gets_them)
{
    run_seeded(0, cancel_callers);
}
END_TEST

/* Time to stop. */

static void kill_the_stubborn(bsk_self *self)
{
    int64_t t = now(self) * 1000000;
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    bsk_addr a = bsk_go(s, ignore_stop, .shutdown_ms = 30);
    bsk_addr b = bsk_go(s, ignore_stop, .shutdown_ms = 10);
    bsk_addr c = bsk_go(s, ignore_stop, .shutdown_ms = BSK_KILL);
    bsk_addr d = bsk_go(s, ignore_stop);
    while (begun < 4) ck_assert_int_eq(bsk_yield(self), 0);
    bsk_scope_cancel(s);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECANCELED);
    ck_assert_int_eq(now(self) * 1000000 - t, 5000000000);
    ck_assert_int_eq(fix_end_of(a).ns - t, 30000000);
    ck_assert_int_eq(fix_end_of(b).ns - t, 10000000);
    ck_assert_int_eq(fix_end_of(c).ns - t, 0);
    bsk_addr all[] = {a, b, c, d};
    for (int i = 0; i < 4; i++) ck_assert_int_eq(fix_end_of(all[i]).reason, BSK_KILLED);
}

START_TEST(who_ignores_the_cancel_is_killed_in_its_time)
{
    run_seeded(0, kill_the_stubborn);
}
END_TEST

static void finish_late(bsk_self *self)
{
    begun++;
    bsk_shield(self);
    ck_assert_int_eq(bsk_sleep(self, 3600000), 0);
    bsk_unshield(self);
    over++;
}

static void wait_for_patient(bsk_self *self)
{
    bsk_scope *s = opened(self, 10, BSK_ALL);
    bsk_addr a = bsk_go(s, finish_late, .shutdown_ms = BSK_FOREVER);
    bsk_addr b = bsk_go(s, ignore_stop, .shutdown_ms = 5);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ETIMEDOUT);
    ck_assert_int_eq(over, 1);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_CANCELLED);
    ck_assert_int_eq(fix_end_of(b).reason, BSK_KILLED);
}

START_TEST(who_may_take_for_ever_does)
{
    run_seeded(0, wait_for_patient);
}
END_TEST

static void kill_many(bsk_self *self)
{
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    for (int i = 0; i < 30; i++) bsk_go(s, ignore_stop, .shutdown_ms = 1 + (i * 7) % 10);
    while (begun < 30) ck_assert_int_eq(bsk_yield(self), 0);
    bsk_scope_cancel(s);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECANCELED);
}

START_TEST(many_that_ignore_it_are_killed_one_after_another)
{
    run(0, kill_many);
}
END_TEST

/* Detach. */

static bsk_addr outliving[3];

/* A deadline that is over soon; truly parallel it is not: there nobody knows who comes late. */
static int64_t soon(void)
{
    return in_virtual_time ? 10 : 60000;
}

static void detach_them(bsk_self *self)
{
    bsk_scope *s = opened(self, soon(), BSK_ALL);
    outliving[0] = bsk_go(s, wait_handler);
    outliving[1] = bsk_go(s, wait_handler);
    outliving[2] = bsk_go(s, return_at_once);
    bsk_go(s, return_at_once);
    bsk_go(s, return_at_once);
    if (bsk_random(self) % 2) ck_assert_int_eq(bsk_sleep(self, 1), 0);
    bsk_scope_detach(s);
    bsk_scope_detach(s);
    ck_assert_int_eq(bsk_scope_join(s), 0);
}

static void outlive(bsk_self *self)
{
    bsk_addr owner = bsk_spawn(bsk_rt_of(self), detach_them);
    do ck_assert_int_eq(bsk_sleep(self, 15), 0);
    while (bsk_alive(owner));
    for (int i = 0; i < 2; i++) {
        ck_assert(bsk_alive(outliving[i]));
        bsk_tell(outliving[i], stop_it);
    }
    while (!fix_ended(outliving[0]) || !fix_ended(outliving[1]))
        ck_assert_int_eq(bsk_yield(self), 0);
    ck_assert_int_eq(over, 3);
    ck_assert_int_eq(fix_end_of(outliving[0]).reason, BSK_NORMAL);
}

START_TEST(who_is_detached_outlives_the_scope_and_its_deadline)
{
    run(0, outlive);
}
END_TEST

static void open_and_wait(bsk_self *self)
{
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    begun++;
    bsk_go(s, sleep_a_while, BSK_STATE(int, 50));
    ck_assert_int_eq(bsk_scope_join(s), 0);
}

static void detach_an_owner(bsk_self *self)
{
    bsk_scope *s = opened(self, soon(), BSK_ALL);
    bsk_addr who = bsk_go(s, open_and_wait);
    while (!begun) ck_assert_int_eq(bsk_yield(self), 0);
    bsk_scope_detach(s);
    ck_assert_int_eq(bsk_scope_join(s), 0);
    while (bsk_alive(who)) ck_assert_int_eq(bsk_sleep(self, 1), 0);
    ck_assert_int_eq(over, 1);
}

START_TEST(a_detached_actors_own_scopes_lose_the_deadline_too)
{
    run_seeded(0, detach_an_owner);
}
END_TEST

static void detach_the_stubborn(bsk_self *self)
{
    int64_t t = now(self);
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    bsk_addr who = bsk_go(s, ignore_stop, .shutdown_ms = 30);
    while (!begun) ck_assert_int_eq(bsk_yield(self), 0);
    bsk_scope_cancel(s);
    bsk_scope_detach(s);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECANCELED);
    ck_assert_int_eq(bsk_sleep(self, 31), 0);
    ck_assert_int_eq(fix_end_of(who).ns / 1000000 - t, 30);
}

/* Far more of them than a stack would hold of calls; the inner half has a deadline of its own. */
#define NESTED 20000
static bsk_scope *many[NESTED];

static void open_many(bsk_self *self)
{
    for (int i = 0; i < NESTED; i++)
        many[i] = opened(self, i == NESTED / 2 ? 50 : BSK_FOREVER, BSK_ALL);
    fix_say("opened ");
    /* Its parent lets go of it here. */
    ck_assert_int_eq(bsk_sleep(self, 1000), BSK_ETIMEDOUT);
    for (int i = NESTED; i-- > NESTED / 2;)
        ck_assert_int_eq(bsk_scope_join(many[i]), BSK_ETIMEDOUT);
    ck_assert_int_eq(bsk_sleep(self, 200), 0);
    fix_say("slept ");
    for (int i = NESTED / 2; i--;) ck_assert_int_eq(bsk_scope_join(many[i]), 0);
    fix_say("joined ");
}

static void detach_who_has_many(bsk_self *self)
{
    bsk_scope *s = opened(self, 100, BSK_ALL);
    bsk_addr who = bsk_go(s, open_many);
    ck_assert_int_eq(bsk_sleep(self, 10), 0);
    ck_assert_str_eq(fix_said(), "opened ");
    bsk_scope_detach(s);
    ck_assert_int_eq(bsk_scope_join(s), 0);
    ck_assert(bsk_alive(who));
}

START_TEST(one_with_scopes_without_number_can_be_detached)
{
    bsk_rt *rt = bsk_start(.seed = 1, FIX_HOOKS);
    fix_born(bsk_spawn(rt, detach_who_has_many));
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_str_eq(fix_said(), "opened slept joined ");
}
END_TEST

START_TEST(who_was_told_to_stop_keeps_its_time_when_it_is_detached)
{
    run_seeded(0, detach_the_stubborn);
}
END_TEST

FIX_MAIN("scope_deadline", 100, a_deadline_cancels_to_the_millisecond,
         a_deadline_ends_with_its_scope, the_earliest_deadline_of_nested_scopes_wins,
         a_deadline_is_inherited_down_the_tree, the_openers_own_waits_end_at_the_deadline,
         a_deadline_travels_with_calls_and_what_nobody_waits_for_is_skipped,
         the_calls_of_cancelled_actors_are_skipped_by_who_gets_them,
         who_ignores_the_cancel_is_killed_in_its_time, who_may_take_for_ever_does,
         many_that_ignore_it_are_killed_one_after_another,
         who_is_detached_outlives_the_scope_and_its_deadline,
         a_detached_actors_own_scopes_lose_the_deadline_too,
         one_with_scopes_without_number_can_be_detached,
         who_was_told_to_stop_keeps_its_time_when_it_is_detached)
