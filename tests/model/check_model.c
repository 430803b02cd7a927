/* SPDX-License-Identifier: MIT */
/* check_model.c - the checker checked: it finds the classic mistakes and accepts their cures. */
#include "model.h"

#include <check.h>
#include <stdlib.h>

#define RLX memory_order_relaxed
#define ACQ memory_order_acquire
#define REL memory_order_release
#define SC memory_order_seq_cst

static _Atomic int x, y, z;
static int a, b, c, d;
static int data;
static struct mdl_park bell;

static void zero(void)
{
    atomic_init(&x, 0);
    atomic_init(&y, 0);
    atomic_init(&z, 0);
    atomic_init(&bell.token, 0);
    a = b = c = d = data = 0;
}

static struct mdl_result verdict(const struct mdl_program *program)
{
    struct mdl_result r = mdl_check(program);
    printf("%s: %s after %llu executions, %llu pruned %s\n", program->name,
           r.ok ? "accepted" : "refused", (unsigned long long)r.executions,
           (unsigned long long)r.pruned, r.why);
    return r;
}

/* Every program is judged with bounded preemptions and, by sleep sets, without a bound. */
static void judge(struct mdl_program program, bool good)
{
    program.setup = zero;
    for (int bound = -1; bound <= 3; bound += 4) {
        program.preemptions = bound;
        struct mdl_result r = verdict(&program);
        ck_assert_msg(r.ok == good, "%s: %s", program.name, r.why);
        ck_assert(!good || r.complete);
    }
}

#define ACCEPTS(...) judge((struct mdl_program){__VA_ARGS__}, true)
#define REFUSES(...) judge((struct mdl_program){__VA_ARGS__}, false)

/* Store buffering: both threads store, then look at the other's store. */

#define DEKKER(name, mine, yours, saw, ORDER_IN, MIDDLE, ORDER_OUT)                                \
    static void name(void)                                                                         \
    {                                                                                              \
        atomic_store_explicit(&mine, 1, ORDER_IN);                                                 \
        MIDDLE;                                                                                    \
        saw = atomic_load_explicit(&yours, ORDER_OUT);                                             \
    }

DEKKER(relaxed_x, x, y, a, RLX, (void)0, RLX)
DEKKER(relaxed_y, y, x, b, RLX, (void)0, RLX)
DEKKER(relacq_x, x, y, a, REL, (void)0, ACQ)
DEKKER(relacq_y, y, x, b, REL, (void)0, ACQ)
DEKKER(sc_x, x, y, a, SC, (void)0, SC)
DEKKER(sc_y, y, x, b, SC, (void)0, SC)
DEKKER(fenced_x, x, y, a, RLX, atomic_thread_fence(SC), RLX)
DEKKER(fenced_y, y, x, b, RLX, atomic_thread_fence(SC), RLX)
DEKKER(light_x, x, y, a, RLX, atomic_signal_fence(SC), RLX)
DEKKER(heavy_y, y, x, b, RLX, mdl_membarrier(), RLX)

static void one_saw_the_other(void)
{
    mdl_assert(a == 1 || b == 1);
}

START_TEST(store_buffering_is_found_without_a_full_fence)
{
    REFUSES(.name = "relaxed", .threads = {relaxed_x, relaxed_y}, .check = one_saw_the_other);
    REFUSES(.name = "rel-acq", .threads = {relacq_x, relacq_y}, .check = one_saw_the_other);
    REFUSES(.name = "one fence", .threads = {fenced_x, relaxed_y}, .check = one_saw_the_other);
    REFUSES(.name = "sc with relaxed", .threads = {sc_x, relacq_y}, .check = one_saw_the_other);
    REFUSES(.name = "two light", .threads = {light_x, relaxed_y}, .check = one_saw_the_other);
}
END_TEST

START_TEST(store_buffering_is_cured_by_seq_cst)
{
    ACCEPTS(.name = "fences", .threads = {fenced_x, fenced_y}, .check = one_saw_the_other);
    ACCEPTS(.name = "sc accesses", .threads = {sc_x, sc_y}, .check = one_saw_the_other);
    ACCEPTS(.name = "membarrier", .threads = {light_x, heavy_y}, .check = one_saw_the_other);
}
END_TEST

static void exchange_x(void)
{
    atomic_exchange(&x, 1);
    a = atomic_load(&y);
}

static void exchange_y(void)
{
    atomic_exchange_explicit(&y, 1, SC);
    b = atomic_load_explicit(&x, SC);
}

static void exchange_x_acq_rel(void)
{
    atomic_exchange_explicit(&x, 1, memory_order_acq_rel);
    a = atomic_load_explicit(&y, ACQ);
}

START_TEST(store_buffering_with_exchange_needs_seq_cst)
{
    ACCEPTS(.name = "sc exchange", .threads = {exchange_x, exchange_y}, .check = one_saw_the_other);
    REFUSES(.name = "acq_rel exchange", .threads = {exchange_x_acq_rel, exchange_y},
            .check = one_saw_the_other);
}
END_TEST

/* Message passing */

#define WRITER(name, order)                                                                        \
    static void name(void)                                                                         \
    {                                                                                              \
        atomic_store_explicit(&x, 7, RLX);                                                         \
        atomic_store_explicit(&y, 1, order);                                                       \
    }
#define READER(name, order)                                                                        \
    static void name(void)                                                                         \
    {                                                                                              \
        if (atomic_load_explicit(&y, order) != 0) mdl_assert(atomic_load_explicit(&x, RLX) == 7);  \
    }

WRITER(write_relaxed, RLX)
WRITER(write_release, REL)
READER(read_relaxed, RLX)
READER(read_acquire, ACQ)

static void write_fenced(void)
{
    atomic_store_explicit(&x, 7, RLX);
    atomic_thread_fence(REL);
    atomic_store_explicit(&y, 1, RLX);
}

static void read_fenced(void)
{
    if (atomic_load_explicit(&y, RLX) == 0) return;
    atomic_thread_fence(ACQ);
    mdl_assert(atomic_load_explicit(&x, RLX) == 7);
}

START_TEST(message_passing_needs_release_and_acquire)
{
    REFUSES(.name = "relaxed", .threads = {write_relaxed, read_relaxed});
    REFUSES(.name = "no release", .threads = {write_relaxed, read_acquire});
    REFUSES(.name = "no acquire", .threads = {write_release, read_relaxed});
    ACCEPTS(.name = "rel-acq", .threads = {write_release, read_acquire});
    ACCEPTS(.name = "fences", .threads = {write_fenced, read_fenced});
    ACCEPTS(.name = "fence, acquire", .threads = {write_fenced, read_acquire});
}
END_TEST

static void bump_relaxed(void)
{
    atomic_fetch_add_explicit(&y, 1, RLX);
}

static void overwrite_relaxed(void)
{
    if (atomic_load_explicit(&y, RLX) == 1) atomic_store_explicit(&y, 2, RLX);
}

static void read_second(void)
{
    if (atomic_load_explicit(&y, ACQ) == 2) mdl_assert(atomic_load_explicit(&x, RLX) == 7);
}

START_TEST(release_sequence_goes_through_rmw_and_not_through_stores)
{
    ACCEPTS(.name = "rmw", .threads = {write_release, bump_relaxed, read_second});
    REFUSES(.name = "store", .threads = {write_release, overwrite_relaxed, read_second});
}
END_TEST

/* Counters */

static void add_by_halves(void)
{
    int v = atomic_load_explicit(&x, SC);
    atomic_store_explicit(&x, v + 1, SC);
}

static void add_at_once(void)
{
    atomic_fetch_add_explicit(&x, 1, RLX);
}

static void add_by_cas(void)
{
    int v = atomic_load_explicit(&x, RLX);
    while (!atomic_compare_exchange_weak_explicit(&x, &v, v + 1, RLX, RLX)) {
    }
}

static void counts_two(void)
{
    mdl_assert(atomic_load(&x) == 2);
}

static void counts_three(void)
{
    mdl_assert(x == 3);
}

START_TEST(lost_update_is_found)
{
    REFUSES(.name = "load, store", .threads = {add_by_halves, add_by_halves}, .check = counts_two);
    ACCEPTS(.name = "fetch_add", .threads = {add_at_once, add_at_once}, .check = counts_two);
    ACCEPTS(.name = "cas", .threads = {add_by_cas, add_by_cas, add_at_once}, .check = counts_three);
}
END_TEST

/* Sleep and wake: x holds work, y says that the consumer sleeps. */

static bool wakes(void *arg)
{
    (void)arg;
    return atomic_load_explicit(&z, ACQ) != 0;
}

static void sleep_naively(void)
{
    if (atomic_load(&x) == 0) {
        atomic_store(&y, 1);
        mdl_park(&bell);
    }
}

static void sleep_well(void)
{
    atomic_store_explicit(&y, 1, RLX);
    atomic_thread_fence(SC);
    if (atomic_load_explicit(&x, RLX) == 0) mdl_park(&bell);
}

static void sleep_unfenced(void)
{
    atomic_store_explicit(&y, 1, REL);
    if (atomic_load_explicit(&x, ACQ) == 0) mdl_park(&bell);
}

static void wake(void)
{
    atomic_store_explicit(&x, 1, REL);
    atomic_thread_fence(SC);
    if (atomic_load_explicit(&y, RLX) != 0) mdl_unpark(&bell);
}

static void wait_for_z(void)
{
    mdl_wait(wakes, NULL);
    mdl_read(&data);
    mdl_assert(data == 7);
}

static void set_z(void)
{
    mdl_write(&data);
    data = 7;
    atomic_store_explicit(&z, 1, REL);
}

START_TEST(lost_wake_up_is_found)
{
    REFUSES(.name = "look, then announce", .threads = {sleep_naively, wake});
    REFUSES(.name = "announce unfenced", .threads = {sleep_unfenced, wake});
    ACCEPTS(.name = "announce, fence, look", .threads = {sleep_well, wake});
}
END_TEST

START_TEST(wait_ends_when_its_predicate_holds)
{
    ACCEPTS(.name = "wait", .threads = {wait_for_z, set_z});
    REFUSES(.name = "wait in vain", .threads = {wait_for_z, add_at_once});
    struct mdl_result r = mdl_check(&(struct mdl_program){.threads = {wait_for_z}});
    ck_assert_ptr_nonnull(strstr(r.why, "lost wake-up"));
}
END_TEST

/* IRIW and coherence */

static void set_x(void)
{
    atomic_store_explicit(&x, 1, SC);
}

static void set_y(void)
{
    atomic_store_explicit(&y, 1, SC);
}

static void look_xy_acquire(void)
{
    a = atomic_load_explicit(&x, ACQ);
    b = atomic_load_explicit(&y, ACQ);
}

static void look_yx_acquire(void)
{
    c = atomic_load_explicit(&y, ACQ);
    d = atomic_load_explicit(&x, ACQ);
}

static void look_xy(void)
{
    a = atomic_load(&x);
    b = atomic_load(&y);
}

static void look_yx(void)
{
    c = atomic_load(&y);
    d = atomic_load(&x);
}

static void agree_on_the_order(void)
{
    mdl_assert(!(a == 1 && b == 0 && c == 1 && d == 0));
}

START_TEST(readers_may_disagree_unless_seq_cst)
{
    REFUSES(.name = "iriw acquire", .threads = {set_x, set_y, look_xy_acquire, look_yx_acquire},
            .check = agree_on_the_order);
    ACCEPTS(.name = "iriw sc", .threads = {set_x, set_y, look_xy, look_yx},
            .check = agree_on_the_order);
}
END_TEST

static void count_up(void)
{
    for (int i = 1; i <= 3; i++) atomic_store_explicit(&x, i, RLX);
}

static void look_twice(void)
{
    int first = atomic_load_explicit(&x, RLX);
    mdl_assert(atomic_load_explicit(&x, RLX) >= first);
}

static void pass_on(void)
{
    a = atomic_load_explicit(&x, RLX);
    atomic_store_explicit(&y, 1, REL);
}

static void look_after(void)
{
    if (atomic_load_explicit(&y, ACQ) == 1) mdl_assert(atomic_load_explicit(&x, RLX) >= a);
}

static void look_for_the_past(void)
{
    atomic_load_explicit(&z, RLX);
    mdl_assert(atomic_load_explicit(&x, RLX) != 1);
}

START_TEST(coherence_holds)
{
    ACCEPTS(.name = "read-read", .threads = {count_up, look_twice}, .stale = MDL_ALL);
    ACCEPTS(.name = "read, sync, read", .threads = {count_up, pass_on, look_after},
            .stale = MDL_ALL);
    REFUSES(.name = "old value seen", .threads = {count_up, look_for_the_past});
}
END_TEST

/* Plain memory */

static void write_plainly(void)
{
    mdl_write(&data);
    data = 1;
    atomic_store_explicit(&x, 1, REL);
}

static void write_too_late(void)
{
    atomic_store_explicit(&x, 1, REL);
    mdl_write(&data);
    data = 1;
}

static void read_when_told(void)
{
    if (atomic_load_explicit(&x, ACQ) != 0) mdl_read(&data);
}

static void read_when_hinted(void)
{
    if (atomic_load_explicit(&x, RLX) != 0) mdl_read(&data);
}

static void only_read(void)
{
    mdl_read(&data);
}

START_TEST(data_race_is_found)
{
    ACCEPTS(.name = "told", .threads = {write_plainly, read_when_told});
    REFUSES(.name = "hinted", .threads = {write_plainly, read_when_hinted});
    REFUSES(.name = "too late", .threads = {write_too_late, read_when_told});
    REFUSES(.name = "write, write", .threads = {write_plainly, write_plainly});
    ACCEPTS(.name = "read, read", .threads = {only_read, only_read});
}
END_TEST

/* A Treiber stack whose pop has the ABA mistake */

struct node {
    struct node *_Atomic next;
    _Atomic bool held;
};

static struct node nodes[3];
static struct node *_Atomic top;

static void push(struct node *n)
{
    struct node *old = atomic_load_explicit(&top, RLX);
    do {
        atomic_store_explicit(&n->next, old, RLX);
    } while (!atomic_compare_exchange_weak_explicit(&top, &old, n, REL, RLX));
}

static struct node *pop(void)
{
    struct node *old = atomic_load_explicit(&top, ACQ);
    while (old != NULL) {
        struct node *next = atomic_load_explicit(&old->next, RLX);
        if (atomic_compare_exchange_strong_explicit(&top, &old, next, ACQ, ACQ)) break;
    }
    if (old != NULL) mdl_assert(!atomic_exchange_explicit(&old->held, true, RLX));
    return old;
}

static void give_back(struct node *n)
{
    atomic_store_explicit(&n->held, false, RLX);
    push(n);
}

static void fill(void)
{
    zero();
    atomic_init(&top, NULL);
    for (int i = 0; i < 3; i++) {
        atomic_init(&nodes[i].held, false);
        push(&nodes[i]);
    }
}

static void pop_one(void)
{
    pop();
}

static void pop_two_and_return_the_first(void)
{
    struct node *first = pop();
    pop();
    if (first != NULL) give_back(first);
}

static void pop_again(void)
{
    pop();
    pop();
}

static void push_other(void)
{
    push(&nodes[mdl_self()]);
}

static void empty(void)
{
    fill();
    pop();
    pop();
    pop();
    for (int i = 0; i < 3; i++) atomic_init(&nodes[i].held, false);
}

static void holds_two(void)
{
    mdl_assert(pop() != NULL && pop() != NULL && pop() == NULL);
}

START_TEST(aba_in_a_stack_is_found_and_pushes_accepted)
{
    struct mdl_program p = {.name = "pop, pop, push",
                            .setup = fill,
                            .check = pop_again,
                            .threads = {pop_one, pop_two_and_return_the_first}};
    ck_assert(!verdict(&p).ok);
    p = (struct mdl_program){
        .name = "pushes", .setup = empty, .check = holds_two, .threads = {push_other, push_other}};
    ck_assert(verdict(&p).ok);
}
END_TEST

/* The checker itself */

static void spin(void)
{
    while (atomic_load_explicit(&x, ACQ) == 0) mdl_yield();
    mdl_assert(atomic_load_explicit(&y, RLX) == 1);
}

static void spin_on_nothing(void)
{
    while (atomic_load_explicit(&z, ACQ) == 0) {
    }
}

static void take_lock(void)
{
    while (atomic_exchange_explicit(&z, 1, ACQ) != 0) {
        while (atomic_load_explicit(&z, RLX) != 0) {
        }
    }
    mdl_read(&data);
    data++;
    mdl_write(&data);
    atomic_store_explicit(&z, 0, REL);
}

static void give_up(void)
{
    for (int i = 0; i < 20 && atomic_load_explicit(&z, ACQ) == 0; i++) {
    }
}

static void end_the_spin(void)
{
    atomic_store_explicit(&y, 1, RLX);
    atomic_store_explicit(&x, 1, REL);
}

START_TEST(spinning_threads_give_way)
{
    ACCEPTS(.name = "yield", .threads = {spin, end_the_spin, end_the_spin});
    ACCEPTS(.name = "spin lock", .threads = {take_lock, take_lock, take_lock});
    ACCEPTS(.name = "spin and give up", .threads = {give_up, set_z});
    REFUSES(.name = "livelock", .threads = {spin_on_nothing, set_x});
}
END_TEST

static _Atomic uint8_t narrow;
static _Atomic uint64_t wide;
static const char *_Atomic text;
static atomic_flag flag = ATOMIC_FLAG_INIT;

static void use_all_sizes(void)
{
    uint8_t expected = 4;

    atomic_store(&narrow, 255);
    mdl_assert(atomic_fetch_add(&narrow, 5) == 255);
    mdl_assert(atomic_compare_exchange_strong(&narrow, &expected, 9));
    mdl_assert(!atomic_compare_exchange_strong(&narrow, &expected, 1) && expected == 9);
    atomic_store(&wide, UINT64_MAX);
    mdl_assert(atomic_fetch_sub(&wide, 1) == UINT64_MAX);
    mdl_assert(atomic_fetch_and(&wide, 0xf0) == UINT64_MAX - 1);
    mdl_assert(atomic_fetch_or(&wide, 0x1) == 0xf0);
    mdl_assert(atomic_fetch_xor(&wide, 0xff) == 0xf1 && wide == 0x0e);
    atomic_store(&text, "text");
    mdl_assert(*atomic_load(&text) == 't' && atomic_exchange(&text, NULL) != NULL);
    atomic_store(&x, -1);
    mdl_assert(atomic_load(&x) == -1 && atomic_fetch_add(&x, -1) == -1 && x == -2);
    mdl_assert(!atomic_flag_test_and_set(&flag) && atomic_flag_test_and_set(&flag));
    atomic_flag_clear(&flag);
}

START_TEST(values_keep_size_and_sign)
{
    ACCEPTS(.name = "sizes", .threads = {use_all_sizes});
}
END_TEST

static void grow(void)
{
    data++;
}

static void choose_unevenly(void)
{
    mdl_choose(data % 2 == 0 ? 2 : 3);
}

static void choose_three(void)
{
    b |= 1 << (3 * a + (int)mdl_choose(3));
}

static void choose_two(void)
{
    a = (int)mdl_choose(2);
}

static int chosen;

static void add_up(void)
{
    chosen |= b;
}

START_TEST(choices_are_exhausted)
{
    chosen = 0;
    ACCEPTS(.name = "choices", .threads = {choose_two, choose_three}, .check = add_up);
    ck_assert_int_eq(chosen, 63);
}
END_TEST

START_TEST(chance_in_the_program_is_refused)
{
    struct mdl_program p = {.name = "chance", .setup = grow, .threads = {choose_unevenly}};
    ck_assert_ptr_nonnull(strstr(verdict(&p).why, "deterministic"));
}
END_TEST

START_TEST(executions_are_counted_and_bounded)
{
    struct mdl_program p = {
        .name = "all orders", .setup = zero, .preemptions = 100, .threads = {set_x, set_y, set_x}};
    struct mdl_result r = verdict(&p);
    ck_assert_uint_eq(r.executions, 6);
    p.preemptions = MDL_ALL;
    ck_assert_uint_eq(verdict(&p).executions, 2);
    p.preemptions = 100;
    p.max_executions = 3;
    r = mdl_check(&p);
    ck_assert(r.ok && !r.complete);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("model");
    tcase_add_test(tc, store_buffering_is_found_without_a_full_fence);
    tcase_add_test(tc, store_buffering_is_cured_by_seq_cst);
    tcase_add_test(tc, store_buffering_with_exchange_needs_seq_cst);
    tcase_add_test(tc, message_passing_needs_release_and_acquire);
    tcase_add_test(tc, release_sequence_goes_through_rmw_and_not_through_stores);
    tcase_add_test(tc, lost_update_is_found);
    tcase_add_test(tc, lost_wake_up_is_found);
    tcase_add_test(tc, wait_ends_when_its_predicate_holds);
    tcase_add_test(tc, readers_may_disagree_unless_seq_cst);
    tcase_add_test(tc, coherence_holds);
    tcase_add_test(tc, data_race_is_found);
    tcase_add_test(tc, aba_in_a_stack_is_found_and_pushes_accepted);
    tcase_add_test(tc, spinning_threads_give_way);
    tcase_add_test(tc, values_keep_size_and_sign);
    tcase_add_test(tc, choices_are_exhausted);
    tcase_add_test(tc, chance_in_the_program_is_refused);
    tcase_add_test(tc, executions_are_counted_and_bounded);

    Suite *suite = suite_create("model");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
