/* SPDX-License-Identifier: MIT */
/* registrar.c - counts who ends, and why. Whoever starts says so here. */
#include <signal.h>
#include <string.h>

#include "service.h"

const char *const cause_names[CAUSES] = {
    [CAUSE_FAILED] = "failed", [CAUSE_FAULT] = "fault",       [CAUSE_HANG] = "hang",
    [CAUSE_KILLED] = "killed", [CAUSE_SHUTDOWN] = "shutdown",
};

static enum cause cause_of(const bsk_down *d)
{
    switch (d->reason) {
    case BSK_FAULT: return strstr(d->text, "hang") || !d->signal ? CAUSE_HANG : CAUSE_FAULT;
    case BSK_KILLED:
    case BSK_NO_ACTOR: return CAUSE_KILLED;
    case BSK_SHUTDOWN:
    case BSK_NORMAL: return CAUSE_SHUTDOWN;
    default: return CAUSE_FAILED;
    }
}

static void registrar(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(born, b) {
            count_up(&kv.count.starts, 1);
            if (!bsk_watch(self, b->who).gen) bsk_fail(self, "out of memory");
        }
        bsk_on(bsk_down, d) count_up(&kv.count.ended[cause_of(d)], 1);
    }
}

void say_born(bsk_self *self)
{
    bsk_tell(bsk_whereis(bsk_rt_of(self), "register"), born, .who = bsk_me(self));
}

bsk_child_spec registrar_spec(void)
{
    return (bsk_child_spec)bsk_child(registrar, .name = "register");
}
