/* SPDX-License-Identifier: MIT */
/* end.h - ending an actor. */
#ifndef BSK_END_H
#define BSK_END_H

#include "runtime.h"

/* Frees what stale messages in empty slots hold; no thread runs any more. */
void end_sweep_all(struct bsk_rt *rt);
/* The reason of an actor that an exit signal ends: it stands in the signal. */
#define END_BY_SIGNAL ((enum bsk_reason)15)

/* An exit signal comes up in the mailbox of the actor that ends on this worker: the first one
 * says why, if nothing else did. */
void end_take_signal(struct worker *w, const bsk_self *a, const struct bsk_msg *m);
/* Tells whether the reason is a failure, which the root answers for. */
bool end_is_failure(enum bsk_reason reason);
/* Returns why, as far as it is known, counted for the caller; *reason is the reason. */
bsk_blob *end_cause(struct ending *e, enum bsk_reason *reason);
/* What a fault on this worker was; copied. */
void end_fault(struct worker *w, const char *text, int sig, uint64_t address, const char *trace);
/* Why the actor on this worker ends; copied. */
void end_text(struct worker *w, const char *file, int line, const char *text);

#endif
