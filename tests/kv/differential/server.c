/* SPDX-License-Identifier: MIT */
/* server.c - a connection to a server. */
#define _DEFAULT_SOURCE 1
#include "server.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWER_MS = 5000, REST_MS = 80 };

static int connect_path(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) < 0 ? -1 : fd;
}

static int connect_port(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) < 0) return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

void link_open(struct link *l)
{
    link_close(l);
    l->fd = strchr(l->where, '/') ? connect_path(l->where) : connect_port(atoi(l->where));
    if (l->fd >= 0) return;
    perror(l->where);
    exit(1);
}

void link_close(struct link *l)
{
    if (l->fd >= 0) close(l->fd);
    l->fd = -1;
    l->len = l->at = 0;
}

bool link_send(struct link *l, const char *at, size_t n)
{
    while (n) {
        ssize_t sent = send(l->fd, at, n, MSG_NOSIGNAL);
        if (sent <= 0) return false;
        at += sent;
        n -= (size_t)sent;
    }
    return true;
}

static bool read_more(struct link *l, int ms)
{
    struct pollfd p = {.fd = l->fd, .events = POLLIN};
    if (l->fd < 0 || poll(&p, 1, ms) <= 0) return false;
    if (l->at) memmove(l->in, l->in + l->at, l->len -= l->at);
    l->at = 0;
    if (l->cap - l->len < 65536) l->in = realloc(l->in, l->cap += 131072);
    if (!l->in) abort();
    ssize_t n = recv(l->fd, l->in + l->len, l->cap - l->len - 1, 0);
    if (n <= 0) return false;
    l->len += (size_t)n;
    l->in[l->len] = '\0'; /* for who reads numbers */
    return true;
}

static size_t all_len(const char *at, size_t n, size_t from, long count)
{
    while (count-- > 0) {
        size_t one = reply_len(at + from, n - from);
        if (!one) return 0;
        from += one;
    }
    return from;
}

size_t reply_len(const char *at, size_t n)
{
    const char *end = n ? memchr(at, '\n', n) : NULL;
    if (!end) return 0;
    size_t line = (size_t)(end - at) + 1;
    long count = strtol(at + 1, NULL, 10);
    switch (*at) {
    case '$':
    case '=':
        return count < 0 ? line : line + (size_t)count + 2 <= n ? line + (size_t)count + 2 : 0;
    case '*':
    case '~':
    case '>': return all_len(at, n, line, count);
    case '%': return all_len(at, n, line, 2 * count);
    default: return line;
    }
}

bool link_reply(struct link *l, const char **at, size_t *n)
{
    while (!(*n = reply_len(l->in + l->at, l->len - l->at)))
        if (!read_more(l, ANSWER_MS)) break;
    *at = l->in + l->at;
    if (!*n) *n = l->len - l->at;
    bool whole = *n && reply_len(*at, *n) == *n;
    l->at += *n;
    return whole;
}

void link_rest(struct link *l, const char **at, size_t *n)
{
    while (read_more(l, REST_MS)) {
    }
    *at = l->in + l->at;
    *n = l->len - l->at;
    l->at = l->len;
}
