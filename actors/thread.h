/* SPDX-License-Identifier: MIT */
/* thread.h - what a thread that is no worker has of its own. */
#ifndef BSK_THREAD_H
#define BSK_THREAD_H

#include "runtime.h"

/* A place to wait. */
struct thread_wait {
    uv_mutex_t lock;
    uv_cond_t cond;
    bool done;
};
/* What a thread keeps between its words. */
struct foreign {
    struct bsk_msg *reply; /* of its last call; of the runtime `node` */
    uint64_t node;
    struct thread_wait wait, room; /* for a reply; for room */
};
/* Returns the calling thread's, made at its first use; NULL for want of memory. */
struct foreign *thread_self(void);
/* Why the thread's last word that could fail did. */
int thread_error(void);
void thread_set_error(int rc);
/* More about that, in words; cleared by the next code. */
void thread_set_detail(const char *format, ...) BSK_PRINTF_(1, 2);
void thread_clear_detail(void);
const char *thread_detail(void);
/* Makes ready for a wait, before anyone can end it. */
void thread_wait_begin(struct thread_wait *t);
/* Ends the wait of a thread; from any thread. */
void thread_wake(struct thread_wait *t);
/* Waits for that, or the deadline: 0 or BSK_ETIMEDOUT. Seeded, it runs the runtime meanwhile. */
int thread_wait_until(struct bsk_rt *rt, struct thread_wait *t, uint64_t deadline);
/* Keeps a reply until the thread's next one, or its end. */
const void *thread_keep(struct foreign *t, struct bsk_rt *rt, struct bsk_msg *reply);
void thread_drop_reply(struct foreign *t);

#endif
