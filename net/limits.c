/* SPDX-License-Identifier: MIT */
/* A stream with a limit has one timer, which goes off when the limit may have been passed, looks at
 * when something was heard last, and is set again: a busy stream does not touch it. */
#include "limits.h"

#include "tls.h"

#define NOT_YET UINT64_MAX

static struct limits *attach(struct stream *s)
{
    struct limits *l = mem_zalloc(sizeof *l);
    if (!l) return NULL;
    l->stream = s;
    s->limits = l;
    return l;
}

int limits_new(struct stream *s, const bsk_stream_opts *o)
{
    if (o->idle_ms < BSK_FOREVER || o->first_byte_ms < BSK_FOREVER) return BSK_EINVAL;
    if (o->idle_ms <= 0 && o->first_byte_ms <= 0) return 0;
    struct limits *l = attach(s);
    if (!l) return BSK_ENOMEM;
    l->idle_ms = o->idle_ms > 0 ? o->idle_ms : 0;
    l->first_byte_ms = o->first_byte_ms > 0 ? o->first_byte_ms : 0;
    return 0;
}

static uint64_t silent_at(const struct limits *l)
{
    const struct stream *s = l->stream;
    bool heard = s->tls ? tls_heard(s) : s->received > 0;
    return l->first_byte_ms && !heard ? l->opened + (uint64_t)l->first_byte_ms : NOT_YET;
}

static uint64_t idle_at(const struct limits *l)
{
    return l->idle_ms ? l->heard + (uint64_t)l->idle_ms : NOT_YET;
}

static void on_timer(uv_timer_t *timer);

static void set(struct limits *l, uint64_t now)
{
    uint64_t silent = silent_at(l), idle = idle_at(l), at = silent < idle ? silent : idle;
    if (at != NOT_YET) uv_timer_start(&l->timer, on_timer, at > now ? at - now : 0, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct limits *l = timer->data;
    struct stream *s = l->stream;
    uint64_t now = uv_now(timer->loop);
    if (s->state == STREAM_LINGERS) {
        stream_close(s);
        return;
    }
    /* One that has failed already needs no reason more. */
    if (s->broken && s->end) return;
    bool silent = now >= silent_at(l), idle = now >= idle_at(l);
    if (!silent && !idle) {
        l->late = false;
        set(l, now);
        return;
    }
    if (!l->late) {
        /* Timers come before what is to be read: perhaps it is only the loop that is late. */
        l->late = true;
        uv_timer_start(timer, on_timer, 1, 0);
        return;
    }
    rt_count(silent ? &l->loop->count.silent : &l->loop->count.idle, 1);
    stream_fail(s, BSK_ELIMIT);
}

static void begin(struct stream *s)
{
    struct limits *l = s->limits;
    uv_timer_init(&s->h.worker->loop, &l->timer);
    uv_update_time(&s->h.worker->loop);
    l->timer.data = l;
    l->loop = rt_net(s->h.worker);
    l->opened = l->heard = uv_now(&s->h.worker->loop);
    l->started = true;
}

void limits_start(struct stream *s)
{
    if (!s->limits) return;
    begin(s);
    set(s->limits, s->limits->opened);
}

int limits_linger(struct stream *s, int64_t ms)
{
    if (!s->limits && !attach(s)) return BSK_ENOMEM;
    if (!s->limits->started) begin(s);
    uv_timer_start(&s->limits->timer, on_timer, (uint64_t)ms, 0);
    return 0;
}

static void on_closed(uv_handle_t *timer)
{
    struct limits *l = timer->data;
    l->loop->closing--;
    mem_free(l);
}

void limits_stop(struct stream *s)
{
    struct limits *l = s->limits;
    s->limits = NULL;
    if (!l) return;
    if (!l->started) {
        mem_free(l);
        return;
    }
    l->loop->closing++;
    uv_close((uv_handle_t *)&l->timer, on_closed);
}

int limits_leave(struct stream *s)
{
    struct limits *l, *here = s->limits;
    if (!here) return 0;
    l = mem_zalloc(sizeof *l);
    if (!l) return BSK_ENOMEM;
    l->stream = s;
    l->idle_ms = here->idle_ms;
    l->first_byte_ms = here->first_byte_ms;
    l->heard = here->heard;
    l->opened = here->opened;
    limits_stop(s);
    s->limits = l;
    return 0;
}

/* The loops' clocks are one. */
void limits_arrive(struct stream *s)
{
    struct limits *l = s->limits;
    if (!l) return;
    uint64_t heard = l->heard, opened = l->opened;
    begin(s);
    l->heard = heard;
    l->opened = opened;
    set(l, uv_now(&s->h.worker->loop));
}
