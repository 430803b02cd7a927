/* SPDX-License-Identifier: MIT */
/* misuse: a reply to a message without one
 * level: error
 * gcc: 'add_bsk_reply' undeclared
 * clang: undeclared identifier 'add_bsk_reply' */
#include "common.h"

void use(bsk_msg *m)
{
    bsk_match(m) {
#ifdef OK
        bsk_on(get, g) bsk_reply(g, get, .n = 1);
#else
        bsk_on(add, a) bsk_reply(a, add, .n = 1);
#endif
    }
}
