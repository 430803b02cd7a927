/* SPDX-License-Identifier: MIT */
/* Words to a supervisor. Each is a request to its actor; what it is about travels as a blob, so
 * that a caller who gives up leaves nothing behind that the supervisor could still look at. */
#include "supervise.h"

#include "actors/spawn.h"
#include "actors/thread.h"

#include <stdio.h>

struct order {
    bsk_sup_opts *opts;
    struct spec **specs; /* NULL: taken by the supervisor */
    size_t n;
};

static void free_order(void *data, void *arg)
{
    struct order *o = data;
    (void)arg;
    for (size_t i = 0; i < o->n; i++) spec_drop(o->specs[i]);
    mem_free(o->specs);
    mem_free(o->opts);
    mem_free(o);
}

static struct order *order_of(bsk_blob *blob)
{
    return blob ? (struct order *)(uintptr_t)bsk_blob_bytes(blob).ptr : NULL;
}

/* An order in a blob, or NULL for want of memory. */
static bsk_blob *new_order(const bsk_sup_opts *opts, const bsk_child_spec *specs, size_t n)
{
    struct order *o = mem_zalloc(sizeof *o);
    if (!o) return NULL;
    if (opts && !(o->opts = spec_copy_sup(opts))) goto fail;
    if (n && !(o->specs = mem_zalloc(n * sizeof *o->specs))) goto fail;
    for (; o->n < n; o->n++)
        if (!(o->specs[o->n] = spec_new(&specs[o->n], 0))) goto fail;
    bsk_blob *blob = bsk_blob_take(o, sizeof *o, free_order, NULL);
    if (blob) return blob;
fail:
    free_order(o, NULL);
    return NULL;
}

/* What goes back to the caller. */
struct answer {
    int rc;
    bsk_started started;
    bsk_blob *data;
};

static void start_added(struct sup *s, struct child *c, struct answer *a)
{
    int rc = child_start(s, c, &a->started.info);
    a->rc = rc < 0 ? rc : 0;
    if (rc == 0) a->started.who = c->who;
    bool gone = sup_is_dynamic(s) || c->spec->given.opts.restart == BSK_TEMPORARY;
    if (rc < 0 || (rc == 1 && gone)) child_remove(s, c);
}

static void take_state(struct child *c, struct spec *from)
{
    bsk_opts *o = &from->given.opts;
    if (!o->state_size) return;
    c->own_state = (void *)(uintptr_t)o->state;
    c->own_state_size = o->state_size;
    o->state = NULL;
    o->state_size = 0;
}

static void add_instance(struct sup *s, struct spec *given, struct answer *a)
{
    struct child *c;
    a->rc = child_add(s, spec_hold(s->template), &c);
    if (a->rc) {
        spec_drop(s->template);
        return;
    }
    if (given) take_state(c, given);
    start_added(s, c, a);
}

static void add(struct sup *s, struct order *o, struct answer *a)
{
    struct spec *spec = o && o->n ? o->specs[0] : NULL;
    struct child *c;
    if (sup_is_dynamic(s)) {
        add_instance(s, spec, a);
        return;
    }
    if (!spec) {
        a->rc = BSK_EINVAL;
        return;
    }
    a->rc = spec_check_place(&spec->given, s->opts, s->why, sizeof s->why);
    if (a->rc == 0) a->rc = spec_number(spec, ++s->numbered);
    if (a->rc) return;
    a->rc = child_add(s, spec, &c);
    if (a->rc) return;
    o->specs[0] = NULL;
    start_added(s, c, a);
}

/* Finds the child of an id that is not running, for words that need that. */
static struct child *idle_child(struct sup *s, const char *id, struct answer *a)
{
    struct child *c = sup_is_dynamic(s) ? NULL : child_by_id(s, id);
    if (sup_is_dynamic(s))
        a->rc = BSK_EDYNAMIC;
    else if (!c)
        a->rc = BSK_ENOTFOUND;
    else if (c->state == BSK_CHILD_RESTARTING)
        a->rc = BSK_ERESTARTING;
    else if (c->bond)
        a->rc = BSK_ERUNNING;
    return a->rc ? NULL : c;
}

static void restart(struct sup *s, const char *id, struct answer *a)
{
    struct child *c = idle_child(s, id, a);
    int rc = c ? child_start(s, c, &a->started.info) : 0;
    if (rc < 0) a->rc = rc;
    if (c && rc == 0) a->started.who = c->who;
}

static void stop_child(struct sup *s, struct child *c)
{
    child_stop(s, c);
    if (sup_is_dynamic(s) || c->spec->given.opts.restart == BSK_TEMPORARY) child_remove(s, c);
}

static void stop(struct sup *s, const char *id, struct answer *a)
{
    struct child *c = sup_is_dynamic(s) ? NULL : child_by_id(s, id);
    if (c)
        stop_child(s, c);
    else
        a->rc = sup_is_dynamic(s) ? BSK_EDYNAMIC : BSK_ENOTFOUND;
}

/* One that has ended already may wait for its restart under its old address. */
static struct child *restarting_child(struct sup *s, bsk_addr who)
{
    struct child *c = s->first;
    while (c && !(c->state == BSK_CHILD_RESTARTING && bsk_same(c->who, who))) c = c->next;
    return c;
}

static void stop_actor(struct sup *s, bsk_addr who, struct answer *a)
{
    struct child *c = child_by_addr(s, who);
    if (!c) c = restarting_child(s, who);
    if (c)
        stop_child(s, c);
    else if (bsk_alive(who))
        a->rc = BSK_ENOTFOUND;
}

static void forget(struct sup *s, const char *id, struct answer *a)
{
    struct child *c = idle_child(s, id, a);
    if (c) child_remove(s, c);
}

static bool replaces(const struct order *o, const struct spec *old)
{
    for (size_t i = 0; i < o->n; i++)
        if (o->specs[i]->id && !strcmp(o->specs[i]->id, old->id)) return true;
    return false;
}

/* Who stays has to suit the options as who is new has: a significant one, its auto_shutdown. */
static int check_staying(struct sup *s, const struct order *o, const bsk_sup_opts *opts)
{
    int rc = 0;
    if (sup_is_dynamic(s))
        return o->n ? 0 : spec_check_place(&s->template->given, opts, s->why, sizeof s->why);
    for (struct child *c = s->first; c && rc == 0; c = c->next) {
        if (!c->spec->given.opts.significant || replaces(o, c->spec)) continue;
        rc = spec_check_place(&c->spec->given, opts, s->why, sizeof s->why);
    }
    return rc;
}

static int check_change(struct sup *s, const struct order *o)
{
    const bsk_sup_opts *opts = o->opts ? o->opts : s->opts;
    if ((opts->strategy == BSK_DYNAMIC) != sup_is_dynamic(s) || (sup_is_dynamic(s) && o->n > 1)) {
        snprintf(s->why, sizeof s->why, "a supervisor stays dynamic, or not, with one template");
        return BSK_EINVAL;
    }
    for (size_t i = 0; i < o->n; i++)
        if (spec_check_place(&o->specs[i]->given, opts, s->why, sizeof s->why)) return BSK_EINVAL;
    return check_staying(s, o, opts);
}

/* Makes records of the new ones; all, or none. */
static int store_new(struct sup *s, struct order *o)
{
    uint32_t before = s->n;
    int rc = 0;
    for (size_t i = 0; i < o->n && rc == 0; i++) {
        struct child *c;
        struct spec *spec = o->specs[i];
        rc = spec_number(spec, ++s->numbered);
        if (rc || sup_is_dynamic(s) || child_by_id(s, spec->id)) continue;
        rc = child_add(s, spec, &c);
        if (rc == 0) o->specs[i] = NULL;
    }
    while (rc && s->n > before) child_remove(s, s->last);
    return rc;
}

static void replace_spec(struct sup *s, struct spec *spec)
{
    struct spec **place = sup_is_dynamic(s) ? &s->template : &child_by_id(s, spec->id)->spec;
    spec_drop(*place);
    *place = spec;
}

static void change(struct sup *s, struct order *o, struct answer *a)
{
    a->rc = o ? check_change(s, o) : BSK_EINVAL;
    if (a->rc == 0) a->rc = store_new(s, o);
    if (a->rc) return;
    for (size_t i = 0; i < o->n; i++) {
        if (o->specs[i]) replace_spec(s, o->specs[i]);
        o->specs[i] = NULL;
    }
    if (!o->opts) return;
    mem_free(s->opts);
    s->opts = o->opts;
    o->opts = NULL;
}

static void free_data(void *data, void *arg)
{
    (void)arg;
    mem_free(data);
}

static void hand_out(void *data, size_t size, struct answer *a)
{
    a->data = data ? bsk_blob_take(data, size, free_data, NULL) : NULL;
    if (a->data) return;
    mem_free(data);
    a->rc = BSK_ENOMEM;
}

static void count(struct sup *s, struct answer *a)
{
    bsk_sup_counts *n = mem_zalloc(sizeof *n);
    if (n) {
        n->specs = sup_is_dynamic(s) ? 1 : s->n;
        n->active = s->nrunning;
        n->restarts = s->restarts;
        for (struct child *c = s->first; c; c = c->next)
            ++*(spec_is_sup(&c->spec->given) ? &n->supervisors : &n->workers);
    }
    hand_out(n, sizeof *n, a);
}

static void describe(const struct child *c, bsk_child_info *i)
{
    const bsk_child_spec *g = &c->spec->given;
    *i = (bsk_child_info){.state = c->state,
                          .restart = g->opts.restart,
                          .shutdown_ms = spec_shutdown_ms(g),
                          .significant = g->opts.significant,
                          .supervisor = spec_is_sup(g),
                          .restarts = c->restarts,
                          .last_reason = c->last_reason};
    if (c->state == BSK_CHILD_RUNNING) i->who = c->who;
    snprintf(i->id, sizeof i->id, "%s", c->spec->id);
    memcpy(i->last_text, c->last_text, sizeof i->last_text);
}

static void list(struct sup *s, struct answer *a)
{
    /* Never 0 bytes: a list of nobody is no want of memory. */
    bsk_child_info *all = mem_alloc((s->n + 1) * sizeof *all);
    size_t n = 0;
    for (struct child *c = all ? s->first : NULL; c; c = c->next) describe(c, &all[n++]);
    hand_out(all, n * sizeof *all, a);
}

static void child(struct sup *s, const char *id, struct answer *a)
{
    struct child *c = sup_is_dynamic(s) ? NULL : child_by_id(s, id);
    if (!c) {
        a->rc = sup_is_dynamic(s) ? BSK_EDYNAMIC : BSK_ENOTFOUND;
        return;
    }
    bsk_child_info *i = mem_alloc(sizeof *i);
    if (i) describe(c, i);
    hand_out(i, sizeof *i, a);
}

static void obey(struct sup *s, const sup_request *q, struct answer *a)
{
    struct order *o = order_of(q->order);
    switch ((enum sup_op)q->op) {
    case SUP_ADD: add(s, o, a); break;
    case SUP_RESTART: restart(s, q->id, a); break;
    case SUP_STOP: stop(s, q->id, a); break;
    case SUP_STOP_ACTOR: stop_actor(s, q->who, a); break;
    case SUP_DELETE: forget(s, q->id, a); break;
    case SUP_CHANGE: change(s, o, a); break;
    case SUP_COUNT: count(s, a); break;
    case SUP_LIST: list(s, a); break;
    case SUP_CHILD: child(s, q->id, a); break;
    default: break;
    }
}

static void drop_order(void *order)
{
    bsk_blob_drop(order);
}

/* The request is kept: serving it may wait, which would give the message back. */
static void serve(struct sup *s, const sup_request *q)
{
    struct answer a = {.rc = 0};
    bsk_pending p = bsk_later(q, sup_request);
    if (!p.node) {
        bsk_reply(q, sup_request, .rc = BSK_ENOMEM);
        return;
    }
    char id[BSK_NAME_MAX + 1];
    bsk_blob *order = bsk_blob_hold(q->order);
    snprintf(id, sizeof id, "%s", q->id ? q->id : "");
    sup_request copy = {.op = q->op, .id = id, .who = q->who, .order = order};
    *s->why = '\0';
    /* Of a supervisor that is killed while it waits. */
    struct defer undo;
    defer_push(s->self, &undo, drop_order, order);
    obey(s, &copy, &a);
    defer_pop(s->self, &undo);
    bsk_answer(p, sup_request, .rc = a.rc, .who = a.started.who, .info = a.started.info,
               .why = *s->why ? s->why : NULL, .data = a.data);
    bsk_blob_drop(a.data);
    bsk_blob_drop(order);
}

void sup_serve(struct sup *s, bsk_msg *m)
{
    bsk_match(m)
        bsk_on(sup_request, q) serve(s, q);
}

/* Says why the caller's word fails. */
static int refuse(int rc, const char *why)
{
    act_tell_error(rt_worker(), rc);
    thread_set_detail("%s", why);
    return rc;
}

/* Asks the supervisor. The order goes with a fiber that is killed while it waits. */
static const sup_answer *call(bsk_self *self, bsk_addr sup, int64_t ms, const sup_request *q)
{
    struct defer undo;
    if (self) defer_push(self, &undo, drop_order, q->order);
    const sup_answer *a = bsk_call(self, sup, ms, sup_request, .op = q->op, .id = q->id,
                                   .who = q->who, .order = q->order);
    if (self) defer_pop(self, &undo);
    return a;
}

/* 0 or a code; then `*answer` is borrowed until the caller's next wait. */
static int request(bsk_self *self, bsk_addr sup, int64_t ms, const sup_request *q,
                   const sup_answer **answer)
{
    const sup_answer *a = call(self, sup, ms, q);
    if (!a) {
        /* In an actor that said NULL the error is the actor's. */
        int rc = bsk_error(self ? self : rt_self(rt_worker()));
        if (rc != BSK_ENOREPLY) return rc;
        /* Nobody who knows the request lets it fall. */
        return refuse(bsk_alive(sup) ? BSK_EINVAL : BSK_EDEAD, "");
    }
    *answer = a;
    return a->rc ? refuse((int)a->rc, a->why ? a->why : "") : 0;
}

static int ask_with(bsk_self *self, bsk_addr sup, int64_t ms, enum sup_op op, const char *id,
                    bsk_addr who, bsk_blob *order, const sup_answer **answer)
{
    sup_request q = {.op = op, .id = id ? id : "", .who = who, .order = order};
    if (id && strlen(id) > BSK_NAME_MAX) return refuse(BSK_ENOTFOUND, "");
    return request(self, sup, ms, &q, answer);
}

static int ask_id(bsk_self *self, bsk_addr sup, int64_t ms, enum sup_op op, const char *id,
                  const sup_answer **answer)
{
    return ask_with(self, sup, ms, op, id, (bsk_addr){0, 0, 0}, NULL, answer);
}

static void give_started(const sup_answer *a, bsk_started *out)
{
    if (out) *out = (bsk_started){a->who, a->info};
}

int bsk_sup_add(bsk_self *self, bsk_addr sup, int64_t ms, const bsk_child_spec *spec,
                bsk_started *out)
{
    char why[192] = "";
    const sup_answer *a;
    int rc = spec ? spec_check_form(spec, why, sizeof why) : 0;
    if (rc) return refuse(rc, why);
    bsk_blob *order = spec ? new_order(NULL, spec, 1) : NULL;
    if (spec && !order) return refuse(BSK_ENOMEM, "");
    rc = ask_with(self, sup, ms, SUP_ADD, NULL, (bsk_addr){0, 0, 0}, order, &a);
    bsk_blob_drop(order);
    if (rc == 0) give_started(a, out);
    return rc;
}

int bsk_sup_restart(bsk_self *self, bsk_addr sup, int64_t ms, const char *id, bsk_started *out)
{
    const sup_answer *a;
    int rc = ask_id(self, sup, ms, SUP_RESTART, id, &a);
    if (rc == 0) give_started(a, out);
    return rc;
}

int bsk_sup_stop(bsk_self *self, bsk_addr sup, int64_t ms, const char *id)
{
    const sup_answer *a;
    return ask_id(self, sup, ms, SUP_STOP, id, &a);
}

int bsk_sup_stop_actor(bsk_self *self, bsk_addr sup, int64_t ms, bsk_addr who)
{
    const sup_answer *a;
    return ask_with(self, sup, ms, SUP_STOP_ACTOR, NULL, who, NULL, &a);
}

int bsk_sup_delete(bsk_self *self, bsk_addr sup, int64_t ms, const char *id)
{
    const sup_answer *a;
    return ask_id(self, sup, ms, SUP_DELETE, id, &a);
}

int bsk_sup_change(bsk_self *self, bsk_addr sup, int64_t ms, const bsk_sup_opts *opts,
                   const bsk_child_spec *specs, size_t n)
{
    char why[192] = "";
    const sup_answer *a;
    int rc = opts ? spec_check_sup_form(opts, why, sizeof why) : 0;
    for (size_t i = 0; i < n && rc == 0; i++) rc = spec_check_form(&specs[i], why, sizeof why);
    if (rc == 0) rc = spec_check_ids(specs, n, why, sizeof why);
    if (rc) return refuse(rc, why);
    bsk_blob *order = new_order(opts, specs, n);
    if (!order) return refuse(BSK_ENOMEM, "");
    rc = ask_with(self, sup, ms, SUP_CHANGE, NULL, (bsk_addr){0, 0, 0}, order, &a);
    bsk_blob_drop(order);
    return rc;
}

int bsk_sup_count(bsk_self *self, bsk_addr sup, int64_t ms, bsk_sup_counts *out)
{
    const sup_answer *a;
    int rc = ask_id(self, sup, ms, SUP_COUNT, NULL, &a);
    if (rc == 0) memcpy(out, bsk_blob_bytes(a->data).ptr, sizeof *out);
    return rc;
}

int bsk_sup_list(bsk_self *self, bsk_addr sup, int64_t ms, bsk_child_info *out, size_t max,
                 size_t *n)
{
    const sup_answer *a;
    int rc = ask_id(self, sup, ms, SUP_LIST, NULL, &a);
    if (rc) return rc;
    bsk_bytes b = bsk_blob_bytes(a->data);
    *n = b.len / sizeof *out;
    size_t given = *n < max ? *n : max;
    if (given) memcpy(out, b.ptr, given * sizeof *out);
    return 0;
}

int bsk_sup_child(bsk_self *self, bsk_addr sup, int64_t ms, const char *id, bsk_child_info *out)
{
    const sup_answer *a;
    int rc = ask_id(self, sup, ms, SUP_CHILD, id, &a);
    if (rc == 0) memcpy(out, bsk_blob_bytes(a->data).ptr, sizeof *out);
    return rc;
}
