/* SPDX-License-Identifier: MIT */
/* Blocking work: requests that a pool of threads answers, so that no loop has to wait for them.
 *
 * A piece of work is an ask whose receiver is a function; all that holds for asks (deadlines,
 * giving up, losing a reply) holds for it. Threads are started when there is work and no idle
 * one, up to the quota. */
#include "work.h"

#include "ask.h"
#include "clock.h"
#include "fiber.h"
#include "send.h"
#include "trace.h"

struct work {
    struct work *next;
    bsk_work_fn *fn;
    struct bsk_msg *m;
};

static struct work *pop_locked(struct work_pool *p)
{
    struct work *one = p->head;
    if (!one) return NULL;
    p->head = one->next;
    p->queued--;
    return one;
}

static void push_locked(struct work_pool *p, struct work *one)
{
    assert(one->fn && one->m);
    one->next = NULL;
    if (p->head)
        p->tail->next = one;
    else
        p->head = one;
    p->tail = one;
    p->queued++;
}

static void free_work(struct bsk_rt *rt, struct work *one)
{
    if (!(one->m->flags & MSG_KEPT)) ask_dropped(NULL, rt, one->m->ref);
    snd_free(NULL, rt, one->m);
    mem_free(one);
}

/* Work whose asker has given up is not begun. */
static void run(struct bsk_rt *rt, struct work *one)
{
    if (ask_open(rt, one->m->ref, clk_now(rt))) one->fn(one->m);
    free_work(rt, one);
}

static void work_main(void *arg)
{
    struct bsk_rt *rt = arg;
    struct work_pool *p = &rt->work;
    rt_working = rt;
    uv_mutex_lock(&p->lock);
    while (!p->stopping) {
        struct work *one = pop_locked(p);
        if (one) {
            p->busy++;
            uv_mutex_unlock(&p->lock);
            run(rt, one);
            uv_mutex_lock(&p->lock);
            if (--p->busy == 0) uv_cond_broadcast(&p->less);
            continue;
        }
        p->idle++;
        uv_cond_wait(&p->more, &p->lock);
        p->idle--;
    }
    uv_mutex_unlock(&p->lock);
}

/* Without a new thread the work waits for one that there is; only without any it is refused. */
static int add_thread_locked(struct bsk_rt *rt)
{
    struct work_pool *p = &rt->work;
    if (rt->seeded || p->queued < p->idle || p->nthreads == rt->opts.work_threads) return 0;
    if (uv_thread_create(&p->threads[p->nthreads], work_main, rt) == 0) p->nthreads++;
    return p->nthreads ? 0 : BSK_ENOMEM;
}

static int queue(struct bsk_rt *rt, struct work *one)
{
    struct work_pool *p = &rt->work;
    uv_mutex_lock(&p->lock);
    int rc = p->queued == rt->opts.work_queue ? BSK_EFULL : add_thread_locked(rt);
    if (rc == 0) {
        push_locked(p, one);
        uv_cond_signal(&p->more);
    }
    uv_mutex_unlock(&p->lock);
    return rc;
}

int work_submit(struct worker *w, struct bsk_rt *rt, bsk_work_fn *fn, const bsk_type *type,
                const void *body, uint64_t ref)
{
    struct work *one = mem_alloc(sizeof *one);
    if (!one) return BSK_ENOMEM;
    *one = (struct work){.fn = fn, .m = snd_build(w, rt, type, body, 0)};
    int rc = one->m ? 0 : BSK_ENOMEM;
    if (rc == 0) {
        one->m->flags |= MSG_REQUEST;
        one->m->ref = ref;
        rc = queue(rt, one);
    }
    if (rc == 0) return 0;
    if (one->m) snd_free(w, rt, one->m);
    mem_free(one);
    return rc;
}

int bsk_work_(bsk_self *self, int64_t ms, bsk_work_fn *fn, const bsk_type *type, const void *body,
              size_t size)
{
    struct worker *w = self->worker;
    uint64_t ref;
    int rc = ask_begin(self, ms, type, size, &ref);
    if (rc) return rc;
    rc = work_submit(w, w->rt, fn, type, body, ref);
    return rc ? ask_undo(self, ref, rc) : 0;
}

const void *bsk_work_call_(bsk_self *self, int64_t ms, bsk_work_fn *fn, const bsk_type *type,
                           const void *body)
{
    if (!self || !fib_on_own_stack(self)) {
        act_tell_error(rt_worker(), BSK_EINVAL);
        return NULL;
    }
    return ask_call(self, self->worker->rt, ms, type, body, (bsk_addr){0, 0, 0}, fn);
}

bool work_run_one(struct bsk_rt *rt)
{
    struct work *one = pop_locked(&rt->work);
    if (one) run(rt, one);
    return one != NULL;
}

int work_init(struct bsk_rt *rt)
{
    struct work_pool *p = &rt->work;
    p->threads = mem_zalloc(rt->opts.work_threads * sizeof *p->threads);
    if (!p->threads) return BSK_ENOMEM;
    if (uv_mutex_init(&p->lock)) goto free_threads;
    if (uv_cond_init(&p->more)) goto destroy_lock;
    if (uv_cond_init(&p->less) == 0) return 0;
    uv_cond_destroy(&p->more);
destroy_lock:
    uv_mutex_destroy(&p->lock);
free_threads:
    mem_free(p->threads);
    return BSK_ENOMEM;
}

bool work_wait(struct bsk_rt *rt, uint64_t deadline)
{
    assert(!rt_worker());
    struct work_pool *p = &rt->work;
    uint64_t now;
    uv_mutex_lock(&p->lock);
    while (p->busy && (now = clk_now(rt)) < deadline) clk_wait(&p->less, &p->lock, deadline - now);
    bool ended = p->busy == 0;
    uv_mutex_unlock(&p->lock);
    if (!ended) trc_log(rt, BSK_LOG_ERROR, "blocking work did not stop");
    return ended;
}

void work_fini(struct bsk_rt *rt)
{
    struct work_pool *p = &rt->work;
    struct work *one;
    uv_mutex_lock(&p->lock);
    p->stopping = true;
    uv_cond_broadcast(&p->more);
    uv_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->nthreads; i++) uv_thread_join(&p->threads[i]);
    while ((one = pop_locked(p))) free_work(rt, one);
    uv_cond_destroy(&p->less);
    uv_cond_destroy(&p->more);
    uv_mutex_destroy(&p->lock);
    mem_free(p->threads);
}
