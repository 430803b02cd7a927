/* SPDX-License-Identifier: MIT */
/* terminal.h - the terminal: taken, and given back as it was, however the program ends. */
#ifndef RESTART_TERMINAL_H
#define RESTART_TERMINAL_H

#include <stdbool.h>

struct events;

/* Splits the process in two: returns -1 in the one that is to go on. The other waits for that one's
 * end, even by a signal, puts the terminal back, and gets the exit status to end with. -2: there
 * is no terminal that could be kept. */
int terminal_guard(void);
/* Takes the terminal of standard input and output; keys come at once. Lines on standard error go
 * to the log of events. False: it could not be done. */
bool terminal_open(struct events *e);
/* Gives it back. Does nothing if it was not taken. */
void terminal_close(void);
/* Its size now; 80 x 24 if it does not say. */
void terminal_size(int *width, int *height);
/* Moves what was written on standard error to the log of events. */
void terminal_collect(struct events *e);
/* Whether it shows UTF-8, and colours. */
bool terminal_is_utf8(void);
bool terminal_has_color(void);

#endif
