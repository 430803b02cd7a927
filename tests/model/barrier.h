/* SPDX-License-Identifier: MIT */
/* barrier.h - the real biased lock, whose barrier on all cores is the model's. */
#ifndef MODEL_BARRIER_H
#define MODEL_BARRIER_H

#include "model.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool barrier_works = true;

/* The two calls that biased.c makes. */
static long model_syscall(long number, int command)
{
    mdl_assert(number == SYS_membarrier);
    if (command == MEMBARRIER_CMD_PRIVATE_EXPEDITED) mdl_membarrier();
    return barrier_works ? 0 : -1;
}

#define syscall(number, command, flags, cpu) model_syscall((number), (command))
#include "actors/biased.c"
#undef syscall

#endif
