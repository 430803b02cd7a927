/* SPDX-License-Identifier: MIT */
/* open.h - what the tests of what actors own share: is anything left open? */
#ifndef OPEN_H
#define OPEN_H

#include "../actors/fixture.h"

#include "buskin.h"

#define OK(call) ck_assert_str_eq(bsk_errname(call), bsk_errname(0))
#define IS(code, call) ck_assert_str_eq(bsk_errname(call), bsk_errname(code))

/* The process's descriptors, once libuv has those that it keeps for good. */
unsigned open_fds(void);
/* Runs one fiber, which hits once, in a runtime of its own, and expects that nothing is left
 * open. */
void open_run(bsk_fiber *fiber);
void open_run_handler(bsk_handler *handler);
/* Runs one again and again, each time with another of the first `most` allocations failing, and
 * expects each time that nothing is left open. */
void open_run_without_memory(bsk_fiber *fiber, unsigned most);

#endif
