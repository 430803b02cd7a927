/* SPDX-License-Identifier: MIT */
/* watchdog.h - the thread that sees whether every worker gets on. */
#ifndef BSK_WATCHDOG_H
#define BSK_WATCHDOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

struct bsk_rt;

/* What the watchdog keeps; inside the runtime. */
struct watchdog {
    uv_mutex_t lock;
    uv_cond_t cond;
    uv_thread_t thread;
    bool running, stop;
    struct sight *sights; /* a worker each */
    _Atomic bool asleep;
};

/* Starts the thread, but in a seeded runtime. 0 or BSK_ENOMEM. */
int dog_start(struct bsk_rt *rt);
void dog_stop(struct bsk_rt *rt);
/* A worker is about to run: the watchdog must be up. */
void dog_wake(struct bsk_rt *rt);

#endif
