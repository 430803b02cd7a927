/* SPDX-License-Identifier: MIT */
/* check_move.c - connections that move from loop to loop, while their actors and their peers go on
 * as if nothing were.
 *
 * ctest: timeout=180 */
#include "pki.h"

#include "actors/cores.h"
#include "actors/hooks.h"
#include "actors/load.h"
#include "actors/scheduler.h"
#include "net/handle.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* More connections than loops: one alone on a loop stays there. */
enum { LOOPS = 3, FEW = 4, PEERS = 8, ROUNDS = 300, BLOCK = 6000 };

static bsk_rt *rt;
static int port;
static _Atomic int code;

static void start(void)
{
    rt = bsk_start(.workers = LOOPS, FIX_HOOKS);
    ck_assert_ptr_nonnull(rt);
}

static void finish(void)
{
    until_none_open(rt);
    fix_stop(rt, 0);
}

static void finish_listening(bsk_addr listener)
{
    ck_assert_int_eq(bsk_stop(listener, BSK_FOREVER), 0);
    finish();
}

static uint64_t moved(void)
{
    bsk_net_stats_out out;
    bsk_net_stats(rt, &out);
    return out.moved;
}

/* From each loop to the next, and the other way round at the next call. */
static void shake(void)
{
    static unsigned turn;
    turn++;
    for (unsigned i = 0; i < LOOPS; i++) {
        loop_hooks.spread(rt->workers[i], rt->workers[(i + 1 + turn % 2) % LOOPS]);
        sch_ring(rt->workers[i]);
    }
}

static void echo(bsk_self *self)
{
    bsk_bytes b;
    int n;
    while ((n = bsk_read(self, &b, BSK_FOREVER)) > 0)
        if (bsk_write(self, b, BSK_FOREVER)) return;
    code = n;
}

static void echo_data(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(bsk_data, d) ck_assert_int_eq(bsk_stream_try(self, bsk_conn(self), d->data), 0);
        bsk_on(bsk_closed, c) bsk_exit(self);
    }
}

/* Says blocks of one run of bytes, and hears each before the next. */
static void *converse(void *arg)
{
    int fd = *(int *)arg;
    char said[BLOCK], heard[BLOCK];
    uint64_t at = 0;
    for (int round = 0; round < ROUNDS; round++) {
        size_t n = 1 + (size_t)(round * 7919) % BLOCK;
        run_fill(said, at, n);
        peer_send(fd, said, n);
        ck_assert_int_eq(recv(fd, heard, n, MSG_WAITALL), (ssize_t)n);
        ck_assert(run_holds(heard, at, n));
        at += n;
    }
    atomic_fetch_add(&code, 1);
    return arg;
}

/* All talk at once while their connections are moved about. */
static void converse_with_all(int *fds)
{
    pthread_t threads[PEERS];
    code = 0;
    for (int i = 0; i < PEERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, converse, &fds[i]), 0);
    while (code < PEERS) {
        shake();
        peer_pause();
    }
    for (int i = 0; i < PEERS; i++) pthread_join(threads[i], NULL);
}

static void dial_all(int *fds)
{
    for (int i = 0; i < PEERS; i++) fds[i] = peer_dial(port);
}

static void close_all(const int *fds)
{
    for (int i = 0; i < PEERS; i++) peer_close(fds[i]);
}

static void talk(const int *fds)
{
    for (int i = 0; i < FEW; i++) peer_say(fds[i], "hello");
    for (int i = 0; i < FEW; i++) peer_hear(fds[i], "hello");
    shake();
}

static void talk_until_moved(const int *fds, uint64_t enough)
{
    for (int64_t until = peer_clock() + 20000; moved() < enough; talk(fds))
        ck_assert_msg(peer_clock() < until, "none moves");
}

static void move_all_the_time(bsk_behavior behavior, const char *path)
{
    int fds[PEERS];
    bsk_addr listener;
    start();
    port = bsk_listen_(rt, &(bsk_listen_opts){.host = path ? path : "127.0.0.1",
                                              .behavior = behavior,
                                              .who = &listener,
                                              .stream = {.idle_ms = 60000}});
    ck_assert_int_ge(port, 0);
    for (int i = 0; i < PEERS; i++) fds[i] = path ? peer_dial_path(path) : peer_dial(port);
    /* Each loop keeps a descriptor more from its first stream on. */
    converse_with_all(fds);
    int before = count_descriptors();
    converse_with_all(fds);
    ck_assert_uint_gt(moved(), 0);
    UNTIL(count_descriptors() == before);
    ck_assert_uint_eq(open_now(rt), 1 + PEERS);
    close_all(fds);
    finish_listening(listener);
}

START_TEST(what_is_said_to_fibers_comes_whole)
{
    move_all_the_time((bsk_behavior){.fiber = echo}, NULL);
    ck_assert_int_eq(fix_dead_all(), 0);
}
END_TEST

START_TEST(what_is_said_to_handlers_comes_whole)
{
    move_all_the_time((bsk_behavior){.handler = echo_data}, NULL);
    ck_assert_int_eq(fix_dead_all(), 0);
}
END_TEST

START_TEST(connections_at_a_path_move_too)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/buskin-move.%d", (int)getpid());
    move_all_the_time((bsk_behavior){.fiber = echo}, path);
}
END_TEST

START_TEST(a_session_of_tls_moves_too)
{
    pki_make();
    bsk_addr listener;
    bsk_tls *tls = bsk_tls_new(.certificate = pki("shop.pem"), .key = pki("shop.key"));
    ck_assert_ptr_nonnull(tls);
    start();
    port = bsk_listen(rt, "127.0.0.1", 0, echo, .stream = {.tls = tls}, .who = &listener);
    SSL *ssl[FEW];
    for (int i = 0; i < FEW; i++)
        ssl[i] = raw_dial(port, &(struct raw_opts){.name = "shop.test", .ca = "ca.pem"});
    for (int64_t until = peer_clock() + 20000; moved() < 100; shake()) {
        ck_assert_msg(peer_clock() < until, "none moves");
        for (int i = 0; i < FEW; i++) raw_say(ssl[i], "good day");
        for (int i = 0; i < FEW; i++) raw_hear(ssl[i], "good day");
    }
    for (int i = 0; i < FEW; i++) raw_close(ssl[i]);
    finish_listening(listener);
    bsk_tls_drop(tls);
    pki_remove();
}
END_TEST

static bsk_addr at_work[PEERS];
static _Atomic unsigned born;

/* It waits for messages, and not for its connection. */
static void pass_on(bsk_self *self)
{
    at_work[born++ % PEERS] = bsk_me(self);
    for (bsk_msg *m; (m = bsk_recv(self, BSK_FOREVER));)
        bsk_match(m) {
            bsk_on(note, n)
                ck_assert_int_eq(
                    bsk_write(self, (bsk_bytes){n->text, strlen(n->text)}, BSK_FOREVER), 0);
        }
}

START_TEST(messages_find_an_actor_that_moves)
{
    enum { WORDS = 1000 };
    int fds[FEW];
    char words[FEW][16];
    bsk_addr listener;
    start();
    port = bsk_listen(rt, "127.0.0.1", 0, pass_on, .who = &listener);
    for (unsigned i = 0; i < FEW; i++) {
        fds[i] = peer_dial(port);
        UNTIL(born == i + 1);
    }
    for (int w = 0; w < WORDS || moved() < 20; w++) {
        for (int i = 0; i < FEW; i++) {
            snprintf(words[i], sizeof words[i], "%d", w + i);
            bsk_tell(at_work[i], note, words[i]);
        }
        for (int i = 0; i < FEW; i++) peer_hear(fds[i], words[i]);
        shake();
    }
    ck_assert_int_eq(fix_dead_all(), 0);
    for (int i = 0; i < FEW; i++) peer_close(fds[i]);
    finish_listening(listener);
}
END_TEST

static void known_echo(bsk_self *self)
{
    at_work[born++ % PEERS] = bsk_me(self);
    echo(self);
}

START_TEST(who_is_killed_on_its_way_leaves_nothing_open)
{
    enum { TIMES = 100 };
    int fds[PEERS];
    bsk_addr listener;
    start();
    port =
        bsk_listen(rt, "127.0.0.1", 0, known_echo, .who = &listener, .stream = {.idle_ms = 60000});
    int before = count_descriptors();
    for (int i = 0; i < TIMES; i++) {
        born = 0;
        dial_all(fds);
        UNTIL(born == PEERS);
        for (int k = 0; k < PEERS; k++) peer_say(fds[k], "hello");
        for (int k = 0; k < PEERS; k++) peer_hear(fds[k], "hello");
        shake();
        for (int k = 0; k < PEERS; k++) bsk_kill(at_work[k]);
        for (int k = 0; k < PEERS; k++) peer_hear_over(fds[k]);
        close_all(fds);
    }
    UNTIL(open_now(rt) == 1);
    ck_assert_uint_gt(moved(), 0);
    /* Each loop keeps one from its first stream on. */
    UNTIL(count_descriptors() <= before + LOOPS);
    finish_listening(listener);
}
END_TEST

START_TEST(an_idle_one_is_closed_in_time_wherever_it_is)
{
    bsk_net_stats_out out;
    bsk_addr listener;
    start();
    port = bsk_listen(rt, "127.0.0.1", 0, echo, .who = &listener, .stream = {.idle_ms = 300});
    int fds[FEW];
    for (int i = 0; i < FEW; i++) fds[i] = peer_dial(port);
    talk_until_moved(fds, 20);
    for (int i = 0; i < FEW; i++) peer_hear_over(fds[i]);
    ck_assert_int_eq(code, BSK_ELIMIT);
    bsk_net_stats(rt, &out);
    ck_assert_uint_eq(out.idle, FEW);
    for (int i = 0; i < FEW; i++) peer_close(fds[i]);
    finish_listening(listener);
}
END_TEST

START_TEST(without_descriptors_all_stay_and_go_on)
{
    struct rlimit usual, none;
    int fds[PEERS];
    bsk_addr listener;
    start();
    port = bsk_listen(rt, "127.0.0.1", 0, echo, .who = &listener);
    dial_all(fds);
    converse_with_all(fds);
    ck_assert_uint_gt(moved(), 0);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &usual), 0);
    none = (struct rlimit){3, usual.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    /* One that was on its way before. */
    converse_with_all(fds);
    uint64_t before = moved();
    converse_with_all(fds);
    ck_assert_uint_eq(moved(), before);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &usual), 0);
    converse_with_all(fds);
    ck_assert_uint_gt(moved(), before);
    close_all(fds);
    finish_listening(listener);
}
END_TEST

/* Its time to be idle needs memory on the other loop. */
START_TEST(without_memory_all_stay_and_go_on)
{
    bsk_addr listener;
    start();
    port = bsk_listen(rt, "127.0.0.1", 0, echo, .who = &listener, .stream = {.idle_ms = 60000});
    int fds[FEW];
    for (int i = 0; i < FEW; i++) fds[i] = peer_dial(port);
    talk_until_moved(fds, 20);
    mem_fail_at(1, 1);
    talk(fds);
    uint64_t before = moved();
    for (int i = 0; i < 100; i++) talk(fds);
    ck_assert_uint_eq(moved(), before);
    mem_fail_at(0, 0);
    talk_until_moved(fds, before + 20);
    for (int i = 0; i < FEW; i++) peer_close(fds[i]);
    finish_listening(listener);
}
END_TEST

static void prepare_loops(void)
{
    start();
    UNTIL(atomic_load(&rt->dog.asleep));
    for (unsigned i = 0; i < LOOPS; i++) ck_assert_uint_eq(rt->workers[i]->busy, 0);
}

START_TEST(a_loop_takes_what_comes_while_it_has_time)
{
    prepare_loops();
    struct worker *const *w = (struct worker *const *)rt->workers, *full, *idlest;
    ck_assert_ptr_eq(load_place(w[1]), w[1]);
    w[1]->busy = LOAD_ENOUGH - 1;
    ck_assert_ptr_eq(load_place(w[1]), w[1]);
    w[0]->busy = 100;
    w[1]->busy = w[2]->busy = LOAD_ENOUGH;
    ck_assert_ptr_eq(load_place(w[1]), w[0]);
    w[0]->busy = 1000;
    ck_assert_ptr_eq(load_place(w[1]), w[1]);
    ck_assert_ptr_eq(load_place(w[0]), w[1]);
    ck_assert(!load_uneven(rt, &full, &idlest));
    w[2]->busy = LOAD_ENOUGH - 1;
    ck_assert(load_uneven(rt, &full, &idlest));
    ck_assert(full == w[0] && idlest == w[2]);
    w[0]->busy = LOAD_FULL - 1;
    ck_assert(!load_uneven(rt, &full, &idlest));
    finish();
}
END_TEST

static unsigned gives(void)
{
    return atomic_load(&rt_net(rt->workers[0])->gives);
}

/* The first loop does not sleep, the others do, as far as these looks can tell. Returns at which
 * the first was told to give. */
static unsigned look_until_it_gives(bool idle_cores)
{
    const uint64_t step = UINT64_C(1000000000);
    atomic_store(&rt->workers[0]->sleeps, 0);
    for (unsigned look = 1; look < 20; look++) {
        load_look(rt, rt->dog.load.at + step);
        if (gives()) return look;
        if (idle_cores) rt->dog.load.idle = 0;
    }
    return 0;
}

START_TEST(a_full_loop_gives_if_there_are_idle_cores)
{
    bsk_addr listener;
    prepare_loops();
    port = bsk_listen(rt, "127.0.0.1", 0, echo, .who = &listener);
    UNTIL(rt_net(rt->workers[0]) && atomic_load(&rt->dog.asleep));
    /* The looks seem to be seconds apart, and no core was idle for as long. */
    ck_assert_uint_eq(look_until_it_gives(false), 0);
    ck_assert_uint_eq(rt->workers[0]->busy, 1000);
    ck_assert_uint_eq(rt->workers[2]->busy, 0);
    load_rest(rt);
    ck_assert_uint_eq(look_until_it_gives(true), 5);
    ck_assert_uint_ne(gives(), 1);
    finish_listening(listener);
}
END_TEST

START_TEST(the_cores_that_may_be_used_are_counted)
{
    uint64_t before, after;
    ck_assert_uint_ge(cores_allowed(), 1);
    ck_assert_int_le(cores_allowed(), (int)sysconf(_SC_NPROCESSORS_CONF));
    ck_assert(cores_idle(&before) && before > 0);
    ck_assert(cores_idle(&after) && after >= before);
}
END_TEST

FIX_MAIN("move", 60, what_is_said_to_fibers_comes_whole, what_is_said_to_handlers_comes_whole,
         connections_at_a_path_move_too, a_session_of_tls_moves_too,
         messages_find_an_actor_that_moves, who_is_killed_on_its_way_leaves_nothing_open,
         an_idle_one_is_closed_in_time_wherever_it_is, without_descriptors_all_stay_and_go_on,
         without_memory_all_stay_and_go_on, a_loop_takes_what_comes_while_it_has_time,
         a_full_loop_gives_if_there_are_idle_cores, the_cores_that_may_be_used_are_counted)
