/* SPDX-License-Identifier: MIT */
/* runtime.h - a runtime, and its workers: threads that own a loop and run actors. */
#ifndef BSK_RUNTIME_H
#define BSK_RUNTIME_H

#include "actor.h"
#include "histogram.h"
#include "mailbox/memory.h"
#include "mailbox/pool.h"
#include "run_queue.h"

#include <uv.h>

#define WORKERS_MAX 4096 /* loops, with those of actors that have a thread of their own */
#define STRIPES 64       /* locks for the rare lists of slots */
#define NS_PER_MS UINT64_C(1000000)
#define NEVER UINT64_MAX

enum worker_state { WORKER_RUNS, WORKER_PARKED, WORKER_RUNG, WORKER_GONE };

/* Figures that one worker writes and anyone reads: each is a sum of its own. */
struct figures {
    _Atomic uint64_t spawned, ended, failed;
    _Atomic uint64_t user, signal, reply; /* messages handled by lane */
    _Atomic uint64_t refused;
    _Atomic uint64_t dead[BSK_DEAD_COUNT];
    _Atomic uint64_t steals, parks, wakeups;
    _Atomic uint64_t timers_made, timers_freed;
};

/* The end of an actor that is under way on a worker. */
struct ending {
    bsk_self *actor; /* NULL: none */
    enum bsk_reason reason;
    unsigned stage;
    struct bsk_msg *dropping; /* whose contents are being dropped */
    bsk_addr who;
    bool solo;
    const char *file;
    int line;
    char *text; /* heap, or brief */
    char brief[256];
};

struct worker {
    struct bsk_rt *rt;
    uint64_t node;   /* copies of the runtime's, for the send path */
    bsk_self *slots;
    uint32_t nslots;
    uint16_t index;
    bool solo;        /* for one actor, with a thread of its own */
    bool plain_queue; /* neither solo nor seeded: what is woken here runs here, in order */
    bool tracing, timing, watched; /* watched: either */
    bsk_self *_Atomic self;         /* who runs; NULL: nobody; read by dumps and the watchdog */
    const bsk_type *_Atomic doing;  /* the type of the message in its hand */
    struct pool_cache pool;
    struct slab_cache actors, asks, timers;
    struct run_queue q;
    uint64_t now;      /* ns, at the last tick */
    _Atomic int until; /* messages until the next tick; read by the watchdog */
    int per_tick;
    unsigned batch;
    uint32_t turns; /* of the normal queue before new actors */
    bool in_fiber;  /* on the fiber's stack, not this thread's */
    bool left;      /* the fiber that ran has left for good */
    bool done;      /* solo: its actor has ended */
    int error;
    uint64_t polled, nonempty, mark_time, mark_seq, fresh_since;
    uint64_t idle_at, idle_since, trimmed_at; /* see trim.c */
    uint64_t born; /* last order of start given out */
    struct bsk_msg *loans; /* freed when the message in hand is */
    struct ending ending;
    struct fib_mark mark;
    struct fib_context ctx;
    struct figures count;
    struct hist *in_mailbox, *in_handler; /* NULL: not measured */
    uint64_t random[2];

    /* What other threads touch. */
    alignas(64) bsk_self *_Atomic inbox; /* actors to run here, newest first */
    _Atomic int state;                   /* enum worker_state */
    _Atomic bool surplus;                /* calls for help */
    _Atomic uint64_t ticks, looked;
    _Atomic uint64_t ticked; /* ns: when; for dumps */
    _Atomic uint64_t queued; /* in the run queues, at the last tick */
    alignas(64) struct lock wheel_lock;
    struct whl wheel;
    _Atomic uint64_t alarm; /* when its parked thread wakes by itself */
    uv_loop_t loop;
    uv_async_t bell;
    uv_thread_t thread;
    bool looped, threaded;
};

struct name;

struct work;

/* What the blocking pool shares; see work.c. */
struct work_pool {
    uv_mutex_t lock;
    uv_cond_t more, less;
    struct work *head, *tail;
    unsigned queued, idle, busy, nthreads;
    uv_thread_t *threads;
    bool stopping;
};

/* An actor and its place in the order of start. */
struct birth {
    uint64_t born;
    bsk_addr who;
};

/* See watchdog.c. */
struct watchdog {
    uv_mutex_t lock;
    uv_cond_t cond;
    uv_thread_t thread;
    bool running, stop;
    struct sight *sights; /* a worker each */
    _Atomic bool asleep;
};

struct bsk_rt {
    uint64_t node;
    bsk_rt_opts opts;
    bool seeded;
    uint64_t virtual_now, digest;
    struct pool pool;
    struct slab actors, asks, timers, names;
    struct stk_pool stacks;
    struct lock stripes[STRIPES];
    struct worker *_Atomic workers[WORKERS_MAX];
    _Atomic unsigned nworkers; /* in the array; grows only */
    unsigned nloops;           /* of them, those that take any actor */
    _Atomic unsigned nparked;  /* of the loops */
    struct figures elsewhere;  /* counted by threads that are no workers: read-modify-writes */
    _Atomic unsigned users;    /* threads that are no workers and are inside right now */
    _Atomic bool trimming;     /* nobody else may look at slots */
    uint64_t started;          /* ns, of the clock */
    uint32_t random_state[4];

    uv_mutex_t name_lock; /* guards the names */
    struct name **buckets;
    uint32_t nbuckets, nnames;

    uv_mutex_t lock; /* guards all below that is not atomic */
    uv_cond_t changed;
    bool quit;             /* asked to stop */
    _Atomic bool stopping; /* actors are being stopped, none is started */
    _Atomic bool halt;     /* workers leave */
    struct birth *victims; /* who is left to stop, the next one last */
    size_t nvictims, victims_cap;
    bsk_addr victim;
    uint64_t victim_until, looks_at; /* when bsk_wait looks at it next */
    _Atomic bool root_failed;
    _Atomic uint64_t logged; /* ns of the last dead-letter line */
    uv_signal_t signals[3];
    struct work_pool work;
    struct watchdog dog;
    struct bsk_rt *next; /* in the process's list of runtimes */
};

/* Initial-exec: one instruction to read, also in a shared library. Only for functions that do not switch
 * stacks between reading and using it; all others call rt_worker. */
extern _Thread_local struct worker *rt_current
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* The calling thread's worker, or NULL. Never inlined: a fiber may go on on another thread, and what a
 * compiler remembers of this one must not go with it. */
struct worker *rt_worker(void);
void rt_set_worker(struct worker *w);

/* The runtime that runs the calling thread: a worker's, or the one whose blocking work it does. */
extern _Thread_local struct bsk_rt *rt_working
    __attribute__((tls_model("initial-exec"), visibility("hidden")));
struct bsk_rt *rt_here(void);

/* Finds the runtime of an incarnation and keeps it from ending until rt_drop; NULL: none such. */
struct bsk_rt *rt_hold(uint64_t node);
void rt_drop(struct bsk_rt *rt);

/* Returns the actor of an address whose slot exists; whether it lives is its generation's to say. */
static inline bsk_self *rt_slot(const struct bsk_rt *rt, uint32_t slot)
{
    return slot < rt->actors.limit ? (bsk_self *)(void *)rt->actors.base + slot : NULL;
}

/* The actor that runs on the worker, or NULL. */
static inline bsk_self *rt_self(const struct worker *w)
{
    return w ? atomic_load_explicit(&w->self, memory_order_relaxed) : NULL;
}

static inline uint32_t rt_slot_of(const struct bsk_rt *rt, const bsk_self *a)
{
    return (uint32_t)(a - (const bsk_self *)(const void *)rt->actors.base);
}

static inline bsk_addr rt_addr(const struct bsk_rt *rt, const bsk_self *a, uint32_t gen)
{
    return (bsk_addr){rt->node, rt_slot_of(rt, a), gen};
}

static inline struct lock *rt_stripe(struct bsk_rt *rt, const bsk_self *a)
{
    return &rt->stripes[rt_slot_of(rt, a) % STRIPES];
}

/* Adds to a figure: one writer, so no read-modify-write; relaxed, since each stands for itself. */
static inline void rt_count(_Atomic uint64_t *figure, uint64_t n)
{
    atomic_store_explicit(figure, atomic_load_explicit(figure, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/* The figures to count in: the worker's, or those shared by other threads (then `shared`). */
static inline void rt_count_any(struct worker *w, struct bsk_rt *rt, size_t offset, uint64_t n)
{
    if (w)
        rt_count((_Atomic uint64_t *)(void *)((char *)&w->count + offset), n);
    else
        atomic_fetch_add_explicit((_Atomic uint64_t *)(void *)((char *)&rt->elsewhere + offset), n,
                                  memory_order_relaxed);
}
#define RT_COUNT(w, rt, figure) rt_count_any((w), (rt), offsetof(struct figures, figure), 1)

void sch_wake(struct worker *w, struct bsk_rt *rt, bsk_self *a);

/* Sees that an actor whose mailbox became busy runs. w is NULL where the caller is no worker of rt. */
static inline void act_wake(struct worker *w, struct bsk_rt *rt, bsk_self *a)
{
    if (!w || !w->plain_queue || (act_flags(a) & (ACT_PINNED | ACT_HIGH | ACT_FRESH))) {
        sch_wake(w, rt, a);
        return;
    }
    biased_enter(&w->q.lock);
    run_queue_push_next(&w->q, a);
    biased_leave(&w->q.lock);
}

/* Actors alive, exact when nobody spawns meanwhile. */
uint64_t rt_alive(struct bsk_rt *rt);

/* clock.c: the one source of time and randomness. */
uint64_t clk_now(const struct bsk_rt *rt);          /* ns since the start */
uint64_t clk_deadline(uint64_t now, int64_t ms);    /* NEVER for BSK_FOREVER and beyond */
uint64_t rnd_next(uint64_t state[2]);
void rnd_seed(uint64_t state[2], uint64_t seed);
uint64_t rnd_entropy(void);

/* trace.c: events, dead letters, log lines. */
void trc_emit(struct worker *w, struct bsk_rt *rt, enum bsk_event_kind kind, bsk_addr actor,
              bsk_addr peer, const bsk_type *type, int64_t value, const char *text);
void trc_dead(struct worker *w, struct bsk_rt *rt, bsk_addr to, const bsk_type *type, enum bsk_dead why);
void trc_log(struct bsk_rt *rt, enum bsk_level level, const char *format, ...) BSK_PRINTF_(3, 4);

/* name.c */
int name_init(struct bsk_rt *rt);
void name_fini(struct bsk_rt *rt);
int name_take(struct bsk_rt *rt, bsk_self *a, const char *name, bool registered, bsk_addr who);
/* Others can take the name; logs still know the actor by it. */
void name_release(struct bsk_rt *rt, bsk_self *a);
void name_free(struct bsk_rt *rt, bsk_self *a);
void name_describe(struct bsk_rt *rt, const bsk_self *a, char *out, size_t size);

/* scheduler.c */
int sch_init(struct worker *w, struct bsk_rt *rt, unsigned index);
void sch_fini(struct worker *w);
void sch_main(void *worker); /* a worker's thread */
/* Seeded: runs until `until` holds, or nothing more can happen up to `limit`. Tells whether it holds. */
bool sch_drive(struct worker *w, bool (*until)(void *arg), void *arg, uint64_t limit);
void sch_enqueue(struct worker *w, bsk_self *a);      /* at the end of w's queue; w's own thread */
void sch_send_home(struct bsk_rt *rt, bsk_self *a, struct worker *to); /* into another's inbox */
struct worker *sch_home(struct bsk_rt *rt, const bsk_self *a); /* where it may run, if not here */
void sch_ring(struct worker *w);                      /* wakes a parked worker */
void sch_alarm(struct worker *w, uint64_t due);       /* a parked worker must wake by then */
struct worker *sch_add_solo(struct bsk_rt *rt, int *rc);

/* timer.c */
int tim_init_slab(struct bsk_rt *rt);
void tim_expire(struct worker *w);                   /* delivers what is due */
bool tim_received(struct worker *w, bsk_self *a, struct bsk_msg *m);
bool tim_again(struct worker *w, bsk_self *a, struct bsk_msg *m);
void tim_free_all(struct worker *w, bsk_self *a);
int tim_kill_after(struct worker *w, struct bsk_rt *rt, bsk_addr who, int64_t ms);

/* spawn.c: what spawn made, unmade. */
void spawn_free_state(struct worker *w, struct bsk_rt *rt, bsk_self *a);
void spawn_free_more(bsk_self *a);
int64_t spawn_finish_ms(const bsk_self *a);

/* end.c */
/* Frees what stale messages in empty slots hold; no thread runs any more. */
void end_sweep_all(struct bsk_rt *rt);
/* Why the actor on this worker ends; copied. */
void end_text(struct worker *w, const char *file, int line, const char *text);

/* fiber.c */
int fib_create(struct bsk_rt *rt, bsk_self *a, size_t stack);
void fib_free(bsk_self *a);
void fib_drop_held(struct worker *w, bsk_self *a); /* what a fiber that ended was waiting for or had borrowed */
bool fib_on_own_stack(const bsk_self *a);
void fib_prepare(bsk_self *a, uint64_t state, uint64_t deadline, enum wait_kind kind, bsk_addr on);
void fib_resumed(bsk_self *a);

/* Waits in the given mailbox state until poked (or, IDLE, pushed to) or the deadline; may return early.
 * Inline, as what calls it should be: after a switch each return is mispredicted by the processor. */
static inline __attribute__((always_inline)) void fib_wait(bsk_self *a, uint64_t state, uint64_t deadline,
                                                           enum wait_kind kind, bsk_addr on)
{
    fib_prepare(a, state, deadline, kind, on);
    fib_switch(&a->more->fiber->ctx, &a->worker->ctx);
    fib_resumed(a);
}

void fib_turn(bsk_self *a);
/* Tells whether the fiber was asked to stop: what its waits ask before they begin. */
bool fib_cancelled(bsk_self *a);
void fib_spend(bsk_self *a);         /* a turn for others now and then */
void fib_return_loans(bsk_self *a);  /* what was borrowed until this wait */
void alarm_fired(struct worker *w, struct whl_node *node);

/* receive.c */
void rcv_bury_saved(struct worker *w, bsk_self *a);

/* send.c */

/* A block for a body of that size, or NULL; its contents undefined but for the class. */
struct bsk_msg *snd_block(struct worker *w, struct bsk_rt *rt, size_t body_size);
/* A user message for the actor of that generation, copied; or NULL for want of memory. */
struct bsk_msg *snd_build(struct worker *w, struct bsk_rt *rt, const bsk_type *type, const void *body,
                          uint32_t gen);
void snd_free(struct worker *w, struct bsk_rt *rt, struct bsk_msg *m); /* contents and block */
void snd_free_block(struct worker *w, struct bsk_rt *rt, struct bsk_msg *m);
/* Pushes a signal or reply, whose memory was set aside; frees it if its receiver has ended. */
void snd_urgent(struct worker *w, struct bsk_rt *rt, bsk_addr to, struct bsk_msg *m);
/* As bsk_try; `ask`, if not 0, makes it a request. */
int snd_try(struct worker *w, struct bsk_rt *rt, bsk_addr to, uint32_t margin, const bsk_type *type,
            const void *body, uint64_t ask);
/* Who calls and where to: a worker of the address's runtime; or that runtime, held until snd_leave. */
struct way {
    struct worker *w;
    struct bsk_rt *rt;
};
bool snd_enter(bsk_addr to, struct way *way);
void snd_leave(const struct way *way);

/* room.c */
void room_wake(struct worker *w, struct bsk_rt *rt, bsk_self *a); /* as many as there is room for */
void room_wake_all(struct worker *w, struct bsk_rt *rt, bsk_self *a); /* it is closed, or gone */
bool room_wanted(bsk_self *a);                                    /* somebody is in the list */
void room_forget(struct worker *w, bsk_self *a);                  /* a killed fiber waited for room */

/* As bsk_send; for a call the request's `ask`. self NULL: a thread. */
int room_send(bsk_self *self, struct bsk_rt *rt, bsk_addr to, uint64_t deadline, const bsk_type *type,
              const void *body, uint64_t ask);

/* ask.c */
/* Opens a request of the actor; then it is sent under the ref, or undone. 0 or a code. */
int ask_begin(bsk_self *self, int64_t ms, const bsk_type *type, size_t reply_size, uint64_t *ref);
int ask_undo(bsk_self *self, uint64_t ref, int rc);
/* As bsk_call, with the request for an actor, or, if there is a function, for the blocking pool. */
const void *ask_call(bsk_self *self, struct bsk_rt *rt, int64_t ms, const bsk_type *type, const void *body,
                     bsk_addr to, bsk_work_fn *fn);
int ask_init_slab(struct bsk_rt *rt);
void ask_abandon_all(struct worker *w, bsk_self *a);           /* the asker ends */
void ask_dropped(struct worker *w, struct bsk_rt *rt, uint64_t ref); /* freed without a reply */
bool ask_open(struct bsk_rt *rt, uint64_t ref, uint64_t now);
uint64_t ask_deadline(struct bsk_rt *rt, uint64_t ref);
uint64_t ask_sent(struct bsk_rt *rt, uint64_t ref);
void ask_expired(struct worker *w, struct whl_node *node);
void ask_received(struct worker *w, bsk_self *a, struct bsk_msg *m); /* a reply or loss comes in */
void ask_later_lost(struct worker *w, bsk_self *a);            /* the keeper of rights to reply ends */
void ask_release_call(struct worker *w, bsk_self *a);

/* shutdown.c */
void sht_ended(struct bsk_rt *rt, bsk_addr who);
/* Waits until all have ended, stopping them when asked to. Returns bsk_wait's status; 2: somebody did not
 * stop in time, and nothing can be freed. */
int sht_wait(struct bsk_rt *rt, bool *all_ended);
int sht_watch_signals(struct bsk_rt *rt);

/* watchdog.c */
int dog_start(struct bsk_rt *rt);
void dog_stop(struct bsk_rt *rt);
void dog_wake(struct bsk_rt *rt);

/* work.c */
int work_init(struct bsk_rt *rt);
/* Tells whether all work that runs has ended by the time. */
bool work_wait(struct bsk_rt *rt, uint64_t deadline);
void work_fini(struct bsk_rt *rt);
int work_submit(struct worker *w, struct bsk_rt *rt, bsk_work_fn *fn, const bsk_type *type,
                const void *body, uint64_t ref);
bool work_run_one(struct bsk_rt *rt); /* seeded: on the runtime's one thread */

/* trim.c */
#define TRIM_AFTER_NS (UINT64_C(100) * NS_PER_MS)
/* When an idle worker should give memory back: NEVER if there is nothing worth it. */
uint64_t trm_due(struct worker *w);
void trm_run(struct worker *w);
/* Waits until nobody trims: for who has just entered. */
void trm_wait(struct bsk_rt *rt);

/* dump.c */
void dmp_log(struct bsk_rt *rt);
/* Warns if the actor, which waits for a reply, waits for itself by way of others. Debug builds. */
void dmp_report_cycle(struct bsk_rt *rt, const bsk_self *self);

/* thread.c: what a thread that is no worker has of its own. */
struct thread_wait {
    uv_mutex_t lock;
    uv_cond_t cond;
    bool done;
};
struct foreign {
    struct bsk_msg *reply; /* of its last call; of the runtime `node` */
    uint64_t node;
    struct thread_wait wait, room; /* for a reply; for room */
};
struct foreign *thread_self(void); /* NULL for want of memory */
int thread_error(void);
void thread_set_error(int rc);
void thread_wait_begin(struct thread_wait *t);
/* Ends the wait of a thread; from any thread. */
void thread_wake(struct thread_wait *t);
/* Waits for that, or the deadline: 0 or BSK_ETIMEDOUT. Seeded, it runs the runtime meanwhile. */
int thread_wait_until(struct bsk_rt *rt, struct thread_wait *t, uint64_t deadline);
/* Keeps a reply until the thread's next one, or its end. */
const void *thread_keep(struct foreign *t, struct bsk_rt *rt, struct bsk_msg *reply);
void thread_drop_reply(struct foreign *t);

#endif
