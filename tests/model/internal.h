/* SPDX-License-Identifier: MIT */
/* internal.h - what explore.c (who runs, which choice) and memory.c (what a step does) share. */
#ifndef MODEL_INTERNAL_H
#define MODEL_INTERNAL_H

#define MDL_BARE
#include "model.h"

enum { MDL_CLOCKS = MDL_THREADS + 1 };

/* What a thread, or the reader of a store, knows: for each location the oldest store that it may
 * still read, for each thread how far its plain accesses have happened before. The element types
 * are such that the maximum of two views takes a handful of vector instructions. */
struct mdl_view {
    uint8_t at[MDL_LOCATIONS];
    int16_t clock[MDL_CLOCKS];
};

enum mdl_kind { MDL_LOAD, MDL_STORE, MDL_RMW, MDL_FENCE, MDL_WAIT, MDL_YIELD };

/* A step that a thread stands before. */
struct mdl_op {
    enum mdl_kind kind;
    memory_order order;
    unsigned location; /* for loads, stores and read-modify-writes */
    const char *site;
};

struct mdl_thread {
    struct mdl_view now;      /* what it knows */
    struct mdl_view acquired; /* what an acquire fence would add */
    struct mdl_view released; /* what a relaxed store carries: the last release fence's `now` */
    struct mdl_op next;
    bool (*pred)(void *); /* for MDL_WAIT and MDL_YIELD: whether to go on */
    void *arg;
    unsigned spins; /* times that it has repeated one operation that changed nothing */
    bool changed;   /* its last operation changed a value */
    bool done;
    bool direct; /* operations are no steps and see the newest value */
};

/* explore.c */

extern struct mdl_thread mdl_threads[MDL_CLOCKS];
extern unsigned mdl_here;
extern unsigned mdl_count;
extern bool mdl_quiet; /* a predicate is being asked on behalf of a waiting thread */

/* Returns when it is this thread's turn to do `op`. */
void mdl_point(struct mdl_op op);

/* True while the execution may read another outdated value. */
bool mdl_stale_left(void);
void mdl_spend_stale(void);

/* Adds a line to the schedule of this execution. */
void mdl_note(const struct mdl_op *op, const char *verb, uint64_t value, unsigned age);

_Noreturn void mdl_fail(const char *site, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* memory.c */

/* Forgets all locations. */
void mdl_forget(void);

/* Thread `to` knows what `from` knows: at the start and the end of a thread. */
void mdl_join(struct mdl_thread *to, const struct mdl_thread *from);

#endif
