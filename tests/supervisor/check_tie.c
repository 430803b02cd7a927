/* SPDX-License-Identifier: MIT */
/* check_tie.c - the list of those who hear of an end: who is listed, taken out, counted, told.
 *
 * ctest: timeout=60 */
#include "../actors/fixture.h"

#include "supervisor/supervisor.h"
#include "supervisor/tie.h"

static bsk_rt *rt;

static void setup(void)
{
    rt = bsk_start(.seed = 61, FIX_TRACED);
    ck_assert_ptr_nonnull(rt);
}

static void idle(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(stop_it, s) bsk_exit(self);
    }
}

static bsk_ties_out ties_of(bsk_addr who)
{
    bsk_ties_out out = {77, 77};
    ck_assert_int_eq(bsk_ties(who, &out), 0);
    return out;
}

START_TEST(ties_are_listed_taken_out_and_counted)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, idle));
    struct tie t[4];
    for (int i = 0; i < 4; i++) {
        t[i] = (struct tie){.of = a, .link = i % 2};
        ck_assert(tie_list(rt, &t[i]));
        ck_assert(t[i].listed);
    }
    ck_assert_uint_eq(ties_of(a).links, 2);
    ck_assert_uint_eq(ties_of(a).watchers, 2);
    /* From the middle, the end and the front of the list; once. */
    static const int order[] = {1, 0, 3, 2};
    for (unsigned i = 0; i < 4; i++) {
        ck_assert(tie_unlist(rt, &t[order[i]]));
        ck_assert(!tie_unlist(rt, &t[order[i]]));
        ck_assert(!t[order[i]].listed);
        ck_assert_uint_eq(ties_of(a).links + ties_of(a).watchers, 3 - i);
    }
    fix_stop(rt, 0);
}
END_TEST

START_TEST(with_who_does_not_live_nothing_is_listed)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, idle));
    bsk_tell(a, stop_it);
    bsk_advance(rt, 1);
    bsk_addr b = fix_born(bsk_spawn(rt, idle));
    bsk_addr none[] = {a, fix_addr(a.node, a.slot, a.gen + 1), fix_addr(a.node, b.slot, b.gen + 2),
                       fix_addr(a.node, UINT32_MAX, 1), fix_addr(a.node, b.slot, 0)};
    for (int i = 0; i < 5; i++) {
        struct tie t = {.of = none[i]};
        bsk_ties_out out = {77, 77};
        ck_assert(!tie_list(rt, &t));
        ck_assert(!t.listed);
        ck_assert_int_eq(bsk_ties(none[i], &out), BSK_EDEAD);
        ck_assert_uint_eq(out.links, 77);
        ck_assert_uint_eq(out.watchers, 77);
    }
    bsk_ties_out out;
    ck_assert_int_eq(bsk_ties(fix_addr(a.node + 1, b.slot, b.gen), &out), BSK_EDEAD);
    ck_assert_int_eq(bsk_ties(fix_addr(0, 0, 0), &out), BSK_EDEAD);
    ck_assert_uint_eq(ties_of(b).links + ties_of(b).watchers, 0);
    fix_stop(rt, 0);
}
END_TEST

static void tie_to_state(bsk_self *self)
{
    bsk_addr who = *(bsk_addr *)bsk_state(self);
    ck_assert_uint_ne(bsk_watch(self, who).gen, 0);
    ck_assert_int_eq(bsk_link(self, who), 0);
    bsk_trap_exit(self, true);
    for (int i = 0; i < 2; i++) {
        bsk_match(bsk_recv(self, BSK_FOREVER)) {
            bsk_on(bsk_down, d) fix_say("down ");
            bsk_on(bsk_left, l) fix_say("left ");
        }
    }
    ck_assert_ptr_null(bsk_recv(self, 10));
    fix_hit();
}

/* Who is linked and watches hears of both, and a slot's next actor starts with no ties. */
START_TEST(the_next_actor_in_a_slot_has_none)
{
    setup();
    for (unsigned i = 0; i < 50; i++) {
        bsk_addr a = fix_born(bsk_spawn(rt, idle));
        fix_born(bsk_spawn(rt, tie_to_state, .state = &a, .state_size = sizeof a));
        bsk_advance(rt, 1);
        ck_assert_uint_eq(ties_of(a).links, 1);
        ck_assert_uint_eq(ties_of(a).watchers, 1);
        bsk_tell(a, stop_it);
        bsk_advance(rt, 20);
        ck_assert_uint_eq(fix_hits(), i + 1);
    }
    ck_assert_uint_eq(strlen(fix_said()), 50 * strlen("down left "));
    fix_stop(rt, 0);
}
END_TEST

/* Anyone may count, from any thread, while they come and go. */
static void count_all(bsk_self *self)
{
    bsk_addr who = *(bsk_addr *)bsk_state(self);
    bsk_ties_out out;
    while (bsk_ties(who, &out) == 0) {
        ck_assert_uint_le(out.links, 1);
        ck_assert_uint_le(out.watchers, 10);
        if (bsk_yield(self)) return;
    }
    fix_hit();
}

static void come_and_go(bsk_self *self)
{
    bsk_addr who = fix_born(bsk_spawn(rt, idle));
    bsk_monitor m[10];
    for (int i = 0; i < 2; i++)
        fix_born(bsk_spawn(rt, count_all, .state = &who, .state_size = sizeof who));
    for (int round = 0; round < 300; round++) {
        ck_assert_int_eq(bsk_link(self, who), 0);
        for (int i = 0; i < 10; i++) m[i] = bsk_watch(self, who);
        if (round % 8 == 0) ck_assert_int_eq(bsk_yield(self), 0);
        for (int i = 0; i < 10; i++) ck_assert(bsk_unwatch(self, m[i]));
        bsk_unlink(self, who);
    }
    bsk_tell(who, stop_it);
}

START_TEST(they_are_counted_while_they_come_and_go)
{
    rt = bsk_start(.workers = 2, .quiet = true);
    for (int i = 0; i < 5; i++) fix_born(bsk_spawn(rt, come_and_go));
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_uint_eq(fix_hits(), 10);
}
END_TEST

FIX_MAIN("tie", 30, ties_are_listed_taken_out_and_counted, with_who_does_not_live_nothing_is_listed,
         the_next_actor_in_a_slot_has_none, they_are_counted_while_they_come_and_go)
