/* SPDX-License-Identifier: MIT */
/* misuse: an unknown spawn option
 * level: error
 * gcc: 'bsk_opts' has no member named 'mailboxes'
 * clang: field designator 'mailboxes' does not refer to any field */
#include "common.h"

static void actor(bsk_self *self)
{
    bsk_exit(self);
}

void use(bsk_rt *rt)
{
#ifdef OK
    bsk_spawn(rt, actor, .mailbox = 16);
#else
    bsk_spawn(rt, actor, .mailboxes = 16);
#endif
}
