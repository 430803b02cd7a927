/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include "actors/thread.h"

#include <pthread.h>

#define KEPT 65536
#define LINES 4096

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bsk_dead_letter letters[KEPT];
static unsigned nletters, counted[BSK_DEAD_COUNT];
static struct fix_end ends[KEPT];
static unsigned nends;
static char *lines[LINES];
static unsigned nlines;
static char said[4096];
static pthread_cond_t hit = PTHREAD_COND_INITIALIZER;
static unsigned hits;
static int64_t live, mapped;

void fix_on_log(void *arg, enum bsk_level level, const char *line)
{
    ck_assert(!arg && level <= BSK_LOG_DEBUG);
    pthread_mutex_lock(&lock);
    if (nlines < LINES) lines[nlines++] = strdup(line);
    pthread_mutex_unlock(&lock);
}

void fix_on_dead(void *arg, const bsk_dead_letter *dead)
{
    ck_assert(!arg && dead->why < BSK_DEAD_COUNT);
    pthread_mutex_lock(&lock);
    if (nletters < KEPT) letters[nletters++] = *dead;
    counted[dead->why]++;
    pthread_mutex_unlock(&lock);
}

void fix_on_trace(void *arg, const bsk_event *e)
{
    ck_assert(!arg && e->kind < BSK_EV_COUNT);
    if (e->kind != BSK_EV_END) return;
    pthread_mutex_lock(&lock);
    if (nends < KEPT)
        ends[nends++] = (struct fix_end){e->actor, (enum bsk_reason)e->value, e->ns,
                                         e->text && *e->text ? strdup(e->text) : ""};
    pthread_mutex_unlock(&lock);
}

void fix_setup(void)
{
    /* The thread's own record stays until its end: it is no leak of a runtime's. */
    ck_assert_ptr_nonnull(thread_self());
    live = mem_live();
    mapped = mem_mapped();
}

void fix_teardown(void)
{
    thread_drop_reply(thread_self());
    ck_assert_int_eq(mem_live(), live);
    ck_assert_int_eq(mem_mapped(), mapped);
}

unsigned fix_dead(const bsk_type *type, enum bsk_dead why)
{
    unsigned n = 0;
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < nletters; i++)
        n += letters[i].why == why && (!type || letters[i].type == type);
    if (!type) n = counted[why];
    pthread_mutex_unlock(&lock);
    return n;
}

unsigned fix_dead_all(void)
{
    unsigned n = 0;
    for (int why = 0; why < BSK_DEAD_COUNT; why++) n += fix_dead(NULL, (enum bsk_dead)why);
    return n;
}

unsigned fix_lines(const char *part)
{
    unsigned n = 0;
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < nlines; i++) n += strstr(lines[i], part) != NULL;
    pthread_mutex_unlock(&lock);
    return n;
}

unsigned fix_ends(void)
{
    pthread_mutex_lock(&lock);
    unsigned n = nends;
    pthread_mutex_unlock(&lock);
    return n;
}

struct fix_end fix_end_at(unsigned i)
{
    ck_assert_uint_lt(i, fix_ends());
    return ends[i];
}

static const struct fix_end *find_end(bsk_addr who)
{
    for (unsigned i = 0, n = fix_ends(); i < n; i++)
        if (bsk_same(ends[i].who, who)) return &ends[i];
    return NULL;
}

bool fix_ended(bsk_addr who)
{
    return find_end(who) != NULL;
}

struct fix_end fix_end_of(bsk_addr who)
{
    const struct fix_end *e = find_end(who);
    ck_assert_msg(e != NULL, "the actor has not ended");
    return *e;
}

void fix_say(const char *what)
{
    pthread_mutex_lock(&lock);
    ck_assert_uint_lt(strlen(said) + strlen(what), sizeof said);
    strcat(said, what);
    pthread_mutex_unlock(&lock);
}

const char *fix_said(void)
{
    return said;
}

struct fix_memory fix_memory(void)
{
    return (struct fix_memory){mem_live(), mem_mapped()};
}

void fix_nothing_lost(struct fix_memory before, uint64_t n, int onward)
{
    struct fix_memory after = fix_memory();
    ck_assert_msg(after.live == before.live, "%lld blocks lost with %s %llu",
                  (long long)(after.live - before.live), onward ? "all from" : "no",
                  (unsigned long long)n);
    ck_assert_msg(after.mapped == before.mapped, "%lld bytes lost with %s %llu",
                  (long long)(after.mapped - before.mapped), onward ? "all from" : "no",
                  (unsigned long long)n);
}

void fix_hit(void)
{
    pthread_mutex_lock(&lock);
    hits++;
    pthread_cond_broadcast(&hit);
    pthread_mutex_unlock(&lock);
}

unsigned fix_hits(void)
{
    pthread_mutex_lock(&lock);
    unsigned n = hits;
    pthread_mutex_unlock(&lock);
    return n;
}

void fix_await(unsigned n)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    int rc = 0;
    pthread_mutex_lock(&lock);
    while (hits < n && rc == 0) rc = pthread_cond_timedwait(&hit, &lock, &until);
    unsigned got = hits;
    pthread_mutex_unlock(&lock);
    ck_assert_msg(got >= n, "waited in vain: %u of %u", got, n);
}

void fix_stop(bsk_rt *rt, int status)
{
    bsk_shutdown(rt);
    ck_assert_int_eq(bsk_wait(rt), status);
}

bsk_addr fix_born(bsk_addr who)
{
    ck_assert_msg(!bsk_is_nobody(who), "not started: %s", bsk_errname(bsk_error(NULL)));
    return who;
}

int fix_main(const char *name, const TTest *const *tests, unsigned n, int seconds)
{
    Suite *s = suite_create(name);
    TCase *t = tcase_create(name);
    tcase_set_timeout(t, seconds);
    tcase_add_checked_fixture(t, fix_setup, fix_teardown);
    const char *only = getenv("FIX_ONLY");
    for (unsigned i = 0; i < n; i++)
        if (!only || strstr(tests[i]->name, only)) tcase_add_test(t, tests[i]);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
