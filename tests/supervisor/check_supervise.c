/* SPDX-License-Identifier: MIT */
/* check_supervise.c - supervisors at the edges: who may ask, and when in vain; stopped and killed
 * at any moment; short of memory at any allocation; many children; many threads.
 *
 * ctest: timeout=120 */
#include "../actors/fixture.h"

#include "supervisor/supervisor.h"
#include "tests/sanitizers.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

BSK_MSG(crash);

static bsk_rt *rt;

static void run(uint64_t seed, bsk_fiber *f, int status)
{
    rt = bsk_start(.seed = seed, .quiet = true, FIX_TRACED);
    ck_assert_ptr_nonnull(rt);
    fix_born(bsk_spawn(rt, f));
    ck_assert_int_eq(bsk_wait(rt), status);
}

static bsk_addr born(bsk_self *self, bsk_addr who)
{
    ck_assert_msg(!bsk_is_nobody(who), "%s: %s", bsk_errname(bsk_error(self)),
                  bsk_error_text(self));
    return who;
}

static void worker(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(crash, c) bsk_fail(self, "crash");
        bsk_on(get, g) bsk_reply(g, get, .v = g->v);
    }
}

static void obey(bsk_self *self)
{
    for (bsk_msg *m; (m = bsk_recv(self, BSK_FOREVER));) worker(self, m);
}

/* Is ready after its state, in ms. */
static void start_slowly(bsk_self *self)
{
    if (bsk_sleep(self, *(const int *)bsk_state(self))) return;
    bsk_ready(self, 0);
    obey(self);
}

/* Is not ready before it is killed. */
static void never_start(bsk_self *self)
{
    bsk_shield(self);
    bsk_sleep(self, BSK_FOREVER);
}

/* Is deaf to stops. */
static void ignore_stop(bsk_self *self)
{
    bsk_shield(self);
    while (bsk_recv(self, BSK_FOREVER)) continue;
}

static bool gone(bsk_addr who)
{
    bsk_ties_out out;
    return bsk_ties(who, &out) == BSK_EDEAD;
}

/* Waits for the end of who is not the root's business. */
static int await_end(bsk_self *self, bsk_addr who)
{
    int reason = -1;
    ck_assert_uint_ne(bsk_watch(self, who).gen, 0);
    bsk_match(bsk_recv_only(self, BSK_FOREVER, BSK_T(bsk_down))) {
        bsk_on(bsk_down, d) reason = (int)d->reason;
    }
    return reason;
}

/* Every word, as one that may be asked there. */
static void expect_all(bsk_self *self, bsk_addr sup, int64_t ms, int rc)
{
    bsk_child_spec spec = bsk_child(worker, .id = "x");
    bsk_sup_counts counts;
    bsk_child_info info;
    size_t n;
    ck_assert_int_eq(bsk_sup_add(self, sup, ms, &spec, NULL), rc);
    ck_assert_int_eq(bsk_sup_restart(self, sup, ms, "a", NULL), rc);
    ck_assert_int_eq(bsk_sup_stop(self, sup, ms, "a"), rc);
    ck_assert_int_eq(bsk_sup_stop_actor(self, sup, ms, sup), rc);
    ck_assert_int_eq(bsk_sup_delete(self, sup, ms, "a"), rc);
    ck_assert_int_eq(bsk_sup_change(self, sup, ms, BSK_SUP(0), &spec, 1), rc);
    ck_assert_int_eq(bsk_sup_count(self, sup, ms, &counts), rc);
    ck_assert_int_eq(bsk_sup_list(self, sup, ms, &info, 1, &n), rc);
    ck_assert_int_eq(bsk_sup_child(self, sup, ms, "a", &info), rc);
}

static void deaf(bsk_self *self)
{
    bsk_sleep(self, BSK_FOREVER);
}

static void ask_strangers(bsk_self *self)
{
    bsk_addr handler = bsk_spawn(rt, worker), fiber = bsk_spawn(rt, obey),
             sleeper = bsk_spawn(rt, deaf);
    expect_all(self, handler, BSK_FOREVER, BSK_EINVAL);
    expect_all(self, fiber, BSK_FOREVER, BSK_EINVAL);
    expect_all(self, sleeper, 10, BSK_ETIMEDOUT);
    ck_assert_int_eq(bsk_error(self), BSK_ETIMEDOUT);
    ck_assert_str_eq(bsk_error_text(self), "");
    bsk_shutdown(rt);
}

START_TEST(who_is_no_supervisor_does_not_take_the_words_of_one)
{
    run(1, ask_strangers, 0);
}
END_TEST

static bsk_addr sup_now;

static void ask_in_handler(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(crash, c) {
            expect_all(self, sup_now, 100, BSK_EINVAL);
            expect_all(NULL, sup_now, 100, BSK_EINVAL);
            fix_hit();
        }
    }
}

START_TEST(a_handler_cannot_ask_a_supervisor)
{
    rt = bsk_start(.seed = 1, FIX_HOOKS);
    sup_now = fix_born(bsk_supervise(rt, BSK_SUP(0), bsk_child(worker, .name = "a")));
    bsk_tell(fix_born(bsk_spawn(rt, ask_in_handler)), crash);
    bsk_advance(rt, 10);
    ck_assert_uint_eq(fix_hits(), 1);
    bsk_sup_counts n;
    ck_assert_int_eq(bsk_sup_count(NULL, sup_now, 100, &n), 0);
    ck_assert_uint_eq(n.specs, 1);
    fix_stop(rt, 0);
}
END_TEST

static void fail_init(bsk_self *self)
{
    bsk_fail(self, "no luck");
}

static bsk_addr made[3];

/* It does not wait; what fails is the supervisor's end. */
static void supervise_in_handler(bsk_self *self, bsk_msg *m)
{
    int slow = 50;
    bsk_match(m) {
        bsk_on(crash, c) {
            made[0] =
                born(self, bsk_supervise(rt, BSK_SUP(.name = "slow"),
                                         bsk_child(start_slowly, .reports_ready = true,
                                                   .state = &slow, .state_size = sizeof slow)));
            made[1] = born(self, bsk_supervise(rt, BSK_SUP(.name = "fails"),
                                               bsk_child(worker, .init = fail_init)));
            made[2] = bsk_supervise(rt, BSK_SUP(.intensity = -5), bsk_child(worker));
            ck_assert_int_eq(bsk_error(self), BSK_EINVAL);
        }
    }
}

START_TEST(a_handler_starts_a_supervisor_and_does_not_wait)
{
    rt = bsk_start(.seed = 1, FIX_TRACED);
    bsk_tell(fix_born(bsk_spawn(rt, supervise_in_handler)), crash);
    bsk_advance(rt, 10);
    ck_assert(bsk_alive(made[0]));
    ck_assert(bsk_is_nobody(made[2]));
    ck_assert_int_eq(fix_end_of(made[1]).reason, BSK_FAILED);
    ck_assert_ptr_nonnull(strstr(fix_end_of(made[1]).text, "failed to start child #1: failed"));
    bsk_sup_counts n;
    ck_assert_int_eq(bsk_sup_count(NULL, made[0], 10, &n), BSK_ETIMEDOUT);
    ck_assert_int_eq(bsk_sup_count(NULL, made[0], 100, &n), 0);
    ck_assert_uint_eq(n.active, 1);
    fix_stop(rt, 1);
}
END_TEST

static void kill_at_once(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(crash, c) {
            for (int i = 0; i < 3; i++) {
                bsk_addr s = born(self, bsk_supervise(rt, BSK_SUP(0), bsk_child(worker)));
                ck_assert_int_eq(i == 2 ? bsk_stop(s, BSK_FOREVER) : bsk_kill(s), 0);
            }
        }
    }
}

/* Before it has run at all: what it was to start with is freed. */
START_TEST(a_supervisor_is_killed_before_it_has_run)
{
    rt = bsk_start(.seed = 1, FIX_HOOKS);
    bsk_tell(fix_born(bsk_spawn(rt, kill_at_once)), crash);
    bsk_advance(rt, 10);
    bsk_stats_out s;
    bsk_stats(rt, &s);
    ck_assert_uint_eq(s.actors, 1);
    fix_stop(rt, 0);
}
END_TEST

static int64_t grace; /* of slow ones */

static void supervise_slow(bsk_self *self)
{
    ck_assert(!bsk_is_nobody(bsk_me(self)));
    const int never = 1000000;
    bsk_supervise(rt, BSK_SUP(.name = "top"), bsk_child(worker, .name = "a"),
                  bsk_child_sup(BSK_SUP(.name = "b"),
                                bsk_child(start_slowly, .name = "c", .reports_ready = true,
                                          .state = &never, .state_size = sizeof never)));
    fix_say("returned");
}

/* Whoever ends while supervisors start: nothing is left. */
static void end_while_starting(bsk_self *self, const char *whom, bool kill)
{
    bsk_addr starter = bsk_spawn(rt, supervise_slow);
    bsk_sleep(self, 10);
    bsk_addr who = *whom ? bsk_whereis(rt, whom) : starter;
    bsk_addr top = bsk_whereis(rt, "top");
    ck_assert_int_eq(kill ? bsk_kill(who) : bsk_stop(who, BSK_FOREVER), 0);
    bsk_sleep(self, 1);
    ck_assert_msg(gone(who), "%s %d", whom, kill);
    /* A starter that is killed leaves its supervisor to the root. */
    bool stays = !*whom && kill;
    ck_assert_msg(!gone(top) == stays, "%s %d", whom, kill);
    const char *const names[] = {"top", "a", "b", "c"};
    for (int i = 0; i < 4; i++) ck_assert_int_eq(!bsk_is_nobody(bsk_whereis(rt, names[i])), stays);
    bsk_shutdown(rt);
}

#define WHILE_STARTING(name, whom, kill)                                                           \
    static void name##_f(bsk_self *self)                                                           \
    {                                                                                              \
        end_while_starting(self, whom, kill);                                                      \
    }

WHILE_STARTING(stop_top, "top", false)
WHILE_STARTING(kill_top, "top", true)
WHILE_STARTING(stop_below, "b", false)
WHILE_STARTING(kill_below, "b", true)
WHILE_STARTING(kill_child, "c", true)
WHILE_STARTING(stop_starter, "", false)
WHILE_STARTING(kill_starter, "", true)

START_TEST(whoever_is_stopped_or_killed_during_the_start_nothing_is_left)
{
    bsk_fiber *const f[] = {stop_top_f,   kill_top_f,     stop_below_f,  kill_below_f,
                            kill_child_f, stop_starter_f, kill_starter_f};
    for (uint64_t seed = 1; seed <= 10; seed++)
        for (int i = 0; i < 7; i++) {
            bool quiet = i <= 0 || i == 5 || i == 6 || i == 1;
            run(seed, f[i], quiet ? 0 : 1);
        }
}
END_TEST

/* One child that does not get ready, nor hears a stop. */
static void end_while_stuck(bsk_self *self)
{
    bsk_addr sup = born(self, bsk_supervise_none(rt, BSK_SUP(.name = "top")));
    bsk_child_spec stuck =
        bsk_child(never_start, .name = "stuck", .reports_ready = true, .shutdown_ms = grace);
    ck_assert_int_eq(bsk_sup_add(self, sup, 10, &stuck, NULL), BSK_ETIMEDOUT);
    bsk_addr child = bsk_whereis(rt, "stuck");
    int64_t before = bsk_now(rt);
    bool kill = grace == BSK_FOREVER;
    ck_assert_int_eq(kill ? bsk_kill(sup) : bsk_stop(sup, BSK_FOREVER), 0);
    int reason = await_end(self, sup);
    ck_assert_int_eq(reason, kill ? BSK_KILLED : BSK_SHUTDOWN);
    ck_assert_int_eq(bsk_now(rt) - before, kill ? 0 : grace);
    ck_assert(gone(child));
    ck_assert_int_eq(fix_end_of(child).reason, BSK_KILLED);
}

START_TEST(a_supervisor_ends_while_it_starts_a_child_that_hangs)
{
    grace = _i ? BSK_FOREVER : 300;
    for (uint64_t seed = 1; seed <= 10; seed++) run(seed, end_while_stuck, 0);
}
END_TEST

static void end_while_stopping(bsk_self *self)
{
    bsk_addr sup =
        born(self, bsk_supervise(rt, BSK_SUP(.name = "top"), bsk_child(worker, .name = "a"),
                                 bsk_child(ignore_stop, .name = "deaf", .shutdown_ms = grace)));
    bsk_addr child = bsk_whereis(rt, "deaf"), a = bsk_whereis(rt, "a");
    bsk_sleep(self, 1);
    ck_assert_int_eq(bsk_sup_stop(self, sup, 10, "deaf"), BSK_ETIMEDOUT);
    int64_t before = bsk_now(rt);
    bool kill = grace == BSK_FOREVER;
    ck_assert_int_eq(kill ? bsk_kill(sup) : bsk_stop(sup, BSK_FOREVER), 0);
    int reason = await_end(self, sup);
    ck_assert_int_eq(reason, kill ? BSK_KILLED : BSK_SHUTDOWN);
    ck_assert_int_eq(bsk_now(rt) - before, kill ? 0 : grace - 10);
    ck_assert(gone(child) && gone(a));
    ck_assert_int_eq(fix_end_of(a).reason, kill ? BSK_KILLED : BSK_SHUTDOWN);
}

START_TEST(a_supervisor_ends_while_it_stops_a_child_that_hears_nothing)
{
    grace = _i ? BSK_FOREVER : 300;
    for (uint64_t seed = 1; seed <= 10; seed++) run(seed, end_while_stopping, 0);
}
END_TEST

/* What comes too late for who asked is done wholly, or not at all. */
static void ask_a_busy_one(bsk_self *self)
{
    const int slow = 100;
    bsk_addr sup = born(self, bsk_supervise(rt, BSK_SUP(0), bsk_child(worker, .name = "a")));
    bsk_child_spec s = bsk_child(start_slowly, .name = "slow", .reports_ready = true,
                                 .state = &slow, .state_size = sizeof slow);
    bsk_child_spec b = bsk_child(worker, .name = "b", BSK_STATE(get, .v = 1));
    ck_assert_int_eq(bsk_sup_add(self, sup, 10, &s, NULL), BSK_ETIMEDOUT);
    ck_assert_int_eq(bsk_sup_add(self, sup, 10, &b, NULL), BSK_ETIMEDOUT);
    ck_assert_int_eq(bsk_sup_change(self, sup, 10, BSK_SUP(.intensity = 3), &b, 1), BSK_ETIMEDOUT);
    expect_all(self, sup, 0, BSK_ETIMEDOUT);
    bsk_sup_counts n;
    ck_assert_int_eq(bsk_sup_count(self, sup, 1000, &n), 0);
    ck_assert_uint_eq(n.specs, 2);
    ck_assert_uint_eq(n.active, 2);
    bsk_child_info i;
    ck_assert_int_eq(bsk_sup_child(self, sup, 1000, "slow", &i), 0);
    ck_assert_int_eq(i.state, BSK_CHILD_RUNNING);
    ck_assert_int_eq(bsk_sup_child(self, sup, 1000, "b", &i), BSK_ENOTFOUND);
    bsk_shutdown(rt);
}

START_TEST(requests_whose_time_passes_while_the_supervisor_is_busy_are_not_served)
{
    for (uint64_t seed = 1; seed <= 20; seed++) run(seed, ask_a_busy_one, 0);
}
END_TEST

static void ask_and_hang(bsk_self *self)
{
    const int slow = 100;
    bsk_child_spec s =
        bsk_child(start_slowly, .reports_ready = true, .state = &slow, .state_size = sizeof slow);
    for (;;)
        if (bsk_sup_add(self, sup_now, BSK_FOREVER, &s, NULL) == BSK_ECANCELED) return;
}

/* Who asked is killed, or stopped, while it waits. */
static void end_the_askers(bsk_self *self)
{
    bsk_addr asker[4];
    sup_now = born(self, bsk_supervise_none(rt, BSK_SUP(0)));
    for (int i = 0; i < 4; i++) asker[i] = bsk_spawn(rt, ask_and_hang);
    bsk_sleep(self, 150);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(i % 2 ? bsk_kill(asker[i]) : bsk_stop(asker[i], BSK_FOREVER), 0);
    bsk_sleep(self, 1);
    for (int i = 0; i < 4; i++) ck_assert(gone(asker[i]));
    bsk_sup_counts n;
    ck_assert_int_eq(bsk_sup_count(self, sup_now, 1000, &n), 0);
    ck_assert_uint_eq(n.active, 2);
    bsk_shutdown(rt);
}

START_TEST(askers_that_end_while_they_wait_leave_nothing)
{
    for (uint64_t seed = 1; seed <= 20; seed++) run(seed, end_the_askers, 0);
}
END_TEST

static bool downs_in_order;

static void watch_and_note(bsk_self *self)
{
    const bsk_addr sup = sup_now;
    bsk_addr a = bsk_whereis(rt, "a"), deep = bsk_whereis(rt, "deep");
    bsk_watch(self, sup);
    fix_hit();
    bsk_match(bsk_recv(self, BSK_FOREVER)) {
        bsk_on(bsk_down, d) downs_in_order = gone(a) && gone(deep) && d->reason == BSK_KILLED;
    }
}

static void kill_a_tree(bsk_self *self)
{
    downs_in_order = false;
    born(self, bsk_supervise(rt, BSK_SUP(.name = "top"),
                             bsk_child_sup(BSK_SUP(.name = "mid"), bsk_child(worker, .name = "a"),
                                           bsk_child_sup(BSK_SUP(.name = "low"),
                                                         bsk_child(ignore_stop, .name = "deep",
                                                                   .shutdown_ms = BSK_FOREVER)))));
    const char *const names[] = {"mid", "a", "low", "deep"};
    bsk_addr before[4];
    for (int i = 0; i < 4; i++) before[i] = bsk_whereis(rt, names[i]);
    sup_now = before[0];
    bsk_spawn(rt, watch_and_note);
    bsk_sleep(self, 1);
    ck_assert_int_eq(bsk_kill(sup_now), 0);
    bsk_sleep(self, 1);
    ck_assert(downs_in_order);
    for (int i = 0; i < 4; i++) {
        bsk_addr now = bsk_whereis(rt, names[i]);
        ck_assert(gone(before[i]) && bsk_alive(now) && !bsk_same(before[i], now));
    }
    ck_assert_int_eq(bsk_kill(bsk_whereis(rt, "deep")), 0);
    ck_assert_int_eq(bsk_kill(bsk_whereis(rt, "top")), 0);
}

START_TEST(a_killed_supervisor_takes_all_below_with_it_and_its_parent_starts_it_again)
{
    for (uint64_t seed = 1; seed <= 30; seed++) run(seed, kill_a_tree, 0);
}
END_TEST

/* Its start arguments are there again when its supervisor is. */
static void tell_state(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(get, g) bsk_reply(g, get, .v = *(const int *)bsk_state(self));
    }
}

static int64_t state_of(bsk_self *self, const char *name)
{
    const num *n = bsk_call(self, bsk_whereis(rt, name), 100, get);
    ck_assert_ptr_nonnull(n);
    return n->v;
}

static void restart_with_state(bsk_self *self)
{
    born(self, bsk_supervise(rt, BSK_SUP(0),
                             bsk_child_sup(BSK_SUP(.name = "below"),
                                           bsk_child(tell_state, .name = "t",
                                                     .restart = BSK_TEMPORARY, BSK_STATE(int, 42)),
                                           bsk_child(worker))));
    bsk_addr below = bsk_whereis(rt, "below");
    bsk_child_spec more = bsk_child(worker);
    ck_assert_int_eq(bsk_sup_add(self, below, 100, &more, NULL), 0);
    ck_assert_int_eq(state_of(self, "t"), 42);
    bsk_kill(below);
    bsk_sleep(self, 1);
    ck_assert_int_eq(state_of(self, "t"), 42);
    bsk_shutdown(rt);
}

START_TEST(a_temporary_child_has_its_arguments_again_when_its_supervisor_was_restarted)
{
    run(1, restart_with_state, 0);
}
END_TEST

static void escalate(bsk_self *self)
{
    bsk_addr top =
        born(self, bsk_supervise(rt, BSK_SUP(.name = "top", .intensity = BSK_NONE),
                                 bsk_child_sup(BSK_SUP(.name = "mid", .intensity = BSK_NONE),
                                               bsk_child(worker, .name = "db"))));
    bsk_addr mid = bsk_whereis(rt, "mid");
    bsk_tell(bsk_whereis(rt, "db"), crash);
    bsk_sleep(self, 1);
    ck_assert_int_eq(fix_end_of(mid).reason, BSK_GAVE_UP);
    ck_assert_str_eq(fix_end_of(mid).text, "child db: failed: crash");
    ck_assert_int_eq(fix_end_of(top).reason, BSK_GAVE_UP);
    ck_assert_str_eq(fix_end_of(top).text, "child mid: gave up: child db: failed: crash");
}

START_TEST(giving_up_goes_up_the_tree_and_says_which_child_and_why)
{
    run(1, escalate, 1);
    ck_assert_uint_ge(fix_lines("top"), 1);
}
END_TEST

/* While the runtime ends nothing is started, which is nobody's failure. */
static void crash_at_the_end(bsk_self *self)
{
    bsk_addr a = bsk_whereis(rt, "a");
    bsk_shield(self);
    while (bsk_alive(bsk_me(self))) bsk_sleep(self, 1);
    ck_assert(bsk_is_nobody(bsk_supervise(rt, BSK_SUP(0), bsk_child(worker))));
    ck_assert_int_eq(bsk_error(self), BSK_ESTOPPING);
    bsk_tell(a, crash);
    bsk_sleep(self, 50);
    bsk_sup_counts n;
    ck_assert_int_eq(bsk_sup_count(self, sup_now, 100, &n), 0);
    ck_assert_uint_eq(n.active, 1);
    fix_hit();
}

START_TEST(a_restart_while_the_runtime_ends_is_left_undone_without_a_failure)
{
    for (int strategy = 0; strategy < 3; strategy++) {
        rt = bsk_start(.seed = 1, FIX_HOOKS);
        sup_now =
            fix_born(bsk_supervise(rt, BSK_SUP(.strategy = (enum bsk_strategy)strategy),
                                   bsk_child(worker, .name = "b"), bsk_child(worker, .name = "a")));
        if (strategy == BSK_ONE_FOR_ALL) {
            bsk_sup_counts n;
            ck_assert_int_eq(bsk_sup_count(NULL, sup_now, 10, &n), 0);
            fix_hit();
        } else {
            bsk_spawn(rt, crash_at_the_end);
        }
        bsk_advance(rt, 5);
        fix_stop(rt, 0);
        ck_assert_uint_eq(fix_hits(), (unsigned)strategy + 1);
    }
}
END_TEST

static _Atomic bool over;

static void *watch_the_name(void *arg)
{
    bsk_addr last = {0, 0, 0};
    unsigned *seen = arg;
    while (!over) {
        bsk_addr who = bsk_whereis(rt, "the name");
        if (bsk_is_nobody(who) || bsk_same(who, last)) continue;
        /* A new one: the one before has ended. */
        ck_assert(bsk_is_nobody(last) || !bsk_alive(last));
        ++*seen;
        last = who;
    }
    return arg;
}

START_TEST(a_name_shows_one_after_another_over_restarts)
{
    unsigned seen = 0;
    pthread_t t;
    over = false;
    rt = bsk_start(.workers = 2, .quiet = true, FIX_HOOKS);
    bsk_addr sup = fix_born(bsk_supervise(rt, BSK_SUP(.intensity = 1000000, .period_ms = 1),
                                          bsk_child(worker, .name = "the name")));
    ck_assert_int_eq(pthread_create(&t, NULL, watch_the_name, &seen), 0);
    for (int i = 0; i < 2000; i++) {
        bsk_addr who = bsk_whereis(rt, "the name");
        if (!bsk_is_nobody(who)) bsk_tell(who, crash);
        if (i % 64 == 0) sched_yield();
    }
    bsk_sup_counts n;
    ck_assert_int_eq(bsk_sup_count(NULL, sup, 10000, &n), 0);
    over = true;
    pthread_join(t, NULL);
    ck_assert(!bsk_is_nobody(bsk_whereis(rt, "the name")) || n.active == 0);
    fix_stop(rt, 0);
}
END_TEST

/* Many threads ask, crash and stop; at the end all is accounted for. */
static void *torment(void *arg)
{
    unsigned seed = *(unsigned *)arg;
    char name[16];
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "w%u", (unsigned)rand_r(&seed) % 8);
        bsk_child_spec spec = bsk_child(worker, .name = name, .restart = (enum bsk_restart)(i % 3),
                                        BSK_STATE(get, .v = i));
        bsk_child_info all[16];
        size_t n;
        switch (rand_r(&seed) % 8) {
        case 0:
        case 1: (void)!bsk_sup_add(NULL, sup_now, 5000, &spec, NULL); break;
        case 2: (void)!bsk_sup_stop(NULL, sup_now, 5000, name); break;
        case 3: (void)!bsk_sup_restart(NULL, sup_now, 5000, name, NULL); break;
        case 4: (void)!bsk_sup_delete(NULL, sup_now, 5000, name); break;
        case 5: bsk_kill(bsk_whereis(rt, name)); break;
        case 6: bsk_tell(bsk_whereis(rt, name), crash); break;
        default: ck_assert_int_eq(bsk_sup_list(NULL, sup_now, 5000, all, 16, &n), 0);
        }
    }
    return arg;
}

START_TEST(threads_ask_and_children_crash_at_the_same_time)
{
    enum { THREADS = 3 };
    pthread_t t[THREADS];
    unsigned seeds[THREADS];
    rt = bsk_start(.workers = 2, .quiet = true, FIX_HOOKS);
    sup_now = fix_born(bsk_supervise_none(
        rt, BSK_SUP(.strategy = (enum bsk_strategy)_i, .intensity = 1000000, .period_ms = 1)));
    for (unsigned i = 0; i < THREADS; i++) {
        seeds[i] = i + 1;
        ck_assert_int_eq(pthread_create(&t[i], NULL, torment, &seeds[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) pthread_join(t[i], NULL);
    bsk_child_info all[16];
    size_t n;
    bsk_sup_counts counts;
    ck_assert_int_eq(bsk_sup_list(NULL, sup_now, 5000, all, 16, &n), 0);
    ck_assert_int_eq(bsk_sup_count(NULL, sup_now, 5000, &counts), 0);
    ck_assert_uint_eq(counts.specs, n);
    ck_assert_uint_le(n, 8);
    fix_stop(rt, 0);
}
END_TEST

/* Supervisors of one template share its specs, on all threads. */
START_TEST(instances_that_are_supervisors_come_and_go_on_many_threads)
{
    rt = bsk_start(.workers = 2, .quiet = true, FIX_HOOKS);
    const bsk_child_spec inner[] = {
        bsk_child(worker, .restart = BSK_TEMPORARY, BSK_STATE(get, .v = 1)),
        bsk_child(worker, BSK_STATE(get, .v = 2))};
    const bsk_child_spec template = {.opts = {.restart = BSK_TEMPORARY},
                                     .sup = BSK_SUP(.intensity = BSK_NONE),
                                     .children = inner,
                                     .nchildren = 2};
    bsk_addr sup = fix_born(bsk_supervise_(rt, BSK_SUP(.strategy = BSK_DYNAMIC), &template, 1));
    bsk_started made_now[100];
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 100; i++) {
            ck_assert_int_eq(bsk_sup_add(NULL, sup, 5000, NULL, &made_now[i]), 0);
            if (i % 3) ck_assert_int_eq(bsk_kill(made_now[i].who), 0);
        }
        for (int i = 0; i < 100; i += 3)
            ck_assert_int_eq(bsk_sup_stop_actor(NULL, sup, 5000, made_now[i].who), 0);
    }
    bsk_sup_counts n;
    do ck_assert_int_eq(bsk_sup_count(NULL, sup, 5000, &n), 0);
    while (n.supervisors);
    fix_stop(rt, 0);
}
END_TEST

static void ignore_line(void *arg, enum bsk_level level, const char *line)
{
    ck_assert(!arg && line && level <= BSK_LOG_WARN);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void start_static(unsigned n)
{
    bsk_child_spec *specs = calloc(n, sizeof *specs);
    ck_assert_ptr_nonnull(specs);
    for (unsigned i = 0; i < n; i++) specs[i] = (bsk_child_spec)bsk_child(worker);
    sup_now = fix_born(bsk_supervise_(rt, BSK_SUP(0), specs, n));
    free(specs);
}

static void start_dynamic(unsigned n)
{
    sup_now = fix_born(bsk_supervise(rt, BSK_SUP(.strategy = BSK_DYNAMIC), bsk_child(worker)));
    for (unsigned i = 0; i < n; i++)
        ck_assert_int_eq(bsk_sup_add(NULL, sup_now, BSK_FOREVER, NULL, NULL), 0);
}

/* Seconds a child, to start and to stop. */
static double time_of(void (*start)(unsigned), unsigned n)
{
    rt = bsk_start(.seed = 1, .quiet = true, FIX_HOOKS);
    double before = seconds();
    start(n);
    bsk_sup_counts counts;
    ck_assert_int_eq(bsk_sup_count(NULL, sup_now, BSK_FOREVER, &counts), 0);
    ck_assert_uint_eq(counts.active, n);
    fix_stop(rt, 0);
    return (seconds() - before) / n;
}

/* Seconds a child, when all are killed at once and started again. */
static double time_of_restart(unsigned n, int backoff)
{
    bsk_started *out = calloc(n, sizeof *out);
    ck_assert_ptr_nonnull(out);
    rt = bsk_start(.seed = 1, .quiet = true, .log = ignore_line);
    bsk_addr sup = fix_born(bsk_supervise(
        rt, BSK_SUP(.strategy = BSK_DYNAMIC, .intensity = 100000000, .backoff_min_ms = backoff),
        bsk_child(worker)));
    for (unsigned i = 0; i < n; i++)
        ck_assert_int_eq(bsk_sup_add(NULL, sup, BSK_FOREVER, NULL, &out[i]), 0);
    for (unsigned i = 0; i < n; i++) bsk_kill(out[i].who);
    double before = seconds();
    bsk_advance(rt, 10000);
    double took = seconds() - before;
    bsk_sup_counts counts;
    ck_assert_int_eq(bsk_sup_count(NULL, sup, BSK_FOREVER, &counts), 0);
    ck_assert_uint_eq(counts.active, n);
    ck_assert_uint_eq(counts.restarts, n);
    fix_stop(rt, 0);
    free(out);
    return took / n;
}

START_TEST(a_restart_costs_as_much_among_many)
{
    unsigned few = SANITIZED ? 1000 : 5000;
    double one = 0, many = 0;
    for (int i = 0; i < 3 && (i == 0 || many > 4 * one); i++) {
        one = time_of_restart(few, 100 * _i);
        many = time_of_restart(10 * few, 100 * _i);
    }
    ck_assert_msg(many <= 4 * one, "%g us among %u, %g us among %u", one * 1e6, few, many * 1e6,
                  10 * few);
}
END_TEST

START_TEST(a_child_costs_as_much_among_a_hundred_thousand)
{
    void (*start)(unsigned) = _i ? start_dynamic : start_static;
    unsigned few = SANITIZED ? 2000 : 10000;
    double one = 0, many = 0;
    /* Others disturb: the best of a few counts. */
    for (int i = 0; i < 3 && (i == 0 || many > 3 * one); i++) {
        one = time_of(start, few);
        many = time_of(start, 10 * few);
    }
    ck_assert_msg(many <= 3 * one, "%g us among %u, %g us among %u", one * 1e6, few, many * 1e6,
                  10 * few);
}
END_TEST

static uint64_t fail_n;
static int fail_onward;
static bool gave_up;

static bool may_be(int rc, int a, int b)
{
    ck_assert_msg(rc == 0 || rc == BSK_ENOMEM || rc == BSK_ECHILD || rc == BSK_EDEAD || rc == a ||
                      rc == b,
                  "%s", bsk_errname(rc));
    return rc == 0;
}

/* A child that was added, and not deleted, is listed whatever happened, while its supervisor
 * lives. */
static void expect_listed(bsk_self *self, bsk_addr sup, const char *id, bool there)
{
    bsk_child_info i;
    int rc = bsk_sup_child(self, sup, 1000, id, &i);
    if (rc == 0 || rc == BSK_ENOTFOUND) ck_assert_int_eq(rc == 0, there);
    if (rc == BSK_EDEAD) gave_up = true;
    (void)may_be(rc, BSK_ENOTFOUND, BSK_ENOTFOUND);
}

static void words_without_memory(bsk_self *self, bsk_addr sup)
{
    char state[3000] = {1};
    bsk_child_spec d =
        bsk_child(obey, .id = "d", .name = "d", .state = state, .state_size = sizeof state);
    bsk_child_spec changed[] = {bsk_child(worker, .name = "a"), bsk_child(worker, .name = "e")};
    bsk_started out;
    bsk_sup_counts n;
    bool there = may_be(bsk_sup_add(self, sup, 1000, &d, &out), 0, 0);
    expect_listed(self, sup, "d", there);
    (void)may_be(bsk_sup_stop(self, sup, 1000, "d"), BSK_ENOTFOUND, 0);
    expect_listed(self, sup, "d", there);
    (void)may_be(bsk_sup_restart(self, sup, 1000, "d", &out), BSK_ENOTFOUND, BSK_ERUNNING);
    (void)may_be(bsk_sup_stop(self, sup, 1000, "d"), BSK_ENOTFOUND, 0);
    if (may_be(bsk_sup_delete(self, sup, 1000, "d"), BSK_ENOTFOUND, BSK_ERUNNING)) there = false;
    expect_listed(self, sup, "d", there);
    int rc = bsk_sup_change(self, sup, 1000, BSK_SUP(.intensity = 30), changed, 2);
    expect_listed(self, sup, "e", may_be(rc, 0, 0));
    bsk_child_info all[8];
    size_t len;
    (void)may_be(bsk_sup_list(self, sup, 1000, all, 8, &len), 0, 0);
    (void)may_be(bsk_sup_count(self, sup, 1000, &n), 0, 0);
}

static void live_without_memory(bsk_self *self)
{
    gave_up = false;
    mem_fail_at(fail_n, fail_onward);
    bsk_addr sup = bsk_supervise(
        rt, BSK_SUP(.name = "top", .intensity = 30, .strategy = (enum bsk_strategy)(fail_n % 3)),
        bsk_child(worker, .name = "a", BSK_STATE(get, .v = 5)),
        bsk_child_sup(BSK_SUP(.name = "b"), bsk_child(obey, .name = "c"), bsk_child(worker)));
    bool alive = !bsk_is_nobody(sup);
    if (!alive) (void)may_be(bsk_error(self), 0, 0);
    for (int i = 0; i < 3 && alive; i++) {
        bsk_tell(bsk_whereis(rt, i % 2 ? "c" : "a"), crash);
        bsk_sleep(self, 1);
    }
    if (alive) words_without_memory(self, sup);
    mem_fail_at(0, 0);
    bsk_sup_counts n;
    int rc = alive ? bsk_sup_count(self, sup, 1000, &n) : BSK_EDEAD;
    if (rc == 0) {
        expect_listed(self, sup, "a", true);
        expect_listed(self, sup, "b", true);
        ck_assert_uint_ge(n.active, 1);
    } else {
        /* Gone with all below it, and its names. */
        ck_assert_int_eq(rc, BSK_EDEAD);
        bsk_sleep(self, 1);
        const char *const names[] = {"top", "a", "b", "c", "d", "e"};
        for (int i = 0; i < 6; i++) ck_assert(bsk_is_nobody(bsk_whereis(rt, names[i])));
    }
    bsk_shutdown(rt);
}

static void *run_without_memory(void *arg)
{
    rt = bsk_start(.seed = 1, .quiet = true, .log = ignore_line);
    ck_assert_ptr_nonnull(rt);
    fix_born(bsk_spawn(rt, live_without_memory));
    ck_assert_int_le(bsk_wait(rt), 1);
    return arg;
}

START_TEST(short_of_memory_at_any_moment_there_is_a_code_and_nothing_is_lost)
{
    fail_onward = _i;
    fail_n = 0;
    uint64_t asked;
    do {
        pthread_t t;
        int64_t live = mem_live(), mapped = mem_mapped();
        asked = mem_asked();
        fail_n++;
        ck_assert_int_eq(pthread_create(&t, NULL, run_without_memory, NULL), 0);
        pthread_join(t, NULL);
        asked = mem_asked() - asked;
        ck_assert_msg(mem_live() == live && mem_mapped() == mapped, "with %s %llu: %lld blocks",
                      _i ? "all from" : "no", (unsigned long long)fail_n,
                      (long long)(mem_live() - live));
    } while (asked >= fail_n);
    ck_assert_uint_gt(fail_n, 50);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("supervise");
    TCase *t = tcase_create("supervise");
    tcase_set_timeout(t, 30);
    tcase_add_checked_fixture(t, fix_setup, fix_teardown);
    tcase_add_test(t, who_is_no_supervisor_does_not_take_the_words_of_one);
    tcase_add_test(t, a_handler_cannot_ask_a_supervisor);
    tcase_add_test(t, a_handler_starts_a_supervisor_and_does_not_wait);
    tcase_add_test(t, a_supervisor_is_killed_before_it_has_run);
    tcase_add_test(t, whoever_is_stopped_or_killed_during_the_start_nothing_is_left);
    tcase_add_loop_test(t, a_supervisor_ends_while_it_starts_a_child_that_hangs, 0, 2);
    tcase_add_loop_test(t, a_supervisor_ends_while_it_stops_a_child_that_hears_nothing, 0, 2);
    tcase_add_test(t, requests_whose_time_passes_while_the_supervisor_is_busy_are_not_served);
    tcase_add_test(t, askers_that_end_while_they_wait_leave_nothing);
    tcase_add_test(t, a_killed_supervisor_takes_all_below_with_it_and_its_parent_starts_it_again);
    tcase_add_test(t, a_temporary_child_has_its_arguments_again_when_its_supervisor_was_restarted);
    tcase_add_test(t, giving_up_goes_up_the_tree_and_says_which_child_and_why);
    tcase_add_test(t, a_restart_while_the_runtime_ends_is_left_undone_without_a_failure);
    tcase_add_test(t, a_name_shows_one_after_another_over_restarts);
    tcase_add_loop_test(t, threads_ask_and_children_crash_at_the_same_time, 0, 3);
    tcase_add_test(t, instances_that_are_supervisors_come_and_go_on_many_threads);
    tcase_add_loop_test(t, a_child_costs_as_much_among_a_hundred_thousand, 0, 2);
    tcase_add_loop_test(t, a_restart_costs_as_much_among_many, 0, 2);
    tcase_add_loop_test(t, short_of_memory_at_any_moment_there_is_a_code_and_nothing_is_lost, 0, 2);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}
