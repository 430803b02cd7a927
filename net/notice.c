/* SPDX-License-Identifier: MIT */
/* A stream for actors that get messages of it, and do not wait. */
#include "stream.h"

struct bsk_msg *notice_new(struct stream *s, const bsk_type *type)
{
    struct worker *w = s->h.worker;
    struct bsk_msg *m = snd_block(w, w->rt, type->size);
    if (!m) return NULL;
    m->type = type;
    m->gen = s->h.owner_gen;
    m->lane = MSG_SIGNAL;
    m->flags = MSG_HANDLE;
    m->done = 0;
    m->ref = handle_id(&s->h);
    memset(m->body, 0, type->size);
    return m;
}

int bsk_stream_messages(bsk_self *self, bsk_stream id)
{
    struct stream *s = stream_mine(self, id);
    if (!s) return BSK_EBADF;
    if (s->messages) return 0;
    s->end_notice = notice_new(s, &bsk_closed_bsk);
    if (!s->end_notice) return BSK_ENOMEM;
    ((bsk_closed *)(void *)s->end_notice->body)->stream = id.id;
    s->messages = true;
    stream_tell(s);
    return 0;
}

int bsk_stream_pause(bsk_self *self, bsk_stream id, bool on)
{
    struct stream *s = stream_mine(self, id);
    if (!s) return BSK_EBADF;
    s->paused = on;
    stream_steer(s);
    if (!on) stream_tell(s);
    return 0;
}

/* One bsk_drained is owed. */
static int owe_room(struct stream *s)
{
    if (s->room_notice) return 0;
    s->room_notice = notice_new(s, &bsk_drained_bsk);
    if (!s->room_notice) return BSK_ENOMEM;
    ((bsk_drained *)(void *)s->room_notice->body)->stream = handle_id(&s->h);
    return 0;
}

int bsk_stream_try(bsk_self *self, bsk_stream id, bsk_bytes b)
{
    struct stream *s = stream_mine(self, id);
    if (!s) return BSK_EBADF;
    if (s->broken || s->shut) return BSK_EPIPE;
    if (s->unsent && s->unsent + b.len > s->write_high) stream_flush(s);
    if (s->broken) return BSK_EPIPE;
    if (!s->unsent || s->unsent + b.len <= s->write_high) return stream_output(s, b.ptr, b.len);
    int rc = owe_room(s);
    return rc ? rc : BSK_EFULL;
}
