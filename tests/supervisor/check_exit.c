/* SPDX-License-Identifier: MIT */
/* check_exit.c - exit signals: whatever they hit, it ends once, for the first one's reason, and
 * what it held is gone.
 *
 * ctest: valgrind timeout=120 */
#include "../actors/fixture.h"

#include "supervisor/supervisor.h"

#include <pthread.h>
#include <sched.h>

static bsk_rt *rt;
static unsigned warned, informed; /* log lines of ends */

static void count_line(void *arg, enum bsk_level level, const char *text)
{
    ck_assert(!arg && text);
    if (!strstr(text, "failed: ") && !strstr(text, "failed, and was killed: ")) return;
    warned += level == BSK_LOG_ERROR;
    informed += level == BSK_LOG_INFO;
}

static void setup(void)
{
    rt = bsk_start(.seed = 51, .verbose = BSK_LOG_INFO, .log = count_line,
                   .dead_letter = fix_on_dead, .trace = fix_on_trace);
    ck_assert_ptr_nonnull(rt);
}

static void say_it(void *what)
{
    fix_say(what);
}

static void say_fini(bsk_self *self)
{
    ck_assert_ptr_nonnull(self);
    fix_say("fini ");
}

static void say_init(bsk_self *self)
{
    ck_assert_ptr_nonnull(self);
    fix_say("init ");
}

static void idle(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(stop_it, s) bsk_exit(self);
        bsk_on(note, n) bsk_fail(self, "%s", n->text);
    }
}

static void idle_fiber(bsk_self *self)
{
    ck_assert_int_eq(bsk_sleep(self, BSK_FOREVER), BSK_ECANCELED);
}

enum wait {
    ON_MESSAGE,
    ON_TYPE,
    ON_TIME,
    ON_TURN,
    ON_REPLY,
    ON_ROOM,
    ON_CHILDREN,
    ON_FINISHED,
    ON_NOTHING,
    WAITS
};

static bsk_addr deaf;
static enum wait wait_now;
static bool came_back;

static void wait_for_children(bsk_self *self)
{
    bool all = wait_now == ON_CHILDREN;
    bsk_scope *s = bsk_scope_open_kind(self, BSK_FOREVER, all ? BSK_ALL : BSK_COLLECT);
    fix_born(bsk_go(s, idle_fiber));
    fix_born(bsk_go(s, idle));
    if (all)
        (void)!bsk_scope_join(s);
    else
        bsk_scope_next(s, BSK_FOREVER);
}

static void wait_for(bsk_self *self)
{
    switch (wait_now) {
    case ON_MESSAGE: bsk_recv(self, 100000); break;
    case ON_TYPE: bsk_recv_only(self, 100000, BSK_T(num)); break;
    case ON_TIME: bsk_sleep(self, 100000); break;
    case ON_TURN:
        while (bsk_yield(self) == 0) continue;
        break;
    case ON_REPLY: (void)!bsk_call(self, deaf, 100000, get, 1); break;
    case ON_ROOM: (void)!bsk_send(self, deaf, 100000, num, 1); break;
    case ON_CHILDREN:
    case ON_FINISHED: wait_for_children(self); break;
    default: break;
    }
}

static void wait_in_some_way(bsk_self *self)
{
    ck_assert_int_eq(bsk_defer(self, say_it, (void *)(uintptr_t) "undone "), 0);
    ck_assert_ptr_nonnull(bsk_alloc(self, 5000));
    ck_assert_uint_ne(bsk_after(self, 50000, num, 1).gen, 0);
    fix_hit();
    if (wait_now == ON_NOTHING)
        ck_assert_int_eq(bsk_send_exit(NULL, bsk_me(self), BSK_FAILED, "out"), 0);
    wait_for(self);
    came_back = wait_now != ON_NOTHING;
}

static void wait_shielded(bsk_self *self)
{
    bsk_shield(self);
    wait_in_some_way(self);
}

/* Time stands still while one takes turns, so another actor sends the signal. */
static void signal_it(bsk_self *self)
{
    bsk_addr who = *(bsk_addr *)bsk_state(self);
    for (int i = 0; i < 20; i++) ck_assert_int_eq(bsk_yield(self), 0);
    ck_assert_int_eq(bsk_send_exit(self, who, BSK_FAILED, "out"), 0);
}

static void expect_nothing_left(void)
{
    bsk_stats_out out;
    bsk_stats(rt, &out);
    ck_assert_uint_eq(out.timers, 0);
    ck_assert_uint_eq(out.actors, 1);
}

/* The last one returns, without a wait, after the signal came. */
START_TEST(a_fiber_ends_in_every_kind_of_wait)
{
    for (int i = 0; i < 2 * WAITS; i++) {
        setup();
        wait_now = (enum wait)(i / 2);
        came_back = false;
        bool full = wait_now == ON_ROOM;
        deaf = fix_born(bsk_spawn(rt, idle_fiber, .mailbox = full ? 1 : 0));
        if (full) bsk_tell(deaf, num, 0);
        bsk_addr a = i % 2 ? bsk_spawn(rt, wait_shielded, .fini = say_fini)
                           : bsk_spawn(rt, wait_in_some_way, .fini = say_fini);
        if (wait_now != ON_NOTHING)
            fix_born(bsk_spawn(rt, signal_it, .state = &a, .state_size = sizeof a));
        bsk_advance(rt, 1);
        ck_assert_uint_eq(fix_hits(), i + 1);
        ck_assert(!came_back);
        ck_assert_int_eq(fix_end_of(a).reason, BSK_FAILED);
        ck_assert_str_eq(fix_end_of(a).text, "out");
        expect_nothing_left();
        fix_stop(rt, 1);
    }
    ck_assert_uint_eq(strlen(fix_said()), 2 * WAITS * strlen("fini undone "));
}
END_TEST

START_TEST(a_handler_ends_and_what_is_queued_is_buried)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, idle, .fini = say_fini));
    bsk_advance(rt, 1);
    for (int i = 0; i < 3; i++) bsk_tell(a, num, i);
    ck_assert_int_eq(bsk_send_exit(NULL, a, BSK_SHUTDOWN, NULL), 0);
    ck_assert(!bsk_alive(a));
    bsk_tell(a, num, 3);
    bsk_advance(rt, 1);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_SHUTDOWN);
    ck_assert_str_eq(fix_end_of(a).text, "");
    ck_assert_uint_eq(fix_dead(&num_bsk, BSK_DEAD_UNHANDLED), 4);
    ck_assert_str_eq(fix_said(), "fini ");
    fix_stop(rt, 0);
}
END_TEST

/* Before its first turn: what init did not set up, fini does not see; without init it runs. */
START_TEST(one_that_never_ran_has_no_fini_without_its_init)
{
    setup();
    bsk_addr a[4] = {bsk_spawn(rt, idle, .init = say_init, .fini = say_fini),
                     bsk_spawn(rt, idle_fiber, .init = say_init, .fini = say_fini),
                     bsk_spawn(rt, idle, .fini = say_fini),
                     bsk_spawn(rt, idle_fiber, .fini = say_fini)};
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(bsk_send_exit(NULL, a[i], BSK_SHUTDOWN, "early"), 0);
        if (i == 1) {
            bsk_advance(rt, 1);
            ck_assert_str_eq(fix_said(), "");
        }
    }
    bsk_advance(rt, 1);
    ck_assert_str_eq(fix_said(), "fini fini ");
    for (int i = 0; i < 4; i++) ck_assert_int_eq(fix_end_of(a[i]).reason, BSK_SHUTDOWN);
    fix_stop(rt, 0);
}
END_TEST

/* A child that is asked to stop and does not. */
static void be_stubborn(bsk_self *self)
{
    for (;;) (void)!bsk_sleep(self, 10);
}

static void linger_failing(bsk_self *self)
{
    bsk_scope *s = bsk_scope_open(self, BSK_FOREVER);
    fix_born(bsk_go(s, be_stubborn, .shutdown_ms = 500));
    ck_assert_int_eq(bsk_sleep(self, 10), 0);
    bsk_fail(self, "the first");
}

static void linger_signalled(bsk_self *self)
{
    bsk_scope *s = bsk_scope_open(self, BSK_FOREVER);
    fix_born(bsk_go(s, be_stubborn, .shutdown_ms = 500));
    bsk_recv(self, BSK_FOREVER);
    came_back = true;
}

static void linger_handler(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) {
            bsk_scope *s = bsk_scope_open(self, BSK_FOREVER);
            fix_born(bsk_go(s, be_stubborn, .shutdown_ms = 500));
        }
        bsk_on(stop_it, s) bsk_fail(self, "the first");
    }
}

static unsigned downs;

static void watch_it(bsk_self *self)
{
    bsk_addr who = *(bsk_addr *)bsk_state(self);
    ck_assert_uint_ne(bsk_watch(self, who).gen, 0);
    for (bsk_msg *m; (m = bsk_recv(self, BSK_FOREVER));) {
        bsk_match(m) {
            bsk_on(bsk_down, d) {
                downs++;
                ck_assert_int_eq(d->reason, BSK_FAILED);
                ck_assert_str_eq(d->text, "the first");
            }
        }
    }
}

/* It waits for its child; what comes meanwhile does not change why it ends. */
START_TEST(signals_that_come_while_it_waits_for_its_children_change_nothing)
{
    for (int i = 0; i < 3; i++) {
        setup();
        downs = 0;
        bsk_addr a = fix_born(i == 0   ? bsk_spawn(rt, linger_failing)
                              : i == 1 ? bsk_spawn(rt, linger_signalled)
                                       : bsk_spawn(rt, linger_handler));
        if (i == 2) bsk_tell(a, num, 1);
        fix_born(bsk_spawn(rt, watch_it, .state = &a, .state_size = sizeof a));
        bsk_advance(rt, 20);
        if (i == 1) ck_assert_int_eq(bsk_send_exit(NULL, a, BSK_FAILED, "the first"), 0);
        if (i == 2) bsk_tell(a, stop_it);
        bsk_advance(rt, 20);
        ck_assert(!fix_ended(a));
        ck_assert(!came_back);
        ck_assert_int_eq(bsk_try(a, num, 5), BSK_ECLOSED);
        for (int k = 0; k < 5; k++) {
            int rc = bsk_send_exit(NULL, a, k % 2 ? BSK_GAVE_UP : BSK_SHUTDOWN, "a later one");
            ck_assert_int_eq(rc, 0);
            bsk_advance(rt, 10);
        }
        ck_assert(!fix_ended(a));
        ck_assert_uint_eq(downs, 0);
        bsk_ties_out ties;
        ck_assert_int_eq(bsk_ties(a, &ties), 0);
        ck_assert_uint_eq(ties.watchers, 1);
        bsk_advance(rt, 600);
        ck_assert_int_eq(fix_end_of(a).reason, BSK_FAILED);
        ck_assert_str_eq(fix_end_of(a).text, "the first");
        ck_assert_uint_eq(downs, 1);
        fix_stop(rt, 1);
    }
    /* Who failed says so; who was told by a signal does not repeat it aloud. */
    ck_assert_uint_eq(warned, 2);
    ck_assert_uint_eq(informed, 1);
}
END_TEST

START_TEST(a_kill_while_it_waits_for_its_children_kills_them)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, linger_failing));
    bsk_advance(rt, 20);
    ck_assert(!fix_ended(a));
    ck_assert_int_eq(bsk_kill(a), 0);
    bsk_advance(rt, 1);
    ck_assert(fix_ended(a));
    ck_assert_uint_eq(fix_ends(), 2);
    ck_assert_int_eq(fix_end_at(0).reason, BSK_KILLED);
    fix_stop(rt, 1);
}
END_TEST

static void linger_normally(bsk_self *self)
{
    bsk_scope *s = bsk_scope_open(self, BSK_FOREVER);
    fix_born(bsk_go(s, be_stubborn, .shutdown_ms = 500));
    ck_assert_int_eq(bsk_sleep(self, 10), 0);
}

static enum bsk_reason heard_reason;
static char heard_why[64];

static void hear(bsk_self *self)
{
    bsk_addr who = *(bsk_addr *)bsk_state(self);
    ck_assert_uint_ne(bsk_watch(self, who).gen, 0);
    for (bsk_msg *m; (m = bsk_recv(self, BSK_FOREVER));) {
        bsk_match(m) {
            bsk_on(bsk_down, d) {
                heard_reason = (enum bsk_reason)d->reason;
                snprintf(heard_why, sizeof heard_why, "%s", d->text);
            }
        }
    }
}

/* As in Erlang, where a kill takes who is terminating; but that it had failed stays known. */
START_TEST(a_kill_while_it_waits_for_its_children_is_why_it_ended)
{
    for (int failing = 0; failing < 2; failing++) {
        warned = 0;
        setup();
        bsk_addr a = fix_born(failing ? bsk_spawn(rt, linger_failing, .fini = say_fini)
                                      : bsk_spawn(rt, linger_normally, .fini = say_fini));
        fix_born(bsk_spawn(rt, hear, .state = &a, .state_size = sizeof a));
        bsk_advance(rt, 20);
        ck_assert(!fix_ended(a));
        ck_assert_int_eq(bsk_kill(a), 0);
        bsk_advance(rt, 1);
        ck_assert_int_eq(fix_end_of(a).reason, BSK_KILLED);
        ck_assert_int_eq(heard_reason, BSK_KILLED);
        ck_assert_str_eq(heard_why, failing ? "the first" : "");
        ck_assert_str_eq(fix_said(), "");
        ck_assert_uint_eq(warned, failing);
        fix_stop(rt, failing);
    }
}
END_TEST

static void fail_all(bsk_self *self)
{
    for (int i = 0; i < 3; i++) ck_assert(!bsk_is_nobody(bsk_spawn_link(self, idle)));
    bsk_fail(self, "the culprit");
}

START_TEST(one_line_of_the_log_says_aloud_who_failed)
{
    setup();
    fix_born(bsk_spawn(rt, fail_all));
    bsk_advance(rt, 1);
    ck_assert_uint_eq(fix_ends(), 4);
    ck_assert_uint_eq(warned, 1);
    ck_assert_uint_eq(informed, 3);
    fix_stop(rt, 1);
}
END_TEST

static char heard_text[64];
static unsigned lefts;

static void trap(bsk_self *self)
{
    bsk_trap_exit(self, true);
}

static void trapping(bsk_self *self, bsk_msg *m)
{
    ck_assert_ptr_nonnull(self);
    bsk_match(m) {
        bsk_on(bsk_left, l) {
            lefts++;
            snprintf(heard_text, sizeof heard_text, "%s", l->text);
        }
    }
}

START_TEST(without_memory_nothing_is_sent)
{
    for (int i = 0; i < 8; i++) {
        setup();
        bsk_addr a =
            fix_born(i / 4 ? bsk_spawn(rt, trapping, .init = trap) : bsk_spawn(rt, trapping));
        bsk_advance(rt, 1);
        const char *text = i % 4 / 2 ? "why" : "";
        int rc = BSK_ENOMEM;
        for (uint64_t n = 1; rc; n++) {
            int64_t live = mem_live();
            lefts = 0;
            mem_fail_at(n, i % 2);
            rc = bsk_send_exit(NULL, a, BSK_SHUTDOWN, text);
            mem_fail_at(0, 0);
            ck_assert(rc == 0 || rc == BSK_ENOMEM);
            if (rc == 0) break;
            ck_assert_int_eq(mem_live(), live);
            ck_assert(bsk_alive(a));
            bsk_advance(rt, 1);
            ck_assert(!fix_ended(a) && !lefts);
            ck_assert_uint_lt(n, 50);
        }
        bsk_advance(rt, 1);
        ck_assert_uint_eq(lefts, i / 4);
        if (lefts) ck_assert_str_eq(heard_text, text);
        if (!lefts) ck_assert_str_eq(fix_end_of(a).text, text);
        fix_stop(rt, 0);
    }
}
END_TEST

#define LONG ((size_t)128 * 1024)

static void fail_at_length(bsk_self *self)
{
    bsk_fail(self, "%s", *(char **)bsk_state(self));
}

static void hear_at_length(bsk_self *self)
{
    char *text = *(char **)bsk_state(self);
    bsk_monitor m;
    bsk_trap_exit(self, true);
    bsk_addr a =
        bsk_spawn_watch(self, &m, fail_at_length, .state = &text, .state_size = sizeof text);
    ck_assert_int_eq(bsk_link(self, a), 0);
    for (int i = 0; i < 2; i++) {
        bsk_match(bsk_recv(self, 10)) {
            bsk_on(bsk_down, d) ck_assert_str_eq(d->text, text);
            bsk_on(bsk_left, l) ck_assert_str_eq(l->text, text);
            bsk_else(any) ck_abort_msg("not told");
        }
    }
    fix_hit();
}

START_TEST(a_reason_of_128_kib_arrives_whole)
{
    char *text = malloc(LONG + 1);
    memset(text, 'r', LONG);
    text[LONG] = '\0';
    rt = bsk_start(.seed = 51, .log = count_line);
    fix_born(bsk_spawn(rt, hear_at_length, .state = &text, .state_size = sizeof text));
    bsk_advance(rt, 100);
    ck_assert_uint_eq(fix_hits(), 1);
    fix_stop(rt, 1);
    free(text);
}
END_TEST

static void trap_and_not(bsk_self *self)
{
    for (int i = 0; i < 3; i++) {
        bsk_trap_exit(self, true);
        ck_assert_int_eq(bsk_send_exit(NULL, bsk_me(self), BSK_GAVE_UP, "in time"), 0);
        bsk_trap_exit(self, false);
        bsk_match(bsk_recv(self, 0)) {
            bsk_on(bsk_left, l) ck_assert_str_eq(l->text, "in time");
            bsk_else(any) ck_abort_msg("no bsk_left");
        }
    }
    fix_hit();
}

START_TEST(what_came_while_it_trapped_stays_a_message)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, trap_and_not));
    bsk_advance(rt, 1);
    ck_assert_uint_eq(fix_hits(), 1);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_NORMAL);
    fix_stop(rt, 0);
}
END_TEST

static void leave_after_signal(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) {
            ck_assert_int_eq(bsk_send_exit(NULL, bsk_me(self), BSK_GAVE_UP, "the signal"), 0);
            if (n->v == 1) bsk_exit(self);
            if (n->v == 2) bsk_fail(self, "itself");
            if (n->v == 3) ck_assert_int_eq(bsk_kill(bsk_me(self)), 0);
            if (n->v == 4) ck_assert_int_eq(bsk_stop(bsk_me(self), 10), 0);
        }
    }
}

/* A failure of its own, and a kill, are what it ends for; otherwise it is the signal. */
START_TEST(who_leaves_after_the_signal_came_ends_for_it)
{
    static const enum bsk_reason reasons[] = {BSK_GAVE_UP, BSK_GAVE_UP, BSK_FAILED, BSK_KILLED,
                                              BSK_GAVE_UP};
    setup();
    for (int i = 0; i < 5; i++) {
        bsk_addr a = fix_born(bsk_spawn(rt, leave_after_signal));
        bsk_tell(a, num, i);
        bsk_advance(rt, 1);
        ck_assert_int_eq(fix_end_of(a).reason, reasons[i]);
    }
    fix_stop(rt, 1);
}
END_TEST

static void *signal_them(void *arg)
{
    bsk_addr *a = arg;
    for (int i = 0; i < 2000; i++) (void)!bsk_send_exit(NULL, a[i], BSK_CANCELLED, "from outside");
    return arg;
}

/* From threads that are no workers, several to the same. */
START_TEST(signals_from_outside_on_real_threads)
{
    static bsk_addr a[2000];
    rt = bsk_start(.workers = 2, .quiet = true);
    for (int i = 0; i < 2000; i++)
        a[i] = fix_born(i % 2 ? bsk_spawn(rt, idle) : bsk_spawn(rt, idle_fiber));
    pthread_t t[2];
    for (int i = 0; i < 2; i++) ck_assert_int_eq(pthread_create(&t[i], NULL, signal_them, a), 0);
    for (int i = 0; i < 2; i++) pthread_join(t[i], NULL);
    ck_assert_int_eq(bsk_wait(rt), 0);
}
END_TEST

FIX_MAIN("exit", 30, a_fiber_ends_in_every_kind_of_wait,
         a_handler_ends_and_what_is_queued_is_buried,
         one_that_never_ran_has_no_fini_without_its_init,
         signals_that_come_while_it_waits_for_its_children_change_nothing,
         a_kill_while_it_waits_for_its_children_kills_them,
         a_kill_while_it_waits_for_its_children_is_why_it_ended,
         one_line_of_the_log_says_aloud_who_failed, without_memory_nothing_is_sent,
         a_reason_of_128_kib_arrives_whole, what_came_while_it_trapped_stays_a_message,
         who_leaves_after_the_signal_came_ends_for_it, signals_from_outside_on_real_threads)
