/* SPDX-License-Identifier: MIT */
/* trouble.h - the faults that an actor of the shop commits when it is told to. */
#ifndef RESTART_TROUBLE_H
#define RESTART_TROUBLE_H

#include "words.h"

enum trouble_kind { CRASH, NULL_POINTER, OVERFLOW, ASSERTION, HANG, LEAVE, TROUBLES };

/* What a kind is called, for people. */
extern const char *const trouble_names[TROUBLES];

/* Makes trouble in the actor that calls it. Returns only from a handler's HANG, a second later. */
void trouble_make(bsk_self *self, int64_t kind);
/* Takes a message of a flood; a fiber takes a millisecond for it. */
void trouble_chew(bsk_self *self, const junk *j);

#endif
