/* SPDX-License-Identifier: MIT */
/* A monitor is its watcher's. Its message lies with it from the start, so that no end is missed
 * for want of memory; when it is fired the message goes to the watcher's mailbox, and counts there
 * while the monitor lives. */
#include "monitor.h"

#include "actors/send.h"
#include "actors/spawn.h"

#include <stddef.h>

struct monitor {
    struct slab_item item;
    struct tie tie;
    struct monitor *next, *prev; /* of the watcher's */
    _Atomic uint64_t watcher;    /* slot and generation; also read by who guesses a token */
    struct bsk_msg *down;
};

#define MONITOR_BYTES ((sizeof(struct monitor) + 63) / 64 * 64)
#define MONITORS_MAX (UINT32_C(1) << 24)

int mon_init_slab(struct upper *u)
{
    return slab_init(&u->monitors, MONITOR_BYTES, MONITORS_MAX);
}

static struct monitor *monitor_of(struct tie *t)
{
    return (struct monitor *)(void *)((char *)t - offsetof(struct monitor, tie));
}

static struct slab *slab_of(struct worker *w)
{
    return &w->rt->upper->monitors;
}

static uint32_t gen_of(const struct monitor *m)
{
    /* Relaxed: only its watcher compares generations. */
    return atomic_load_explicit(&m->item.gen, memory_order_relaxed);
}

static uint64_t key_of(bsk_addr watcher)
{
    return (uint64_t)watcher.gen << 32 | watcher.slot;
}

/* Relaxed: set before the monitor is listed, or known to anyone. */
static uint64_t watcher_of(const struct monitor *m)
{
    return atomic_load_explicit(&m->watcher, memory_order_relaxed);
}

static void enlist(struct kin *kin, struct monitor *m)
{
    m->prev = NULL;
    m->next = kin->monitors;
    if (m->next) m->next->prev = m;
    kin->monitors = m;
}

static void delist(struct kin *kin, struct monitor *m)
{
    if (m->prev)
        m->prev->next = m->next;
    else
        kin->monitors = m->next;
    if (m->next) m->next->prev = m->prev;
}

/* The message, with a copy of the name behind its body. */
static struct bsk_msg *message(struct worker *w, const char *name)
{
    size_t n = strlen(name) + 1;
    struct bsk_msg *m = snd_block(w, w->rt, sizeof(bsk_down) + n);
    if (!m) return NULL;
    m->type = &bsk_down_bsk;
    m->lane = MSG_SIGNAL;
    m->flags = MSG_MONITOR;
    m->done = 0;
    char *copy = (char *)m->body + sizeof(bsk_down);
    memcpy(copy, name, n);
    memset(m->body, 0, sizeof(bsk_down));
    ((bsk_down *)(void *)m->body)->name = copy;
    return m;
}

static void put(struct worker *w, struct monitor *m)
{
    assert((gen_of(m) & 1) && !m->tie.listed);
    atomic_fetch_add_explicit(&m->item.gen, 1, memory_order_relaxed);
    slab_put_shared(slab_of(w), &m->item);
}

/* Tells whether the actor has let go of what it held: it watches nobody any more. */
static bool is_released(const bsk_self *self)
{
    const struct ending *e = &self->worker->ending;
    return e->actor == self && e->stage >= 2;
}

struct tie *mon_new(bsk_self *self, const char *name, bsk_monitor *out, int *rc)
{
    struct worker *w = self->worker;
    *rc = BSK_EINVAL;
    if (is_released(self)) return NULL;
    struct kin *kin = kin_of(self);
    struct bsk_msg *down = kin ? message(w, name) : NULL;
    *rc = BSK_ENOMEM;
    if (!down) return NULL;
    struct monitor *m = (struct monitor *)(void *)slab_get_shared(slab_of(w));
    if (!m) {
        snd_free_block(w, w->rt, down);
        *rc = BSK_ELIMIT;
        return NULL;
    }
    atomic_fetch_add_explicit(&m->item.gen, 1, memory_order_relaxed);
    *out = (bsk_monitor){slab_index(slab_of(w), m), gen_of(m)};
    m->tie.listed = m->tie.link = false;
    atomic_store_explicit(&m->watcher, key_of(bsk_me(self)), memory_order_relaxed);
    m->down = down;
    down->ref = (uint64_t)out->gen << 32 | out->slot;
    enlist(kin, m);
    return &m->tie;
}

void mon_fire(struct worker *w, struct tie *t, enum bsk_reason reason, bsk_blob *cause)
{
    struct monitor *m = monitor_of(t);
    struct bsk_msg *down = m->down;
    struct cause c = cause_of(cause, reason);
    bsk_down *d = (bsk_down *)(void *)down->body;
    *d = (bsk_down){.who = t->of,
                    .reason = reason,
                    .text = c.text,
                    .file = c.file,
                    .line = c.line,
                    .signal = c.signal,
                    .address = c.address,
                    .trace = c.trace,
                    .name = d->name,
                    .monitor = down->ref,
                    .keep = bsk_blob_hold(cause)};
    if (cause) down->flags |= MSG_CONTENTS;
    uint64_t to = watcher_of(m);
    snd_urgent(w, w->rt, (bsk_addr){w->node, (uint32_t)to, (uint32_t)(to >> 32)}, down);
}

static bsk_monitor watch(bsk_self *self, bsk_addr who, const char *name)
{
    struct worker *w = self->worker;
    bsk_monitor token = {0, 0};
    int rc;
    struct tie *t = mon_new(self, name, &token, &rc);
    if (!t) {
        act_set_error(self, rc);
        return token;
    }
    t->of = who;
    if (who.node != w->node || !tie_list(w->rt, t)) mon_fire(w, t, BSK_NO_ACTOR, NULL);
    return token;
}

bsk_monitor bsk_watch(bsk_self *self, bsk_addr who)
{
    if (!bsk_is_nobody(who)) return watch(self, who, "");
    act_set_error(self, BSK_EINVAL);
    return (bsk_monitor){0, 0};
}

bsk_monitor bsk_watch_name(bsk_self *self, const char *name)
{
    size_t n = name ? strlen(name) : 0;
    if (n && n <= BSK_NAME_MAX) return watch(self, bsk_whereis(self->worker->rt, name), name);
    act_set_error(self, BSK_EINVAL);
    return (bsk_monitor){0, 0};
}

/* The caller's own monitor of that token, or NULL. */
static struct monitor *mine(bsk_self *self, bsk_monitor token)
{
    struct slab *s = slab_of(self->worker);
    if (!(token.gen & 1) || token.slot >= s->limit) return NULL;
    struct monitor *m = slab_at(s, token.slot);
    return gen_of(m) == token.gen && watcher_of(m) == key_of(bsk_me(self)) ? m : NULL;
}

static bool unlist(struct worker *w, struct monitor *m)
{
    return m->tie.of.node == w->node && rt_slot(w->rt, m->tie.of.slot) &&
           tie_unlist(w->rt, &m->tie);
}

/* Ends a monitor that is not listed; `down` is its message, or NULL if that is in the mailbox. */
static void forget(struct worker *w, struct kin *kin, struct monitor *m, struct bsk_msg *down)
{
    if (down) snd_free(w, w->rt, down);
    delist(kin, m);
    put(w, m);
}

bool bsk_unwatch(bsk_self *self, bsk_monitor token)
{
    struct worker *w = self->worker;
    struct monitor *m = mine(self, token);
    if (!m || !unlist(w, m)) return false;
    forget(w, act_kin(self), m, m->down);
    return true;
}

void bsk_unwatch_flush(bsk_self *self, bsk_monitor token)
{
    struct monitor *m = bsk_unwatch(self, token) ? NULL : mine(self, token);
    if (m) forget(self->worker, act_kin(self), m, NULL);
}

static void drop_unlisted(bsk_self *self, struct tie *t)
{
    struct monitor *m = monitor_of(t);
    forget(self->worker, act_kin(self), m, m->down);
}

static void tie_spawned(struct worker *w, bsk_self *a, bsk_addr who, void *arg)
{
    struct tie *t = arg;
    (void)w;
    t->of = who;
    tie_list_new(a, t);
}

bsk_addr bsk_spawn_watch_(bsk_self *self, bsk_monitor *out, bsk_behavior behavior,
                          const bsk_opts *opts)
{
    struct worker *w = self->worker;
    bsk_addr who = {0, 0, 0};
    bsk_monitor token;
    int rc;
    struct tie *t = mon_new(self, "", &token, &rc);
    if (t) {
        rc = spawn_actor(w, w->rt, behavior, opts, tie_spawned, t, &who);
        if (rc) drop_unlisted(self, t);
    }
    if (rc)
        act_set_error(self, rc);
    else
        *out = token;
    return who;
}

bool mon_received(struct worker *w, bsk_self *a, struct bsk_msg *m)
{
    assert((m->flags & MSG_MONITOR) && act_kin(a));
    struct monitor *mon = slab_at(slab_of(w), (uint32_t)m->ref);
    if (gen_of(mon) != m->ref >> 32 || mon->down != m) return false;
    forget(w, act_kin(a), mon, NULL);
    return true;
}

void mon_release_all(struct worker *w, struct kin *kin)
{
    struct monitor *m;
    while ((m = kin->monitors)) {
        forget(w, kin, m, unlist(w, m) ? m->down : NULL);
    }
}
