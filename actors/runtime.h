/* SPDX-License-Identifier: MIT */
/* runtime.h - a runtime, and its workers: threads that own a loop and run actors. */
#ifndef BSK_RUNTIME_H
#define BSK_RUNTIME_H

#include "actor.h"
#include "histogram.h"
#include "mailbox/memory.h"
#include "mailbox/pool.h"
#include "mailbox/table.h"
#include "run_queue.h"
#include "watchdog.h"
#include "work.h"

#include <uv.h>

#define WORKERS_MAX 4096 /* loops, with those of actors that have a thread of their own */
#define STRIPES 64       /* locks for the rare lists of slots */
#define RELIEFS_MAX 8    /* of a runtime; see relief.c */
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
    bool told;       /* a signal said why */
    bool failed;     /* before it was killed, while it waited for its children */
    bsk_blob *cause; /* what is known of it; NULL: only what follows, or not made yet */
    struct kin *kin; /* of the actor, for the hooks */
    int lost;        /* what its askers hear; 0: BSK_ENOREPLY */
    const char *file;
    int line;
    int signal; /* of a fault, with where and how it came there */
    uint64_t address;
    char *trace; /* heap, or NULL */
    char *text;  /* heap, or brief */
    char brief[256];
};

struct worker {
    struct bsk_rt *rt;
    uint64_t node; /* copies of the runtime's, for the send path */
    bsk_self *slots;
    uint32_t nslots;
    uint16_t index;
    bool solo;        /* for one actor, with a thread of its own */
    bool relief;      /* runs what others are kept from; see relief.c */
    bool took;        /* relief: at its last look; so there may be more */
    bool plain_queue; /* neither solo nor seeded: what is woken here runs here, in order */
    bool tracing, timing, watched; /* watched: either */
    bsk_self *_Atomic self;        /* who runs; NULL: nobody; read by dumps and the watchdog */
    const bsk_type *_Atomic doing; /* the type of the message in its hand */
    struct pool_cache pool;
    struct slab_cache actors, asks, timers;
    struct run_queue q;
    uint64_t now;      /* ns, at the last tick */
    _Atomic int until; /* messages until the next tick; read by the watchdog */
    int per_tick;
    unsigned batch;
    uint32_t turns;  /* of the normal queue before new actors */
    bool fresh_turn; /* then one of these, before there are more turns */
    bool in_fiber;   /* on the fiber's stack, not this thread's */
    bool left;       /* the fiber that ran has left for good */
    bool done;       /* solo: its actor has ended */
    int hooked;      /* a hook runs: its faults are the runtime's */
    int error;
    uint64_t looked_at; /* for workers that are stuck */
    uint64_t polled, nonempty, mark_time, mark_seq, fresh_since, older_at;
    uint64_t idle_at, idle_since, trimmed_at, trims_again; /* see trim.c */
    uint64_t born;                                         /* last order of start given out */
    struct bsk_msg *loans;                                 /* freed when the message in hand is */
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
    _Atomic bool over;                   /* solo: its thread can be joined at once */
    _Atomic uint64_t ticks, looked;
    _Atomic uint64_t ticked; /* ns: when; for dumps */
    _Atomic uint64_t queued; /* in the run queues, at the last tick */
    _Atomic uint64_t held;   /* `ticks` + 1 when the watchdog found it held; 0: never yet */
    _Atomic uint64_t slept;  /* ns in all; and since when it sleeps, 0: it does not */
    _Atomic uint64_t sleeps;
    _Atomic unsigned busy; /* in thousandths, lately; see load.h */
    uint64_t slept_then;   /* at the last look; the watchdog's */
    alignas(64) struct lock wheel_lock;
    struct whl wheel;
    _Atomic uint64_t alarm; /* when its parked thread wakes by itself */
    uv_loop_t loop;
    uv_async_t bell;
    uv_signal_t signals[3]; /* of the first loop and of reliefs */
    uv_thread_t thread;
    bool looped, threaded;
    struct fault_site *_Atomic fault; /* to contain faults with; the floor above's */
    struct net_loop *_Atomic net;     /* what is open on the loop; its floor's; NULL: nothing yet */
};

/* An actor and its place in the order of start. */
struct birth {
    uint64_t born;
    bsk_addr who;
};

struct bsk_rt {
    uint64_t node;
    bsk_rt_opts opts;
    bool seeded;
    uint64_t virtual_now, digest;
    struct pool pool;
    struct slab actors, asks, timers, names;
    struct upper *upper; /* what the floor above keeps */
    struct net *net;     /* and the one above that */
    struct stk_pool stacks;
    struct lock stripes[STRIPES];
    struct worker *_Atomic workers[WORKERS_MAX];
    _Atomic unsigned nworkers; /* in the array; grows only */
    unsigned nloops;           /* of them, those that take any actor */
    _Atomic unsigned nparked;  /* of the loops */
    struct worker *reliefs[RELIEFS_MAX];
    _Atomic unsigned nreliefs; /* in that array; written by the watchdog */
    bool unrelieved;           /* one could not be started, and that was said; the watchdog's */
    struct figures elsewhere;  /* counted by threads that are no workers: read-modify-writes */
    _Atomic unsigned users;    /* threads that are no workers and are inside right now */
    _Atomic bool trimming;     /* nobody else may look at slots */
    uint64_t started;          /* ns, of the clock */
    uint32_t random_state[4];

    uv_mutex_t name_lock; /* guards the registered names */
    struct table name_table;

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
    struct work_pool work;
    struct watchdog dog;
    struct bsk_rt *next; /* in the process's list of runtimes */
};

/* Initial-exec: one instruction to read, also in a shared library. Only for functions that do
 * not switch stacks between reading and using it; all others call rt_worker. */
extern _Thread_local struct worker *rt_current
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* The calling thread's worker, or NULL. Never inlined: a fiber may go on on another thread, and
 * what a compiler remembers of this one must not go with it. */
struct worker *rt_worker(void);
void rt_set_worker(struct worker *w);

/* The runtime that runs the calling thread: a worker's, or the one whose blocking work it does. */
extern _Thread_local struct bsk_rt *rt_working
    __attribute__((tls_model("initial-exec"), visibility("hidden")));
struct bsk_rt *rt_here(void);

/* Finds the runtime of an incarnation and keeps it from ending until rt_drop; NULL: none such. */
struct bsk_rt *rt_hold(uint64_t node);
void rt_drop(struct bsk_rt *rt);

/* Returns the actor of an address whose slot exists; whether it lives is its generation's to
 * say. */
static inline bsk_self *rt_slot(const struct bsk_rt *rt, uint32_t slot)
{
    return slot < rt->actors.limit ? (bsk_self *)(void *)rt->actors.base + slot : NULL;
}

/* What is open on the worker's loop; another's thread may have set it up. */
static inline struct net_loop *rt_net(struct worker *w)
{
    /* Acquire pairs with the release in net_loop. */
    return atomic_load_explicit(&w->net, memory_order_acquire);
}

/* The actor that runs on the worker, or NULL. */
static inline bsk_self *rt_self(const struct worker *w)
{
    /* Relaxed: the worker's own thread asks; of another's it is a hint. */
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

/* Sees that an actor whose mailbox became busy runs. w is NULL where the caller is no worker of
 * rt. */
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

#endif
