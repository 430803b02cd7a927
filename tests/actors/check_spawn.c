/* SPDX-License-Identifier: MIT */
/* check_spawn.c - starting actors: every option, every default, every refusal. */
#include "fixture.h"

#include "actors/spawn.h"

#include <pthread.h>

static bsk_rt *seeded(void)
{
    bsk_rt *rt = bsk_start(.seed = 11, FIX_TRACED);
    ck_assert_ptr_nonnull(rt);
    return rt;
}

static void idle(bsk_self *self, bsk_msg *m)
{
    ck_assert_ptr_nonnull(bsk_state(self));
    bsk_match(m) {
        bsk_on(stop_it, s) bsk_exit(self);
    }
}

static void idle_fiber(bsk_self *self)
{
    while (bsk_recv(self, BSK_FOREVER)) continue;
}

static void answer(bsk_self *self, bsk_msg *m)
{
    ck_assert_ptr_nonnull(self);
    bsk_match(m) {
        bsk_on(get, g) bsk_reply(g, get, .v = g->v + 1);
    }
}

static void refused(bsk_addr who, int rc)
{
    ck_assert(bsk_is_nobody(who));
    ck_assert_msg(bsk_error(NULL) == rc, "%s instead of %s", bsk_errname(bsk_error(NULL)),
                  bsk_errname(rc));
}

START_TEST(a_handler_and_a_fiber_are_started_by_the_same_word)
{
    bsk_rt *rt = seeded();
    bsk_addr h = fix_born(bsk_spawn(rt, idle)), f = fix_born(bsk_spawn(rt, idle_fiber));
    ck_assert(bsk_alive(h) && bsk_alive(f) && !bsk_same(h, f));
    ck_assert(h.node == f.node && h.node != 0);
    fix_stop(rt, 0);
    ck_assert_int_eq(fix_end_of(h).reason, BSK_SHUTDOWN);
    ck_assert_int_eq(fix_end_of(f).reason, BSK_SHUTDOWN);
}
END_TEST

START_TEST(an_option_out_of_range_is_refused)
{
    bsk_rt *rt = seeded();
    refused(bsk_spawn(rt, idle, .mailbox = BSK_MAILBOX_MAX + 1), BSK_EINVAL);
    refused(bsk_spawn(rt, idle, .mailbox = UINT32_MAX), BSK_EINVAL);
    refused(bsk_spawn(rt, idle, .overflow = (enum bsk_overflow)4), BSK_EINVAL);
    refused(bsk_spawn(rt, idle, .overflow = (enum bsk_overflow) - 1), BSK_EINVAL);
    refused(bsk_spawn(rt, idle, .state_size = 1), BSK_EINVAL);
    refused(bsk_spawn(rt, idle, .shutdown_ms = BSK_KILL - 1), BSK_EINVAL);
    refused(bsk_spawn(rt, idle, .shutdown_ms = INT64_MIN), BSK_EINVAL);
    refused(bsk_spawn(rt, idle_fiber, .trap_stop = true), BSK_EINVAL);
    refused(bsk_spawn(rt, idle_fiber, .stack = (size_t)65 * 1024 * 1024), BSK_EINVAL);
    refused(bsk_spawn(rt, idle_fiber, .stack = SIZE_MAX), BSK_EINVAL);
    bsk_stats_out out;
    bsk_stats(rt, &out);
    ck_assert_uint_eq(out.spawned, 0);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(no_behaviour_or_two_are_refused)
{
    bsk_rt *rt = seeded();
    bsk_opts o = {.end_ = 0};
    refused(bsk_spawn_(rt, (bsk_behavior){NULL, NULL}, &o), BSK_EINVAL);
    refused(bsk_spawn_(rt, (bsk_behavior){idle, idle_fiber}, &o), BSK_EINVAL);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(the_ends_of_each_range_are_accepted)
{
    bsk_rt *rt = seeded();
    fix_born(bsk_spawn(rt, idle, .mailbox = BSK_MAILBOX_MAX));
    fix_born(bsk_spawn(rt, idle, .mailbox = 1));
    fix_born(bsk_spawn(rt, idle, .shutdown_ms = INT64_MAX));
    fix_born(bsk_spawn(rt, idle, .shutdown_ms = BSK_FOREVER));
    fix_born(bsk_spawn(rt, idle, .shutdown_ms = BSK_KILL));
    fix_born(bsk_spawn(rt, idle_fiber, .stack = 1));
    fix_born(bsk_spawn(rt, idle_fiber, .stack = (size_t)64 * 1024 * 1024));
    fix_stop(rt, 0);
}
END_TEST

START_TEST(a_name_is_one_to_47_bytes)
{
    bsk_rt *rt = seeded();
    char name[BSK_NAME_MAX + 2];
    memset(name, 'n', sizeof name);
    name[BSK_NAME_MAX + 1] = '\0';
    refused(bsk_spawn(rt, idle, .name = ""), BSK_EINVAL);
    refused(bsk_spawn(rt, idle, .name = name), BSK_EINVAL);
    refused(bsk_spawn(rt, idle, .label = name), BSK_EINVAL);
    name[BSK_NAME_MAX] = '\0';
    bsk_addr who = fix_born(bsk_spawn(rt, idle, .name = name));
    ck_assert(bsk_same(bsk_whereis(rt, name), who));
    memset(name, 'x', BSK_NAME_MAX);
    ck_assert(bsk_is_nobody(bsk_whereis(rt, name)));
    fix_stop(rt, 0);
}
END_TEST

START_TEST(a_name_that_is_taken_is_refused_and_a_label_never)
{
    bsk_rt *rt = seeded();
    bsk_addr first = fix_born(bsk_spawn(rt, idle, .name = "one"));
    refused(bsk_spawn(rt, idle, .name = "one"), BSK_EEXIST);
    refused(bsk_spawn(rt, idle_fiber, .name = "one", .state = "123456789012345678901234567890",
                      .state_size = 30),
            BSK_EEXIST);
    fix_born(bsk_spawn(rt, idle, .label = "one"));
    fix_born(bsk_spawn(rt, idle, .label = "two"));
    ck_assert(bsk_is_nobody(bsk_whereis(rt, "two")));
    fix_born(bsk_spawn(rt, idle, .name = "two", .label = "one"));
    ck_assert(bsk_same(bsk_whereis(rt, "one"), first));
    fix_stop(rt, 0);
}
END_TEST

START_TEST(more_actors_than_the_limit_are_refused_until_one_has_ended)
{
    bsk_rt *rt = bsk_start(.seed = 3, .max_actors = 100, FIX_TRACED);
    bsk_addr who[100];
    for (int i = 0; i < 100; i++) who[i] = fix_born(bsk_spawn(rt, idle));
    refused(bsk_spawn(rt, idle), BSK_ELIMIT);
    refused(bsk_spawn(rt, idle_fiber, .name = "late"), BSK_ELIMIT);
    ck_assert_int_eq(bsk_kill(who[42]), 0);
    bsk_advance(rt, 1);
    bsk_addr next = fix_born(bsk_spawn(rt, idle, .name = "late"));
    ck_assert(!bsk_same(next, who[42]));
    refused(bsk_spawn(rt, idle), BSK_ELIMIT);
    fix_stop(rt, 0);
}
END_TEST

/* Starts as many as there may be, tells main how many, and ends them again. */
static void fill(bsk_self *self, bsk_msg *m)
{
    static bsk_addr who[200];
    int n = 0;
    bsk_match(m) {
        bsk_on(get, g) {
            while (n < 200 && !bsk_is_nobody(who[n] = bsk_spawn(bsk_rt_of(self), idle))) n++;
            ck_assert_int_eq(bsk_error(self), BSK_ELIMIT);
            bsk_reply(g, get, .v = n);
        }
        bsk_on(stop_it, s) {
            for (int i = 0; i < 200; i++) (void)bsk_kill(who[i]);
        }
    }
}

/* What one worker's cache holds must not be missing for another. */
START_TEST(the_limit_is_the_same_for_every_worker)
{
    bsk_rt *rt = bsk_start(.workers = 2, .max_actors = 20, FIX_HOOKS);
    for (int round = 0; round < 20; round++) {
        bsk_addr a = fix_born(bsk_spawn(rt, fill, .own_thread = round % 2));
        const num *n = bsk_call(NULL, a, BSK_FOREVER, get, 0);
        ck_assert_ptr_nonnull(n);
        ck_assert_int_eq(n->v, 19);
        bsk_tell(a, stop_it);
        ck_assert_int_eq(bsk_drain(a, BSK_FOREVER), 0);
        bsk_stats_out out;
        do bsk_stats(rt, &out);
        while (out.actors);
    }
    fix_stop(rt, 0);
}
END_TEST

static void spawn_here(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(get, g) {
            bsk_addr who = bsk_spawn(bsk_rt_of(self), idle, .name = "taken");
            bsk_reply(g, get, .v = bsk_is_nobody(who) ? bsk_error(self) : 0);
        }
    }
}

START_TEST(an_actor_that_spawns_hears_why_not_from_its_own_error)
{
    bsk_rt *rt = seeded();
    bsk_addr a = fix_born(bsk_spawn(rt, spawn_here));
    refused(bsk_spawn(rt, idle, .name = ""), BSK_EINVAL);
    const num *n = bsk_call(NULL, a, 10, get, 0);
    ck_assert(n && n->v == 0);
    n = bsk_call(NULL, a, 10, get, 0);
    ck_assert(n && n->v == BSK_EEXIST);
    ck_assert_int_eq(bsk_error(NULL), BSK_EINVAL);
    fix_stop(rt, 0);
}
END_TEST

static void spawn_at_the_end(bsk_self *self)
{
    ck_assert(bsk_is_nobody(bsk_spawn(bsk_rt_of(self), idle)));
    ck_assert_int_eq(bsk_error(self), BSK_ESTOPPING);
    fix_say("refused ");
}

START_TEST(a_runtime_that_stops_starts_nobody)
{
    bsk_rt *rt = seeded();
    fix_born(bsk_spawn(rt, idle, .fini = spawn_at_the_end));
    fix_born(bsk_spawn(rt, idle_fiber, .fini = spawn_at_the_end));
    fix_stop(rt, 0);
    ck_assert_str_eq(fix_said(), "refused refused ");
}
END_TEST

/* State. */

struct big {
    max_align_t aligned;
    unsigned char bytes[10240 - sizeof(max_align_t)];
};

static void sum_state(bsk_self *self, bsk_msg *m)
{
    const unsigned char *s = bsk_state(self);
    ck_assert_uint_eq((uintptr_t)s % alignof(max_align_t), 0);
    bsk_match(m) {
        bsk_on(get, g) {
            int64_t sum = 0;
            for (int64_t i = 0; i < g->v; i++) sum += s[i];
            bsk_reply(g, get, .v = sum);
        }
    }
}

static void sum_fiber(bsk_self *self)
{
    bsk_msg *m;
    while ((m = bsk_recv(self, BSK_FOREVER))) sum_state(self, m);
}

START_TEST(state_of_any_size_is_copied_and_aligned)
{
    bsk_rt *rt = seeded();
    struct big *from = malloc(sizeof *from);
    size_t sizes[] = {0,   1,   15,  16,  17,  31,  32,   33,   95,   96,    97,
                      223, 224, 225, 479, 480, 481, 1000, 4096, 8191, 10240, sizeof *from};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int64_t sum = 0;
        for (size_t k = 0; k < sizes[i]; k++)
            sum += ((unsigned char *)from)[k] = (unsigned char)(k * 7 + i);
        bsk_addr h = fix_born(bsk_spawn(rt, sum_state, .state = from, .state_size = sizes[i]));
        bsk_addr f = fix_born(bsk_spawn(rt, sum_fiber, .state = from, .state_size = sizes[i]));
        memset(from, 0xee, sizeof *from);
        const num *n = bsk_call(NULL, h, 10, get, (int64_t)sizes[i]);
        ck_assert(n && n->v == sum);
        n = bsk_call(NULL, f, 10, get, (int64_t)sizes[i]);
        ck_assert(n && n->v == sum);
    }
    free(from);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(state_larger_than_any_memory_is_refused)
{
    bsk_rt *rt = seeded();
    refused(bsk_spawn(rt, idle, .state = rt, .state_size = SIZE_MAX), BSK_ENOMEM);
    refused(bsk_spawn(rt, idle, .state = rt, .state_size = SIZE_MAX - 31), BSK_ENOMEM);
    refused(bsk_spawn(rt, idle, .state = rt, .state_size = SIZE_MAX / 2 + 1), BSK_ENOMEM);
    fix_stop(rt, 0);
}
END_TEST

struct account {
    int64_t balance;
    const char *owner;
};

static void keep_account(bsk_self *self, bsk_msg *m)
{
    struct account *s = bsk_state(self);
    bsk_match(m) {
        bsk_on(get, g) bsk_reply(g, get, .v = s->balance += g->v);
    }
}

START_TEST(state_is_an_actors_own)
{
    bsk_rt *rt = seeded();
    bsk_addr a = fix_born(bsk_spawn(rt, keep_account, BSK_STATE(struct account, .balance = 5)));
    bsk_addr b = fix_born(bsk_spawn(rt, keep_account, BSK_STATE(struct account, 7, "b")));
    for (int i = 1; i < 4; i++) {
        const num *n = bsk_call(NULL, a, 10, get, 1);
        ck_assert(n && n->v == 5 + i);
        n = bsk_call(NULL, b, 10, get, 10);
        ck_assert(n && n->v == 7 + 10 * i);
    }
    fix_stop(rt, 0);
}
END_TEST

/* Init, mailbox, what it runs on. */

static void say_init(bsk_self *self)
{
    ck_assert_int_eq(*(int *)bsk_state(self), 4);
    fix_say("init ");
}

static void say_message(bsk_self *self, bsk_msg *m)
{
    ck_assert_ptr_nonnull(self);
    bsk_match(m) {
        bsk_on(num, n) fix_say("num ");
    }
}

static void say_fiber(bsk_self *self)
{
    fix_say("fiber ");
    ck_assert_ptr_null(bsk_recv(self, 0));
}

static void say_fini(bsk_self *self)
{
    ck_assert_ptr_nonnull(self);
    fix_say("fini ");
}

START_TEST(init_comes_before_the_first_message_and_without_one)
{
    bsk_rt *rt = seeded();
    int four = 4;
    bsk_addr a = fix_born(bsk_spawn(rt, say_message, .init = say_init, .fini = say_fini,
                                    .state = &four, .state_size = sizeof four));
    bsk_tell(a, num, 1);
    bsk_tell(a, num, 2);
    bsk_advance(rt, 0);
    ck_assert_str_eq(fix_said(), "init num num ");
    fix_born(bsk_spawn(rt, say_fiber, .init = say_init, .fini = say_fini, .state = &four,
                       .state_size = sizeof four));
    bsk_advance(rt, 0);
    ck_assert_str_eq(fix_said(), "init num num init fiber fini ");
    fix_stop(rt, 0);
}
END_TEST

static void fail_init(bsk_self *self)
{
    bsk_fail(self, "no %s", "licence");
}

START_TEST(init_that_fails_ends_the_actor_before_any_message)
{
    bsk_rt *rt = seeded();
    bsk_addr h = fix_born(bsk_spawn(rt, say_message, .init = fail_init, .fini = say_fini));
    bsk_addr f = fix_born(bsk_spawn(rt, say_fiber, .init = fail_init));
    bsk_tell(h, num, 1);
    bsk_advance(rt, 0);
    ck_assert_int_eq(fix_end_of(h).reason, BSK_FAILED);
    ck_assert_str_eq(fix_end_of(h).text, "no licence");
    ck_assert_str_eq(fix_end_of(f).text, "no licence");
    ck_assert_str_eq(fix_said(), "fini ");
    ck_assert_uint_eq(fix_dead(&num_bsk, BSK_DEAD_UNHANDLED), 1);
    fix_stop(rt, 1);
}
END_TEST

static void capacity(bsk_self *self)
{
    bsk_sleep(self, 5);
    ck_assert_uint_eq(bsk_mailbox_len(self) + bsk_mailbox_room(self), *(uint32_t *)bsk_state(self));
}

START_TEST(a_mailbox_holds_1024_unless_told_otherwise)
{
    bsk_rt *rt = seeded();
    uint32_t sizes[] = {0, 1, 7, 1024, BSK_MAILBOX_MAX};
    for (int i = 0; i < 5; i++) {
        uint32_t n = sizes[i] ? sizes[i] : BSK_MAILBOX_DEFAULT;
        bsk_addr a =
            fix_born(bsk_spawn(rt, capacity, .mailbox = sizes[i], .state = &n, .state_size = 4));
        for (uint32_t k = 0; k < n; k++) ck_assert_int_eq(bsk_try(a, num, k), 0);
        ck_assert_int_eq(bsk_try(a, num, 0), BSK_EFULL);
        bsk_advance(rt, 10);
        ck_assert(!bsk_alive(a));
    }
    fix_stop(rt, 0);
}
END_TEST

#define COLOURS 16 /* tops are shifted by a line of cache from one stack to the next, see fiber.c */

static bool deep(bsk_self *self, const char *top, size_t most)
{
    volatile char some[512];
    some[0] = some[511] = 1;
    if ((size_t)(top - (const char *)some) >= most) return bsk_sleep(self, 1) == 0;
    return deep(self, top, most) && some[511];
}

static void use_stack(bsk_self *self)
{
    char top = 0;
    /* The guard, what the runtime keeps at the top, and the frames of callers have their part. */
    ck_assert(deep(self, &top, *(size_t *)bsk_state(self) - (size_t)8 * 1024));
    fix_hit();
}

START_TEST(a_fiber_has_the_stack_that_it_was_given)
{
    bsk_rt *rt = seeded();
    size_t sizes[] = {16384, 65536, 262144, 4194304};
    for (int i = 0; i < 4 * COLOURS; i++) {
        size_t size = sizes[i % 4];
        fix_born(bsk_spawn(rt, use_stack, .stack = i % 4 == 1 ? 0 : size, .state = &size,
                           .state_size = sizeof size));
    }
    bsk_advance(rt, 10);
    ck_assert_uint_eq(fix_hits(), 4 * COLOURS);
    fix_stop(rt, 0);
}
END_TEST

/* Where it runs; real threads. */

static void same_thread(bsk_self *self, bsk_msg *m)
{
    pthread_t *mine = bsk_state(self), now = pthread_self();
    bsk_match(m) {
        bsk_on(num, n) {
            if (n->v == 0) *mine = now;
            ck_assert(pthread_equal(*mine, now));
            for (volatile int i = 0; i < 20000; i++) continue;
            if (n->v < 50)
                bsk_tell(bsk_me(self), num, n->v + 1);
            else
                fix_hit();
        }
        bsk_on(get, g) bsk_reply(g, get, .v = (int64_t)now);
    }
}

START_TEST(a_pinned_actor_stays_on_its_loop)
{
    bsk_rt *rt = bsk_start(.workers = 2, FIX_HOOKS);
    bsk_addr who[64];
    pthread_t none = pthread_self();
    for (int i = 0; i < 64; i++) {
        who[i] = fix_born(bsk_spawn(rt, same_thread, .pinned = true, BSK_STATE(pthread_t, none)));
        bsk_tell(who[i], num, 0);
    }
    fix_await(64);
    for (int i = 0; i < 64; i++) bsk_tell(who[i], num, 1);
    fix_await(128);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(an_actor_with_its_own_thread_shares_it_with_nobody)
{
    bsk_rt *rt = bsk_start(.workers = 2, FIX_HOOKS);
    bsk_addr who[12];
    int64_t thread[12];
    pthread_t none = pthread_self();
    for (int i = 0; i < 12; i++)
        who[i] =
            fix_born(bsk_spawn(rt, same_thread, .own_thread = i < 8, BSK_STATE(pthread_t, none)));
    for (int i = 0; i < 12; i++) {
        if (i < 8) bsk_tell(who[i], num, 0);
        const num *n = bsk_call(NULL, who[i], BSK_FOREVER, get, 0);
        ck_assert_ptr_nonnull(n);
        thread[i] = n->v;
        for (int k = 0; k < i && k < 8; k++) ck_assert_int_ne(thread[k], thread[i]);
    }
    fix_await(8);
    fix_stop(rt, 0);
}
END_TEST

static void hit_fini(bsk_self *self)
{
    ck_assert_ptr_nonnull(self);
    fix_hit();
}

/* One after another they need no more than a few threads and loops at once. */
START_TEST(threads_of_their_own_come_and_go)
{
    bsk_rt *rt = bsk_start(.workers = 1, FIX_HOOKS);
    int64_t live = 0;
    for (unsigned i = 0; i < 5000; i++) {
        if (i == 300) live = mem_live();
        bsk_addr a = i % 2 ? bsk_spawn(rt, idle, .own_thread = true, .fini = hit_fini)
                           : bsk_spawn(rt, idle_fiber, .own_thread = true, .fini = hit_fini);
        if (i % 2)
            bsk_tell(fix_born(a), stop_it);
        else
            ck_assert_int_eq(bsk_stop(fix_born(a), BSK_FOREVER), 0);
        fix_await(i + 1);
        ck_assert_int_le(bsk_try(a, num, 1), 0);
    }
    ck_assert_int_le(mem_live(), live + 20);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(an_actor_of_its_own_thread_ends_at_once_in_a_seeded_runtime_too)
{
    bsk_rt *rt = seeded();
    bsk_addr a = fix_born(bsk_spawn(rt, answer, .own_thread = true));
    const num *n = bsk_call(NULL, a, 10, get, 1);
    ck_assert(n && n->v == 2);
    fix_stop(rt, 0);
}
END_TEST

/* The stopper ends before the time is over: the kill must come all the same. */
static void stop_another(bsk_self *self)
{
    ck_assert_int_eq(bsk_stop(*(bsk_addr *)bsk_state(self), 20), 0);
}

static void trap(bsk_self *self, bsk_msg *m)
{
    ck_assert_ptr_nonnull(self);
    bsk_match(m) {
        bsk_on(bsk_stopping, s) fix_hit();
    }
}

START_TEST(a_time_to_stop_outlives_the_thread_that_set_it)
{
    bsk_rt *rt = bsk_start(.workers = 1, FIX_HOOKS);
    bsk_addr a = fix_born(bsk_spawn(rt, trap, .trap_stop = true));
    fix_born(bsk_spawn(rt, stop_another, .own_thread = true,
                       BSK_STATE(bsk_addr, a.node, a.slot, a.gen)));
    fix_await(1);
    ck_assert_int_eq(bsk_wait(rt), 0);
}
END_TEST

struct crowd {
    bsk_addr all[6];
};

static void say_who(bsk_self *self, bsk_msg *m)
{
    char text[2] = {*(char *)bsk_state(self), 0};
    bsk_match(m) {
        bsk_on(num, n) {
            fix_say(text);
            fix_hit();
        }
    }
}

static void wake_all(bsk_self *self, bsk_msg *m)
{
    struct crowd *c = bsk_state(self);
    bsk_match(m) {
        bsk_on(stop_it, s)
            for (int i = 0; i < 6; i++) bsk_tell(c->all[i], num, 1);
    }
}

START_TEST(a_high_actor_runs_before_others)
{
    bsk_rt *rt = bsk_start(.workers = 1, FIX_HOOKS);
    struct crowd c;
    for (int i = 0; i < 6; i++) {
        char name = i % 2 ? 'H' : 'n';
        c.all[i] = fix_born(bsk_spawn(rt, say_who, .high = i % 2, BSK_STATE(char, name)));
    }
    /* Each has run once before: who is new runs first. */
    for (int i = 0; i < 6; i++) bsk_tell(c.all[i], num, 0);
    fix_await(6);
    bsk_addr first = fix_born(bsk_spawn(rt, wake_all, .state = &c, .state_size = sizeof c));
    bsk_tell(first, stop_it);
    fix_await(12);
    ck_assert_int_eq(strncmp(fix_said() + 6, "HHH", 3), 0);
    fix_stop(rt, 0);
}
END_TEST

static _Atomic bool had_a_turn;

static void greedy(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) {
            if (!atomic_load(&had_a_turn))
                bsk_tell(bsk_me(self), num, n->v + 1);
            else
                fix_hit();
        }
    }
}

static void modest(bsk_self *self, bsk_msg *m)
{
    ck_assert_ptr_nonnull(self);
    bsk_match(m) {
        bsk_on(stop_it, s) atomic_store(&had_a_turn, true);
    }
}

START_TEST(high_actors_do_not_starve_the_others)
{
    bsk_rt *rt = bsk_start(.workers = 1, FIX_HOOKS);
    for (int i = 0; i < 50; i++) bsk_tell(fix_born(bsk_spawn(rt, greedy, .high = true)), num, 0);
    bsk_tell(fix_born(bsk_spawn(rt, modest)), stop_it);
    fix_await(50);
    fix_stop(rt, 0);
}
END_TEST

static void *spawn_many(void *rt)
{
    for (int i = 0; i < 2000; i++) {
        bsk_addr a = i % 8 ? bsk_spawn(rt, idle) : bsk_spawn(rt, idle_fiber);
        if (bsk_is_nobody(a)) return NULL;
        bsk_tell(a, stop_it);
        if (i % 8 == 0 && bsk_stop(a, BSK_FOREVER)) return NULL;
    }
    return rt;
}

START_TEST(threads_that_are_no_actors_spawn_at_once)
{
    bsk_rt *rt = bsk_start(.workers = 2, FIX_HOOKS);
    pthread_t t[3];
    for (int i = 0; i < 3; i++) ck_assert_int_eq(pthread_create(&t[i], NULL, spawn_many, rt), 0);
    for (int i = 0; i < 3; i++) {
        void *ok;
        pthread_join(t[i], &ok);
        ck_assert_ptr_eq(ok, rt);
    }
    ck_assert_int_eq(bsk_wait(rt), 0);
}
END_TEST

FIX_MAIN("spawn", 30, a_handler_and_a_fiber_are_started_by_the_same_word,
         an_option_out_of_range_is_refused, no_behaviour_or_two_are_refused,
         the_ends_of_each_range_are_accepted, a_name_is_one_to_47_bytes,
         a_name_that_is_taken_is_refused_and_a_label_never,
         more_actors_than_the_limit_are_refused_until_one_has_ended,
         the_limit_is_the_same_for_every_worker,
         an_actor_that_spawns_hears_why_not_from_its_own_error, a_runtime_that_stops_starts_nobody,
         state_of_any_size_is_copied_and_aligned, state_larger_than_any_memory_is_refused,
         state_is_an_actors_own, init_comes_before_the_first_message_and_without_one,
         init_that_fails_ends_the_actor_before_any_message,
         a_mailbox_holds_1024_unless_told_otherwise, a_fiber_has_the_stack_that_it_was_given,
         a_pinned_actor_stays_on_its_loop, an_actor_with_its_own_thread_shares_it_with_nobody,
         threads_of_their_own_come_and_go,
         an_actor_of_its_own_thread_ends_at_once_in_a_seeded_runtime_too,
         a_time_to_stop_outlives_the_thread_that_set_it, a_high_actor_runs_before_others,
         high_actors_do_not_starve_the_others, threads_that_are_no_actors_spawn_at_once)
