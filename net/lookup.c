/* SPDX-License-Identifier: MIT */
/* Asking the system's resolver, which may take as long as it likes and cannot be called back.
 *
 *     loop: [async] <------- told, if anybody waits -------.
 *              |                                           |
 *     lookup_start --> queue: o o o --> a thread: [getaddrinfo] --> next, or the thread ends
 *
 * So a lookup is the loop's and its thread's, and whoever lets go of it last frees it: who gives up
 * takes nothing from under the thread, and neither an actor, nor a runtime, nor the end of the
 * program waits for it. libuv's own threads would make all but the first of these wait: a loop
 * cannot be closed before its requests are done, and the program's exit joins them.
 *
 * Threads are the process's, as the resolver is; they start when there is something to look up,
 * and end when there is nothing left. What they do is bounded, not how long: while all of them are
 * held by names that nobody answers for, others wait in the queue. */
#include "lookup.h"

#include "error.h"

#include <errno.h>
#include <pthread.h>

#define HOST_MAX 255 /* bytes of the longest name there can be, and a few */

struct lookup {
    struct lookup *next; /* in the queue */
    uv_async_t async;    /* on the loop of who asked */
    struct net_loop *loop;
    lookup_found *found;
    void *arg;
    /* Under the lock: */
    unsigned held; /* by the loop, and by a thread or the queue */
    bool wanted;   /* somebody waits; the async is open */
    int code;
    struct addrinfo *all;
    char host[];
};

/* The lock of all of it, which no thread holds while it asks. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct lookup *first, *last; /* the queue */
static unsigned nthreads;

/* Under the lock. */
static void release_locked(struct lookup *l)
{
    assert(l->held);
    if (--l->held) return;
    if (l->all) freeaddrinfo(l->all);
    mem_free(l);
}

static void push_locked(struct lookup *l)
{
    if (first)
        last->next = l;
    else
        first = l;
    last = l;
}

static struct lookup *pop_locked(void)
{
    struct lookup *l = first;
    if (l) first = l->next;
    return l;
}

/* Takes it out of the queue, if it is there. */
static bool unqueue_locked(struct lookup *l)
{
    struct lookup **link = &first, *before = NULL;
    for (; *link && *link != l; link = &before->next) before = *link;
    if (!*link) return false;
    *link = l->next;
    if (last == l) last = before;
    return true;
}

static int code_of(int eai, int error)
{
    switch (eai) {
    case 0: return 0;
    case EAI_MEMORY: return BSK_ENOMEM;
    case EAI_SYSTEM: return error == EMFILE || error == ENFILE ? BSK_EMFILE : BSK_EHOST;
    default: return BSK_EHOST;
    }
}

static void resolve_locked(struct lookup *l)
{
    static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *all = NULL;
    pthread_mutex_unlock(&lock);
    int eai = getaddrinfo(l->host, NULL, &hints, &all);
    int code = code_of(eai, errno);
    pthread_mutex_lock(&lock);
    l->code = code;
    l->all = code ? NULL : all;
    /* Who gives up closes the async under this lock. */
    if (l->wanted) uv_async_send(&l->async);
    release_locked(l);
}

static void look_up(void *unused)
{
    struct lookup *l;
    (void)unused;
    pthread_mutex_lock(&lock);
    while ((l = pop_locked())) resolve_locked(l);
    nthreads--;
    pthread_mutex_unlock(&lock);
}

/* Without a new thread it waits for one that there is; only without any it is refused. */
static int add_thread_locked(void)
{
    uv_thread_t thread;
    if (nthreads == LOOKUP_THREADS) return 0;
    if (uv_thread_create(&thread, look_up, NULL) == 0) {
        pthread_detach(thread);
        nthreads++;
    }
    return nthreads ? 0 : BSK_ENOMEM;
}

static void on_closed(uv_handle_t *async)
{
    struct lookup *l = async->data;
    l->loop->closing--;
    pthread_mutex_lock(&lock);
    release_locked(l);
    pthread_mutex_unlock(&lock);
}

/* The loop's part is over. */
static void close_async(struct lookup *l)
{
    uv_close((uv_handle_t *)&l->async, on_closed);
}

static void on_told(uv_async_t *async)
{
    struct lookup *l = async->data;
    pthread_mutex_lock(&lock);
    struct addrinfo *all = l->all;
    int code = l->code;
    l->all = NULL;
    l->wanted = false;
    pthread_mutex_unlock(&lock);
    close_async(l);
    l->found(l->arg, code, all);
}

void lookup_drop(struct lookup *l)
{
    pthread_mutex_lock(&lock);
    assert(l->wanted);
    l->wanted = false;
    if (unqueue_locked(l)) release_locked(l);
    pthread_mutex_unlock(&lock);
    close_async(l);
}

static struct lookup *lookup_new(struct worker *w, const char *host)
{
    size_t n = strlen(host) + 1;
    struct lookup *l = mem_zalloc(sizeof *l + n);
    if (!l) return NULL;
    memcpy(l->host, host, n);
    if (uv_async_init(&w->loop, &l->async, on_told)) {
        mem_free(l);
        return NULL;
    }
    l->async.data = l;
    l->loop = rt_net(w);
    l->loop->closing++;
    l->held = 1;
    return l;
}

static int submit(struct lookup *l)
{
    pthread_mutex_lock(&lock);
    int rc = add_thread_locked();
    if (rc == 0) {
        l->held++;
        l->wanted = true;
        push_locked(l);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

struct lookup *lookup_start(struct worker *w, const char *host, lookup_found *found, void *arg,
                            int *rc)
{
    *rc = strlen(host) > HOST_MAX ? BSK_EINVAL : 0;
    struct lookup *l = *rc ? NULL : lookup_new(w, host);
    if (!l) {
        if (*rc == 0) *rc = BSK_ENOMEM;
        return NULL;
    }
    l->found = found;
    l->arg = arg;
    *rc = submit(l);
    if (*rc == 0) return l;
    close_async(l);
    return NULL;
}
