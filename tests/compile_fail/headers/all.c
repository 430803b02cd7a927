/* SPDX-License-Identifier: MIT */
/* all.c - every word of the headers used once, as it is meant: strict C11 has nothing to say. */
#include <buskin.h>

#include <stdio.h>

BSK_MSG(nothing);
BSK_MSG(one, (i64, n));
BSK_MSG(each, (i64, i), (u64, u), (f64, f), (bool, b), (str, s), (bytes, y), (addr, a), (blob, d));
BSK_MSG(most, (i64, a), (i64, b), (i64, c), (i64, d), (i64, e), (i64, f), (i64, g), (i64, h),
        (i64, i), (i64, j), (i64, k), (i64, l), (i64, m), (i64, n), (i64, o), (i64, p));
BSK_CALL(ping, nothing);
BSK_CALL(ask_one, one, (str, which));
BSK_LOCAL(job, job_drop, (FILE *, file), (int, n));

_Static_assert(_Alignof(each) == 8, "fields are aligned");

struct state {
    int64_t sum;
    bsk_pending kept;
    bsk_timer tick;
};

void job_drop(void *body)
{
    job *j = body;
    if (j->file) fclose(j->file);
}

static void sum_up(bsk_msg *m)
{
    bsk_match(m)
        bsk_on(ask_one, q)
            if (!bsk_abandoned(q)) bsk_reply(q, ask_one, .n = 1);
}

static void handler(bsk_self *self, bsk_msg *m)
{
    struct state *s = bsk_state(self);
    bsk_match(m) {
        bsk_on(one, o) s->sum += o->n;
        bsk_on(each, e) {
            if (!e->b) continue;
            bsk_tell(e->a, each, .i = e->i, .b = true, .s = "text", .d = e->d);
        }
        bsk_on(ping, p) bsk_reply(p, ping);
        bsk_on(ask_one, q) s->kept = bsk_later(q, ask_one);
        bsk_on_reply(ask_one, r) bsk_answer(s->kept, ask_one, .n = r->n);
        bsk_on_no_reply(ask_one, rc) printf("%s\n", bsk_strerror(rc));
        bsk_on(bsk_room, b) printf("%u\n", b->who.slot);
        bsk_else(other) puts(bsk_msg_type(other)->name);
    }
}

static void fiber(bsk_self *self)
{
    bsk_addr to = bsk_spawn(bsk_rt_of(self), handler, .name = "handler", .mailbox = 8,
                            BSK_STATE(struct state, .sum = 1));
    if (bsk_is_nobody(to)) bsk_fail(self, "spawn: %s", bsk_strerror(bsk_error(self)));
    bsk_tell(to, nothing);
    bsk_tell(to, one, 1);
    if (bsk_try(to, one, .n = 1) < 0 || bsk_try_margin(to, 2, one, .n = 1) < 0) bsk_exit(self);
    if (bsk_send(self, to, 100, job, .n = 1) < 0) bsk_fail(self, "full");
    if (bsk_ask(self, to, BSK_FOREVER, ask_one, .which = "a") < 0) bsk_exit(self);
    if (bsk_work(self, 100, sum_up, ask_one, .which = "a") < 0) bsk_exit(self);
    const one *o = bsk_work_call(self, 100, sum_up, ask_one, .which = "b");
    const one *p = bsk_call(self, to, 100, ask_one, .which = "c");
    const nothing *q = bsk_call(self, to, 100, ping);
    bsk_timer t = bsk_after(self, 100, one, .n = 1);
    const one *r = bsk_timer_take(self, t, one);
    t = bsk_every(self, 10, nothing);
    if (bsk_timer_missed(self, t, BSK_BURST) < 0) bsk_timer_stop(self, t);
    bsk_match(bsk_recv_only(self, 100, BSK_T(one), BSK_T(nothing)))
        bsk_else(any) puts("some");
    bsk_match(bsk_recv(self, 100))
        bsk_on(nothing, n) puts("nothing");
    if (o && p && q && r) bsk_exit(self);
}

#define PROTOCOL(X) X(counter, struct state, one) X(counter, struct state, ask_one)
BSK_BEHAVE(counter, PROTOCOL)

static void counter_on_one(bsk_self *self, struct state *s, const one *o)
{
    s->sum += o->n;
    if (s->sum > 100) bsk_exit(self);
}

static void counter_on_ask_one(bsk_self *self, struct state *s, const ask_one *q)
{
    if (!bsk_cancelled(self)) bsk_reply(q, ask_one, .n = s->sum);
}

int main(void)
{
    bsk_rt *rt = bsk_start(.workers = 2, .seed = 7);
    if (!rt || !bsk_start()) return 1;
    bsk_spawn(rt, fiber, .stack = 65536);
    bsk_spawn(rt, counter, BSK_STATE(struct state, 0));
    return bsk_wait(rt);
}
