/* SPDX-License-Identifier: MIT */
/* check_runtime.c - starting and ending runtimes, several at once, and what is left of one. */
#include "fixture.h"

#include <pthread.h>
#include <unistd.h>

static void echo(bsk_self *self, bsk_msg *m)
{
    ck_assert_ptr_nonnull(self);
    bsk_match(m) {
        bsk_on(get, g) bsk_reply(g, get, .v = g->v + 1);
        bsk_on(num, n) fix_hit();
        bsk_on(stop_it, s) bsk_exit(self);
    }
}

static void sleep_on(bsk_self *self)
{
    while (bsk_sleep(self, BSK_FOREVER) == 0) continue;
}

/* Starting. */

START_TEST(an_option_out_of_range_is_refused)
{
    ck_assert_ptr_null(bsk_start(.workers = 1000000));
    ck_assert_int_eq(bsk_error(NULL), BSK_EINVAL);
    ck_assert_ptr_null(bsk_start(.shutdown_ms = -2));
    ck_assert_int_eq(bsk_error(NULL), BSK_EINVAL);
    ck_assert_ptr_null(bsk_start(.slow_ms = -2));
    ck_assert_int_eq(bsk_error(NULL), BSK_EINVAL);
    ck_assert_ptr_null(bsk_start(.max_actors = UINT32_MAX));
    ck_assert_int_eq(bsk_error(NULL), BSK_EINVAL);
}
END_TEST

START_TEST(a_runtime_without_actors_ends_at_once)
{
    for (unsigned workers = 0; workers < 9; workers++) {
        bsk_rt *rt = bsk_start(.workers = workers, FIX_HOOKS);
        ck_assert_ptr_nonnull(rt);
        ck_assert_int_eq(bsk_wait(rt), 0);
    }
    bsk_rt *rt = bsk_start(.seed = 1, FIX_HOOKS);
    ck_assert_int_eq(bsk_wait(rt), 0);
    rt = bsk_start(.seed = UINT64_MAX, .workers = 4, FIX_HOOKS);
    ck_assert_int_eq(bsk_wait(rt), 0);
}
END_TEST

static int64_t mapped_by_system(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fscanf(f, "%*d %ld", &pages), 1);
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

static int descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 1000; fd++)
        n += lseek(fd, 0, SEEK_CUR) != -1 || access("/dev/null", F_OK) != 0;
    int last = dup(0);
    close(last);
    return n + last;
}

/* One life of a runtime in which a bit of everything happens. */
static void live(unsigned i)
{
    bsk_rt *rt = i % 4 ? bsk_start(.workers = 1 + i % 2, .histograms = i % 3, FIX_HOOKS)
                       : bsk_start(.seed = i + 1, FIX_HOOKS);
    ck_assert_ptr_nonnull(rt);
    bsk_addr a = fix_born(bsk_spawn(rt, echo, .name = "echo", .own_thread = i % 5 == 1));
    fix_born(bsk_spawn(rt, sleep_on));
    for (int64_t k = 0; k < 20; k++) {
        const num *n = bsk_call(NULL, a, 60000, get, k);
        ck_assert(n && n->v == k + 1);
    }
    if (i % 3 == 0) bsk_tell(a, stop_it);
    if (i % 3 == 1) ck_assert_int_eq(bsk_drain(a, 1000), 0);
    fix_stop(rt, 0);
}

START_TEST(two_hundred_lives_leave_nothing_behind)
{
    for (unsigned i = 0; i < 20; i++) live(i);
    int64_t live_then = mem_live(), mapped_then = mem_mapped(), system_then = mapped_by_system();
    int files = descriptors();
    for (unsigned i = 0; i < 200; i++) live(i);
    ck_assert_int_eq(mem_live(), live_then);
    ck_assert_int_eq(mem_mapped(), mapped_then);
    ck_assert_int_eq(descriptors(), files);
    ck_assert_int_lt(mapped_by_system(), system_then + (INT64_C(256) << 20));
    /* One who was told to stop and was stopped at once. */
    ck_assert_uint_eq(fix_dead_all(), fix_dead(&stop_it_bsk, BSK_DEAD_UNHANDLED));
}
END_TEST

START_TEST(incarnations_differ)
{
    uint64_t seen[20];
    for (int i = 0; i < 20; i++) {
        bsk_rt *rt = bsk_start(.seed = 7);
        seen[i] = fix_born(bsk_spawn(rt, sleep_on)).node;
        ck_assert_uint_ne(seen[i], 0);
        for (int k = 0; k < i; k++) ck_assert_uint_ne(seen[k], seen[i]);
        fix_stop(rt, 0);
    }
}
END_TEST

/* Two at once. */

struct other_rt {
    bsk_addr to;
};

static void reach_across(bsk_self *self)
{
    bsk_addr to = *(bsk_addr *)bsk_state(self);
    for (int i = 0; i < 100; i++) bsk_tell(to, num, i);
    ck_assert_int_eq(bsk_try(to, num, 1), 0);
    ck_assert_ptr_null(bsk_call(self, to, 1000, get, 1));
    ck_assert_int_eq(bsk_error(self), BSK_EDEAD);
    ck_assert_int_eq(bsk_ask(self, to, 1000, get, 1), BSK_EDEAD);
    ck_assert_int_eq(bsk_send(self, to, 1000, num, 1), BSK_EDEAD);
    ck_assert_int_eq(bsk_want_room(self, to), BSK_EDEAD);
    ck_assert(bsk_alive(to));
    fix_hit();
}

START_TEST(runtimes_send_to_each_other_but_do_not_call)
{
    bsk_rt *a = bsk_start(.workers = 1, FIX_HOOKS), *b = bsk_start(.workers = 2, FIX_HOOKS);
    bsk_addr x = fix_born(bsk_spawn(a, echo)), y = fix_born(bsk_spawn(b, echo));
    ck_assert_uint_ne(x.node, y.node);
    fix_born(bsk_spawn(a, reach_across, .state = &y, .state_size = sizeof y));
    fix_born(bsk_spawn(b, reach_across, .state = &x, .state_size = sizeof x));
    fix_await(2 * 102);
    const num *n = bsk_call(NULL, x, 60000, get, 1);
    ck_assert(n && n->v == 2);
    n = bsk_call(NULL, y, 60000, get, 2);
    ck_assert(n && n->v == 3);
    fix_stop(a, 0);
    n = bsk_call(NULL, y, 60000, get, 3);
    ck_assert(n && n->v == 4);
    ck_assert_ptr_null(bsk_call(NULL, x, 1000, get, 1));
    ck_assert_int_eq(bsk_error(NULL), BSK_EDEAD);
    fix_stop(b, 0);
}
END_TEST

static void bounce(bsk_self *self, bsk_msg *m)
{
    bsk_addr *to = bsk_state(self);
    bsk_match(m) {
        bsk_on(note, n) continue;
        bsk_on(num, n) {
            if (n->v == 0) {
                fix_hit();
                break;
            }
            bsk_tell(*to, num, n->v - 1);
        }
    }
}

BSK_MSG(meet, (addr, who));

static void bounce_to(bsk_self *self, bsk_msg *m)
{
    bsk_addr *to = bsk_state(self);
    bsk_match(m) {
        bsk_on(meet, w) *to = w->who;
        bsk_else(any) bounce(self, any);
    }
}

START_TEST(messages_go_to_and_fro_between_runtimes)
{
    bsk_rt *rt[2] = {bsk_start(.workers = 1, FIX_HOOKS), bsk_start(.workers = 1, FIX_HOOKS)};
    bsk_addr none = fix_addr(0, 0, 0), who[2];
    for (int i = 0; i < 2; i++)
        who[i] = fix_born(bsk_spawn(rt[i], bounce_to, .state = &none, .state_size = sizeof none));
    for (int i = 0; i < 2; i++) bsk_tell(who[i], meet, .who = who[1 - i]);
    for (int i = 0; i < 4; i++) bsk_tell(who[i % 2], num, 5000);
    fix_await(4);
    ck_assert_uint_eq(fix_dead_all(), 0);
    fix_stop(rt[1], 0);
    bsk_tell(who[0], num, 5);
    bsk_drain(who[0], BSK_FOREVER);
    ck_assert_int_eq(bsk_wait(rt[0]), 0);
    ck_assert_uint_eq(fix_dead(&num_bsk, BSK_DEAD_GONE), 1);
}
END_TEST

START_TEST(a_spawn_into_another_runtime_belongs_there)
{
    bsk_rt *a = bsk_start(.seed = 1, FIX_HOOKS), *b = bsk_start(.seed = 2, FIX_HOOKS);
    bsk_addr x = fix_born(bsk_spawn(a, echo, .name = "same")),
             y = fix_born(bsk_spawn(b, echo, .name = "same"));
    ck_assert(bsk_same(bsk_whereis(a, "same"), x) && bsk_same(bsk_whereis(b, "same"), y));
    fix_stop(b, 0);
    ck_assert(bsk_alive(x) && !bsk_alive(y));
    fix_stop(a, 0);
}
END_TEST

/* Threads that outlive the runtime. */

struct outside {
    bsk_addr who;
    _Atomic bool *over;
    unsigned after;
};

static void *use_from_outside(void *arg)
{
    struct outside *o = arg;
    bsk_addr a = o->who;
    while (o->after < 50) {
        o->after += atomic_load(o->over);
        bsk_tell(a, num, 1);
        bool ok = bsk_try(a, num, 1) <= 0 && bsk_try_margin(a, 5, note, "a note") <= 0 &&
                  bsk_send(NULL, a, 1, num, 1) <= 0;
        const num *n = bsk_call(NULL, a, 1, get, 1);
        if (!ok || (n && n->v != 2)) return NULL;
        (void)bsk_stop(fix_addr(a.node, a.slot, a.gen + 2), 1);
        (void)bsk_alive(a);
        (void)bsk_answer(((bsk_pending){a.node, 5}), get, .v = 1);
    }
    return arg;
}

START_TEST(every_word_to_an_ended_runtime_is_safe)
{
    for (int round = 0; round < 20; round++) {
        bsk_rt *rt = bsk_start(.workers = 2, .quiet = true);
        _Atomic bool over = false;
        struct outside o[3];
        pthread_t t[3];
        for (int i = 0; i < 3; i++) {
            o[i] = (struct outside){fix_born(bsk_spawn(rt, echo, .mailbox = 10)), &over, 0};
            ck_assert_int_eq(pthread_create(&t[i], NULL, use_from_outside, &o[i]), 0);
        }
        for (int i = 0; i < 3; i++) bsk_tell(o[i].who, num, 1);
        fix_await((unsigned)(3 * round + 3));
        fix_stop(rt, 0);
        atomic_store(&over, true);
        for (int i = 0; i < 3; i++) {
            void *ok;
            pthread_join(t[i], &ok);
            ck_assert_ptr_eq(ok, &o[i]);
        }
    }
}
END_TEST

static void *call_forever(void *to)
{
    fix_hit();
    const num *n = bsk_call(NULL, *(bsk_addr *)to, BSK_FOREVER, get, 1);
    return n || (bsk_error(NULL) != BSK_ENOREPLY && bsk_error(NULL) != BSK_EDEAD) ? NULL : to;
}

static void *send_forever(void *to)
{
    fix_hit();
    int rc = bsk_send(NULL, *(bsk_addr *)to, BSK_FOREVER, num, 1);
    return rc == BSK_EDEAD || rc == BSK_ECLOSED ? to : NULL;
}

START_TEST(a_thread_that_waits_for_ever_is_let_go_by_the_end)
{
    for (int round = 0; round < 20; round++) {
        bsk_rt *rt = bsk_start(.workers = 1, .quiet = true);
        bsk_addr mute = fix_born(bsk_spawn(rt, sleep_on)),
                 full = fix_born(bsk_spawn(rt, sleep_on, .mailbox = 1));
        ck_assert_int_eq(bsk_try(full, num, 1), 0);
        pthread_t t[4];
        for (int i = 0; i < 4; i++)
            ck_assert_int_eq(pthread_create(&t[i], NULL, i % 2 ? call_forever : send_forever,
                                            i % 2 ? &mute : &full),
                             0);
        fix_await((unsigned)(4 * round + 4));
        fix_stop(rt, 0);
        for (int i = 0; i < 4; i++) {
            void *ok;
            pthread_join(t[i], &ok);
            ck_assert_ptr_nonnull(ok);
        }
    }
}
END_TEST

FIX_MAIN("runtime", 60, an_option_out_of_range_is_refused, a_runtime_without_actors_ends_at_once,
         two_hundred_lives_leave_nothing_behind, incarnations_differ,
         runtimes_send_to_each_other_but_do_not_call, messages_go_to_and_fro_between_runtimes,
         a_spawn_into_another_runtime_belongs_there, every_word_to_an_ended_runtime_is_safe,
         a_thread_that_waits_for_ever_is_let_go_by_the_end)
