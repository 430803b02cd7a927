/* SPDX-License-Identifier: MIT */
/* echo.h - the server that `buskin-bench echo PORT` is. */
#ifndef BENCH_ECHO_H
#define BENCH_ECHO_H

/* Serves until SIGINT or SIGTERM; returns main's exit status. */
int echo_serve(unsigned workers, int port);

#endif
