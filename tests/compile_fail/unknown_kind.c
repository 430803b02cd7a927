/* SPDX-License-Identifier: MIT */
/* misuse: a C type in a wire message
 * level: error
 * gcc: unknown type name 'BSK_CTYPE_int'
 * clang: unknown type name 'BSK_CTYPE_int' */
#include "common.h"

#ifdef OK
BSK_MSG(note, (i64, n));
#else
BSK_MSG(note, (int, n));
#endif

void use(bsk_addr to)
{
    bsk_tell(to, note, .n = 1);
}
