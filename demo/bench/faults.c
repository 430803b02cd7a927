/* SPDX-License-Identifier: MIT */
/* faults.c - the ring goes on while another actor faults 1000 times a second. */
#include "workloads.h"

#include <limits.h>
#include <stdatomic.h>

BSK_MSG(commit);

enum { EVERY_MS = 1 };

static void faulty(bsk_self *self, bsk_msg *m)
{
    static int *volatile nowhere;
    _Atomic int64_t *faults = *(_Atomic int64_t **)bsk_state(self);
    bsk_match(m) {
        bsk_on(commit, c) {
            atomic_fetch_add(faults, 1);
            *nowhere = 1;
        }
    }
}

static void commit_soon(bsk_self *self)
{
    if (!bsk_after(self, EVERY_MS, commit).gen) bench_must(bsk_error(self), "set a timer");
}

void run_faults(struct bench *b)
{
    _Atomic int64_t count = 0, *faults = &count;
    bsk_addr sup =
        bsk_supervise(b->rt, BSK_SUP(.intensity = INT_MAX, .period_ms = 1),
                      bsk_child(faulty, .init = commit_soon, BSK_STATE(_Atomic int64_t *, faults)));
    bench_born(NULL, sup);
    run_ring(b);
    bench_must(bsk_stop(sup, BSK_FOREVER), "stop the supervisor");
    double seconds = (double)b->out.ns / 1e9;
    bench_extra(b, "faults", (double)atomic_load(faults));
    bench_extra(b, "faults/s", (double)atomic_load(faults) / seconds);
    if (seconds > 0.5)
        bench_check(atomic_load(faults) > seconds * 200, 1, "at least 200 faults a second");
}
