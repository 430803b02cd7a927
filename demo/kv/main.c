/* SPDX-License-Identifier: MIT */
/* main.c - buskin-kv: a server of keys and values that speaks the Redis protocol. */
#define _GNU_SOURCE 1
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "commands.h"
#include "service.h"
#include "store.h"

/* A loop that one actor holds for longer is held by a bug. */
enum { HANG_MS = 5000, CHAOS_HANG_MS = 300, SHUTDOWN_MS = 15000, WORK_THREADS = 5, ASK_MS = 5000 };

static bool open_store(void)
{
    if (kv.options.durability == DURABLE_NONE)
        return getrandom(&kv.secret, sizeof kv.secret, 0) == sizeof kv.secret;
    int rc = store_open(kv.options.dir, kv.options.store, kv.options.durability != DURABLE_EVERYSEC,
                        &kv.secret);
    if (rc) fprintf(stderr, "buskin-kv: %s: %s\n", kv.options.dir, store_error(rc));
    return !rc;
}

/* With port 0 the gate has found one, which it says. */
static bool ask_port(void)
{
    bsk_addr gate = bsk_whereis(kv.rt, "gate");
    const bsk_listens *l = bsk_call(NULL, gate, ASK_MS, bsk_where);
    if (l) kv.port = (int)l->port;
    return l;
}

static void say_open(void)
{
    const struct options *o = &kv.options;
    if (o->unix_path)
        printf("buskin-kv: listening on %s", o->unix_path);
    else
        printf("buskin-kv: listening on %s:%d", o->bind, kv.port);
    if (o->durability == DURABLE_NONE)
        printf(", in memory only\n");
    else
        printf(", durability %s, data in %s\n", durability_names[o->durability], o->dir);
    fflush(stdout);
}

static int serve(void)
{
    int64_t hang_ms = kv.options.chaos > 0 ? CHAOS_HANG_MS : HANG_MS;
    kv.rt = bsk_start(.workers = kv.options.workers, .contain_faults = true, .hang_ms = hang_ms,
                      .shutdown_ms = SHUTDOWN_MS, .work_threads = WORK_THREADS, .quiet = true);
    if (!kv.rt) {
        fprintf(stderr, "buskin-kv: %s\n", bsk_strerror(bsk_error(NULL)));
        return 1;
    }
    if (bsk_is_nobody(service_open(kv.rt)) || !ask_port()) {
        fprintf(stderr, "buskin-kv: %s: %s\n", bsk_strerror(bsk_error(NULL)), bsk_error_text(NULL));
        bsk_shutdown(kv.rt);
        bsk_wait(kv.rt);
        return 1;
    }
    say_open();
    return bsk_wait(kv.rt);
}

int main(int argc, char **argv)
{
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is as a full disk */
    options_read(&kv.options, argc, argv);
    kv.started_ms = clock_ms();
    commands_init();
    if (!open_store()) return 1;
    int status = serve();
    store_close();
    scratch_fini();
    return status;
}
