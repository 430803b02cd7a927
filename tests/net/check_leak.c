/* SPDX-License-Identifier: MIT */
/* check_leak.c - the process's descriptors and children after thousands of crashes of actors that
 * hold a socket, a file, a pipe, or a process.
 *
 * Not under the thread sanitizer, which misses some of those who open and close: descriptors look
 * shared to it that are not.
 *
 * ctest: timeout=300 not=tsan */
#include "open.h"

#include <errno.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CRASHES 10000
#define PROCESSES 200
#define AT_ONCE 40
#define SLACK 2 /* descriptors that loops may keep for themselves */

/* Ends in one of the ways that there are. */
static void crash(bsk_self *self)
{
    switch (bsk_random(self) % 4) {
    case 0: bsk_fail(self, "crash");
    case 1: abort();
    case 2: bsk_sleep(self, BSK_FOREVER); break; /* killed */
    default: break;
    }
}

static void give_stream(bsk_self *self, int fd)
{
    bsk_stream s;
    OK(bsk_stream_open_fd(self, fd, &s));
    close(fd);
}

static void hold_all(bsk_self *self)
{
    int ends[2];
    bsk_file f;
    bsk_udp u;
    bsk_gate g;
    ck_assert_int_gt(bsk_udp_open(self, "127.0.0.1", 0, &u), 0);
    ck_assert_int_gt(bsk_gate_open(self, "127.0.0.1", 0, &g), 0);
    ck_assert_int_eq(pipe(ends), 0);
    give_stream(self, ends[0]);
    give_stream(self, ends[1]);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    give_stream(self, ends[0]);
    give_stream(self, ends[1]);
    int rc = bsk_file_open(self, "/dev/null", BSK_FOREVER, &f, .write = true);
    if (rc != BSK_ECANCELED) OK(rc);
    if (rc == 0) (void)!bsk_file_ask_write(self, f, 0, BSK_BYTES("x"), BSK_FOREVER);
    crash(self);
}

static void hold_process(bsk_self *self)
{
    bsk_process_out p;
    OK(bsk_process_start(self, &p, .argv = BSK_ARGV("sleep", "1000"), .in = BSK_STDIO_PIPE,
                         .out = BSK_STDIO_PIPE));
    crash(self);
}

static bool has_children(void)
{
    return waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD;
}

/* What the loops have not let go of yet they do in a moment: the runtime lives on. */
static void expect_closed(unsigned before)
{
    time_t until = time(NULL) + 30;
    while ((open_fds() > before || has_children()) && time(NULL) < until) sched_yield();
    ck_assert_uint_le(open_fds(), before);
    ck_assert(!has_children());
}

/* Until these have ended: some are killed, and in the end those that wait are stopped. */
static void await_ends(bsk_rt *rt, const bsk_addr *who, unsigned seed)
{
    bsk_stats_out out;
    do {
        for (unsigned i = 0; i < AT_ONCE; i++)
            if ((seed + i) % 5 == 0) bsk_kill(who[i]);
        sched_yield();
        bsk_stats(rt, &out);
        for (unsigned i = 0; i < AT_ONCE && out.runnable == 0; i++) bsk_stop(who[i], BSK_FOREVER);
    } while (out.actors);
}

static void crash_some(bsk_rt *rt, bsk_fiber *fiber, unsigned seed)
{
    bsk_addr who[AT_ONCE];
    for (int i = 0; i < AT_ONCE; i++) who[i] = fix_born(bsk_spawn(rt, fiber));
    await_ends(rt, who, seed);
}

static void run(bsk_fiber *fiber, unsigned all)
{
    unsigned first = open_fds();
    bsk_rt *rt = bsk_start(.workers = 2, .quiet = true, .contain_faults = true,
                           .slow_ms = BSK_FOREVER, FIX_HOOKS);
    ck_assert_ptr_nonnull(rt);
    crash_some(rt, fiber, 0);
    bsk_net_stats_out stats;
    do bsk_net_stats(rt, &stats);
    while (stats.open);
    unsigned before = open_fds();
    for (unsigned n = 0; n < all; n += AT_ONCE) crash_some(rt, fiber, n);
    expect_closed(before + SLACK);
    ck_assert_int_eq(bsk_wait(rt), 1);
    ck_assert_uint_eq(open_fds(), first);
}

START_TEST(nothing_stays_open_after_ten_thousand_crashes)
{
    run(hold_all, CRASHES);
}
END_TEST

START_TEST(no_process_stays_after_hundreds_of_crashes)
{
    run(hold_process, PROCESSES);
}
END_TEST

FIX_MAIN("leak", 120, nothing_stays_open_after_ten_thousand_crashes,
         no_process_stays_after_hundreds_of_crashes)
