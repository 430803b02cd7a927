/* SPDX-License-Identifier: MIT */
/* screen.h - the shop as a picture: the tree, what happened, the keys. And the same as lines. */
#ifndef RESTART_SCREEN_H
#define RESTART_SCREEN_H

#include "frame.h"
#include "view.h"

/* Draws the picture; `chosen` is whom keys are meant for, `status` a word or two for the title. */
void screen_draw(struct frame *f, const struct view *v, struct shop *s, enum role chosen,
                 const char *status);
/* Prints the tree, a line for each. */
void screen_print(const struct view *v, struct shop *s);
/* Prints the events from number *from on, and sets it to the next. */
void screen_print_events(struct events *e, uint64_t *from);

#endif
