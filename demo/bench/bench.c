/* SPDX-License-Identifier: MIT */
/* bench.c - the driver of a run, and the checks. */
#define _DEFAULT_SOURCE 1
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "bench.h"

BSK_MSG(took, (i64, ns), (i64, cpu_ns), (i64, sum));
BSK_CALL(drive, took, (i64, parts));

/* A workload that takes longer hangs: better said than waited for. */
enum { LIMIT_MS = 10 * 60 * 1000 };

struct driver {
    const struct bench *b; /* its caller waits meanwhile */
    bsk_pending caller;
    int64_t parts, sum, ns, cpu_ns;
};

static void start_clock(struct driver *d, const drive *q)
{
    d->caller = bsk_later(q, drive);
    d->parts = q->parts;
    d->sum = 0;
    d->cpu_ns = bench_cpu();
    d->ns = bench_now();
    for (unsigned i = 0; i < d->b->nfirst; i++)
        bsk_tell(d->b->first[i].who, go, .n = d->b->first[i].n);
}

static void stop_clock(struct driver *d)
{
    int64_t ns = bench_now() - d->ns, cpu_ns = bench_cpu() - d->cpu_ns;
    bench_must(bsk_answer(d->caller, drive, .ns = ns, .cpu_ns = cpu_ns, .sum = d->sum), "answer");
}

static void driver(bsk_self *self, bsk_msg *m)
{
    struct driver *d = bsk_state(self);
    bsk_match(m) {
        bsk_on(done, e) {
            d->sum += e->sum;
            if (--d->parts == 0) stop_clock(d);
        }
        bsk_on(drive, q) start_clock(d, q);
    }
}

void bench_init(struct bench *b, bsk_rt *rt, int64_t n)
{
    *b = (struct bench){.rt = rt, .n = n};
    b->driver = bench_born(
        NULL, bsk_spawn(rt, driver, .label = "driver", BSK_STATE(struct driver, .b = b)));
}

void bench_first(struct bench *b, bsk_addr who, int64_t n)
{
    bench_check(b->nfirst < BENCH_MAX_FIRST, true, "room for one more actor to begin with");
    b->first[b->nfirst].who = who;
    b->first[b->nfirst].n = n;
    b->nfirst++;
}

void bench_run(struct bench *b, int64_t parts)
{
    const took *t = bsk_call(NULL, b->driver, LIMIT_MS, drive, .parts = parts);
    if (!t) bench_must(bsk_error(NULL), "the run");
    b->sum = t->sum;
    b->out.ns = t->ns;
    b->out.cpu_ns = t->cpu_ns;
    b->nfirst = 0;
}

void bench_extra(struct bench *b, const char *name, double value)
{
    struct bench_extra *e = &b->out.extra[b->out.nextras++];
    snprintf(e->name, sizeof(e->name), "%s", name);
    e->value = value;
}

int64_t bench_wait_go(bsk_self *self)
{
    bsk_msg *m = bsk_recv_only(self, BSK_FOREVER, BSK_T(go));
    bsk_match(m)
        bsk_on(go, g) return g->n;
    bsk_exit(self);
}

void bench_check(int64_t got, int64_t want, const char *what)
{
    if (got == want) return;
    fprintf(stderr, "wrong: %s: %" PRId64 ", expected %" PRId64 "\n", what, got, want);
    _Exit(1);
}

void bench_must(int rc, const char *what)
{
    if (rc == 0) return;
    fprintf(stderr, "failed: %s: %s\n", what, bsk_strerror(rc));
    _Exit(1);
}

bsk_addr bench_born(const bsk_self *self, bsk_addr a)
{
    if (bsk_is_nobody(a)) bench_must(bsk_error(self), "spawn");
    return a;
}

int64_t bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int64_t timeval_ns(struct timeval t)
{
    return t.tv_sec * INT64_C(1000000000) + t.tv_usec * INT64_C(1000);
}

int64_t bench_cpu(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return timeval_ns(u.ru_utime) + timeval_ns(u.ru_stime);
}

int64_t bench_sum_to(int64_t n)
{
    return n * (n + 1) / 2;
}
