/* SPDX-License-Identifier: MIT */
/* check_dump.c - a look at all actors: who they are, what they do, on whom they wait. */
#include "fixture.h"

#include <pthread.h>

static bsk_rt *rt;

static void idle(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(get, g) bsk_reply(g, get, .v = g->v);
        bsk_on(num, n) continue;
        bsk_on(stop_it, s) bsk_exit(self);
    }
}

static char dumped[16384];

static void keep_line(void *arg, const char *text)
{
    ck_assert_ptr_eq(arg, dumped);
    ck_assert_uint_lt(strlen(dumped) + strlen(text) + 2, sizeof dumped);
    strcat(strcat(dumped, text), "\n");
}

static void dump(void)
{
    dumped[0] = '\0';
    bsk_dump(rt, keep_line, dumped);
}

/* The line of the dump that begins so. */
static bool says(const char *begin, const char *then)
{
    char *line = strstr(dumped, begin);
    if (!line) return false;
    char *end = strchr(line, '\n'), *at = strstr(line, then);
    return at && at < end;
}

static void wait_somehow(bsk_self *self)
{
    bsk_addr full = bsk_whereis(rt, "full"), mute = bsk_whereis(rt, "mute");
    switch (*(int *)bsk_state(self)) {
    case 0: (void)bsk_recv(self, BSK_FOREVER); break;
    case 1: (void)bsk_sleep(self, BSK_FOREVER); break;
    case 2: ck_assert_ptr_null(bsk_call(self, mute, BSK_FOREVER, get, 1)); break;
    case 3: ck_assert_int_ne(bsk_send(self, full, BSK_FOREVER, num, 1), 0); break;
    }
}

START_TEST(a_dump_names_each_actor_its_state_and_on_whom_it_waits)
{
    rt = bsk_start(.seed = 5, FIX_HOOKS);
    const char *names[] = {"receives", "sleeps", "calls", "sends"};
    int sleeps = 1;
    bsk_addr full =
        fix_born(bsk_spawn(rt, wait_somehow, .name = "full", .mailbox = 3, BSK_STATE(int, sleeps)));
    fix_born(bsk_spawn(rt, wait_somehow, .name = "mute", BSK_STATE(int, sleeps)));
    for (int i = 0; i < 3; i++) ck_assert_int_eq(bsk_try(full, num, i), 0);
    for (int i = 0; i < 4; i++)
        fix_born(bsk_spawn(rt, wait_somehow, .label = names[i], BSK_STATE(int, i)));
    bsk_addr h = fix_born(bsk_spawn(rt, idle, .label = "a handler"));
    fix_born(bsk_spawn(rt, idle));
    bsk_advance(rt, 5);
    dump();
    ck_assert(says("fiber receives <", "waits for a message"));
    ck_assert(says("fiber sleeps <", "sleeps"));
    ck_assert(says("fiber calls <", "waits for a reply of mute <"));
    ck_assert(says("fiber sends <", "waits for room at full <"));
    ck_assert(says("fiber full <", "mailbox 3 of 3"));
    ck_assert(says("handler a handler <", "idle; mailbox 0 of 1024"));
    ck_assert(says("handler <", "idle"));
    ck_assert_int_eq(bsk_try(h, num, 1), 0);
    ck_assert_int_eq(bsk_drain(h, BSK_FOREVER), 0);
    dump();
    ck_assert(says("handler a handler <", "runnable; mailbox 1 of 1024, closed"));
    bsk_info_out info;
    ck_assert_int_eq(bsk_info(h, &info), 0);
    ck_assert(!info.fiber && info.closed && !info.doing);
    ck_assert_uint_eq(info.queued, 1);
    ck_assert_uint_eq(info.capacity, 1024);
    ck_assert_int_eq(bsk_info(full, &info), 0);
    ck_assert(info.fiber && !info.closed);
    ck_assert_uint_eq(info.queued, 3);
    h.gen += 2;
    ck_assert_int_eq(bsk_info(h, &info), BSK_EDEAD);
    ck_assert_int_eq(bsk_info((bsk_addr){0, 0, 0}, &info), BSK_EDEAD);
    fix_stop(rt, 0);
}
END_TEST

static _Atomic bool go_on;

static void stuck(bsk_self *self, bsk_msg *m)
{
    ck_assert_ptr_nonnull(self);
    bsk_match(m) {
        bsk_on(num, n) {
            fix_hit();
            while (!atomic_load(&go_on)) continue;
        }
    }
}

START_TEST(a_dump_shows_who_is_stuck_and_at_what)
{
    rt = bsk_start(.workers = 2, .slow_ms = BSK_FOREVER, FIX_HOOKS);
    bsk_addr a = fix_born(bsk_spawn(rt, stuck, .name = "stuck one"));
    bsk_tell(a, num, 1);
    fix_await(1);
    bsk_tell(a, num, 2);
    dump();
    ck_assert(says("handler stuck one <", "at work on num for about"));
    ck_assert(says("handler stuck one <", "mailbox 1 of 1024"));
    bsk_info_out info;
    do ck_assert_int_eq(bsk_info(a, &info), 0);
    while (info.busy_ms < 2);
    ck_assert_ptr_eq(info.doing, &num_bsk);
    atomic_store(&go_on, true);
    fix_stop(rt, 0);
}
END_TEST

static void ignore_line(void *arg, const char *text)
{
    ck_assert(arg && *text);
}

static void *dump_on(void *over)
{
    while (!atomic_load((_Atomic bool *)over)) {
        bsk_stats_out s;
        bsk_dump(rt, ignore_line, over);
        bsk_stats(rt, &s);
    }
    return over;
}

static void come_and_go(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) {
            if (n->v) bsk_tell(bsk_spawn(rt, come_and_go, .label = "child"), num, n->v - 1);
            bsk_exit(self);
        }
    }
}

START_TEST(a_dump_may_be_taken_while_actors_come_and_go)
{
    rt = bsk_start(.workers = 2, FIX_HOOKS);
    _Atomic bool over = false;
    pthread_t t;
    ck_assert_int_eq(pthread_create(&t, NULL, dump_on, &over), 0);
    bsk_addr keeps = fix_born(bsk_spawn(rt, idle, .name = "keeps"));
    for (int i = 0; i < 20; i++) bsk_tell(fix_born(bsk_spawn(rt, come_and_go)), num, 500);
    bsk_stats_out s;
    do bsk_stats(rt, &s);
    while (s.actors > 1);
    atomic_store(&over, true);
    pthread_join(t, NULL);
    bsk_tell(keeps, stop_it);
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_uint_eq(fix_dead_all(), 0);
}
END_TEST

FIX_MAIN("dump", 60, a_dump_names_each_actor_its_state_and_on_whom_it_waits,
         a_dump_shows_who_is_stuck_and_at_what, a_dump_may_be_taken_while_actors_come_and_go)
