/* SPDX-License-Identifier: MIT */
/* check_wheel.c - the timing wheel against a sorted reference, at its edges, and its speed. */
#include "../../actors/wheel.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define TICK (1ull << WHL_TICK_BITS)
#define MODEL 160 /* timers of the reference */

static uint64_t random_state;

static uint64_t random_next(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Returns a number of a random magnitude up to 2^bits. */
static uint64_t random_span(unsigned bits)
{
    return random_next() >> (63 - random_next() % bits);
}

static uint64_t plus(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* The reference: what is filed, found by looking at all. */
struct model {
    struct whl wheel;
    struct whl_node node[MODEL];
    uint64_t due[MODEL], seq[MODEL]; /* seq 0: not filed */
    uint64_t now, seqs, filed, seed;
    unsigned span; /* the greatest distance of a timer, in bits */
};

static void model_add(struct model *m, unsigned i, uint64_t due)
{
    whl_add(&m->wheel, &m->node[i], due);
    m->due[i] = due;
    m->seq[i] = ++m->seqs;
    m->filed++;
}

static void model_remove(struct model *m, unsigned i)
{
    whl_remove(&m->wheel, &m->node[i]);
    m->seq[i] = 0;
    m->filed--;
}

static int model_first(const struct model *m)
{
    int best = -1;

    for (int i = 0; i < MODEL; i++) {
        if (!m->seq[i]) continue;
        if (best < 0 || m->due[i] < m->due[best] ||
            (m->due[i] == m->due[best] && m->seq[i] < m->seq[best]))
            best = i;
    }
    return best;
}

static uint64_t model_random_due(const struct model *m)
{
    uint64_t distance = random_span(m->span);

    switch (random_next() % 16) {
    case 0: return m->now > distance ? m->now - distance : 0;
    case 1: return m->now;
    case 2: return UINT64_MAX - random_next() % 2;
    case 3: return m->due[random_next() % MODEL];
    case 4: return plus(m->now, distance) & ~(TICK - 1);
    case 5: return plus(m->now, random_next() % TICK);
    default: return plus(m->now, distance);
    }
}

/* Check writes to a file at each assert, so what runs by the million asserts only what has
 * failed. */
static void model_expect(const struct model *m, bool truth, const char *what)
{
    if (!truth) ck_abort_msg("seed %llu: %s", (unsigned long long)m->seed, what);
}

static void model_check(const struct model *m, bool drained)
{
    int first = model_first(m);
    uint64_t exact = first < 0 ? UINT64_MAX : m->due[first], next = whl_next(&m->wheel);

    model_expect(m, whl_count(&m->wheel) == m->filed, "the count is wrong");
    model_expect(m, whl_exact(&m->wheel) == exact, "exact is not exact");
    model_expect(m, next <= exact, "next is too late");
    if (drained && (exact / TICK ^ m->now / TICK) < WHL_SLOTS)
        model_expect(m, next == exact, "next is not exact within the lowest level");
    for (unsigned i = 0; i < MODEL; i++)
        model_expect(m, whl_filed(&m->node[i]) == (m->seq[i] != 0), "filed is wrong");
}

/* Collects one timer of both; false when neither has one. */
static bool model_collect(struct model *m)
{
    int first = model_first(m);
    struct whl_node *want = first >= 0 && m->due[first] <= m->now ? &m->node[first] : NULL;
    struct whl_node *got = whl_collect(&m->wheel, m->now);

    model_expect(m, got == want, "another timer was collected");
    if (!got) return false;
    model_expect(m, got->due == m->due[first], "the node lost its time");
    m->seq[first] = 0;
    m->filed--;
    return true;
}

static void model_flip(struct model *m)
{
    unsigned i = (unsigned)(random_next() % MODEL);

    if (m->seq[i])
        model_remove(m, i);
    else
        model_add(m, i, model_random_due(m));
}

/* Advances by a random step, adding and removing between what is collected. */
static void model_advance(struct model *m)
{
    uint64_t next = whl_next(&m->wheel), step = random_span(m->span);

    m->now = random_next() % 4 || next == UINT64_MAX ? plus(m->now, step)
             : next > m->now                         ? next
                                                     : m->now;
    while (model_collect(m))
        if (random_next() % 4 == 0) model_flip(m);
    model_check(m, true);
}

static void model_run(struct model *m, uint64_t seed)
{
    *m = (struct model){.seed = seed};
    random_state = seed;
    m->span = 1 + (unsigned)(random_next() % 63);
    m->now = random_next() % 2 ? 0 : random_span(60);
    whl_init(&m->wheel, m->now);
    for (int i = 0; i < 400; i++) {
        if (random_next() % 8)
            model_flip(m);
        else
            model_advance(m);
        if (i % 8 == 0) model_check(m, false);
    }
    m->now = UINT64_MAX;
    while (model_collect(m)) continue;
    ck_assert_uint_eq(whl_count(&m->wheel), 0);
}

/* A loop test: 8 parts, each of a thousand seeds, so that the parts can run side by side. */
START_TEST(any_history_agrees_with_a_sorted_reference)
{
    static struct model m;

    for (uint64_t seed = (uint64_t)_i * 1000; seed < (uint64_t)_i * 1000 + 1000; seed++)
        model_run(&m, seed);
}
END_TEST

START_TEST(an_empty_wheel_has_nothing_due)
{
    struct whl w;
    struct whl_node n = {0};

    whl_init(&w, 0);
    ck_assert(!whl_filed(&n));
    ck_assert_ptr_null(whl_collect(&w, 0));
    ck_assert_ptr_null(whl_collect(&w, UINT64_MAX));
    ck_assert(whl_next(&w) == UINT64_MAX && whl_exact(&w) == UINT64_MAX);
    ck_assert_uint_eq(whl_count(&w), 0);
}
END_TEST

START_TEST(a_timer_is_due_to_the_nanosecond)
{
    uint64_t dues[] = {0,         1,          TICK - 1,   TICK,      TICK + 1,
                       64 * TICK, 1000000007, 1ull << 45, UINT64_MAX};
    struct whl w;

    for (unsigned i = 0; i < sizeof dues / sizeof *dues; i++) {
        struct whl_node n = {0};
        whl_init(&w, 0);
        whl_add(&w, &n, dues[i]);
        ck_assert(whl_filed(&n));
        ck_assert(whl_next(&w) == dues[i]);
        if (dues[i]) ck_assert_ptr_null(whl_collect(&w, dues[i] - 1));
        ck_assert(whl_exact(&w) == dues[i]);
        ck_assert_ptr_eq(whl_collect(&w, dues[i]), &n);
        ck_assert(!whl_filed(&n));
        ck_assert_ptr_null(whl_collect(&w, UINT64_MAX));
    }
}
END_TEST

/* TIM-004 */
START_TEST(a_timer_moved_into_the_past_is_due_at_once)
{
    struct whl w;
    struct whl_node a = {0}, b = {0}, c = {0};

    whl_init(&w, 5 * TICK + 10);
    whl_add(&w, &a, 50 * TICK);
    whl_remove(&w, &a);
    whl_add(&w, &a, 7);
    whl_add(&w, &b, 3);
    whl_add(&w, &c, 5 * TICK + 9);
    ck_assert_uint_eq(whl_next(&w), 3);
    ck_assert_ptr_eq(whl_collect(&w, 5 * TICK + 10), &b);
    ck_assert_ptr_eq(whl_collect(&w, 5 * TICK + 10), &a);
    ck_assert_ptr_eq(whl_collect(&w, 5 * TICK + 10), &c);
    ck_assert_ptr_null(whl_collect(&w, 5 * TICK + 10));
}
END_TEST

/* TIM-002, TIM-003 */
START_TEST(a_moved_timer_is_due_once_at_its_last_time)
{
    const uint64_t ms = 1000000;
    struct whl w;
    struct whl_node later = {0}, sooner = {0};

    whl_init(&w, 0);
    whl_add(&w, &later, 100 * ms);
    whl_add(&w, &sooner, 100 * ms);
    ck_assert_ptr_null(whl_collect(&w, 10 * ms));
    whl_remove(&w, &later);
    whl_remove(&w, &sooner);
    whl_add(&w, &later, 200 * ms);
    whl_add(&w, &sooner, 80 * ms);
    ck_assert_ptr_null(whl_collect(&w, 80 * ms - 1));
    ck_assert_ptr_eq(whl_collect(&w, 80 * ms), &sooner);
    ck_assert_ptr_null(whl_collect(&w, 200 * ms - 1));
    ck_assert_ptr_eq(whl_collect(&w, 200 * ms), &later);
    ck_assert_ptr_null(whl_collect(&w, UINT64_MAX));
}
END_TEST

/* TIM-006 */
START_TEST(the_end_of_time_neither_overflows_nor_comes_early)
{
    struct whl w;
    struct whl_node last[2] = {{0}};
    uint64_t now = 0;

    whl_init(&w, 0);
    whl_add(&w, &last[0], UINT64_MAX);
    for (unsigned bit = 0; bit < 64; bit++) {
        now = 1ull << bit;
        ck_assert_ptr_null(whl_collect(&w, now - 1));
        ck_assert_ptr_null(whl_collect(&w, now));
        ck_assert_uint_eq(whl_next(&w), UINT64_MAX);
    }
    whl_add(&w, &last[1], UINT64_MAX);
    ck_assert_ptr_null(whl_collect(&w, UINT64_MAX - 1));
    ck_assert_uint_eq(whl_count(&w), 2);
    ck_assert_ptr_eq(whl_collect(&w, UINT64_MAX), &last[0]);
    ck_assert_ptr_eq(whl_collect(&w, UINT64_MAX), &last[1]);
    ck_assert_ptr_null(whl_collect(&w, UINT64_MAX));
}
END_TEST

/* TIM-007 */
START_TEST(a_huge_timer_does_not_delay_a_tiny_one)
{
    struct whl w;
    struct whl_node huge = {0}, tiny = {0};

    whl_init(&w, 12345);
    whl_add(&w, &huge, UINT64_MAX - 1);
    whl_add(&w, &tiny, 12345 + 1000000);
    ck_assert_uint_eq(whl_next(&w), 12345 + 1000000);
    ck_assert_ptr_null(whl_collect(&w, 12345 + 999999));
    ck_assert_ptr_eq(whl_collect(&w, 12345 + 1000000), &tiny);
    ck_assert_ptr_null(whl_collect(&w, 1ull << 62));
    ck_assert_uint_eq(whl_next(&w), UINT64_MAX - 1);
}
END_TEST

/* TIM-008, TIM-009, TIM-026: in one tick, at one time or at several, and half of them added
 * while the tick is being collected. */
START_TEST(the_first_of_a_tick_can_remove_all_others)
{
    struct whl w;
    struct whl_node n[100] = {{0}};
    uint64_t spread = _i ? 1000 : 0;

    whl_init(&w, 0);
    whl_add(&w, &n[0], 100 * TICK);
    for (int i = 1; i < 50; i++) whl_add(&w, &n[i], 100 * TICK + (uint64_t)(i * 7 % 50) * spread);
    ck_assert_ptr_eq(whl_collect(&w, 101 * TICK), &n[0]);
    for (int i = 50; i < 100; i++) whl_add(&w, &n[i], 100 * TICK + (uint64_t)(i * 7 % 50) * spread);
    for (int i = 1; i < 100; i++) whl_remove(&w, &n[i * 37 % 100]);
    for (int i = 0; i < 100; i++) ck_assert(!whl_filed(&n[i]));
    ck_assert_ptr_null(whl_collect(&w, 101 * TICK));
    ck_assert_ptr_null(whl_collect(&w, UINT64_MAX));
    ck_assert_uint_eq(whl_count(&w), 0);
}
END_TEST

START_TEST(timers_of_one_time_come_in_the_order_added)
{
    enum { N = 240 };
    static struct whl w;
    static struct whl_node n[N];
    uint64_t due = 3ull << 40;

    /* The wheel comes nearer while they are added, so they are filed at every level on the way. */
    whl_init(&w, 0);
    for (unsigned i = 0; i < N; i++) {
        whl_add(&w, &n[i], due);
        uint64_t left = due >> (i / 6);
        ck_assert_ptr_null(whl_collect(&w, left < due ? due - left : 0));
    }
    for (unsigned i = 0; i < N; i++) ck_assert_ptr_eq(whl_collect(&w, due), &n[i]);
}
END_TEST

START_TEST(timers_within_a_tick_come_in_the_order_of_their_times)
{
    enum { N = 1000 };
    static struct whl w;
    static struct whl_node n[N];
    uint64_t last = 0;

    whl_init(&w, 0);
    for (unsigned i = 0; i < N; i++) whl_add(&w, &n[i], TICK + i * 7919 % N);
    for (unsigned i = 0; i < N; i++) {
        struct whl_node *got = whl_collect(&w, 2 * TICK);
        ck_assert(got && got->due >= last);
        last = got->due;
        /* Each is at once added to the same tick again, later than now, half of them removed. */
        whl_add(&w, got, 2 * TICK - 1 - i);
        if (i % 2) whl_remove(&w, got);
    }
    for (unsigned i = 0; i < N / 2; i++) {
        struct whl_node *got = whl_collect(&w, 2 * TICK);
        ck_assert(got && got->due >= last);
        last = got->due;
    }
    ck_assert_ptr_null(whl_collect(&w, UINT64_MAX));
}
END_TEST

/* _i is the level: a loop test. */
START_TEST(each_level_hands_down_to_the_nanosecond)
{
    uint64_t edge = 1ull << (WHL_TICK_BITS + WHL_LEVEL_BITS * _i);
    uint64_t starts[] = {0, 1, edge - TICK, edge - 1, edge / 2 + 77, edge / 64 * 63 - 1};

    for (unsigned s = 0; s < sizeof starts / sizeof *starts; s++) {
        struct whl w;
        struct whl_node early[5] = {{0}}, direct[5] = {{0}};
        uint64_t due[5] = {edge - 1, edge, edge + 1, edge + TICK, 2 * edge + TICK - 1};
        whl_init(&w, starts[s]);
        for (int i = 4; i >= 0; i--) whl_add(&w, &early[i], due[i]);
        ck_assert_ptr_null(whl_collect(&w, edge - 2));
        for (int i = 4; i >= 0; i--) whl_add(&w, &direct[i], due[i]);
        for (int i = 0; i < 5; i++) {
            ck_assert_ptr_null(whl_collect(&w, due[i] - 1));
            ck_assert_uint_eq(whl_exact(&w), due[i]);
            ck_assert_ptr_eq(whl_collect(&w, due[i]), &early[i]);
            ck_assert_ptr_eq(whl_collect(&w, due[i]), &direct[i]);
        }
        ck_assert_uint_eq(whl_count(&w), 0);
    }
}
END_TEST

START_TEST(next_is_exact_for_few_timers_however_far)
{
    struct whl w;
    struct whl_node a = {0}, b = {0}, c = {0};

    whl_init(&w, 0);
    whl_add(&w, &a, 30000000000);
    whl_add(&w, &b, 30000000001);
    whl_add(&w, &c, 1ull << 60);
    ck_assert_uint_eq(whl_next(&w), 30000000000);
    whl_remove(&w, &a);
    ck_assert_uint_eq(whl_next(&w), 30000000001);
    whl_remove(&w, &b);
    ck_assert_uint_eq(whl_next(&w), 1ull << 60);
}
END_TEST

START_TEST(next_is_exact_for_any_number_of_near_timers)
{
    struct whl w;
    struct whl_node n[200] = {{0}};

    whl_init(&w, 0);
    for (unsigned i = 0; i < 200; i++) whl_add(&w, &n[i], 63 * TICK + i);
    for (unsigned i = 0; i < 200; i++) {
        ck_assert_uint_eq(whl_next(&w), 63 * TICK + i);
        whl_remove(&w, &n[i]);
    }
    ck_assert_uint_eq(whl_next(&w), UINT64_MAX);
}
END_TEST

START_TEST(next_leads_to_a_far_timer_in_few_steps)
{
    enum { N = 1000 };
    static struct whl w;
    static struct whl_node n[N];
    uint64_t base = 1ull << 50, wanted = base + N - 1;
    int steps = 0;

    /* All but the last are removed, the earliest first: the bound is too early. */
    whl_init(&w, 0);
    for (unsigned i = 0; i < N; i++) whl_add(&w, &n[i], base + i);
    for (unsigned i = 0; i < N - 100; i++) whl_remove(&w, &n[i]);
    ck_assert_uint_eq(whl_exact(&w), wanted - 99);
    ck_assert_uint_le(whl_next(&w), wanted - 99);
    while (!whl_collect(&w, whl_next(&w))) steps++;
    ck_assert_int_le(steps, WHL_LEVELS);
    ck_assert_uint_eq(whl_next(&w), wanted - 98);
}
END_TEST

START_TEST(time_may_seem_to_go_back)
{
    struct whl w;
    struct whl_node a = {0}, b = {0};

    whl_init(&w, 0);
    ck_assert_ptr_null(whl_collect(&w, 1000 * TICK));
    whl_add(&w, &a, 900 * TICK);
    whl_add(&w, &b, 800 * TICK);
    ck_assert_ptr_null(whl_collect(&w, 700 * TICK));
    ck_assert_ptr_eq(whl_collect(&w, 850 * TICK), &b);
    ck_assert_ptr_null(whl_collect(&w, 850 * TICK));
    ck_assert_ptr_eq(whl_collect(&w, 1000 * TICK), &a);
    whl_add(&w, &a, 1001 * TICK);
    whl_add(&w, &b, 9000 * TICK);
    ck_assert_ptr_null(whl_collect(&w, 0));
    ck_assert_uint_eq(whl_next(&w), 1001 * TICK);
    whl_remove(&w, &a);
    ck_assert_uint_eq(whl_next(&w), 9000 * TICK);
    whl_remove(&w, &b);
    whl_add(&w, &a, 1001 * TICK);
    ck_assert_ptr_null(whl_collect(&w, 1001 * TICK - 1));
    ck_assert_ptr_eq(whl_collect(&w, 1001 * TICK), &a);
    ck_assert_uint_eq(whl_next(&w), UINT64_MAX);
}
END_TEST

static double seconds(void)
{
    struct timespec t;

    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double report(const char *what, double since, unsigned n)
{
    double now = seconds();

    printf("wheel: %-44s %6.1f ns\n", what, (now - since) * 1e9 / n);
    return seconds();
}

/* Collects all, in steps of `step` up to `end`, in order. */
static void collect_all(struct whl *w, uint64_t step, uint64_t end)
{
    uint64_t last = 0;

    for (uint64_t now = step; now <= end; now += step)
        for (struct whl_node *n; (n = whl_collect(w, now));) {
            if (n->due < last || n->due > now) ck_abort_msg("out of order, or early");
            last = n->due;
        }
    ck_assert_uint_eq(whl_count(w), 0);
}

START_TEST(a_million_timers_are_cheap)
{
    enum { N = 1000000 };
    struct whl_node *n = calloc(N, sizeof *n);
    static struct whl w;

    ck_assert_ptr_nonnull(n);
    for (unsigned i = 0; i < N; i++) n[i].due = 1; /* the pages are touched before the clock runs */
    whl_init(&w, 0);
    random_state = 1;
    double t = seconds();
    for (unsigned i = 0; i < N; i++) {
        whl_add(&w, &n[0], 30000000000 + i);
        whl_remove(&w, &n[0]);
    }
    t = report("add and remove one", t, N);
    for (unsigned i = 0; i < N; i++) whl_add(&w, &n[i], 1000000 * (1 + i % 1000));
    t = report("add, 1 + i mod 1000 ms", t, N);
    for (unsigned i = 0; i < N; i++) whl_remove(&w, &n[i]);
    t = report("remove them", t, N);
    for (unsigned i = 0; i < N; i++) whl_add(&w, &n[i], 1000000 * (1 + i % 1000));
    t = seconds();
    collect_all(&w, 1000000, 1000000000);
    t = report("collect them, every ms", t, N);

    whl_init(&w, 0);
    for (unsigned i = 0; i < N; i++) whl_add(&w, &n[i], random_next() % 1000000000);
    t = report("add, random over a second", t, N);
    collect_all(&w, 1000000, 1000000000);
    t = report("collect them, every ms", t, N);
    whl_init(&w, 0);
    for (unsigned i = 0; i < N; i++) whl_add(&w, &n[i], random_next() % 1000000000);
    t = seconds();
    collect_all(&w, 1000000000, 1000000000);
    report("collect them, all at once", t, N);
    free(n);
}
END_TEST

START_TEST(a_crowded_tick_is_sorted_fast)
{
    enum { N = 100000 };
    static struct whl_node n[N];
    static struct whl w;

    whl_init(&w, 0);
    random_state = 2;
    for (unsigned i = 0; i < N; i++) whl_add(&w, &n[i], TICK + random_next() % TICK);
    double t = seconds();
    collect_all(&w, 2 * TICK, 2 * TICK);
    t = report("collect 100,000 of one tick", t, N);
    whl_init(&w, TICK);
    for (unsigned i = 0; i < N; i++) whl_add(&w, &n[i], TICK + random_next() % TICK);
    t = report("add 100,000 to the current tick", t, N);
    collect_all(&w, 2 * TICK, 2 * TICK);
    report("collect them", t, N);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("wheel");
    TCase *exact = tcase_create("exact"), *model = tcase_create("model"),
          *speed = tcase_create("speed");

    tcase_add_test(exact, an_empty_wheel_has_nothing_due);
    tcase_add_test(exact, a_timer_is_due_to_the_nanosecond);
    tcase_add_test(exact, a_timer_moved_into_the_past_is_due_at_once);
    tcase_add_test(exact, a_moved_timer_is_due_once_at_its_last_time);
    tcase_add_test(exact, the_end_of_time_neither_overflows_nor_comes_early);
    tcase_add_test(exact, a_huge_timer_does_not_delay_a_tiny_one);
    tcase_add_loop_test(exact, the_first_of_a_tick_can_remove_all_others, 0, 2);
    tcase_add_test(exact, timers_of_one_time_come_in_the_order_added);
    tcase_add_test(exact, timers_within_a_tick_come_in_the_order_of_their_times);
    tcase_add_loop_test(exact, each_level_hands_down_to_the_nanosecond, 0, WHL_LEVELS);
    tcase_add_test(exact, next_is_exact_for_few_timers_however_far);
    tcase_add_test(exact, next_is_exact_for_any_number_of_near_timers);
    tcase_add_test(exact, next_leads_to_a_far_timer_in_few_steps);
    tcase_add_test(exact, time_may_seem_to_go_back);
    tcase_add_loop_test(model, any_history_agrees_with_a_sorted_reference, 0, 8);
    tcase_set_timeout(model, 60);
    tcase_add_test(speed, a_million_timers_are_cheap);
    tcase_add_test(speed, a_crowded_tick_is_sorted_fast);
    tcase_set_timeout(speed, 60);
    suite_add_tcase(s, exact);
    suite_add_tcase(s, model);
    suite_add_tcase(s, speed);

    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
