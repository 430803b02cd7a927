/* SPDX-License-Identifier: MIT */
/* misuse: the right to reply kept for another request than the one in the case
 * level: error
 * gcc: pointer type mismatch|not compatible with any association
 * clang: pointer type mismatch|not compatible with any generic association */
#include "common.h"

bsk_pending use(bsk_msg *m)
{
    bsk_pending p = {0, 0};
    bsk_match(m) {
#ifdef OK
        bsk_on(get, g) p = bsk_later(g, get);
#else
        bsk_on(get, g) p = bsk_later(g, find);
#endif
    }
    return p;
}
