/* SPDX-License-Identifier: MIT */
/* memory.h - memory of this process and of the machine. */
#ifndef BENCH_MEMORY_H
#define BENCH_MEMORY_H

#include <stdint.h>

/* Maps, touches and unmaps memory, at most half of what is free: a virtual machine's host backs
 * a page when it is first touched, which costs more than the work that is to be measured. */
void memory_touch(unsigned gigabytes);
/* Returns the bytes of this process that are resident now. */
int64_t memory_resident(void);

#endif
