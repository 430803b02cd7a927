/* SPDX-License-Identifier: MIT */
#include "spec.h"

#include "actors/spawn.h"
#include "mailbox/memory.h"
#include "mailbox/table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NESTED_MOST 64 /* supervisors below supervisors in one spec */

__attribute__((format(printf, 3, 4))) static int wrong(char *why, size_t size, const char *format,
                                                       ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why, size, format, args);
    va_end(args);
    return BSK_EINVAL;
}

static const char *id_of(const bsk_child_spec *c)
{
    if (c->opts.id) return c->opts.id;
    if (c->sup) return c->sup->name;
    return c->opts.name ? c->opts.name : c->opts.label;
}

int spec_check_place(const bsk_child_spec *c, const bsk_sup_opts *parent, char *why, size_t size)
{
    const char *id = id_of(c) ? id_of(c) : "(no id)";
    const char *name = c->sup ? c->sup->name : c->opts.name;
    if (parent->strategy == BSK_DYNAMIC && name)
        return wrong(why, size, "child %s: a template cannot have a registered name", id);
    if (!c->opts.significant) return 0;
    if (c->opts.restart == BSK_PERMANENT)
        return wrong(why, size, "child %s: significant, with restart permanent", id);
    if (parent->auto_shutdown == BSK_NEVER)
        return wrong(why, size, "child %s: significant, with auto_shutdown never", id);
    return 0;
}

static int check_backoff(const bsk_sup_opts *o, char *why, size_t size)
{
    if (o->backoff_min_ms < 0) return wrong(why, size, "backoff_min_ms: %d", o->backoff_min_ms);
    if (o->backoff_reset_ms < 0)
        return wrong(why, size, "backoff_reset_ms: %d", o->backoff_reset_ms);
    if (o->backoff_max_ms < 0 || (o->backoff_max_ms && o->backoff_max_ms < o->backoff_min_ms))
        return wrong(why, size, "backoff_max_ms: %d", o->backoff_max_ms);
    if (o->backoff_factor && o->backoff_factor < 100)
        return wrong(why, size, "backoff_factor: %d", o->backoff_factor);
    if (o->backoff_jitter < BSK_NONE || o->backoff_jitter > 100)
        return wrong(why, size, "backoff_jitter: %d", o->backoff_jitter);
    return 0;
}

int spec_check_sup_form(const bsk_sup_opts *o, char *why, size_t size)
{
    if ((unsigned)o->strategy > BSK_DYNAMIC)
        return wrong(why, size, "strategy: %d", (int)o->strategy);
    if ((unsigned)o->auto_shutdown > BSK_ALL_SIGNIFICANT)
        return wrong(why, size, "auto_shutdown: %d", (int)o->auto_shutdown);
    if (o->intensity < BSK_NONE) return wrong(why, size, "intensity: %d", o->intensity);
    if (o->period_ms < 0) return wrong(why, size, "period_ms: %d", o->period_ms);
    return check_backoff(o, why, size);
}

struct known {
    struct table_node node;
    const char *id;
};

static bool is_known(const struct table *t, const char *id, uint64_t hash)
{
    struct table_node *x = table_first(t, hash);
    while (x && strcmp(((struct known *)(void *)x)->id, id) != 0) x = table_next(x);
    return x;
}

int spec_check_ids(const bsk_child_spec *specs, size_t n, char *why, size_t size)
{
    if (n < 2) return 0;
    struct table t = {0};
    struct known *all = mem_alloc(n * sizeof *all);
    int rc = all ? 0 : BSK_ENOMEM;
    for (size_t i = 0; i < n && rc == 0; i++) {
        const char *id = id_of(&specs[i]);
        uint64_t hash = id ? table_hash_text(id) : 0;
        if (!id) continue;
        if (is_known(&t, id, hash)) rc = wrong(why, size, "child %s: its id is there twice", id);
        all[i].id = id;
        table_add(&t, &all[i].node, hash);
    }
    table_fini(&t);
    mem_free(all);
    return rc;
}

static int check_form(const bsk_child_spec *c, unsigned depth, char *why, size_t size);

static int check_sup(const bsk_sup_opts *o, const bsk_child_spec *specs, size_t n, unsigned depth,
                     char *why, size_t size)
{
    int rc = spec_check_sup_form(o, why, size);
    if (rc) return rc;
    if (o->strategy == BSK_DYNAMIC && n != 1)
        return wrong(why, size, "a dynamic supervisor has one spec, not %zu", n);
    if (depth > NESTED_MOST) return wrong(why, size, "more than %d levels", NESTED_MOST);
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = check_form(&specs[i], depth, why, size);
        if (rc == 0) rc = spec_check_place(&specs[i], o, why, size);
    }
    return rc ? rc : spec_check_ids(specs, n, why, size);
}

static int check_form(const bsk_child_spec *c, unsigned depth, char *why, size_t size)
{
    const char *id = id_of(c) ? id_of(c) : "(no id)";
    if (strlen(id) > BSK_NAME_MAX) return wrong(why, size, "child %s: its id is too long", id);
    if ((unsigned)c->opts.restart > BSK_TEMPORARY)
        return wrong(why, size, "child %s: restart: %d", id, (int)c->opts.restart);
    if (c->opts.shutdown_ms < BSK_KILL)
        return wrong(why, size, "child %s: shutdown_ms: %lld", id, (long long)c->opts.shutdown_ms);
    if (c->sup) return check_sup(c->sup, c->children, c->nchildren, depth + 1, why, size);
    if (!c->behavior.handler == !c->behavior.fiber)
        return wrong(why, size, "child %s: neither a handler nor a fiber", id);
    if (c->opts.state_size && !c->opts.state)
        return wrong(why, size, "child %s: a state_size without a state", id);
    return 0;
}

int spec_check_form(const bsk_child_spec *c, char *why, size_t size)
{
    return check_form(c, 0, why, size);
}

int spec_check_sup(const bsk_sup_opts *o, const bsk_child_spec *specs, size_t n, char *why,
                   size_t size)
{
    return check_sup(o, specs, n, 0, why, size);
}

static const char *copy_string(const char *s, bool *failed)
{
    if (!s) return NULL;
    char *copy = mem_alloc(strlen(s) + 1);
    if (!copy)
        *failed = true;
    else
        memcpy(copy, s, strlen(s) + 1);
    return copy;
}

static void free_copy(const void *copy)
{
    mem_free((void *)(uintptr_t)copy);
}

bsk_sup_opts *spec_copy_sup(const bsk_sup_opts *o)
{
    size_t n = o->name ? strlen(o->name) + 1 : 0;
    bsk_sup_opts *copy = mem_alloc(sizeof *copy + n);
    if (!copy) return NULL;
    *copy = *o;
    if (n) copy->name = memcpy(copy + 1, o->name, n);
    return copy;
}

static void free_state(struct spec *s)
{
    free_copy(s->given.opts.state);
    s->given.opts.state = NULL;
    s->given.opts.state_size = 0;
}

void spec_drop_state(struct spec *s)
{
    /* Acquire pairs with spec_drop: who held it too is done with it. */
    if (atomic_load_explicit(&s->refs, memory_order_acquire) == 1) free_state(s);
}

static void free_spec(struct spec *s)
{
    for (size_t i = 0; s->children && i < s->given.nchildren; i++) spec_drop(s->children[i]);
    mem_free(s->children);
    free_copy(s->id);
    free_copy(s->given.sup);
    free_copy(s->given.opts.name);
    free_copy(s->given.opts.label);
    free_state(s);
    mem_free(s);
}

struct spec *spec_hold(struct spec *s)
{
    /* Relaxed: who holds it already has seen it. */
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void spec_drop(struct spec *s)
{
    assert(!s || s->refs);
    /* Acq_rel: the last one frees what the others have used. */
    if (s && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1) free_spec(s);
}

static void copy_state(struct spec *s, const bsk_opts *o, bool *failed)
{
    if (!o->state_size) return;
    void *state = mem_alloc(o->state_size);
    if (state)
        s->given.opts.state = memcpy(state, o->state, o->state_size);
    else
        *failed = true;
}

static void copy_children(struct spec *s, const bsk_child_spec *c, bool *failed)
{
    s->given.children = NULL;
    if (!c->nchildren || *failed) return;
    s->children = mem_zalloc(c->nchildren * sizeof *s->children);
    *failed = !s->children;
    for (size_t i = 0; !*failed && i < c->nchildren; i++) {
        s->children[i] = spec_new(&c->children[i], (unsigned)i + 1);
        *failed = !s->children[i];
    }
}

static const char *copy_id(const bsk_child_spec *c, unsigned number, bool *failed)
{
    if (id_of(c) || !number) return copy_string(id_of(c), failed);
    char made[16];
    snprintf(made, sizeof made, "#%u", number);
    return copy_string(made, failed);
}

int spec_number(struct spec *s, unsigned number)
{
    bool failed = false;
    if (!s->id) s->id = copy_id(&s->given, number, &failed);
    return failed ? BSK_ENOMEM : 0;
}

struct spec *spec_new(const bsk_child_spec *c, unsigned number)
{
    bool failed = false;
    struct spec *s = mem_zalloc(sizeof *s);
    if (!s) return NULL;
    atomic_init(&s->refs, 1);
    s->given = *c;
    s->given.opts.state = NULL;
    s->given.opts.name = copy_string(c->opts.name, &failed);
    s->given.opts.label = copy_string(c->opts.label, &failed);
    s->given.opts.id = s->id = copy_id(c, number, &failed);
    s->given.sup = c->sup ? spec_copy_sup(c->sup) : NULL;
    if (c->sup && !s->given.sup) failed = true;
    copy_state(s, &c->opts, &failed);
    copy_children(s, c, &failed);
    if (!failed) return s;
    free_spec(s);
    return NULL;
}

int64_t spec_shutdown_ms(const bsk_child_spec *c)
{
    if (c->opts.shutdown_ms) return c->opts.shutdown_ms;
    return spec_is_sup(c) ? BSK_FOREVER : SPAWN_FINISH_MS;
}
