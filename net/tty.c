/* SPDX-License-Identifier: MIT */
/* Terminals: their size, and raw mode, which is taken back when the actor ends, or the program. */
#include "disk.h"
#include "note.h"
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

struct raw {
    struct handle h;
    uint64_t stream;
    int fd; /* a copy: the stream may be closed before */
    struct termios before;
    struct raw *next, *prev; /* of the process's */
};

static void release(struct handle *h);
static void close_now(struct handle *h);
static const struct handle_kind raw_kind = {sizeof(struct raw), release, close_now, NULL};
static_assert(sizeof(struct raw) <= HANDLE_BYTES, "it has a place in the slab");

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct raw *all;

/* Also from the background, where it would stop the program otherwise. */
static int set(int fd, const struct termios *t)
{
    sigset_t ttou, before;
    sigemptyset(&ttou);
    sigaddset(&ttou, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &ttou, &before);
    int rc;
    do rc = tcsetattr(fd, TCSANOW, t);
    while (rc && errno == EINTR);
    rc = rc ? disk_code(-errno) : 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static void restore_all(void)
{
    pthread_mutex_lock(&lock);
    for (struct raw *r = all; r; r = r->next) set(r->fd, &r->before);
    pthread_mutex_unlock(&lock);
}

static void at_exit(void)
{
    atexit(restore_all);
}

static void list(struct raw *r)
{
    pthread_once(&once, at_exit);
    pthread_mutex_lock(&lock);
    r->prev = NULL;
    r->next = all;
    if (all) all->prev = r;
    all = r;
    pthread_mutex_unlock(&lock);
}

static void unlist(struct raw *r)
{
    pthread_mutex_lock(&lock);
    assert(r->prev || all == r);
    if (r->prev)
        r->prev->next = r->next;
    else
        all = r->next;
    if (r->next) r->next->prev = r->prev;
    pthread_mutex_unlock(&lock);
}

static void release(struct handle *h)
{
    struct raw *r = (struct raw *)h;
    unlist(r);
    set(r->fd, &r->before);
    close(r->fd);
    handle_free(h);
}

static void close_now(struct handle *h)
{
    if (h->owner) handle_disown(h);
    release(h);
}

static struct raw *find(bsk_self *self, uint64_t stream)
{
    for (struct handle *h = self->more->handles; h; h = h->next)
        if (h->kind == &raw_kind && ((struct raw *)h)->stream == stream) return (struct raw *)h;
    return NULL;
}

/* Returns the terminal's descriptor, or a code. */
static int tty_of(bsk_self *self, bsk_stream id)
{
    struct stream *s = stream_mine(self, id);
    uv_os_fd_t fd;
    if (!s) return BSK_EBADF;
    return uv_fileno(&s->uv.handle, &fd) == 0 && isatty(fd) ? fd : BSK_ENOTSUP;
}

int bsk_tty_size(bsk_self *self, bsk_stream s, int *columns, int *rows)
{
    struct winsize size;
    int fd = tty_of(self, s);
    if (fd < 0) return fd;
    if (ioctl(fd, TIOCGWINSZ, &size)) return disk_code(-errno);
    *columns = size.ws_col;
    *rows = size.ws_row;
    return 0;
}

static int make_raw(struct raw *r, int fd)
{
    struct termios t;
    if (tcgetattr(fd, &r->before)) return disk_code(-errno);
    r->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (r->fd < 0) return disk_code(-errno);
    t = r->before;
    cfmakeraw(&t);
    int rc = set(fd, &t);
    if (rc) close(r->fd);
    return rc;
}

static int begin(bsk_self *self, int fd, uint64_t stream)
{
    int rc;
    struct raw *r = (struct raw *)handle_new(self->worker, &raw_kind, &rc);
    if (!r) return rc;
    r->stream = stream;
    rc = handle_own(self, &r->h);
    if (rc == 0 && (rc = make_raw(r, fd))) handle_disown(&r->h);
    if (rc == 0)
        list(r);
    else
        handle_free(&r->h);
    return rc;
}

int bsk_tty_raw(bsk_self *self, bsk_stream s, bool on)
{
    int fd = tty_of(self, s);
    if (fd < 0) return fd;
    struct raw *r = find(self, s.id);
    if (on) return r ? 0 : begin(self, fd, s.id);
    if (r) close_now(&r->h);
    return 0;
}
