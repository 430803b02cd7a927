/* SPDX-License-Identifier: MIT */
/* check_udp.c - datagrams, and names. */
#include "open.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* Fibers. */

static void send_and_receive(bsk_self *self)
{
    bsk_udp a, b;
    bsk_udp_from got;
    bsk_udp_info_out info;
    int pa = bsk_udp_open(self, "127.0.0.1", 0, &a), pb = bsk_udp_open(self, "127.0.0.1", 0, &b);
    ck_assert(pa > 0 && pb > 0 && pa != pb);
    OK(bsk_udp_send(self, a, "127.0.0.1", pb, BSK_BYTES("one"), 5000));
    OK(bsk_udp_send(self, a, "127.0.0.1", pb, BSK_BYTES(""), 5000));
    OK(bsk_udp_try(self, a, "127.0.0.1", pb, BSK_BYTES("three")));
    OK(bsk_udp_recv(self, b, &got, 20000));
    ck_assert_str_eq(got.host, "127.0.0.1");
    ck_assert_int_eq(got.port, pa);
    ck_assert(got.data.len == 3 && memcmp(got.data.ptr, "one", 3) == 0);
    OK(bsk_udp_send(self, b, got.host, got.port, got.data, 5000));
    OK(bsk_udp_recv(self, b, &got, 20000));
    ck_assert_uint_eq(got.data.len, 0);
    OK(bsk_udp_recv(self, b, &got, 20000));
    ck_assert_uint_eq(got.data.len, 5);
    OK(bsk_udp_recv(self, a, &got, 20000));
    ck_assert(got.port == pb && got.data.len == 3);
    OK(bsk_udp_info(self, b, &info));
    ck_assert(info.received == 3 && info.sent == 1 && info.dropped == 0 && info.queued == 0);
    ck_assert_int_eq(atoi(strchr(info.here, ':') + 1), pb);
    IS(BSK_ETIMEDOUT, bsk_udp_recv(self, b, &got, 5));
    bsk_udp_close(self, b);
    bsk_udp_close(self, b);
    IS(BSK_EBADF, bsk_udp_recv(self, b, &got, 5));
    IS(BSK_EBADF, bsk_udp_info(self, b, &info));
    fix_hit();
}

START_TEST(datagrams_come_and_go)
{
    open_run(send_and_receive);
}
END_TEST

static void send_large(bsk_self *self)
{
    static char bytes[70000];
    bsk_udp u;
    bsk_udp_from got;
    int port = bsk_udp_open(self, "127.0.0.1", 0, &u);
    memset(bytes, 'x', sizeof bytes);
    OK(bsk_udp_send(self, u, "127.0.0.1", port, (bsk_bytes){bytes, 65507}, 5000));
    OK(bsk_udp_recv(self, u, &got, 20000));
    ck_assert(got.data.len == 65507 && memcmp(got.data.ptr, bytes, 65507) == 0);
    IS(BSK_EINVAL, bsk_udp_send(self, u, "127.0.0.1", port, (bsk_bytes){bytes, 65508}, 5000));
    fix_hit();
}

START_TEST(the_largest_datagram_goes_and_no_larger)
{
    open_run(send_large);
}
END_TEST

static void talk_by_ip6(bsk_self *self)
{
    bsk_udp u;
    bsk_udp_from got;
    int port = bsk_udp_open(self, "::1", 0, &u);
    if (port != BSK_EADDR) {
        ck_assert_int_gt(port, 0);
        OK(bsk_udp_send(self, u, "::1", port, BSK_BYTES("six"), 5000));
        OK(bsk_udp_recv(self, u, &got, 20000));
        ck_assert_str_eq(got.host, "::1");
        ck_assert_int_eq(got.port, port);
    }
    fix_hit();
}

START_TEST(datagrams_go_by_ip6)
{
    open_run(talk_by_ip6);
}
END_TEST

static void drop_what_is_too_much(bsk_self *self)
{
    bsk_udp u, from;
    bsk_udp_from got;
    bsk_udp_info_out info = {.queued = 0};
    int port = bsk_udp_open(self, "127.0.0.1", 0, &u, .queue = 3);
    ck_assert_int_gt(bsk_udp_open(self, "127.0.0.1", 0, &from), 0);
    for (char c = 'a'; c < 'k'; c++)
        OK(bsk_udp_send(self, from, "127.0.0.1", port, (bsk_bytes){&c, 1}, 5000));
    while (info.received < 10) {
        OK(bsk_sleep(self, 1));
        OK(bsk_udp_info(self, u, &info));
    }
    ck_assert(info.queued == 3 && info.dropped == 7);
    for (char c = 'a'; c < 'd'; c++) {
        OK(bsk_udp_recv(self, u, &got, 0));
        ck_assert_int_eq(*(const char *)got.data.ptr, c);
    }
    IS(BSK_ETIMEDOUT, bsk_udp_recv(self, u, &got, 0));
    fix_hit();
}

START_TEST(no_more_wait_than_the_queue_holds)
{
    open_run(drop_what_is_too_much);
}
END_TEST

/* Connected. */

static void hear_of_refusal(bsk_self *self)
{
    bsk_udp gone, u;
    bsk_udp_from got;
    int port = bsk_udp_open(self, "127.0.0.1", 0, &gone);
    ck_assert_int_gt(bsk_udp_open(self, "127.0.0.1", 0, &u), 0);
    IS(BSK_EINVAL, bsk_udp_send(self, u, NULL, 0, BSK_BYTES("x"), 5000));
    OK(bsk_udp_connect(self, u, "127.0.0.1", port));
    OK(bsk_udp_send(self, u, NULL, 0, BSK_BYTES("x"), 5000));
    OK(bsk_udp_recv(self, gone, &got, 20000));
    IS(BSK_EINVAL, bsk_udp_send(self, u, "127.0.0.1", port, BSK_BYTES("x"), 5000));
    bsk_udp_close(self, gone);
    /* Closed by the loop, in its time. */
    int rc = 0;
    while (rc == 0) {
        rc = bsk_udp_send(self, u, NULL, 0, BSK_BYTES("y"), 5000);
        if (rc == 0) rc = bsk_udp_recv(self, u, &got, 10);
        if (rc == BSK_ETIMEDOUT) rc = 0;
    }
    IS(BSK_EREFUSED, rc);
    int again = bsk_udp_open(self, "127.0.0.1", 0, &gone);
    OK(bsk_udp_connect(self, u, "127.0.0.1", again));
    OK(bsk_udp_send(self, u, NULL, 0, BSK_BYTES("z"), 5000));
    OK(bsk_udp_recv(self, gone, &got, 20000));
    fix_hit();
}

START_TEST(who_is_connected_hears_that_nobody_is_there)
{
    open_run(hear_of_refusal);
}
END_TEST

/* Many receivers. */

static void use_multicast(bsk_self *self)
{
    bsk_udp u, from;
    bsk_udp_from got;
    int port = bsk_udp_open(self, "0.0.0.0", 0, &u, .reuse = true);
    ck_assert_int_gt(port, 0);
    ck_assert_int_gt(bsk_udp_open(self, "127.0.0.1", 0, &from, .broadcast = true), 0);
    OK(bsk_udp_multicast(self, from, 1, true));
    IS(BSK_EINVAL, bsk_udp_multicast(self, from, 300, true));
    int rc = bsk_udp_join(self, u, "239.1.2.3", "127.0.0.1", true);
    if (rc == 0) {
        OK(bsk_udp_send(self, from, "239.1.2.3", port, BSK_BYTES("all"), 5000));
        OK(bsk_udp_recv(self, u, &got, 20000));
        ck_assert_uint_eq(got.data.len, 3);
        OK(bsk_udp_join(self, u, "239.1.2.3", "127.0.0.1", false));
    }
    ck_assert_int_lt(bsk_udp_join(self, u, "239.1.2.3", "127.0.0.1", false), 0);
    IS(BSK_EINVAL, bsk_udp_join(self, u, "no address", NULL, true));
    IS(BSK_EINVAL, bsk_udp_join(self, u, NULL, NULL, true));
    fix_hit();
}

START_TEST(a_group_is_joined_and_left)
{
    open_run(use_multicast);
}
END_TEST

/* Handlers. */

static void handle_datagrams(bsk_self *self, bsk_msg *m)
{
    static bsk_udp u;
    static int port;
    static char next = 'a';
    bsk_udp_from got;
    bsk_match(m) {
        bsk_on(stop_it, s) {
            port = bsk_udp_open(self, "127.0.0.1", 0, &u);
            ck_assert_int_gt(port, 0);
            IS(BSK_EINVAL, bsk_udp_recv(self, u, &got, 5));
            IS(BSK_EINVAL, bsk_udp_send(self, u, "127.0.0.1", port, BSK_BYTES("x"), 5));
            for (char c = 'a'; c < 'f'; c++)
                OK(bsk_udp_try(self, u, "127.0.0.1", port, (bsk_bytes){&c, 1}));
        }
        bsk_on(bsk_datagram, d) {
            ck_assert(d->udp == u.id && d->port == port && d->code == 0);
            ck_assert_str_eq(d->host, "127.0.0.1");
            ck_assert_int_eq(*(const char *)d->data.ptr, next++);
            if (next < 'f') continue;
            fix_hit();
            bsk_exit(self);
        }
    }
}

START_TEST(a_handler_gets_datagrams_in_order)
{
    open_run_handler(handle_datagrams);
}
END_TEST

/* What goes wrong. */

static void open_in_vain(bsk_self *self)
{
    bsk_udp u, again = {77};
    int port = bsk_udp_open(self, "127.0.0.1", 0, &u);
    IS(BSK_EADDRINUSE, bsk_udp_open(self, "127.0.0.1", port, &again));
    IS(BSK_EADDR, bsk_udp_open(self, "192.0.2.1", 0, &again));
    IS(BSK_EINVAL, bsk_udp_open(self, "localhost", 0, &again));
    IS(BSK_EINVAL, bsk_udp_open(self, "/a/path", 0, &again));
    IS(BSK_EINVAL, bsk_udp_open(self, NULL, 0, &again));
    IS(BSK_EINVAL, bsk_udp_open(self, "127.0.0.1", 65536, &again));
    ck_assert_uint_eq(again.id, 77);
    IS(BSK_EINVAL, bsk_udp_send(self, u, "no address", 5, BSK_BYTES("x"), 5));
    IS(BSK_EINVAL, bsk_udp_connect(self, u, NULL, 5));
    IS(BSK_EACCES, bsk_udp_send(self, u, "255.255.255.255", 5, BSK_BYTES("x"), 5));
    fix_hit();
}

START_TEST(opening_fails_with_a_code)
{
    open_run(open_in_vain);
}
END_TEST

static void wait_for_ever(bsk_self *self)
{
    bsk_udp u;
    bsk_udp_from got;
    ck_assert_int_gt(bsk_udp_open(self, "127.0.0.1", 0, &u), 0);
    fix_hit();
    fix_say(bsk_errname(bsk_udp_recv(self, u, &got, BSK_FOREVER)));
}

START_TEST(a_stop_ends_the_wait_for_a_datagram)
{
    bsk_rt *rt = bsk_start(.workers = 1, FIX_HOOKS);
    bsk_addr a = fix_born(bsk_spawn(rt, wait_for_ever));
    fix_await(1);
    OK(bsk_stop(a, BSK_FOREVER));
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_str_eq(fix_said(), "ECANCELED");
}
END_TEST

static void fill_and_fail(bsk_self *self)
{
    static char bytes[50000];
    bsk_udp u;
    int port = bsk_udp_open(self, "127.0.0.1", 0, &u), rc = 0;
    for (int i = 0; i < 30 && rc == 0; i++)
        rc = bsk_udp_send(self, u, "127.0.0.1", port, (bsk_bytes){bytes, sizeof bytes}, 0);
    bsk_fail(self, "crash");
}

START_TEST(sockets_are_closed_with_their_actors)
{
    unsigned before = open_fds();
    bsk_rt *rt = bsk_start(.workers = 2, .quiet = true, FIX_HOOKS);
    for (int i = 0; i < 300; i++) {
        bsk_addr a = fix_born(bsk_spawn(rt, fill_and_fail));
        if (i % 3 == 0) bsk_kill(a);
    }
    bsk_wait(rt);
    ck_assert_uint_eq(open_fds(), before);
}
END_TEST

static void try_all(bsk_self *self)
{
    bsk_udp u;
    bsk_udp_from got;
    bsk_host_address a[4];
    int port = bsk_udp_open(self, "127.0.0.1", 0, &u);
    if (port < 0) IS(BSK_ENOMEM, port);
    if (port > 0 && bsk_udp_send(self, u, "127.0.0.1", port, BSK_BYTES("x"), 5000) == 0)
        (void)!bsk_udp_recv(self, u, &got, 20);
    (void)!bsk_resolve(self, "localhost", 5000, a, 4);
}

START_TEST(want_of_memory_is_a_code_or_a_drop)
{
    open_run_without_memory(try_all, 15);
}
END_TEST

static void open_seeded(bsk_self *self)
{
    bsk_udp u;
    bsk_host_address a;
    IS(BSK_ENOTSUP, bsk_udp_open(self, "127.0.0.1", 0, &u));
    IS(BSK_ENOTSUP, bsk_resolve(self, "localhost", 100, &a, 1));
    fix_hit();
}

START_TEST(a_seeded_runtime_has_no_datagrams)
{
    bsk_rt *rt = bsk_start(.seed = 5, FIX_HOOKS);
    fix_born(bsk_spawn(rt, open_seeded));
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_uint_eq(fix_hits(), 1);
}
END_TEST

/* Names. */

static void resolve(bsk_self *self)
{
    bsk_host_address a[8], none;
    int n = bsk_resolve(self, "localhost", 20000, a, 8);
    ck_assert_int_gt(n, 0);
    bool found = false;
    for (int i = 0; i < n && i < 8; i++)
        found = found || strcmp(a[i].text, "127.0.0.1") == 0 || strcmp(a[i].text, "::1") == 0;
    ck_assert(found);
    ck_assert_int_eq(bsk_resolve(self, "localhost", 20000, &none, 0), n);
    ck_assert_int_eq(bsk_resolve(self, "192.0.2.7", 20000, a, 8), 1);
    ck_assert_str_eq(a[0].text, "192.0.2.7");
    IS(BSK_EHOST, bsk_resolve(self, "no name at all", 20000, a, 8));
    IS(BSK_EINVAL, bsk_resolve(self, "", 20000, a, 8));
    IS(BSK_EINVAL, bsk_resolve(self, NULL, 20000, a, 8));
    IS(BSK_EINVAL, bsk_resolve(self, "localhost", 20000, a, -1));
    int rc = bsk_resolve(self, "localhost", 0, a, 8);
    ck_assert(rc == n || rc == BSK_ETIMEDOUT);
    fix_hit();
}

START_TEST(a_name_is_resolved)
{
    open_run(resolve);
}
END_TEST

static void resolve_for_ever(bsk_self *self)
{
    bsk_host_address a[8];
    fix_hit();
    while (bsk_resolve(self, "localhost", 20000, a, 8) > 0) {
    }
}

START_TEST(who_resolves_may_be_killed)
{
    bsk_rt *rt = bsk_start(.workers = 2, .quiet = true, FIX_HOOKS);
    for (unsigned i = 0; i < 50; i++) {
        bsk_addr a = fix_born(bsk_spawn(rt, resolve_for_ever));
        fix_await(i + 1);
        bsk_kill(a);
    }
    ck_assert_int_eq(bsk_wait(rt), 0);
}
END_TEST

FIX_MAIN("udp", 30, datagrams_come_and_go, the_largest_datagram_goes_and_no_larger,
         datagrams_go_by_ip6, no_more_wait_than_the_queue_holds,
         who_is_connected_hears_that_nobody_is_there, a_group_is_joined_and_left,
         a_handler_gets_datagrams_in_order, opening_fails_with_a_code,
         a_stop_ends_the_wait_for_a_datagram, sockets_are_closed_with_their_actors,
         want_of_memory_is_a_code_or_a_drop, a_seeded_runtime_has_no_datagrams, a_name_is_resolved,
         who_resolves_may_be_killed)
