/* SPDX-License-Identifier: MIT */
/* misuse: a type that is no message
 * level: error
 * gcc: 'point_bsk' undeclared
 * clang: undeclared identifier 'point_bsk' */
#include "common.h"

struct point {
    int64_t n;
};
typedef struct point point;

void use(bsk_addr to)
{
#ifdef OK
    bsk_tell(to, add, .n = 1);
#else
    bsk_tell(to, point, .n = 1);
#endif
}
