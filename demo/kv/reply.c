/* SPDX-License-Identifier: MIT */
/* reply.c - writes answers. */
#include "reply.h"

#include <stdarg.h>
#include <stdio.h>

enum { HEAD = 24 };

static void head(struct buffer *b, char kind, int64_t n)
{
    char *to = buffer_room(b, HEAD);
    if (!to) return;
    *to++ = kind;
    size_t len = number_write(to, n);
    memcpy(to + len, "\r\n", 2);
    b->len += len + 3;
}

void reply_int(struct buffer *b, int64_t n)
{
    head(b, ':', n);
}

void reply_bulk(struct buffer *b, const char *at, size_t len)
{
    char *to = buffer_room(b, HEAD + len + 2);
    if (!to) return;
    head(b, '$', (int64_t)len);
    to = b->at + b->len;
    memcpy(to, at, len);
    memcpy(to + len, "\r\n", 2);
    b->len += len + 2;
}

void reply_verbatim(struct buffer *b, int resp, const char *at, size_t len)
{
    static const char kind[] = "txt:";
    if (resp != 3) {
        reply_bulk(b, at, len);
        return;
    }
    head(b, '=', (int64_t)(len + sizeof kind - 1));
    buffer_text(b, kind);
    buffer_add(b, at, len);
    reply_raw(b, "\r\n");
}

void reply_text(struct buffer *b, const char *text)
{
    reply_bulk(b, text, strlen(text));
}

void reply_array(struct buffer *b, int64_t n)
{
    head(b, '*', n);
}

void reply_map(struct buffer *b, int resp, int64_t n)
{
    head(b, resp == 3 ? '%' : '*', resp == 3 ? n : 2 * n);
}

void reply_null(struct buffer *b, int resp)
{
    if (resp == 3)
        reply_raw(b, "_\r\n");
    else
        reply_raw(b, "$-1\r\n");
}

void reply_null_array(struct buffer *b, int resp)
{
    if (resp == 3)
        reply_raw(b, "_\r\n");
    else
        reply_raw(b, "*-1\r\n");
}

static bool ends_line(char c)
{
    return c == '\r' || c == '\n';
}

void reply_error(struct buffer *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int written = vsnprintf(NULL, 0, format, args);
    va_end(args);
    size_t len = written < 0 ? 0 : (size_t)written;
    char *to = buffer_room(b, len + 3);
    if (!to) return;
    *to++ = '-';
    va_start(args, format);
    vsnprintf(to, len + 1, format, args);
    va_end(args);
    while (len && ends_line(to[len - 1])) len--;
    for (size_t i = 0; i < len; i++)
        if (ends_line(to[i])) to[i] = ' ';
    memcpy(to + len, "\r\n", 2);
    b->len += len + 3;
}
