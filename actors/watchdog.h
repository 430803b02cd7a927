/* SPDX-License-Identifier: MIT */
/* watchdog.h - the thread that sees whether every worker gets on. */
#ifndef BSK_WATCHDOG_H
#define BSK_WATCHDOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

struct bsk_rt;

/* What it knows of how busy the loops are. */
struct load_watch {
    uint64_t at;            /* ns, of the last look */
    unsigned uneven;        /* looks in a row that found loops so */
    uint64_t idle, idle_at; /* of the cores, at the first of these, and when that was */
};

/* What the watchdog keeps; inside the runtime. */
struct watchdog {
    uv_mutex_t lock;
    uv_cond_t cond;
    uv_thread_t thread;
    bool running, stop;
    struct sight *sights; /* a worker each */
    struct load_watch load;
    _Atomic bool asleep;
};

/* Starts the thread, but in a seeded runtime. 0 or BSK_ENOMEM. */
int dog_start(struct bsk_rt *rt);
void dog_stop(struct bsk_rt *rt);
/* A worker is about to run: the watchdog must be up. */
void dog_wake(struct bsk_rt *rt);

#endif
