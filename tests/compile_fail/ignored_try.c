/* SPDX-License-Identifier: MIT */
/* misuse: an ignored bsk_try
 * level: warning
 * gcc: ignoring return value of 'bsk_try_'
 * clang: ignoring return value of function */
#include "common.h"

int use(bsk_addr to)
{
#ifdef OK
    return bsk_try(to, add, .n = 1);
#else
    bsk_try(to, add, .n = 1);
    return 0;
#endif
}
