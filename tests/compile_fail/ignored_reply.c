/* SPDX-License-Identifier: MIT */
/* misuse: an ignored reply of a call
 * level: warning
 * gcc: ignoring return value of 'bsk_call_'
 * clang: none: it does not look through the cast */
#include "common.h"

bool use(bsk_self *self, bsk_addr to)
{
#ifdef OK
    return bsk_call(self, to, 100, get) != NULL;
#else
    bsk_call(self, to, 100, get);
    return true;
#endif
}
