/* SPDX-License-Identifier: MIT */
/* check_switch.c - contexts keep what is theirs, wherever and in whatever order they go on.
 *
 * ctest: valgrind */
#include "actors/switch.h"

#include <check.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#if !defined(RUNNING_ON_VALGRIND)
#define RUNNING_ON_VALGRIND 0
#endif

enum { STACK = 64 * 1024, TURNS = 10000 };

/* A fiber of these tests: `home` is where it goes back to. */
struct fiber {
    struct fib_context context, *home;
    void *stack;
    long seen;
    unsigned valgrind_id;
};

static void fiber_init(struct fiber *f, struct fib_context *home, void (*entry)(void *))
{
    *f = (struct fiber){.home = home, .stack = aligned_alloc(64, STACK)};
    ck_assert_ptr_nonnull(f->stack);
#if defined(VALGRIND_STACK_REGISTER)
    f->valgrind_id = VALGRIND_STACK_REGISTER(f->stack, (char *)f->stack + STACK);
#endif
    fib_make(&f->context, f->stack, STACK, entry, f);
}

static void fiber_fini(struct fiber *f)
{
    fib_drop(&f->context);
#if defined(VALGRIND_STACK_REGISTER)
    VALGRIND_STACK_DEREGISTER(f->valgrind_id);
#endif
    free(f->stack);
}

static void go_home(struct fiber *f)
{
    fib_switch(&f->context, f->home);
}

static void count_forever(void *arg)
{
    struct fiber *f = arg;
    for (;;) {
        f->seen++;
        go_home(f);
    }
}

static void count_once(void *arg)
{
    struct fiber *f = arg;
    f->seen++;
    fib_leave(&f->context, f->home);
}

START_TEST(a_context_goes_on_where_it_was_suspended)
{
    struct fib_context me;
    struct fiber f;
    fib_adopt(&me);
    fiber_init(&f, &me, count_forever);
    for (long i = 1; i <= TURNS; i++) {
        fib_switch(&me, &f.context);
        ck_assert_int_eq(f.seen, i);
    }
    fiber_fini(&f);
    fib_drop(&me);
}
END_TEST

START_TEST(a_context_that_was_left_can_be_made_again)
{
    struct fib_context me;
    struct fiber f;
    fib_adopt(&me);
    fiber_init(&f, &me, count_once);
    for (int i = 1; i <= 1000; i++) {
        fib_switch(&me, &f.context);
        ck_assert_int_eq(f.seen, i);
        fib_drop(&f.context);
        fib_make(&f.context, f.stack, STACK, count_once, &f);
    }
    fiber_fini(&f);
}
END_TEST

/* Where a frame begins is aligned at every call, if it was at the first. */
static void look_at_alignment(void *arg)
{
    struct fiber *f = arg;
    _Alignas(16) volatile char aligned[16] = {0};
    f->seen = (long)((uintptr_t)aligned & 15) + (long)((uintptr_t)__builtin_frame_address(0) & 15);
    fib_leave(&f->context, f->home);
}

START_TEST(the_first_frame_is_aligned_whatever_the_stack)
{
    struct fib_context me;
    struct fiber f;
    fib_adopt(&me);
    for (size_t less = 0; less < 64; less++) {
        fiber_init(&f, &me, look_at_alignment);
        fib_drop(&f.context);
        fib_make(&f.context, f.stack, STACK - less, look_at_alignment, &f);
        f.seen = -1;
        fib_switch(&me, &f.context);
        ck_assert_int_eq(f.seen, 0);
        fiber_fini(&f);
    }
}
END_TEST

START_TEST(making_a_context_takes_little_of_its_stack)
{
    struct fib_context c;
    size_t little = FIB_LEAST;
#if defined(FIB_ASM)
    little = 160;
#endif
    unsigned char *stack = aligned_alloc(64, STACK);
    memset(stack, 0xa5, STACK);
    fib_make(&c, stack, STACK, count_once, NULL);
    size_t untouched = 0;
    while (stack[untouched] == 0xa5) untouched++;
    ck_assert_uint_le(STACK - untouched, little);
    fib_drop(&c);
    free(stack);
}
END_TEST

static volatile uint64_t seed = 88172645463325252u;

static uint64_t next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

/* Keeps more values alive across a switch than there are registers that a callee keeps. */
static int all_survive(struct fib_context *from, struct fib_context *to)
{
    uint64_t a = next(), b = next(), c = next(), d = next(), e = next(), f = next(), g = next(),
             h = next();
    uint64_t i = next(), j = next(), k = next(), l = next();
    double p = (double)a, q = (double)b, r = (double)c, s = (double)d, t = (double)e, u = (double)f;
    double v = (double)g, w = (double)h, x = (double)i, y = (double)j;
    uint64_t sum =
        a ^ (b << 1) ^ (c << 2) ^ (d << 3) ^ (e << 4) ^ (f << 5) ^ (g << 6) ^ (h << 7) ^ (i << 8);
    double total = p + 2 * q + 3 * r + 4 * s + 5 * t + 6 * u + 7 * v + 8 * w + 9 * x + 10 * y;
    volatile uint64_t kept_sum = sum ^ j ^ k ^ l;
    volatile double kept_total = total;
    fib_switch(from, to);
    sum = a ^ (b << 1) ^ (c << 2) ^ (d << 3) ^ (e << 4) ^ (f << 5) ^ (g << 6) ^ (h << 7) ^ (i << 8);
    total = p + 2 * q + 3 * r + 4 * s + 5 * t + 6 * u + 7 * v + 8 * w + 9 * x + 10 * y;
    return (sum ^ j ^ k ^ l) == kept_sum && total == kept_total;
}

static void survive_forever(void *arg)
{
    struct fiber *f = arg;
    for (;;) f->seen += all_survive(&f->context, f->home) ? 0 : 1;
}

START_TEST(integers_and_floating_point_survive)
{
    struct fib_context me;
    struct fiber f[3];
    fib_adopt(&me);
    for (int i = 0; i < 3; i++) fiber_init(&f[i], &me, survive_forever);
    for (int i = 0; i < TURNS; i++) ck_assert(all_survive(&me, &f[next() % 3].context));
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(f[i].seen, 0);
        fiber_fini(&f[i]);
    }
}
END_TEST

/* Fibers in a ring, each going on to the next without the thread's own context. */
struct ring {
    struct fiber *fibers;
    int n, at;
    long hops;
    struct fib_context me;
};

static struct ring ring;

static void pass_on(void *arg)
{
    struct fiber *f = arg;
    for (;;) {
        f->seen++;
        ring.at = (ring.at + 1) % ring.n;
        fib_switch(&f->context, --ring.hops > 0 ? &ring.fibers[ring.at].context : &ring.me);
    }
}

START_TEST(many_contexts_pass_on_to_each_other)
{
    int sanitized = 0;
#if defined(FIB_TSAN)
    sanitized = 1; /* it has room for 8,000 */
#endif
    ring.n = sanitized || RUNNING_ON_VALGRIND ? 500 : 10000;
    ring.hops = 5L * ring.n;
    ring.fibers = calloc((size_t)ring.n, sizeof *ring.fibers);
    fib_adopt(&ring.me);
    for (int i = 0; i < ring.n; i++) fiber_init(&ring.fibers[i], &ring.me, pass_on);
    fib_switch(&ring.me, &ring.fibers[0].context);
    for (int i = 0; i < ring.n; i++) {
        ck_assert_int_eq(ring.fibers[i].seen, 5);
        fiber_fini(&ring.fibers[i]);
    }
    free(ring.fibers);
}
END_TEST

/* Two threads resume one fiber in turn. */
struct migrant {
    struct fiber f;
    struct fib_context home[2];
    pthread_t on[2];
    sem_t turn[2];
    int wrong;
};

static int deep(struct migrant *m, int depth, int who)
{
    volatile char frame[64];
    memset((void *)frame, depth, sizeof frame);
    if (depth > 0)
        who = deep(m, depth - 1, who);
    else
        fib_switch(&m->f.context, &m->home[who]);
    for (size_t i = 0; i < sizeof frame; i++) m->wrong += frame[i] != depth;
    return who;
}

/* Not inlined: compilers take pthread_self for a constant of the function, which here it is not. */
__attribute__((noinline)) static int is_on(const struct migrant *m, int who)
{
    return pthread_equal(pthread_self(), m->on[who]) != 0;
}

/* Is resumed by 0 first, by 1 after it, and so on, at ever other depths. */
static void wander(void *arg)
{
    struct migrant *m = arg;
    for (int i = 0;; i++) {
        int who = i & 1;
        m->wrong += !is_on(m, who);
        m->f.seen++;
        deep(m, i % 20, who);
    }
}

static void resume_in_turn(struct migrant *m, int who, int turns)
{
    m->on[who] = pthread_self();
    fib_adopt(&m->home[who]);
    for (int i = 0; i < turns; i++) {
        sem_wait(&m->turn[who]);
        fib_switch(&m->home[who], &m->f.context);
        sem_post(&m->turn[1 - who]);
    }
    fib_drop(&m->home[who]);
}

static void *second_thread(void *arg)
{
    resume_in_turn(arg, 1, TURNS);
    return NULL;
}

START_TEST(a_context_goes_on_on_another_thread)
{
    static struct migrant m;
    pthread_t other;
    fiber_init(&m.f, NULL, count_once);
    fib_drop(&m.f.context);
    fib_make(&m.f.context, m.f.stack, STACK, wander, &m);
    sem_init(&m.turn[0], 0, 1);
    sem_init(&m.turn[1], 0, 0);
    ck_assert_int_eq(pthread_create(&other, NULL, second_thread, &m), 0);
    resume_in_turn(&m, 0, TURNS);
    pthread_join(other, NULL);
    ck_assert_int_eq(m.f.seen, 2 * TURNS);
    ck_assert_int_eq(m.wrong, 0);
    fiber_fini(&m.f);
}
END_TEST

/* Leaves frames with arrays of all sizes, hence red zones, on the stack. */
static void dig(struct fiber *f, int depth)
{
    volatile char a[24], b[100];
    memset((void *)a, 1, sizeof a);
    memset((void *)b, 2, sizeof b);
    if (depth > 0)
        dig(f, depth - 1);
    else
        go_home(f);
    f->seen += a[0] + b[0];
}

static void be_abandoned(void *arg)
{
    struct fiber *f = arg;
    dig(f, 10 + (int)(next() % 50));
    fib_leave(&f->context, f->home);
}

START_TEST(a_suspended_context_may_be_abandoned_and_its_stack_used_again)
{
    struct fib_context me;
    struct fiber f;
    fib_adopt(&me);
    fiber_init(&f, &me, be_abandoned);
    for (int i = 0; i < 1000; i++) {
        fib_switch(&me, &f.context);
        ck_assert_int_eq(f.seen, 0);
        fib_drop(&f.context);
        memset(f.stack, i, STACK);
        fib_make(&f.context, f.stack, STACK, be_abandoned, &f);
    }
    fiber_fini(&f);
}
END_TEST

static struct fib_mark mark;

__attribute__((noinline)) static int go_back_from(int depth)
{
    volatile char frame[200];
    memset((void *)frame, depth, sizeof frame);
    if (depth <= 0) fib_back(&mark);
    return (depth > 0 ? go_back_from(depth - 1) : 0) + frame[0];
}

static int come_back_from(int depth)
{
    const uint64_t a = next(), b = next(), c = next(), d = next(), e = next(), f = next();
    volatile uint64_t kept = a ^ b ^ c ^ d ^ e ^ f;
    if (FIB_MARK(&mark) == 0) go_back_from(depth);
    return (a ^ b ^ c ^ d ^ e ^ f) == kept;
}

START_TEST(a_mark_is_come_back_to_from_any_depth)
{
    double sum = 0.5, twice = 1.0;
    for (int depth = 0; depth < 50; depth++) {
        ck_assert(come_back_from(depth));
        sum += 1.25;
        twice += 2.5;
    }
    ck_assert(sum == 63.0 && twice == 126.0);
}
END_TEST

START_TEST(a_mark_is_come_back_to_many_times)
{
    volatile int times = 0;
    int first = FIB_MARK(&mark);
    ck_assert_int_eq(first, times > 0);
    if (times++ < 1000) go_back_from(3);
    ck_assert_int_eq(times, 1001);
}
END_TEST

static void mark_and_fail(void *arg)
{
    struct fiber *f = arg;
    for (;;) {
        f->seen += come_back_from(20);
        go_home(f);
    }
}

START_TEST(a_fiber_has_marks_of_its_own)
{
    struct fib_context me;
    struct fiber f;
    fib_adopt(&me);
    fiber_init(&f, &me, mark_and_fail);
    for (int i = 1; i <= 100; i++) {
        fib_switch(&me, &f.context);
        ck_assert_int_eq(f.seen, i);
        ck_assert(come_back_from(5));
    }
    fiber_fini(&f);
}
END_TEST

/* Not SA_NODEFER: sanitizers block every signal while a handler runs. */
static void back_from_signal(int number, siginfo_t *info, void *interrupted)
{
    (void)number, (void)info;
    pthread_sigmask(SIG_SETMASK, &((ucontext_t *)interrupted)->uc_sigmask, NULL);
    fib_back(&mark);
}

START_TEST(a_signal_handler_on_its_own_stack_goes_back)
{
    struct sigaction act = {.sa_sigaction = back_from_signal, .sa_flags = SA_ONSTACK | SA_SIGINFO};
    stack_t alternate = {.ss_sp = malloc(65536), .ss_size = 65536}, before;
    volatile int i = 0;
    ck_assert_int_eq(sigaltstack(&alternate, &before), 0);
    sigaction(SIGUSR1, &act, NULL);
    FIB_MARK(&mark);
    if (i < 100) {
        i++;
        raise(SIGUSR1);
        ck_abort_msg("the handler returned");
    }
    ck_assert_int_eq(i, 100);
    sigaltstack(&before, NULL);
    free(alternate.ss_sp);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("switch");
    TCase *contexts = tcase_create("contexts"), *marks = tcase_create("marks");
    tcase_set_timeout(contexts, 60);
    tcase_add_test(contexts, a_context_goes_on_where_it_was_suspended);
    tcase_add_test(contexts, a_context_that_was_left_can_be_made_again);
    tcase_add_test(contexts, the_first_frame_is_aligned_whatever_the_stack);
    tcase_add_test(contexts, making_a_context_takes_little_of_its_stack);
    tcase_add_test(contexts, integers_and_floating_point_survive);
    tcase_add_test(contexts, many_contexts_pass_on_to_each_other);
    tcase_add_test(contexts, a_context_goes_on_on_another_thread);
    tcase_add_test(contexts, a_suspended_context_may_be_abandoned_and_its_stack_used_again);
    suite_add_tcase(s, contexts);
    tcase_set_timeout(marks, 60);
    tcase_add_test(marks, a_mark_is_come_back_to_from_any_depth);
    tcase_add_test(marks, a_mark_is_come_back_to_many_times);
    tcase_add_test(marks, a_fiber_has_marks_of_its_own);
    tcase_add_test(marks, a_signal_handler_on_its_own_stack_goes_back);
    suite_add_tcase(s, marks);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
