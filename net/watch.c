/* SPDX-License-Identifier: MIT */
/* Changes of files, told one after another; the same again is told once. */
#include "error.h"
#include "note.h"

#define QUEUE 256

struct watch {
    struct handle h;
    uv_fs_event_t uv;
    struct bsk_msg *in, *in_last;
    struct bsk_msg *spare; /* says `lost`, when there is no memory to say what */
    unsigned queued;
    bool on_loop, told;
};

static void release(struct handle *h);
static void close_now(struct handle *h);
static bool received(struct handle *h, struct bsk_msg *m);
static const struct handle_kind watch_kind = {sizeof(struct watch), release, close_now, received};
static_assert(sizeof(struct watch) <= HANDLE_BYTES, "it has a place in the slab");

static void discard(struct watch *w)
{
    for (struct bsk_msg *m = w->in, *next; m; m = next) {
        next = m->next;
        note_drop(&w->h, m);
    }
    note_drop(&w->h, w->spare);
    handle_free(&w->h);
}

static void on_closed(uv_handle_t *handle)
{
    discard(handle->data);
}

static void release(struct handle *h)
{
    struct watch *w = (struct watch *)h;
    if (!w->on_loop)
        discard(w);
    else if (!uv_is_closing((uv_handle_t *)&w->uv))
        uv_close((uv_handle_t *)&w->uv, on_closed);
}

static void close_now(struct handle *h)
{
    if (h->owner) handle_disown(h);
    release(h);
}

static bsk_file_changed *change_of(struct bsk_msg *m)
{
    return (bsk_file_changed *)(void *)m->body;
}

static void tell(struct watch *w)
{
    struct bsk_msg *m = w->in;
    if (w->told || !m || !w->h.owner) return;
    assert(w->queued);
    w->in = m->next;
    w->queued--;
    w->told = true;
    note_send(&w->h, m);
}

static void add(struct watch *w, struct bsk_msg *m)
{
    if (w->in)
        w->in_last->next = m;
    else
        w->in = m;
    w->in_last = m;
    w->queued++;
    tell(w);
}

static struct bsk_msg *message(struct watch *w, const char *name, bool renamed)
{
    size_t n = strlen(name) + 1;
    struct bsk_msg *m = note_new(&w->h, &bsk_file_changed_bsk, n);
    if (!m) return NULL;
    bsk_file_changed *c = change_of(m);
    char *tail = (char *)(c + 1);
    memcpy(tail, name, n);
    c->watched = m->ref;
    c->name = tail;
    c->renamed = renamed;
    return m;
}

static bool received(struct handle *h, struct bsk_msg *m)
{
    struct watch *w = (struct watch *)h;
    (void)m;
    w->told = false;
    if (!w->spare && (w->spare = message(w, "", false))) change_of(w->spare)->lost = true;
    tell(w);
    return true;
}

/* There is no place, or no memory, for one more. */
static void lose(struct watch *w)
{
    struct bsk_msg *m = w->spare;
    if (w->in) {
        change_of(w->in_last)->lost = true;
    } else if (m) {
        w->spare = NULL;
        add(w, m);
    }
}

static void on_change(uv_fs_event_t *uv, const char *name, int events, int status)
{
    struct watch *w = uv->data;
    bool renamed = events & UV_RENAME;
    if (!w->h.owner) return;
    if (!name || status) name = "";
    if (w->in && change_of(w->in_last)->renamed == renamed &&
        strcmp(change_of(w->in_last)->name, name) == 0)
        return;
    struct bsk_msg *m = w->queued < QUEUE ? message(w, name, renamed) : NULL;
    if (m)
        add(w, m);
    else
        lose(w);
}

static int start(struct watch *w, const char *path)
{
    w->spare = message(w, "", false);
    if (!w->spare) return BSK_ENOMEM;
    change_of(w->spare)->lost = true;
    int rc = uv_fs_event_init(&w->h.worker->loop, &w->uv);
    if (rc) return net_code(rc);
    w->on_loop = true;
    w->uv.data = w;
    return net_code(uv_fs_event_start(&w->uv, on_change, path, 0));
}

int bsk_file_watch(bsk_self *self, const char *path, bsk_watched *out)
{
    int rc = handle_may_open(self);
    if (rc == 0 && (!path || !*path)) rc = BSK_EINVAL;
    if (rc) return rc;
    struct watch *w = (struct watch *)handle_new(self->worker, &watch_kind, &rc);
    if (!w) return rc;
    if ((rc = handle_open(&w->h)) || (rc = handle_own(self, &w->h))) {
        handle_free(&w->h);
        return rc;
    }
    rc = start(w, path);
    if (rc)
        close_now(&w->h);
    else
        *out = (bsk_watched){handle_id(&w->h)};
    return rc;
}

void bsk_file_unwatch(bsk_self *self, bsk_watched id)
{
    struct handle *h = handle_mine(self, id.id, &watch_kind);
    if (h) close_now(h);
}
