/* SPDX-License-Identifier: MIT */
/* check_token.c - cancel tokens: of threads, of blocking work, of scopes.
 *
 * ctest: timeout=60 */
#include "../actors/fixture.h"

#include "buskin.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

static void *wait_for_it(void *token)
{
    fix_hit();
    ck_assert_int_eq(bsk_token_wait(token, BSK_FOREVER), 0);
    ck_assert(bsk_token_cancelled(token));
    bsk_token_drop(token);
    return NULL;
}

static bsk_token *made(bsk_token *parent)
{
    bsk_token *t = bsk_token_new(parent);
    ck_assert_ptr_nonnull(t);
    return t;
}

START_TEST(a_cancel_wakes_all_who_wait_for_it_or_below_it)
{
    bsk_token *top = made(NULL);
    pthread_t threads[8];
    for (int i = 0; i < 8; i++) {
        bsk_token *t = i % 2 ? made(top) : bsk_token_hold(top);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, wait_for_it, t), 0);
    }
    fix_await(8);
    ck_assert(!bsk_token_cancelled(top));
    bsk_token_cancel(top);
    for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
    bsk_token_cancel(top);
    ck_assert_int_eq(bsk_token_wait(top, 0), 0);
    bsk_token_drop(top);
}
END_TEST

static int64_t cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void *cancel_soon(void *token)
{
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    bsk_token_cancel(token);
    return NULL;
}

START_TEST(a_wait_ends_in_its_time_and_the_longest_does_not_spin)
{
    bsk_token *t = made(NULL);
    ck_assert_int_eq(bsk_token_wait(t, 0), BSK_ETIMEDOUT);
    ck_assert_int_eq(bsk_token_wait(t, 5), BSK_ETIMEDOUT);
    ck_assert(!bsk_token_cancelled(t));
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, cancel_soon, t), 0);
    int64_t before = cpu_ms();
    ck_assert_int_eq(bsk_token_wait(t, INT64_MAX), 0);
    ck_assert_int_lt(cpu_ms() - before, 50);
    pthread_join(thread, NULL);
    bsk_token_drop(t);
}
END_TEST

START_TEST(a_token_that_was_never_made_is_dropped)
{
    bsk_token_drop(NULL);
    ck_assert_ptr_null(bsk_token_hold(NULL));
}
END_TEST

#define DEEP 100000

START_TEST(a_tree_of_any_depth_is_cancelled_and_dropped)
{
    bsk_token *top = made(NULL), *t = bsk_token_hold(top);
    for (int i = 0; i < DEEP; i++) {
        bsk_token *next = made(t);
        bsk_token_drop(t);
        t = next;
    }
    ck_assert(!bsk_token_cancelled(t));
    bsk_token_cancel(top);
    ck_assert(bsk_token_cancelled(t));
    bsk_token_drop(top);
    bsk_token_drop(t);
}
END_TEST

static bsk_token *shared;
static _Atomic bool quit;

static void *churn(void *arg)
{
    unsigned n = 0;
    ck_assert_ptr_null(arg);
    while (!quit) {
        bsk_token *a = made(shared), *b = made(a);
        bool parent_first = ++n % 2;
        if (parent_first) bsk_token_drop(a);
        if (n % 3 == 0) bsk_token_cancel(b);

        bsk_token_drop(b);
        if (!parent_first) bsk_token_drop(a);
        sched_yield();
    }
    return NULL;
}

START_TEST(children_come_and_go_on_many_threads_while_all_is_cancelled)
{
    pthread_t threads[4];
    shared = made(NULL);
    for (int i = 0; i < 4; i++) ck_assert_int_eq(pthread_create(&threads[i], NULL, churn, NULL), 0);
    for (int i = 0; i < 200; i++) {
        bsk_token *t = made(shared);
        bsk_token_cancel(t);
        ck_assert(!bsk_token_cancelled(shared));
        bsk_token_drop(t);
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    bsk_token_cancel(shared);
    bsk_token *late = made(shared);
    ck_assert(bsk_token_cancelled(late));
    quit = true;
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    bsk_token_drop(late);
    bsk_token_drop(shared);
}
END_TEST

/* Of scopes. */

static bsk_token *of_scope[3];

static void open_and_go(bsk_self *self)
{
    ck_assert_int_eq(bsk_token_wait(of_scope[0], 0), BSK_EINVAL);
    (void)!bsk_sleep(self, BSK_FOREVER);
}

static void tokens_of_scopes(bsk_self *self)
{
    bsk_scope *outer = bsk_scope_open(self, BSK_FOREVER), *inner = bsk_scope_open(self, 10);
    ck_assert(outer && inner);
    of_scope[0] = bsk_scope_token(outer);
    of_scope[1] = bsk_scope_token(inner);
    of_scope[2] = made(of_scope[1]);
    bsk_go(inner, open_and_go);
    ck_assert_int_eq(bsk_scope_join(inner), BSK_ETIMEDOUT);
    ck_assert(!bsk_token_cancelled(of_scope[0]));
    ck_assert(bsk_token_cancelled(of_scope[1]));
    ck_assert(bsk_token_cancelled(of_scope[2]));
    inner = bsk_scope_open(self, BSK_FOREVER);
    bsk_token *t = bsk_scope_token(inner), *late;
    bsk_scope_cancel(outer);
    ck_assert(bsk_token_cancelled(t));
    ck_assert(bsk_token_cancelled(of_scope[0]));
    late = bsk_scope_token(outer);
    ck_assert(bsk_token_cancelled(late));
    bsk_token_drop(late);
    bsk_token_drop(t);
    ck_assert_int_eq(bsk_scope_join(inner), BSK_ECANCELED);
    ck_assert_int_eq(bsk_scope_join(outer), BSK_ECANCELED);
    for (int i = 0; i < 3; i++) bsk_token_drop(of_scope[i]);
}

START_TEST(a_scopes_token_is_cancelled_with_it)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        bsk_rt *rt = bsk_start(.seed = seed, FIX_HOOKS);
        fix_born(bsk_spawn(rt, tokens_of_scopes));
        ck_assert_int_eq(bsk_wait(rt), 0);
    }
}
END_TEST

static void join_then_look(bsk_self *self)
{
    bsk_scope *s = bsk_scope_open(self, BSK_FOREVER);
    of_scope[0] = bsk_scope_token(s);
    ck_assert_int_eq(bsk_scope_join(s), 0);
    ck_assert(bsk_token_cancelled(of_scope[0]));
    bsk_token_drop(of_scope[0]);
}

START_TEST(nobody_waits_for_a_scope_that_is_gone)
{
    bsk_rt *rt = bsk_start(.seed = 1, FIX_HOOKS);
    fix_born(bsk_spawn(rt, join_then_look));
    ck_assert_int_eq(bsk_wait(rt), 0);
}
END_TEST

static void work_until_cancelled(bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(get, g) {
            fix_hit();
            ck_assert_int_eq(bsk_token_wait(of_scope[0], 60000), 0);
            bsk_reply(g, get, 7);
        }
    }
}

static void child_works(bsk_self *self)
{
    bsk_shield(self);
    const num *n = bsk_work_call(self, BSK_FOREVER, work_until_cancelled, get, 1);
    ck_assert(n && n->v == 7);
    bsk_unshield(self);
    fix_hit();
}

/* The owner's end is enough: the token is cancelled when its children are, not when they have
 * ended. */
static void end_with_work(bsk_self *self)
{
    bsk_scope *s = bsk_scope_open(self, BSK_FOREVER);
    of_scope[0] = bsk_scope_token(s);
    bsk_go(s, child_works, .shutdown_ms = BSK_FOREVER);
    while (fix_hits() < 1) ck_assert_int_eq(bsk_yield(self), 0);
}

START_TEST(work_that_watches_a_scopes_token_ends_with_the_owner)
{
    bsk_rt *rt = bsk_start(.workers = 2, .no_signals = true, FIX_HOOKS);
    fix_born(bsk_spawn(rt, end_with_work));
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_uint_eq(fix_hits(), 2);
    bsk_token_drop(of_scope[0]);
}
END_TEST

START_TEST(without_memory_there_is_no_token_and_nothing_is_lost)
{
    bsk_token *top = made(NULL);
    int64_t live = mem_live();
    mem_fail_at(1, 1);
    bsk_token *a = bsk_token_new(NULL), *b = bsk_token_new(top);
    mem_fail_at(0, 0);
    ck_assert_ptr_null(a);
    ck_assert_ptr_null(b);
    ck_assert_int_eq(mem_live(), live);
    bsk_token_drop(top);
}
END_TEST

FIX_MAIN("token", 30, a_cancel_wakes_all_who_wait_for_it_or_below_it,
         a_wait_ends_in_its_time_and_the_longest_does_not_spin,
         a_token_that_was_never_made_is_dropped, a_tree_of_any_depth_is_cancelled_and_dropped,
         children_come_and_go_on_many_threads_while_all_is_cancelled,
         a_scopes_token_is_cancelled_with_it, nobody_waits_for_a_scope_that_is_gone,
         work_that_watches_a_scopes_token_ends_with_the_owner,
         without_memory_there_is_no_token_and_nothing_is_lost)
