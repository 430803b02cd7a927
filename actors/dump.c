/* SPDX-License-Identifier: MIT */
/* A look at all actors while they run. It reads only what is type-stable and atomic, so it needs
 * no lock and nobody's help; what it says of one actor may be a moment old in parts. */
#include "dump.h"

#include "clock.h"
#include "name.h"
#include "send.h"
#include "trace.h"

#include <stdio.h>

static struct worker *running_on(struct bsk_rt *rt, const bsk_self *a)
{
    /* Acquire, both, pairs with the releases where workers are added. What they do is read
     * relaxed, here and below: it is of no one moment. */
    unsigned n = atomic_load_explicit(&rt->nworkers, memory_order_acquire);
    for (unsigned i = 0; i < n; i++) {
        struct worker *w = atomic_load_explicit(&rt->workers[i], memory_order_acquire);
        if (atomic_load_explicit(&w->self, memory_order_relaxed) == a &&
            atomic_load_explicit(&w->doing, memory_order_relaxed))
            return w;
    }
    return NULL;
}

static int64_t busy_ms(struct bsk_rt *rt, struct worker *w)
{
    uint64_t now = clk_now(rt), since = atomic_load_explicit(&w->ticked, memory_order_relaxed);
    return now > since ? (int64_t)((now - since) / NS_PER_MS) : 0;
}

static void describe_work(struct bsk_rt *rt, struct worker *w, char *out, size_t size)
{
    const bsk_type *type = atomic_load_explicit(&w->doing, memory_order_relaxed);
    snprintf(out, size, "at work on %s for about %lld ms", type ? type->name : "a message",
             (long long)busy_ms(rt, w));
}

static void describe_wait(struct bsk_rt *rt, uint32_t link, uint64_t state, char *out, size_t size)
{
    static const char *const kinds[] = {"",
                                        "waits for a message",
                                        "waits for a reply of",
                                        "waits for room at",
                                        "sleeps",
                                        "takes turns",
                                        "waits for its children",
                                        "waits for a stream or the like"};
    enum wait_kind kind = (enum wait_kind)(link >> WAIT_SHIFT);
    char name[64] = "";
    if ((kind == WAIT_REPLY || kind == WAIT_ROOM) && (link & WAIT_SLOT) < rt->actors.limit)
        name_describe(rt, rt_slot(rt, link & WAIT_SLOT), name, sizeof name);
    if (kind != WAIT_NONE && kind <= WAIT_IO)
        snprintf(out, size, "%s%s%s", kinds[kind], *name ? " " : "", name);
    else
        snprintf(out, size, "%s", state == MBOX_IDLE ? "idle" : "runnable");
}

void dmp_describe(struct bsk_rt *rt, bsk_self *a, char *out, size_t size)
{
    assert(size && rt_slot_of(rt, a) < rt->actors.limit);
    char name[64], doing[160];
    uint64_t word = atomic_load_explicit(&a->in.word, memory_order_relaxed);
    struct worker *w = running_on(rt, a);
    name_describe(rt, a, name, sizeof name);
    if (w)
        describe_work(rt, w, doing, sizeof doing);
    else
        describe_wait(rt, atomic_load_explicit(&a->item.link, memory_order_relaxed),
                      word & MBOX_STATE, doing, sizeof doing);
    snprintf(out, size, "%s %s: %s; mailbox %u of %u%s",
             act_flags(a) & ACT_FIBER ? "fiber" : "handler", name, doing, mbox_len(&a->in, &a->out),
             atomic_load_explicit(&a->in.capacity, memory_order_relaxed),
             word & MBOX_CLOSED ? ", closed" : "");
}

static void look_at(struct bsk_rt *rt, const bsk_self *a, bsk_info_out *out)
{
    struct worker *w = running_on(rt, a);
    *out = (bsk_info_out){.fiber = act_flags(a) & ACT_FIBER,
                          .closed = bsk_mailbox_closed(a),
                          .queued = mbox_len(&a->in, &a->out),
                          .capacity = atomic_load_explicit(&a->in.capacity, memory_order_relaxed),
                          .doing = w ? atomic_load_explicit(&w->doing, memory_order_relaxed) : NULL,
                          .busy_ms = w ? busy_ms(rt, w) : 0};
}

int bsk_info(bsk_addr who, bsk_info_out *out)
{
    struct way way;
    if (!snd_enter(who, &way)) return BSK_EDEAD;
    bsk_self *a = rt_slot(way.rt, who.slot);
    bool lives = a && (who.gen & 1) && act_gen(a) == who.gen;
    if (lives) look_at(way.rt, a, out);
    snd_leave(&way);
    return lives ? 0 : BSK_EDEAD;
}

void bsk_dump(bsk_rt *rt, void (*line)(void *arg, const char *text), void *arg)
{
    char text[DMP_LINE];
    /* Acquire pairs with the release in the slab, and with that in spawn. */
    uint32_t used = atomic_load_explicit(&rt->actors.used, memory_order_acquire);
    for (uint32_t i = 0; i < used; i++) {
        bsk_self *a = rt_slot(rt, i);
        if (!(atomic_load_explicit(&a->item.gen, memory_order_acquire) & 1)) continue;
        dmp_describe(rt, a, text, sizeof text);
        line(arg, text);
    }
}

#define CYCLE_MOST 32 /* longer ones are not looked for */

/* On whom the actor of a slot waits for a reply, as a slot + 1; 0: on nobody. */
static uint32_t calls(struct bsk_rt *rt, uint32_t slot)
{
    bsk_self *a = rt_slot(rt, slot);
    uint32_t link = a ? atomic_load_explicit(&a->item.link, memory_order_relaxed) : 0;
    bool lives = a && (act_gen(a) & 1);
    return lives && link >> WAIT_SHIFT == WAIT_REPLY ? (link & WAIT_SLOT) + 1 : 0;
}

void dmp_report_cycle(struct bsk_rt *rt, const bsk_self *self)
{
    char text[CYCLE_MOST * 24] = "", name[64];
    uint32_t mine = rt_slot_of(rt, self), slot = mine, next;
    for (int i = 0; i < CYCLE_MOST; i++, slot = next - 1) {
        name_describe(rt, rt_slot(rt, slot), name, sizeof name);
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s -> ", name);
        next = calls(rt, slot);
        if (!next) return;
        if (next - 1 == mine) break;
    }
    trc_log(rt, BSK_LOG_WARN, "calls in a circle: %sand round again", text);
}

static void log_line(void *arg, const char *text)
{
    trc_log(arg, BSK_LOG_ERROR, "%s", text);
}

void dmp_log(struct bsk_rt *rt)
{
    bsk_dump(rt, log_line, rt);
}
