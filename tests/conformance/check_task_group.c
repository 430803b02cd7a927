/* SPDX-License-Identifier: MIT */
/* check_task_group.c - the cases of task groups: scopes, whose members are actors.
 *
 * ctest: timeout=60 */
#include "conformance.h"

#define SEEDS 100

BSK_MSG(number, (i64, n));
BSK_MSG(go);

static int freed, ended;

static void count_freed(void *arg)
{
    expect(arg != NULL);
    freed++;
}

static void never_end(bsk_self *self)
{
    expect_eq(bsk_defer(self, count_freed, self), 0);
    expect(bsk_alloc(self, 100) != NULL);
    expect(!bsk_recv(self, BSK_FOREVER));
}

static void open_sixteen(bsk_self *self)
{
    bsk_scope *s = bsk_scope_open(self, BSK_FOREVER);
    for (int i = 0; i < 16; i++) expect(!bsk_is_nobody(bsk_go(s, never_end)));
    expect_eq(bsk_sleep(self, 1), 0);
    end_by(self, (enum end)(seed_now % END_COUNT));
    if (seed_now % END_COUNT != END_RETURN) expect_eq(bsk_sleep(self, 1), BSK_ECANCELED);
}

static void destroy_a_group(bsk_self *self)
{
    freed = 0;
    bsk_addr who = bsk_spawn(bsk_rt_of(self), open_sixteen);
    expect_eq(bsk_sleep(self, 10), 0);
    expect_eq(reason_of(who), reason_for((enum end)(seed_now % END_COUNT)));
    expect_eq(freed, 16);
}

START_TEST(JST_001_members_end_and_free_what_they_hold_with_the_groups_owner)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        expect_eq(run_seeded(seed, destroy_a_group), status_for((enum end)(seed % END_COUNT)));
}
END_TEST

static void end_at_once(bsk_self *self)
{
    expect_eq(bsk_give(self, number, .n = ++ended), 0);
}

static void add_and_join(bsk_self *self)
{
    bsk_scope *s = bsk_scope_open_kind(self, BSK_FOREVER, BSK_COLLECT);
    expect_eq(bsk_scope_len(s), 0);
    bsk_go(s, end_at_once);
    bsk_go(s, end_at_once);
    expect_eq(bsk_scope_len(s), 2);
    for (int i = 0; i < 16; i++) {
        expect(bsk_scope_next(s, BSK_FOREVER) != NULL);
        expect_eq(bsk_scope_len(s), 1);
        bsk_go(s, end_at_once);
        expect_eq(bsk_scope_len(s), 2);
    }
    expect_eq(bsk_scope_join(s), 0);
}

START_TEST(JST_002_the_length_is_one_after_each_join_and_two_after_each_add)
{
    run_seeds(SEEDS, 0, add_and_join);
}
END_TEST

static void stop_all(bsk_self *self)
{
    int normal = 0, cancelled = 0;
    bsk_scope *s = bsk_scope_open_kind(self, BSK_FOREVER, BSK_COLLECT);
    for (int i = 0; i < 5; i++) {
        bsk_go(s, never_end);
        bsk_go(s, end_at_once);
    }
    if (seed_now % 2) expect_eq(bsk_sleep(self, 1), 0);
    bsk_scope_cancel(s);
    for (uint32_t left = 10; left; left--) {
        expect_eq(bsk_scope_len(s), left);
        const bsk_finished *f = bsk_scope_next(s, BSK_FOREVER);
        expect(f != NULL);
        normal += f->reason == BSK_NORMAL && f->result;
        cancelled += f->reason == BSK_CANCELLED;
    }
    expect_eq(normal + cancelled, 10);
    if (seed_now % 2) expect_eq(normal, 5);
    expect(!bsk_scope_next(s, BSK_FOREVER));
    expect_eq(bsk_error(self), BSK_EEOF);
    expect_eq(bsk_scope_join(s), BSK_ECANCELED);
}

START_TEST(JST_004_stop_all_leaves_the_length_and_the_results_of_the_finished)
{
    run_seeds(SEEDS, 0, stop_all);
}
END_TEST

static void take_time(bsk_self *self)
{
    int ms = *(int *)bsk_state(self);
    expect_eq(bsk_sleep(self, ms), 0);
    int rc = bsk_give(self, number, .n = ms);
    /* Who was detached gives nobody anything. */
    expect(rc == 0 || (rc == BSK_EINVAL && ms >= 50));
    ended++;
}

static void join_in_order(bsk_self *self)
{
    int64_t before = 0;
    ended = 0;
    bsk_scope *s = bsk_scope_open_kind(self, BSK_FOREVER, BSK_COLLECT);
    for (int i = 0; i < 8; i++) bsk_go(s, take_time, BSK_STATE(int, 50 + i));
    bsk_scope_detach(s);
    expect_eq(bsk_scope_len(s), 0);
    expect(!bsk_scope_next(s, BSK_FOREVER));
    expect_eq(bsk_error(self), BSK_EEOF);
    for (int i = 0; i < 8; i++) bsk_go(s, take_time, BSK_STATE(int, 1 + (i * 5) % 8));
    for (int i = 0; i < 8; i++) {
        const bsk_finished *f = bsk_scope_next(s, BSK_FOREVER);
        expect(f != NULL);
        bsk_match(f->result) {
            bsk_on(number, n) {
                expect(n->n > before);
                before = n->n;
            }
        }
    }
    expect_eq(before, 8);
    expect_eq(bsk_scope_join(s), 0);
    expect_eq(ended, 8);
    expect_eq(bsk_sleep(self, 100), 0);
    expect_eq(ended, 16);
}

START_TEST(JST_008_after_detach_the_group_is_empty_and_else_results_come_in_their_order)
{
    run_seeds(SEEDS, 0, join_in_order);
}
END_TEST

#define MEMBERS 1000

static void wait_for_go(bsk_self *self)
{
    expect(bsk_recv(self, BSK_FOREVER) != NULL);
}

static void join_without_waiting(bsk_self *self)
{
    static bsk_addr members[MEMBERS];
    static bool seen[MEMBERS];
    bsk_scope *s = bsk_scope_open_kind(self, BSK_FOREVER, BSK_COLLECT);
    for (int i = 0; i < MEMBERS; i++) {
        members[i] = bsk_go(s, wait_for_go);
        seen[i] = false;
        expect(!bsk_is_nobody(members[i]));
    }
    expect_eq(bsk_sleep(self, 1), 0);
    expect(!bsk_scope_next(s, 0));
    expect_eq(bsk_error(self), BSK_ETIMEDOUT);
    for (int i = 0; i < MEMBERS; i++) bsk_tell(members[i], go);
    expect_eq(bsk_sleep(self, 1), 0);
    for (int i = 0; i < MEMBERS; i++) {
        int at = 0;
        const bsk_finished *f = bsk_scope_next(s, 0);
        expect(f != NULL);
        while (at < MEMBERS && !bsk_same(members[at], f->who)) at++;
        expect(at < MEMBERS && !seen[at]);
        seen[at] = true;
    }
    expect(!bsk_scope_next(s, 0));
    expect_eq(bsk_error(self), BSK_EEOF);
    expect_eq(bsk_scope_join(s), 0);
}

START_TEST(JST_009_a_join_that_does_not_wait_gives_each_id_once)
{
    run_seeds(5, 0, join_without_waiting);
}
END_TEST

/* When a join begins is when the tracker is closed: before, between or after the exits. */
static void join_five(bsk_self *self)
{
    ended = 0;
    bsk_scope *s = bsk_scope_open(self, BSK_FOREVER);
    for (int i = 0; i < 5; i++) bsk_go(s, take_time, BSK_STATE(int, 1 + i));
    expect_eq(bsk_sleep(self, (int64_t)(seed_now % 8)), 0);
    expect_eq(bsk_scope_join(s), 0);

    expect_eq(ended, 5);
    expect_eq(now(self), seed_now % 8 < 5 ? 5 : (int64_t)(seed_now % 8));
}

START_TEST(TRK_001_a_join_completes_exactly_when_all_have_ended)
{
    run_seeds(SEEDS, 0, join_five);
}
END_TEST

static void start_another(bsk_self *self)
{
    bsk_scope *s = bsk_scope_open(self, BSK_FOREVER);
    bsk_go(s, take_time, BSK_STATE(int, 5));
    expect_eq(bsk_scope_join(s), 0);
}

static void run_empty_and_go_on(bsk_self *self)
{
    ended = 0;
    bsk_scope *s = bsk_scope_open(self, BSK_FOREVER);
    bsk_go(s, take_time, BSK_STATE(int, 1));
    expect_eq(bsk_sleep(self, 2), 0);
    expect_eq(bsk_scope_len(s), 0);
    expect_eq(ended, 1);
    bsk_go(s, start_another);
    expect_eq(bsk_scope_join(s), 0);
    expect_eq(ended, 2);
    expect_eq(now(self), 7);
}

START_TEST(TRK_003_a_scope_that_ran_empty_goes_on_and_its_join_waits_for_what_came_then)
{
    run_seeds(SEEDS, 0, run_empty_and_go_on);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("task_group");
    tcase_add_test(t, JST_001_members_end_and_free_what_they_hold_with_the_groups_owner);
    tcase_add_test(t, JST_002_the_length_is_one_after_each_join_and_two_after_each_add);
    tcase_add_test(t, JST_004_stop_all_leaves_the_length_and_the_results_of_the_finished);
    tcase_add_test(t, JST_008_after_detach_the_group_is_empty_and_else_results_come_in_their_order);
    tcase_add_test(t, JST_009_a_join_that_does_not_wait_gives_each_id_once);
    tcase_add_test(t, TRK_001_a_join_completes_exactly_when_all_have_ended);
    tcase_add_test(t, TRK_003_a_scope_that_ran_empty_goes_on_and_its_join_waits_for_what_came_then);
    return run_suite("task_group", t, 30);
}
