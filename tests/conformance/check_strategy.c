/* SPDX-License-Identifier: MIT */
/* check_strategy.c - the cases of who else is restarted with a child.
 *
 * ctest: timeout=120 */
#include "supervised.h"

#define SEEDS 60

static const char *const ids[] = {"1", "2", "3"};

static void children_of(bsk_self *self, bsk_addr sup, bsk_addr *out)
{
    for (int i = 0; i < 3; i++) out[i] = child_of(self, sup, ids[i]);
}

static bsk_addr start_three(bsk_self *self, enum bsk_strategy strategy, bsk_addr *out)
{
    bsk_addr sup = supervise(
        self, BSK_SUP(.strategy = strategy, .intensity = 100), bsk_child(obedient, .name = "1"),
        bsk_child(obedient_fiber, .name = "2"), bsk_child(obedient, .name = "3"));
    children_of(self, sup, out);
    return sup;
}

/* Child 2 crashes: which of the others are the same afterwards. */
static void crash_the_second(bsk_self *self, enum bsk_strategy strategy, bool first_stays,
                             bool third_stays)
{
    bsk_addr before[3], after[3];
    bsk_addr sup = start_three(self, strategy, before);
    end_child(self, before[1], SO_FAILED);
    children_of(self, sup, after);
    for (int i = 0; i < 3; i++) {
        bool stays = i == 0 ? first_stays : i == 2 && third_stays;
        expect_eq(bsk_same(before[i], after[i]), stays);
        expect_eq(bsk_alive(before[i]), stays);
        expect(bsk_alive(after[i]));
        expect(bsk_same(bsk_whereis(bsk_rt_of(self), ids[i]), after[i]));
        if (!stays && i != 1) expect_eq(reason_of(before[i]), BSK_SHUTDOWN);
    }
    expect_counts(self, sup, 3, 3, 3, 0);
    finish(self);
}

static void one_for_one(bsk_self *self)
{
    crash_the_second(self, BSK_ONE_FOR_ONE, true, true);
}

static void one_for_all(bsk_self *self)
{
    crash_the_second(self, BSK_ONE_FOR_ALL, false, false);
}

static void rest_for_one(bsk_self *self)
{
    crash_the_second(self, BSK_REST_FOR_ONE, true, false);
}

START_TEST(SUP_046_one_for_one_replaces_only_the_one_that_crashed)
{
    run_seeds(SEEDS, 0, one_for_one);
}
END_TEST

START_TEST(SUP_047_one_for_all_replaces_all)
{
    run_seeds(SEEDS, 0, one_for_all);
}
END_TEST

START_TEST(SUP_048_rest_for_one_replaces_it_and_those_after_it)
{
    run_seeds(SEEDS, 0, rest_for_one);
}
END_TEST

BSK_MSG(number, (i64, n));
BSK_CALL(ask_number, number);

static void numbered(bsk_self *self, bsk_msg *m)
{
    const int *n = bsk_state(self);
    bsk_match(m) {
        bsk_on(ask_number, q) bsk_reply(q, ask_number, .n = *n);
        bsk_else(any) obedient(self, any);
    }
}

static int number_of(bsk_self *self, bsk_addr who)
{
    const number *n = bsk_call(self, who, BSK_FOREVER, ask_number);
    expect(n != NULL);
    return (int)n->n;
}

static void crash_an_instance(bsk_self *self)
{
    bsk_addr sup =
        supervise(self, BSK_SUP(.strategy = BSK_DYNAMIC), bsk_child(numbered, BSK_STATE(int, 0)));
    bsk_addr a = add_instance(self, sup, 11), b = add_instance(self, sup, 12);
    expect_eq(number_of(self, a), 11);
    end_child(self, a, SO_FAILED);
    expect(bsk_alive(b) && !bsk_alive(a));
    bsk_addr again = nth_child(self, sup, 0);
    expect(bsk_same(nth_child(self, sup, 1), b));
    expect_eq(number_of(self, again), 11);
    expect_eq(number_of(self, b), 12);
    expect_counts(self, sup, 1, 2, 2, 0);
    finish(self);
}

START_TEST(SUP_050_an_instance_is_replaced_with_the_arguments_it_had)
{
    run_seeds(SEEDS, 0, crash_an_instance);
}
END_TEST

static void temporary_bystander(bsk_self *self)
{
    enum bsk_strategy strategy = seed_now % 2 ? BSK_ONE_FOR_ALL : BSK_REST_FOR_ONE;
    bsk_addr sup = supervise(self, BSK_SUP(.strategy = strategy), bsk_child(obedient, .name = "1"),
                             bsk_child(obedient, .name = "2", .restart = BSK_TEMPORARY));
    bsk_addr bystander = child_of(self, sup, "2");
    end_child(self, child_of(self, sup, "1"), SO_NORMAL);
    expect(bsk_alive(sup) && !bsk_alive(bystander));
    expect_eq(reason_of(bystander), BSK_SHUTDOWN);
    expect(bsk_is_nobody(bsk_whereis(bsk_rt_of(self), "2")));
    expect(bsk_alive(child_of(self, sup, "1")));
    expect_counts(self, sup, 1, 1, 1, 0);
    finish(self);
}

START_TEST(SUP_052_a_temporary_bystander_is_stopped_and_not_restarted)
{
    run_seeds(SEEDS, 0, temporary_bystander);
}
END_TEST

static int fails_left;

static void init_first(bsk_self *self)
{
    expect(!bsk_is_nobody(bsk_me(self)));
    say("1");
}

static void fini_first(bsk_self *self)
{
    expect(!bsk_is_nobody(bsk_me(self)));
    say("-");
}

static void init_second(bsk_self *self)
{
    if (fails_left && fails_left-- <= 2) {
        say("x");
        bsk_fail(self, "not yet");
    }
    say("2");
}

/* The first start of child 2 goes well, the next two do not. */
static bsk_addr start_reluctant(bsk_self *self, enum bsk_strategy strategy)
{
    hush();
    fails_left = 3;
    bsk_addr sup =
        supervise(self, BSK_SUP(.strategy = strategy, .intensity = 10),
                  bsk_child(obedient, .name = "1", .init = init_first, .fini = fini_first),
                  bsk_child(obedient, .name = "2", .init = init_second));
    expect_said("12");
    return sup;
}

static void group_start_is_retried(bsk_self *self)
{
    bsk_addr sup = start_reluctant(self, BSK_ONE_FOR_ALL);
    bsk_addr first = child_of(self, sup, "1");
    end_child(self, child_of(self, sup, "2"), SO_FAILED);
    expect_said("12-1x-1x-12");
    expect_eq(reason_of(first), BSK_SHUTDOWN);
    expect_counts(self, sup, 2, 2, 2, 0);
    finish(self);
}

START_TEST(SUP_054_one_for_all_retries_the_whole_group_from_the_first_child)
{
    run_seeds(SEEDS, 0, group_start_is_retried);
}
END_TEST

static void only_the_second_is_retried(bsk_self *self)
{
    bsk_addr sup = start_reluctant(self, BSK_REST_FOR_ONE);
    end_child(self, child_of(self, sup, "1"), SO_FAILED);
    expect_said("12-1xx2");
    expect_counts(self, sup, 2, 2, 2, 0);
    finish(self);
}

START_TEST(SUP_055_rest_for_one_retries_only_the_child_that_failed_to_start)
{
    run_seeds(SEEDS, 0, only_the_second_is_retried);
}
END_TEST

static const char *const names[] = {"left", "l1", "l2", "right", "r1", "r2"};

static bsk_addr start_tree(bsk_self *self)
{
    return supervise(self, BSK_SUP(.strategy = BSK_ONE_FOR_ALL, .name = "top"),
                     bsk_child_sup(BSK_SUP(.name = "left"), bsk_child(obedient, .name = "l1"),
                                   bsk_child(obedient, .name = "l2")),
                     bsk_child_sup(BSK_SUP(.name = "right"), bsk_child(obedient, .name = "r1"),
                                   bsk_child(obedient, .name = "r2")));
}

static void find_all(bsk_self *self, bsk_addr *out)
{
    for (int i = 0; i < 6; i++) {
        out[i] = bsk_whereis(bsk_rt_of(self), names[i]);
        expect(bsk_alive(out[i]));
    }
}

static void crash_in_a_tree(bsk_self *self)
{
    bsk_addr before[6], after[6];
    start_tree(self);
    find_all(self, before);
    end_child(self, before[1], SO_FAILED);
    find_all(self, after);
    for (int i = 0; i < 6; i++) expect_eq(bsk_same(before[i], after[i]), i != 1);
    finish(self);
}

START_TEST(SUP_056_a_crash_within_the_budget_of_its_supervisor_touches_nobody_else)
{
    run_seeds(SEEDS, 0, crash_in_a_tree);
}
END_TEST

static void exceed_in_a_tree(bsk_self *self)
{
    bsk_addr before[6], after[6];
    bsk_addr top = start_tree(self);
    find_all(self, before);
    bsk_child_spec more = bsk_child(obedient, .name = "more");
    expect_eq(bsk_sup_add(self, before[0], BSK_FOREVER, &more, NULL), 0);
    end_child(self, before[1], SO_FAILED);
    end_child(self, bsk_whereis(bsk_rt_of(self), "l2"), SO_FAILED);
    find_all(self, after);
    for (int i = 0; i < 6; i++) expect(!bsk_same(before[i], after[i]));
    expect(bsk_is_nobody(bsk_whereis(bsk_rt_of(self), "more")));
    expect_counts(self, after[0], 2, 2, 2, 0);
    expect_eq(info_of(self, top, "left").last_reason, BSK_GAVE_UP);
    expect(strstr(info_of(self, top, "left").last_text, "child l2: failed: meant to fail") != NULL);
    expect_eq(reason_of(before[3]), BSK_SHUTDOWN);
    finish(self);
}

START_TEST(SUP_057_a_supervisor_over_its_budget_comes_back_with_static_children_only)
{
    run_seeds(SEEDS, 0, exceed_in_a_tree);
}
END_TEST

static void kill_the_inner(bsk_self *self)
{
    bsk_rt *rt = bsk_rt_of(self);
    supervise(self, BSK_SUP(0),
              bsk_child_sup(BSK_SUP(.name = "inner"), bsk_child(obedient, .name = "worker")));
    bsk_addr inner = bsk_whereis(rt, "inner"), worker = bsk_whereis(rt, "worker");
    kill_child(self, inner);
    expect(!bsk_alive(inner) && !bsk_alive(worker));
    expect_eq(reason_of(inner), BSK_KILLED);
    expect_eq(reason_of(worker), BSK_KILLED);
    bsk_addr inner2 = bsk_whereis(rt, "inner"), worker2 = bsk_whereis(rt, "worker");
    expect(bsk_alive(inner2) && !bsk_same(inner, inner2));
    expect(bsk_alive(worker2) && !bsk_same(worker, worker2));
    expect(bsk_same(child_of(self, inner2, "worker"), worker2));
    finish(self);
}

START_TEST(SUP_059_a_killed_supervisor_and_its_worker_come_back_under_their_names)
{
    run_seeds(SEEDS, 0, kill_the_inner);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("strategy");
    tcase_add_test(t, SUP_046_one_for_one_replaces_only_the_one_that_crashed);
    tcase_add_test(t, SUP_047_one_for_all_replaces_all);
    tcase_add_test(t, SUP_048_rest_for_one_replaces_it_and_those_after_it);
    tcase_add_test(t, SUP_050_an_instance_is_replaced_with_the_arguments_it_had);
    tcase_add_test(t, SUP_052_a_temporary_bystander_is_stopped_and_not_restarted);
    tcase_add_test(t, SUP_054_one_for_all_retries_the_whole_group_from_the_first_child);
    tcase_add_test(t, SUP_055_rest_for_one_retries_only_the_child_that_failed_to_start);
    tcase_add_test(t, SUP_056_a_crash_within_the_budget_of_its_supervisor_touches_nobody_else);
    tcase_add_test(t, SUP_057_a_supervisor_over_its_budget_comes_back_with_static_children_only);
    tcase_add_test(t, SUP_059_a_killed_supervisor_and_its_worker_come_back_under_their_names);
    return run_suite("strategy", t, 30);
}
