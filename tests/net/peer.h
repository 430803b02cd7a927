/* SPDX-License-Identifier: MIT */
/* peer.h - the other end of a stream, for tests: plain blocking sockets of the test's thread, each
 * with a time after which it gives up; and bytes of which each says where it belongs. */
#ifndef PEER_H
#define PEER_H

#include "../actors/fixture.h"

#include "net/net.h"

#include <sys/socket.h>

/* Connects to a port of this host, to a path. What cannot be done fails the test, here and
 * below. */
int peer_dial(int port);
int peer_dial_path(const char *path);
/* Tells whether somebody listens there. */
bool peer_answers(const char *path);
/* The same with a window of a few KiB only. */
int peer_dial_narrow(int port);
/* A socket that is connected later. */
int peer_new(void);
void peer_join(int fd, int port);
/* Tells whether it could be done. */
bool peer_may_join(int fd, int port);
/* Begins to connect; tells whether that was done soon. */
bool peer_join_soon(int fd, int port);
/* Tells whether a connection is refused. */
bool peer_refused(int port);
/* Listens at a port of this host. */
int peer_listen(int *port);
int peer_accept(int listener);
int peer_listen_path(const char *path);
/* Listens at a path with a socket that keeps the bounds of what each system call sends. */
int peer_listen_packets(const char *path);
int peer_dial_packets(const char *path);

void peer_send(int fd, const void *bytes, size_t n);
void peer_say(int fd, const char *text);
/* Sends while the system takes it without waiting; returns how much that was. */
size_t peer_stuff(int fd, const char *bytes, size_t n);
/* Receives exactly that. */
void peer_hear(int fd, const char *text);
/* Receives whatever there is, until the end: 0, or a reset: -ECONNRESET. Returns how much in *n;
 * `from` is the place of the first byte in a run, -1: not looked at. */
int peer_drain(int fd, int64_t from, size_t *n);
/* The end comes next. */
void peer_hear_end(int fd);
/* Nothing that the peer says follows, and the connection is over, in whatever way. */
void peer_hear_over(int fd);
void peer_shut(int fd);
void peer_close(int fd);
void peer_reset(int fd);

/* A run of bytes: the one at place i is known. */
void run_fill(void *to, uint64_t from, size_t n);
bool run_holds(const void *bytes, uint64_t from, size_t n);

/* Descriptors of this process. */
int count_descriptors(void);
/* Waits until it is so; in vain: fails the test. */
#define UNTIL(what)                                                                                \
    for (int64_t until_ = peer_clock() + 20000; !(what); peer_pause())                             \
    ck_assert_msg(peer_clock() < until_, "in vain: %s", #what)
int64_t peer_clock(void);
void peer_pause(void);
/* Waits until the runtime has nothing open. */
void until_none_open(bsk_rt *rt);
uint64_t open_now(bsk_rt *rt);

#endif
