/* SPDX-License-Identifier: MIT */
/* check_link.c - links: however many there are, whoever ends; what is left of them: nothing.
 *
 * ctest: timeout=120 */
#include "../actors/fixture.h"

#include "supervisor/supervisor.h"

#include <sched.h>

BSK_MSG(link_to, (addr, who));
BSK_MSG(unlink_from, (addr, who));
BSK_MSG(trap);

static bsk_rt *rt;
static unsigned lefts;
static int64_t last_reason;

static void ignore_line(void *arg, enum bsk_level level, const char *text)
{
    ck_assert(!arg && level <= BSK_LOG_DEBUG && text);
}

static void setup(void)
{
    rt = bsk_start(.seed = 41, .log = ignore_line, .trace = fix_on_trace);
    ck_assert_ptr_nonnull(rt);
}

static void linker(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(link_to, l) ck_assert_int_eq(bsk_link(self, l->who), 0);
        bsk_on(unlink_from, u) bsk_unlink(self, u->who);
        bsk_on(trap, t) bsk_trap_exit(self, true);
        bsk_on(bsk_left, l) {
            lefts++;
            last_reason = l->reason;
        }
        bsk_on(stop_it, s) bsk_exit(self);
        bsk_on(note, n) bsk_fail(self, "%s", n->text);
    }
}

static void linker_fiber(bsk_self *self)
{
    for (bsk_msg *m; (m = bsk_recv(self, BSK_FOREVER));) linker(self, m);
}

static bsk_addr spawn_linker(bool handler)
{
    return fix_born(handler ? bsk_spawn(rt, linker) : bsk_spawn(rt, linker_fiber));
}

static uint32_t links_of(bsk_addr who)
{
    bsk_ties_out ties;
    ck_assert_int_eq(bsk_ties(who, &ties), 0);
    ck_assert_uint_eq(ties.watchers, 0);
    return ties.links;
}

START_TEST(links_are_counted_once_at_both_ends)
{
    setup();
    for (int i = 0; i < 4; i++) {
        bsk_addr a = spawn_linker(i % 2), b = spawn_linker(i / 2), c = spawn_linker(true);
        bsk_tell(a, link_to, .who = b);
        bsk_tell(b, link_to, .who = a);
        bsk_tell(a, link_to, .who = b);
        bsk_tell(c, link_to, .who = a);
        bsk_advance(rt, 1);
        ck_assert_uint_eq(links_of(a), 2);
        ck_assert_uint_eq(links_of(b), 1);
        ck_assert_uint_eq(links_of(c), 1);
        bsk_tell(b, unlink_from, .who = c);
        bsk_tell(b, unlink_from, .who = a);
        bsk_tell(b, unlink_from, .who = a);
        bsk_tell(b, unlink_from, .who = b);
        bsk_advance(rt, 1);
        ck_assert_uint_eq(links_of(a), 1);
        ck_assert_uint_eq(links_of(b), 0);
        ck_assert_uint_eq(links_of(c), 1);
    }
    fix_stop(rt, 0);
}
END_TEST

START_TEST(who_ends_takes_its_links_with_it)
{
    setup();
    bsk_addr hub = spawn_linker(true), end[10];
    bsk_tell(hub, trap);
    for (int i = 0; i < 10; i++) {
        end[i] = spawn_linker(i % 2);
        bsk_tell(hub, link_to, .who = end[i]);
    }
    bsk_advance(rt, 1);
    for (unsigned i = 0; i < 10; i++) {
        bsk_tell(end[i], note, "over");
        bsk_advance(rt, 1);
        ck_assert_uint_eq(links_of(hub), 9 - i);
        ck_assert_uint_eq(lefts, i + 1);
        ck_assert_int_eq(last_reason, BSK_FAILED);
        bsk_ties_out ties;
        ck_assert_int_eq(bsk_ties(end[i], &ties), BSK_EDEAD);
    }
    fix_stop(rt, 1);
}
END_TEST

/* Linked in a ring, and more: each ends once, for the reason of the first. */
START_TEST(all_who_are_linked_end_for_the_reason_of_the_first)
{
    enum { ALL = 50 };
    setup();
    bsk_addr a[ALL];
    for (int i = 0; i < ALL; i++) a[i] = spawn_linker(i % 2);
    for (int i = 0; i < ALL; i++)
        for (int k = 1; k < 8; k++) bsk_tell(a[i], link_to, .who = a[(i + k) % ALL]);
    bsk_advance(rt, 1);
    for (int i = 0; i < ALL; i++) ck_assert_uint_eq(links_of(a[i]), 14);
    bsk_tell(a[7], note, "the first");
    bsk_advance(rt, 1);
    ck_assert_uint_eq(fix_ends(), ALL);
    for (int i = 0; i < ALL; i++) {
        ck_assert_int_eq(fix_end_of(a[i]).reason, BSK_FAILED);
        ck_assert_str_eq(fix_end_of(a[i]).text, "the first");
    }
    fix_stop(rt, 1);
}
END_TEST

static _Atomic unsigned born;

/* Each is linked to the one before it. */
static void go_on(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) {
            born++;
            if (n->v == 0) break;
            bsk_addr next = bsk_spawn_link(self, go_on);
            ck_assert(!bsk_is_nobody(next));
            bsk_tell(next, num, n->v - 1);
        }
        bsk_on(note, n) bsk_fail(self, "%s", n->text);
    }
}

/* Were one end to run in another's, no stack would do. */
START_TEST(a_chain_of_100000_ends_without_recursion)
{
    for (int seeded = 0; seeded < 2; seeded++) {
        born = 0;
        rt = seeded ? bsk_start(.seed = 3, .log = ignore_line)
                    : bsk_start(.workers = 2, .quiet = true, .log = ignore_line);
        bsk_addr first = fix_born(bsk_spawn(rt, go_on));
        bsk_tell(first, num, 99999);
        if (seeded) bsk_advance(rt, 1);
        while (born < 100000) sched_yield();
        bsk_tell(first, note, "the whole chain");
        ck_assert_int_eq(bsk_wait(rt), 1);
    }
}
END_TEST

enum { BURST = 100000 };

static void link_burst(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) {
            bsk_trap_exit(self, true);
            for (int64_t i = 0; i < n->v; i++)
                ck_assert(!bsk_is_nobody(bsk_spawn_link(self, linker)));
        }
        bsk_on(bsk_left, l) {
            lefts++;
            ck_assert_int_eq(l->reason, BSK_KILLED);
        }
    }
}

/* All that is needed was set aside when the links were made. */
START_TEST(a_burst_of_ends_without_memory_loses_no_signal)
{
    setup();
    bsk_addr hub = fix_born(bsk_spawn(rt, link_burst, .mailbox = 1));
    bsk_tell(hub, num, BURST);
    bsk_advance(rt, 1);
    ck_assert_uint_eq(links_of(hub), BURST);
    bsk_tell(hub, num, 0);
    mem_fail_at(1, 1);
    for (uint32_t slot = 0; slot < BURST + 1000; slot++)
        if (slot != hub.slot) (void)!bsk_kill(fix_addr(hub.node, slot, 1));
    bsk_advance(rt, 1);
    mem_fail_at(0, 0);
    ck_assert_uint_eq(lefts, BURST);
    ck_assert_uint_eq(links_of(hub), 0);
    fix_stop(rt, 0);
}
END_TEST

/* The hub ends: all the others hear. */
START_TEST(a_hub_that_ends_without_memory_ends_them_all)
{
    setup();
    bsk_addr hub = fix_born(bsk_spawn(rt, link_burst));
    bsk_tell(hub, num, BURST);
    bsk_advance(rt, 1);
    mem_fail_at(1, 1);
    ck_assert_int_eq(bsk_kill(hub), 0);
    bsk_advance(rt, 1);
    mem_fail_at(0, 0);
    bsk_stats_out out;
    bsk_stats(rt, &out);
    ck_assert_uint_eq(out.actors, 0);
    fix_stop(rt, 0);
}
END_TEST

static uint64_t fail_from;
static int fail_onward;
static bool spawns, linked;

static void link_without_memory(bsk_self *self)
{
    bsk_addr who = {0, 0, 0}, peer = bsk_spawn(rt, linker);
    int rc = 0;
    mem_fail_at(fail_from, fail_onward);
    if (spawns)
        who = bsk_spawn_link(self, linker);
    else
        rc = bsk_link(self, peer);
    mem_fail_at(0, 0);
    if (spawns && bsk_is_nobody(who)) rc = bsk_error(self);
    ck_assert(rc == 0 || rc == BSK_ENOMEM);
    linked = rc == 0;
    ck_assert_uint_eq(links_of(bsk_me(self)), linked);
    ck_assert_uint_eq(links_of(peer), linked && !spawns);
}

static void link_without_memory_handler(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) link_without_memory(self);
    }
}

START_TEST(without_memory_nothing_is_half_made)
{
    for (int i = 0; i < 8; i++) {
        spawns = i / 4;
        fail_onward = i % 2;
        linked = false;
        for (fail_from = 1; !linked; fail_from++) {
            int64_t live = mem_live();
            rt = bsk_start(.seed = 5, .log = ignore_line);
            bsk_addr a = i % 4 / 2 ? bsk_spawn(rt, link_without_memory)
                                   : bsk_spawn(rt, link_without_memory_handler);
            if (i % 4 / 2 == 0) bsk_tell(fix_born(a), num, 1);
            bsk_advance(rt, 1);
            fix_stop(rt, 0);
            ck_assert_int_eq(mem_live(), live);
            ck_assert_uint_lt(fail_from, 50);
        }
        ck_assert_uint_gt(fail_from, 2);
    }
}
END_TEST

static int64_t live_after(int64_t links)
{
    bsk_addr hub = fix_born(bsk_spawn(rt, link_burst));
    bsk_tell(hub, num, links);
    bsk_advance(rt, 1);
    ck_assert_uint_eq(links_of(hub), links);
    ck_assert_int_eq(bsk_kill(hub), 0);
    bsk_advance(rt, 1);
    return mem_live();
}

START_TEST(memory_returns_to_what_it_was)
{
    setup();
    live_after(2000);
    int64_t before = live_after(2000);
    for (int i = 0; i < 3; i++) ck_assert_int_eq(live_after(2000), before);
    fix_stop(rt, 0);
}
END_TEST

/* Each links to, and unlinks from, those started before it, who end meanwhile. */
static void link_at_random(bsk_self *self)
{
    const bsk_addr *others = bsk_state(self);
    bsk_trap_exit(self, bsk_random(self) % 2);
    for (int i = 0; i < 40; i++) {
        bsk_addr to = others[bsk_random(self) % 4];
        if (bsk_random(self) % 2)
            ck_assert_int_eq(bsk_link(self, to), 0);
        else
            bsk_unlink(self, to);
        if (i % 8 == 7 && bsk_yield(self)) break;
    }
    if (bsk_random(self) % 2) bsk_fail(self, "one of many");
}

START_TEST(they_link_and_unlink_and_end_on_real_threads)
{
    rt = bsk_start(.workers = 3, .quiet = true, .log = ignore_line);
    bsk_addr known[4];
    for (int i = 0; i < 4; i++) known[i] = spawn_linker(true);
    for (int i = 0; i < 4000; i++)
        known[i % 4] =
            fix_born(bsk_spawn(rt, link_at_random, .state = known, .state_size = sizeof known));
    fix_stop(rt, 1);
}
END_TEST

static void link_and_end(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(link_to, l) ck_assert_int_eq(bsk_link(self, l->who), 0);
        bsk_on(note, n) bsk_fail(self, "%s", n->text);
    }
}

/* Both ends fire the link at once. */
START_TEST(two_who_are_linked_end_at_the_same_time)
{
    rt = bsk_start(.workers = 2, .quiet = true, .log = ignore_line);
    for (int i = 0; i < 3000; i++) {
        bsk_addr a = fix_born(bsk_spawn(rt, link_and_end));
        bsk_addr b = fix_born(bsk_spawn(rt, link_and_end));
        bsk_tell(a, link_to, .who = b);
        bsk_tell(b, link_to, .who = a);
        bsk_tell(a, note, "both");
        bsk_tell(b, note, "both");
    }
    ck_assert_int_eq(bsk_wait(rt), 1);
}
END_TEST

FIX_MAIN("link", 60, links_are_counted_once_at_both_ends, who_ends_takes_its_links_with_it,
         all_who_are_linked_end_for_the_reason_of_the_first,
         a_chain_of_100000_ends_without_recursion, a_burst_of_ends_without_memory_loses_no_signal,
         a_hub_that_ends_without_memory_ends_them_all, without_memory_nothing_is_half_made,
         memory_returns_to_what_it_was, they_link_and_unlink_and_end_on_real_threads,
         two_who_are_linked_end_at_the_same_time)
