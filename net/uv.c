/* SPDX-License-Identifier: MIT */
/* The user's own libuv handles: each has one of ours beside it, by which it is closed in time. */
#include "note.h"

struct foreign_handle {
    struct handle h;
    uv_handle_t *theirs;
    void (*closed)(uv_handle_t *theirs);
    void *data; /* theirs, while it is closed */
    bool waits, woken;
};

static void release(struct handle *h);
static void close_now(struct handle *h);
static const struct handle_kind uv_kind = {sizeof(struct foreign_handle), release, close_now, NULL};

static void on_closed(uv_handle_t *theirs)
{
    struct foreign_handle *f = theirs->data;
    void (*closed)(uv_handle_t *) = f->closed;
    assert(f->theirs == theirs);
    theirs->data = f->data;
    handle_free(&f->h);
    if (closed) closed(theirs);
}

static void release(struct handle *h)
{
    struct foreign_handle *f = (struct foreign_handle *)h;
    if (uv_is_closing(f->theirs)) return;
    f->data = f->theirs->data;
    f->theirs->data = f;
    uv_close(f->theirs, on_closed);
}

static void close_now(struct handle *h)
{
    if (h->owner) handle_disown(h);
    release(h);
}

static struct foreign_handle *find(bsk_self *self, const uv_handle_t *theirs)
{
    for (struct handle *h = self->more ? self->more->handles : NULL; h; h = h->next) {
        struct foreign_handle *f = (struct foreign_handle *)h;
        if (h->kind == &uv_kind && f->theirs == theirs) return f;
    }
    return NULL;
}

struct uv_loop_s *bsk_uv_loop(bsk_self *self)
{
    return self->worker->rt->seeded ? NULL : &self->worker->loop;
}

int bsk_uv_own(bsk_self *self, struct uv_handle_s *handle, void (*closed)(struct uv_handle_s *))
{
    int rc = handle_may_open(self);
    if (rc) return rc;
    if (handle->loop != &self->worker->loop || uv_is_closing(handle) || find(self, handle))
        return BSK_EINVAL;
    struct foreign_handle *f = (struct foreign_handle *)handle_new(self->worker, &uv_kind, &rc);
    if (!f) return rc;
    if ((rc = handle_open(&f->h)) || (rc = handle_own(self, &f->h))) {
        handle_free(&f->h);
        return rc;
    }
    f->theirs = handle;
    f->closed = closed;
    return 0;
}

void bsk_uv_close(bsk_self *self, struct uv_handle_s *handle)
{
    struct foreign_handle *f = find(self, handle);
    if (f) close_now(&f->h);
}

void bsk_uv_wake(bsk_self *self, struct uv_handle_s *handle)
{
    struct foreign_handle *f = find(self, handle);
    if (!f) return;
    f->woken = true;
    note_wake(&f->h, &f->waits);
}

int bsk_uv_wait(bsk_self *self, struct uv_handle_s *handle, int64_t ms)
{
    struct foreign_handle *f = find(self, handle);
    int rc = note_begin(self, f ? &f->h : NULL);
    if (rc) return rc;
    uint64_t until = note_due(self, ms);
    while (!f->woken)
        if ((rc = note_wait(self, &f->waits, until))) return rc;
    f->woken = false;
    return 0;
}
