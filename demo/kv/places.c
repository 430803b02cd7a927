/* SPDX-License-Identifier: MIT */
/* places.c - see places.h. The registrar writes, connections that are asked for the tree read; no
 * lock, as who ends while it holds one holds it for ever. */
#include "places.h"

#include <stdio.h>
#include <string.h>

enum { WORDS = sizeof(struct last_end) / sizeof(uint64_t), TRIES = 100 };
_Static_assert(sizeof(struct last_end) % sizeof(uint64_t) == 0, "read and written in words");

static struct {
    _Atomic uint64_t starts;
    _Atomic uint64_t turn;        /* odd while the words are written; 0: nobody has ended */
    _Atomic uint64_t last[WORDS]; /* a struct last_end */
} places[PLACES];

static bool is_shard(unsigned place)
{
    return place >= PLACE_SHARD && place < PLACE_SHARD + SHARDS_MAX;
}

bool place_is_used(unsigned place)
{
    if (is_shard(place)) return place - PLACE_SHARD < kv.options.shards;
    if (place == PLACE_WRITER) return kv.options.durability != DURABLE_NONE;
    return place != PLACE_CHAOS || kv.options.chaos > 0;
}

const char *place_name(unsigned place, char *to)
{
    static const char *const names[PLACES] = {
        [PLACE_KV] = "kv",         [PLACE_REGISTER] = "register", [PLACE_STORE] = "store",
        [PLACE_WRITER] = "writer", [PLACE_SHARDS] = "shards",     [PLACE_CHANNELS] = "channels",
        [PLACE_CHAOS] = "chaos",   [PLACE_GATE] = "gate",
    };
    return is_shard(place) ? shard_name(place - PLACE_SHARD, to) : names[place];
}

int place_depth(unsigned place)
{
    if (is_shard(place)) return 3;
    return place == PLACE_KV ? 0 : place == PLACE_WRITER || place == PLACE_SHARDS ? 2 : 1;
}

bool place_says_born(unsigned place)
{
    return is_shard(place) || place == PLACE_WRITER || place == PLACE_CHANNELS;
}

unsigned place_of(bsk_rt *rt, bsk_addr who)
{
    char name[SHARD_NAME];
    for (unsigned p = 0; p < PLACES; p++)
        if (place_is_used(p) && bsk_same(bsk_whereis(rt, place_name(p, name)), who)) return p;
    return PLACES;
}

void place_note_start(unsigned place)
{
    count_up(&places[place].starts, 1);
}

void place_note_end(unsigned place, const bsk_down *d)
{
    struct last_end e = {.reason = d->reason};
    uint64_t words[WORDS], turn = count_of(&places[place].turn);
    snprintf(e.text, sizeof e.text, "%s", d->text);
    memcpy(words, &e, sizeof words);
    atomic_store_explicit(&places[place].turn, turn + 1, memory_order_relaxed);
    /* Release pairs with the acquire of the words in place_last_end: who reads one of these sees
     * the odd turn, too, when it looks again. */
    for (int i = 0; i < WORDS; i++)
        atomic_store_explicit(&places[place].last[i], words[i], memory_order_release);
    /* Release pairs with the acquire of the turn there: who sees it sees all words. */
    atomic_store_explicit(&places[place].turn, turn + 2, memory_order_release);
}

uint64_t place_restarts(unsigned place)
{
    uint64_t starts = count_of(&places[place].starts);
    return starts ? starts - 1 : 0;
}

bool place_last_end(unsigned place, struct last_end *out)
{
    uint64_t words[WORDS];
    for (int n = 0; n < TRIES; n++) {
        uint64_t turn = atomic_load_explicit(&places[place].turn, memory_order_acquire);
        for (int i = 0; i < WORDS; i++)
            words[i] = atomic_load_explicit(&places[place].last[i], memory_order_acquire);
        if (turn % 2 || turn != count_of(&places[place].turn)) continue;
        if (turn) memcpy(out, words, sizeof words);
        return turn;
    }
    return false;
}
