/* SPDX-License-Identifier: MIT */
/* A run of the workload: its players are started, watched and stopped, and its books audited. */
#include "mailbox/memory.h"
#include "player.h"
#include "tests/sanitizers.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct wl_setup wl_seeded(uint64_t seed)
{
    uint64_t s = seed;
    struct wl_setup setup = {.seed = seed};
    setup.players = 8 + random_below(&s, random_one_in(&s, 8) ? 200 : 40);
    setup.most = setup.players + random_below(&s, 2 * setup.players);
    setup.steps = 10 + random_below(&s, 120);
    setup.shut_down = random_one_in(&s, 4);
    return setup;
}

struct wl_setup wl_parallel(uint64_t seed)
{
    uint64_t s = seed;
    struct wl_setup setup = wl_seeded(seed);
    setup.workers = 2 + random_below(&s, 3);
    setup.threads = random_below(&s, 4);
    setup.most += setup.threads;
    return setup;
}

static void no_log(void *arg, enum bsk_level level, const char *line)
{
    if (!arg || level > BSK_LOG_DEBUG || !line) abort();
    if (getenv("LOG")) fprintf(stderr, "%s\n", line);
}

static void open_books(struct run *r, const struct wl_setup *setup)
{
    *r = (struct run){.setup = *setup, .most_tokens = 40000};
    pthread_mutex_init(&r->lock, NULL);
    r->players = calloc(setup->most, sizeof *r->players);
    r->tokens = calloc(r->most_tokens, sizeof *r->tokens);
    if (!r->players || !r->tokens) abort();
}

static unsigned count_players(struct run *r)
{
    unsigned n = atomic_load_explicit(&r->nplayers, memory_order_relaxed);
    return n < r->setup.most ? n : r->setup.most;
}

static void close_books(struct run *r)
{
    for (unsigned i = 0; i < count_players(r); i++) {
        free(r->players[i].sent);
        free(r->players[i].seen);
        free(r->players[i].seen_kind);
    }
    free(r->players);
    free(r->tokens);
    pthread_mutex_destroy(&r->lock);
}

/* What a killed fiber could not drop itself. */
static void drop_held(struct run *r)
{
    for (unsigned i = 0; i < count_players(r); i++) bsk_blob_drop(r->players[i].held);
}

static bool lives(const struct player *p)
{
    return atomic_load_explicit(&p->begun, memory_order_relaxed) &&
           !atomic_load_explicit(&p->gone, memory_order_acquire);
}

static bool lingers(const struct player *p)
{
    return lives(p) && atomic_load_explicit(&p->shown, memory_order_relaxed) == LINGERING;
}

/* Tells whether only those live who wait to be stopped. Some may have ended before they began. */
static bool only_lingerers(struct run *r)
{
    unsigned n = 0;
    bsk_stats_out s;
    for (unsigned i = 0; i < count_players(r); i++) n += lingers(&r->players[i]);
    bsk_stats(r->rt, &s);
    return s.actors == n;
}

/* Returns somebody who should have ended by now, or NULL. */
static struct player *straggler(struct run *r)
{
    for (unsigned i = 0; i < count_players(r); i++)
        if (lives(&r->players[i]) && !lingers(&r->players[i])) return &r->players[i];
    return NULL;
}

static void blame_straggler(struct run *r)
{
    struct player *p = straggler(r);
    if (!p && !only_lingerers(r)) blame(r, "an actor does not begin");
    if (!p) return;
    blame(r,
          "player %u (a %s) does not end: waits for %u asks, %u timers, %u rooms; %u steps to do",
          p->id, p->fiber ? "fiber" : "handler", p->asks, p->alarms, p->rooms, p->steps);
}

static void stop_all(struct run *r)
{
    for (unsigned i = 0; i < count_players(r); i++) {
        struct player *p = &r->players[i];
        if (!atomic_load_explicit(&p->known, memory_order_acquire)) continue;
        int rc = bsk_stop(p->who, 1000);
        if (rc != 0 && rc != BSK_EDEAD) blame(r, "stop: %s", bsk_errname(rc));
    }
}

static void nap(void)
{
    nanosleep(&(struct timespec){0, 1000000}, NULL);
}

static bool agree(struct run *r)
{
    return figures_agree(r, false);
}

/* Lets time pass until the condition holds; PATIENCE ms at most, and more where code is slow. */
static void pass_time(struct run *r, bool (*until)(struct run *r))
{
    const char *patience = getenv("PATIENCE");
    long most = patience ? atol(patience) : 10000;
    if (!r->setup.workers) {
        bsk_advance(r->rt, 60000);
        return;
    }
    for (long i = 0; i < most * (SANITIZED ? 8 : 1) && !until(r); i++) nap();
}

/* Plays for as long as it has steps; then goes on telling until the run is over. */
static void *play(void *arg)
{
    struct player *p = arg;
    struct run *r = p->run;
    while (p->steps-- || (r->setup.shut_down && !atomic_load(&r->over))) {
        if (random_one_in(&p->random, 3)) {
            atomic_fetch_add(&r->inside, 1);
            if (!atomic_load(&r->closing)) spawn_player(r, p, NULL);
            atomic_fetch_sub(&r->inside, 1);
        }
        act(p, NULL);
        if ((int)p->steps < 0) p->steps = 0;
    }
    return NULL;
}

/* Is stopped last, being first; ends when no thread uses the runtime's pointer any more. */
static void keep_open(bsk_self *self)
{
    struct run *r = *(struct run **)bsk_state(self);
    while (bsk_sleep(self, BSK_FOREVER) == 0) {
    }
    atomic_store(&r->closing, true);
    while (atomic_load(&r->inside)) nap();
}

static void start_keeper(struct run *r)
{
    bsk_addr who = bsk_spawn(r->rt, keep_open, .shutdown_ms = 60000, .own_thread = true,
                             .state = &r, .state_size = sizeof(struct run *));
    if (bsk_is_nobody(who))
        blame(r, "no keeper");
    else
        enter(&r->spawned, 1);
}

#define THREADS_MAX 16
struct crew {
    pthread_t threads[THREADS_MAX];
    unsigned n;
};

static void start_threads(struct run *r, struct crew *crew)
{
    crew->n = 0;
    while (crew->n < r->setup.threads) {
        struct player *p = new_player(r);
        if (!p) return;
        p->thread = true;
        p->steps = r->setup.steps;
        if (pthread_create(&crew->threads[crew->n++], NULL, play, p)) abort();
    }
}

static void join_threads(struct crew *crew)
{
    while (crew->n) pthread_join(crew->threads[--crew->n], NULL);
}

static void start_players(struct run *r)
{
    for (unsigned i = 0; i < r->setup.players; i++) spawn_player(r, NULL, NULL);
}

static void dump_line(void *arg, const char *text)
{
    if (arg) fprintf(stderr, "%s\n", text);
}

/* Lets all come to rest, and compares the figures. */
static void settle_down(struct run *r, struct crew *crew)
{
    join_threads(crew);
    pass_time(r, only_lingerers);
    blame_straggler(r);
    stop_all(r);
    pass_time(r, agree);
    if (figures_agree(r, true)) return;
    if (getenv("LOG")) bsk_dump(r->rt, dump_line, r);
    bsk_shutdown(r->rt);
}

static void break_off(struct run *r)
{
    uint64_t s = r->setup.seed;
    int64_t ms = random_below(&s, 30);
    if (r->setup.workers)
        for (int64_t i = 0; i < ms; i++) nap();
    else
        bsk_advance(r->rt, ms);
    bsk_shutdown(r->rt);
}

static void check_status(struct run *r, int status)
{
    if (status == 2) blame(r, "bsk_wait: somebody did not stop");
}

static void go(struct run *r, struct wl_result *out)
{
    const struct wl_setup *s = &r->setup;
    struct crew crew = {.n = 0};
    r->rt =
        bsk_start(.workers = s->workers, .seed = s->workers ? 0 : s->seed, .no_signals = true,
                  .quiet = true, .verbose = BSK_LOG_INFO, .log = no_log, .dead_letter = enter_dead,
                  .slow_ms = BSK_FOREVER, .shutdown_ms = 60000, .work_threads = 2, .arg = r);
    if (!r->rt) abort();
    if (s->threads && s->shut_down) start_keeper(r);
    start_players(r);
    start_threads(r, &crew);
    if (s->shut_down)
        break_off(r);
    else
        settle_down(r, &crew);
    out->digest = s->workers ? 0 : bsk_digest(r->rt);
    check_status(r, bsk_wait(r->rt));
    atomic_store(&r->over, true);
    join_threads(&crew);
}

static void sum_up(struct run *r, struct wl_result *out)
{
    for (int i = 0; i < KINDS; i++) out->handled += entered(&r->handled[i]);
    for (int i = 0; i < BSK_DEAD_COUNT; i++) out->dead += entered(&r->dead[i]);
    out->players = entered(&r->spawned);
}

void wl_run(const struct wl_setup *setup, struct wl_result *out)
{
    struct run r;
    int64_t live = mem_live(), mapped = mem_mapped();
    *out = (struct wl_result){.digest = 0};
    open_books(&r, setup);
    go(&r, out);
    drop_held(&r);
    audit(&r);
    if (mem_live() != live || mem_mapped() != mapped)
        blame(&r, "%lld blocks and %lld mapped bytes are not back", (long long)(mem_live() - live),
              (long long)(mem_mapped() - mapped));
    sum_up(&r, out);
    snprintf(out->fault, sizeof out->fault, "%s", r.fault);
    close_books(&r);
}
