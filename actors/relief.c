/* SPDX-License-Identifier: MIT */
/* Relief: what waits behind a message that holds its loop goes on elsewhere.
 *
 * Idle loops take over what is queued with one that is held, within milliseconds (see
 * scheduler.c). Where none is idle, or there is only one, that falls to a relief: a worker as any
 * other, with a thread, a loop, a wheel and queues, but none of those that take any actor. The
 * watchdog starts it at the first need, and it stays.
 *
 *     held loop                      relief
 *     [runs and runs]
 *     queues: o o o   --------->     queue: o o o o --> [run] --> woken here, runs here
 *     inbox:  o o     --------->            each millisecond, while anyone is held
 *     wheel:  o o     --- due ->
 *     pinned: o       stays          nobody held: what is queued goes back to the loops
 *
 * Loops get what they send themselves while they are held, and others go on sending to their
 * inboxes, where an actor that is not pinned is sent by the worker that ran it last. So nobody but
 * the relief needs to know, and no message costs more for it. The wheel is under a lock of its own
 * that nobody holds while an actor runs; see alarm_fired_elsewhere for what that costs fibers.
 *
 *     watchdog                       relief
 *     held = ticks + 1               state = PARKED
 *     relief PARKED? -> ring         anyone held? -> sleep for a millisecond only
 *
 * All seq_cst: one sees the other. `held` needs no end: it is about these ticks, and whoever gets
 * on has others. So a loop whose message returns simply goes on, and the relief sleeps without a
 * time from its next look on.
 *
 * A relief may be held, too, by what it took over. Then it is one of the held, and another relief
 * is called, up to RELIEFS_MAX; beyond that the rest waits, and the log says so. */
#include "relief.h"

#include "scheduler.h"
#include "shutdown.h"
#include "trace.h"

/* The workers from which something can be taken: the loops, then the reliefs; NULL: no more. */
static struct worker *served(struct bsk_rt *rt, unsigned i)
{
    /* Both acquire, pairing with the releases where they were added: the worker is whole. */
    if (i < rt->nloops) return atomic_load_explicit(&rt->workers[i], memory_order_acquire);
    i -= rt->nloops;
    return i < atomic_load_explicit(&rt->nreliefs, memory_order_acquire) ? rt->reliefs[i] : NULL;
}

static bool serves_others(struct bsk_rt *rt, const struct worker *w)
{
    unsigned i = 0;
    const struct worker *v;
    while ((v = served(rt, i)) && v != w) i++;
    return v;
}

bool rlf_is_held(const struct worker *w)
{
    /* Seq_cst with rlf_held: see above. */
    uint64_t at = atomic_load(&w->held);
    /* Relaxed: one that has got on just now is relieved once more, and no harm done. */
    return at && at == atomic_load_explicit(&w->ticks, memory_order_relaxed) + 1;
}

static void start(struct bsk_rt *rt, unsigned n)
{
    int rc = BSK_ELIMIT;
    struct worker *w = n < RELIEFS_MAX ? sch_add_relief(rt, &rc) : NULL;
    if (!w) {
        if (!rt->unrelieved)
            trc_log(rt, BSK_LOG_WARN, "no relief for who waits for a held loop: %s",
                    bsk_strerror(rc));
        rt->unrelieved = true;
        return;
    }
    rt->unrelieved = false;
    rt->reliefs[n] = w;
    /* Release pairs with the acquire in served. */
    atomic_store_explicit(&rt->nreliefs, n + 1, memory_order_release);
    trc_log(rt, BSK_LOG_INFO, "a relief runs what waits for held loops");
}

/* Wakes a relief that is not held itself, or starts one. */
static void call(struct bsk_rt *rt)
{
    /* Relaxed: this thread, the watchdog's, is who writes it. */
    unsigned n = atomic_load_explicit(&rt->nreliefs, memory_order_relaxed);
    for (unsigned i = 0; i < n; i++) {
        if (rlf_is_held(rt->reliefs[i])) continue;
        sch_ring(rt->reliefs[i]);
        return;
    }
    start(rt, n);
}

void rlf_held(struct bsk_rt *rt, struct worker *w, uint64_t ticks, uint64_t now)
{
    assert(!rt->seeded);
    /* What is woken on a thread of one actor's own runs elsewhere anyway. */
    if (!serves_others(rt, w)) return;
    /* Seq_cst, before the look at the relief's state in sch_ring: see above. */
    atomic_store(&w->held, ticks + 1);
    /* Signals come by the first loop; the relief hears them as well. */
    bool signals = w->index == 0 && sht_hears_signals(rt);
    if (signals || sch_keeps_waiting(w, now)) call(rt);
}

void rlf_look(struct worker *w, bool idle)
{
    assert(w->relief && !rt_self(w));
    bool again = idle && w->took;
    if (w->now - w->looked_at < LOOK_NS && !again) return;
    w->looked_at = w->now;
    w->took = false;
    bool any = false;
    struct worker *v;
    for (unsigned i = 0; (v = served(w->rt, i)); i++) {
        if (v == w || !rlf_is_held(v)) continue;
        any = true;
        if (sch_relieve(w, v)) w->took = true;
    }
    if (any)
        sch_share(w);
    else
        sch_hand_back(w);
}

bool rlf_wanted(struct worker *w)
{
    struct worker *v;
    for (unsigned i = 0; (v = served(w->rt, i)); i++)
        if (v != w && rlf_is_held(v)) return true;
    return false;
}
