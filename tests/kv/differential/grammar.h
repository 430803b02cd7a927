/* SPDX-License-Identifier: MIT */
/* grammar.h - commands, drawn by a seed: right ones, nearly right ones, and wrong ones. */
#ifndef GRAMMAR_H
#define GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How much alike two answers must be. What is not EXACT, and why:
 *   SORTED  KEYS and unsubscribing from all go by the order of a hash table, which is random
 *   SECOND  TTL: a second may end between the two
 *   MILLIS  PTTL: the same, up to a second's worth of ms
 *   KIND    INFO, CLIENT ID, CLIENT INFO, CLIENT LIST, COMMAND COUNT, CONFIG GET of a setting that
 *           both have: they tell of this server, these connections and these commands
 *   HELLO   the connection's number, as it is one of the server's
 * DBSIZE may still count what has expired: from then on it is of a KIND, too.
 * SCAN is compared by all that it lists until it is through: cursors are each server's own.
 * Never drawn: keys over 500 bytes, which kv refuses, as its store has no room for them. */
enum likeness { EXACT, SORTED, SECOND, MILLIS, KIND, HELLO };

enum { ARGS_MAX = 64, STORE_MAX = 65536 };
struct request {
    struct {
        const char *at;
        size_t len;
    } args[ARGS_MAX];
    unsigned n;
    enum likeness likeness;
    bool sleeps; /* something expires at once: wait until it has */
    char store[STORE_MAX];
    size_t used;
};

uint64_t draw(uint64_t below); /* a random number */
void draw_seed(uint64_t seed);

/* Draws a command; one that may stand between MULTI and EXEC, which must be EXACT. */
void request_draw(struct request *r, bool in_multi);
/* Makes one of words: a '%' and a letter stand for what is drawn. */
void request_make(struct request *r, const char *words);
/* Encodes it at `to`, which has room for `size`; the number of bytes. */
size_t request_encode(const struct request *r, char *to, size_t size);
/* The same as a line, with quotes where needed, now and then where not. */
size_t request_inline(const struct request *r, char *to, size_t size);
/* Bytes that break the protocol. */
const char *draw_nonsense(size_t *len);

#endif
