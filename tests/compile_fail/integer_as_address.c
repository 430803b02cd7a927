/* SPDX-License-Identifier: MIT */
/* misuse: an integer as an address
 * level: error
 * gcc: incompatible type for argument 1 of 'bsk_tell_'
 * clang: to parameter of incompatible type 'bsk_addr' */
#include "common.h"

void use(bsk_addr to)
{
#ifdef OK
    bsk_tell(to, add, .n = 1);
#else
    bsk_tell(to.slot, add, .n = 1);
#endif
}
