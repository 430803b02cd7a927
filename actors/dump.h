/* SPDX-License-Identifier: MIT */
/* dump.h - a look at all actors while they run. */
#ifndef BSK_DUMP_H
#define BSK_DUMP_H

#include "runtime.h"

/* Writes a line for each actor to the log. */
void dmp_log(struct bsk_rt *rt);
/* Warns if the actor, which waits for a reply, waits for itself by way of others. Debug builds. */
void dmp_report_cycle(struct bsk_rt *rt, const bsk_self *self);
/* Writes what the actor is and does: a line of the dump. Of any actor, from any thread. */
#define DMP_LINE 320
void dmp_describe(struct bsk_rt *rt, bsk_self *a, char *out, size_t size);

#endif
