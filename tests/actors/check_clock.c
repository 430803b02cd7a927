/* SPDX-License-Identifier: MIT */
/* check_clock.c - time, and what a seed decides. */
#include "fixture.h"

BSK_MSG(meet, (addr, who));

static void sleep_on(bsk_self *self)
{
    while (bsk_sleep(self, BSK_FOREVER) == 0) continue;
}

static void wander(bsk_self *self, bsk_msg *m)
{
    bsk_addr *all = bsk_state(self);
    bsk_match(m) {
        bsk_on(num, n) {
            if (!n->v) break;
            for (uint64_t i = bsk_random(self) % 3; i; i--)
                bsk_tell(all[bsk_random(self) % 8], num, n->v - 1);
            if (bsk_random(self) % 4 == 0)
                (void)bsk_after(self, (int64_t)(bsk_random(self) % 50), num, n->v - 1);
        }
        bsk_on(meet, w) {
            for (int i = 7; i > 0; i--) all[i] = all[i - 1];
            all[0] = w->who;
        }
    }
}

static uint64_t digest_of(uint64_t seed, unsigned ballast)
{
    bsk_rt *rt = bsk_start(.seed = seed, .quiet = true);
    void *elsewhere = malloc(1 + ballast);
    bsk_addr who[8], none[8] = {{0, 0, 0}};
    for (int i = 0; i < 8; i++)
        who[i] = fix_born(bsk_spawn(rt, wander, .state = none, .state_size = sizeof none));
    for (int i = 0; i < 64; i++) bsk_tell(who[i / 8], meet, .who = who[i % 8]);
    for (int i = 0; i < 8; i++) bsk_tell(who[i], num, 12);
    bsk_advance(rt, 1000);
    uint64_t d = bsk_digest(rt);
    fix_stop(rt, 0);
    free(elsewhere);
    return d;
}

START_TEST(the_same_seed_gives_the_same_log_and_another_a_different_one)
{
    uint64_t seen[30];
    for (unsigned i = 0; i < 30; i++) {
        seen[i] = digest_of(i + 1, i * 1000);
        ck_assert_uint_eq(digest_of(i + 1, 7777 - i), seen[i]);
        for (unsigned k = 0; k < i; k++) ck_assert_uint_ne(seen[k], seen[i]);
    }
}
END_TEST

static void say_letter(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) fix_say(bsk_state(self));
    }
}

START_TEST(seeds_bring_up_every_order)
{
    for (uint64_t seed = 1; seed <= 200; seed++) {
        bsk_rt *rt = bsk_start(.seed = seed);
        const char *names[] = {"a", "b", "c"};
        for (int i = 0; i < 3; i++)
            bsk_tell(fix_born(bsk_spawn(rt, say_letter, .state = names[i], .state_size = 2)), num,
                     1);
        fix_stop(rt, 0);
        bsk_rt *again = bsk_start(.seed = seed);
        bsk_addr who[3];
        for (int i = 0; i < 3; i++)
            who[i] = fix_born(bsk_spawn(again, say_letter, .state = names[i], .state_size = 2));
        for (int i = 0; i < 3; i++) bsk_tell(who[i], num, 1);
        bsk_advance(again, 0);
        fix_say(" ");
        fix_stop(again, 0);
    }
    const char *orders[] = {"abc ", "acb ", "bac ", "bca ", "cab ", "cba "};
    for (int i = 0; i < 6; i++) ck_assert_ptr_nonnull(strstr(fix_said(), orders[i]));
}
END_TEST

static void nap(bsk_self *self)
{
    ck_assert_int_eq(bsk_sleep(self, 1000 * 60 * 60 * 24), 0);
    ck_assert_int_eq(bsk_now(bsk_rt_of(self)), 1000 * 60 * 60 * 24);
    fix_say("woke ");
}

START_TEST(virtual_time_passes_only_when_nothing_else_can_happen)
{
    bsk_rt *rt = bsk_start(.seed = 9);
    fix_born(bsk_spawn(rt, nap));
    ck_assert_int_eq(bsk_now(rt), 0);
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_str_eq(fix_said(), "woke ");
}
END_TEST

START_TEST(advancing_sets_the_time_exactly)
{
    bsk_rt *rt = bsk_start(.seed = 9);
    int64_t now = 0, steps[] = {0, 1, 1, 998, 0, 123456789};
    for (int i = 0; i < 6; i++) {
        bsk_advance(rt, steps[i]);
        now += steps[i];
        ck_assert_int_eq(bsk_now(rt), now);
    }
    fix_stop(rt, 0);
}
END_TEST

START_TEST(real_time_goes_on_by_itself)
{
    bsk_rt *rt = bsk_start(.workers = 1);
    int64_t begin = bsk_now(rt);
    ck_assert_int_ge(begin, 0);
    bsk_addr a = fix_born(bsk_spawn(rt, sleep_on));
    ck_assert_ptr_null(bsk_call(NULL, a, 20, get, 1));
    ck_assert_int_ge(bsk_now(rt), begin + 20);
    fix_stop(rt, 0);
}
END_TEST

FIX_MAIN("clock", 60, the_same_seed_gives_the_same_log_and_another_a_different_one,
         seeds_bring_up_every_order, virtual_time_passes_only_when_nothing_else_can_happen,
         advancing_sets_the_time_exactly, real_time_goes_on_by_itself)
