/* SPDX-License-Identifier: MIT */
/* check_spec.c - specs: what is refused and in which words, and copies that own all they need.
 *
 * ctest: valgrind */
#include "../actors/fixture.h"

#include "supervisor/spec.h"

static char why[192];

static void behave(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_else(any) bsk_exit(self);
    }
}

static void expect_wrong(const bsk_sup_opts *o, const bsk_child_spec *specs, size_t n,
                         const char *says)
{
    *why = '\0';
    ck_assert_int_eq(spec_check_sup(o, specs, n, why, sizeof why), BSK_EINVAL);
    ck_assert_str_eq(why, says);
}

static void expect_right(const bsk_sup_opts *o, const bsk_child_spec *specs, size_t n)
{
    int rc = spec_check_sup(o, specs, n, why, sizeof why);
    ck_assert_msg(rc == 0, "%s", why);
}

START_TEST(the_id_is_the_first_of_id_name_and_label)
{
    bsk_child_spec c = bsk_child(behave, .id = "i", .name = "n", .label = "l");
    static const char *const ids[] = {"i", "n", "l", "#7"};
    for (int k = 0; k < 4; k++) {
        struct spec *s = spec_new(&c, 7);
        ck_assert_str_eq(s->id, ids[k]);
        spec_drop(s);
        if (k == 0) c.opts.id = NULL;
        if (k == 1) c.opts.name = NULL;
        if (k == 2) c.opts.label = NULL;
    }
    struct spec *s = spec_new(&c, 0);
    ck_assert_ptr_null(s->id);
    ck_assert_int_eq(spec_number(s, 12), 0);
    ck_assert_str_eq(s->id, "#12");
    ck_assert_int_eq(spec_number(s, 13), 0);
    ck_assert_str_eq(s->id, "#12");
    spec_drop(s);
}
END_TEST

START_TEST(a_copy_owns_all_that_it_needs)
{
    char id[] = "id", name[] = "name", label[] = "label", below[] = "below", inner[] = "inner";
    int state = 42;
    bsk_sup_opts o = {.name = below, .intensity = 3};
    bsk_child_spec in =
        bsk_child(behave, .name = inner, .state = &state, .state_size = sizeof state);
    bsk_child_spec c = bsk_child(behave, .id = id, .name = name, .label = label, .state = &state,
                                 .state_size = sizeof state);
    c.sup = &o;
    c.children = &in;
    c.nchildren = 1;
    struct spec *s = spec_new(&c, 0);
    memset(id, 'x', 2);
    memset(name, 'x', 4);
    memset(label, 'x', 5);
    memset(below, 'x', 5);
    memset(inner, 'x', 5);
    state = 0;
    o.intensity = 0;
    ck_assert_str_eq(s->id, "id");
    ck_assert_str_eq(s->given.opts.name, "name");
    ck_assert_str_eq(s->given.opts.label, "label");
    ck_assert_int_eq(*(const int *)s->given.opts.state, 42);
    ck_assert_str_eq(s->given.sup->name, "below");
    ck_assert_int_eq(s->given.sup->intensity, 3);
    ck_assert_str_eq(s->children[0]->id, "inner");
    ck_assert_int_eq(*(const int *)s->children[0]->given.opts.state, 42);
    spec_drop(s);
}
END_TEST

START_TEST(a_state_is_forgotten_only_by_its_one_holder)
{
    bsk_child_spec c = bsk_child(behave, BSK_STATE(int, 5));
    struct spec *s = spec_hold(spec_new(&c, 1));
    spec_drop_state(s);
    ck_assert_int_eq(*(const int *)s->given.opts.state, 5);
    spec_drop(s);
    spec_drop_state(s);
    ck_assert_ptr_null(s->given.opts.state);
    ck_assert_uint_eq(s->given.opts.state_size, 0);
    spec_drop_state(s);
    spec_drop(s);
    spec_drop(NULL);
}
END_TEST

START_TEST(a_copy_is_made_wholly_or_not_at_all)
{
    bsk_child_spec in[2] = {bsk_child(behave, .name = "a", BSK_STATE(int, 5)), bsk_child(behave)};
    bsk_child_spec c = {.opts = {.id = "i", .label = "l"},
                        .sup = BSK_SUP(.name = "s"),
                        .children = in,
                        .nchildren = 2};
    int64_t live = mem_live();
    uint64_t n = 0;
    struct spec *s = NULL;
    while (!s) {
        n++;
        mem_fail_at(n, n % 2);
        s = spec_new(&c, 1);
        mem_fail_at(0, 0);
        if (!s) ck_assert_int_eq(mem_live(), live);
        ck_assert_uint_lt(n, 100);
    }
    ck_assert_uint_gt(n, 8);
    spec_drop(s);
}
END_TEST

START_TEST(two_of_one_id_are_refused)
{
    const bsk_child_spec c[] = {bsk_child(behave, .name = "a"), bsk_child(behave),
                                bsk_child(behave), bsk_child(behave, .id = "b", .name = "a"),
                                bsk_child(behave, .label = "b")};
    expect_right(BSK_SUP(0), c, 4);
    expect_wrong(BSK_SUP(0), c, 5, "child b: its id is there twice");
    const bsk_child_spec below[] = {bsk_child_sup(
        BSK_SUP(.name = "s"), bsk_child(behave, .id = "x"), bsk_child(behave, .id = "x"))};
    expect_wrong(BSK_SUP(0), below, 1, "child x: its id is there twice");
    mem_fail_at(1, 0);
    ck_assert_int_eq(spec_check_sup(BSK_SUP(0), c, 4, why, sizeof why), BSK_ENOMEM);
    mem_fail_at(0, 0);
}
END_TEST

START_TEST(many_ids_are_compared_in_no_time)
{
    enum { N = 100000 };
    bsk_child_spec *c = calloc(N, sizeof *c);
    char(*ids)[16] = calloc(N, sizeof *ids);
    ck_assert(c && ids);
    for (int i = 0; i < N; i++) {
        snprintf(ids[i], sizeof ids[i], "%d", i);
        c[i] = (bsk_child_spec)bsk_child(behave, .id = ids[i]);
    }
    expect_right(BSK_SUP(0), c, N);
    c[N - 1].opts.id = ids[17];
    expect_wrong(BSK_SUP(0), c, N, "child 17: its id is there twice");
    free(ids);
    free(c);
}
END_TEST

START_TEST(ids_are_up_to_the_longest_name)
{
    char id[BSK_NAME_MAX + 2];
    memset(id, 'x', sizeof id);
    id[BSK_NAME_MAX] = '\0';
    bsk_child_spec c = bsk_child(behave, .id = id);
    expect_right(BSK_SUP(0), &c, 1);
    id[BSK_NAME_MAX] = 'x';
    id[BSK_NAME_MAX + 1] = '\0';
    ck_assert_int_eq(spec_check_sup(BSK_SUP(0), &c, 1, why, sizeof why), BSK_EINVAL);
    ck_assert_ptr_nonnull(strstr(why, "its id is too long"));
}
END_TEST

START_TEST(what_is_wrong_below_is_refused_above)
{
    const bsk_child_spec c[] = {bsk_child_sup(
        BSK_SUP(.name = "s"),
        bsk_child_sup(BSK_SUP(.name = "t"), bsk_child(behave, .id = "x", .shutdown_ms = -9)))};
    expect_wrong(BSK_SUP(0), c, 1, "child x: shutdown_ms: -9");
    const bsk_child_spec d[] = {bsk_child_sup(BSK_SUP(.name = "s", .strategy = BSK_DYNAMIC),
                                              bsk_child(behave), bsk_child(behave))};
    expect_wrong(BSK_SUP(0), d, 1, "a dynamic supervisor has one spec, not 2");
}
END_TEST

START_TEST(supervisors_nest_up_to_a_limit)
{
    const bsk_sup_opts o = {0};
    bsk_child_spec c[70] = {bsk_child(behave)};
    for (int i = 1; i < 70; i++)
        c[i] = (bsk_child_spec){.sup = &o, .children = &c[i - 1], .nchildren = 1};
    expect_right(BSK_SUP(0), &c[64], 1);
    expect_wrong(BSK_SUP(0), &c[65], 1, "more than 64 levels");
}
END_TEST

FIX_MAIN("spec", 20, the_id_is_the_first_of_id_name_and_label, a_copy_owns_all_that_it_needs,
         a_state_is_forgotten_only_by_its_one_holder, a_copy_is_made_wholly_or_not_at_all,
         two_of_one_id_are_refused, many_ids_are_compared_in_no_time,
         ids_are_up_to_the_longest_name, what_is_wrong_below_is_refused_above,
         supervisors_nest_up_to_a_limit)
