/* SPDX-License-Identifier: MIT */
/* check_timer.c - real timers, stopped, reset and taken while they fire on another worker: nothing
 * of a timer comes after its stop, one that stays comes once, and its message is freed once.
 *
 * model: actors/wheel.c
 * ctest: timeout=120 */
#include "records.h"

#include "actors/actor.c"
#include "actors/send.c"
#define enlist timer_enlist
#define delist timer_delist
#define put timer_put
#define get timer_get
#include "actors/timer.c"

#include <check.h>
#include <stdlib.h>

BSK_MSG(ring, (i64, number));
BSK_MSG(go, (bool, unused));

static alignas(64) struct timer timers[RECORDS];
static bsk_timer timer;
static int rings, again; /* received of the first timer, and of the second */
static bool over;        /* no ring may come any more */
static bool won;         /* the timer was still there */
static int stop_at;      /* this many rings */
static void (*act)(bsk_self *self);

static void record_is_put(struct slab_item *item)
{
    struct timer *t = (struct timer *)(void *)item;
    mdl_assert(!whl_filed(&t->alarm.node));
}

static void stop(bsk_self *self)
{
    won = mine(self, timer) != NULL;
    bsk_timer_stop(self, timer);
    over = true;
}

static void on_message(bsk_self *self, bsk_msg *m)
{
    mdl_read(m);
    mdl_write(&self->state);
    if (m->type == &go_bsk) {
        act(self);
        return;
    }
    const ring *r = (const void *)m->body;
    mdl_assert(!over || r->number == 8);
    rings += r->number == 7;
    again += r->number == 8;
    if (stop_at && rings == stop_at) stop(self);
}

/* The actor has started a timer of 10 ms when worker 1 ran it. */
static bsk_self *with_actor(void (*what)(bsk_self *self))
{
    model_reset();
    records_reset(&model_rt.timers, timers, sizeof *timers);
    rings = again = 0;
    over = won = false;
    stop_at = 0;
    act = what;
    bsk_self *a = model_actor(0, on_message, 8, BSK_REFUSE);
    a->worker = &model_workers[1];
    return a;
}

static void take(bsk_self *self)
{
    const ring *r = bsk_timer_take_(self, timer, &ring_bsk);
    if (r) {
        mdl_read(msg_of(r));
        mdl_assert(r->number == 7);
        won = true;
    }
    over = true;
}

static void reset(bsk_self *self)
{
    won = bsk_timer_reset(self, timer, 20) == 0;
}

/* The second timer is made of what was the first. */
static void replace(bsk_self *self)
{
    ring r = {.number = 8};
    stop(self);
    bsk_timer second = bsk_after_(self, 20, &ring_bsk, &r);
    mdl_assert(second.slot == timer.slot && second.gen != timer.gen);
}

static void end(bsk_self *self)
{
    tim_free_all(self->worker, self);
    over = true;
}

static void start_for(void (*what)(bsk_self *self))
{
    bsk_self *a = with_actor(what);
    ring r = {.number = 7};
    timer = bsk_after_(a, 10, &ring_bsk, &r);
    mdl_assert(timer.gen);
}

static void to_be_stopped(void)
{
    start_for(stop);
}

static void to_be_taken(void)
{
    start_for(take);
}

static void to_be_reset(void)
{
    start_for(reset);
}

static void to_be_ended(void)
{
    start_for(end);
}

static void to_be_replaced(void)
{
    start_for(replace);
}

static void interval_to_be_stopped(void)
{
    bsk_self *a = with_actor(stop);
    ring r = {.number = 7};
    timer = bsk_every_(a, 10, &ring_bsk, &r);
}

static void say_go(void)
{
    go g = {.unused = false};
    mdl_assert(snd_try(model_me(), &model_rt, model_addr(0, 1), 0, &go_bsk, &g, 0) == 0);
    model_drain();
}

static void expire_at(uint64_t ms)
{
    model_me()->now = ms * NS_PER_MS;
    tim_expire(model_me());
    model_drain();
}

/* Whatever comes to be filed here meanwhile goes off. */
static void expire_all(void)
{
    while (whl_count(&model_me()->wheel)) expire_at(30);
}

static void say_go_and_expire(void)
{
    say_go();
    expire_all();
}

static void expire_once_and_all(void)
{
    expire_at(10);
    expire_all();
}

static void expire_once(void)
{
    expire_at(10);
}

static void fire_thrice(void)
{
    expire_at(10);
    expire_at(20);
    expire_at(30);
}

static void all_is_free(void)
{
    mdl_assert(model_nlive == 0 && records_put == records_taken && !model_slots[0].timers);
    no_alarm_is_filed();
}

static void it_rang_before_or_never(void)
{
    mdl_assert(rings <= 1 && over);
    mdl_assert(rings == 0 || !won);
    all_is_free();
}

static void it_rang_or_was_taken(void)
{
    mdl_assert(rings + won == 1);
    all_is_free();
}

START_TEST(nothing_comes_after_stop)
{
    mdl_run(&(struct mdl_program){.name = "a timer is stopped",
                                  .setup = to_be_stopped,
                                  .threads = {say_go, expire_once},
                                  .check = it_rang_before_or_never});
    mdl_run(&(struct mdl_program){.name = "an interval is stopped",
                                  .setup = interval_to_be_stopped,
                                  .threads = {say_go, fire_thrice},
                                  .preemptions = 2,
                                  .stale = 1,
                                  .check = all_is_free});
}
END_TEST

START_TEST(a_timer_rings_or_is_taken)
{
    mdl_run(&(struct mdl_program){.name = "a timer is taken",
                                  .setup = to_be_taken,
                                  .threads = {say_go, expire_once},
                                  .check = it_rang_or_was_taken});
}
END_TEST

static void it_rang_once(void)
{
    mdl_assert(rings == 1);
    all_is_free();
}

START_TEST(a_timer_that_is_reset_rings_once)
{
    mdl_run(&(struct mdl_program){.name = "a timer is reset",
                                  .setup = to_be_reset,
                                  .threads = {say_go_and_expire, expire_once_and_all},
                                  .check = it_rang_once});
}
END_TEST

static void the_second_rang_once(void)
{
    mdl_assert(again == 1);
    it_rang_before_or_never();
}

START_TEST(a_timer_made_of_one_that_was_stopped_rings_for_itself)
{
    mdl_run(&(struct mdl_program){.name = "a timer is replaced",
                                  .setup = to_be_replaced,
                                  .threads = {say_go_and_expire, expire_once_and_all},
                                  .preemptions = 2,
                                  .stale = 1,
                                  .check = the_second_rang_once});
}
END_TEST

static void ignore(bsk_self *self)
{
    mdl_assert(self == &model_slots[0]);
}

/* It takes one message at a time, stays busy while there are more, and stops at the second ring. */
static void interval_of_who_is_busy(void)
{
    bsk_self *a = with_actor(ignore);
    ring r = {.number = 7};
    a->worker = &model_workers[0];
    timer = bsk_every_(a, 10, &ring_bsk, &r);
    stop_at = 2;
    for (unsigned i = 0; i < 2; i++) model_workers[i].batch = 1;
}

static void run_a_slice(void)
{
    struct worker *w = model_me();
    bsk_self *a = model_ready[w->index];
    if (!a) return;
    model_ready[w->index] = a->link;
    act_run(w, a);
}

/* As a worker does whose ticks come between the slices. */
static void fire_between_slices(void)
{
    struct worker *w = model_me();
    while (model_ready[w->index] || whl_count(&w->wheel)) {
        w->now += 10 * NS_PER_MS;
        tim_expire(w);
        run_a_slice();
    }
}

static void say_go_twice(void)
{
    go g = {.unused = false};
    for (int i = 0; i < 2; i++) {
        int rc = snd_try(model_me(), &model_rt, model_addr(0, 1), 0, &go_bsk, &g, 0);
        mdl_assert(rc == 0);
        fire_between_slices();
    }
}

static void it_rang_twice(void)
{
    mdl_assert(rings == 2);
    all_is_free();
}

START_TEST(an_interval_rings_again_while_its_actor_is_busy)
{
    mdl_run(&(struct mdl_program){.name = "an interval of a busy actor",
                                  .setup = interval_of_who_is_busy,
                                  .threads = {fire_between_slices, say_go_twice},
                                  .preemptions = 2,
                                  .stale = 1,
                                  .check = it_rang_twice});
}
END_TEST

START_TEST(an_end_takes_the_timers_along)
{
    mdl_run(&(struct mdl_program){.name = "an actor ends with its timer",
                                  .setup = to_be_ended,
                                  .threads = {say_go, expire_once},
                                  .check = it_rang_before_or_never});
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("timer");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, nothing_comes_after_stop);
    tcase_add_test(tc, a_timer_rings_or_is_taken);
    tcase_add_test(tc, a_timer_that_is_reset_rings_once);
    tcase_add_test(tc, a_timer_made_of_one_that_was_stopped_rings_for_itself);
    tcase_add_test(tc, an_interval_rings_again_while_its_actor_is_busy);
    tcase_add_test(tc, an_end_takes_the_timers_along);

    Suite *suite = suite_create("timer");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
