/* SPDX-License-Identifier: MIT */
/* check_signal.c - the system's signals as messages. */
#include "open.h"

#include <signal.h>
#include <unistd.h>

static void raise_all(int signum)
{
    ck_assert_int_eq(kill(getpid(), signum), 0);
}

static int64_t next_signal(bsk_self *self)
{
    bsk_msg *m = bsk_recv_only(self, 20000, BSK_T(bsk_signal));
    ck_assert_ptr_nonnull(m);
    int64_t number = 0;
    bsk_match(m) {
        bsk_on(bsk_signal, s) number = s->number;
    }
    return number;
}

static void get_signals(bsk_self *self)
{
    OK(bsk_on_signal(self, SIGHUP));
    OK(bsk_on_signal(self, SIGUSR2));
    IS(BSK_EEXIST, bsk_on_signal(self, SIGHUP));
    for (int i = 0; i < 5; i++) {
        raise_all(SIGHUP);
        ck_assert_int_eq(next_signal(self), SIGHUP);
        raise_all(SIGUSR2);
        ck_assert_int_eq(next_signal(self), SIGUSR2);
    }
    bsk_off_signal(self, SIGHUP);
    bsk_off_signal(self, SIGHUP);
    OK(bsk_on_signal(self, SIGHUP));
    raise_all(SIGHUP);
    ck_assert_int_eq(next_signal(self), SIGHUP);
    fix_hit();
}

START_TEST(signals_come_as_messages)
{
    open_run(get_signals);
}
END_TEST

static void get_few(bsk_self *self)
{
    OK(bsk_on_signal(self, SIGHUP));
    /* To this thread: none is still on its way when nobody wants it any more, and it would kill. */
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 50; i++) raise(SIGHUP);
        ck_assert_int_eq(next_signal(self), SIGHUP);
        /* At least one for those after the last that was received, and far fewer than were sent. */
        int more = 0;
        while (bsk_recv(self, 0)) more++;
        ck_assert_int_le(more, 51);
    }
    raise(SIGHUP);
    ck_assert_int_eq(next_signal(self), SIGHUP);
    fix_hit();
}

START_TEST(many_at_once_are_told_in_few)
{
    open_run(get_few);
}
END_TEST

static void two_want_it(bsk_self *self)
{
    OK(bsk_on_signal(self, SIGHUP));
    fix_hit();
    ck_assert_int_eq(next_signal(self), SIGHUP);
    fix_hit();
}

START_TEST(all_hear_who_want_it)
{
    bsk_rt *one = bsk_start(.workers = 2, FIX_HOOKS), *two = bsk_start(.workers = 1, FIX_HOOKS);
    for (int i = 0; i < 3; i++) fix_born(bsk_spawn(one, two_want_it));
    fix_born(bsk_spawn(two, two_want_it));
    fix_await(4);
    raise_all(SIGHUP);
    fix_await(8);
    ck_assert_int_eq(bsk_wait(one), 0);
    ck_assert_int_eq(bsk_wait(two), 0);
}
END_TEST

static void want_and_fail(bsk_self *self)
{
    OK(bsk_on_signal(self, SIGWINCH));
    raise_all(SIGWINCH);
    bsk_fail(self, "crash");
}

START_TEST(what_a_signal_does_by_default_comes_back)
{
    bsk_rt *rt = bsk_start(.workers = 2, .quiet = true, FIX_HOOKS);
    for (int i = 0; i < 50; i++) fix_born(bsk_spawn(rt, want_and_fail));
    ck_assert_int_eq(bsk_wait(rt), 1);
    struct sigaction now;
    ck_assert_int_eq(sigaction(SIGWINCH, NULL, &now), 0);
    ck_assert(now.sa_handler == SIG_DFL);
}
END_TEST

static void handle_signal(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(stop_it, s) {
            OK(bsk_on_signal(self, SIGWINCH));
            raise_all(SIGWINCH);
        }
        bsk_on(bsk_signal, s) {
            ck_assert_int_eq(s->number, SIGWINCH);
            fix_hit();
            bsk_exit(self);
        }
    }
}

START_TEST(a_handler_gets_signals)
{
    open_run_handler(handle_signal);
}
END_TEST

static void want_in_vain(bsk_self *self)
{
    static const int never[] = {SIGINT, SIGTERM, SIGKILL, SIGSTOP, SIGSEGV, SIGBUS,
                                SIGFPE, SIGILL,  SIGABRT, 0,       -1,      1000};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        IS(BSK_EINVAL, bsk_on_signal(self, never[i]));
    fix_hit();
}

START_TEST(the_runtimes_own_signals_are_refused)
{
    open_run(want_in_vain);
}
END_TEST

static void want_term(bsk_self *self)
{
    OK(bsk_on_signal(self, SIGTERM));
    OK(bsk_on_signal(self, SIGINT));
    IS(BSK_EINVAL, bsk_on_signal(self, SIGUSR1));
    raise_all(SIGTERM);
    ck_assert_int_eq(next_signal(self), SIGTERM);
    fix_hit();
}

START_TEST(a_program_may_have_all_signals_itself)
{
    bsk_rt *rt = bsk_start(.workers = 1, .no_signals = true, .dump_on_usr1 = true, FIX_HOOKS);
    fix_born(bsk_spawn(rt, want_term));
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_uint_eq(fix_hits(), 1);
}
END_TEST

static void want_seeded(bsk_self *self)
{
    IS(BSK_ENOTSUP, bsk_on_signal(self, SIGHUP));
    bsk_off_signal(self, SIGHUP);
    fix_hit();
}

START_TEST(a_seeded_runtime_has_no_signals)
{
    bsk_rt *rt = bsk_start(.seed = 5, FIX_HOOKS);
    fix_born(bsk_spawn(rt, want_seeded));
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_uint_eq(fix_hits(), 1);
}
END_TEST

static void sleeper(bsk_self *self)
{
    IS(BSK_ECANCELED, bsk_sleep(self, BSK_FOREVER));
}

/* Takes what blocks there are, and waits, so that what it had borrowed is among them. */
static void use_up(bsk_self *self, bsk_addr sink)
{
    OK(bsk_sleep(self, 0));
    int rc;
    while ((rc = bsk_try(sink, num, 1)) == 0) {
    }
    IS(BSK_ENOMEM, rc);
}

/* There is no block for the next when the first is received, nor for some time after. */
static void without_memory(bsk_self *self)
{
    bsk_addr sink = fix_born(bsk_spawn(bsk_rt_of(self), sleeper, .mailbox = BSK_MAILBOX_MAX));
    OK(bsk_on_signal(self, SIGHUP));
    mem_fail_at(1, 1);
    use_up(self, sink);
    raise_all(SIGHUP);
    ck_assert_int_eq(next_signal(self), SIGHUP);
    use_up(self, sink);
    uint64_t asked = mem_asked();
    raise_all(SIGHUP);
    while (mem_asked() < asked + 3) OK(bsk_sleep(self, 1));
    mem_fail_at(0, 0);
    ck_assert_int_eq(next_signal(self), SIGHUP);
    bsk_stop(sink, BSK_FOREVER);
    fix_hit();
}

START_TEST(no_signal_is_lost_for_want_of_memory)
{
    open_run(without_memory);
}
END_TEST

static void want_without_memory(bsk_self *self)
{
    int rc = bsk_on_signal(self, SIGWINCH);
    if (rc) IS(BSK_ENOMEM, rc);
    if (rc) return;
    raise_all(SIGWINCH);
    ck_assert_int_eq(next_signal(self), SIGWINCH);
}

START_TEST(want_of_memory_is_a_code)
{
    open_run_without_memory(want_without_memory, 10);
}
END_TEST

FIX_MAIN("signal", 30, signals_come_as_messages, many_at_once_are_told_in_few, all_hear_who_want_it,
         what_a_signal_does_by_default_comes_back, a_handler_gets_signals,
         the_runtimes_own_signals_are_refused, a_program_may_have_all_signals_itself,
         a_seeded_runtime_has_no_signals, no_signal_is_lost_for_want_of_memory,
         want_of_memory_is_a_code)
