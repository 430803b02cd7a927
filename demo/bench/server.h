/* SPDX-License-Identifier: MIT */
/* server.h - the actor that answers v + 1, for those that measure calls. */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include "bench.h"

BSK_MSG(answer, (i64, v));
BSK_CALL(question, answer, (i64, v));

bsk_addr server_spawn(bsk_rt *rt);
/* Checks, from main, that the server has answered this many questions. */
void server_check(bsk_addr server, int64_t answered);

#endif
