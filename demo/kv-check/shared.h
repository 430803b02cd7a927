/* SPDX-License-Identifier: MIT */
/* shared.h - keys that all connections write: counters, which count up; and purses, between which
 * transactions move money, so that there never is more or less of it. */
#ifndef KVC_SHARED_H
#define KVC_SHARED_H

#include <stdatomic.h>

#include "key.h"

enum { COUNTERS = 4, PURSES = 6, SHARED = COUNTERS + PURSES };

struct shared {
    char name[KEY_NAME];
    _Atomic int64_t acknowledged; /* what was added, for certain */
    _Atomic int64_t doubted;      /* what was added, or not */
    _Atomic int64_t top;          /* of the answers so far */
};
extern struct shared shared[SHARED];

void shared_init(const char *prefix);
/* What the next answer of a counter must exceed. */
int64_t shared_floor(unsigned i);
enum verdict shared_answered(const struct op *op, const struct reply *r);
void shared_doubted(const struct op *op);
/* Checks what a counter is in the end. */
enum verdict shared_final(unsigned i, int64_t n);
/* Checks what all purses have together; what is gone, or too much, is told of once. */
enum verdict shared_sum(int64_t n);
void shared_describe(unsigned i, char *to, size_t size);

#endif
