/* SPDX-License-Identifier: MIT */
/* check_relief.c - what waits behind a held loop goes on, also where no other loop is idle: queued
 * actors, messages from outside, timers, deadlines, signals; and nobody is lost or run twice.
 *
 * ctest: calm timeout=120 */
#include "fixture.h"

#include "actors/runtime.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OF(address) .state = &(address), .state_size = sizeof(address)

static bsk_rt *rt;
static _Atomic bool let_go;
static _Atomic unsigned held; /* loops that are, by `hold` */
static _Atomic unsigned ticks;

/* Threads can be made to fail: the library's calls come by here. */
static _Atomic bool no_threads;
int uv_thread_create(uv_thread_t *tid, uv_thread_cb entry, void *arg)
{
    static int (*real)(uv_thread_t *, uv_thread_cb, void *);
    if (atomic_load(&no_threads)) return UV_EAGAIN;
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, "uv_thread_create");
    return real(tid, entry, arg);
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Leaves the core to others: many of these tests have more threads than there are cores. */
static void pass_time(void)
{
    struct timespec t = {0, 200000};
    nanosleep(&t, NULL);
}

static void hold(void)
{
    atomic_fetch_add(&held, 1);
    while (!atomic_load(&let_go)) pass_time();
    atomic_fetch_sub(&held, 1);
}

static void await_held(unsigned n)
{
    while (atomic_load(&held) < n) pass_time();
}

/* Holds the loop that it comes to run on. */
static void holder(bsk_self *self, bsk_msg *m)
{
    bsk_addr *all = bsk_state(self);
    bsk_match(m) {
        bsk_on(stop_it, s) hold();
        bsk_on(num, n) {
            /* All are queued here, behind this message. */
            for (int i = 0; i < n->v; i++) bsk_tell(all[i], num, i);
            hold();
            fix_hit();
        }
    }
}

static void answer(bsk_self *self, bsk_msg *m)
{
    ck_assert_ptr_nonnull(self);
    bsk_match(m) {
        bsk_on(num, n) fix_hit();
        bsk_on(get, g) bsk_reply(g, get, .v = g->v + 1);
    }
}

static void answer_fiber(bsk_self *self)
{
    bsk_msg *m;
    while ((m = bsk_recv(self, BSK_FOREVER))) answer(self, m);
}

static void start(unsigned workers)
{
    atomic_store(&let_go, false);
    rt = bsk_start(.workers = workers, .slow_ms = 30, .shutdown_ms = 20000, FIX_HOOKS,
                   .verbose = BSK_LOG_INFO);
    ck_assert_ptr_nonnull(rt);
}

static void finish(void)
{
    atomic_store(&let_go, true);
    fix_stop(rt, 0);
}

static unsigned reliefs(void)
{
    return atomic_load(&rt->nreliefs);
}

/* One runs before the watchdog has noted it. */
static void await_reliefs(unsigned n)
{
    while (reliefs() < n) pass_time();
    ck_assert_uint_eq(reliefs(), n);
}

/* What waits. */

START_TEST(actors_queued_behind_the_only_loops_message_run)
{
    start(1);
    bsk_addr all[40];
    for (int i = 0; i < 40; i++)
        all[i] = fix_born(i % 3 ? bsk_spawn(rt, answer, .high = i % 7 == 0)
                                : bsk_spawn(rt, answer_fiber));
    bsk_addr h = fix_born(bsk_spawn(rt, holder, .state = all, .state_size = sizeof all));
    bsk_tell(h, num, 40);
    fix_await(40);
    ck_assert_uint_eq(held, 1);
    await_reliefs(1);
    atomic_store(&let_go, true);
    fix_await(41);
    finish();
    ck_assert_uint_eq(fix_lines("a relief runs"), 1);
}
END_TEST

START_TEST(messages_from_outside_and_new_actors_pass)
{
    start(1);
    bsk_addr a = fix_born(bsk_spawn(rt, answer)), f = fix_born(bsk_spawn(rt, answer_fiber));
    bsk_tell(fix_born(bsk_spawn(rt, holder)), stop_it);
    await_held(1);
    for (int i = 0; i < 100; i++) {
        const num *n = bsk_call(NULL, i % 2 ? a : f, 10000, get, i);
        ck_assert_ptr_nonnull(n);
        ck_assert_int_eq(n->v, i + 1);
        a = i % 10 ? a : fix_born(bsk_spawn(rt, answer));
    }
    /* It looks each millisecond: a tenth of that will do on a machine that has much to do. */
    const struct worker *relief = rt->reliefs[0];
    uint64_t parks = atomic_load(&relief->count.parks);
    struct timespec t = {0, 500000000};
    nanosleep(&t, NULL);
    ck_assert_uint_ge(atomic_load(&relief->count.parks) - parks, 50);
    ck_assert_uint_eq(held, 1);
    finish();
}
END_TEST

/* Nobody is told to go on by anything but time. */
static void sleeper(bsk_self *self)
{
    fix_hit();
    ck_assert_int_eq(bsk_sleep(self, 150), 0);
    fix_hit();
    ck_assert_ptr_null(bsk_recv(self, 60));
    ck_assert_int_eq(bsk_error(self), BSK_ETIMEDOUT);
    fix_hit();
}

static void mute(bsk_self *self, bsk_msg *m)
{
    ck_assert_ptr_nonnull(self);
    bsk_match(m)
        bsk_on(get, g) bsk_later(g, get);
}

static void asker(bsk_self *self)
{
    bsk_addr *to = bsk_state(self);
    fix_hit();
    ck_assert_ptr_null(bsk_call(self, *to, 150, get, 1));
    ck_assert_int_eq(bsk_error(self), BSK_ETIMEDOUT);
    fix_hit();
}

static void ticker(bsk_self *self, bsk_msg *m)
{
    bsk_addr *to = bsk_state(self);
    bsk_match(m) {
        bsk_on(stop_it, s) {
            bsk_every(self, 20, num, 0);
            bsk_after(self, 150, other, 0);
            ck_assert_int_eq(bsk_ask(self, *to, 150, get, 1), 0);
            fix_hit();
        }
        bsk_on(num, n) atomic_fetch_add(&ticks, 1);
        bsk_on(other, o) fix_hit();
        bsk_on_no_reply(get, rc) {
            ck_assert_int_eq(rc, BSK_ETIMEDOUT);
            fix_hit();
        }
    }
}

/* All that is filed lies in the wheel of the loop when that comes to be held: who has hit waits. */
START_TEST(timers_and_deadlines_on_a_held_loop_are_kept)
{
    start(1);
    bsk_addr m = fix_born(bsk_spawn(rt, mute)), h = fix_born(bsk_spawn(rt, holder));
    bsk_tell(fix_born(bsk_spawn(rt, ticker, OF(m))), stop_it);
    fix_born(bsk_spawn(rt, sleeper));
    fix_born(bsk_spawn(rt, asker, OF(m)));
    bsk_addr late = fix_born(bsk_spawn(rt, answer, .trap_stop = true));
    fix_await(3);
    ck_assert_int_eq(bsk_stop(late, 150), 0);
    bsk_tell(h, stop_it);
    await_held(1);
    atomic_store(&ticks, 0);
    int64_t from = now_ms();
    fix_await(3 + 5);
    while (bsk_alive(late) || atomic_load(&ticks) < 20) pass_time();
    ck_assert_int_lt(now_ms() - from, 10000);
    ck_assert_uint_eq(held, 1);
    finish();
}
END_TEST

/* The alarms of fibers that wait again and again go off on both threads in turn. */
static void waiter(bsk_self *self)
{
    for (int i = 0; i < 200; i++) {
        bsk_msg *m = bsk_recv(self, 3);
        ck_assert(m || bsk_error(self) == BSK_ETIMEDOUT);
    }
    fix_hit();
}

static void now_and_then(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) {
            int64_t until = now_ms() + 70;
            while (now_ms() < until) pass_time();
            if (n->v > 1)
                bsk_after(self, 10, num, n->v - 1);
            else
                fix_hit();
        }
    }
}

START_TEST(waits_end_in_their_time_on_a_loop_that_is_held_now_and_then)
{
    start(1);
    for (int i = 0; i < 50; i++) fix_born(bsk_spawn(rt, waiter));
    bsk_tell(fix_born(bsk_spawn(rt, now_and_then)), num, 12);
    fix_await(51);
    finish();
}
END_TEST

/* Who is held. */

START_TEST(both_loops_may_be_held)
{
    start(2);
    bsk_addr all[40];
    for (int i = 0; i < 40; i++) all[i] = fix_born(bsk_spawn(rt, answer));
    for (unsigned i = 1; i <= 2; i++) {
        bsk_tell(fix_born(bsk_spawn(rt, holder)), stop_it);
        await_held(i);
    }
    for (int i = 0; i < 40; i++) bsk_tell(all[i], num, i);
    fix_await(40);
    ck_assert_uint_eq(held, 2);
    finish();
}
END_TEST

START_TEST(a_relief_that_is_held_is_relieved)
{
    start(1);
    bsk_addr a = fix_born(bsk_spawn(rt, answer));
    for (unsigned i = 1; i <= 3; i++) {
        bsk_tell(fix_born(bsk_spawn(rt, holder)), stop_it);
        await_held(i);
    }
    bsk_tell(a, num, 0);
    fix_await(1);
    ck_assert_uint_eq(held, 3);
    await_reliefs(3);
    finish();
}
END_TEST

START_TEST(reliefs_are_bounded_and_the_log_says_so)
{
    start(1);
    for (unsigned i = 1; i <= RELIEFS_MAX + 2; i++)
        bsk_tell(fix_born(bsk_spawn(rt, holder)), stop_it);
    await_held(RELIEFS_MAX + 1);
    while (!fix_lines("no relief for who waits")) pass_time();
    await_reliefs(RELIEFS_MAX);
    ck_assert_uint_eq(held, RELIEFS_MAX + 1);
    atomic_store(&let_go, true);
    finish();
}
END_TEST

static void where(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(get, g) bsk_reply(g, get, .v = atomic_load(&self->home));
        bsk_on(stop_it, s) bsk_pin(self, true);
        bsk_on(num, n) fix_hit();
    }
}

static int64_t home_of(bsk_addr a)
{
    const num *n = bsk_call(NULL, a, 10000, get, 0);
    ck_assert_ptr_nonnull(n);
    return n->v;
}

START_TEST(who_is_pinned_waits_for_the_loop_and_is_not_lost)
{
    start(1);
    bsk_addr pinned = fix_born(bsk_spawn(rt, where, .pinned = true));
    bsk_addr other_one = fix_born(bsk_spawn(rt, where));
    bsk_tell(fix_born(bsk_spawn(rt, holder)), stop_it);
    await_held(1);
    for (int i = 0; i < 10; i++) bsk_tell(pinned, num, 0);
    /* On the relief it pins itself there. */
    bsk_tell(other_one, stop_it);
    ck_assert_int_eq(home_of(other_one), 1);
    ck_assert_uint_eq(fix_hits(), 0);
    atomic_store(&let_go, true);
    fix_await(10);
    ck_assert_int_eq(home_of(pinned), 0);
    ck_assert_int_eq(home_of(other_one), 1);
    finish();
}
END_TEST

/* Afterwards. */

static unsigned runs_on(bsk_addr a)
{
    return atomic_load(&rt_slot(rt, a.slot)->home);
}

static void relay(bsk_self *self, bsk_msg *m)
{
    bsk_addr *peer = bsk_state(self);
    bsk_match(m) {
        bsk_on(note, n) *peer = bsk_whereis(bsk_rt_of(self), n->text);
        bsk_on(num, n) bsk_tell(*peer, num, n->v + 1);
        bsk_on(get, g) bsk_reply(g, get, .v = atomic_load(&self->home));
    }
}

START_TEST(when_the_message_has_ended_its_loop_goes_on_with_its_actors)
{
    bsk_stats_out before, after;
    bsk_addr nobody = {0, 0, 0};
    start(1);
    bsk_addr b = fix_born(bsk_spawn(rt, relay, .name = "b", OF(nobody)));
    bsk_addr a = fix_born(bsk_spawn(rt, relay, .name = "a", OF(b)));
    bsk_tell(b, note, "a");
    home_of(b);
    bsk_tell(fix_born(bsk_spawn(rt, holder)), stop_it);
    await_held(1);
    bsk_tell(a, num, 0);
    ck_assert_int_eq(home_of(a), 1);
    atomic_store(&let_go, true);
    /* They never let go of the relief by themselves, and nobody calls them away. */
    while (runs_on(a) || runs_on(b)) pass_time();
    bsk_kill(a);
    while (bsk_alive(a)) pass_time();
    struct timespec t = {0, 300000000};
    nanosleep(&t, NULL);
    bsk_stats(rt, &before);
    nanosleep(&t, NULL);
    bsk_stats(rt, &after);
    ck_assert_uint_le(after.parks - before.parks, 2);
    await_reliefs(1);
    /* A relief that sleeps is no loop that does: those look around while not all sleep. */
    ck_assert_uint_eq(atomic_load(&rt->nparked), 1);
    finish();
}
END_TEST

START_TEST(one_relief_serves_every_time)
{
    start(1);
    bsk_addr a = fix_born(bsk_spawn(rt, answer));
    for (unsigned i = 1; i <= 5; i++) {
        atomic_store(&let_go, false);
        bsk_tell(fix_born(bsk_spawn(rt, holder)), stop_it);
        await_held(1);
        bsk_tell(a, num, 0);
        fix_await(i);
        ck_assert_uint_eq(held, 1);
        atomic_store(&let_go, true);
        while (atomic_load(&held)) pass_time();
    }
    await_reliefs(1);
    finish();
}
END_TEST

START_TEST(without_a_limit_there_is_no_relief)
{
    atomic_store(&let_go, false);
    rt = bsk_start(.workers = 1, .slow_ms = BSK_FOREVER, FIX_HOOKS);
    bsk_addr a = fix_born(bsk_spawn(rt, answer));
    bsk_tell(fix_born(bsk_spawn(rt, holder)), stop_it);
    await_held(1);
    bsk_tell(a, num, 0);
    ck_assert_ptr_null(bsk_call(NULL, a, 300, get, 0));
    ck_assert_uint_eq(fix_hits(), 0);
    atomic_store(&let_go, true);
    fix_await(1);
    ck_assert_uint_eq(reliefs(), 0);
    finish();
}
END_TEST

START_TEST(a_loop_of_one_actors_own_needs_none)
{
    start(1);
    bsk_addr a = fix_born(bsk_spawn(rt, answer));
    bsk_addr h = fix_born(bsk_spawn(rt, holder, .own_thread = true));
    bsk_tell(h, stop_it);
    bsk_tell(h, stop_it);
    await_held(1);
    while (fix_lines("holds its loop") < 2) pass_time();
    bsk_tell(a, num, 0);
    fix_await(1);
    ck_assert_uint_eq(reliefs(), 0);
    finish();
}
END_TEST

/* When it fails. */

START_TEST(who_gets_no_thread_is_told_and_tries_again)
{
    start(1);
    bsk_addr a = fix_born(bsk_spawn(rt, answer));
    bsk_tell(fix_born(bsk_spawn(rt, holder)), stop_it);
    await_held(1);
    atomic_store(&no_threads, true);
    bsk_tell(a, num, 0);
    while (!fix_lines("no relief for who waits")) pass_time();
    ck_assert_uint_eq(reliefs(), 0);
    atomic_store(&no_threads, false);
    fix_await(1);
    await_reliefs(1);
    finish();
    ck_assert_uint_eq(fix_lines("no relief for who waits"), 1);
}
END_TEST

/* A worker that was made, and got no thread, is there for the next one. */
START_TEST(a_thread_of_ones_own_that_cannot_be_had_leaves_nothing_behind)
{
    start(1);
    for (int i = 0; i < 3; i++) {
        atomic_store(&no_threads, true);
        ck_assert(bsk_is_nobody(bsk_spawn(rt, answer, .own_thread = true)));
        ck_assert_int_eq(bsk_error(NULL), BSK_ENOMEM);
        ck_assert_uint_eq(rt->nworkers, 2);
        /* Whoever looks at all workers finds each of them whole. */
        bsk_stats_out s;
        bsk_stats(rt, &s);
        ck_assert_uint_eq(s.actors, 0);
        atomic_store(&no_threads, false);
        bsk_addr a = fix_born(bsk_spawn(rt, answer, .own_thread = true));
        ck_assert_uint_eq(rt->nworkers, 2);
        bsk_tell(a, num, 0);
        fix_await((unsigned)i + 1);
        ck_assert_int_eq(bsk_stop(a, BSK_FOREVER), 0);
        while (bsk_alive(a) || !atomic_load(&rt->workers[1]->over)) pass_time();
    }
    finish();
}
END_TEST

START_TEST(each_allocation_for_a_thread_of_ones_own_may_fail)
{
    start(1);
    unsigned failed = 0;
    bsk_addr a = {0, 0, 0};
    for (uint64_t n = 1; bsk_is_nobody(a); n++, failed++) {
        mem_fail_at(n, 0);
        a = bsk_spawn(rt, answer, .own_thread = true);
        mem_fail_at(0, 0);
        for (unsigned i = 0; i < rt->nworkers; i++)
            ck_assert_ptr_eq(atomic_load(&rt->workers[i])->rt, rt);
        ck_assert_uint_le(rt->nworkers, 2);
    }
    ck_assert_uint_ge(failed, 1);
    bsk_tell(a, num, 0);
    fix_await(1);
    finish();
}
END_TEST

/* The end. */

static int status_of(pid_t child)
{
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Twenty others, woken behind it, end in the runtime's time; the one is named. */
static int stop_with_a_hang(bool by_signal)
{
    start(1);
    rt->opts.shutdown_ms = 700;
    for (int i = 0; i < 20; i++) {
        bsk_addr a = i % 2 ? bsk_spawn(rt, answer) : bsk_spawn(rt, answer_fiber);
        bsk_tell(fix_born(a), num, 0);
    }
    fix_await(20);
    bsk_tell(fix_born(bsk_spawn(rt, holder, .name = "hung", .shutdown_ms = 200)), stop_it);
    await_held(1);
    while (!reliefs()) pass_time();
    int64_t from = now_ms();
    if (by_signal)
        raise(SIGTERM);
    else
        bsk_shutdown(rt);
    int status = bsk_wait(rt);
    if (now_ms() - from > 5000) return 91;
    if (fix_lines("did not stop") - fix_lines("did not stop in its time") != 1) return 92;
    return fix_lines("hung <") ? status : 93;
}

START_TEST(an_end_with_a_hung_thread_comes_in_its_time_and_names_it)
{
    pid_t children[2];
    for (int by_signal = 0; by_signal < 2; by_signal++) {
        children[by_signal] = fork();
        ck_assert_int_ge(children[by_signal], 0);
        if (children[by_signal] == 0) _exit(stop_with_a_hang(by_signal));
    }
    for (int i = 0; i < 2; i++) ck_assert_int_eq(status_of(children[i]), 2);
}
END_TEST

/* Under load. */

#define ACTORS 64
#define HOPS 400
static bsk_addr crowd[ACTORS];
static _Atomic uint64_t sums[ACTORS], sent, got;
static _Atomic int running[ACTORS]; /* at once: one */

/* Each passes what it gets on to another, and some hold their loop for a while. */
static void pass_on(bsk_self *self, int index, int64_t v)
{
    ck_assert_int_eq(atomic_fetch_add(&running[index], 1), 0);
    atomic_fetch_add(&got, 1);
    uint64_t r = bsk_random(self);
    if (index % 16 == 0 && r % 64 == 0) {
        int64_t until = now_ms() + 20 + (int64_t)(r >> 8) % 60;
        while (now_ms() < until) pass_time();
    }
    ck_assert_int_eq(atomic_fetch_sub(&running[index], 1), 1);
    if (v == 0) {
        fix_hit();
        return;
    }
    atomic_fetch_add(&sent, 1);
    bsk_tell(crowd[(r >> 20) % ACTORS], num, v - 1);
}

static void hop_handler(bsk_self *self, bsk_msg *m)
{
    int *index = bsk_state(self);
    bsk_match(m) {
        bsk_on(num, n) {
            pass_on(self, *index, n->v);
            if (n->v % 50 == 0) bsk_after(self, n->v % 7, other, 0);
        }
        bsk_on(other, o) atomic_fetch_add(&sums[*index], 1);
    }
}

static void hop_fiber(bsk_self *self)
{
    int *index = bsk_state(self);
    for (;;) {
        bsk_msg *m = bsk_recv(self, 5);
        if (!m && bsk_error(self) != BSK_ETIMEDOUT) return;
        bsk_match(m) {
            bsk_on(num, n) {
                int64_t v = n->v;
                if (v % 20 == 0) ck_assert_int_le(bsk_sleep(self, 1), 0);
                pass_on(self, *index, v);
            }
        }
    }
}

static void *tell_from_outside(void *arg)
{
    for (int i = 0; i < 300; i++) {
        atomic_fetch_add(&sent, 1);
        bsk_tell(crowd[i % ACTORS], num, 0);
        if (i % 10 == 0) pass_time();
    }
    return arg;
}

static void play(unsigned workers)
{
    pthread_t outside;
    start(workers);
    for (int i = 0; i < ACTORS; i++)
        crowd[i] = fix_born(i % 4 ? bsk_spawn(rt, hop_handler, BSK_STATE(int, i),
                                              .high = i % 9 == 0, .mailbox = 4096)
                                  : bsk_spawn(rt, hop_fiber, BSK_STATE(int, i), .mailbox = 4096));
    atomic_store(&sent, 40);
    atomic_store(&got, 0);
    for (int i = 0; i < 40; i++) bsk_tell(crowd[i], num, HOPS);
    ck_assert_int_eq(pthread_create(&outside, NULL, tell_from_outside, NULL), 0);
    pthread_join(outside, NULL);
    fix_await(workers * (40 + 300)); /* the second time, those of the first as well */
    ck_assert_uint_eq(atomic_load(&got), atomic_load(&sent));
    ck_assert_uint_eq(atomic_load(&sent), 40 + 300 + 40 * HOPS);
    finish();
    ck_assert_uint_eq(fix_dead(&num_bsk, BSK_DEAD_REFUSED), 0);
    ck_assert_uint_eq(fix_dead(&num_bsk, BSK_DEAD_UNHANDLED), 0);
}

START_TEST(no_message_is_lost_and_no_actor_runs_twice)
{
    play(1);
    play(2);
}
END_TEST

FIX_MAIN("relief", 60, actors_queued_behind_the_only_loops_message_run,
         messages_from_outside_and_new_actors_pass, timers_and_deadlines_on_a_held_loop_are_kept,
         waits_end_in_their_time_on_a_loop_that_is_held_now_and_then, both_loops_may_be_held,
         a_relief_that_is_held_is_relieved, reliefs_are_bounded_and_the_log_says_so,
         who_is_pinned_waits_for_the_loop_and_is_not_lost,
         when_the_message_has_ended_its_loop_goes_on_with_its_actors, one_relief_serves_every_time,
         without_a_limit_there_is_no_relief, a_loop_of_one_actors_own_needs_none,
         who_gets_no_thread_is_told_and_tries_again,
         a_thread_of_ones_own_that_cannot_be_had_leaves_nothing_behind,
         each_allocation_for_a_thread_of_ones_own_may_fail,
         an_end_with_a_hung_thread_comes_in_its_time_and_names_it,
         no_message_is_lost_and_no_actor_runs_twice)
