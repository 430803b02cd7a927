/* SPDX-License-Identifier: MIT */
/* misuse: an ignored bsk_send
 * level: warning
 * gcc: ignoring return value of 'bsk_send_'
 * clang: ignoring return value of function */
#include "common.h"

int use(bsk_self *self, bsk_addr to)
{
#ifdef OK
    return bsk_send(self, to, 100, add, .n = 1);
#else
    bsk_send(self, to, 100, add, .n = 1);
    return 0;
#endif
}
