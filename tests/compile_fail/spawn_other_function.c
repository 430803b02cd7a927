/* SPDX-License-Identifier: MIT */
/* misuse: a function of another type spawned
 * level: error
 * gcc: type 'void \(\*\)\(int\)' is not compatible with any association
 * clang: type 'void \(\*\)\(int\)' not compatible with any generic association */
#include "common.h"

#ifdef OK
static void actor(bsk_self *self)
{
    bsk_exit(self);
}
#else
static void actor(int n)
{
    printf("%d", n);
}
#endif

void use(bsk_rt *rt)
{
    bsk_spawn(rt, actor);
}
