/* SPDX-License-Identifier: MIT */
/* ask.h - requests and replies. */
#ifndef BSK_ASK_H
#define BSK_ASK_H

#include "runtime.h"

/* Opens a request of the actor; then it is sent under the ref, or undone. 0 or a code. */
int ask_begin(bsk_self *self, int64_t ms, const bsk_type *type, size_t reply_size, uint64_t *ref);
int ask_undo(bsk_self *self, uint64_t ref, int rc);
/* As bsk_call, with the request for an actor, or, if there is a function, for the blocking pool. */
const void *ask_call(bsk_self *self, struct bsk_rt *rt, int64_t ms, const bsk_type *type,
                     const void *body, bsk_addr to, bsk_work_fn *fn);
/* 0 or BSK_ENOMEM. */
int ask_init_slab(struct bsk_rt *rt);
/* The asker ends: nobody hears of its asks any more. */
void ask_abandon_all(struct worker *w, bsk_self *a);
/* A request is freed: the asker hears BSK_ENOREPLY, if it was not answered. */
void ask_dropped(struct worker *w, struct bsk_rt *rt, uint64_t ref);
/* Tells whether somebody waits for the reply, and its deadline lies after `now`. */
bool ask_open(struct bsk_rt *rt, uint64_t ref, uint64_t now);
/* Returns the deadline of a request that is open, else NEVER; and when it was sent, if that is
 * measured. */
uint64_t ask_deadline(struct bsk_rt *rt, uint64_t ref);
uint64_t ask_sent(struct bsk_rt *rt, uint64_t ref);
/* The deadline of an ask has come; the caller holds the lock of the wheel that it was in. */
void ask_expired(struct worker *w, struct whl_node *node);
/* The reply to an ask, or its loss, was taken: the ask is over. */
void ask_received(struct worker *w, bsk_self *a, struct bsk_msg *m);
/* An actor ends that kept rights to reply: their askers hear BSK_ENOREPLY. */
void ask_later_lost(struct worker *w, bsk_self *a);
/* Frees the record that a fiber keeps for its calls; also one that it was killed in. */
void ask_release_call(struct worker *w, bsk_self *a);

#endif
