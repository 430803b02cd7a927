/* SPDX-License-Identifier: MIT */
/* check_connect.c - connecting, by waiting for it and by message: where it leads, why it fails,
 * what ends it.
 *
 * ctest: timeout=120 */
#include "peer.h"

#include <sys/resource.h>
#include <unistd.h>

static bsk_rt *rt;
static bsk_addr who;
static _Atomic int port, code;
static char host[64];

static void start(void)
{
    rt = bsk_start(.workers = 2, FIX_HOOKS);
    ck_assert_ptr_nonnull(rt);
    strcpy(host, "127.0.0.1");
}

static void finish(void)
{
    until_none_open(rt);
    fix_stop(rt, 0);
}

static uint64_t connected(void)
{
    bsk_net_stats_out out;
    bsk_net_stats(rt, &out);
    return out.connected;
}

/* A port where nobody listens. */
static int dead_port(void)
{
    int at;
    peer_close(peer_listen(&at));
    return at;
}

/* A port where somebody listens who takes no more: connecting neither succeeds nor fails. */
static int fds_of_stuck[64], nstuck;

static int stuck_port(void)
{
    int at, fd = peer_listen(&at);
    ck_assert_int_eq(listen(fd, 0), 0);
    fds_of_stuck[nstuck++] = fd;
    /* Until one hangs. */
    for (int i = 0; i < 8; i++) {
        fds_of_stuck[nstuck++] = fd = peer_new();
        if (!peer_join_soon(fd, at)) break;
    }
    return at;
}

static void unstick(void)
{
    while (nstuck) peer_close(fds_of_stuck[--nstuck]);
}

/* By a fiber. */

static void talk(bsk_self *self)
{
    bsk_stream s;
    bsk_bytes b;
    bsk_stream_info_out i;
    who = bsk_me(self);
    code = bsk_connect(self, host, port, 5000, &s);
    if (code == 0) {
        ck_assert_int_eq(bsk_stream_info(self, s, &i), 0);
        ck_assert_uint_eq(bsk_conn(self).id, 0);
        ck_assert_int_eq(bsk_stream_write(self, s, BSK_BYTES("hello"), 5000), 0);
        ck_assert_int_eq(bsk_stream_read(self, s, &b, 5000), 4);
        ck_assert_int_eq(memcmp(b.ptr, "hey!", 4), 0);
    }
    fix_hit();
}

static void talk_to(int listener)
{
    fix_born(bsk_spawn(rt, talk));
    int fd = peer_accept(listener);
    peer_hear(fd, "hello");
    peer_say(fd, "hey!");
    peer_hear_end(fd);
    peer_close(fd);
    peer_close(listener);
}

START_TEST(a_fiber_connects_and_talks)
{
    int at;
    start();
    int l = peer_listen(&at);
    port = at;
    talk_to(l);
    fix_await(1);
    ck_assert_int_eq(code, 0);
    ck_assert_uint_eq(connected(), 1);
    finish();
}
END_TEST

START_TEST(a_name_is_resolved_and_its_addresses_tried_in_turn)
{
    int at;
    start();
    /* Whichever comes first, nobody listens at version 6. */
    int l = peer_listen(&at);
    port = at;
    strcpy(host, "localhost");
    talk_to(l);
    fix_await(1);
    ck_assert_int_eq(code, 0);
    ck_assert_uint_eq(connected(), 1);
    finish();
}
END_TEST

START_TEST(a_path_is_connected_to)
{
    start();
    snprintf(host, sizeof host, "/tmp/buskin-connect.%d", (int)getpid());
    talk_to(peer_listen_path(host));
    fix_await(1);
    ck_assert_int_eq(code, 0);
    finish();
    unlink(host);
}
END_TEST

static void fail_to(const char *where, int at, int expected)
{
    unsigned before = fix_hits();
    strcpy(host, where);
    port = at;
    fix_born(bsk_spawn(rt, talk));
    fix_await(before + 1);
    ck_assert_msg(code == expected, "%s %d: %s", where, at, bsk_errname(code));
    until_none_open(rt);
}

START_TEST(where_it_leads_to_nobody_it_says_why)
{
    start();
    int dead = dead_port();
    /* The first of everything may open something for good. */
    fail_to("localhost", dead, BSK_EREFUSED);
    int before = count_descriptors();
    for (int i = 0; i < 3; i++) {
        fail_to("127.0.0.1", dead, BSK_EREFUSED);
        fail_to("localhost", dead, BSK_EREFUSED);
        fail_to("no-such-host.invalid", 80, BSK_EHOST);
        fail_to("/tmp/no/such/path", 0, BSK_ENOTFOUND);
        fail_to("", 80, BSK_EINVAL);
        fail_to("127.0.0.1", -1, BSK_EINVAL);
        fail_to("127.0.0.1", 65536, BSK_EINVAL);
    }
    char path[64];
    snprintf(path, sizeof path, "/tmp/buskin-stale.%d", (int)getpid());
    peer_close(peer_listen_path(path));
    fail_to(path, 0, BSK_EREFUSED);
    unlink(path);
    ck_assert_int_eq(count_descriptors(), before);
    ck_assert_uint_eq(connected(), 0);
    finish();
}
END_TEST

static void connect_nowhere(bsk_self *self)
{
    bsk_stream s = {77};
    ck_assert_int_eq(bsk_connect(self, NULL, 80, 10, &s), BSK_EINVAL);
    int64_t before = peer_clock();
    ck_assert_int_eq(bsk_connect(self, host, port, 50, &s), BSK_ETIMEDOUT);
    ck_assert_int_ge(peer_clock() - before, 49);
    ck_assert_int_eq(bsk_connect(self, host, port, 0, &s), BSK_ETIMEDOUT);
    ck_assert_int_eq(bsk_connect(self, "localhost", port, 0, &s), BSK_ETIMEDOUT);
    bsk_scope *sc = bsk_scope_open(self, 20);
    ck_assert_int_eq(bsk_connect(self, host, port, BSK_FOREVER, &s), BSK_ETIMEDOUT);
    ck_assert_int_eq(bsk_scope_join(sc), BSK_ETIMEDOUT);
    ck_assert_uint_eq(s.id, 77);
    who = bsk_me(self);
    fix_hit();
    code = bsk_connect(self, host, port, BSK_FOREVER, &s);
    ck_assert_int_eq(bsk_connect(self, host, port, BSK_FOREVER, &s), BSK_ECANCELED);
    fix_hit();
}

START_TEST(a_connect_ends_by_its_time_the_scopes_and_a_stop)
{
    start();
    port = stuck_port();
    int before = count_descriptors();
    fix_born(bsk_spawn(rt, connect_nowhere));
    fix_await(1);
    ck_assert_int_eq(bsk_stop(who, BSK_FOREVER), 0);
    fix_await(2);
    ck_assert_int_eq(code, BSK_ECANCELED);
    until_none_open(rt);
    UNTIL(count_descriptors() <= before);
    unstick();
    finish();
}
END_TEST

static void hang_on(bsk_self *self, const char *where)
{
    bsk_stream s;
    who = bsk_me(self);
    fix_hit();
    (void)!bsk_connect(self, where, port, BSK_FOREVER, &s);
}

static void hang_on_address(bsk_self *self)
{
    hang_on(self, "127.0.0.1");
}

static void hang_on_name(bsk_self *self)
{
    hang_on(self, "localhost");
}

/* Who is killed need not have ended when the next begins. */
static void kill_20(void (*hangs)(bsk_self *))
{
    for (unsigned i = 0; i < 20; i++) {
        unsigned hits = fix_hits();
        fix_born(bsk_spawn(rt, hangs));
        fix_await(hits + 1);
        ck_assert_int_eq(bsk_kill(who), 0);
    }
}

START_TEST(who_connects_can_be_killed_and_the_runtime_ended)
{
    int64_t unused = mem_live();
    start();
    port = stuck_port();
    int before = count_descriptors();
    kill_20(hang_on_address);
    kill_20(hang_on_name);
    until_none_open(rt);
    UNTIL(count_descriptors() <= before);
    for (unsigned i = 0; i < 10; i++) {
        fix_born(bsk_spawn(rt, hang_on_name));
        fix_await(40 + i + 1);
    }
    fix_stop(rt, 0);
    unstick();
    /* A look-up that was given up is freed by its own thread, when the system has answered. */
    UNTIL(mem_live() == unused);
}
END_TEST

static void connect_without_descriptors(bsk_self *self)
{
    bsk_stream s;
    struct rlimit old, none;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = 3;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    code = bsk_connect(self, host, port, 1000, &s);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
    fix_hit();
}

START_TEST(without_descriptors_it_says_so)
{
    start();
    port = dead_port();
    fix_born(bsk_spawn(rt, connect_without_descriptors));
    fix_await(1);
    ck_assert_int_eq(code, BSK_EMFILE);
    finish();
}
END_TEST

START_TEST(nobody_connects_in_a_seeded_runtime)
{
    rt = bsk_start(.seed = 5, FIX_HOOKS);
    strcpy(host, "127.0.0.1");
    port = 9;
    fix_born(bsk_spawn(rt, talk));
    bsk_advance(rt, 10);
    ck_assert_int_eq(code, BSK_ENOTSUP);
    fix_stop(rt, 0);
}
END_TEST

static void connect_in_fini(bsk_self *self)
{
    bsk_stream s;
    code = bsk_connect(self, host, port, 1000, &s);
    ck_assert_int_lt(code, 0);
    ck_assert_int_lt(bsk_dial(self, host, port, 1000), 1);
}

static void nothing(bsk_self *self)
{
    ck_assert_ptr_nonnull(self);
}

START_TEST(what_is_opened_while_its_actor_ends_is_closed_with_it)
{
    int at;
    start();
    int l = peer_listen(&at);
    port = at;
    for (int i = 0; i < 10; i++) fix_born(bsk_spawn(rt, nothing, .fini = connect_in_fini));
    UNTIL(code);
    until_none_open(rt);
    peer_close(l);
    finish();
}
END_TEST

/* By message. */

static _Atomic int dialed, datas, closings;

static void dial_it(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) {
            int rc = bsk_dial(self, host, port, n->v);
            if (rc) {
                code = rc;
                fix_hit();
            }
        }
        bsk_on(bsk_dialed, d) {
            ck_assert_int_eq(datas, 0);
            ck_assert_int_eq(++dialed, 1);
            ck_assert_str_eq(d->text, bsk_strerror((int)d->code));
            code = (int)d->code;
            if (code == 0)
                ck_assert_int_eq(bsk_stream_try(self, (bsk_stream){d->stream}, BSK_BYTES("hello")),
                                 0);
            fix_hit();
        }
        bsk_on(bsk_data, d) {
            ck_assert_int_eq(dialed, 1);
            ck_assert_int_eq(memcmp(d->data.ptr, "hey!", 4), 0);
            datas++;
        }
        bsk_on(bsk_closed, c) {
            ck_assert_int_eq(datas, 1);
            ck_assert_int_eq(c->code, BSK_EEOF);
            ck_assert_int_eq(++closings, 1);
            bsk_stream_close(self, (bsk_stream){c->stream});
            fix_hit();
        }
        bsk_on(other, o) fix_hit();
    }
}

START_TEST(a_handler_dials_and_then_gets_messages)
{
    int at;
    start();
    int l = peer_listen(&at);
    port = at;
    who = fix_born(bsk_spawn(rt, dial_it));
    bsk_tell(who, num, 5000);
    int fd = peer_accept(l);
    peer_say(fd, "hey!");
    peer_hear(fd, "hello");
    peer_shut(fd);
    peer_hear_end(fd);
    fix_await(2);
    ck_assert_int_eq(code, 0);
    peer_close(fd);
    peer_close(l);
    until_none_open(rt);
    bsk_tell(who, other, 1);
    fix_await(3);
    ck_assert_int_eq(closings, 1);
    fix_stop(rt, 0);
}
END_TEST

static void dial_fails(const char *where, int at, int64_t ms, int expected)
{
    unsigned before = fix_hits();
    dialed = datas = closings = 0;
    strcpy(host, where);
    port = at;
    bsk_tell(who, num, ms);
    fix_await(before + 1);
    ck_assert_msg(code == expected, "%s: %s", where, bsk_errname(code));
    until_none_open(rt);
    bsk_tell(who, other, 1);
    fix_await(before + 2);
    ck_assert_int_eq(closings, 0);
}

START_TEST(a_dial_that_fails_is_told_once_and_leaves_nothing)
{
    start();
    int dead = dead_port(), stuck = stuck_port();
    who = fix_born(bsk_spawn(rt, dial_it));
    for (int i = 0; i < 3; i++) {
        dial_fails("127.0.0.1", dead, 5000, BSK_EREFUSED);
        dial_fails("localhost", dead, BSK_FOREVER, BSK_EREFUSED);
        dial_fails("no-such-host.invalid", 80, 20000, BSK_EHOST);
        dial_fails("/tmp/no/such/path", 0, 1000, BSK_ENOTFOUND);
        dial_fails("127.0.0.1", stuck, 20, BSK_ETIMEDOUT);
        dial_fails("127.0.0.1", stuck, 0, BSK_ETIMEDOUT);
        dial_fails("127.0.0.1", 70000, 1000, BSK_EINVAL);
        dial_fails("127.0.0.1", dead, -5, BSK_EINVAL);
    }
    unstick();
    finish();
}
END_TEST

static void dial_and_end(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) {
            for (int i = 0; i < 3; i++) ck_assert_int_eq(bsk_dial(self, host, port, 5000), 0);
            fix_hit();
            if (n->v == 1) bsk_exit(self);
            if (n->v == 2) bsk_fail(self, "on purpose");
        }
    }
}

START_TEST(who_dials_may_end_before_it_is_decided)
{
    int at;
    start();
    int stuck = stuck_port(), l = peer_listen(&at);
    for (unsigned i = 0; i < 30; i++) {
        port = i % 2 ? stuck : at;
        strcpy(host, i % 4 / 2 ? "localhost" : "127.0.0.1");
        bsk_addr a = fix_born(bsk_spawn(rt, dial_and_end));
        bsk_tell(a, num, i % 3);
        fix_await(i + 1);
        (void)bsk_kill(a);
    }
    until_none_open(rt);
    peer_close(l);
    unstick();
    bsk_shutdown(rt);
    ck_assert_int_eq(bsk_wait(rt), 1);
}
END_TEST

FIX_MAIN("connect", 60, a_fiber_connects_and_talks,
         a_name_is_resolved_and_its_addresses_tried_in_turn, a_path_is_connected_to,
         where_it_leads_to_nobody_it_says_why, a_connect_ends_by_its_time_the_scopes_and_a_stop,
         who_connects_can_be_killed_and_the_runtime_ended, without_descriptors_it_says_so,
         nobody_connects_in_a_seeded_runtime, what_is_opened_while_its_actor_ends_is_closed_with_it,
         a_handler_dials_and_then_gets_messages, a_dial_that_fails_is_told_once_and_leaves_nothing,
         who_dials_may_end_before_it_is_decided)
