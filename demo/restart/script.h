/* SPDX-License-Identifier: MIT */
/* script.h - keys that are pressed at given times.
 *
 *     1.5:2c +0.5:3k 10:q      worker 2 ... after 1.5 s, another key half a second later, the last
 *                              10 s after the start; what follows a # on its line is a comment */
#ifndef RESTART_SCRIPT_H
#define RESTART_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>

enum { SCRIPT_MAX = 1024 };

struct script {
    struct press {
        int64_t ms;
        int key;
    } presses[SCRIPT_MAX];
    int n, next;
};

/* The keys that mean something. */
extern const char script_keys[];

/* Reads a script, from the file if `text` is "@file". False: *wrong says where it makes no sense;
 * borrowed from `text`, or static. */
bool script_read(struct script *s, const char *text, const char **wrong);
/* Returns the next key that is due, or 0. */
int script_due(struct script *s, int64_t ms);

#endif
