/* SPDX-License-Identifier: MIT */
/* check_limits.c - the times that a stream must keep: who does not is closed, and counted.
 *
 * ctest: calm timeout=120 */
#include "peer.h"

static bsk_rt *rt;
static _Atomic int port, code;
static _Atomic int64_t took;

static void start(bsk_fiber *fn, bsk_stream_opts o)
{
    rt = bsk_start(.workers = 2, FIX_HOOKS);
    ck_assert_ptr_nonnull(rt);
    port = bsk_listen(rt, "127.0.0.1", 0, fn, .stream = o);
    ck_assert_int_gt(port, 0);
}

static bsk_net_stats_out stats(void)
{
    bsk_net_stats_out out;
    bsk_net_stats(rt, &out);
    return out;
}

static void finish(unsigned idle, unsigned silent)
{
    UNTIL(open_now(rt) == 1);
    ck_assert_uint_eq(stats().idle, idle);
    ck_assert_uint_eq(stats().silent, silent);
    fix_stop(rt, 0);
}

static void read_on(bsk_self *self)
{
    bsk_bytes b;
    int64_t before = peer_clock();
    int rc;
    while ((rc = bsk_read(self, &b, BSK_FOREVER)) > 0) continue;
    took = peer_clock() - before;
    code = rc;
    if (rc < 0) ck_assert_int_eq(bsk_write(self, BSK_BYTES("x"), 10), rc);
    fix_hit();
}

START_TEST(who_says_nothing_at_first_is_closed_and_counted)
{
    start(read_on, (bsk_stream_opts){.first_byte_ms = 50});
    int fd = peer_dial(port);
    fix_await(1);
    ck_assert_int_eq(code, BSK_ELIMIT);
    ck_assert_int_ge(took, 45);
    peer_hear_over(fd);
    peer_close(fd);
    finish(0, 1);
}
END_TEST

START_TEST(one_byte_in_time_is_enough_for_the_first)
{
    start(read_on, (bsk_stream_opts){.first_byte_ms = 200});
    int fd = peer_dial(port);
    peer_say(fd, "x");
    for (int64_t until = peer_clock() + 500; peer_clock() < until;) peer_pause();
    ck_assert_uint_eq(fix_hits(), 0);
    peer_close(fd);
    fix_await(1);
    ck_assert_int_eq(code, 0);
    finish(0, 0);
}
END_TEST

START_TEST(who_falls_silent_is_closed_and_counted)
{
    start(read_on, (bsk_stream_opts){.idle_ms = 100});
    int fd = peer_dial(port);
    for (int i = 0; i < 50; i++) {
        peer_say(fd, "x");
        for (int k = 0; k < 10; k++) peer_pause();
    }
    ck_assert_uint_eq(fix_hits(), 0);
    fix_await(1);
    ck_assert_int_eq(code, BSK_ELIMIT);
    ck_assert_int_ge(took, 250);
    peer_hear_over(fd);
    peer_close(fd);
    finish(1, 0);
}
END_TEST

static void write_slowly(bsk_self *self)
{
    for (int i = 0; i < 30; i++) {
        ck_assert_int_eq(bsk_write(self, BSK_BYTES("x"), 10), 0);
        ck_assert_int_eq(bsk_sleep(self, 10), 0);
    }
    read_on(self);
}

START_TEST(what_is_written_counts_too)
{
    start(write_slowly, (bsk_stream_opts){.idle_ms = 150});
    int fd = peer_dial(port);
    fix_await(1);
    ck_assert_int_eq(code, BSK_ELIMIT);
    ck_assert_int_ge(took, 100);
    peer_close(fd);
    finish(1, 0);
}
END_TEST

static void write_to_the_stuck(bsk_self *self)
{
    static char run[100000];
    int rc;
    while ((rc = bsk_write(self, (bsk_bytes){run, sizeof run}, BSK_FOREVER)) == 0) continue;
    code = rc;
    fix_hit();
}

START_TEST(a_writer_whose_peer_is_stuck_is_closed_when_nothing_moves)
{
    start(write_to_the_stuck, (bsk_stream_opts){.idle_ms = 100});
    int fd = peer_dial_narrow(port);
    fix_await(1);
    ck_assert_int_eq(code, BSK_ELIMIT);
    peer_close(fd);
    finish(1, 0);
}
END_TEST

/* Of a handler the same is a message. */
static void hear_the_end(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(bsk_data, d) continue;
        bsk_on(bsk_closed, c) {
            code = (int)c->code;
            fix_hit();
            bsk_exit(self);
        }
    }
}

START_TEST(a_handler_hears_of_the_limit_as_the_end)
{
    rt = bsk_start(.workers = 1, FIX_HOOKS);
    port = bsk_listen(rt, "127.0.0.1", 0, hear_the_end,
                      .stream = {.idle_ms = 50, .first_byte_ms = 10000});
    int fd = peer_dial(port);
    peer_say(fd, "x");
    fix_await(1);
    ck_assert_int_eq(code, BSK_ELIMIT);
    peer_hear_over(fd);
    peer_close(fd);
    finish(1, 0);
}
END_TEST

/* Holds its loop, while the peer's bytes wait in the system. */
static void hold_the_loop(bsk_self *self)
{
    bsk_bytes b;
    fix_hit();
    for (int64_t until = peer_clock() + 150; peer_clock() < until;) peer_pause();
    ck_assert_int_eq(bsk_sleep(self, 1), 0);
    code = bsk_read(self, &b, BSK_FOREVER);
    fix_hit();
}

START_TEST(a_peer_that_spoke_in_time_does_not_pay_for_a_loop_that_is_late)
{
    rt = bsk_start(.workers = 1, .slow_ms = BSK_FOREVER, FIX_HOOKS);
    port = bsk_listen(rt, "127.0.0.1", 0, hold_the_loop, .stream = {.first_byte_ms = 100});
    int fd = peer_dial(port);
    fix_await(1);
    peer_say(fd, "x");
    fix_await(2);
    ck_assert_int_eq(code, 1);
    peer_close(fd);
    finish(0, 0);
}
END_TEST

/* Opens a stream when its loop's clock is long out of date. */
static void open_late(bsk_self *self)
{
    bsk_stream s;
    bsk_bytes b;
    for (int64_t until = peer_clock() + 150; peer_clock() < until;) peer_pause();
    ck_assert_int_eq(bsk_connect(self, "127.0.0.1", port, 5000, &s, .first_byte_ms = 100), 0);
    int64_t before = peer_clock();
    ck_assert_int_eq(bsk_stream_read(self, s, &b, BSK_FOREVER), BSK_ELIMIT);
    took = peer_clock() - before;
    fix_hit();
}

START_TEST(a_limit_counts_from_the_opening)
{
    int at;
    rt = bsk_start(.workers = 1, .slow_ms = BSK_FOREVER, FIX_HOOKS);
    int l = peer_listen(&at);
    port = at;
    fix_born(bsk_spawn(rt, open_late));
    fix_await(1);
    ck_assert_int_ge(took, 90);
    peer_close(l);
    fix_stop(rt, 0);
}
END_TEST

static void fail_to_open(bsk_self *self)
{
    bsk_stream s;
    ck_assert_int_eq(bsk_connect(self, "127.0.0.1", port, 5000, &s, .idle_ms = -5), BSK_EINVAL);
    ck_assert_int_eq(bsk_connect(self, "127.0.0.1", port, 5000, &s, .first_byte_ms = -2),
                     BSK_EINVAL);
    ck_assert_int_eq(bsk_connect(self, "127.0.0.1", port, 5000, &s, .idle_ms = BSK_FOREVER), 0);
    fix_hit();
}

static void accept_late(bsk_self *self)
{
    bsk_gate g;
    bsk_stream s;
    bsk_bytes b;
    port = bsk_gate_open(self, "127.0.0.1", 0, &g);
    ck_assert_int_gt(port, 0);
    fix_hit();
    for (int64_t until = peer_clock() + 150; peer_clock() < until;) peer_pause();
    ck_assert_int_eq(bsk_gate_accept(self, g, 5000, &s, .first_byte_ms = 100), 0);
    int64_t before = peer_clock();
    ck_assert_int_eq(bsk_stream_read(self, s, &b, BSK_FOREVER), BSK_ELIMIT);
    took = peer_clock() - before;
    fix_hit();
}

START_TEST(a_limit_counts_from_the_accept)
{
    rt = bsk_start(.workers = 1, .slow_ms = BSK_FOREVER, FIX_HOOKS);
    fix_born(bsk_spawn(rt, accept_late));
    fix_await(1);
    int fd = peer_dial(port);
    fix_await(2);
    ck_assert_int_ge(took, 90);
    peer_close(fd);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(times_that_are_none_are_refused)
{
    start(read_on, (bsk_stream_opts){.idle_ms = BSK_FOREVER, .first_byte_ms = BSK_FOREVER});
    fix_born(bsk_spawn(rt, fail_to_open));
    fix_await(2);
    ck_assert_int_eq(code, 0);
    finish(0, 0);
}
END_TEST

/* A lingering stream has its own time, whatever limit it had. */
static void write_and_leave(bsk_self *self)
{
    static char run[1000];
    int rc = 0;
    while (rc == 0) rc = bsk_stream_try(self, bsk_conn(self), (bsk_bytes){run, sizeof run});
    ck_assert_int_eq(rc, BSK_EFULL);
    fix_hit();
}

START_TEST(what_lingers_is_closed_in_the_end)
{
    start(write_and_leave, (bsk_stream_opts){.idle_ms = 60000});
    int fd = peer_dial_narrow(port);
    fix_await(1);
    int64_t before = peer_clock();
    UNTIL(open_now(rt) == 1);
    ck_assert_int_ge(peer_clock() - before, 4500);
    ck_assert_int_lt(peer_clock() - before, 7000);
    peer_close(fd);
    finish(0, 0);
}
END_TEST

FIX_MAIN("limits", 30, who_says_nothing_at_first_is_closed_and_counted,
         one_byte_in_time_is_enough_for_the_first, who_falls_silent_is_closed_and_counted,
         what_is_written_counts_too, a_writer_whose_peer_is_stuck_is_closed_when_nothing_moves,
         a_handler_hears_of_the_limit_as_the_end,
         a_peer_that_spoke_in_time_does_not_pay_for_a_loop_that_is_late,
         a_limit_counts_from_the_opening, a_limit_counts_from_the_accept,
         times_that_are_none_are_refused, what_lingers_is_closed_in_the_end)
