/* SPDX-License-Identifier: MIT */
/* misuse: an address where a number goes
 * level: error
 * gcc: incompatible types when initializing
 * clang: initializing .* with an expression of incompatible type 'bsk_addr' */
#include "common.h"

void use(bsk_addr to)
{
#ifdef OK
    bsk_tell(to, add, .n = to.slot);
#else
    bsk_tell(to, add, .n = to);
#endif
}
