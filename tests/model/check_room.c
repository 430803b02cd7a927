/* SPDX-License-Identifier: MIT */
/* check_room.c - the real waiting for room: whoever waits is woken once there is room, whatever
 * barges in between, and nobody sleeps beside an empty mailbox.
 *
 * ctest: timeout=120 */
#include "actors.h"

#include "actors/actor.c"
#include "actors/room.c"
#include "actors/send.c"

#include <check.h>
#include <stdlib.h>

BSK_MSG(note, (i64, number));

static struct mdl_park bells[MODEL_WORKERS];
static struct foreign foreigners[MODEL_WORKERS];
static bool times_out[MODEL_WORKERS];
static int handled, sent, noticed;

struct foreign *thread_self(void)
{
    return &foreigners[mdl_self()];
}

void thread_wait_begin(struct thread_wait *t)
{
    mdl_assert(t == &foreigners[mdl_self()].room);
    atomic_store_explicit(&bells[mdl_self()].token, 0, memory_order_relaxed);
}

void thread_wake(struct thread_wait *t)
{
    size_t i = (size_t)((char *)t - (char *)foreigners) / sizeof *foreigners;
    mdl_unpark(&bells[i]);
}

/* What the thread has woken runs meanwhile. */
int thread_wait_until(struct bsk_rt *rt, struct thread_wait *t, uint64_t deadline)
{
    mdl_assert(rt == &model_rt && t && deadline == NEVER);
    model_drain();
    if (times_out[mdl_self()]) return BSK_ETIMEDOUT;
    mdl_park(&bells[mdl_self()]);
    return 0;
}

static void on_note(bsk_self *self, bsk_msg *m)
{
    mdl_read(m);
    mdl_write(&self->state);
    handled++;
}

/* A handler that was refused: it asks to be told of room, and is. */
static void on_room(bsk_self *self, bsk_msg *m)
{
    mdl_read(m);
    if (m->type == &bsk_room_bsk)
        noticed++;
    else
        mdl_assert(bsk_want_room(self, model_addr(0, 1)) == 0);
}

static void with_places(uint32_t places)
{
    model_reset();
    memset(bells, 0, sizeof bells);
    memset(times_out, 0, sizeof times_out);
    handled = sent = noticed = 0;
    model_actor(0, on_note, places, BSK_REFUSE);
    model_actor(1, on_room, 1, BSK_REFUSE);
}

/* Thread 0 has the receiver to run, whose mailbox is full. */
static void with_full_mailbox(uint32_t places)
{
    with_places(places);
    for (uint32_t i = 0; i < places; i++) {
        note n = {.number = i};
        if (snd_try(&model_workers[0], &model_rt, model_addr(0, 1), 0, &note_bsk, &n, 0) == 0)
            sent++;
    }
}

static void with_one_place_taken(void)
{
    with_full_mailbox(1);
}

static void with_one_who_gives_up(void)
{
    with_full_mailbox(1);
    times_out[1] = true;
}

static void send_waiting(void)
{
    note n = {.number = 10 + mdl_self()};
    int rc = room_send(NULL, &model_rt, model_addr(0, 1), NEVER, &note_bsk, &n, 0);
    mdl_assert(rc == 0 || (times_out[mdl_self()] && rc == BSK_ETIMEDOUT));
    if (rc == 0) sent++;
    model_drain();
}

static void send_to_closing(void)
{
    note n = {.number = 10};
    int rc = room_send(NULL, &model_rt, model_addr(0, 1), NEVER, &note_bsk, &n, 0);
    mdl_assert(rc == 0 || rc == BSK_ECLOSED);
    if (rc == 0) sent++;
    model_drain();
}

static void barge_in(void)
{
    note n = {.number = 20};
    int rc = snd_try(model_me(), &model_rt, model_addr(0, 1), 0, &note_bsk, &n, 0);
    mdl_assert(rc == 0 || rc == BSK_EFULL);
    if (rc == 0) sent++;
    model_drain();
}

static void want_room(void)
{
    note n = {.number = 30};
    mdl_assert(snd_try(model_me(), &model_rt, model_addr(1, 1), 0, &note_bsk, &n, 0) == 0);
    model_drain();
}

static void close_it(void)
{
    atomic_fetch_or_explicit(&model_slots[0].in.word, MBOX_CLOSED, memory_order_relaxed);
    room_wake_all(model_me(), &model_rt, &model_slots[0]);
    model_drain();
}

static void all_is_handled(void)
{
    mdl_assert(handled == sent && model_nlive == 0);
    mdl_assert(!model_slots[0].waiters);
}

START_TEST(a_waiter_is_woken_although_others_barge_in)
{
    mdl_run(&(struct mdl_program){.name = "a waiter and one who barges in",
                                  .setup = with_one_place_taken,
                                  .threads = {model_drain, send_waiting, barge_in},
                                  .preemptions = 2,
                                  .stale = 1,
                                  .check = all_is_handled});
}
END_TEST

START_TEST(two_waiters_are_woken)
{
    mdl_run(&(struct mdl_program){.name = "two waiters",
                                  .setup = with_one_place_taken,
                                  .threads = {model_drain, send_waiting, send_waiting},
                                  .preemptions = 1,
                                  .check = all_is_handled});
    mdl_run(&(struct mdl_program){.name = "two waiters, one of whom runs the receiver",
                                  .setup = with_one_place_taken,
                                  .threads = {send_waiting, send_waiting},
                                  .preemptions = 2,
                                  .stale = 1,
                                  .check = all_is_handled});
}
END_TEST

START_TEST(who_gives_up_after_it_was_woken_wakes_the_next)
{
    mdl_run(&(struct mdl_program){.name = "a waiter who gives up",
                                  .setup = with_one_who_gives_up,
                                  .threads = {model_drain, send_waiting, send_waiting},
                                  .preemptions = 2,
                                  .stale = 1,
                                  .check = all_is_handled});
}
END_TEST

static void the_notice_came_once(void)
{
    mdl_assert(noticed == 1);
    all_is_handled();
}

START_TEST(a_notice_of_room_comes_although_others_barge_in)
{
    mdl_run(&(struct mdl_program){.name = "a notice and one who barges in",
                                  .setup = with_one_place_taken,
                                  .threads = {model_drain, want_room, barge_in},
                                  .preemptions = 2,
                                  .stale = 1,
                                  .check = the_notice_came_once});
}
END_TEST

START_TEST(closing_wakes_who_waits)
{
    mdl_run(&(struct mdl_program){.name = "a waiter and one who closes",
                                  .setup = with_one_place_taken,
                                  .threads = {model_drain, send_to_closing, close_it},
                                  .preemptions = 2,
                                  .stale = 1,
                                  .check = all_is_handled});
}
END_TEST

static void close_and_want_room(void)
{
    close_it();
    want_room();
}

START_TEST(a_notice_comes_from_a_closed_mailbox)
{
    mdl_run(&(struct mdl_program){.name = "a notice and a closed mailbox",
                                  .setup = with_one_place_taken,
                                  .threads = {model_drain, close_and_want_room},
                                  .preemptions = 2,
                                  .check = the_notice_came_once});
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("room");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_waiter_is_woken_although_others_barge_in);
    tcase_add_test(tc, two_waiters_are_woken);
    tcase_add_test(tc, who_gives_up_after_it_was_woken_wakes_the_next);
    tcase_add_test(tc, a_notice_of_room_comes_although_others_barge_in);
    tcase_add_test(tc, closing_wakes_who_waits);
    tcase_add_test(tc, a_notice_comes_from_a_closed_mailbox);

    Suite *suite = suite_create("room");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
