/* SPDX-License-Identifier: MIT */
/* buffer.c - bytes that grow. */
#include "buffer.h"

#include <pthread.h>
#include <stdlib.h>

#include "bounds.h"

enum { FIRST = 64, KEPT = 64 * 1024 };

char *buffer_room(struct buffer *b, size_t n)
{
    if (b->failed) return NULL;
    if (b->at && b->cap - b->len >= n) return b->at + b->len;
    size_t cap = b->cap ? b->cap : FIRST;
    while (cap - b->len < n) cap *= 2;
    char *at = realloc(b->at, cap);
    b->failed = !at;
    if (!at) return NULL;
    b->at = at;
    b->cap = cap;
    return at + b->len;
}

void buffer_free(struct buffer *b)
{
    free(b->at);
    *b = (struct buffer){0};
}

void buffer_clear(struct buffer *b)
{
    if (b->cap > KEPT) buffer_free(b);
    b->len = 0;
    b->failed = false;
}

void buffer_drop(struct buffer *b, size_t n)
{
    b->len -= n;
    if (!b->len)
        buffer_clear(b);
    else
        memmove(b->at, b->at + n, b->len);
}

size_t number_write(char *to, int64_t n)
{
    char digits[20];
    size_t len = 0, i = sizeof digits;
    uint64_t u = n < 0 ? -(uint64_t)n : (uint64_t)n;
    do digits[--i] = (char)('0' + u % 10);
    while (u /= 10);
    if (n < 0) to[len++] = '-';
    memcpy(to + len, digits + i, sizeof digits - i);
    return len + sizeof digits - i;
}

struct scratches {
    struct scratches *next;
    struct buffer buffers[SCRATCH_PARTS + TARGETS_MAX];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct scratches *all;
static _Thread_local struct scratches *mine;
/* For want of memory: not among all, so that what it holds goes with the process. */
static _Thread_local struct scratches spare;

static struct scratches *scratches_new(void)
{
    struct scratches *s = calloc(1, sizeof *s);
    if (!s) return &spare;
    pthread_mutex_lock(&lock);
    s->next = all;
    all = s;
    pthread_mutex_unlock(&lock);
    return s;
}

struct buffer *scratch(unsigned which)
{
    if (!mine) mine = scratches_new();
    return &mine->buffers[which];
}

void scratch_fini(void)
{
    for (struct scratches *s; (s = all);) {
        all = s->next;
        for (unsigned i = 0; i < SCRATCH_PARTS + TARGETS_MAX; i++) buffer_free(&s->buffers[i]);
        free(s);
    }
    mine = NULL;
}
