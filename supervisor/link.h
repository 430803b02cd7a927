/* SPDX-License-Identifier: MIT */
/* link.h - two actors hear of each other's end. */
#ifndef BSK_LINK_H
#define BSK_LINK_H

#include "tie.h"
#include "upper.h"

void lnk_fini(struct upper *u);
/* One end is fired, under its stripe: the actor at the other hears. Returns its link. */
struct link *lnk_fire(struct worker *w, struct tie *t, enum bsk_reason reason, bsk_blob *cause);
/* The rest, outside the stripe: the link is gone. */
void lnk_over(struct bsk_rt *rt, struct link *link, struct tie *fired);
/* Ends `to` by an exit signal, or, if it traps exits, tells it. Takes the block over. */
void exit_deliver(struct worker *w, struct bsk_rt *rt, bsk_addr from, bsk_addr to,
                  struct bsk_msg *m, enum bsk_reason reason, bsk_blob *cause);
/* A block for that, or NULL. */
struct bsk_msg *exit_block(struct worker *w, struct bsk_rt *rt);

#endif
