/* SPDX-License-Identifier: MIT */
/* send.h - building and pushing messages. */
#ifndef BSK_SEND_H
#define BSK_SEND_H

#include "runtime.h"

/* A block for a body of that size, or NULL; its contents undefined but for the class. */
struct bsk_msg *snd_block(struct worker *w, struct bsk_rt *rt, size_t body_size);
/* A user message for the actor of that generation, copied; or NULL for want of memory. */
struct bsk_msg *snd_build(struct worker *w, struct bsk_rt *rt, const bsk_type *type,
                          const void *body, uint32_t gen);
/* Frees a message's contents and block; or the block alone. */
void snd_free(struct worker *w, struct bsk_rt *rt, struct bsk_msg *m);
void snd_free_block(struct worker *w, struct bsk_rt *rt, struct bsk_msg *m);
/* Pushes a signal or reply, whose memory was set aside; frees it if its receiver has ended. */
void snd_urgent(struct worker *w, struct bsk_rt *rt, bsk_addr to, struct bsk_msg *m);
/* As bsk_try; `ask`, if not 0, makes it a request. */
int snd_try(struct worker *w, struct bsk_rt *rt, bsk_addr to, uint32_t margin, const bsk_type *type,
            const void *body, uint64_t ask);
/* Who calls and where to: a worker of the address's runtime; or that runtime, held until
 * snd_leave. */
struct way {
    struct worker *w;
    struct bsk_rt *rt;
};
/* False: the address is of no runtime that lives. */
bool snd_enter(bsk_addr to, struct way *way);
void snd_leave(const struct way *way);

#endif
