/* SPDX-License-Identifier: MIT */
/* echo - an actor a connection. From conn to the end it reads as the documentation shows it, to the
 * letter; above is the client: a process of its own, which talks to it and then has it stopped.
 *
 * ctest: serial
 * expect: echoed 300000 bytes in 3 connections, one of them open at the end */
#define _POSIX_C_SOURCE 200809L
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <buskin.h>

#define EACH 100000

static int dial(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(7003)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < 2000; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (const struct sockaddr *)&a, sizeof a) == 0) return fd;
        close(fd);
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL); /* it is not there yet */
    }
    return -1;
}

/* Tells whether what was sent came back. */
static bool talk(int fd)
{
    static char sent[EACH], got[EACH];
    size_t n = 0;
    ssize_t some;
    for (size_t i = 0; i < EACH; i++) sent[i] = (char)(i * i >> 5);
    if (send(fd, sent, EACH, 0) != EACH) return false;
    while (n < EACH && (some = recv(fd, got + n, EACH - n, 0)) > 0) n += (size_t)some;
    return n == EACH && memcmp(sent, got, EACH) == 0;
}

static bool use_it(pid_t service)
{
    char end;
    int first = dial(), second = dial(), last = dial();
    if (first < 0 || second < 0 || last < 0) return false;
    if (!talk(last) || !talk(first) || !talk(second)) return false;
    close(first);
    shutdown(second, SHUT_WR);
    if (recv(second, &end, 1, 0) != 0) return false;
    printf("echoed %d bytes in 3 connections, one of them open at the end\n", 3 * EACH);
    fflush(stdout);
    kill(service, SIGTERM);
    return recv(last, &end, 1, 0) == 0;
}

/* Before main. Whatever goes wrong ends the service, and so the test. */
__attribute__((constructor)) static void start_client(void)
{
    pid_t service = getpid();
    if (fork()) return;
    alarm(50);
    if (!use_it(service)) kill(service, SIGKILL);
    _exit(0);
}

/* clang-format off */
static void conn(bsk_self *self)
{
    bsk_bytes b;                                /* borrowed until the next read */
    while (bsk_read(self, &b, 30000) > 0)
        if (bsk_write(self, b, 30000) < 0) break;
}                                               /* returning closes the socket: the actor owned it */

int main(void)
{
    bsk_rt *rt = bsk_start();
    if (bsk_listen(rt, "127.0.0.1", 7003, conn) < 0) return 1;
    return bsk_wait(rt);                        /* SIGINT or SIGTERM: shuts the tree down in order */
}
