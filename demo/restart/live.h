/* SPDX-License-Identifier: MIT */
/* live.h - the shop as it runs, before somebody's eyes. */
#ifndef RESTART_LIVE_H
#define RESTART_LIVE_H

#include "options.h"

/* Runs it until it is told to quit; returns the exit status. */
int live_run(const struct options *o);

#endif
