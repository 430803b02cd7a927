/* SPDX-License-Identifier: MIT */
/* explore.c - depth-first search over the executions of a program.
 *
 *     trail:  pick 0 of 2   pick 1 of 3   pick 0 of 1 ...      one entry a choice
 *                                ^ the last entry with a pick left is advanced, the rest is cut,
 *                                  and the program runs again from its setup
 *
 * Every thread stands before its next operation. A step lets one of them do its operation and run
 * on to the next one; what follows the last choice always takes pick 0, which stays with the
 * running thread. Staying is no switch of stacks, so most steps cost a function call.
 *
 * With bounded preemptions every order within the bound is run. Without a bound, sleep sets leave
 * out orders that differ only in steps which do not touch each other: a thread whose step has been
 * explored here sleeps in the sibling branches until somebody does a step that depends on it.
 */
#undef _FORTIFY_SOURCE /* its longjmp takes a jump to another stack for a mistake */
#include "internal.h"

#include <assert.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

enum {
    STACK = 64 * 1024,
    MAX_STEPS = 8000, /* clocks count to 32767 */
    MAX_TRAIL = 4 * MAX_STEPS,
    SHOWN = 100, /* steps at each end of a long schedule */
    HOME = MDL_THREADS
};

struct choice {
    uint8_t pick;
    uint8_t of;
};

struct event {
    unsigned thread;
    struct mdl_op op;
    const char *verb;
    uint64_t value;
    unsigned age;
};

enum outcome { RUNNING, PASSED, PRUNED, FAILED };

struct mdl_thread mdl_threads[MDL_CLOCKS];
unsigned mdl_here = HOME;
unsigned mdl_count;
bool mdl_quiet;

static const struct mdl_program *program;
static unsigned preemption_bound, stale_bound, step_bound;
static bool reducing;

static struct choice trail[MAX_TRAIL];
static unsigned trail_length, trail_at;
static struct event events[MAX_STEPS];
static unsigned event_count;
static unsigned steps, preempted, staled;
static unsigned asleep; /* a bit for each thread */
static bool starting;
static volatile enum outcome outcome;
static char failure[256];

static jmp_buf home, cut_short;
static jmp_buf bottom[MDL_THREADS]; /* where a thread starts anew, whatever its stack holds */
static jmp_buf resume[MDL_THREADS];
static unsigned born;
static _Alignas(64) char stacks[MDL_THREADS][STACK];

/* Choices */

static unsigned pick(unsigned n)
{
    assert(n > 0 && n < 256);
    if (n == 1) return 0;
    if (trail_at == MAX_TRAIL) mdl_fail("", "too many choices");
    struct choice *c = &trail[trail_at++];
    if (trail_at > trail_length) {
        *c = (struct choice){.pick = 0, .of = (uint8_t)n};
        trail_length = trail_at;
    }
    if (c->of != n)
        mdl_fail("", "the program is not deterministic: a choice of %u was one of %u", n, c->of);
    return c->pick;
}

static bool advance(void)
{
    while (trail_length > 0) {
        struct choice *c = &trail[trail_length - 1];
        if (++c->pick < c->of) return true;
        trail_length--;
    }
    return false;
}

unsigned mdl_choose(unsigned n)
{
    return pick(n);
}

bool mdl_stale_left(void)
{
    return staled < stale_bound;
}

void mdl_spend_stale(void)
{
    staled++;
}

/* Coroutines */

static _Noreturn void stop(enum outcome with)
{
    outcome = with;
    _longjmp(cut_short, 1);
}

static unsigned choose(void);

static _Noreturn void go(unsigned to)
{
    mdl_here = to;
    if (to == HOME) _longjmp(home, 1);
    _longjmp(resume[to], 1);
}

static void switch_to(unsigned to)
{
    if (_setjmp(mdl_here == HOME ? home : resume[mdl_here]) == 0) go(to);
}

static void thread_main(void)
{
    if (_setjmp(bottom[born]) == 0) _longjmp(home, 1);
    program->threads[mdl_here]();
    mdl_threads[mdl_here].done = true;
    go(starting ? HOME : choose());
}

static void give_birth(void)
{
    static ucontext_t context;

    getcontext(&context);
    context.uc_stack.ss_sp = stacks[born];
    context.uc_stack.ss_size = STACK;
    context.uc_link = NULL;
    makecontext(&context, thread_main, 0);
    if (_setjmp(home) == 0) setcontext(&context);
    born++;
}

/* Runs the thread up to its first operation: plain code, whose place in the order is all one. */
static void start_thread(unsigned i)
{
    struct mdl_thread *t = &mdl_threads[i];

    memset(t, 0, sizeof *t);
    mdl_join(t, &mdl_threads[HOME]);
    t->now.clock[i] = 1;
    if (_setjmp(home) == 0) {
        mdl_here = i;
        _longjmp(bottom[i], 1);
    }
}

/* Scheduling */

/* Whether a waiting thread's predicate holds. */
static bool ask(unsigned i)
{
    unsigned self = mdl_here;

    mdl_here = i;
    mdl_quiet = true;
    bool holds = mdl_threads[i].pred(mdl_threads[i].arg);
    mdl_quiet = false;
    mdl_here = self;
    return holds;
}

static bool gives_way(const struct mdl_op *op)
{
    return op->kind == MDL_WAIT || op->kind == MDL_YIELD;
}

/* A thread that yields in vain goes on all the same if nobody else can: it may give up. */
static unsigned runnable(void)
{
    unsigned mask = 0, yielding = 0;

    for (unsigned i = 0; i < mdl_count; i++) {
        const struct mdl_thread *t = &mdl_threads[i];
        if (t->done) continue;
        if (!gives_way(&t->next) || ask(i))
            mask |= 1u << i;
        else if (t->next.kind == MDL_YIELD)
            yielding |= 1u << i;
    }
    return mask != 0 ? mask : yielding;
}

/* With nobody runnable: either all have come to their end, or those that have not never will. */
static unsigned nobody_left(void)
{
    for (unsigned i = 0; i < mdl_count; i++) {
        if (!mdl_threads[i].done)
            mdl_fail(mdl_threads[i].next.site, "deadlock or lost wake-up: thread %u waits", i);
    }
    return HOME;
}

static bool is_sc(const struct mdl_op *op)
{
    return op->order == memory_order_seq_cst;
}

/* Whether the order of two steps by different threads can matter. */
static bool dependent(const struct mdl_op *a, const struct mdl_op *b)
{
    if (gives_way(a) || gives_way(b)) return true;
    if (a->kind == MDL_FENCE || b->kind == MDL_FENCE) return is_sc(a) && is_sc(b);
    if (a->location != b->location) return false;
    return a->kind != MDL_LOAD || b->kind != MDL_LOAD || (is_sc(a) && is_sc(b));
}

static unsigned still_asleep(unsigned mask, const struct mdl_op *step)
{
    for (unsigned i = 0; i < mdl_count; i++) {
        if (mask >> i & 1 && dependent(&mdl_threads[i].next, step)) mask &= ~(1u << i);
    }
    return mask;
}

/* Lists those that may take the next step, the running thread first. */
static unsigned list_candidates(unsigned mask, bool may_stay, uint8_t list[MDL_THREADS])
{
    unsigned n = 0;

    if (may_stay && !(asleep >> mdl_here & 1)) list[n++] = (uint8_t)mdl_here;
    if (may_stay && preempted >= preemption_bound) return n;
    for (unsigned i = 0; i < mdl_count; i++) {
        if ((mask & ~asleep) >> i & 1 && !(may_stay && i == mdl_here)) list[n++] = (uint8_t)i;
    }
    return n;
}

/* Chooses the thread of the next step; HOME when all are done. */
static unsigned choose(void)
{
    uint8_t list[MDL_THREADS];
    unsigned mask = runnable();

    if (mask == 0) return nobody_left();
    if (++steps > step_bound) mdl_fail("", "livelock: more than %u steps", step_bound);
    /* Leaving a thread that waits or yields is no preemption. */
    bool may_stay = mask >> mdl_here & 1 && !gives_way(&mdl_threads[mdl_here].next);
    unsigned n = list_candidates(mask, may_stay, list);
    if (n == 0) stop(PRUNED);
    unsigned k = pick(n);
    if (may_stay && list[k] != mdl_here) preempted++;
    if (reducing) {
        for (unsigned i = 0; i < k; i++) asleep |= 1u << list[i];
        asleep = still_asleep(asleep, &mdl_threads[list[k]].next);
    }
    return list[k];
}

void mdl_point(struct mdl_op op)
{
    if (mdl_here == HOME) mdl_fail(op.site, "setup and check cannot wait");
    mdl_threads[mdl_here].next = op;
    unsigned to = starting ? HOME : choose();
    if (to != mdl_here) switch_to(to);
}

unsigned mdl_self(void)
{
    return mdl_here;
}

/* Failures and the schedule */

static const char *base_name(const char *site)
{
    const char *name = site;

    for (const char *s = site; *s != '\0' && *s != ' '; s++) {
        if (*s == '/') name = s + 1;
    }
    return name;
}

void mdl_fail(const char *site, const char *format, ...)
{
    va_list args;
    int n = 0;

    if (*site != '\0') n = snprintf(failure, sizeof failure, "%.150s: ", base_name(site));
    va_start(args, format);
    vsnprintf(failure + n, sizeof failure - (size_t)n, format, args);
    va_end(args);
    mdl_quiet = false;
    stop(FAILED);
}

void mdl_refute(const char *site)
{
    if (mdl_here == HOME) mdl_fail(site, "does not hold");
    mdl_fail(site, "does not hold in thread %u", mdl_here);
}

void mdl_note(const struct mdl_op *op, const char *verb, uint64_t value, unsigned age)
{
    if (event_count < MAX_STEPS)
        events[event_count++] = (struct event){mdl_here, *op, verb, value, age};
}

static const char *order_name(memory_order order)
{
    switch (order) {
    case memory_order_relaxed: return "relaxed";
    case memory_order_consume: return "consume";
    case memory_order_acquire: return "acquire";
    case memory_order_release: return "release";
    case memory_order_acq_rel: return "acq_rel";
    default: return "seq_cst";
    }
}

static void print_event(FILE *out, const struct event *e)
{
    if (e->thread == HOME)
        fprintf(out, "  --");
    else
        fprintf(out, "  T%u", e->thread);
    fprintf(out, " %-7s %-7s %-40s %#llx", e->verb, order_name(e->op.order), base_name(e->op.site),
            (unsigned long long)e->value);
    if (e->age > 0) fprintf(out, "  (outdated by %u)", e->age);
    fputc('\n', out);
}

void mdl_print_schedule(FILE *out)
{
    for (unsigned i = 0; i < event_count; i++) {
        if (i == SHOWN && event_count > 2 * SHOWN) {
            i = event_count - SHOWN;
            fprintf(out, "  ... %u more ...\n", i - SHOWN);
        }
        print_event(out, &events[i]);
    }
}

/* The search */

static void reset(void)
{
    trail_at = event_count = steps = preempted = staled = asleep = 0;
    mdl_forget();
    memset(&mdl_threads[HOME], 0, sizeof mdl_threads[HOME]);
    mdl_threads[HOME].direct = true;
    mdl_threads[HOME].now.clock[HOME] = 1;
    mdl_here = HOME;
}

static void run_threads(void)
{
    starting = true;
    for (unsigned i = 0; i < mdl_count; i++) start_thread(i);
    starting = false;
    unsigned first = choose();
    if (first != HOME) switch_to(first);
    for (unsigned i = 0; i < mdl_count; i++) mdl_join(&mdl_threads[HOME], &mdl_threads[i]);
}

static void run_once(void)
{
    if (_setjmp(cut_short) != 0) {
        mdl_here = HOME;
        return;
    }
    outcome = RUNNING;
    reset();
    if (program->setup != NULL) program->setup();
    run_threads();
    if (program->check != NULL) program->check();
    outcome = PASSED;
}

static unsigned bound(int option, unsigned otherwise)
{
    return option < 0 ? UINT32_MAX : option == 0 ? otherwise : (unsigned)option;
}

static void prepare(const struct mdl_program *p)
{
    program = p;
    preemption_bound = bound(p->preemptions, 3);
    stale_bound = bound(p->stale, 2);
    step_bound = p->max_steps == 0 ? 500 : p->max_steps;
    assert(step_bound <= MAX_STEPS);
    reducing = p->preemptions < 0;
    trail_length = 0;
    failure[0] = '\0';
    mdl_count = 0;
    while (mdl_count < MDL_THREADS && p->threads[mdl_count] != NULL) mdl_count++;
    assert(mdl_count > 0);
    while (born < mdl_count) give_birth();
}

struct mdl_result mdl_check(const struct mdl_program *p)
{
    struct mdl_result result = {.ok = true};
    uint64_t most = p->max_executions == 0 ? 20000000 : p->max_executions;

    prepare(p);
    do {
        run_once();
        if (outcome == FAILED) {
            result.ok = false;
            memcpy(result.why, failure, sizeof failure);
            return result;
        }
        if (outcome == PASSED)
            result.executions++;
        else
            result.pruned++;
        result.complete = !advance();
    } while (!result.complete && result.executions + result.pruned < most);
    return result;
}

/* A failed assert or a wild pointer in the code under test is a failure with a schedule, too. */
static void on_signal(int number)
{
    signal(number, SIG_DFL);
    fprintf(stderr, "%s: signal %d in thread %u\n", program->name, number, mdl_here);
    mdl_print_schedule(stderr);
    raise(number);
}

void mdl_run(const struct mdl_program *p)
{
    signal(SIGABRT, on_signal);
    signal(SIGSEGV, on_signal);
    struct mdl_result r = mdl_check(p);
    signal(SIGABRT, SIG_DFL);
    signal(SIGSEGV, SIG_DFL);

    if (r.ok && r.complete) {
        printf("%s: %llu executions, %llu pruned\n", p->name, (unsigned long long)r.executions,
               (unsigned long long)r.pruned);
        return;
    }
    fprintf(stderr, "%s: %s\n", p->name, r.ok ? "not finished within max_executions" : r.why);
    if (!r.ok) mdl_print_schedule(stderr);
    exit(EXIT_FAILURE);
}
