/* SPDX-License-Identifier: MIT */
/* check_burst.c - after a burst of actors and messages the memory goes back to the system.
 *
 * ctest: timeout=120 serial only=gcc,clang */
#include "suite.h"

#include "actors/actors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define HANDLERS 280000
#define FIBERS 20000
#define MESSAGES 1000000
#define MB 1048576
#define WAIT_MS 15000
#define SLACK_MB 16

BSK_MSG(burst_item, (i64, n), (str, text));

static int64_t resident(void)
{
    int64_t size, pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f) return 0;
    if (fscanf(f, "%" SCNd64 " %" SCNd64, &size, &pages) != 2) pages = 0;
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

static void nap(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* Holds what comes until it is told to let go: nothing is taken before its first message. */
static void hold(bsk_self *self)
{
    while (bsk_recv(self, BSK_FOREVER)) {
    }
}

static void handle(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(burst_item, v) {
            if (v->n < 0) bsk_exit(self);
        }
    }
}

/* Sleeps on its queue: the messages stay. */
static void keep(bsk_self *self)
{
    while (bsk_sleep(self, BSK_FOREVER) == 0) {
    }
}

static bsk_addr *spawn_all(bsk_rt *rt)
{
    bsk_addr *all = malloc((HANDLERS + FIBERS) * sizeof *all);
    ck_assert_ptr_nonnull(all);
    for (int i = 0; i < HANDLERS + FIBERS; i++) {
        all[i] = i < HANDLERS ? bsk_spawn(rt, handle)
                 : i % 2      ? bsk_spawn(rt, hold)
                              : bsk_spawn(rt, keep);
        ck_assert(!bsk_is_nobody(all[i]));
    }
    return all;
}

/* The messages lie in the mailboxes of the fibers that sleep. */
static void send_all(const bsk_addr *all)
{
    for (int i = 0; i < MESSAGES; i++)
        ck_assert_int_eq(bsk_try(all[HANDLERS + i % (FIBERS / 2) * 2], burst_item, .n = i,
                                 .text = "of a length that takes more than the smallest block"),
                         0);
}

static void end_all(bsk_rt *rt, bsk_addr *all)
{
    bsk_stats_out s;
    for (int i = 0; i < HANDLERS + FIBERS; i++) ck_assert_int_eq(bsk_stop(all[i], BSK_FOREVER), 0);
    free(all);
    do {
        nap(5);
        bsk_stats(rt, &s);
    } while (s.actors);
}

static void burst(bsk_rt *rt)
{
    int64_t before = resident();
    bsk_addr *all = spawn_all(rt);
    send_all(all);
    int64_t most = resident();
    end_all(rt, all);
    printf("burst: %" PRId64 " MB", (most - before) / MB);
}

/* A burst may leave a little: blocks in the caches of workers, the library's own heap. */
START_TEST(memory_goes_back_after_a_burst)
{
    bsk_rt *rt = bsk_start(.workers = 2, .no_signals = true, .quiet = true);
    nap(100);
    int64_t base = resident(), left = 0, ms;
    for (int round = 0; round < 2; round++) {
        burst(rt);
        int64_t at_end = resident() - base;
        for (ms = 0; ms < WAIT_MS && (left = resident() - base) > SLACK_MB * MB; ms += 50) nap(50);
        printf("; at its end %" PRId64 " MB above the base, %" PRId64 " ms later %" PRId64 " MB\n",
               at_end / MB, ms, left / MB);
    }
    ck_assert_int_le(left, SLACK_MB * MB);
    bsk_stats_out s;
    bsk_stats(rt, &s);
    ck_assert_uint_le(s.memory_messages + s.memory_stacks, SLACK_MB * MB);
    ck_assert_int_eq(bsk_wait(rt), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("burst");
    TCase *c = tcase_create("burst");
    tcase_set_timeout(c, 90);
    tcase_add_test(c, memory_goes_back_after_a_burst);
    suite_add_tcase(s, c);
    return run_suite(s);
}
