/* SPDX-License-Identifier: MIT */
/* check_restart_type.c - the cases of who is started again, and what is kept of those who are not.
 *
 * ctest: timeout=120 */
#include "supervised.h"
#include "mailbox/memory.h"

#define SEEDS 60

static enum bsk_restart restart_now;
static enum bsk_strategy strategy_now;

static bsk_addr start_one(bsk_self *self)
{
    return seed_now % 2 ? supervise(self, BSK_SUP(.intensity = 100),
                                    bsk_child(obedient, .name = "a", .restart = restart_now))
                        : supervise(self, BSK_SUP(.intensity = 100),
                                    bsk_child(obedient_fiber, .name = "a", .restart = restart_now));
}

/* Ends the child in that way; it is another one then. */
static void expect_again(bsk_self *self, bsk_addr sup, enum so how)
{
    bsk_addr before = child_of(self, sup, "a");
    end_child(self, before, how);
    expect(!bsk_alive(before));
    bsk_addr after = child_of(self, sup, "a");
    expect(bsk_alive(after) && !bsk_same(before, after));
    expect(bsk_same(after, bsk_whereis(bsk_rt_of(self), "a")));
}

/* Ends the child; it stays away, its spec too. */
static void expect_stopped(bsk_self *self, bsk_addr sup, enum so how, enum bsk_reason reason)
{
    end_child(self, child_of(self, sup, "a"), how);
    bsk_child_info i = info_of(self, sup, "a");
    expect_eq(i.state, BSK_CHILD_STOPPED);
    expect_eq(i.last_reason, reason);
    expect(bsk_is_nobody(i.who));
    expect_counts(self, sup, 1, 0, 1, 0);
}

static void permanent_after_shutdown(bsk_self *self)
{
    restart_now = BSK_PERMANENT;
    bsk_addr sup = start_one(self);
    bsk_addr first = child_of(self, sup, "a");
    expect_eq(stop_and_wait(self, first), BSK_SHUTDOWN);
    expect_eq(bsk_sleep(self, 1), 0);
    expect(!bsk_same(first, child_of(self, sup, "a")));
    expect_again(self, sup, SO_SHUTDOWN);
    expect_again(self, sup, SO_NORMAL);
    expect_again(self, sup, SO_FAILED);
    bsk_child_info i = info_of(self, sup, "a");
    expect_eq(i.restarts, 4);
    expect_eq(i.last_reason, BSK_FAILED);
    expect(!strcmp(i.last_text, "meant to fail"));
    finish(self);
}

START_TEST(SUP_034_a_permanent_child_is_restarted_however_it_ends)
{
    run_seeds(SEEDS, 0, permanent_after_shutdown);
}
END_TEST

static void transient_after_normal(bsk_self *self)
{
    restart_now = BSK_TRANSIENT;
    bsk_addr sup = start_one(self);
    expect_stopped(self, sup, SO_NORMAL, BSK_NORMAL);
    finish(self);
}

START_TEST(SUP_036_a_transient_child_that_ends_normally_stays_listed_as_not_running)
{
    run_seeds(SEEDS, 0, transient_after_normal);
}
END_TEST

static void transient_after_shutdown(bsk_self *self)
{
    restart_now = BSK_TRANSIENT;
    bsk_addr sup = start_one(self);
    expect_eq(stop_and_wait(self, child_of(self, sup, "a")), BSK_SHUTDOWN);
    expect_eq(bsk_sleep(self, 1), 0);
    expect_eq(info_of(self, sup, "a").state, BSK_CHILD_STOPPED);
    bsk_started out;
    expect_eq(bsk_sup_restart(self, sup, BSK_FOREVER, "a", &out), 0);
    expect(bsk_same(out.who, child_of(self, sup, "a")));
    expect_stopped(self, sup, SO_SHUTDOWN, BSK_SHUTDOWN);
    expect(!strcmp(info_of(self, sup, "a").last_text, "with more to say"));
    finish(self);
}

START_TEST(SUP_038_a_transient_child_restarted_by_hand_that_ends_as_shutdown_stays_away)
{
    run_seeds(SEEDS, 0, transient_after_shutdown);
}
END_TEST

static void transient_after_failure(bsk_self *self)
{
    restart_now = BSK_TRANSIENT;
    bsk_addr sup = start_one(self);
    expect_again(self, sup, SO_FAILED);
    bsk_addr before = child_of(self, sup, "a");
    kill_child(self, before);
    expect(!bsk_same(before, child_of(self, sup, "a")));
    expect_counts(self, sup, 1, 1, 1, 0);
    finish(self);
}

START_TEST(SUP_039_a_transient_child_that_ends_abnormally_is_restarted)
{
    run_seeds(SEEDS, 0, transient_after_failure);
}
END_TEST

static void temporary_is_forgotten(bsk_self *self, enum so how)
{
    restart_now = BSK_TEMPORARY;
    bsk_addr sup = start_one(self);
    end_child(self, child_of(self, sup, "a"), how);
    bsk_child_info i;
    expect_eq(bsk_sup_child(self, sup, BSK_FOREVER, "a", &i), BSK_ENOTFOUND);
    expect_counts(self, sup, 0, 0, 0, 0);
    expect(bsk_is_nobody(bsk_whereis(bsk_rt_of(self), "a")));
    finish(self);
}

static void temporary_after_normal(bsk_self *self)
{
    temporary_is_forgotten(self, seed_now % 3 ? SO_NORMAL : SO_SHUTDOWN);
}

static void temporary_after_failure(bsk_self *self)
{
    temporary_is_forgotten(self, SO_FAILED);
}

START_TEST(SUP_040_a_temporary_child_that_ends_normally_is_forgotten)
{
    run_seeds(SEEDS, 0, temporary_after_normal);
}
END_TEST

START_TEST(SUP_042_a_temporary_child_that_ends_abnormally_is_forgotten)
{
    run_seeds(SEEDS, 0, temporary_after_failure);
}
END_TEST

static void stop_each_type(bsk_self *self)
{
    bsk_addr sup =
        supervise(self, BSK_SUP(.strategy = strategy_now), bsk_child(obedient, .id = "p"),
                  bsk_child(obedient, .id = "tr", .restart = BSK_TRANSIENT),
                  bsk_child(obedient, .id = "te", .restart = BSK_TEMPORARY));
    const char *ids[] = {"p", "tr", "te"};
    for (int i = 0; i < 3; i++) {
        bsk_child_spec again = bsk_child(obedient, .id = ids[i], .restart = (enum bsk_restart)i);
        expect_eq(bsk_sup_add(self, sup, BSK_FOREVER, &again, NULL), BSK_EEXIST);
        expect_eq(bsk_sup_stop(self, sup, BSK_FOREVER, ids[i]), 0);
        expect_counts(self, sup, i == 2 ? 2 : 3, 2 - (unsigned)i, i == 2 ? 2 : 3, 0);
        int rc = bsk_sup_add(self, sup, BSK_FOREVER, &again, NULL);
        expect_eq(rc, i == 2 ? 0 : BSK_EEXIST);
    }
    expect_counts(self, sup, 3, 1, 3, 0);
    finish(self);
}

START_TEST(SUP_043_stopped_permanent_and_transient_children_stay_and_temporary_ones_do_not)
{
    strategy_now = (enum bsk_strategy)_i;
    run_seeds(SEEDS, 0, stop_each_type);
}
END_TEST

#define BIG 20000

struct big {
    char bytes[BIG];
};

/* Blocks that the library has more of with a hundred children. */
static int64_t blocks_of_children(bsk_self *self, bool dynamic)
{
    static struct big big;
    bsk_addr sup = dynamic ? supervise(self, BSK_SUP(.strategy = BSK_DYNAMIC),
                                       bsk_child(obedient, .restart = restart_now))
                           : born(self, bsk_supervise_none(bsk_rt_of(self), BSK_SUP(0)));
    int64_t before = mem_live();
    for (int i = 0; i < 100; i++) {
        bsk_child_spec spec =
            bsk_child(obedient, .restart = restart_now, .state = &big, .state_size = sizeof big);
        expect_eq(bsk_sup_add(self, sup, BSK_FOREVER, &spec, NULL), 0);
    }
    int64_t after = mem_live();
    expect_eq(stop_and_wait(self, sup), BSK_SHUTDOWN);
    return after - before;
}

/* A copy of the arguments is a block. */
static void compare_memory(bsk_self *self)
{
    for (int dynamic = 0; dynamic < 2; dynamic++) {
        int64_t used[3];
        for (int i = 0; i < 3; i++) {
            restart_now = (enum bsk_restart)i;
            used[i] = blocks_of_children(self, dynamic);
        }
        expect(used[BSK_PERMANENT] - used[BSK_TEMPORARY] >= 100);
        expect(used[BSK_TRANSIENT] - used[BSK_TEMPORARY] >= 100);
    }
}

START_TEST(SUP_044_start_arguments_of_temporary_children_are_not_kept)
{
    run_seeds(3, 0, compare_memory);
}
END_TEST

static int64_t blocks_after_crash(bsk_self *self)
{
    static struct big big;
    bsk_addr sup = supervise(self, BSK_SUP(.strategy = BSK_DYNAMIC, .intensity = 10),
                             bsk_child(obedient, .restart = restart_now));
    end_child(self, add_instance(self, sup, 1), SO_FAILED);
    bsk_addr small = add_instance(self, sup, 2);
    int64_t before = mem_live();
    bsk_child_spec spec = bsk_child(obedient, .state = &big, .state_size = sizeof big);
    bsk_started out;
    expect_eq(bsk_sup_add(self, sup, BSK_FOREVER, &spec, &out), 0);
    int64_t with = mem_live();
    expect_eq(bsk_sup_stop_actor(self, sup, BSK_FOREVER, out.who), 0);
    expect_eq(mem_live(), before);
    expect(bsk_alive(small));
    expect_eq(stop_and_wait(self, sup), BSK_SHUTDOWN);
    return with - before;
}

static void crash_then_add_huge(bsk_self *self)
{
    restart_now = BSK_PERMANENT;
    int64_t kept = blocks_after_crash(self);
    restart_now = BSK_TEMPORARY;
    expect(blocks_after_crash(self) < kept);
}

START_TEST(SUP_045_a_huge_argument_is_not_kept_after_a_crash_either)
{
    run_seeds(SEEDS, 0, crash_then_add_huge);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("restart_type");
    tcase_add_test(t, SUP_034_a_permanent_child_is_restarted_however_it_ends);
    tcase_add_test(t, SUP_036_a_transient_child_that_ends_normally_stays_listed_as_not_running);
    tcase_add_test(t, SUP_038_a_transient_child_restarted_by_hand_that_ends_as_shutdown_stays_away);
    tcase_add_test(t, SUP_039_a_transient_child_that_ends_abnormally_is_restarted);
    tcase_add_test(t, SUP_040_a_temporary_child_that_ends_normally_is_forgotten);
    tcase_add_test(t, SUP_042_a_temporary_child_that_ends_abnormally_is_forgotten);
    tcase_add_loop_test(
        t, SUP_043_stopped_permanent_and_transient_children_stay_and_temporary_ones_do_not, 0, 3);
    tcase_add_test(t, SUP_044_start_arguments_of_temporary_children_are_not_kept);
    tcase_add_test(t, SUP_045_a_huge_argument_is_not_kept_after_a_crash_either);
    return run_suite("restart_type", t, 30);
}
