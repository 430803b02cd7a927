/* SPDX-License-Identifier: MIT */
/* check_scope.c - scopes: what is started in one ends before it is joined; what children give, and
 * who of them was first.
 *
 * What does not look at the clock runs under many seeds and truly parallel as well, here and in the
 * other tests of scopes; the fixture sees that nothing is left.
 *
 * ctest: timeout=120 */
#include "scopes.h"

#include "tests/sanitizers.h"

#include "mailbox/memory.h"

BSK_LOCAL(owned, owned_drop, (char *, text));

void owned_drop(void *body)
{
    free(((struct owned *)body)->text);
    over++;
}

static void fail_soon(bsk_self *self)
{
    /* Unless it is late, and cancelled before. */
    if (bsk_sleep(self, 2) == 0) bsk_fail(self, "meant to fail");
}

/* Joining. */

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

/* Races and results. */

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

#define TASKS (SANITIZED ? 30000 : 1000000)

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

FIX_MAIN("scope", 100, a_join_waits_for_all, an_empty_scope_is_joined_at_once,
         the_first_failure_cancels_the_others_and_is_what_the_join_says,
         a_failure_after_the_cancel_comes_of_it, a_child_that_others_kill_has_failed,
         a_child_that_others_stop_has_not_failed, a_handler_polls_and_joins_when_all_have_ended,
         nonsense_is_refused, the_first_success_of_a_race_cancels_the_others,
         a_race_without_a_winner_is_lost, of_many_that_arrive_together_one_wins,
         ends_are_collected_in_their_order_with_what_was_given,
         a_failure_that_nobody_took_is_what_the_join_says,
         the_last_thing_given_counts_and_each_is_dropped_once,
         a_scope_that_ran_a_million_tasks_holds_none)
