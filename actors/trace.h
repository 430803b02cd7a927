/* SPDX-License-Identifier: MIT */
/* trace.h - what the runtime tells the outside: events, dead letters, log lines. */
#ifndef BSK_TRACE_H
#define BSK_TRACE_H

#include "runtime.h"

/* Gives the event to the trace hook and, seeded, to the digest. w is NULL on other threads. */
void trc_emit(struct worker *w, struct bsk_rt *rt, enum bsk_event_kind kind, bsk_addr actor,
              bsk_addr peer, const bsk_type *type, int64_t value, const char *text);
/* Counts a dead letter and tells the hook and, at most once a second, the log. The message stays
 * the caller's to free. */
void trc_dead(struct worker *w, struct bsk_rt *rt, bsk_addr to, const bsk_type *type,
              enum bsk_dead why);
/* Writes a line to the log, if its level is wanted; cut to a kilobyte. */
void trc_log(struct bsk_rt *rt, enum bsk_level level, const char *format, ...) BSK_PRINTF_(3, 4);

#endif
