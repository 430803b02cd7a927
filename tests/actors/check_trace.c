/* SPDX-License-Identifier: MIT */
/* check_trace.c - events, dead letters, log lines; and figures that add up. */
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

/* ---- log lines */

START_TEST(dead_letters_are_logged_once_a_second)
{
    rt = bsk_start(.seed = 1, FIX_HOOKS);
    bsk_addr a = fix_born(bsk_spawn(rt, idle, .mailbox = 1));
    ck_assert_int_eq(bsk_try(a, num, 1), 0);
    for (int i = 0; i < 10000; i++) bsk_tell(a, other, i);
    ck_assert_uint_eq(fix_lines("dead letter"), 1);
    ck_assert_uint_eq(fix_lines("other"), 1);
    ck_assert_uint_eq(fix_lines("refused"), 1);
    bsk_advance(rt, 999);
    ck_assert_int_eq(bsk_try(a, num, 1), 0);
    bsk_tell(a, other, 1);
    ck_assert_uint_eq(fix_lines("dead letter"), 1);
    bsk_advance(rt, 1);
    for (int i = 0; i < 100; i++) bsk_tell(a, other, 1);
    ck_assert_uint_eq(fix_lines("dead letter"), 2);
    for (int s = 0; s < 10; s++) {
        for (int i = 0; i < 10; i++) {
            bsk_advance(rt, 100);
            for (int k = 0; k < 3; k++) bsk_tell(a, other, i);
        }
    }
    ck_assert_uint_ge(fix_lines("dead letter"), 11);
    ck_assert_uint_le(fix_lines("dead letter"), 13);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(a_quiet_runtime_counts_and_does_not_log_them)
{
    rt = bsk_start(.seed = 1, .quiet = true, FIX_HOOKS);
    bsk_addr a = fix_born(bsk_spawn(rt, idle, .mailbox = 1));
    for (int i = 0; i < 5; i++) bsk_tell(a, other, i);
    ck_assert_uint_eq(fix_lines("dead letter"), 0);
    ck_assert_uint_eq(fix_dead(&other_bsk, BSK_DEAD_REFUSED), 4);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(what_a_stopping_runtime_leaves_is_not_logged)
{
    rt = bsk_start(.seed = 1, FIX_HOOKS);
    bsk_addr a = fix_born(bsk_spawn(rt, idle));
    for (int i = 0; i < 5; i++) bsk_tell(a, other, i);
    fix_stop(rt, 0);
    ck_assert_uint_eq(fix_lines("dead letter"), 0);
    ck_assert_uint_eq(fix_dead(&other_bsk, BSK_DEAD_UNHANDLED) + fix_dead(&other_bsk, BSK_DEAD_UNMATCHED), 5);
}
END_TEST

START_TEST(each_reason_of_a_dead_letter_has_a_name)
{
    const char *names[] = {"gone", "refused", "dropped", "unhandled", "unmatched", "expired", "late",
                           "out of memory"};
    for (int i = 0; i < BSK_DEAD_COUNT; i++) ck_assert_str_eq(bsk_dead_name((enum bsk_dead)i), names[i]);
    ck_assert_str_eq(bsk_dead_name(BSK_DEAD_COUNT), "unknown");
    ck_assert_str_eq(bsk_dead_name((enum bsk_dead) - 1), "unknown");
}
END_TEST

START_TEST(each_code_has_a_name_and_a_text)
{
    ck_assert_str_eq(bsk_errname(0), "OK");
    for (int rc = -1; rc > -BSK_N_COUNT; rc--) {
        ck_assert_int_eq(bsk_errname(rc)[0], 'E');
        ck_assert_str_ne(bsk_errname(rc), "EUNKNOWN");
        ck_assert_str_ne(bsk_strerror(rc), "unknown error");
    }
    int unknown[] = {1, 99, -BSK_N_COUNT, -999, INT32_MIN, INT32_MAX};
    for (int i = 0; i < 6; i++) {
        ck_assert_str_eq(bsk_errname(unknown[i]), "EUNKNOWN");
        ck_assert_str_eq(bsk_strerror(unknown[i]), "unknown error");
    }
}
END_TEST

/* ---- events */

static bsk_event events[64];
static char texts[64][32];
static int nevents;

static void keep_event(void *arg, const bsk_event *e)
{
    ck_assert_ptr_eq(arg, &nevents);
    ck_assert_int_lt(nevents, 64);
    if (e->text) snprintf(texts[nevents], sizeof texts[0], "%s", e->text);
    events[nevents++] = *e;
}

static void traced(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) ck_assert_uint_ne(bsk_after(self, 5, stop_it).gen, 0);
        bsk_on(stop_it, s) bsk_fail(self, "the text");
    }
}

static void tell_next(bsk_self *self)
{
    bsk_tell(*(bsk_addr *)bsk_state(self), num, 1);
}

static void is_event(int i, enum bsk_event_kind kind, bsk_addr who, const bsk_type *type, int64_t value)
{
    ck_assert_int_lt(i, nevents);
    ck_assert_int_eq(events[i].kind, kind);
    ck_assert(bsk_same(events[i].actor, who));
    ck_assert_ptr_eq(events[i].type, type);
    ck_assert_int_eq(events[i].value, value);
}

static void keep_no_line(void *arg, enum bsk_level level, const char *line)
{
    ck_assert(arg == &nevents && level == BSK_LOG_ERROR && *line);
}

START_TEST(events_tell_what_happened_in_order)
{
    rt = bsk_start(.seed = 1, .trace = keep_event, .arg = &nevents, .verbose = BSK_LOG_ERROR, .quiet = true,
                   .log = keep_no_line);
    bsk_addr a = fix_born(bsk_spawn(rt, traced, .name = "named"));
    bsk_advance(rt, 2);
    bsk_addr b = fix_born(bsk_spawn(rt, tell_next, .label = "labelled", .state = &a, .state_size = sizeof a));
    bsk_advance(rt, 10);
    bsk_tell(a, other, 1);
    is_event(0, BSK_EV_SPAWN, a, NULL, 0);
    ck_assert_str_eq(texts[0], "named");
    is_event(1, BSK_EV_SPAWN, b, NULL, 0);
    ck_assert_str_eq(texts[1], "labelled");
    is_event(2, BSK_EV_SEND, a, BSK_T(num), 0);
    ck_assert(bsk_same(events[2].peer, b));
    ck_assert_int_eq(events[2].ns, 2000000);
    is_event(3, BSK_EV_END, b, NULL, BSK_NORMAL);
    is_event(4, BSK_EV_TAKE, a, BSK_T(num), 0);
    is_event(5, BSK_EV_TIMER, a, BSK_T(stop_it), 0);
    ck_assert_int_eq(events[5].ns, 7000000);
    ck_assert_int_eq(events[6].kind, BSK_EV_TAKE);
    is_event(7, BSK_EV_END, a, NULL, BSK_FAILED);
    ck_assert_str_eq(texts[7], "the text");
    is_event(8, BSK_EV_DEAD, a, BSK_T(other), BSK_DEAD_GONE);
    ck_assert_int_eq(nevents, 9);
    fix_stop(rt, 1);
}
END_TEST

/* ---- figures */

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
    uint64_t dead = s.dead[BSK_DEAD_UNHANDLED] + s.dead[BSK_DEAD_DROPPED] + s.dead[BSK_DEAD_EXPIRED];
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
        for (int why = 0; why < BSK_DEAD_COUNT; why++) earlier[why] = fix_dead(NULL, (enum bsk_dead)why);
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
    bsk_addr asker = fix_born(bsk_spawn(rt, ask_for, .state = &server, .state_size = sizeof server));
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

/* ---- the dump */

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
    bsk_addr full = fix_born(bsk_spawn(rt, wait_somehow, .name = "full", .mailbox = 3, BSK_STATE(int, sleeps)));
    fix_born(bsk_spawn(rt, wait_somehow, .name = "mute", BSK_STATE(int, sleeps)));
    for (int i = 0; i < 3; i++) ck_assert_int_eq(bsk_try(full, num, i), 0);
    for (int i = 0; i < 4; i++) fix_born(bsk_spawn(rt, wait_somehow, .label = names[i], BSK_STATE(int, i)));
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

FIX_MAIN("trace", 60, dead_letters_are_logged_once_a_second,
         a_quiet_runtime_counts_and_does_not_log_them, what_a_stopping_runtime_leaves_is_not_logged,
         each_reason_of_a_dead_letter_has_a_name, each_code_has_a_name_and_a_text,
         events_tell_what_happened_in_order, handled_and_dead_and_queued_are_what_was_accepted,
         figures_of_actors_timers_and_lanes, memory_comes_back_to_the_figures_after_a_burst,
         a_dump_names_each_actor_its_state_and_on_whom_it_waits,
         a_dump_shows_who_is_stuck_and_at_what, a_dump_may_be_taken_while_actors_come_and_go)
