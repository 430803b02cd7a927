/* SPDX-License-Identifier: MIT */
/* cores.h - the cores of the machine that the process may use. */
#ifndef BSK_CORES_H
#define BSK_CORES_H

#include <stdbool.h>
#include <stdint.h>

/* How many: its affinity, and the quota of its cgroup, respected. At least one. */
unsigned cores_allowed(void);
/* For how long they have had nothing to do since the system started, in ns and summed, in steps of
 * about 10 ms. False where the system does not tell: *ns is left. */
bool cores_idle(uint64_t *ns);

#endif
