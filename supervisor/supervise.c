/* SPDX-License-Identifier: MIT */
/* A supervisor is a fiber: it starts its children one after another, then takes up one thing at a
 * time: a child's end, a restart whose time has come, a request.
 *
 *     start all --> [ an end -----> not to be restarted: note it
 *        |          [         `---> too many restarts: stop all, give up
 *      a failure    [         `---> stop whom the strategy says; restart, now or later
 *        |          [ its time --> start whom the strategy says; a failure is one more end
 *     stop what ran [ a request --> serve it
 *        |          [ told to stop --> stop all, the youngest first
 *       end
 *
 * What has to be waited for (a child that gets ready, or ends) is waited for in place, so
 * requests are served one at a time, in their order. A restart that has to wait is not. */
#include "supervise.h"

#include "actors/clock.h"
#include "actors/end.h"
#include "actors/fiber.h"
#include "actors/name.h"
#include "actors/send.h"
#include "actors/spawn.h"
#include "actors/thread.h"
#include "actors/trace.h"

#include <stdio.h>

#define PERIOD_MS 5000

/* How the start went: the supervisor's and the starter's, whoever is last frees it. */
struct sup_start {
    _Atomic int refs;
    _Atomic int rc; /* not 0: it failed; `why` says more */
    char why[192];
};

static void start_drop(struct sup_start *b)
{
    /* Acq_rel: the last one frees what the other has written. */
    if (b && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1) mem_free(b);
}

static void drop_start(void *arg)
{
    start_drop(arg);
}

void sup_free(void *arg)
{
    struct sup *s = arg;
    while (s->last) {
        s->last->state = BSK_CHILD_STOPPED;
        s->last->bond = NULL;
        child_remove(s, s->last);
    }
    spec_drop(s->template);
    table_fini(&s->table);
    intensity_fini(&s->intensity);
    start_drop(s->start);
    mem_free(s->opts);
    mem_free(s);
}

static bool add_copies(struct sup *s, const bsk_child_spec *specs, struct spec **copies, size_t n)
{
    struct child *c;
    for (size_t i = 0; i < n; i++) {
        s->numbered++;
        struct spec *spec = copies ? spec_hold(copies[i]) : spec_new(&specs[i], s->numbered);
        if (!spec) return false;
        if (sup_is_dynamic(s)) {
            s->template = spec;
        } else if (child_add(s, spec, &c)) {
            spec_drop(spec);
            return false;
        }
    }
    return true;
}

struct sup *sup_new(const bsk_sup_opts *o, const bsk_child_spec *specs, struct spec **copies,
                    size_t n)
{
    struct sup *s = mem_zalloc(sizeof *s);
    if (!s) return NULL;
    s->opts = spec_copy_sup(o);
    if (s->opts && add_copies(s, specs, copies, n)) return s;
    if (s->opts) {
        sup_free(s);
    } else {
        mem_free(s);
    }
    return NULL;
}

static uint64_t now(struct sup *s)
{
    return clk_now(s->self->worker->rt);
}

static void log_child(struct sup *s, const struct child *c, enum bsk_level level, const char *what)
{
    char name[64];
    struct bsk_rt *rt = s->self->worker->rt;
    name_describe(rt, s->self, name, sizeof name);
    trc_log(rt, level, "%s: child %s %s%s%s: %s", name, c->spec->id,
            bsk_reason_name(c->last_reason), *c->last_text ? ": " : "", c->last_text, what);
}

void sup_stop_all(struct sup *s)
{
    if (sup_is_dynamic(s)) {
        for (struct child *c; (c = child_next_due(s));) child_stop(s, c);
        scope_stop_all(s->self->worker, s->scope, false);
    }
    for (struct child *c = s->last; c; c = c->prev) child_stop(s, c);
}

/* Why the supervisor ends, if not because it was told to. */
static BSK_NORETURN_ void leave(struct sup *s, enum bsk_reason reason)
{
    sup_stop_all(s);
    end_text(s->self->worker, NULL, 0, s->why);
    act_leave(s->self, reason);
}

static BSK_NORETURN_ void give_up(struct sup *s, const struct child *c)
{
    snprintf(s->why, sizeof s->why, "child %s: %s%s%s", c->spec->id,
             bsk_reason_name(c->last_reason), *c->last_text ? ": " : "", c->last_text);
    log_child(s, c, BSK_LOG_ERROR, "too many restarts, giving up");
    leave(s, BSK_GAVE_UP);
}

static void wait_for_restart(struct sup *s, struct child *c, uint64_t due)
{
    assert(!c->bond && c->state == BSK_CHILD_STOPPED);
    c->state = BSK_CHILD_RESTARTING;
    due_add(&s->restarting, &c->due, due);
}

/* Stops those whom the strategy stops with `c`. Temporary ones are gone then. */
static void stop_others(struct sup *s, struct child *c)
{
    enum bsk_strategy strategy = s->opts->strategy;
    if (strategy != BSK_ONE_FOR_ALL && strategy != BSK_REST_FOR_ONE) return;
    for (struct child *o = s->last, *prev; o; o = prev) {
        prev = o->prev;
        if (o == c && strategy == BSK_REST_FOR_ONE) return;
        if (o == c) continue;
        child_stop(s, o);
        if (o->spec->given.opts.restart == BSK_TEMPORARY) child_remove(s, o);
    }
}

static bool too_many(struct sup *s)
{
    int most = s->opts->intensity ? s->opts->intensity : 1;
    uint64_t period = (uint64_t)(s->opts->period_ms ? s->opts->period_ms : PERIOD_MS);
    return intensity_exceeded(&s->intensity, now(s), most < 0 ? 0 : (uint32_t)most,
                              period * NS_PER_MS);
}

/* A child that is to be restarted has ended, or failed to start again. */
static void fail(struct sup *s, struct child *c)
{
    if (too_many(s)) give_up(s, c);
    stop_others(s, c);
    uint64_t t = now(s);
    uint64_t delay = backoff_next(&c->backoff, s->opts, t, bsk_random(s->self));
    wait_for_restart(s, c, t + delay);
    log_child(s, c, BSK_LOG_WARN, delay ? "restarted later" : "restarted");
}

static bool is_significant(const struct child *c)
{
    return c->spec->given.opts.significant;
}

/* One that waits for its restart counts. */
static bool any_significant_runs(const struct sup *s)
{
    const struct child *c = s->first;
    while (c && !(c->state != BSK_CHILD_STOPPED && is_significant(c))) c = c->next;
    return c;
}

static void forget_if_over(struct sup *s, struct child *c)
{
    if (sup_is_dynamic(s) || c->spec->given.opts.restart == BSK_TEMPORARY) child_remove(s, c);
}

/* A child has ended for good, by itself. */
static void note_over(struct sup *s, struct child *c)
{
    bool significant = is_significant(c);
    forget_if_over(s, c);
    if (!significant || s->opts->auto_shutdown == BSK_NEVER) return;
    if (s->opts->auto_shutdown == BSK_ALL_SIGNIFICANT && any_significant_runs(s)) return;
    snprintf(s->why, sizeof s->why, "a significant child has ended");
    leave(s, BSK_SHUTDOWN);
}

static bool wants_restart(const struct child *c)
{
    return kin_restarts(c->spec->given.opts.restart, c->last_reason);
}

static void on_end(struct sup *s, struct bond *b)
{
    struct child *c = b->child;
    child_note_end(s, c, b);
    if (wants_restart(c))
        fail(s, c);
    else
        note_over(s, c);
}

/* Starts c again. Tells whether it runs, or had nothing to do; else it is to be tried again. */
static bool start_again(struct sup *s, struct child *c)
{
    int64_t info;
    int rc = child_start(s, c, &info);
    if (rc < 0) {
        /* Nothing starts any more, which is nobody's failure. */
        if (sup_told_to_stop(s) || rc == BSK_ESTOPPING) return true;
        c->last_reason = BSK_FAILED;
        snprintf(c->last_text, sizeof c->last_text, "%.*s", (int)sizeof c->last_text - 1, s->why);
        fail(s, c);
        return false;
    }
    c->restarts++;
    s->restarts++;
    if (rc == 1) forget_if_over(s, c);
    return true;
}

/* Its time has come. */
static void restart(struct sup *s, struct child *c)
{
    child_stop_waiting(s, c);
    enum bsk_strategy strategy = s->opts->strategy;
    if (strategy != BSK_ONE_FOR_ALL && strategy != BSK_REST_FOR_ONE) {
        start_again(s, c);
        return;
    }
    struct child *from = strategy == BSK_ONE_FOR_ALL ? s->first : c, *next;
    for (; from; from = next) {
        next = from->next;
        if (sup_told_to_stop(s)) return;
        if (from->bond) continue;
        /* One that was started by hand meanwhile, and failed, is restarted with the others. */
        child_stop_waiting(s, from);
        if (!start_again(s, from)) return;
    }
}

static int start_all(struct sup *s)
{
    int64_t info;
    for (struct child *c = sup_is_dynamic(s) ? NULL : s->first, *next; c; c = next) {
        next = c->next;
        int rc = sup_told_to_stop(s) ? BSK_ECANCELED : child_start(s, c, &info);
        if (rc < 0) return rc;
        if (rc == 1) forget_if_over(s, c);
    }
    return 0;
}

static void report_start(struct sup *s, int rc)
{
    struct sup_start *b = s->start;
    s->start = NULL;
    if (!b) return;
    snprintf(b->why, sizeof b->why, "%s", s->why);
    /* Release pairs with the acquire in await_start. */
    atomic_store_explicit(&b->rc, rc, memory_order_release);
    start_drop(b);
}

static void begin(struct sup *s)
{
    int rc = start_all(s);
    report_start(s, rc);
    if (rc == 0) {
        bsk_ready(s->self, 0);
        return;
    }
    leave(s, sup_told_to_stop(s) ? BSK_SHUTDOWN : BSK_FAILED);
}

static void loop(struct sup *s)
{
    while (!sup_told_to_stop(s)) {
        struct bond *b = scope_take_ended(s->scope);
        struct child *c = child_next_due(s);
        bsk_msg *m;
        if (b) {
            on_end(s, b);
            continue;
        }
        bool due = c && c->due.at <= now(s);
        if (due) restart(s, c);
        /* One that restarts a child in vain, again and again, serves a request after each time. */
        if ((m = bsk_recv(s->self, 0)))
            sup_serve(s, m);
        else if (!due && !s->scope->ended.first)
            sup_wait(s, c ? c->due.at : NEVER);
    }
}

void sup_main(bsk_self *self)
{
    struct sup *s = *(struct sup **)bsk_state(self);
    int rc;
    s->self = self;
    s->scope = scope_new(self, NEVER, BSK_COLLECT, &rc);
    if (!s->scope) {
        report_start(s, BSK_ENOMEM);
        bsk_fail(self, "out of memory");
    }
    s->scope->supervises = true;
    /* Its waits go on while it stops its children. */
    bsk_shield(self);
    begin(s);
    loop(s);
    sup_stop_all(s);
}

static void tie_undo(struct worker *w, bsk_self *a, bsk_addr who, void *arg)
{
    struct sup *s = arg;
    (void)w;
    (void)who;
    defer_push(a, &s->undo, sup_free, s);
}

static bsk_addr spawn_sup(bsk_rt *rt, struct sup *s, int *rc)
{
    struct worker *here = rt_worker(), *w = here && here->rt == rt ? here : NULL;
    bsk_addr who = {0, 0, 0};
    bsk_opts o = {.name = s->opts->name,
                  .label = "supervisor",
                  .shutdown_ms = BSK_FOREVER,
                  .state = &s,
                  .state_size = sizeof s};
    *rc = spawn_actor(w, rt, (bsk_behavior){.fiber = sup_main}, &o, tie_undo, s, &who);
    return who;
}

/* Waits until all children are ready, or the start has failed. */
static int await_start(bsk_self *self, bsk_addr who, struct sup_start *b, char *why, size_t size)
{
    struct defer undo;
    /* Of a fiber that is killed while it waits. */
    if (self) defer_push(self, &undo, drop_start, b);
    const sup_answer *a = bsk_call(self, who, BSK_FOREVER, sup_request, .op = SUP_NOTHING);
    if (self) defer_pop(self, &undo);
    if (a) return 0;
    /* Acquire pairs with the release in report_start: `why` is written. */
    int rc = atomic_load_explicit(&b->rc, memory_order_acquire);
    if (rc == 0) {
        rc = bsk_error(self);
        /* Whoever does not wait any more has no use for it. */
        bsk_stop(who, BSK_FOREVER);
        return rc;
    }
    snprintf(why, size, "%s", b->why);
    return rc;
}

static int start(bsk_rt *rt, struct sup *s, bsk_addr *out, char *why, size_t size)
{
    int rc;
    bsk_self *self = rt_self(rt_worker());
    struct sup_start *b = s->start = mem_zalloc(sizeof *b);
    if (!b) {
        sup_free(s);
        return BSK_ENOMEM;
    }
    atomic_init(&b->refs, 2);
    bsk_addr who = spawn_sup(rt, s, &rc);
    if (rc)
        sup_free(s);
    else if (!self || fib_on_own_stack(self))
        rc = await_start(self, who, b, why, size);
    start_drop(b);
    if (rc == 0) *out = who;
    return rc;
}

bsk_addr bsk_supervise_(bsk_rt *rt, const bsk_sup_opts *opts, const bsk_child_spec *specs, size_t n)
{
    char why[192] = "";
    bsk_addr who = {0, 0, 0};
    int rc = spec_check_sup(opts, specs, n, why, sizeof why);
    struct sup *s = rc ? NULL : sup_new(opts, specs, NULL, n);
    if (rc == 0) rc = s ? start(rt, s, &who, why, sizeof why) : BSK_ENOMEM;
    if (rc) {
        act_tell_error(rt_worker(), rc);
        thread_set_detail("%s", why);
    }
    return who;
}
