/* SPDX-License-Identifier: MIT */
/* descriptor.h - descriptors that the thread sanitizer is not told of.
 *
 * It takes a descriptor for a thing that is made and closed by calls that it sees, and orders who
 * uses it after who made it. libuv closes by a system call of its own, which it does not see; nor
 * does it see the system make the one of a process. So when a number comes again, what one thread
 * does with the new one looks unordered with what another did with the old one: a race in pipe2 or
 * close that is none. Whatever of a process's shares its number with what libuv closes must not be
 * seen either, made or closed: both of these are needed for that, and no more. */
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
