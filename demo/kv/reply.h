/* SPDX-License-Identifier: MIT */
/* reply.h - writes answers: of RESP2, and of RESP3 where a client said HELLO 3. */
#ifndef KV_REPLY_H
#define KV_REPLY_H

#include "buffer.h"

#define reply_raw(b, literal) buffer_add((b), (literal), sizeof(literal) - 1)
#define reply_ok(b) reply_raw((b), "+OK\r\n")

void reply_int(struct buffer *b, int64_t n);
void reply_bulk(struct buffer *b, const char *at, size_t len);
void reply_text(struct buffer *b, const char *text); /* a bulk */
/* Text for people: a bulk, in RESP3 a verbatim string. */
void reply_verbatim(struct buffer *b, int resp, const char *at, size_t len);
void reply_array(struct buffer *b, int64_t n);
/* `n` pairs follow. */
void reply_map(struct buffer *b, int resp, int64_t n);
void reply_null(struct buffer *b, int resp);
void reply_null_array(struct buffer *b, int resp);
/* "-" text: with its code. Line ends in it become blanks, at its end they are left out. */
void reply_error(struct buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define MISCONF_ERROR "-MISCONF Errors writing to the store: the disk takes no more\r\n"
#define SYNTAX_ERROR "ERR syntax error"
#define NOT_AN_INTEGER "ERR value is not an integer or out of range"

#endif
