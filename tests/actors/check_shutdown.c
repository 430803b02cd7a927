/* SPDX-License-Identifier: MIT */
/* check_shutdown.c - the end of a runtime: its order, its times, its status, signals. */
#include "fixture.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static bsk_rt *rt;

static void say_me(bsk_self *self)
{
    fix_say(bsk_state(self));
}

static void idle(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(stop_it, s) bsk_exit(self);
        bsk_on(num, n) fix_hit();
    }
}

static void idle_fiber(bsk_self *self)
{
    while (bsk_recv(self, BSK_FOREVER)) continue;
}

static void sleep_on(bsk_self *self)
{
    while (bsk_sleep(self, BSK_FOREVER) == 0) continue;
}

/* Order. */

START_TEST(actors_stop_in_the_reverse_order_of_their_start)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        rt = bsk_start(.seed = seed, FIX_HOOKS);
        const char *names[] = {"a", "b", "c", "d", "e", "f"};
        for (int i = 0; i < 6; i++) {
            bsk_opts o = {.state = names[i], .state_size = 2, .fini = say_me};
            fix_born(bsk_spawn_(rt, i % 2 ? BSK_BEHAVIOR(idle) : BSK_BEHAVIOR(idle_fiber), &o));
        }
        if (seed % 2) bsk_advance(rt, 1);
        fix_stop(rt, 0);
        fix_say(" ");
    }
    ck_assert_uint_eq(strlen(fix_said()), 20 * strlen("fedcba "));
    for (int i = 0; i < 20; i++) ck_assert_int_eq(strncmp(fix_said() + 7 * i, "fedcba ", 7), 0);
}
END_TEST

static void slow_to_stop(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(bsk_stopping, s) {
            fix_say("asked ");
            ck_assert_uint_ne(bsk_after(self, 50, stop_it).gen, 0);
        }
        bsk_on(stop_it, s) {
            fix_say("ended ");
            bsk_exit(self);
        }
    }
}

START_TEST(one_stops_after_another_has_ended)
{
    rt = bsk_start(.seed = 3, FIX_TRACED);
    bsk_addr who[3];
    for (int i = 0; i < 3; i++) who[i] = fix_born(bsk_spawn(rt, slow_to_stop, .trap_stop = true));
    fix_stop(rt, 0);
    ck_assert_str_eq(fix_said(), "asked ended asked ended asked ended ");
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(fix_end_of(who[i]).reason, BSK_SHUTDOWN);
        ck_assert_int_eq(fix_end_of(who[i]).ns / 1000000, 150 - 50 * i);
    }
}
END_TEST

START_TEST(real_runtimes_stop_in_reverse_order_too)
{
    rt = bsk_start(.workers = 2, FIX_HOOKS);
    const char *names[] = {"a", "b", "c", "d", "e", "f"};
    for (int i = 0; i < 6; i++)
        fix_born(bsk_spawn(rt, idle, .state = names[i], .state_size = 2, .fini = say_me));
    fix_stop(rt, 0);
    ck_assert_str_eq(fix_said(), "fedcba");
}
END_TEST

/* Times. */

static void ignore(bsk_self *self, bsk_msg *m)
{
    ck_assert_ptr_nonnull(self);
    bsk_match(m) {
        bsk_on(bsk_stopping, s) fix_say("ignored ");
    }
}

START_TEST(who_is_late_is_killed_in_its_time_and_named)
{
    rt = bsk_start(.seed = 3, FIX_TRACED);
    bsk_addr a =
        fix_born(bsk_spawn(rt, ignore, .trap_stop = true, .shutdown_ms = 70, .name = "stubborn"));
    bsk_addr b = fix_born(bsk_spawn(rt, ignore, .trap_stop = true, .label = "usual"));
    bsk_addr c = fix_born(bsk_spawn(rt, ignore, .trap_stop = true, .shutdown_ms = BSK_KILL));
    fix_stop(rt, 0);
    ck_assert_int_eq(fix_end_of(c).reason, BSK_KILLED);
    ck_assert_int_eq(fix_end_of(c).ns, 0);
    ck_assert_int_eq(fix_end_of(b).reason, BSK_KILLED);
    ck_assert_int_eq(fix_end_of(b).ns / 1000000, 5000);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_KILLED);
    ck_assert_int_eq(fix_end_of(a).ns / 1000000, 5070);
    ck_assert_str_eq(fix_said(), "ignored ignored ");
    ck_assert_uint_eq(fix_lines("stubborn <"), 1);
    ck_assert_uint_eq(fix_lines("usual <"), 1);
    ck_assert_uint_eq(fix_lines("did not stop in its time"), 2);
}
END_TEST

START_TEST(the_runtimes_time_bounds_all_of_theirs)
{
    rt = bsk_start(.seed = 3, .shutdown_ms = 300, FIX_TRACED);
    bsk_addr a = fix_born(bsk_spawn(rt, ignore, .trap_stop = true, .shutdown_ms = BSK_FOREVER));
    bsk_addr b = fix_born(bsk_spawn(rt, ignore, .trap_stop = true, .shutdown_ms = 200));
    fix_stop(rt, 0);
    ck_assert_int_eq(fix_end_of(b).ns / 1000000, 200);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_KILLED);
    ck_assert_int_eq(fix_end_of(a).ns / 1000000, 300);
}
END_TEST

static _Atomic bool let_go;

static void hold_the_loop(bsk_self *self, bsk_msg *m)
{
    ck_assert_ptr_nonnull(self);
    bsk_match(m) {
        bsk_on(num, n) {
            fix_hit();
            while (!atomic_load(&let_go)) continue;
        }
    }
}

/* It cannot be ended: its runtime is left as it is, and what else ran in it has ended in order. */
START_TEST(who_cannot_even_be_killed_is_named_in_the_status)
{
    pid_t child = fork();
    if (child == 0) {
        rt = bsk_start(.workers = 2, .shutdown_ms = 200, FIX_TRACED);
        bsk_addr a = bsk_spawn(rt, hold_the_loop, .name = "culprit");
        bsk_addr b = bsk_spawn(rt, idle, .label = "bystander");
        bsk_tell(a, num, 1);
        fix_await(1);
        bsk_shutdown(rt);
        int status = bsk_wait(rt);
        bool named = fix_lines("culprit <") >= 1 && fix_lines("did not stop") >= 1;
        _exit(status == 2 && named && fix_ended(b) && !fix_ended(a) ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

/* Status. */

static void fail_at_once(bsk_self *self)
{
    bsk_fail(self, "no luck");
}

START_TEST(a_failure_under_the_root_is_status_1)
{
    rt = bsk_start(.seed = 4, FIX_HOOKS);
    fix_born(bsk_spawn(rt, fail_at_once));
    ck_assert_int_eq(bsk_wait(rt), 1);
    rt = bsk_start(.workers = 2, FIX_HOOKS);
    fix_born(bsk_spawn(rt, fail_at_once));
    ck_assert_int_eq(bsk_wait(rt), 1);
    ck_assert_uint_eq(fix_lines("no luck"), 2);
}
END_TEST

static void fail_in_the_end(bsk_self *self)
{
    bsk_fail(self, "at the last moment");
}

START_TEST(a_failure_while_stopping_counts)
{
    rt = bsk_start(.seed = 4, FIX_HOOKS);
    fix_born(bsk_spawn(rt, idle, .fini = fail_in_the_end));
    fix_stop(rt, 1);
}
END_TEST

START_TEST(kills_and_stops_are_no_failure)
{
    rt = bsk_start(.seed = 4, FIX_HOOKS);
    ck_assert_int_eq(bsk_kill(fix_born(bsk_spawn(rt, idle))), 0);
    ck_assert_int_eq(bsk_stop(fix_born(bsk_spawn(rt, idle)), 5), 0);
    ck_assert_int_eq(bsk_wait(rt), 0);
}
END_TEST

static void call_each_other(bsk_self *self)
{
    bsk_addr to = bsk_whereis(bsk_rt_of(self), *(char *)bsk_state(self) == 'a' ? "b" : "a");
    if (!bsk_call(self, to, BSK_FOREVER, get, 1)) fix_say(bsk_errname(bsk_error(self)));
}

START_TEST(a_seeded_runtime_in_which_all_wait_for_ever_says_so)
{
    rt = bsk_start(.seed = 4, FIX_HOOKS);
    fix_born(bsk_spawn(rt, idle_fiber));
    fix_born(bsk_spawn(rt, idle));
    ck_assert_int_eq(bsk_wait(rt), 2);
    ck_assert_uint_eq(fix_lines("wait for what can never happen"), 1);
    rt = bsk_start(.seed = 4, FIX_HOOKS);
    fix_born(bsk_spawn(rt, call_each_other, .name = "a", .state = "a", .state_size = 2));
    fix_born(bsk_spawn(rt, call_each_other, .name = "b", .state = "b", .state_size = 2));
    ck_assert_int_eq(bsk_wait(rt), 2);
    ck_assert_uint_eq(fix_lines("wait for what can never happen"), 2);
}
END_TEST

/* Words during the shutdown. */

static bsk_addr server;

static void use_everything(bsk_self *self)
{
    bsk_addr me = bsk_me(self);
    ck_assert_ptr_null(bsk_recv(self, BSK_FOREVER));
    ck_assert_int_eq(bsk_error(self), BSK_ECANCELED);
    ck_assert_ptr_null(bsk_call(self, server, BSK_FOREVER, get, 1));
    ck_assert_int_eq(bsk_error(self), BSK_ECANCELED);
    ck_assert_int_eq(bsk_ask(self, server, 10, get, 1), 0);
    ck_assert_int_eq(bsk_try(server, num, 1), 0);
    ck_assert_int_eq(bsk_send(self, server, 10, num, 1), 0);
    ck_assert(bsk_is_nobody(bsk_spawn(bsk_rt_of(self), idle)));
    ck_assert_int_eq(bsk_error(self), BSK_ESTOPPING);
    ck_assert_uint_ne(bsk_after(self, 5, num, 1).gen, 0);
    ck_assert_int_eq(bsk_stop(me, 50), 0);
    ck_assert(bsk_same(bsk_whereis(bsk_rt_of(self), "me"), me));
    bsk_shutdown(bsk_rt_of(self));
    fix_say("used ");
}

START_TEST(words_go_on_while_the_runtime_stops)
{
    rt = bsk_start(.seed = 4, FIX_HOOKS);
    server = fix_born(bsk_spawn(rt, idle));
    fix_born(bsk_spawn(rt, use_everything, .name = "me"));
    bsk_advance(rt, 1);
    fix_stop(rt, 0);
    ck_assert_str_eq(fix_said(), "used ");
}
END_TEST

static void *call_and_spawn(void *arg)
{
    bsk_addr a = *(bsk_addr *)arg;
    int rc = 0;
    while (rc == 0) {
        const num *n = bsk_call(NULL, a, 1, get, 1);
        if (!n) rc = bsk_error(NULL);
        if (rc == BSK_ETIMEDOUT || rc == BSK_ENOREPLY) rc = 0;
    }
    return rc == BSK_EDEAD ? arg : NULL;
}

START_TEST(threads_call_until_the_runtime_is_gone)
{
    rt = bsk_start(.workers = 2, .quiet = true, FIX_HOOKS);
    bsk_addr a = fix_born(bsk_spawn(rt, idle));
    pthread_t t;
    void *ok;
    ck_assert_int_eq(pthread_create(&t, NULL, call_and_spawn, &a), 0);
    bsk_tell(a, num, 1);
    fix_await(1);
    fix_stop(rt, 0);
    pthread_join(t, &ok);
    ck_assert_ptr_eq(ok, &a);
}
END_TEST

static void shut_down(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(stop_it, s) bsk_shutdown(bsk_rt_of(self));
    }
}

START_TEST(an_actor_may_shut_its_runtime_down)
{
    for (int i = 0; i < 3; i++) {
        rt = i ? bsk_start(.workers = (unsigned)i) : bsk_start(.seed = 1);
        bsk_addr a = fix_born(bsk_spawn(rt, shut_down));
        fix_born(bsk_spawn(rt, idle_fiber));
        bsk_tell(a, stop_it);
        ck_assert_int_eq(bsk_wait(rt), 0);
    }
}
END_TEST

/* Signals, to a process of its own. */

static int child_status(int signum, bsk_rt *(*start)(void), bool dump)
{
    int ready[2];
    ck_assert_int_eq(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        /* Not those of the test's runner. */
        signal(SIGTERM, SIG_DFL);
        signal(SIGINT, SIG_DFL);
        rt = start();
        bsk_addr a = bsk_spawn(rt, sleep_on, .name = "sleeper", .state = "ended ", .state_size = 7,
                               .fini = say_me);
        if (write(ready[1], "r", 1) != 1) _exit(90);
        if (dump) {
            while (!fix_lines("sleeper <")) continue;
            bool alive = bsk_alive(a);
            bsk_shutdown(rt);
            _exit(bsk_wait(rt) == 0 && alive ? 7 : 91);
        }
        int status = bsk_wait(rt);
        _exit(status == 0 && strcmp(fix_said(), "ended ") == 0 ? 7 : 92);
    }
    char byte;
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    ck_assert_int_eq(kill(child, signum), 0);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    close(ready[0]);
    close(ready[1]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static bsk_rt *plain(void)
{
    return bsk_start(.workers = 2, FIX_HOOKS);
}

static bsk_rt *without_signals(void)
{
    return bsk_start(.workers = 2, .no_signals = true, FIX_HOOKS);
}

static bsk_rt *with_dump(void)
{
    return bsk_start(.workers = 2, .dump_on_usr1 = true, FIX_HOOKS);
}

START_TEST(sigterm_and_sigint_end_a_program_in_order)
{
    ck_assert_int_eq(child_status(SIGTERM, plain, false), 7);
    ck_assert_int_eq(child_status(SIGINT, plain, false), 7);
}
END_TEST

START_TEST(signals_are_left_alone_where_that_was_asked)
{
    ck_assert_int_eq(child_status(SIGTERM, without_signals, false), -SIGTERM);
    ck_assert_int_eq(child_status(SIGINT, without_signals, false), -SIGINT);
    ck_assert_int_eq(child_status(SIGUSR1, plain, false), -SIGUSR1);
}
END_TEST

START_TEST(sigusr1_logs_all_actors_where_that_was_asked)
{
    ck_assert_int_eq(child_status(SIGUSR1, with_dump, true), 7);
}
END_TEST

FIX_MAIN("shutdown", 60, actors_stop_in_the_reverse_order_of_their_start,
         one_stops_after_another_has_ended, real_runtimes_stop_in_reverse_order_too,
         who_is_late_is_killed_in_its_time_and_named, the_runtimes_time_bounds_all_of_theirs,
         who_cannot_even_be_killed_is_named_in_the_status, a_failure_under_the_root_is_status_1,
         a_failure_while_stopping_counts, kills_and_stops_are_no_failure,
         a_seeded_runtime_in_which_all_wait_for_ever_says_so, words_go_on_while_the_runtime_stops,
         threads_call_until_the_runtime_is_gone, an_actor_may_shut_its_runtime_down,
         sigterm_and_sigint_end_a_program_in_order, signals_are_left_alone_where_that_was_asked,
         sigusr1_logs_all_actors_where_that_was_asked)
