/* SPDX-License-Identifier: MIT */
/* check_dynamic.c - the cases of words to a running supervisor.
 *
 * ctest: timeout=120 */
#include "supervised.h"

#include <stdio.h>
#include <time.h>

#define SEEDS 60

/* Each word, to an address where no supervisor answers; and by whom. */
static void expect_all(bsk_self *self, bsk_addr sup, int64_t ms, int rc)
{
    bsk_child_spec spec = bsk_child(obedient, .name = "x");
    bsk_started out = {.info = 7};
    bsk_sup_counts counts = {.specs = 7};
    bsk_child_info info = {.restarts = 7};
    size_t n = 7;
    expect_eq(bsk_sup_add(self, sup, ms, &spec, &out), rc);
    expect_eq(bsk_sup_restart(self, sup, ms, "a", &out), rc);
    expect_eq(bsk_sup_stop(self, sup, ms, "a"), rc);
    expect_eq(bsk_sup_stop_actor(self, sup, ms, sup), rc);
    expect_eq(bsk_sup_delete(self, sup, ms, "a"), rc);
    expect_eq(bsk_sup_change(self, sup, ms, BSK_SUP(0), &spec, 1), rc);
    expect_eq(bsk_sup_count(self, sup, ms, &counts), rc);
    expect_eq(bsk_sup_list(self, sup, ms, &info, 1, &n), rc);
    expect_eq(bsk_sup_child(self, sup, ms, "a", &info), rc);
    /* Nothing is written on failure. */
    expect(out.info == 7 && counts.specs == 7 && info.restarts == 7 && n == 7);
}

static void ask_nobody(bsk_self *self)
{
    bsk_addr sup = supervise(self, BSK_SUP(0), bsk_child(obedient, .name = "a"));
    expect_eq(stop_and_wait(self, sup), BSK_SHUTDOWN);
    bsk_addr nobody[] = {sup, {sup.node, sup.slot, sup.gen + 2}, {sup.node + 1, 1, 1}, {0, 0, 0}};
    int64_t before = now(self);
    for (int i = 0; i < 4; i++) expect_all(self, nobody[i], BSK_FOREVER, BSK_EDEAD);
    expect_eq(now(self), before);
}

START_TEST(SUP_093_a_word_to_an_address_where_nobody_lives_fails_at_once)
{
    run_seeds(SEEDS, 0, ask_nobody);
}
END_TEST

static enum bsk_restart restart_now;

static void stop_a_running_one(bsk_self *self)
{
    bsk_addr sup =
        supervise(self, BSK_SUP(0), bsk_child(obedient, .name = "a", .restart = restart_now));
    bsk_addr a = child_of(self, sup, "a");
    expect_eq(bsk_sup_stop(self, sup, BSK_FOREVER, "a"), 0);
    expect_eq(reason_of(a), BSK_SHUTDOWN);
    expect_eq(bsk_sleep(self, 100), 0);
    if (restart_now == BSK_TEMPORARY) {
        expect_counts(self, sup, 0, 0, 0, 0);
    } else {
        bsk_child_info i = info_of(self, sup, "a");
        expect_eq(i.state, BSK_CHILD_STOPPED);
        expect_eq(i.last_reason, BSK_SHUTDOWN);
        expect_eq(i.restarts, 0);
        expect_counts(self, sup, 1, 0, 1, 0);
    }
    finish(self);
}

START_TEST(SUP_094_a_stopped_child_ends_as_shutdown_and_is_not_restarted)
{
    restart_now = (enum bsk_restart)_i;
    run_seeds(SEEDS, 0, stop_a_running_one);
}
END_TEST

static void about_a_stopped_one(bsk_self *self)
{
    bsk_addr sup = supervise(self, BSK_SUP(0), bsk_child(obedient, .name = "a"));
    bsk_child_spec again = bsk_child(obedient, .name = "a");
    for (int i = 0; i < 3; i++) expect_eq(bsk_sup_stop(self, sup, BSK_FOREVER, "a"), 0);
    expect_eq(bsk_sup_add(self, sup, BSK_FOREVER, &again, NULL), BSK_EEXIST);
    expect_counts(self, sup, 1, 0, 1, 0);
    finish(self);
}

START_TEST(SUP_095_stopping_a_stopped_child_is_a_success)
{
    run_seeds(SEEDS, 0, about_a_stopped_one);
}
END_TEST

START_TEST(SUP_096_adding_the_spec_of_a_stopped_child_again_is_refused)
{
    run_seeds(SEEDS, 0, about_a_stopped_one);
}
END_TEST

static void about_a_running_one(bsk_self *self)
{
    bsk_addr sup = supervise(self, BSK_SUP(0), bsk_child(obedient, .name = "a"));
    bsk_addr a = child_of(self, sup, "a");
    bsk_started out = {.who = sup};
    expect_eq(bsk_sup_restart(self, sup, BSK_FOREVER, "a", &out), BSK_ERUNNING);
    expect_eq(bsk_sup_delete(self, sup, BSK_FOREVER, "a"), BSK_ERUNNING);
    expect(bsk_same(out.who, sup));
    expect(bsk_same(a, child_of(self, sup, "a")));
    expect_counts(self, sup, 1, 1, 1, 0);
    finish(self);
}

START_TEST(SUP_098_a_running_child_is_neither_restarted_nor_deleted)
{
    run_seeds(SEEDS, 0, about_a_running_one);
}
END_TEST

static void delete_a_stopped_one(bsk_self *self)
{
    bsk_addr sup = supervise(self, BSK_SUP(0), bsk_child(obedient, .name = "a"));
    expect_eq(bsk_sup_stop(self, sup, BSK_FOREVER, "a"), 0);
    expect_eq(bsk_sup_delete(self, sup, BSK_FOREVER, "a"), 0);
    expect_eq(bsk_sup_restart(self, sup, BSK_FOREVER, "a", NULL), BSK_ENOTFOUND);
    expect_eq(bsk_sup_delete(self, sup, BSK_FOREVER, "a"), BSK_ENOTFOUND);
    expect_eq(bsk_sup_stop(self, sup, BSK_FOREVER, "a"), BSK_ENOTFOUND);
    expect_eq(list_len(self, sup), 0);
    finish(self);
}

START_TEST(SUP_099_a_stopped_child_is_deleted_and_then_not_found)
{
    run_seeds(SEEDS, 0, delete_a_stopped_one);
}
END_TEST

static void look_at_a_new_one(bsk_self *self)
{
    bsk_addr sup = supervise(self, BSK_SUP(.strategy = BSK_DYNAMIC), bsk_child(obedient));
    expect_eq(list_len(self, sup), 0);
    expect_counts(self, sup, 1, 0, 0, 0);
    finish(self);
}

START_TEST(SUP_101_a_new_dynamic_supervisor_has_one_spec_and_no_child)
{
    run_seeds(SEEDS, 0, look_at_a_new_one);
}
END_TEST

static void words_by_id(bsk_self *self)
{
    bsk_addr sup =
        supervise(self, BSK_SUP(.strategy = BSK_DYNAMIC), bsk_child(obedient, .id = "a"));
    add_instance(self, sup, 1);
    bsk_child_info i;
    expect_eq(bsk_sup_stop(self, sup, BSK_FOREVER, "a"), BSK_EDYNAMIC);
    expect_eq(bsk_sup_restart(self, sup, BSK_FOREVER, "a", NULL), BSK_EDYNAMIC);
    expect_eq(bsk_sup_delete(self, sup, BSK_FOREVER, "a"), BSK_EDYNAMIC);
    expect_eq(bsk_sup_child(self, sup, BSK_FOREVER, "a", &i), BSK_EDYNAMIC);
    expect_counts(self, sup, 1, 1, 1, 0);
    finish(self);
}

START_TEST(SUP_102_words_by_id_are_refused_by_a_dynamic_supervisor)
{
    run_seeds(SEEDS, 0, words_by_id);
}
END_TEST

static void stop_twice(bsk_self *self)
{
    bsk_addr sup = supervise(self, BSK_SUP(.strategy = BSK_DYNAMIC), bsk_child(obedient));
    bsk_addr a = add_instance(self, sup, 1), b = add_instance(self, sup, 2);
    expect_eq(bsk_sup_stop_actor(self, sup, BSK_FOREVER, a), 0);
    expect(!bsk_alive(a));
    expect_eq(reason_of(a), BSK_SHUTDOWN);
    expect_eq(bsk_sup_stop_actor(self, sup, BSK_FOREVER, a), 0);
    expect(bsk_alive(b));
    expect_counts(self, sup, 1, 1, 1, 0);
    finish(self);
}

START_TEST(SUP_103_an_instance_is_stopped_by_its_address_twice)
{
    run_seeds(SEEDS, 0, stop_twice);
}
END_TEST

static void stop_a_stranger(bsk_self *self)
{
    bsk_addr stranger = bsk_spawn(bsk_rt_of(self), obedient);
    bsk_addr sup = seed_now % 2
                       ? supervise(self, BSK_SUP(.strategy = BSK_DYNAMIC), bsk_child(obedient))
                       : supervise(self, BSK_SUP(0), bsk_child(obedient, .id = "a"));
    expect_eq(bsk_sup_stop_actor(self, sup, BSK_FOREVER, stranger), BSK_ENOTFOUND);
    expect_eq(bsk_sup_stop_actor(self, sup, BSK_FOREVER, sup), BSK_ENOTFOUND);
    expect_eq(bsk_sup_stop_actor(self, sup, BSK_FOREVER, bsk_me(self)), BSK_ENOTFOUND);
    expect_eq(bsk_sleep(self, 1), 0);
    expect(bsk_alive(stranger) && bsk_alive(sup));
    finish(self);
}

START_TEST(SUP_104_a_stranger_is_not_stopped)
{
    run_seeds(SEEDS, 0, stop_a_stranger);
}
END_TEST

#define MANY 2000

static bsk_child_info all[MANY];

static void add_many(bsk_self *self, bsk_addr sup, int n)
{
    for (int i = 0; i < n; i++) expect_eq(bsk_sup_add(self, sup, BSK_FOREVER, NULL, NULL), 0);
}

static void count_many(bsk_self *self)
{
    bsk_addr sup = supervise(self, BSK_SUP(.strategy = BSK_DYNAMIC),
                             bsk_child(obedient, .restart = BSK_TEMPORARY));
    size_t n;
    for (unsigned many = 1000; many <= MANY; many += 1000) {
        add_many(self, sup, 1000);
        for (int i = 0; i < 3; i++) {
            expect_counts(self, sup, 1, many, many, 0);
            expect_eq(bsk_sup_list(self, sup, BSK_FOREVER, all, MANY, &n), 0);
            expect_eq(n, many);
        }
    }
    for (int i = 0; i < MANY; i++) expect_eq(bsk_kill(all[i].who), 0);
    expect_eq(bsk_sleep(self, 1), 0);
    expect_counts(self, sup, 1, 0, 0, 0);
    finish(self);
}

START_TEST(SUP_106_many_instances_are_counted_and_listed_exactly)
{
    run_seeds(3, 0, count_many);
}
END_TEST

static void count_many_supervisors(bsk_self *self)
{
    const bsk_child_spec template = {.sup = BSK_SUP(0)};
    bsk_addr sup =
        born(self, bsk_supervise_(bsk_rt_of(self), BSK_SUP(.strategy = BSK_DYNAMIC), &template, 1));
    add_many(self, sup, MANY);
    expect_counts(self, sup, 1, MANY, 0, MANY);
    finish(self);
}

START_TEST(SUP_107_instances_that_are_supervisors_count_as_such)
{
    run_seeds(1, 0, count_many_supervisors);
}
END_TEST

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* So many named children: how long they take to start, and to stop. */
static double start_and_stop(int n)
{
    bsk_rt *rt = start_parallel(2);
    bsk_child_spec *specs = calloc((size_t)n, sizeof *specs);
    char(*names)[24] = calloc((size_t)n, sizeof *names);
    ck_assert(specs && names);
    for (int i = 0; i < n; i++) {
        snprintf(names[i], sizeof names[i], "child %d", i);
        specs[i] = (bsk_child_spec)bsk_child(obedient, .name = names[i]);
    }
    double before = seconds();
    bsk_addr sup = bsk_supervise_(rt, BSK_SUP(0), specs, (size_t)n);
    ck_assert(!bsk_is_nobody(sup));
    bsk_sup_counts counts;
    ck_assert_int_eq(bsk_sup_count(NULL, sup, BSK_FOREVER, &counts), 0);
    ck_assert_uint_eq(counts.active, (unsigned)n);
    ck_assert_int_eq(bsk_stop(sup, BSK_FOREVER), 0);
    ck_assert_int_eq(bsk_wait(rt), 0);
    double took = seconds() - before;
    free(names);
    free(specs);
    return took;
}

START_TEST(SUP_109_many_named_children_start_and_stop_in_about_linear_time)
{
    double few = start_and_stop(1000), many = start_and_stop(100000);
    /* A run that others disturbed does not count. */
    if (few < 1e-3) few = 1e-3;
    ck_assert_msg(many / few < 100 * 10, "1000: %.3f s, 100000: %.3f s", few, many);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("dynamic");
    tcase_add_test(t, SUP_093_a_word_to_an_address_where_nobody_lives_fails_at_once);
    tcase_add_loop_test(t, SUP_094_a_stopped_child_ends_as_shutdown_and_is_not_restarted, 0, 3);
    tcase_add_test(t, SUP_095_stopping_a_stopped_child_is_a_success);
    tcase_add_test(t, SUP_096_adding_the_spec_of_a_stopped_child_again_is_refused);
    tcase_add_test(t, SUP_098_a_running_child_is_neither_restarted_nor_deleted);
    tcase_add_test(t, SUP_099_a_stopped_child_is_deleted_and_then_not_found);
    tcase_add_test(t, SUP_101_a_new_dynamic_supervisor_has_one_spec_and_no_child);
    tcase_add_test(t, SUP_102_words_by_id_are_refused_by_a_dynamic_supervisor);
    tcase_add_test(t, SUP_103_an_instance_is_stopped_by_its_address_twice);
    tcase_add_test(t, SUP_104_a_stranger_is_not_stopped);
    tcase_add_test(t, SUP_106_many_instances_are_counted_and_listed_exactly);
    tcase_add_test(t, SUP_107_instances_that_are_supervisors_count_as_such);
    tcase_add_test(t, SUP_109_many_named_children_start_and_stop_in_about_linear_time);
    return run_suite("dynamic", t, 60);
}
