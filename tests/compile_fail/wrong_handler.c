/* SPDX-License-Identifier: MIT */
/* misuse: a handler of another type under BSK_BEHAVE
 * level: error
 * gcc: conflicting types for 'counter_on_add'
 * clang: conflicting types for 'counter_on_add' */
#include "common.h"

#define COUNTER(X) X(counter, int64_t, add)
BSK_BEHAVE(counter, COUNTER)

#ifdef OK
static void counter_on_add(bsk_self *self, int64_t *sum, const add *a)
#else
static void counter_on_add(bsk_self *self, int64_t *sum, const total *a)
#endif
{
    if (!bsk_cancelled(self)) *sum += a->n;
}

void use(bsk_rt *rt)
{
    bsk_spawn(rt, counter);
}
