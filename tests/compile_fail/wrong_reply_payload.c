/* SPDX-License-Identifier: MIT */
/* misuse: a wrong reply payload
 * level: error
 * gcc: has no member named 'key'
 * clang: field designator 'key' does not refer to any field */
#include "common.h"

void use(bsk_msg *m)
{
    bsk_match(m) {
#ifdef OK
        bsk_on(get, g) bsk_reply(g, get, .n = 1);
#else
        bsk_on(get, g) bsk_reply(g, get, .key = 1);
#endif
    }
}
