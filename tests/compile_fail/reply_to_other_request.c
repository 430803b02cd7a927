/* SPDX-License-Identifier: MIT */
/* misuse: a reply to another request than the one in the case
 * level: error
 * gcc: pointer type mismatch|not compatible with any association
 * clang: pointer type mismatch|not compatible with any generic association */
#include "common.h"

void use(bsk_msg *m)
{
    bsk_match(m) {
#ifdef OK
        bsk_on(get, g) bsk_reply(g, get, .n = 1);
#else
        bsk_on(get, g) bsk_reply(g, find, .key = 1);
#endif
    }
}
