/* SPDX-License-Identifier: MIT */
/* protocol.h - reads commands from bytes as they come, in whatever pieces. */
#ifndef KV_PROTOCOL_H
#define KV_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

struct arg {
    const char *at;
    uint32_t len;
};

/* Where reading stands inside a command that is not complete. All places count from the command's
 * first byte: the bytes may move while more of them are waited for. */
enum { PARSER_ARGS = 4 };
struct parser {
    size_t at;    /* the next byte to be read */
    size_t need;  /* bytes of the command before which there is nothing to do */
    int64_t left; /* arguments to come; 0: between commands */
    int64_t bulk; /* length of the argument that comes; -1: not known yet */
    uint32_t argc, cap;
    struct arg_place {
        uint32_t at, len;
    } few[PARSER_ARGS], *many;
    struct buffer words; /* of an inline command, unquoted */
    bool stranger;       /* who gave no password yet: has narrower bounds */
};

void parser_init(struct parser *p);
void parser_fini(struct parser *p);

enum parsed {
    PARSED_NONE,    /* incomplete: come again with the same bytes and more */
    PARSED_EMPTY,   /* nothing, which needs no answer; *used bytes */
    PARSED_COMMAND, /* *used bytes, parser_arg has the arguments */
    PARSED_BAD,     /* *error says why; the connection is to be closed */
    PARSED_NOMEM
};
/* Reads one command from the n bytes at `bytes`, which begin where the last command ended. */
enum parsed parser_next(struct parser *p, const char *bytes, size_t n, size_t *used,
                        const char **error);
/* An argument of the command just read, in the same bytes; valid as they are. */
struct arg parser_arg(const struct parser *p, const char *bytes, uint32_t i);

/* Reads a number as Redis does: nothing before or after it, no '+', no needless 0. */
bool number_read(const char *at, size_t len, int64_t *to);
/* Tells whether they are the same word, in whatever case; `word` in lower case. */
bool arg_is(struct arg a, const char *word);

#endif
