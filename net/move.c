/* SPDX-License-Identifier: MIT */
/* A connection moves while its actor waits and nothing of it is under way, so that neither its
 * actor nor its peer can tell:
 *
 *     from                                         to
 *     actor waits? -> poked: it is this thread's
 *     libuv's part closes, its descriptor is
 *     kept by a second one
 *     closed: home = to, actor into to's inbox --> actor runs: libuv's part opens, it looks up
 *
 * Until it is opened again the actor runs nowhere, as its mailbox is busy; what it is sent
 * meanwhile waits there, and so do bytes in the system. Nobody else reads what a connection
 * consists of; it goes to the other thread through the inbox, which releases and acquires. */
#include "move.h"

#include "actors/scheduler.h"
#include "limits.h"
#include "stream.h"

#include <fcntl.h>
#include <unistd.h>

#define AT_ONCE 256 /* connections; each costs some microseconds */

void move_spread(struct worker *from, struct worker *to)
{
    struct net_loop *l = rt_net(from);
    /* Relaxed: see polls. */
    if (l) atomic_store_explicit(&l->gives, to->index + 1U, memory_order_relaxed);
}

static bool is_busy(const struct stream *s)
{
    return s->received + s->sent != s->seen;
}

/* Accepted, and all that its actor has open; nothing is on its way. */
static bool can_move(const struct stream *s)
{
    const bsk_self *a = s->h.owner;
    if (!a || !s->service || s->state != STREAM_OPEN || s->shared) return false;
    if (s->busy || s->listed || s->unsent || s->end || s->broken || s->shut) return false;
    const struct act_more *more = a->more;
    return more->conn == &s->h && more->handles == &s->h && !s->h.next && !more->pinned &&
           !(act_flags(a) & ACT_LINGERS);
}

static void on_left(uv_handle_t *handle)
{
    struct stream *s = handle->data;
    struct worker *from = s->h.worker;
    struct bsk_rt *rt = from->rt;
    struct worker *to = atomic_load_explicit(&rt->workers[s->to], memory_order_acquire);
    bsk_self *a = s->h.owner;
    handle_leave(&s->h);
    memset(&s->uv, 0, sizeof s->uv);
    s->state = STREAM_GIVEN;
    s->h.worker = to;
    atomic_store_explicit(&s->h.at, to->index, memory_order_relaxed);
    rt_count(&rt_net(from)->count.moved, 1);
    atomic_store_explicit(&a->home, to->index, memory_order_relaxed);
    /* Relaxed: the inbox releases. */
    atomic_fetch_or_explicit(&a->ctl, CTL_CAME, memory_order_relaxed);
    sch_send_home(rt, a, to);
}

static int second_descriptor(const struct stream *s)
{
    uv_os_fd_t fd;
    return uv_fileno(&s->uv.handle, &fd) ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

/* The actor is this thread's. Tells whether it goes; else all is as it was. */
static bool leave(struct stream *s, struct worker *to)
{
    s->fd = second_descriptor(s);
    if (s->fd < 0) return false;
    if (limits_leave(s)) {
        close(s->fd);
        s->fd = -1;
        return false;
    }
    s->to = to->index;
    s->reading = false;
    uv_close(&s->uv.handle, on_left);
    return true;
}

static bool try_to_move(struct worker *w, struct stream *s, struct worker *to)
{
    bsk_self *a = s->h.owner;
    if (!can_move(s) || !mbox_poke(&a->in)) return false;
    if (leave(s, to)) return true;
    sch_enqueue(w, a);
    return false;
}

static struct stream *next_stream(struct handle *h)
{
    while (h && h->kind != &stream_kind) h = h->below;
    return (struct stream *)h;
}

static unsigned count_busy(const struct net_loop *l)
{
    unsigned n = 0;
    for (struct stream *s = next_stream(l->all); s; s = next_stream(s->h.below)) n += is_busy(s);
    return n;
}

void move_some(struct worker *w)
{
    struct net_loop *l = rt_net(w);
    unsigned index = atomic_exchange_explicit(&l->gives, 0, memory_order_relaxed) - 1;
    struct worker *to = atomic_load_explicit(&w->rt->workers[index], memory_order_acquire);
    unsigned left = count_busy(l) / 2;
    if (left > AT_ONCE) left = AT_ONCE;
    if (to == w || !net_loop(to)) return;
    for (struct stream *s = next_stream(l->all); s; s = next_stream(s->h.below)) {
        if (left && is_busy(s) && try_to_move(w, s, to)) left--;
        s->seen = s->received + s->sent;
    }
}

void move_arrive(struct worker *w, bsk_self *a)
{
    struct stream *s = (struct stream *)a->more->conn;
    assert(s->h.worker == w && s->state == STREAM_GIVEN);
    (void)w;
    handle_arrive(&s->h);
    int rc = stream_attach(s);
    if (rc) {
        stream_fail(s, rc);
        return;
    }
    s->state = STREAM_OPEN;
    limits_arrive(s);
    stream_steer(s);
}
