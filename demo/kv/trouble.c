/* SPDX-License-Identifier: MIT */
/* trouble.c - faults on purpose. They are real ones: nothing here tells the library beforehand. */
#define _DEFAULT_SOURCE 1
#undef NDEBUG
#include "trouble.h"

#include <assert.h>
#include <stdlib.h>

const char *const trouble_names[TROUBLES] = {
    [CRASH] = "fails",    [NULL_POINTER] = "writes through null", [ASSERTION] = "fails an assert",
    [ABORT] = "aborts",   [DIVISION] = "divides by zero",         [HANG] = "hangs",
    [KILL] = "is killed",
};

/* A sanitizer would catch it first, and end the process. */
__attribute__((no_sanitize("undefined"))) static void write_null(void)
{
    int *volatile nowhere = NULL;
    *(volatile int *)nowhere = 1;
}

__attribute__((no_sanitize("undefined"))) static void divide(void)
{
    volatile int one = 1, zero = 0;
    one = one / zero;
}

static void fail_assert(void)
{
    volatile int keys = -1;
    assert(keys >= 0);
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#endif

/* ThreadSanitizer holds signals back until the next call of libc, so nobody would end the loop. */
static void hang(void)
{
#ifdef UNDER_TSAN
    abort();
#endif
    for (volatile unsigned long n = 0;; n++)
        if (n == ~0UL) break;
}

void trouble_make(bsk_self *self, int64_t kind)
{
    switch (kind) {
    case NULL_POINTER: write_null(); break;
    case ASSERTION: fail_assert(); break;
    case ABORT: abort();
    case DIVISION: divide(); break;
    case HANG: hang(); break;
    default: bsk_fail(self, "a bug");
    }
}
