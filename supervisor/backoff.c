/* SPDX-License-Identifier: MIT */
#include "backoff.h"

#include "actors/runtime.h"

static uint64_t longest(const bsk_sup_opts *o)
{
    uint64_t ms = o->backoff_max_ms ? (uint64_t)o->backoff_max_ms : UINT64_C(60000);
    uint64_t least = (uint64_t)o->backoff_min_ms;
    return (ms < least ? least : ms) * NS_PER_MS;
}

static uint64_t quiet_time(const bsk_sup_opts *o)
{
    return o->backoff_reset_ms ? (uint64_t)o->backoff_reset_ms * NS_PER_MS : 10 * longest(o);
}

/* Between less and more by so many percent. */
static uint64_t jittered(uint64_t delay, const bsk_sup_opts *o, uint64_t random)
{
    if (o->backoff_jitter == BSK_NONE) return delay;
    uint64_t percent = o->backoff_jitter ? (uint64_t)o->backoff_jitter : 10;
    uint64_t span = delay / 100 * percent;
    return delay - span + (span ? random % (2 * span) : 0);
}

uint64_t backoff_next(struct backoff *b, const bsk_sup_opts *o, uint64_t now, uint64_t random)
{
    assert(!o->backoff_factor || o->backoff_factor >= 100);
    if (!o->backoff_min_ms) return 0;
    uint64_t least = (uint64_t)o->backoff_min_ms * NS_PER_MS, most = longest(o);
    uint64_t factor = o->backoff_factor ? (uint64_t)o->backoff_factor : 200;
    if (!b->delay || (now > b->until && now - b->until >= quiet_time(o)))
        b->delay = least;
    else
        b->delay = b->delay > most / factor * 100 ? most : b->delay / 100 * factor;
    if (b->delay > most) b->delay = most;
    assert(b->delay >= least);
    uint64_t delay = jittered(b->delay, o, random);
    b->until = now + delay;
    return delay;
}
