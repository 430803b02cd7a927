/* SPDX-License-Identifier: MIT */
/* check_watch.c - changes of files as messages. */
#include "open.h"

#include <fcntl.h>
#include <unistd.h>

static char dir[64];

static void make_dir(void)
{
    strcpy(dir, "/tmp/bsk_watch_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void remove_dir(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static void put(const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "a");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

/* Waits until a change of that name is told. */
static void expect(bsk_self *self, bsk_watched w, const char *name, bool renamed)
{
    for (bool found = false; !found;) {
        bsk_msg *m = bsk_recv(self, 20000);
        ck_assert_ptr_nonnull(m);
        bsk_match(m) {
            bsk_on(bsk_file_changed, c) {
                ck_assert_uint_eq(c->watched, w.id);
                found = strcmp(c->name, name) == 0 && c->renamed == renamed;
            }
        }
    }
}

static void watch(bsk_self *self)
{
    bsk_watched w;
    OK(bsk_file_watch(self, dir, &w));
    put("one", "x");
    expect(self, w, "one", true);
    put("one", "y");
    expect(self, w, "one", false);
    put("two", "");
    expect(self, w, "two", true);
    bsk_file_unwatch(self, w);
    bsk_file_unwatch(self, w);
    put("three", "");
    while (bsk_recv(self, 20)) {
    }
    bsk_watched other_dir;
    char missing[200];
    snprintf(missing, sizeof missing, "%s/no/such", dir);
    IS(BSK_ENOTFOUND, bsk_file_watch(self, missing, &other_dir));
    IS(BSK_EINVAL, bsk_file_watch(self, "", &other_dir));
    IS(BSK_EINVAL, bsk_file_watch(self, NULL, &other_dir));
    fix_hit();
}

START_TEST(changes_in_a_directory_are_told)
{
    make_dir();
    open_run(watch);
    remove_dir();
}
END_TEST

/* Far more than are kept: the last says so. */
static void lose_some(bsk_self *self)
{
    bsk_watched w;
    unsigned told = 0, lost = 0;
    char name[32];
    OK(bsk_file_watch(self, dir, &w));
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "%d", i);
        put(name, "x");
    }
    while (!lost) {
        bsk_msg *m = bsk_recv(self, 20000);
        ck_assert_ptr_nonnull(m);
        bsk_match(m) {
            bsk_on(bsk_file_changed, c) {
                told++;
                lost += c->lost;
            }
        }
        if (told % 8 == 0) OK(bsk_sleep(self, 1));
    }
    ck_assert_uint_lt(told, 4000);
    fix_hit();
}

START_TEST(of_too_many_the_last_says_so)
{
    make_dir();
    open_run(lose_some);
    remove_dir();
}
END_TEST

static void watch_and_fail(bsk_self *self)
{
    bsk_watched w;
    OK(bsk_file_watch(self, dir, &w));
    put("file", "x");
    if (bsk_random(self) & 1) bsk_yield(self);
    bsk_fail(self, "crash");
}

START_TEST(watching_ends_with_the_actor)
{
    unsigned before = open_fds();
    make_dir();
    bsk_rt *rt = bsk_start(.workers = 2, .quiet = true, FIX_HOOKS);
    for (int i = 0; i < 200; i++) {
        bsk_addr a = fix_born(bsk_spawn(rt, watch_and_fail));
        if (i % 3 == 0) bsk_kill(a);
    }
    bsk_wait(rt);
    ck_assert_uint_eq(open_fds(), before);
    remove_dir();
}
END_TEST

static void watch_without_memory(bsk_self *self)
{
    bsk_watched w;
    int rc = bsk_file_watch(self, dir, &w);
    if (rc) {
        IS(BSK_ENOMEM, rc);
        return;
    }
    put("file", "x");
    /* The change is told, or that there was one. */
    ck_assert_ptr_nonnull(bsk_recv(self, 20000));
}

START_TEST(want_of_memory_is_a_code_or_told)
{
    make_dir();
    open_run_without_memory(watch_without_memory, 10);
    remove_dir();
}
END_TEST

static void watch_seeded(bsk_self *self)
{
    bsk_watched w;
    IS(BSK_ENOTSUP, bsk_file_watch(self, "/tmp", &w));
    fix_hit();
}

START_TEST(a_seeded_runtime_watches_nothing)
{
    bsk_rt *rt = bsk_start(.seed = 5, FIX_HOOKS);
    fix_born(bsk_spawn(rt, watch_seeded));
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_uint_eq(fix_hits(), 1);
}
END_TEST

FIX_MAIN("watch", 30, changes_in_a_directory_are_told, of_too_many_the_last_says_so,
         watching_ends_with_the_actor, want_of_memory_is_a_code_or_told,
         a_seeded_runtime_watches_nothing)
