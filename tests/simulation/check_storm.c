/* SPDX-License-Identifier: MIT */
/* check_storm.c - runtimes that start and end, 300 times, under load.
 *
 * ctest: timeout=180 */
#include "actors/actors.h"
#include "mailbox/memory.h"
#include "random.h"
#include "suite.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#define STORMS 300

BSK_MSG(storm_pong, (i64, n));
BSK_CALL(storm_ping, storm_pong, (i64, n));
BSK_MSG(storm_tick);

static void no_log(void *arg, enum bsk_level level, const char *line)
{
    if (arg || level > BSK_LOG_DEBUG || !line) abort();
}

/* Answers; keeps timers in the wheels meanwhile. */
static void serve(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(storm_ping, q) {
            if (q->n % 3 == 0) bsk_after(self, q->n % 7, storm_tick);
            if (q->n % 5) bsk_reply(q, storm_ping, .n = q->n);
        }
        bsk_on(storm_tick, v) {
            if (v->bsk_end_) abort();
        }
    }
}

static void work(bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(storm_ping, q) {
            bsk_reply(q, storm_ping, .n = q->n);
        }
    }
}

/* Calls for as long as it may. */
static void call(bsk_self *self)
{
    bsk_addr to = *(bsk_addr *)bsk_state(self);
    for (int64_t n = 0; !bsk_cancelled(self); n++) {
        const storm_pong *got = n % 16 ? bsk_call(self, to, 1 + n % 3, storm_ping, .n = n)
                                       : bsk_work_call(self, 5, work, storm_ping, .n = n);
        if (got && got->n != n) abort();
    }
}

struct outsider {
    bsk_addr to;
    _Atomic bool over;
    pthread_t thread;
};

static void *call_from_outside(void *arg)
{
    struct outsider *o = arg;
    for (int64_t n = 1; !atomic_load(&o->over); n++) {
        const storm_pong *got = bsk_call(NULL, o->to, 2, storm_ping, .n = n);
        if (got && got->n != n) abort();
        bsk_tell(o->to, storm_ping, .n = n);
    }
    return NULL;
}

static void load(bsk_rt *rt, struct outsider *o)
{
    o->to = bsk_spawn(rt, serve, .mailbox = 64);
    ck_assert(!bsk_is_nobody(o->to));
    for (int i = 0; i < 20; i++)
        ck_assert(!bsk_is_nobody(bsk_spawn(rt, call,
                                           BSK_STATE(bsk_addr, o->to.node, o->to.slot, o->to.gen),
                                           .high = i % 4 == 0, .own_thread = i == 7)));
    ck_assert_int_eq(pthread_create(&o->thread, NULL, call_from_outside, o), 0);
}

static void blow(uint64_t *random)
{
    struct outsider o = {.over = false};
    bsk_rt *rt = bsk_start(.workers = 1 + random_below(random, 4), .no_signals = true,
                           .quiet = true, .log = no_log);
    ck_assert_ptr_nonnull(rt);
    load(rt, &o);
    nanosleep(&(struct timespec){0, random_below(random, 8000000)}, NULL);
    bsk_shutdown(rt);
    ck_assert_int_eq(bsk_wait(rt), 0);
    atomic_store(&o.over, true);
    pthread_join(o.thread, NULL);
}

static int open_files(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;
    if (!d) return 0;
    while (readdir(d)) n++;
    closedir(d);
    return n;
}

START_TEST(runtimes_start_and_end_under_load)
{
    uint64_t random = 1;
    blow(&random);
    int64_t live = mem_live(), mapped = mem_mapped();
    int files = open_files();
    for (int i = 0; i < STORMS; i++) blow(&random);
    ck_assert_int_eq(mem_live(), live);
    ck_assert_int_eq(mem_mapped(), mapped);
    ck_assert_int_eq(open_files(), files);
}
END_TEST

START_TEST(runtimes_start_and_end_without_load)
{
    int64_t live = mem_live(), mapped = mem_mapped();
    for (int i = 0; i < STORMS; i++) {
        bsk_rt *rt = bsk_start(.workers = 4, .no_signals = true);
        ck_assert_ptr_nonnull(rt);
        ck_assert_int_eq(bsk_wait(rt), 0);
    }
    ck_assert_int_eq(mem_live(), live);
    ck_assert_int_eq(mem_mapped(), mapped);
}
END_TEST

START_TEST(many_runtimes_live_side_by_side)
{
    bsk_rt *rt[20];
    struct outsider o[20];
    for (int i = 0; i < 20; i++) {
        o[i] = (struct outsider){.over = false};
        rt[i] = bsk_start(.workers = 2, .no_signals = true, .quiet = true, .log = no_log);
        ck_assert_ptr_nonnull(rt[i]);
        load(rt[i], &o[i]);
    }
    nanosleep(&(struct timespec){0, 50000000}, NULL);
    for (int i = 0; i < 20; i++) {
        bsk_shutdown(rt[i]);
        ck_assert_int_eq(bsk_wait(rt[i]), 0);
        atomic_store(&o[i].over, true);
        pthread_join(o[i].thread, NULL);
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("storm");
    TCase *c = tcase_create("storm");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, runtimes_start_and_end_under_load);
    tcase_add_test(c, runtimes_start_and_end_without_load);
    tcase_add_test(c, many_runtimes_live_side_by_side);
    suite_add_tcase(s, c);
    return run_suite(s);
}
