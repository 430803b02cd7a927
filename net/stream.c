/* SPDX-License-Identifier: MIT */
#include "stream.h"

#include "adopt.h"
#include "connect.h"
#include "error.h"
#include "limits.h"
#include "service.h"
#include "socket.h"
#include "tls.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_AHEAD ((uint32_t)64 * 1024)
#define WRITE_HIGH ((uint32_t)256 * 1024)
#define FLUSH_AT ((size_t)64 * 1024) /* more than this is not kept until the next occasion */
#define LINGER_MS 5000

static void release(struct handle *h);
static void progress(struct stream *s);
static void close_now(struct handle *h);
static bool received(struct handle *h, struct bsk_msg *m);
const struct handle_kind stream_kind = {sizeof(struct stream), release, close_now, received};

static struct net_loop *loop_of(const struct stream *s)
{
    return rt_net(s->h.worker);
}

struct stream *stream_new(struct worker *w, const bsk_stream_opts *o, int *rc)
{
    struct stream *s = (struct stream *)handle_new(w, &stream_kind, rc);
    if (!s) return NULL;
    s->fd = -1;
    s->delay = o->delay;
    s->read_ahead = o->read_ahead ? o->read_ahead : READ_AHEAD;
    s->write_high = o->write_high ? o->write_high : WRITE_HIGH;
    *rc = limits_new(s, o);
    if (*rc == 0 && o->tls) *rc = tls_begin(s, o);
    if (*rc == 0) return s;
    stream_discard(s);
    return NULL;
}

static void free_messages(struct stream *s)
{
    struct worker *w = s->h.worker;
    for (struct bsk_msg *m = s->in, *next; m; m = next) {
        next = m->next;
        snd_free_block(w, w->rt, m);
    }
    if (s->lent) snd_free_block(w, w->rt, s->lent);
    if (s->end_notice) snd_free_block(w, w->rt, s->end_notice);
    if (s->room_notice) snd_free_block(w, w->rt, s->room_notice);
}

void stream_discard(struct stream *s)
{
    dial_drop(s);
    free_messages(s);
    chunks_free(s->h.worker, &s->out);
    chunks_free(s->h.worker, &s->sending);
    if (s->shared)
        adopt_give_back(s->fd);
    else if (s->fd >= 0)
        close(s->fd);
    limits_stop(s);
    tls_end(s);
    service_leave(s);
    handle_free(&s->h);
}

static void on_closed(uv_handle_t *handle)
{
    stream_discard(handle->data);
}

static void unlist(struct stream *s)
{
    if (!s->listed) return;
    s->listed = false;
    if (s->prev)
        s->prev->next = s->next;
    else
        loop_of(s)->unsent = s->next;
    if (s->next) s->next->prev = s->prev;
}

static void list(struct stream *s)
{
    struct net_loop *l = loop_of(s);
    if (s->listed) return;
    s->listed = true;
    s->prev = NULL;
    s->next = l->unsent;
    if (s->next) s->next->prev = s;
    l->unsent = s;
}

void stream_close(struct stream *s)
{
    assert(!s->h.owner);
    if (s->state == STREAM_CLOSING) return;
    bool on_loop = s->uv.handle.loop;
    s->state = STREAM_CLOSING;
    unlist(s);
    dial_drop(s);
    limits_stop(s);
    /* Before the peer can know: who comes in its place is let in. */
    service_leave(s);
    if (on_loop)
        uv_close(&s->uv.handle, on_closed);
    else
        stream_discard(s);
}

static void close_now(struct handle *h)
{
    struct stream *s = (struct stream *)h;
    if (h->owner) handle_disown(h);
    stream_close(s);
}

/* Tells whether it is let go of by an actor that ends, and not well. */
static bool is_forsaken(const struct stream *s)
{
    const struct ending *e = &s->h.worker->ending;
    return e->actor && e->reason != BSK_NORMAL && e->reason != BSK_SHUTDOWN &&
           e->reason != BSK_CANCELLED;
}

/* Closing a socket on bytes that nobody has read resets it: of what was said, the peer may lose what
 * it has not read yet. */
static bool would_lose(const struct stream *s)
{
    uv_os_fd_t fd;
    int unread = 0;
    if (s->uv.handle.type != UV_TCP || s->end || uv_fileno(&s->uv.handle, &fd)) return false;
    return (s->unsent || s->sent) && ioctl(fd, FIONREAD, &unread) == 0 && unread > 0;
}

/* Nobody's from now on. What was written has its time to leave. */
static void release(struct handle *h)
{
    struct stream *s = (struct stream *)h;
    s->waits = WAITS_NOT;
    if (is_forsaken(s)) {
        stream_close(s);
        return;
    }
    if (s->tls) tls_shut(s);
    if (s->state == STREAM_OPEN) stream_flush(s);
    bool greets = s->state == STREAM_GREETING && !s->dial;
    s->discards = s->state == STREAM_OPEN && !s->broken && would_lose(s);
    if (!(s->state == STREAM_OPEN || greets) || !(s->unsent || s->discards) || s->broken) {
        stream_close(s);
        return;
    }
    s->state = STREAM_LINGERS;
    stream_steer(s);
    if (limits_linger(s, LINGER_MS))
        stream_close(s);
    else if (!s->unsent)
        progress(s);
}

struct stream *stream_mine(bsk_self *self, bsk_stream id)
{
    return (struct stream *)handle_mine(self, id.id, &stream_kind);
}

void stream_wake(struct stream *s, enum stream_wait what)
{
    if (s->waits != what || !s->h.owner) return;
    s->waits = WAITS_NOT;
    act_poke(s->h.worker, s->h.worker->rt, s->h.owner);
}

static void on_alloc(uv_handle_t *handle, size_t n, uv_buf_t *buf)
{
    struct stream *s = handle->data;
    (void)n;
    /* What nobody owns throws away what comes. */
    bool room = !s->h.owner || (s->unread < s->read_ahead && !(s->messages && s->paused));
    *buf = room ? uv_buf_init(loop_of(s)->scratch, SCRATCH) : uv_buf_init(NULL, 0);
}

/* libuv takes a reset that comes together with bytes for an end. */
static int end_of(const struct stream *s)
{
    uv_os_fd_t fd;
    int rc = uv_fileno(&s->uv.handle, &fd);
    if (rc == 0) rc = sock_error(fd);
    return rc && rc != UV_ENOTSOCK ? rc : UV_EOF;
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct stream *s = stream->data;
    if (n == 0) return;
    if (n == UV_ENOBUFS && !buf->base) {
        stream_steer(s);
        return;
    }
    if (n < 0) {
        int code = net_code(n == UV_EOF ? end_of(s) : (int)n);
        if (code == BSK_EEOF && s->tls) tls_eof(s);
        if (code == BSK_EEOF)
            stream_ended(s, s->broken && s->broken != BSK_EPIPE ? s->broken : code);
        else
            stream_fail(s, code);
        return;
    }
    s->received += (uint64_t)n;
    rt_count(&loop_of(s)->count.received, (uint64_t)n);
    limits_heard(s);
    if (s->tls)
        tls_input(s, buf->base, (size_t)n);
    else
        stream_input(s, buf->base, (size_t)n);
}

static bool wants_input(const struct stream *s)
{
    if (s->end || s->state == STREAM_CLOSING) return false;
    if (s->state == STREAM_LINGERS) return s->discards || (s->tls && tls_greets(s));
    return s->unread < s->read_ahead && !(s->messages && s->paused);
}

void stream_steer(struct stream *s)
{
    bool wants = wants_input(s);
    if (s->reading == wants || s->state < STREAM_GREETING) return;
    s->reading = wants;
    if (!wants)
        uv_read_stop(&s->uv.stream);
    else if (uv_read_start(&s->uv.stream, on_alloc, on_read))
        stream_fail(s, BSK_EIO);
}

/* What one read gave, as the message that tells of it. */
static struct bsk_msg *input_message(struct stream *s, const char *bytes, size_t n)
{
    struct worker *w = s->h.worker;
    struct bsk_msg *m = snd_block(w, w->rt, sizeof(bsk_data) + n);
    if (!m) return NULL;
    m->next = NULL;
    m->type = &bsk_data_bsk;
    m->gen = s->h.owner_gen;
    m->lane = MSG_SIGNAL;
    m->flags = MSG_HANDLE;
    m->done = 0;
    m->ref = handle_id(&s->h);
    char *tail = (char *)m->body + sizeof(bsk_data);
    memcpy(tail, bytes, n);
    *(bsk_data *)(void *)m->body = (bsk_data){.stream = m->ref, .data = {tail, n}};
    return m;
}

static const bsk_bytes *bytes_of(const struct bsk_msg *m)
{
    return &((const bsk_data *)(const void *)m->body)->data;
}

void stream_input(struct stream *s, const char *bytes, size_t n)
{
    if (!s->h.owner) return;
    struct bsk_msg *m = input_message(s, bytes, n);
    if (!m) {
        stream_fail(s, BSK_ENOMEM);
        return;
    }
    if (s->in)
        s->in_last->next = m;
    else
        s->in = m;
    s->in_last = m;
    s->unread += (uint32_t)n;
    stream_tell(s);
    stream_wake(s, WAITS_INPUT);
}

struct bsk_msg *stream_take(struct stream *s)
{
    struct bsk_msg *m = s->in;
    if (!m) return NULL;
    s->in = m->next;
    s->unread -= (uint32_t)bytes_of(m)->len;
    if (!s->reading) stream_steer(s);
    return m;
}

static void push(struct stream *s, struct bsk_msg *m)
{
    struct worker *w = s->h.worker;
    s->told = true;
    snd_urgent(w, w->rt, rt_addr(w->rt, s->h.owner, s->h.owner_gen), m);
}

void stream_tell(struct stream *s)
{
    struct bsk_msg *m;
    if (!s->messages || s->told || !s->h.owner) return;
    if (!s->paused && (m = stream_take(s))) {
        push(s, m);
        return;
    }
    if (s->in || !s->end || !s->end_notice) return;
    m = s->end_notice;
    s->end_notice = NULL;
    ((bsk_closed *)(void *)m->body)->code = s->end;
    push(s, m);
}

static bool received(struct handle *h, struct bsk_msg *m)
{
    struct stream *s = (struct stream *)h;
    if (m->type == &bsk_drained_bsk || m->type == &bsk_dialed_bsk) return true;
    s->told = false;
    stream_tell(s);
    return true;
}

void stream_ended(struct stream *s, int code)
{
    if (s->end) return;
    s->end = code;
    stream_steer(s);
    stream_tell(s);
    stream_wake(s, WAITS_INPUT);
    if (s->state == STREAM_LINGERS && !s->unsent) stream_close(s);
}

static void say_room(struct stream *s)
{
    struct worker *w = s->h.worker;
    struct bsk_msg *m = s->room_notice;
    if (!m || !s->h.owner) return;
    s->room_notice = NULL;
    snd_urgent(w, w->rt, rt_addr(w->rt, s->h.owner, s->h.owner_gen), m);
}

/* Nothing more can be written. Who waits to do so is told: to try is to hear why not. */
static void break_off(struct stream *s, int code)
{
    if (!s->broken) s->broken = code;
    unlist(s);
    chunks_free(s->h.worker, &s->out);
    s->unsent = 0;
    say_room(s);
    stream_wake(s, WAITS_ROOM);
    stream_wake(s, WAITS_EMPTY);
}

void stream_fail(struct stream *s, int code)
{
    if (s->state == STREAM_CLOSING) return;
    if (s->dial) {
        dial_done(s, code);
        return;
    }
    break_off(s, code);
    stream_ended(s, code);
    stream_wake(s, WAITS_OPEN);
    if (s->state == STREAM_LINGERS) stream_close(s);
}

/* What the peer said before it took no more can still be read. */
static void write_failed(struct stream *s, int code)
{
    if ((s->tls && tls_greets(s)) || s->dial || s->state == STREAM_LINGERS)
        stream_fail(s, code);
    else if (s->state != STREAM_CLOSING)
        break_off(s, code);
}

static void on_shut(uv_shutdown_t *req, int status)
{
    struct stream *s = req->handle->data;
    (void)status;
    s->busy = false;
}

static void shut(struct stream *s)
{
    s->shut = SHUT_SENT;
    s->busy = uv_shutdown(&s->req.shutdown, &s->uv.stream, on_shut) == 0;
}

/* Bytes have left. */
static void progress(struct stream *s)
{
    if (s->unsent <= s->write_high / 2) {
        stream_wake(s, WAITS_ROOM);
        say_room(s);
    }
    if (s->unsent) return;
    stream_wake(s, WAITS_EMPTY);
    /* The peer may have said more meanwhile. */
    if (s->state == STREAM_LINGERS && !s->discards && would_lose(s)) {
        s->discards = true;
        stream_steer(s);
    }
    bool waits_for_end = s->state == STREAM_LINGERS && s->discards && !s->end;
    if (waits_for_end && s->shut == SHUT_NOT) s->shut = SHUT_ASKED;
    if (s->shut == SHUT_ASKED && !s->busy && s->state != STREAM_GREETING) shut(s);
    if (s->state == STREAM_LINGERS && !waits_for_end) stream_close(s);
}

static void sent(struct stream *s, size_t n)
{
    s->sent += n;
    rt_count(&loop_of(s)->count.sent, n);
    limits_heard(s);
}

static void on_written(uv_write_t *req, int status)
{
    struct stream *s = req->handle->data;
    struct worker *w = s->h.worker;
    size_t n = 0;
    s->busy = false;
    for (struct chunk *k = s->sending.first; k; k = k->next) n += k->to - k->from;
    chunks_free(w, &s->sending);
    if (s->state == STREAM_CLOSING) return;
    if (status || s->broken) {
        write_failed(s, status ? net_code(status) : s->broken);
        return;
    }
    sent(s, n);
    s->unsent -= n;
    stream_flush(s);
    progress(s);
}

/* The system takes no more for now: libuv sends the rest when it does. */
static void send_later(struct stream *s)
{
    uv_buf_t bufs[CHUNK_BUFS];
    s->sending = s->out;
    unsigned n = chunks_view(&s->sending, bufs);
    struct chunk *last = s->sending.first;
    for (unsigned i = 1; i < n; i++) last = last->next;
    s->out.first = last->next;
    if (!last->next) s->out.last = NULL;
    last->next = NULL;
    s->sending.last = last;
    int rc = uv_write(&s->req.write, &s->uv.stream, bufs, n, on_written);
    s->busy = rc == 0;
    if (rc) write_failed(s, net_code(rc));
}

/* A socket is sent to without the detour through files that write takes. */
static int write_now(struct stream *s, const uv_buf_t *bufs, unsigned n)
{
    uv_os_fd_t fd;
    if (n > 1 || s->uv.handle.type != UV_TCP || uv_fileno(&s->uv.handle, &fd))
        return uv_try_write(&s->uv.stream, bufs, n);
    ssize_t sent = send(fd, bufs->base, bufs->len, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent >= 0 ? (int)sent : errno == EINTR ? UV_EAGAIN : -errno;
}

void stream_flush(struct stream *s)
{
    uv_buf_t bufs[CHUNK_BUFS];
    unlist(s);
    if (s->tls) tls_output(s);
    while (s->state >= STREAM_GREETING && !s->busy && s->out.first && !s->broken) {
        unsigned count = chunks_view(&s->out, bufs);
        int n = write_now(s, bufs, count);
        if (n < 0 && n != UV_EAGAIN) {
            write_failed(s, net_code(n));
            return;
        }
        if (n > 0) {
            sent(s, (size_t)n);
            s->unsent -= (size_t)n;
            chunks_drop(s->h.worker, &s->out, (size_t)n);
        }
        if (s->out.first && (n <= 0 || count < CHUNK_BUFS)) send_later(s);
    }
    if (s->waits != WAITS_NOT || s->room_notice || !s->unsent) progress(s);
}

void stream_flush_all(struct worker *w)
{
    struct net_loop *l = rt_net(w);
    while (l->unsent) stream_flush(l->unsent);
}

int stream_output(struct stream *s, const void *bytes, size_t n)
{
    assert(!s->broken);
    int rc = s->tls ? tls_write(s, bytes, n) : chunks_append(s->h.worker, &s->out, bytes, n);
    if (rc) return rc;
    if (!s->tls) s->unsent += n;
    if (s->unsent >= FLUSH_AT && !s->busy)
        stream_flush(s);
    else
        list(s);
    return 0;
}

static int open_as(struct stream *s)
{
    uv_loop_t *loop = &s->h.worker->loop;
    uv_handle_type type = uv_guess_handle(s->fd);
    int rc;
    rc = type == UV_TCP ? uv_tcp_init(loop, &s->uv.tcp) : uv_pipe_init(loop, &s->uv.pipe, 0);
    if (rc) return rc;
    s->uv.handle.data = s;
    return type == UV_TCP ? uv_tcp_open(&s->uv.tcp, s->fd) : uv_pipe_open(&s->uv.pipe, s->fd);
}

int stream_attach(struct stream *s)
{
    int rc = open_as(s);
    if (rc) return net_code(rc);
    s->fd = -1;
    return 0;
}

int stream_open(struct stream *s)
{
    int rc = s->h.opened ? 0 : handle_open(&s->h);
    if (rc == 0) rc = stream_attach(s);
    return rc ? rc : stream_established(s);
}

int stream_established(struct stream *s)
{
    s->state = s->tls ? STREAM_GREETING : STREAM_OPEN;
    if (s->uv.handle.type == UV_TCP && !s->delay) uv_tcp_nodelay(&s->uv.tcp, 1);
    limits_start(s);
    stream_steer(s);
    if (s->tls) tls_greet(s);
    return s->broken;
}

/* The words of its actor. */

bsk_stream bsk_conn(const bsk_self *self)
{
    struct handle *h = self->more ? self->more->conn : NULL;
    return h ? stream_id((struct stream *)h) : (bsk_stream){0};
}

static void let_go(struct stream *s)
{
    handle_disown(&s->h);
    release(&s->h);
}

int bsk_stream_shut(bsk_self *self, bsk_stream id)
{
    struct stream *s = stream_mine(self, id);
    if (!s) return BSK_EBADF;
    if (s->broken || s->shut) return BSK_EPIPE;
    if (s->one_way) {
        let_go(s);
        return 0;
    }
    if (s->tls) tls_shut(s);
    s->shut = SHUT_ASKED;
    stream_flush(s);
    return 0;
}

void bsk_stream_close(bsk_self *self, bsk_stream id)
{
    struct stream *s = stream_mine(self, id);
    if (s) let_go(s);
}

void bsk_stream_reset(bsk_self *self, bsk_stream id)
{
    struct stream *s = stream_mine(self, id);
    if (!s) return;
    handle_disown(&s->h);
    stream_close(s);
}
