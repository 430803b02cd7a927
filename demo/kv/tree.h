/* SPDX-License-Identifier: MIT */
/* tree.h - the tree of the service as it is. */
#ifndef KV_TREE_H
#define KV_TREE_H

#include "buffer.h"

/* Adds a line for each place of the tree, who holds it or not, with its state, restarts, mailbox
 * and last end, and how many connections there are. It stops nobody, so what it says of one may be
 * a moment older than what it says of another. */
void tree_say(struct buffer *b);

#endif
