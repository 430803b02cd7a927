/* SPDX-License-Identifier: MIT */
/* misuse: writing into a received message
 * level: error
 * gcc: assignment of member 'n' in read-only object
 * clang: cannot assign to variable 'a' with const-qualified type */
#include "common.h"

void use(bsk_msg *m, int64_t *sum)
{
    bsk_match(m) {
#ifdef OK
        bsk_on(add, a) *sum = a->n;
#else
        bsk_on(add, a) a->n = *sum;
#endif
    }
}
