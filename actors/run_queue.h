/* SPDX-License-Identifier: MIT */
/* run_queue.h - a worker's run queues: intrusive lists under its biased lock. See scheduler.c
 * for who runs when. */
#ifndef BSK_RUN_QUEUE_H
#define BSK_RUN_QUEUE_H

#include "actor.h"
#include "biased.h"

struct run_list {
    bsk_self *head, *tail;
    uint32_t n;
};

struct run_stack {
    bsk_self *head;
    uint32_t n;
};

struct run_queue {
    struct biased lock;
    bsk_self *next;         /* woken last: runs next, while its cache lines are warm */
    struct run_stack fresh; /* have not run yet: newest first */
    struct run_stack older; /* what was there of these when the last of the older ones ran */
    bool older_turn;        /* the next new one is of these */
    struct run_list normal, high;
    struct run_list pinned; /* nobody else may run these: no surplus, and not stolen from */
    bool pinned_turn;       /* the next one is of these */
    struct run_list *lanes; /* seeded: picked from at random */
    uint32_t in_row, high_row;
    uint64_t enqueued, dequeued; /* of normal */
};

static inline void run_list_push(struct run_list *l, bsk_self *a)
{
    a->link = NULL;
    if (l->head)
        l->tail->link = a;
    else
        l->head = a;
    l->tail = a;
    l->n++;
}

static inline bsk_self *run_list_pop(struct run_list *l)
{
    bsk_self *a = l->head;
    if (!a) return NULL;
    l->head = a->link;
    l->n--;
    return a;
}

static inline void run_stack_push(struct run_stack *s, bsk_self *a)
{
    a->link = s->head;
    s->head = a;
    s->n++;
}

static inline bsk_self *run_stack_pop(struct run_stack *s)
{
    bsk_self *a = s->head;
    if (!a) return NULL;
    s->head = a->link;
    s->n--;
    return a;
}

static inline void run_queue_push(struct run_queue *q, bsk_self *a)
{
    run_list_push(&q->normal, a);
    q->enqueued++;
}

static inline bsk_self *run_queue_pop(struct run_queue *q)
{
    bsk_self *a = run_list_pop(&q->normal);
    if (a) q->dequeued++;
    return a;
}

/* The longest waiting of both kinds in turn. */
static inline bsk_self *run_queue_pop_any(struct run_queue *q)
{
    if (q->pinned.n && ((q->pinned_turn = !q->pinned_turn) || !q->normal.n))
        return run_list_pop(&q->pinned);
    return run_queue_pop(q);
}

/* The newest, so that a tree is gone through depth first; but now and then one of the older ones,
 * which newer ones could hold up for good. */
static inline bsk_self *run_queue_pop_fresh(struct run_queue *q)
{
    if (q->fresh.n && !q->older_turn) return run_stack_pop(&q->fresh);
    q->older_turn = false;
    if (!q->older.n) {
        q->older = q->fresh;
        q->fresh = (struct run_stack){NULL, 0};
    }
    return run_stack_pop(&q->older);
}

/* Lets an actor run next, before the one that would have. */
static inline void run_queue_push_next(struct run_queue *q, bsk_self *a)
{
    bsk_self *displaced = q->next;
    q->next = a;
    if (displaced) run_queue_push(q, displaced);
}

#endif
