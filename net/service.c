/* SPDX-License-Identifier: MIT */
#include "service.h"

#include "tls.h"

static void free_copies(bsk_listen_opts *o)
{
    mem_free((void *)(uintptr_t)o->host);
    mem_free((void *)(uintptr_t)o->name);
    mem_free((void *)(uintptr_t)o->conn.label);
    mem_free((void *)(uintptr_t)o->conn.state);
    bsk_tls_drop(o->stream.tls);
}

static void *copy(const void *from, size_t n)
{
    void *to = mem_alloc(n);
    if (to) memcpy(to, from, n);
    return to;
}

/* What `from` points to, copied; what is there to be copied and could not is NULL. */
static bool copy_all(bsk_listen_opts *to, const bsk_listen_opts *from)
{
    const char *label = from->conn.label ? from->conn.label : "conn";
    to->host = from->host ? mem_text(from->host) : NULL;
    to->name = from->name ? mem_text(from->name) : NULL;
    to->conn.label = mem_text(label);
    to->conn.state = from->conn.state_size ? copy(from->conn.state, from->conn.state_size) : NULL;
    to->stream.tls_name = NULL; /* a server's part in TLS */
    to->stream.tls = from->stream.tls ? bsk_tls_hold(from->stream.tls) : NULL;
    return to->conn.label && !to->host == !from->host && !to->name == !from->name &&
           !to->conn.state == !from->conn.state_size;
}

struct service *service_new(const bsk_listen_opts *o)
{
    struct service *v = mem_zalloc(sizeof *v);
    if (!v) return NULL;
    atomic_init(&v->count, 1);
    v->opts = *o;
    v->init = o->conn.init;
    v->opts.conn.name = NULL;
    if (copy_all(&v->opts, o)) return v;
    free_copies(&v->opts);
    mem_free(v);
    return NULL;
}

struct service *service_hold(struct service *v)
{
    /* Relaxed: the caller has it already. */
    atomic_fetch_add_explicit(&v->count, 1, memory_order_relaxed);
    return v;
}

void service_drop(struct service *v)
{
    /* Release: what others did with it comes before it is freed; acquire sees that. */
    if (atomic_fetch_sub_explicit(&v->count, 1, memory_order_acq_rel) != 1) return;
    free_copies(&v->opts);
    mem_free(v);
}

void service_join(struct service *v, struct stream *s)
{
    s->service = service_hold(v);
    /* Relaxed, as all on it: a count that a listener looks at. */
    atomic_fetch_add_explicit(&v->live, 1, memory_order_relaxed);
}

void service_leave(struct stream *s)
{
    struct service *v = s->service;
    if (!v) return;
    s->service = NULL;
    atomic_fetch_sub_explicit(&v->live, 1, memory_order_relaxed);
    service_drop(v);
}
