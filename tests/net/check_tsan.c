/* SPDX-License-Identifier: MIT */
/* check_tsan.c - ThreadSanitizer sees what libuv closes: see tests/seen.c.
 *
 * ctest: only=tsan */
#include <check.h>
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <uv.h>

static atomic_int closed = -1;

static void *open_and_close(void *arg)
{
    uv_loop_t loop;
    uv_tcp_t tcp;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    (void)arg;
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(uv_tcp_init(&loop, &tcp), 0);
    ck_assert_int_eq(uv_tcp_open(&tcp, fd), 0);
    uv_close((uv_handle_t *)&tcp, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    /* Relaxed: so that the sanitizer takes it for no order between the two. */
    atomic_store_explicit(&closed, fd, memory_order_relaxed);
    while (atomic_load_explicit(&closed, memory_order_relaxed) >= 0) {
    }
    uv_loop_close(&loop);
    return NULL;
}

START_TEST(a_number_comes_again)
{
    pthread_t other;
    pthread_create(&other, NULL, open_and_close, NULL);
    int fd;
    while ((fd = atomic_load_explicit(&closed, memory_order_relaxed)) < 0) {
    }
    DIR *d = opendir(".");
    ck_assert_int_eq(dirfd(d), fd);
    closedir(d);
    atomic_store_explicit(&closed, -1, memory_order_relaxed);
    pthread_join(other, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tsan");
    TCase *tests = tcase_create("tsan");
    tcase_add_test(tests, a_number_comes_again);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
