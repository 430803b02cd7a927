/* SPDX-License-Identifier: MIT */
/* Commands are read alike in whatever pieces they come.
 * with: protocol.c buffer.c */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "bounds.h"
#include "protocol.h"

static struct parser p;

static void setup(void)
{
    parser_init(&p);
}

static void teardown(void)
{
    parser_fini(&p);
    scratch_fini();
}

/* Reads all commands of the text, which comes `step` bytes at a time, and writes their arguments
 * into `to`: "a,b;c;" or "!error". */
static void read_all(const char *text, size_t n, size_t step, struct buffer *to)
{
    size_t from = 0, have = 0, used;
    const char *error = "";
    while (have < n) {
        have = have + step < n ? have + step : n;
        /* A copy of just what has come: reading further is an error that tools see. */
        char *bytes = malloc(have - from);
        memcpy(bytes, text + from, have - from);
        size_t at = 0;
        enum parsed r;
        while ((r = parser_next(&p, bytes + at, have - from - at, &used, &error)) ==
                   PARSED_COMMAND ||
               r == PARSED_EMPTY) {
            for (uint32_t i = 0; r == PARSED_COMMAND && i < p.argc; i++) {
                struct arg a = parser_arg(&p, bytes + at, i);
                if (i) buffer_add(to, ",", 1);
                buffer_add(to, a.at, a.len);
            }
            if (r == PARSED_COMMAND) buffer_add(to, ";", 1);
            at += used;
        }
        from += at;
        free(bytes);
        if (r == PARSED_BAD) {
            buffer_add(to, "!", 1);
            buffer_text(to, error);
            return;
        }
    }
}

static const struct {
    const char *text, *read;
} cases[] = {
    {"*1\r\n$4\r\nPING\r\n", "PING;"},
    {"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$0\r\n\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n", "SET,a,;GET,a;"},
    {"*6\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n5\r\n$1\r\n6\r\n", "1,2,3,4,5,6;"},
    {"*0\r\n*-1\r\n\r\n  \r\nPING\r\n", "PING;"},
    {"set a 'b c' \"d\\x41\\n\"\nget a\r\n", "set,a,b c,dA\n;get,a;"},
    {"echo ''\r\n", "echo,;"},
    {"echo 'it\\'s'\r\n", "echo,it's;"},
    {"echo \"a\r\n", "!unbalanced quotes in request"},
    {"echo 'a'b\r\n", "!unbalanced quotes in request"},
    {"*1\r\n#4\r\nPING\r\n", "!expected '$', got '#'"},
    {"*x\r\n", "!invalid multibulk length"},
    {"*1048577\r\n", "!invalid multibulk length"},
    {"*1\r\n$-1\r\n", "!invalid bulk length"},
    {"*1\r\n$67108865\r\n", "!invalid bulk length"},
};

START_TEST(commands_come_in_pieces_of_any_size)
{
    size_t n = strlen(cases[_i].text);
    for (size_t step = 1; step <= n; step++) {
        struct buffer got = {0};
        parser_fini(&p);
        read_all(cases[_i].text, n, step, &got);
        buffer_add(&got, "", 1);
        ck_assert_str_eq(got.at, cases[_i].read);
        buffer_free(&got);
    }
}
END_TEST

START_TEST(lines_have_a_bound)
{
    char *line = malloc(LINE_LEN_MAX + 100);
    const char *error = NULL;
    size_t used;
    for (int i = 0; i < 3; i++) {
        memset(line, '1', LINE_LEN_MAX + 100);
        if (i == 1) memcpy(line, "*", 1);
        if (i == 2) memcpy(line, "*1\r\n$", 5);
        parser_fini(&p);
        ck_assert_int_eq(parser_next(&p, line, LINE_LEN_MAX + 100, &used, &error), PARSED_BAD);
    }
    ck_assert_str_eq(error, "too big bulk count string");
    free(line);
}
END_TEST

START_TEST(numbers_are_read_as_redis_does)
{
    int64_t n = 0;
    ck_assert(number_read("9223372036854775807", 19, &n) && n == INT64_MAX);
    ck_assert(number_read("-9223372036854775808", 20, &n) && n == INT64_MIN);
    ck_assert(number_read("0", 1, &n) && n == 0);
    const char *wrong[] = {"",   "-",   "+1",  "01",
                           "-0", " 1",  "1 ",  "9223372036854775808",
                           "1x", "--1", "0x1", "-9223372036854775809"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert(!number_read(wrong[i], strlen(wrong[i]), &n));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("protocol");
    TCase *t = tcase_create("protocol");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, commands_come_in_pieces_of_any_size, 0,
                        (int)(sizeof cases / sizeof *cases));
    tcase_add_test(t, lines_have_a_bound);
    tcase_add_test(t, numbers_are_read_as_redis_does);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
