/* SPDX-License-Identifier: MIT */
/* check_error.c - codes, names and texts. */
#include "mailbox/mailbox.h"

#include <check.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define CODE(name, text) {BSK_##name, #name, text},
static const struct {
    int code;
    const char *name, *text;
} errors[] = {BSK_ERRORS(CODE)};

enum { ERRORS = sizeof errors / sizeof *errors };

START_TEST(every_code_has_its_name_and_text)
{
    ck_assert_int_eq(ERRORS, BSK_N_COUNT - 1);
    for (int i = 0; i < ERRORS; i++) {
        ck_assert_int_eq(errors[i].code, -1 - i);
        ck_assert_str_eq(bsk_errname(errors[i].code), errors[i].name);
        ck_assert_str_eq(bsk_strerror(errors[i].code), errors[i].text);
    }
}
END_TEST

START_TEST(names_and_texts_are_distinct)
{
    for (int i = 0; i < ERRORS; i++) {
        for (int k = 0; k < i; k++) {
            ck_assert_str_ne(errors[i].name, errors[k].name);
            ck_assert_str_ne(errors[i].text, errors[k].text);
        }
    }
}
END_TEST

START_TEST(zero_is_ok)
{
    ck_assert_int_eq(BSK_OK, 0);
    ck_assert_str_eq(bsk_errname(0), "OK");
    ck_assert_str_eq(bsk_strerror(0), "ok");
}
END_TEST

START_TEST(what_is_no_code_is_unknown)
{
    static const int none[] = {1, 2, INT_MAX, INT_MIN, INT_MIN + 1, -BSK_N_COUNT, -BSK_N_COUNT - 1};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        ck_assert_str_eq(bsk_errname(none[i]), "EUNKNOWN");
        ck_assert_str_eq(bsk_strerror(none[i]), "unknown error");
    }
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("error");
    tcase_add_test(tc, every_code_has_its_name_and_text);
    tcase_add_test(tc, names_and_texts_are_distinct);
    tcase_add_test(tc, zero_is_ok);
    tcase_add_test(tc, what_is_no_code_is_unknown);

    Suite *suite = suite_create("error");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
