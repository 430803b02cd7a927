/* SPDX-License-Identifier: MIT */
/* misuse: a call of a message without reply
 * level: error
 * gcc: unknown type name 'add_bsk_reply'
 * clang: unknown type name 'add_bsk_reply' */
#include "common.h"

bool use(bsk_self *self, bsk_addr to)
{
#ifdef OK
    return bsk_call(self, to, 100, get) != NULL;
#else
    return bsk_call(self, to, 100, add, .n = 1) != NULL;
#endif
}
