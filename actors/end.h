/* SPDX-License-Identifier: MIT */
/* end.h - ending an actor. */
#ifndef BSK_END_H
#define BSK_END_H

#include "runtime.h"

/* Frees what stale messages in empty slots hold; no thread runs any more. */
void end_sweep_all(struct bsk_rt *rt);
/* Why the actor on this worker ends; copied. */
void end_text(struct worker *w, const char *file, int line, const char *text);

#endif
