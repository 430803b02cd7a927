/* SPDX-License-Identifier: MIT */
/* check_memory.c - where memory comes from: zeroed, aligned, given back, counted, and made to fail.
 *
 * ctest: valgrind */
#include "mailbox/memory.h"

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t page;

static void setup(void)
{
    page = (size_t)sysconf(_SC_PAGESIZE);
    mem_fail_at(0, 0);
}

static void teardown(void)
{
    mem_fail_at(0, 0);
    ck_assert_int_eq(mem_live(), 0);
    ck_assert_int_eq(mem_mapped(), 0);
}

static bool is_zero(const unsigned char *p, size_t n)
{
    while (n && *p == 0) p++, n--;
    return n == 0;
}

START_TEST(an_allocation_is_counted_until_it_is_freed)
{
    void *a = mem_alloc(10), *b = mem_zalloc(10), *c = mem_aligned(64, 10);
    ck_assert(a && b && c);
    ck_assert_int_eq(mem_live(), 3);
    mem_free(b);
    ck_assert_int_eq(mem_live(), 2);
    mem_free(a);
    mem_free(c);
    mem_free(NULL);
    ck_assert_int_eq(mem_live(), 0);
}
END_TEST

START_TEST(zalloc_is_zero)
{
    for (int i = 0; i < 10; i++) {
        unsigned char *p = mem_zalloc(1000);
        ck_assert_ptr_nonnull(p);
        ck_assert(is_zero(p, 1000));
        memset(p, 0xff, 1000);
        mem_free(p);
    }
}
END_TEST

START_TEST(aligned_is_aligned)
{
    for (size_t align = 16; align <= 4096; align *= 2) {
        char *p = mem_aligned(align, align / 2 + 1);
        ck_assert_ptr_nonnull(p);
        ck_assert_uint_eq((uintptr_t)p % align, 0);
        p[align / 2] = 1;
        mem_free(p);
    }
}
END_TEST

START_TEST(too_much_is_refused)
{
    ck_assert_ptr_null(mem_aligned(64, SIZE_MAX));
    ck_assert_ptr_null(mem_aligned(64, SIZE_MAX - 62));
    ck_assert_ptr_null(mem_map(SIZE_MAX, page));
    ck_assert_ptr_null(mem_map(SIZE_MAX - page, page));
    ck_assert_ptr_null(mem_map(SIZE_MAX / 2, page));
}
END_TEST

START_TEST(a_mapping_is_zero_and_aligned)
{
    size_t align = 256 * 1024;
    unsigned char *p[8];
    for (int i = 0; i < 8; i++) {
        p[i] = mem_map(align, align);
        ck_assert_ptr_nonnull(p[i]);
        ck_assert_uint_eq((uintptr_t)p[i] % align, 0);
        ck_assert(is_zero(p[i], align));
        memset(p[i], 0xff, align);
    }
    ck_assert_int_eq(mem_mapped(), 8 * (int64_t)align);
    for (int i = 0; i < 8; i++) mem_unmap(p[i], align);
    mem_unmap(NULL, align);
}
END_TEST

START_TEST(released_pages_read_as_zero)
{
    unsigned char *p = mem_map(4 * page, page);
    ck_assert_ptr_nonnull(p);
    memset(p, 0xff, 4 * page);
    mem_release(p + page, 2 * page);
    ck_assert(is_zero(p + page, 2 * page));
    ck_assert_int_eq(p[page - 1], 0xff);
    ck_assert_int_eq(p[3 * page], 0xff);
    mem_unmap(p, 4 * page);
}
END_TEST

/* How much the process has mapped, in pages. */
static long mapped_pages(void)
{
    long n = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f && fscanf(f, "%ld", &n) != 1) n = 0;
    if (f) fclose(f);
    return n;
}

START_TEST(a_part_of_a_page_is_unmapped_with_it)
{
    /* So that no first time is in the figures. */
    mem_unmap(mem_map(page + 4, page), page + 4);
    long before = mapped_pages();
    for (int i = 0; i < 100; i++) {
        char *p = mem_map(page + 4, page);
        ck_assert_ptr_nonnull(p);
        p[page + 3] = 1;
        mem_unmap(p, page + 4);
    }
    ck_assert_int_le(mapped_pages() - before, 50);
}
END_TEST

START_TEST(a_text_is_copied)
{
    char text[] = "tragedy";
    char *copy = mem_text(text), *empty = mem_text("");
    ck_assert(copy && empty && copy != text);
    text[0] = 'T';
    ck_assert_str_eq(copy, "tragedy");
    ck_assert_str_eq(empty, "");
    mem_free(copy);
    mem_free(empty);
}
END_TEST

static bool succeeds(void)
{
    void *p = mem_alloc(8);
    mem_free(p);
    return p != NULL;
}

START_TEST(the_nth_allocation_fails)
{
    mem_fail_at(3, 0);
    ck_assert(succeeds());
    ck_assert(succeeds());
    ck_assert(!succeeds());
    ck_assert(succeeds());
}
END_TEST

START_TEST(all_from_the_nth_on_fail_until_told_otherwise)
{
    mem_fail_at(2, 1);
    ck_assert(succeeds());
    for (int i = 0; i < 10; i++) ck_assert(!succeeds());
    mem_fail_at(0, 0);
    ck_assert(succeeds());
}
END_TEST

START_TEST(every_kind_is_asked_for_and_can_fail)
{
    mem_fail_at(1, 1);
    uint64_t asked = mem_asked();
    ck_assert_ptr_null(mem_alloc(1));
    ck_assert_ptr_null(mem_zalloc(1));
    ck_assert_ptr_null(mem_aligned(64, 1));
    ck_assert_ptr_null(mem_map(page, page));
    ck_assert_ptr_null(mem_text("text"));
    ck_assert_uint_eq(mem_asked() - asked, 5);
    ck_assert_int_eq(mem_live(), 0);
    ck_assert_int_eq(mem_mapped(), 0);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("memory");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, an_allocation_is_counted_until_it_is_freed);
    tcase_add_test(tc, zalloc_is_zero);
    tcase_add_test(tc, aligned_is_aligned);
    tcase_add_test(tc, too_much_is_refused);
    tcase_add_test(tc, a_mapping_is_zero_and_aligned);
    tcase_add_test(tc, released_pages_read_as_zero);
    tcase_add_test(tc, a_part_of_a_page_is_unmapped_with_it);
    tcase_add_test(tc, a_text_is_copied);
    tcase_add_test(tc, the_nth_allocation_fails);
    tcase_add_test(tc, all_from_the_nth_on_fail_until_told_otherwise);
    tcase_add_test(tc, every_kind_is_asked_for_and_can_fail);

    Suite *suite = suite_create("memory");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
