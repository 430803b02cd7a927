/* SPDX-License-Identifier: MIT */
/* reply.c - writes answers. */
#include "reply.h"

#include <stdarg.h>
#include <stdio.h>

enum { HEAD = 24, ERROR_MAX = 1024 };

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

void reply_error(struct buffer *b, const char *format, ...)
{
    char text[ERROR_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (char *c = text; *c; c++)
        if (*c == '\r' || *c == '\n') *c = ' ';
    reply_raw(b, "-");
    buffer_text(b, text);
    reply_raw(b, "\r\n");
}
