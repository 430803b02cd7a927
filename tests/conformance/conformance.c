/* SPDX-License-Identifier: MIT */
#include "conformance.h"

#include <stdio.h>
#include <string.h>

#define ENDS_MAX 4096

uint64_t seed_now;

static struct {
    bsk_addr who;
    int reason;
} ends[ENDS_MAX];
static unsigned nends;
static char line[2048];

static void note_line(void *arg, enum bsk_level level, const char *text)
{
    if (arg || level > BSK_LOG_WARN) return;
    snprintf(line, sizeof line, "%s", text);
}

static void note_event(void *arg, const bsk_event *e)
{
    if (arg || e->kind != BSK_EV_END || nends == ENDS_MAX) return;
    ends[nends].who = e->actor;
    ends[nends++].reason = (int)e->value;
}

bsk_rt *start_seeded(uint64_t seed)
{
    seed_now = seed;
    nends = 0;
    line[0] = '\0';
    bsk_rt *rt = bsk_start(.seed = seed, .quiet = true, .log = note_line, .trace = note_event);
    ck_assert_ptr_nonnull(rt);
    return rt;
}

static void ignore_line(void *arg, enum bsk_level level, const char *text)
{
    if (arg) fprintf(stderr, "%d: %s\n", (int)level, text);
}

bsk_rt *start_parallel(unsigned workers)
{
    seed_now = 0;
    bsk_rt *rt =
        bsk_start(.workers = workers, .quiet = true, .no_signals = true, .log = ignore_line);
    ck_assert_ptr_nonnull(rt);
    return rt;
}

int run_seeded(uint64_t seed, bsk_fiber *f)
{
    bsk_rt *rt = start_seeded(seed);
    expect(!bsk_is_nobody(bsk_spawn(rt, f)));
    return bsk_wait(rt);
}

void run_seeds(unsigned n, int status, bsk_fiber *f)
{
    for (uint64_t seed = 1; seed <= n; seed++) expect_eq(run_seeded(seed, f), status);
}

int reason_of(bsk_addr who)
{
    for (unsigned i = nends; i--;)
        if (bsk_same(ends[i].who, who)) return ends[i].reason;
    return -1;
}

const char *logged(void)
{
    return line;
}

uint64_t dead_letters(bsk_rt *rt, enum bsk_dead why)
{
    bsk_stats_out s;
    bsk_stats(rt, &s);
    return s.dead[why];
}

int64_t now(bsk_self *self)
{
    return bsk_now(bsk_rt_of(self));
}

void end_by(bsk_self *self, enum end how)
{
    switch (how) {
    case END_EXIT: bsk_exit(self);
    case END_FAIL: bsk_fail(self, "meant to fail");
    case END_STOPPED: ck_assert_int_eq(bsk_stop(bsk_me(self), BSK_FOREVER), 0); break;
    case END_KILLED: ck_assert_int_eq(bsk_kill(bsk_me(self)), 0); break;
    default: break;
    }
}

int reason_for(enum end how)
{
    static const int reasons[END_COUNT] = {BSK_NORMAL, BSK_FAILED, BSK_NORMAL, BSK_SHUTDOWN,
                                           BSK_KILLED};
    return reasons[how];
}

int status_for(enum end how)
{
    return how == END_FAIL ? 1 : 0;
}

int run_suite(const char *name, TCase *tests, double limit)
{
    Suite *s = suite_create(name);
    tcase_set_timeout(tests, limit);
    suite_add_tcase(s, tests);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
