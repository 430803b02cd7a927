/* SPDX-License-Identifier: MIT */
/* likeness.h - whether two answers are as like as they must be. */
#ifndef LIKENESS_H
#define LIKENESS_H

#include "grammar.h"

bool are_like(enum likeness likeness, const char *a, size_t na, const char *b, size_t nb);
/* Prints bytes so that people can read them, and no more than some. */
void print_bytes(const char *at, size_t n);

#endif
