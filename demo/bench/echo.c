/* SPDX-License-Identifier: MIT */
/* echo.c - a TCP echo server, an actor a connection: for clients that measure it. */
#include <buskin.h>

#include "echo.h"

#include <stdio.h>

#define IDLE_MS 30000

static void conn(bsk_self *self)
{
    bsk_bytes b;
    while (bsk_read(self, &b, IDLE_MS) > 0)
        if (bsk_write(self, b, IDLE_MS) < 0) break;
}

int echo_serve(unsigned workers, int port)
{
    bsk_rt *rt = bsk_start(.workers = workers);
    if (!rt) {
        fprintf(stderr, "buskin-bench: %s\n", bsk_strerror(bsk_error(NULL)));
        return 1;
    }
    int rc = bsk_listen(rt, "127.0.0.1", port, conn);
    if (rc < 0) {
        fprintf(stderr, "buskin-bench: port %d: %s\n", port, bsk_strerror(rc));
        bsk_shutdown(rt);
    } else {
        printf("serving echo at 127.0.0.1 port %d until SIGTERM\n", rc);
        fflush(stdout);
    }
    int status = bsk_wait(rt);
    return rc < 0 ? 1 : status;
}
