/* SPDX-License-Identifier: MIT */
/* check_notice.c - a stream as messages, to handlers and to fibers: one at a time, the end last,
 * room when there is some.
 *
 * ctest: valgrind timeout=120 */
#include "peer.h"

#include <sys/socket.h>
#include <unistd.h>

#define MUCH ((size_t)16 * 1024 * 1024)

BSK_MSG(go_on);
BSK_MSG(marker, (i64, v));

static bsk_rt *rt;
static _Atomic int port, code, closings, rooms;
static _Atomic uint64_t taken, later;
static bsk_addr who;

static void begin_hit(bsk_self *self)
{
    who = bsk_me(self);
    fix_hit();
}

static void setup_with(bsk_behavior b)
{
    rt = bsk_start(.workers = 2, FIX_HOOKS);
    ck_assert_ptr_nonnull(rt);
    bsk_listen_opts o = {.host = "127.0.0.1", .behavior = b};
    o.stream.write_high = 64 * 1024;
    o.conn.init = begin_hit;
    port = bsk_listen_(rt, &o);
    ck_assert_int_gt(port, 0);
}
#define setup(fn) setup_with(BSK_BEHAVIOR(fn))

static void finish(void)
{
    fix_stop(rt, 0);
    ck_assert_uint_eq(fix_dead(NULL, BSK_DEAD_UNMATCHED), 0);
}

static bsk_stream_info_out info_of(bsk_self *self, bsk_stream s)
{
    bsk_stream_info_out out;
    ck_assert_int_eq(bsk_stream_info(self, s, &out), 0);
    return out;
}

/* Data. */

/* Counts all that comes, and what comes after the end. */
static void count_all(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(bsk_data, d) {
            ck_assert_int_eq(closings, 0);
            ck_assert_uint_eq(d->stream, bsk_conn(self).id);
            ck_assert_uint_gt(d->data.len, 0);
            ck_assert(run_holds(d->data.ptr, taken, d->data.len));
            taken += d->data.len;
        }
        bsk_on(bsk_closed, c) {
            ck_assert_uint_eq(c->stream, bsk_conn(self).id);
            code = (int)c->code;
            closings++;
            fix_hit();
        }
        bsk_on(go_on, g) fix_hit();
    }
}

START_TEST(a_handler_gets_all_that_comes_and_then_the_end_once)
{
    static char run[MUCH / 4];
    run_fill(run, 0, sizeof run);
    setup(count_all);
    int fd = peer_dial(port);
    peer_send(fd, run, sizeof run);
    peer_shut(fd);
    fix_await(2);
    ck_assert_uint_eq(taken, sizeof run);
    ck_assert_int_eq(code, BSK_EEOF);
    /* It lives on, and hears no more of the stream. */
    peer_close(fd);
    bsk_tell(who, go_on);
    fix_await(3);
    ck_assert_int_eq(closings, 1);
    finish();
}
END_TEST

START_TEST(a_reset_is_told_once_as_the_end)
{
    setup(count_all);
    int fd = peer_dial(port);
    fix_await(1);
    peer_reset(fd);
    fix_await(2);
    ck_assert_int_eq(code, BSK_ERESET);
    bsk_tell(who, go_on);
    fix_await(3);
    ck_assert_int_eq(closings, 1);
    finish();
}
END_TEST

/* Takes its own messages only, for as long as it is told to. */
static void take_slowly(bsk_self *self)
{
    bsk_stream s = bsk_conn(self);
    bsk_msg *m;
    size_t n = 0;
    ck_assert_int_eq(bsk_stream_messages(self, s), 0);
    ck_assert_ptr_nonnull(bsk_recv_only(self, BSK_FOREVER, BSK_T(go_on)));
    ck_assert_uint_le(info_of(self, s).unread, 2 * 64 * 1024);
    ck_assert_uint_le(info_of(self, s).received, 4 * 64 * 1024);
    while ((m = bsk_recv(self, BSK_FOREVER)))
        bsk_match(m) {
            bsk_on(bsk_data, d) {
                ck_assert(run_holds(d->data.ptr, n, d->data.len));
                n += d->data.len;
            }
            bsk_on(bsk_closed, c) {
                ck_assert_int_eq(c->code, BSK_EEOF);
                taken = n;
                fix_hit();
            }
        }
}

START_TEST(who_does_not_take_messages_stops_the_peer)
{
    static char run[MUCH];
    run_fill(run, 0, MUCH);
    setup(take_slowly);
    int fd = peer_dial(port), small = 65536;
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    size_t n = 0;
    for (int idle = 0; n < MUCH && idle < 50; idle++) {
        size_t more = peer_stuff(fd, run + n, MUCH - n);
        n += more;
        if (more) idle = 0;
        peer_pause();
    }
    ck_assert_uint_lt(n, MUCH);
    bsk_tell(who, go_on);
    peer_send(fd, run + n, MUCH - n);
    peer_shut(fd);
    fix_await(2);
    ck_assert_uint_eq(taken, MUCH);
    peer_close(fd);
    finish();
}
END_TEST

static void turn_to_messages(bsk_self *self)
{
    bsk_stream s = bsk_conn(self);
    bsk_bytes b;
    bsk_msg *m;
    ck_assert_int_eq(bsk_read(self, &b, BSK_FOREVER), 3);
    fix_hit();
    /* What is there already comes as messages, with what was borrowed still readable. */
    while (info_of(self, s).unread < 4) ck_assert_int_eq(bsk_sleep(self, 1), 0);
    ck_assert_int_eq(bsk_stream_messages(self, s), 0);
    ck_assert_int_eq(memcmp(b.ptr, "one", 3), 0);
    m = bsk_recv(self, BSK_FOREVER);
    ck_assert(m && bsk_msg_type(m) == BSK_T(bsk_data));
    bsk_match(m)
        bsk_on(bsk_data, d) ck_assert_int_eq(memcmp(d->data.ptr, "more", 4), 0);
    fix_hit();
    m = bsk_recv(self, BSK_FOREVER);
    ck_assert(m && bsk_msg_type(m) == BSK_T(bsk_closed));
    fix_hit();
}

START_TEST(a_fiber_may_turn_to_messages_on_the_way)
{
    setup(turn_to_messages);
    int fd = peer_dial(port);
    peer_say(fd, "one");
    fix_await(2);
    peer_say(fd, "more");
    fix_await(3);
    peer_shut(fd);
    fix_await(4);
    peer_hear_end(fd);
    peer_close(fd);
    finish();
}
END_TEST

static void turn_after_the_end(bsk_self *self)
{
    bsk_bytes b;
    while (bsk_read(self, &b, BSK_FOREVER) > 0) continue;
    ck_assert_int_eq(bsk_stream_messages(self, bsk_conn(self)), 0);
    bsk_msg *m = bsk_recv(self, 5000);
    ck_assert(m && bsk_msg_type(m) == BSK_T(bsk_closed));
    ck_assert_ptr_null(bsk_recv(self, 10));
    fix_hit();
}

START_TEST(who_turns_to_messages_after_the_end_hears_of_it)
{
    setup(turn_after_the_end);
    int fd = peer_dial(port);
    peer_say(fd, "x");
    peer_shut(fd);
    fix_await(2);
    peer_close(fd);
    finish();
}
END_TEST

/* Pausing. */

static void pause_at_once(bsk_self *self, bsk_msg *m)
{
    bsk_stream s = bsk_conn(self);
    bsk_match(m) {
        bsk_on(bsk_data, d) {
            taken += d->data.len;
            if (taken == 1) ck_assert_int_eq(bsk_stream_pause(self, s, true), 0);
            fix_hit();
        }
        bsk_on(marker, k) {
            /* Again, without effect. */
            ck_assert_int_eq(bsk_stream_pause(self, s, true), 0);
            ck_assert_uint_eq(taken, 1);
            fix_hit();
        }
        bsk_on(go_on, g) {
            ck_assert_uint_eq(taken, 1);
            ck_assert_int_eq(bsk_stream_pause(self, s, false), 0);
            ck_assert_int_eq(bsk_stream_pause(self, s, false), 0);
        }
        bsk_on(bsk_closed, c) {
            closings++;
            fix_hit();
        }
    }
}

START_TEST(a_paused_stream_tells_nothing_until_it_goes_on)
{
    setup(pause_at_once);
    int fd = peer_dial(port);
    peer_say(fd, "1");
    fix_await(2);
    peer_say(fd, "2345");
    peer_shut(fd);
    for (unsigned i = 0; i < 50; i++) {
        bsk_tell(who, marker, i);
        fix_await(3 + i);
        peer_pause();
    }
    ck_assert_int_eq(closings, 0);
    bsk_tell(who, go_on);
    UNTIL(closings);
    ck_assert_uint_eq(taken, 5);
    peer_close(fd);
    finish();
}
END_TEST

/* Room. */

static char block[10000];

/* Says all it can, goes on when it is told that it may. */
static void say_all(bsk_self *self)
{
    int rc = 0;
    while (later < MUCH) {
        run_fill(block, later, sizeof block);
        rc = bsk_stream_try(self, bsk_conn(self), (bsk_bytes){block, sizeof block});
        if (rc) break;
        later += sizeof block;
        ck_assert_uint_le(info_of(self, bsk_conn(self)).unsent, 64 * 1024);
    }
    if (rc == 0) {
        ck_assert_int_eq(bsk_stream_shut(self, bsk_conn(self)), 0);
        fix_hit();
        return;
    }
    ck_assert_int_eq(rc, BSK_EFULL);
    /* However often it is asked for, one comes. */
    ck_assert_int_eq(bsk_stream_try(self, bsk_conn(self), (bsk_bytes){block, sizeof block}),
                     BSK_EFULL);
    rooms--;
}

static void talk_much(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(go_on, g) say_all(self);
        bsk_on(bsk_drained, d) {
            ck_assert_uint_eq(d->stream, bsk_conn(self).id);
            ck_assert_int_eq(++rooms, 0);
            ck_assert_uint_le(info_of(self, bsk_conn(self)).unsent, 32 * 1024);
            say_all(self);
        }
        bsk_on(bsk_closed, c) {
            code = (int)c->code;
            closings++;
            fix_hit();
        }
    }
}

START_TEST(a_full_stream_says_once_when_there_is_room)
{
    size_t n;
    setup(talk_much);
    int fd = peer_dial_narrow(port);
    fix_await(1);
    bsk_tell(who, go_on);
    ck_assert_int_eq(peer_drain(fd, 0, &n), 0);
    ck_assert_uint_eq(n, later);
    ck_assert_uint_ge(n, MUCH);
    fix_await(2);
    ck_assert_int_eq(rooms, 0);
    peer_close(fd);
    fix_await(3);
    finish();
}
END_TEST

static void fill_up(bsk_self *self, bsk_msg *m)
{
    static char run[1000];
    bsk_stream s = bsk_conn(self);
    int rc = 0;
    bsk_match(m) {
        bsk_on(go_on, g) {
            while ((rc = bsk_stream_try(self, s, (bsk_bytes){run, sizeof run})) == 0) continue;
            ck_assert_int_eq(rc, BSK_EFULL);
            fix_hit();
        }
        bsk_on(bsk_drained, d) {
            rooms++;
            code = bsk_stream_try(self, s, BSK_BYTES("x"));
            fix_hit();
        }
        bsk_on(bsk_closed, c) {
            closings++;
            fix_hit();
        }
    }
}

START_TEST(who_waits_for_room_after_the_peers_end_hears_when_it_is_gone)
{
    setup(fill_up);
    int fd = peer_dial_narrow(port);
    fix_await(1);
    bsk_tell(who, go_on);
    fix_await(2);
    peer_shut(fd);
    fix_await(3);
    ck_assert_int_eq(closings, 1);
    ck_assert_int_eq(rooms, 0);
    peer_reset(fd);
    fix_await(4);
    ck_assert_int_eq(rooms, 1);
    ck_assert_int_eq(code, BSK_EPIPE);
    finish();
}
END_TEST

static void try_sizes(bsk_self *self)
{
    static char big[200000];
    bsk_stream s = bsk_conn(self);
    ck_assert_int_eq(bsk_stream_try(self, s, (bsk_bytes){"", 0}), 0);
    ck_assert_int_eq(bsk_stream_try(self, s, (bsk_bytes){big, 64 * 1024}), 0);
    /* More than the mark at once, when nothing else waits. */
    ck_assert_int_eq(bsk_stream_flush(self, s, BSK_FOREVER), 0);
    ck_assert_int_eq(bsk_stream_try(self, s, (bsk_bytes){big, sizeof big}), 0);
    ck_assert_int_eq(bsk_stream_flush(self, s, BSK_FOREVER), 0);
    fix_hit();
}

START_TEST(nothing_and_much_can_be_tried)
{
    size_t n;
    setup(try_sizes);
    int fd = peer_dial(port);
    ck_assert_int_eq(peer_drain(fd, -1, &n), 0);
    ck_assert_uint_eq(n, 64 * 1024 + 200000);
    peer_close(fd);
    finish();
}
END_TEST

/* Closing while messages wait. */

/* One message is in the mailbox, not received. */
static void await_queued(bsk_self *self, bsk_stream s, uint64_t received)
{
    bsk_stream_info_out i;
    do {
        ck_assert_int_eq(bsk_sleep(self, 1), 0);
        i = info_of(self, s);
    } while (i.received < received || i.unread);
}

static void close_with_one_queued(bsk_self *self)
{
    bsk_stream s = bsk_conn(self);
    ck_assert_int_eq(bsk_stream_messages(self, s), 0);
    await_queued(self, s, 4);
    bsk_stream_close(self, s);
    ck_assert_ptr_null(bsk_recv(self, 20));
    ck_assert_int_eq(bsk_error(self), BSK_ETIMEDOUT);
    fix_hit();
}

static void close_with_one_passed_over(bsk_self *self)
{
    bsk_stream s = bsk_conn(self);
    ck_assert_int_eq(bsk_stream_messages(self, s), 0);
    await_queued(self, s, 4);
    ck_assert_ptr_null(bsk_recv_only(self, 5, BSK_T(go_on)));
    bsk_stream_close(self, s);
    ck_assert_ptr_null(bsk_recv_only(self, 5, BSK_T(bsk_data)));
    ck_assert_ptr_null(bsk_recv(self, 20));
    fix_hit();
}

static void reset_with_the_end_queued(bsk_self *self)
{
    bsk_stream s = bsk_conn(self);
    bsk_bytes b;
    ck_assert_int_eq(bsk_read(self, &b, BSK_FOREVER), 4);
    ck_assert_int_eq(bsk_read(self, &b, BSK_FOREVER), 0);
    ck_assert_int_eq(bsk_stream_messages(self, s), 0);
    bsk_stream_reset(self, s);
    ck_assert_ptr_null(bsk_recv(self, 20));
    fix_hit();
}

static void close_for_another(bsk_self *self)
{
    bsk_stream s = bsk_conn(self), again;
    ck_assert_int_eq(bsk_stream_messages(self, s), 0);
    await_queued(self, s, 4);
    bsk_stream_reset(self, s);
    /* The next may have the same place. */
    ck_assert_int_eq(bsk_connect(self, "127.0.0.1", port, 5000, &again), 0);
    ck_assert_int_eq(bsk_stream_messages(self, again), 0);
    ck_assert_ptr_null(bsk_recv(self, 20));
    ck_assert_int_eq(bsk_error(self), BSK_ETIMEDOUT);
    bsk_stream_reset(self, again);
    fix_hit();
}

START_TEST(what_was_queued_of_a_stream_is_not_received_when_that_is_closed)
{
    bsk_fiber *const all[] = {close_with_one_queued, close_with_one_passed_over,
                              reset_with_the_end_queued, close_for_another};
    setup(count_all);
    int quiet = port;
    for (unsigned i = 0; i < 4; i++) {
        unsigned before = fix_hits();
        port = quiet;
        int fd = peer_dial(bsk_listen(rt, "127.0.0.1", 0, all[i]));
        peer_say(fd, "data");
        peer_shut(fd);
        UNTIL(fix_hits() > before);
        UNTIL(open_now(rt) <= 2 + i + (i == 3)); /* whom the last called stays */
        peer_close(fd);
    }
    fix_stop(rt, 0);
}
END_TEST

static void exit_in_the_middle(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(bsk_data, d) {
            ck_assert_int_eq(bsk_stream_try(self, bsk_conn(self), d->data), 0);
            if (((const char *)d->data.ptr)[0] == 'f') bsk_fail(self, "on purpose");
            if (((const char *)d->data.ptr)[0] == 'c') bsk_stream_close(self, bsk_conn(self));
            if (((const char *)d->data.ptr)[0] == 'c') fix_hit();
            bsk_exit(self);
        }
    }
}

START_TEST(a_handler_may_leave_while_it_handles_data)
{
    setup(exit_in_the_middle);
    for (int i = 0; i < 30; i++) {
        int fd = peer_dial(port);
        peer_say(fd, i % 3 == 0 ? "fail" : i % 3 == 1 ? "close" : "leave");
        if (i % 3) peer_hear(fd, i % 3 == 1 ? "close" : "leave");
        peer_hear_over(fd);
        peer_close(fd);
    }
    UNTIL(open_now(rt) == 1);
    fix_stop(rt, 0);
}
END_TEST

/* Two streams of one fiber, as messages; their data do not mix. */
static void hold_two(bsk_self *self)
{
    bsk_stream a = bsk_conn(self), b;
    char got_a[100] = "", got_b[100] = "";
    ck_assert_int_eq(bsk_connect(self, "127.0.0.1", port, 5000, &b), 0);
    ck_assert_int_eq(bsk_stream_messages(self, a), 0);
    ck_assert_int_eq(bsk_stream_messages(self, b), 0);
    for (int i = 0; i < 10; i++) {
        char text[2] = {(char)('0' + i), 0};
        ck_assert_int_eq(bsk_stream_try(self, b, (bsk_bytes){text, 1}), 0);
    }
    while (strlen(got_a) + strlen(got_b) < 20) {
        bsk_msg *m = bsk_recv(self, BSK_FOREVER);
        ck_assert_ptr_nonnull(m);
        bsk_match(m)
            bsk_on(bsk_data, d) {
                ck_assert(d->stream == a.id || d->stream == b.id);
                strncat(d->stream == a.id ? got_a : got_b, d->data.ptr, d->data.len);
            }
    }
    ck_assert_str_eq(got_a, "abcdefghij");
    ck_assert_str_eq(got_b, "0123456789");
    fix_hit();
}

static void echo(bsk_self *self)
{
    bsk_bytes b;
    while (bsk_read(self, &b, BSK_FOREVER) > 0)
        if (bsk_write(self, b, BSK_FOREVER)) return;
}

START_TEST(streams_of_one_actor_tell_apart)
{
    setup(echo);
    int fd = peer_dial(bsk_listen(rt, "127.0.0.1", 0, hold_two));
    for (int i = 0; i < 10; i++) {
        peer_send(fd, &"abcdefghij"[i], 1);
        peer_pause();
    }
    fix_await(2);
    peer_hear_end(fd);
    peer_close(fd);
    finish();
}
END_TEST

/* Messages of streams take no place of the mailbox, and do not pass through its overflow. */
static void have_a_full_mailbox(bsk_self *self)
{
    ck_assert_int_eq(bsk_stream_messages(self, bsk_conn(self)), 0);
    bsk_tell(bsk_me(self), marker, 1);
    ck_assert_uint_eq(bsk_mailbox_room(self), 0);
    fix_hit();
    await_queued(self, bsk_conn(self), 4);
    ck_assert_uint_eq(bsk_mailbox_len(self), 1);
    ck_assert_ptr_nonnull(bsk_recv_only(self, 5000, BSK_T(bsk_data)));
    bsk_mailbox_close(self);
    fix_hit();
    ck_assert_ptr_nonnull(bsk_recv_only(self, 5000, BSK_T(bsk_closed)));
    fix_hit();
}

START_TEST(data_come_to_a_full_and_to_a_closed_mailbox)
{
    rt = bsk_start(.workers = 2, FIX_HOOKS);
    port = bsk_listen(rt, "127.0.0.1", 0, have_a_full_mailbox, .conn = {.mailbox = 1});
    int fd = peer_dial(port);
    fix_await(1);
    peer_say(fd, "data");
    fix_await(2);
    peer_shut(fd);
    fix_await(3);
    peer_close(fd);
    fix_stop(rt, 0);
}
END_TEST

FIX_MAIN("notice", 60, a_handler_gets_all_that_comes_and_then_the_end_once,
         a_reset_is_told_once_as_the_end, who_does_not_take_messages_stops_the_peer,
         a_fiber_may_turn_to_messages_on_the_way, who_turns_to_messages_after_the_end_hears_of_it,
         a_paused_stream_tells_nothing_until_it_goes_on, a_full_stream_says_once_when_there_is_room,
         who_waits_for_room_after_the_peers_end_hears_when_it_is_gone,
         nothing_and_much_can_be_tried,
         what_was_queued_of_a_stream_is_not_received_when_that_is_closed,
         a_handler_may_leave_while_it_handles_data, streams_of_one_actor_tell_apart,
         data_come_to_a_full_and_to_a_closed_mailbox)
