/* SPDX-License-Identifier: MIT */
/* backoff.h - how long a restart waits: exponentially longer, with jitter, and from the start
 * again after a quiet time. */
#ifndef BSK_BACKOFF_H
#define BSK_BACKOFF_H

#include "supervisor.h"

struct backoff {
    uint64_t delay; /* ns, of the last restart; 0: none yet */
    uint64_t until; /* when that was over */
};

/* Returns the ns that the next restart waits, and counts it. `random` is any number. */
uint64_t backoff_next(struct backoff *b, const bsk_sup_opts *o, uint64_t now, uint64_t random);

#endif
