/* SPDX-License-Identifier: MIT */
/* likeness.c - whether two answers are as like as they must be. */
#define _GNU_SOURCE 1
#include "likeness.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server.h"

enum { ELEMENTS = 512, PRINTED = 400 };

struct element {
    const char *at;
    size_t n;
};

static int compare(const void *a, const void *b)
{
    const struct element *x = a, *y = b;
    int c = memcmp(x->at, y->at, x->n < y->n ? x->n : y->n);
    return c ? c : (x->n > y->n) - (x->n < y->n);
}

/* The elements of an array, in order; how many, or -1. */
static int elements_of(const char *at, size_t n, struct element *to)
{
    const char *end = at + n, *p = memchr(at, '\n', n);
    int count = 0;
    if (!strchr("*>~", *at) || !p) return -1;
    for (p++; p < end && count < ELEMENTS; count++) {
        to[count] = (struct element){p, reply_len(p, (size_t)(end - p))};
        p += to[count].n;
    }
    qsort(to, (size_t)count, sizeof *to, compare);
    return count;
}

static bool same_bytes(const char *a, size_t na, const char *b, size_t nb)
{
    return na == nb && memcmp(a, b, na) == 0;
}

static bool same_elements(const char *a, size_t na, const char *b, size_t nb)
{
    static struct element x[ELEMENTS], y[ELEMENTS];
    int n = elements_of(a, na, x);
    if (n < 0 || n != elements_of(b, nb, y)) return same_bytes(a, na, b, nb);
    for (int i = 0; i < n; i++)
        if (!same_bytes(x[i].at, x[i].n, y[i].at, y[i].n)) return false;
    return true;
}

static bool close_by(const char *a, size_t na, const char *b, size_t nb, long by)
{
    if (*a != ':' || *b != ':') return same_bytes(a, na, b, nb);
    long x = strtol(a + 1, NULL, 10), y = strtol(b + 1, NULL, 10);
    /* None, and no key, are not times. */
    return x == y || (x >= 0 && y >= 0 && labs(x - y) <= by);
}

/* Takes the connection's number out. */
static size_t without_id(const char *at, size_t n, char *to, size_t size)
{
    static const char before[] = "$2\r\nid\r\n:";
    const char *id = memmem(at, n, before, sizeof before - 1);
    if (n > size) n = size;
    if (!id) {
        memcpy(to, at, n);
        return n;
    }
    size_t head = (size_t)(id - at) + sizeof before - 1, skip = strspn(at + head, "0123456789");
    memcpy(to, at, head);
    memcpy(to + head, at + head + skip, n - head - skip);
    return n - skip;
}

static bool same_hello(const char *a, size_t na, const char *b, size_t nb)
{
    char x[1024], y[1024];
    na = without_id(a, na, x, sizeof x);
    nb = without_id(b, nb, y, sizeof y);
    return same_bytes(x, na, y, nb);
}

bool are_like(enum likeness likeness, const char *a, size_t na, const char *b, size_t nb)
{
    switch (likeness) {
    case SORTED: return same_elements(a, na, b, nb);
    case SECOND: return close_by(a, na, b, nb, 1);
    case MILLIS: return close_by(a, na, b, nb, 1000);
    case KIND: return *a == *b && (*a != '-' || same_bytes(a, na, b, nb));
    case HELLO: return same_hello(a, na, b, nb);
    default: return same_bytes(a, na, b, nb);
    }
}

void print_bytes(const char *at, size_t n)
{
    for (size_t i = 0; i < n && i < PRINTED; i++) {
        unsigned char c = (unsigned char)at[i];
        if (c == '\r')
            fputs("\\r", stdout);
        else if (c == '\n')
            fputs("\\n", stdout);
        else
            printf(c >= ' ' && c < 127 ? "%c" : "\\x%02x", c);
    }
    if (n > PRINTED) printf("... (%zu bytes)", n);
    putchar('\n');
}
