/* SPDX-License-Identifier: MIT */
/* wire.c - the Redis protocol, from the client's side. */
#include "wire.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bytes_add(struct bytes *b, const void *at, size_t n)
{
    if (b->cap - b->len <= n) {
        b->cap = (b->len + n) * 2 + 1;
        b->at = realloc(b->at, b->cap);
        if (!b->at) abort();
    }
    if (n) memcpy(b->at + b->len, at, n);
    b->len += n;
    b->at[b->len] = '\0'; /* for who reads numbers */
}

static void add_head(struct bytes *b, char type, size_t n)
{
    char head[32];
    bytes_add(b, head, (size_t)snprintf(head, sizeof head, "%c%zu\r\n", type, n));
}

void bytes_command(struct bytes *b, unsigned args)
{
    add_head(b, '*', args);
}

void bytes_arg(struct bytes *b, const void *at, size_t n)
{
    add_head(b, '$', n);
    bytes_add(b, at, n);
    bytes_add(b, "\r\n", 2);
}

void bytes_words(struct bytes *b, unsigned args, ...)
{
    va_list words;
    bytes_command(b, args);
    va_start(words, args);
    for (unsigned i = 0; i < args; i++) {
        const char *word = va_arg(words, const char *);
        bytes_arg(b, word, strlen(word));
    }
    va_end(words);
}

void bytes_number(struct bytes *b, int64_t n)
{
    char digits[32];
    bytes_arg(b, digits, (size_t)snprintf(digits, sizeof digits, "%" PRId64, n));
}

int wire_open(struct wire *w, bsk_self *self, const char *host, int port, int64_t ms)
{
    w->self = self;
    w->in.len = w->at = 0;
    return bsk_connect(self, host, port, ms, &w->stream);
}

void wire_close(struct wire *w)
{
    bsk_stream_close(w->self, w->stream);
    w->stream = (bsk_stream){0};
}

int wire_send(struct wire *w, const struct bytes *b, int64_t ms)
{
    return bsk_stream_write(w->self, w->stream, (bsk_bytes){b->at, b->len}, ms);
}

static int read_more(struct wire *w, int64_t ms)
{
    bsk_bytes more;
    int rc = bsk_stream_read(w->self, w->stream, &more, ms);
    if (rc <= 0) return rc == 0 ? BSK_EEOF : rc;
    w->in.len -= w->at;
    if (w->at && w->in.len) memmove(w->in.at, w->in.at + w->at, w->in.len);
    w->at = 0;
    bytes_add(&w->in, more.ptr, more.len);
    return 0;
}

/* Returns how many bytes the line takes with its end; 0: it has not come yet. */
static size_t line_len(const struct wire *w)
{
    size_t have = w->in.len - w->at;
    const char *from = have ? w->in.at + w->at : NULL,
               *end = from ? memchr(from, '\n', have) : NULL;
    return end ? (size_t)(end - from) + 1 : 0;
}

/* Reads what of a reply stands in its first line. *need: bytes that must be there for all of it. */
static int read_head(const struct wire *w, size_t line, struct reply *r, size_t *need)
{
    const char *at = w->in.at + w->at;
    *r = (struct reply){.type = *at, .at = at + 1};
    *need = line;
    if (line < 3 || at[line - 2] != '\r') return BSK_EINVAL;
    r->len = line - 3;
    if (*at == '_') return 0;
    if (*at == '+' || *at == '-') return 0;
    if (!strchr(":$*%", *at)) return BSK_EINVAL;
    char *end;
    r->n = strtoll(at + 1, &end, 10);
    if (end == at + 1 || end != at + line - 2) return BSK_EINVAL;
    if (*at != ':' && r->n < 0) r->type = '_';
    if (r->type == '$') *need += r->len = (size_t)r->n;
    if (r->type == '$') *need += 2;
    return 0;
}

int wire_reply(struct wire *w, struct reply *r, int64_t ms)
{
    size_t line, need = 0;
    int rc;
    while (!(line = line_len(w)))
        if ((rc = read_more(w, ms)) < 0) return rc;
    if ((rc = read_head(w, line, r, &need)) < 0) return rc;
    while (w->in.len - w->at < need)
        if ((rc = read_more(w, ms)) < 0) return rc;
    r->at = w->in.at + w->at + (r->type == '$' ? line : 1);
    w->at += need;
    return r->type == '$' && memcmp(r->at + r->len, "\r\n", 2) != 0 ? BSK_EINVAL : 0;
}
