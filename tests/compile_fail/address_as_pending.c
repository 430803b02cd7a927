/* SPDX-License-Identifier: MIT */
/* misuse: an address where the right to reply goes
 * level: error
 * gcc: incompatible type for argument 1 of 'bsk_answer_'
 * clang: 'bsk_addr' .* to parameter of incompatible type 'bsk_pending' */
#include "common.h"

void use(bsk_pending p, bsk_addr to)
{
#ifdef OK
    bsk_answer(p, get, .n = to.slot);
#else
    bsk_answer(to, get, .n = (int64_t)p.ref);
#endif
}
