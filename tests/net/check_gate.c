/* SPDX-License-Identifier: MIT */
/* check_gate.c - listeners: where they listen, whom they let in, how they end and come again; and
 * the gates of fibers.
 *
 * ctest: timeout=120 */
#include "peer.h"

#include "actors/actor.h"
#include "actors/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static bsk_rt *rt;
static bsk_addr listener;
static _Atomic int port, code;
static _Atomic unsigned at_loop[4];
static char path[64];

static void start(void)
{
    rt = bsk_start(.workers = 2, FIX_HOOKS);
    ck_assert_ptr_nonnull(rt);
    snprintf(path, sizeof path, "/tmp/buskin-gate.%d", (int)getpid());
}

static void finish(void)
{
    fix_stop(rt, 0);
}

static bsk_net_stats_out stats(void)
{
    bsk_net_stats_out out;
    bsk_net_stats(rt, &out);
    return out;
}

static void echo(bsk_self *self)
{
    bsk_bytes b;
    while (bsk_read(self, &b, BSK_FOREVER) > 0)
        if (bsk_write(self, b, BSK_FOREVER)) return;
}

/* It is served. */
static void try_echo(int fd)
{
    peer_say(fd, "hello");
    peer_hear(fd, "hello");
}

/* Where. */

START_TEST(port_0_is_any_free_one)
{
    start();
    int a = bsk_listen(rt, "127.0.0.1", 0, echo), b = bsk_listen(rt, "127.0.0.1", 0, echo);
    ck_assert(a > 0 && a <= 65535 && b > 0 && b <= 65535 && a != b);
    int fd = peer_dial(a), other_fd = peer_dial(b);
    try_echo(fd);
    try_echo(other_fd);
    peer_close(fd);
    peer_close(other_fd);
    finish();
    ck_assert(peer_refused(a) && peer_refused(b));
}
END_TEST

START_TEST(an_address_in_use_is_refused_until_it_is_free)
{
    start();
    port = bsk_listen(rt, "127.0.0.1", 0, echo);
    ck_assert_int_eq(bsk_listen(rt, "127.0.0.1", port, echo), BSK_EADDRINUSE);
    int fd = peer_dial(port);
    try_echo(fd);
    finish();
    /* Its last connection is not over for the system: no reason to wait. */
    start();
    ck_assert_int_eq(bsk_listen(rt, "127.0.0.1", port, echo), port);
    peer_close(fd);
    finish();
}
END_TEST

START_TEST(where_nobody_can_listen_is_said)
{
    start();
    int before = count_descriptors();
    ck_assert_int_eq(bsk_listen(rt, "192.0.2.1", 0, echo), BSK_EADDR);
    ck_assert_int_eq(bsk_listen(rt, "localhost", 0, echo), BSK_EINVAL);
    ck_assert_int_eq(bsk_listen(rt, "", 0, echo), BSK_EINVAL);
    ck_assert_int_eq(bsk_listen(rt, NULL, 0, echo), BSK_EINVAL);
    ck_assert_int_eq(bsk_listen(rt, "127.0.0.1", -1, echo), BSK_EINVAL);
    ck_assert_int_eq(bsk_listen(rt, "127.0.0.1", 65536, echo), BSK_EINVAL);
    ck_assert_int_lt(bsk_listen(rt, "/no/such/folder/s", 0, echo), 0);
    char longer[200];
    memset(longer, '/', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    ck_assert_int_eq(bsk_listen(rt, longer, 0, echo), BSK_EINVAL);
    ck_assert_int_eq(bsk_listen_(rt, &(bsk_listen_opts){.host = "127.0.0.1"}), BSK_EINVAL);
    ck_assert_int_eq(count_descriptors(), before);
    ck_assert_uint_eq(open_now(rt), 0);
    finish();
}
END_TEST

START_TEST(a_listener_has_a_name_and_an_address)
{
    start();
    int base = count_descriptors();
    port = bsk_listen(rt, "127.0.0.1", 0, echo, .name = "door", .who = &listener);
    ck_assert_int_gt(port, 0);
    ck_assert(bsk_same(bsk_whereis(rt, "door"), listener));
    ck_assert_int_eq(bsk_listen(rt, "127.0.0.1", 0, echo, .name = "door"), BSK_EEXIST);
    ck_assert_int_eq(count_descriptors(), base + 1);
    ck_assert_int_eq(bsk_stop(listener, BSK_FOREVER), 0);
    UNTIL(bsk_is_nobody(bsk_whereis(rt, "door")));
    UNTIL(count_descriptors() == base);
    finish();
}
END_TEST

START_TEST(nobody_listens_in_a_seeded_runtime)
{
    rt = bsk_start(.seed = 3, FIX_HOOKS);
    ck_assert_int_eq(bsk_listen(rt, "127.0.0.1", 0, echo), BSK_ENOTSUP);
    finish();
}
END_TEST

START_TEST(version_6_is_listened_at_too)
{
    start();
    port = bsk_listen(rt, "::1", 0, echo);
    if (port == BSK_EADDR) {
        finish();
        return;
    }
    ck_assert_int_gt(port, 0);
    finish();
}
END_TEST

/* Paths. */

START_TEST(a_path_is_listened_at_and_goes_with_the_listener)
{
    struct stat st;
    start();
    unlink(path);
    ck_assert_int_eq(bsk_listen(rt, path, 0, echo, .who = &listener), 0);
    ck_assert(stat(path, &st) == 0 && S_ISSOCK(st.st_mode));
    int fd = peer_dial_path(path);
    try_echo(fd);
    ck_assert_int_eq(bsk_listen(rt, path, 0, echo), BSK_EADDRINUSE);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(bsk_stop(listener, BSK_FOREVER), 0);
    peer_hear_end(fd);
    UNTIL(stat(path, &st));
    /* Again, and to the end of the runtime. */
    ck_assert_int_eq(bsk_listen(rt, path, 0, echo), 0);
    ck_assert_int_eq(stat(path, &st), 0);
    finish();
    ck_assert_int_ne(stat(path, &st), 0);
    peer_close(fd);
}
END_TEST

START_TEST(a_path_left_by_one_that_is_gone_is_taken_over)
{
    struct stat st;
    start();
    close(peer_listen_packets(path));
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(bsk_listen(rt, path, 0, echo), 0);
    int fd = peer_dial_path(path);
    try_echo(fd);
    peer_close(fd);
    finish();
    ck_assert_int_ne(stat(path, &st), 0);
}
END_TEST

START_TEST(a_file_that_is_no_socket_is_left_alone)
{
    struct stat st;
    start();
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(bsk_listen(rt, path, 0, echo), BSK_EADDRINUSE);
    finish();
    ck_assert(stat(path, &st) == 0 && S_ISREG(st.st_mode));
    unlink(path);
}
END_TEST

START_TEST(who_listens_already_is_taken_as_it_is)
{
    start();
    int given;
    int fd = peer_listen(&given);
    ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    ck_assert_int_ge(bsk_listen(rt, NULL, 0, echo, .fd = fd), 0);
    int c = peer_dial(given);
    try_echo(c);
    peer_close(c);
    finish();
    ck_assert(peer_refused(given));
}
END_TEST

/* Whom it lets in. */

static void note_loop(bsk_self *self)
{
    at_loop[self->worker->index]++;
    fix_hit();
    echo(self);
}

/* How busy the loops seem to be, until one of them has run for longer than some moments. */
static void pretend(unsigned busy_0, unsigned busy_1)
{
    UNTIL(atomic_load(&rt->dog.asleep));
    atomic_store(&rt->workers[0]->busy, busy_0);
    atomic_store(&rt->workers[1]->busy, busy_1);
}

START_TEST(connections_come_to_the_listeners_loop_while_it_has_time)
{
    enum { EACH = 10 };
    static const unsigned busy[][3] = {{400, 0, 0}, {600, 300, 1}, {900, 950, 0}, {499, 100, 0}};
    int fds[EACH];
    start();
    port = bsk_listen(rt, "127.0.0.1", 0, note_loop);
    for (unsigned i = 0; i < 4; i++)
        for (unsigned k = 0; k < EACH; k++) {
            unsigned before = at_loop[busy[i][2]];
            pretend(busy[i][0], busy[i][1]);
            fds[k] = peer_dial(port);
            UNTIL(at_loop[busy[i][2]] == before + 1);
            try_echo(fds[k]);
            peer_close(fds[k]);
        }
    UNTIL(open_now(rt) == 1);
    finish();
}
END_TEST

START_TEST(no_more_are_let_in_than_there_may_be)
{
    enum { MAX = 5, ROUNDS = 20 };
    int fds[MAX];
    start();
    port = bsk_listen(rt, "127.0.0.1", 0, echo, .max = MAX);
    for (int i = 0; i < MAX; i++) try_echo(fds[i] = peer_dial(port));
    for (unsigned i = 1; i <= ROUNDS; i++) {
        int fd = peer_dial(port);
        peer_hear_over(fd);
        peer_close(fd);
        ck_assert_uint_eq(stats().refused, i);
    }
    for (int i = 0; i < MAX; i++) try_echo(fds[i]);
    ck_assert_uint_eq(stats().accepted, MAX);
    /* One leaves, one comes. */
    for (int i = 0; i < ROUNDS; i++) {
        peer_shut(fds[i % MAX]);
        peer_hear_end(fds[i % MAX]);
        peer_close(fds[i % MAX]);
        try_echo(fds[i % MAX] = peer_dial(port));
    }
    ck_assert_uint_eq(stats().refused, ROUNDS);
    ck_assert_uint_eq(stats().accepted, MAX + ROUNDS);
    for (int i = 0; i < MAX; i++) peer_close(fds[i]);
    finish();
}
END_TEST

/* More than its peer reads and the system keeps: the rest lingers. */
static void fill_up_and_leave(bsk_self *self)
{
    static const char some[65536];
    int rc;
    do rc = bsk_stream_try(self, bsk_conn(self), (bsk_bytes){some, sizeof some});
    while (rc == 0);
    ck_assert_int_eq(rc, BSK_EFULL);
    fix_hit();
}

START_TEST(a_connection_that_lingers_keeps_its_place)
{
    size_t n;
    start();
    port = bsk_listen(rt, "127.0.0.1", 0, fill_up_and_leave, .max = 1);
    int fd = peer_dial_narrow(port);
    fix_await(1);
    UNTIL(rt_alive(rt) == 1);
    ck_assert_uint_eq(open_now(rt), 2);
    int other_fd = peer_dial(port);
    peer_hear_over(other_fd);
    peer_close(other_fd);
    ck_assert_uint_eq(stats().refused, 1);
    ck_assert_int_eq(peer_drain(fd, -1, &n), 0);
    peer_close(fd);
    UNTIL(open_now(rt) == 1);
    fd = peer_dial_narrow(port);
    fix_await(2);
    peer_reset(fd);
    UNTIL(open_now(rt) == 1);
    ck_assert_uint_eq(stats().refused, 1);
    finish();
}
END_TEST

static void crash(bsk_self *self)
{
    bsk_bytes b;
    int n = bsk_read(self, &b, BSK_FOREVER);
    if (n > 0 && *(const char *)b.ptr == 'f') bsk_fail(self, "on purpose");
    if (n > 0 && *(const char *)b.ptr == 'k') ck_assert_int_eq(bsk_kill(bsk_me(self)), 0);
    if (n > 0) (void)!bsk_write(self, b, BSK_FOREVER);
    echo(self);
}

START_TEST(what_happens_to_one_connection_harms_no_other)
{
    start();
    port = bsk_listen(rt, "127.0.0.1", 0, crash, .who = &listener);
    int good = peer_dial(port);
    try_echo(good);
    for (int i = 0; i < 100; i++) {
        int fd = peer_dial(port);
        peer_say(fd, i % 2 ? "fail" : "kill");
        peer_hear_over(fd);
        peer_close(fd);
    }
    try_echo(good);
    ck_assert(bsk_alive(listener));
    UNTIL(open_now(rt) == 2);
    peer_close(good);
    finish();
}
END_TEST

static void fail_at_once(bsk_self *self)
{
    fix_hit();
    if (fix_hits() % 2) bsk_fail(self, "no");
}

START_TEST(the_users_own_init_runs_with_the_connection_open_and_may_fail)
{
    start();
    port = bsk_listen(rt, "127.0.0.1", 0, echo, .conn = {.init = fail_at_once});
    for (unsigned i = 1; i <= 10; i++) {
        int fd = peer_dial(port);
        if (i % 2)
            peer_hear_over(fd);
        else
            try_echo(fd);
        fix_await(i);
        peer_close(fd);
    }
    finish();
}
END_TEST

struct kept {
    char text[100];
};

static void answer_state(bsk_self *self)
{
    const struct kept *k = bsk_state(self);
    ck_assert_int_eq(bsk_write(self, (bsk_bytes){k->text, strlen(k->text)}, BSK_FOREVER), 0);
}

static int listen_with_state(void)
{
    struct kept k = {"a state of its own"};
    char label[20] = "labelled";
    return bsk_listen(rt, "127.0.0.1", 0, answer_state,
                      .conn = {.state = &k, .state_size = sizeof k, .label = label});
}

static void wipe(void)
{
    volatile char stack[4096];
    for (size_t i = 0; i < sizeof stack; i++) stack[i] = 'x';
}

START_TEST(what_the_options_point_to_is_copied)
{
    start();
    port = listen_with_state();
    wipe();
    int fd = peer_dial(port);
    peer_hear(fd, "a state of its own");
    peer_hear_end(fd);
    peer_close(fd);
    finish();
}
END_TEST

START_TEST(a_connection_with_a_thread_of_its_own_leaves_none_behind)
{
    start();
    port = bsk_listen(rt, "127.0.0.1", 0, echo, .conn = {.own_thread = true});
    if (port == BSK_EINVAL) {
        finish();
        return;
    }
    for (int i = 0; i < 20; i++) {
        int fd = peer_dial(port);
        try_echo(fd);
        peer_shut(fd);
        peer_hear_end(fd);
        peer_close(fd);
        UNTIL(open_now(rt) == 1);
    }
    ck_assert_uint_le(atomic_load(&rt->nworkers), 2 + 2);
    finish();
}
END_TEST

/* Descriptors. */

START_TEST(without_descriptors_it_waits_and_goes_on_when_there_are_some)
{
    enum { CLIENTS = 8 };
    struct rlimit old, narrow;
    int fds[CLIENTS], spares[64], n = 0;
    start();
    port = bsk_listen(rt, "127.0.0.1", 0, echo);
    int good = peer_dial(port);
    try_echo(good);
    for (int i = 0; i < CLIENTS; i++) fds[i] = peer_new();
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
    narrow = old;
    narrow.rlim_cur = 64;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &narrow), 0);
    while ((spares[n] = dup(0)) >= 0) n++;
    ck_assert_int_eq(errno, EMFILE);
    ck_assert_int_gt(n, CLIENTS);
    for (int i = 0; i < CLIENTS; i++) peer_join(fds[i], port);
    UNTIL(stats().no_descriptors > 1);
    /* The service stays up meanwhile, and does not try without a pause. */
    try_echo(good);
    ck_assert_uint_lt(stats().no_descriptors, 1000);
    ck_assert_uint_eq(stats().accepted, 1);
    for (int i = 0; i < n; i++) close(spares[i]);
    for (int i = 0; i < CLIENTS; i++) try_echo(fds[i]);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
    for (int i = 0; i < CLIENTS; i++) peer_close(fds[i]);
    peer_close(good);
    UNTIL(open_now(rt) == 1);
    finish();
}
END_TEST

static void take_them(bsk_self *self)
{
    bsk_gate g;
    bsk_stream s;
    port = bsk_gate_open(self, "127.0.0.1", 0, &g);
    ck_assert_int_gt(port, 0);
    fix_hit();
    ck_assert_ptr_nonnull(bsk_recv(self, BSK_FOREVER));
    fix_hit();
    ck_assert_int_eq(bsk_gate_accept(self, g, BSK_FOREVER, &s), 0);
    ck_assert_int_eq(bsk_stream_write(self, s, BSK_BYTES("in"), BSK_FOREVER), 0);
}

START_TEST(a_fiber_that_accepts_waits_for_descriptors)
{
    struct rlimit old, none;
    start();
    bsk_addr who = fix_born(bsk_spawn(rt, take_them));
    fix_await(1);
    int fd = peer_dial(port);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = 3;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    bsk_tell(who, num, 1);
    UNTIL(stats().no_descriptors > 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
    peer_hear(fd, "in");
    peer_hear_end(fd);
    peer_close(fd);
    finish();
}
END_TEST

START_TEST(a_listener_that_gets_no_descriptor_is_not_started)
{
    struct rlimit old, none;
    start();
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = 3;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    ck_assert_int_eq(bsk_listen(rt, "127.0.0.1", 0, echo), BSK_EMFILE);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
    ck_assert_int_gt(bsk_listen(rt, "127.0.0.1", 0, echo), 0);
    finish();
}
END_TEST

/* Its end. */

static void say_goodbye(bsk_self *self)
{
    bsk_bytes b;
    (void)!bsk_write(self, BSK_BYTES("hello"), BSK_FOREVER);
    ck_assert_int_eq(bsk_read(self, &b, BSK_FOREVER), BSK_ECANCELED);
    /* By now nobody new is let in. */
    code = peer_refused(port);
    bsk_shield(self);
    ck_assert_int_eq(bsk_write(self, BSK_BYTES("bye"), 1000), 0);
    bsk_unshield(self);
}

START_TEST(a_listener_that_stops_closes_its_socket_then_the_connections)
{
    start();
    port = bsk_listen(rt, "127.0.0.1", 0, say_goodbye, .who = &listener);
    int fd = peer_dial(port);
    peer_hear(fd, "hello");
    ck_assert_int_eq(bsk_stop(listener, BSK_FOREVER), 0);
    peer_hear(fd, "bye");
    peer_hear_end(fd);
    ck_assert_int_eq(code, 1);
    UNTIL(!bsk_alive(listener));
    UNTIL(open_now(rt) == 0);
    peer_close(fd);
    finish();
}
END_TEST

static void take_your_time(bsk_self *self)
{
    bsk_bytes b;
    bsk_shield(self);
    (void)!bsk_write(self, BSK_BYTES("hello"), BSK_FOREVER);
    (void)!bsk_read(self, &b, BSK_FOREVER);
}

START_TEST(connections_that_do_not_stop_in_their_time_are_killed)
{
    start();
    port = bsk_listen(rt, "127.0.0.1", 0, take_your_time, .who = &listener,
                      .conn = {.shutdown_ms = 50});
    int fd = peer_dial(port);
    peer_hear(fd, "hello");
    int64_t before = peer_clock();
    ck_assert_int_eq(bsk_stop(listener, 4000), 0);
    peer_hear_over(fd);
    ck_assert_int_ge(peer_clock() - before, 45);
    ck_assert_int_lt(peer_clock() - before, 3000);
    peer_close(fd);
    finish();
}
END_TEST

START_TEST(a_listener_that_is_killed_takes_all_with_it)
{
    int fds[10];
    start();
    port = bsk_listen(rt, "127.0.0.1", 0, echo, .who = &listener);
    for (int i = 0; i < 10; i++) try_echo(fds[i] = peer_dial(port));
    ck_assert_int_eq(bsk_kill(listener), 0);
    for (int i = 0; i < 10; i++) peer_hear_over(fds[i]);
    UNTIL(open_now(rt) == 0);
    ck_assert(peer_refused(port));
    for (int i = 0; i < 10; i++) peer_close(fds[i]);
    finish();
}
END_TEST

static sem_t freed;

/* No kill reaches it. */
static void hold_out(bsk_self *self)
{
    ck_assert_ptr_nonnull(self);
    fix_hit();
    while (sem_wait(&freed)) continue;
}

static void start_one_who_holds_out(bsk_self *self)
{
    bsk_scope *s = bsk_scope_open(self, BSK_FOREVER);
    fix_born(bsk_go(s, hold_out, .own_thread = true));
    (void)!bsk_scope_join(s);
}

static uint64_t ticks(void)
{
    return atomic_load_explicit(&rt->workers[0]->ticks, memory_order_relaxed);
}

START_TEST(a_listener_that_waits_for_its_connections_to_end_lets_nobody_in_and_sleeps)
{
    rt = bsk_start(.workers = 1, .slow_ms = BSK_FOREVER, FIX_HOOKS);
    ck_assert_ptr_nonnull(rt);
    ck_assert_int_eq(sem_init(&freed, 0, 0), 0);
    port = bsk_listen(rt, "127.0.0.1", 0, start_one_who_holds_out, .who = &listener);
    int fd = peer_dial(port);
    fix_await(1);
    ck_assert_int_eq(bsk_kill(listener), 0);
    UNTIL(rt_alive(rt) == 3 && act_flags(rt_slot(rt, listener.slot)) & ACT_LINGERS);
    int late = peer_dial(port);
    peer_hear_over(late);
    peer_close(late);
    ck_assert(peer_refused(port));
    /* A loop that does not sleep ticks thousands of times meanwhile. */
    uint64_t before = ticks();
    for (int i = 0; i < 100; i++) peer_pause();
    ck_assert_uint_lt(ticks() - before, 300);
    ck_assert_uint_eq(rt_alive(rt), 3);
    sem_post(&freed);
    UNTIL(rt_alive(rt) == 0);
    peer_hear_over(fd);
    peer_close(fd);
    finish();
    sem_destroy(&freed);
}
END_TEST

/* Under a supervisor. */

static bsk_addr supervise(const char *host, int at)
{
    return fix_born(bsk_supervise(
        rt, BSK_SUP(.name = "top", .intensity = 1000, .period_ms = 1000),
        bsk_child(bsk_listener, BSK_LISTEN(host, at, echo, .name = "unused"), .name = "door")));
}

START_TEST(a_listener_that_fails_is_started_again_and_listens_again)
{
    int at;
    start();
    close(peer_listen(&at));
    supervise("127.0.0.1", at);
    for (int i = 0; i < 50; i++) {
        int fd = peer_dial(at);
        try_echo(fd);
        bsk_addr door = bsk_whereis(rt, "door");
        ck_assert(!bsk_is_nobody(door));
        if (i % 2)
            ck_assert_int_eq(bsk_kill(door), 0);
        else
            ck_assert_int_eq(bsk_send_exit(NULL, door, BSK_FAILED, "on purpose"), 0);
        peer_hear_over(fd);
        peer_close(fd);
        UNTIL(!bsk_same(bsk_whereis(rt, "door"), door) && !bsk_is_nobody(bsk_whereis(rt, "door")));
        UNTIL(!peer_refused(at));
    }
    bsk_sup_counts counts;
    ck_assert_int_eq(bsk_sup_count(NULL, bsk_whereis(rt, "top"), 5000, &counts), 0);
    ck_assert_uint_eq(counts.restarts, 50);
    finish();
    ck_assert(peer_refused(at));
}
END_TEST

START_TEST(a_listener_at_a_path_is_started_again_too)
{
    struct stat st;
    start();
    unlink(path);
    supervise(path, 0);
    for (int i = 0; i < 20; i++) {
        int fd = peer_dial_path(path);
        try_echo(fd);
        bsk_addr door = bsk_whereis(rt, "door");
        ck_assert_int_eq(bsk_kill(door), 0);
        peer_hear_over(fd);
        peer_close(fd);
        UNTIL(!bsk_same(bsk_whereis(rt, "door"), door) && !bsk_is_nobody(bsk_whereis(rt, "door")));
        UNTIL(peer_answers(path));
    }
    bsk_sup_counts counts;
    ck_assert_int_eq(bsk_sup_count(NULL, bsk_whereis(rt, "top"), 5000, &counts), 0);
    ck_assert_uint_eq(counts.restarts, 20);
    finish();
    ck_assert_int_ne(stat(path, &st), 0);
}
END_TEST

START_TEST(a_supervisor_hears_of_a_listener_that_cannot_listen)
{
    int at;
    start();
    int fd = peer_listen(&at);
    ck_assert(bsk_is_nobody(
        bsk_supervise(rt, BSK_SUP(.name = "top"),
                      bsk_child(bsk_listener, BSK_LISTEN("127.0.0.1", at, echo), .id = "door"))));
    ck_assert_int_eq(bsk_error(NULL), BSK_ECHILD);
    ck_assert_ptr_nonnull(strstr(bsk_error_text(NULL), "address in use"));
    peer_close(fd);
    bsk_shutdown(rt);
    ck_assert_int_le(bsk_wait(rt), 1);
}
END_TEST

static void listen_as_fiber(bsk_self *self)
{
    port = bsk_listen(bsk_rt_of(self), "127.0.0.1", 0, echo);
    fix_hit();
}

static void listen_as_handler(bsk_self *self, bsk_msg *m)
{
    bsk_match(m)
        bsk_on(num, n) {
            listen_as_fiber(self);
            bsk_exit(self);
        }
}

static void listen_in_init(bsk_self *self)
{
    listen_as_fiber(self);
}

START_TEST(whoever_starts_a_listener_it_outlives_that)
{
    start();
    for (unsigned i = 0; i < 5; i++) {
        if (i < 2) fix_born(bsk_spawn(rt, listen_as_fiber, .own_thread = i == 1));
        if (i == 4) fix_born(bsk_spawn(rt, echo, .init = listen_in_init));
        if (i == 2 || i == 3)
            bsk_tell(fix_born(bsk_spawn(rt, listen_as_handler, .own_thread = i == 3)), num, 1);
        fix_await(i + 1);
        ck_assert_int_gt(port, 0);
        int fd = peer_dial(port), second = peer_dial(port);
        try_echo(fd);
        try_echo(second);
        peer_close(fd);
        peer_close(second);
    }
    finish();
}
END_TEST

START_TEST(a_supervised_listener_may_have_a_thread_of_its_own)
{
    int at, fds[6];
    start();
    close(peer_listen(&at));
    fix_born(bsk_supervise(rt, BSK_SUP(.intensity = 100, .period_ms = 1000),
                           bsk_child(bsk_listener, BSK_LISTEN("127.0.0.1", at, note_loop),
                                     .name = "door", .own_thread = true)));
    for (unsigned k = 1; k <= 5; k++) {
        UNTIL(!peer_refused(at));
        for (int i = 0; i < 6; i++) try_echo(fds[i] = peer_dial(at));
        bsk_addr door = bsk_whereis(rt, "door");
        ck_assert_int_eq(bsk_kill(door), 0);
        for (int i = 0; i < 6; i++) peer_hear_over(fds[i]);
        for (int i = 0; i < 6; i++) peer_close(fds[i]);
        UNTIL(!bsk_same(bsk_whereis(rt, "door"), door) && !bsk_is_nobody(bsk_whereis(rt, "door")));
    }
    ck_assert_uint_ge(fix_hits(), 30);
    ck_assert_uint_eq(at_loop[0] + at_loop[1], fix_hits());
    finish();
}
END_TEST

/* The tree. */

static char tree[4096];

static void keep_line(void *arg, int depth, bsk_addr who, const char *text)
{
    ck_assert(arg == tree && !bsk_is_nobody(who));
    snprintf(tree + strlen(tree), sizeof tree - strlen(tree), "%d %s\n", depth, text);
}

START_TEST(the_tree_shows_a_listener_with_its_connections)
{
    start();
    port = bsk_listen(rt, "127.0.0.1", 0, echo, .name = "door");
    int fd = peer_dial(port), second = peer_dial(port);
    try_echo(fd);
    try_echo(second);
    ck_assert_int_eq(bsk_tree(rt, keep_line, tree), 0);
    const char *door = strstr(tree, "0 handler door"), *conn = strstr(tree, "fiber conn");
    ck_assert_msg(door && conn && door < conn && strstr(conn + 1, "fiber conn"), "%s", tree);
    peer_close(fd);
    peer_close(second);
    finish();
}
END_TEST

/* Gates of fibers. */

static void accept_three(bsk_self *self)
{
    bsk_gate g;
    bsk_stream s;
    bsk_bytes b;
    ck_assert_int_eq(bsk_gate_open(self, "192.0.2.1", 0, &g), BSK_EADDR);
    port = bsk_gate_open(self, "127.0.0.1", 0, &g);
    ck_assert_int_gt(port, 0);
    bsk_gate twice;
    ck_assert_int_eq(bsk_gate_open(self, "127.0.0.1", port, &twice), BSK_EADDRINUSE);
    ck_assert_int_eq(bsk_gate_accept(self, g, 10, &s), BSK_ETIMEDOUT);
    ck_assert_int_eq(bsk_gate_accept(self, g, 0, &s), BSK_ETIMEDOUT);
    fix_hit();
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(bsk_gate_accept(self, g, BSK_FOREVER, &s), 0);
        ck_assert_int_eq(bsk_stream_read(self, s, &b, BSK_FOREVER), 2);
        ck_assert_int_eq(bsk_stream_write(self, s, b, BSK_FOREVER), 0);
        if (i == 1) bsk_stream_close(self, s);
    }
    bsk_scope *sc = bsk_scope_open(self, 10);
    ck_assert_int_eq(bsk_gate_accept(self, g, BSK_FOREVER, &s), BSK_ETIMEDOUT);
    ck_assert_int_eq(bsk_scope_join(sc), BSK_ETIMEDOUT);
    ck_assert_int_eq(bsk_gate_accept(self, (bsk_gate){s.id}, 10, &s), BSK_EBADF);
    bsk_gate_close(self, (bsk_gate){s.id});
    ck_assert_uint_eq(stats().accepted, 3);
    bsk_gate_close(self, g);
    bsk_gate_close(self, g);
    ck_assert_int_eq(bsk_gate_accept(self, g, 10, &s), BSK_EBADF);
    /* The port is free at once. */
    ck_assert_int_eq(bsk_gate_open(self, "127.0.0.1", port, &g), port);
    fix_hit();
    code = bsk_gate_accept(self, g, BSK_FOREVER, &s);
    fix_hit();
}

START_TEST(a_fiber_accepts_by_itself)
{
    int fds[3];
    start();
    bsk_addr who = fix_born(bsk_spawn(rt, accept_three));
    fix_await(1);
    for (int i = 0; i < 3; i++) {
        fds[i] = peer_dial(port);
        peer_say(fds[i], "hi");
        peer_hear(fds[i], "hi");
    }
    fix_await(2);
    ck_assert_int_eq(bsk_stop(who, BSK_FOREVER), 0);
    fix_await(3);
    ck_assert_int_eq(code, BSK_ECANCELED);
    for (int i = 0; i < 3; i++) peer_hear_end(fds[i]);
    for (int i = 0; i < 3; i++) peer_close(fds[i]);
    UNTIL(open_now(rt) == 0);
    finish();
}
END_TEST

static void accept_for_ever(bsk_self *self)
{
    bsk_gate g;
    bsk_stream s;
    port = bsk_gate_open(self, "127.0.0.1", 0, &g);
    listener = bsk_me(self);
    fix_hit();
    while (bsk_gate_accept(self, g, BSK_FOREVER, &s) == 0) fix_hit();
}

START_TEST(a_fiber_that_accepts_can_be_killed)
{
    start();
    int base = count_descriptors();
    fix_born(bsk_spawn(rt, accept_for_ever, .own_thread = true));
    fix_await(1);
    int fd = peer_dial(port);
    fix_await(2);
    ck_assert_int_eq(bsk_kill(listener), 0);
    peer_hear_over(fd);
    UNTIL(open_now(rt) == 0);
    ck_assert(peer_refused(port));
    peer_close(fd);
    ck_assert_int_ge(base, 0);
    finish();
}
END_TEST

/* Many. */

static void *dial_and_leave(void *n)
{
    for (int i = 0; i < *(int *)n; i++) {
        int fd = peer_dial(port);
        if (i % 3 == 0)
            peer_reset(fd);
        else if (i % 3 == 1)
            peer_close(fd);
        else {
            try_echo(fd);
            peer_close(fd);
        }
    }
    return n;
}

START_TEST(many_come_and_go_at_once)
{
    pthread_t t[4];
    start();
    finish();
    int n = 300, before = count_descriptors();
    start();
    port = bsk_listen(rt, "127.0.0.1", 0, echo, .backlog = 1000);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, dial_and_leave, &n), 0);
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    UNTIL(open_now(rt) == 1);
    finish();
    ck_assert_int_eq(count_descriptors(), before);
}
END_TEST

FIX_MAIN(
    "gate", 60, port_0_is_any_free_one, an_address_in_use_is_refused_until_it_is_free,
    where_nobody_can_listen_is_said, a_listener_has_a_name_and_an_address,
    nobody_listens_in_a_seeded_runtime, version_6_is_listened_at_too,
    a_path_is_listened_at_and_goes_with_the_listener, a_path_left_by_one_that_is_gone_is_taken_over,
    a_file_that_is_no_socket_is_left_alone, who_listens_already_is_taken_as_it_is,
    connections_come_to_the_listeners_loop_while_it_has_time, no_more_are_let_in_than_there_may_be,
    a_connection_that_lingers_keeps_its_place, what_happens_to_one_connection_harms_no_other,
    the_users_own_init_runs_with_the_connection_open_and_may_fail,
    what_the_options_point_to_is_copied, a_connection_with_a_thread_of_its_own_leaves_none_behind,
    without_descriptors_it_waits_and_goes_on_when_there_are_some,
    a_fiber_that_accepts_waits_for_descriptors, a_listener_that_gets_no_descriptor_is_not_started,
    a_listener_that_stops_closes_its_socket_then_the_connections,
    connections_that_do_not_stop_in_their_time_are_killed,
    a_listener_that_is_killed_takes_all_with_it,
    a_listener_that_waits_for_its_connections_to_end_lets_nobody_in_and_sleeps,
    a_listener_that_fails_is_started_again_and_listens_again,
    a_listener_at_a_path_is_started_again_too, a_supervisor_hears_of_a_listener_that_cannot_listen,
    whoever_starts_a_listener_it_outlives_that, a_supervised_listener_may_have_a_thread_of_its_own,
    the_tree_shows_a_listener_with_its_connections, a_fiber_accepts_by_itself,
    a_fiber_that_accepts_can_be_killed, many_come_and_go_at_once)
