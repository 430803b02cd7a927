/* SPDX-License-Identifier: MIT */
/* misuse: the runtime as an address
 * level: error
 * gcc: incompatible type for argument 1 of 'bsk_tell_'
 * clang: 'bsk_rt \*' .* to parameter of incompatible type 'bsk_addr' */
#include "common.h"

void use(bsk_rt *rt, bsk_addr to)
{
#ifdef OK
    bsk_shutdown(rt);
    bsk_tell(to, add, .n = 1);
#else
    bsk_shutdown(rt);
    bsk_tell(rt, add, .n = to.slot);
#endif
}
