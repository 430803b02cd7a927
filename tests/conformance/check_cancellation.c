/* SPDX-License-Identifier: MIT */
/* check_cancellation.c - the cases of cancellation: of tokens, and of scopes where these show the
 * same.
 *
 * ctest: timeout=60 */
#include "conformance.h"

#include <pthread.h>
#include <sched.h>

BSK_MSG(number, (i64, n));

/* A thread that waits for a token, and counts how often it was woken. */
struct waiter {
    pthread_t thread;
    bsk_token *token;
    _Atomic int woken, begun;
    int64_t ms;
};

static void *wait_for_token(void *arg)
{
    struct waiter *w = arg;
    w->begun = 1;
    int rc = bsk_token_wait(w->token, w->ms);
    if (rc == 0) w->woken++;
    return NULL;
}

static void begin(struct waiter *w, bsk_token *t, int64_t ms)
{
    *w = (struct waiter){.token = t, .ms = ms};
    ck_assert_int_eq(pthread_create(&w->thread, NULL, wait_for_token, w), 0);
    while (!w->begun) sched_yield();
}

static int woken(struct waiter *w)
{
    pthread_join(w->thread, NULL);
    return w->woken;
}

static bsk_token *token(bsk_token *parent)
{
    bsk_token *t = bsk_token_new(parent);
    ck_assert_ptr_nonnull(t);
    return t;
}

START_TEST(CAN_001_who_waits_and_who_comes_later_both_see_the_cancel_once)
{
    struct waiter first, late;
    bsk_token *t = token(NULL);
    begin(&first, t, BSK_FOREVER);
    bsk_token_cancel(t);
    begin(&late, t, BSK_FOREVER);
    ck_assert_int_eq(woken(&first), 1);
    ck_assert_int_eq(woken(&late), 1);
    ck_assert(bsk_token_cancelled(t));
    bsk_token_drop(t);
}
END_TEST

START_TEST(CAN_002_a_parents_cancel_reaches_its_child)
{
    struct waiter above, below;
    bsk_token *parent = token(NULL), *child = token(parent);
    begin(&above, parent, BSK_FOREVER);
    begin(&below, child, BSK_FOREVER);
    bsk_token_cancel(parent);
    ck_assert_int_eq(woken(&above), 1);
    ck_assert_int_eq(woken(&below), 1);
    ck_assert(bsk_token_cancelled(parent));
    ck_assert(bsk_token_cancelled(child));
    bsk_token_drop(child);
    bsk_token_drop(parent);
}
END_TEST

START_TEST(CAN_003_a_childs_cancel_leaves_its_parent_and_later_children_alone)
{
    struct waiter above;
    bsk_token *parent = token(NULL), *child = token(parent);
    begin(&above, parent, BSK_FOREVER);
    bsk_token_cancel(child);
    ck_assert(bsk_token_cancelled(child));
    ck_assert(!bsk_token_cancelled(parent));
    bsk_token *later = token(parent);
    ck_assert(!bsk_token_cancelled(later));
    bsk_token_cancel(parent);
    ck_assert_int_eq(woken(&above), 1);
    ck_assert(bsk_token_cancelled(later));
    bsk_token_drop(later);
    bsk_token_drop(child);
    bsk_token_drop(parent);
}
END_TEST

/*          0
 *        1   2
 *       3 4   5
 *      6   7          */
static const int parent_of[8] = {-1, 0, 0, 1, 1, 2, 3, 4};

START_TEST(CAN_004_a_cancel_reaches_all_below_and_nobody_else)
{
    bsk_token *t[8];
    struct waiter w[8];
    for (int i = 0; i < 8; i++) t[i] = token(i ? t[parent_of[i]] : NULL);
    for (int i = 0; i < 8; i++) begin(&w[i], t[i], BSK_FOREVER);
    bsk_token_cancel(t[1]);
    for (int i = 0; i < 8; i++) {
        bool below = i == 1 || i == 3 || i == 4 || i >= 6;
        ck_assert_int_eq(bsk_token_cancelled(t[i]), below);
        if (below) ck_assert_int_eq(woken(&w[i]), 1);
    }
    bsk_token_cancel(t[0]);
    ck_assert_int_eq(woken(&w[0]) + woken(&w[2]) + woken(&w[5]), 3);
    for (int i = 0; i < 8; i++) bsk_token_drop(t[i]);
}
END_TEST

static bsk_addr nodes[8];
static int nbegun;

/* The same tree of actors, with a scope around each child. */
static void live_in_tree(bsk_self *self)
{
    int me = *(int *)bsk_state(self);
    bsk_scope *alone = NULL;
    for (int i = 1; i < 8; i++) {
        if (parent_of[i] != me) continue;
        bsk_scope *s = bsk_scope_open(self, BSK_FOREVER);
        expect(s != NULL);
        if (i == 2) alone = s;
        nodes[i] = bsk_go(s, live_in_tree, BSK_STATE(int, i));
        expect(!bsk_is_nobody(nodes[i]));
    }
    nbegun++;
    if (me == 0) {
        while (nbegun < 8) expect_eq(bsk_yield(self), 0);
        /* The scope opened last lies inside the other one: of node 2. */
        bsk_scope_cancel(alone);
        expect_eq(bsk_scope_join(alone), BSK_ECANCELED);
        for (int i = 1; i < 8; i++) expect_eq(bsk_alive(nodes[i]), i != 2 && i != 5);
        expect_eq(reason_of(nodes[2]), BSK_CANCELLED);
        expect_eq(reason_of(nodes[5]), BSK_CANCELLED);
        bsk_exit(self);
    }
    expect_eq(bsk_sleep(self, BSK_FOREVER), BSK_ECANCELED);
}

static void grow_tree(bsk_self *self)
{
    nbegun = 0;
    nodes[0] = bsk_spawn(bsk_rt_of(self), live_in_tree, BSK_STATE(int, 0));
    expect(!bsk_is_nobody(nodes[0]));
}

START_TEST(CAN_004_a_cancel_reaches_the_actors_below_and_nobody_else)
{
    run_seeds(300, 0, grow_tree);
}
END_TEST

START_TEST(CAN_005_a_child_of_a_cancelled_token_is_cancelled_from_birth)
{
    for (int parent_first = 0; parent_first < 2; parent_first++) {
        bsk_token *parent = token(NULL);
        bsk_token_cancel(parent);
        bsk_token *child = token(parent);
        ck_assert(bsk_token_cancelled(child));
        ck_assert_int_eq(bsk_token_wait(child, 0), 0);
        bsk_token_drop(parent_first ? parent : child);
        bsk_token_drop(parent_first ? child : parent);
    }
}
END_TEST

static void open_in_cancelled(bsk_self *self)
{
    bsk_scope *outer = bsk_scope_open(self, BSK_FOREVER);
    bsk_scope_cancel(outer);
    bsk_scope *inner = bsk_scope_open(self, BSK_FOREVER);
    expect(bsk_is_nobody(bsk_go(inner, grow_tree)));
    expect_eq(bsk_error(self), BSK_ECANCELED);
    expect_eq(bsk_scope_join(inner), BSK_ECANCELED);
    expect_eq(bsk_scope_join(outer), BSK_ECANCELED);
}

START_TEST(CAN_005_a_scope_in_a_cancelled_scope_is_cancelled_from_birth)
{
    run_seeds(10, 0, open_in_cancelled);
}
END_TEST

START_TEST(CAN_008_children_that_are_dropped_cancel_nothing)
{
    bsk_token *parent = token(NULL);
    for (int round = 0; round < 1000; round++) {
        bsk_token *c[3];
        for (int i = 0; i < 3; i++) c[i] = token(parent);
        for (int i = 0; i < 3; i++) {
            bsk_token_drop(c[round % 2 ? i : 2 - i]);
            ck_assert(!bsk_token_cancelled(parent));
            if (i < 2) ck_assert(!bsk_token_cancelled(c[round % 2 ? 2 : 0]));
        }
    }
    bsk_token_drop(parent);
}
END_TEST

static void job(bsk_self *self)
{
    expect_eq(bsk_give(self, number, .n = 42), 0);
}

static void finish_before_cancel(bsk_self *self)
{
    bsk_scope *s = bsk_scope_open_kind(self, 1000, BSK_COLLECT);
    bsk_go(s, job);
    expect_eq(bsk_sleep(self, 1), 0);
    bsk_scope_cancel(s);
    const bsk_finished *f = bsk_scope_next(s, BSK_FOREVER);
    expect(f != NULL);
    expect_eq(f->reason, BSK_NORMAL);
    int64_t got = 0;
    bsk_match(f->result) {
        bsk_on(number, n) got = n->n;
    }
    expect_eq(got, 42);
    expect_eq(bsk_scope_join(s), BSK_ECANCELED);
}

START_TEST(CAN_010_a_job_that_finished_before_the_cancel_gives_its_result)
{
    run_seeds(100, 0, finish_before_cancel);
}
END_TEST

START_TEST(CAN_011_a_waiter_that_gives_up_leaves_nothing_behind)
{
    struct waiter w[4];
    bsk_token *t = token(NULL), *child = token(t);
    for (int i = 0; i < 4; i++) begin(&w[i], i % 2 ? t : child, 2 + i);
    for (int i = 0; i < 4; i++) ck_assert_int_eq(woken(&w[i]), 0);
    bsk_token_cancel(t);
    bsk_token_drop(child);
    bsk_token_drop(t);
}
END_TEST

static void wait_inside(bsk_self *self)
{
    expect(!bsk_recv(self, BSK_FOREVER));
}

static void kill_a_waiter(bsk_self *self)
{
    bsk_scope *s = bsk_scope_open_kind(self, 1000, BSK_COLLECT);
    bsk_addr who = bsk_go(s, wait_inside);
    if (bsk_random(self) % 2) expect_eq(bsk_sleep(self, 1), 0);
    expect_eq(bsk_kill(who), 0);
    expect_eq(bsk_sleep(self, 1), 0);
    expect(!bsk_alive(who));
    bsk_scope_cancel(s);
    expect(bsk_scope_next(s, BSK_FOREVER) != NULL);
    expect_eq(bsk_scope_join(s), BSK_ECANCELED);
}

START_TEST(CAN_011_a_waiter_that_is_killed_is_not_told_of_the_cancel)
{
    run_seeds(100, 0, kill_a_waiter);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("cancellation");
    tcase_add_test(t, CAN_001_who_waits_and_who_comes_later_both_see_the_cancel_once);
    tcase_add_test(t, CAN_002_a_parents_cancel_reaches_its_child);
    tcase_add_test(t, CAN_003_a_childs_cancel_leaves_its_parent_and_later_children_alone);
    tcase_add_test(t, CAN_004_a_cancel_reaches_all_below_and_nobody_else);
    tcase_add_test(t, CAN_004_a_cancel_reaches_the_actors_below_and_nobody_else);
    tcase_add_test(t, CAN_005_a_child_of_a_cancelled_token_is_cancelled_from_birth);
    tcase_add_test(t, CAN_005_a_scope_in_a_cancelled_scope_is_cancelled_from_birth);
    tcase_add_test(t, CAN_008_children_that_are_dropped_cancel_nothing);
    tcase_add_test(t, CAN_010_a_job_that_finished_before_the_cancel_gives_its_result);
    tcase_add_test(t, CAN_011_a_waiter_that_gives_up_leaves_nothing_behind);
    tcase_add_test(t, CAN_011_a_waiter_that_is_killed_is_not_told_of_the_cancel);
    return run_suite("cancellation", t, 30);
}
