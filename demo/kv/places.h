/* SPDX-License-Identifier: MIT */
/* places.h - the places of the tree (see service.c), whoever holds them, and what became of those
 * who held them: an actor's name stays when it is started again. Places follow each other as they
 * are drawn, parents before their children. */
#ifndef KV_PLACES_H
#define KV_PLACES_H

#include "bounds.h"
#include "service.h"

enum {
    PLACE_KV,
    PLACE_REGISTER,
    PLACE_STORE,
    PLACE_WRITER,
    PLACE_SHARDS,
    PLACE_SHARD, /* the first of them */
    PLACE_CHANNELS = PLACE_SHARD + SHARDS_MAX,
    PLACE_CHAOS,
    PLACE_GATE,
    PLACES
};

/* How the last who held a place ended. */
struct last_end {
    int64_t reason; /* an enum bsk_reason */
    char text[56];
};

/* Tells whether this service has such a place. */
bool place_is_used(unsigned place);
/* Its name; `to` has room for SHARD_NAME bytes. */
const char *place_name(unsigned place, char *to);
int place_depth(unsigned place);
/* Tells whether who holds it says so when it starts (say_born). */
bool place_says_born(unsigned place);
/* The place that `who` holds, or PLACES. */
unsigned place_of(bsk_rt *rt, bsk_addr who);

/* Notes a start, or an end. By the registrar only. */
void place_note_start(unsigned place);
void place_note_end(unsigned place, const bsk_down *d);
/* From any thread. */
uint64_t place_restarts(unsigned place);
/* Reads the last end. False: nobody has ended there, or just now somebody does. */
bool place_last_end(unsigned place, struct last_end *out);

#endif
