/* SPDX-License-Identifier: MIT */
/* Connecting: the name is resolved, its addresses are tried in turn, TLS is agreed upon.
 *
 *     resolve ---> address 1 --refused--> address 2 ... ---> connected ---> greeted
 *
 * What libuv works on stands apart from the stream, which may be given up at any time. */
#include "connect.h"

#include "error.h"
#include "lookup.h"
#include "socket.h"
#include "tls.h"

#include "actors/clock.h"
#include "actors/thread.h"

#include <unistd.h>

struct dial {
    struct stream *stream; /* NULL: given up */
    struct net_loop *loop;
    struct lookup *lookup; /* NULL: none is under way */
    unsigned held;         /* of the two, those that libuv has */
    uv_poll_t poll;
    uv_timer_t timer;
    bool polling, timed;
    struct addrinfo *all, *next; /* resolved; to be tried next */
    struct addrinfo one;         /* of a numeric address */
    struct sockaddr_storage numeric;
    int port;
    int code;               /* of the last failure */
    struct bsk_msg *notice; /* bsk_dialed; NULL: a fiber waits */
};

static void hold(struct dial *d)
{
    d->held++;
    d->loop->closing++;
}

static void free_unused(struct dial *d)
{
    if (d->stream || d->held) return;
    if (d->all) freeaddrinfo(d->all);
    mem_free(d);
}

static void let_go(struct dial *d)
{
    d->held--;
    d->loop->closing--;
    free_unused(d);
}

static void on_part_closed(uv_handle_t *part)
{
    let_go(part->data);
}

void dial_drop(struct stream *s)
{
    struct dial *d = s->dial;
    if (!d) return;
    s->dial = NULL;
    d->stream = NULL;
    if (d->notice) snd_free_block(s->h.worker, s->h.worker->rt, d->notice);
    if (d->lookup) lookup_drop(d->lookup);
    if (d->polling) uv_close((uv_handle_t *)&d->poll, on_part_closed);
    if (d->timed) uv_close((uv_handle_t *)&d->timer, on_part_closed);
    free_unused(d);
}

static const char *reason(const struct stream *s, int code)
{
    const char *why = code ? tls_why(s) : NULL;
    return why ? why : bsk_strerror(code);
}

static void send_notice(struct stream *s, struct bsk_msg *m, int code)
{
    struct worker *w = s->h.worker;
    /* Of a stream that failed it is the last word, which holds also when that is closed. */
    if (code) m->flags = 0;
    *(bsk_dialed *)(void *)m->body =
        (bsk_dialed){.stream = m->ref, .code = code, .text = reason(s, code)};
    if (code) m->flags &= (uint8_t)~MSG_HANDLE; /* it comes though the stream is no more */
    snd_urgent(w, w->rt, rt_addr(w->rt, s->h.owner, s->h.owner_gen), m);
}

void dial_done(struct stream *s, int code)
{
    struct dial *d = s->dial;
    if (!d) return;
    struct bsk_msg *m = d->notice;
    d->notice = NULL;
    dial_drop(s);
    if (m) send_notice(s, m, code);
    if (m && code) {
        handle_disown(&s->h);
        stream_close(s);
        return;
    }
    if (code) {
        stream_fail(s, code);
        return;
    }
    rt_count(&rt_net(s->h.worker)->count.connected, 1);
    stream_wake(s, WAITS_OPEN);
}

static void connected(struct stream *s)
{
    int rc = stream_open(s);
    /* What has failed underway has told so. */
    if (s->dial && (rc || !s->tls)) dial_done(s, rc);
}

static void try_next(struct stream *s);

static void on_poll_closed(uv_handle_t *poll)
{
    struct dial *d = poll->data;
    struct stream *s = d->stream;
    if (s && d->code) {
        close(s->fd);
        s->fd = -1;
        try_next(s);
    } else if (s) {
        connected(s);
    }
    let_go(d);
}

static void on_writable(uv_poll_t *poll, int status, int events)
{
    struct dial *d = poll->data;
    (void)events;
    /* libuv calls any error EBADF. */
    int rc = sock_error(d->stream->fd);
    d->code = net_code(rc ? rc : status);
    d->polling = false;
    uv_close((uv_handle_t *)poll, on_poll_closed);
}

static int poll_for(struct dial *d, int fd)
{
    int rc = uv_poll_init_socket(&d->stream->h.worker->loop, &d->poll, fd);
    if (rc) return net_code(rc);
    hold(d);
    d->polling = true;
    d->poll.data = d;
    return net_code(uv_poll_start(&d->poll, UV_WRITABLE, on_writable));
}

/* Tries addresses until one says that it will tell. */
static void try_next(struct stream *s)
{
    struct dial *d = s->dial;
    while (d->next) {
        struct addrinfo *a = d->next;
        d->next = a->ai_next;
        int fd = sock_connect(a->ai_addr, a->ai_addrlen, d->port);
        d->code = fd < 0 ? net_code(fd) : 0;
        if (fd < 0) continue;
        s->fd = fd;
        int rc = poll_for(d, fd);
        if (rc) dial_done(s, rc);
        return;
    }
    dial_done(s, d->code ? d->code : BSK_EHOST);
}

static void on_found(void *dial, int code, struct addrinfo *all)
{
    struct dial *d = dial;
    d->lookup = NULL;
    d->all = d->next = all;
    if (code)
        dial_done(d->stream, code);
    else
        try_next(d->stream);
}

static void on_time(uv_timer_t *timer)
{
    struct dial *d = timer->data;
    dial_done(d->stream, BSK_ETIMEDOUT);
}

static void set_time(struct dial *d, int64_t ms)
{
    uv_timer_init(&d->stream->h.worker->loop, &d->timer);
    hold(d);
    d->timed = true;
    d->timer.data = d;
    uv_timer_start(&d->timer, on_time, (uint64_t)ms, 0);
}

/* Nothing is tried before the caller has returned to its loop, or waits. */
static int start(struct stream *s, const char *host, int port)
{
    struct dial *d = s->dial;
    if (!sock_address(host, port, &d->numeric)) {
        int rc;
        d->lookup = lookup_start(s->h.worker, host, on_found, d, &rc);
        return rc;
    }
    d->one = (struct addrinfo){.ai_addr = (struct sockaddr *)&d->numeric,
                               .ai_addrlen = sock_length(&d->numeric)};
    d->next = &d->one;
    try_next(s);
    return 0;
}

/* A stream of the actor's own that is about to be connected. */
static struct stream *begin(bsk_self *self, const char *host, int port, const bsk_stream_opts *o,
                            int *rc)
{
    bsk_stream_opts named = *o;
    struct sockaddr_storage a;
    *rc = handle_may_open(self);
    if (*rc == 0 && (!host || !*host || port < 0 || port > 65535)) *rc = BSK_EINVAL;
    if (*rc == 0 && strchr(host, '/') && !sock_address(host, port, &a)) *rc = BSK_EINVAL;
    if (*rc) return NULL;
    if (!named.tls_name) named.tls_name = host;
    struct stream *s = stream_new(self->worker, &named, rc);
    if (!s) return NULL;
    s->state = STREAM_CONNECTING;
    *rc = BSK_ENOMEM;
    struct dial *d = s->dial = mem_zalloc(sizeof *d);
    if (!d || handle_open(&s->h)) goto discard;
    d->stream = s;
    d->loop = rt_net(self->worker);
    d->port = port;
    if (handle_own(self, &s->h) == 0) return s;
discard:
    if (d) d->loop = rt_net(self->worker);
    stream_discard(s);
    return NULL;
}

int bsk_dial_(bsk_self *self, const char *host, int port, int64_t ms, const bsk_stream_opts *o)
{
    int rc;
    if (ms < BSK_FOREVER) return BSK_EINVAL;
    struct stream *s = begin(self, host, port, o, &rc);
    if (!s) return rc;
    rc = bsk_stream_messages(self, stream_id(s));
    if (rc == 0 && !(s->dial->notice = notice_new(s, &bsk_dialed_bsk))) rc = BSK_ENOMEM;
    if (rc == 0 && ms != BSK_FOREVER) set_time(s->dial, ms);
    if (rc == 0) rc = start(s, host, port);
    if (rc) bsk_stream_reset(self, stream_id(s));
    return rc;
}

/* Waits until it is decided. */
static int await(bsk_self *self, struct stream *s, uint64_t until)
{
    while (s->dial) {
        if (clk_now(self->worker->rt) >= until) return BSK_ETIMEDOUT;
        s->waits = WAITS_OPEN;
        fib_wait(self, MBOX_DEAF, until, WAIT_IO, (bsk_addr){0, 0, 0});
        s->waits = WAITS_NOT;
        if (bsk_cancelled(self)) return BSK_ECANCELED;
    }
    return s->broken;
}

int bsk_connect_(bsk_self *self, const char *host, int port, int64_t ms, bsk_stream *out,
                 const bsk_stream_opts *o)
{
    int rc;
    if (!fib_on_own_stack(self)) return BSK_EINVAL;
    fib_spend(self);
    if (fib_cancelled(self)) return BSK_ECANCELED;
    uint64_t until = fib_until(self, clk_deadline(clk_now(self->worker->rt), ms));
    struct stream *s = begin(self, host, port, o, &rc);
    if (!s) return rc;
    bsk_stream id = stream_id(s);
    rc = start(s, host, port);
    if (rc == 0) rc = await(self, s, until);
    if (rc == 0) {
        *out = id;
        return 0;
    }
    act_set_error(self, rc);
    thread_set_detail("%s: %s", host, reason(s, rc));
    bsk_stream_reset(self, id);
    return rc;
}
