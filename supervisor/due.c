/* SPDX-License-Identifier: MIT */
/* A pairing heap: what is taken out leaves those below it, which are joined two by two. */
#include "due.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

static bool before(const struct due *a, const struct due *b)
{
    return a->at != b->at ? a->at < b->at : a->turn < b->turn;
}

/* Joins two that stand alone; either may be NULL. */
static struct due *join(struct due *a, struct due *b)
{
    if (!a || !b) return a ? a : b;
    if (before(b, a)) {
        struct due *swap = a;
        a = b;
        b = swap;
    }
    b->prev = a;
    b->next = a->below;
    if (b->next) b->next->prev = b;
    a->below = b;
    return a;
}

/* Takes the first off the row. */
static struct due *alone(struct due **row)
{
    struct due *d = *row;
    if (!d) return NULL;
    *row = d->next;
    d->next = d->prev = NULL;
    return d;
}

/* Joins a row, by pairs from the left and those from the right. */
static struct due *join_row(struct due *row)
{
    struct due *pairs = NULL, *all = NULL;
    while (row) {
        struct due *a = alone(&row), *pair = join(a, alone(&row));
        pair->next = pairs;
        pairs = pair;
    }
    while (pairs) all = join(all, alone(&pairs));
    return all;
}

void due_add(struct dues *h, struct due *d, uint64_t at)
{
    *d = (struct due){.at = at, .turn = h->turns++};
    h->first = join(h->first, d);
}

void due_remove(struct dues *h, struct due *d)
{
    struct due *below = join_row(d->below);
    if (h->first == d) {
        h->first = below;
        return;
    }
    assert(d->prev);
    if (d->prev->below == d)
        d->prev->below = d->next;
    else
        d->prev->next = d->next;
    if (d->next) d->next->prev = d->prev;
    h->first = join(h->first, below);
}
