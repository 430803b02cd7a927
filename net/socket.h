/* SPDX-License-Identifier: MIT */
/* socket.h - sockets before they are on a loop. */
#ifndef BSK_SOCKET_H
#define BSK_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* Fills in the address of a numeric host, or of a path, which has a '/'. False: it is neither. */
bool sock_address(const char *host, int port, struct sockaddr_storage *out);
/* Returns a listening socket, or a code. A path that nobody listens on any more is taken over. */
int sock_listen(const char *host, int port, int backlog);
/* Returns the port that the socket has got; 0 of a path. */
int sock_port(int fd);
/* Begins to connect: returns the socket, or a code of libuv's. An address without a port gets that
 * one. */
int sock_connect(const struct sockaddr *a, socklen_t n, int port);
/* Returns what became of that, once the socket is writable: 0 or a code of libuv's. */
int sock_error(int fd);
socklen_t sock_length(const struct sockaddr_storage *a);
/* Returns the next connection to a listening socket, or a code of libuv's. */
int sock_accept(int fd);
/* Writes "address:port", "[address]:port" or a path; "" for what has none. */
void sock_name(const struct sockaddr_storage *a, char *out, size_t size);

#endif
