/* SPDX-License-Identifier: MIT */
/* check_observability.c - the case of what the log says about an actor that failed.
 *
 * ctest: valgrind */
#include "conformance.h"

#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES 1024

static char reason[6000];
static bsk_addr failed;
static int failed_at;

static void fail_with_reason(bsk_self *self)
{
    failed = bsk_me(self);
    failed_at = __LINE__ + 1;
    bsk_fail(self, "%s", reason);
}

/* The line has to have the name, the address, the beginning of the reason and the place. */
static void expect_report(const char *name)
{
    char who[128], place[512];
    snprintf(who, sizeof who, "%s%s<%u.%u> failed: ", name, *name ? " " : "", failed.slot,
             failed.gen);
    snprintf(place, sizeof place, "%s:%d", __FILE__, failed_at);
    ck_assert_msg(strncmp(logged(), who, strlen(who)) == 0, "'%s' is not '%s...'", logged(), who);
    size_t n = strlen(reason) < 500 ? strlen(reason) : 500;
    ck_assert_int_eq(strncmp(logged() + strlen(who), reason, n), 0);
    ck_assert_msg(strstr(logged(), place), "'%s' does not name %s", logged(), place);
    ck_assert_uint_lt(strlen(logged()), LINE_MAX_BYTES);
}

START_TEST(SUP_126_the_report_of_a_failure_names_who_why_and_where_within_its_limit)
{
    static const size_t lengths[] = {4, 255, 256, 900, 1023, 1024, 5999};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        memset(reason, 'a' + (int)i, sizeof reason);
        reason[lengths[i]] = '\0';
        char longest[BSK_NAME_MAX + 1] = "";
        memset(longest, 'n', BSK_NAME_MAX);
        const char *names[] = {"", "worker", longest};
        for (int j = 0; j < 3; j++) {
            bsk_rt *rt = start_seeded(1 + i);
            bsk_spawn(rt, fail_with_reason, .name = *names[j] ? names[j] : NULL);
            ck_assert_int_eq(bsk_wait(rt), 1);
            expect_report(names[j]);
        }
    }
}
END_TEST

static void supervise_a_failure(bsk_self *self)
{
    bsk_supervise(bsk_rt_of(self), BSK_SUP(.name = "overseer", .intensity = BSK_NONE),
                  bsk_child(fail_with_reason, .id = "the child"));
    bsk_sleep(self, 10);
}

/* Its supervisor reports it, too, and says what comes of it. */
START_TEST(SUP_126_the_report_of_a_supervisor_names_it_the_child_and_why_within_its_limit)
{
    memset(reason, 'x', sizeof reason - 1);
    ck_assert_int_eq(run_seeded(1, supervise_a_failure), 1);
    ck_assert_int_eq(strncmp(logged(), "overseer <", strlen("overseer <")), 0);
    ck_assert_ptr_nonnull(strstr(logged(), "> gave up: child the child: failed: xxxxxxxxxx"));
    ck_assert_uint_lt(strlen(logged()), LINE_MAX_BYTES);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("observability");
    tcase_add_test(t,
                   SUP_126_the_report_of_a_supervisor_names_it_the_child_and_why_within_its_limit);
    tcase_add_test(t, SUP_126_the_report_of_a_failure_names_who_why_and_where_within_its_limit);
    return run_suite("observability", t, 20);
}
