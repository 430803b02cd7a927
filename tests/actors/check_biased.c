/* SPDX-License-Identifier: MIT */
/* check_biased.c - the lock whose owner pays nothing: never two inside, and none waits for ever. */
#include "fixture.h"

#include "actors/biased.h"

#include <pthread.h>
#include <sched.h>

static struct biased lock;
static int inside; /* plain: only who is inside touches it */
static uint64_t total;
static _Atomic bool over;

START_TEST(an_owner_alone_goes_in_and_out)
{
    biased_init(&lock);
    for (int i = 0; i < 1000; i++) {
        biased_enter(&lock);
        ck_assert_int_eq(inside++, 0);
        inside--;
        biased_leave(&lock);
    }
}
END_TEST

START_TEST(a_thief_gets_in_while_the_owner_is_out)
{
    biased_init(&lock);
    for (int i = 0; i < 100; i++) {
        ck_assert(biased_seize(&lock));
        ck_assert(!biased_seize(&lock));
        biased_release(&lock);
    }
    biased_enter(&lock);
    biased_leave(&lock);
    ck_assert(biased_seize(&lock));
    biased_release(&lock);
}
END_TEST

START_TEST(a_thief_does_not_get_in_while_the_owner_stays_inside)
{
    biased_init(&lock);
    biased_enter(&lock);
    ck_assert(!biased_seize(&lock));
    biased_leave(&lock);
    ck_assert(biased_seize(&lock));
    biased_release(&lock);
}
END_TEST

static void *steal(void *arg)
{
    uint64_t *got = arg;
    while (!atomic_load(&over)) {
        sched_yield();
        if (!biased_seize(&lock)) continue;
        if (inside++) return NULL;
        total++;
        inside--;
        biased_release(&lock);
        ++*got;
    }
    return arg;
}

static void *own(void *arg)
{
    uint64_t *got = arg;
    while (!atomic_load(&over)) {
        biased_enter(&lock);
        if (inside++) return NULL;
        total++;
        inside--;
        biased_leave(&lock);
        ++*got;
        if (*got % 64 == 0) fix_hit();
    }
    return arg;
}

static void contend(bool fence)
{
    pthread_t t[3];
    uint64_t got[3] = {0, 0, 0};
    biased_init(&lock);
    lock.fence = lock.fence || fence;
    ck_assert_int_eq(pthread_create(&t[0], NULL, own, &got[0]), 0);
    for (int i = 1; i < 3; i++) ck_assert_int_eq(pthread_create(&t[i], NULL, steal, &got[i]), 0);
    fix_await(fix_hits() + 300);
    atomic_store(&over, true);
    for (int i = 0; i < 3; i++) {
        void *ok;
        pthread_join(t[i], &ok);
        ck_assert_ptr_eq(ok, &got[i]);
    }
    ck_assert_uint_eq(total, got[0] + got[1] + got[2]);
}

START_TEST(an_owner_and_two_thieves_are_never_inside_at_once)
{
    contend(false);
}
END_TEST

START_TEST(nor_where_the_owner_must_fence)
{
    contend(true);
}
END_TEST

FIX_MAIN("biased", 60, an_owner_alone_goes_in_and_out, a_thief_gets_in_while_the_owner_is_out,
         a_thief_does_not_get_in_while_the_owner_stays_inside,
         an_owner_and_two_thieves_are_never_inside_at_once, nor_where_the_owner_must_fence)
