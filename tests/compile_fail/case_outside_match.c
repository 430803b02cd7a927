/* SPDX-License-Identifier: MIT */
/* misuse: bsk_on outside bsk_match
 * level: error
 * gcc: 'bsk_m_' undeclared
 * clang: undeclared identifier 'bsk_m_' */
#include "common.h"

void use(bsk_msg *m, int64_t *sum)
{
#ifdef OK
    bsk_match(m) {
        bsk_on(add, a) *sum = a->n;
    }
#else
    if (m)
        bsk_on(add, a) *sum = a->n;
#endif
}
