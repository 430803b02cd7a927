/* SPDX-License-Identifier: MIT */
/* Threads that are no workers: main, a pool. Each has an error code, a place to wait, and its
 * last reply. */
#include "thread.h"

#include "clock.h"
#include "scheduler.h"
#include "send.h"

#include <stdarg.h>
#include <stdio.h>

static uv_once_t once = UV_ONCE_INIT;
static pthread_key_t key;
static bool ready;
static _Thread_local int plain_error; /* where there is no memory for more */

static _Thread_local char detail[256];

/* Never inlined: a fiber may go on on another thread. */
__attribute__((noinline)) static char *own_detail(void)
{
    __asm__ volatile("");
    return detail;
}

void thread_set_detail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(own_detail(), sizeof detail, format, args);
    va_end(args);
}

void thread_clear_detail(void)
{
    *own_detail() = '\0';
}

const char *thread_detail(void)
{
    return own_detail();
}

static int wait_init(struct thread_wait *t)
{
    if (uv_mutex_init(&t->lock)) return BSK_ENOMEM;
    if (uv_cond_init(&t->cond) == 0) return 0;
    uv_mutex_destroy(&t->lock);
    return BSK_ENOMEM;
}

static void wait_fini(struct thread_wait *t)
{
    uv_cond_destroy(&t->cond);
    uv_mutex_destroy(&t->lock);
}

void thread_drop_reply(struct foreign *t)
{
    struct bsk_rt *rt = t->reply ? rt_hold(t->node) : NULL;
    if (rt) {
        snd_free(NULL, rt, t->reply);
        rt_drop(rt);
    } else if (t->reply) {
        msg_release(t->reply);
        pool_free_heap(t->reply);
    }
    t->reply = NULL;
}

static void free_foreign(void *arg)
{
    struct foreign *t = arg;
    thread_drop_reply(t);
    wait_fini(&t->room);
    wait_fini(&t->wait);
    mem_free(t);
}

static void make_key(void)
{
    ready = pthread_key_create(&key, free_foreign) == 0;
}

static struct foreign *new_foreign(void)
{
    struct foreign *t = mem_zalloc(sizeof *t);
    if (!t) return NULL;
    if (wait_init(&t->wait)) goto free_it;
    if (wait_init(&t->room)) goto fini_wait;
    if (pthread_setspecific(key, t) == 0) return t;
    wait_fini(&t->room);
fini_wait:
    wait_fini(&t->wait);
free_it:
    mem_free(t);
    return NULL;
}

struct foreign *thread_self(void)
{
    uv_once(&once, make_key);
    if (!ready) return NULL;
    struct foreign *t = pthread_getspecific(key);
    return t ? t : new_foreign();
}

int thread_error(void)
{
    return plain_error;
}

void thread_set_error(int rc)
{
    assert(rc <= 0);
    plain_error = rc;
    thread_clear_detail();
}

void thread_wait_begin(struct thread_wait *t)
{
    uv_mutex_lock(&t->lock);
    t->done = false;
    uv_mutex_unlock(&t->lock);
}

void thread_wake(struct thread_wait *t)
{
    uv_mutex_lock(&t->lock);
    t->done = true;
    uv_cond_signal(&t->cond);
    uv_mutex_unlock(&t->lock);
}

static bool woken(void *wait)
{
    return ((struct thread_wait *)wait)->done;
}

/* Nothing else will happen: the time passes. */
static int wait_seeded(struct bsk_rt *rt, struct thread_wait *t, uint64_t deadline)
{
    if (sch_drive(rt->workers[0], woken, t, deadline)) return 0;
    if (deadline < NEVER - 1 && rt->virtual_now < deadline) rt->virtual_now = deadline;
    return BSK_ETIMEDOUT;
}

int thread_wait_until(struct bsk_rt *rt, struct thread_wait *t, uint64_t deadline)
{
    if (rt->seeded) return wait_seeded(rt, t, deadline);
    int rc = 0;
    uv_mutex_lock(&t->lock);
    while (!t->done && rc == 0) {
        uint64_t now = clk_now(rt);
        if (deadline == NEVER)
            uv_cond_wait(&t->cond, &t->lock);
        else if (now >= deadline)
            rc = BSK_ETIMEDOUT;
        else
            clk_wait(&t->cond, &t->lock, deadline - now);
    }
    uv_mutex_unlock(&t->lock);
    return rc;
}

const void *thread_keep(struct foreign *t, struct bsk_rt *rt, struct bsk_msg *reply)
{
    thread_drop_reply(t);
    t->reply = reply;
    t->node = rt->node;
    return reply->body;
}
