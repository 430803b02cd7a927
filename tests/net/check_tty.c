/* SPDX-License-Identifier: MIT */
/* check_tty.c - descriptors that the program was given, and terminals. */
#include "open.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static bool blocks(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    ck_assert_int_ge(flags, 0);
    return !(flags & O_NONBLOCK);
}

static void expect(bsk_self *self, bsk_stream s, const char *text)
{
    bsk_bytes b;
    size_t n = strlen(text);
    for (size_t at = 0; at < n; at += b.len) {
        ck_assert_int_gt(bsk_stream_read(self, s, &b, 20000), 0);
        ck_assert(b.len <= n - at && memcmp(b.ptr, text + at, b.len) == 0);
    }
}

static void expect_fd(int fd, const char *text)
{
    char got[100];
    for (size_t n = strlen(text), at = 0; at < n;) {
        ssize_t some = read(fd, got, n - at);
        ck_assert(some > 0 && memcmp(got, text + at, (size_t)some) == 0);
        at += (size_t)some;
    }
}

/* Pipes, sockets, and what is no stream. */

static void use_pipe(bsk_self *self)
{
    int ends[2];
    char c;
    bsk_stream in, out;
    bsk_bytes b;
    ck_assert_int_eq(pipe(ends), 0);
    OK(bsk_stream_open_fd(self, ends[0], &in));
    OK(bsk_stream_open_fd(self, ends[1], &out));
    /* Of pipes the stream has a description of its own. */
    ck_assert(blocks(ends[0]) && blocks(ends[1]));
    OK(bsk_stream_write(self, out, BSK_BYTES("through"), 5000));
    OK(bsk_stream_flush(self, out, 5000));
    expect(self, in, "through");
    IS(BSK_EPIPE, bsk_stream_write(self, in, BSK_BYTES("no"), 5000));
    ck_assert_int_eq(bsk_stream_read(self, out, &b, 5000), 0);
    bsk_stream_close(self, out);
    bsk_stream_close(self, in);
    OK(bsk_sleep(self, 1));
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    ck_assert_int_eq(read(ends[0], &c, 1), 1);
    OK(bsk_stream_open_fd(self, ends[0], &in));
    ck_assert_int_eq(write(ends[1], "y", 1), 1);
    expect(self, in, "y");
    close(ends[1]);
    ck_assert_int_eq(bsk_stream_read(self, in, &b, 20000), 0);
    close(ends[0]);
    fix_hit();
}

START_TEST(a_pipe_is_a_stream_and_stays_the_programs)
{
    open_run(use_pipe);
}
END_TEST

static void write_to_the_gone(bsk_self *self)
{
    int ends[2];
    bsk_stream out;
    ck_assert_int_eq(pipe(ends), 0);
    OK(bsk_stream_open_fd(self, ends[1], &out));
    close(ends[0]);
    int rc = bsk_stream_write(self, out, BSK_BYTES("x"), 5000);
    if (rc == 0) rc = bsk_stream_flush(self, out, 5000);
    IS(BSK_EPIPE, rc);
    close(ends[1]);
    fix_hit();
}

START_TEST(a_pipe_that_nobody_reads_is_a_code)
{
    open_run(write_to_the_gone);
}
END_TEST

static int ends_of[2];

static void use_socket(bsk_self *self)
{
    bsk_stream s;
    OK(bsk_stream_open_fd(self, ends_of[0], &s));
    ck_assert(!blocks(ends_of[0]));
    OK(bsk_stream_write(self, s, BSK_BYTES("ping"), 5000));
    OK(bsk_stream_flush(self, s, 5000));
    expect_fd(ends_of[1], "ping");
    ck_assert_int_eq(write(ends_of[1], "pong", 4), 4);
    expect(self, s, "pong");
    fix_hit();
}

START_TEST(a_shared_socket_blocks_again_afterwards)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends_of), 0);
    open_run(use_socket);
    ck_assert(blocks(ends_of[0]));
    close(ends_of[0]);
    close(ends_of[1]);
}
END_TEST

static void open_in_vain(bsk_self *self)
{
    bsk_stream s = {77};
    int fd = open("/tmp", O_RDONLY), null = open("/dev/null", O_RDWR);
    int udp = socket(AF_INET, SOCK_DGRAM, 0);
    IS(BSK_ENOTSUP, bsk_stream_open_fd(self, fd, &s));
    IS(BSK_ENOTSUP, bsk_stream_open_fd(self, null, &s));
    IS(BSK_ENOTSUP, bsk_stream_open_fd(self, udp, &s));
    close(fd);
    close(null);
    close(udp);
    IS(BSK_EINVAL, bsk_stream_open_fd(self, udp, &s));
    IS(BSK_EINVAL, bsk_stream_open_fd(self, -1, &s));
    ck_assert_uint_eq(s.id, 77);
    int ends[2], columns, rows;
    ck_assert_int_eq(pipe(ends), 0);
    OK(bsk_stream_open_fd(self, ends[0], &s));
    IS(BSK_ENOTSUP, bsk_tty_size(self, s, &columns, &rows));
    IS(BSK_ENOTSUP, bsk_tty_raw(self, s, true));
    IS(BSK_EBADF, bsk_tty_raw(self, (bsk_stream){0}, true));
    close(ends[0]);
    close(ends[1]);
    fix_hit();
}

START_TEST(what_is_no_stream_is_refused)
{
    open_run(open_in_vain);
}
END_TEST

static void read_as_messages(bsk_self *self, bsk_msg *m)
{
    static bsk_stream in;
    bsk_match(m) {
        bsk_on(stop_it, s) {
            ck_assert_int_eq(pipe(ends_of), 0);
            OK(bsk_stream_open_fd(self, ends_of[0], &in));
            OK(bsk_stream_messages(self, in));
            ck_assert_int_eq(write(ends_of[1], "line", 4), 4);
        }
        bsk_on(bsk_data, d) {
            ck_assert(d->stream == in.id && d->data.len == 4);
            close(ends_of[1]);
        }
        bsk_on(bsk_closed, c) {
            ck_assert(c->stream == in.id && c->code == BSK_EEOF);
            close(ends_of[0]);
            fix_hit();
            bsk_exit(self);
        }
    }
}

START_TEST(a_handler_reads_a_pipe)
{
    open_run_handler(read_as_messages);
}
END_TEST

/* Terminals. */

static int master, slave;

static void open_terminal(void)
{
    master = posix_openpt(O_RDWR | O_NOCTTY);
    ck_assert(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    ck_assert_int_ge(slave, 0);
}

static void close_terminal(void)
{
    close(master);
    close(slave);
}

static bool is_raw(void)
{
    struct termios t;
    ck_assert_int_eq(tcgetattr(slave, &t), 0);
    return !(t.c_lflag & ICANON);
}

static void use_terminal(bsk_self *self)
{
    bsk_stream s;
    int columns = 0, rows = 0;
    struct winsize size = {.ws_row = 33, .ws_col = 99};
    OK(bsk_stream_open_fd(self, slave, &s));
    ck_assert(blocks(slave));
    ck_assert_int_eq(ioctl(master, TIOCSWINSZ, &size), 0);
    OK(bsk_tty_size(self, s, &columns, &rows));
    ck_assert(columns == 99 && rows == 33);
    ck_assert_int_eq(write(master, "in\n", 3), 3);
    expect(self, s, "in\n");
    OK(bsk_stream_write(self, s, BSK_BYTES("out\n"), 5000));
    OK(bsk_stream_flush(self, s, 5000));
    expect_fd(master, "in\r\nout\r\n");
    OK(bsk_tty_raw(self, s, true));
    OK(bsk_tty_raw(self, s, true));
    ck_assert(is_raw());
    ck_assert_int_eq(write(master, "k", 1), 1);
    expect(self, s, "k");
    OK(bsk_tty_raw(self, s, false));
    OK(bsk_tty_raw(self, s, false));
    ck_assert(!is_raw());
    fix_hit();
}

START_TEST(a_terminal_is_a_stream)
{
    open_terminal();
    open_run(use_terminal);
    close_terminal();
}
END_TEST

/* The name below /proc of this end would lead to a new terminal. */
static void use_master(bsk_self *self)
{
    bsk_stream s;
    OK(bsk_stream_open_fd(self, master, &s));
    ck_assert_int_eq(write(slave, "hi", 2), 2);
    expect(self, s, "hi");
    fix_hit();
}

START_TEST(the_masters_end_is_a_stream)
{
    open_terminal();
    open_run(use_master);
    ck_assert(blocks(master));
    close_terminal();
}
END_TEST

static void raw_and_crash(bsk_self *self)
{
    bsk_stream s;
    OK(bsk_stream_open_fd(self, slave, &s));
    OK(bsk_tty_raw(self, s, true));
    bsk_stream_close(self, s);
    ck_assert(is_raw());
    fix_hit();
    bsk_fail(self, "crash");
}

START_TEST(a_terminal_is_as_it_was_when_its_actor_has_crashed)
{
    open_terminal();
    bsk_rt *rt = bsk_start(.workers = 1, .quiet = true, FIX_HOOKS);
    fix_born(bsk_spawn(rt, raw_and_crash));
    ck_assert_int_eq(bsk_wait(rt), 1);
    ck_assert_uint_eq(fix_hits(), 1);
    ck_assert(!is_raw());
    close_terminal();
}
END_TEST

static void raw_for_ever(bsk_self *self)
{
    bsk_stream s;
    OK(bsk_stream_open_fd(self, slave, &s));
    OK(bsk_tty_raw(self, s, true));
    fix_hit();
    (void)bsk_sleep(self, BSK_FOREVER);
}

START_TEST(a_terminal_is_as_it_was_when_the_program_has_exited)
{
    open_terminal();
    pid_t child = fork();
    if (child == 0) {
        bsk_spawn(bsk_start(.workers = 1), raw_for_ever);
        fix_await(1);
        exit(is_raw() ? 0 : 1);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    ck_assert(!is_raw());
    close_terminal();
}
END_TEST

static void hang_up(bsk_self *self)
{
    bsk_stream s;
    bsk_bytes b;
    OK(bsk_stream_open_fd(self, slave, &s));
    close(master);
    int rc = bsk_stream_read(self, s, &b, 20000);
    ck_assert_msg(rc == 0 || rc == BSK_EIO, "%s", bsk_errname(rc));
    fix_hit();
}

START_TEST(a_hang_up_ends_the_stream)
{
    open_terminal();
    bsk_rt *rt = bsk_start(.workers = 1, FIX_HOOKS);
    fix_born(bsk_spawn(rt, hang_up));
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_uint_eq(fix_hits(), 1);
    close(slave);
}
END_TEST

static void open_without_memory(bsk_self *self)
{
    bsk_stream s;
    int rc = bsk_stream_open_fd(self, slave, &s, .idle_ms = 1000);
    if (rc == 0) rc = bsk_tty_raw(self, s, true);
    if (rc) IS(BSK_ENOMEM, rc);
    rc = bsk_stream_open_fd(self, master, &s);
    if (rc) IS(BSK_ENOMEM, rc);
}

START_TEST(want_of_memory_leaves_all_as_it_was)
{
    open_terminal();
    open_run_without_memory(open_without_memory, 12);
    ck_assert(!is_raw());
    ck_assert(blocks(slave) && blocks(master));
    close_terminal();
}
END_TEST

static void open_seeded(bsk_self *self)
{
    bsk_stream s;
    IS(BSK_ENOTSUP, bsk_stream_open_fd(self, 0, &s));
    fix_hit();
}

START_TEST(a_seeded_runtime_has_no_streams)
{
    bsk_rt *rt = bsk_start(.seed = 5, FIX_HOOKS);
    fix_born(bsk_spawn(rt, open_seeded));
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_uint_eq(fix_hits(), 1);
}
END_TEST

FIX_MAIN("tty", 30, a_pipe_is_a_stream_and_stays_the_programs, a_pipe_that_nobody_reads_is_a_code,
         a_shared_socket_blocks_again_afterwards, what_is_no_stream_is_refused,
         a_handler_reads_a_pipe, a_terminal_is_a_stream, the_masters_end_is_a_stream,
         a_terminal_is_as_it_was_when_its_actor_has_crashed,
         a_terminal_is_as_it_was_when_the_program_has_exited, a_hang_up_ends_the_stream,
         want_of_memory_leaves_all_as_it_was, a_seeded_runtime_has_no_streams)
