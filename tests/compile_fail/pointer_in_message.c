/* SPDX-License-Identifier: MIT */
/* misuse: a pointer in a wire message
 * level: error
 * gcc: unknown type name 'BSK_CTYPE_char'
 * clang: unknown type name 'BSK_CTYPE_char' */
#include "common.h"

#ifdef OK
BSK_MSG(note, (i64, n), (str, text));
#else
BSK_MSG(note, (i64, n), (char *, text));
#endif

void use(bsk_addr to, char *text)
{
    bsk_tell(to, note, .n = 1, .text = text);
}
