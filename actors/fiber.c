/* SPDX-License-Identifier: MIT */
/* Fibers: actors with a stack, at whose top lies all that the runtime keeps of them.
 *
 * A fiber that waits switches to its worker, which parks the mailbox: only then may anyone wake
 * it, so its stack is never run on by two. A wait ends by a push (IDLE), or a poke: by a reply,
 * room, a stop or the alarm.
 *
 * The alarm is lazy. A wait writes its deadline; if an alarm that goes off no later is filed
 * already, that is all: when it goes off it looks at the deadline, and is filed again for it. So
 * a fiber that makes a million calls with a timeout of a second files an alarm once a second.
 *
 *     fiber                          alarm, under the wheel's lock
 *     deadline = d                   armed = 0
 *     armed, and <= d? -> wait       deadline? -> past: poke; later: armed = deadline
 *     else file it for d
 *
 * Both sides seq_cst: if the fiber sees the old `armed`, the alarm sees the new deadline. Where
 * both are one thread's, order is all they need; and where another thread fires for that one, the
 * deadline is not asked: the fiber is poked, finds it `armed` no more, and files anew. */
#include "fiber.h"

#include "ask.h"
#include "clock.h"
#include "dump.h"
#include "end.h"
#include "room.h"
#include "scheduler.h"
#include "send.h"

#define STACK_DEFAULT ((size_t)64 * 1024)
#define STACK_LEAST ((size_t)16 * 1024)
#define BUDGET 256
#define STUBBORN 100 /* waits that are cancelled at once */

struct top {
    struct fiber fiber;
    struct act_more more;
};

static void enter(void *arg)
{
    bsk_self *a = arg;
    a->run.fiber(a);
    bsk_exit(a);
}

/* Tops at one and the same place in their pages would share few sets of a cache. */
static size_t colour(const struct stk *s)
{
    return (uintptr_t)s->low / s->size % 16 * 64;
}

int fib_create(struct bsk_rt *rt, bsk_self *a, size_t stack)
{
    struct stk s;
    size_t size = stack ? stack : STACK_DEFAULT;
    int rc = stk_get(&rt->stacks, size < STACK_LEAST ? STACK_LEAST : size, &s);
    if (rc) return rc;
    size_t room = (s.size - sizeof(struct top) - colour(&s)) & ~(size_t)63;
    struct top *top = (struct top *)(void *)((char *)s.low + room);
    memset(top, 0, sizeof *top);
    top->fiber.stack = s;
    top->fiber.budget = BUDGET;
    top->fiber.alarm.kind = ALARM_FIBER;
    top->fiber.self = a;
    top->fiber.rt = rt;
    top->more.fiber = &top->fiber;
    fib_make(&top->fiber.ctx, s.low, room, enter, a);
    a->more = &top->more;
    return 0;
}

static struct worker *alarm_worker(struct bsk_rt *rt, struct fiber *f)
{
    /* Relaxed: only the fiber moves its alarm, and it asks, or has ended. Acquire pairs with the
     * release where the worker was added. */
    unsigned home = atomic_load_explicit(&f->alarm_home, memory_order_relaxed);
    return atomic_load_explicit(&rt->workers[home], memory_order_acquire);
}

static void unfile(struct bsk_rt *rt, struct fiber *f)
{
    struct worker *v = alarm_worker(rt, f);
    lock_take(&v->wheel_lock);
    if (whl_filed(&f->alarm.node)) whl_remove(&v->wheel, &f->alarm.node);
    atomic_store(&f->armed, 0);
    lock_give(&v->wheel_lock);
}

static void file(struct worker *w, struct fiber *f, uint64_t due)
{
    /* Only the fiber moves its alarm from wheel to wheel, so nobody files it meanwhile. */
    unfile(w->rt, f);
    f->alarmed = true;
    atomic_store_explicit(&f->alarm_home, w->index, memory_order_relaxed);
    lock_take(&w->wheel_lock);
    whl_add(&w->wheel, &f->alarm.node, due);
    atomic_store(&f->armed, due);
    sch_alarm(w, due);
    lock_give(&w->wheel_lock);
}

static void set_alarm(struct worker *w, struct fiber *f, uint64_t deadline)
{
    if (deadline == NEVER) return;
    if (!deadline) deadline = 1; /* at the very start of virtual time; 0 says that there is none */
    /* Relaxed: an alarm of this worker goes off on this thread. */
    if (atomic_load_explicit(&f->alarm_home, memory_order_relaxed) == w->index)
        atomic_store_explicit(&f->deadline, deadline, memory_order_relaxed);
    else
        atomic_store(&f->deadline, deadline);
    uint64_t armed = atomic_load(&f->armed);
    if (!armed || armed > deadline) file(w, f, deadline);
}

void alarm_fired(struct worker *w, struct whl_node *node)
{
    struct fiber *f = (struct fiber *)(void *)((char *)node - offsetof(struct fiber, alarm.node));
    atomic_store(&f->armed, 0);
    uint64_t deadline = atomic_load(&f->deadline);
    if (!deadline) return;
    if (deadline <= w->now) {
        act_poke(w, w->rt, f->self);
        return;
    }
    whl_add(&w->wheel, node, deadline);
    atomic_store(&f->armed, deadline);
}

void alarm_fired_elsewhere(struct worker *w, struct whl_node *node)
{
    struct fiber *f = (struct fiber *)(void *)((char *)node - offsetof(struct fiber, alarm.node));
    /* The poke's release brings it to the fiber, which parks, or is woken, by an acquire. */
    atomic_store(&f->armed, 0);
    act_poke(w, w->rt, f->self);
}

void fib_prepare(bsk_self *a, uint64_t state, uint64_t deadline, enum wait_kind kind, bsk_addr on)
{
    assert(state == MBOX_IDLE || state == MBOX_DEAF || state == MBOX_BUSY);
    assert(fib_on_own_stack(a) && kind != WAIT_NONE);
    struct fiber *f = act_fiber(a);
    set_alarm(a->worker, f, deadline);
    fib_set_wait(a, kind, on.slot);
#if !defined(NDEBUG)
    if (kind == WAIT_REPLY && !bsk_is_nobody(on)) dmp_report_cycle(f->rt, a);
#endif
    f->park = state;
    f->budget = BUDGET;
}

void fib_unset_alarm(bsk_self *a)
{
    struct fiber *f = act_fiber(a);
    if (atomic_load(&f->armed)) unfile(a->worker->rt, f);
}

void fib_turn(bsk_self *a)
{
    fib_wait(a, MBOX_BUSY, NEVER, WAIT_TURN, (bsk_addr){0, 0, 0});
}

void fib_finish_inhand(bsk_self *a)
{
    assert(a->inhand && a->inhand->gen == act_gen(a));
    struct bsk_msg *m = a->inhand;
    a->inhand = NULL;
    bool kept = (m->flags & (MSG_KEPT | MSG_ANSWERED)) == MSG_KEPT;
    act_fiber(a)->serves = kept ? m->ref : 0;
    act_finish(a->worker, a, m);
}

void fib_return_replies(bsk_self *a)
{
    struct fiber *f = act_fiber(a);
    struct worker *w = a->worker;
    struct bsk_msg *m;
    while ((m = f->loans)) {
        f->loans = m->next;
        snd_free(w, w->rt, m);
    }
}

void fib_drop_held(struct worker *w, bsk_self *a)
{
    struct fiber *f = act_fiber(a);
    a->worker = w;
    if (f->room_of) room_forget(w, a);
    fib_return_loans(a);
    ask_release_call(w, a);
}

void fib_free(bsk_self *a)
{
    struct fiber *f = a->more->fiber;
    struct bsk_rt *rt = f->rt;
    struct stk s = f->stack;
    /* Not by `armed`, which is 0 also while the alarm goes off: its lock is waited for. */
    if (f->alarmed) unfile(rt, f);
    mem_free(f->saved);
    fib_drop(&f->ctx);
    stk_put(&rt->stacks, s);
}

bool fib_signalled(bsk_self *a)
{
    uint32_t ctl = act_ctl(a);
    if (ctl & CTL_KILL) act_leave(a, BSK_KILLED);
    if (ctl & CTL_EXIT) act_leave(a, END_BY_SIGNAL);
    if (ctl & (CTL_KIN | CTL_STOP)) act_look(a->worker, a);
    return act_cancelled(a, ctl);
}

/* One that was stopped and waits again and again gets slower, so that others run meanwhile and
 * its time to finish comes to an end. */
bool fib_obey(bsk_self *a)
{
    if (!fib_signalled(a)) return false;
    if (++act_fiber(a)->ignored > STUBBORN)
        fib_wait(a, MBOX_DEAF, clk_now(a->worker->rt) + NS_PER_MS, WAIT_TIME, (bsk_addr){0, 0, 0});
    return true;
}

int bsk_sleep(bsk_self *self, int64_t ms)
{
    if (!fib_on_own_stack(self)) return BSK_EINVAL;
    struct bsk_rt *rt = self->worker->rt;
    fib_spend(self);
    if (fib_cancelled(self)) return BSK_ECANCELED;
    uint64_t due = clk_deadline(clk_now(rt), ms), until = fib_until(self, due);
    while (!bsk_cancelled(self) && clk_now(rt) < until)
        fib_wait(self, MBOX_DEAF, until, WAIT_TIME, (bsk_addr){0, 0, 0});
    if (bsk_cancelled(self)) return BSK_ECANCELED;
    return until < due ? BSK_ETIMEDOUT : 0;
}

int bsk_yield(bsk_self *self)
{
    if (!fib_on_own_stack(self)) return BSK_EINVAL;
    fib_return_loans(self);
    if (!fib_cancelled(self)) fib_turn(self);
    return bsk_cancelled(self) ? BSK_ECANCELED : 0;
}
