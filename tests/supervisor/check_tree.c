/* SPDX-License-Identifier: MIT */
/* check_tree.c - the tree as it is shown: parents before their children, all who live, also while
 * they come and go.
 *
 * ctest: timeout=120 */
#include "../actors/fixture.h"

#include "supervisor/supervisor.h"

#include <pthread.h>

#define SHOWN 4096

static bsk_rt *rt;

static struct {
    int depth;
    bsk_addr who;
    char text[160];
} shown[SHOWN];
static int nshown;

static void keep_line(void *arg, int depth, bsk_addr who, const char *text)
{
    ck_assert_ptr_eq(arg, &nshown);
    ck_assert_int_lt(nshown, SHOWN);
    shown[nshown].depth = depth;
    shown[nshown].who = who;
    snprintf(shown[nshown++].text, sizeof shown[0].text, "%s", text);
}

static void show(void)
{
    nshown = 0;
    ck_assert_int_eq(bsk_tree(rt, keep_line, &nshown), 0);
    /* Each line is a child of one above it. */
    for (int i = 0; i < nshown; i++)
        ck_assert(shown[i].depth >= 0 && shown[i].depth <= (i ? shown[i - 1].depth + 1 : 0));
}

/* Where the actor of that name is shown. */
static int line_of(const char *name)
{
    bsk_addr who = bsk_whereis(rt, name);
    for (int i = 0; i < nshown; i++)
        if (bsk_same(shown[i].who, who)) {
            ck_assert_ptr_nonnull(strstr(shown[i].text, name));
            return i;
        }
    ck_abort_msg("%s is not shown", name);
    return -1;
}

static int parent_of(const char *name)
{
    int i = line_of(name), depth = shown[i].depth;
    while (i >= 0 && shown[i].depth >= depth) i--;
    return i;
}

static void worker(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(stop_it, s) bsk_exit(self);
    }
}

static void wait_for_end(bsk_self *self)
{
    while (bsk_recv(self, BSK_FOREVER)) continue;
}

static void open_scopes(bsk_self *self)
{
    bsk_scope *s = bsk_scope_open(self, BSK_FOREVER);
    bsk_go(s, worker, .name = "one");
    bsk_scope *inner = bsk_scope_open(self, BSK_FOREVER);
    bsk_go(inner, wait_for_end, .name = "two");
    wait_for_end(self);
}

static bsk_addr start_tree(void)
{
    bsk_addr top = fix_born(bsk_supervise(
        rt, BSK_SUP(.name = "top"), bsk_child(worker, .name = "a"),
        bsk_child_sup(BSK_SUP(.name = "mid"), bsk_child(wait_for_end, .name = "b"),
                      bsk_child_sup(BSK_SUP(.name = "low"), bsk_child(worker, .name = "c")),
                      bsk_child(worker, .name = "d")),
        bsk_child(open_scopes, .name = "e")));
    fix_born(bsk_spawn(rt, worker, .name = "f"));
    bsk_advance(rt, 5);
    return top;
}

START_TEST(nobody_lives_and_nobody_is_shown)
{
    rt = bsk_start(.seed = 1, FIX_HOOKS);
    show();
    ck_assert_int_eq(nshown, 0);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(parents_come_before_their_children_in_the_order_of_start)
{
    static const struct {
        const char *name, *parent;
        int depth;
    } expected[] = {{"top", NULL, 0},  {"a", "top", 1}, {"mid", "top", 1}, {"b", "mid", 2},
                    {"low", "mid", 2}, {"c", "low", 3}, {"d", "mid", 2},   {"e", "top", 1},
                    {"one", "e", 2},   {"two", "e", 2}, {"f", NULL, 0}};
    rt = bsk_start(.seed = 1, FIX_HOOKS);
    start_tree();
    show();
    ck_assert_int_eq(nshown, 11);
    for (int i = 0; i < 11; i++) {
        ck_assert_int_eq(line_of(expected[i].name), i);
        ck_assert_int_eq(shown[i].depth, expected[i].depth);
        int parent = expected[i].parent ? line_of(expected[i].parent) : -1;
        ck_assert_int_eq(parent_of(expected[i].name), parent);
    }
    /* Of what is in a scope, in which. */
    ck_assert_ptr_nonnull(strstr(shown[line_of("one")].text, "[scope 1]"));
    ck_assert_ptr_nonnull(strstr(shown[line_of("two")].text, "[scope 2]"));
    ck_assert_ptr_null(strstr(shown[line_of("a")].text, "[scope"));
    fix_stop(rt, 0);
}
END_TEST

START_TEST(who_has_ended_is_not_shown_and_who_came_back_stands_behind_the_older_ones)
{
    rt = bsk_start(.seed = 1, .quiet = true, FIX_HOOKS);
    start_tree();
    bsk_tell(bsk_whereis(rt, "f"), stop_it);
    bsk_kill(bsk_whereis(rt, "a"));
    bsk_advance(rt, 5);
    show();
    ck_assert_int_eq(nshown, 10);
    ck_assert_int_eq(parent_of("a"), line_of("top"));
    ck_assert_int_gt(line_of("a"), line_of("e"));
    fix_stop(rt, 0);
}
END_TEST

static void hold(bsk_self *self)
{
    bsk_shield(self);
    bsk_sleep(self, 100);
}

/* It stays in the tree until its children have ended. */
START_TEST(who_waits_for_its_children_to_end_is_shown_above_them)
{
    rt = bsk_start(.seed = 1, FIX_HOOKS);
    bsk_addr top =
        fix_born(bsk_supervise(rt, BSK_SUP(.name = "top"), bsk_child(hold, .name = "a")));
    bsk_advance(rt, 5);
    ck_assert_int_eq(bsk_stop(top, BSK_FOREVER), 0);
    bsk_advance(rt, 5);
    show();
    ck_assert_int_eq(nshown, 2);
    ck_assert_int_eq(line_of("top"), 0);
    ck_assert_int_eq(parent_of("a"), 0);
    bsk_advance(rt, 200);
    show();
    ck_assert_int_eq(nshown, 0);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(many_instances_are_all_shown)
{
    rt = bsk_start(.seed = 1, FIX_HOOKS);
    bsk_addr sup = fix_born(bsk_supervise(rt, BSK_SUP(.strategy = BSK_DYNAMIC), bsk_child(worker)));
    for (int i = 0; i < 3000; i++)
        ck_assert_int_eq(bsk_sup_add(NULL, sup, BSK_FOREVER, NULL, NULL), 0);
    show();
    ck_assert_int_eq(nshown, 3001);
    ck_assert(bsk_same(shown[0].who, sup));
    for (int i = 1; i < nshown; i++) ck_assert_int_eq(shown[i].depth, 1);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(without_memory_it_says_so_and_shows_nothing)
{
    rt = bsk_start(.seed = 1, FIX_HOOKS);
    start_tree();
    int rc;
    uint64_t n = 0;
    int64_t live = mem_live();
    do {
        nshown = 0;
        mem_fail_at(++n, 0);
        rc = bsk_tree(rt, keep_line, &nshown);
        mem_fail_at(0, 0);
        ck_assert_int_eq(mem_live(), live);
        ck_assert(rc == 0 || (rc == BSK_ENOMEM && nshown == 0));
    } while (rc);
    ck_assert_int_eq(nshown, 11);
    ck_assert_uint_gt(n, 1);
    fix_stop(rt, 0);
}
END_TEST

static _Atomic bool over;

static void ignore_line(void *arg, int depth, bsk_addr who, const char *text)
{
    int *last = arg;
    ck_assert(depth >= 0 && depth <= *last + 1 && text && !bsk_is_nobody(who));
    *last = depth;
}

static void *look_on(void *arg)
{
    while (!over) {
        int last = -1;
        ck_assert_int_eq(bsk_tree(rt, ignore_line, &last), 0);
        fix_hit();
    }
    return arg;
}

START_TEST(it_is_a_tree_also_while_actors_come_and_go_on_other_threads)
{
    pthread_t t;
    rt = bsk_start(.workers = 2, .quiet = true, FIX_HOOKS);
    const bsk_child_spec inner = bsk_child(worker);
    const bsk_child_spec template = {
        .opts = {.restart = BSK_TEMPORARY}, .sup = BSK_SUP(0), .children = &inner, .nchildren = 1};
    bsk_addr sup = fix_born(bsk_supervise_(rt, BSK_SUP(.strategy = BSK_DYNAMIC), &template, 1));
    ck_assert_int_eq(pthread_create(&t, NULL, look_on, NULL), 0);
    for (int round = 0; round < 300 || fix_hits() < 20; round++) {
        bsk_started out[4];
        for (int i = 0; i < 4; i++)
            ck_assert_int_eq(bsk_sup_add(NULL, sup, 5000, NULL, &out[i]), 0);
        for (int i = 0; i < 4; i++) bsk_kill(out[i].who);
    }
    over = true;
    pthread_join(t, NULL);
    fix_stop(rt, 0);
}
END_TEST

FIX_MAIN("tree", 30, nobody_lives_and_nobody_is_shown,
         parents_come_before_their_children_in_the_order_of_start,
         who_has_ended_is_not_shown_and_who_came_back_stands_behind_the_older_ones,
         who_waits_for_its_children_to_end_is_shown_above_them, many_instances_are_all_shown,
         without_memory_it_says_so_and_shows_nothing,
         it_is_a_tree_also_while_actors_come_and_go_on_other_threads)
