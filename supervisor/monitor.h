/* SPDX-License-Identifier: MIT */
/* monitor.h - one actor hears of another's end. */
#ifndef BSK_MONITOR_H
#define BSK_MONITOR_H

#include "tie.h"
#include "upper.h"

/* Prepares the monitors of a runtime. 0 or BSK_ENOMEM. */
int mon_init_slab(struct upper *u);
/* Makes a monitor, not listed yet, in the actor's kin; NULL: *rc says why. */
struct tie *mon_new(bsk_self *self, const char *name, bsk_monitor *out, int *rc);
/* The tie of a monitor is fired: its message goes to the watcher. */
void mon_fire(struct worker *w, struct tie *t, enum bsk_reason reason, bsk_blob *cause);
/* A bsk_down was taken out of its receiver's mailbox: tells whether it still counts. */
bool mon_received(struct worker *w, bsk_self *a, struct bsk_msg *m);
/* The watcher ends: all that it holds are gone. */
void mon_release_all(struct worker *w, struct kin *kin);

#endif
