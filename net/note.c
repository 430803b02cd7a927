/* SPDX-License-Identifier: MIT */
#include "note.h"

struct bsk_msg *note_new(struct handle *h, const bsk_type *type, size_t tail)
{
    struct worker *w = h->worker;
    struct bsk_msg *m = snd_block(w, w->rt, type->size + tail);
    if (!m) return NULL;
    m->next = NULL;
    m->type = type;
    m->gen = h->owner_gen;
    m->lane = MSG_SIGNAL;
    m->flags = MSG_HANDLE;
    m->done = 0;
    m->ref = handle_id(h);
    memset(m->body, 0, type->size);
    return m;
}

void note_send(struct handle *h, struct bsk_msg *m)
{
    assert(h->owner);
    struct worker *w = h->worker;
    snd_urgent(w, w->rt, rt_addr(w->rt, h->owner, h->owner_gen), m);
}

void note_drop(struct handle *h, struct bsk_msg *m)
{
    if (m) snd_free_block(h->worker, h->worker->rt, m);
}

void note_wake(struct handle *h, bool *waits)
{
    if (!*waits || !h->owner) return;
    *waits = false;
    act_poke(h->worker, h->worker->rt, h->owner);
}

int note_begin(bsk_self *self, const struct handle *h)
{
    if (!h) return BSK_EBADF;
    if (!fib_on_own_stack(self)) return BSK_EINVAL;
    fib_spend(self);
    return fib_cancelled(self) ? BSK_ECANCELED : 0;
}
