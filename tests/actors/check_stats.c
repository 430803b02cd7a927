/* SPDX-License-Identifier: MIT */
/* check_stats.c - figures that add up. */
#include "fixture.h"

static bsk_rt *rt;

static void idle(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(get, g) bsk_reply(g, get, .v = g->v);
        bsk_on(num, n) continue;
        bsk_on(stop_it, s) bsk_exit(self);
    }
}

static void ask_for(bsk_self *self, bsk_msg *m)
{
    bsk_addr to = *(bsk_addr *)bsk_state(self);
    bsk_match(m) {
        bsk_on(num, n) {
            int rc = bsk_ask(self, to, 5 + n->v % 20, get, n->v);
            ck_assert(rc == 0 || rc == BSK_EFULL || rc == BSK_EDEAD);
        }
        bsk_on_reply(get, r) continue;
        bsk_on_no_reply(get, rc) continue;
        bsk_on(stop_it, s) bsk_exit(self);
    }
}

/* What the hook had counted before the runtime was started. */
static unsigned earlier[BSK_DEAD_COUNT];

/* All that was accepted has been handled, died, or is queued still. */
static void add_up(uint64_t accepted, uint64_t queued)
{
    bsk_stats_out s;
    bsk_stats(rt, &s);
    uint64_t dead =
        s.dead[BSK_DEAD_UNHANDLED] + s.dead[BSK_DEAD_DROPPED] + s.dead[BSK_DEAD_EXPIRED];
    ck_assert_uint_eq(s.handled_user + dead + queued, accepted);
    ck_assert_uint_eq(s.actors, s.spawned - s.ended);
    for (int why = 0; why < BSK_DEAD_COUNT; why++)
        ck_assert_uint_eq(s.dead[why], fix_dead(NULL, (enum bsk_dead)why) - earlier[why]);
}

static uint64_t run_for_figures(uint64_t seed)
{
    bsk_addr who[6];
    enum bsk_overflow all[] = {BSK_REFUSE, BSK_DROP_NEWEST, BSK_DROP_OLDEST};
    uint64_t accepted = 0;
    for (int i = 0; i < 6; i++)
        who[i] = fix_born(bsk_spawn(rt, idle, .mailbox = 4, .overflow = all[i % 3]));
    for (int i = 0; i < 500; i++) {
        bsk_addr to = who[(seed * 31 + (uint64_t)i * 17) % 6];
        accepted += (i % 5 == 4 ? bsk_try(to, other, i) : bsk_try(to, num, i)) == 0;
        if (i % 40 == 0) bsk_advance(rt, 1);
        if (i == 400) accepted += bsk_try(who[0], stop_it) == 0;
        if (i == 450) ck_assert_int_eq(bsk_kill(who[1]), 0);
    }
    return accepted;
}

START_TEST(handled_and_dead_and_queued_are_what_was_accepted)
{
    for (uint64_t seed = 1; seed <= 30; seed++) {
        for (int why = 0; why < BSK_DEAD_COUNT; why++)
            earlier[why] = fix_dead(NULL, (enum bsk_dead)why);
        rt = bsk_start(.seed = seed, .quiet = true, FIX_HOOKS);
        uint64_t accepted = run_for_figures(seed);
        bsk_advance(rt, 1);
        bsk_addr last = fix_born(bsk_spawn(rt, idle));
        for (int i = 0; i < 7; i++) ck_assert_int_eq(bsk_try(last, num, i), 0);
        add_up(accepted + 7, 7);
        bsk_advance(rt, 1);
        add_up(accepted + 7, 0);
        fix_stop(rt, 0);
    }
}
END_TEST

START_TEST(figures_of_actors_timers_and_lanes)
{
    rt = bsk_start(.seed = 5, .histograms = true, FIX_TRACED);
    bsk_addr server = fix_born(bsk_spawn(rt, idle));
    bsk_addr asker =
        fix_born(bsk_spawn(rt, ask_for, .state = &server, .state_size = sizeof server));
    for (int i = 0; i < 10; i++) bsk_tell(asker, num, i);
    bsk_advance(rt, 100);
    bsk_stats_out s;
    bsk_stats(rt, &s);
    ck_assert_uint_eq(s.actors, 2);
    ck_assert_uint_eq(s.spawned, 2);
    ck_assert_uint_eq(s.handled_user, 20);
    ck_assert_uint_eq(s.handled_reply, 10);
    ck_assert_uint_eq(s.handled_signal, 0);
    ck_assert_uint_eq(s.timers, 0);
    ck_assert_uint_eq(s.runnable, 0);
    ck_assert_uint_eq(s.in_mailbox.count, 20);
    ck_assert_uint_eq(s.in_handler.count, 30);
    ck_assert_uint_gt(s.memory_actors, 0);
    ck_assert_uint_gt(s.memory_messages, 0);
    bsk_tell(asker, stop_it);
    bsk_advance(rt, 1);
    bsk_stats(rt, &s);
    ck_assert_uint_eq(s.actors, 1);
    ck_assert_uint_eq(s.ended, 1);
    ck_assert_uint_eq(s.failed, 0);
    fix_stop(rt, 0);
}
END_TEST

static void sleep_a_while(bsk_self *self)
{
    bsk_sleep(self, 10);
}

START_TEST(memory_comes_back_to_the_figures_after_a_burst)
{
    rt = bsk_start(.seed = 5, .quiet = true, FIX_HOOKS);
    bsk_stats_out before, full, after;
    bsk_stats(rt, &before);
    for (int i = 0; i < 2000; i++) {
        bsk_addr a = fix_born(bsk_spawn(rt, sleep_a_while));
        for (int k = 0; k < 5; k++) bsk_tell(a, note, "some text that takes a little room");
    }
    bsk_advance(rt, 1);
    bsk_stats(rt, &full);
    bsk_advance(rt, 100);
    bsk_stats(rt, &after);
    ck_assert_uint_gt(full.memory_stacks, before.memory_stacks + (100 << 20));
    ck_assert_uint_gt(full.memory_messages, before.memory_messages + 10000 * 64);
    ck_assert_uint_eq(after.actors, 0);
    ck_assert_uint_le(after.memory_messages, full.memory_messages);
    fix_stop(rt, 0);
}
END_TEST

FIX_MAIN("stats", 60, handled_and_dead_and_queued_are_what_was_accepted,
         figures_of_actors_timers_and_lanes, memory_comes_back_to_the_figures_after_a_burst)
