/* SPDX-License-Identifier: MIT */
/* check_intensity.c - the cases of how many restarts are too many, and of restarts that fail.
 *
 * ctest: timeout=120 */
#include "supervised.h"

#define SEEDS 60
#define ENDLESS 1000000000

static void fail_three_times(bsk_self *self)
{
    bsk_rt *rt = bsk_rt_of(self);
    bsk_addr sup = supervise(self, BSK_SUP(.intensity = 2, .period_ms = 3600 * 1000),
                             bsk_child(obedient, .name = "1"), bsk_child(obedient, .name = "2"));
    bsk_addr other = child_of(self, sup, "2");
    for (int i = 0; i < 2; i++) {
        end_child(self, child_of(self, sup, "1"), SO_FAILED);
        expect(bsk_alive(child_of(self, sup, "1")));
        expect_eq(bsk_sleep(self, 1000 * 1000), 0);
    }
    expect_eq(counts_of(self, sup).restarts, 2);
    end_child(self, child_of(self, sup, "1"), SO_FAILED);
    expect(!bsk_alive(sup) && !bsk_alive(other));
    expect_eq(reason_of(sup), BSK_GAVE_UP);
    expect_eq(reason_of(other), BSK_SHUTDOWN);
    expect(bsk_is_nobody(bsk_whereis(rt, "1")) && bsk_is_nobody(bsk_whereis(rt, "2")));
    expect(strstr(logged(), "child 1: failed: meant to fail") != NULL);
}

START_TEST(SUP_061_one_failure_too_many_stops_all_and_the_supervisor_gives_up)
{
    run_seeds(SEEDS, 1, fail_three_times);
}
END_TEST

static bool may_start; /* children whose starts may be refused */

static void init_if_allowed(bsk_self *self)
{
    if (!may_start) bsk_fail(self, "not now");
}

/* Child 1 crashes, child 2 cannot start again. */
static void escalate(bsk_self *self, enum bsk_strategy strategy)
{
    may_start = true;
    bsk_addr sup = supervise(self, BSK_SUP(.strategy = strategy, .intensity = 4, .name = "top"),
                             bsk_child(obedient, .name = "1"),
                             bsk_child(obedient, .name = "2", .init = init_if_allowed));
    bsk_addr a = child_of(self, sup, "1"), b = child_of(self, sup, "2");
    may_start = false;
    end_child(self, a, SO_FAILED);
    expect(!bsk_alive(sup) && !bsk_alive(a) && !bsk_alive(b));
    expect_eq(reason_of(sup), BSK_GAVE_UP);
    expect_eq(reason_of(b), BSK_SHUTDOWN);
    bsk_rt *rt = bsk_rt_of(self);
    expect(bsk_is_nobody(bsk_whereis(rt, "1")) && bsk_is_nobody(bsk_whereis(rt, "2")));
    expect(strstr(logged(), "child 2: failed: failed to start child 2: failed: not now") != NULL);
}

static void escalate_for_all(bsk_self *self)
{
    escalate(self, BSK_ONE_FOR_ALL);
}

static void escalate_for_rest(bsk_self *self)
{
    escalate(self, BSK_REST_FOR_ONE);
}

START_TEST(SUP_064_one_for_all_gives_up_on_a_sibling_that_cannot_start_again)
{
    run_seeds(SEEDS, 1, escalate_for_all);
}
END_TEST

START_TEST(SUP_065_rest_for_one_gives_up_on_a_sibling_that_cannot_start_again)
{
    run_seeds(SEEDS, 1, escalate_for_rest);
}
END_TEST

static void escalate_instance(bsk_self *self)
{
    may_start = true;
    bsk_addr sup = supervise(self, BSK_SUP(.strategy = BSK_DYNAMIC, .intensity = 4),
                             bsk_child(obedient, .init = init_if_allowed));
    bsk_addr a = add_instance(self, sup, 1), b = add_instance(self, sup, 2);
    may_start = false;
    end_child(self, a, SO_FAILED);
    expect_eq(reason_of(sup), BSK_GAVE_UP);
    expect_eq(reason_of(b), BSK_SHUTDOWN);
}

START_TEST(SUP_066_a_dynamic_supervisor_gives_up_on_an_instance_that_cannot_start_again)
{
    run_seeds(SEEDS, 1, escalate_instance);
}
END_TEST

static void share_a_budget(bsk_self *self)
{
    bsk_addr sup =
        supervise(self, BSK_SUP(.strategy = BSK_DYNAMIC, .intensity = 2), bsk_child(obedient));
    bsk_addr a[3];
    for (int i = 0; i < 3; i++) a[i] = add_instance(self, sup, i);
    for (int i = 0; i < 2; i++) {
        end_child(self, a[i], SO_FAILED);
        expect_counts(self, sup, 1, 3, 3, 0);
    }
    bsk_addr again = nth_child(self, sup, 0);
    end_child(self, a[2], SO_FAILED);
    expect_eq(reason_of(sup), BSK_GAVE_UP);
    expect_eq(reason_of(again), BSK_SHUTDOWN);
}

START_TEST(SUP_067_instances_share_their_supervisors_budget)
{
    run_seeds(SEEDS, 1, share_a_budget);
}
END_TEST

static void default_budget(bsk_self *self)
{
    bsk_addr sup = supervise(self, BSK_SUP(0), bsk_child(obedient, .name = "1"));
    /* One each more than 5 s goes on for ever. */
    for (int i = 0; i < 10; i++) {
        end_child(self, child_of(self, sup, "1"), SO_FAILED);
        expect_eq(bsk_sleep(self, 5000), 0);
    }
    expect(bsk_alive(sup));
    end_child(self, child_of(self, sup, "1"), SO_FAILED);
    expect_eq(bsk_sleep(self, 4990), 0);
    expect(bsk_alive(sup));
    end_child(self, child_of(self, sup, "1"), SO_FAILED);
    expect_eq(reason_of(sup), BSK_GAVE_UP);
}

START_TEST(SUP_068_the_default_is_one_restart_in_5_seconds)
{
    run_seeds(SEEDS, 1, default_budget);
}
END_TEST

/* A supervisor whose child 1 fails to start again and again, without a wait or with one. */
static bsk_addr start_hanging(bsk_self *self)
{
    may_start = true;
    bsk_addr sup = supervise(
        self, BSK_SUP(.name = "top", .intensity = ENDLESS, .backoff_min_ms = seed_now % 2 ? 10 : 0),
        bsk_child(obedient, .name = "1", .init = init_if_allowed),
        bsk_child(obedient, .name = "2"));
    bsk_addr a = child_of(self, sup, "1");
    may_start = false;
    bsk_tell(a, end_so, .how = SO_FAILED);
    while (bsk_alive(a)) expect_eq(bsk_yield(self), 0);
    while (info_of(self, sup, "1").state != BSK_CHILD_RESTARTING) expect_eq(bsk_yield(self), 0);
    return sup;
}

static void ask_while_restarting(bsk_self *self)
{
    bsk_addr sup = start_hanging(self);
    bsk_child_spec again = bsk_child(obedient, .name = "1");
    for (int i = 0; i < 5; i++) {
        expect_eq(bsk_sup_add(self, sup, BSK_FOREVER, &again, NULL), BSK_EEXIST);
        expect_eq(bsk_sup_restart(self, sup, BSK_FOREVER, "1", NULL), BSK_ERESTARTING);
        expect_eq(bsk_sup_delete(self, sup, BSK_FOREVER, "1"), BSK_ERESTARTING);
        expect_counts(self, sup, 2, 1, 2, 0);
    }
    expect(bsk_alive(child_of(self, sup, "2")));
    may_start = true;
    expect_eq(bsk_sleep(self, 60000), 0);
    expect_counts(self, sup, 2, 2, 2, 0);
    finish(self);
}

START_TEST(SUP_071_words_about_a_child_in_a_restart_loop_are_answered)
{
    run_seeds(SEEDS, 0, ask_while_restarting);
}
END_TEST

static void stop_while_restarting(bsk_self *self)
{
    bsk_addr sup = start_hanging(self);
    expect_eq(bsk_sup_stop(self, sup, BSK_FOREVER, "1"), 0);
    expect_eq(info_of(self, sup, "1").state, BSK_CHILD_STOPPED);
    expect_eq(bsk_sleep(self, 60000), 0);
    expect_counts(self, sup, 2, 1, 2, 0);
    may_start = true;
    expect_eq(bsk_sup_restart(self, sup, BSK_FOREVER, "1", NULL), 0);
    finish(self);
}

START_TEST(SUP_072_stopping_a_child_ends_its_restart_loop)
{
    run_seeds(SEEDS, 0, stop_while_restarting);
}
END_TEST

static void shut_down_while_restarting(bsk_self *self)
{
    bsk_addr sup = start_hanging(self);
    int64_t before = now(self);
    expect_eq(stop_and_wait(self, sup), BSK_SHUTDOWN);
    expect(now(self) - before <= 10);
    expect(bsk_is_nobody(bsk_whereis(bsk_rt_of(self), "top")));
}

START_TEST(SUP_073_a_supervisor_in_a_restart_loop_stops_at_once_and_frees_its_name)
{
    run_seeds(SEEDS, 0, shut_down_while_restarting);
}
END_TEST

static void stop_an_old_instance(bsk_self *self)
{
    may_start = true;
    bsk_addr sup = supervise(self,
                             BSK_SUP(.strategy = BSK_DYNAMIC, .intensity = ENDLESS,
                                     .backoff_min_ms = seed_now % 2 ? 10 : 0),
                             bsk_child(obedient, .init = init_if_allowed));
    bsk_addr a = add_instance(self, sup, 1);
    may_start = false;
    bsk_tell(a, end_so, .how = SO_FAILED);
    while (counts_of(self, sup).active) expect_eq(bsk_yield(self), 0);
    expect_eq(list_len(self, sup), 1);
    expect_eq(bsk_sup_stop_actor(self, sup, BSK_FOREVER, a), 0);
    expect_eq(list_len(self, sup), 0);
    expect_counts(self, sup, 1, 0, 0, 0);
    finish(self);
}

START_TEST(SUP_075_an_instance_in_a_restart_loop_is_stopped_by_its_old_address)
{
    run_seeds(SEEDS, 0, stop_an_old_instance);
}
END_TEST

static void count_while_restarting(bsk_self *self)
{
    may_start = true;
    bsk_addr sup = supervise(self,
                             BSK_SUP(.strategy = BSK_DYNAMIC, .intensity = ENDLESS,
                                     .backoff_min_ms = seed_now % 2 ? 10 : 0),
                             bsk_child(obedient, .init = init_if_allowed));
    bsk_addr a[3];
    for (int i = 0; i < 3; i++) a[i] = add_instance(self, sup, i);
    expect_counts(self, sup, 1, 3, 3, 0);
    may_start = false;
    for (int i = 0; i < 2; i++) bsk_tell(a[i], end_so, .how = SO_FAILED);
    while (counts_of(self, sup).active > 1) expect_eq(bsk_yield(self), 0);
    for (int i = 0; i < 5; i++) expect_counts(self, sup, 1, 1, 3, 0);
    may_start = true;
    expect_eq(bsk_sleep(self, 60000), 0);
    expect_counts(self, sup, 1, 3, 3, 0);
    finish(self);
}

START_TEST(SUP_076_instances_that_are_restarting_count_as_workers_and_not_as_active)
{
    run_seeds(SEEDS, 0, count_while_restarting);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("intensity");
    tcase_add_test(t, SUP_061_one_failure_too_many_stops_all_and_the_supervisor_gives_up);
    tcase_add_test(t, SUP_064_one_for_all_gives_up_on_a_sibling_that_cannot_start_again);
    tcase_add_test(t, SUP_065_rest_for_one_gives_up_on_a_sibling_that_cannot_start_again);
    tcase_add_test(t, SUP_066_a_dynamic_supervisor_gives_up_on_an_instance_that_cannot_start_again);
    tcase_add_test(t, SUP_067_instances_share_their_supervisors_budget);
    tcase_add_test(t, SUP_068_the_default_is_one_restart_in_5_seconds);
    tcase_add_test(t, SUP_071_words_about_a_child_in_a_restart_loop_are_answered);
    tcase_add_test(t, SUP_072_stopping_a_child_ends_its_restart_loop);
    tcase_add_test(t, SUP_073_a_supervisor_in_a_restart_loop_stops_at_once_and_frees_its_name);
    tcase_add_test(t, SUP_075_an_instance_in_a_restart_loop_is_stopped_by_its_old_address);
    tcase_add_test(t, SUP_076_instances_that_are_restarting_count_as_workers_and_not_as_active);
    return run_suite("intensity", t, 30);
}
