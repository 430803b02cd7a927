/* SPDX-License-Identifier: MIT */
/* player.h - between the workload's files: what players do, and how a run gets them. */
#ifndef SIMULATION_PLAYER_H
#define SIMULATION_PLAYER_H

#include "books.h"
#include "random.h"

/* act.c: does one random thing. self is NULL for a thread that is no actor. */
void act(struct player *p, bsk_self *self);
/* Answers, or drops, one of the requests that were put off. */
void answer_one(struct player *p);
/* Stops the player's intervals. */
void stop_intervals(struct player *p, bsk_self *self);
void fill_text(char *text, unsigned n, unsigned seed);
bool text_is_whole(const char *text, int64_t len);

/* take.c: enters a message and reacts to it. */
void take(struct player *p, bsk_self *self, bsk_msg *m);

/* player.c: spawns a random player, from another one or (NULL) from the run's own thread. */
struct player *spawn_player(struct run *r, struct player *parent, bsk_self *self);
/* A player that a thread of its own plays. */
struct player *new_player(struct run *r);
/* Ends one way or another; may not return. */
void finish(struct player *p, bsk_self *self);
void set_stage(struct player *p, enum stage stage);
/* Returns a known player at random, or NULL. */
struct player *pick(struct player *p);
struct player *player_of(struct run *r, bsk_addr who);

#endif
