/* SPDX-License-Identifier: MIT */
/* tally.h - what is counted. One for the whole program, from all fibers. */
#ifndef KVC_TALLY_H
#define KVC_TALLY_H

#include <stdatomic.h>
#include <stdint.h>

#include "wire.h"

/* What goes wrong without being wrong: by the first word of an error, or what became of the
 * connection. */
enum trouble {
    TRYAGAIN,
    BUSY,
    LOADING,
    MISCONF,
    OOM,
    EXECABORT,
    OTHER,
    REFUSED,
    RESET,
    CLOSED,
    TIMEOUT,
    UNREACHABLE,
    TROUBLES
};
extern const char *const trouble_names[TROUBLES];

enum { LATENCIES = 512 };
struct tally {
    _Atomic uint64_t requests, acknowledged, doubted, lost, wrong, connects, verified, transfers;
    _Atomic uint64_t troubles[TROUBLES];
    _Atomic uint64_t latency[LATENCIES]; /* round trips, by their time, roughly by powers of 1.09 */
};
extern struct tally tally;

static inline void count_up(_Atomic uint64_t *n, uint64_t by)
{
    atomic_fetch_add_explicit(n, by, memory_order_relaxed);
}

static inline uint64_t count_of(const _Atomic uint64_t *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

/* Which trouble an error reply, or a code of the network, is. */
enum trouble trouble_of_reply(const struct reply *r);
enum trouble trouble_of_code(int code);
uint64_t tally_troubles(void);

/* Microseconds of some clock that only goes on. */
int64_t tally_now_us(void);
void tally_latency(int64_t us);
/* The time in us that so many in 1000 round trips did not exceed. */
int64_t tally_quantile(unsigned permille);

#endif
