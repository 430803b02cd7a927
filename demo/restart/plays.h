/* SPDX-License-Identifier: MIT */
/* plays.h - what happens in each scenario. */
#ifndef RESTART_PLAYS_H
#define RESTART_PLAYS_H

#include "stage.h"

void play_one_for_one(struct stage *st);
void play_one_for_all(struct stage *st);
void play_rest_for_one(struct stage *st);
void play_dynamic(struct stage *st);

void play_permanent(struct stage *st);
void play_transient(struct stage *st);
void play_temporary(struct stage *st);
void play_backoff(struct stage *st);

void play_escalation(struct stage *st);
void play_collapse(struct stage *st);
void play_shutdown(struct stage *st);
void play_subtree(struct stage *st);
void play_cancel(struct stage *st);
void play_kill(struct stage *st);

void play_hang(struct stage *st);
void play_flood(struct stage *st);
void play_null(struct stage *st);
void play_overflow(struct stage *st);
void play_assert(struct stage *st);

#endif
