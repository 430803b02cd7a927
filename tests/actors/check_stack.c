/* SPDX-License-Identifier: MIT */
/* check_stack.c - the pool of stacks: sizes, guards, reuse, memory given back, want of memory.
 *
 * ctest: valgrind */
#include "actors/stack.h"
#include "actors/switch.h"
#include "mailbox/mailbox.h"
#include "mailbox/memory.h"

#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#if !defined(RUNNING_ON_VALGRIND)
#define RUNNING_ON_VALGRIND 0
#endif

#define KIB ((size_t)1024)
#define MIB (KIB * KIB)

static struct stk_pool pool;
static size_t page;

static void setup(void)
{
    page = (size_t)sysconf(_SC_PAGESIZE);
    ck_assert_int_eq(stk_pool_init(&pool), 0);
}

static void teardown(void)
{
    stk_pool_fini(&pool);
    ck_assert_int_eq(mem_mapped(), 0);
    ck_assert_int_eq(mem_live(), 0);
}

static struct stk get(size_t size)
{
    struct stk s = {NULL, 0};
    ck_assert_int_eq(stk_get(&pool, size, &s), 0);
    ck_assert_ptr_nonnull(s.low);
    return s;
}

/* Asks the kernel, which answers where a program would fault. */
static bool readable(const void *at)
{
    int fd[2];
    ck_assert_int_eq(pipe(fd), 0);
    bool yes = write(fd[1], at, 1) == 1;
    close(fd[0]);
    close(fd[1]);
    return yes;
}

static bool guarded(struct stk s)
{
    return !readable((char *)s.low - 1) && !readable((char *)s.low - page);
}

static size_t resident(void)
{
    char text[128] = {0};
    unsigned long pages = 0;
    int fd = open("/proc/self/statm", O_RDONLY);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_gt(read(fd, text, sizeof text - 1), 0);
    close(fd);
    ck_assert_int_eq(sscanf(text, "%*u %lu", &pages), 1);
    return pages * page;
}

START_TEST(a_size_is_rounded_up_to_its_class)
{
    for (size_t class = 16 * KIB; class <= 64 * MIB; class *= 2) {
        size_t ask[] = {class / 2 + 1, class - 1, class};
        for (size_t i = 0; i < 3; i++) {
            struct stk s = get(ask[i]);
            ck_assert_uint_eq(s.size, class - page);
            ck_assert_uint_eq((uintptr_t)s.low % page, 0);
            ((char *)s.low)[0] = 1;
            ((char *)s.low)[s.size - 1] = 1;
            stk_put(&pool, s);
        }
    }
    struct stk least = get(0);
    ck_assert_uint_eq(least.size, 16 * KIB - page);
}
END_TEST

START_TEST(what_is_too_large_is_refused)
{
    struct stk s = {&pool, 7};
    ck_assert_int_eq(stk_get(&pool, 64 * MIB + 1, &s), BSK_EINVAL);
    ck_assert_int_eq(stk_get(&pool, SIZE_MAX, &s), BSK_EINVAL);
    ck_assert_ptr_eq(s.low, &pool);
    ck_assert_uint_eq(s.size, 7);
    ck_assert_uint_eq(stk_mapped(&pool), 0);
}
END_TEST

START_TEST(the_stack_put_last_comes_first_with_what_it_holds)
{
    struct stk s[10];
    for (int i = 0; i < 10; i++) {
        s[i] = get(64 * KIB);
        *(int *)s[i].low = i;
    }
    for (int i = 0; i < 10; i++) stk_put(&pool, s[i]);
    for (int i = 9; i >= 0; i--) {
        struct stk again = get(64 * KIB);
        ck_assert_ptr_eq(again.low, s[i].low);
        ck_assert_int_eq(*(int *)again.low, i);
    }
}
END_TEST

START_TEST(a_class_does_not_take_from_another)
{
    struct stk small = get(16 * KIB);
    stk_put(&pool, small);
    struct stk large = get(32 * KIB);
    ck_assert_uint_eq(large.size, 32 * KIB - page);
    ck_assert_ptr_ne(large.low, small.low);
}
END_TEST

START_TEST(mapped_counts_what_may_be_touched)
{
    struct stk a = get(64 * KIB), b = get(MIB);
    ck_assert_uint_eq(stk_mapped(&pool), a.size + b.size);
    stk_put(&pool, a);
    ck_assert_uint_eq(stk_mapped(&pool), a.size + b.size);
    stk_trim(&pool);
    ck_assert_uint_eq(stk_mapped(&pool), b.size);
    stk_put(&pool, b);
    stk_trim(&pool);
    ck_assert_uint_eq(stk_mapped(&pool), 0);
}
END_TEST

static int ended_by(pid_t child)
{
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

START_TEST(a_write_below_a_stack_faults)
{
    struct stk above = get(64 * KIB), s = get(64 * KIB);
    ck_assert(guarded(above) && guarded(s));
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        *(volatile char *)s.low = 1;
        ((volatile char *)s.low)[-1] = 1;
        _exit(0);
    }
    ck_assert_int_eq(ended_by(child), SIGSEGV);
}
END_TEST

/* Without end, as far as the compiler can tell. */
static volatile int endless = 1;

static int overflow(int depth)
{
    volatile char frame[256];
    memset((void *)frame, depth, sizeof frame);
    return (endless ? overflow(depth + 1) : 0) + frame[7];
}

static void run_over(void *arg)
{
    (void)arg;
    _exit(overflow(0));
}

START_TEST(a_fiber_that_overflows_faults)
{
    struct stk s = get(64 * KIB);
    pid_t child = fork();
    if (child == 0) {
        struct fib_context me, fiber;
        signal(SIGSEGV, SIG_DFL);
        fib_adopt(&me);
        fib_make(&fiber, s.low, s.size, run_over, NULL);
        fib_switch(&me, &fiber);
    }
    ck_assert_int_eq(ended_by(child), SIGSEGV);
}
END_TEST

START_TEST(the_kind_of_guard_is_named)
{
    struct stk s = get(64 * KIB);
    const char *kind = stk_guard_kind(&pool);
    bool none = strcmp(kind, "none") == 0;
    ck_assert(none || strcmp(kind, "guard pages") == 0 || strcmp(kind, "guard regions") == 0);
    ck_assert(guarded(s) == !none);
}
END_TEST

START_TEST(guards_outlive_trimming_and_reuse)
{
    struct stk keep = get(64 * KIB), s[20];
    for (int i = 0; i < 20; i++) s[i] = get(64 * KIB);
    for (int i = 0; i < 20; i++) stk_put(&pool, s[i]);
    stk_trim(&pool);
    ck_assert(guarded(keep));
    for (int i = 0; i < 25; i++) ck_assert(guarded(get(64 * KIB)));
}
END_TEST

/* Maps would run out at about 32,700 guard pages: from 30,000 on the stacks go without. */
START_TEST(guard_pages_stop_short_of_the_limit_of_mappings)
{
    enum { ALL = 30100 };
    struct stk *s = calloc(ALL, sizeof *s);
    pool.guards = STK_GUARD_PAGES;
    ck_assert_str_eq(stk_guard_kind(&pool), "guard pages");
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < ALL; i++) s[i] = get(16 * KIB);
        ck_assert(guarded(s[0]) && guarded(s[29999]));
        ck_assert(!guarded(s[30000]) && !guarded(s[ALL - 1]));
        for (int i = 0; i < ALL; i++) stk_put(&pool, s[i]);
        stk_trim(&pool);
    }
    free(s);
}
END_TEST

START_TEST(without_guards_stacks_are_given_all_the_same)
{
    pool.guards = STK_NO_GUARDS;
    ck_assert_str_eq(stk_guard_kind(&pool), "none");
    ck_assert(!guarded(get(64 * KIB)));
}
END_TEST

START_TEST(trimming_gives_memory_back)
{
    enum { ALL = 500 };
    static struct stk s[ALL];
    struct stk keep = get(64 * KIB);
    memset(keep.low, 7, keep.size);
    for (int i = 0; i < ALL; i++) {
        s[i] = get(64 * KIB);
        memset(s[i].low, 1, s[i].size);
    }
    for (int i = 0; i < ALL; i++) stk_put(&pool, s[i]);
    size_t before = resident(), held = ALL * s[0].size;
    stk_trim(&pool);
    ck_assert_uint_lt(resident() + held * 9 / 10, before);
    ck_assert_int_eq(((char *)keep.low)[keep.size - 1], 7);
    struct stk again = get(64 * KIB);
    ck_assert_int_eq(((char *)again.low)[again.size - 1], 0);
}
END_TEST

START_TEST(trimming_unmaps_regions_that_are_idle)
{
    struct stk s[3][5];
    int64_t empty = mem_mapped();
    for (int i = 0; i < 5; i++) s[0][i] = get(32 * MIB);
    for (int i = 0; i < 5; i++) s[1][i] = get(64 * MIB);
    for (int i = 0; i < 5; i++) s[2][i] = get(16 * KIB);
    int64_t all = mem_mapped();
    ck_assert_int_gt(all, 9 * (int64_t)(64 * MIB));
    stk_put(&pool, s[1][1]);
    stk_put(&pool, s[1][3]);
    stk_put(&pool, s[0][0]);
    stk_trim(&pool);
    ck_assert_int_lt(mem_mapped(), all - 2 * (int64_t)(64 * MIB));
    ck_assert_int_gt(mem_mapped(), all - 3 * (int64_t)(64 * MIB));
    ck_assert_ptr_eq(get(32 * MIB).low, s[0][0].low);
    stk_put(&pool, s[0][0]);
    for (int i = 0; i < 5; i++) stk_put(&pool, s[2][i]);
    for (int i = 1; i < 5; i++) stk_put(&pool, s[0][i]);
    for (int i = 0; i < 5; i += 2) stk_put(&pool, s[1][i]);
    stk_trim(&pool);
    stk_trim(&pool);
    ck_assert_int_eq(mem_mapped(), empty);
    get(16 * KIB);
}
END_TEST

START_TEST(a_hundred_thousand_stacks_live_at_once)
{
    size_t all = RUNNING_ON_VALGRIND ? 2000 : 100000;
    struct stk *s = calloc(all, sizeof *s);
    for (size_t i = 0; i < all; i++) {
        s[i] = get(64 * KIB);
        memcpy((char *)s[i].low + s[i].size - sizeof i, &i, sizeof i);
    }
    for (size_t i = 0; i < all; i++)
        ck_assert(memcmp((char *)s[i].low + s[i].size - sizeof i, &i, sizeof i) == 0);
    for (size_t i = 0; i < all; i++) ck_assert((i % 997) || guarded(s[i]));
    ck_assert_uint_eq(stk_mapped(&pool), all * s[0].size);
    size_t full = resident();
    for (size_t i = 0; i < all; i++) stk_put(&pool, s[i]);
    stk_trim(&pool);
    ck_assert_uint_lt(resident(), full - all * page * 9 / 10);
    free(s);
}
END_TEST

START_TEST(want_of_memory_leaves_nothing_half_made)
{
    struct stk_pool other;
    struct stk s = {&pool, 7};
    int64_t before = mem_mapped();
    mem_fail_at(1, 0);
    ck_assert_int_eq(stk_pool_init(&other), BSK_ENOMEM);
    ck_assert_int_eq(mem_mapped(), before);
    mem_fail_at(1, 0);
    ck_assert_int_eq(stk_get(&pool, 64 * KIB, &s), BSK_ENOMEM);
    ck_assert_ptr_eq(s.low, &pool);
    ck_assert_uint_eq(s.size, 7);
    ck_assert_int_eq(mem_mapped(), before);
    ck_assert_uint_eq(stk_mapped(&pool), 0);
    stk_put(&pool, get(64 * KIB));
}
END_TEST

START_TEST(what_is_pooled_needs_no_memory_to_get)
{
    struct stk s = {NULL, 0};
    struct stk a = get(64 * MIB), b = get(16 * KIB);
    stk_put(&pool, a);
    mem_fail_at(1, 1);
    ck_assert_int_eq(stk_get(&pool, 64 * MIB, &s), 0);
    ck_assert_int_eq(stk_get(&pool, 16 * KIB, &s), 0);
    ck_assert_int_eq(stk_get(&pool, 64 * MIB, &s), BSK_ENOMEM);
    ck_assert_ptr_eq((char *)s.low - 16 * KIB, b.low);
    mem_fail_at(0, 0);
}
END_TEST

static unsigned char *first(struct stk s)
{
    return s.low;
}

static unsigned char *last(struct stk s)
{
    return first(s) + s.size - 1;
}

/* Each marks both ends of what it holds, and finds its marks there when it puts it back. */
static void *use_at_random(void *arg)
{
    unsigned id = *(unsigned *)arg, r = id;
    struct stk held[32] = {{NULL, 0}};
    for (int i = 0; i < 3000; i++) {
        r = r * 1664525 + 1013904223;
        struct stk *s = &held[r >> 27];
        if (s->low) {
            if (*first(*s) != id || *last(*s) != id) return NULL;
            stk_put(&pool, *s);
            s->low = NULL;
        } else {
            if (stk_get(&pool, (size_t)16 * KIB << ((r >> 20) & 7), s) != 0) return NULL;
            *first(*s) = *last(*s) = (unsigned char)id;
        }
        if ((r >> 8) % 256 == 0) stk_trim(&pool);
    }
    for (int i = 0; i < 32; i++)
        if (held[i].low) stk_put(&pool, held[i]);
    return arg;
}

START_TEST(threads_get_put_and_trim_at_once)
{
    pthread_t thread[4];
    unsigned id[4];
    for (unsigned i = 0; i < 4; i++) {
        id[i] = i + 1;
        ck_assert_int_eq(pthread_create(&thread[i], NULL, use_at_random, &id[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *done = NULL;
        pthread_join(thread[i], &done);
        ck_assert_ptr_eq(done, &id[i]);
    }
    stk_trim(&pool);
    ck_assert_uint_eq(stk_mapped(&pool), 0);
    ck_assert_int_eq(mem_mapped(), 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("stack");
    TCase *t = tcase_create("pool");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_size_is_rounded_up_to_its_class);
    tcase_add_test(t, what_is_too_large_is_refused);
    tcase_add_test(t, the_stack_put_last_comes_first_with_what_it_holds);
    tcase_add_test(t, a_class_does_not_take_from_another);
    tcase_add_test(t, mapped_counts_what_may_be_touched);
    tcase_add_test(t, a_write_below_a_stack_faults);
    tcase_add_test(t, a_fiber_that_overflows_faults);
    tcase_add_test(t, the_kind_of_guard_is_named);
    tcase_add_test(t, guards_outlive_trimming_and_reuse);
    if (!RUNNING_ON_VALGRIND) /* which has room for fewer mappings than the kernel */
        tcase_add_test(t, guard_pages_stop_short_of_the_limit_of_mappings);
    tcase_add_test(t, without_guards_stacks_are_given_all_the_same);
    tcase_add_test(t, trimming_gives_memory_back);
    tcase_add_test(t, trimming_unmaps_regions_that_are_idle);
    tcase_add_test(t, a_hundred_thousand_stacks_live_at_once);
    tcase_add_test(t, want_of_memory_leaves_nothing_half_made);
    tcase_add_test(t, what_is_pooled_needs_no_memory_to_get);
    tcase_add_test(t, threads_get_put_and_trim_at_once);
    suite_add_tcase(s, t);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
