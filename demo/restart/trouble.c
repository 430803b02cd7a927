/* SPDX-License-Identifier: MIT */
/* trouble.c - faults on purpose. They are real ones: nothing here tells the library beforehand. */
#define _DEFAULT_SOURCE 1
#undef NDEBUG
#include "trouble.h"

#include <assert.h>
#include <time.h>

#include "shop.h"

enum { HANG_MS = 1200 };

const char *const trouble_names[TROUBLES] = {
    [CRASH] = "fails (bsk_fail)",
    [NULL_POINTER] = "writes through a null pointer",
    [OVERFLOW] = "recurses until its stack is over",
    [ASSERTION] = "fails an assert",
    [HANG] = "hangs",
    [LEAVE] = "ends by itself",
};

/* A sanitizer would catch it first, and end the process. */
__attribute__((no_sanitize("undefined"))) static void write_null(void)
{
    int *volatile nowhere = NULL;
    *(volatile int *)nowhere = 1;
}

/* Each call needs the one below it, so no compiler makes a loop of it; nor can one see that there
 * is no end. */
__attribute__((noinline)) static int recurse(volatile const char *above)
{
    volatile char here[512] = {0};
    if (above[1]) return 0;
    here[0] = (char)(above[0] + 1);
    return recurse(here) + here[0];
}

static void fail_assert(void)
{
    volatile int stock = -1;
    assert(stock >= 0);
}

/* A fiber waits for what never comes; a handler holds up its loop, which nobody can take from it,
 * so it does that for a while only. */
static void hang(bsk_self *self)
{
    struct timespec t = {HANG_MS / 1000, HANG_MS % 1000 * 1000000L};
    bsk_shield(self);
    if (bsk_sleep(self, BSK_FOREVER) == BSK_EINVAL) nanosleep(&t, NULL);
    bsk_unshield(self);
}

void trouble_make(bsk_self *self, int64_t kind)
{
    volatile char start[2] = {0};
    switch (kind) {
    case NULL_POINTER: write_null(); break;
    case OVERFLOW: recurse(start); break;
    case ASSERTION: fail_assert(); break;
    case HANG: hang(self); break;
    case LEAVE: bsk_exit(self);
    default: bsk_fail(self, "a bug");
    }
}

void trouble_chew(bsk_self *self, const junk *j)
{
    /* In a handler it fails at once: which must not wait. */
    if (j && bsk_sleep(self, 1) < 0) return;
}
