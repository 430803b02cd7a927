/* SPDX-License-Identifier: MIT */
/* deeds.h - what a person, or a script, can do to the shop. Each deed is a short-lived actor, so
 * that one that takes its time holds nobody up. */
#ifndef RESTART_DEEDS_H
#define RESTART_DEEDS_H

#include "shop.h"
#include "trouble.h"

/* Does what the key stands for to who has the role. False: there is no such key. Says in the log
 * what is done, and what ought to come of it. */
bool deed_do(struct shop *s, bsk_rt *rt, int key, enum role target);

/* The same words for scenarios; from fibers. */

/* Has who has the role commit a fault. 0 or a code. */
int deed_trouble(bsk_self *self, enum role target, enum trouble_kind kind);
/* Fails whoever has the role again and again, until its supervisor has given up. False: it did not
 * within ms. */
bool deed_storm(bsk_self *self, enum role target, int64_t ms);
/* Sends messages to whoever has the role, for ms, as many as it takes; returns how many were
 * refused. */
int64_t deed_flood(bsk_self *self, enum role target, int64_t ms);

#endif
