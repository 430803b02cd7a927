/* SPDX-License-Identifier: MIT */
/* check_scope_end.c - who has open scopes ends, in any way, with everything at once, and without
 * memory.
 *
 * ctest: timeout=120 */
#include "scopes.h"

#include "mailbox/memory.h"

#include <pthread.h>

/* The end of who has open scopes. */

enum leave { BY_RETURN, BY_EXIT, BY_FAILING, BY_KILL, BY_STOP, BY_LATE_KILL, LEAVES };
static enum leave leave_now;
static _Atomic bool heard, watched;

/* Lives on a variable of its parent's stack for as long as it has. */
static void use_parents_stack(bsk_self *self)
{
    _Atomic int *at = *(_Atomic int **)bsk_state(self);
    begun++;
    bsk_shield(self);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(*at, 12345);
        ck_assert_int_eq(bsk_sleep(self, 1), 0);
    }
    bsk_unshield(self);
    ck_assert(!heard);
    over++;
}

static void leave(bsk_self *self)
{
    switch (leave_now) {
    case BY_EXIT: bsk_exit(self);
    case BY_FAILING: bsk_fail(self, "leaves");
    case BY_KILL: ck_assert_int_eq(bsk_kill(bsk_me(self)), 0); break;
    case BY_STOP: ck_assert_int_eq(bsk_stop(bsk_me(self), BSK_FOREVER), 0); break;
    case BY_LATE_KILL: ck_assert_int_eq(bsk_stop(bsk_me(self), 2), 0); break;
    default: return;
    }
    (void)!bsk_sleep(self, BSK_FOREVER);
    bsk_exit(self);
}

struct owner {
    bsk_scope *scope;
    _Atomic int number;
};

static void undo(void *arg)
{
    ck_assert_ptr_nonnull(arg);
    ck_assert_int_eq(bsk_scope_len(arg), 0);
    dropped++;
}

static void fini_owner(bsk_self *self)
{
    bsk_scope *s = ((struct owner *)bsk_state(self))->scope;
    ck_assert_uint_eq(bsk_scope_len(s), 0);
    ck_assert(bsk_is_nobody(bsk_go(s, return_at_once)));
    ck_assert_int_eq(bsk_error(self), BSK_ECANCELED);
    ck_assert_ptr_null(bsk_scope_open(self, BSK_FOREVER));
    ck_assert_int_eq(bsk_error(self), BSK_EINVAL);
    seen++;
}

static void own_some(bsk_self *self)
{
    struct owner *o = bsk_state(self);
    /* What a function returns from is gone, whoever waits. */
    _Atomic int mine = 12345, *at = leave_now == BY_RETURN ? &o->number : &mine;
    bsk_scope *outer = opened(self, BSK_FOREVER, BSK_ALL);
    bsk_scope *inner = opened(self, 1000000, BSK_COLLECT);
    o->scope = outer;
    ck_assert_int_eq(bsk_defer(self, undo, outer), 0);
    for (int i = 0; i < 3; i++) {
        bsk_go(outer, use_parents_stack, BSK_STATE(_Atomic int *, at));
        bsk_go(inner, use_parents_stack, BSK_STATE(_Atomic int *, at));
    }
    while (begun < 6 || !watched) ck_assert_int_eq(bsk_yield(self), 0);
    leave(self);
}

static void watch_owner(bsk_self *self)
{
    static const enum bsk_reason reasons[LEAVES] = {BSK_NORMAL, BSK_NORMAL,   BSK_FAILED,
                                                    BSK_KILLED, BSK_SHUTDOWN, BSK_KILLED};
    bool killed = leave_now == BY_KILL || leave_now == BY_LATE_KILL;
    heard = watched = false;
    bsk_addr who = bsk_spawn(bsk_rt_of(self), own_some, .fini = fini_owner,
                             BSK_STATE(struct owner, .number = 12345));
    bsk_monitor m = bsk_watch(self, who);
    ck_assert(m.gen);
    watched = true;
    bsk_match(bsk_recv_only(self, BSK_FOREVER, BSK_T(bsk_down))) {
        bsk_on(bsk_down, d) {
            heard = true;
            ck_assert(bsk_same(d->who, who));
            ck_assert_int_eq(d->reason, reasons[leave_now]);
            ck_assert_str_eq(d->text, leave_now == BY_FAILING ? "leaves" : "");
        }
    }
    ck_assert(heard);
    ck_assert_int_eq(dropped, 1);
    /* Who is killed takes its children with it at once, also when it waits for them already. */
    ck_assert_int_eq(seen, !killed);
    if (!killed) ck_assert_int_eq(over, 6);
}

START_TEST(children_end_before_their_owner_does_however_that_ends)
{
    for (int l = 0; l < LEAVES; l++) {
        leave_now = (enum leave)l;
        run(leave_now == BY_FAILING, watch_owner);
    }
}
END_TEST

static void let_handler_end(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) {
            struct owner *o = bsk_state(self);
            o->scope = opened(self, BSK_FOREVER, BSK_ALL);
            for (int i = 0; i < n->v; i++)
                ck_assert(!bsk_is_nobody(bsk_go(o->scope, sleep_for_ever)));
        }
        bsk_on(stop_it, s) bsk_exit(self);
        bsk_on(other, o) bsk_fail(self, "other %d", (int)o->v);
    }
}

static void end_a_handler(bsk_self *self)
{
    enum bsk_reason reason = BSK_NORMAL;
    bsk_addr h = bsk_spawn(bsk_rt_of(self), let_handler_end, BSK_STATE(struct owner, .number = 0),
                           .fini = fini_owner);
    bsk_monitor m = bsk_watch(self, h);
    ck_assert(m.gen);
    bsk_tell(h, num, 3);
    while (begun < 3) ck_assert_int_eq(bsk_yield(self), 0);
    switch (leave_now) {
    case BY_FAILING:
        bsk_tell(h, other, 1);
        reason = BSK_FAILED;
        break;
    case BY_KILL:
        ck_assert_int_eq(bsk_kill(h), 0);
        reason = BSK_KILLED;
        break;
    case BY_STOP:
        ck_assert_int_eq(bsk_stop(h, 1000), 0);
        reason = BSK_SHUTDOWN;
        break;
    default: bsk_tell(h, stop_it);
    }
    bsk_match(bsk_recv_only(self, BSK_FOREVER, BSK_T(bsk_down))) {
        bsk_on(bsk_down, d) ck_assert_int_eq(d->reason, reason);
    }
    ck_assert_int_eq(seen, reason != BSK_KILLED);
    if (reason != BSK_KILLED) ck_assert_int_eq(over, 3);
}

START_TEST(handlers_own_scopes_too)
{
    for (int l = BY_EXIT; l <= BY_STOP; l++) {
        leave_now = (enum leave)l;
        run(leave_now == BY_FAILING, end_a_handler);
    }
}
END_TEST

static void ask_later(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) {
            /* Two scopes of a handler have nothing to do with each other, nor with its asks. */
            bsk_scope *first = opened(self, 5, BSK_ALL), *second = opened(self, 1000, BSK_ALL);
            bsk_go(first, sleep_for_ever);
            bsk_go(second, sleep_a_while, BSK_STATE(int, (int)n->v));
            bsk_scope_cancel(first);
            ck_assert_int_eq(bsk_ask(self, silent, 50, get, 1), 0);
        }
        bsk_on_no_reply(get, rc) {
            ck_assert_int_eq(rc, BSK_ETIMEDOUT);
            ck_assert_int_eq(now(self), 50);
            bsk_exit(self);
        }
    }
}

static void two_of_a_handler(bsk_self *self)
{
    silent = start_silent(self, 2);
    bsk_addr h = bsk_spawn(bsk_rt_of(self), ask_later);
    bsk_tell(h, num, 20);
    while (bsk_alive(h)) ck_assert_int_eq(bsk_sleep(self, 1), 0);
    ck_assert_int_eq(over, 2);
    bsk_shutdown(bsk_rt_of(self));
}

START_TEST(a_handlers_scopes_lie_beside_each_other)
{
    run_seeded(0, two_of_a_handler);
}
END_TEST

/* Everything at once. */

static _Atomic int started, ended;

static void note_end(void *arg)
{
    ck_assert_ptr_nonnull(arg);
    ended++;
}

static void live_somehow(bsk_self *self);

static void handle_somehow(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n)
            if (n->v % 3 == 0) bsk_exit(self);
    }
}

static void go_somehow(bsk_self *self, bsk_scope *s, int depth)
{
    bsk_addr who;
    int64_t time = (int64_t)(bsk_random(self) % 4);
    if (bsk_random(self) % 3)
        who = bsk_go(s, live_somehow, BSK_STATE(int, depth + 1), .shutdown_ms = time ? time : -2);
    else
        who = bsk_go(s, handle_somehow);
    if (bsk_is_nobody(who)) {
        int rc = bsk_error(self);
        ck_assert(rc == BSK_ECANCELED || rc == BSK_ESTOPPING);
        return;
    }
    switch (bsk_random(self) % 6) {
    case 0: (void)!bsk_kill(who); break;
    case 1: (void)!bsk_stop(who, 1); break;
    case 2: bsk_tell(who, num, 3); break;
    default: break;
    }
}

static void live_somehow(bsk_self *self)
{
    int depth = *(int *)bsk_state(self);
    started++;
    ck_assert_int_eq(bsk_defer(self, note_end, self), 0);
    if (depth < 4) {
        enum bsk_scope_kind kind = (enum bsk_scope_kind)(bsk_random(self) % 3);
        bsk_scope *s = opened(self, bsk_random(self) % 2 ? BSK_FOREVER : 3, kind);
        for (uint64_t n = bsk_random(self) % 5; n--;) {
            go_somehow(self, s, depth);
            if (bsk_random(self) % 4 == 0) (void)!bsk_sleep(self, 1);
        }
        if (kind == BSK_COLLECT && bsk_random(self) % 2)
            while (bsk_scope_next(s, 1)) continue;
        if (kind == BSK_RACE && bsk_random(self) % 2) (void)bsk_scope_winner(s, 1);
        switch (bsk_random(self) % 8) {
        case 0: bsk_scope_cancel(s); break;
        case 1: bsk_scope_detach(s); break;
        case 2: return;
        case 3: bsk_fail(self, "somehow");
        default: break;
        }
        if (bsk_random(self) % 2) (void)!bsk_scope_join(s);
    }
    (void)!bsk_give(self, num, depth);
    (void)!bsk_sleep(self, (int64_t)(bsk_random(self) % 3));
}

static void storm(bsk_self *self)
{
    started = ended = 0;
    for (int i = 0; i < 5; i++) {
        bsk_scope *s = opened(self, 10, BSK_COLLECT);
        for (int n = 0; n < 6; n++) go_somehow(self, s, 0);
        (void)!bsk_scope_join(s);
    }
    bsk_shutdown(bsk_rt_of(self));
}

static void run_storm(bsk_rt *rt)
{
    ck_assert_ptr_nonnull(rt);
    fix_born(bsk_spawn(rt, storm));
    ck_assert_int_le(bsk_wait(rt), 1);
    ck_assert_int_eq(started, ended);
}

START_TEST(whatever_happens_all_that_began_ends)
{
    for (uint64_t seed = 1; seed <= 200; seed++)
        run_storm(bsk_start(.seed = seed, .quiet = true, FIX_HOOKS));
    for (int i = 0; i < 30; i++)
        run_storm(bsk_start(.workers = 3, .quiet = true, .no_signals = true, FIX_HOOKS));
}
END_TEST

/* Want of memory. */

static bool enough(bsk_self *self, bool got)
{
    int rc = bsk_error(self);
    if (!got) ck_assert_msg(rc == BSK_ENOMEM || rc == BSK_ELIMIT, "%s", bsk_errname(rc));
    return got;
}

static void give_or_not(bsk_self *self)
{
    int rc = bsk_give(self, parcel, .v = 1, .text = "text");
    ck_assert(rc == 0 || rc == BSK_ENOMEM);
    if (!*(int *)bsk_state(self)) return;
    begun++;
    (void)!bsk_sleep(self, BSK_FOREVER);
}

static void do_all(bsk_self *self)
{
    started++;
    bsk_scope *s = bsk_scope_open_kind(self, 1000, BSK_COLLECT);
    if (!enough(self, s)) return;
    for (int i = 0; i < 4; i++) {
        bsk_addr who = i < 3 ? bsk_go(s, give_or_not, BSK_STATE(int, i), .name = i ? NULL : "x",
                                      .shutdown_ms = 1 + 4 * i)
                             : bsk_go(s, wait_handler, .shutdown_ms = 3);
        enough(self, !bsk_is_nobody(who));
    }
    bsk_token *t = bsk_scope_token(s);
    bsk_token *below_it = t ? bsk_token_new(t) : NULL;
    (void)bsk_scope_next(s, 1);
    bsk_scope *inner = bsk_scope_open(self, 2000);
    if (enough(self, inner))
        enough(self, !bsk_is_nobody(bsk_go(inner, ignore_stop, .shutdown_ms = 7)));
    bsk_scope_cancel(s);
    if (t) ck_assert(bsk_token_cancelled(t));
    if (below_it) ck_assert(bsk_token_cancelled(below_it));
    bsk_token_drop(t);
    bsk_token_drop(below_it);
    if (inner) ck_assert_int_eq(bsk_scope_join(inner), BSK_ECANCELED);
    ck_assert_int_eq(bsk_scope_join(s), BSK_ECANCELED);
    ended++;
}

static void *do_it_once(void *arg)
{
    bsk_rt *rt = bsk_start(.seed = 1, .quiet = true, FIX_HOOKS);
    ck_assert_ptr_null(arg);
    if (!rt) return NULL;
    bsk_addr who = bsk_spawn(rt, do_all);
    ck_assert(!bsk_is_nobody(who) || bsk_error(NULL) == BSK_ENOMEM);
    ck_assert_int_eq(bsk_wait(rt), 0);
    return NULL;
}

START_TEST(without_memory_nothing_is_half_made)
{
    for (int onward = 0; onward < 2; onward++) {
        uint64_t n = 0, asked;
        do {
            pthread_t thread;
            struct fix_memory before = fix_memory();
            asked = mem_asked();
            mem_fail_at(++n, onward);
            ck_assert_int_eq(pthread_create(&thread, NULL, do_it_once, NULL), 0);
            pthread_join(thread, NULL);
            mem_fail_at(0, 0);
            asked = mem_asked() - asked;
            fix_nothing_lost(before, n, onward);
        } while (asked >= n);
        ck_assert_uint_gt(n, 20);
    }
    ck_assert_int_gt(ended, 1);
}
END_TEST

FIX_MAIN("scope_end", 100, children_end_before_their_owner_does_however_that_ends,
         handlers_own_scopes_too, a_handlers_scopes_lie_beside_each_other,
         whatever_happens_all_that_began_ends, without_memory_nothing_is_half_made)
