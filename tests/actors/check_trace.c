/* SPDX-License-Identifier: MIT */
/* check_trace.c - events, dead letters, log lines. */
#include "fixture.h"

static bsk_rt *rt;

static void idle(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(get, g) bsk_reply(g, get, .v = g->v);
        bsk_on(num, n) continue;
        bsk_on(stop_it, s) bsk_exit(self);
    }
}

/* Log lines. */

START_TEST(dead_letters_are_logged_once_a_second)
{
    rt = bsk_start(.seed = 1, FIX_HOOKS);
    bsk_addr a = fix_born(bsk_spawn(rt, idle, .mailbox = 1));
    ck_assert_int_eq(bsk_try(a, num, 1), 0);
    for (int i = 0; i < 10000; i++) bsk_tell(a, other, i);
    ck_assert_uint_eq(fix_lines("dead letter"), 1);
    ck_assert_uint_eq(fix_lines("other"), 1);
    ck_assert_uint_eq(fix_lines("refused"), 1);
    bsk_advance(rt, 999);
    ck_assert_int_eq(bsk_try(a, num, 1), 0);
    bsk_tell(a, other, 1);
    ck_assert_uint_eq(fix_lines("dead letter"), 1);
    bsk_advance(rt, 1);
    for (int i = 0; i < 100; i++) bsk_tell(a, other, 1);
    ck_assert_uint_eq(fix_lines("dead letter"), 2);
    for (int s = 0; s < 10; s++) {
        for (int i = 0; i < 10; i++) {
            bsk_advance(rt, 100);
            for (int k = 0; k < 3; k++) bsk_tell(a, other, i);
        }
    }
    ck_assert_uint_ge(fix_lines("dead letter"), 11);
    ck_assert_uint_le(fix_lines("dead letter"), 13);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(a_quiet_runtime_counts_and_does_not_log_them)
{
    rt = bsk_start(.seed = 1, .quiet = true, FIX_HOOKS);
    bsk_addr a = fix_born(bsk_spawn(rt, idle, .mailbox = 1));
    for (int i = 0; i < 5; i++) bsk_tell(a, other, i);
    ck_assert_uint_eq(fix_lines("dead letter"), 0);
    ck_assert_uint_eq(fix_dead(&other_bsk, BSK_DEAD_REFUSED), 4);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(what_a_stopping_runtime_leaves_is_not_logged)
{
    rt = bsk_start(.seed = 1, FIX_HOOKS);
    bsk_addr a = fix_born(bsk_spawn(rt, idle));
    for (int i = 0; i < 5; i++) bsk_tell(a, other, i);
    fix_stop(rt, 0);
    ck_assert_uint_eq(fix_lines("dead letter"), 0);
    ck_assert_uint_eq(
        fix_dead(&other_bsk, BSK_DEAD_UNHANDLED) + fix_dead(&other_bsk, BSK_DEAD_UNMATCHED), 5);
}
END_TEST

START_TEST(each_reason_of_a_dead_letter_has_a_name)
{
    const char *names[] = {"gone",      "refused", "dropped", "unhandled",
                           "unmatched", "expired", "late",    "out of memory"};
    for (int i = 0; i < BSK_DEAD_COUNT; i++)
        ck_assert_str_eq(bsk_dead_name((enum bsk_dead)i), names[i]);
    ck_assert_str_eq(bsk_dead_name(BSK_DEAD_COUNT), "unknown");
    ck_assert_str_eq(bsk_dead_name((enum bsk_dead) - 1), "unknown");
}
END_TEST

START_TEST(each_code_has_a_name_and_a_text)
{
    ck_assert_str_eq(bsk_errname(0), "OK");
    for (int rc = -1; rc > -BSK_N_COUNT; rc--) {
        ck_assert_int_eq(bsk_errname(rc)[0], 'E');
        ck_assert_str_ne(bsk_errname(rc), "EUNKNOWN");
        ck_assert_str_ne(bsk_strerror(rc), "unknown error");
    }
    int unknown[] = {1, 99, -BSK_N_COUNT, -999, INT32_MIN, INT32_MAX};
    for (int i = 0; i < 6; i++) {
        ck_assert_str_eq(bsk_errname(unknown[i]), "EUNKNOWN");
        ck_assert_str_eq(bsk_strerror(unknown[i]), "unknown error");
    }
}
END_TEST

/* Events. */

static bsk_event events[64];
static char texts[64][32];
static int nevents;

static void keep_event(void *arg, const bsk_event *e)
{
    ck_assert_ptr_eq(arg, &nevents);
    ck_assert_int_lt(nevents, 64);
    if (e->text) snprintf(texts[nevents], sizeof texts[0], "%s", e->text);
    events[nevents++] = *e;
}

static void traced(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) ck_assert_uint_ne(bsk_after(self, 5, stop_it).gen, 0);
        bsk_on(stop_it, s) bsk_fail(self, "the text");
    }
}

static void tell_next(bsk_self *self)
{
    bsk_tell(*(bsk_addr *)bsk_state(self), num, 1);
}

static void is_event(int i, enum bsk_event_kind kind, bsk_addr who, const bsk_type *type,
                     int64_t value)
{
    ck_assert_int_lt(i, nevents);
    ck_assert_int_eq(events[i].kind, kind);
    ck_assert(bsk_same(events[i].actor, who));
    ck_assert_ptr_eq(events[i].type, type);
    ck_assert_int_eq(events[i].value, value);
}

static void keep_no_line(void *arg, enum bsk_level level, const char *line)
{
    ck_assert(arg == &nevents && level == BSK_LOG_ERROR && *line);
}

START_TEST(events_tell_what_happened_in_order)
{
    rt = bsk_start(.seed = 1, .trace = keep_event, .arg = &nevents, .verbose = BSK_LOG_ERROR,
                   .quiet = true, .log = keep_no_line);
    bsk_addr a = fix_born(bsk_spawn(rt, traced, .name = "named"));
    bsk_advance(rt, 2);
    bsk_addr b = fix_born(
        bsk_spawn(rt, tell_next, .label = "labelled", .state = &a, .state_size = sizeof a));
    bsk_advance(rt, 10);
    bsk_tell(a, other, 1);
    is_event(0, BSK_EV_SPAWN, a, NULL, 0);
    ck_assert_str_eq(texts[0], "named");
    is_event(1, BSK_EV_SPAWN, b, NULL, 0);
    ck_assert_str_eq(texts[1], "labelled");
    is_event(2, BSK_EV_SEND, a, BSK_T(num), 0);
    ck_assert(bsk_same(events[2].peer, b));
    ck_assert_int_eq(events[2].ns, 2000000);
    is_event(3, BSK_EV_END, b, NULL, BSK_NORMAL);
    is_event(4, BSK_EV_TAKE, a, BSK_T(num), 0);
    is_event(5, BSK_EV_TIMER, a, BSK_T(stop_it), 0);
    ck_assert_int_eq(events[5].ns, 7000000);
    ck_assert_int_eq(events[6].kind, BSK_EV_TAKE);
    is_event(7, BSK_EV_END, a, NULL, BSK_FAILED);
    ck_assert_str_eq(texts[7], "the text");
    is_event(8, BSK_EV_DEAD, a, BSK_T(other), BSK_DEAD_GONE);
    ck_assert_int_eq(nevents, 9);
    fix_stop(rt, 1);
}
END_TEST

FIX_MAIN("trace", 60, dead_letters_are_logged_once_a_second,
         a_quiet_runtime_counts_and_does_not_log_them, what_a_stopping_runtime_leaves_is_not_logged,
         each_reason_of_a_dead_letter_has_a_name, each_code_has_a_name_and_a_text,
         events_tell_what_happened_in_order)
