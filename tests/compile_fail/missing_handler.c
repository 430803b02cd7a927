/* SPDX-License-Identifier: MIT */
/* misuse: a handler missing under BSK_BEHAVE
 * level: warning
 * gcc: 'counter_on_get' (used but never defined|declared 'static' but never defined)
 * clang: function 'counter_on_get' has internal linkage but is not defined */
#include "common.h"

#define COUNTER(X) X(counter, int64_t, add) X(counter, int64_t, get)
BSK_BEHAVE(counter, COUNTER)

static void counter_on_add(bsk_self *self, int64_t *sum, const add *a)
{
    if (!bsk_cancelled(self)) *sum += a->n;
}

#ifdef OK
static void counter_on_get(bsk_self *self, int64_t *sum, const get *g)
{
    if (!bsk_cancelled(self)) bsk_reply(g, get, .n = *sum);
}
#endif

void use(bsk_rt *rt)
{
    bsk_spawn(rt, counter);
}
