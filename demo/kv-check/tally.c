/* SPDX-License-Identifier: MIT */
/* tally.c - what is counted. */
#define _DEFAULT_SOURCE 1
#include "tally.h"

#include <string.h>
#include <time.h>

#include <buskin.h>

struct tally tally;

const char *const trouble_names[TROUBLES] = {
    [TRYAGAIN] = "TRYAGAIN", [BUSY] = "BUSY",       [LOADING] = "LOADING",
    [MISCONF] = "MISCONF",   [OOM] = "OOM",         [EXECABORT] = "EXECABORT",
    [OTHER] = "other",       [REFUSED] = "refused", [RESET] = "reset",
    [CLOSED] = "closed",     [TIMEOUT] = "timeout", [UNREACHABLE] = "unreachable",
};

enum trouble trouble_of_reply(const struct reply *r)
{
    for (int i = 0; i < OTHER; i++) {
        size_t len = strlen(trouble_names[i]);
        if (r->len >= len && memcmp(r->at, trouble_names[i], len) == 0) return (enum trouble)i;
    }
    return OTHER;
}

enum trouble trouble_of_code(int code)
{
    switch (code) {
    case BSK_EREFUSED: return REFUSED;
    case BSK_ERESET:
    case BSK_EPIPE: return RESET;
    case BSK_EEOF: return CLOSED;
    case BSK_ETIMEDOUT: return TIMEOUT;
    default: return UNREACHABLE;
    }
}

uint64_t tally_troubles(void)
{
    uint64_t n = 0;
    for (int i = 0; i < TROUBLES; i++) n += count_of(&tally.troubles[i]);
    return n;
}

int64_t tally_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Eight cells for each power of two. */
void tally_latency(int64_t us)
{
    uint64_t n = us < 1 ? 1 : (uint64_t)us;
    unsigned power = 63u - (unsigned)__builtin_clzll(n);
    unsigned part = power < 3 ? (unsigned)(n << (3 - power)) & 7 : (unsigned)(n >> (power - 3)) & 7;
    unsigned cell = power * 8 + part;
    count_up(&tally.latency[cell < LATENCIES ? cell : LATENCIES - 1], 1);
}

static int64_t top_of(unsigned cell)
{
    return (int64_t)((double)(UINT64_C(1) << cell / 8) * (1 + (cell % 8 + 1) / 8.0));
}

int64_t tally_quantile(unsigned permille)
{
    uint64_t all = 0, seen = 0;
    for (unsigned i = 0; i < LATENCIES; i++) all += count_of(&tally.latency[i]);
    for (unsigned i = 0; i < LATENCIES; i++) {
        seen += count_of(&tally.latency[i]);
        if (all && seen * 1000 >= all * permille) return top_of(i);
    }
    return 0;
}
