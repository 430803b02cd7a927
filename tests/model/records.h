/* SPDX-License-Identifier: MIT */
/* records.h - for models of what has records in a slab: a few of one kind, the first free one
 * taken. */
#ifndef MODEL_RECORDS_H
#define MODEL_RECORDS_H

#include "actors.h"

enum { RECORDS = 2 };

static struct slab *records;
static bool record_taken[RECORDS];
static int records_taken, records_put;

/* The model's own look at one that is put back. */
static void record_is_put(struct slab_item *item);

/* For a program's setup, after model_reset: `of` holds the RECORDS items at `base`. */
static inline void records_reset(struct slab *of, void *base, size_t size)
{
    records = of;
    memset(base, 0, RECORDS * size);
    memset(record_taken, 0, sizeof record_taken);
    records_taken = records_put = 0;
    model_slab(of, base, size, RECORDS);
    for (unsigned i = 0; i < 2; i++) {
        whl_init(&model_workers[i].wheel, 0);
        atomic_init(&model_workers[i].wheel_lock.held, 0);
        atomic_init(&model_workers[i].alarm, NEVER);
    }
}

struct slab_item *slab_get_shared(struct slab *s)
{
    mdl_assert(s == records);
    for (uint32_t i = 0; i < RECORDS; i++) {
        if (record_taken[i]) continue;
        record_taken[i] = true;
        records_taken++;
        return slab_at(s, i);
    }
    return NULL;
}

void slab_put_shared(struct slab *s, struct slab_item *item)
{
    uint32_t i = slab_index(s, item);
    mdl_assert(s == records && i < RECORDS && record_taken[i]);
    record_is_put(item);
    record_taken[i] = false;
    records_put++;
}

struct slab_item *slab_get(struct slab_cache *c)
{
    mdl_assert(c);
    return slab_get_shared(records);
}

void slab_put(struct slab_cache *c, struct slab_item *item)
{
    mdl_assert(c);
    if (item != &model_slots[0].item) slab_put_shared(records, item);
}

void sch_alarm(struct worker *w, uint64_t due)
{
    mdl_assert(w->wheel_lock.held && due);
}

uint64_t clk_deadline(uint64_t now, int64_t ms)
{
    return now + (uint64_t)ms * NS_PER_MS;
}

static inline void no_alarm_is_filed(void)
{
    for (unsigned i = 0; i < 2; i++) mdl_assert(whl_count(&model_workers[i].wheel) == 0);
}

#endif
