/* SPDX-License-Identifier: MIT */
/* Datagrams.
 *
 *     peers --> libuv --> in: o o o --> the actor    in: messages, each a datagram
 *     peers <-- libuv <-- the actor
 *
 * What is sent goes to the system at once; only if that takes no more a copy waits in libuv. */
#include "error.h"
#include "note.h"
#include "socket.h"

#define QUEUE 256
#define WAITING_MOST ((size_t)256 * 1024) /* bytes of copies */
#define HOST_BYTES 64

struct udp {
    struct handle h;
    uv_udp_t uv;
    bool on_loop;
    struct bsk_msg *in, *in_last;
    struct bsk_msg *lent;
    uint32_t queued, most;
    bool messages, told, waits, waits_sent;
    uint64_t received, sent, dropped;
};

/* A copy that libuv has. */
struct sending {
    uv_udp_send_t req;
    struct udp *udp;
    size_t n;
    char bytes[];
};

static void release(struct handle *h);
static void close_now(struct handle *h);
static bool received(struct handle *h, struct bsk_msg *m);
static const struct handle_kind udp_kind = {sizeof(struct udp), release, close_now, received};
static_assert(sizeof(struct udp) <= HANDLE_BYTES, "it has a place in the slab");

static void discard(struct udp *u)
{
    for (struct bsk_msg *m = u->in, *next; m; m = next) {
        next = m->next;
        note_drop(&u->h, m);
    }
    note_drop(&u->h, u->lent);
    handle_free(&u->h);
}

static void on_closed(uv_handle_t *handle)
{
    discard(handle->data);
}

static void release(struct handle *h)
{
    struct udp *u = (struct udp *)h;
    if (!u->on_loop)
        discard(u);
    else if (!uv_is_closing((uv_handle_t *)&u->uv))
        uv_close((uv_handle_t *)&u->uv, on_closed);
}

static void close_now(struct handle *h)
{
    if (h->owner) handle_disown(h);
    release(h);
}

static struct udp *udp_mine(bsk_self *self, bsk_udp u)
{
    return (struct udp *)handle_mine(self, u.id, &udp_kind);
}

/* Taking. */

static struct bsk_msg *take(struct udp *u)
{
    struct bsk_msg *m = u->in;
    if (!m) return NULL;
    assert(u->queued);
    u->in = m->next;
    u->queued--;
    return m;
}

static void tell(struct udp *u)
{
    struct bsk_msg *m;
    if (!u->messages || u->told || !u->h.owner || !(m = take(u))) return;
    u->told = true;
    note_send(&u->h, m);
}

static bool received(struct handle *h, struct bsk_msg *m)
{
    struct udp *u = (struct udp *)h;
    (void)m;
    u->told = false;
    tell(u);
    return true;
}

static bsk_datagram *datagram_of(struct bsk_msg *m)
{
    return (bsk_datagram *)(void *)m->body;
}

static int port_of(const struct sockaddr *a)
{
    const void *p = a;
    if (!a) return 0;
    return ntohs(a->sa_family == AF_INET6 ? ((const struct sockaddr_in6 *)p)->sin6_port
                                          : ((const struct sockaddr_in *)p)->sin_port);
}

static void write_host(const struct sockaddr *a, char *out)
{
    const void *p = a;
    *out = '\0';
    if (a && a->sa_family == AF_INET6)
        uv_ip6_name(p, out, HOST_BYTES);
    else if (a)
        uv_ip4_name(p, out, HOST_BYTES);
}

/* A datagram as the message that tells of it: the host's name and the bytes lie behind it. */
static struct bsk_msg *message(struct udp *u, const struct sockaddr *from, const char *bytes,
                               size_t n, int code)
{
    struct bsk_msg *m = note_new(&u->h, &bsk_datagram_bsk, HOST_BYTES + n);
    if (!m) return NULL;
    char *host = (char *)m->body + sizeof(bsk_datagram), *data = host + HOST_BYTES;
    write_host(from, host);
    if (n) memcpy(data, bytes, n);
    bsk_datagram *d = datagram_of(m);
    d->udp = m->ref;
    d->host = host;
    d->port = port_of(from);
    d->data = (bsk_bytes){data, n};
    d->code = code;
    return m;
}

static void take_in(struct udp *u, const struct sockaddr *from, const char *bytes, size_t n,
                    int code)
{
    struct bsk_msg *m = u->queued < u->most ? message(u, from, bytes, n, code) : NULL;
    if (!m) {
        u->dropped++;
        return;
    }
    if (u->in)
        u->in_last->next = m;
    else
        u->in = m;
    u->in_last = m;
    u->queued++;
    assert(u->queued <= u->most);
    tell(u);
    note_wake(&u->h, &u->waits);
}

static void on_alloc(uv_handle_t *handle, size_t n, uv_buf_t *buf)
{
    struct udp *u = handle->data;
    (void)n;
    *buf = uv_buf_init(rt_net(u->h.worker)->scratch, SCRATCH);
}

static void on_datagram(uv_udp_t *uv, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from,
                        unsigned flags)
{
    struct udp *u = uv->data;
    (void)flags;
    if (!u->h.owner || (n == 0 && !from)) return;
    if (n >= 0) {
        u->received++;
        rt_count(&rt_net(u->h.worker)->count.received, (uint64_t)n);
    }
    take_in(u, from, buf->base, n < 0 ? 0 : (size_t)n, n < 0 ? net_code((int)n) : 0);
}

int bsk_udp_recv(bsk_self *self, bsk_udp id, bsk_udp_from *out, int64_t ms)
{
    struct udp *u = udp_mine(self, id);
    int rc = note_begin(self, u ? &u->h : NULL);
    if (rc == 0 && u->messages) rc = BSK_EINVAL;
    if (rc) return rc;
    note_drop(&u->h, u->lent);
    u->lent = NULL;
    uint64_t until = note_due(self, ms);
    while (!u->in)
        if ((rc = note_wait(self, &u->waits, until))) return rc;
    u->lent = take(u);
    const bsk_datagram *d = datagram_of(u->lent);
    if (d->code == 0) *out = (bsk_udp_from){d->host, (int)d->port, d->data};
    return (int)d->code;
}

/* Sending. */

static int address(const char *host, int port, struct sockaddr_storage *a,
                   const struct sockaddr **out)
{
    *out = host ? (const struct sockaddr *)a : NULL;
    if (!host) return 0;
    return strchr(host, '/') || !sock_address(host, port, a) ? BSK_EINVAL : 0;
}

static int code_of(int uv)
{
    switch (uv) {
    case UV_EAGAIN: return BSK_EFULL;
    case UV_EMSGSIZE:
    case UV_EDESTADDRREQ:
    case UV_EISCONN: return BSK_EINVAL;
    default: return net_code(uv);
    }
}

static int try_send(struct udp *u, const struct sockaddr *to, bsk_bytes b)
{
    uv_buf_t buf = {.base = (char *)(uintptr_t)b.ptr, .len = b.len};
    int n = uv_udp_try_send(&u->uv, &buf, 1, to);
    if (n < 0) return code_of(n);
    u->sent++;
    rt_count(&rt_net(u->h.worker)->count.sent, (uint64_t)n);
    return 0;
}

int bsk_udp_try(bsk_self *self, bsk_udp id, const char *host, int port, bsk_bytes b)
{
    struct udp *u = udp_mine(self, id);
    struct sockaddr_storage a;
    const struct sockaddr *to;
    int rc = u ? address(host, port, &a, &to) : BSK_EBADF;
    return rc ? rc : try_send(u, to, b);
}

static void on_sent(uv_udp_send_t *req, int status)
{
    struct sending *s = req->data;
    struct udp *u = s->udp;
    if (status == 0) {
        u->sent++;
        rt_count(&rt_net(u->h.worker)->count.sent, s->n);
    }
    mem_free(s);
    note_wake(&u->h, &u->waits_sent);
}

static int send_later(struct udp *u, const struct sockaddr *to, bsk_bytes b)
{
    if (uv_udp_get_send_queue_size(&u->uv) + b.len > WAITING_MOST) return BSK_EFULL;
    struct sending *s = mem_alloc(sizeof *s + b.len);
    if (!s) return BSK_ENOMEM;
    memcpy(s->bytes, b.ptr, b.len);
    s->udp = u;
    s->n = b.len;
    s->req.data = s;
    uv_buf_t buf = uv_buf_init(s->bytes, (unsigned)b.len);
    int rc = uv_udp_send(&s->req, &u->uv, &buf, 1, to, on_sent);
    if (rc) mem_free(s);
    return code_of(rc);
}

int bsk_udp_send(bsk_self *self, bsk_udp id, const char *host, int port, bsk_bytes b, int64_t ms)
{
    struct udp *u = udp_mine(self, id);
    struct sockaddr_storage a;
    const struct sockaddr *to;
    int rc = note_begin(self, u ? &u->h : NULL);
    if (rc == 0) rc = address(host, port, &a, &to);
    if (rc == 0) rc = try_send(u, to, b);
    if (rc != BSK_EFULL) return rc;
    uint64_t until = note_due(self, ms);
    rc = send_later(u, to, b);
    while (rc == 0 && uv_udp_get_send_queue_count(&u->uv))
        rc = note_wait(self, &u->waits_sent, until);
    return rc;
}

/* Opening. */

static int bind_to(struct udp *u, const char *host, int port, const bsk_udp_opts *o)
{
    struct sockaddr_storage a;
    const struct sockaddr *here;
    int rc = uv_udp_init(&u->h.worker->loop, &u->uv);
    if (rc) return net_code(rc);
    u->on_loop = true;
    u->uv.data = u;
    rc = host ? address(host, port, &a, &here) : BSK_EINVAL;
    if (rc) return rc;
    rc = uv_udp_bind(&u->uv, here, o->reuse ? UV_UDP_REUSEADDR : 0);
    if (rc == 0 && o->broadcast) rc = uv_udp_set_broadcast(&u->uv, 1);
    if (rc == 0) rc = uv_udp_recv_start(&u->uv, on_alloc, on_datagram);
    return net_code(rc);
}

static int port_here(const struct udp *u)
{
    struct sockaddr_storage a = {0};
    int n = sizeof a;
    return uv_udp_getsockname(&u->uv, (struct sockaddr *)&a, &n)
               ? 0
               : port_of((const struct sockaddr *)&a);
}

int bsk_udp_open_(bsk_self *self, const char *host, int port, bsk_udp *out, const bsk_udp_opts *o)
{
    int rc = handle_may_open(self);
    if (rc) return rc;
    struct udp *u = (struct udp *)handle_new(self->worker, &udp_kind, &rc);
    if (!u) return rc;
    u->most = o->queue ? o->queue : QUEUE;
    u->messages = o->messages || note_handler(self);
    if ((rc = handle_open(&u->h)) || (rc = handle_own(self, &u->h))) {
        handle_free(&u->h);
        return rc;
    }
    rc = bind_to(u, host, port, o);
    if (rc) {
        close_now(&u->h);
        return rc;
    }
    *out = (bsk_udp){handle_id(&u->h)};
    return port_here(u);
}

void bsk_udp_close(bsk_self *self, bsk_udp id)
{
    struct udp *u = udp_mine(self, id);
    if (u) close_now(&u->h);
}

int bsk_udp_connect(bsk_self *self, bsk_udp id, const char *host, int port)
{
    struct udp *u = udp_mine(self, id);
    struct sockaddr_storage a;
    const struct sockaddr *to;
    int rc = !u ? BSK_EBADF : host ? address(host, port, &a, &to) : BSK_EINVAL;
    if (rc) return rc;
    /* To another than before: libuv wants to hear of that first. Not connected yet, it fails. */
    uv_udp_connect(&u->uv, NULL);
    return code_of(uv_udp_connect(&u->uv, to));
}

int bsk_udp_join(bsk_self *self, bsk_udp id, const char *group, const char *interface, bool on)
{
    struct udp *u = udp_mine(self, id);
    if (!u) return BSK_EBADF;
    if (!group) return BSK_EINVAL;
    int rc = uv_udp_set_membership(&u->uv, group, interface, on ? UV_JOIN_GROUP : UV_LEAVE_GROUP);
    return rc == UV_ENODEV ? BSK_EADDR : net_code(rc);
}

int bsk_udp_multicast(bsk_self *self, bsk_udp id, int ttl, bool loops)
{
    struct udp *u = udp_mine(self, id);
    if (!u) return BSK_EBADF;
    int rc = uv_udp_set_multicast_ttl(&u->uv, ttl);
    if (rc == 0) rc = uv_udp_set_multicast_loop(&u->uv, loops);
    return net_code(rc);
}

int bsk_udp_info(bsk_self *self, bsk_udp id, bsk_udp_info_out *out)
{
    struct udp *u = udp_mine(self, id);
    struct sockaddr_storage a = {0};
    int n = sizeof a;
    if (!u) return BSK_EBADF;
    *out = (bsk_udp_info_out){
        .received = u->received, .sent = u->sent, .dropped = u->dropped, .queued = u->queued};
    if (uv_udp_getsockname(&u->uv, (struct sockaddr *)&a, &n) == 0)
        sock_name(&a, out->here, sizeof out->here);
    return 0;
}
