/* SPDX-License-Identifier: MIT */
/* misuse: a reply read as another type
 * level: warning
 * gcc: 'const add \*' from incompatible pointer type
 * clang: incompatible pointer types initializing 'const add \*' */
#include "common.h"

int64_t use(bsk_self *self, bsk_addr to)
{
#ifdef OK
    const total *t = bsk_call(self, to, 100, get);
#else
    const add *t = bsk_call(self, to, 100, get);
#endif
    return t ? t->n : 0;
}
