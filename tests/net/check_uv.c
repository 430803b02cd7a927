/* SPDX-License-Identifier: MIT */
/* check_uv.c - the user's own libuv handles on an actor's loop. */
#include "open.h"

#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

BSK_MSG(tick, (i64, n));

static _Atomic unsigned made, closed;

struct own_timer {
    uv_timer_t timer;
    bsk_self *self;
    bsk_addr who;
    int64_t n;
};

static void on_closed(uv_handle_t *handle)
{
    /* What the user put there is there again. */
    ck_assert_ptr_eq(handle->data, handle);
    atomic_fetch_add(&closed, 1);
    free(handle);
}

static void on_tick(uv_timer_t *timer)
{
    struct own_timer *t = (struct own_timer *)timer->data;
    bsk_tell(t->who, tick, ++t->n);
}

static void on_time(uv_timer_t *timer)
{
    struct own_timer *t = (struct own_timer *)timer->data;
    bsk_uv_wake(t->self, (uv_handle_t *)timer);
}

static uv_handle_t *start_timer(bsk_self *self, uv_timer_cb cb, uint64_t first, uint64_t again)
{
    struct own_timer *t = calloc(1, sizeof *t);
    t->self = self;
    t->who = bsk_me(self);
    ck_assert_int_eq(uv_timer_init(bsk_uv_loop(self), &t->timer), 0);
    t->timer.data = t;
    OK(bsk_uv_own(self, (uv_handle_t *)&t->timer, on_closed));
    atomic_fetch_add(&made, 1);
    ck_assert_int_eq(uv_timer_start(&t->timer, cb, first, again), 0);
    return (uv_handle_t *)&t->timer;
}

/* Messages from callbacks. */

static void count_ticks(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(stop_it, s) start_timer(self, on_tick, 1, 1);
        bsk_on(tick, t) {
            if (t->n < 5) continue;
            fix_hit();
            bsk_exit(self);
        }
    }
}

START_TEST(a_callback_tells_its_actor)
{
    open_run_handler(count_ticks);
    ck_assert_uint_eq(closed, 1);
}
END_TEST

/* Waits. */

static void wait_for_timer(bsk_self *self)
{
    uv_handle_t *t = start_timer(self, on_time, 5, 0), *late;
    OK(bsk_uv_wait(self, t, 20000));
    IS(BSK_ETIMEDOUT, bsk_uv_wait(self, t, 10));
    uv_timer_start((uv_timer_t *)t, on_time, 1, 1);
    for (int i = 0; i < 5; i++) OK(bsk_uv_wait(self, t, 20000));
    /* What came before the wait ends it, once. */
    late = start_timer(self, on_time, 1, 0);
    while (uv_is_active(late)) OK(bsk_sleep(self, 1));
    OK(bsk_uv_wait(self, late, 0));
    IS(BSK_ETIMEDOUT, bsk_uv_wait(self, late, 0));
    bsk_uv_close(self, t);
    IS(BSK_EBADF, bsk_uv_wait(self, t, 10));
    fix_hit();
}

START_TEST(a_fiber_waits_for_a_callback)
{
    open_run(wait_for_timer);
    ck_assert_uint_eq(closed, 2);
}
END_TEST

struct own_poll {
    uv_poll_t poll;
    bsk_self *self;
};

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct own_poll *p = (struct own_poll *)poll->data;
    ck_assert(status == 0 && (events & UV_READABLE));
    uv_poll_stop(poll);
    bsk_uv_wake(p->self, (uv_handle_t *)poll);
}

static void wait_for_pipe(bsk_self *self)
{
    int ends[2];
    char c;
    ck_assert_int_eq(pipe(ends), 0);
    struct own_poll *p = calloc(1, sizeof *p);
    p->self = self;
    ck_assert_int_eq(uv_poll_init(bsk_uv_loop(self), &p->poll, ends[0]), 0);
    p->poll.data = p;
    OK(bsk_uv_own(self, (uv_handle_t *)&p->poll, on_closed));
    uv_poll_start(&p->poll, UV_READABLE, on_readable);
    IS(BSK_ETIMEDOUT, bsk_uv_wait(self, (uv_handle_t *)&p->poll, 5));
    ck_assert_int_eq(write(ends[1], "x", 1), 1);
    OK(bsk_uv_wait(self, (uv_handle_t *)&p->poll, 20000));
    ck_assert_int_eq(read(ends[0], &c, 1), 1);
    bsk_uv_close(self, (uv_handle_t *)&p->poll);
    close(ends[0]);
    close(ends[1]);
    fix_hit();
}

START_TEST(a_fiber_waits_for_a_descriptor)
{
    open_run(wait_for_pipe);
    ck_assert_uint_eq(closed, 1);
}
END_TEST

static void wait_for_ever(bsk_self *self)
{
    uv_handle_t *t = start_timer(self, on_time, 1000000, 0);
    fix_hit();
    fix_say(bsk_errname(bsk_uv_wait(self, t, BSK_FOREVER)));
}

START_TEST(a_stop_ends_the_wait)
{
    bsk_rt *rt = bsk_start(.workers = 1, FIX_HOOKS);
    bsk_addr a = fix_born(bsk_spawn(rt, wait_for_ever));
    fix_await(1);
    OK(bsk_stop(a, BSK_FOREVER));
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_str_eq(fix_said(), "ECANCELED");
    ck_assert_uint_eq(closed, 1);
}
END_TEST

/* Ends. */

static void own_and_crash(bsk_self *self)
{
    for (int i = 0; i < 3; i++) start_timer(self, on_tick, 0, 1);
    bsk_yield(self);
    if (bsk_random(self) & 1) bsk_fail(self, "crash");
}

START_TEST(handles_are_closed_however_the_actor_ends)
{
    bsk_rt *rt = bsk_start(.workers = 2, .quiet = true, FIX_HOOKS);
    for (int i = 0; i < 300; i++) {
        bsk_addr a = fix_born(bsk_spawn(rt, own_and_crash));
        if (i % 3 == 0) bsk_kill(a);
    }
    bsk_wait(rt);
    ck_assert_uint_eq(closed, made);
}
END_TEST

static void misuse(bsk_self *self)
{
    uv_loop_t outside;
    uv_timer_t timer;
    uv_handle_t *t = start_timer(self, on_time, 1000, 0);
    IS(BSK_EINVAL, bsk_uv_own(self, t, on_closed));
    ck_assert_int_eq(uv_loop_init(&outside), 0);
    uv_timer_init(&outside, &timer);
    IS(BSK_EINVAL, bsk_uv_own(self, (uv_handle_t *)&timer, NULL));
    IS(BSK_EBADF, bsk_uv_wait(self, (uv_handle_t *)&timer, 1));
    bsk_uv_close(self, (uv_handle_t *)&timer);
    bsk_uv_wake(self, (uv_handle_t *)&timer);
    ck_assert(!uv_is_closing((uv_handle_t *)&timer));
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&outside, UV_RUN_DEFAULT);
    uv_loop_close(&outside);
    fix_hit();
}

START_TEST(only_handles_of_the_own_loop_are_owned)
{
    open_run(misuse);
}
END_TEST

/* What is not owned stays the caller's. */
static void own_without_memory(bsk_self *self)
{
    uv_timer_t *t = calloc(1, sizeof *t);
    ck_assert_int_eq(uv_timer_init(bsk_uv_loop(self), t), 0);
    t->data = t;
    int rc = bsk_uv_own(self, (uv_handle_t *)t, on_closed);
    if (rc == 0) return;
    IS(BSK_ENOMEM, rc);
    uv_close((uv_handle_t *)t, on_closed);
    OK(bsk_sleep(self, 5));
}

START_TEST(want_of_memory_owns_nothing)
{
    open_run_without_memory(own_without_memory, 10);
    ck_assert_uint_gt(closed, 5);
}
END_TEST

static void own_seeded(bsk_self *self)
{
    uv_timer_t timer = {0};
    ck_assert_ptr_null(bsk_uv_loop(self));
    IS(BSK_ENOTSUP, bsk_uv_own(self, (uv_handle_t *)&timer, NULL));
    fix_hit();
}

START_TEST(a_seeded_runtime_has_no_loop)
{
    bsk_rt *rt = bsk_start(.seed = 5, FIX_HOOKS);
    fix_born(bsk_spawn(rt, own_seeded));
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_uint_eq(fix_hits(), 1);
}
END_TEST

static void nothing(bsk_self *self)
{
    ck_assert_ptr_nonnull(self);
}

/* The most descriptors of which `n` are free, when all below are taken. */
static void leave_free(const struct rlimit *old, int top, unsigned n)
{
    struct rlimit narrow = *old;
    narrow.rlim_cur = (rlim_t)top + 1 + n;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &narrow), 0);
}

/* A thread of an actor's own has a loop, which needs several: with none, one, two... of them. */
START_TEST(a_loop_that_gets_too_few_descriptors_leaves_none_open)
{
    struct rlimit old;
    int spares[64], all = 0;
    unsigned n = 0;
    bsk_addr who;
    bsk_rt *rt = bsk_start(.workers = 1, .slow_ms = BSK_FOREVER, FIX_HOOKS);
    ck_assert_ptr_nonnull(rt);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
    /* Whatever stands below what is opened last is taken. */
    for (unsigned open = open_fds(); all < 64 && (all == 0 || spares[all - 1] < (int)open);)
        ck_assert_int_ge(spares[all++] = dup(0), 0);
    unsigned before = open_fds();
    for (;; n++) {
        leave_free(&old, spares[all - 1], n);
        who = bsk_spawn(rt, nothing, .own_thread = true);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
        if (!bsk_is_nobody(who)) break;
        ck_assert_uint_eq(open_fds(), before);
    }
    ck_assert_uint_ge(n, 2);
    ck_assert_uint_eq(open_fds(), before + n);
    while (all) close(spares[--all]);
    fix_stop(rt, 0);
}
END_TEST

FIX_MAIN("uv", 30, a_callback_tells_its_actor, a_fiber_waits_for_a_callback,
         a_fiber_waits_for_a_descriptor, a_stop_ends_the_wait,
         handles_are_closed_however_the_actor_ends, only_handles_of_the_own_loop_are_owned,
         want_of_memory_owns_nothing, a_seeded_runtime_has_no_loop,
         a_loop_that_gets_too_few_descriptors_leaves_none_open)
