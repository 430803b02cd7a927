/* SPDX-License-Identifier: MIT */
/* main.c - crowd PORT COUNT [slow]: opens so many connections to a server, has each answer one PING, says
 * so, and keeps them: idle, or slow: each sends a command of which a byte leaves in a second. Stays until
 * it is ended. */
#define _DEFAULT_SOURCE 1
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SPARE = 50, SLICES = 20 };

static int connect_to(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval limit = {.tv_sec = 10};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return connect(fd, (struct sockaddr *)&a, sizeof a) < 0 ? -1 : fd;
}

static int join(int port)
{
    char answer[8];
    int fd = connect_to(port);
    if (fd < 0 || send(fd, "PING\r\n", 6, MSG_NOSIGNAL) != 6) return -1;
    return recv(fd, answer, 7, MSG_WAITALL) == 7 && memcmp(answer, "+PONG\r\n", 7) == 0 ? fd : -1;
}

/* Not all at once: a twentieth of them each twentieth of a second. */
static void send_bytes(const int *fds, int n)
{
    static const char command[] = "*3\r\n$3\r\nSET\r\n$4\r\nslow\r\n$5\r\nvalue\r\n";
    struct timespec slice = {.tv_nsec = 1000000000 / SLICES};
    for (unsigned long tick = 0;; tick++) {
        size_t at = tick / SLICES % (sizeof command - 1);
        for (int i = (int)(tick % SLICES); i < n; i += SLICES)
            if (send(fds[i], command + at, 1, MSG_NOSIGNAL) != 1) exit(1);
        nanosleep(&slice, NULL);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3) return 2;
    int port = atoi(argv[1]), n = atoi(argv[2]);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_max < (rlim_t)n + SPARE) return 77;
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) < 0) return 77;
    int *fds = calloc((size_t)n, sizeof *fds);
    for (int i = 0; fds && i < n; i++)
        if ((fds[i] = join(port)) < 0) {
            fprintf(stderr, "crowd: connection %d: ", i);
            perror("no");
            return 1;
        }
    printf("%d connections\n", n);
    fflush(stdout);
    if (argc > 3) send_bytes(fds, n);
    pause();
    return 0;
}
