/* SPDX-License-Identifier: MIT */
/* progress.c - a bar on the terminal while a workload runs. */
#define _DEFAULT_SOURCE 1
#include <stdio.h>
#include <unistd.h>

#include "report.h"

enum { WIDTH = 30 };

void progress_show(const struct workload *w, unsigned made, unsigned of)
{
    static const char full[] = "##############################",
                      empty[] = "..............................";
    if (!isatty(STDERR_FILENO)) return;
    int filled = made * WIDTH / of;
    if (made < of)
        fprintf(stderr, "\r%-15s [%.*s%.*s] %u of %u", w->name, filled, full, WIDTH - filled, empty,
                made, of);
    else
        fputs("\r\033[K", stderr);
    fflush(stderr);
}
