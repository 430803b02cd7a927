/* SPDX-License-Identifier: MIT */
/* check_fairness.c - the cases of who always has something to do beside who waits for a turn.
 *
 * ctest: timeout=120 */
#include "conformance.h"

#define ROUNDS 1024
#define BUDGET 256 /* words of a fiber, or messages of a handler, before others get a turn */

BSK_MSG(ball, (addr, from));
BSK_CALL(question, ball);

static int rounds, turns;
static int since, longest; /* rounds since the counter's last turn */
static bsk_addr counter, partner;

static void count_round(void)
{
    rounds++;
    if (++since > longest) longest = since;
}

/* The background: a turn each time that the players let it. */
static void take_turns(bsk_self *self)
{
    while (bsk_yield(self) == 0) {
        turns++;
        since = 0;
    }
}

/* Always ready: what it sends is there to receive at once. */
static void play_alone(bsk_self *self)
{
    while (rounds < ROUNDS) {
        count_round();
        expect_eq(bsk_send(self, bsk_me(self), 1000, ball), 0);
        expect(bsk_recv(self, 1000) != NULL);
    }
    expect_eq(bsk_stop(counter, BSK_FOREVER), 0);
}

/* Two of these wake each other without end. */
static void play_back(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(ball, b) {
            bool over = rounds >= ROUNDS;
            count_round();
            if (!over || !bsk_is_nobody(b->from)) bsk_tell(partner, ball, .from = bsk_me(self));
            if (!over) break;
            bsk_stop(counter, BSK_FOREVER);
            bsk_exit(self);
        }
    }
}

static void play_with_itself(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(ball, b) {
            count_round();
            bsk_tell(bsk_me(self), ball);
            if (rounds < ROUNDS) break;
            expect_eq(bsk_stop(counter, BSK_FOREVER), 0);
            bsk_exit(self);
        }
    }
}

/* The other end of a pair of fibers, which is told when to end. */
static void return_balls(bsk_self *self)
{
    for (bsk_msg *m; (m = bsk_recv(self, BSK_FOREVER));) {
        bsk_match(m) {
            bsk_on(ball, b) {
                bsk_addr from = b->from;
                expect_eq(bsk_send(self, from, 1000, ball), 0);
            }
        }
    }
}

static void play_with_partner(bsk_self *self)
{
    while (rounds < ROUNDS) {
        count_round();
        expect_eq(bsk_send(self, partner, 1000, ball, .from = bsk_me(self)), 0);
        expect(bsk_recv(self, 1000) != NULL);
    }
    expect_eq(bsk_stop(partner, BSK_FOREVER), 0);
    expect_eq(bsk_stop(counter, BSK_FOREVER), 0);
}

enum game { GAME_ALONE, GAME_PAIR, GAME_HANDLER, GAME_HANDLERS, GAMES };

static void start_game(bsk_rt *rt, enum game game)
{
    rounds = turns = since = longest = 0;
    counter = bsk_spawn(rt, take_turns);
    if (game == GAME_ALONE) bsk_spawn(rt, play_alone);
    if (game == GAME_HANDLER) bsk_tell(bsk_spawn(rt, play_with_itself), ball);
    if (game == GAME_PAIR) {
        partner = bsk_spawn(rt, return_balls);
        bsk_spawn(rt, play_with_partner);
    }
    if (game == GAME_HANDLERS) {
        bsk_addr first = bsk_spawn(rt, play_back);
        partner = first;
        bsk_tell(first, ball);
    }
}

/* One loop, its own order: others get a turn after each budget, whatever wakes whom. */
START_TEST(FAIR_001_who_is_always_ready_lets_others_run_after_each_budget)
{
    bsk_rt *rt = start_parallel(1);
    start_game(rt, (enum game)_i);
    expect_eq(bsk_wait(rt), 0);
    ck_assert_int_ge(rounds, ROUNDS);
    ck_assert_int_ge(turns, ROUNDS / BUDGET - 1);
    ck_assert_int_le(longest, 2 * BUDGET);
}
END_TEST

START_TEST(FAIR_001_who_is_always_ready_lets_others_run_under_any_seed)
{
    int all = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        bsk_rt *rt = start_seeded(seed);
        start_game(rt, (enum game)_i);
        expect_eq(bsk_wait(rt), 0);
        expect(rounds >= ROUNDS);
        expect(turns > 0);
        all += turns;
    }
    ck_assert_int_ge(all, 100 * (ROUNDS / BUDGET - 1));
}
END_TEST

/* Loops of words that have no need to wait; the competitor ends them. */
enum loop { LOOP_SEND_RECV, LOOP_POLL, LOOP_SEND_FULL, LOOP_SLEEP, LOOP_CALL, LOOP_TIMER, LOOPS };
static _Atomic bool over;

static void reply(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(question, q) bsk_reply(q, question);
        bsk_on(ball, b) bsk_exit(self);
    }
}

static void loop_once(bsk_self *self, enum loop kind)
{
    switch (kind) {
    case LOOP_SEND_RECV:
        expect_eq(bsk_send(self, bsk_me(self), 1000, ball), 0);
        expect(bsk_recv(self, 1000) != NULL);
        break;
    case LOOP_POLL: expect(!bsk_recv(self, 0)); break;
    case LOOP_SEND_FULL: expect_eq(bsk_send(self, bsk_me(self), 0, ball), BSK_ETIMEDOUT); break;
    case LOOP_SLEEP: expect_eq(bsk_sleep(self, 0), 0); break;
    case LOOP_CALL: expect(bsk_call(self, partner, 1000, question) != NULL); break;
    default: expect(bsk_after(self, 0, ball).gen && bsk_recv(self, 1000));
    }
}

static enum loop loop_now;

static void loop(bsk_self *self)
{
    if (loop_now == LOOP_SEND_FULL) expect_eq(bsk_try(bsk_me(self), ball), 0);
    if (loop_now == LOOP_CALL) partner = bsk_spawn(bsk_rt_of(self), reply);
    while (!over) loop_once(self, loop_now);
    if (loop_now == LOOP_CALL) bsk_tell(partner, ball);
}

static void compete(bsk_self *self)
{
    for (int i = 0; i < 10; i++) expect_eq(bsk_yield(self), 0);
    over = true;
}

START_TEST(FAIR_002_an_endless_loop_of_words_lets_a_competitor_run)
{
    loop_now = (enum loop)_i;
    for (uint64_t seed = 0; seed <= 30; seed++) {
        bsk_rt *rt = seed ? start_seeded(seed) : start_parallel(1);
        over = false;
        bsk_spawn(rt, loop, .mailbox = 1);
        bsk_spawn(rt, compete);
        expect_eq(bsk_wait(rt), 0);
    }
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("fairness");
    tcase_add_loop_test(t, FAIR_001_who_is_always_ready_lets_others_run_after_each_budget, 0,
                        GAMES);
    tcase_add_loop_test(t, FAIR_001_who_is_always_ready_lets_others_run_under_any_seed, 0, GAMES);
    tcase_add_loop_test(t, FAIR_002_an_endless_loop_of_words_lets_a_competitor_run, 0, LOOPS);
    return run_suite("fairness", t, 20);
}
