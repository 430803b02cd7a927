/* SPDX-License-Identifier: MIT */
/* check_process.c - child processes: what they say, how they end, and that none is left.
 *
 * ctest: timeout=120 */
#include "open.h"

#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SH(text) .argv = BSK_ARGV("/bin/sh", "-c", text)

static bool has_children(void)
{
    return waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD;
}

static void run(bsk_fiber *fiber)
{
    open_run(fiber);
    ck_assert(!has_children());
}

static void expect_end(bsk_self *self, bsk_process p, int64_t status, int64_t signum)
{
    bsk_exit_out how;
    OK(bsk_process_wait(self, p, &how, 20000));
    ck_assert_int_eq(how.status, status);
    ck_assert_int_eq(how.signal, signum);
    IS(BSK_EBADF, bsk_process_wait(self, p, &how, 0));
}

/* Reads all of a stream. */
static const char *read_all(bsk_self *self, bsk_stream s)
{
    static char text[4096];
    size_t n = 0;
    bsk_bytes b;
    int got;
    while ((got = bsk_stream_read(self, s, &b, 20000)) > 0) {
        ck_assert_uint_lt(n + b.len, sizeof text);
        memcpy(text + n, b.ptr, b.len);
        n += b.len;
    }
    OK(got);
    text[n] = '\0';
    return text;
}

/* Ends. */

static void wait_for_ends(bsk_self *self)
{
    bsk_process_out p;
    OK(bsk_process_start(self, &p, .argv = BSK_ARGV("true")));
    ck_assert_int_gt(p.pid, 1);
    ck_assert(!p.in.id && !p.out.id && !p.err.id);
    expect_end(self, p.process, 0, 0);
    OK(bsk_process_start(self, &p, SH("exit 7")));
    expect_end(self, p.process, 7, 0);
    OK(bsk_process_start(self, &p, SH("kill -USR1 $$")));
    expect_end(self, p.process, 0, SIGUSR1);
    OK(bsk_process_start(self, &p, .argv = BSK_ARGV("sleep", "1000")));
    bsk_exit_out how;
    IS(BSK_ETIMEDOUT, bsk_process_wait(self, p.process, &how, 10));
    IS(BSK_EINVAL, bsk_process_signal(self, p.process, 0));
    IS(BSK_EINVAL, bsk_process_signal(self, p.process, 1000));
    OK(bsk_process_signal(self, p.process, SIGTERM));
    expect_end(self, p.process, 0, SIGTERM);
    IS(BSK_EBADF, bsk_process_signal(self, p.process, SIGTERM));
    fix_hit();
}

START_TEST(the_end_of_a_process_is_waited_for)
{
    run(wait_for_ends);
}
END_TEST

static void signal_the_ended(bsk_self *self)
{
    bsk_process_out p;
    OK(bsk_process_start(self, &p, SH("exit 3"), .out = BSK_STDIO_PIPE));
    ck_assert_str_eq(read_all(self, p.out), "");
    while (bsk_process_signal(self, p.process, SIGURG) == 0) OK(bsk_sleep(self, 1));
    IS(BSK_EDEAD, bsk_process_signal(self, p.process, SIGTERM));
    expect_end(self, p.process, 3, 0);
    fix_hit();
}

START_TEST(who_has_ended_is_not_signalled)
{
    run(signal_the_ended);
}
END_TEST

static void get_messages(bsk_self *self)
{
    bsk_process_out p;
    bsk_exit_out how;
    OK(bsk_process_start(self, &p, SH("exit 4"), .messages = true));
    IS(BSK_EINVAL, bsk_process_wait(self, p.process, &how, 100));
    bsk_match(bsk_recv(self, 20000)) {
        bsk_on(bsk_exited, e) {
            ck_assert(e->process == p.process.id && e->status == 4 && e->signal == 0);
            fix_hit();
        }
    }
    IS(BSK_EBADF, bsk_process_signal(self, p.process, SIGTERM));
    ck_assert_ptr_null(bsk_recv(self, 20));
}

START_TEST(the_end_is_told_once)
{
    run(get_messages);
}
END_TEST

/* Streams. */

static void talk(bsk_self *self)
{
    bsk_process_out p;
    bsk_bytes b;
    OK(bsk_process_start(self, &p, SH("read a; echo got $a; echo bad >&2; cat"),
                         .in = BSK_STDIO_PIPE, .out = BSK_STDIO_PIPE, .err = BSK_STDIO_PIPE));
    OK(bsk_stream_write(self, p.in, BSK_BYTES("one\n"), 5000));
    ck_assert_int_eq(bsk_stream_read(self, p.err, &b, 20000), 4);
    OK(bsk_stream_write(self, p.in, BSK_BYTES("two\n"), 5000));
    OK(bsk_stream_flush(self, p.in, 5000));
    IS(BSK_EPIPE, bsk_stream_write(self, p.out, BSK_BYTES("no"), 5000));
    ck_assert_int_eq(bsk_stream_read(self, p.in, &b, 5000), 0);
    bsk_stream_close(self, p.in);
    ck_assert_str_eq(read_all(self, p.out), "got one\ntwo\n");
    expect_end(self, p.process, 0, 0);
    fix_hit();
}

START_TEST(one_talks_with_a_process)
{
    run(talk);
}
END_TEST

static void end_input(bsk_self *self)
{
    static char much[200000];
    bsk_process_out p;
    bsk_exit_out how;
    memset(much, 'x', sizeof much);
    OK(bsk_process_start(self, &p, SH("wc -c"), .in = BSK_STDIO_PIPE, .out = BSK_STDIO_PIPE));
    OK(bsk_stream_write(self, p.in, (bsk_bytes){much, sizeof much}, 20000));
    OK(bsk_stream_shut(self, p.in));
    IS(BSK_EBADF, bsk_stream_write(self, p.in, BSK_BYTES("no"), 5000));
    ck_assert_int_eq(atoi(read_all(self, p.out)), sizeof much);
    OK(bsk_process_wait(self, p.process, &how, 20000));
    fix_hit();
}

START_TEST(the_end_of_input_is_after_all_of_it)
{
    run(end_input);
}
END_TEST

static void merge(bsk_self *self)
{
    bsk_process_out p;
    OK(bsk_process_start(self, &p, SH("echo out; echo err >&2; echo again > /dev/stderr"),
                         .out = BSK_STDIO_PIPE, .err = BSK_STDIO_OUT));
    ck_assert_str_eq(read_all(self, p.out), "out\nerr\nagain\n");
    expect_end(self, p.process, 0, 0);
    OK(bsk_process_start(self, &p, SH("test ! -t 0 && cat && ls -l /proc/self/fd/2"),
                         .out = BSK_STDIO_PIPE));
    ck_assert_ptr_nonnull(strstr(read_all(self, p.out), "/dev/null"));
    expect_end(self, p.process, 0, 0);
    OK(bsk_process_start(self, &p, .argv = BSK_ARGV("true"), .in = BSK_STDIO_INHERIT,
                         .out = BSK_STDIO_INHERIT, .err = BSK_STDIO_INHERIT));
    expect_end(self, p.process, 0, 0);
    fix_hit();
}

START_TEST(standard_streams_go_where_they_are_wanted)
{
    run(merge);
}
END_TEST

/* The child sees 0 to 2, and what it opens to look. */
static void count_descriptors(bsk_self *self)
{
    int leak[2];
    ck_assert_int_eq(pipe(leak), 0);
    bsk_process_out p;
    OK(bsk_process_start(self, &p, SH("ls /proc/self/fd | wc -l"), .out = BSK_STDIO_PIPE));
    ck_assert_int_eq(atoi(read_all(self, p.out)), 4);
    expect_end(self, p.process, 0, 0);
    close(leak[0]);
    close(leak[1]);
    fix_hit();
}

START_TEST(a_process_gets_nothing_but_its_streams)
{
    run(count_descriptors);
}
END_TEST

static void write_to_the_deaf(bsk_self *self)
{
    static char much[100000];
    bsk_process_out p;
    OK(bsk_process_start(self, &p, SH("exec 0<&-; echo closed; exec sleep 1000"),
                         .in = BSK_STDIO_PIPE, .out = BSK_STDIO_PIPE));
    bsk_bytes b;
    ck_assert_int_eq(bsk_stream_read(self, p.out, &b, 20000), 7);
    int rc = bsk_stream_write(self, p.in, (bsk_bytes){much, sizeof much}, 20000);
    if (rc == 0) rc = bsk_stream_flush(self, p.in, 20000);
    IS(BSK_EPIPE, rc);
    fix_hit();
}

START_TEST(a_process_that_does_not_listen_is_no_harm)
{
    run(write_to_the_deaf);
}
END_TEST

/* Options. */

static void use_options(bsk_self *self)
{
    bsk_process_out p;
    OK(bsk_process_start(self, &p, SH("pwd; echo $A-$B-$HOME"), .dir = "/usr",
                         .env = BSK_ARGV("A=1", "B=2"), .out = BSK_STDIO_PIPE));
    ck_assert_str_eq(read_all(self, p.out), "/usr\n1-2-\n");
    OK(bsk_process_start(self, &p, SH("ulimit -n; ulimit -v; ulimit -t"), .max_files = 17,
                         .max_memory = 512 << 20, .max_cpu_s = 9, .out = BSK_STDIO_PIPE));
    ck_assert_str_eq(read_all(self, p.out), "17\n524288\n9\n");
    if (getuid() == 0) {
        OK(bsk_process_start(self, &p, SH("id -u; id -g; id -G"), .uid = 1234, .gid = 4321,
                             .dir = "/", .out = BSK_STDIO_PIPE));
        ck_assert_str_eq(read_all(self, p.out), "1234\n4321\n4321\n");
    }
    fix_hit();
}

START_TEST(a_process_runs_where_and_as_it_is_told)
{
    run(use_options);
}
END_TEST

static void burn(bsk_self *self)
{
    bsk_process_out p;
    OK(bsk_process_start(self, &p, SH("while :; do :; done"), .max_cpu_s = 1));
    expect_end(self, p.process, 0, SIGXCPU);
    fix_hit();
}

START_TEST(who_takes_too_much_time_is_ended)
{
    run(burn);
}
END_TEST

static void start_in_vain(bsk_self *self)
{
    bsk_process_out p = {.pid = 77};
    IS(BSK_ENOTFOUND, bsk_process_start(self, &p, .argv = BSK_ARGV("no-such-program"),
                                        .in = BSK_STDIO_PIPE, .out = BSK_STDIO_PIPE));
    IS(BSK_ENOTFOUND, bsk_process_start(self, &p, .argv = BSK_ARGV("/no/such")));
    IS(BSK_EACCES, bsk_process_start(self, &p, .argv = BSK_ARGV("/etc/passwd")));
    IS(BSK_ENOTFOUND, bsk_process_start(self, &p, .argv = BSK_ARGV("true"), .dir = "/no/such"));
    IS(BSK_EINVAL, bsk_process_start(self, &p));
    IS(BSK_EINVAL, bsk_process_start(self, &p, .argv = BSK_ARGV(NULL)));
    IS(BSK_EINVAL, bsk_process_start(self, &p, .argv = BSK_ARGV("true"), .out = BSK_STDIO_OUT));
    IS(BSK_EINVAL, bsk_process_start(self, &p, .argv = BSK_ARGV("true"), .in = BSK_STDIO_PIPE,
                                     .out = (enum bsk_stdio)9));
    ck_assert_int_eq(p.pid, 77);
    fix_hit();
}

START_TEST(what_cannot_be_started_leaves_nothing)
{
    run(start_in_vain);
}
END_TEST

static void start_too_many(bsk_self *self)
{
    struct rlimit was, few;
    bsk_process_out p;
    unsigned base = open_fds();
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &was), 0);
    for (unsigned more = 0; more < 9; more++) {
        few = was;
        few.rlim_cur = base - 3 + more;
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
        int rc = bsk_process_start(self, &p, .argv = BSK_ARGV("true"), .in = BSK_STDIO_PIPE,
                                   .out = BSK_STDIO_PIPE);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &was), 0);
        if (rc) {
            IS(BSK_EMFILE, rc);
            continue;
        }
        expect_end(self, p.process, 0, 0);
        bsk_stream_close(self, p.in);
        bsk_stream_close(self, p.out);
    }
    fix_hit();
}

START_TEST(without_descriptors_nothing_is_started)
{
    run(start_too_many);
}
END_TEST

/* Owners. */

/* Says that its child runs, by the pipe that the child holds, and fails. */
static void start_and_fail(bsk_self *self)
{
    bsk_process_out p;

    bsk_bytes b;
    OK(bsk_process_start(self, &p, SH("trap '' TERM HUP; sleep 1000 & echo; wait"),
                         .out = BSK_STDIO_PIPE));
    ck_assert_int_eq(bsk_stream_read(self, p.out, &b, 20000), 1);

    bsk_fail(self, "crash");
}

static void watch_crash(bsk_self *self)
{
    int gone[2];
    char c;
    ck_assert_int_eq(pipe(gone), 0);
    bsk_process_out p;
    /* Its child inherits the pipe by name only: who opens it holds it. */
    char text[200];
    snprintf(text, sizeof text, "exec 9>/proc/%d/fd/%d; trap '' TERM HUP; sleep 1000 & echo; wait",
             (int)getpid(), gone[1]);
    OK(bsk_process_start(self, &p, .argv = BSK_ARGV("/bin/sh", "-c", text), .out = BSK_STDIO_PIPE));
    bsk_bytes b;
    ck_assert_int_eq(bsk_stream_read(self, p.out, &b, 20000), 1);
    close(gone[1]);
    bsk_process_close(self, p.process);
    bsk_process_close(self, p.process);
    /* Both have it; the end comes when neither lives. */
    ck_assert_int_eq(read(gone[0], &c, 1), 0);
    close(gone[0]);
    fix_hit();
}

START_TEST(a_process_is_killed_with_its_children)
{
    run(watch_crash);
}
END_TEST

static int gone_with_program[2];

static void kill_program(bsk_self *self)
{
    bsk_process_out p;
    bsk_bytes b;
    char text[200];
    snprintf(text, sizeof text, "exec 9>/proc/%d/fd/%d; echo; exec sleep 1000", (int)getpid(),
             gone_with_program[1]);
    OK(bsk_process_start(self, &p, .argv = BSK_ARGV("/bin/sh", "-c", text), .out = BSK_STDIO_PIPE));
    ck_assert_int_eq(bsk_stream_read(self, p.out, &b, 20000), 1);
    kill(getpid(), SIGKILL);
}

START_TEST(a_process_is_killed_with_the_program)
{
    char c;
    int status;
    ck_assert_int_eq(pipe(gone_with_program), 0);
    pid_t program = fork();
    if (program == 0) {
        bsk_rt *rt = bsk_start(.workers = 1);
        bsk_spawn(rt, kill_program);
        _exit(bsk_wait(rt));
    }
    close(gone_with_program[1]);
    ck_assert_int_eq(waitpid(program, &status, 0), program);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    ck_assert_int_eq(read(gone_with_program[0], &c, 1), 0);
    close(gone_with_program[0]);
}
END_TEST

static void leave_one_behind(bsk_self *self)
{
    bsk_process_out p;
    OK(bsk_process_start(self, &p, SH("sleep 1000 & exit 5"), .out = BSK_STDIO_PIPE));
    /* The end of the pipe: he who was left behind has it, too. */
    ck_assert_str_eq(read_all(self, p.out), "");
    expect_end(self, p.process, 5, 0);
    fix_hit();
}

START_TEST(whom_a_process_leaves_behind_is_killed)
{
    run(leave_one_behind);
}
END_TEST

START_TEST(a_process_ends_with_its_actor)
{
    unsigned before = open_fds();
    bsk_rt *rt = bsk_start(.workers = 2, .quiet = true, FIX_TRACED);
    for (int i = 0; i < 40; i++) fix_born(bsk_spawn(rt, start_and_fail));
    ck_assert_int_eq(bsk_wait(rt), 1);
    ck_assert_uint_eq(fix_ends(), 40);
    ck_assert(!has_children());
    ck_assert_uint_eq(open_fds(), before);
}
END_TEST

static void start_for_ever(bsk_self *self)
{
    bsk_process_out p;
    bsk_exit_out how;
    fix_hit();
    for (;;) {
        if (bsk_process_start(self, &p, .argv = BSK_ARGV("sleep", "0.003"), .in = BSK_STDIO_PIPE))
            return;
        if (bsk_process_wait(self, p.process, &how, 2) == BSK_ECANCELED) return;
        if (bsk_random(self) & 1) bsk_process_close(self, p.process);
    }
}

START_TEST(actors_are_killed_at_any_moment)
{
    unsigned before = open_fds();
    bsk_rt *rt = bsk_start(.workers = 2, .shutdown_ms = 60000, .quiet = true, FIX_HOOKS);
    for (unsigned i = 0; i < 40; i++) {
        bsk_addr a = fix_born(bsk_spawn(rt, start_for_ever));
        fix_await(i + 1);
        if (i % 2) bsk_kill(a);
    }
    fix_stop(rt, 0);
    ck_assert(!has_children());
    ck_assert_uint_eq(open_fds(), before);
}
END_TEST

/* For handlers. */

static void handle_process(bsk_self *self, bsk_msg *m)
{
    static bsk_process_out p;
    static int ends;
    bsk_exit_out how;
    bsk_match(m) {
        bsk_on(stop_it, s) {
            OK(bsk_process_start(self, &p, SH("cat; exit 6"), .in = BSK_STDIO_PIPE,
                                 .out = BSK_STDIO_PIPE));
            IS(BSK_EINVAL, bsk_process_wait(self, p.process, &how, 100));
            OK(bsk_stream_try(self, p.in, BSK_BYTES("echo")));
            bsk_stream_close(self, p.in);
        }
        bsk_on(bsk_data, d) {
            ck_assert(d->stream == p.out.id && d->data.len == 4);
            ends++;
        }
        bsk_on(bsk_closed, c) {
            ck_assert(c->stream == p.out.id && c->code == BSK_EEOF);
            ends++;
        }
        bsk_on(bsk_exited, e) {
            ck_assert(e->process == p.process.id && e->status == 6 && e->signal == 0);
            ends++;
        }
    }
    if (ends < 3) return;
    fix_hit();
    bsk_exit(self);
}

START_TEST(a_handler_gets_all_as_messages)
{
    open_run_handler(handle_process);
    ck_assert(!has_children());
}
END_TEST

/* Runtimes. */

static void start_many(bsk_self *self)
{
    for (int i = 0; i < 25; i++) {
        bsk_process_out p;
        OK(bsk_process_start(self, &p, SH("exit 9")));
        expect_end(self, p.process, 9, 0);
    }
    fix_hit();
}

START_TEST(several_runtimes_have_processes)
{
    bsk_rt *one = bsk_start(.workers = 2, FIX_HOOKS), *two = bsk_start(.workers = 1, FIX_HOOKS);
    for (int i = 0; i < 4; i++) fix_born(bsk_spawn(i % 2 ? one : two, start_many));
    ck_assert_int_eq(bsk_wait(one), 0);
    ck_assert_int_eq(bsk_wait(two), 0);
    ck_assert_uint_eq(fix_hits(), 4);
    ck_assert(!has_children());
}
END_TEST

static void start_seeded(bsk_self *self)
{
    bsk_process_out p;
    IS(BSK_ENOTSUP, bsk_process_start(self, &p, .argv = BSK_ARGV("true")));
    fix_hit();
}

START_TEST(a_seeded_runtime_has_no_processes)
{
    bsk_rt *rt = bsk_start(.seed = 5, FIX_HOOKS);
    fix_born(bsk_spawn(rt, start_seeded));
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_uint_eq(fix_hits(), 1);
}
END_TEST

static void try_all(bsk_self *self)
{
    bsk_process_out p;
    bsk_bytes b;
    int rc = bsk_process_start(self, &p, SH("cat"), .in = BSK_STDIO_PIPE, .out = BSK_STDIO_PIPE,
                               .messages = true);
    if (rc) {
        IS(BSK_ENOMEM, rc);
        return;
    }
    rc = bsk_stream_write(self, p.in, BSK_BYTES("x"), 5000);
    if (rc == 0) bsk_stream_close(self, p.in);
    if (rc == 0) (void)!bsk_stream_read(self, p.out, &b, 5000);
    bsk_stream_reset(self, p.in);
    ck_assert_ptr_nonnull(bsk_recv_only(self, 20000, BSK_T(bsk_exited)));
}

START_TEST(want_of_memory_starts_nothing)
{
    open_run_without_memory(try_all, 25);
    ck_assert(!has_children());
}
END_TEST

FIX_MAIN("process", 60, the_end_of_a_process_is_waited_for, who_has_ended_is_not_signalled,
         the_end_is_told_once, one_talks_with_a_process, the_end_of_input_is_after_all_of_it,
         standard_streams_go_where_they_are_wanted, a_process_gets_nothing_but_its_streams,
         a_process_that_does_not_listen_is_no_harm, a_process_runs_where_and_as_it_is_told,
         who_takes_too_much_time_is_ended, what_cannot_be_started_leaves_nothing,
         without_descriptors_nothing_is_started, a_process_is_killed_with_its_children,
         whom_a_process_leaves_behind_is_killed, a_process_is_killed_with_the_program,
         a_process_ends_with_its_actor, actors_are_killed_at_any_moment,
         a_handler_gets_all_as_messages, several_runtimes_have_processes,
         a_seeded_runtime_has_no_processes, want_of_memory_starts_nothing)
