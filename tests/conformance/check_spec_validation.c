/* SPDX-License-Identifier: MIT */
/* check_spec_validation.c - the cases of what a supervisor takes for a spec.
 *
 * ctest: timeout=120 */
#include "supervised.h"

#include <stdio.h>

#define SEEDS 20

static void read_defaults(bsk_self *self)
{
    bsk_addr sup = supervise(self, BSK_SUP(0), bsk_child(obedient, .id = "a"),
                             bsk_child_sup(BSK_SUP(.name = "below"), bsk_child(obedient)));
    bsk_child_info i = info_of(self, sup, "a");
    expect_eq(i.restart, BSK_PERMANENT);
    expect_eq(i.shutdown_ms, 5000);
    expect(!i.supervisor && !i.significant);
    i = info_of(self, sup, "below");
    expect_eq(i.restart, BSK_PERMANENT);
    expect_eq(i.shutdown_ms, BSK_FOREVER);
    expect(i.supervisor);
    finish(self);
}

START_TEST(SUP_018_defaults_of_a_worker_are_permanent_and_5_seconds)
{
    run_seeds(SEEDS, 0, read_defaults);
}
END_TEST

START_TEST(SUP_019_a_supervisor_has_all_the_time_to_stop_by_default)
{
    run_seeds(SEEDS, 0, read_defaults);
}
END_TEST

static bsk_sup_opts opts_now;
static bsk_child_spec spec_now;
static const char *named;

/* At the start, when it is added, when it is applied: nothing starts, nothing is stored. */
static void refuse_spec(bsk_self *self)
{
    bsk_rt *rt = bsk_rt_of(self);
    bsk_addr sup = supervise(self, BSK_SUP(.name = "good"), bsk_child(obedient, .id = "a"));
    bsk_stats_out before, after;
    bsk_stats(rt, &before);
    expect(bsk_is_nobody(bsk_supervise_(rt, &opts_now, &spec_now, 1)));
    expect_eq(bsk_error(self), BSK_EINVAL);
    expect(strstr(bsk_error_text(self), named) != NULL);
    expect_eq(bsk_sup_add(self, sup, BSK_FOREVER, &spec_now, NULL), BSK_EINVAL);
    expect(strstr(bsk_error_text(self), named) != NULL);
    expect_eq(bsk_sup_change(self, sup, BSK_FOREVER, NULL, &spec_now, 1), BSK_EINVAL);
    expect(strstr(bsk_error_text(self), named) != NULL);
    bsk_stats(rt, &after);
    expect_eq(after.spawned, before.spawned);
    expect_counts(self, sup, 1, 1, 1, 0);
    finish(self);
}

static void refuse(bsk_child_spec spec, const char *says)
{
    opts_now = (bsk_sup_opts){.name = "top"};
    spec_now = spec;
    named = says;
    run_seeds(SEEDS, 0, refuse_spec);
}

START_TEST(SUP_023_an_unknown_restart_type_is_refused_by_its_value)
{
    refuse((bsk_child_spec)bsk_child(obedient, .id = "b", .restart = (enum bsk_restart)3),
           "child b: restart: 3");
    refuse((bsk_child_spec)bsk_child(obedient, .id = "b", .restart = (enum bsk_restart) - 1),
           "child b: restart: -1");
}
END_TEST

START_TEST(SUP_024_a_negative_shutdown_time_is_refused_by_its_value)
{
    refuse((bsk_child_spec)bsk_child(obedient, .id = "b", .shutdown_ms = -3),
           "child b: shutdown_ms: -3");
    refuse((bsk_child_spec)bsk_child(obedient, .id = "b", .shutdown_ms = INT64_MIN),
           "child b: shutdown_ms: -9223372036854775808");
}
END_TEST

START_TEST(SUP_025_a_child_that_is_nothing_is_refused)
{
    refuse((bsk_child_spec){.opts = {.id = "b"}}, "child b: neither a handler nor a fiber");
    refuse((bsk_child_spec)bsk_child(obedient, .id = "b", .state_size = 8),
           "child b: a state_size without a state");
    refuse((bsk_child_spec){.behavior = {.handler = obedient, .fiber = obedient_fiber},
                            .opts = {.id = "b"}},
           "child b: neither a handler nor a fiber");
}
END_TEST

static void accept_all(bsk_self *self)
{
    const int64_t times[] = {0, 1, 100, INT64_MAX, BSK_FOREVER, BSK_KILL};
    bsk_addr sup = born(self, bsk_supervise_none(bsk_rt_of(self), BSK_SUP(0)));
    const bsk_sup_opts below = {0};
    bsk_child_spec inner = bsk_child(obedient);
    char id[16];
    for (int k = 0; k < 3 * 6 * 3; k++) {
        bsk_child_spec spec = bsk_child(obedient, .id = id);
        if (k % 3 == 1) spec.behavior = BSK_BEHAVIOR(obedient_fiber);
        if (k % 3 == 2)
            spec = (bsk_child_spec){
                .opts = {.id = id}, .sup = &below, .children = &inner, .nchildren = 1};
        spec.opts.restart = (enum bsk_restart)(k / 3 % 3);
        spec.opts.shutdown_ms = times[k / 9];
        snprintf(id, sizeof id, "%d", k);
        expect_eq(bsk_sup_add(self, sup, BSK_FOREVER, &spec, NULL), 0);
        bsk_child_info i = info_of(self, sup, id);
        expect_eq(i.restart, spec.opts.restart);
        if (times[k / 9]) expect_eq(i.shutdown_ms, times[k / 9]);
        expect_eq(i.supervisor, k % 3 == 2);
    }
    expect_counts(self, sup, 54, 54, 36, 18);
    expect_eq(stop_and_wait(self, sup), BSK_SHUTDOWN);
}

START_TEST(SUP_027_every_combination_of_restart_shutdown_and_type_is_accepted)
{
    run_seeds(SEEDS, 0, accept_all);
}
END_TEST

static void need_one_template(bsk_self *self)
{
    bsk_rt *rt = bsk_rt_of(self);
    const bsk_child_spec two[] = {bsk_child(obedient, .id = "a"), bsk_child(obedient, .id = "b")};
    for (size_t n = 0; n <= 2; n += 2) {
        expect(bsk_is_nobody(bsk_supervise_(rt, BSK_SUP(.strategy = BSK_DYNAMIC), two, n)));
        expect_eq(bsk_error(self), BSK_EINVAL);
        expect(strstr(bsk_error_text(self), "one spec, not ") != NULL);
    }
    /* All instances would have the one name. */
    expect(bsk_is_nobody(
        bsk_supervise(rt, BSK_SUP(.strategy = BSK_DYNAMIC), bsk_child(obedient, .name = "a"))));
    expect_eq(bsk_error(self), BSK_EINVAL);
    expect(bsk_is_nobody(bsk_supervise(rt, BSK_SUP(.strategy = BSK_DYNAMIC),
                                       bsk_child_sup(BSK_SUP(.name = "a"), bsk_child(obedient)))));
    expect_eq(bsk_error(self), BSK_EINVAL);
    /* Neither can one be more, later. */
    bsk_addr sup = supervise(self, BSK_SUP(.strategy = BSK_DYNAMIC), bsk_child(obedient));
    expect_eq(bsk_sup_change(self, sup, BSK_FOREVER, NULL, two, 2), BSK_EINVAL);
    expect_eq(bsk_sup_change(self, sup, BSK_FOREVER, BSK_SUP(0), NULL, 0), BSK_EINVAL);
    finish(self);
}

START_TEST(SUP_028_a_dynamic_supervisor_has_exactly_one_template)
{
    run_seeds(SEEDS, 0, need_one_template);
}
END_TEST

static void refuse_options(bsk_self *self)
{
    static const struct {
        bsk_sup_opts opts;
        const char *says;
    } bad[] = {{{.strategy = (enum bsk_strategy)4}, "strategy: 4"},
               {{.strategy = (enum bsk_strategy) - 1}, "strategy: -1"},
               {{.auto_shutdown = (enum bsk_auto_shutdown)3}, "auto_shutdown: 3"},
               {{.intensity = -2}, "intensity: -2"},
               {{.period_ms = -1}, "period_ms: -1"},
               {{.backoff_min_ms = -1}, "backoff_min_ms: -1"},
               {{.backoff_min_ms = 10, .backoff_max_ms = 9}, "backoff_max_ms: 9"},
               {{.backoff_factor = 99}, "backoff_factor: 99"},
               {{.backoff_jitter = 101}, "backoff_jitter: 101"},
               {{.backoff_reset_ms = -1}, "backoff_reset_ms: -1"}};
    bsk_rt *rt = bsk_rt_of(self);
    bsk_addr sup = born(self, bsk_supervise_none(rt, BSK_SUP(0)));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        expect(bsk_is_nobody(bsk_supervise_none(rt, &bad[i].opts)));
        expect_eq(bsk_error(self), BSK_EINVAL);
        expect(!strcmp(bsk_error_text(self), bad[i].says));
        expect_eq(bsk_sup_change(self, sup, BSK_FOREVER, &bad[i].opts, NULL, 0), BSK_EINVAL);
        expect(!strcmp(bsk_error_text(self), bad[i].says));
        const bsk_child_spec below = {.opts = {.id = "b"}, .sup = &bad[i].opts};
        expect_eq(bsk_sup_add(self, sup, BSK_FOREVER, &below, NULL), BSK_EINVAL);
    }
    expect_counts(self, sup, 0, 0, 0, 0);
    finish(self);
}

START_TEST(SUP_029_unknown_strategies_and_other_bad_options_are_refused_by_their_values)
{
    run_seeds(SEEDS, 0, refuse_options);
}
END_TEST

START_TEST(SUP_032_a_significant_permanent_child_is_refused_and_both_fields_are_named)
{
    opts_now = (bsk_sup_opts){.auto_shutdown = BSK_ANY_SIGNIFICANT};
    spec_now = (bsk_child_spec)bsk_child(obedient, .id = "b", .significant = true);
    named = "child b: significant, with restart permanent";
    run_seeds(SEEDS, 0, refuse_spec);
    spec_now.opts.restart = BSK_PERMANENT;
    run_seeds(SEEDS, 0, refuse_spec);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("spec_validation");
    tcase_add_test(t, SUP_018_defaults_of_a_worker_are_permanent_and_5_seconds);
    tcase_add_test(t, SUP_019_a_supervisor_has_all_the_time_to_stop_by_default);
    tcase_add_test(t, SUP_023_an_unknown_restart_type_is_refused_by_its_value);
    tcase_add_test(t, SUP_024_a_negative_shutdown_time_is_refused_by_its_value);
    tcase_add_test(t, SUP_025_a_child_that_is_nothing_is_refused);
    tcase_add_test(t, SUP_027_every_combination_of_restart_shutdown_and_type_is_accepted);
    tcase_add_test(t, SUP_028_a_dynamic_supervisor_has_exactly_one_template);
    tcase_add_test(t, SUP_029_unknown_strategies_and_other_bad_options_are_refused_by_their_values);
    tcase_add_test(t, SUP_032_a_significant_permanent_child_is_refused_and_both_fields_are_named);
    return run_suite("spec_validation", t, 30);
}
