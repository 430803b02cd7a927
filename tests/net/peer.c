/* SPDX-License-Identifier: MIT */
#include "peer.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE 30 /* seconds */

static int patient(int fd)
{
    struct timeval t = {.tv_sec = PATIENCE};
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t), 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t), 0);
    return fd;
}

static struct sockaddr_in here(int port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static struct sockaddr_un at_path(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    ck_assert_uint_lt(strlen(path), sizeof a.sun_path);
    strcpy(a.sun_path, path);
    return a;
}

static int new_socket(int family, int type)
{
    return patient(socket(family, type | SOCK_CLOEXEC, 0));
}

static int dial(int fd, int port)
{
    struct sockaddr_in a = here(port);
    return connect(fd, (const struct sockaddr *)&a, sizeof a) ? -errno : 0;
}

int peer_new(void)
{
    return new_socket(AF_INET, SOCK_STREAM);
}

void peer_join(int fd, int port)
{
    int rc = dial(fd, port);
    ck_assert_msg(rc == 0, "connect: %s", strerror(-rc));
}

bool peer_may_join(int fd, int port)
{
    int rc = dial(fd, port);
    ck_assert(rc == 0 || rc == -ECONNREFUSED || rc == -ECONNRESET);
    return rc == 0;
}

bool peer_join_soon(int fd, int port)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int flags = fcntl(fd, F_GETFL);
    ck_assert_int_eq(fcntl(fd, F_SETFL, flags | O_NONBLOCK), 0);
    int rc = dial(fd, port);
    ck_assert(rc == 0 || rc == -EINPROGRESS);
    bool soon = rc == 0 || poll(&p, 1, 50) == 1;
    ck_assert_int_eq(fcntl(fd, F_SETFL, flags), 0);
    return soon;
}

int peer_dial(int port)
{
    int fd = peer_new();
    peer_join(fd, port);
    return fd;
}

int peer_dial_narrow(int port)
{
    int fd = new_socket(AF_INET, SOCK_STREAM), size = 4096;
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
    ck_assert_int_eq(dial(fd, port), 0);
    return fd;
}

bool peer_refused(int port)
{
    int fd = new_socket(AF_INET, SOCK_STREAM), rc = dial(fd, port);
    close(fd);
    return rc == -ECONNREFUSED;
}

static int dial_path(const char *path, int type)
{
    struct sockaddr_un a = at_path(path);
    int fd = new_socket(AF_UNIX, type);
    int rc = connect(fd, (const struct sockaddr *)&a, sizeof a) ? errno : 0;
    ck_assert_msg(rc == 0, "connect to %s: %s", path, strerror(rc));
    return fd;
}

bool peer_answers(const char *path)
{
    struct sockaddr_un a = at_path(path);
    int fd = new_socket(AF_UNIX, SOCK_STREAM);
    bool there = connect(fd, (const struct sockaddr *)&a, sizeof a) == 0;
    close(fd);
    return there;
}

int peer_dial_path(const char *path)
{
    return dial_path(path, SOCK_STREAM);
}

int peer_dial_packets(const char *path)
{
    return dial_path(path, SOCK_SEQPACKET);
}

static int listen_path(const char *path, int type)
{
    struct sockaddr_un a = at_path(path);
    int fd = new_socket(AF_UNIX, type);
    unlink(path);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(listen(fd, 16), 0);
    return fd;
}

int peer_listen_path(const char *path)
{
    return listen_path(path, SOCK_STREAM);
}

int peer_listen_packets(const char *path)
{
    return listen_path(path, SOCK_SEQPACKET | SOCK_NONBLOCK);
}

int peer_listen(int *port)
{
    struct sockaddr_in a = here(0);
    socklen_t n = sizeof a;
    int fd = new_socket(AF_INET, SOCK_STREAM);
    ck_assert_int_eq(bind(fd, (const struct sockaddr *)&a, sizeof a), 0);
    ck_assert_int_eq(listen(fd, 16), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

int peer_accept(int listener)
{
    return patient(accept(listener, NULL, NULL));
}

void peer_send(int fd, const void *bytes, size_t n)
{
    const char *p = bytes;
    while (n) {
        ssize_t some = send(fd, p, n, MSG_NOSIGNAL);
        ck_assert_msg(some > 0, "send: %s", strerror(errno));
        p += some;
        n -= (size_t)some;
    }
}

void peer_say(int fd, const char *text)
{
    peer_send(fd, text, strlen(text));
}

size_t peer_stuff(int fd, const char *bytes, size_t n)
{
    size_t done = 0;
    while (done < n) {
        ssize_t some = send(fd, bytes + done, n - done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (some <= 0) break;
        done += (size_t)some;
    }
    return done;
}

void peer_hear(int fd, const char *text)
{
    char got[4096];
    size_t n = strlen(text), done = 0;
    ck_assert_uint_lt(n, sizeof got);
    while (done < n) {
        ssize_t some = recv(fd, got + done, n - done, 0);
        ck_assert_msg(some > 0, "recv after %zu bytes of %s: %s", done, text,
                      some ? strerror(errno) : "end");
        done += (size_t)some;
    }
    got[n] = '\0';
    ck_assert_str_eq(got, text);
}

int peer_drain(int fd, int64_t from, size_t *n)
{
    static _Thread_local char got[65536];
    ssize_t some;
    *n = 0;
    while ((some = recv(fd, got, sizeof got, 0)) > 0) {
        if (from >= 0) ck_assert(run_holds(got, (uint64_t)from + *n, (size_t)some));
        *n += (size_t)some;
    }
    ck_assert_msg(some == 0 || errno == ECONNRESET, "recv: %s", strerror(errno));
    return some ? -ECONNRESET : 0;
}

void peer_hear_end(int fd)
{
    size_t n;
    int rc = peer_drain(fd, -1, &n);
    ck_assert_msg(rc == 0, "reset");
    ck_assert_uint_eq(n, 0);
}

void peer_hear_over(int fd)
{
    size_t n;
    (void)peer_drain(fd, -1, &n);
    ck_assert_uint_eq(n, 0);
}

void peer_shut(int fd)
{
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
}

void peer_close(int fd)
{
    ck_assert_int_eq(close(fd), 0);
}

void peer_reset(int fd)
{
    struct linger now = {.l_onoff = 1};
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    ck_assert_int_eq(close(fd), 0);
}

static unsigned char at(uint64_t place)
{
    return (unsigned char)((place * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}

void run_fill(void *to, uint64_t from, size_t n)
{
    unsigned char *p = to;
    for (size_t i = 0; i < n; i++) p[i] = at(from + i);
}

bool run_holds(const void *bytes, uint64_t from, size_t n)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++)
        if (p[i] != at(from + i)) return false;
    return true;
}

int count_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;
    ck_assert_ptr_nonnull(d);
    while (readdir(d)) n++;
    closedir(d);
    return n - 3; /* ".", "..", its own */
}

int64_t peer_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void peer_pause(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
}

uint64_t open_now(bsk_rt *rt)
{
    bsk_net_stats_out out;
    bsk_net_stats(rt, &out);
    return out.open;
}

void until_none_open(bsk_rt *rt)
{
    UNTIL(open_now(rt) == 0);
}
