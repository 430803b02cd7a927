/* SPDX-License-Identifier: MIT */
/* actors.h - for models that include sources of actors/: a runtime without loops, whose figures are
 * no steps, and whose blocks and wheels are watched.
 *
 * Each thread of the model is a worker of its number. Whom it wakes it runs in model_drain. What a
 * model does not reach of the library it does not define: models are linked so. */
#ifndef MODEL_ACTORS_H
#define MODEL_ACTORS_H

#include "model.h"

#include "actors/clock.h"
#include "actors/scheduler.h"
#include "actors/trace.h"

#include <string.h>

#undef RT_COUNT
#define RT_COUNT(w, rt, figure) ((void)(w), (void)(rt))
#define rt_count(figure, n) ((void)(figure), (void)(n))
#define pool_get(c, size) model_get((c), (size))
#define pool_put(c, m) model_put((c), (m))
#define msg_copy_words(to, from, n) (mdl_write(msg_of(to)), (msg_copy_words)((to), (from), (n)))
#define whl_add(w, n, due) (mdl_write(w), mdl_write(n), whl_add((w), (n), (due)))
#define whl_remove(w, n) (mdl_write(w), mdl_write(n), whl_remove((w), (n)))
#define whl_collect(w, now) model_collect((w), (now))
#define whl_filed(n) (mdl_read(n), whl_filed(n))

enum { MODEL_BLOCKS = 12, MODEL_BLOCK = 256, MODEL_SLOTS = 3, MODEL_WORKERS = 4 };

_Thread_local struct worker *rt_current;
static struct bsk_rt model_rt;
static struct worker model_workers[MODEL_WORKERS];
static alignas(64) bsk_self model_slots[MODEL_SLOTS];
static bsk_self *model_ready[MODEL_WORKERS]; /* oldest last */
static alignas(64) unsigned char model_blocks[MODEL_WORKERS][MODEL_BLOCKS][MODEL_BLOCK];
static unsigned model_fresh[MODEL_WORKERS];
static bool model_live[MODEL_WORKERS][MODEL_BLOCKS];
static int model_nlive, model_dead;

static inline struct whl_node *model_collect(struct whl *w, uint64_t now)
{
    mdl_write(w);
    struct whl_node *n = (whl_collect)(w, now);
    if (n) mdl_write(n);
    return n;
}

static inline struct worker *model_me(void)
{
    return &model_workers[mdl_self() < MODEL_WORKERS ? mdl_self() : 0];
}

static inline bool *model_live_flag(const struct bsk_msg *m)
{
    size_t at = (size_t)((const unsigned char *)m - &model_blocks[0][0][0]) / MODEL_BLOCK;
    return &model_live[0][0] + at;
}

static inline struct bsk_msg *model_get(struct pool_cache *c, size_t size)
{
    size_t i = (size_t)((struct worker *)(void *)((char *)c - offsetof(struct worker, pool)) -
                        model_workers);
    struct bsk_msg *m = c->of[0].loaded;
    assert(size <= MODEL_BLOCK);
    if (m)
        c->of[0].loaded = m->next;
    else if (model_fresh[i] < MODEL_BLOCKS)
        m = (struct bsk_msg *)(void *)model_blocks[i][model_fresh[i]++];
    else
        return NULL;
    mdl_write(m);
    *model_live_flag(m) = true;
    model_nlive++;
    return m;
}

/* A block goes to whoever frees it, and is the first to be taken again. */
static inline void model_put(struct pool_cache *c, struct bsk_msg *m)
{
    mdl_write(m);
    mdl_assert(*model_live_flag(m));
    *model_live_flag(m) = false;
    model_nlive--;
    m->next = c->of[0].loaded;
    c->of[0].loaded = m;
}

static inline void model_init_worker(unsigned i)
{
    struct worker *w = &model_workers[i];
    w->rt = &model_rt;
    w->node = model_rt.node;
    w->slots = model_slots;
    w->nslots = MODEL_SLOTS;
    w->index = (uint16_t)i;
    w->batch = 8;
    w->ending.text = w->ending.brief;
    atomic_init(&model_rt.workers[i], w);
}

/* As slab_init, in the model's own storage. */
static inline void model_slab(struct slab *s, void *base, size_t size, uint32_t limit)
{
    s->base = base;
    s->size = (uint32_t)size;
    s->limit = limit;
    for (s->shift = 0; !(size >> s->shift & 1);) s->shift++;
    s->inverse = 1;
    for (int i = 0; i < 7; i++) s->inverse *= 2 - (size >> s->shift) * s->inverse;
}

/* For a program's setup. */
static inline void model_reset(void)
{
    memset(&model_rt, 0, offsetof(struct bsk_rt, workers));
    memset(model_slots, 0, sizeof model_slots);
    memset(model_ready, 0, sizeof model_ready);
    memset(model_fresh, 0, sizeof model_fresh);
    memset(model_live, 0, sizeof model_live);
    model_nlive = model_dead = 0;
    model_rt.node = 1;
    model_slab(&model_rt.actors, model_slots, sizeof(bsk_self), MODEL_SLOTS);
    for (unsigned i = 0; i < MODEL_WORKERS; i++) {
        memset(&model_workers[i], 0, offsetof(struct worker, wheel));
        model_init_worker(i);
    }
}

/* An actor in a slot, as if it had been spawned long ago and gone to sleep. */
static inline bsk_self *model_actor(unsigned slot, bsk_handler *handler, uint32_t capacity,
                                    enum bsk_overflow overflow)
{
    bsk_self *a = &model_slots[slot];
    a->run.handler = handler;
    atomic_init(&a->in.capacity, capacity);
    atomic_init(&a->overflow, (uint8_t)overflow);
    atomic_init(&a->item.gen, 1);
    atomic_init(&a->ctl, act_tag(1));
    return a;
}

static inline bsk_addr model_addr(unsigned slot, uint32_t gen)
{
    return (bsk_addr){model_rt.node, slot, gen};
}

static inline void model_queue(struct worker *w, bsk_self *a)
{
    mdl_write(&a->link);
    a->link = NULL;
    bsk_self **end = &model_ready[w->index];
    while (*end) end = &(*end)->link;
    *end = a;
}

static inline void model_drain(void)
{
    struct worker *w = model_me();
    bsk_self *a;
    while ((a = model_ready[w->index])) {
        mdl_read(&a->link);
        model_ready[w->index] = a->link;
        act_run(w, a);
    }
}

#ifndef MODEL_SCHEDULED /* the model has the real ones */
void sch_wake(struct worker *w, struct bsk_rt *rt, bsk_self *a)
{
    mdl_assert(rt == &model_rt);
    model_queue(w ? w : model_me(), a);
}

void sch_enqueue(struct worker *w, bsk_self *a)
{
    model_queue(w, a);
}
#endif

void trc_dead(struct worker *w, struct bsk_rt *rt, bsk_addr to, const bsk_type *type,
              enum bsk_dead why)
{
    (void)w, (void)rt, (void)to, (void)type, (void)why;
    model_dead++;
}

struct bsk_msg *pool_get_shared(struct pool *p, size_t size)
{
    mdl_assert(p == &model_rt.pool);
    return model_get(&model_me()->pool, size);
}

void pool_put_shared(struct pool *p, struct bsk_msg *m)
{
    mdl_assert(p == &model_rt.pool);
    model_put(&model_me()->pool, m);
}

bool bsk_mailbox_closed(const bsk_self *self)
{
    return atomic_load_explicit(&self->in.word, memory_order_relaxed) & MBOX_CLOSED;
}

bsk_addr bsk_me(const bsk_self *self)
{
    return rt_addr(&model_rt, self, act_gen(self));
}

uint64_t clk_now(const struct bsk_rt *rt)
{
    return rt->virtual_now;
}

struct worker *rt_worker(void)
{
    return mdl_self() < MODEL_WORKERS ? model_me() : NULL;
}

#endif
