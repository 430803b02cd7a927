/* SPDX-License-Identifier: MIT */
/* check_work.c - blocking work: results, limits, giving up. */
#include "fixture.h"

#include <pthread.h>

BSK_CALL(sum_text, num, (str, text));

static bsk_rt *rt;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int abandoned;

static void setup(void)
{
    rt = bsk_start(.seed = 81, FIX_TRACED);
    ck_assert_ptr_nonnull(rt);
}

static void say_number(const char *what, int64_t n)
{
    char text[64];
    snprintf(text, sizeof text, "%s%lld ", what, (long long)n);
    fix_say(text);
}

static void add_one(bsk_msg *request)
{
    bsk_match(request) {
        bsk_on(get, g) bsk_reply(g, get, .v = g->v + 1);
        bsk_on(sum_text, s) {
            int64_t n = 0;
            for (const char *c = s->text; *c; c++) n += *c - '0';
            bsk_reply(s, sum_text, .v = n);
        }
        bsk_on(say, s) bsk_reply(s, say, .text = s->text);
    }
}

static void say_nothing(bsk_msg *request)
{
    bsk_match(request) {
        bsk_on(get, g) ck_assert(!bsk_abandoned(g));
    }
}

static void match_nothing(bsk_msg *request)
{
    bsk_match(request) {
        bsk_on(num, n) ck_abort();
    }
}

static void hit_work(bsk_msg *request)
{
    fix_hit();
    add_one(request);
}

/* Blocks until the test opens the gate; sees whether anybody still wants the result. */
static void behind_gate(bsk_msg *request)
{
    fix_hit();
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    bsk_match(request) {
        bsk_on(get, g) {
            if (bsk_abandoned(g)) {
                atomic_fetch_add(&abandoned, 1);
                ck_assert_int_eq(bsk_reply(g, get, .v = 1), BSK_EDEAD);
            } else {
                ck_assert_int_eq(bsk_reply(g, get, .v = g->v), 0);
            }
        }
    }
    fix_hit();
}

/* Results. */

static char long_text[5001];

static void work_all(bsk_self *self)
{
    memset(long_text, '1', 5000);
    const num *n = bsk_work_call(self, 1000, add_one, get, 4);
    ck_assert(n && n->v == 5);
    n = bsk_work_call(self, 1000, add_one, sum_text, long_text);
    ck_assert(n && n->v == 5000);
    const note *t = bsk_work_call(self, 1000, add_one, say, long_text);
    ck_assert(t && strcmp(t->text, long_text) == 0);
    t = bsk_work_call(self, 1000, add_one, say, t->text);
    ck_assert(t && strcmp(t->text, long_text) == 0);
    ck_assert_ptr_null(bsk_work_call(self, 1000, say_nothing, get, 4));
    ck_assert_int_eq(bsk_error(self), BSK_ENOREPLY);
    ck_assert_ptr_null(bsk_work_call(self, 1000, match_nothing, get, 4));
    ck_assert_int_eq(bsk_error(self), BSK_ENOREPLY);
    fix_say("all ");
}

START_TEST(work_is_done_and_its_result_comes_back)
{
    setup();
    fix_born(bsk_spawn(rt, work_all));
    bsk_advance(rt, 1);
    ck_assert_str_eq(fix_said(), "all ");
    ck_assert_uint_eq(fix_dead(&get_bsk, BSK_DEAD_UNMATCHED), 1);
    fix_stop(rt, 0);
    rt = bsk_start(.workers = 1, FIX_HOOKS);
    fix_born(bsk_spawn(rt, work_all));
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_str_eq(fix_said(), "all all ");
}
END_TEST

static void ask_work(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(stop_it, s) {
            ck_assert_int_eq(bsk_work(self, 100, add_one, get, 1), 0);
            ck_assert_int_eq(bsk_work(self, 100, say_nothing, get, 1), 0);
        }
        bsk_on_reply(get, n) say_number("reply", n->v);
        bsk_on_no_reply(get, rc) fix_say(bsk_errname(rc));
    }
}

START_TEST(a_handler_asks_for_work)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, ask_work));
    bsk_tell(a, stop_it);
    bsk_advance(rt, 1);
    ck_assert(strcmp(fix_said(), "reply2 ENOREPLY") == 0 ||
              strcmp(fix_said(), "ENOREPLYreply2 ") == 0);
    fix_stop(rt, 0);
}
END_TEST

static void call_from_handler(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(stop_it, s) {
            ck_assert_ptr_null(bsk_work_call(self, 100, add_one, get, 1));
            ck_assert_int_eq(bsk_error(self), BSK_EINVAL);
            ck_assert_ptr_null(bsk_work_call(NULL, 100, add_one, get, 1));
            fix_say("refused ");
        }
    }
}

START_TEST(only_fibers_wait_for_work)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, call_from_handler));
    bsk_tell(a, stop_it);
    bsk_advance(rt, 1);
    ck_assert_str_eq(fix_said(), "refused ");
    ck_assert_ptr_null(bsk_work_call(NULL, 100, add_one, get, 1));
    ck_assert_int_eq(bsk_error(NULL), BSK_EINVAL);
    fix_stop(rt, 0);
}
END_TEST

/* Limits. */

static void fill_queue(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(get, g) {
            int rc = 0;
            int64_t n = 0;
            while (n < 1000 && (rc = bsk_work(self, BSK_FOREVER, behind_gate, get, n)) == 0) n++;
            ck_assert_int_eq(rc, BSK_EFULL);
            bsk_reply(g, get, .v = n);
        }
        bsk_on_reply(get, n) fix_hit();
    }
}

START_TEST(no_more_work_is_queued_than_the_quota)
{
    rt = bsk_start(.workers = 1, .work_threads = 1, .work_queue = 7, FIX_HOOKS);
    bsk_addr a = fix_born(bsk_spawn(rt, fill_queue));
    pthread_mutex_lock(&gate);
    const num *n = bsk_call(NULL, a, BSK_FOREVER, get, 0);
    /* Seven wait, and one may have been begun. */
    ck_assert(n && (n->v == 7 || n->v == 8));
    unsigned all = (unsigned)n->v;
    pthread_mutex_unlock(&gate);
    fix_await(3 * all);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(seeded_work_has_the_same_quota)
{
    rt = bsk_start(.seed = 3, .work_queue = 7, FIX_HOOKS);
    bsk_addr a = fix_born(bsk_spawn(rt, fill_queue));
    const num *n = bsk_call(NULL, a, BSK_FOREVER, get, 0);
    ck_assert(n && n->v == 7);
    bsk_advance(rt, 1);
    ck_assert_uint_eq(fix_hits(), 21);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(as_many_threads_work_at_once_as_were_asked_for)
{
    rt = bsk_start(.workers = 1, .work_threads = 3, .work_queue = 10, FIX_HOOKS);
    bsk_addr a = fix_born(bsk_spawn(rt, fill_queue));
    pthread_mutex_lock(&gate);
    const num *n = bsk_call(NULL, a, BSK_FOREVER, get, 0);
    ck_assert(n && n->v >= 10 && n->v <= 13);
    unsigned all = (unsigned)n->v;
    fix_await(3);
    pthread_mutex_unlock(&gate);
    fix_await(3 * all);
    fix_stop(rt, 0);
}
END_TEST

/* Giving up. */

static void give_up(bsk_self *self)
{
    ck_assert_ptr_null(bsk_work_call(self, 20, behind_gate, get, 4));
    fix_say(bsk_errname(bsk_error(self)));
    fix_hit();
}

START_TEST(work_learns_that_its_asker_gave_up)
{
    rt = bsk_start(.workers = 1, FIX_HOOKS);
    pthread_mutex_lock(&gate);
    fix_born(bsk_spawn(rt, give_up));
    fix_await(2);
    pthread_mutex_unlock(&gate);
    fix_await(3);
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_str_eq(fix_said(), "ETIMEDOUT");
    ck_assert_int_eq(abandoned, 1);
    ck_assert_uint_eq(fix_dead(&num_bsk, BSK_DEAD_LATE), 1);
}
END_TEST

static void wait_for_work(bsk_self *self)
{
    ck_assert_ptr_null(bsk_work_call(self, BSK_FOREVER, behind_gate, get, 4));
    fix_say(bsk_errname(bsk_error(self)));
    fix_hit();
}

START_TEST(work_learns_that_its_asker_was_stopped_or_killed)
{
    rt = bsk_start(.workers = 1, FIX_HOOKS);
    pthread_mutex_lock(&gate);
    bsk_addr stopped = fix_born(bsk_spawn(rt, wait_for_work));
    bsk_addr killed = fix_born(bsk_spawn(rt, wait_for_work));
    fix_await(2);
    ck_assert_int_eq(bsk_stop(stopped, BSK_FOREVER), 0);
    fix_await(3);
    ck_assert_int_eq(bsk_kill(killed), 0);
    bsk_stats_out out;
    do bsk_stats(rt, &out);
    while (out.actors);
    pthread_mutex_unlock(&gate);
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_str_eq(fix_said(), "ECANCELED");
    ck_assert_int_eq(abandoned, 2);
}
END_TEST

static void ask_and_leave(bsk_self *self)
{
    for (int i = 0; i < 20; i++) ck_assert_int_eq(bsk_work(self, BSK_FOREVER, hit_work, get, i), 0);
}

START_TEST(work_whose_asker_is_gone_is_not_begun)
{
    setup();
    fix_born(bsk_spawn(rt, ask_and_leave));
    bsk_advance(rt, 1);
    ck_assert_uint_le(fix_hits(), 20);
    ck_assert_int_eq(bsk_wait(rt), 0);
    rt = bsk_start(.workers = 1, .work_threads = 1, FIX_HOOKS);
    for (int i = 0; i < 10; i++) fix_born(bsk_spawn(rt, ask_and_leave));
    ck_assert_int_eq(bsk_wait(rt), 0);
}
END_TEST

static void cancelled_before(bsk_self *self)
{
    ck_assert_int_eq(bsk_sleep(self, BSK_FOREVER), BSK_ECANCELED);
    ck_assert_ptr_null(bsk_work_call(self, BSK_FOREVER, hit_work, get, 1));
    ck_assert_int_eq(bsk_error(self), BSK_ECANCELED);
    fix_say("cancelled ");
}

START_TEST(a_stopped_fiber_gives_no_more_work)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, cancelled_before));
    bsk_advance(rt, 1);
    ck_assert_int_eq(bsk_stop(a, BSK_FOREVER), 0);
    bsk_advance(rt, 1);
    ck_assert_str_eq(fix_said(), "cancelled ");
    ck_assert_uint_eq(fix_hits(), 0);
    fix_stop(rt, 0);
}
END_TEST

/* What work may do. */

static bsk_addr sink;

static void tell_from_work(bsk_msg *request)
{
    bsk_match(request) {
        bsk_on(get, g) {
            for (int64_t i = 0; i < g->v; i++) bsk_tell(sink, num, i);
            ck_assert_int_eq(bsk_try(sink, num, g->v), 0);
            const num *n = bsk_call(NULL, sink, 10000, get, 7);
            bsk_pending p = bsk_later(g, get);
            ck_assert_int_eq(bsk_answer(p, get, .v = n ? n->v : bsk_error(NULL)), 0);
        }
    }
}

static void count_in_sink(bsk_self *self, bsk_msg *m)
{
    int64_t *sum = bsk_state(self);
    bsk_match(m) {
        bsk_on(num, n) *sum += n->v;
        bsk_on(get, g) bsk_reply(g, get, .v = *sum + g->v);
    }
}

static void call_telling_work(bsk_self *self)
{
    const num *n = bsk_work_call(self, 20000, tell_from_work, get, 10);
    ck_assert(n && n->v == 55 + 7);
    fix_hit();
}

START_TEST(work_may_send_and_call_as_any_thread)
{
    rt = bsk_start(.workers = 1, FIX_HOOKS);
    int64_t zero = 0;
    sink = fix_born(bsk_spawn(rt, count_in_sink, BSK_STATE(int64_t, zero)));
    fix_born(bsk_spawn(rt, call_telling_work));
    fix_await(1);
    fix_stop(rt, 0);
}
END_TEST

static void much_work(bsk_self *self)
{
    for (int64_t i = 0; i < 500; i++) {
        const num *n = bsk_work_call(self, i % 7 ? BSK_FOREVER : 0, add_one, get, i);
        ck_assert(n ? n->v == i + 1 : bsk_error(self) == BSK_ETIMEDOUT);
    }
}

START_TEST(much_work_for_many_fibers)
{
    rt = bsk_start(.workers = 2, .work_threads = 3, .quiet = true);
    for (int i = 0; i < 20; i++) fix_born(bsk_spawn(rt, much_work));
    ck_assert_int_eq(bsk_wait(rt), 0);
}
END_TEST

FIX_MAIN("work", 30, work_is_done_and_its_result_comes_back, a_handler_asks_for_work,
         only_fibers_wait_for_work, no_more_work_is_queued_than_the_quota,
         seeded_work_has_the_same_quota, as_many_threads_work_at_once_as_were_asked_for,
         work_learns_that_its_asker_gave_up, work_learns_that_its_asker_was_stopped_or_killed,
         work_whose_asker_is_gone_is_not_begun, a_stopped_fiber_gives_no_more_work,
         work_may_send_and_call_as_any_thread, much_work_for_many_fibers)
