/* SPDX-License-Identifier: MIT */
#include "scopes.h"

#define ROUNDS 20 /* truly parallel */

_Atomic int begun, over, seen, dropped;
bool in_virtual_time;

void run_on(bsk_rt *rt, int status, bsk_fiber *f)
{
    begun = over = seen = dropped = 0;
    fix_born(bsk_spawn(rt, f));
    ck_assert_int_eq(bsk_wait(rt), status);
}

bsk_rt *seeded(uint64_t seed)
{
    bsk_rt *rt = bsk_start(.seed = seed, .quiet = true, FIX_TRACED);
    ck_assert_ptr_nonnull(rt);
    return rt;
}

void run_seeded(int status, bsk_fiber *f)
{
    in_virtual_time = true;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) run_on(seeded(seed), status, f);
    in_virtual_time = false;
}

void run_parallel(int status, bsk_fiber *f)
{
    for (int i = 0; i < ROUNDS; i++) {
        bsk_rt *rt = bsk_start(.workers = 3, .quiet = true, .no_signals = true, FIX_TRACED);
        ck_assert_ptr_nonnull(rt);
        run_on(rt, status, f);
    }
}

void run(int status, bsk_fiber *f)
{
    run_seeded(status, f);
    run_parallel(status, f);
}

int64_t now(bsk_self *self)
{
    return bsk_now(bsk_rt_of(self));
}

bsk_scope *opened(bsk_self *self, int64_t ms, enum bsk_scope_kind kind)
{
    bsk_scope *s = bsk_scope_open_kind(self, ms, kind);
    ck_assert_msg(s != NULL, "%s", bsk_errname(bsk_error(self)));
    return s;
}

void return_at_once(bsk_self *self)
{
    ck_assert(bsk_scope_len != NULL && self);
    over++;
}

void sleep_a_while(bsk_self *self)
{
    ck_assert_int_eq(bsk_sleep(self, *(int *)bsk_state(self)), 0);
    over++;
}

void sleep_for_ever(bsk_self *self)
{
    begun++;
    int rc = bsk_sleep(self, 1000000);
    over++;
    ck_assert_int_eq(rc, BSK_ECANCELED);
    ck_assert(bsk_cancelled(self));
}

void ignore_stop(bsk_self *self)
{
    begun++;
    for (;;) (void)!bsk_sleep(self, 10);
}

void wait_handler(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(stop_it, s) bsk_exit(self);
        bsk_on(num, n) seen += (int)n->v;
    }
}

bsk_addr go_sleeper(bsk_self *self, bsk_scope *s)
{
    int before = begun;
    bsk_addr who = bsk_go(s, sleep_for_ever);
    ck_assert(!bsk_is_nobody(who));
    while (begun == before) ck_assert_int_eq(bsk_yield(self), 0);
    return who;
}

bsk_addr silent;
_Atomic bool work_may_end;

static void be_silent(bsk_self *self)
{
    while (bsk_recv_only(self, BSK_FOREVER, BSK_T(stop_it)) == NULL && !bsk_cancelled(self))
        continue;
}

bsk_addr start_silent(bsk_self *self, uint32_t mailbox)
{
    bsk_addr who = bsk_spawn(bsk_rt_of(self), be_silent, .mailbox = mailbox);
    ck_assert(!bsk_is_nobody(who));
    return who;
}

static void work_long(bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(get, g) {
            while (!work_may_end) continue;
            bsk_reply(g, get, 1);
        }
    }
}

static int code(bsk_self *self, const void *got)
{
    return got ? 0 : bsk_error(self);
}

static int join_inner(bsk_self *self)
{
    bsk_scope *s = opened(self, BSK_FOREVER, BSK_ALL);
    bsk_go(s, sleep_for_ever);
    return bsk_scope_join(s);
}

static _Atomic bool let_go;

/* Ends only when who waits for it has given up. */
static void outwait(bsk_self *self)
{
    bsk_shield(self);
    while (!let_go) ck_assert_int_eq(bsk_sleep(self, 1), 0);
    bsk_unshield(self);
}

static int next_of(bsk_self *self, enum bsk_scope_kind kind)
{
    let_go = false;
    bsk_scope *s = opened(self, BSK_FOREVER, kind);
    bsk_go(s, outwait);
    int rc = code(self, kind == BSK_RACE ? bsk_scope_winner(s, BSK_FOREVER)
                                         : bsk_scope_next(s, BSK_FOREVER));
    let_go = true;
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECANCELED);
    return rc;
}

int wait_in(bsk_self *self, enum wait w)
{
    switch (w) {
    case IN_RECV: return code(self, bsk_recv(self, BSK_FOREVER));
    case IN_RECV_ONLY: return code(self, bsk_recv_only(self, BSK_FOREVER, BSK_T(num)));
    case IN_CALL: return code(self, bsk_call(self, silent, BSK_FOREVER, get, 1));
    case IN_SEND: {
        int rc = 0;
        while (rc == 0) rc = bsk_send(self, silent, BSK_FOREVER, num, 1);
        return rc;
    }
    case IN_SLEEP: return bsk_sleep(self, 1000000);
    case IN_YIELD: {
        int rc = 0;
        while (rc == 0) rc = bsk_yield(self);
        return rc;
    }
    case IN_WORK: return code(self, bsk_work_call(self, BSK_FOREVER, work_long, get, 1));
    case IN_JOIN: return join_inner(self);
    case IN_NEXT: return next_of(self, BSK_COLLECT);
    default: return next_of(self, BSK_RACE);
    }
}
