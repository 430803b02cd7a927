/* SPDX-License-Identifier: MIT */
/* check_dir.h - a directory for the tests of a program, with one in it for each test: all goes when
 * they are over, also if they fail. In memory, where there is such a place: it is not the disk that
 * is tried. Needs _GNU_SOURCE. */
#ifndef KV_CHECK_DIR_H
#define KV_CHECK_DIR_H

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char all_dirs[48], dir[64];

static void dirs_open(void)
{
    sprintf(all_dirs, "%s/kv_check_XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    if (!mkdtemp(all_dirs)) abort();
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static void dirs_close(void)
{
    if (nftw(all_dirs, remove_one, 16, FTW_DEPTH | FTW_PHYS)) perror(all_dirs);
}

/* Runs a suite whose tests have one each; returns main's exit status. */
static int dirs_run(Suite *s)
{
    SRunner *r = srunner_create(s);
    dirs_open();
    srunner_run_all(r, CK_ENV);
    dirs_close();
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? 1 : 0;
}

static void dir_open(void)
{
    sprintf(dir, "%s/XXXXXX", all_dirs);
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void dir_close(void)
{
    ck_assert_int_eq(nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

#endif
