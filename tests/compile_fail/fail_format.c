/* SPDX-License-Identifier: MIT */
/* misuse: a bsk_fail whose values do not fit its format
 * level: warning
 * gcc: format '%s' expects argument of type
 * clang: format specifies type */
#include "common.h"

void use(bsk_self *self)
{
#ifdef OK
    bsk_fail(self, "error: %s", bsk_strerror(bsk_error(self)));
#else
    bsk_fail(self, "error: %s", bsk_error(self));
#endif
}
