/* SPDX-License-Identifier: MIT */
/* answers.h - reads the answers to a batch, and holds them against what they may be. */
#ifndef KVC_ANSWERS_H
#define KVC_ANSWERS_H

#include "mix.h"
#include "wire.h"

/* Reads them all; each is to come within ms. 0, or why the rest did not come: then what was asked
 * for may have been done or not. *troubles: answers that were none. */
int answers_read(struct wire *w, struct batch *b, int64_t ms, unsigned *troubles);
/* None of what has not been answered so far will be: it may have been done, or not. */
void answers_doubt(struct batch *b, int64_t now);

#endif
