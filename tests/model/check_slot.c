/* SPDX-License-Identifier: MIT */
/* check_slot.c - a slot passes from one actor to the next while stale senders push: the real
 * sources of running, ending and spawning. Nothing that is sent to the new actor is taken for the
 * old one's.
 *
 * model: actors/name.c actors/room.c actors/cause.c mailbox/blob.c */
#include "actors.h"

#include "actors/actor.c"
#include "actors/end.c"
#include "actors/send.c"
#include "actors/spawn.c"

#include <check.h>
#include <stdlib.h>

BSK_MSG(note, (i64, number));

static _Atomic bool vacant; /* the slot lies in the slab */
static int handled_by[4];   /* messages, by the generation that handled them */
static int64_t numbers;     /* a bit for each note handled */
static int accepted;        /* notes */

void mem_free(void *p)
{
    mdl_assert(!p);
}

struct slab_item *slab_get(struct slab_cache *c)
{
    mdl_assert(c == &model_me()->actors);
    bool was = atomic_exchange_explicit(&vacant, false, memory_order_acquire);
    return was ? &model_slots[0].item : NULL;
}

void slab_put(struct slab_cache *c, struct slab_item *item)
{
    mdl_assert(c == &model_me()->actors && item == &model_slots[0].item);
    mdl_assert(!atomic_exchange_explicit(&vacant, true, memory_order_release));
}

static void on_note(bsk_self *self, bsk_msg *m)
{
    const note *n = (const void *)m->body;
    mdl_read(m);
    mdl_write(&self->state);
    handled_by[act_gen(self)]++;
    numbers |= INT64_C(1) << n->number;
    if (n->number == 1) act_control(self->worker, &model_rt, self, act_gen(self), CTL_STOP);
}

static void with_actor(uint32_t capacity, enum bsk_overflow overflow)
{
    model_reset();
    memset(handled_by, 0, sizeof handled_by);
    numbers = 0;
    accepted = 0;
    atomic_init(&vacant, false);
    model_actor(0, on_note, capacity, overflow);
}

static int tell(bsk_addr to, int64_t number)
{
    note n = {.number = number};
    int rc = snd_try(model_me(), &model_rt, to, 0, &note_bsk, &n, 0);
    if (rc == 0) accepted++;
    return rc;
}

static void with_one_actor(void)
{
    with_actor(4, BSK_REFUSE);
}

/* It is full, and thread 0 has it to run. */
static void with_one_that_drops_the_oldest(void)
{
    with_actor(1, BSK_DROP_OLDEST);
    mdl_assert(tell(model_addr(0, 1), 0) == 0);
}

static void stop_it(void)
{
    act_control(model_me(), &model_rt, &model_slots[0], 1, CTL_STOP);
    model_drain();
}

/* Note 1 ends its receiver. */
static void end_it(void)
{
    mdl_assert(tell(model_addr(0, 1), 1) == 0);
    model_drain();
}

static void tell_the_old(void)
{
    tell(model_addr(0, 1), 2);
    model_drain();
}

static bool is_vacant(void *arg)
{
    mdl_assert(!arg);
    return atomic_load_explicit(&vacant, memory_order_relaxed);
}

static void spawn_and_tell(uint32_t capacity, enum bsk_overflow overflow)
{
    bsk_opts o = {.mailbox = capacity, .overflow = overflow};
    bsk_addr who = {0, 0, 0};
    mdl_wait(is_vacant, NULL);
    bsk_behavior b = {.handler = on_note};
    mdl_assert(spawn_actor(model_me(), &model_rt, b, &o, NULL, NULL, &who) == 0);
    mdl_assert(tell(who, 3) == 0);
    mdl_assert(tell(who, 4) == 0);
    model_drain();
}

static void spawn_with_room(void)
{
    spawn_and_tell(4, BSK_REFUSE);
}

static void spawn_with_one_place(void)
{
    spawn_and_tell(1, BSK_DROP_OLDEST);
}

static void nothing_is_left(void)
{
    bsk_self *a = &model_slots[0];
    mdl_assert(handled_by[0] == 0 && handled_by[2] == 0);
    mdl_assert(model_nlive == 0 && mbox_len(&a->in, &a->out) == 0);
}

static void the_new_one_got_its_notes(void)
{
    mdl_assert(handled_by[3] == 2 && (numbers & 24) == 24);
    nothing_is_left();
}

static void the_new_one_got_the_last(void)
{
    mdl_assert(handled_by[3] >= 1 && handled_by[3] + handled_by[1] + model_dead == accepted);
    nothing_is_left();
}

START_TEST(what_is_sent_to_a_new_actor_is_not_taken_for_the_old_ones)
{
    mdl_run(&(struct mdl_program){.name = "a stale sender and a new actor",
                                  .setup = with_one_actor,
                                  .threads = {end_it, tell_the_old, spawn_with_room},
                                  .preemptions = 2,
                                  .stale = 1,
                                  .check = the_new_one_got_its_notes});
    mdl_run(&(struct mdl_program){.name = "a stale sender and a new actor that drops the oldest",
                                  .setup = with_one_actor,
                                  .threads = {end_it, tell_the_old, spawn_with_one_place},
                                  .preemptions = 2,
                                  .stale = 1,
                                  .check = the_new_one_got_the_last});
}
END_TEST

START_TEST(a_stale_sender_drops_nothing_of_an_actor_that_refuses)
{
    mdl_run(&(struct mdl_program){.name = "a stale sender that drops the oldest",
                                  .setup = with_one_that_drops_the_oldest,
                                  .threads = {stop_it, tell_the_old, spawn_with_room},
                                  .preemptions = 2,
                                  .stale = 1,
                                  .check = the_new_one_got_its_notes});
}
END_TEST

static void drain_the_old(void)
{
    act_close(model_me(), &model_rt, &model_slots[0], 1);
    act_control(model_me(), &model_rt, &model_slots[0], 1, CTL_DRAIN);
    model_drain();
}

static void kill_the_old(void)
{
    act_control(model_me(), &model_rt, &model_slots[0], 1, CTL_KILL);
    model_drain();
}

START_TEST(who_controls_the_old_one_does_nothing_to_the_new)
{
    mdl_run(&(struct mdl_program){.name = "a stale drain",
                                  .setup = with_one_actor,
                                  .threads = {stop_it, drain_the_old, spawn_with_room},
                                  .preemptions = 2,
                                  .stale = 1,
                                  .check = the_new_one_got_its_notes});
    mdl_run(&(struct mdl_program){.name = "a stale kill",
                                  .setup = with_one_actor,
                                  .threads = {stop_it, kill_the_old, spawn_with_room},
                                  .preemptions = 2,
                                  .stale = 1,
                                  .check = the_new_one_got_its_notes});
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("slot");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, what_is_sent_to_a_new_actor_is_not_taken_for_the_old_ones);
    tcase_add_test(tc, who_controls_the_old_one_does_nothing_to_the_new);
    tcase_add_test(tc, a_stale_sender_drops_nothing_of_an_actor_that_refuses);

    Suite *suite = suite_create("slot");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
