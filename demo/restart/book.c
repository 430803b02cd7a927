/* SPDX-License-Identifier: MIT */
/* book.c - what has become of each order. */
#include "book.h"

#include <stdlib.h>
#include <string.h>

void book_fini(struct book *b)
{
    free(b->pages);
    *b = (struct book){.pages = NULL};
}

bool book_reach(struct book *b, int64_t id)
{
    if (id < 1 || id > ID_MAX) return false;
    if ((size_t)id < b->cap) return true;
    size_t cap = b->cap ? b->cap : 256;
    while (cap <= (size_t)id) cap *= 2;
    struct page *pages = realloc(b->pages, cap * sizeof *pages);
    if (!pages) return false;
    memset(pages + b->cap, 0, (cap - b->cap) * sizeof *pages);
    b->pages = pages;
    b->cap = cap;
    return true;
}

static struct page *page_of(const struct book *b, int64_t id)
{
    return id >= 1 && (size_t)id < b->cap ? &b->pages[id] : NULL;
}

bool book_has(const struct book *b, int64_t id)
{
    const struct page *p = page_of(b, id);
    return p && p->kept;
}

bool book_has_settled(const struct book *b, int64_t id)
{
    const struct page *p = page_of(b, id);
    return p && (p->booked || p->refused);
}

static void write_kept(struct book *b, struct page *p, int64_t amount)
{
    b->astray += p->kept++ != 0;
    p->amount = amount;
    b->sum += amount;
    b->open++;
}

static void write_settled(struct book *b, struct page *p, bool fine)
{
    b->astray += p->kept != 1 || p->booked || p->refused;
    b->open--;
    if (fine) {
        p->booked++;
        b->booked++;
    } else {
        p->refused++;
        b->refused++;
    }
}

bool book_write(struct book *b, const struct record *r)
{
    if (!book_reach(b, r->id)) return false;
    struct page *p = page_of(b, r->id);
    if (r->entry == KEPT)
        write_kept(b, p, r->amount);
    else
        write_settled(b, p, r->entry == BOOKED);
    return true;
}

static bool replay_one(void *book, const struct record *r)
{
    return book_write(book, r);
}

int book_replay(struct book *b, int file)
{
    return journal_read(file, replay_one, b);
}

size_t book_open_orders(const struct book *b, struct order *out, size_t max)
{
    size_t n = 0;
    for (size_t id = 1; id < b->cap && n < max && (int64_t)n < b->open; id++)
        if (book_has(b, (int64_t)id) && !book_has_settled(b, (int64_t)id))
            out[n++] = (struct order){(int64_t)id, b->pages[id].amount};
    return n;
}
