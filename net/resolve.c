/* SPDX-License-Identifier: MIT */
/* Names to addresses, for fibers. */
#include "lookup.h"
#include "note.h"

struct resolver {
    struct handle h;
    struct lookup *lookup; /* NULL: it is over, and left these: */
    int code;
    struct addrinfo *all;
    bool waits;
};

static void release(struct handle *h);
static void close_now(struct handle *h);
static const struct handle_kind resolver_kind = {sizeof(struct resolver), release, close_now, NULL};
static_assert(sizeof(struct resolver) <= HANDLE_BYTES, "it has a place in the slab");

static void release(struct handle *h)
{
    struct resolver *r = (struct resolver *)h;
    if (r->lookup) lookup_drop(r->lookup);
    if (r->all) freeaddrinfo(r->all);
    handle_free(h);
}

static void close_now(struct handle *h)
{
    if (h->owner) handle_disown(h);
    release(h);
}

static void on_found(void *resolver, int code, struct addrinfo *all)
{
    struct resolver *r = resolver;
    r->lookup = NULL;
    r->code = code;
    r->all = all;
    note_wake(&r->h, &r->waits);
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
    struct resolver *r = (struct resolver *)handle_new(self->worker, &resolver_kind, rc);
    if (!r) return NULL;
    if ((*rc = handle_open(&r->h)) || (*rc = handle_own(self, &r->h))) {
        handle_free(&r->h);
        return NULL;
    }
    r->lookup = lookup_start(r->h.worker, host, on_found, r, rc);
    if (r->lookup) return r;
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
    while (rc == 0 && r->lookup) rc = note_wait(self, &r->waits, until);
    if (rc == 0) rc = r->code;
    if (rc == 0) rc = copy(r->all, out, max);
    close_now(&r->h);
    return rc;
}
