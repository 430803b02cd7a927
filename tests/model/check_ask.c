/* SPDX-License-Identifier: MIT */
/* check_ask.c - the real records of requests: reply, loss, deadline and the asker's end in all
 * orders. The asker is told once, a record and its block are freed once.
 *
 * model: actors/wheel.c actors/name.c actors/room.c actors/spawn.c actors/cause.c mailbox/blob.c
 * ctest: timeout=120 */
#include "records.h"

#include "actors/actor.c"
#include "actors/end.c"
#include "actors/send.c"
#define file ask_file
#define unfile ask_unfile
#define lose ask_lose
#define release ask_release
#include "actors/ask.c"

#include <check.h>
#include <stdlib.h>

BSK_MSG(total, (i64, n));
BSK_CALL(want, total, (i64, n));
BSK_MSG(leave, (bool, unused));

static alignas(64) struct ask asks[RECORDS];
static uint64_t ref; /* of the request */
static int replies, losses, answered;
static bool over;

void mem_free(void *p)
{
    mdl_assert(!p);
}

static void record_is_put(struct slab_item *item)
{
    struct ask *k = (struct ask *)(void *)item;
    mdl_assert(!k->block && !whl_filed(&k->alarm.node));
    mdl_write(&k->block);
}

static void on_message(bsk_self *self, bsk_msg *m)
{
    mdl_read(m);
    mdl_write(&self->state);
    if (m->type == &leave_bsk) {
        act_control(self->worker, &model_rt, self, act_gen(self), CTL_STOP);
        over = true;
        return;
    }
    mdl_assert(!over && m->type == &want_bsk);
    replies += m->lane == MSG_REPLY;
    losses += m->lane == MSG_LOST;
    if (m->lane == MSG_REPLY) mdl_assert(((const total *)(const void *)m->body)->n == 5);
}

/* The actor has asked when worker 1 ran it; the request is with the threads that answer. */
static void with_request(void)
{
    model_reset();
    records_reset(&model_rt.asks, asks, sizeof *asks);
    replies = losses = answered = 0;
    over = false;
    bsk_self *a = model_actor(0, on_message, 4, BSK_REFUSE);
    a->worker = &model_workers[1];
    mdl_assert(ask_begin(a, 10, &want_bsk, sizeof(total), &ref) == 0);
}

static void reply(void)
{
    total t = {.n = 5};
    if (answer(model_me(), &model_rt, ref, &want_bsk, &t) == 0) answered++;
    model_drain();
}

static void drop(void)
{
    ask_dropped(model_me(), &model_rt, ref);
    model_drain();
}

static void expire(void)
{
    struct worker *w = &model_workers[1];
    struct whl_node *node;
    w->now = 10 * NS_PER_MS;
    lock_take(&w->wheel_lock);
    while ((node = whl_collect(&w->wheel, w->now))) ask_expired(model_me(), node);
    lock_give(&w->wheel_lock);
    model_drain();
}

static void leave_it(void)
{
    leave l = {.unused = false};
    mdl_assert(snd_try(model_me(), &model_rt, model_addr(0, 1), 0, &leave_bsk, &l, 0) == 0);
    model_drain();
}

static void all_is_free(void)
{
    mdl_assert(records_taken == 1 && records_put == 1 && model_nlive == 0 && !model_slots[0].asks);
    no_alarm_is_filed();
    mdl_assert(replies <= answered && answered <= 1);
}

static void it_was_told_once(void)
{
    mdl_assert(replies + losses == 1 && replies == answered);
    all_is_free();
}

static void it_was_told_once_at_most(void)
{
    mdl_assert(replies + losses <= 1);
    all_is_free();
}

static void explore(const char *name, void (*one)(void), void (*two)(void), void (*three)(void),
                    void (*check)(void))
{
    mdl_run(&(struct mdl_program){.name = name,
                                  .setup = with_request,
                                  .threads = {one, two, three},
                                  .preemptions = 2,
                                  .stale = 1,
                                  .check = check});
}

START_TEST(an_asker_is_told_once)
{
    explore("an ask: reply and deadline", reply, expire, NULL, it_was_told_once);
    explore("an ask: reply, drop and deadline", reply, drop, expire, it_was_told_once);
    explore("an ask: two replies", reply, reply, NULL, it_was_told_once);
}
END_TEST

START_TEST(an_asker_that_ends_leaves_nothing)
{
    explore("an ask: reply and end", reply, leave_it, NULL, it_was_told_once_at_most);
    explore("an ask: reply, deadline and end", reply, expire, leave_it, it_was_told_once_at_most);
    explore("an ask: drop, reply and end", drop, reply, leave_it, it_was_told_once_at_most);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("ask");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, an_asker_is_told_once);
    tcase_add_test(tc, an_asker_that_ends_leaves_nothing);

    Suite *suite = suite_create("ask");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
