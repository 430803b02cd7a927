/* SPDX-License-Identifier: MIT */
/* Signals of the system, told to actors. What comes while one is told is told with it. */
#include "error.h"
#include "note.h"

#include <signal.h>

#define RETRY_MS 10

struct signal_watch {
    struct handle h;
    uv_signal_t signal;
    uv_timer_t retry;
    unsigned parts;        /* of the two, those that libuv has */
    struct bsk_msg *spare; /* set aside for the next; NULL: there was no memory */
    bool told;             /* one is in the mailbox */
};

static void release(struct handle *h);
static void close_now(struct handle *h);
static bool received(struct handle *h, struct bsk_msg *m);
static const struct handle_kind signal_kind = {sizeof(struct signal_watch), release, close_now,
                                               received};
static_assert(sizeof(struct signal_watch) <= HANDLE_BYTES, "it has a place in the slab");

static void on_closed(uv_handle_t *part)
{
    struct signal_watch *s = part->data;
    assert(s->parts && !s->h.owner);
    if (--s->parts) return;
    note_drop(&s->h, s->spare);
    handle_free(&s->h);
}

static void release(struct handle *h)
{
    struct signal_watch *s = (struct signal_watch *)h;
    if (uv_is_closing((uv_handle_t *)&s->signal)) return;
    uv_close((uv_handle_t *)&s->signal, on_closed);
    uv_close((uv_handle_t *)&s->retry, on_closed);
}

static void close_now(struct handle *h)
{
    if (h->owner) handle_disown(h);
    release(h);
}

static void on_retry(uv_timer_t *timer);

static void tell(struct signal_watch *s)
{
    struct bsk_msg *m = s->spare;
    if (s->told || !s->h.owner) return;
    if (!m && !(m = note_new(&s->h, &bsk_signal_bsk, 0))) {
        uv_timer_start(&s->retry, on_retry, RETRY_MS, 0);
        return;
    }
    s->spare = NULL;
    s->told = true;
    ((bsk_signal *)(void *)m->body)->number = s->signal.signum;
    note_send(&s->h, m);
}

static void on_retry(uv_timer_t *timer)
{
    tell(timer->data);
}

static void on_signal(uv_signal_t *signal, int signum)
{
    (void)signum;
    tell(signal->data);
}

static bool received(struct handle *h, struct bsk_msg *m)
{
    struct signal_watch *s = (struct signal_watch *)h;
    (void)m;
    s->told = false;
    s->spare = note_new(h, &bsk_signal_bsk, 0);
    return true;
}

/* Tells whether the signal is somebody else's, or nobody's to watch. */
static bool is_taken(const struct bsk_rt *rt, int signum)
{
    switch (signum) {
    case SIGKILL:
    case SIGSTOP:
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGABRT: return true;
    case SIGINT:
    case SIGTERM: return !rt->opts.no_signals;
    case SIGUSR1: return rt->opts.dump_on_usr1;
    case SIGURG: return rt->opts.contain_faults;
    default: return signum <= 0;
    }
}

static struct signal_watch *find(bsk_self *self, int signum)
{
    for (struct handle *h = self->more ? self->more->handles : NULL; h; h = h->next) {
        struct signal_watch *s = (struct signal_watch *)h;
        if (h->kind == &signal_kind && s->signal.signum == signum) return s;
    }
    return NULL;
}

static int start(struct signal_watch *s, int signum)
{
    uv_loop_t *loop = &s->h.worker->loop;
    int rc = uv_signal_init(loop, &s->signal);
    if (rc) return net_code(rc);
    uv_timer_init(loop, &s->retry);
    s->parts = 2;
    s->signal.data = s->retry.data = s;
    return net_code(uv_signal_start(&s->signal, on_signal, signum));
}

int bsk_on_signal(bsk_self *self, int signum)
{
    int rc = handle_may_open(self);
    if (rc == 0 && is_taken(self->worker->rt, signum)) rc = BSK_EINVAL;
    if (rc == 0 && find(self, signum)) rc = BSK_EEXIST;
    if (rc) return rc;
    struct signal_watch *s = (struct signal_watch *)handle_new(self->worker, &signal_kind, &rc);
    if (!s) return rc;
    if ((rc = handle_open(&s->h)) || (rc = handle_own(self, &s->h))) {
        handle_free(&s->h);
        return rc;
    }
    s->spare = note_new(&s->h, &bsk_signal_bsk, 0);
    rc = s->spare ? start(s, signum) : BSK_ENOMEM;
    if (rc == 0) return 0;
    handle_disown(&s->h);
    if (s->parts) {
        release(&s->h);
    } else {
        note_drop(&s->h, s->spare);
        handle_free(&s->h);
    }
    return rc;
}

void bsk_off_signal(bsk_self *self, int signum)
{
    struct signal_watch *s = find(self, signum);
    if (s) close_now(&s->h);
}
