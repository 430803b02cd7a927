/* SPDX-License-Identifier: MIT */
#include "intensity.h"

#include "mailbox/memory.h"

#include <assert.h>

#define FIRST_CAP 8

static uint64_t *at(const struct intensity *x, uint32_t i)
{
    assert(x->n <= x->cap && i < x->n);
    return &x->times[(x->first + i) & (x->cap - 1)];
}

static bool grow(struct intensity *x)
{
    uint32_t cap = x->cap ? 2 * x->cap : FIRST_CAP;
    uint64_t *times = mem_alloc(cap * sizeof *times);
    if (!times) return false;
    for (uint32_t i = 0; i < x->n; i++) times[i] = *at(x, i);
    mem_free(x->times);
    *x = (struct intensity){times, cap, 0, x->n};
    return true;
}

bool intensity_exceeded(struct intensity *x, uint64_t now, uint32_t most, uint64_t period)
{
    while (x->n && now - *at(x, 0) > period) {
        x->first++;
        x->n--;
    }
    if (x->n >= most) return true;
    if (x->n == x->cap && !grow(x)) return true;
    x->n++;
    *at(x, x->n - 1) = now;
    return false;
}

void intensity_fini(struct intensity *x)
{
    mem_free(x->times);
    *x = (struct intensity){0};
}
