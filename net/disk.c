/* SPDX-License-Identifier: MIT */
#include "disk.h"

#include "error.h"
#include "mailbox/memory.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#define STEP ((size_t)1 << 20) /* bytes between two looks at whether anybody still waits */
#define FIRST ((size_t)64 * 1024)

int disk_code(int uv)
{
    switch (uv) {
    case -EDQUOT:
    case -EFBIG: return BSK_ENOSPC;
    case -ENOTDIR: return BSK_ENOTFOUND;
    case -ENOTEMPTY: return BSK_EEXIST;
    case -EROFS: return BSK_EACCES;
    case -EISDIR:
    case -ELOOP:
    case -EBADF: return BSK_EINVAL;
    case -ENXIO:
    case -ESPIPE:
    case -EXDEV: return BSK_ENOTSUP;
    default: return net_code(uv);
    }
}

static void close_box(void *data, void *arg)
{
    int *fd = data;
    (void)arg;
    close(*fd);
    mem_free(fd);
}

bsk_blob *disk_box(int fd)
{
    int *kept = mem_alloc(sizeof *kept);
    bsk_blob *box = kept ? bsk_blob_take(kept, sizeof *kept, close_box, NULL) : NULL;
    if (box) {
        *kept = fd;
    } else {
        mem_free(kept);
        close(fd);
    }
    return box;
}

int disk_fd(const bsk_blob *box)
{
    return *(const int *)bsk_blob_bytes(box).ptr;
}

int disk_is_file(int fd)
{
    struct stat st;
    if (fstat(fd, &st)) return disk_code(-errno);
    bool device = S_ISCHR(st.st_mode) && !isatty(fd);
    bool file = S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) || S_ISBLK(st.st_mode) || device;
    return file ? 0 : BSK_ENOTSUP;
}

static int open_at(const char *path, int flags, mode_t mode)
{
    int fd;
    do fd = open(path, flags | O_CLOEXEC | O_NOCTTY, mode);
    while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

/* Without waiting for whoever may open the other end of what is a pipe. */
int disk_open(const char *path, const bsk_file_opts *o)
{
    int flags = O_NONBLOCK | (o->write || o->append ? O_RDWR : O_RDONLY);
    if (o->append) flags |= O_APPEND;
    if (o->create || o->exclusive) flags |= O_CREAT;
    if (o->exclusive) flags |= O_EXCL;
    if (o->truncate) flags |= O_TRUNC;
    int fd = open_at(path, flags, o->mode ? o->mode : 0666);
    if (fd < 0) return disk_code(fd);
    int rc = disk_is_file(fd);
    if (rc == 0) return fd;
    close(fd);
    return rc;
}

/* What is read, in memory that grows. */
struct room {
    char *bytes;
    size_t n, size;
};

static void free_bytes(void *data, void *arg)
{
    (void)arg;
    mem_free(data);
}

static int grow(struct room *r, size_t size)
{
    char *bytes = mem_alloc(size ? size : 1);
    if (!bytes) return BSK_ENOMEM;
    if (r->n) memcpy(bytes, r->bytes, r->n);
    mem_free(r->bytes);
    r->bytes = bytes;
    r->size = size;
    return 0;
}

/* As large as the rest of the file, if it says so, and one more, to see its end. */
static size_t expected(int fd, int64_t at, size_t most)
{
    struct stat st;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size <= 0)
        return most < FIRST ? most : FIRST;
    int64_t rest = st.st_size - (at > 0 ? at : 0);
    size_t n = rest > 0 ? (size_t)rest + 1 : 1;
    return n < most ? n : most;
}

static ssize_t read_step(int fd, int64_t at, struct room *r)
{
    assert(r->n < r->size);
    size_t some = r->size - r->n < STEP ? r->size - r->n : STEP;
    ssize_t n;
    do
        n = at < 0 ? read(fd, r->bytes + r->n, some)
                   : pread(fd, r->bytes + r->n, some, (off_t)at + (off_t)r->n);
    while (n < 0 && errno == EINTR);
    if (n < 0) return r->n && errno == EAGAIN ? 0 : -errno;
    r->n += (size_t)n;
    return n;
}

/* Takes over what was read. */
static int64_t wrap(struct room *r, bsk_blob **out)
{
    *out = bsk_blob_take(r->bytes, r->n, free_bytes, NULL);
    if (*out) return (int64_t)r->n;
    mem_free(r->bytes);
    return BSK_ENOMEM;
}

int64_t disk_read(int fd, int64_t at, size_t most, const struct disk_job *job, bsk_blob **out)
{
    struct room r = {0};
    int rc = grow(&r, expected(fd, at, most));
    ssize_t n = 1;
    while (rc == 0 && n > 0 && r.n < most) {
        if (job->given_up(job->request)) rc = BSK_ECANCELED;
        if (rc == 0 && r.n == r.size) rc = grow(&r, r.size < most / 2 ? 2 * r.size : most);
        if (rc == 0 && (n = read_step(fd, at, &r)) < 0) rc = disk_code((int)n);
    }
    if (rc == 0) return wrap(&r, out);
    mem_free(r.bytes);
    return rc;
}

static ssize_t write_step(int fd, int64_t at, const char *p, size_t n)
{
    ssize_t some;
    if (n > STEP) n = STEP;
    do some = at < 0 ? write(fd, p, n) : pwrite(fd, p, n, (off_t)at);
    while (some < 0 && errno == EINTR);
    return some < 0 ? -errno : some;
}

/* What is beyond a limit of size is told by a code, not by a signal that ends the process. */
static void mask_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGXFSZ);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int disk_write(int fd, int64_t at, bsk_bytes b, const struct disk_job *job)
{
    const char *p = b.ptr;
    mask_signals();
    while (b.len) {
        if (job->given_up(job->request)) return BSK_ECANCELED;
        ssize_t n = write_step(fd, at, p, b.len);
        if (n <= 0) return n ? disk_code((int)n) : BSK_EIO;
        p += n;
        b.len -= (size_t)n;
        if (at >= 0) at += n;
    }
    return 0;
}

int disk_sync(int fd, bool data_only)
{
    int rc;
    do rc = data_only ? fdatasync(fd) : fsync(fd);
    while (rc && errno == EINTR);
    return rc ? disk_code(-errno) : 0;
}

static char kind_of(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR: return 'd';
    case S_IFLNK: return 'l';
    case S_IFIFO: return 'p';
    case S_IFSOCK: return 's';
    case S_IFCHR: return 'c';
    case S_IFBLK: return 'b';
    default: return '-';
    }
}

int disk_info(int fd, const char *path, bsk_file_info_out *out)
{
    struct stat st;
    if (path ? stat(path, &st) : fstat(fd, &st)) return disk_code(-errno);
    *out = (bsk_file_info_out){.kind = kind_of(st.st_mode),
                               .mode = st.st_mode & 07777,
                               .uid = st.st_uid,
                               .gid = st.st_gid,
                               .size = st.st_size,
                               .modified_ns =
                                   (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
                               .device = st.st_dev,
                               .inode = st.st_ino,
                               .links = st.st_nlink};
    return 0;
}

int64_t disk_load(const char *path, size_t most, const struct disk_job *job, bsk_blob **out)
{
    int fd = disk_open(path, &(bsk_file_opts){.end_ = 0});
    if (fd < 0) return fd;
    bsk_blob *b = NULL;
    int64_t n = disk_read(fd, 0, most + 1, job, &b);
    close(fd);
    if (n > (int64_t)most) {
        bsk_blob_drop(b);
        return BSK_ELIMIT;
    }
    if (n >= 0) *out = b;
    return n;
}

static int sync_directory_of(const char *path)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    snprintf(dir, sizeof dir, "%.*s", n ? (int)n : 1, slash ? (n ? path : "/") : ".");
    int fd = open_at(dir, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) return disk_code(fd);
    int rc = disk_sync(fd, false);
    close(fd);
    return rc;
}

/* A new file beside the path. Returns its descriptor, or a code. */
static int open_beside(const char *path, unsigned mode, char *name, size_t size)
{
    int fd;
    do {
        uint64_t any = uv_hrtime() * UINT64_C(0x9e3779b97f4a7c15);
        int n = snprintf(name, size, "%s.%08x.tmp", path, (unsigned)(any >> 32));
        if (n >= (int)size) return BSK_EINVAL;
        fd = open_at(name, O_RDWR | O_CREAT | O_EXCL, mode ? mode : 0666);
    } while (fd == -EEXIST);
    return fd < 0 ? disk_code(fd) : fd;
}

/* With the mode of what it is to replace. */
static int take_mode(int fd, const char *path)
{
    struct stat st;
    if (lstat(path, &st)) return errno == ENOENT ? 0 : disk_code(-errno);
    if (S_ISDIR(st.st_mode)) return BSK_EINVAL;
    return S_ISREG(st.st_mode) && fchmod(fd, st.st_mode & 07777) ? disk_code(-errno) : 0;
}

int disk_save(const char *path, bsk_bytes b, unsigned mode, const struct disk_job *job)
{
    char name[PATH_MAX];
    int fd = open_beside(path, mode, name, sizeof name);
    if (fd < 0) return fd;
    int rc = take_mode(fd, path);
    if (rc == 0) rc = disk_write(fd, -1, b, job);
    if (rc == 0) rc = disk_sync(fd, false);
    if (close(fd) && rc == 0) rc = disk_code(-errno);
    /* Who gave up before this finds the old file. */
    if (rc == 0 && job->given_up(job->request)) rc = BSK_ECANCELED;
    if (rc == 0 && rename(name, path)) rc = disk_code(-errno);
    if (rc) {
        unlink(name);
        return rc;
    }
    return sync_directory_of(path);
}
