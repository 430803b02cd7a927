/* SPDX-License-Identifier: MIT */
/* forest_books.h - what a run of the forest enters of each actor and of each two that have to do
 * with each other.
 *
 * Every actor has a `life`, from the trace's word that it was spawned; supervisors too. What two
 * lives owe each other stands in a `pair`. In a seeded run every entry is exact. In a parallel one
 * things happen at the same time: then `may` says that either outcome is right. */
#ifndef SIMULATION_FOREST_BOOKS_H
#define SIMULATION_FOREST_BOOKS_H

#include "forest.h"
#include "random.h"
#include "supervisor/supervisor.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define WATCHES 16 /* monitors of one life */
#define TIMES 64   /* restarts of a supervisor that are remembered */
#define MARKS 6    /* clean-ups of one life */
#define SCOPES 2   /* a handler has open at a time */
#define PLACES 512 /* specs of children */
#define FO_TEXT 96 /* of a reason that is compared */
#define SHARED_NAMES 12

struct forest;
BSK_MSG(fo_note, (i64, from), (i64, to), (i64, seq));
BSK_MSG(fo_got, (i64, ask));
BSK_CALL(fo_get, fo_got, (i64, from), (i64, ask));
BSK_MSG(fo_tick);
BSK_MSG(fo_finish, (i64, how)); /* ends who gets it */
BSK_LOCAL(fo_gift, fo_gift_drop, (struct forest *, forest));

/* What incarnations of one child have in common. */
struct place {
    _Atomic unsigned lives;
};

/* What a new actor of the forest starts with. */
struct seedling {
    struct forest *forest;
    struct place *place; /* NULL: no supervisor's child */
    bool brief;          /* ends by itself, soon */
};

/* A clean-up, of those that an actor has. */
struct mark {
    struct life *life;
    unsigned i;
};

enum watch_state {
    WATCH_NONE,
    WATCH_OPEN, /* its bsk_down is to come, if the other ends */
    WATCH_SURE  /* bsk_unwatch has said that it comes */
};

struct watch {
    _Atomic int state;
    struct life *_Atomic of;
    bsk_monitor token;
    bool may_none, must_none; /* BSK_NO_ACTOR */
    bool named;
};

struct life {
    struct forest *forest;
    unsigned id;
    bsk_addr who;
    _Atomic bool known; /* spawned: what stands above and in the next block is there */
    _Atomic bool over;  /* ended: `reason` and `why` are there */

    bool is_sup, is_child, supervised, fiber, keeps, significant;
    enum bsk_restart restart;
    char text[BSK_NAME_MAX + 1]; /* name or label */
    struct life *parent;
    const bsk_scope *scope;
    _Atomic bool loose; /* its scope was detached */

    _Atomic int reason;
    char why[FO_TEXT];
    _Atomic uint32_t may_end; /* reasons that it was given, by bits */
    _Atomic bool doomed;      /* an exit signal came that it does not trap */
    _Atomic bool struck;      /* perhaps it was killed, or got an exit signal */

    /* A parent's, entered on its thread. */
    struct life *children, *sibling;
    bool handed; /* a child's end was handed out by its scope */

    /* A child's end, in a seeded run. */
    enum bsk_scope_kind kind;
    uint64_t ended_ns;
    bool told; /* to stop */

    /* A supervisor's. */
    enum bsk_strategy strategy;
    enum bsk_auto_shutdown auto_shutdown;
    bool last_was_told; /* the last significant child that ended was told to */
    uint32_t waiting;   /* ids, by bits, of significant children that wait for a restart */
    int intensity;
    int64_t period_ns;
    int64_t times[TIMES];
    unsigned ntimes;
    bool gave_up;
    _Atomic unsigned specs;   /* at most */
    _Atomic uint32_t touched; /* ids, by bits, that somebody stopped, deleted, added, ignored */

    /* An actor of the forest's own; what is atomic is read by others. */
    uint64_t random;
    struct place *place;
    unsigned steps, depth;
    _Atomic bool begun, lingers, traps, toggled;
    bool inside, fails_full, has_fini, brief;
    unsigned undone, defers, finis;
    struct mark marks[MARKS];
    _Atomic unsigned asks;
    _Atomic int left_due; /* exit signals sent to it while it traps */
    bsk_timer tick;
    struct watch watches[WATCHES];
    bsk_scope *scopes[SCOPES];
    struct plan *plan;

    struct pair *_Atomic pairs;
};

/* What becomes of a link's end. */
enum owing { OWED_NOTHING, OWED_SIGNAL, OWED_MAYBE, OWED_HEARD };

/* Two lives; [0] is the older one's, of notes: from the older one. Under its lock, but for what is
 * said to be atomic. */
struct pair {
    _Atomic uint64_t key;
    _Atomic bool ready;
    struct life *ends[2];
    struct pair *next[2];
    bool linked;
    enum owing due[2];
    bool trapped[2]; /* when it fell due */
    unsigned none[2],
        maybe[2]; /* signals that say BSK_NO_ACTOR; that may say so, or may not come */
    int64_t exits[2], heard[2]; /* serials of exit signals sent by, and heard of */
    int64_t serial[2], seen[2]; /* of notes */
    _Atomic int64_t accepted[2];
};

#define STRIPES 64

struct forest {
    struct fo_setup setup;
    bsk_rt *rt;
    struct life *lives;
    struct life *_Atomic *by_key;
    _Atomic uint64_t *keys;
    struct pair *pairs;
    unsigned slots, pair_slots; /* of the two tables: powers of 2 */
    _Atomic unsigned nlives, npairs;
    struct place places[PLACES];
    _Atomic unsigned nplaces, nnames;
    struct life *_Atomic holders[SHARED_NAMES];

    uint64_t digest;
    bool tells; /* LOG: what happens is written to standard error */
    _Atomic uint64_t spawned, ended, failed, turns;
    _Atomic uint64_t accepted, handled, dead;
    _Atomic uint64_t gifts, dropped;
    _Atomic uint64_t downs, exits, restarts, gave_up, supervisors;
    _Atomic bool stopping, root_failed, root_unsure;
    _Atomic bool over;       /* threads end */
    _Atomic unsigned teller; /* of the trace, last: a worker */

    pthread_mutex_t stripes[STRIPES];
    pthread_mutex_t lock; /* guards fault */
    char fault[512];
};

/* forest_books.c */

/* Enters the first thing that is wrong. */
void fo_blame(struct forest *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
void books_open(struct forest *f, const struct fo_setup *setup);
void books_close(struct forest *f);
/* Returns the life of an address, or NULL. */
struct life *life_of(struct forest *f, bsk_addr who);
/* A life that has no address; NULL: there is no room. */
struct life *life_new(struct forest *f);
/* Returns the two lives' pair, made if there is none; NULL: there is no room. */
struct pair *pair_of(struct life *x, struct life *y);
void pair_lock(struct pair *p);
void pair_unlock(struct pair *p);

static inline unsigned side_of(const struct pair *p, const struct life *l)
{
    return p->ends[1] == l;
}

static inline bool is_over(struct life *l)
{
    return atomic_load(&l->over);
}

static inline bool is_known(struct life *l)
{
    return atomic_load_explicit(&l->known, memory_order_acquire);
}

static inline bool is_seeded(const struct forest *f)
{
    return !f->setup.workers;
}

static inline void allow(struct life *l, enum bsk_reason reason)
{
    atomic_fetch_or_explicit(&l->may_end, UINT32_C(1) << reason, memory_order_relaxed);
}

static inline void count(_Atomic uint64_t *n)
{
    atomic_fetch_add_explicit(n, 1, memory_order_relaxed);
}

static inline uint64_t counted(_Atomic uint64_t *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

static inline enum bsk_reason reason_of(struct life *l)
{
    return (enum bsk_reason)atomic_load_explicit(&l->reason, memory_order_relaxed);
}

static inline unsigned life_count(struct forest *f)
{
    unsigned n = atomic_load_explicit(&f->nlives, memory_order_acquire);
    return n < f->setup.most ? n : f->setup.most;
}

/* Tells whether there is little room left for more lives. */
static inline bool is_late(struct forest *f)
{
    return life_count(f) > f->setup.most / 2;
}

/* The bit of a child's id: c0, c1, ... of a generated spec, a0, a1, ... of an added one. */
uint32_t id_bit(const char *id);

/* forest_trace.c, forest_log.c: the runtime's hooks. */
void fo_trace(void *forest, const bsk_event *e);
void fo_log(void *forest, enum bsk_level level, const char *line);
void fo_dead(void *forest, const bsk_dead_letter *dead);
/* What the actor on this thread spawns now is linked to it. */
extern _Thread_local struct life *fo_links_to;

/* forest_ties.c: what a life does about others and hears of them. */
void tie_act(struct life *l, bsk_self *self, struct life *o);
void add_watch(struct life *l, bsk_monitor m, struct life *of, bool before, bool after);
struct watch *free_watch(struct life *l);
void take_down(struct life *l, const bsk_down *d);
void take_left(struct life *l, const bsk_left *left);
void send_exit(struct life *l, bsk_self *self, struct life *o);
void send_note(struct life *l, struct life *o);
void take_note(struct life *l, const fo_note *n);

/* forest_scopes.c */
void scope_section(struct life *l, bsk_self *self);
void handler_scope(struct life *l, bsk_self *self);

/* forest_trees.c: supervisors. */
void grow_tree(struct life *l, bsk_self *self, bsk_rt *rt);
void sup_word(struct life *l, bsk_self *self, struct life *sup);

/* forest_act.c */

/* Does one random thing. `rt` is NULL for a thread that must not use it now; self is NULL for any
 * thread that is no actor. */
void fo_act(struct life *l, bsk_self *self, bsk_rt *rt);
/* Spawns an actor under the root, linked or watched maybe. */
void spawn_loner(struct life *l, bsk_self *self, bsk_rt *rt);
/* Ends the actor in one of the ways that there are; some take effect later. */
void end_now(struct life *l, bsk_self *self, unsigned how);
/* Returns somebody at random, or NULL. */
struct life *pick_life(struct life *l);

/* forest_life.c: actors, from begin to end. */

/* Draws an actor's options; `name` is where a name is put, and may be NULL. Returns its function. */
bsk_behavior choose(uint64_t *random, bsk_opts *o, char *name, size_t size);
/* The caller's own life. */
struct life *my_life(bsk_self *self);
/* Tells whether the code is one that want of memory explains. */
static inline bool excused(const struct forest *f, int rc)
{
    return f->setup.starve && rc == BSK_ENOMEM;
}

/* forest_audit.c */

/* Compares all that lives with the books, and with what the supervisors say. False: they differ,
 * which means nothing while something happens: `blaming` is for when nothing should. */
bool at_rest(struct forest *f, bool blaming);
/* When all has ended. */
void audit_end(struct forest *f, int status);

#endif
