/* SPDX-License-Identifier: MIT */
/* check_reconfigure.c - the cases of changing a supervisor that runs.
 *
 * ctest: timeout=120 */
#include "supervised.h"

#define SEEDS 60

static void change_options(bsk_self *self)
{
    bsk_addr sup = supervise(self, BSK_SUP(.intensity = 1), bsk_child(obedient, .name = "1"),
                             bsk_child(obedient, .name = "2"));
    bsk_addr first = child_of(self, sup, "1"), second = child_of(self, sup, "2");
    expect_eq(bsk_sup_change(self, sup, BSK_FOREVER,
                             BSK_SUP(.strategy = BSK_ONE_FOR_ALL, .intensity = 3), NULL, 0),
              0);
    expect(bsk_same(first, child_of(self, sup, "1")) && bsk_same(second, child_of(self, sup, "2")));
    for (int i = 0; i < 3; i++) {
        end_child(self, child_of(self, sup, "1"), SO_FAILED);
        expect(bsk_alive(sup));
    }
    expect(!bsk_alive(second));
    /* Fewer are allowed now than there were already. */
    expect_eq(bsk_sup_change(self, sup, BSK_FOREVER, BSK_SUP(.intensity = 2), NULL, 0), 0);
    expect(bsk_alive(sup));
    end_child(self, child_of(self, sup, "1"), SO_FAILED);
    expect_eq(reason_of(sup), BSK_GAVE_UP);
}

START_TEST(SUP_123_new_options_take_effect_without_touching_who_runs)
{
    run_seeds(SEEDS, 1, change_options);
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

static void change_specs(bsk_self *self)
{
    bsk_addr sup = supervise(self, BSK_SUP(.intensity = 10),
                             bsk_child(numbered, .name = "stays", BSK_STATE(int, 1)),
                             bsk_child(numbered, .name = "changes", BSK_STATE(int, 2)));
    bsk_addr stays = child_of(self, sup, "stays"), changes = child_of(self, sup, "changes");
    const bsk_child_spec specs[] = {
        bsk_child(numbered, .name = "changes", .shutdown_ms = 77, BSK_STATE(int, 20)),
        bsk_child(numbered, .name = "new", BSK_STATE(int, 30))};
    expect_eq(bsk_sup_change(self, sup, BSK_FOREVER, NULL, specs, 2), 0);
    expect_counts(self, sup, 3, 2, 3, 0);
    expect(bsk_same(stays, child_of(self, sup, "stays")));
    expect(bsk_same(changes, child_of(self, sup, "changes")));
    expect_eq(number_of(self, changes), 2);
    expect_eq(info_of(self, sup, "new").state, BSK_CHILD_STOPPED);
    end_child(self, changes, SO_FAILED);
    expect_eq(number_of(self, child_of(self, sup, "changes")), 20);
    expect_eq(info_of(self, sup, "changes").shutdown_ms, 77);
    bsk_started out;
    expect_eq(bsk_sup_restart(self, sup, BSK_FOREVER, "new", &out), 0);
    expect_eq(number_of(self, out.who), 30);
    expect_eq(number_of(self, stays), 1);
    finish(self);
}

START_TEST(SUP_124_added_specs_are_stored_changed_ones_count_later_missing_ones_stay)
{
    run_seeds(SEEDS, 0, change_specs);
}
END_TEST

static void change_a_template(bsk_self *self)
{
    bsk_addr sup = supervise(self, BSK_SUP(.strategy = BSK_DYNAMIC, .intensity = 10),
                             bsk_child(numbered, BSK_STATE(int, 1)));
    bsk_started out;
    expect_eq(bsk_sup_add(self, sup, BSK_FOREVER, NULL, &out), 0);
    bsk_addr own = add_instance(self, sup, 5);
    const bsk_child_spec changed = bsk_child(numbered, BSK_STATE(int, 2));
    expect_eq(bsk_sup_change(self, sup, BSK_FOREVER, NULL, &changed, 1), 0);
    expect_eq(number_of(self, out.who), 1);
    end_child(self, out.who, SO_FAILED);
    expect_eq(number_of(self, nth_child(self, sup, 0)), 2);
    end_child(self, own, SO_FAILED);
    expect_eq(number_of(self, nth_child(self, sup, 1)), 5);
    finish(self);
}

START_TEST(SUP_124_a_changed_template_counts_from_the_next_start_of_an_instance)
{
    run_seeds(SEEDS, 0, change_a_template);
}
END_TEST

static void refuse_a_change(bsk_self *self)
{
    bsk_addr sup = supervise(self, BSK_SUP(0), bsk_child(numbered, .name = "a", BSK_STATE(int, 1)));
    const bsk_child_spec specs[] = {
        bsk_child(numbered, .name = "a", BSK_STATE(int, 2)),
        bsk_child(numbered, .name = "b"),
        bsk_child(numbered, .name = "b"),
    };
    expect_eq(bsk_sup_change(self, sup, BSK_FOREVER, BSK_SUP(.intensity = 9), specs, 3),
              BSK_EINVAL);
    expect(!strcmp(bsk_error_text(self), "child b: its id is there twice"));
    expect_counts(self, sup, 1, 1, 1, 0);
    end_child(self, child_of(self, sup, "a"), SO_FAILED);
    expect_eq(number_of(self, child_of(self, sup, "a")), 1);
    finish(self);
}

START_TEST(SUP_124_a_change_with_one_bad_spec_changes_nothing)
{
    run_seeds(SEEDS, 0, refuse_a_change);
}
END_TEST

/* What a start refuses, a change does. */
static void refuse_auto_shutdown(bsk_self *self)
{
    bsk_addr sup =
        supervise(self, BSK_SUP(.auto_shutdown = BSK_ANY_SIGNIFICANT, .intensity = 5),
                  bsk_child(obedient, .name = "a"),
                  bsk_child(obedient, .name = "b", .restart = BSK_TRANSIENT, .significant = true));
    const bsk_child_spec plain = bsk_child(obedient, .name = "b", .restart = BSK_TRANSIENT);
    const bsk_child_spec other = bsk_child(obedient, .name = "c");
    expect_eq(bsk_sup_change(self, sup, BSK_FOREVER, BSK_SUP(.intensity = 9), &other, 1),
              BSK_EINVAL);
    expect(!strcmp(bsk_error_text(self), "child b: significant, with auto_shutdown never"));
    expect_counts(self, sup, 2, 2, 2, 0);
    /* Another mode is none the less allowed, and so is the change of both. */
    expect_eq(bsk_sup_change(self, sup, BSK_FOREVER, BSK_SUP(.auto_shutdown = BSK_ALL_SIGNIFICANT),
                             NULL, 0),
              0);
    expect_eq(bsk_sup_change(self, sup, BSK_FOREVER, BSK_SUP(.intensity = 9), &plain, 1), 0);
    end_child(self, child_of(self, sup, "b"), SO_NORMAL);
    expect(bsk_alive(sup));
    /* Switched on, it counts from then. */
    const bsk_child_spec significant =
        bsk_child(obedient, .name = "a", .restart = BSK_TEMPORARY, .significant = true);
    expect_eq(bsk_sup_change(self, sup, BSK_FOREVER, NULL, &significant, 1), BSK_EINVAL);
    expect_eq(bsk_sup_change(self, sup, BSK_FOREVER, BSK_SUP(.auto_shutdown = BSK_ANY_SIGNIFICANT),
                             &significant, 1),
              0);
    end_child(self, child_of(self, sup, "a"), SO_NORMAL);
    expect_eq(reason_of(sup), BSK_SHUTDOWN);
}

static void refuse_for_a_template(bsk_self *self)
{
    bsk_addr sup =
        supervise(self, BSK_SUP(.strategy = BSK_DYNAMIC, .auto_shutdown = BSK_ANY_SIGNIFICANT),
                  bsk_child(obedient, .id = "t", .restart = BSK_TRANSIENT, .significant = true));
    const bsk_child_spec plain = bsk_child(obedient, .id = "t", .restart = BSK_TRANSIENT);
    expect_eq(bsk_sup_change(self, sup, BSK_FOREVER, BSK_SUP(.strategy = BSK_DYNAMIC), NULL, 0),
              BSK_EINVAL);
    expect(!strcmp(bsk_error_text(self), "child t: significant, with auto_shutdown never"));
    expect_eq(bsk_sup_change(self, sup, BSK_FOREVER, BSK_SUP(.strategy = BSK_DYNAMIC), &plain, 1),
              0);
    finish(self);
}

START_TEST(SUP_121_a_change_of_auto_shutdown_suits_who_stays)
{
    run_seeds(SEEDS, 0, refuse_auto_shutdown);
    run_seeds(SEEDS, 0, refuse_for_a_template);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("reconfigure");
    tcase_add_test(t, SUP_123_new_options_take_effect_without_touching_who_runs);
    tcase_add_test(t, SUP_124_added_specs_are_stored_changed_ones_count_later_missing_ones_stay);
    tcase_add_test(t, SUP_124_a_changed_template_counts_from_the_next_start_of_an_instance);
    tcase_add_test(t, SUP_124_a_change_with_one_bad_spec_changes_nothing);
    tcase_add_test(t, SUP_121_a_change_of_auto_shutdown_suits_who_stays);
    return run_suite("reconfigure", t, 30);
}
