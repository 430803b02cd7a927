/* SPDX-License-Identifier: MIT */
#include "socket.h"

#include "error.h"
#include "mailbox/mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

static bool path_address(const char *path, struct sockaddr_storage *out)
{
    struct sockaddr_un *un = (struct sockaddr_un *)(void *)out;
    if (strlen(path) >= sizeof un->sun_path) return false;
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, strlen(path) + 1);
    return true;
}

bool sock_address(const char *host, int port, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (!host || port < 0 || port > 65535) return false;
    if (strchr(host, '/')) return path_address(host, out);
    return uv_ip4_addr(host, port, (struct sockaddr_in *)(void *)out) == 0 ||
           uv_ip6_addr(host, port, (struct sockaddr_in6 *)(void *)out) == 0;
}

socklen_t sock_length(const struct sockaddr_storage *a)
{
    switch (a->ss_family) {
    case AF_INET: return sizeof(struct sockaddr_in);
    case AF_INET6: return sizeof(struct sockaddr_in6);
    default: return sizeof(struct sockaddr_un);
    }
}

static int new_socket(int family)
{
    int fd = socket(family, SOCK_STREAM, 0);
    if (fd < 0) return -errno;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0) return fd;
    int rc = -errno;
    close(fd);
    return rc;
}

/* Tells whether a socket was left at the path by a process that is gone. */
static bool is_stale(const struct sockaddr_storage *a)
{
    struct stat st;
    const char *path = ((const struct sockaddr_un *)(const void *)a)->sun_path;
    if (a->ss_family != AF_UNIX || lstat(path, &st) || !S_ISSOCK(st.st_mode)) return false;
    int fd = new_socket(AF_UNIX);
    if (fd < 0) return false;
    bool refused = connect(fd, (const struct sockaddr *)a, sock_length(a)) && errno == ECONNREFUSED;
    close(fd);
    return refused;
}

static int bind_to(int fd, const struct sockaddr_storage *a)
{
    int on = 1;
    if (a->ss_family != AF_UNIX && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on))
        return -errno;
    if (bind(fd, (const struct sockaddr *)a, sock_length(a)) == 0) return 0;
    int rc = -errno;
    if (rc != -EADDRINUSE || !is_stale(a)) return rc;
    unlink(((const struct sockaddr_un *)(const void *)a)->sun_path);
    return bind(fd, (const struct sockaddr *)a, sock_length(a)) ? -errno : 0;
}

int sock_port(int fd)
{
    struct sockaddr_storage a;
    socklen_t size = sizeof a;
    if (getsockname(fd, (struct sockaddr *)&a, &size)) return 0;
    if (a.ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)&a)->sin_port);
    if (a.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)&a)->sin6_port);
    return 0;
}

int sock_listen(const char *host, int port, int backlog)
{
    struct sockaddr_storage a;
    if (!sock_address(host, port, &a)) return BSK_EINVAL;
    int fd = new_socket(a.ss_family);
    if (fd < 0) return net_code(fd);
    int rc = bind_to(fd, &a);
    if (rc == 0 && listen(fd, backlog)) rc = -errno;
    if (rc) {
        close(fd);
        return net_code(rc);
    }
    return fd;
}

static void set_port(struct sockaddr_storage *a, int port)
{
    if (a->ss_family == AF_INET)
        ((struct sockaddr_in *)(void *)a)->sin_port = htons((uint16_t)port);
    else if (a->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)a)->sin6_port = htons((uint16_t)port);
}

int sock_connect(const struct sockaddr *address, socklen_t n, int port)
{
    struct sockaddr_storage a = {0};
    memcpy(&a, address, n);
    set_port(&a, port);
    int fd = new_socket(a.ss_family);
    if (fd < 0) return fd;
    int rc = connect(fd, (const struct sockaddr *)&a, n) ? -errno : 0;
    /* Interrupted, it goes on as if it had begun only. */
    if (rc == 0 || rc == -EINPROGRESS || rc == -EINTR) return fd;
    close(fd);
    return rc;
}

int sock_error(int fd)
{
    int code = 0;
    socklen_t n = sizeof code;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &n) ? -errno : -code;
}

int sock_accept(int fd)
{
#if defined(__linux__)
    int got;
    do got = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
#else
    int got;
    do got = accept(fd, NULL, NULL);
    while (got < 0 && errno == EINTR);
    if (got < 0) return -errno;
    fcntl(got, F_SETFD, FD_CLOEXEC);
    fcntl(got, F_SETFL, fcntl(got, F_GETFL) | O_NONBLOCK);
    return got;
#endif
}

void sock_name(const struct sockaddr_storage *a, char *out, size_t size)
{
    char text[64] = "";
    *out = '\0';
    if (a->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)a;
        uv_ip4_name(in, text, sizeof text);
        snprintf(out, size, "%s:%u", text, (unsigned)ntohs(in->sin_port));
    } else if (a->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const void *)a;
        uv_ip6_name(in, text, sizeof text);
        snprintf(out, size, "[%s]:%u", text, (unsigned)ntohs(in->sin6_port));
    } else if (a->ss_family == AF_UNIX) {
        snprintf(out, size, "%s", ((const struct sockaddr_un *)(const void *)a)->sun_path);
    }
}
