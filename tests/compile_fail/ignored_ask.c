/* SPDX-License-Identifier: MIT */
/* misuse: an ignored bsk_ask
 * level: warning
 * gcc: ignoring return value of 'bsk_ask_'
 * clang: ignoring return value of function */
#include "common.h"

int use(bsk_self *self, bsk_addr to)
{
#ifdef OK
    return bsk_ask(self, to, 100, get);
#else
    bsk_ask(self, to, 100, get);
    return 0;
#endif
}
