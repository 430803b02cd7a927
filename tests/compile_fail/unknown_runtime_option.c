/* SPDX-License-Identifier: MIT */
/* misuse: an unknown option of the runtime
 * level: error
 * gcc: 'bsk_rt_opts' has no member named 'threads'
 * clang: field designator 'threads' does not refer to any field */
#include "common.h"

bsk_rt *use(void)
{
#ifdef OK
    return bsk_start(.workers = 2);
#else
    return bsk_start(.threads = 2);
#endif
}
