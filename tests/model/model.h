/* SPDX-License-Identifier: MIT */
/* model.h - a stateless model checker for lock-free code, a "loom" for C.
 *
 * The library's own source is compiled with `-include tests/model/model.h`. The operations of
 * <stdatomic.h> then call the checker, which runs the threads of a small program as coroutines
 * on one OS thread and explores, depth first and by running the program again from its setup,
 * who runs next at each operation and which of the older values each load may still see.
 *
 *     static _Atomic int flag;
 *     static int data;
 *
 *     static void setup(void)  { atomic_init(&flag, 0); data = 0; }
 *     static void writer(void) { mdl_write(&data); data = 7;
 *                                atomic_store_explicit(&flag, 1, memory_order_release); }
 *     static void reader(void) { if (atomic_load_explicit(&flag, memory_order_acquire)) {
 *                                    mdl_read(&data); mdl_assert(data == 7); } }
 *
 *     int main(void)
 *     {
 *         mdl_run(&(struct mdl_program){.name = "message passing", .setup = setup,
 *                                       .threads = {writer, reader}});
 *     }
 *
 * The memory model. Each location keeps its last MDL_HISTORY stores. A load may return any that
 * its thread has not been told to be outdated: by its own accesses, by what an acquire of a
 * release (directly, through fences, or through a chain of read-modify-writes) handed over, or
 * by the one order of seq_cst operations. A read-modify-write takes the newest. A seq_cst fence
 * hands over all its thread knows; a seq_cst access orders its own location only, as in C11: a
 * relaxed load after a seq_cst exchange may run early, though no x86 does that.
 *
 * What it can miss:
 * - Stores to one location are ordered as they are run and no load sees a store that comes later
 *   in the schedule: load buffering and 2+2W outcomes, possible on ARM, are not shown.
 * - Values older than MDL_HISTORY stores, and more than `stale` outdated reads (a weak exchange
 *   that fails for no reason counts as one) or `preemptions` in one execution.
 * - memory_order_consume counts as acquire. A later relaxed store by the releasing thread does not
 *   continue its release sequence: C++20's rule, which is weaker than C11's.
 * - Access to _Atomic objects without a macro (`x = 1`, `x++`, memset, struct assignment) is no
 *   step. A value changed so behind the checker's back is seen by all threads at once.
 * - Plain memory is real memory, never outdated, and watched only where mdl_read and mdl_write say
 *   so. A log or count that threads share for the checks' sake moves on with the operation before
 *   it; with MDL_ALL there must be none, or orders may be left out.
 * - One location, one size: mixed accesses are refused. Wider than 8 bytes is not there.
 *
 * A loop that spins over more than one operation must call mdl_yield, or else count as a livelock.
 * The program must be deterministic but for the checker's choices, and setup must restore all
 * state. The coroutines leave their stack by longjmp when an execution is cut short, so a thread
 * must not own what the next setup cannot reset.
 */
#ifndef MODEL_H
#define MODEL_H

/* Included before all else, it must not leave later sources without what they ask for. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    MDL_THREADS = 7,    /* threads of a program, at most */
    MDL_LOCATIONS = 64, /* atomic locations in one execution */
    MDL_HISTORY = 8,    /* stores of a location that a load can still see */
    MDL_ALL = -1        /* no bound on preemptions or stale reads */
};

struct mdl_program {
    const char *name;
    void (*setup)(void);                /* runs before each execution; atomics are no steps here */
    void (*threads[MDL_THREADS])(void); /* up to the first NULL */
    void (*check)(void);                /* runs after each execution, with all threads joined */
    int preemptions;                    /* per execution; 0 means 3. MDL_ALL turns on sleep sets */
    int stale;                          /* outdated reads per execution; 0 means 2 */
    unsigned max_steps;                 /* operations per execution; 0 means 500 */
    uint64_t max_executions;            /* 0 means 20 million */
};

struct mdl_result {
    bool ok;
    bool complete;       /* all executions within the bounds were run */
    uint64_t executions; /* run to their end */
    uint64_t pruned;     /* cut short: another order of independent steps has been run */
    char why[256];       /* the failure, if not ok */
};

/* Explores the program and returns the verdict. Not from inside a program. */
struct mdl_result mdl_check(const struct mdl_program *program);

/* Explores the program and prints a line; on failure, or if max_executions did not suffice, says
 * why, prints the schedule and exits with status 1. A failed assert or a segmentation fault prints
 * the schedule before it ends the process. */
void mdl_run(const struct mdl_program *program);

/* Prints the steps of the execution that mdl_check found failing. */
void mdl_print_schedule(FILE *out);

/* The rest is for the inside of a program. */

/* The index of the running thread; MDL_THREADS in setup and check. */
unsigned mdl_self(void);

/* Returns each number below n, in different executions. */
unsigned mdl_choose(unsigned n);

/* Waits until the predicate holds. It may only load, and sees the newest values: a wait models a
 * sleep in the kernel, which ends some time after the condition came true. All unfinished threads
 * waiting in vain is a failure. */
#define mdl_wait(pred, arg) mdl_wait_at((pred), (arg), MDL_AT(#pred))

/* Lets the others run, at no cost in preemptions, and returns with their stores seen, once there
 * is anything new to see or nobody else can run. For loops that spin; one that repeats a single
 * operation yields by itself after a few rounds. */
#define mdl_yield() mdl_yield_at(MDL_AT("yield"))

/* A binary semaphore: an eventfd, a uv_async, a futex with a flag. Unpark releases, park acquires
 * and takes the token. Zero it in setup. */
struct mdl_park {
    _Atomic unsigned token;
};

#define mdl_park(park) mdl_park_at((park), MDL_AT(#park))
#define mdl_unpark(park)                                                                           \
    ((void)mdl_rmw(&(park)->token, sizeof(unsigned), MDL_SET, 1, memory_order_release,             \
                   MDL_AT("unpark " #park)))

/* Makes all threads run a seq_cst fence, as membarrier(2) does for a peer that has only an
 * atomic_signal_fence. */
#define mdl_membarrier() mdl_membarrier_at(MDL_AT("membarrier"))

/* Announce an access to plain memory; two that race, one of them a write, are a failure. */
#define mdl_read(p) mdl_read_at((p), MDL_AT(#p))
#define mdl_write(p) mdl_write_at((p), MDL_AT(#p))

#define mdl_assert(cond) ((cond) ? (void)0 : mdl_refute(MDL_AT(#cond)))

#define MDL_STRING_(x) #x
#define MDL_STRING(x) MDL_STRING_(x)
#define MDL_AT(text) __FILE__ ":" MDL_STRING(__LINE__) " " text

enum mdl_change { MDL_SET, MDL_ADD, MDL_SUB, MDL_OR, MDL_AND, MDL_XOR };

uint64_t mdl_load(const volatile void *p, size_t size, memory_order order, const char *site);
void mdl_store(volatile void *p, size_t size, uint64_t v, memory_order order, const char *site);
uint64_t mdl_rmw(volatile void *p, size_t size, enum mdl_change change, uint64_t v,
                 memory_order order, const char *site);
bool mdl_cas(volatile void *p, size_t size, void *expected, uint64_t v, memory_order order,
             memory_order failed, bool weak, const char *site);
void mdl_init(volatile void *p, size_t size, uint64_t v, const char *site);
void mdl_fence(memory_order order, const char *site);
void mdl_wait_at(bool (*pred)(void *), void *arg, const char *site);
void mdl_yield_at(const char *site);
void mdl_park_at(struct mdl_park *park, const char *site);
void mdl_membarrier_at(const char *site);
void mdl_read_at(const volatile void *p, const char *site);
void mdl_write_at(const volatile void *p, const char *site);
_Noreturn void mdl_refute(const char *site);

#ifndef MDL_BARE

#undef atomic_init
#undef atomic_load
#undef atomic_load_explicit
#undef atomic_store
#undef atomic_store_explicit
#undef atomic_exchange
#undef atomic_exchange_explicit
#undef atomic_compare_exchange_strong
#undef atomic_compare_exchange_strong_explicit
#undef atomic_compare_exchange_weak
#undef atomic_compare_exchange_weak_explicit
#undef atomic_fetch_add
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub
#undef atomic_fetch_sub_explicit
#undef atomic_fetch_or
#undef atomic_fetch_or_explicit
#undef atomic_fetch_and
#undef atomic_fetch_and_explicit
#undef atomic_fetch_xor
#undef atomic_fetch_xor_explicit
#undef atomic_thread_fence
#undef atomic_signal_fence
#undef atomic_flag_test_and_set
#undef atomic_flag_test_and_set_explicit
#undef atomic_flag_clear
#undef atomic_flag_clear_explicit

/* The casts below make a value that is left unused a warning, as no real atomic does. */
#ifdef __GNUC__
#pragma GCC diagnostic ignored "-Wunused-value"
#endif

/* The unqualified type behind an atomic pointer. The rule against typeof is broken on purpose:
 * nothing else gives a macro the value's type with its arguments evaluated once. */
#define MDL_TYPE(p) __typeof__((void)0, *(p))
#define MDL_IN(p, v) ((uint64_t)(uintptr_t)(MDL_TYPE(p))(v))
#define MDL_OUT(p, v) ((MDL_TYPE(p))(uintptr_t)(v))
#define MDL_RMW(p, c, v, o, text)                                                                  \
    MDL_OUT(p, mdl_rmw((p), sizeof *(p), (c), MDL_IN(p, v), (o), MDL_AT(text)))

#define atomic_init(p, v) mdl_init((p), sizeof *(p), MDL_IN(p, v), MDL_AT(#p))

#define atomic_load_explicit(p, o) MDL_OUT(p, mdl_load((p), sizeof *(p), (o), MDL_AT(#p)))
#define atomic_store_explicit(p, v, o) mdl_store((p), sizeof *(p), MDL_IN(p, v), (o), MDL_AT(#p))
#define atomic_exchange_explicit(p, v, o) MDL_RMW(p, MDL_SET, v, o, #p)
#define atomic_fetch_add_explicit(p, v, o) MDL_RMW(p, MDL_ADD, v, o, #p)
#define atomic_fetch_sub_explicit(p, v, o) MDL_RMW(p, MDL_SUB, v, o, #p)
#define atomic_fetch_or_explicit(p, v, o) MDL_RMW(p, MDL_OR, v, o, #p)
#define atomic_fetch_and_explicit(p, v, o) MDL_RMW(p, MDL_AND, v, o, #p)
#define atomic_fetch_xor_explicit(p, v, o) MDL_RMW(p, MDL_XOR, v, o, #p)
#define atomic_compare_exchange_strong_explicit(p, e, v, o, f)                                     \
    mdl_cas((p), sizeof *(p), (e), MDL_IN(p, v), (o), (f), false, MDL_AT(#p))
#define atomic_compare_exchange_weak_explicit(p, e, v, o, f)                                       \
    mdl_cas((p), sizeof *(p), (e), MDL_IN(p, v), (o), (f), true, MDL_AT(#p))

#define atomic_load(p) atomic_load_explicit(p, memory_order_seq_cst)
#define atomic_store(p, v) atomic_store_explicit(p, v, memory_order_seq_cst)
#define atomic_exchange(p, v) atomic_exchange_explicit(p, v, memory_order_seq_cst)
#define atomic_fetch_add(p, v) atomic_fetch_add_explicit(p, v, memory_order_seq_cst)
#define atomic_fetch_sub(p, v) atomic_fetch_sub_explicit(p, v, memory_order_seq_cst)
#define atomic_fetch_or(p, v) atomic_fetch_or_explicit(p, v, memory_order_seq_cst)
#define atomic_fetch_and(p, v) atomic_fetch_and_explicit(p, v, memory_order_seq_cst)
#define atomic_fetch_xor(p, v) atomic_fetch_xor_explicit(p, v, memory_order_seq_cst)
#define atomic_compare_exchange_strong(p, e, v)                                                    \
    atomic_compare_exchange_strong_explicit(p, e, v, memory_order_seq_cst, memory_order_seq_cst)
#define atomic_compare_exchange_weak(p, e, v)                                                      \
    atomic_compare_exchange_weak_explicit(p, e, v, memory_order_seq_cst, memory_order_seq_cst)

#define atomic_thread_fence(o) mdl_fence((o), MDL_AT("fence"))
#define atomic_signal_fence(o) ((void)(o))

#define sched_yield() (mdl_yield(), 0)

#define atomic_flag_test_and_set_explicit(p, o) (mdl_rmw((p), 1, MDL_SET, 1, (o), MDL_AT(#p)) != 0)
#define atomic_flag_clear_explicit(p, o) mdl_store((p), 1, 0, (o), MDL_AT(#p))
#define atomic_flag_test_and_set(p) atomic_flag_test_and_set_explicit(p, memory_order_seq_cst)
#define atomic_flag_clear(p) atomic_flag_clear_explicit(p, memory_order_seq_cst)

#endif

#endif
