/* SPDX-License-Identifier: MIT */
/* cause.h - why an actor ended: made once, counted, shared by all who hear of it. */
#ifndef BSK_CAUSE_H
#define BSK_CAUSE_H

#include "actors.h"

/* All strings are never NULL, and live as long as the cause. */
struct cause {
    enum bsk_reason reason;
    int line, signal;
    uint64_t address;
    const char *text, *file, *trace;
};

/* Returns a copy as a counted blob, or NULL: for want of memory, or because the reason says it
 * all. */
bsk_blob *cause_new(const struct cause *c);
/* Returns what is known: of `blob`, or, NULL, the reason alone. Borrowed from the blob. */
struct cause cause_of(const bsk_blob *blob, enum bsk_reason reason);

/* A cause in one word, for an envelope. Holds no count of its own. */
static inline uint64_t cause_pack(bsk_blob *blob, enum bsk_reason reason)
{
    return (uint64_t)(uintptr_t)blob | (uint64_t)reason;
}

static inline bsk_blob *cause_blob(uint64_t packed)
{
    return (bsk_blob *)(uintptr_t)(packed & ~UINT64_C(15));
}

static inline enum bsk_reason cause_reason(uint64_t packed)
{
    return (enum bsk_reason)(packed & 15);
}

#endif
