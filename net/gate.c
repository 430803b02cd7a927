/* SPDX-License-Identifier: MIT */
/* Listening sockets, and the listener: an actor that starts one for each connection.
 *
 * One thread accepts and hands each descriptor to a loop, with the actor that is to own it: to its
 * own while that has time left, else to the least busy (see actors/load.h, and move.c for what
 * becomes too much later). The most connections there may be is exact. Who listens at an address
 * twice is told so.
 *
 * Without descriptors left, accepting pauses for a moment: what waits stays in the system's queue. */
#include "error.h"
#include "service.h"
#include "socket.h"
#include "stream.h"
#include "tls.h"

#include "actors/clock.h"
#include "actors/load.h"
#include "actors/spawn.h"
#include "actors/thread.h"
#include "supervisor/scope.h"

#include <unistd.h>

#define BACKLOG 1024
#define PAUSE_MS 50
#define ACCEPTS 64 /* in one go */

/* These types are the library's own. */
#undef BSK_ONE_
#define BSK_ONE_ __attribute__((weak, visibility("hidden")))

BSK_MSG(net_gate_ready);
BSK_MSG(net_gate_again);

struct gate {
    struct handle h;
    uv_poll_t poll;
    int fd, port;
    bool unlinks;            /* its path goes with it */
    bool told;               /* its message is in the mailbox */
    bool waits;              /* its fiber waits for a connection */
    struct service *service; /* of a listener; NULL: a fiber's own */
    bsk_scope *scope;        /* of a listener's connections */
};

static void release(struct handle *h);
static void close_now(struct handle *h);
static bool received(struct handle *h, struct bsk_msg *m);
static const struct handle_kind gate_kind = {sizeof(struct gate), release, close_now, received};
static_assert(sizeof(struct gate) <= HANDLE_BYTES, "it has a place in the slab");

/* Whoever comes next can listen there at once. */
static void close_socket(struct gate *g)
{
    if (g->fd < 0) return;
    if (g->unlinks) {
        struct sockaddr_storage a;
        socklen_t size = sizeof a;
        char path[112];
        if (getsockname(g->fd, (struct sockaddr *)&a, &size) == 0) {
            sock_name(&a, path, sizeof path);
            unlink(path);
        }
    }
    close(g->fd);
    g->fd = -1;
}

static void gate_free(struct gate *g)
{
    close_socket(g);
    if (g->service) service_drop(g->service);
    handle_free(&g->h);
}

static void on_closed(uv_handle_t *handle)
{
    gate_free(handle->data);
}

static void release(struct handle *h)
{
    struct gate *g = (struct gate *)h;
    if (!g->poll.loop) {
        gate_free(g);
        return;
    }
    if (uv_is_closing((uv_handle_t *)&g->poll)) return;
    uv_close((uv_handle_t *)&g->poll, on_closed);
    /* Not in on_closed: before anyone hears that its actor has ended. */
    close_socket(g);
}

static void close_now(struct handle *h)
{
    if (h->owner) handle_disown(h);
    release(h);
}

static bool received(struct handle *h, struct bsk_msg *m)
{
    (void)m;
    ((struct gate *)h)->told = false;
    return true;
}

/* Without memory for the message the loop calls again. */
static void tell(struct gate *g)
{
    struct worker *w = g->h.worker;
    struct bsk_msg *m = snd_block(w, w->rt, sizeof(net_gate_ready));
    if (!m) return;
    m->type = &net_gate_ready_bsk;
    m->gen = g->h.owner_gen;
    m->lane = MSG_SIGNAL;
    m->flags = MSG_HANDLE;
    m->done = 0;
    m->ref = handle_id(&g->h);
    m->body[0] = 0;
    g->told = true;
    snd_urgent(w, w->rt, rt_addr(w->rt, g->h.owner, g->h.owner_gen), m);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct gate *g = poll->data;
    (void)status;
    (void)events;
    if (!g->h.owner) return;
    /* A listener that only waits for its connections to end takes none: it would be told, and
     * called, for ever. */
    if (act_flags(g->h.owner) & ACT_LINGERS) {
        close_now(&g->h);
        return;
    }
    if (g->service) {
        if (!g->told) tell(g);
        return;
    }
    uv_poll_stop(poll);
    if (!g->waits) return;
    g->waits = false;
    act_poke(g->h.worker, g->h.worker->rt, g->h.owner);
}

static int watch(struct gate *g)
{
    return net_code(uv_poll_start(&g->poll, UV_READABLE, on_ready));
}

static int gate_start(struct gate *g)
{
    int rc = handle_open(&g->h);
    if (rc) return rc;
    if ((rc = uv_poll_init(&g->h.worker->loop, &g->poll, g->fd))) return net_code(rc);
    g->poll.data = g;
    return g->service ? watch(g) : 0;
}

/* NULL: *rc says why. */
static struct gate *gate_new(struct worker *w, const bsk_listen_opts *o, int *rc)
{
    *rc = BSK_EINVAL;
    if (o->conn.own_thread) return NULL; /* a connection's actor runs where that is open */
    if (o->stream.tls && !tls_serves(o->stream.tls)) return NULL;
    struct gate *g = (struct gate *)handle_new(w, &gate_kind, rc);
    if (!g) return NULL;
    int backlog = o->backlog > 0 ? o->backlog : BACKLOG;
    g->fd = o->fd > 0 ? o->fd : sock_listen(o->host, o->port, backlog);
    if (g->fd >= 0) {
        g->port = sock_port(g->fd);
        g->unlinks = o->fd <= 0 && strchr(o->host, '/');
        return g;
    }
    *rc = g->fd;
    gate_free(g);
    return NULL;
}

/* Runs as the connection's actor, before its own init. */
static void conn_init(bsk_self *self)
{
    struct stream *s = (struct stream *)self->more->conn;
    struct service *v = s->service;
    int rc = stream_open(s);
    if (rc == 0 && v->opts.behavior.handler) rc = bsk_stream_messages(self, stream_id(s));
    if (rc) bsk_exit_as(self, BSK_FAILED, "connection: %s", bsk_strerror(rc));
    if (v->init) v->init(self);
}

static int start_connection(struct gate *g, int fd)
{
    struct service *v = g->service;
    int rc;
    struct stream *s = stream_new(load_place(g->h.worker), &v->opts.stream, &rc);
    if (!s) {
        close(fd);
        return rc;
    }
    s->fd = fd;
    service_join(v, s);
    bsk_opts o = v->opts.conn;
    struct bond *b;
    o.init = conn_init;
    rc = scope_spawn(g->scope, v->opts.behavior, &o, &(struct start){.handle = &s->h}, &b);
    if (rc) stream_discard(s);
    return rc;
}

static bool is_full(const struct service *v)
{
    return v->opts.max && atomic_load_explicit(&v->live, memory_order_relaxed) >= v->opts.max;
}

static void pause_accepting(bsk_self *self, struct gate *g)
{
    rt_count(&rt_net(g->h.worker)->count.no_descriptors, 1);
    uv_poll_stop(&g->poll);
    /* Without memory for the timer it goes on at once. */
    if (!bsk_after(self, PAUSE_MS, net_gate_again).gen) watch(g);
}

/* Takes what waits. Returns false when there is something missing to take more. */
static bool accept_some(struct gate *g)
{
    struct net_figures *count = &rt_net(g->h.worker)->count;
    for (int i = 0; i < ACCEPTS; i++) {
        int fd = sock_accept(g->fd);
        if (fd == UV_EAGAIN) return true;
        if (fd == UV_ECONNABORTED) continue;
        if (fd < 0) return false;
        if (is_full(g->service)) {
            rt_count(&count->refused, 1);
            close(fd);
            continue;
        }
        rt_count(&count->accepted, 1);
        if (start_connection(g, fd)) return false;
    }
    return true;
}

static struct gate *gate_of(bsk_self *self)
{
    struct handle *h = self->more->conn;
    return h && h->kind == &gate_kind ? (struct gate *)h : NULL;
}

void bsk_listener(bsk_self *self, bsk_msg *m)
{
    struct gate *g = gate_of(self);
    bsk_match(m) {
        bsk_on(net_gate_ready, r)
            if (!accept_some(g)) pause_accepting(self, g);
        bsk_on(net_gate_again, r)
            if (watch(g)) pause_accepting(self, g);
        bsk_on(bsk_where, q) {
            const char *host = g->service->opts.host;
            bsk_reply(q, bsk_where, .host = host ? host : "", .port = g->port);
        }
        bsk_on(bsk_stopping, s) {
            handle_disown(&g->h);
            release(&g->h);
            bsk_exit(self);
        }
    }
}

/* As a supervisor's child: what bsk_listen does before there is an actor. */
static struct gate *listener_open(bsk_self *self)
{
    const bsk_listen_opts *o = bsk_state(self);
    int rc = handle_may_open(self);
    struct gate *g = rc ? NULL : gate_new(self->worker, o, &rc);
    if (!g) bsk_fail(self, "%s port %d: %s", o->host, o->port, bsk_strerror(rc));
    g->service = service_new(o);
    if (!g->service || handle_own(self, &g->h)) {
        gate_free(g);
        bsk_fail(self, "%s", bsk_strerror(BSK_ENOMEM));
    }
    self->more->conn = &g->h;
    return g;
}

void bsk_listener_init(bsk_self *self)
{
    struct gate *g = gate_of(self);
    if (!g) g = listener_open(self);
    g->scope = bsk_scope_open_kind(self, BSK_FOREVER, BSK_EACH);
    int rc = g->scope ? gate_start(g) : bsk_error(self);
    if (rc) bsk_fail(self, "%s", bsk_strerror(rc));
}

static void tie_gate(struct worker *w, bsk_self *a, bsk_addr who, void *gate)
{
    (void)w;
    loop_hooks.give(a, who, gate);
}

static int spawn_listener(struct worker *here, struct bsk_rt *rt, struct gate *g, bsk_addr *who)
{
    bsk_opts o = {.name = g->service->opts.name,
                  .label = "listener",
                  .init = bsk_listener_init,
                  .trap_stop = true,
                  .shutdown_ms = g->service->opts.conn.shutdown_ms};
    bsk_behavior b = {.handler = bsk_listener};
    return spawn_actor(here, rt, b, &o, tie_gate, &g->h, who);
}

int bsk_listen_(bsk_rt *rt, const bsk_listen_opts *o)
{
    struct worker *here = rt_worker();
    if (!here || here->rt != rt) here = NULL;
    bsk_addr who;
    int rc;
    if (!o->behavior.handler == !o->behavior.fiber) return BSK_EINVAL;
    if (rt->seeded) return BSK_ENOTSUP;
    struct gate *g = gate_new(here && !here->solo ? here : rt->workers[0], o, &rc);
    if (!g) return rc;
    int port = g->port;
    rc = BSK_ENOMEM;
    g->service = service_new(o);
    if (g->service) rc = spawn_listener(here, rt, g, &who);
    if (rc) {
        gate_free(g);
        return rc;
    }
    if (o->who) *o->who = who;
    return port;
}

/* A fiber's own. */

int bsk_gate_open(bsk_self *self, const char *host, int port, bsk_gate *out)
{
    int rc = handle_may_open(self);
    if (rc) return rc;
    struct gate *g = gate_new(self->worker, &(bsk_listen_opts){.host = host, .port = port}, &rc);
    if (!g) return rc;
    if ((rc = handle_own(self, &g->h))) {
        gate_free(g);
        return rc;
    }
    rc = gate_start(g);
    if (rc) {
        close_now(&g->h);
        return rc;
    }
    *out = (bsk_gate){handle_id(&g->h)};
    return g->port;
}

void bsk_gate_close(bsk_self *self, bsk_gate gate)
{
    struct handle *h = handle_mine(self, gate.id, &gate_kind);
    if (h) close_now(h);
}

static int take(bsk_self *self, int fd, bsk_stream *out, const bsk_stream_opts *o)
{
    int rc;
    bsk_stream_opts server = *o;
    server.tls_name = NULL;
    struct stream *s = stream_new(self->worker, &server, &rc);
    if (!s) {
        close(fd);
        return rc;
    }
    s->fd = fd;
    rc = handle_own(self, &s->h);
    if (rc) {
        stream_discard(s);
        return rc;
    }
    rc = stream_open(s);
    if (rc) {
        handle_disown(&s->h);
        stream_close(s);
        return rc;
    }
    rt_count(&rt_net(self->worker)->count.accepted, 1);
    *out = stream_id(s);
    return 0;
}

/* Waits for a connection, or the time; may return early. */
static int await(bsk_self *self, struct gate *g, uint64_t until, bool wants)
{
    struct bsk_rt *rt = self->worker->rt;
    uint64_t now = clk_now(rt), moment = now + PAUSE_MS * NS_PER_MS;
    if (now >= until) return BSK_ETIMEDOUT;
    int rc = wants ? watch(g) : 0;
    if (rc) return rc;
    g->waits = wants;
    fib_wait(self, MBOX_DEAF, wants || moment > until ? until : moment, WAIT_IO, (bsk_addr){0});
    g->waits = false;
    return bsk_cancelled(self) ? BSK_ECANCELED : 0;
}

int bsk_gate_accept_(bsk_self *self, bsk_gate gate, int64_t ms, bsk_stream *out,
                     const bsk_stream_opts *o)
{
    struct gate *g = (struct gate *)handle_mine(self, gate.id, &gate_kind);
    if (!g) return BSK_EBADF;
    if (!fib_on_own_stack(self) || (o->tls && !tls_serves(o->tls))) return BSK_EINVAL;
    fib_spend(self);
    if (fib_cancelled(self)) return BSK_ECANCELED;
    uint64_t until = fib_until(self, clk_deadline(clk_now(self->worker->rt), ms));
    for (;;) {
        int fd = sock_accept(g->fd);
        if (fd >= 0) return take(self, fd, out, o);
        if (fd == UV_ECONNABORTED) continue;
        bool none = fd == UV_EAGAIN;
        if (!none) rt_count(&rt_net(self->worker)->count.no_descriptors, 1);
        int rc = await(self, g, until, none);
        if (rc) return rc;
    }
}
