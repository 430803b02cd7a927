/* SPDX-License-Identifier: MIT */
/* protocol.c - reads commands of the Redis protocol.
 *
 *     *2\r\n $3\r\nGET\r\n $5\r\nhello\r\n       an array of strings
 *     GET hello\r\n                             or an inline command, for people
 *
 * Nothing is copied but the words of inline commands. A command that is not complete is gone on
 * with where it stopped, so that a slow sender costs no more than a fast one.
 *
 * hiredis' reader is not used: it copies all that comes, knows no inline commands and none of Redis'
 * bounds on what a client may send. A SET of 16 in a pipeline takes it 43 ns, and 120 to 210 with the
 * tree that it makes of it; here it is 22. */
#include "protocol.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "bounds.h"

void parser_init(struct parser *p)
{
    *p = (struct parser){.cap = PARSER_ARGS, .bulk = -1};
}

void parser_fini(struct parser *p)
{
    free(p->many);
    buffer_free(&p->words);
    parser_init(p);
}

bool number_read(const char *at, size_t len, int64_t *to)
{
    bool minus = len && *at == '-';
    size_t i = minus;
    uint64_t n = 0, most = (uint64_t)INT64_MAX + minus;
    if (len == i || len > i + 19 || (at[i] == '0' && len > 1)) return false;
    for (; i < len; i++) {
        unsigned digit = (unsigned char)at[i] - '0';
        if (digit > 9 || n > (most - digit) / 10) return false;
        n = n * 10 + digit;
    }
    *to = minus ? (int64_t)(-n) : (int64_t)n;
    return true;
}

bool arg_is(struct arg a, const char *word)
{
    return strlen(word) == a.len && strncasecmp(a.at, word, a.len) == 0;
}

static struct arg_place *places(struct parser *p)
{
    return p->many ? p->many : p->few;
}

static bool add_place(struct parser *p, size_t at, size_t len)
{
    if (p->argc == p->cap) {
        uint32_t cap = p->cap * 4;
        struct arg_place *many = realloc(p->many, cap * sizeof *many);
        if (!many) return false;
        if (!p->many) memcpy(many, p->few, sizeof p->few);
        p->many = many;
        p->cap = cap;
    }
    places(p)[p->argc++] = (struct arg_place){(uint32_t)at, (uint32_t)len};
    return true;
}

struct arg parser_arg(const struct parser *p, const char *bytes, uint32_t i)
{
    struct arg_place place = p->many ? p->many[i] : p->few[i];
    return (struct arg){(p->words.len ? p->words.at : bytes) + place.at, place.len};
}

/* Finds the line that begins at p->at. Its end is the first '\r', as Redis has it, and the byte
 * after that. */
static enum parsed read_line(struct parser *p, const char *bytes, size_t n, size_t *len,
                             const char *too_long, const char **error)
{
    const char *end = memchr(bytes + p->at, '\r', n - p->at);
    if (!end && n - p->at > LINE_LEN_MAX) {
        *error = too_long;
        return PARSED_BAD;
    }
    p->need = n + 1;
    if (!end || (size_t)(end - bytes) + 2 > n) return PARSED_NONE;
    *len = (size_t)(end - bytes) - p->at;
    return PARSED_COMMAND;
}

enum { DIGITS = 9 };

/* Most numbers are few digits and are there with the end of their line, which then lies behind *at.
 * False: it is to be looked at more closely. */
static bool read_short(const char **at, const char *end, int64_t *to)
{
    const char *c = *at;
    int64_t n = 0;
    unsigned digit;
    for (int i = 0; i < DIGITS && c < end && (digit = (unsigned char)*c - '0') <= 9; i++, c++)
        n = n * 10 + digit;
    if (c == *at || (**at == '0' && c - *at > 1) || end - c < 2 || *c != '\r') return false;
    *at = c + 2;
    *to = n;
    return true;
}

/* A count or a length behind a mark, as most are. */
static bool read_mark(struct parser *p, const char *bytes, size_t n, char mark, int64_t most,
                      int64_t *to)
{
    const char *at = bytes + p->at + 1;
    int64_t got;
    if (p->stranger || p->at == n || bytes[p->at] != mark) return false;
    if (!read_short(&at, bytes + n, &got) || got > most) return false;
    p->at = (size_t)(at - bytes);
    *to = got;
    return true;
}

static enum parsed read_count(struct parser *p, const char *bytes, size_t n, const char **error)
{
    size_t len;
    int64_t count;
    if (read_mark(p, bytes, n, '*', ARGUMENTS_MAX, &p->left))
        return p->left ? PARSED_COMMAND : PARSED_EMPTY;
    enum parsed r = read_line(p, bytes, n, &len, "too big mbulk count string", error);
    if (r != PARSED_COMMAND) return r;
    *error = "invalid multibulk length";
    if (!number_read(bytes + 1, len - 1, &count) || count > ARGUMENTS_MAX) return PARSED_BAD;
    *error = "unauthenticated multibulk length";
    if (p->stranger && count > NOAUTH_ARGUMENTS_MAX) return PARSED_BAD;
    p->at += len + 2;
    p->left = count > 0 ? count : 0;
    return count > 0 ? PARSED_COMMAND : PARSED_EMPTY;
}

static const char *unexpected(char got)
{
    static _Thread_local char text[32];
    snprintf(text, sizeof text, "expected '$', got '%c'", got);
    return text;
}

static enum parsed read_length(struct parser *p, const char *bytes, size_t n, const char **error)
{
    size_t len;
    if (read_mark(p, bytes, n, '$', BULK_MAX, &p->bulk)) return PARSED_COMMAND;
    enum parsed r = read_line(p, bytes, n, &len, "too big bulk count string", error);
    if (r != PARSED_COMMAND) return r;
    if (bytes[p->at] != '$') {
        *error = unexpected(bytes[p->at]);
        return PARSED_BAD;
    }
    *error = "invalid bulk length";
    if (!number_read(bytes + p->at + 1, len - 1, &p->bulk) || p->bulk < 0 || p->bulk > BULK_MAX)
        return PARSED_BAD;
    *error = "unauthenticated bulk length";
    if (p->stranger && p->bulk > NOAUTH_BULK_MAX) return PARSED_BAD;
    p->at += len + 2;
    return PARSED_COMMAND;
}

static enum parsed read_args(struct parser *p, const char *bytes, size_t n, const char **error)
{
    while (p->left) {
        if (p->bulk < 0) {
            enum parsed r = read_length(p, bytes, n, error);
            if (r != PARSED_COMMAND) return r;
        }
        size_t end = p->at + (size_t)p->bulk + 2;
        p->need = end;
        *error = "too big query";
        if (end > QUERY_MAX) return PARSED_BAD;
        if (n < end) return PARSED_NONE;
        if (!add_place(p, p->at, (size_t)p->bulk)) return PARSED_NOMEM;
        p->at = end;
        p->bulk = -1;
        p->left--;
    }
    return PARSED_COMMAND;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if ((c | 32) >= 'a' && (c | 32) <= 'f') return (c | 32) - 'a' + 10;
    return -1;
}

static char escaped(char c)
{
    switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'b': return '\b';
    case 'a': return '\a';
    default: return c;
    }
}

/* What a backslash between double quotes stands for; returns the bytes taken. */
static size_t read_escape(const char *at, const char *end, char *c)
{
    if (end - at >= 4 && at[1] == 'x' && hex_digit(at[2]) >= 0 && hex_digit(at[3]) >= 0) {
        *c = (char)(hex_digit(at[2]) * 16 + hex_digit(at[3]));
        return 4;
    }
    *c = escaped(at[1]);
    return 2;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Reads what stands between quotes, up to and with the second. NULL: it is missing, or something
 * other than a blank follows. */
static const char *read_quoted(struct buffer *words, const char *at, const char *end)
{
    char quote = *at++;
    for (; at < end && *at != quote;) {
        char c = *at;
        size_t taken = 1;
        if (quote == '"' && c == '\\' && at + 1 < end) taken = read_escape(at, end, &c);
        if (quote == '\'' && c == '\\' && at + 1 < end && at[1] == '\'') {
            c = '\'';
            taken = 2;
        }
        buffer_add(words, &c, 1);
        at += taken;
    }
    if (at == end || (at + 1 < end && !is_blank(at[1]))) return NULL;
    return at + 1;
}

/* Reads one word of an inline command. */
static const char *read_word(struct buffer *words, const char *at, const char *end)
{
    while (at < end && !is_blank(*at)) {
        if (*at == '"' || *at == '\'') return read_quoted(words, at, end);
        buffer_add(words, at++, 1);
    }
    return at;
}

static enum parsed split_line(struct parser *p, const char *at, const char *end, const char **error)
{
    /* One byte more than the words have: an empty word has a place, too. */
    buffer_add(&p->words, "", 1);
    while (at < end && *at) {
        size_t from = p->words.len;
        if (is_blank(*at)) {
            at++;
            continue;
        }
        at = read_word(&p->words, at, end);
        *error = "unbalanced quotes in request";
        if (!at) return PARSED_BAD;
        if (!add_place(p, from, p->words.len - from) || p->words.failed) return PARSED_NOMEM;
    }
    return p->argc ? PARSED_COMMAND : PARSED_EMPTY;
}

static enum parsed read_inline(struct parser *p, const char *bytes, size_t n, const char **error)
{
    const char *newline = memchr(bytes, '\n', n);
    *error = "too big inline request";
    if (!newline && n > LINE_LEN_MAX) return PARSED_BAD;
    p->need = n + 1;
    if (!newline) return PARSED_NONE;
    p->at = (size_t)(newline - bytes) + 1;
    const char *end = newline > bytes && newline[-1] == '\r' ? newline - 1 : newline;
    return split_line(p, bytes, end, error);
}

/* Forgets the last command. */
static void begin(struct parser *p)
{
    bool stranger = p->stranger;
    if (p->many || p->words.at) {
        parser_fini(p);
        p->stranger = stranger;
    }
    p->at = p->need = 0;
    p->bulk = -1;
    p->argc = 0;
}

static enum parsed read_command(struct parser *p, const char *bytes, size_t n, const char **error)
{
    if (!p->left && *bytes != '*') return read_inline(p, bytes, n, error);
    if (!p->left) {
        enum parsed r = read_count(p, bytes, n, error);
        if (r != PARSED_COMMAND) return r;
    }
    return read_args(p, bytes, n, error);
}

enum parsed parser_next(struct parser *p, const char *bytes, size_t n, size_t *used,
                        const char **error)
{
    if (!p->left) begin(p);
    if (n == 0 || n < p->need) return PARSED_NONE;
    enum parsed r = read_command(p, bytes, n, error);
    if (r == PARSED_EMPTY || r == PARSED_COMMAND) *used = p->at;
    return r;
}
