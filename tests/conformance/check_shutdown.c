/* SPDX-License-Identifier: MIT */
/* check_shutdown.c - the cases of how a supervisor stops its children, and ends.
 *
 * ctest: timeout=120 */
#include "supervised.h"

#define SEEDS 60

static void stop_with_all_the_time(bsk_self *self)
{
    bsk_rt *rt = bsk_rt_of(self);
    bsk_addr sup = supervise(
        self, BSK_SUP(0),
        bsk_child(linger, .name = "slow", .shutdown_ms = BSK_FOREVER, BSK_STATE(int, 100 * 1000)),
        bsk_child_sup(BSK_SUP(.name = "below"), bsk_child(obedient, .name = "b")));
    bsk_addr slow = bsk_whereis(rt, "slow"), below = bsk_whereis(rt, "below");
    expect_eq(bsk_sleep(self, 1), 0);
    int64_t before = now(self);
    expect_eq(stop_and_wait(self, sup), BSK_SHUTDOWN);
    expect_eq(now(self) - before, 100 * 1000);
    expect_eq(reason_of(slow), BSK_SHUTDOWN);
    expect_eq(reason_of(below), BSK_SHUTDOWN);
}

START_TEST(SUP_077_a_supervisor_waits_for_children_that_have_all_the_time)
{
    run_seeds(SEEDS, 0, stop_with_all_the_time);
}
END_TEST

/* By their numbers: 1 is busy for longer than it may. */
static void instance(bsk_self *self)
{
    int ms = *(const int *)bsk_state(self);
    expect(!bsk_recv(self, BSK_FOREVER));
    bsk_shield(self);
    bsk_sleep(self, ms);
}

static bsk_addr add_lingering(bsk_self *self, bsk_addr sup, int ms)
{
    bsk_child_spec spec = bsk_child(instance, BSK_STATE(int, ms));
    bsk_started out;
    expect_eq(bsk_sup_add(self, sup, BSK_FOREVER, &spec, &out), 0);
    return out.who;
}

static void stop_obedient_and_busy(bsk_self *self)
{
    bsk_addr sup = supervise(self, BSK_SUP(.strategy = BSK_DYNAMIC),
                             bsk_child(instance, .shutdown_ms = 1000, BSK_STATE(int, 0)));
    bsk_addr good = add_lingering(self, sup, 0), busy = add_lingering(self, sup, 100000);
    expect_eq(bsk_sleep(self, 1), 0);
    int64_t before = now(self);
    expect_eq(stop_and_wait(self, sup), BSK_SHUTDOWN);
    expect_eq(now(self) - before, 1000);
    expect_eq(reason_of(good), BSK_SHUTDOWN);
    expect_eq(reason_of(busy), BSK_KILLED);
}

START_TEST(SUP_079_a_busy_instance_is_killed_at_its_time_and_its_supervisor_ends_well)
{
    run_seeds(SEEDS, 0, stop_obedient_and_busy);
}
END_TEST

static void not_at_a_kill(bsk_self *self)
{
    expect(bsk_is_nobody(bsk_me(self)));
}

static void stop_with_a_kill(bsk_self *self)
{
    bsk_addr sup = supervise(self, BSK_SUP(0), bsk_child(obedient, .name = "1"),
                             bsk_child(linger, .name = "2", .shutdown_ms = BSK_KILL,
                                       .fini = not_at_a_kill, BSK_STATE(int, 1000)),
                             bsk_child(obedient_fiber, .name = "3"));
    bsk_addr a[3];
    for (size_t i = 0; i < 3; i++) a[i] = nth_child(self, sup, i);
    int64_t before = now(self);
    expect_eq(stop_and_wait(self, sup), BSK_SHUTDOWN);
    expect_eq(now(self), before);
    for (int i = 0; i < 3; i++) expect_eq(reason_of(a[i]), i == 1 ? BSK_KILLED : BSK_SHUTDOWN);
}

START_TEST(SUP_080_a_child_to_be_killed_at_once_has_no_grace_and_its_siblings_end_as_shutdown)
{
    run_seeds(SEEDS, 0, stop_with_a_kill);
}
END_TEST

static enum bsk_restart restart_now;

/* Answers the stop in a way of its own. */
static void answer_stop(bsk_self *self)
{
    int how = *(const int *)bsk_state(self);
    expect(!bsk_recv(self, BSK_FOREVER));
    switch (how) {
    case 1: bsk_exit_as(self, BSK_NORMAL, "done");
    case 2: bsk_exit_as(self, BSK_SHUTDOWN, "with more to say");
    case 3: bsk_fail(self, "some other reason");
    default: break;
    }
}

static void stop_answering_instances(bsk_self *self)
{
    static const int reasons[] = {BSK_SHUTDOWN, BSK_NORMAL, BSK_SHUTDOWN, BSK_FAILED};
    bsk_addr sup = supervise(self, BSK_SUP(.strategy = BSK_DYNAMIC),
                             bsk_child(answer_stop, .restart = restart_now, BSK_STATE(int, 0)));
    bsk_addr who[8];
    for (int i = 0; i < 8; i++) {
        bsk_child_spec spec = bsk_child(answer_stop, BSK_STATE(int, i % 4));
        bsk_started out;
        expect_eq(bsk_sup_add(self, sup, BSK_FOREVER, &spec, &out), 0);
        who[i] = out.who;
    }
    expect_eq(bsk_sleep(self, 1), 0);
    bsk_stats_out before, after;
    bsk_stats(bsk_rt_of(self), &before);
    expect_eq(stop_and_wait(self, sup), BSK_SHUTDOWN);
    bsk_stats(bsk_rt_of(self), &after);
    expect_eq(after.spawned, before.spawned);
    for (int i = 0; i < 8; i++) expect_eq(reason_of(who[i]), reasons[i % 4]);
}

START_TEST(SUP_083_however_instances_answer_the_stop_the_supervisor_ends_as_shutdown)
{
    restart_now = (enum bsk_restart)_i;
    run_seeds(SEEDS, 0, stop_answering_instances);
}
END_TEST

static void stop_in_parallel(bsk_self *self)
{
    bsk_addr sup = supervise(self, BSK_SUP(.strategy = BSK_DYNAMIC),
                             bsk_child(instance, .shutdown_ms = 2000, BSK_STATE(int, 0)));
    bsk_addr a = add_lingering(self, sup, 1000), b = add_lingering(self, sup, 1000),
             c = add_lingering(self, sup, 5000);
    expect_eq(bsk_sleep(self, 1), 0);
    int64_t before = now(self);
    expect_eq(stop_and_wait(self, sup), BSK_SHUTDOWN);
    expect_eq(now(self) - before, 2000);
    expect_eq(reason_of(a), BSK_SHUTDOWN);
    expect_eq(reason_of(b), BSK_SHUTDOWN);
    expect_eq(reason_of(c), BSK_KILLED);
}

START_TEST(SUP_084_instances_stop_in_parallel_and_the_slow_one_is_killed)
{
    run_seeds(SEEDS, 0, stop_in_parallel);
}
END_TEST

static void say_end(bsk_self *self)
{
    say(*(const char **)bsk_state(self));
    say(" ");
}

static void slow_end(bsk_self *self)
{
    const char *me = *(const char **)bsk_state(self);
    expect(!bsk_recv(self, BSK_FOREVER));
    bsk_shield(self);
    say("(");
    bsk_sleep(self, (int64_t)(bsk_random(self) % 20));
    say(me);
}

static void close_bracket(bsk_self *self)
{
    expect(!bsk_is_nobody(bsk_me(self)));
    say(")");
}

#define SLOW(name_)                                                                                \
    bsk_child(slow_end, .name = name_, .fini = close_bracket, BSK_STATE(const char *, name_))

static void stop_in_reverse(bsk_self *self)
{
    hush();
    bsk_addr sup = supervise(self, BSK_SUP(.strategy = (enum bsk_strategy)(seed_now % 3)),
                             SLOW("c"), SLOW("a"), SLOW("e"), SLOW("b"), SLOW("d"));
    expect_eq(bsk_sleep(self, 1), 0);
    expect_eq(stop_and_wait(self, sup), BSK_SHUTDOWN);
    expect_said("(d)(b)(e)(a)(c)");
}

START_TEST(SUP_085_children_end_strictly_in_the_reverse_order_of_their_start)
{
    run_seeds(SEEDS, 0, stop_in_reverse);
}
END_TEST

START_TEST(SUP_085_children_end_in_the_reverse_order_on_other_threads)
{
    bsk_rt *rt = start_parallel(2);
    for (int round = 0; round < 5; round++) {
        hush();
        bsk_addr sup = bsk_supervise(rt, BSK_SUP(0), SLOW("c"), SLOW("a"), SLOW("e"));
        ck_assert(!bsk_is_nobody(sup));
        ck_assert_int_eq(bsk_stop(sup, BSK_FOREVER), 0);
        bsk_sup_counts n;
        while (bsk_sup_count(NULL, sup, BSK_FOREVER, &n) != BSK_EDEAD) continue;
        /* Who was stopped before it ran says nothing of its own; each ends before the next. */
        ck_assert_uint_ge(strlen(said()), 3);
    }
    ck_assert_int_eq(bsk_wait(rt), 0);
}
END_TEST

#define SAYS(name_)                                                                                \
    bsk_child(obedient, .name = name_, .fini = say_end, BSK_STATE(const char *, name_))

static void stop_a_tree(bsk_self *self)
{
    hush();
    bsk_addr top =
        supervise(self, BSK_SUP(0), SAYS("1"),
                  bsk_child_sup(BSK_SUP(.name = "below"), SAYS("2"), SAYS("3")), SAYS("4"));
    bsk_addr below = child_of(self, top, "below");
    expect_eq(bsk_sup_stop(self, top, BSK_FOREVER, "below"), 0);
    expect_said("3 2 ");
    expect_eq(reason_of(below), BSK_SHUTDOWN);
    expect_eq(bsk_sup_restart(self, top, BSK_FOREVER, "below", NULL), 0);
    hush();
    expect_eq(stop_and_wait(self, top), BSK_SHUTDOWN);
    expect_said("4 3 2 1 ");
}

START_TEST(SUP_087_a_supervisor_in_a_tree_stops_its_own_children_first)
{
    run_seeds(SEEDS, 0, stop_a_tree);
}
END_TEST

/* Its time runs out while it waits for a child that has more: both are killed, nobody is left. */
static void run_out_of_time(bsk_self *self)
{
    bsk_rt *rt = bsk_rt_of(self);
    const bsk_child_spec inner[] = {
        bsk_child(obedient, .name = "first"),
        bsk_child(linger, .name = "slow", .shutdown_ms = BSK_FOREVER, BSK_STATE(int, 100000))};
    const bsk_child_spec below = {.opts = {.shutdown_ms = 50},
                                  .sup = BSK_SUP(.name = "below"),
                                  .children = inner,
                                  .nchildren = 2};
    bsk_addr top = born(self, bsk_supervise_(rt, BSK_SUP(0), &below, 1));
    bsk_addr who[] = {bsk_whereis(rt, "below"), bsk_whereis(rt, "first"), bsk_whereis(rt, "slow")};
    expect_eq(bsk_sleep(self, 1), 0);
    int64_t before = now(self);
    expect_eq(bsk_sup_stop(self, top, BSK_FOREVER, "below"), 0);
    expect_eq(now(self) - before, 50);
    for (int i = 0; i < 3; i++) expect_eq(reason_of(who[i]), BSK_KILLED);
    bsk_stats_out s;
    bsk_stats(rt, &s);
    expect_eq(s.actors, 2);
    finish(self);
}

START_TEST(SUP_088_a_supervisor_whose_time_runs_out_takes_its_children_with_it)
{
    run_seeds(SEEDS, 0, run_out_of_time);
}
END_TEST

static bsk_addr top_now;
static int asked;

/* Asks for its own supervisor to be stopped, by the one above that. */
static void ask_for_the_end(bsk_self *self)
{
    bool deaf = *(const bool *)bsk_state(self);
    expect(bsk_recv(self, BSK_FOREVER) != NULL);
    if (deaf) bsk_shield(self);
    asked = bsk_sup_stop(self, top_now, BSK_FOREVER, "below");
}

static void stop_from_within(bsk_self *self)
{
    bool deaf = seed_now % 2;
    bsk_rt *rt = bsk_rt_of(self);
    asked = 1;
    top_now = supervise(self, BSK_SUP(0),
                        bsk_child_sup(BSK_SUP(.name = "below"),
                                      bsk_child(ask_for_the_end, .name = "asker", .shutdown_ms = 70,
                                                BSK_STATE(bool, deaf))));
    bsk_addr asker = bsk_whereis(rt, "asker");
    int64_t before = now(self);
    end_child(self, asker, SO_NORMAL);
    while (bsk_alive(bsk_whereis(rt, "below"))) expect_eq(bsk_sleep(self, 1), 0);
    expect_eq(bsk_sup_stop(self, top_now, BSK_FOREVER, "below"), 0);
    /* Its wait is cancelled by the stop, unless it shields itself from that. */
    expect_eq(asked, deaf ? 1 : BSK_ECANCELED);
    expect_eq(reason_of(asker), deaf ? BSK_KILLED : BSK_SHUTDOWN);
    expect(now(self) - before <= (deaf ? 72 : 2));
    finish(self);
}

START_TEST(SUP_089_a_child_that_waits_for_its_own_supervisors_stop_is_cancelled)
{
    run_seeds(SEEDS, 0, stop_from_within);
}
END_TEST

static void start_slowly(bsk_self *self)
{
    say("<");
    bsk_sleep(self, 50);
    say(">");
    bsk_ready(self, 0);
    obedient_fiber(self);
}

static void add_slow(bsk_self *self)
{
    bsk_addr sup = *(const bsk_addr *)bsk_state(self);
    bsk_child_spec slow = bsk_child(start_slowly, .name = "slow", .reports_ready = true);
    expect_eq(bsk_sup_add(self, sup, BSK_FOREVER, &slow, NULL), 0);
    say("a");
}

static void ask_meanwhile(bsk_self *self)
{
    hush();
    bsk_addr sup = supervise(self, BSK_SUP(0), bsk_child(obedient, .name = "1"));
    expect(!bsk_is_nobody(
        bsk_spawn(bsk_rt_of(self), add_slow, .state = &sup, .state_size = sizeof sup)));
    expect_eq(bsk_sleep(self, 10), 0);
    int64_t before = now(self);
    expect_eq(bsk_sup_stop(self, sup, BSK_FOREVER, "1"), 0);
    expect_eq(now(self) - before, 40);
    expect_eq(bsk_sleep(self, 1), 0);
    expect_said("<>a");
    expect_counts(self, sup, 2, 1, 2, 0);
    finish(self);
}

START_TEST(SUP_090_requests_are_served_one_at_a_time)
{
    run_seeds(SEEDS, 0, ask_meanwhile);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("shutdown");
    tcase_add_test(t, SUP_077_a_supervisor_waits_for_children_that_have_all_the_time);
    tcase_add_test(t, SUP_079_a_busy_instance_is_killed_at_its_time_and_its_supervisor_ends_well);
    tcase_add_test(
        t, SUP_080_a_child_to_be_killed_at_once_has_no_grace_and_its_siblings_end_as_shutdown);
    tcase_add_loop_test(
        t, SUP_083_however_instances_answer_the_stop_the_supervisor_ends_as_shutdown, 0, 3);
    tcase_add_test(t, SUP_084_instances_stop_in_parallel_and_the_slow_one_is_killed);
    tcase_add_test(t, SUP_085_children_end_strictly_in_the_reverse_order_of_their_start);
    tcase_add_test(t, SUP_085_children_end_in_the_reverse_order_on_other_threads);
    tcase_add_test(t, SUP_087_a_supervisor_in_a_tree_stops_its_own_children_first);
    tcase_add_test(t, SUP_088_a_supervisor_whose_time_runs_out_takes_its_children_with_it);
    tcase_add_test(t, SUP_089_a_child_that_waits_for_its_own_supervisors_stop_is_cancelled);
    tcase_add_test(t, SUP_090_requests_are_served_one_at_a_time);
    return run_suite("shutdown", t, 30);
}
