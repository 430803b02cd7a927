/* SPDX-License-Identifier: MIT */
/* scheduler.c - which actor runs next, on which thread, and when a thread sleeps.
 *
 * A worker owns a thread, a libuv loop, a timer wheel and run queues:
 *
 *     woken by who runs here ---> next (one) ---------.
 *                 displaced by the next woken         |  at most 16 in a row
 *                        v                            v
 *     slice over ---> normal: o o o o o o --------> [run] ---> mailbox empty: out of here
 *     first run  ---> fresh: newest first ------------^  but one of the older each ms
 *     pinned     ---> pinned: o o o ------------------'  in turn with normal
 *     .high      ---> high: o o ----------------------'  at most 32 in a row
 *     other threads -> inbox (a stack) --- each tick --> normal
 *
 * A woken actor stays with its waker: its message is in this core's cache, and waking another
 * core costs as much as hundreds of local hops. New actors run depth first, so a tree of them
 * needs the memory of a path, not of a level; the normal queue has a turn every tick, and at least one new actor after
 * each turn of that.
 *
 * A tick comes every 20 us, counted in messages and retuned by one reading of the clock. It
 * moves the inbox in, fires timers, now and then polls the loop, and decides whether to call for
 * help: only when actors have waited in the queue for longer than it takes to wake a core, or
 * when messages are so long that another core would pay off. Help comes from a parked worker,
 * which takes half of the queue of one who called; nobody takes from who did not call, but that
 * an idle worker looks once a millisecond for queues whose worker is held by one long message.
 *
 * Where no worker is idle, a relief does that for it: see relief.c.
 *
 * The queues are the worker's own, under a lock biased to it (biased.h): a thief pays for both.
 *
 * A seeded runtime has one worker, on the thread of its user, whose next actor is drawn at
 * random. */
#include "scheduler.h"

#include "clock.h"
#include "hooks.h"
#include "relief.h"
#include "shutdown.h"
#include "timer.h"
#include "trace.h"
#include "trim.h"
#include "watchdog.h"
#include "work.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define TICK_NS UINT64_C(20000)
#define PER_TICK_MAX 1024
#define BATCH_MAX 1024
#define POLL_NS UINT64_C(100000)
#define SOJOURN_NS UINT64_C(50000)
#define LONG_MESSAGE_NS 250
#define OLDER_NS UINT64_C(1000000)
#define TURNS_MAX 64
#define NEXT_IN_ROW 16
#define HIGH_IN_ROW 32
#define STEAL_MAX 256
#define LANES 16

/* Seeded: one of a few lanes at random, so that any order that is possible comes up for some
 * seed. */
static void push_lane(struct worker *w, bsk_self *a)
{
    run_list_push(&w->q.lanes[rnd_next(w->random) % LANES], a);
}

static bsk_self *pop_lane(struct worker *w)
{
    uint64_t from = rnd_next(w->random);
    for (unsigned i = 0; i < LANES; i++) {
        bsk_self *a = run_list_pop(&w->q.lanes[(from + i) % LANES]);
        if (a) return a;
    }
    return NULL;
}

static void enqueue_inside(struct worker *w, bsk_self *a)
{
    if (w->q.lanes)
        push_lane(w, a);
    else if (act_flags(a) & ACT_HIGH)
        run_list_push(&w->q.high, a);
    else if (act_flags(a) & ACT_PINNED)
        run_list_push(&w->q.pinned, a);
    else
        run_queue_push(&w->q, a);
}

void sch_enqueue(struct worker *w, bsk_self *a)
{
    biased_enter(&w->q.lock);
    enqueue_inside(w, a);
    biased_leave(&w->q.lock);
}

static void push_fresh(struct worker *w, bsk_self *a)
{
    if (!w->q.fresh.n && !w->q.older.n) w->fresh_since = w->now;
    run_stack_push(&w->q.fresh, a);
}

/* Where an actor runs that this worker must not: at home, or with any loop. */
struct worker *sch_home(struct bsk_rt *rt, const bsk_self *a)
{
    unsigned home = atomic_load_explicit(&a->home, memory_order_relaxed);
    if (!(act_flags(a) & ACT_PINNED) && home >= rt->nloops) home = 0;
    /* Acquire pairs with the release in sch_add_solo: the worker is whole. */
    return atomic_load_explicit(&rt->workers[home], memory_order_acquire);
}

/* Pinned elsewhere; or woken by an actor that has this thread to itself. */
static bool runs_elsewhere(struct worker *w, bsk_self *a, unsigned flags)
{
    if (!(flags & ACT_PINNED)) return w->solo;
    return atomic_load_explicit(&a->home, memory_order_relaxed) != w->index;
}

void sch_wake(struct worker *w, struct bsk_rt *rt, bsk_self *a)
{
    unsigned flags = act_flags(a);
    if (!w || runs_elsewhere(w, a, flags)) {
        sch_send_home(rt, a, sch_home(rt, a));
        return;
    }
    biased_enter(&w->q.lock);
    if (w->q.lanes || (flags & (ACT_HIGH | ACT_PINNED)))
        enqueue_inside(w, a);
    else if (flags & ACT_FRESH)
        push_fresh(w, a);
    else
        run_queue_push_next(&w->q, a);
    biased_leave(&w->q.lock);
}

/* One of those that take any actor; not for one actor, and no relief. */
static bool is_loop(const struct worker *w)
{
    return w->index < w->rt->nloops;
}

void sch_ring(struct worker *w)
{
    int parked = WORKER_PARKED;
    /* Seq_cst, as all on `state`: see park. Only one ringer pays for the bell. */
    if (atomic_compare_exchange_strong(&w->state, &parked, WORKER_RUNG)) {
        uv_async_send(&w->bell);
    }
}

static bsk_self *take_inbox(struct worker *w)
{
    /* Acquire pairs with the release in sch_send_home; release with its acquire: who pushes
     * after a worker that leaves has looked here for the last time finds it GONE. */
    return atomic_exchange_explicit(&w->inbox, NULL, memory_order_acq_rel);
}

void sch_send_home(struct bsk_rt *rt, bsk_self *a, struct worker *to)
{
    bsk_self *head = atomic_load_explicit(&to->inbox, memory_order_relaxed);
    do {
        a->link = head;
        /* Seq_cst: comes before the look at `state` below; pairs with park, which stores `state`
         * and then looks at the inbox. One of the two sees the other. Its release pairs with
         * take_inbox. */
    } while (!atomic_compare_exchange_weak_explicit(&to->inbox, &head, a, memory_order_seq_cst,
                                                    memory_order_relaxed));
    int state = atomic_load(&to->state);
    if (state == WORKER_PARKED) sch_ring(to);
    if (state != WORKER_GONE) return;
    struct worker *loop = atomic_load_explicit(&rt->workers[0], memory_order_acquire);
    for (bsk_self *b = take_inbox(to), *next; b; b = next) {
        next = b->link;
        sch_send_home(rt, b, loop);
    }
}

/* Moves the inbox in, oldest first. */
static bool move_inbox_in(struct worker *w)
{
    if (!atomic_load_explicit(&w->inbox, memory_order_relaxed)) return false;
    bsk_self *a = take_inbox(w), *oldest = NULL, *next;
    for (; a; a = next) {
        next = a->link;
        a->link = oldest;
        oldest = a;
    }
    bool any = oldest != NULL;
    biased_enter(&w->q.lock);
    for (a = oldest; a; a = next) {
        next = a->link;
        enqueue_inside(w, a);
    }
    biased_leave(&w->q.lock);
    return any;
}

static bsk_self *pick_next(struct run_queue *q)
{
    bsk_self *a = q->next;
    if (!a) return NULL;
    q->next = NULL;
    if (++q->in_row <= NEXT_IN_ROW) return a;
    q->in_row = 0;
    run_queue_push(q, a);
    return NULL;
}

static bsk_self *pick_inside(struct worker *w)
{
    struct run_queue *q = &w->q;
    bsk_self *a;
    if (q->lanes) return pop_lane(w);
    if (q->high.n && q->high_row++ < HIGH_IN_ROW) return run_list_pop(&q->high);
    q->high_row = 0;
    if ((a = pick_next(q))) return a;
    q->in_row = 0;
    if (w->turns && (q->normal.n || q->pinned.n)) {
        w->turns--;
        return run_queue_pop_any(q);
    }
    w->fresh_turn = false;
    if ((a = run_queue_pop_fresh(q))) return a;
    if ((a = run_queue_pop_any(q))) return a;
    return run_list_pop(&q->high);
}

static bsk_self *pick(struct worker *w)
{
    biased_enter(&w->q.lock);
    bsk_self *a = pick_inside(w);
    biased_leave(&w->q.lock);
    return a;
}

static uint32_t nfresh(const struct run_queue *q)
{
    return q->fresh.n + q->older.n;
}

/* Relaxed: figures for others to look at. */
static void publish_inside(struct worker *w)
{
    struct run_queue *q = &w->q;
    uint64_t queued =
        (uint64_t)q->normal.n + q->pinned.n + q->high.n + nfresh(q) + (q->next != NULL);
    atomic_store_explicit(&w->queued, queued, memory_order_relaxed);
    atomic_store_explicit(&w->ticked, w->now, memory_order_relaxed);
}

static bool has_work(struct worker *w)
{
    struct run_queue *q = &w->q;
    biased_enter(&q->lock);
    publish_inside(w);
    bool any = q->next || nfresh(q) || q->normal.n || q->pinned.n || q->high.n;
    biased_leave(&q->lock);
    return any;
}

static void retune(struct worker *w, uint64_t elapsed)
{
    if (elapsed > 2 * TICK_NS) {
        uint64_t n = (uint64_t)w->per_tick * TICK_NS / elapsed;
        w->per_tick = n ? (int)n : 1;
    } else if (elapsed < TICK_NS && w->per_tick < PER_TICK_MAX) {
        w->per_tick *= 2;
    }
    w->batch = w->per_tick < BATCH_MAX ? (unsigned)w->per_tick : BATCH_MAX;
}

static void poll_loop(struct worker *w, uint64_t now)
{
    w->polled = now;
    if (rt_net(w)) loop_hooks.polls(w);
    uv_run(&w->loop, UV_RUN_NOWAIT);
}

static void fire_timers(struct worker *w)
{
    /* Relaxed: an alarm that another thread files is rung for. */
    if (atomic_load_explicit(&w->alarm, memory_order_relaxed) <= w->now) tim_expire(w);
}

/* Tells whether the queue's head has waited for longer than another core takes to wake. */
static bool waits_long_inside(struct worker *w, uint64_t now)
{
    struct run_queue *q = &w->q;
    if (q->normal.n < 2 || q->dequeued >= w->mark_seq) {
        w->mark_seq = q->enqueued;
        w->mark_time = now;
        return false;
    }
    return now - w->mark_time > SOJOURN_NS;
}

static bool has_surplus_inside(struct worker *w, uint64_t now, uint64_t elapsed, int handled)
{
    struct run_queue *q = &w->q;
    if (waits_long_inside(w, now)) return true;
    if (nfresh(q) > 1 && now - w->fresh_since > SOJOURN_NS) return true;
    /* One alone is no surplus: it has just stood in line again, and nobody is before it. */
    if (q->normal.n < 2) {
        w->nonempty = now;
        return false;
    }
    return now - w->nonempty > SOJOURN_NS && handled > 0 &&
           elapsed / (uint64_t)handled > LONG_MESSAGE_NS;
}

static void call_for_help(struct worker *w)
{
    struct bsk_rt *rt = w->rt;
    /* Relaxed: a worker that parks just now looks at `surplus` after it has said so; see park. */
    if (!atomic_load_explicit(&rt->nparked, memory_order_relaxed)) return;
    atomic_store(&w->surplus, true);
    for (unsigned i = 0; i < rt->nloops; i++) {
        struct worker *v = atomic_load_explicit(&rt->workers[i], memory_order_acquire);
        /* Seq_cst, as the store above: see park. */
        if (atomic_load(&v->state) != WORKER_PARKED) continue;
        sch_ring(v);
        return;
    }
}

/* Those who have run before get their turns, then those who have not, one at the least: ticks may
 * come after each message. */
static void give_turns_inside(struct worker *w)
{
    struct run_queue *q = &w->q;
    if (w->now - w->older_at > OLDER_NS) {
        w->older_at = w->now;
        q->older_turn = true;
    }
    if (w->fresh_turn && nfresh(q)) return;
    uint32_t waiting = q->normal.n + q->pinned.n;
    w->turns = waiting < TURNS_MAX ? waiting : TURNS_MAX;
    w->fresh_turn = true;
}

static void tick(struct worker *w)
{
    uint64_t now = clk_now(w->rt), elapsed = now - w->now;
    int handled = w->per_tick - atomic_load_explicit(&w->until, memory_order_relaxed);
    retune(w, elapsed);
    w->now = now;
    atomic_store_explicit(&w->until, w->per_tick, memory_order_relaxed);
    rt_count(&w->ticks, 1);
    move_inbox_in(w);
    fire_timers(w);
    if (now - w->polled > POLL_NS) poll_loop(w, now);
    if (w->relief) rlf_look(w, false);
    biased_enter(&w->q.lock);
    give_turns_inside(w);
    publish_inside(w);
    bool surplus = is_loop(w) && w->rt->nloops > 1 && has_surplus_inside(w, now, elapsed, handled);
    biased_leave(&w->q.lock);
    if (surplus) call_for_help(w);
}

/* Counts messages, and ticks when it is time. */
static void account(struct worker *w, unsigned n)
{
    int until = atomic_load_explicit(&w->until, memory_order_relaxed) - (int)n;
    atomic_store_explicit(&w->until, until, memory_order_relaxed);
    if (until <= 0) tick(w);
}

/* Splits a stack or list after its first `keep` and returns the rest. */
static bsk_self *split(bsk_self *head, uint32_t keep)
{
    assert(head && keep);
    while (--keep) head = head->link;
    bsk_self *rest = head->link;
    head->link = NULL;
    return rest;
}

/* The newest of the new actors, as many as may be: of a worker that is stuck. */
static bsk_self *take_fresh(struct run_queue *q)
{
    struct run_stack *s = q->fresh.n ? &q->fresh : &q->older;
    bsk_self *got = s->head;
    if (!got) return NULL;
    uint32_t n = s->n < STEAL_MAX ? s->n : STEAL_MAX;
    s->n -= n;
    s->head = split(got, n);
    return got;
}

/* The older half of the new actors: those nearest to a tree's root, with most below them. */
static bsk_self *steal_fresh(struct run_queue *q)
{
    struct run_stack *s = q->older.n > 1 ? &q->older : &q->fresh;
    if (s->n < 2 || s->n > 2 * STEAL_MAX) return NULL;
    uint32_t keep = s->n - s->n / 2;
    s->n = keep;
    return split(s->head, keep);
}

/* The first half of a list but for pinned actors; all of it from a worker that is stuck. */
static bsk_self *steal_list(struct run_list *l, bool all)
{
    uint32_t n = all ? l->n : l->n / 2;
    if (n > STEAL_MAX) n = STEAL_MAX;
    bsk_self *got = NULL, **end = &got;
    for (uint32_t look = n; look; look--) {
        bsk_self *a = run_list_pop(l);
        if (act_flags(a) & ACT_PINNED) {
            run_list_push(l, a);
            continue;
        }
        *end = a;
        end = &a->link;
    }
    *end = NULL;
    return got;
}

static bsk_self *steal_inside(struct run_queue *q, bool all)
{
    bsk_self *got = all ? steal_list(&q->high, true) : NULL;
    if (!got) got = all ? take_fresh(q) : steal_fresh(q);
    if (got) return got;
    if (all && q->next && !(act_flags(q->next) & ACT_PINNED)) run_queue_push_next(q, NULL);
    uint32_t before = q->normal.n;
    got = steal_list(&q->normal, all);
    q->dequeued += before - q->normal.n;
    return got || all ? got : steal_list(&q->high, false);
}

static uint32_t adopt(struct worker *w, bsk_self *got)
{
    uint32_t n = 0;
    biased_enter(&w->q.lock);
    for (bsk_self *next; got; got = next, n++) {
        next = got->link;
        enqueue_inside(w, got);
    }
    biased_leave(&w->q.lock);
    if (n) rt_count(&w->count.steals, 1);
    return n;
}

static bool steal_from(struct worker *w, struct worker *v, bool all)
{
    if (!biased_seize(&v->q.lock)) return false;
    bsk_self *got = steal_inside(&v->q, all);
    biased_release(&v->q.lock);
    return adopt(w, got) > 0;
}

/* Answers a call for help. */
static bool help(struct worker *w)
{
    struct bsk_rt *rt = w->rt;
    for (unsigned i = 1; i < rt->nloops; i++) {
        struct worker *v = rt->workers[(w->index + i) % rt->nloops];
        /* Seq_cst with call_for_help and park: a call is seen by who parks, or its parking by
         * who calls. */
        if (!atomic_load(&v->surplus) || !atomic_exchange(&v->surplus, false)) continue;
        if (steal_from(w, v, false)) return true;
    }
    return false;
}

static bool take_over_inbox(struct worker *w, struct worker *v)
{
    bool got = false;
    /* Relaxed: what comes just now is seen at the next look. */
    if (!atomic_load_explicit(&v->inbox, memory_order_relaxed)) return false;
    for (bsk_self *a = take_inbox(v), *next; a; a = next) {
        next = a->link;
        if (act_flags(a) & ACT_PINNED) {
            sch_send_home(w->rt, a, v);
            continue;
        }
        sch_enqueue(w, a);
        got = true;
    }
    return got;
}

bool sch_relieve(struct worker *w, struct worker *v)
{
    assert(w != v && w == rt_worker());
    bool got = steal_from(w, v, true);
    if (take_over_inbox(w, v)) got = true;
    /* Relaxed, as for the inbox. */
    if (atomic_load_explicit(&v->alarm, memory_order_relaxed) <= w->now) tim_expire_of(w, v);
    return got;
}

bool sch_keeps_waiting(struct worker *v, uint64_t now)
{
    struct run_queue *q = &v->q;
    /* Relaxed, as in sch_relieve. */
    if (atomic_load_explicit(&v->inbox, memory_order_relaxed)) return true;
    if (atomic_load_explicit(&v->alarm, memory_order_relaxed) <= now) return true;
    /* A thief is there already: then the next look tells. */
    if (!biased_seize(&q->lock)) return false;
    bool any =
        (q->next && !(act_flags(q->next) & ACT_PINNED)) || nfresh(q) || q->normal.n || q->high.n;
    biased_release(&q->lock);
    return any;
}

static bsk_self *take_own(struct worker *w, bool all)
{
    biased_enter(&w->q.lock);
    bsk_self *got = steal_inside(&w->q, all);
    biased_leave(&w->q.lock);
    return got;
}

void sch_share(struct worker *w)
{
    struct bsk_rt *rt = w->rt;
    /* Relaxed, and no handshake as in call_for_help: the next look comes soon. */
    for (unsigned i = 0; i < rt->nloops; i++) {
        struct worker *v = atomic_load_explicit(&rt->workers[i], memory_order_acquire);
        if (atomic_load_explicit(&v->state, memory_order_relaxed) != WORKER_PARKED) continue;
        for (bsk_self *a = take_own(w, false), *next; a; a = next) {
            next = a->link;
            sch_send_home(rt, a, v);
        }
    }
}

void sch_hand_back(struct worker *w)
{
    struct bsk_rt *rt = w->rt;
    unsigned turn = 0;
    bsk_self *a, *next;
    while ((a = take_own(w, true)))
        for (; a; a = next) {
            next = a->link;
            sch_send_home(rt, a, rt->workers[turn++ % rt->nloops]);
        }
}

/* Takes what waits behind a message that has held its worker since the last look. */
static bool rescue(struct worker *w)
{
    struct bsk_rt *rt = w->rt;
    for (unsigned i = 1; i < rt->nloops; i++) {
        struct worker *v = rt->workers[(w->index + i) % rt->nloops];
        if (atomic_load_explicit(&v->state, memory_order_relaxed) != WORKER_RUNS) continue;
        uint64_t ticks = atomic_load_explicit(&v->ticks, memory_order_relaxed);
        if (atomic_exchange_explicit(&v->looked, ticks, memory_order_relaxed) != ticks) continue;
        if (sch_relieve(w, v)) return true;
    }
    return false;
}

/* Tells the thread in bsk_wait that there may be nobody left. */
static void report_quiet(struct bsk_rt *rt)
{
    if (rt_alive(rt)) return;
    uv_mutex_lock(&rt->lock);
    uv_cond_broadcast(&rt->changed);
    uv_mutex_unlock(&rt->lock);
}

/* Returns for how long to sleep at most, in ns. Called as PARKED: what is filed later rings. */
static uint64_t sleep_time(struct worker *w)
{
    lock_take(&w->wheel_lock);
    uint64_t due = whl_next(&w->wheel);
    atomic_store(&w->alarm, due);
    lock_give(&w->wheel_lock);
    uint64_t now = clk_now(w->rt), ns = due == NEVER ? NEVER : due > now ? due - now : 0;
    int ms = uv_backend_timeout(&w->loop);
    if (ms >= 0 && (uint64_t)ms * NS_PER_MS < ns) ns = (uint64_t)ms * NS_PER_MS;
    unsigned parked = atomic_load_explicit(&w->rt->nparked, memory_order_relaxed);
    bool looks = is_loop(w) ? parked < w->rt->nloops : w->relief && rlf_wanted(w);
    if (looks && ns > LOOK_NS) ns = LOOK_NS;
    uint64_t trim = trm_due(w);
    if (trim != NEVER && trim - now < ns) ns = trim > now ? trim - now : 0;
    return ns;
}

void sch_sleep(struct worker *w, uint64_t ns)
{
    struct pollfd fd = {.fd = uv_backend_fd(&w->loop), .events = POLLIN};
    struct timespec t = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    ppoll(&fd, 1, ns == NEVER ? NULL : &t, NULL);
}

static bool called(struct worker *w)
{
    for (unsigned i = 0; i < w->rt->nloops; i++)
        if (atomic_load(&w->rt->workers[i]->surplus)) return is_loop(w);
    return false;
}

static void doze(struct worker *w)
{
    uint64_t ns = sleep_time(w), from = clk_now(w->rt);
    /* Relaxed: both are written by this worker alone, and `sleeps` is a figure that may be seen
     * a little late. */
    uint64_t sum = atomic_load_explicit(&w->slept, memory_order_relaxed);
    atomic_store_explicit(&w->sleeps, from, memory_order_relaxed);
    sch_sleep(w, ns);
    atomic_store_explicit(&w->sleeps, 0, memory_order_relaxed);
    /* Release pairs with the acquire in load.c: who sees this sleep in `slept` does not see it in
     * `sleeps` any more. */
    atomic_store_explicit(&w->slept, sum + clk_now(w->rt) - from, memory_order_release);
}

/* Sleeps until the bell, the loop, an alarm, or a look around is due.
 *
 *     parker                          sender
 *     state = PARKED                  inbox = actor   (or surplus, alarm, halt, held)
 *     inbox? surplus? halt? -> stay   state PARKED? -> ring
 *
 * All seq_cst: at least one of the two sees the other, so no wake-up is lost. */
static void park(struct worker *w)
{
    if (is_loop(w)) atomic_fetch_add(&w->rt->nparked, 1);
    atomic_store(&w->state, WORKER_PARKED);
    bool stay = atomic_load(&w->inbox) || atomic_load(&w->rt->halt) || called(w);
    if (!stay) {
        report_quiet(w->rt);
        rt_count(&w->count.parks, 1);
        doze(w);
    }
    atomic_store(&w->state, WORKER_RUNS);
    if (atomic_load(&w->rt->trimming)) trm_wait(w->rt);
    if (is_loop(w)) atomic_fetch_sub(&w->rt->nparked, 1);
    dog_wake(w->rt);
}

/* Looks at all that can bring work. */
static void wake_up(struct worker *w)
{
    w->now = w->nonempty = clk_now(w->rt);
    rt_count(&w->ticks, 1);
    move_inbox_in(w);
    tim_expire(w);
    poll_loop(w, w->now);
}

static void idle(struct worker *w)
{
    assert(!rt_self(w) && !w->in_fiber);
    atomic_store(&w->surplus, false);
    wake_up(w);
    if (w->relief) rlf_look(w, true);
    if (has_work(w)) return;
    if (is_loop(w) && help(w)) return;
    if (trm_due(w) <= w->now) trm_run(w);
    park(w);
    wake_up(w);
    if (has_work(w) || !is_loop(w) || help(w) || w->now - w->looked_at < LOOK_NS) return;
    w->looked_at = w->now;
    rescue(w);
}

static void unwound(struct worker *w)
{
    act_end(w, atomic_load_explicit(&w->self, memory_order_relaxed), w->ending.reason);
    act_over(w);
    account(w, 1);
}

/* A worker that ends leaves nobody in its queue and its inbox: who pushes later finds it GONE and
 * moves on. */
static void leave(struct worker *w)
{
    atomic_store(&w->state, WORKER_GONE);
    if (!w->solo) return;
    bsk_self *a, *next;
    while ((a = pick(w))) sch_send_home(w->rt, a, w->rt->workers[0]);
    for (a = take_inbox(w); a; a = next) {
        next = a->link;
        sch_send_home(w->rt, a, w->rt->workers[0]);
    }
    /* Its actor may have been the last, with all loops asleep. Of this and park's exchanges on the
     * same word one comes later: who that is sees the end of the other's last actor. */
    atomic_fetch_add(&w->rt->nparked, 0);
    report_quiet(w->rt);
}

void sch_main(void *worker)
{
    struct worker *w = worker;
    rt_set_worker(w);
    act_hooks.enter(w);
    fib_adopt(&w->ctx);
    if (FIB_MARK(&w->mark)) unwound(w);
    while (!atomic_load_explicit(&w->rt->halt, memory_order_acquire) && !w->done) {
        bsk_self *a = pick(w);
        if (a)
            account(w, act_run(w, a));
        else
            idle(w);
    }
    if (rt_net(w)) loop_hooks.leave(w);
    leave(w);
    fib_drop(&w->ctx);
    act_hooks.leave(w);
    rt_set_worker(NULL);
    atomic_store(&w->over, true);
}

/* Seeded: moves the virtual time to the next alarm, unless it lies beyond the limit. */
static bool step_time(struct worker *w, uint64_t limit)
{
    uint64_t due = whl_exact(&w->wheel);
    if (due > limit || due == NEVER) return false;
    if (due > w->rt->virtual_now) w->rt->virtual_now = due;
    w->now = w->rt->virtual_now;
    tim_expire(w);
    return true;
}

static void step(struct worker *w)
{
    move_inbox_in(w);
    bsk_self *a = pick(w);
    w->batch = 1 + (unsigned)(rnd_next(w->random) % 8);
    if (a) act_run(w, a);
}

static bool anything_to_do(struct worker *w)
{
    if (atomic_load_explicit(&w->inbox, memory_order_relaxed)) return true;
    for (unsigned i = 0; i < LANES; i++)
        if (w->q.lanes[i].n) return true;
    return work_run_one(w->rt);
}

bool sch_drive(struct worker *w, bool (*until)(void *arg), void *arg, uint64_t limit)
{
    struct worker *outer = rt_worker();
    bool met;
    rt_set_worker(w);
    act_hooks.enter(w);
    w->now = w->rt->virtual_now;
    fib_adopt(&w->ctx);
    if (FIB_MARK(&w->mark)) unwound(w);
    while (!(met = until && until(arg)))
        if (anything_to_do(w))
            step(w);
        else if (!step_time(w, limit))
            break;
    act_hooks.leave(w);
    rt_set_worker(outer);
    return met;
}

void sch_alarm(struct worker *w, uint64_t due)
{
    /* Called under the wheel's lock, as is the store in sleep_time: the earliest stands in
     * `alarm`. */
    if (due >= atomic_load(&w->alarm)) return;
    atomic_store(&w->alarm, due);
    if (w != rt_worker() && atomic_load(&w->state) == WORKER_PARKED) sch_ring(w);
}

static void on_bell(uv_async_t *bell)
{
    struct worker *w = bell->data;
    rt_count(&w->count.wakeups, 1);
}

/* Where a later step of it fails, libuv before 1.51 leaves its first descriptor open, and where it
 * stands; since then it says -1, and 0 where it had none yet. */
static int init_loop(uv_loop_t *loop)
{
    if (uv_loop_init(loop) == 0) return 0;
    int fd = uv_backend_fd(loop);
    if (fd > 0) close(fd);
    return BSK_ENOMEM;
}

static int open_loop(struct worker *w)
{
    if (init_loop(&w->loop)) return BSK_ENOMEM;
    w->bell.data = w;
    if (uv_async_init(&w->loop, &w->bell, on_bell)) {
        uv_loop_close(&w->loop);
        return BSK_ENOMEM;
    }
    w->looped = true;
    return 0;
}

static int init_measures(struct worker *w)
{
    if (!w->timing) return 0;
    w->in_mailbox = mem_zalloc(2 * sizeof *w->in_mailbox);
    if (!w->in_mailbox) return BSK_ENOMEM;
    w->in_handler = w->in_mailbox + 1;
    return 0;
}

static void init_fields(struct worker *w, struct bsk_rt *rt, unsigned index)
{
    w->rt = rt;
    w->node = rt->node;
    w->slots = (bsk_self *)(void *)rt->actors.base;
    w->nslots = rt->actors.limit;
    w->index = (uint16_t)index;
    w->tracing = rt->opts.trace || rt->seeded;
    w->timing = rt->opts.histograms;
    w->watched = w->tracing || w->timing;
    w->plain_queue = !rt->seeded;
    w->per_tick = 64;
    w->batch = 64;
    w->now = clk_now(rt);
    w->ending.text = w->ending.brief;
    atomic_init(&w->until, w->per_tick);
    atomic_init(&w->alarm, NEVER);
    biased_init(&w->q.lock);
    pool_cache_init(&w->pool, &rt->pool);
    slab_cache_init(&w->actors, &rt->actors);
    slab_cache_init(&w->asks, &rt->asks);
    slab_cache_init(&w->timers, &rt->timers);
    whl_init(&w->wheel, w->now);
    rnd_seed(w->random, rt->seeded ? rt->opts.seed : rnd_entropy());
}

int sch_init(struct worker *w, struct bsk_rt *rt, unsigned index)
{
    init_fields(w, rt, index);
    if (init_measures(w)) return BSK_ENOMEM;
    if (rt->seeded && !(w->q.lanes = mem_zalloc(LANES * sizeof *w->q.lanes))) goto free_measures;
    if (open_loop(w) == 0) return 0;
    mem_free(w->q.lanes);
free_measures:
    mem_free(w->in_mailbox);
    return BSK_ENOMEM;
}

static void close_handle(uv_handle_t *handle, void *closed)
{
    if (uv_is_closing(handle)) return;
    uv_close(handle, NULL);
    ++*(unsigned *)closed;
}

void sch_fini(struct worker *w)
{
    unsigned closed = 0;
    uv_walk(&w->loop, close_handle, &closed);
    if (closed) uv_run(&w->loop, UV_RUN_DEFAULT);
    uv_loop_close(&w->loop);
    act_hooks.free_worker(w);
    loop_hooks.free_worker(w);
    pool_cache_flush(&w->pool);
    mem_free(w->q.lanes);
    mem_free(w->in_mailbox);
}

static int start_thread(struct worker *w)
{
    assert(!w->threaded && !rt_self(w));
    w->done = false;
    atomic_store(&w->over, false);
    atomic_store(&w->state, WORKER_RUNS);
    if (uv_thread_create(&w->thread, sch_main, w)) {
        atomic_store(&w->state, WORKER_GONE);
        atomic_store(&w->over, true);
        return BSK_ENOMEM;
    }
    w->threaded = true;
    return 0;
}

/* One whose actor has ended: its thread has nothing left to do but to be joined. Or one that got
 * none. */
static struct worker *used_worker_locked(struct bsk_rt *rt)
{
    unsigned n = atomic_load_explicit(&rt->nworkers, memory_order_relaxed);
    for (unsigned i = rt->nloops; i < n; i++) {
        struct worker *w = atomic_load_explicit(&rt->workers[i], memory_order_relaxed);
        if (!atomic_load(&w->over)) continue;
        if (w->threaded) uv_thread_join(&w->thread);
        w->threaded = false;
        return w;
    }
    return NULL;
}

/* One more, without a thread. It is whole before others can find it, and stays for the next to use
 * if it gets none. */
static struct worker *new_worker_locked(struct bsk_rt *rt)
{
    unsigned index = atomic_load_explicit(&rt->nworkers, memory_order_relaxed);
    struct worker *w = mem_aligned(64, sizeof *w);
    if (!w) return NULL;
    memset(w, 0, sizeof *w);
    if (sch_init(w, rt, index)) {
        mem_free(w);
        return NULL;
    }
    atomic_init(&w->state, WORKER_GONE);
    atomic_init(&w->over, true);
    /* Release pairs with the acquire of whoever finds it by an actor's home. */
    atomic_store_explicit(&rt->workers[index], w, memory_order_release);
    /* Seq_cst with the watchdog: either it counts this worker, or dog_wake sees it asleep. */
    atomic_store(&rt->nworkers, index + 1);
    return w;
}

static int idle_worker_locked(struct bsk_rt *rt, struct worker **out)
{
    unsigned n = atomic_load_explicit(&rt->nworkers, memory_order_relaxed);
    struct worker *w = used_worker_locked(rt);
    if (!w && n == WORKERS_MAX) return BSK_ELIMIT;
    if (!w && !(w = new_worker_locked(rt))) return BSK_ENOMEM;
    *out = w;
    return 0;
}

/* Starts one more worker, which is for one actor or a relief. */
static struct worker *add_worker(struct bsk_rt *rt, bool relief, int *rc)
{
    struct worker *w = NULL;
    uv_mutex_lock(&rt->lock);
    *rc = idle_worker_locked(rt, &w);
    if (*rc == 0) {
        w->relief = w->plain_queue = relief;
        w->solo = !relief;
        /* One that hears no signals is better than none. */
        if (relief && sht_watch_signals(w)) trc_log(rt, BSK_LOG_WARN, "a relief hears no signals");
        *rc = start_thread(w);
    }
    uv_mutex_unlock(&rt->lock);
    return *rc ? NULL : w;
}

/* A worker of its own for one actor; not joined by thieves, and free for another when that has
 * ended. */
struct worker *sch_add_solo(struct bsk_rt *rt, int *rc)
{
    struct worker *w = add_worker(rt, false, rc);
    if (w) dog_wake(rt);
    return w;
}

struct worker *sch_add_relief(struct bsk_rt *rt, int *rc)
{
    return add_worker(rt, true, rc);
}
