/* SPDX-License-Identifier: MIT */
/* A run of the forest: it is planted, left to itself, looked at, thinned out, and cut down. */
#include "forest_books.h"

#include "mailbox/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define PATIENCE 4000 /* looks until all must be at rest; some 5 ms each */
#define SHUTDOWN_MS 20000
#define HANGS_AFTER 80 /* s: more than two looks and a shutdown take */

struct fo_setup fo_seeded(uint64_t seed)
{
    uint64_t s = seed;
    struct fo_setup setup = {.seed = seed, .most = 1200};
    setup.trees = 1 + random_below(&s, 5);
    setup.loners = random_below(&s, random_one_in(&s, 3) ? 40 : 12);
    setup.steps = 4 + random_below(&s, random_one_in(&s, 3) ? 120 : 40);
    setup.shut_down = random_one_in(&s, 4);
    setup.starve = random_one_in(&s, 4);
    return setup;
}

struct fo_setup fo_parallel(uint64_t seed)
{
    struct fo_setup setup = fo_seeded(seed);
    setup.trees += 2;
    setup.steps = setup.steps / 2 + 4;
    setup.most = 3000;
    return setup;
}

static void nap(void)
{
    nanosleep(&(struct timespec){0, 1000000}, NULL);
}

/* Lets time pass, and allocations succeed again. */
static void settle(struct forest *f)
{
    if (is_seeded(f))
        bsk_advance(f->rt, 60000);
    else
        for (int i = 0; i < 5; i++) nap();
    mem_fail_at(0, 0);
}

/* Waits until all is at rest: on threads that takes as long as it takes. */
static bool comes_to_rest(struct forest *f)
{
    settle(f);
    /* Some begin only now, and may be hungry again. */
    if (is_seeded(f) && f->setup.starve) settle(f);
    if (is_seeded(f)) return at_rest(f, true);
    for (int i = 0; i < PATIENCE; i++) {
        if (at_rest(f, false)) return true;
        settle(f);
    }
    return at_rest(f, true);
}

static void print_line(void *arg, int depth, bsk_addr who, const char *text)
{
    (void)arg;
    fprintf(stderr, "%*s<%u.%u> %s\n", 2 * depth, "", who.slot, who.gen, text);
}

static void look(struct forest *f)
{
    if (!comes_to_rest(f) && f->tells) (void)!bsk_tree(f->rt, print_line, NULL);
}

/* Ends some of those who live, in all ways. */
static void thin_out(struct forest *f, struct life *me)
{
    for (unsigned i = 0; i < life_count(f); i++) {
        struct life *l = &f->lives[i];
        if (!is_known(l) || is_over(l) || !random_one_in(&me->random, 3)) continue;
        if (random_one_in(&me->random, 3))
            send_exit(me, NULL, l);
        else if (!l->is_sup)
            bsk_tell(l->who, fo_finish, .how = random_below(&me->random, 10));
    }
}

/* Plays for as long as it has steps; then goes on until the run is over, if it is broken off. */
static void *play(void *arg)
{
    struct life *l = arg;
    struct forest *f = l->forest;
    unsigned steps = 3 * f->setup.steps;
    while (steps || (f->setup.shut_down && !atomic_load(&f->over))) {
        fo_act(l, NULL, f->setup.shut_down ? NULL : f->rt);
        if (steps) steps--;
        if (random_one_in(&l->random, 8)) nap();
    }
    return NULL;
}

#define THREADS_MAX 8
struct crew {
    pthread_t threads[THREADS_MAX];
    unsigned n;
};

static void start_threads(struct forest *f, struct crew *crew)
{
    for (crew->n = 0; crew->n < f->setup.threads; crew->n++) {
        struct life *l = life_new(f);
        if (!l || pthread_create(&crew->threads[crew->n], NULL, play, l)) abort();
    }
}

static void join_threads(struct crew *crew)
{
    while (crew->n) pthread_join(crew->threads[--crew->n], NULL);
}

static void plant(struct forest *f, struct life *me)
{
    for (unsigned i = 0; i < f->setup.loners; i++) spawn_loner(me, NULL, f->rt);
    for (unsigned i = 0; i < f->setup.trees; i++) grow_tree(me, NULL, f->rt);
}

/* Some time passes, but nobody comes to rest. */
static void wait_a_little(struct forest *f, struct life *me)
{
    int64_t ms = random_below(&me->random, 40);
    if (is_seeded(f))
        bsk_advance(f->rt, ms);
    else
        for (int64_t i = 0; i < ms; i++) nap();
}

static void tend(struct forest *f, struct life *me, struct crew *crew)
{
    if (f->setup.shut_down) {
        wait_a_little(f, me);
        return;
    }
    join_threads(crew);
    look(f);
    thin_out(f, me);
    look(f);
}

static void cut_down(struct forest *f, struct crew *crew)
{
    atomic_store(&f->stopping, true);
    bsk_shutdown(f->rt);
    int status = bsk_wait(f->rt);
    atomic_store(&f->over, true);
    join_threads(crew);
    audit_end(f, status);
}

static bsk_rt *start(struct forest *f)
{
    const struct fo_setup *s = &f->setup;
    if (s->nth) mem_fail_at(s->nth, 0);
    return bsk_start(.workers = s->workers, .seed = s->workers ? 0 : s->seed, .no_signals = true,
                     .quiet = true, .verbose = BSK_LOG_WARN, .log = fo_log, .trace = fo_trace,
                     .dead_letter = fo_dead, .slow_ms = BSK_FOREVER, .shutdown_ms = SHUTDOWN_MS,
                     .arg = f);
}

/* A thread of its own, since a thread keeps its last reply until it ends. */
static void *run(void *forest)
{
    struct forest *f = forest;
    struct crew crew = {.n = 0};
    struct life *me = life_new(f);
    if (!me) abort();
    f->rt = start(f);
    if (f->rt) {
        plant(f, me);
        start_threads(f, &crew);
        tend(f, me, &crew);
        if (is_seeded(f)) f->digest = bsk_digest(f->rt);
        cut_down(f, &crew);
    } else if (!f->setup.nth) {
        fo_blame(f, "no runtime");
    }
    mem_fail_at(0, 0);
    return NULL;
}

/* Waits for the run; one that hangs is given up, with all that it takes to see where. */
static void join_or_abort(struct forest *f, pthread_t thread)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += HANGS_AFTER;
    if (pthread_timedjoin_np(thread, NULL, &until) == 0) return;
    fprintf(stderr, "SEED=%" PRIu64 " hangs; the first fault: %s\n", f->setup.seed,
            *f->fault ? f->fault : "none");
    abort();
}

static void run_to_end(struct forest *f)
{
    pthread_t thread;
    int64_t live = mem_live(), mapped = mem_mapped();
    if (pthread_create(&thread, NULL, run, f)) abort();
    join_or_abort(f, thread);
    if (mem_live() != live || mem_mapped() != mapped)
        fo_blame(f, "%lld blocks and %lld mapped bytes are not back",
                 (long long)(mem_live() - live), (long long)(mem_mapped() - mapped));
}

static void sum_up(struct forest *f, struct fo_result *out)
{
    out->digest = f->digest;
    out->actors = counted(&f->spawned);
    out->supervisors = counted(&f->supervisors);
    out->downs = counted(&f->downs);
    out->exits = counted(&f->exits);
    out->restarts = counted(&f->restarts);
    out->gave_up = counted(&f->gave_up);
    out->turns = counted(&f->turns);
    snprintf(out->fault, sizeof out->fault, "%s", f->fault);
}

void fo_run(const struct fo_setup *setup, struct fo_result *out)
{
    static struct forest f;
    uint64_t asked = mem_asked();
    *out = (struct fo_result){.digest = 0};
    books_open(&f, setup);
    run_to_end(&f);
    sum_up(&f, out);
    out->asked = mem_asked() - asked;
    books_close(&f);
}
