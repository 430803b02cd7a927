/* SPDX-License-Identifier: MIT */
/* check_scope.c - scopes: what is started in one ends before it does, whatever happens.
 *
 * What does not look at the clock runs under many seeds and truly parallel as well; the fixture
 * sees that nothing is left.
 *
 * ctest: timeout=120 */
#include "../actors/fixture.h"

#include "buskin.h"
#include "mailbox/memory.h"

#include <pthread.h>
#include <time.h>

#define SEEDS 50
#define ROUNDS 20 /* truly parallel */

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SLOW 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define SLOW 1
#endif
#endif
#if !defined(SLOW)
#define SLOW 0
#endif

BSK_LOCAL(owned, owned_drop, (char *, text));
BSK_MSG(parcel, (i64, v), (str, text), (blob, data));

static _Atomic int begun, over, seen, dropped;
static bool in_virtual_time;

void owned_drop(void *body)
{
    free(((struct owned *)body)->text);
    over++;
}

static void run_on(bsk_rt *rt, int status, bsk_fiber *f)
{
    begun = over = seen = dropped = 0;
    fix_born(bsk_spawn(rt, f));
    ck_assert_int_eq(bsk_wait(rt), status);
}

static bsk_rt *seeded(uint64_t seed)
{
    bsk_rt *rt = bsk_start(.seed = seed, .quiet = true, FIX_TRACED);
    ck_assert_ptr_nonnull(rt);
    return rt;
}

static void run_seeded(int status, bsk_fiber *f)
{
    in_virtual_time = true;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) run_on(seeded(seed), status, f);
    in_virtual_time = false;
}

static void run_parallel(int status, bsk_fiber *f)
{
    for (int i = 0; i < ROUNDS; i++) {
        bsk_rt *rt = bsk_start(.workers = 3, .quiet = true, .no_signals = true, FIX_TRACED);
        ck_assert_ptr_nonnull(rt);
        run_on(rt, status, f);
    }
}

static void run(int status, bsk_fiber *f)
{
    run_seeded(status, f);
    run_parallel(status, f);
}

static int64_t now(bsk_self *self)
{
    return bsk_now(bsk_rt_of(self));
}

static bsk_scope *opened(bsk_self *self, int64_t ms, enum bsk_scope_kind kind)
{
    bsk_scope *s = bsk_scope_open_kind(self, ms, kind);
    ck_assert_msg(s != NULL, "%s", bsk_errname(bsk_error(self)));
    return s;
}

/* ---- what children do */

static void return_at_once(bsk_self *self)
{
    ck_assert(bsk_scope_len != NULL && self);
    over++;
}

static void sleep_a_while(bsk_self *self)
{
    ck_assert_int_eq(bsk_sleep(self, *(int *)bsk_state(self)), 0);
    over++;
}

static void sleep_for_ever(bsk_self *self)
{
    begun++;
    int rc = bsk_sleep(self, 1000000);
    over++;
    ck_assert_int_eq(rc, BSK_ECANCELED);
    ck_assert(bsk_cancelled(self));
}

static void fail_soon(bsk_self *self)
{
    /* Unless it is late, and cancelled before. */
    if (bsk_sleep(self, 2) == 0) bsk_fail(self, "meant to fail");
}

static void ignore_stop(bsk_self *self)
{
    begun++;
    for (;;) (void)!bsk_sleep(self, 10);
}

static void wait_handler(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(stop_it, s) bsk_exit(self);
        bsk_on(num, n) seen += (int)n->v;
    }
}

/* Starts one that has begun when this returns, so that a cancel finds it at work. */
static bsk_addr go_sleeper(bsk_self *self, bsk_scope *s)
{
    int before = begun;
    bsk_addr who = bsk_go(s, sleep_for_ever);
    ck_assert(!bsk_is_nobody(who));
    while (begun == before) ck_assert_int_eq(bsk_yield(self), 0);
    return who;
}

/* ---- joining */

static void join_four(bsk_self *self)
{
    bsk_scope *s = opened(self, 2000, BSK_ALL);
    for (int i = 0; i < 4; i++)
        ck_assert(!bsk_is_nobody(bsk_go(s, sleep_a_while, BSK_STATE(int, i))));
    ck_assert_uint_eq(bsk_scope_len(s), 4);
    ck_assert_int_eq(bsk_scope_join(s), 0);
    ck_assert_int_eq(over, 4);
}

START_TEST(a_join_waits_for_all)
{
    run(0, join_four);
}
END_TEST

static void join_nobody(bsk_self *self)
{
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    ck_assert_uint_eq(bsk_scope_len(s), 0);
    ck_assert_int_eq(bsk_scope_join(s), 0);
    s = opened(self, BSK_FOREVER, BSK_RACE);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECHILD);
    ck_assert_str_eq(bsk_error_text(self), "none succeeded");
}

START_TEST(an_empty_scope_is_joined_at_once)
{
    run(0, join_nobody);
}
END_TEST

static void one_fails(bsk_self *self)
{
    char who[32];
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    bsk_addr a = go_sleeper(self, s), failing = bsk_go(s, fail_soon), b = go_sleeper(self, s);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECHILD);
    ck_assert_int_eq(bsk_error(self), BSK_ECHILD);
    snprintf(who, sizeof who, "<%u.%u> ", failing.slot, failing.gen);
    ck_assert_msg(strstr(bsk_error_text(self), who) == bsk_error_text(self), "%s",
                  bsk_error_text(self));
    ck_assert_ptr_nonnull(strstr(bsk_error_text(self), "failed: meant to fail"));
    ck_assert_int_eq(over, 2);
    ck_assert_int_eq(fix_end_of(failing).reason, BSK_FAILED);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_CANCELLED);
    ck_assert_int_eq(fix_end_of(b).reason, BSK_CANCELLED);
}

START_TEST(the_first_failure_cancels_the_others_and_is_what_the_join_says)
{
    run(0, one_fails);
}
END_TEST

static void fail_when_cancelled(bsk_self *self)
{
    begun++;
    if (bsk_sleep(self, 1000000)) bsk_fail(self, "could not finish");
}

/* Who fails because it was cancelled is not why. */
static void fail_afterwards(bsk_self *self)
{
    bsk_scope *s = opened(self, 3, BSK_ALL);
    ck_assert(!bsk_is_nobody(bsk_go(s, fail_when_cancelled)));
    ck_assert_int_eq(bsk_scope_join(s), BSK_ETIMEDOUT);
    s = opened(self, BSK_FOREVER, BSK_ALL);
    ck_assert(!bsk_is_nobody(bsk_go(s, fail_when_cancelled)));
    while (begun < 2) ck_assert_int_eq(bsk_yield(self), 0);
    bsk_scope_cancel(s);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECANCELED);
}

START_TEST(a_failure_after_the_cancel_comes_of_it)
{
    run(0, fail_afterwards);
}
END_TEST

static void kill_a_child(bsk_self *self)
{
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    bsk_addr a = go_sleeper(self, s), b = go_sleeper(self, s);
    ck_assert_int_eq(bsk_kill(a), 0);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECHILD);
    ck_assert_ptr_nonnull(strstr(bsk_error_text(self), "killed"));
    ck_assert_int_eq(fix_end_of(b).reason, BSK_CANCELLED);
}

START_TEST(a_child_that_others_kill_has_failed)
{
    run(0, kill_a_child);
}
END_TEST

static void stop_a_child(bsk_self *self)
{
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    bsk_addr a = go_sleeper(self, s);
    ck_assert_int_eq(bsk_stop(a, BSK_FOREVER), 0);
    ck_assert_int_eq(bsk_scope_join(s), 0);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_SHUTDOWN);
}

START_TEST(a_child_that_others_stop_has_not_failed)
{
    run(0, stop_a_child);
}
END_TEST

static void join_in_handler(bsk_self *self, bsk_msg *m)
{
    bsk_scope *s = *(bsk_scope **)bsk_state(self);
    bsk_match(m) {
        bsk_on(num, n) {
            ck_assert_int_eq(n->v, 1);
            ck_assert_int_eq(bsk_scope_join(s), BSK_EINVAL);
            ck_assert_ptr_null(bsk_scope_next(s, 5));
            ck_assert_int_eq(bsk_error(self), BSK_EINVAL);
            bsk_scope_cancel(s);
        }
        bsk_on(other, n) {
            ck_assert_int_eq(n->v, 2);
            const bsk_finished *f = bsk_scope_next(s, 0);
            ck_assert_ptr_nonnull(f);
            ck_assert_int_eq(f->reason, BSK_CANCELLED);
            ck_assert_ptr_null(bsk_scope_next(s, 0));
            ck_assert_int_eq(bsk_error(self), BSK_EEOF);
            ck_assert_int_eq(bsk_scope_join(s), BSK_ECANCELED);
            fix_hit();
        }
        bsk_on(stop_it, x) bsk_exit(self);
    }
}

static void open_in_handler(bsk_self *self)
{
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_COLLECT);
    *(bsk_scope **)bsk_state(self) = s;
    ck_assert(!bsk_is_nobody(bsk_go(s, wait_handler)));
    ck_assert_ptr_null(bsk_scope_next(s, 0));
    ck_assert_int_eq(bsk_error(self), BSK_ETIMEDOUT);
}

START_TEST(a_handler_polls_and_joins_when_all_have_ended)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        bsk_rt *rt = seeded(seed);
        bsk_addr h = fix_born(
            bsk_spawn(rt, join_in_handler, BSK_STATE(bsk_scope *, NULL), .init = open_in_handler));
        bsk_tell(h, num, 1);
        bsk_advance(rt, 1);
        bsk_tell(h, other, 2);
        bsk_advance(rt, 1);
        bsk_tell(h, stop_it);
        ck_assert_int_eq(bsk_wait(rt), 0);
    }
    ck_assert_uint_eq(fix_hits(), SEEDS);
}
END_TEST

static void refuse_nonsense(bsk_self *self)
{
    ck_assert_ptr_null(bsk_scope_open(self, -2));
    ck_assert_int_eq(bsk_error(self), BSK_EINVAL);
    ck_assert_ptr_null(bsk_scope_open_kind(self, 1, (enum bsk_scope_kind)4));
    ck_assert_int_eq(bsk_error(self), BSK_EINVAL);
    ck_assert_int_eq(bsk_give(self, num, 1), BSK_EINVAL);
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    ck_assert_ptr_null(bsk_scope_next(s, 0));
    ck_assert_int_eq(bsk_error(self), BSK_EINVAL);
    ck_assert_ptr_null(bsk_scope_winner(s, 0));
    ck_assert_int_eq(bsk_error(self), BSK_EINVAL);
    ck_assert(bsk_is_nobody(bsk_go(s, wait_handler, .mailbox = BSK_MAILBOX_MAX + 1)));
    ck_assert_int_eq(bsk_error(self), BSK_EINVAL);
    ck_assert_uint_eq(bsk_scope_len(s), 0);
    ck_assert_int_eq(bsk_scope_join(s), 0);
}

START_TEST(nonsense_is_refused)
{
    run_seeded(0, refuse_nonsense);
}
END_TEST

/* ---- cancelling */

enum wait {
    IN_RECV,
    IN_RECV_ONLY,
    IN_CALL,
    IN_SEND,
    IN_SLEEP,
    IN_YIELD,
    IN_WORK,
    IN_JOIN,
    IN_NEXT,
    IN_WINNER,
    WAITS
};
static enum wait wait_now;
static bsk_addr silent; /* takes nothing, answers nobody; its mailbox is full */
static _Atomic bool work_may_end;

static void be_silent(bsk_self *self)
{
    while (bsk_recv_only(self, BSK_FOREVER, BSK_T(stop_it)) == NULL && !bsk_cancelled(self))
        continue;
}

static bsk_addr start_silent(bsk_self *self, uint32_t mailbox)
{
    bsk_addr who = bsk_spawn(bsk_rt_of(self), be_silent, .mailbox = mailbox);
    ck_assert(!bsk_is_nobody(who));
    return who;
}

static void work_long(bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(get, g) {
            while (!work_may_end) continue;
            bsk_reply(g, get, 1);
        }
    }
}

static int code(bsk_self *self, const void *got)
{
    return got ? 0 : bsk_error(self);
}

static int join_inner(bsk_self *self)
{
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    bsk_go(s, sleep_for_ever);
    return bsk_scope_join(s);
}

static _Atomic bool let_go;

/* Ends only when who waits for it has given up. */
static void outwait(bsk_self *self)
{
    bsk_shield(self);
    while (!let_go) ck_assert_int_eq(bsk_sleep(self, 1), 0);
    bsk_unshield(self);
}

static int next_of(bsk_self *self, enum bsk_scope_kind kind)
{
    let_go = false;
    bsk_scope *s = opened(self, BSK_FOREVER, kind);
    bsk_go(s, outwait);
    int rc = code(self, kind == BSK_RACE ? bsk_scope_winner(s, BSK_FOREVER)
                                         : bsk_scope_next(s, BSK_FOREVER));
    let_go = true;
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECANCELED);
    return rc;
}

static int wait_in(bsk_self *self, enum wait w)
{
    switch (w) {
    case IN_RECV: return code(self, bsk_recv(self, BSK_FOREVER));
    case IN_RECV_ONLY: return code(self, bsk_recv_only(self, BSK_FOREVER, BSK_T(num)));
    case IN_CALL: return code(self, bsk_call(self, silent, BSK_FOREVER, get, 1));
    case IN_SEND: {
        int rc = 0;
        while (rc == 0) rc = bsk_send(self, silent, BSK_FOREVER, num, 1);
        return rc;
    }
    case IN_SLEEP: return bsk_sleep(self, 1000000);
    case IN_YIELD: {
        int rc = 0;
        while (rc == 0) rc = bsk_yield(self);
        return rc;
    }
    case IN_WORK: return code(self, bsk_work_call(self, BSK_FOREVER, work_long, get, 1));
    case IN_JOIN: return join_inner(self);
    case IN_NEXT: return next_of(self, BSK_COLLECT);
    default: return next_of(self, BSK_RACE);
    }
}

static void wait_somewhere(bsk_self *self)
{
    begun++;
    ck_assert_int_eq(wait_in(self, wait_now), BSK_ECANCELED);
    ck_assert(bsk_cancelled(self));
    /* Nor is there any other wait from now on. */
    for (int w = 0; w < IN_YIELD; w++) ck_assert_int_eq(wait_in(self, (enum wait)w), BSK_ECANCELED);
    dropped++;
}

static void cancel_a_wait(bsk_self *self)
{
    work_may_end = false;
    silent = start_silent(self, 2);
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    bsk_addr who = bsk_go(s, wait_somewhere);
    while (!begun) ck_assert_int_eq(bsk_yield(self), 0);
    /* It has begun to wait, most times. */
    if (!in_virtual_time || (wait_now != IN_YIELD && bsk_random(self) % 4))
        ck_assert_int_eq(bsk_sleep(self, 1), 0);
    bsk_scope_cancel(s);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECANCELED);
    work_may_end = true;
    ck_assert_int_eq(dropped, 1);
    ck_assert_int_eq(fix_end_of(who).reason, BSK_CANCELLED);
    bsk_shutdown(bsk_rt_of(self));
}

START_TEST(a_cancel_reaches_every_wait)
{
    for (int w = 0; w < WAITS; w++) {
        wait_now = (enum wait)w;
        /* A seeded runtime does blocking work on its own thread, at once. */
        if (wait_now != IN_WORK) run_seeded(0, cancel_a_wait);
        run_parallel(0, cancel_a_wait);
    }
}
END_TEST

static void trap_and_go_on(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(bsk_stopping, s) {
            ck_assert(bsk_cancelled(self));
            seen += 100;
            bsk_after(self, 1, stop_it);
        }
        bsk_on(stop_it, s) bsk_exit(self);
    }
}

static void cancel_handlers(bsk_self *self)
{
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    bsk_addr a = bsk_go(s, wait_handler), b = bsk_go(s, trap_and_go_on, .trap_stop = true);
    if (bsk_random(self) % 2) ck_assert_int_eq(bsk_sleep(self, 1), 0);
    bsk_scope_cancel(s);
    bsk_tell(a, num, 1);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECANCELED);
    ck_assert_int_eq(seen, 100);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_CANCELLED);
    ck_assert_int_eq(fix_end_of(b).reason, BSK_CANCELLED);
}

START_TEST(a_cancel_stops_handlers)
{
    run(0, cancel_handlers);
}
END_TEST

static void go_too_late(bsk_self *self)
{
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    bsk_scope_cancel(s);
    bsk_scope_cancel(s);
    ck_assert(bsk_is_nobody(bsk_go(s, return_at_once)));
    ck_assert_int_eq(bsk_error(self), BSK_ECANCELED);
    bsk_scope *inner = opened(self, BSK_FOREVER, BSK_ALL);
    ck_assert(bsk_is_nobody(bsk_go(inner, return_at_once)));
    ck_assert_int_eq(bsk_error(self), BSK_ECANCELED);
    ck_assert_int_eq(bsk_scope_join(inner), BSK_ECANCELED);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECANCELED);
    /* It was the scope that was cancelled, not who opened it. */
    ck_assert_int_eq(bsk_sleep(self, 1), 0);
    s = opened(self, BSK_FOREVER, BSK_ALL);
    ck_assert(!bsk_is_nobody(bsk_go(s, return_at_once)));
    ck_assert_int_eq(bsk_scope_join(s), 0);
}

START_TEST(nothing_starts_in_a_cancelled_scope_nor_in_one_opened_inside_it)
{
    run(0, go_too_late);
}
END_TEST

static void open_when_stopped(bsk_self *self)
{
    begun++;
    ck_assert_int_eq(bsk_sleep(self, BSK_FOREVER), BSK_ECANCELED);
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    ck_assert(bsk_is_nobody(bsk_go(s, return_at_once)));
    ck_assert_int_eq(bsk_error(self), BSK_ECANCELED);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECANCELED);
    over++;
}

static void stop_then_open(bsk_self *self)
{
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    ck_assert(!bsk_is_nobody(bsk_go(s, open_when_stopped)));
    while (!begun) ck_assert_int_eq(bsk_yield(self), 0);
    bsk_scope_cancel(s);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECANCELED);
    ck_assert_int_eq(over, 1);
}

START_TEST(a_cancelled_actor_starts_nothing)
{
    run(0, stop_then_open);
}
END_TEST

static void cancel_outer(bsk_self *self)
{
    bsk_scope *outer = opened(self, BSK_FOREVER, BSK_ALL);
    bsk_scope *inner = opened(self, BSK_FOREVER, BSK_ALL);
    bsk_addr a = go_sleeper(self, outer), b = go_sleeper(self, inner);
    bsk_scope_cancel(outer);
    ck_assert_int_eq(bsk_scope_join(inner), BSK_ECANCELED);
    ck_assert_int_eq(bsk_scope_join(outer), BSK_ECANCELED);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_CANCELLED);
    ck_assert_int_eq(fix_end_of(b).reason, BSK_CANCELLED);
    /* The other way round it does not reach. */
    outer = opened(self, BSK_FOREVER, BSK_ALL);
    inner = opened(self, BSK_FOREVER, BSK_ALL);
    bsk_go(outer, sleep_a_while, BSK_STATE(int, 2));
    go_sleeper(self, inner);
    bsk_scope_cancel(inner);
    ck_assert_int_eq(bsk_scope_join(inner), BSK_ECANCELED);
    ck_assert_int_eq(bsk_scope_join(outer), 0);
}

START_TEST(a_cancel_goes_inwards)
{
    run(0, cancel_outer);
}
END_TEST

static _Atomic int below;

static void note_the_cancel(bsk_self *self)
{
    below++;
    ck_assert_int_eq(bsk_sleep(self, BSK_FOREVER), BSK_ECANCELED);
    below--;
}

/* Computes on, or waits behind a shield, after it was cancelled: its children do not wait for
 * that. */
static void go_on_meanwhile(bsk_self *self)
{
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    bsk_go(s, note_the_cancel);
    begun++;
    ck_assert_int_eq(bsk_sleep(self, BSK_FOREVER), BSK_ECANCELED);
    bsk_shield(self);
    while (below) ck_assert_int_eq(bsk_sleep(self, 1), 0);
    bsk_unshield(self);
    over++;
}

static void cancel_one_that_goes_on(bsk_self *self)
{
    below = 0;
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    bsk_go(s, go_on_meanwhile);
    while (!begun || !below) ck_assert_int_eq(bsk_yield(self), 0);
    if (in_virtual_time) ck_assert_int_eq(bsk_sleep(self, 1), 0);
    bsk_scope_cancel(s);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECANCELED);
    ck_assert_int_eq(over, 1);
}

START_TEST(a_cancel_reaches_those_below_who_goes_on_for_a_while)
{
    run(0, cancel_one_that_goes_on);
}
END_TEST

/* ---- deadlines */

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

/* ---- time to stop */

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

/* ---- detach */

static bsk_addr outliving[3];

static void detach_them(bsk_self *self)
{
    bsk_scope *s = opened(self, 10, BSK_ALL);
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
    ck_assert_int_eq(bsk_sleep(self, 15), 0);
    ck_assert(!bsk_alive(owner));
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
    bsk_scope *s = opened(self, 10, BSK_ALL);
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

/* ---- races and results */

static void give_and_end(bsk_self *self)
{
    int ms = *(int *)bsk_state(self);
    begun++;
    ck_assert_int_eq(bsk_give(self, num, -1), 0);
    if (bsk_sleep(self, ms)) bsk_exit(self);
    ck_assert_int_eq(bsk_give(self, num, ms), 0);
}

static int64_t value(const bsk_finished *f)
{
    int64_t v = -2;
    bsk_match(f->result) {
        bsk_on(num, n) v = n->v;
    }
    return v;
}

static void race(bsk_self *self)
{
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_RACE);
    bsk_addr slow = bsk_go(s, give_and_end, BSK_STATE(int, 30000));
    bsk_addr fast = bsk_go(s, give_and_end, BSK_STATE(int, 3));
    bsk_addr failing = bsk_go(s, fail_soon);
    ck_assert_ptr_null(bsk_scope_winner(s, 0));
    ck_assert_int_eq(bsk_error(self), BSK_ETIMEDOUT);
    for (int i = 0; i < 2; i++) {
        const bsk_finished *f = bsk_scope_winner(s, BSK_FOREVER);
        ck_assert_ptr_nonnull(f);
        ck_assert(bsk_same(f->who, fast));
        ck_assert_int_eq(f->reason, BSK_NORMAL);
        ck_assert_int_eq(value(f), 3);
    }
    ck_assert_int_eq(bsk_scope_join(s), 0);
    ck_assert_int_eq(fix_end_of(slow).reason, BSK_CANCELLED);
    ck_assert_int_eq(fix_end_of(failing).reason, BSK_FAILED);
}

START_TEST(the_first_success_of_a_race_cancels_the_others)
{
    run_seeded(0, race);
}
END_TEST

static void lose_race(bsk_self *self)
{
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_RACE);
    for (int i = 0; i < 3; i++) bsk_go(s, fail_soon);
    ck_assert_ptr_null(bsk_scope_winner(s, BSK_FOREVER));
    ck_assert_int_eq(bsk_error(self), BSK_ECHILD);
    ck_assert_ptr_nonnull(strstr(bsk_error_text(self), "meant to fail"));
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECHILD);
    ck_assert_ptr_nonnull(strstr(bsk_error_text(self), "meant to fail"));
    s = opened(self, 5, BSK_RACE);
    bsk_go(s, fail_soon);
    bsk_go(s, sleep_for_ever);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ETIMEDOUT);
    ck_assert_str_eq(bsk_error_text(self), "");
}

START_TEST(a_race_without_a_winner_is_lost)
{
    run(0, lose_race);
}
END_TEST

static void all_at_once(bsk_self *self)
{
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_RACE);
    for (int i = 0; i < 10; i++) bsk_go(s, give_and_end, BSK_STATE(int, 0));
    const bsk_finished *f = bsk_scope_winner(s, BSK_FOREVER);
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(value(f), 0);
    ck_assert_int_eq(bsk_scope_join(s), 0);
}

START_TEST(of_many_that_arrive_together_one_wins)
{
    run(0, all_at_once);
}
END_TEST

static void collect(bsk_self *self)
{
    static const int ms[] = {7, 3, 9, 1, 5};
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_COLLECT);
    for (int i = 0; i < 5; i++) bsk_go(s, give_and_end, BSK_STATE(int, ms[i]));
    bsk_addr failing = bsk_go(s, fail_soon);
    ck_assert_ptr_null(bsk_scope_next(s, 0));
    ck_assert_int_eq(bsk_error(self), BSK_ETIMEDOUT);
    ck_assert_uint_eq(bsk_scope_len(s), 6);
    for (int i = 0; i < 5; i++) {
        const bsk_finished *f = bsk_scope_next(s, BSK_FOREVER);
        ck_assert_ptr_nonnull(f);
        ck_assert_int_eq(value(f), 2 * i + 1);
        ck_assert_int_eq(f->reason, BSK_NORMAL);
        ck_assert_str_eq(f->text, "");
        if (i) continue;
        f = bsk_scope_next(s, BSK_FOREVER);
        ck_assert(bsk_same(f->who, failing));
        ck_assert_int_eq(f->reason, BSK_FAILED);
        ck_assert_str_eq(f->text, "meant to fail");
        ck_assert_ptr_null(f->result);
    }
    ck_assert_ptr_null(bsk_scope_next(s, BSK_FOREVER));
    ck_assert_int_eq(bsk_error(self), BSK_EEOF);
    ck_assert_int_eq(bsk_scope_join(s), 0);
}

START_TEST(ends_are_collected_in_their_order_with_what_was_given)
{
    run_seeded(0, collect);
}
END_TEST

static void take_none(bsk_self *self)
{
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_COLLECT);
    for (int i = 0; i < 3; i++) bsk_go(s, give_and_end, BSK_STATE(int, i));
    bsk_go(s, fail_soon);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECHILD);
    ck_assert_ptr_nonnull(strstr(bsk_error_text(self), "meant to fail"));
    s = opened(self, BSK_FOREVER, BSK_COLLECT);
    bsk_go(s, give_and_end, BSK_STATE(int, 0));
    ck_assert_int_eq(bsk_scope_join(s), 0);
}

START_TEST(a_failure_that_nobody_took_is_what_the_join_says)
{
    run(0, take_none);
}
END_TEST

static void free_text(void *data, void *arg)
{
    ck_assert_ptr_null(arg);
    free(data);
    dropped++;
}

static void give_parcel(bsk_self *self)
{
    bsk_blob *b = bsk_blob_take(strdup("contents"), 8, free_text, NULL);
    ck_assert_int_eq(bsk_give(self, parcel, .v = 4, .text = "many words", .data = b), 0);
    bsk_blob_drop(b);
    ck_assert_int_eq(bsk_give(self, owned, .text = strdup("mine")), 0);
    if (*(int *)bsk_state(self)) return;
    b = bsk_blob_take(strdup("contents"), 8, free_text, NULL);
    ck_assert_int_eq(bsk_give(self, parcel, .v = 5, .text = "more words", .data = b), 0);
    bsk_blob_drop(b);
}

static void take_parcels(bsk_self *self)
{
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_COLLECT);
    bsk_go(s, give_parcel, BSK_STATE(int, 0));
    const bsk_finished *f = bsk_scope_next(s, BSK_FOREVER);
    ck_assert_ptr_nonnull(f);
    bsk_match(f->result) {
        bsk_on(parcel, p) {
            ck_assert_int_eq(p->v, 5);
            ck_assert_str_eq(p->text, "more words");
            ck_assert_mem_eq(bsk_blob_bytes(p->data).ptr, "contents", 8);
            seen++;
        }
    }
    ck_assert_int_eq(seen, 1);
    bsk_go(s, give_parcel, BSK_STATE(int, 1));
    bsk_go(s, give_parcel, BSK_STATE(int, 1));
    ck_assert_ptr_nonnull(bsk_scope_next(s, BSK_FOREVER));
    /* One is borrowed, one was not taken. */
    ck_assert_int_eq(bsk_scope_join(s), 0);
    ck_assert_int_eq(dropped, 4);
    ck_assert_int_eq(over, 3);
    s = opened(self, BSK_FOREVER, BSK_ALL);
    bsk_go(s, give_parcel, BSK_STATE(int, 1));
    ck_assert_int_eq(bsk_scope_join(s), 0);
    ck_assert_int_eq(dropped, 5);
    ck_assert_int_eq(over, 4);
}

START_TEST(the_last_thing_given_counts_and_each_is_dropped_once)
{
    run(0, take_parcels);
}
END_TEST

#define TASKS (SLOW ? 30000 : 1000000)

static void end_in_init(bsk_self *self)
{
    bsk_exit(self);
}

static void run_short_tasks(bsk_self *self)
{
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    int64_t live = 0, mapped = 0;
    for (int i = 0; i < TASKS;) {
        for (int k = 0; k < 100; k++, i++)
            ck_assert(!bsk_is_nobody(bsk_go(s, wait_handler, .init = end_in_init)));
        while (bsk_scope_len(s)) ck_assert_int_eq(bsk_yield(self), 0);
        if (i == TASKS / 10) live = mem_live(), mapped = mem_mapped();
    }
    ck_assert_int_le(mem_live(), live + 16);
    ck_assert_int_le(mem_mapped(), mapped + (1 << 20));
    ck_assert_int_eq(bsk_scope_join(s), 0);
}

START_TEST(a_scope_that_ran_a_million_tasks_holds_none)
{
    run_on(bsk_start(.workers = 1, .quiet = true, .no_signals = true, FIX_HOOKS), 0,
           run_short_tasks);
}
END_TEST

/* ---- the end of who has open scopes */

enum leave { BY_RETURN, BY_EXIT, BY_FAILING, BY_KILL, BY_STOP, BY_LATE_KILL, LEAVES };
static enum leave leave_now;
static _Atomic bool heard;

/* Lives on a variable of its parent's stack for as long as it has. */
static void use_parents_stack(bsk_self *self)
{
    _Atomic int *at = *(_Atomic int **)bsk_state(self);
    begun++;
    bsk_shield(self);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(*at, 12345);
        ck_assert_int_eq(bsk_sleep(self, 1), 0);
    }
    bsk_unshield(self);
    ck_assert(!heard);
    over++;
}

static void leave(bsk_self *self)
{
    switch (leave_now) {
    case BY_EXIT: bsk_exit(self);
    case BY_FAILING: bsk_fail(self, "leaves");
    case BY_KILL: ck_assert_int_eq(bsk_kill(bsk_me(self)), 0); break;
    case BY_STOP: ck_assert_int_eq(bsk_stop(bsk_me(self), BSK_FOREVER), 0); break;
    case BY_LATE_KILL: ck_assert_int_eq(bsk_stop(bsk_me(self), 2), 0); break;
    default: return;
    }
    (void)!bsk_sleep(self, BSK_FOREVER);
    bsk_exit(self);
}

struct owner {
    bsk_scope *scope;
    _Atomic int number;
};

static void undo(void *arg)
{
    ck_assert_ptr_nonnull(arg);
    ck_assert_int_eq(bsk_scope_len(arg), 0);
    dropped++;
}

static void fini_owner(bsk_self *self)
{
    bsk_scope *s = ((struct owner *)bsk_state(self))->scope;
    ck_assert_uint_eq(bsk_scope_len(s), 0);
    ck_assert(bsk_is_nobody(bsk_go(s, return_at_once)));
    ck_assert_int_eq(bsk_error(self), BSK_ECANCELED);
    ck_assert_ptr_null(bsk_scope_open(self, BSK_FOREVER));
    ck_assert_int_eq(bsk_error(self), BSK_EINVAL);
    seen++;
}

static void own_some(bsk_self *self)
{
    struct owner *o = bsk_state(self);
    /* What a function returns from is gone, whoever waits. */
    _Atomic int mine = 12345, *at = leave_now == BY_RETURN ? &o->number : &mine;
    bsk_scope *outer = opened(self, BSK_FOREVER, BSK_ALL);
    bsk_scope *inner = opened(self, 1000000, BSK_COLLECT);
    o->scope = outer;
    ck_assert_int_eq(bsk_defer(self, undo, outer), 0);
    for (int i = 0; i < 3; i++) {
        bsk_go(outer, use_parents_stack, BSK_STATE(_Atomic int *, at));
        bsk_go(inner, use_parents_stack, BSK_STATE(_Atomic int *, at));
    }
    while (begun < 6) ck_assert_int_eq(bsk_yield(self), 0);
    leave(self);
}

static void watch_owner(bsk_self *self)
{
    static const enum bsk_reason reasons[LEAVES] = {BSK_NORMAL, BSK_NORMAL,   BSK_FAILED,
                                                    BSK_KILLED, BSK_SHUTDOWN, BSK_KILLED};
    bool killed = leave_now == BY_KILL || leave_now == BY_LATE_KILL;
    heard = false;
    bsk_addr who = bsk_spawn(bsk_rt_of(self), own_some, .fini = fini_owner,
                             BSK_STATE(struct owner, .number = 12345));
    bsk_monitor m = bsk_watch(self, who);
    ck_assert(m.gen);
    bsk_match(bsk_recv_only(self, BSK_FOREVER, BSK_T(bsk_down))) {
        bsk_on(bsk_down, d) {
            heard = true;
            ck_assert(bsk_same(d->who, who));
            ck_assert_int_eq(d->reason, reasons[leave_now]);
            ck_assert_str_eq(d->text, leave_now == BY_FAILING ? "leaves" : "");
        }
    }
    ck_assert(heard);
    ck_assert_int_eq(dropped, 1);
    /* Who is killed takes its children with it at once, also when it waits for them already. */
    ck_assert_int_eq(seen, !killed);
    if (!killed) ck_assert_int_eq(over, 6);
}

START_TEST(children_end_before_their_owner_does_however_that_ends)
{
    for (int l = 0; l < LEAVES; l++) {
        leave_now = (enum leave)l;
        run(leave_now == BY_FAILING, watch_owner);
    }
}
END_TEST

static void let_handler_end(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) {
            struct owner *o = bsk_state(self);
            o->scope = opened(self, BSK_FOREVER, BSK_ALL);
            for (int i = 0; i < n->v; i++)
                ck_assert(!bsk_is_nobody(bsk_go(o->scope, sleep_for_ever)));
        }
        bsk_on(stop_it, s) bsk_exit(self);
        bsk_on(other, o) bsk_fail(self, "other %d", (int)o->v);
    }
}

static void end_a_handler(bsk_self *self)
{
    enum bsk_reason reason = BSK_NORMAL;
    bsk_addr h = bsk_spawn(bsk_rt_of(self), let_handler_end, BSK_STATE(struct owner, .number = 0),
                           .fini = fini_owner);
    bsk_monitor m = bsk_watch(self, h);
    ck_assert(m.gen);
    bsk_tell(h, num, 3);
    while (begun < 3) ck_assert_int_eq(bsk_yield(self), 0);
    switch (leave_now) {
    case BY_FAILING:
        bsk_tell(h, other, 1);
        reason = BSK_FAILED;
        break;
    case BY_KILL:
        ck_assert_int_eq(bsk_kill(h), 0);
        reason = BSK_KILLED;
        break;
    case BY_STOP:
        ck_assert_int_eq(bsk_stop(h, 1000), 0);
        reason = BSK_SHUTDOWN;
        break;
    default: bsk_tell(h, stop_it);
    }
    bsk_match(bsk_recv_only(self, BSK_FOREVER, BSK_T(bsk_down))) {
        bsk_on(bsk_down, d) ck_assert_int_eq(d->reason, reason);
    }
    ck_assert_int_eq(seen, reason != BSK_KILLED);
    if (reason != BSK_KILLED) ck_assert_int_eq(over, 3);
}

START_TEST(handlers_own_scopes_too)
{
    for (int l = BY_EXIT; l <= BY_STOP; l++) {
        leave_now = (enum leave)l;
        run(leave_now == BY_FAILING, end_a_handler);
    }
}
END_TEST

static void ask_later(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) {
            /* Two scopes of a handler have nothing to do with each other, nor with its asks. */
            bsk_scope *first = opened(self, 5, BSK_ALL), *second = opened(self, 1000, BSK_ALL);
            bsk_go(first, sleep_for_ever);
            bsk_go(second, sleep_a_while, BSK_STATE(int, (int)n->v));
            bsk_scope_cancel(first);
            ck_assert_int_eq(bsk_ask(self, silent, 50, get, 1), 0);
        }
        bsk_on_no_reply(get, rc) {
            ck_assert_int_eq(rc, BSK_ETIMEDOUT);
            ck_assert_int_eq(now(self), 50);
            bsk_exit(self);
        }
    }
}

static void two_of_a_handler(bsk_self *self)
{
    silent = start_silent(self, 2);
    bsk_addr h = bsk_spawn(bsk_rt_of(self), ask_later);
    bsk_tell(h, num, 20);
    while (bsk_alive(h)) ck_assert_int_eq(bsk_sleep(self, 1), 0);
    ck_assert_int_eq(over, 2);
    bsk_shutdown(bsk_rt_of(self));
}

START_TEST(a_handlers_scopes_lie_beside_each_other)
{
    run_seeded(0, two_of_a_handler);
}
END_TEST

/* ---- trees */

static _Atomic int nodes;
static int depth_max, fanout;

/* Owns a scope of so many nodes, down to the depth; fibers and handlers in turn. */
static void tree_fiber(bsk_self *self);

static void tree_handler(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(stop_it, s) bsk_exit(self);
    }
}

static void grow(bsk_self *self)
{
    int depth = *(int *)bsk_state(self);
    if (depth < depth_max) {
        bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
        for (int i = 0; i < fanout; i++) {
            bool fiber = (depth + i) % 2;
            bsk_addr who = fiber ? bsk_go(s, tree_fiber, BSK_STATE(int, depth + 1))
                                 : bsk_go(s, tree_handler, BSK_STATE(int, depth + 1), .init = grow);
            if (bsk_is_nobody(who)) ck_assert_int_eq(bsk_error(self), BSK_ECANCELED);
        }
    }
    nodes++;
}

static void tree_fiber(bsk_self *self)
{
    grow(self);
    (void)!bsk_sleep(self, BSK_FOREVER);
}

static int nodes_of(int depth)
{
    int n = 1, all = 1;
    for (int i = 0; i < depth; i++) all += n *= fanout;
    return all;
}

static void cancel_tree(bsk_self *self)
{
    nodes = 0;
    unsigned before = fix_ends();
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    bsk_go(s, tree_fiber, BSK_STATE(int, 0));
    if (bsk_random(self) % 4)
        while (nodes < nodes_of(depth_max)) ck_assert_int_eq(bsk_yield(self), 0);
    bsk_scope_cancel(s);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECANCELED);
    bsk_stats_out out;
    bsk_stats(bsk_rt_of(self), &out);
    ck_assert_uint_eq(out.actors, 1);
    for (unsigned i = before; i < fix_ends(); i++)
        ck_assert_int_eq(fix_end_at(i).reason, BSK_CANCELLED);
}

START_TEST(a_tree_six_levels_deep_is_cancelled_from_its_top)
{
    depth_max = 6;
    fanout = 2;
    run(0, cancel_tree);
}
END_TEST

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#define MANY (SLOW ? 5000 : 100000)

static double took;

static void own_nodes(bsk_self *self);

/* A tree of handlers. */
static void grow_handlers(bsk_self *self, int n)
{
    int left = n - 1, each = (left + fanout - 1) / fanout;
    bsk_scope *s = left ? opened(self, BSK_FOREVER, BSK_ALL) : NULL;
    for (; left > 0; left -= each) {
        int some = left < each ? left : each;
        ck_assert(!bsk_is_nobody(bsk_go(s, tree_handler, BSK_STATE(int, some), .init = own_nodes)));
    }
    nodes++;
}

static void own_nodes(bsk_self *self)
{
    grow_handlers(self, *(int *)bsk_state(self));
}

static void cancel_many(bsk_self *self)
{
    nodes = 0;
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    ck_assert(!bsk_is_nobody(bsk_go(s, tree_handler, BSK_STATE(int, MANY), .init = own_nodes)));
    while (nodes < MANY) ck_assert_int_eq(bsk_yield(self), 0);
    double t = seconds();
    bsk_scope_cancel(s);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECANCELED);
    took = seconds() - t;
}

/* One loop, or several; broad, all under one, and deep. In release it has to be within the second
 * that is promised. */
START_TEST(a_hundred_thousand_are_cancelled_within_a_second)
{
    static const int fanouts[] = {10, MANY, 2};
    for (unsigned workers = 1; workers <= 2; workers++) {
        for (int i = 0; i < 3; i++) {
            fanout = fanouts[i];
            bsk_rt *rt =
                bsk_start(.workers = workers, .quiet = true, .no_signals = true, FIX_HOOKS);
            run_on(rt, 0, cancel_many);
            ck_assert_msg(took < (SLOW ? 20 : 2), "%f s", took);
        }
    }
}
END_TEST

/* ---- everything at once */

static _Atomic int started, ended;

static void note_end(void *arg)
{
    ck_assert_ptr_nonnull(arg);
    ended++;
}

static void live_somehow(bsk_self *self);

static void handle_somehow(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n)
            if (n->v % 3 == 0) bsk_exit(self);
    }
}

static void go_somehow(bsk_self *self, bsk_scope *s, int depth)
{
    bsk_addr who;
    int64_t time = (int64_t)(bsk_random(self) % 4);
    if (bsk_random(self) % 3)
        who = bsk_go(s, live_somehow, BSK_STATE(int, depth + 1), .shutdown_ms = time ? time : -2);
    else
        who = bsk_go(s, handle_somehow);
    if (bsk_is_nobody(who)) {
        int rc = bsk_error(self);
        ck_assert(rc == BSK_ECANCELED || rc == BSK_ESTOPPING);
        return;
    }
    switch (bsk_random(self) % 6) {
    case 0: (void)!bsk_kill(who); break;
    case 1: (void)!bsk_stop(who, 1); break;
    case 2: bsk_tell(who, num, 3); break;
    default: break;
    }
}

static void live_somehow(bsk_self *self)
{
    int depth = *(int *)bsk_state(self);
    started++;
    ck_assert_int_eq(bsk_defer(self, note_end, self), 0);
    if (depth < 4) {
        enum bsk_scope_kind kind = (enum bsk_scope_kind)(bsk_random(self) % 3);
        bsk_scope *s = opened(self, bsk_random(self) % 2 ? BSK_FOREVER : 3, kind);
        for (uint64_t n = bsk_random(self) % 5; n--;) {
            go_somehow(self, s, depth);
            if (bsk_random(self) % 4 == 0) (void)!bsk_sleep(self, 1);
        }
        if (kind == BSK_COLLECT && bsk_random(self) % 2)
            while (bsk_scope_next(s, 1)) continue;
        if (kind == BSK_RACE && bsk_random(self) % 2) (void)bsk_scope_winner(s, 1);
        switch (bsk_random(self) % 8) {
        case 0: bsk_scope_cancel(s); break;
        case 1: bsk_scope_detach(s); break;
        case 2: return;
        case 3: bsk_fail(self, "somehow");
        default: break;
        }
        if (bsk_random(self) % 2) (void)!bsk_scope_join(s);
    }
    (void)!bsk_give(self, num, depth);
    (void)!bsk_sleep(self, (int64_t)(bsk_random(self) % 3));
}

static void storm(bsk_self *self)
{
    started = ended = 0;
    for (int i = 0; i < 5; i++) {
        bsk_scope *s = opened(self, 10, BSK_COLLECT);
        for (int n = 0; n < 6; n++) go_somehow(self, s, 0);
        (void)!bsk_scope_join(s);
    }
    bsk_shutdown(bsk_rt_of(self));
}

static void run_storm(bsk_rt *rt)
{
    ck_assert_ptr_nonnull(rt);
    fix_born(bsk_spawn(rt, storm));
    ck_assert_int_le(bsk_wait(rt), 1);
    ck_assert_int_eq(started, ended);
}

START_TEST(whatever_happens_all_that_began_ends)
{
    for (uint64_t seed = 1; seed <= 200; seed++)
        run_storm(bsk_start(.seed = seed, .quiet = true, FIX_HOOKS));
    for (int i = 0; i < 30; i++)
        run_storm(bsk_start(.workers = 3, .quiet = true, .no_signals = true, FIX_HOOKS));
}
END_TEST

/* ---- want of memory */

static bool enough(bsk_self *self, bool got)
{
    int rc = bsk_error(self);
    if (!got) ck_assert_msg(rc == BSK_ENOMEM || rc == BSK_ELIMIT, "%s", bsk_errname(rc));
    return got;
}

static void give_or_not(bsk_self *self)
{
    int rc = bsk_give(self, parcel, .v = 1, .text = "text");
    ck_assert(rc == 0 || rc == BSK_ENOMEM);
    if (!*(int *)bsk_state(self)) return;
    begun++;
    (void)!bsk_sleep(self, BSK_FOREVER);
}

static void do_all(bsk_self *self)
{
    started++;
    bsk_scope *s = bsk_scope_open_kind(self, 1000, BSK_COLLECT);
    if (!enough(self, s)) return;
    for (int i = 0; i < 4; i++) {
        bsk_addr who = i < 3 ? bsk_go(s, give_or_not, BSK_STATE(int, i), .name = i ? NULL : "x",
                                      .shutdown_ms = 1 + 4 * i)
                             : bsk_go(s, wait_handler, .shutdown_ms = 3);
        enough(self, !bsk_is_nobody(who));
    }
    bsk_token *t = bsk_scope_token(s);
    bsk_token *below_it = t ? bsk_token_new(t) : NULL;
    (void)bsk_scope_next(s, 1);
    bsk_scope *inner = bsk_scope_open(self, 2000);
    if (enough(self, inner))
        enough(self, !bsk_is_nobody(bsk_go(inner, ignore_stop, .shutdown_ms = 7)));
    bsk_scope_cancel(s);
    if (t) ck_assert(bsk_token_cancelled(t));
    if (below_it) ck_assert(bsk_token_cancelled(below_it));
    bsk_token_drop(t);
    bsk_token_drop(below_it);
    if (inner) ck_assert_int_eq(bsk_scope_join(inner), BSK_ECANCELED);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECANCELED);
    ended++;
}

static void *do_it_once(void *arg)
{
    bsk_rt *rt = bsk_start(.seed = 1, .quiet = true, FIX_HOOKS);
    ck_assert_ptr_null(arg);
    if (!rt) return NULL;
    bsk_addr who = bsk_spawn(rt, do_all);
    ck_assert(!bsk_is_nobody(who) || bsk_error(NULL) == BSK_ENOMEM);
    ck_assert_int_eq(bsk_wait(rt), 0);
    return NULL;
}

START_TEST(without_memory_nothing_is_half_made)
{
    for (int onward = 0; onward < 2; onward++) {
        uint64_t n = 0, asked;
        do {
            pthread_t thread;
            int64_t live = mem_live(), mapped = mem_mapped();
            asked = mem_asked();
            mem_fail_at(++n, onward);
            ck_assert_int_eq(pthread_create(&thread, NULL, do_it_once, NULL), 0);
            pthread_join(thread, NULL);
            mem_fail_at(0, 0);
            asked = mem_asked() - asked;
            ck_assert_msg(mem_live() == live, "%d blocks lost at %d", (int)(mem_live() - live),
                          (int)n);
            ck_assert_msg(mem_mapped() == mapped, "bytes lost at %d", (int)n);
        } while (asked >= n);
        ck_assert_uint_gt(n, 20);
    }
    ck_assert_int_gt(ended, 1);
}
END_TEST

FIX_MAIN("scope", 100, a_join_waits_for_all, an_empty_scope_is_joined_at_once,
         the_first_failure_cancels_the_others_and_is_what_the_join_says,
         a_failure_after_the_cancel_comes_of_it, a_child_that_others_kill_has_failed,
         a_child_that_others_stop_has_not_failed, a_handler_polls_and_joins_when_all_have_ended,
         nonsense_is_refused, a_cancel_reaches_every_wait, a_cancel_stops_handlers,
         nothing_starts_in_a_cancelled_scope_nor_in_one_opened_inside_it,
         a_cancelled_actor_starts_nothing, a_cancel_goes_inwards,
         a_cancel_reaches_those_below_who_goes_on_for_a_while,
         a_deadline_cancels_to_the_millisecond, a_deadline_ends_with_its_scope,
         the_earliest_deadline_of_nested_scopes_wins, a_deadline_is_inherited_down_the_tree,
         the_openers_own_waits_end_at_the_deadline,
         a_deadline_travels_with_calls_and_what_nobody_waits_for_is_skipped,
         the_calls_of_cancelled_actors_are_skipped_by_who_gets_them,
         who_ignores_the_cancel_is_killed_in_its_time, who_may_take_for_ever_does,
         many_that_ignore_it_are_killed_one_after_another,
         who_is_detached_outlives_the_scope_and_its_deadline,
         a_detached_actors_own_scopes_lose_the_deadline_too,
         one_with_scopes_without_number_can_be_detached,
         who_was_told_to_stop_keeps_its_time_when_it_is_detached,
         the_first_success_of_a_race_cancels_the_others, a_race_without_a_winner_is_lost,
         of_many_that_arrive_together_one_wins,
         ends_are_collected_in_their_order_with_what_was_given,
         a_failure_that_nobody_took_is_what_the_join_says,
         the_last_thing_given_counts_and_each_is_dropped_once,
         a_scope_that_ran_a_million_tasks_holds_none,
         children_end_before_their_owner_does_however_that_ends, handlers_own_scopes_too,
         a_handlers_scopes_lie_beside_each_other, a_tree_six_levels_deep_is_cancelled_from_its_top,
         a_hundred_thousand_are_cancelled_within_a_second, whatever_happens_all_that_began_ends,
         without_memory_nothing_is_half_made)
