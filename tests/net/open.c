/* SPDX-License-Identifier: MIT */
#include "open.h"

#include <dirent.h>

unsigned open_fds(void)
{
    static bool warm;
    if (!warm) fix_stop(bsk_start(.workers = 1), 0);
    warm = true;
    DIR *d = opendir("/proc/self/fd");
    unsigned n = 0;
    ck_assert_ptr_nonnull(d);
    while (readdir(d)) n++;
    closedir(d);
    return n;
}

static bsk_rt *start(void)
{
    /* Nobody comes to the relief of a slow machine's loop: that would open something. */
    bsk_rt *rt = bsk_start(.workers = 1, .work_threads = 1, .slow_ms = BSK_FOREVER, FIX_HOOKS);
    ck_assert_ptr_nonnull(rt);
    return rt;
}

static void finish(bsk_rt *rt, unsigned before)
{
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_uint_eq(fix_hits(), 1);
    ck_assert_uint_eq(open_fds(), before);
}

void open_run(bsk_fiber *fiber)
{
    unsigned before = open_fds();
    bsk_rt *rt = start();
    fix_born(bsk_spawn(rt, fiber));
    finish(rt, before);
}

void open_run_handler(bsk_handler *handler)
{
    unsigned before = open_fds();
    bsk_rt *rt = start();
    bsk_tell(fix_born(bsk_spawn(rt, handler)), stop_it);
    finish(rt, before);
}

void open_run_without_memory(bsk_fiber *fiber, unsigned most)
{
    unsigned before = open_fds();
    for (unsigned n = 1; n <= most; n++) {
        bsk_rt *rt = bsk_start(.workers = 1, .work_threads = 1, .quiet = true, FIX_HOOKS);
        ck_assert_ptr_nonnull(rt);
        mem_fail_at(n, 0);
        if (bsk_is_nobody(bsk_spawn(rt, fiber))) bsk_shutdown(rt);
        ck_assert_int_eq(bsk_wait(rt), 0);
        mem_fail_at(0, 0);
        ck_assert_uint_eq(open_fds(), before);
    }
}
