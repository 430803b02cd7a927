/* SPDX-License-Identifier: MIT */
/* latest.c - a key stands in the store by the upper bits of its hash. Sorted by the hash, the writes to
 * a key stand side by side, and those to a page of the store together.
 *
 * It is a radix sort from the lowest of the upper bits on, which is stable: of two writes to a key the
 * later one stays behind the other. Where only the bits that are left differ keys stand mixed, and some
 * write may come that is not the last, in its order. */
#include "latest.h"

#include <stdlib.h>
#include <string.h>

enum { DIGIT = 11, LOWEST = 64 - 3 * DIGIT, DIGITS = 1 << DIGIT, AHEAD = 12 };

static unsigned digit_of(uint64_t hash, unsigned from)
{
    return (unsigned)(hash >> from) & (DIGITS - 1);
}

static void sort_by(const struct place *p, size_t n, unsigned from, struct place *to)
{
    size_t starts[DIGITS] = {0}, start = 0;
    for (size_t i = 0; i < n; i++) starts[digit_of(p[i].hash, from)]++;
    for (unsigned d = 0; d < DIGITS; d++) {
        size_t count = starts[d];
        starts[d] = start;
        start += count;
    }
    for (size_t i = 0; i < n; i++) to[starts[digit_of(p[i].hash, from)]++] = p[i];
}

/* Counts them. False: the order of all matters. */
static bool count(const char *writes, const char *end, size_t *n)
{
    struct record r;
    for (*n = 0; writes_next(&writes, end, &r); ++*n)
        if (r.kind == WRITE_CLEAR) return false;
    return *n > 0;
}

bool latest_sort(struct latest *l, const char *writes, const char *end)
{
    struct record r;
    size_t n;
    if (!count(writes, end, &n)) return false;
    struct place *a = malloc(n * sizeof *a), *b = malloc(n * sizeof *b);
    if (!a || !b) {
        free(a);
        free(b);
        return false;
    }
    const char *from = writes;
    for (size_t i = 0; writes_next(&writes, end, &r); from = writes)
        a[i++] = (struct place){r.hash, from};
    sort_by(a, n, LOWEST, b);
    sort_by(b, n, LOWEST + DIGIT, a);
    sort_by(a, n, LOWEST + 2 * DIGIT, b);
    free(a);
    *l = (struct latest){.places = b, .n = n, .end = end};
    return true;
}

/* Records are far apart, so that without this each would be waited for. */
static void fetch_ahead(const struct latest *l)
{
    if (l->next + AHEAD >= l->n) return;
    const char *at = l->places[l->next + AHEAD].at;
    __builtin_prefetch(at);
    __builtin_prefetch(at + 64);
}

/* Tells whether a later write is to the same key. */
static bool is_overtaken(const struct latest *l, const struct record *r)
{
    struct record later;
    if (l->next == l->n || l->places[l->next].hash != r->hash) return false;
    const char *at = l->places[l->next].at;
    writes_next(&at, l->end, &later);
    return later.key.len == r->key.len && memcmp(later.key.at, r->key.at, r->key.len) == 0;
}

bool latest_next(struct latest *l, struct record *r)
{
    do {
        if (l->next == l->n) return false;
        fetch_ahead(l);
        const char *at = l->places[l->next++].at;
        writes_next(&at, l->end, r);
    } while (is_overtaken(l, r));
    return true;
}

void latest_free(struct latest *l)
{
    free(l->places);
}
