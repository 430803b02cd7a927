/* SPDX-License-Identifier: MIT */
/* Descriptors that the program was given, as streams.
 *
 * A loop needs descriptors that do not block; but that is a property of what is open, which other
 * processes may share: a shell that gets its terminal back would read an error. So what can be
 * opened anew is, by its name below /proc; what cannot (sockets, the master of a terminal, what
 * belongs to somebody else) is set back when the stream is closed, through a copy that is kept for
 * that. */
#include "adopt.h"
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static enum adopt_way way_of(int flags)
{
    switch (flags & O_ACCMODE) {
    case O_RDONLY: return ADOPT_READ;
    case O_WRONLY: return ADOPT_WRITE;
    default: return ADOPT_BOTH;
    }
}

static bool is_stream(int fd)
{
    switch (uv_guess_handle(fd)) {
    case UV_TCP:
    case UV_NAMED_PIPE:
    case UV_TTY: return true;
    default: return false;
    }
}

/* The name of a terminal's master leads to another terminal. */
static bool has_name(int fd)
{
    struct stat st;
    unsigned number;
    if (fstat(fd, &st)) return false;
    return S_ISFIFO(st.st_mode) || (isatty(fd) && ioctl(fd, TIOCGPTN, &number));
}

static int open_anew(int fd, int flags)
{
    char name[64];
    if (!has_name(fd)) return -1;
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    return open(name, (flags & (O_ACCMODE | O_APPEND)) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* Returns the descriptor for the stream, and in *kept another of what it shares with others, if it
 * does and is to block again; or a code. */
static int copy(int fd, int flags, int *kept)
{
    *kept = -1;
    int own = open_anew(fd, flags);
    if (own >= 0) return own;
    own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (own >= 0 && !(flags & O_NONBLOCK)) *kept = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (own >= 0 && (*kept >= 0 || (flags & O_NONBLOCK))) return own;
    int rc = disk_code(-errno);
    if (own >= 0) close(own);
    return rc;
}

void adopt_give_back(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0) fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    close(fd);
}

int bsk_stream_open_fd_(bsk_self *self, int fd, bsk_stream *out, const bsk_stream_opts *o)
{
    int kept, flags = fcntl(fd, F_GETFL), rc = handle_may_open(self);
    struct stream *s;
    if (rc) return rc;
    if (flags < 0) return BSK_EINVAL;
    if (!is_stream(fd)) return BSK_ENOTSUP;
    int own = copy(fd, flags, &kept);
    if (own < 0) return own;
    rc = adopt_fd(self, own, way_of(flags), o, &s);
    if (rc) {
        if (kept >= 0) adopt_give_back(kept);
        return rc;
    }
    s->fd = kept;
    s->shared = kept >= 0;
    *out = stream_id(s);
    return 0;
}
