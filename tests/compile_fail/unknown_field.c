/* SPDX-License-Identifier: MIT */
/* misuse: an unknown field
 * level: error
 * gcc: 'add' has no member named 'm'
 * clang: field designator 'm' does not refer to any field */
#include "common.h"

void use(bsk_addr to)
{
#ifdef OK
    bsk_tell(to, add, .n = 1);
#else
    bsk_tell(to, add, .m = 1);
#endif
}
