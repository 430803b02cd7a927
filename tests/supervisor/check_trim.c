/* SPDX-License-Identifier: MIT */
/* check_trim.c - after a burst of monitors, asks and timers their memory goes back, and what is
 * left of their names names nothing. */
#include "../actors/fixture.h"

#include "actors/runtime.h"
#include "supervisor/supervisor.h"

#include <time.h>

#define MANY 100000
#define MB (UINT64_C(1) << 20)

static bsk_rt *rt;
static bsk_monitor monitors[MANY];
static bsk_timer timers[MANY];
static bsk_pending pending[MANY];
static _Atomic unsigned npending; /* counted by both targets, on any worker */
static unsigned downs, lost;

static void pass_time(void)
{
    struct timespec t = {0, 1000000};
    nanosleep(&t, NULL);
}

static uint64_t other_memory(void)
{
    bsk_stats_out s;
    bsk_stats(rt, &s);
    return s.memory_other;
}

/* It is asked, watched, and ends. */
static void target(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(get, g) pending[npending++] = bsk_later(g, get);
        bsk_on(stop_it, s) bsk_exit(self);
    }
}

static void begin(bsk_self *self, const bsk_addr *two)
{
    for (int i = 0; i < MANY; i++) {
        monitors[i] = bsk_watch(self, two[i % 2]);
        timers[i] = bsk_after(self, 1000000, num, i);
        ck_assert(monitors[i].gen && timers[i].gen);
        ck_assert_int_eq(bsk_ask(self, two[i % 2], BSK_FOREVER, get, i), 0);
    }
    ck_assert_uint_ge(other_memory(), 30 * MB);
    for (int i = 0; i < 2; i++) bsk_tell(two[i], stop_it);
}

static void all_names_are_stale(bsk_self *self)
{
    for (int i = 0; i < MANY; i++) {
        ck_assert(!bsk_unwatch(self, monitors[i]));
        ck_assert_int_eq(bsk_timer_reset(self, timers[i], 1), BSK_EDEAD);
        ck_assert_int_eq(bsk_answer(pending[i], get, .v = 1), BSK_EDEAD);
        bsk_timer_stop(self, timers[i]);
    }
}

static void heard(void)
{
    if (downs + lost == 2 * MANY) fix_hit();
}

static void burst(bsk_self *self, bsk_msg *m)
{
    bsk_addr *two = bsk_state(self);
    bsk_match(m) {
        bsk_on(num, n) begin(self, two);
        bsk_on(stop_it, s)
            for (int i = 0; i < MANY; i++) bsk_timer_stop(self, timers[i]);
        bsk_on(bsk_down, d) downs++, heard();
        bsk_on_no_reply(get, rc) lost++, heard();
        bsk_on(other, o) {
            all_names_are_stale(self);
            fix_hit();
        }
    }
}

static void play(unsigned round)
{
    npending = 0;
    downs = lost = 0;
    bsk_addr two[2];
    for (int i = 0; i < 2; i++) two[i] = fix_born(bsk_spawn(rt, target, .mailbox = 65535));
    bsk_addr b = fix_born(bsk_spawn(rt, burst, .state = two, .state_size = sizeof two));
    bsk_tell(b, num, 0);
    bsk_tell(b, stop_it);
    fix_await(2 * round + 1);
    ck_assert_uint_eq(npending, MANY);
    int waited = 0;
    while (other_memory() > 2 * MB && waited++ < 20000) pass_time();
    ck_assert_uint_le(other_memory(), 2 * MB);
    bsk_tell(b, other, 0);
    fix_await(2 * round + 2);
    bsk_kill(b);
}

START_TEST(a_burst_of_monitors_asks_and_timers_gives_its_memory_back)
{
    for (unsigned workers = 1; workers <= 2; workers++) {
        rt = bsk_start(.workers = workers, .slow_ms = 60000, FIX_HOOKS, .quiet = true);
        play(2 * workers - 2);
        play(2 * workers - 1);
        fix_stop(rt, 0);
    }
}
END_TEST

static void tick(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) ck_assert(bsk_every(self, 10, other).gen);
        bsk_on(other, o) continue;
    }
}

START_TEST(a_timer_that_ticks_does_not_keep_memory_from_being_given_back)
{
    rt = bsk_start(.workers = 1, .slow_ms = 60000, FIX_HOOKS, .quiet = true);
    bsk_tell(fix_born(bsk_spawn(rt, tick)), num, 0);
    play(0);
    fix_stop(rt, 0);
}
END_TEST

FIX_MAIN("trim", 60, a_burst_of_monitors_asks_and_timers_gives_its_memory_back,
         a_timer_that_ticks_does_not_keep_memory_from_being_given_back)
