/* SPDX-License-Identifier: MIT */
/* check_reply.c - the cases of one reply to one request: sent, lost, late, abandoned.
 *
 * ctest: valgrind timeout=120 */
#include "conformance.h"

#include <sched.h>

#define SEEDS 40

BSK_MSG(go);
BSK_MSG(number, (i64, n));
BSK_CALL(question, number, (i64, n));
BSK_MSG(photo, (blob, data));
BSK_CALL(develop, photo);

static bsk_addr replier;
static int replies, losses, lost_rc;

/* Asks once, without waiting, and counts what comes of it; ends when told to go. */
static void asker(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(question, q) expect_eq(bsk_ask(self, replier, q->n, question, .n = 7), 0);
        bsk_on_reply(question, r) {
            expect_eq(r->n, 14);
            replies++;
        }
        bsk_on_no_reply(question, rc) {
            losses++;
            lost_rc = rc;
        }
        bsk_on(go, v) bsk_exit(self);
    }
}

/* Makes a handler ask with that time limit. */
static bsk_addr spawn_asker(bsk_rt *rt, int64_t limit)
{
    replies = losses = lost_rc = 0;
    bsk_addr a = bsk_spawn(rt, asker);
    bsk_tell(a, question, .n = limit);
    return a;
}

static _Atomic int refused;

/* Replies twice; the second time nobody waits any more. */
static void twice(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(question, q) {
            expect_eq(bsk_reply(q, question, .n = 2 * q->n), 0);
            if (bsk_reply(q, question, .n = 3 * q->n) == BSK_EDEAD) refused++;
        }
        bsk_on(go, v) bsk_exit(self);
    }
}

static void ask_and_count(bsk_self *self)
{
    bsk_rt *rt = bsk_rt_of(self);
    refused = 0;
    replier = bsk_spawn(rt, twice);
    const number *r = bsk_call(self, replier, 100, question, .n = 21);
    expect(r && r->n == 42);
    expect(!bsk_recv(self, 10));
    bsk_addr other = spawn_asker(rt, 100);
    expect_eq(bsk_sleep(self, 200), 0);
    expect_eq(replies, 1);
    expect_eq(losses, 0);
    expect_eq(refused, 2);
    expect_eq(dead_letters(rt, BSK_DEAD_LATE), 2);
    bsk_tell(other, go);
    bsk_tell(replier, go);
}

START_TEST(ONE_001_the_asker_is_woken_and_gets_the_value_once)
{
    run_seeds(SEEDS, 0, ask_and_count);
}
END_TEST

START_TEST(ONE_001_a_thread_is_woken_and_gets_the_value_once)
{
    for (unsigned workers = 0; workers <= 2; workers++) {
        bsk_rt *rt = workers ? start_parallel(workers) : start_seeded(5);
        replier = bsk_spawn(rt, twice);
        for (int i = 1; i <= 500; i++) {
            const number *r = bsk_call(NULL, replier, 60000, question, .n = i);
            expect(r && r->n == 2 * i);
        }
        bsk_tell(replier, go);
        expect_eq(bsk_wait(rt), 0);
        expect_eq(refused, 500);
        refused = 0;
    }
}
END_TEST

/* Where a request is when its replier ends. */
enum place { IN_HAND, KEPT, QUEUED, DROPPED, PLACES };
struct loser {
    enum end how;
    enum place where;
};

static void losing_handler(bsk_self *self, bsk_msg *m)
{
    const struct loser *l = bsk_state(self);
    bsk_match(m) {
        bsk_on(question, q) {
            if (l->where == DROPPED) break;
            if (l->where == KEPT) {
                expect(bsk_later(q, question).node != 0);
                bsk_tell(bsk_me(self), go);
                break;
            }
            end_by(self, l->how);
            if (l->how == END_RETURN) bsk_exit(self);
        }
        bsk_on(go, v) {
            end_by(self, l->how);
            if (l->how == END_RETURN) bsk_exit(self);
        }
    }
}

static void losing_fiber(bsk_self *self)
{
    const struct loser *l = bsk_state(self);
    if (l->where == QUEUED) {
        expect(bsk_recv_only(self, 100, BSK_T(go)) != NULL);
        end_by(self, l->how);
        return;
    }
    bsk_match(bsk_recv(self, 100)) {
        bsk_on(question, q) {
            if (l->where == KEPT) expect(bsk_later(q, question).node != 0);
        }
    }
    if (l->where != IN_HAND) expect_eq(bsk_sleep(self, 0), 0);
    if (l->where == DROPPED) expect(bsk_recv_only(self, 1000, BSK_T(go)) != NULL);
    end_by(self, l->how);
}

static struct loser loser_now;

static void spawn_loser(bsk_rt *rt, bool handler)
{
    struct loser l = loser_now;
    replier = handler ? bsk_spawn(rt, losing_handler, BSK_STATE(struct loser, l.how, l.where))
                      : bsk_spawn(rt, losing_fiber, BSK_STATE(struct loser, l.how, l.where));
    if (l.where == QUEUED) bsk_tell(replier, go);
}

static void end_loser(bsk_self *self)
{
    if (loser_now.where == DROPPED) bsk_tell(replier, go);
    expect_eq(bsk_sleep(self, 100), 0);
    expect_eq(reason_of(replier), reason_for(loser_now.how));
}

static void lose_a_call(bsk_self *self)
{
    for (int handler = 0; handler < 2; handler++) {
        int64_t start = now(self);
        spawn_loser(bsk_rt_of(self), handler);
        expect(!bsk_call(self, replier, 1000, question));
        expect_eq(bsk_error(self), BSK_ENOREPLY);
        expect_eq(now(self), start);
        end_loser(self);
    }
}

static void lose_an_ask(bsk_self *self)
{
    for (int handler = 0; handler < 2; handler++) {
        spawn_loser(bsk_rt_of(self), handler);
        expect_eq(bsk_ask(self, replier, 1000, question), 0);
        int rc = 0;
        bsk_match(bsk_recv(self, 1)) {
            bsk_on_no_reply(question, lost) rc = lost;
        }
        expect_eq(rc, BSK_ENOREPLY);
        end_loser(self);
        expect(!bsk_recv(self, 1500)); /* once, and no time-out after it */
    }
}

START_TEST(ONE_002_an_asker_whose_replier_ends_or_drops_the_request_is_told)
{
    loser_now = (struct loser){(enum end)(_i % END_COUNT), (enum place)(_i / END_COUNT)};
    run_seeds(SEEDS / 2, status_for(loser_now.how), lose_a_call);
    run_seeds(SEEDS / 2, status_for(loser_now.how), lose_an_ask);
}
END_TEST

START_TEST(ONE_002_a_thread_whose_replier_ends_is_told)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        loser_now = (struct loser){(enum end)(seed % END_COUNT), (enum place)(seed % PLACES)};
        bsk_rt *rt = start_seeded(seed);
        spawn_loser(rt, seed % 3);
        expect(!bsk_call(NULL, replier, 1000, question));
        expect_eq(bsk_error(NULL), BSK_ENOREPLY);
        expect_eq(bsk_now(rt), 0);
        if (loser_now.where == DROPPED) bsk_tell(replier, go);
        expect_eq(bsk_wait(rt), status_for(loser_now.how));
    }
}
END_TEST

/* Threads for real: callers race with the end of the replier, and none is left waiting. */
START_TEST(ONE_002_no_asker_waits_for_ever_when_repliers_end_on_other_threads)
{
    bsk_rt *rt = start_parallel(2);
    for (int i = 0; i < 3000; i++) {
        loser_now = (struct loser){END_EXIT, (enum place)(i % DROPPED)};
        spawn_loser(rt, i % 2);
        expect(!bsk_call(NULL, replier, BSK_FOREVER, question));
        int rc = bsk_error(NULL);
        expect(rc == BSK_ENOREPLY || (rc == BSK_EDEAD && loser_now.where == QUEUED));
    }
    expect_eq(bsk_wait(rt), 0);
}
END_TEST

/* How an asker goes away. */
enum leave { LEAVE_TIME, LEAVE_EXIT, LEAVE_KILLED, LEAVE_STOPPED, LEAVES };
static enum leave leave_now;
static _Atomic int seen_abandoned, late_rc;
static _Atomic bool begun;

static void wait_until_abandoned(const question *q)
{
    if (!bsk_abandoned(q)) begun = true;
    while (!bsk_abandoned(q)) sched_yield();
    seen_abandoned++;
    late_rc = bsk_reply(q, question, .n = 1);
}

static void abandoned_work(bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(question, q) wait_until_abandoned(q);
    }
}

static void abandoned_handler(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(question, q) wait_until_abandoned(q);
        bsk_on(go, v) bsk_exit(self);
    }
}

static void ask_and_leave(bsk_self *self)
{
    int64_t limit = leave_now == LEAVE_TIME ? 2 : BSK_FOREVER;
    if (bsk_is_nobody(replier))
        expect_eq(bsk_work(self, limit, abandoned_work, question), 0);
    else
        expect_eq(bsk_ask(self, replier, limit, question), 0);
    bsk_tell(replier, go);
    while (leave_now != LEAVE_TIME && !begun) {
        if (bsk_yield(self)) return;
    }
    if (leave_now == LEAVE_EXIT) bsk_exit(self);
    if (leave_now == LEAVE_KILLED) expect_eq(bsk_kill(bsk_me(self)), 0);
    if (leave_now == LEAVE_STOPPED) expect_eq(bsk_stop(bsk_me(self), BSK_FOREVER), 0);
    bsk_match(bsk_recv(self, BSK_FOREVER)) {
        bsk_on_no_reply(question, rc) expect_eq(rc, BSK_ETIMEDOUT);
    }
}

START_TEST(ONE_003_a_replier_that_looks_sees_that_it_was_abandoned)
{
    seed_now = 0;
    leave_now = (enum leave)(_i / 2);
    bsk_rt *rt = start_parallel(2);
    replier = (bsk_addr){0, 0, 0};
    if (_i % 2) replier = bsk_spawn(rt, abandoned_handler, .own_thread = true);
    bsk_spawn(rt, ask_and_leave);
    expect_eq(bsk_wait(rt), 0);
    /* One whose time was over before it was begun is not begun at all. */
    if (begun) {
        expect_eq(seen_abandoned, 1);
        expect_eq(late_rc, BSK_EDEAD);
    }
}
END_TEST

static bsk_pending kept;
static bool freed;

static void note_freed(void *data, void *arg)
{
    expect(data && !arg);
    freed = true;
}

static void keep_right(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(develop, q) kept = bsk_later(q, develop);
        bsk_on(go, v) bsk_exit(self);
    }
}

static void call_and_leave(bsk_self *self)
{
    expect(!bsk_call(self, replier, leave_now == LEAVE_TIME ? 5 : 1000, develop));
    expect_eq(bsk_error(self), leave_now == LEAVE_TIME ? BSK_ETIMEDOUT : BSK_ECANCELED);
}

/* The value of a reply that nobody waits for stays the replier's. */
static void answer_nobody(bsk_self *self)
{
    static char bytes[] = "bytes";
    bsk_rt *rt = bsk_rt_of(self);
    freed = false;
    replier = bsk_spawn(rt, keep_right);
    bsk_addr caller = bsk_spawn(rt, call_and_leave);
    expect_eq(bsk_sleep(self, 1), 0);
    if (leave_now == LEAVE_STOPPED) expect_eq(bsk_stop(caller, BSK_FOREVER), 0);
    if (leave_now == LEAVE_KILLED) expect_eq(bsk_kill(caller), 0);
    expect_eq(bsk_sleep(self, 10), 0);
    expect(!bsk_alive(caller));
    bsk_blob *data = bsk_blob_take(bytes, sizeof bytes, note_freed, NULL);
    expect_eq(bsk_answer(kept, develop, .data = data), BSK_EDEAD);
    expect_eq(dead_letters(rt, BSK_DEAD_LATE), 1);
    expect(!freed);
    bsk_blob_drop(data);
    expect(freed);
    bsk_tell(replier, go);
}

START_TEST(ONE_003_a_reply_to_who_went_away_fails_and_its_value_stays_the_repliers)
{
    static const enum leave ways[] = {LEAVE_TIME, LEAVE_KILLED, LEAVE_STOPPED};
    leave_now = ways[_i];
    run_seeds(SEEDS, 0, answer_nobody);
}
END_TEST

static void reply_at_once(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(question, q) expect_eq(bsk_reply(q, question, .n = 2 * q->n), 0);
        bsk_on(go, v) bsk_exit(self);
    }
}

static void read_after_close(bsk_self *self)
{
    replier = bsk_spawn(bsk_rt_of(self), reply_at_once);
    expect_eq(bsk_ask(self, replier, 100, question, .n = 4), 0);
    expect_eq(bsk_sleep(self, seed_now % 2 ? 1 : 200), 0); /* also when the deadline has passed */
    bsk_mailbox_close(self);
    int64_t n = 0;
    bsk_match(bsk_recv(self, 0)) {
        bsk_on_reply(question, r) n = r->n;
    }
    expect_eq(n, 8);
    expect(!bsk_recv(self, BSK_FOREVER));
    expect_eq(bsk_error(self), BSK_ECLOSED);
    bsk_tell(replier, go);
}

START_TEST(ONE_004_a_reply_that_came_before_the_asker_closed_is_still_received)
{
    run_seeds(SEEDS, 0, read_after_close);
}
END_TEST

/* Keeps the rights of two callers, and answers the older one when it has given up. */
static bsk_pending pending[2];
static int npending;

static void keep_two(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(question, q) pending[npending++] = bsk_later(q, question);
        bsk_on(go, v) bsk_exit(self);
    }
}

static void call_twice(bsk_self *self)
{
    expect(!bsk_call(self, replier, 10, question));
    expect_eq(bsk_error(self), BSK_ETIMEDOUT);
    const number *r = bsk_call(self, replier, 100, question);
    expect(r != NULL);
    expect_eq(r->n, 2);
    expect_eq(now(self), 30);
    bsk_tell(replier, go);
}

static void answer_both(bsk_self *self)
{
    npending = 0;
    replier = bsk_spawn(bsk_rt_of(self), keep_two);
    bsk_spawn(bsk_rt_of(self), call_twice);
    expect_eq(bsk_sleep(self, 20), 0);
    expect_eq(npending, 2);
    expect_eq(bsk_answer(pending[0], question, .n = 1), BSK_EDEAD);
    expect_eq(bsk_sleep(self, 10), 0);
    expect_eq(bsk_answer(pending[1], question, .n = 2), 0);
    expect_eq(bsk_answer(pending[1], question, .n = 3), BSK_EDEAD);
}

START_TEST(ONE_007_only_the_newest_wait_is_woken_and_the_old_right_to_reply_is_void)
{
    run_seeds(SEEDS, 0, answer_both);
}
END_TEST

/* The right moves to another actor, which outlives the one that was asked. */
static void pass_on(bsk_self *self)
{
    bsk_match(bsk_recv(self, 100)) {
        bsk_on(question, q) pending[0] = bsk_later(q, question);
    }
}

static void call_once(bsk_self *self)
{
    expect(!bsk_call(self, replier, 100, question));
    expect_eq(bsk_error(self), BSK_ENOREPLY);
}

static void keeper_ends_first(bsk_self *self)
{
    replier = bsk_spawn(bsk_rt_of(self), pass_on);
    bsk_spawn(bsk_rt_of(self), call_once);
    expect_eq(bsk_sleep(self, 10), 0);
    expect_eq(bsk_answer(pending[0], question, .n = 5), BSK_EDEAD);
}

START_TEST(ONE_007_a_right_to_reply_ends_with_the_actor_that_was_asked)
{
    run_seeds(SEEDS, 0, keeper_ends_first);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("reply");
    tcase_add_test(t, ONE_001_the_asker_is_woken_and_gets_the_value_once);
    tcase_add_test(t, ONE_001_a_thread_is_woken_and_gets_the_value_once);
    tcase_add_loop_test(t, ONE_002_an_asker_whose_replier_ends_or_drops_the_request_is_told, 0,
                        END_COUNT * PLACES);
    tcase_add_test(t, ONE_002_a_thread_whose_replier_ends_is_told);
    tcase_add_test(t, ONE_002_no_asker_waits_for_ever_when_repliers_end_on_other_threads);
    tcase_add_loop_test(t, ONE_003_a_replier_that_looks_sees_that_it_was_abandoned, 0, 2 * LEAVES);
    tcase_add_loop_test(t, ONE_003_a_reply_to_who_went_away_fails_and_its_value_stays_the_repliers,
                        0, 3);
    tcase_add_test(t, ONE_004_a_reply_that_came_before_the_asker_closed_is_still_received);
    tcase_add_test(t, ONE_007_only_the_newest_wait_is_woken_and_the_old_right_to_reply_is_void);
    tcase_add_test(t, ONE_007_a_right_to_reply_ends_with_the_actor_that_was_asked);
    return run_suite("reply", t, 30);
}
