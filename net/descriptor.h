/* SPDX-License-Identifier: MIT */
/* descriptor.h - descriptors that the thread sanitizer is not told of.
 *
 * It does not see libuv close one, nor the system make one of a process, but sees all others: so it
 * takes the next who has a number for one that shares it, unordered, with who had it before. It
 * must see nothing of them, then. */
#ifndef BSK_DESCRIPTOR_H
#define BSK_DESCRIPTOR_H

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline int fd_pipe(int ends[2])
{
    return (int)syscall(SYS_pipe2, ends, O_CLOEXEC);
}

static inline void fd_close(int fd)
{
    syscall(SYS_close, fd);
}

#endif
