/* SPDX-License-Identifier: MIT */
/* main.c - kv-check: knows what a server has acknowledged, and checks it. */
#define _DEFAULT_SOURCE 1
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "client.h"
#include "tally.h"

enum { TELL_MS = 1000 };

static void say_troubles(FILE *to)
{
    bool any = false;
    for (int i = 0; i < TROUBLES; i++) {
        uint64_t n = count_of(&tally.troubles[i]);
        if (n) fprintf(to, "%s%s %" PRIu64, any ? ", " : "", trouble_names[i], n);
        any = any || n;
    }
    if (!any) fputs("none", to);
}

static void progress(bsk_self *self)
{
    uint64_t before = 0;
    while (bsk_sleep(self, TELL_MS) == 0) {
        uint64_t requests = count_of(&tally.requests);
        fprintf(stderr, "\r\033[K%" PRIu64 "/s, %" PRIu64 " writes acknowledged, errors: ",
                requests - before, count_of(&tally.acknowledged));
        say_troubles(stderr);
        before = requests;
    }
    fputs("\r\033[K", stderr);
}

static void hurry(bsk_self *self, bsk_msg *m)
{
    bsk_match(m)
        bsk_on(bsk_signal, s) clients_hurry(bsk_now(bsk_rt_of(self)));
}

static void hurry_init(bsk_self *self)
{
    if (bsk_on_signal(self, SIGUSR1) < 0) bsk_fail(self, "SIGUSR1: no");
}

static bool is_enough(const struct options *o)
{
    return clients_finished() == o->connections && count_of(&tally.acknowledged) >= o->least;
}

static void say_verdict(const struct options *o)
{
    uint64_t requests = count_of(&tally.requests), connects = count_of(&tally.connects);
    double seconds = clients_seconds();
    printf("kv-check: %" PRIu64 " requests, %.0f a second, p50 %.2f ms, p99 %.2f ms, seed %" PRIu64
           "\n",
           requests, seconds > 0 ? (double)requests / seconds : 0.0,
           (double)tally_quantile(500) / 1000, (double)tally_quantile(990) / 1000, o->seed);
    printf("acknowledged writes: %" PRIu64 ", in doubt: %" PRIu64 ", keys verified: %" PRIu64 "\n",
           count_of(&tally.acknowledged), count_of(&tally.doubted), count_of(&tally.verified));
    printf("errors: ");
    say_troubles(stdout);
    printf("; reconnects: %" PRIu64 "\n",
           connects > o->connections ? connects - o->connections : 0);
    if (clients_finished() < o->connections)
        printf("not verified: %u of %u connections\n", o->connections - clients_finished(),
               o->connections);
    else if (!is_enough(o))
        printf("too few writes were acknowledged: at least %" PRIu64 " must be\n", o->least);
    printf("acknowledged writes lost: %" PRIu64 ", wrong answers: %" PRIu64 "\n",
           count_of(&tally.lost), count_of(&tally.wrong));
}

static int verdict(const struct options *o)
{
    say_verdict(o);
    return count_of(&tally.lost) || count_of(&tally.wrong) || !is_enough(o);
}

static int run(const struct options *o)
{
    bsk_rt *rt = bsk_start(.workers = o->workers);
    if (!rt) {
        fprintf(stderr, "kv-check: %s\n", bsk_strerror(bsk_error(NULL)));
        return 1;
    }
    bsk_addr supervisor = clients_supervise(rt);
    int rc = bsk_is_nobody(supervisor) ? bsk_error(NULL) : clients_start(supervisor, bsk_now(rt));
    bsk_spawn(rt, hurry, .name = "hurry", .init = hurry_init);
    if (rc == 0 && !o->quiet && isatty(STDERR_FILENO)) bsk_spawn(rt, progress, .name = "progress");
    if (rc < 0) {
        fprintf(stderr, "kv-check: %s\n", bsk_strerror(rc));
        bsk_shutdown(rt);
    }
    return bsk_wait(rt);
}

int main(int argc, char **argv)
{
    struct options o;
    options_read(&o, argc, argv);
    clients_init(&o);
    int status = run(&o);
    if (status == 0) status = verdict(&o);
    clients_fini();
    return status;
}
