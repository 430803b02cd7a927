/* SPDX-License-Identifier: MIT */
/* check_start.c - the cases of how a supervisor starts, and each of its children.
 *
 * ctest: timeout=120 */
#include "supervised.h"

#include <sched.h>

#define SEEDS 60

static void start_without_children(bsk_self *self)
{
    bsk_addr sup = born(self, bsk_supervise_none(bsk_rt_of(self), BSK_SUP(.name = "top")));
    expect(bsk_same(bsk_whereis(bsk_rt_of(self), "top"), sup));
    expect_counts(self, sup, 0, 0, 0, 0);
    expect_eq(stop_and_wait(self, sup), BSK_SHUTDOWN);
    expect(bsk_is_nobody(bsk_whereis(bsk_rt_of(self), "top")));
}

START_TEST(SUP_001_a_supervisor_without_children_starts_and_ends_as_shutdown)
{
    run_seeds(SEEDS, 0, start_without_children);
}
END_TEST

static bsk_addr half_made;
static int64_t why_half_made;

static void note_parent(bsk_self *self)
{
    half_made = bsk_whereis(bsk_rt_of(self), "top");
    expect(!bsk_is_nobody(half_made));
}

/* What is no valid spec starts nothing. What turns out at the start ends what is half made. */
static void start_in_vain(bsk_self *self)
{
    bsk_rt *rt = bsk_rt_of(self);
    bsk_stats_out before, after;
    bsk_stats(rt, &before);
    expect(bsk_is_nobody(bsk_supervise(rt, BSK_SUP(.intensity = -2), bsk_child(obedient))));
    expect_eq(bsk_error(self), BSK_EINVAL);
    expect(strstr(bsk_error_text(self), "intensity: -2") != NULL);
    bsk_stats(rt, &after);
    expect_eq(after.spawned, before.spawned);
    init_now = INIT_FAIL;
    expect(bsk_is_nobody(bsk_supervise(rt, BSK_SUP(.name = "top"),
                                       bsk_child(obedient, .name = "a", .init = note_parent),
                                       bsk_child(obedient, .name = "b", .init = init_as_told))));
    expect_eq(bsk_error(self), BSK_ECHILD);
    expect(strstr(bsk_error_text(self), "failed to start child b: failed: no luck") != NULL);
    why_half_made = reason_of(half_made);
    expect_eq(why_half_made, BSK_FAILED);
    expect(bsk_is_nobody(bsk_whereis(rt, "top")) && bsk_is_nobody(bsk_whereis(rt, "a")));
    expect(strstr(logged(), "failed to start child b: failed: no luck") != NULL);
}

START_TEST(SUP_003_what_cannot_start_says_why_and_the_half_made_supervisor_ends_so)
{
    run_seeds(SEEDS, 1, start_in_vain);
}
END_TEST

static void start_with_an_ignored_one(bsk_self *self)
{
    init_now = INIT_IGNORE;
    bsk_addr sup = supervise(
        self, BSK_SUP(.name = "top"), bsk_child(obedient, .name = "a"),
        bsk_child(obedient, .name = "b", .restart = BSK_TEMPORARY, .init = init_as_told),
        bsk_child(obedient, .name = "c"), bsk_child(obedient, .name = "d", .init = init_as_told));
    expect_counts(self, sup, 3, 2, 3, 0);
    bsk_child_info i;
    expect_eq(bsk_sup_child(self, sup, BSK_FOREVER, "b", &i), BSK_ENOTFOUND);
    expect(bsk_alive(child_of(self, sup, "c")));
    /* One that is no temporary one stays, and does not run. */
    expect_eq(info_of(self, sup, "d").state, BSK_CHILD_STOPPED);
    finish(self);
}

START_TEST(SUP_006_a_temporary_child_with_nothing_to_do_is_passed_over_and_forgotten)
{
    run_seeds(SEEDS, 0, start_with_an_ignored_one);
}
END_TEST

static void ready_later(bsk_self *self)
{
    if (init_now == INIT_IGNORE) bsk_ignore(self);
    bsk_sleep(self, 5);
    bsk_ready(self, 0);
    obedient_fiber(self);
}

static void add_an_ignored_one(bsk_self *self)
{
    init_now = INIT_IGNORE;
    bsk_addr sup = supervise(self, BSK_SUP(0), bsk_child(obedient, .name = "a"));
    bsk_child_spec specs[] = {
        bsk_child(obedient, .name = "b", .restart = BSK_TEMPORARY, .init = init_as_told),
        bsk_child(ready_later, .name = "b", .restart = BSK_TEMPORARY, .reports_ready = true)};
    for (int k = 0; k < 2; k++) {
        bsk_started out = {.who = sup};
        expect_eq(bsk_sup_add(self, sup, BSK_FOREVER, &specs[k], &out), 0);
        expect(bsk_is_nobody(out.who));
        expect_counts(self, sup, 1, 1, 1, 0);
    }
    finish(self);
}

START_TEST(SUP_007_adding_a_temporary_child_that_has_nothing_to_do_stores_nothing)
{
    run_seeds(SEEDS, 0, add_an_ignored_one);
}
END_TEST

static void add_an_ignored_instance(bsk_self *self)
{
    init_now = INIT_IGNORE;
    bsk_addr sup = supervise(self, BSK_SUP(.strategy = BSK_DYNAMIC),
                             bsk_child(obedient, .init = init_as_told));
    bsk_started out;
    expect_eq(bsk_sup_add(self, sup, BSK_FOREVER, NULL, &out), 0);
    expect(bsk_is_nobody(out.who));
    expect_counts(self, sup, 1, 0, 0, 0);
    expect_eq(list_len(self, sup), 0);
    expect_eq(stop_and_wait(self, sup), BSK_SHUTDOWN);
}

START_TEST(SUP_009_an_ignored_instance_is_not_stored_and_the_supervisor_stops_well)
{
    run_seeds(SEEDS, 0, add_an_ignored_instance);
}
END_TEST

static void add_what_fails(bsk_self *self)
{
    init_now = INIT_FAIL;
    bsk_addr sup = supervise(self, BSK_SUP(0), bsk_child(obedient, .name = "a"));
    bsk_child_spec b = bsk_child(obedient, .name = "b", .init = init_as_told);
    bsk_started out = {.who = sup, .info = 7};
    expect_eq(bsk_sup_add(self, sup, BSK_FOREVER, &b, &out), BSK_ECHILD);
    expect(strstr(bsk_error_text(self), "child b: failed: no luck") != NULL);
    expect(bsk_same(out.who, sup) && out.info == 7);
    expect_counts(self, sup, 1, 1, 1, 0);
    /* One that cannot even be spawned. */
    bsk_child_spec a = bsk_child(obedient, .id = "other", .name = "a");
    expect_eq(bsk_sup_add(self, sup, BSK_FOREVER, &a, NULL), BSK_EEXIST);
    expect(strstr(bsk_error_text(self), "child other: already exists") != NULL);
    expect_counts(self, sup, 1, 1, 1, 0);
    finish(self);
}

START_TEST(SUP_010_adding_what_does_not_start_tells_why_and_adds_nothing)
{
    run_seeds(SEEDS, 0, add_what_fails);
}
END_TEST

static void init_crashes(bsk_self *self)
{
    bsk_fail(self, "disk %d is full", 5);
}

static void start_a_tree_that_fails(bsk_self *self)
{
    bsk_rt *rt = bsk_rt_of(self);
    expect(bsk_is_nobody(
        bsk_supervise(rt, BSK_SUP(0), bsk_child(obedient, .name = "cache", .init = init_crashes))));
    expect_eq(bsk_error(self), BSK_ECHILD);
    expect(!strcmp(bsk_error_text(self), "failed to start child cache: failed: disk 5 is full"));
    /* From further below each one says who it was. */
    expect(bsk_is_nobody(
        bsk_supervise(rt, BSK_SUP(0),
                      bsk_child_sup(BSK_SUP(.name = "store"),
                                    bsk_child(obedient, .name = "disk", .init = init_crashes)))));
    expect(!strcmp(bsk_error_text(self), "failed to start child store: failed: failed to start "
                                         "child disk: failed: disk 5 is full"));
}

START_TEST(SUP_013_a_failed_start_names_the_child_and_its_own_reason)
{
    run_seeds(SEEDS, 1, start_a_tree_that_fails);
}
END_TEST

static void start_slowly(bsk_self *self)
{
    const char *me = *(const char **)bsk_state(self);
    say("(");
    bsk_sleep(self, 1 + (int64_t)(bsk_random(self) % 20));
    say(me);
    say(")");
    bsk_ready(self, 0);
    obedient_fiber(self);
}

#define SLOW(name_)                                                                                \
    bsk_child(start_slowly, .name = name_, .reports_ready = true, BSK_STATE(const char *, name_))

static void start_slow_ones(bsk_self *self)
{
    hush();
    bsk_addr sup =
        supervise(self, BSK_SUP(0), SLOW("e"), SLOW("b"), SLOW("d"), SLOW("a"), SLOW("c"));
    expect_said("(e)(b)(d)(a)(c)");
    expect_counts(self, sup, 5, 5, 5, 0);
    finish(self);
}

START_TEST(SUP_014_start_returns_when_all_children_have_reported_ready)
{
    run_seeds(SEEDS, 0, start_slow_ones);
}
END_TEST

START_TEST(SUP_014_start_returns_when_all_children_are_ready_on_other_threads)
{
    bsk_rt *rt = start_parallel(2);
    for (int round = 0; round < 20; round++) {
        hush();
        bsk_addr sup = bsk_supervise(rt, BSK_SUP(0), SLOW("e"), SLOW("b"), SLOW("d"));
        ck_assert(!bsk_is_nobody(sup));
        ck_assert_str_eq(said(), "(e)(b)(d)");
        ck_assert_int_eq(bsk_stop(sup, BSK_FOREVER), 0);
        /* The names are free for the next round. */
        while (!bsk_is_nobody(bsk_whereis(rt, "e"))) sched_yield();
    }
    ck_assert_int_eq(bsk_wait(rt), 0);
}
END_TEST

static void say_in_init(bsk_self *self)
{
    say(*(const char **)bsk_state(self));
}

#define AT_ONCE(name_)                                                                             \
    bsk_child(obedient, .name = name_, .init = say_in_init, BSK_STATE(const char *, name_))

static void start_in_order(bsk_self *self)
{
    hush();
    supervise(self, BSK_SUP(0), SLOW("3"), AT_ONCE("1"), SLOW("5"), AT_ONCE("2"), SLOW("4"));
    expect_said("(3)1(5)2(4)");
    finish(self);
}

START_TEST(SUP_015_children_start_one_after_another_in_the_listed_order)
{
    run_seeds(SEEDS, 0, start_in_order);
}
END_TEST

static void ready_with_info(bsk_self *self)
{
    bsk_ready(self, 42);
    /* It is ready when this has returned, not before. */
    if (init_now == INIT_FAIL) bsk_fail(self, "no luck");
    say("i");
}

static void fiber_with_info(bsk_self *self)
{
    bsk_sleep(self, 3);
    bsk_ready(self, 43);
    bsk_ready(self, 44);
    obedient_fiber(self);
}

static void hand_out_info(bsk_self *self)
{
    hush();
    bsk_addr sup = born(self, bsk_supervise_none(bsk_rt_of(self), BSK_SUP(.intensity = 10)));
    bsk_child_spec a = bsk_child(obedient_fiber, .name = "a", .init = ready_with_info);
    bsk_child_spec b = bsk_child(fiber_with_info, .name = "b", .reports_ready = true);
    bsk_started out;
    init_now = INIT_FAIL;
    expect_eq(bsk_sup_add(self, sup, BSK_FOREVER, &a, &out), BSK_ECHILD);
    init_now = INIT_WELL;
    expect_eq(bsk_sup_add(self, sup, BSK_FOREVER, &a, &out), 0);
    expect_said("i");
    expect_eq(out.info, 42);
    expect(bsk_same(out.who, bsk_whereis(bsk_rt_of(self), "a")));
    expect_eq(bsk_sup_add(self, sup, BSK_FOREVER, &b, &out), 0);
    expect_eq(out.info, 43);
    expect_eq(bsk_sup_stop(self, sup, BSK_FOREVER, "b"), 0);
    expect_eq(bsk_sup_restart(self, sup, BSK_FOREVER, "b", &out), 0);
    expect_eq(out.info, 43);
    expect(bsk_same(out.who, child_of(self, sup, "b")));
    finish(self);
}

START_TEST(SUP_016_what_a_child_says_when_it_is_ready_is_handed_to_who_added_or_restarted_it)
{
    run_seeds(SEEDS, 0, hand_out_info);
}
END_TEST

static void restart_with_info(bsk_self *self)
{
    bsk_addr sup = supervise(self, BSK_SUP(.intensity = 10),
                             bsk_child(fiber_with_info, .name = "b", .reports_ready = true),
                             bsk_child(obedient_fiber, .name = "a", .init = ready_with_info));
    const char *ids[] = {"a", "b"};
    for (int i = 0; i < 2; i++) {
        bsk_addr before = child_of(self, sup, ids[i]);
        end_child(self, before, SO_FAILED);
        expect_eq(bsk_sleep(self, 10), 0);
        bsk_addr after = child_of(self, sup, ids[i]);
        expect(!bsk_same(before, after) && bsk_alive(after));
    }
    expect_eq(counts_of(self, sup).restarts, 2);
    finish(self);
}

START_TEST(SUP_017_what_a_child_says_when_it_is_ready_does_not_disturb_its_restart)
{
    run_seeds(SEEDS, 0, restart_with_info);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("start");
    tcase_add_test(t, SUP_001_a_supervisor_without_children_starts_and_ends_as_shutdown);
    tcase_add_test(t, SUP_003_what_cannot_start_says_why_and_the_half_made_supervisor_ends_so);
    tcase_add_test(t, SUP_006_a_temporary_child_with_nothing_to_do_is_passed_over_and_forgotten);
    tcase_add_test(t, SUP_007_adding_a_temporary_child_that_has_nothing_to_do_stores_nothing);
    tcase_add_test(t, SUP_009_an_ignored_instance_is_not_stored_and_the_supervisor_stops_well);
    tcase_add_test(t, SUP_010_adding_what_does_not_start_tells_why_and_adds_nothing);
    tcase_add_test(t, SUP_013_a_failed_start_names_the_child_and_its_own_reason);
    tcase_add_test(t, SUP_014_start_returns_when_all_children_have_reported_ready);
    tcase_add_test(t, SUP_014_start_returns_when_all_children_are_ready_on_other_threads);
    tcase_add_test(t, SUP_015_children_start_one_after_another_in_the_listed_order);
    tcase_add_test(
        t, SUP_016_what_a_child_says_when_it_is_ready_is_handed_to_who_added_or_restarted_it);
    tcase_add_test(t, SUP_017_what_a_child_says_when_it_is_ready_does_not_disturb_its_restart);
    return run_suite("start", t, 30);
}
