/* SPDX-License-Identifier: MIT */
#include "mailbox.h"
#include "memory.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bsk_blob {
    bsk_bytes bytes;
    void (*undo)(void *data, void *arg);
    void *arg;
    _Atomic int64_t
        count; /* behind what an allocator writes into a freed block: see refuse_double_drop */
    max_align_t copy[];
};

bsk_blob *bsk_blob_new(const void *data, size_t len)
{
    assert(data || !len);
    if (len > SIZE_MAX - sizeof(bsk_blob)) return NULL;
    bsk_blob *b = mem_alloc(sizeof *b + len);
    if (!b) return NULL;
    if (len) memcpy(b->copy, data, len);
    b->bytes = (bsk_bytes){b->copy, len};
    b->undo = NULL;
    b->arg = NULL;
    atomic_init(&b->count, 1);
    return b;
}

bsk_blob *bsk_blob_take(void *data, size_t len, void (*undo)(void *data, void *arg), void *arg)
{
    bsk_blob *b = mem_alloc(sizeof *b);
    if (!b) return NULL;
    b->bytes = (bsk_bytes){data, len};
    b->undo = undo;
    b->arg = arg;
    atomic_init(&b->count, 1);
    return b;
}

bsk_blob *bsk_blob_hold(bsk_blob *blob)
{
    /* Relaxed: who adds a count has one already, so nothing can be freed meanwhile. */
    if (blob) atomic_fetch_add_explicit(&blob->count, 1, memory_order_relaxed);
    return blob;
}

/* A debug build keeps a freed blob's count where the next drop must find it. */
static void refuse_double_drop(int64_t before)
{
#if !defined(NDEBUG)
    if (before > 0) return;
    fprintf(stderr, "buskin: a blob was dropped once too often\n");
    abort();
#else
    assert(before > 0);
    (void)before;
#endif
}

void bsk_blob_drop(bsk_blob *blob)
{
    if (!blob) return;
    /* Release: this holder's reads come before the free; pairs with the acquire of the last. */
    int64_t before = atomic_fetch_sub_explicit(&blob->count, 1, memory_order_release);
    refuse_double_drop(before);
    if (before != 1) return;
    /* Acquire, of the value just written, pairs with all the releases before it; the thread
     * sanitizer does not see a fence. */
    atomic_load_explicit(&blob->count, memory_order_acquire);
    if (blob->undo) blob->undo((void *)(uintptr_t)blob->bytes.ptr, blob->arg);
    mem_free(blob);
}

bsk_bytes bsk_blob_bytes(const bsk_blob *blob)
{
    return blob->bytes;
}
