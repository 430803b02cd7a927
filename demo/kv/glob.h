/* SPDX-License-Identifier: MIT */
/* glob.h - patterns of KEYS, SCAN, PSUBSCRIBE and CONFIG GET. */
#ifndef KV_GLOB_H
#define KV_GLOB_H

#include <stdbool.h>
#include <stddef.h>

/* Tells whether the text matches: * any run, ? any byte, [a-z] [^a-z] one of a set, \ the next byte
 * as it is. The empty
 * text is matched by the empty pattern only. Takes time in proportion to the product of the lengths, at most. */
bool glob_match(const char *pattern, size_t np, const char *text, size_t nt, bool nocase);

#endif
