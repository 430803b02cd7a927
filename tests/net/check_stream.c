/* SPDX-License-Identifier: MIT */
/* check_stream.c - fibers read and write: what arrives, what waits, what ends a wait, and what
 * becomes of bytes when somebody leaves.
 *
 * ctest: timeout=120 calm */
#include "peer.h"

#include "actors/actor.h"

#include <netinet/in.h>
#include <pthread.h>
#include <unistd.h>

#define MUCH ((size_t)16 * 1024 * 1024)

static bsk_rt *rt;
static _Atomic int port, code;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bsk_addr who; /* of the actor under test, known after its first hit */
static bsk_stream its;

static void setup(bsk_fiber *conn)
{
    rt = bsk_start(.workers = 2, FIX_HOOKS);
    ck_assert_ptr_nonnull(rt);
    port = bsk_listen(rt, "127.0.0.1", 0, conn, .stream = {.write_high = 64 * 1024});
    ck_assert_int_gt(port, 0);
}

static void finish(void)
{
    fix_stop(rt, 0);
}

/* The actor under test has begun. */
static void begun(bsk_self *self)
{
    pthread_mutex_lock(&lock);
    who = bsk_me(self);
    its = bsk_conn(self);
    pthread_mutex_unlock(&lock);
    fix_hit();
}

static bsk_stream_info_out info_of(bsk_self *self)
{
    bsk_stream_info_out out;
    ck_assert_int_eq(bsk_stream_info(self, bsk_conn(self), &out), 0);
    return out;
}

/* Only the listener is open, and that soon: nothing lingers. */
static void until_closed(void)
{
    int64_t before = peer_clock();
    UNTIL(open_now(rt) == 1);
    ck_assert_int_lt(peer_clock() - before, 3000);
}

/* Waits until the peer's bytes are there, unread. */
static void await_unread(bsk_self *self, uint32_t n)
{
    while (info_of(self).unread < n) ck_assert_int_eq(bsk_sleep(self, 1), 0);
}

/* Reading and writing. */

static void echo(bsk_self *self)
{
    bsk_bytes b;
    while (bsk_read(self, &b, BSK_FOREVER) > 0)
        if (bsk_write(self, b, BSK_FOREVER) < 0) return;
}

static void *send_run(void *fd)
{
    char bytes[10000];
    for (uint64_t i = 0; i < 400; i++) {
        run_fill(bytes, i * sizeof bytes, sizeof bytes);
        peer_send(*(int *)fd, bytes, sizeof bytes);
    }
    peer_shut(*(int *)fd);
    return fd;
}

START_TEST(what_is_echoed_is_what_was_sent)
{
    pthread_t t;
    size_t n;
    setup(echo);
    int fd = peer_dial(port);
    ck_assert_int_eq(pthread_create(&t, NULL, send_run, &fd), 0);
    ck_assert_int_eq(peer_drain(fd, 0, &n), 0);
    ck_assert_uint_eq(n, 4000000);
    pthread_join(t, NULL);
    peer_close(fd);
    finish();
}
END_TEST

static void read_to_the_end(bsk_self *self)
{
    bsk_bytes b;
    ck_assert_int_eq(bsk_read(self, &b, BSK_FOREVER), 5);
    ck_assert_uint_eq(b.len, 5);
    ck_assert_int_eq(memcmp(b.ptr, "hello", 5), 0);
    for (int i = 0; i < 3; i++) ck_assert_int_eq(bsk_read(self, &b, BSK_FOREVER), 0);
    fix_hit();
}

START_TEST(a_read_says_how_many_and_0_at_the_end_again_and_again)
{
    setup(read_to_the_end);
    int fd = peer_dial(port);
    peer_say(fd, "hello");
    peer_shut(fd);
    fix_await(1);
    peer_hear_end(fd);
    peer_close(fd);
    finish();
}
END_TEST

static void keep_borrowed(bsk_self *self)
{
    bsk_bytes b, kept;
    ck_assert_int_eq(bsk_read(self, &kept, BSK_FOREVER), 5);
    ck_assert_int_eq(bsk_write(self, kept, BSK_FOREVER), 0);
    await_unread(self, 5);
    ck_assert_int_eq(memcmp(kept.ptr, "first", 5), 0);
    ck_assert_int_eq(bsk_write(self, kept, BSK_FOREVER), 0);
    ck_assert_int_eq(bsk_read(self, &b, BSK_FOREVER), 5);
    ck_assert_int_eq(bsk_write(self, b, BSK_FOREVER), 0);
}

START_TEST(bytes_are_borrowed_until_the_next_read)
{
    setup(keep_borrowed);
    int fd = peer_dial(port);
    peer_say(fd, "first");
    peer_hear(fd, "first");
    peer_say(fd, "other");
    peer_hear(fd, "firstother");
    peer_hear_end(fd);
    peer_close(fd);
    finish();
}
END_TEST

static void time_out(bsk_self *self)
{
    bsk_bytes b;
    int64_t before = peer_clock();
    ck_assert_int_eq(bsk_read(self, &b, 20), BSK_ETIMEDOUT);
    ck_assert_int_ge(peer_clock() - before, 20);
    ck_assert_int_eq(bsk_read(self, &b, 0), BSK_ETIMEDOUT);
    fix_hit();
    await_unread(self, 2);
    ck_assert_int_eq(bsk_read(self, &b, 0), 2);
    ck_assert_int_eq(bsk_read(self, &b, 0), BSK_ETIMEDOUT);
    bsk_scope *s = bsk_scope_open(self, 20);
    ck_assert_int_eq(bsk_read(self, &b, BSK_FOREVER), BSK_ETIMEDOUT);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ETIMEDOUT);
    fix_hit();
    ck_assert_int_eq(bsk_read(self, &b, 10000), 3);
}

START_TEST(a_read_ends_by_its_time_or_the_scopes_and_can_be_tried_again)
{
    setup(time_out);
    int fd = peer_dial(port);
    fix_await(1);
    peer_say(fd, "me");
    fix_await(2);
    peer_say(fd, "you");
    peer_hear_end(fd);
    peer_close(fd);
    finish();
}
END_TEST

static void fill_all(bsk_self *self)
{
    static char to[300000];
    bsk_stream s = bsk_conn(self);
    bsk_bytes b;
    ck_assert_int_eq(bsk_stream_fill(self, s, to, 0, 0), 0);
    ck_assert_int_eq(bsk_stream_fill(self, s, to, 1, BSK_FOREVER), 0);
    ck_assert(run_holds(to, 0, 1));
    ck_assert_int_eq(bsk_stream_fill(self, s, to, 99, BSK_FOREVER), 0);
    ck_assert(run_holds(to, 1, 99));
    ck_assert_int_eq(bsk_stream_fill(self, s, to, 299000, BSK_FOREVER), 0);
    ck_assert(run_holds(to, 100, 299000));
    int n = bsk_stream_read(self, s, &b, BSK_FOREVER);
    ck_assert(n > 0 && n <= 900 && run_holds(b.ptr, 299100, (size_t)n));
    ck_assert_int_eq(bsk_stream_fill(self, s, to, 900 - (size_t)n, BSK_FOREVER), 0);
    ck_assert(run_holds(to, 299100 + (uint64_t)n, 900 - (size_t)n));
    ck_assert_int_eq(bsk_stream_fill(self, s, to, 1, 10), BSK_ETIMEDOUT);
    fix_hit();
    ck_assert_int_eq(bsk_stream_fill(self, s, to, 10, BSK_FOREVER), BSK_EEOF);
    ck_assert_int_eq(bsk_stream_fill(self, s, to, 1, BSK_FOREVER), BSK_EEOF);
}

START_TEST(a_fill_is_exact_whatever_comes_behind_it)
{
    static char run[300000];
    run_fill(run, 0, sizeof run);
    setup(fill_all);
    int fd = peer_dial(port);
    peer_send(fd, run, sizeof run);
    fix_await(1);
    peer_say(fd, "short");
    peer_shut(fd);
    peer_hear_end(fd);
    peer_close(fd);
    finish();
}
END_TEST

static void pick_bytes(bsk_self *self)
{
    char to[8];
    bsk_stream s = bsk_conn(self);
    bsk_bytes b;
    await_unread(self, 30);
    /* What was read ahead is used up piece by piece, and then goes on. */
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(bsk_stream_fill(self, s, to, 3, 0), 0);
        ck_assert(run_holds(to, 3 * (uint64_t)i, 3));
    }
    ck_assert_uint_eq(info_of(self).unread, 0);
    fix_hit();
    ck_assert_int_eq(bsk_read(self, &b, BSK_FOREVER), 2);
    ck_assert(run_holds(b.ptr, 30, 2));
}

START_TEST(fills_and_reads_take_turns)
{
    char run[32];
    run_fill(run, 0, sizeof run);
    setup(pick_bytes);
    int fd = peer_dial(port);
    peer_send(fd, run, 30);
    fix_await(1);
    peer_send(fd, run + 30, 2);
    peer_hear_end(fd);
    peer_close(fd);
    finish();
}
END_TEST

/* One slice, one system call. */

static void say_in_pieces(bsk_self *self)
{
    bsk_bytes b;
    ck_assert_int_eq(bsk_write(self, BSK_BYTES("one "), 0), 0);
    ck_assert_int_eq(bsk_write(self, BSK_BYTES("two "), 0), 0);
    ck_assert_int_eq(bsk_write(self, BSK_BYTES("three"), 0), 0);
    ck_assert_int_eq(bsk_read(self, &b, BSK_FOREVER), 1);
    /* Not more: now and then a fiber that goes on gives others a turn. */
    for (int i = 0; i < 200; i++) ck_assert_int_eq(bsk_write(self, BSK_BYTES("four "), 0), 0);
    ck_assert_int_eq(bsk_sleep(self, 1), 0);
    fix_hit();
    ck_assert_int_eq(bsk_read(self, &b, BSK_FOREVER), 1);
    ck_assert_int_eq(bsk_write(self, BSK_BYTES("five "), 0), 0);
    ck_assert_int_eq(bsk_write(self, BSK_BYTES("six"), 0), 0);
}

START_TEST(what_one_slice_writes_leaves_in_one_system_call)
{
    char got[10000], path[64];
    snprintf(path, sizeof path, "/tmp/buskin-packets.%d", (int)getpid());
    rt = bsk_start(.workers = 1, FIX_HOOKS);
    ck_assert_int_eq(bsk_listen(rt, NULL, 0, say_in_pieces, .fd = peer_listen_packets(path)), 0);
    /* A socket that keeps packets apart shows what each call sent. */
    int fd = peer_dial_packets(path);
    ck_assert_int_eq(recv(fd, got, sizeof got, 0), 13);
    ck_assert_int_eq(memcmp(got, "one two three", 13), 0);
    peer_say(fd, "a");
    fix_await(1);
    ck_assert_int_eq(recv(fd, got, sizeof got, 0), 1000);
    peer_say(fd, "b");
    ck_assert_int_eq(recv(fd, got, sizeof got, 0), 8);
    ck_assert_int_eq(recv(fd, got, sizeof got, 0), 0);
    peer_close(fd);
    finish();
    unlink(path);
}
END_TEST

/* A peer that is slow. */

static void write_much(bsk_self *self)
{
    static char run[100000];
    begun(self);
    for (uint64_t done = 0; done < MUCH; done += sizeof run) {
        run_fill(run, done, sizeof run);
        ck_assert_int_eq(bsk_write(self, (bsk_bytes){run, sizeof run}, BSK_FOREVER), 0);
        ck_assert_uint_le(info_of(self).unsent, 64 * 1024);
    }
    ck_assert_int_eq(bsk_stream_flush(self, bsk_conn(self), BSK_FOREVER), 0);
    ck_assert_uint_eq(info_of(self).unsent, 0);
    ck_assert_uint_ge(info_of(self).sent, MUCH);
    fix_hit();
}

START_TEST(a_write_waits_for_a_slow_peer_and_goes_on)
{
    size_t n;
    setup(write_much);
    int fd = peer_dial_narrow(port);
    fix_await(1);
    ck_assert_int_eq(peer_drain(fd, 0, &n), 0);
    ck_assert_uint_ge(n, MUCH);
    fix_await(2);
    peer_close(fd);
    finish();
}
END_TEST

static void write_in_vain(bsk_self *self)
{
    static char run[1000000];
    bsk_bytes b = {run, sizeof run};
    int rc = 0;
    for (int i = 0; i < 100 && rc == 0; i++) rc = bsk_write(self, b, 100);
    ck_assert_int_eq(rc, BSK_ETIMEDOUT);
    ck_assert_uint_le(info_of(self).unsent, 64 * 1024);
    ck_assert_int_eq(bsk_write(self, BSK_BYTES("more"), 10), BSK_ETIMEDOUT);
    ck_assert_int_eq(bsk_stream_flush(self, bsk_conn(self), 10), BSK_ETIMEDOUT);
    bsk_stats_out stats;
    bsk_stats(rt, &stats);
    ck_assert_uint_lt(stats.memory_messages, 4 * 1024 * 1024);
    fix_hit();
}

START_TEST(a_write_to_a_peer_that_never_reads_times_out_in_bounded_memory)
{
    setup(write_in_vain);
    int fd = peer_dial(port);
    fix_await(1);
    /* What was not sent lingers; the runtime does not wait for it long. */
    int64_t before = peer_clock();
    finish();
    ck_assert_int_lt(peer_clock() - before, 4000);
    peer_close(fd);
}
END_TEST

/* Reading ahead. */

static void do_not_read(bsk_self *self)
{
    bsk_bytes b;
    size_t n = 0;
    int some;
    begun(self);
    ck_assert_ptr_nonnull(bsk_recv(self, BSK_FOREVER));
    ck_assert_uint_le(info_of(self).unread, 2 * 64 * 1024);
    while ((some = bsk_read(self, &b, BSK_FOREVER)) > 0) {
        ck_assert(run_holds(b.ptr, n, (size_t)some));
        n += (size_t)some;
    }
    ck_assert_int_eq(some, 0);
    code = (int)n;
    fix_hit();
}

START_TEST(a_peer_waits_while_the_actor_does_not_read)
{
    static char run[MUCH];
    run_fill(run, 0, MUCH);
    setup(do_not_read);
    int fd = peer_dial(port), small = 65536;
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    fix_await(1);
    /* As much as the system keeps, and the little that is read ahead. */
    size_t n = 0, more;
    int idle = 0;
    while (n < MUCH && idle < 50) {
        more = peer_stuff(fd, run + n, MUCH - n);
        idle = more ? 0 : idle + 1;
        n += more;
        if (!more) peer_pause();
    }
    ck_assert_uint_lt(n, MUCH);
    bsk_tell(who, num, 1);
    peer_send(fd, run + n, MUCH - n);
    peer_shut(fd);
    fix_await(2);
    ck_assert_int_eq(code, (int)MUCH);
    peer_close(fd);
    finish();
}
END_TEST

/* Halves. */

static void answer_after_the_end(bsk_self *self)
{
    static char run[MUCH / 8];
    bsk_bytes b;
    while (bsk_read(self, &b, BSK_FOREVER) > 0) continue;
    run_fill(run, 0, sizeof run);
    ck_assert_int_eq(bsk_write(self, (bsk_bytes){run, sizeof run}, BSK_FOREVER), 0);
    ck_assert_int_eq(bsk_read(self, &b, BSK_FOREVER), 0);
}

START_TEST(a_peer_that_has_ended_still_gets_its_answer)
{
    size_t n;
    setup(answer_after_the_end);
    int fd = peer_dial(port);
    peer_say(fd, "question");
    peer_shut(fd);
    ck_assert_int_eq(peer_drain(fd, 0, &n), 0);
    ck_assert_uint_eq(n, MUCH / 8);
    peer_close(fd);
    finish();
}
END_TEST

static void shut_and_read(bsk_self *self)
{
    static char run[MUCH / 8];
    bsk_bytes b;
    bsk_stream s = bsk_conn(self);
    run_fill(run, 0, sizeof run);
    ck_assert_int_eq(bsk_write(self, (bsk_bytes){run, sizeof run}, BSK_FOREVER), 0);
    ck_assert_int_eq(bsk_stream_shut(self, s), 0);
    ck_assert_int_eq(bsk_stream_shut(self, s), BSK_EPIPE);
    ck_assert_int_eq(bsk_write(self, BSK_BYTES("x"), 10), BSK_EPIPE);
    ck_assert_int_eq(bsk_stream_try(self, s, BSK_BYTES("x")), BSK_EPIPE);
    ck_assert_int_eq(bsk_read(self, &b, BSK_FOREVER), 5);
    ck_assert_int_eq(bsk_read(self, &b, BSK_FOREVER), 0);
    fix_hit();
}

START_TEST(who_shuts_its_half_is_heard_to_the_end_and_hears_more)
{
    size_t n;
    setup(shut_and_read);
    int fd = peer_dial_narrow(port);
    ck_assert_int_eq(peer_drain(fd, 0, &n), 0);
    ck_assert_uint_eq(n, MUCH / 8);
    peer_say(fd, "after");
    peer_shut(fd);
    fix_await(1);
    peer_close(fd);
    finish();
}
END_TEST

/* Ends that are no good ends. */

static void read_until_it_fails(bsk_self *self)
{
    bsk_bytes b;
    begun(self);
    int rc;
    while ((rc = bsk_read(self, &b, BSK_FOREVER)) > 0) continue;
    code = rc;
    ck_assert_int_eq(bsk_read(self, &b, BSK_FOREVER), rc);
    rc = bsk_write(self, BSK_BYTES("x"), BSK_FOREVER);
    ck_assert(rc == BSK_ERESET || rc == BSK_EPIPE);
    fix_hit();
}

START_TEST(a_reset_by_the_peer_ends_a_read_and_all_writes)
{
    setup(read_until_it_fails);
    int fd = peer_dial(port);
    fix_await(1);
    peer_reset(fd);
    fix_await(2);
    ck_assert_int_eq(code, BSK_ERESET);
    finish();
}
END_TEST

START_TEST(a_reset_right_behind_bytes_is_no_end)
{
    setup(read_until_it_fails);
    for (unsigned i = 0; i < 40; i++) {
        int fd = peer_dial(port);
        fix_await(2 * i + 1);
        peer_say(fd, "x");
        peer_reset(fd);
        fix_await(2 * i + 2);
        ck_assert_int_eq(code, BSK_ERESET);
    }
    finish();
}
END_TEST

static void write_until_it_fails(bsk_self *self)
{
    static char run[100000];
    begun(self);
    int rc;
    while ((rc = bsk_write(self, (bsk_bytes){run, sizeof run}, BSK_FOREVER)) == 0) continue;
    code = rc;
    fix_hit();
}

START_TEST(a_reset_by_the_peer_ends_a_write_that_waits)
{
    setup(write_until_it_fails);
    int fd = peer_dial(port);
    fix_await(1);
    peer_hear(fd, "");
    peer_reset(fd);
    fix_await(2);
    ck_assert(code == BSK_ERESET || code == BSK_EPIPE);
    finish();
}
END_TEST

START_TEST(a_peer_that_is_gone_ends_a_writer)
{
    setup(write_until_it_fails);
    int fd = peer_dial(port);
    fix_await(1);
    peer_close(fd);
    fix_await(2);
    ck_assert(code == BSK_ERESET || code == BSK_EPIPE);
    finish();
}
END_TEST

static void talk_to_the_deaf(bsk_self *self)
{
    bsk_bytes b;
    ck_assert_int_eq(bsk_read(self, &b, BSK_FOREVER), 4);
    ck_assert_int_eq(bsk_write(self, BSK_BYTES("lost"), BSK_FOREVER), 0);
    fix_hit();
    /* While it begins to wait it finds out that writing fails. */
    ck_assert_int_eq(bsk_read(self, &b, 10000), 4);
    ck_assert_int_eq(memcmp(b.ptr, "more", 4), 0);
    ck_assert_int_eq(bsk_write(self, BSK_BYTES("x"), BSK_FOREVER), BSK_EPIPE);
    ck_assert_int_eq(bsk_stream_flush(self, bsk_conn(self), BSK_FOREVER), BSK_EPIPE);
    ck_assert_int_eq(bsk_read(self, &b, 10000), 0);
    fix_hit();
}

START_TEST(who_cannot_be_written_to_can_still_be_heard)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/buskin-deaf.%d", (int)getpid());
    rt = bsk_start(.workers = 1, FIX_HOOKS);
    ck_assert_int_eq(bsk_listen(rt, path, 0, talk_to_the_deaf), 0);
    int fd = peer_dial_path(path);
    ck_assert_int_eq(shutdown(fd, SHUT_RD), 0);
    peer_say(fd, "hear");
    fix_await(1);
    peer_say(fd, "more");
    peer_shut(fd);
    fix_await(2);
    peer_close(fd);
    finish();
}
END_TEST

/* Being stopped. */

static void read_on(bsk_self *self)
{
    bsk_bytes b;
    begun(self);
    code = bsk_read(self, &b, BSK_FOREVER);
    ck_assert_int_eq(bsk_read(self, &b, BSK_FOREVER), BSK_ECANCELED);
    ck_assert_int_eq(bsk_write(self, BSK_BYTES("x"), BSK_FOREVER), BSK_ECANCELED);
    ck_assert_int_eq(bsk_stream_flush(self, its, BSK_FOREVER), BSK_ECANCELED);
    fix_hit();
}

START_TEST(a_stop_cancels_a_read)
{
    setup(read_on);
    int fd = peer_dial(port);
    fix_await(1);
    ck_assert_int_eq(bsk_stop(who, BSK_FOREVER), 0);
    fix_await(2);
    ck_assert_int_eq(code, BSK_ECANCELED);
    peer_hear_end(fd);
    peer_close(fd);
    finish();
}
END_TEST

START_TEST(a_stop_cancels_a_write)
{
    setup(write_until_it_fails);
    int fd = peer_dial_narrow(port);
    fix_await(1);
    char first;
    ck_assert_int_eq(recv(fd, &first, 1, 0), 1);
    ck_assert_int_eq(bsk_stop(who, BSK_FOREVER), 0);
    fix_await(2);
    ck_assert_int_eq(code, BSK_ECANCELED);
    peer_close(fd);
    finish();
}
END_TEST

static void flush_on(bsk_self *self)
{
    static char run[60000];
    int rc = 0;
    for (int i = 0; i < 1000 && rc == 0; i++)
        rc = bsk_write(self, (bsk_bytes){run, sizeof run}, 20);
    ck_assert_int_eq(rc, BSK_ETIMEDOUT);
    begun(self);
    code = bsk_stream_flush(self, its, BSK_FOREVER);
    fix_hit();
}

START_TEST(a_stop_cancels_a_flush)
{
    setup(flush_on);
    int fd = peer_dial_narrow(port);
    fix_await(1);
    ck_assert_int_eq(bsk_stop(who, BSK_FOREVER), 0);
    fix_await(2);
    ck_assert_int_eq(code, BSK_ECANCELED);
    peer_close(fd);
    finish();
}
END_TEST

static void read_behind_a_shield(bsk_self *self)
{
    bsk_bytes b;
    begun(self);
    bsk_shield(self);
    code = bsk_read(self, &b, BSK_FOREVER);
    ck_assert_int_eq(bsk_write(self, BSK_BYTES("farewell"), 5000), 0);
    bsk_unshield(self);
    fix_hit();
}

START_TEST(a_shield_keeps_a_read_from_being_cancelled)
{
    setup(read_behind_a_shield);
    int fd = peer_dial(port);
    fix_await(1);
    ck_assert_int_eq(bsk_stop(who, BSK_FOREVER), 0);
    peer_say(fd, "last");
    peer_hear(fd, "farewell");
    peer_hear_end(fd);
    fix_await(2);
    ck_assert_int_eq(code, 4);
    peer_close(fd);
    finish();
}
END_TEST

START_TEST(a_kill_ends_a_reader_and_its_connection)
{
    setup(read_on);
    int fd = peer_dial(port);
    fix_await(1);
    ck_assert_int_eq(bsk_kill(who), 0);
    peer_hear_over(fd);
    UNTIL(!bsk_alive(who));
    peer_close(fd);
    UNTIL(open_now(rt) == 1);
    finish();
}
END_TEST

START_TEST(a_kill_ends_a_writer_and_its_connection_at_once)
{
    size_t n;
    setup(write_until_it_fails);
    int fd = peer_dial_narrow(port);
    fix_await(1);
    char first;
    ck_assert_int_eq(recv(fd, &first, 1, 0), 1);
    ck_assert_int_eq(bsk_kill(who), 0);
    /* Without reading on: nothing lingers. */
    until_closed();
    (void)peer_drain(fd, -1, &n);
    peer_close(fd);
    finish();
}
END_TEST

/* Leaving. */

static void write_and_leave(bsk_self *self)
{
    static char run[MUCH / 4];
    run_fill(run, 0, sizeof run);
    for (size_t i = 0; i < sizeof run; i += 50000) {
        size_t n = sizeof run - i < 50000 ? sizeof run - i : 50000;
        if (bsk_write(self, (bsk_bytes){run + i, n}, BSK_FOREVER)) return;
        if (i == 0) begun(self);
    }
}

START_TEST(what_was_written_leaves_after_its_actor)
{
    size_t n;
    setup(write_and_leave);
    int fd = peer_dial_narrow(port);
    fix_await(1);
    ck_assert_int_eq(peer_drain(fd, 0, &n), 0);
    ck_assert_uint_eq(n, MUCH / 4);
    peer_close(fd);
    UNTIL(open_now(rt) == 1);
    finish();
}
END_TEST

/* Writes until more than the system takes waits here; with `how` it leaves. */
static void fill_up(bsk_self *self)
{
    char run[1000];
    int rc = 0;
    for (uint64_t i = 0; rc == 0; i++) {
        run_fill(run, i * sizeof run, sizeof run);
        rc = bsk_stream_try(self, bsk_conn(self), (bsk_bytes){run, sizeof run});
        if (rc == 0 && info_of(self).unsent == 0) continue;
    }
    ck_assert_int_eq(rc, BSK_EFULL);
    ck_assert_uint_gt(info_of(self).unsent, 60000);
    code = (int)(info_of(self).sent + info_of(self).unsent);
}

static void fill_up_and_return(bsk_self *self)
{
    fill_up(self);
    begun(self);
}

START_TEST(a_stream_that_is_closed_lingers_until_all_is_sent)
{
    size_t n;
    setup(fill_up_and_return);
    int fd = peer_dial_narrow(port);
    fix_await(1);
    UNTIL(!bsk_alive(who));
    ck_assert_uint_eq(open_now(rt), 2);
    ck_assert_int_eq(peer_drain(fd, 0, &n), 0);
    ck_assert_uint_eq(n, (size_t)code);
    peer_close(fd);
    UNTIL(open_now(rt) == 1);
    finish();
}
END_TEST

static void fill_up_and_reset(bsk_self *self)
{
    fill_up(self);
    begun(self);
    bsk_stream_reset(self, its);
    bsk_stream_info_out out;
    ck_assert_int_eq(bsk_stream_info(self, its, &out), BSK_EBADF);
    ck_assert_uint_eq(bsk_conn(self).id, 0);
    fix_hit();
    ck_assert_int_eq(bsk_sleep(self, BSK_FOREVER), BSK_ECANCELED);
}

/* The peer gets less than was written: the rest went with the stream. */
static void lingers_not(bsk_fiber *conn, unsigned hits)
{
    size_t n;
    setup(conn);
    int fd = peer_dial_narrow(port);
    fix_await(hits);
    until_closed();
    (void)peer_drain(fd, 0, &n);
    ck_assert_uint_lt(n, (size_t)code);
    peer_close(fd);
    finish();
}

START_TEST(a_stream_that_is_reset_does_not_linger)
{
    lingers_not(fill_up_and_reset, 2);
}
END_TEST

static void fill_up_and_fail(bsk_self *self)
{
    fill_up(self);
    begun(self);
    bsk_fail(self, "on purpose");
}

START_TEST(nothing_lingers_of_one_that_failed)
{
    lingers_not(fill_up_and_fail, 1);
}
END_TEST

static _Atomic bool peer_is_silent;

static void ignore_and_answer(bsk_self *self)
{
    static char run[MUCH / 8];
    await_unread(self, 64 * 1024);
    while (!peer_is_silent) ck_assert_int_eq(bsk_sleep(self, 1), 0);
    run_fill(run, 0, sizeof run);
    ck_assert_int_eq(bsk_write(self, (bsk_bytes){run, sizeof run}, BSK_FOREVER), 0);
}

START_TEST(what_the_peer_said_in_vain_does_not_destroy_the_answer)
{
    static char noise[MUCH];
    size_t n;
    setup(ignore_and_answer);
    int fd = peer_dial_narrow(port);
    /* More than is read ahead: the rest waits in the system when the stream is closed. */
    (void)peer_stuff(fd, noise, 1000000);
    peer_is_silent = true;
    int how = peer_drain(fd, 0, &n);
    ck_assert_msg(how == 0, "%d after %zu of %zu", how, n, (size_t)MUCH / 8);
    ck_assert_uint_eq(n, MUCH / 8);
    peer_close(fd);
    finish();
}
END_TEST

static void answer_and_leave(bsk_self *self)
{
    fill_up(self);
    begun(self);
}

START_TEST(what_the_peer_says_when_nobody_listens_any_more_does_not_either)
{
    static char noise[100000];
    size_t n;
    setup(answer_and_leave);
    int fd = peer_dial_narrow(port);
    fix_await(1);
    UNTIL(!bsk_alive(who));
    peer_send(fd, noise, sizeof noise);
    ck_assert_int_eq(peer_drain(fd, 0, &n), 0);
    ck_assert_uint_eq(n, (size_t)code);
    peer_close(fd);
    until_closed();
    finish();
}
END_TEST

/* Whose it is. */

static _Atomic uint64_t offered;

static void try_what_is_not_mine(bsk_self *self)
{
    bsk_stream s = {offered};
    bsk_stream_info_out out;
    bsk_bytes b;
    char to[4];
    ck_assert_int_eq(bsk_stream_read(self, s, &b, 10), BSK_EBADF);
    ck_assert_int_eq(bsk_stream_write(self, s, BSK_BYTES("x"), 10), BSK_EBADF);
    ck_assert_int_eq(bsk_stream_try(self, s, BSK_BYTES("x")), BSK_EBADF);
    ck_assert_int_eq(bsk_stream_fill(self, s, to, 1, 10), BSK_EBADF);
    ck_assert_int_eq(bsk_stream_flush(self, s, 10), BSK_EBADF);
    ck_assert_int_eq(bsk_stream_shut(self, s), BSK_EBADF);
    ck_assert_int_eq(bsk_stream_messages(self, s), BSK_EBADF);
    ck_assert_int_eq(bsk_stream_pause(self, s, true), BSK_EBADF);
    ck_assert_int_eq(bsk_stream_info(self, s, &out), BSK_EBADF);
    bsk_stream_close(self, s);
    bsk_stream_reset(self, s);
    bsk_gate_close(self, (bsk_gate){s.id});
    fix_hit();
}

static void offer(bsk_self *self)
{
    bsk_bytes b;
    offered = bsk_conn(self).id;
    fix_hit();
    ck_assert_int_eq(bsk_read(self, &b, BSK_FOREVER), 1);
    ck_assert_int_eq(bsk_write(self, BSK_BYTES("still mine"), BSK_FOREVER), 0);
    bsk_stream_close(self, (bsk_stream){offered});
    ck_assert_int_eq(bsk_read(self, &b, BSK_FOREVER), BSK_EBADF);
    ck_assert_int_eq(bsk_write(self, BSK_BYTES("x"), BSK_FOREVER), BSK_EBADF);
    try_what_is_not_mine(self);
}

START_TEST(what_is_anothers_or_closed_or_nothing_is_no_handle)
{
    setup(offer);
    int fd = peer_dial(port);
    fix_await(1);
    for (unsigned i = 0; i < 4; i++) fix_born(bsk_spawn(rt, try_what_is_not_mine));
    fix_await(5);
    peer_say(fd, "x");
    peer_hear(fd, "still mine");
    peer_hear_end(fd);
    fix_await(6);
    static const uint64_t wrong[] = {0, 1, UINT64_MAX, UINT64_C(1) << 32, UINT64_C(0x100000fff)};
    for (unsigned i = 0; i < 5; i++) {
        offered = wrong[i];
        fix_born(bsk_spawn(rt, try_what_is_not_mine));
        fix_await(7 + i);
    }
    peer_close(fd);
    finish();
}
END_TEST

static void read_as_handler(bsk_self *self, bsk_msg *m)
{
    bsk_bytes b;
    char to[1];
    bsk_stream s;
    bsk_match(m) {
        bsk_on(bsk_data, d) {
            s = (bsk_stream){d->stream};
            ck_assert_int_eq(bsk_read(self, &b, 10), BSK_EINVAL);
            ck_assert_int_eq(bsk_write(self, d->data, 10), BSK_EINVAL);
            ck_assert_int_eq(bsk_stream_fill(self, s, to, 1, 10), BSK_EINVAL);
            ck_assert_int_eq(bsk_stream_flush(self, s, 10), BSK_EINVAL);
            ck_assert_int_eq(bsk_connect(self, "127.0.0.1", 1, 10, &s), BSK_EINVAL);
            fix_hit();
        }
        bsk_on(bsk_closed, c) bsk_exit(self);
    }
}

static void read_messages(bsk_self *self)
{
    bsk_bytes b;
    ck_assert_int_eq(bsk_stream_messages(self, bsk_conn(self)), 0);
    ck_assert_int_eq(bsk_stream_messages(self, bsk_conn(self)), 0);
    ck_assert_int_eq(bsk_read(self, &b, 10), BSK_EINVAL);
    fix_hit();
}

START_TEST(who_must_not_wait_is_told_so)
{
    rt = bsk_start(.workers = 2, FIX_HOOKS);
    port = bsk_listen(rt, "127.0.0.1", 0, read_as_handler);
    int fd = peer_dial(port);
    peer_say(fd, "x");
    fix_await(1);
    peer_close(fd);
    fd = peer_dial(bsk_listen(rt, "127.0.0.1", 0, read_messages));
    fix_await(2);
    peer_close(fd);
    finish();
}
END_TEST

static bool is_pinned(const bsk_self *self)
{
    return act_flags(self) & ACT_PINNED;
}

static void let_go(bsk_self *self)
{
    bsk_stream more;
    ck_assert(is_pinned(self));
    bsk_stream first = bsk_conn(self);
    ck_assert_int_eq(bsk_connect(self, "127.0.0.1", port, 5000, &more), 0);
    bsk_pin(self, false);
    ck_assert(is_pinned(self));
    bsk_stream_close(self, first);
    ck_assert(is_pinned(self));
    bsk_stream_close(self, more);
    ck_assert(!is_pinned(self));
    ck_assert_int_eq(bsk_connect(self, "127.0.0.1", port, 5000, &more), 0);
    ck_assert(is_pinned(self));
    bsk_pin(self, true);
    bsk_stream_close(self, more);
    ck_assert(is_pinned(self));
    bsk_pin(self, false);
    ck_assert(!is_pinned(self));
    fix_hit();
}

START_TEST(an_actor_stays_on_its_loop_while_it_has_handles)
{
    setup(echo);
    int fd = peer_dial(bsk_listen(rt, "127.0.0.1", 0, let_go));
    fix_await(1);
    peer_close(fd);
    finish();
}
END_TEST

/* What is known. */

static void look(bsk_self *self)
{
    bsk_bytes b;
    char here[64];
    snprintf(here, sizeof here, "127.0.0.1:%d", port);
    bsk_stream_info_out i = info_of(self);
    ck_assert_str_eq(i.here, here);
    ck_assert_int_eq(strncmp(i.peer, "127.0.0.1:", 10), 0);
    ck_assert_str_ne(i.peer, i.here);
    ck_assert_str_eq(i.tls, "");
    ck_assert_str_eq(i.alpn, "");
    await_unread(self, 7);
    ck_assert_uint_eq(info_of(self).received, 7);
    ck_assert_int_eq(bsk_write(self, BSK_BYTES("answer"), 0), 0);
    i = info_of(self);
    ck_assert_uint_eq(i.sent + i.unsent, 6);
    ck_assert_int_eq(bsk_read(self, &b, BSK_FOREVER), 7);
    ck_assert_uint_eq(info_of(self).unread, 0);
    ck_assert_int_eq(bsk_read(self, &b, BSK_FOREVER), 0);
    ck_assert_uint_eq(info_of(self).sent, 6);
}

START_TEST(a_stream_tells_what_is_known_of_it)
{
    bsk_net_stats_out out;
    setup(look);
    int fd = peer_dial(port);
    peer_say(fd, "request");
    peer_hear(fd, "answer");
    peer_shut(fd);
    peer_hear_end(fd);
    bsk_net_stats(rt, &out);
    ck_assert_uint_eq(out.accepted, 1);
    ck_assert_uint_eq(out.connected, 0);
    ck_assert_uint_eq(out.refused, 0);
    ck_assert_uint_eq(out.received, 7);
    ck_assert_uint_eq(out.sent, 6);
    UNTIL(open_now(rt) == 1);
    peer_close(fd);
    finish();
}
END_TEST

/* Runtimes that come and go. */

START_TEST(runtimes_end_with_connections_open_again_and_again)
{
    /* The system's own are made once. */
    setup(echo);
    finish();
    int before = count_descriptors();
    for (unsigned i = 0; i < 60; i++) {
        int fds[3];
        bool stuck = i % 30 == 7;
        setup(stuck ? write_until_it_fails : echo);
        for (int k = 0; k < 3; k++) fds[k] = stuck ? peer_dial_narrow(port) : peer_dial(port);
        if (stuck) fix_await(fix_hits() < 3 ? 3 : fix_hits());
        for (int k = 0; i % 3 == 1 && !stuck && k < 3; k++) {
            peer_say(fds[k], "x");
            peer_hear(fds[k], "x");
        }
        int64_t begin = peer_clock();
        finish();
        ck_assert_int_lt(peer_clock() - begin, 4000);
        for (int k = 0; k < 3; k++) peer_close(fds[k]);
        ck_assert_int_eq(count_descriptors(), before);
    }
}
END_TEST

static void stay_put(bsk_self *self)
{
    fill_up(self);
    bsk_shield(self);
    begun(self);
    bsk_bytes b;
    ck_assert_int_lt(bsk_read(self, &b, BSK_FOREVER), 0);
}

START_TEST(a_runtime_ends_in_time_when_peers_and_actors_are_stuck)
{
    rt = bsk_start(.workers = 2, .shutdown_ms = 300, FIX_HOOKS);
    port = bsk_listen(rt, "127.0.0.1", 0, stay_put, .conn = {.shutdown_ms = 100});
    int fd = peer_dial_narrow(port), second = peer_dial_narrow(port);
    fix_await(2);
    int64_t begin = peer_clock();
    finish();
    ck_assert_int_lt(peer_clock() - begin, 3000);
    peer_close(fd);
    peer_close(second);
}
END_TEST

/* Threads of their own. */

static void talk_alone(bsk_self *self)
{
    bsk_stream s;
    bsk_bytes b;
    ck_assert_int_eq(bsk_connect(self, "127.0.0.1", port, 5000, &s), 0);
    for (int i = 0; i < 50; i++) {
        ck_assert_int_eq(bsk_stream_write(self, s, BSK_BYTES("ping"), 5000), 0);
        ck_assert_int_eq(bsk_stream_read(self, s, &b, 5000), 4);
    }
    fix_hit();
    if (bsk_me(self).slot % 2) bsk_stream_close(self, s);
    if (bsk_me(self).slot % 3 == 0) bsk_fail(self, "on purpose");
}

START_TEST(actors_with_a_thread_of_their_own_own_streams_too)
{
    setup(echo);
    for (unsigned k = 1; k <= 5; k++) {
        for (int i = 0; i < 4; i++)
            fix_born(bsk_spawn(rt, talk_alone, .own_thread = true, .label = "alone"));
        fix_await(4 * k);
        UNTIL(open_now(rt) == 1);
    }
    bsk_net_stats_out out;
    bsk_net_stats(rt, &out);
    ck_assert_uint_eq(out.connected, 20);
    ck_assert_uint_eq(out.accepted, 20);
    bsk_shutdown(rt);
    ck_assert_int_le(bsk_wait(rt), 1);
}
END_TEST

FIX_MAIN("stream", 100, what_is_echoed_is_what_was_sent,
         a_read_says_how_many_and_0_at_the_end_again_and_again,
         bytes_are_borrowed_until_the_next_read,
         a_read_ends_by_its_time_or_the_scopes_and_can_be_tried_again,
         a_fill_is_exact_whatever_comes_behind_it, fills_and_reads_take_turns,
         what_one_slice_writes_leaves_in_one_system_call, a_write_waits_for_a_slow_peer_and_goes_on,
         a_write_to_a_peer_that_never_reads_times_out_in_bounded_memory,
         a_peer_waits_while_the_actor_does_not_read, a_peer_that_has_ended_still_gets_its_answer,
         who_shuts_its_half_is_heard_to_the_end_and_hears_more,
         a_reset_by_the_peer_ends_a_read_and_all_writes, a_reset_right_behind_bytes_is_no_end,
         a_reset_by_the_peer_ends_a_write_that_waits, a_peer_that_is_gone_ends_a_writer,
         who_cannot_be_written_to_can_still_be_heard, a_stop_cancels_a_read, a_stop_cancels_a_write,
         a_stop_cancels_a_flush, a_shield_keeps_a_read_from_being_cancelled,
         a_kill_ends_a_reader_and_its_connection, a_kill_ends_a_writer_and_its_connection_at_once,
         what_was_written_leaves_after_its_actor, a_stream_that_is_closed_lingers_until_all_is_sent,
         a_stream_that_is_reset_does_not_linger, nothing_lingers_of_one_that_failed,
         what_the_peer_said_in_vain_does_not_destroy_the_answer,
         what_the_peer_says_when_nobody_listens_any_more_does_not_either,
         what_is_anothers_or_closed_or_nothing_is_no_handle, who_must_not_wait_is_told_so,
         an_actor_stays_on_its_loop_while_it_has_handles, a_stream_tells_what_is_known_of_it,
         runtimes_end_with_connections_open_again_and_again,
         a_runtime_ends_in_time_when_peers_and_actors_are_stuck,
         actors_with_a_thread_of_their_own_own_streams_too)
