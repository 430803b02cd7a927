/* SPDX-License-Identifier: MIT */
/* misuse: a field of another message in a case
 * level: error
 * gcc: 'add' has no member named 'key'
 * clang: no member named 'key' in 'struct add' */
#include "common.h"

void use(bsk_msg *m, int64_t *sum)
{
    bsk_match(m) {
#ifdef OK
        bsk_on(find, f) *sum = f->key;
#else
        bsk_on(add, a) *sum = a->key;
#endif
    }
}
