/* SPDX-License-Identifier: MIT */
/* check_fault.c - faults end the actor that commits them, wherever that is sound; elsewhere they
 * end the process, which is tried in a process of its own.
 *
 * ctest: timeout=120 serial only=gcc,clang */
#include "buskin.h"
#include "mailbox/memory.h"

#include <check.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum kind { NULL_WRITE, BAD_TEXT, DIVISION, ILLEGAL, OVERFLOW, ABORT, ASSERT, NOWHERE, KINDS };

static const int signal_of[KINDS] = {SIGSEGV, SIGSEGV, SIGFPE,  SIGILL,
                                     SIGSEGV, SIGABRT, SIGABRT, SIGSEGV};

BSK_MSG(commit, (i64, kind));
BSK_MSG(number, (i64, v));
BSK_CALL(count_up, number);

static void *volatile nothing;
static volatile int zero;
static volatile size_t length;

static int dig(volatile char *above)
{
    volatile char here[512];
    here[0] = above ? *above : 1;
    if (here[0] == 2) return 0;
    return dig(here) + here[0];
}

/* assert() may be compiled out, its end is not. */
extern _Noreturn void __assert_fail(const char *, const char *, unsigned, const char *);

static void fault(enum kind kind)
{
    switch (kind) {
    case NULL_WRITE: *(volatile int *)nothing = 1; break;
    case BAD_TEXT: length = strlen((const char *)nothing); break;
    case DIVISION: length = (size_t)(7 / zero); break;
    case ILLEGAL: __builtin_trap();
    case OVERFLOW: dig(NULL); break;
    case ABORT: abort();
    case ASSERT: __assert_fail("zero == 1", __FILE__, __LINE__, __func__);
    default:
        ((void (*)(void))(uintptr_t)nothing)();
        length = 1; /* a jump would not say who made it */
    }
}

static void no_log(void *arg, enum bsk_level level, const char *line)
{
    (void)arg;
    (void)level;
    (void)line;
}

static bsk_rt *start_with(unsigned workers)
{
    bsk_rt *rt = bsk_start(.workers = workers, .contain_faults = true, .hang_ms = 300,
                           .log = no_log, .quiet = true);
    ck_assert_ptr_nonnull(rt);
    return rt;
}

static bsk_rt *start(void)
{
    return start_with(2);
}

static void on_commit(bsk_self *self, bsk_msg *m)
{
    int64_t *counted = bsk_state(self);
    bsk_match(m) {
        bsk_on(commit, c) fault((enum kind)c->kind);
        bsk_on(count_up, q) bsk_reply(q, count_up, .v = ++*counted);
    }
}

static void commit_at_once(bsk_self *self)
{
    fault(*(enum kind *)bsk_state(self));
}

static void commit_in_a_fiber(bsk_self *self)
{
    if (bsk_sleep(self, 0) == 0) commit_at_once(self);
}

static void *last_undone;

static void undo(void *arg)
{
    last_undone = arg;
}

static void commit_in_init(bsk_self *self)
{
    if (bsk_defer(self, undo, self) == 0) commit_at_once(self);
}

static void leave_at_once(bsk_self *self)
{
    bsk_exit(self);
}

static void ignore(bsk_self *self, bsk_msg *m)
{
    (void)self;
    (void)m;
}

static bsk_addr spawn_faulty(bsk_self *self, bsk_monitor *m, int way, enum kind kind)
{
    bsk_addr who;
    switch (way) {
    case 0:
        who = bsk_spawn_watch(self, m, on_commit, BSK_STATE(int64_t, 0));
        bsk_tell(who, commit, .kind = kind);
        return who;
    case 1: return bsk_spawn_watch(self, m, commit_in_a_fiber, BSK_STATE(enum kind, kind));
    case 2:
        return bsk_spawn_watch(self, m, ignore, .init = commit_in_init, BSK_STATE(enum kind, kind));
    default:
        return bsk_spawn_watch(self, m, leave_at_once, .fini = commit_at_once,
                               BSK_STATE(enum kind, kind));
    }
}

static void check_down(bsk_self *self, bsk_monitor watched, enum kind kind)
{
    bsk_msg *m = bsk_recv(self, 10000);
    ck_assert_ptr_nonnull(m);
    bsk_match(m) {
        bsk_on(bsk_down, d) {
            ck_assert(bsk_is_of(d, watched));
            ck_assert_int_eq(d->reason, BSK_FAULT);
            ck_assert_int_eq(d->signal, signal_of[kind]);
            ck_assert_str_ne(d->text, "");
            if (kind != NOWHERE) ck_assert_ptr_nonnull(strstr(d->trace, "+0x"));
        }
    }
}

static void commit_all(bsk_self *self)
{
    for (int way = 0; way < 4; way++) {
        for (enum kind kind = 0; kind < KINDS; kind++) {
            bsk_monitor watched;
            bsk_addr who = spawn_faulty(self, &watched, way, kind);
            ck_assert(!bsk_is_nobody(who));
            check_down(self, watched, kind);
            ck_assert(!bsk_alive(who));
        }
    }
    ck_assert_ptr_nonnull(last_undone);
}

START_TEST(each_fault_ends_its_actor_wherever_its_own_code_runs)
{
    bsk_rt *rt = start();
    bsk_spawn(rt, commit_all);
    ck_assert_int_eq(bsk_wait(rt), 1);
}
END_TEST

START_TEST(a_fault_in_virtual_time_ends_its_actor)
{
    bsk_rt *rt = bsk_start(.seed = 7, .contain_faults = true, .log = no_log);
    ck_assert_ptr_nonnull(rt);
    bsk_spawn(rt, commit_all);
    ck_assert_int_eq(bsk_wait(rt), 1);
}
END_TEST

static long resident_kib(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_maxrss;
}

enum { MANY = 100000 };

static void commit_many(bsk_self *self)
{
    long after_some = 0;
    for (int i = 0; i < MANY; i++) {
        bsk_monitor watched;
        enum kind kind = (enum kind)(i % ASSERT);
        spawn_faulty(self, &watched, i / ASSERT % 2, kind);
        check_down(self, watched, kind);
        if (i == MANY / 10) after_some = resident_kib();
    }
    ck_assert_int_lt(resident_kib() - after_some, 4096);
}

START_TEST(many_faults_leave_nothing_behind)
{
    /* A second loop may come in late, with memory of its own. */
    bsk_rt *rt = start_with(1);
    bsk_spawn(rt, commit_many);
    ck_assert_int_eq(bsk_wait(rt), 1);
}
END_TEST

/* Calls until it gets through: the name's holder comes and goes. */
static int64_t count_on(bsk_self *self, int64_t *gaps)
{
    for (;;) {
        bsk_addr who = bsk_whereis(bsk_rt_of(self), "faulty");
        const number *n = bsk_is_nobody(who) ? NULL : bsk_call(self, who, 5000, count_up);
        if (n) return n->v;
        ++*gaps;
        ck_assert_int_eq(bsk_yield(self), 0);
    }
}

static void use_while_it_faults(bsk_self *self)
{
    int64_t gaps = 0;
    for (int i = 0; i < 2000; i++) {
        count_on(self, &gaps);
        bsk_addr who = bsk_whereis(bsk_rt_of(self), "faulty");
        if (i % 4 == 0) bsk_tell(who, commit, .kind = i / 4 % ABORT);
    }
    ck_assert_int_gt(gaps, 0);
    bsk_shutdown(bsk_rt_of(self));
}

START_TEST(a_supervisor_starts_again_who_faulted)
{
    bsk_rt *rt = start();
    bsk_addr sup = bsk_supervise(rt, BSK_SUP(.intensity = INT_MAX),
                                 bsk_child(on_commit, .name = "faulty", BSK_STATE(int64_t, 0)));
    ck_assert(!bsk_is_nobody(sup));
    bsk_spawn(rt, use_while_it_faults);
    ck_assert_int_eq(bsk_wait(rt), 0);
}
END_TEST

static void spin(bsk_self *self)
{
    static volatile int64_t turns;
    if (bsk_sleep(self, 0) == 0)
        for (;;) turns++;
}

static void watch_a_hang(bsk_self *self)
{
    bsk_monitor watched;
    bsk_addr who = bsk_spawn_watch(self, &watched, spin);
    bsk_msg *m = bsk_recv(self, 20000);
    ck_assert_ptr_nonnull(m);
    bsk_match(m) {
        bsk_on(bsk_down, d) {
            ck_assert(bsk_same(d->who, who));
            ck_assert_int_eq(d->reason, BSK_FAULT);
            ck_assert_str_eq(d->text, "hang");
        }
    }
}

START_TEST(who_hangs_in_its_own_code_is_ended)
{
    bsk_rt *rt = start();
    bsk_spawn(rt, watch_a_hang);
    ck_assert_int_eq(bsk_wait(rt), 1);
}
END_TEST

/* On the only loop: its sleeps end meanwhile, on a relief, and it hears of the end. */
static void wait_through_a_hang(bsk_self *self)
{
    bsk_monitor watched;
    bsk_addr who = bsk_spawn_watch(self, &watched, spin);
    const bsk_msg *m;
    int naps = 0;
    while (!(m = bsk_recv(self, 20)) && naps < 1000) naps++;
    ck_assert_ptr_nonnull(m);
    ck_assert_int_ge(naps, 5);
    ck_assert(!bsk_alive(who));
    ck_assert_int_eq(bsk_sleep(self, 20), 0);
}

START_TEST(who_waits_behind_a_hang_goes_on_before_and_after_its_end)
{
    bsk_rt *rt = bsk_start(.workers = 1, .contain_faults = true, .hang_ms = 600, .slow_ms = 50,
                           .log = no_log);
    ck_assert_ptr_nonnull(rt);
    bsk_spawn(rt, wait_through_a_hang);
    ck_assert_int_eq(bsk_wait(rt), 1);
}
END_TEST

/* How a process of its own ends. */
static int status_of(void (*run)(void))
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        if (!freopen("/dev/null", "w", stderr)) _exit(99);
        run();
        _exit(98);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

static void run_fiber(bsk_fiber *f, bool contained)
{
    bsk_rt *rt = bsk_start(.workers = 1, .contain_faults = contained, .log = no_log);
    bsk_spawn(rt, f);
    bsk_wait(rt);
}

static void ask_with_a_bad_name(bsk_self *self)
{
    bsk_whereis(bsk_rt_of(self), (const char *)nothing);
}

static void fault_in_the_library(void)
{
    run_fiber(ask_with_a_bad_name, true);
}

static void free_twice(bsk_self *self)
{
    void *volatile p = malloc(100);
    (void)self;
    free(p);
    free(p);
}

static void abort_in_libc(void)
{
    run_fiber(free_twice, true);
}

static void write_to_nowhere(bsk_self *self)
{
    (void)self;
    fault(NULL_WRITE);
}

static void fault_without_the_option(void)
{
    run_fiber(write_to_nowhere, false);
}

static void send_oneself_a_signal(bsk_self *self)
{
    (void)self;
    kill(getpid(), SIGSEGV);
}

static void signal_from_outside(void)
{
    run_fiber(send_oneself_a_signal, true);
}

static void bad_hook(void *arg, const bsk_dead_letter *dead)
{
    (void)arg;
    (void)dead;
    fault(NULL_WRITE);
}

static void tell_the_dead(bsk_self *self)
{
    bsk_addr nobody = bsk_me(self);
    nobody.gen += 2;
    bsk_tell(nobody, commit);
}

static void fault_in_a_hook(void)
{
    bsk_rt *rt = bsk_start(.workers = 1, .contain_faults = true, .dead_letter = bad_hook);
    bsk_spawn(rt, tell_the_dead);
    bsk_wait(rt);
}

static void *fault_on_a_thread(void *arg)
{
    fault(NULL_WRITE);
    return arg;
}

static void fault_on_another_thread(void)
{
    pthread_t t;
    bsk_rt *rt = bsk_start(.workers = 1, .contain_faults = true);
    if (rt && pthread_create(&t, NULL, fault_on_a_thread, NULL) == 0) pthread_join(t, NULL);
}

static void fault_after_the_end(void)
{
    run_fiber(leave_at_once, true);
    fault(NULL_WRITE);
}

static void exit_with_55(int sig)
{
    _exit(sig == SIGSEGV ? 55 : 56);
}

static void fault_under_a_handler(void)
{
    signal(SIGSEGV, exit_with_55);
    run_fiber(ask_with_a_bad_name, true);
}

START_TEST(elsewhere_a_fault_ends_the_process)
{
    static const struct {
        void (*run)(void);
        int sig;
    } deaths[] = {{fault_in_the_library, SIGSEGV},     {abort_in_libc, SIGABRT},
                  {fault_without_the_option, SIGSEGV}, {signal_from_outside, SIGSEGV},
                  {fault_in_a_hook, SIGSEGV},          {fault_on_another_thread, SIGSEGV},
                  {fault_after_the_end, SIGSEGV}};
    for (size_t i = 0; i < sizeof deaths / sizeof *deaths; i++) {
        int status = status_of(deaths[i].run);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != deaths[i].sig)
            ck_abort_msg("death %zu: status %#x", i, (unsigned)status);
    }
}
END_TEST

START_TEST(whoever_handled_the_signal_before_does_so_again)
{
    int status = status_of(fault_under_a_handler);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 55);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("fault");
    tcase_set_timeout(t, 100);
    tcase_add_test(t, each_fault_ends_its_actor_wherever_its_own_code_runs);
    tcase_add_test(t, a_fault_in_virtual_time_ends_its_actor);
    tcase_add_test(t, many_faults_leave_nothing_behind);
    tcase_add_test(t, a_supervisor_starts_again_who_faulted);
    tcase_add_test(t, who_hangs_in_its_own_code_is_ended);
    tcase_add_test(t, who_waits_behind_a_hang_goes_on_before_and_after_its_end);
    tcase_add_test(t, elsewhere_a_fault_ends_the_process);
    tcase_add_test(t, whoever_handled_the_signal_before_does_so_again);
    Suite *suite = suite_create("fault");
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
