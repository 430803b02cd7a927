/* SPDX-License-Identifier: MIT */
/* check_blob.c - counted bytes: copied or taken over, freed by the last drop, on any thread. */
#include "mailbox/mailbox.h"
#include "mailbox/memory.h"
#include "tests/sanitizers.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void teardown(void)
{
    mem_fail_at(0, 0);
    ck_assert_int_eq(mem_live(), 0);
}

START_TEST(new_copies)
{
    char text[] = "sock and buskin";
    bsk_blob *b = bsk_blob_new(text, sizeof text);
    ck_assert_ptr_nonnull(b);
    text[0] = 'X';
    bsk_bytes bytes = bsk_blob_bytes(b);
    ck_assert_uint_eq(bytes.len, sizeof text);
    ck_assert_str_eq(bytes.ptr, "sock and buskin");
    ck_assert_uint_eq((uintptr_t)bytes.ptr % 16, 0);
    bsk_blob_drop(b);
}
END_TEST

START_TEST(a_blob_may_be_empty)
{
    bsk_blob *b = bsk_blob_new(NULL, 0), *c = bsk_blob_new("", 0);
    ck_assert(b && c);
    ck_assert_uint_eq(bsk_blob_bytes(b).len, 0);
    ck_assert_uint_eq(bsk_blob_bytes(c).len, 0);
    bsk_blob_drop(b);
    bsk_blob_drop(c);
}
END_TEST

START_TEST(the_last_drop_frees)
{
    bsk_blob *b = bsk_blob_new("abc", 3);
    for (int i = 0; i < 5; i++) ck_assert_ptr_eq(bsk_blob_hold(b), b);
    for (int i = 0; i < 5; i++) {
        bsk_blob_drop(b);
        ck_assert_mem_eq(bsk_blob_bytes(b).ptr, "abc", 3);
    }
    ck_assert_int_eq(mem_live(), 1);
    bsk_blob_drop(b);
    ck_assert_int_eq(mem_live(), 0);
}
END_TEST

START_TEST(null_passes_through)
{
    ck_assert_ptr_null(bsk_blob_hold(NULL));
    bsk_blob_drop(NULL);
}
END_TEST

static int undone;
static void *undone_data, *undone_arg;

static void undo(void *data, void *arg)
{
    undone++;
    undone_data = data;
    undone_arg = arg;
}

START_TEST(what_was_taken_over_is_undone_by_the_last_drop)
{
    char data[4] = "abc";
    int arg = 0;
    bsk_blob *b = bsk_blob_take(data, sizeof data, undo, &arg);
    ck_assert_ptr_nonnull(b);
    ck_assert_ptr_eq(bsk_blob_bytes(b).ptr, data);
    bsk_blob_hold(b);
    bsk_blob_drop(b);
    ck_assert_int_eq(undone, 0);
    bsk_blob_drop(b);
    ck_assert_int_eq(undone, 1);
    ck_assert_ptr_eq(undone_data, data);
    ck_assert_ptr_eq(undone_arg, &arg);
}
END_TEST

START_TEST(what_was_taken_over_may_need_no_undo)
{
    static const char constant[] = "constant";
    bsk_blob *b = bsk_blob_take((void *)(uintptr_t)constant, sizeof constant, NULL, NULL);
    ck_assert_ptr_nonnull(b);
    bsk_blob_drop(b);
}
END_TEST

START_TEST(want_of_memory_leaves_the_data_the_callers)
{
    char data[4] = "abc";
    mem_fail_at(1, 1);
    ck_assert_ptr_null(bsk_blob_new(data, sizeof data));
    ck_assert_ptr_null(bsk_blob_take(data, sizeof data, undo, NULL));
    ck_assert_ptr_null(bsk_blob_new(data, SIZE_MAX));
    ck_assert_ptr_null(bsk_blob_new(data, SIZE_MAX - 8));
    ck_assert_int_eq(undone, 0);
}
END_TEST

enum { THREADS = 4, TURNS = 20000 };

static void *hold_and_drop(void *arg)
{
    bsk_blob *b = arg;
    long sum = 0;
    for (int i = 0; i < TURNS; i++) {
        bsk_blob_hold(b);
        sum += *(const char *)bsk_blob_bytes(b).ptr;
        bsk_blob_drop(b);
    }
    bsk_blob_drop(b);
    return sum == (long)TURNS * 'a' ? b : NULL;
}

static void scribble(void *data, void *arg)
{
    undo(data, arg);
    memset(data, 0, 4);
}

START_TEST(threads_share_a_blob)
{
    char data[4] = "abc";
    pthread_t threads[THREADS];
    bsk_blob *b = bsk_blob_take(data, sizeof data, scribble, NULL);
    for (int i = 0; i < THREADS; i++) {
        bsk_blob_hold(b);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, hold_and_drop, b), 0);
    }
    bsk_blob_drop(b);
    for (int i = 0; i < THREADS; i++) {
        void *right;
        pthread_join(threads[i], &right);
        ck_assert_ptr_nonnull(right);
    }
    ck_assert_int_eq(undone, 1);
    ck_assert_int_eq(data[0], 0);
}
END_TEST

#if !defined(NDEBUG)
static void drop_twice(size_t len)
{
    char data[4096] = "abc";
    bsk_blob *b = bsk_blob_new(data, len);
    bsk_blob_drop(b);
    bsk_blob_drop(b);
    _exit(0);
}

/* Runs it in a child, whose last words are returned in `said`, and returns the child's status. */
static int status_of_dropping_twice(size_t len, char *said, size_t size)
{
    int ends[2], status;
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        drop_twice(len);
    }
    close(ends[1]);
    ssize_t n = read(ends[0], said, size - 1);
    said[n > 0 ? n : 0] = '\0';
    close(ends[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return status;
}

START_TEST(a_drop_too_many_is_caught_in_a_debug_build)
{
    static const size_t lengths[] = {0, 3, 100, 4000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        char said[512];
        int status = status_of_dropping_twice(lengths[i], said, sizeof said);
        ck_assert(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
#if !SANITIZED /* which catch it first, with words of their own */
        ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        ck_assert_ptr_nonnull(strstr(said, "blob was dropped once too often"));
#endif
    }
}
END_TEST
#endif

int main(void)
{
    TCase *tc = tcase_create("blob");
    tcase_set_timeout(tc, 30);
    tcase_add_checked_fixture(tc, NULL, teardown);
    tcase_add_test(tc, new_copies);
    tcase_add_test(tc, a_blob_may_be_empty);
    tcase_add_test(tc, the_last_drop_frees);
    tcase_add_test(tc, null_passes_through);
    tcase_add_test(tc, what_was_taken_over_is_undone_by_the_last_drop);
    tcase_add_test(tc, what_was_taken_over_may_need_no_undo);
    tcase_add_test(tc, want_of_memory_leaves_the_data_the_callers);
    tcase_add_test(tc, threads_share_a_blob);
#if !defined(NDEBUG)
    tcase_add_test(tc, a_drop_too_many_is_caught_in_a_debug_build);
#endif

    Suite *suite = suite_create("blob");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
