/* SPDX-License-Identifier: MIT */
/* trouble.h - faults on purpose. */
#ifndef KV_TROUBLE_H
#define KV_TROUBLE_H

#include "words.h"

enum trouble_kind { CRASH, NULL_POINTER, ASSERTION, ABORT, DIVISION, HANG, KILL, TROUBLES };

/* What a kind is called. */
extern const char *const trouble_names[TROUBLES];

/* Makes trouble in the actor that calls it. */
void trouble_make(bsk_self *self, int64_t kind);

#endif
