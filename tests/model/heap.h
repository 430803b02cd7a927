/* SPDX-License-Identifier: MIT */
/* heap.h - for models of what is allocated: a few blocks, each used once, whose frees are
 * watched. */
#ifndef MODEL_HEAP_H
#define MODEL_HEAP_H

#include "model.h"

#include "mailbox/memory.h"

#include <string.h>

enum { HEAP_BLOCKS = 16, HEAP_BYTES = 512 };

static alignas(64) unsigned char heap_blocks[HEAP_BLOCKS][HEAP_BYTES];
static bool heap_used[HEAP_BLOCKS];
static int heap_fresh, heap_live;

/* For a program's setup. */
static inline void heap_reset(void)
{
    memset(heap_blocks, 0, sizeof heap_blocks);
    memset(heap_used, 0, sizeof heap_used);
    heap_fresh = heap_live = 0;
}

void *mem_zalloc(size_t n)
{
    mdl_assert(n <= HEAP_BYTES && heap_fresh < HEAP_BLOCKS);
    heap_used[heap_fresh] = true;
    heap_live++;
    return heap_blocks[heap_fresh++];
}

/* Whoever used it must have done so before. */
void mem_free(void *p)
{
    if (!p) return;
    size_t i = (size_t)((unsigned char *)p - heap_blocks[0]) / HEAP_BYTES;
    mdl_assert(i < HEAP_BLOCKS && heap_used[i]);
    mdl_write(p);
    heap_used[i] = false;
    heap_live--;
}

#endif
