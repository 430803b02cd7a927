/* SPDX-License-Identifier: MIT */
/* check_name.c - names: taken, found, freed with their actor. */
#include "fixture.h"

#include <pthread.h>

static bsk_rt *rt;

static void idle(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(stop_it, s) bsk_exit(self);
    }
}

enum { NUMBERED = 32 }; /* bytes of a numbered name */

static void numbered(char name[NUMBERED], int i)
{
    snprintf(name, NUMBERED, "actor %d", i);
}

START_TEST(a_name_is_free_again_once_its_actor_has_ended)
{
    rt = bsk_start(.seed = 1, FIX_TRACED);
    bsk_addr last = fix_addr(0, 0, 0);
    for (int i = 0; i < 100; i++) {
        bsk_addr a = fix_born(bsk_spawn(rt, idle, .name = "the one"));
        ck_assert(!bsk_same(a, last));
        ck_assert(bsk_same(bsk_whereis(rt, "the one"), a));
        bsk_tell(a, stop_it);
        ck_assert(bsk_same(bsk_whereis(rt, "the one"), a));
        bsk_advance(rt, 0);
        ck_assert(bsk_is_nobody(bsk_whereis(rt, "the one")));
        last = a;
    }
    fix_stop(rt, 0);
}
END_TEST

START_TEST(five_thousand_names_are_found_and_none_else)
{
    enum { ALL = 5000 };
    static bsk_addr who[ALL];
    char name[NUMBERED];
    rt = bsk_start(.seed = 1, FIX_HOOKS);
    for (int i = 0; i < ALL; i++) {
        numbered(name, i);
        who[i] = fix_born(bsk_spawn(rt, idle, .name = name));
    }
    for (int i = 0; i < ALL; i += 2) ck_assert_int_eq(bsk_kill(who[i]), 0);
    bsk_advance(rt, 0);
    for (int i = 0; i < 2 * ALL; i++) {
        numbered(name, i);
        bsk_addr found = bsk_whereis(rt, name);
        if (i < ALL && i % 2)
            ck_assert(bsk_same(found, who[i]));
        else
            ck_assert(bsk_is_nobody(found));
    }
    ck_assert(bsk_is_nobody(bsk_whereis(rt, "")));
    ck_assert(bsk_is_nobody(
        bsk_whereis(rt, "a name that is longer than any name may be, by far, and more")));
    fix_stop(rt, 0);
}
END_TEST

START_TEST(a_name_is_copied)
{
    rt = bsk_start(.seed = 1, FIX_HOOKS);
    char name[] = "mine";
    bsk_addr a = fix_born(bsk_spawn(rt, idle, .name = name));
    strcpy(name, "your");
    ck_assert(bsk_same(bsk_whereis(rt, "mine"), a));
    ck_assert(bsk_is_nobody(bsk_whereis(rt, "your")));
    fix_stop(rt, 0);
}
END_TEST

static void *take_names(void *arg)
{
    int *got = arg;
    char name[NUMBERED];
    for (int i = 0; i < 500; i++) {
        numbered(name, i);
        bsk_addr a = bsk_spawn(rt, idle, .name = name);
        if (bsk_is_nobody(a)) {
            if (bsk_error(NULL) != BSK_EEXIST) return NULL;
            continue;
        }
        ++*got;
        bsk_addr found = bsk_whereis(rt, name);
        if (!bsk_same(found, a)) return NULL;
        if (i % 2) bsk_tell(a, stop_it);
    }
    return arg;
}

START_TEST(of_many_who_want_a_name_one_gets_it)
{
    rt = bsk_start(.workers = 2, FIX_HOOKS);
    pthread_t t[4];
    int got[4] = {0};
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&t[i], NULL, take_names, &got[i]), 0);
    for (int i = 0; i < 4; i++) {
        void *ok;
        pthread_join(t[i], &ok);
        ck_assert_ptr_eq(ok, &got[i]);
    }
    int all = got[0] + got[1] + got[2] + got[3];
    ck_assert_int_ge(all, 500);
    /* Those with even numbers stay, so each was given once. */
    ck_assert_int_le(all, 250 + 4 * 250);
    fix_stop(rt, 0);
}
END_TEST

FIX_MAIN("name", 30, a_name_is_free_again_once_its_actor_has_ended,
         five_thousand_names_are_found_and_none_else, a_name_is_copied,
         of_many_who_want_a_name_one_gets_it)
