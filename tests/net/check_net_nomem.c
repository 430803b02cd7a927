/* SPDX-License-Identifier: MIT */
/* check_net_nomem.c - listening, accepting, connecting, reading and writing with the n-th
 * allocation failing, or all from it on, for each n: a code comes back, or the connection ends;
 * nothing is lost.
 *
 * ctest: timeout=180 calm */
#include "peer.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static bsk_rt *rt;
static _Atomic int port;
static _Atomic unsigned done;

static void on_log(void *arg, enum bsk_level level, const char *line)
{
    ck_assert(!arg && line && level <= BSK_LOG_WARN);
}

static void on_dead(void *arg, const bsk_dead_letter *dead)
{
    ck_assert(!arg && dead->type);
}

/* On a thread of its own, so that what the library keeps for a thread is made and freed too. */
static void *run_scenario(void *scenario)
{
    void (*f)(void);
    memcpy(&f, scenario, sizeof f);
    f();
    return scenario;
}

static void run_once(void (*scenario)(void))
{
    pthread_t t;
    void *ok;
    atomic_store(&done, 0);
    ck_assert_int_eq(pthread_create(&t, NULL, run_scenario, &scenario), 0);
    pthread_join(t, &ok);
    ck_assert_ptr_eq(ok, &scenario);
}

/* The runtime is started before and ended after what is to fail: starting one is another test's. */
static uint64_t fail_n, asked;
static int fail_onward;

static void begin(void)
{
    rt = bsk_start(.workers = 1, .log = on_log, .dead_letter = on_dead, .quiet = true);
    ck_assert_ptr_nonnull(rt);
    asked = mem_asked();
    mem_fail_at(fail_n, fail_onward);
}

static void end(void)
{
    mem_fail_at(0, 0);
    asked = mem_asked() - asked;
    bsk_shutdown(rt);
    ck_assert_int_le(bsk_wait(rt), 1);
}

static void run_all(void (*scenario)(void))
{
    fail_n = 0;
    run_once(scenario);
    int before = count_descriptors();
    for (fail_onward = 0; fail_onward < 2; fail_onward++) {
        fail_n = 0;
        do {
            struct fix_memory held = fix_memory();
            fail_n++;
            run_once(scenario);
            fix_nothing_lost(held, fail_n, fail_onward);
            /* The peer's thread closes its own a moment after it has heard the end. */
            UNTIL(count_descriptors() == before);
        } while (asked >= fail_n && fail_n < 400);
        ck_assert_uint_gt(fail_n, 2);
    }
}

/* The codes that want of memory may come as. */
static bool fine(int rc)
{
    ck_assert_msg(rc >= 0 || rc == BSK_ENOMEM || rc == BSK_ELIMIT || rc == BSK_ERESET ||
                      rc == BSK_EPIPE,
                  "%s", bsk_errname(rc));
    return rc >= 0;
}

/* The service's side; the peer is a plain socket, which hears an answer or the end. */

static bool ask(int fd, size_t n)
{
    static _Thread_local char to[100000], got[100000];
    size_t at = 0;
    run_fill(to, 0, n);
    if (send(fd, to, n, MSG_NOSIGNAL) != (ssize_t)n) return false;
    while (at < n) {
        ssize_t some = recv(fd, got + at, n - at, 0);
        if (some <= 0) {
            /* Without any memory it may wait to be accepted until there is some. */
            ck_assert(some == 0 || errno == ECONNRESET || (errno == EAGAIN && fail_onward));
            return false;
        }
        at += (size_t)some;
    }
    ck_assert(run_holds(got, 0, n));
    return true;
}

static void talk_to_it(int at)
{
    static const size_t sizes[] = {1, 700, 20000, 100000};
    for (unsigned i = 0; i < 4; i++) {
        struct timeval t = {.tv_usec = 50000};
        int fd = peer_new();
        if (fail_onward) ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t), 0);
        /* The listener may have ended at its start. */
        if (peer_may_join(fd, at))
            for (unsigned k = 0; k < 2 && ask(fd, sizes[i]); k++) continue;
        peer_close(fd);
    }
}

static void echo(bsk_self *self)
{
    bsk_bytes b;
    int n;
    while ((n = bsk_read(self, &b, BSK_FOREVER)) > 0)
        if (!fine(bsk_write(self, b, BSK_FOREVER))) return;
    if (n != BSK_ECANCELED) (void)fine(n);
}

static void echo_messages(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(bsk_data, d) {
            int rc = bsk_stream_try(self, (bsk_stream){d->stream}, d->data);
            if (rc == BSK_EFULL) bsk_stream_reset(self, (bsk_stream){d->stream});
            if (rc) bsk_exit(self);
        }
        bsk_on(bsk_closed, c) {
            (void)fine(c->code == BSK_EEOF ? 0 : (int)c->code);
            bsk_exit(self);
        }
    }
}

static void serve_fibers(void)
{
    begin();
    int at = bsk_listen(rt, "127.0.0.1", 0, echo, .stream = {.idle_ms = 60000});
    if (fine(at)) talk_to_it(at);
    end();
}

static void serve_handlers(void)
{
    begin();
    int state = 5;
    int at = bsk_listen(rt, "127.0.0.1", 0, echo_messages, .name = "door",
                        .conn = {.state = &state, .state_size = sizeof state, .label = "c"});
    if (fine(at)) talk_to_it(at);
    end();
}

START_TEST(fibers_are_started_for_connections_or_those_are_closed)
{
    run_all(serve_fibers);
}
END_TEST

START_TEST(handlers_are_started_for_connections_or_those_are_closed)
{
    run_all(serve_handlers);
}
END_TEST

static void serve_supervised(void)
{
    int at;
    peer_close(peer_listen(&at));
    begin();
    bsk_addr sup = bsk_supervise(rt, BSK_SUP(.intensity = 5, .period_ms = 1000),
                                 bsk_child(bsk_listener, BSK_LISTEN("127.0.0.1", at, echo)));
    if (!bsk_is_nobody(sup) && !peer_refused(at)) talk_to_it(at);
    end();
}

START_TEST(a_supervised_listener_starts_or_does_not)
{
    run_all(serve_supervised);
}
END_TEST

/* A fiber's side. */

static void *serve_plainly(void *listener)
{
    char b[4096];
    ssize_t n;
    for (;;) {
        int fd = accept(*(int *)listener, NULL, NULL);
        if (fd < 0) return listener;
        while ((n = recv(fd, b, sizeof b, 0)) > 0)
            if (send(fd, b, (size_t)n, MSG_NOSIGNAL) != n) break;
        close(fd);
    }
}

static void call_out(bsk_self *self)
{
    static char to[50000], got[50000];
    bsk_stream s, none = {0};
    bsk_stream_info_out info;
    for (int i = 0; i < 2; i++) {
        if (!fine(bsk_connect(self, i ? "localhost" : "127.0.0.1", port, 10000, &s,
                              .idle_ms = 30000 * i)))
            continue;
        ck_assert_int_eq(bsk_stream_info(self, s, &info), 0);
        run_fill(to, 0, sizeof to);
        if (fine(bsk_stream_write(self, s, (bsk_bytes){to, sizeof to}, 10000))) {
            if (fine(bsk_stream_fill(self, s, got, 100, 10000))) {
                ck_assert(run_holds(got, 0, 100));
                if (fine(bsk_stream_messages(self, s))) {
                    bsk_msg *m = bsk_recv(self, 10000);
                    ck_assert(m || bsk_error(self) == BSK_ENOMEM);
                }
            }
        }
        bsk_stream_close(self, s);
    }
    (void)!bsk_stream_shut(self, none);
    done++;
}

static void connect_plainly(void)
{
    begin();
    bsk_addr a = bsk_spawn(rt, call_out);
    if (!bsk_is_nobody(a)) UNTIL(done == 1);
    end();
}

static void take_one(bsk_self *self)
{
    bsk_gate g;
    bsk_stream s;
    bsk_bytes b;
    int at = bsk_gate_open(self, "127.0.0.1", 0, &g);
    if (fine(at)) {
        port = at;
        int rc = bsk_gate_accept(self, g, 10000, &s, .first_byte_ms = 10000);
        if (fine(rc) && fine(bsk_stream_read(self, s, &b, 10000)))
            (void)fine(bsk_stream_write(self, s, b, 10000));
        bsk_gate_close(self, g);
    }
    done++;
}

static void accept_one(void)
{
    port = 0;
    begin();
    bsk_addr a = bsk_spawn(rt, take_one);
    if (!bsk_is_nobody(a)) {
        UNTIL(port || done);
        if (port) {
            int fd = peer_dial(port);
            (void)ask(fd, 5);
            peer_close(fd);
        }
        UNTIL(done == 1);
    }
    end();
}

static void dial_out(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) {
            if (!fine(bsk_dial(self, n->v ? "localhost" : "127.0.0.1", port, 10000))) done++;
        }
        bsk_on(bsk_dialed, d) {
            if (!fine((int)d->code))
                done++;
            else if (!fine(bsk_stream_try(self, (bsk_stream){d->stream}, BSK_BYTES("hi")))) {
                bsk_stream_close(self, (bsk_stream){d->stream});
                done++;
            }
        }
        bsk_on(bsk_data, d) {
            bsk_stream_close(self, (bsk_stream){d->stream});
            done++;
        }
        bsk_on(bsk_closed, c) {
            ck_assert_int_eq(c->code, BSK_ENOMEM);
            bsk_stream_close(self, (bsk_stream){c->stream});
            done++;
        }
    }
}

static void dial_plainly(void)
{
    begin();
    bsk_addr a = bsk_spawn(rt, dial_out);
    if (!bsk_is_nobody(a)) {
        unsigned sent = 0;
        for (int i = 0; i < 2; i++) sent += bsk_try(a, num, i) == 0;
        UNTIL(done == sent);
    }
    end();
}

/* Runs it while a plain peer serves whoever connects. */
static void run_all_before_a_peer(void (*scenario)(void))
{
    pthread_t t;
    int at, l = peer_listen(&at);
    struct timeval none = {0};
    ck_assert_int_eq(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none), 0);
    port = at;
    ck_assert_int_eq(pthread_create(&t, NULL, serve_plainly, &l), 0);
    run_all(scenario);
    ck_assert_int_eq(shutdown(l, SHUT_RDWR), 0);
    pthread_join(t, NULL);
    peer_close(l);
}

START_TEST(a_fiber_connects_or_is_told_why_not)
{
    run_all_before_a_peer(connect_plainly);
}
END_TEST

START_TEST(a_handler_dials_or_is_told_why_not)
{
    run_all_before_a_peer(dial_plainly);
}
END_TEST

START_TEST(a_fiber_accepts_or_is_told_why_not)
{
    run_all(accept_one);
}
END_TEST

FIX_MAIN("net_nomem", 150, fibers_are_started_for_connections_or_those_are_closed,
         handlers_are_started_for_connections_or_those_are_closed,
         a_supervised_listener_starts_or_does_not, a_fiber_connects_or_is_told_why_not,
         a_handler_dials_or_is_told_why_not, a_fiber_accepts_or_is_told_why_not)
