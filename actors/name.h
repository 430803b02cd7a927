/* SPDX-License-Identifier: MIT */
/* name.h - names of actors. */
#ifndef BSK_NAME_H
#define BSK_NAME_H

#include "runtime.h"

/* The names of a runtime; caller's storage. 0 or BSK_ENOMEM. */
int name_init(struct bsk_rt *rt);
void name_fini(struct bsk_rt *rt);
/* Gives the actor a name, found by bsk_whereis if it is registered, or a label. 0, BSK_EINVAL
 * (its length), BSK_EEXIST, BSK_ELIMIT. */
int name_take(struct bsk_rt *rt, bsk_self *a, const char *name, bool registered, bsk_addr who);
/* Others can take the name; logs still know the actor by it. */
void name_release(struct bsk_rt *rt, bsk_self *a);
void name_free(struct bsk_rt *rt, bsk_self *a);
/* Writes "name <slot.gen>", or "<slot.gen>"; also of an actor that ends at this moment. */
void name_describe(struct bsk_rt *rt, const bsk_self *a, char *out, size_t size);

#endif
