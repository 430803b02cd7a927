/* SPDX-License-Identifier: MIT */
/* suite.h - what the mains of these tests share. */
#ifndef SUITE_H
#define SUITE_H

#include <check.h>
#include <stdint.h>

/* Returns the number in the environment's variable, or the other one if there is none. */
uint64_t number_of(const char *variable, uint64_t otherwise);
/* Runs the suite; returns main's exit status. */
int run_suite(Suite *s);

#endif
