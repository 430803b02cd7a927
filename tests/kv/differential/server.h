/* SPDX-License-Identifier: MIT */
/* server.h - a connection to a server, from a program that waits for each answer. */
#ifndef SERVER_H
#define SERVER_H

#include <stdbool.h>
#include <stddef.h>

struct link {
    const char *where; /* a port of 127.0.0.1, or a path */
    int fd;            /* -1: closed */
    char *in;
    size_t len, cap, at;
};

/* Connects, anew if it was. The program ends if it cannot. */
void link_open(struct link *l);
void link_close(struct link *l);
/* False: the other side is gone. */
bool link_send(struct link *l, const char *at, size_t n);
/* Waits for the next reply; all of an array is one. Borrowed until the next is read. False: the
 * connection has ended, or nothing came in time. */
bool link_reply(struct link *l, const char **at, size_t *n);
/* Reads whatever comes until the other side closes, or nothing more comes. */
void link_rest(struct link *l, const char **at, size_t *n);
/* The bytes that the reply at the beginning takes; 0: not all of it is there. */
size_t reply_len(const char *at, size_t n);

#endif
