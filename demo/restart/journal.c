/* SPDX-License-Identifier: MIT */
/* journal.c - the file that the book is in. */
#define _DEFAULT_SOURCE 1
#include "journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int journal_open(void)
{
    const char *dir = getenv("TMPDIR");
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/buskin-restart-XXXXXX", dir && *dir ? dir : "/tmp");
    if (n < 0 || (size_t)n >= sizeof path) return -1;
    int file = mkstemp(path);
    if (file >= 0) unlink(path);
    return file;
}

int journal_append(int file, const struct record *r)
{
    off_t end = lseek(file, 0, SEEK_END);
    if (end < 0) return -1;
    if (write(file, r, sizeof *r) == (ssize_t)sizeof *r) return 0;
    /* Half a record must not stay: what comes after it could not be read. If even that fails the
     * next reader says so. */
    return ftruncate(file, end) < 0 ? -2 : -1;
}

int journal_read(int file, bool (*each)(void *arg, const struct record *r), void *arg)
{
    struct record some[256];
    off_t at = 0;
    ssize_t n;
    while ((n = pread(file, some, sizeof some, at)) > 0) {
        size_t whole = (size_t)n / sizeof *some;
        for (size_t i = 0; i < whole; i++)
            if (!each(arg, &some[i])) return -1;
        if (whole == 0) return -1;
        at += (off_t)(whole * sizeof *some);
    }
    return n < 0 ? -1 : 0;
}
