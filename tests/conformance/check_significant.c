/* SPDX-License-Identifier: MIT */
/* check_significant.c - the cases of supervisors that stop by themselves when their work is done.
 *
 * ctest: timeout=120 */
#include "supervised.h"

#define SEEDS 60

static enum bsk_auto_shutdown mode_now;

static void end_in_any_way(bsk_self *self, bsk_addr sup, bsk_addr who)
{
    switch (seed_now % 4) {
    case 0: expect_eq(bsk_sup_stop_actor(self, sup, BSK_FOREVER, who), 0); break;
    case 1: kill_child(self, who); break;
    case 2: end_child(self, who, SO_FAILED); break;
    default: end_child(self, who, SO_NORMAL); break;
    }
    expect(!bsk_alive(who));
}

static void end_an_ordinary_one(bsk_self *self)
{
    bsk_addr sup = supervise(self, BSK_SUP(.auto_shutdown = mode_now),
                             bsk_child(obedient, .name = "a", .restart = BSK_TEMPORARY),
                             bsk_child(obedient, .name = "b", .restart = BSK_TEMPORARY));
    end_in_any_way(self, sup, child_of(self, sup, "a"));
    expect(bsk_alive(sup));
    end_in_any_way(self, sup, child_of(self, sup, "b"));
    expect(bsk_alive(sup));
    expect_counts(self, sup, 0, 0, 0, 0);
    finish(self);
}

START_TEST(SUP_110_the_end_of_a_child_that_is_not_significant_stops_nobody)
{
    mode_now = (enum bsk_auto_shutdown)_i;
    run_seeds(SEEDS, 0, end_an_ordinary_one);
}
END_TEST

static void stop_a_significant_one(bsk_self *self)
{
    bsk_addr sup =
        supervise(self, BSK_SUP(.auto_shutdown = mode_now),
                  bsk_child(obedient, .name = "a", .restart = BSK_TEMPORARY, .significant = true),
                  bsk_child(obedient, .name = "b", .restart = BSK_TRANSIENT, .significant = true));
    expect_eq(bsk_sup_stop(self, sup, BSK_FOREVER, "a"), 0);
    expect_eq(bsk_sup_stop(self, sup, BSK_FOREVER, "b"), 0);
    expect_eq(bsk_sleep(self, 1), 0);
    expect(bsk_alive(sup));
    expect_counts(self, sup, 1, 0, 1, 0);
    finish(self);
}

START_TEST(SUP_113_stopping_a_significant_child_by_hand_is_no_end_of_its_own)
{
    mode_now = (enum bsk_auto_shutdown)_i;
    run_seeds(SEEDS, 0, stop_a_significant_one);
}
END_TEST

static void end_a_significant_one(bsk_self *self)
{
    bsk_addr sup = supervise(
        self, BSK_SUP(.auto_shutdown = BSK_ANY_SIGNIFICANT), bsk_child(obedient, .name = "a"),
        bsk_child(obedient, .name = "b", .restart = BSK_TRANSIENT, .significant = true),
        bsk_child(obedient, .name = "c", .restart = BSK_TRANSIENT, .significant = true));
    bsk_addr a = child_of(self, sup, "a"), c = child_of(self, sup, "c");
    /* One that is started again has not come to its end. */
    end_child(self, child_of(self, sup, "b"), SO_FAILED);
    expect(bsk_alive(sup));
    end_child(self, child_of(self, sup, "b"), seed_now % 2 ? SO_NORMAL : SO_SHUTDOWN);
    expect_eq(reason_of(sup), BSK_SHUTDOWN);
    expect_eq(reason_of(a), BSK_SHUTDOWN);
    expect_eq(reason_of(c), BSK_SHUTDOWN);
}

START_TEST(SUP_116_the_normal_end_of_a_transient_significant_child_stops_the_unit)
{
    run_seeds(SEEDS, 0, end_a_significant_one);
}
END_TEST

static void end_significant_instances(bsk_self *self)
{
    bsk_addr sup = supervise(self, BSK_SUP(.strategy = BSK_DYNAMIC, .auto_shutdown = mode_now),
                             bsk_child(obedient, .restart = BSK_TEMPORARY, .significant = true));
    bsk_addr a[3];
    for (int i = 0; i < 3; i++) a[i] = add_instance(self, sup, i);
    int last = mode_now == BSK_ANY_SIGNIFICANT ? 0 : 2;
    for (int i = 0; i <= last; i++) {
        expect(bsk_alive(sup));
        end_child(self, a[i], (enum so)(seed_now % SO_COUNT));
    }
    expect_eq(reason_of(sup), BSK_SHUTDOWN);
    for (int i = last + 1; i < 3; i++) expect_eq(reason_of(a[i]), BSK_SHUTDOWN);
}

START_TEST(SUP_117_significant_instances_stop_the_unit_after_the_first_or_the_last)
{
    mode_now = (enum bsk_auto_shutdown)_i;
    run_seeds(SEEDS, 0, end_significant_instances);
}
END_TEST

/* One that waits for its restart has not ended for good. */
static void end_beside_a_waiting_one(bsk_self *self)
{
    bsk_addr sup =
        supervise(self, BSK_SUP(.auto_shutdown = BSK_ALL_SIGNIFICANT, .backoff_min_ms = 100),
                  bsk_child(obedient, .name = "a", .restart = BSK_TRANSIENT, .significant = true),
                  bsk_child(obedient, .name = "b", .restart = BSK_TRANSIENT, .significant = true));
    end_child(self, child_of(self, sup, "a"), SO_FAILED);
    end_child(self, child_of(self, sup, "b"), SO_NORMAL);
    expect(bsk_alive(sup));
    expect_eq(bsk_sleep(self, 200), 0);
    end_child(self, child_of(self, sup, "a"), SO_NORMAL);
    expect_eq(reason_of(sup), BSK_SHUTDOWN);
}

START_TEST(SUP_117_a_significant_child_that_waits_for_its_restart_is_not_at_its_end)
{
    run_seeds(SEEDS, 0, end_beside_a_waiting_one);
}
END_TEST

static enum bsk_strategy strategy_now;

static void kill_a_bystander(bsk_self *self)
{
    bsk_addr sup =
        supervise(self, BSK_SUP(.strategy = strategy_now, .auto_shutdown = mode_now),
                  bsk_child(obedient, .name = "bystander"),
                  bsk_child(obedient, .name = "a", .restart = BSK_TRANSIENT, .significant = true),
                  bsk_child(obedient, .name = "b", .restart = BSK_TEMPORARY, .significant = true));
    bsk_addr a = child_of(self, sup, "a"), b = child_of(self, sup, "b");
    kill_child(self, child_of(self, sup, "bystander"));
    expect_eq(bsk_sleep(self, 1), 0);
    expect(bsk_alive(sup));
    bool alone = strategy_now == BSK_ONE_FOR_ONE;
    expect_eq(bsk_same(child_of(self, sup, "a"), a), alone);
    expect_eq(bsk_alive(b), alone);
    unsigned left = alone ? 3 : 2;
    expect_counts(self, sup, left, left, left, 0);
    finish(self);
}

START_TEST(SUP_118_ends_that_the_supervisor_itself_causes_do_not_count)
{
    strategy_now = (enum bsk_strategy)(_i / 2);
    mode_now = _i % 2 ? BSK_ANY_SIGNIFICANT : BSK_ALL_SIGNIFICANT;
    run_seeds(SEEDS, 0, kill_a_bystander);
}
END_TEST

static void end_below(bsk_self *self, bool significant)
{
    const bsk_child_spec worker =
        bsk_child(obedient, .name = "c", .restart = BSK_TRANSIENT, .significant = true);
    const bsk_child_spec below = {.opts = {.restart = BSK_TRANSIENT, .significant = significant},
                                  .sup = BSK_SUP(.name = "b", .auto_shutdown = BSK_ANY_SIGNIFICANT),
                                  .children = &worker,
                                  .nchildren = 1};
    bsk_addr a =
        born(self, bsk_supervise_(bsk_rt_of(self), BSK_SUP(.auto_shutdown = BSK_ANY_SIGNIFICANT),
                                  &below, 1));
    bsk_addr b = bsk_whereis(bsk_rt_of(self), "b");
    end_child(self, bsk_whereis(bsk_rt_of(self), "c"), SO_NORMAL);
    expect_eq(reason_of(b), BSK_SHUTDOWN);
    expect_eq(reason_of(a), significant ? BSK_SHUTDOWN : -1);
    if (!significant) expect_counts(self, a, 1, 0, 0, 1);
    finish(self);
}

static void end_below_significant(bsk_self *self)
{
    end_below(self, true);
}

static void end_below_ordinary(bsk_self *self)
{
    end_below(self, false);
}

START_TEST(SUP_119_the_end_goes_up_from_significant_to_significant)
{
    run_seeds(SEEDS, 0, end_below_significant);
}
END_TEST

START_TEST(SUP_120_the_end_stops_at_a_supervisor_that_is_not_significant)
{
    run_seeds(SEEDS, 0, end_below_ordinary);
}
END_TEST

static void refuse_significant(bsk_self *self)
{
    bsk_child_spec b =
        bsk_child(obedient, .name = "b", .restart = BSK_TRANSIENT, .significant = true);
    expect(bsk_is_nobody(bsk_supervise_(bsk_rt_of(self), BSK_SUP(0), &b, 1)));
    expect_eq(bsk_error(self), BSK_EINVAL);
    expect(!strcmp(bsk_error_text(self), "child b: significant, with auto_shutdown never"));
    bsk_addr sup = supervise(self, BSK_SUP(0), bsk_child(obedient, .name = "a"));
    expect_eq(bsk_sup_add(self, sup, BSK_FOREVER, &b, NULL), BSK_EINVAL);
    expect(!strcmp(bsk_error_text(self), "child b: significant, with auto_shutdown never"));
    expect_counts(self, sup, 1, 1, 1, 0);
    finish(self);
}

START_TEST(SUP_121_without_auto_shutdown_a_significant_child_is_refused)
{
    run_seeds(SEEDS, 0, refuse_significant);
}
END_TEST

static void restart_what_was_done(bsk_self *self)
{
    bsk_rt *rt = bsk_rt_of(self);
    supervise(self, BSK_SUP(0),
              bsk_child_sup(
                  BSK_SUP(.name = "b", .auto_shutdown = BSK_ANY_SIGNIFICANT),
                  bsk_child(obedient, .name = "c", .restart = BSK_TRANSIENT, .significant = true)));
    bsk_addr b = bsk_whereis(rt, "b");
    end_child(self, bsk_whereis(rt, "c"), SO_NORMAL);
    expect_eq(reason_of(b), BSK_SHUTDOWN);
    expect(bsk_alive(bsk_whereis(rt, "b")) && bsk_alive(bsk_whereis(rt, "c")));
    finish(self);
}

START_TEST(SUP_122_an_auto_shutdown_supervisor_that_is_permanent_is_restarted_at_once)
{
    run_seeds(SEEDS, 0, restart_what_was_done);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("significant");
    tcase_add_loop_test(t, SUP_110_the_end_of_a_child_that_is_not_significant_stops_nobody, 0, 3);
    tcase_add_loop_test(t, SUP_113_stopping_a_significant_child_by_hand_is_no_end_of_its_own, 1, 3);
    tcase_add_test(t, SUP_116_the_normal_end_of_a_transient_significant_child_stops_the_unit);
    tcase_add_loop_test(t, SUP_117_significant_instances_stop_the_unit_after_the_first_or_the_last,
                        1, 3);
    tcase_add_test(t, SUP_117_a_significant_child_that_waits_for_its_restart_is_not_at_its_end);
    tcase_add_loop_test(t, SUP_118_ends_that_the_supervisor_itself_causes_do_not_count, 0, 6);
    tcase_add_test(t, SUP_119_the_end_goes_up_from_significant_to_significant);
    tcase_add_test(t, SUP_120_the_end_stops_at_a_supervisor_that_is_not_significant);
    tcase_add_test(t, SUP_121_without_auto_shutdown_a_significant_child_is_refused);
    tcase_add_test(t, SUP_122_an_auto_shutdown_supervisor_that_is_permanent_is_restarted_at_once);
    return run_suite("significant", t, 30);
}
