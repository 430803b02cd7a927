/* SPDX-License-Identifier: MIT */
/* command.h - what the command lines of several programs share. */
#ifndef COMMAND_H
#define COMMAND_H

#include <stdint.h>
#include <stdnoreturn.h>

/* Its name, which each program defines. */
extern const char *const command_name;

/* Says what is wrong with what was given, or nothing where getopt has said it (NULL), and where
 * help is; ends the program with 2. */
noreturn void command_refuse(const char *what, const char *given);
/* Returns the number from 1 to the most that the text is, or refuses it. */
int64_t command_number(const char *text, int64_t most);

#endif
