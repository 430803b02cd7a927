/* SPDX-License-Identifier: MIT */
#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

noreturn void command_refuse(const char *what, const char *given)
{
    if (what) fprintf(stderr, "%s: %s: %s\n", command_name, given, what);
    fprintf(stderr, "Try '%s --help'.\n", command_name);
    exit(2);
}

int64_t command_number(const char *text, int64_t most)
{
    char *end;
    errno = 0;
    int64_t n = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || n < 1 || n > most)
        command_refuse("not a number in range", text);
    return n;
}
