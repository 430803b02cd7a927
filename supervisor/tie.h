/* SPDX-License-Identifier: MIT */
/* tie.h - who hears when an actor ends: its watchers and those linked to it.
 *
 * An actor's ties stand in a list in its slot, under the slot's stripe. At its end the list is
 * closed for good, and each is taken out and fired under the stripe: so whoever finds a tie still
 * listed, and takes it out, knows that nothing of it was or will be sent; and whoever does not
 * find it, that its message is in the mailbox already. */
#ifndef BSK_TIE_H
#define BSK_TIE_H

#include "kin.h"

struct tie {
    struct tie *next, *prev;
    bsk_addr of; /* whose end it is about */
    bool listed; /* under the stripe of `of` */
    bool link;   /* one end of a link; else a monitor */
    bool second; /* of a link's two */
};

/* Lists the tie with the actor it is about. False: that has ended. */
bool tie_list(struct bsk_rt *rt, struct tie *t);
/* Lists it with an actor that nobody knows yet. */
void tie_list_new(bsk_self *a, struct tie *t);
/* Takes it out. Tells whether it still was listed. */
bool tie_unlist(struct bsk_rt *rt, struct tie *t);
/* How many are tied to the actor. 0 or BSK_EDEAD. */
int tie_count(struct bsk_rt *rt, bsk_addr who, bsk_ties_out *out);
/* The actor, whose list is closed, has ended: all who are tied to it hear of that. */
void tie_fire_all(struct worker *w, bsk_self *a, enum bsk_reason reason, bsk_blob *cause);

#endif
