/* SPDX-License-Identifier: MIT */
/* sample.c - one measured run, in a process of its own: none inherits another's pools and pages,
 * and a crash ends only that run. */
#define _DEFAULT_SOURCE 1
#include "sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SHUTDOWN_MS = 60000 };

static double value_of(enum measure measure, const struct bench_sample *s)
{
    switch (measure) {
    case NS_PER_OP: return (double)s->ns / s->ops;
    case OPS_PER_S: return s->ops * 1e9 / s->ns;
    case WALL_S: return s->ns / 1e9;
    case CPU_S: return s->cpu_ns / 1e9;
    case AS_GIVEN: break;
    }
    return s->value;
}

static int64_t warm_size(const struct workload *w, int64_t n)
{
    int64_t warm = n / 10;
    if (w->most_warm > 0 && warm > w->most_warm) warm = w->most_warm;
    return warm;
}

static void log_surprises(void *arg, enum bsk_level level, const char *line)
{
    const struct workload *w = arg;
    if ((w->flags & LOUD) || (level == BSK_LOG_ERROR && (w->flags & FAILS))) return;
    fprintf(stderr, "buskin: %s\n", line);
}

static void warm_and_run(const struct workload *w, unsigned workers, int64_t n, struct bench *b)
{
    struct bench warm;
    struct workload logged = *w;
    bsk_rt *rt =
        bsk_start(.workers = workers, .shutdown_ms = SHUTDOWN_MS, .no_signals = true, .quiet = true,
                  .contain_faults = w->flags & FAULTS, .log = log_surprises, .arg = &logged);
    if (!rt) bench_must(bsk_error(NULL), "start");
    if (warm_size(w, n) > 0) {
        bench_init(&warm, rt, warm_size(w, n));
        w->run(&warm);
    }
    bench_init(b, rt, n);
    w->run(b);
    bsk_shutdown(rt);
    bench_check(bsk_wait(rt), w->flags & FAILS ? 1 : 0, "exit status of the runtime");
}

static void child(const struct workload *w, unsigned workers, int64_t n, int to)
{
    struct bench b;
    warm_and_run(w, workers, n, &b);
    b.out.value = value_of(w->measure, &b.out);
    bool sent = write(to, &b.out, sizeof(b.out)) == sizeof(b.out);
    exit(sent ? 0 : 1);
}

static bool ended_well(const struct workload *w, pid_t pid)
{
    int status;
    if (waitpid(pid, &status, 0) < 0) return false;
    if (WIFSIGNALED(status))
        fprintf(stderr, "buskin-bench: %s: ended by signal %d\n", w->name, WTERMSIG(status));
    else if (status != 0)
        fprintf(stderr, "buskin-bench: %s: ended with status %d\n", w->name, WEXITSTATUS(status));
    return status == 0;
}

bool sample_take(const struct workload *w, unsigned workers, int64_t n, struct bench_sample *out)
{
    int ends[2];
    fflush(NULL); /* or the child would print it again */
    if (pipe(ends) < 0) {
        perror("buskin-bench: pipe");
        return false;
    }
    pid_t pid = fork();
    if (pid < 0) perror("buskin-bench: fork");
    if (pid == 0) child(w, workers, n, ends[1]);
    close(ends[1]);
    bool got = pid > 0 && read(ends[0], out, sizeof(*out)) == sizeof(*out);
    close(ends[0]);
    return pid > 0 && ended_well(w, pid) && got;
}
