/* SPDX-License-Identifier: MIT */
/* Names to addresses, for fibers: on libuv's threads, which nothing else uses here. */
#include "error.h"
#include "note.h"

#include <netdb.h>

struct resolver {
    struct handle h;
    uv_getaddrinfo_t req;
    struct addrinfo *all;
    int code;
    bool at_work, waits; /* at_work: libuv has it, and cannot be hurried */
};

static void release(struct handle *h);
static void close_now(struct handle *h);
static const struct handle_kind resolver_kind = {sizeof(struct resolver), release, close_now, NULL};
static_assert(sizeof(struct resolver) <= HANDLE_BYTES, "it has a place in the slab");

static void release(struct handle *h)
{
    struct resolver *r = (struct resolver *)h;
    if (r->at_work) {
        uv_cancel((uv_req_t *)&r->req);
        return;
    }
    if (r->all) uv_freeaddrinfo(r->all);
    handle_free(h);
}

static void close_now(struct handle *h)
{
    if (h->owner) handle_disown(h);
    release(h);
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *all)
{
    struct resolver *r = req->data;
    assert(r->at_work);
    r->at_work = false;
    r->all = all;
    r->code = net_code(status);
    if (r->h.owner)
        note_wake(&r->h, &r->waits);
    else
        release(&r->h);
}

static bool write_text(const struct addrinfo *a, bsk_host_address *out)
{
    const void *p = a->ai_addr;
    if (a->ai_family == AF_INET) return uv_ip4_name(p, out->text, sizeof out->text) == 0;
    if (a->ai_family == AF_INET6) return uv_ip6_name(p, out->text, sizeof out->text) == 0;
    return false;
}

static bool seen(const char *text, const struct addrinfo *all, const struct addrinfo *end)
{
    bsk_host_address one;
    for (const struct addrinfo *a = all; a != end; a = a->ai_next)
        if (write_text(a, &one) && strcmp(one.text, text) == 0) return true;
    return false;
}

static int copy(const struct addrinfo *all, bsk_host_address *out, int max)
{
    int n = 0;
    bsk_host_address one;
    for (const struct addrinfo *a = all; a; a = a->ai_next) {
        if (!write_text(a, &one) || seen(one.text, all, a)) continue;
        if (n < max) out[n] = one;
        n++;
    }
    return n ? n : BSK_EHOST;
}

/* At work, and owned by the fiber. */
static struct resolver *start(bsk_self *self, const char *host, int *rc)
{
    static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct resolver *r = (struct resolver *)handle_new(self->worker, &resolver_kind, rc);
    if (!r) return NULL;
    if ((*rc = handle_open(&r->h)) || (*rc = handle_own(self, &r->h))) {
        handle_free(&r->h);
        return NULL;
    }
    r->req.data = r;
    *rc = uv_getaddrinfo(&r->h.worker->loop, &r->req, on_resolved, host, NULL, &hints);
    if (*rc == 0) {
        r->at_work = true;
        return r;
    }
    *rc = net_code(*rc);
    close_now(&r->h);
    return NULL;
}

int bsk_resolve(bsk_self *self, const char *host, int64_t ms, bsk_host_address *out, int max)
{
    int rc = handle_may_open(self);
    if (rc == 0 && (!host || !*host || max < 0)) rc = BSK_EINVAL;
    if (rc == 0 && !fib_on_own_stack(self)) rc = BSK_EINVAL;
    if (rc) return rc;
    fib_spend(self);
    if (fib_cancelled(self)) return BSK_ECANCELED;
    uint64_t until = note_due(self, ms);
    struct resolver *r = start(self, host, &rc);
    if (!r) return rc;
    while (rc == 0 && r->at_work) rc = note_wait(self, &r->waits, until);
    if (rc == 0) rc = r->code;
    if (rc == 0) rc = copy(r->all, out, max);
    close_now(&r->h);
    return rc;
}
