/* SPDX-License-Identifier: MIT */
/* frame.h - one picture of the screen, composed in memory and written at once, so that nothing
 * flickers. What does not fit is cut off. */
#ifndef RESTART_FRAME_H
#define RESTART_FRAME_H

#include <stdbool.h>
#include <stddef.h>

enum style { PLAIN, DIM, BOLD, TITLE, CHOSEN, GOOD, FRESH, WARN, BAD };

struct frame {
    char text[65536];
    size_t n;
    int width, height;
    int column, line;
    bool color; /* else only bold, dim and inverse */
    bool utf8;
};

/* Begins a picture of that size. */
void frame_begin(struct frame *f, int width, int height);
/* Adds text to the line. UTF-8 counts a column a character. */
__attribute__((format(printf, 3, 4))) void frame_put(struct frame *f, enum style style,
                                                     const char *format, ...);
/* Fills the line with blanks up to a column. */
void frame_pad(struct frame *f, enum style style, int column);
/* Ends the line. False: it was the last one. */
bool frame_newline(struct frame *f);
/* Ends the picture, and writes it. False: it could not be written. */
bool frame_write(struct frame *f, int fd);

#endif
