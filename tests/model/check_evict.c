/* SPDX-License-Identifier: MIT */
/* check_evict.c - the policy "drop oldest": senders take from the consumer's end while it works
 * there, and while a signal stands among the messages. Each message is handled or dropped, once. */
#include "actors.h"

#include "actors/actor.c"
#include "actors/send.c"

#include <check.h>
#include <stdlib.h>

BSK_MSG(note, (i64, sender), (i64, number));

static int handled, sent;
static bool signalled;
static int64_t last[MODEL_WORKERS]; /* of each sender's, handled */

static void on_note(bsk_self *self, bsk_msg *m)
{
    const note *n = (const void *)m->body;
    mdl_read(m);
    mdl_write(&self->state);
    mdl_assert(n->number > last[n->sender]);
    last[n->sender] = n->number;
    handled++;
}

static void with_places(uint32_t places)
{
    model_reset();
    memset(last, 0, sizeof last);
    handled = sent = 0;
    signalled = false;
    model_actor(0, on_note, places, BSK_DROP_OLDEST);
}

static void with_one_place(void)
{
    with_places(1);
}

static void with_two_places(void)
{
    with_places(2);
}

static void tell(int64_t number)
{
    note n = {.sender = mdl_self(), .number = number};
    mdl_assert(snd_try(model_me(), &model_rt, model_addr(0, 1), 0, &note_bsk, &n, 0) == 0);
    sent++;
}

static void tell_twice(void)
{
    tell(1);
    tell(2);
    model_drain();
}

static void tell_and_run(void)
{
    tell(1);
    model_drain();
    tell(2);
    model_drain();
}

/* A signal stands among the messages, and is never dropped. */
static void signal_once(void)
{
    struct bsk_msg *m = model_get(&model_me()->pool, MSG_HEAD + sizeof(note));
    note n = {.sender = mdl_self(), .number = 1};
    m->type = &note_bsk;
    m->lane = MSG_SIGNAL;
    m->flags = m->done = 0;
    memcpy(m->body, &n, sizeof n);
    snd_urgent(model_me(), &model_rt, model_addr(0, 1), m);
    model_drain();
    signalled = true;
}

static void each_was_handled_or_dropped(void)
{
    bsk_self *a = &model_slots[0];
    mdl_assert(handled + model_dead == sent + signalled);
    mdl_assert(!signalled || last[2] == 1);
    mdl_assert(!a->out.list && mbox_len(&a->in, &a->out) == 0 && !a->in.end_lock.held);
    mdl_assert(model_nlive == 0);
}

START_TEST(senders_drop_the_oldest_while_the_consumer_works)
{
    mdl_run(&(struct mdl_program){.name = "drop oldest, one place",
                                  .setup = with_one_place,
                                  .threads = {tell_and_run, tell_twice},
                                  .preemptions = 2,
                                  .stale = 1,
                                  .check = each_was_handled_or_dropped});
    mdl_run(&(struct mdl_program){.name = "drop oldest, two places, three senders",
                                  .setup = with_two_places,
                                  .threads = {tell_twice, tell_twice, tell_twice},
                                  .preemptions = 1,
                                  .stale = 1,
                                  .check = each_was_handled_or_dropped});
    mdl_run(&(struct mdl_program){.name = "drop oldest, one place, a signal",
                                  .setup = with_one_place,
                                  .threads = {tell_twice, tell_twice, signal_once},
                                  .preemptions = 1,
                                  .stale = 1,
                                  .check = each_was_handled_or_dropped});
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("evict");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, senders_drop_the_oldest_while_the_consumer_works);

    Suite *suite = suite_create("evict");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
