/* SPDX-License-Identifier: MIT */
/* shutdown.h - the orderly end of a runtime. */
#ifndef BSK_SHUTDOWN_H
#define BSK_SHUTDOWN_H

#include "runtime.h"

/* An actor has ended while the runtime stops: the next one is told to. */
void sht_ended(struct bsk_rt *rt, bsk_addr who);
/* Waits until all have ended, stopping them when asked to. Returns bsk_wait's status; 2:
 * somebody did not stop in time, and nothing can be freed. */
int sht_wait(struct bsk_rt *rt, bool *all_ended);
/* Lets SIGINT, SIGTERM and SIGUSR1 do what the options say, as heard on the worker's loop, which
 * nobody runs yet. 0 or BSK_ENOMEM. */
int sht_watch_signals(struct worker *w);
/* Tells whether the options ask for any of them. */
bool sht_hears_signals(const struct bsk_rt *rt);

#endif
