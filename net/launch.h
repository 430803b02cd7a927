/* SPDX-License-Identifier: MIT */
/* launch.h - a process is started. */
#ifndef BSK_LAUNCH_H
#define BSK_LAUNCH_H

#include "net.h"

#include <sys/types.h>

#define LAUNCH_NULL (-1) /* as a descriptor: /dev/null */

/* Starts the program in a process group of its own, with those descriptors as 0, 1 and 2. Returns
 * when the system has loaded it: its number, or a negative errno. */
pid_t launch(const bsk_process_opts *o, const int fds[3]);

#endif
