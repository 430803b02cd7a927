/* SPDX-License-Identifier: MIT */
/* A fiber reads and writes, and gets a stream's messages. */
#include "stream.h"

#include "actors/clock.h"
#include "error.h"
#include "socket.h"
#include "tls.h"

static void return_lent(bsk_self *self, struct stream *s)
{
    if (!s->lent) return;
    snd_free_block(self->worker, self->worker->rt, s->lent);
    s->lent = NULL;
}

/* What any wait for a stream begins with. */
static int begin(bsk_self *self, const struct stream *s)
{
    if (!s) return BSK_EBADF;
    if (!fib_on_own_stack(self)) return BSK_EINVAL;
    fib_spend(self);
    return fib_cancelled(self) ? BSK_ECANCELED : 0;
}

/* Waits for something of the stream, or the time; may return early. */
static inline __attribute__((always_inline)) int await(bsk_self *self, struct stream *s,
                                                       enum stream_wait what, uint64_t until)
{
    if (until != NEVER && clk_now(self->worker->rt) >= until) return BSK_ETIMEDOUT;
    s->waits = what;
    fib_wait(self, MBOX_DEAF, until, WAIT_IO, (bsk_addr){0, 0, 0});
    s->waits = WAITS_NOT;
    return act_ctl(self) && bsk_cancelled(self) ? BSK_ECANCELED : 0;
}

static uint64_t due(bsk_self *self, int64_t ms)
{
    /* The clock is read only for who sets a time. */
    return fib_until(self, ms < 0 ? NEVER : clk_deadline(clk_now(self->worker->rt), ms));
}

static int hand_out(struct stream *s, bsk_bytes *out)
{
    s->lent = stream_take(s);
    *out = ((const bsk_data *)(const void *)s->lent->body)->data;
    return (int)out->len;
}

static int read_some(bsk_self *self, struct stream *s, bsk_bytes *out, int64_t ms)
{
    int rc = begin(self, s);
    if (rc == 0 && s->messages) rc = BSK_EINVAL;
    if (rc) return rc;
    return_lent(self, s);
    uint64_t until = 0;
    while (!s->in) {
        if (s->end) return s->end == BSK_EEOF ? 0 : s->end;
        if (!until) until = due(self, ms);
        if ((rc = await(self, s, WAITS_INPUT, until))) return rc;
    }
    return hand_out(s, out);
}

static struct stream *conn_of(bsk_self *self)
{
    struct handle *h = self->more ? self->more->conn : NULL;
    return h && h->kind == &stream_kind ? (struct stream *)h : NULL;
}

int bsk_read(bsk_self *self, bsk_bytes *out, int64_t ms)
{
    return read_some(self, conn_of(self), out, ms);
}

int bsk_stream_read(bsk_self *self, bsk_stream id, bsk_bytes *out, int64_t ms)
{
    return read_some(self, stream_mine(self, id), out, ms);
}

/* What is lent was used up to there: the rest is to be read again. */
static void put_back(struct stream *s, size_t used)
{
    struct bsk_msg *m = s->lent;
    bsk_bytes *rest = &((bsk_data *)(void *)m->body)->data;
    *rest = (bsk_bytes){(const char *)rest->ptr + used, rest->len - used};
    s->lent = NULL;
    m->next = s->in;
    if (!s->in) s->in_last = m;
    s->in = m;
    s->unread += (uint32_t)rest->len;
}

static int64_t ms_until(struct bsk_rt *rt, uint64_t until)
{
    uint64_t now = clk_now(rt);
    if (until == NEVER) return BSK_FOREVER;
    return now < until ? (int64_t)((until - now + NS_PER_MS - 1) / NS_PER_MS) : 0;
}

int bsk_stream_fill(bsk_self *self, bsk_stream id, void *to, size_t n, int64_t ms)
{
    char *p = to;
    bsk_bytes b;
    uint64_t until = due(self, ms);
    while (n) {
        int got = bsk_stream_read(self, id, &b, ms_until(self->worker->rt, until));
        if (got <= 0) return got ? got : BSK_EEOF;
        size_t some = b.len < n ? b.len : n;
        memcpy(p, b.ptr, some);
        p += some;
        n -= some;
        if (some < b.len) put_back(stream_mine(self, id), some);
    }
    return 0;
}

static int write_all(bsk_self *self, struct stream *s, bsk_bytes b, int64_t ms)
{
    int rc = begin(self, s);
    uint64_t until = 0;
    if (rc) return rc;
    const char *p = b.ptr;
    while (b.len) {
        if (s->broken || s->shut) return s->broken ? s->broken : BSK_EPIPE;
        size_t room = s->write_high > s->unsent ? s->write_high - s->unsent : 0;
        size_t some = b.len < room ? b.len : room;
        if (some && (rc = stream_output(s, p, some))) return rc;
        p += some;
        b.len -= some;
        if (!b.len) break;
        stream_flush(s);
        if (s->unsent < s->write_high) continue;
        if (!until) until = due(self, ms);
        if ((rc = await(self, s, WAITS_ROOM, until))) return rc;
    }
    return s->broken;
}

int bsk_write(bsk_self *self, bsk_bytes b, int64_t ms)
{
    return write_all(self, conn_of(self), b, ms);
}

int bsk_stream_write(bsk_self *self, bsk_stream id, bsk_bytes b, int64_t ms)
{
    return write_all(self, stream_mine(self, id), b, ms);
}

int bsk_stream_flush(bsk_self *self, bsk_stream id, int64_t ms)
{
    struct stream *s = stream_mine(self, id);
    int rc = begin(self, s);
    uint64_t until = 0;
    if (rc) return rc;
    stream_flush(s);
    while (s->unsent && !s->broken) {
        if (!until) until = due(self, ms);
        if ((rc = await(self, s, WAITS_EMPTY, until))) return rc;
    }
    return s->broken;
}
