/* SPDX-License-Identifier: MIT */
/* What the runtime tells the outside: events, dead letters, log lines. */
#include "trace.h"

#include "clock.h"

#include <stdarg.h>
#include <stdio.h>

#define LINE_MAX_BYTES 1024
#define DEAD_LINE_EVERY UINT64_C(1000000000) /* ns */

static uint64_t mix(uint64_t h, uint64_t x)
{
    for (int i = 0; i < 8; i++, x >>= 8) h = (h ^ (x & 0xff)) * UINT64_C(0x100000001b3);
    return h;
}

static uint64_t mix_text(uint64_t h, const char *text)
{
    for (; text && *text; text++) h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return h;
}

/* All of the event but for addresses in memory and the incarnation: FNV-1a over its bytes. */
static void digest(struct bsk_rt *rt, const bsk_event *e)
{
    uint64_t h = mix(rt->digest, (uint64_t)e->kind);
    h = mix(h, (uint64_t)e->ns);
    h = mix(h, (uint64_t)e->actor.slot << 32 | e->actor.gen);
    h = mix(h, (uint64_t)e->peer.slot << 32 | e->peer.gen);
    h = mix(h, (uint64_t)e->value);
    h = mix_text(h, e->type ? e->type->name : "-");
    rt->digest = mix_text(h, e->text);
}

uint64_t bsk_digest(bsk_rt *rt)
{
    return rt->digest;
}

/* A hook runs in the middle of the runtime: it must not be left but by its return. */
static void enter_hook(void)
{
    struct worker *w = rt_worker();
    if (w) w->hooked++;
}

static void leave_hook(void)
{
    struct worker *w = rt_worker();
    if (w) w->hooked--;
}

void trc_emit(struct worker *w, struct bsk_rt *rt, enum bsk_event_kind kind, bsk_addr actor,
              bsk_addr peer, const bsk_type *type, int64_t value, const char *text)
{
    if (!rt->seeded && !rt->opts.trace) return;
    uint64_t now = w && !rt->seeded ? w->now : clk_now(rt);
    bsk_event e = {kind, (int64_t)now, actor, peer, type, value, text};
    if (rt->seeded) digest(rt, &e);
    if (!rt->opts.trace) return;
    enter_hook();
    rt->opts.trace(rt->opts.arg, &e);
    leave_hook();
}

const char *bsk_dead_name(enum bsk_dead why)
{
    static const char *const names[] = {
        [BSK_DEAD_GONE] = "gone",           [BSK_DEAD_REFUSED] = "refused",
        [BSK_DEAD_DROPPED] = "dropped",     [BSK_DEAD_UNHANDLED] = "unhandled",
        [BSK_DEAD_UNMATCHED] = "unmatched", [BSK_DEAD_EXPIRED] = "expired",
        [BSK_DEAD_LATE] = "late",           [BSK_DEAD_NOMEM] = "out of memory"};
    return (unsigned)why < BSK_DEAD_COUNT ? names[why] : "unknown";
}

static void write_line(struct bsk_rt *rt, enum bsk_level level, const char *line)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    enter_hook();
    if (rt->opts.log)
        rt->opts.log(rt->opts.arg, level, line);
    else
        fprintf(stderr, "buskin: %s: %s\n", names[level], line);
    leave_hook();
}

void trc_log(struct bsk_rt *rt, enum bsk_level level, const char *format, ...)
{
    char line[LINE_MAX_BYTES];
    va_list args;
    if (level > rt->opts.verbose) return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    write_line(rt, level, line);
}

/* One line a second at most, and none while stopping, when dead letters are to be expected. */
static void log_dead(struct bsk_rt *rt, const bsk_dead_letter *d)
{
    /* Relaxed: a line more or less. */
    if (rt->opts.quiet || atomic_load_explicit(&rt->stopping, memory_order_relaxed)) return;
    uint64_t now = clk_now(rt) + 1, last = atomic_load_explicit(&rt->logged, memory_order_relaxed);
    if (last && now - last < DEAD_LINE_EVERY) return;
    /* Relaxed: it elects who writes this second's line, no more. */
    if (!atomic_compare_exchange_strong_explicit(&rt->logged, &last, now, memory_order_relaxed,
                                                 memory_order_relaxed))
        return;
    trc_log(rt, BSK_LOG_WARN, "dead letter: %s to <%u.%u>: %s", d->type->name, d->to.slot,
            d->to.gen, bsk_dead_name(d->why));
}

void trc_dead(struct worker *w, struct bsk_rt *rt, bsk_addr to, const bsk_type *type,
              enum bsk_dead why)
{
    rt_count_any(w, rt, offsetof(struct figures, dead) + why * sizeof(uint64_t), 1);
    bsk_dead_letter d = {to, type, why};
    trc_emit(w, rt, BSK_EV_DEAD, to, (bsk_addr){0, 0, 0}, type, why, NULL);
    if (rt->opts.dead_letter) {
        enter_hook();
        rt->opts.dead_letter(rt->opts.arg, &d);
        leave_hook();
    }
    log_dead(rt, &d);
}
