/* SPDX-License-Identifier: MIT */
/* check_select.c - the cases of select that a receive of some types shows: its branches are what
 * can be received.
 *
 * ctest: timeout=60 */
#include "conformance.h"

#include <string.h>

#define SEEDS 100

BSK_MSG(left, (i64, n));
BSK_MSG(right, (i64, n));
BSK_MSG(pick, (i64, n));
BSK_CALL(first_ask, left);
BSK_CALL(second_ask, right);

/* Which branch ran: 1, 2, or 0 for neither. */
static int branch_of(bsk_msg *m)
{
    int branch = 0;
    bsk_match(m) {
        bsk_on(left, l) branch += 1;
        bsk_on(right, r) branch += 2;
    }
    return branch;
}

static int select_one(bsk_self *self)
{
    return branch_of(bsk_recv_only(self, 0, BSK_T(left), BSK_T(right)));
}

static void both_ready(bsk_self *self)
{
    bsk_tell(bsk_me(self), left, 1);
    bsk_tell(bsk_me(self), right, 2);
    int one = select_one(self);
    expect(one == 1 || one == 2);
    expect_eq(bsk_mailbox_len(self), 1);
    expect_eq(select_one(self), 3 - one);
    expect_eq(bsk_mailbox_len(self), 0);
}

START_TEST(SEL_001_of_two_ready_branches_one_runs_and_the_other_is_kept)
{
    run_seeds(SEEDS, 0, both_ready);
}
END_TEST

static void one_ready(bsk_self *self)
{
    if (seed_now % 2)
        bsk_tell(bsk_me(self), left, 1);
    else
        bsk_tell(bsk_me(self), right, 1);
    expect_eq(select_one(self), seed_now % 2 ? 1 : 2);
    expect_eq(select_one(self), 0);
    expect_eq(bsk_error(self), BSK_ETIMEDOUT);
}

START_TEST(SEL_002_the_one_that_is_ready_is_chosen)
{
    run_seeds(SEEDS, 0, one_ready);
}
END_TEST

/* The guard is the list of types: what is not in it is passed over, however often. */
static void guard_off(bsk_self *self)
{
    for (int i = 0; i < 5; i++) bsk_tell(bsk_me(self), right, i);
    for (int i = 0; i < 5; i++) {
        expect(!bsk_recv_only(self, 0, BSK_T(left)));
        bsk_tell(bsk_me(self), left, i);
        expect_eq(branch_of(bsk_recv_only(self, 0, BSK_T(left))), 1);
        expect_eq(bsk_mailbox_len(self), 5);
    }
    for (int i = 0; i < 5; i++) {
        bsk_match(bsk_recv_only(self, 0, BSK_T(right))) {
            bsk_on(right, r) expect_eq(r->n, i);
        }
    }
    expect_eq(bsk_mailbox_len(self), 0);
}

START_TEST(SEL_005_a_branch_that_is_switched_off_is_never_looked_at)
{
    run_seeds(SEEDS, 0, guard_off);
}
END_TEST

static void answer_some_time(bsk_self *self)
{
    expect_eq(bsk_sleep(self, (int64_t)(bsk_random(self) % 3)), 0);
    bsk_match(bsk_recv(self, BSK_FOREVER)) {
        bsk_on(first_ask, q) bsk_reply(q, first_ask, .n = 1);
        bsk_on(second_ask, q) bsk_reply(q, second_ask, .n = 2);
    }
}

static bool got_first_before_second, got_second_before_first;

static void collect_both(bsk_self *self)
{
    bool first = false, second = false;
    int64_t order = 0;
    bsk_addr a = bsk_spawn(bsk_rt_of(self), answer_some_time);
    bsk_addr b = bsk_spawn(bsk_rt_of(self), answer_some_time);
    expect_eq(bsk_ask(self, a, 1000, first_ask), 0);
    expect_eq(bsk_ask(self, b, 1000, second_ask), 0);
    for (int turns = 0; !first || !second; turns++) {
        expect(turns < 2);
        bsk_msg *m = first    ? bsk_recv_only(self, 1000, BSK_T(second_ask))
                     : second ? bsk_recv_only(self, 1000, BSK_T(first_ask))
                              : bsk_recv_only(self, 1000, BSK_T(first_ask), BSK_T(second_ask));
        bsk_match(m) {
            bsk_on_reply(first_ask, l) {
                first = true;
                order = 10 * order + l->n;
            }
            bsk_on_reply(second_ask, r) {
                second = true;
                order = 10 * order + r->n;
            }
        }
    }
    if (order == 12) got_first_before_second = true;
    if (order == 21) got_second_before_first = true;
}

START_TEST(SEL_008_two_replies_are_collected_in_any_order_one_a_turn)
{
    run_seeds(SEEDS, 0, collect_both);
    ck_assert(got_first_before_second);
    ck_assert(got_second_before_first);
}
END_TEST

#define BRANCHES 10

static int64_t chosen[BRANCHES];
static uint64_t digest;

struct told {
    bsk_addr to;
    int64_t n;
};

static void tell_number(bsk_self *self)
{
    const struct told *t = bsk_state(self);
    bsk_tell(t->to, pick, t->n);
}

static void choose(bsk_self *self)
{
    for (int i = 0; i < BRANCHES; i++)
        bsk_spawn(bsk_rt_of(self), tell_number, BSK_STATE(struct told, bsk_me(self), i));
    expect_eq(bsk_sleep(self, 1), 0);
    expect_eq(bsk_mailbox_len(self), BRANCHES);
    for (int i = 0; i < BRANCHES; i++) {
        bsk_match(bsk_recv_only(self, 0, BSK_T(pick))) {
            bsk_on(pick, p) chosen[i] = p->n;
        }
    }
    digest = bsk_digest(bsk_rt_of(self));
}

START_TEST(SEL_009_the_same_seed_makes_the_same_choices)
{
    bool differs = false;
    int64_t before[BRANCHES], first[BRANCHES];
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        expect_eq(run_seeded(seed, choose), 0);
        uint64_t once = digest;
        memcpy(before, chosen, sizeof before);
        expect_eq(run_seeded(seed, choose), 0);
        expect_eq(digest, once);
        ck_assert_mem_eq(before, chosen, sizeof before);
        if (seed == 1) memcpy(first, before, sizeof first);
        differs |= memcmp(first, before, sizeof first) != 0;
    }
    ck_assert(differs);
}
END_TEST

static int turns, others_saw;

static void look_once(bsk_self *self)
{
    expect(!bsk_cancelled(self));
    others_saw = turns;
}

static void turn_and_turn(bsk_self *self)
{
    turns = 0;
    others_saw = -1;
    for (int i = 0; i < 1000; i++) bsk_tell(bsk_me(self), left, i);
    bsk_spawn(bsk_rt_of(self), look_once);
    for (turns = 0; turns < 1000; turns++) expect_eq(select_one(self), 1);
    expect(others_saw >= 0 && others_saw <= 256);
}

START_TEST(SEL_010_a_fiber_that_selects_without_waiting_yields_after_its_budget)
{
    bsk_rt *rt = start_parallel(1);
    ck_assert(!bsk_is_nobody(bsk_spawn(rt, turn_and_turn)));
    ck_assert_int_eq(bsk_wait(rt), 0);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("select");
    tcase_add_test(t, SEL_001_of_two_ready_branches_one_runs_and_the_other_is_kept);
    tcase_add_test(t, SEL_002_the_one_that_is_ready_is_chosen);
    tcase_add_test(t, SEL_005_a_branch_that_is_switched_off_is_never_looked_at);
    tcase_add_test(t, SEL_008_two_replies_are_collected_in_any_order_one_a_turn);
    tcase_add_test(t, SEL_009_the_same_seed_makes_the_same_choices);
    tcase_add_test(t, SEL_010_a_fiber_that_selects_without_waiting_yields_after_its_budget);
    return run_suite("select", t, 30);
}
