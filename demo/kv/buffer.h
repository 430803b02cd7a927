/* SPDX-License-Identifier: MIT */
/* buffer.h - bytes that grow. A buffer that could not grow says so once, when it is asked, so that
 * who writes many small pieces checks once. */
#ifndef KV_BUFFER_H
#define KV_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buffer {
    char *at;
    size_t len, cap;
    bool failed; /* for want of memory: what was added since is not there */
};

/* Returns room for `n` more bytes behind the last, or NULL. */
char *buffer_room(struct buffer *b, size_t n);
/* Frees the memory; the buffer is empty. */
void buffer_free(struct buffer *b);
/* Empties it, and keeps the memory if that is little. */
void buffer_clear(struct buffer *b);
/* Takes the first n bytes away. */
void buffer_drop(struct buffer *b, size_t n);
/* Writes a number in decimal and returns how many bytes that were; `to` has room for 20. */
size_t number_write(char *to, int64_t n);

static inline void buffer_add(struct buffer *b, const void *from, size_t n)
{
    char *to = b->cap - b->len >= n && b->at ? b->at + b->len : buffer_room(b, n);
    if (!to || !n) return;
    memcpy(to, from, n);
    b->len += n;
}

static inline void buffer_text(struct buffer *b, const char *text)
{
    buffer_add(b, text, strlen(text));
}

/* Buffers of the thread, for what a handler puts together and hands on before it returns: an actor
 * that waits keeps none. */
enum scratch { SCRATCH_OUT, SCRATCH_LOCAL, SCRATCH_PARTS };
struct buffer *scratch(unsigned which);
/* Frees those of all threads. None of them may be in use. */
void scratch_fini(void);

#endif
