/* SPDX-License-Identifier: MIT */
/* Receiving: the words of a match, and the waits of fibers.
 *
 * A selective receive sorts what it passes over by type, each with its place in the order of
 * arrival. So a later one looks at the first of each type that it wants, however many others
 * wait, and a receive of anything takes the oldest of them all. */
#include "receive.h"

#include "clock.h"
#include "end.h"
#include "fiber.h"
#include "trace.h"

/* bsk_take_ is compiled into programs. */
static_assert(sizeof(struct bsk_front_) == MSG_HEAD && BSK_REPLIES_ == MSG_REPLY &&
                  offsetof(struct bsk_front_, type_) == offsetof(struct bsk_msg, type) &&
                  offsetof(struct bsk_front_, lane_) == offsetof(struct bsk_msg, lane),
              "bsk_take_ finds what it looks at");

const void *bsk_take_reply_(bsk_msg **m, const bsk_type *type)
{
    bsk_msg *one = *m;
    if (!one || one->type != type || one->lane != MSG_REPLY) return NULL;
    *m = NULL;
    return one->body;
}

int bsk_take_lost_(bsk_msg **m, const bsk_type *type)
{
    bsk_msg *one = *m;
    if (!one || one->type != type || one->lane != MSG_LOST) return 0;
    *m = NULL;
    int rc;
    memcpy(&rc, one->body, sizeof rc);
    return rc;
}

bsk_msg *bsk_take_any_(bsk_msg **m)
{
    bsk_msg *one = *m;
    *m = NULL;
    return one;
}

bsk_msg *bsk_unmatched_(bsk_msg *m)
{
    struct bsk_rt *rt = m ? rt_here() : NULL;
    if (!rt) return NULL;
    struct worker *w = rt_worker();
    bsk_addr me = {0, 0, 0};
    if (rt_self(w)) me = bsk_me(rt_self(w));
    trc_dead(w, rt, me, m->type, BSK_DEAD_UNMATCHED);
    return NULL;
}

const bsk_type *bsk_msg_type(const bsk_msg *m)
{
    return m->type;
}

static bool wanted(const struct bsk_msg *m, const bsk_type **types)
{
    if (!types) return true;
    while (*types && *types != m->type) types++;
    return *types != NULL;
}

static struct saved *saved_of(struct fiber *f, const bsk_type *type)
{
    for (uint32_t i = 0; i < f->nsaved; i++)
        if (f->saved[i].type == type) return &f->saved[i];
    return NULL;
}

/* An empty place is used again; a fiber passes over few types. */
static struct saved *add_saved(struct fiber *f, const bsk_type *type)
{
    if (f->nsaved == f->saved_cap) {
        uint32_t cap = f->saved_cap ? 2 * f->saved_cap : 8;
        struct saved *more = mem_alloc(cap * sizeof *more);
        if (!more) return NULL;
        if (f->nsaved) memcpy(more, f->saved, f->nsaved * sizeof *more);
        mem_free(f->saved);
        f->saved = more;
        f->saved_cap = cap;
    }
    f->saved[f->nsaved] = (struct saved){.type = type};
    return &f->saved[f->nsaved++];
}

static int save(struct fiber *f, struct bsk_msg *m)
{
    assert(f->nsaved <= f->saved_cap);
    struct saved *s = saved_of(f, m->type);
    if (!s) s = add_saved(f, m->type);
    if (!s) return BSK_ENOMEM;
    m->gen = f->saved_seq++;
    m->next = NULL;
    if (s->head)
        s->tail->next = m;
    else
        s->head = m;
    s->tail = m;
    return 0;
}

static struct saved *oldest_saved(struct fiber *f, const bsk_type **types)
{
    struct saved *oldest = NULL;
    for (uint32_t i = 0; i < f->nsaved; i++) {
        struct saved *s = &f->saved[i];
        if (!s->head || !wanted(s->head, types)) continue;
        /* By difference: the order may wrap. */
        if (!oldest || (int32_t)(s->head->gen - oldest->head->gen) < 0) oldest = s;
    }
    return oldest;
}

static struct bsk_msg *take_saved(bsk_self *a, struct fiber *f, const bsk_type **types)
{
    struct saved *s = oldest_saved(f, types);
    if (!s) return NULL;
    struct bsk_msg *m = s->head;
    s->head = m->next;
    if (!s->head) *s = f->saved[--f->nsaved];
    m->gen = act_gen(a);
    return m;
}

/* Looks through what has come in since; passes over what is not wanted. */
static struct bsk_msg *take_new(bsk_self *a, struct fiber *f, const bsk_type **types, int *rc)
{
    struct bsk_msg *m;
    while ((m = act_pass(a))) {
        /* An exit signal is not passed over: it is taken in the order of arrival. */
        if (m->gen != act_gen(a) || (m->flags & MSG_EXIT) || wanted(m, types)) return m;
        *rc = save(f, m);
        if (*rc) {
            act_unpass(a, m);
            return NULL;
        }
    }
    return NULL;
}

static struct bsk_msg *poll_mailbox(bsk_self *a, struct fiber *f, const bsk_type **types, int *rc)
{
    for (;;) {
        struct bsk_msg *m = take_saved(a, f, types);
        if (!m) m = take_new(a, f, types, rc);
        if (!m && *rc == 0) {
            act_collect(a->worker, a);
            /* This may have been sent after a stop that was not to be seen before. */
            if (bsk_cancelled(a))
                *rc = BSK_ECANCELED;
            else
                m = take_new(a, f, types, rc);
        }
        if (!m) return NULL;
        act_popped(a, m);
        if (act_deliver(a->worker, a, m)) return m;
        if (act_ctl(a) & CTL_EXIT) act_leave(a, END_BY_SIGNAL);
    }
}

/* Takes the next message if it is a plain one, and nothing else is to be attended to: what most
 * receives are about. If that is not so, poll_mailbox has to look, unless it is `empty`. */
static inline struct bsk_msg *take_plain(bsk_self *a, struct fiber *f, const bsk_type **types,
                                         bool *empty)
{
    struct worker *w = a->worker;
    *empty = false;
    if (f->nsaved || w->watched || act_guarded(a)) return NULL;
    struct bsk_msg *mark = a->out.list ? NULL : mbox_collect(&a->in, &a->out);
    if (mark && mark->done) pool_put(&w->pool, mark);
    struct bsk_msg *m = a->out.list;
    /* The ctl bits after the look into the mailbox: a stop is not overtaken. */
    if (act_ctl(a)) return NULL;
    *empty = !m;
    if (!m || (m->lane | m->flags) || m->gen != act_gen(a)) return NULL;
    if (types && !wanted(m, types)) return NULL;
    a->out.list = m->next;
    mbox_popped(&a->out);
    rt_count(&w->count.user, 1);
    return m;
}

void rcv_bury_saved(struct worker *w, bsk_self *a)
{
    struct fiber *f = act_fiber(a);
    struct bsk_msg *m;
    while ((m = take_saved(a, f, NULL))) {
        act_popped(a, m);
        act_bury(w, a, m, BSK_DEAD_UNHANDLED);
    }
}

static int may_wait(bsk_self *self, uint64_t *deadline, int64_t ms)
{
    /* Closed and empty, but for timers and replies to come: nobody can send any more. */
    if (bsk_mailbox_closed(self) && !bsk_mailbox_len(self)) return BSK_ECLOSED;
    if (ms < 0 && !act_kin(self)) {
        *deadline = NEVER;
        return 0;
    }
    uint64_t now = clk_now(self->worker->rt);
    if (!*deadline) *deadline = fib_until(self, clk_deadline(now, ms));
    return now >= *deadline ? BSK_ETIMEDOUT : 0;
}

static inline __attribute__((always_inline)) bsk_msg *receive(bsk_self *self, int64_t ms,
                                                              const bsk_type **types)
{
    struct fiber *f = act_fiber(self);
    uint64_t deadline = 0;
    int rc = 0;
    fib_spend(self);
    f->serves = 0;
    if (fib_cancelled(self)) rc = BSK_ECANCELED;
    for (;;) {
        bool empty;
        struct bsk_msg *m = take_plain(self, f, types, &empty);
        if (!m && act_ctl(self) && fib_signalled(self)) rc = BSK_ECANCELED;
        if (!m && rc == 0 && !empty) m = poll_mailbox(self, f, types, &rc);
        if (m) {
            self->inhand = m;
            return m;
        }
        if (rc == 0) rc = may_wait(self, &deadline, ms);
        if (rc) break;
        fib_wait(self, MBOX_IDLE, deadline, WAIT_MESSAGE, (bsk_addr){0, 0, 0});
    }
    act_set_error(self, rc);
    return NULL;
}

bsk_msg *bsk_recv(bsk_self *self, int64_t ms)
{
    if (fib_on_own_stack(self)) return receive(self, ms, NULL);
    act_set_error(self, BSK_EINVAL);
    return NULL;
}

bsk_msg *bsk_recv_only_(bsk_self *self, int64_t ms, const bsk_type **types)
{
    if (fib_on_own_stack(self)) return receive(self, ms, types);
    act_set_error(self, BSK_EINVAL);
    return NULL;
}
