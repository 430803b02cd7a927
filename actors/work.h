/* SPDX-License-Identifier: MIT */
/* work.h - the pool that does blocking work. */
#ifndef BSK_WORK_H
#define BSK_WORK_H

#include "actor.h"

#include <uv.h>

struct work;

/* What the blocking pool shares. */
struct work_pool {
    uv_mutex_t lock;
    uv_cond_t more, less;
    struct work *head, *tail;
    unsigned queued, idle, busy, nthreads;
    uv_thread_t *threads;
    bool stopping;
};

/* 0 or BSK_ENOMEM. No thread is started before there is work. */
int work_init(struct bsk_rt *rt);
/* Tells whether all work that runs has ended by the time. */
bool work_wait(struct bsk_rt *rt, uint64_t deadline);
/* Joins the threads; what was queued is lost to its askers. */
void work_fini(struct bsk_rt *rt);
/* Queues a request for the function. 0, BSK_EFULL, BSK_ENOMEM. */
int work_submit(struct worker *w, struct bsk_rt *rt, bsk_work_fn *fn, const bsk_type *type,
                const void *body, uint64_t ref);
/* Seeded: does one piece of work on the runtime's thread. False: there is none. */
bool work_run_one(struct bsk_rt *rt);

#endif
