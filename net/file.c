/* SPDX-License-Identifier: MIT */
/* Files: what an actor asks of them is work for the blocking pool.
 *
 * All memory that a pool's thread uses belongs to the request or to the reply, never to the asker,
 * who may be gone at any moment. So does a descriptor: it lies in a blob, of which the file and
 * each request hold a count. It is closed with the last, so its number is not another file's while
 * the pool still uses it; and one that was opened for nobody is closed with the reply. */
#include "disk.h"
#include "note.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

/* These types are the library's own. */
#undef BSK_ONE_
#define BSK_ONE_ __attribute__((weak, visibility("hidden")))

enum path_op {
    PATH_OPEN,
    PATH_INFO,
    PATH_RENAME,
    PATH_REMOVE,
    PATH_MKDIR,
    PATH_LIST,
    PATH_LOAD,
    PATH_SAVE
};
BSK_MSG(net_path_done, (i64, code), (blob, made));
BSK_CALL(net_path, net_path_done, (i64, op), (str, path), (str, to), (u64, n), (bytes, data));
/* Of an open file: its information, or its new size. */
BSK_CALL(net_file_look, net_path_done, (blob, fd), (i64, size));

#define MOST ((size_t)1 << 30)
#define LOOKS ((int64_t)-1) /* as a size: none, it is only looked at */

struct file {
    struct handle h;
    bsk_blob *fd;
};

static void release(struct handle *h);
static void close_now(struct handle *h);
static const struct handle_kind file_kind = {sizeof(struct file), release, close_now, NULL};

/* Here, not on the pool: it is to have happened when others hear of the actor's end. */
static void release(struct handle *h)
{
    bsk_blob_drop(((struct file *)h)->fd);
    handle_free(h);
}

static void close_now(struct handle *h)
{
    if (h->owner) handle_disown(h);
    release(h);
}

static struct file *file_mine(bsk_self *self, bsk_file f)
{
    return (struct file *)handle_mine(self, f.id, &file_kind);
}

/* The pool's side. */

static struct disk_job job_of(const void *request)
{
    return (struct disk_job){bsk_abandoned, request};
}

static bsk_blob *info_blob(int fd, const char *path, int64_t *code)
{
    bsk_file_info_out info;
    *code = disk_info(fd, path, &info);
    bsk_blob *b = *code ? NULL : bsk_blob_new(&info, sizeof info);
    if (*code == 0 && !b) *code = BSK_ENOMEM;
    return b;
}

static bsk_blob *open_blob(const char *path, const bsk_file_opts *o, int64_t *code)
{
    int fd = disk_open(path, o);
    *code = fd < 0 ? fd : 0;
    bsk_blob *b = fd < 0 ? NULL : disk_box(fd);
    if (*code == 0 && !b) *code = BSK_ENOMEM;
    return b;
}

static int64_t do_path(const net_path *q, bsk_blob **made)
{
    struct disk_job job = job_of(q);
    int64_t code = 0;
    bsk_file_opts o;
    switch ((enum path_op)q->op) {
    case PATH_OPEN:
        memcpy(&o, q->data.ptr, sizeof o);
        *made = open_blob(q->path, &o, &code);
        return code;
    case PATH_INFO: *made = info_blob(-1, q->path, &code); return code;
    case PATH_RENAME: return rename(q->path, q->to) ? disk_code(-errno) : 0;
    case PATH_REMOVE: return remove(q->path) ? disk_code(-errno) : 0;
    case PATH_MKDIR: return mkdir(q->path, (mode_t)q->n) ? disk_code(-errno) : 0;
    case PATH_LIST: return disk_list(q->path, made);
    case PATH_LOAD: return disk_load(q->path, q->n, &job, made);
    case PATH_SAVE: return disk_save(q->path, q->data, (unsigned)q->n, &job);
    }
    return BSK_EINVAL;
}

static void run_path(bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(net_path, q) {
            bsk_blob *made = NULL;
            int64_t code = do_path(q, &made);
            if (!bsk_abandoned(q)) bsk_reply(q, net_path, .code = code, .made = made);
            bsk_blob_drop(made);
        }
    }
}

static int64_t do_look(const net_file_look *q, bsk_blob **made)
{
    int64_t code;
    int fd = disk_fd(q->fd);
    if (q->size == LOOKS)
        *made = info_blob(fd, NULL, &code);
    else
        code = ftruncate(fd, (off_t)q->size) ? disk_code(-errno) : 0;
    return code;
}

static void read_file(const bsk_file_get *q)
{
    struct disk_job job = job_of(q);
    bsk_blob *data = NULL;
    int64_t code = disk_read(disk_fd(q->fd), q->at, (size_t)q->n, &job, &data);
    if (!bsk_abandoned(q))
        bsk_reply(q, bsk_file_get, .file = q->file, .at = q->at, .code = code, .data = data);
    bsk_blob_drop(data);
}

static void write_file(const bsk_file_put *q)
{
    struct disk_job job = job_of(q);
    int code = disk_write(disk_fd(q->fd), q->at, q->data, &job);
    if (!bsk_abandoned(q)) bsk_reply(q, bsk_file_put, .file = q->file, .at = q->at, .code = code);
}

static void run_file(bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(bsk_file_get, q) read_file(q);
        bsk_on(bsk_file_put, q) write_file(q);
        bsk_on(bsk_file_flush, q) {
            int code = disk_sync(disk_fd(q->fd), q->data_only);
            if (!bsk_abandoned(q)) bsk_reply(q, bsk_file_flush, .file = q->file, .code = code);
        }
        bsk_on(net_file_look, q) {
            bsk_blob *made = NULL;
            int64_t code = do_look(q, &made);
            if (!bsk_abandoned(q)) bsk_reply(q, net_file_look, .code = code, .made = made);
            bsk_blob_drop(made);
        }
    }
}

/* The actor's side. */

static int own(bsk_self *self, bsk_blob *fd, bsk_file *out)
{
    assert(fd);
    int rc;
    struct file *f = (struct file *)handle_new(self->worker, &file_kind, &rc);
    if (!f) return rc;
    rc = handle_own(self, &f->h);
    if (rc) {
        handle_free(&f->h);
        return rc;
    }
    f->fd = bsk_blob_hold(fd);
    *out = (bsk_file){handle_id(&f->h)};
    return 0;
}

/* Does it, and gives what was made, borrowed; or a code. */
static int64_t ask_path(bsk_self *self, int64_t ms, const net_path *q, bsk_blob **made)
{
    int rc = handle_may_open(self);
    if (rc == 0 && (!q->path || !*q->path)) rc = BSK_EINVAL;
    if (rc) return rc;
    const net_path_done *r = bsk_work_call_(self, ms, run_path, &net_path_bsk, q);
    if (!r) return bsk_error(self);
    if (made) *made = r->made;
    return r->code;
}

int bsk_file_open_(bsk_self *self, const char *path, int64_t ms, bsk_file *out,
                   const bsk_file_opts *o)
{
    bsk_blob *fd;
    net_path q = {.op = PATH_OPEN, .path = path, .data = {o, sizeof *o}};
    int rc = (int)ask_path(self, ms, &q, &fd);
    return rc ? rc : own(self, fd, out);
}

int bsk_file_take(bsk_self *self, int fd, bsk_file *out)
{
    int rc = handle_may_open(self);
    if (rc == 0) rc = disk_is_file(fd);
    if (rc) return rc;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0) return disk_code(-errno);
    bsk_blob *box = disk_box(copy);
    if (!box) return BSK_ENOMEM;
    rc = own(self, box, out);
    bsk_blob_drop(box);
    return rc;
}

void bsk_file_close(bsk_self *self, bsk_file f)
{
    struct file *one = file_mine(self, f);
    if (one) close_now(&one->h);
}

static int check(const struct file *f, int64_t at, size_t n)
{
    if (!f) return BSK_EBADF;
    return at < BSK_HERE || n > MOST ? BSK_EINVAL : 0;
}

int bsk_file_read(bsk_self *self, bsk_file f, int64_t at, size_t n, bsk_bytes *out, int64_t ms)
{
    struct file *one = file_mine(self, f);
    int rc = check(one, at, n);
    if (rc) return rc;
    const bsk_file_got *r = bsk_work_call(self, ms, run_file, bsk_file_get, .file = f.id, .at = at,
                                          .n = n, .fd = one->fd);
    if (!r) return bsk_error(self);
    if (r->code >= 0) *out = bsk_blob_bytes(r->data);
    return (int)r->code;
}

int bsk_file_write(bsk_self *self, bsk_file f, int64_t at, bsk_bytes b, int64_t ms)
{
    struct file *one = file_mine(self, f);
    int rc = check(one, at, b.len);
    if (rc) return rc;
    const bsk_file_done *r = bsk_work_call(self, ms, run_file, bsk_file_put, .file = f.id, .at = at,
                                           .data = b, .fd = one->fd);
    return r ? (int)r->code : bsk_error(self);
}

int bsk_file_sync(bsk_self *self, bsk_file f, bool data_only, int64_t ms)
{
    struct file *one = file_mine(self, f);
    if (!one) return BSK_EBADF;
    const bsk_file_done *r = bsk_work_call(self, ms, run_file, bsk_file_flush, .file = f.id,
                                           .data_only = data_only, .fd = one->fd);
    return r ? (int)r->code : bsk_error(self);
}

/* Its new size, or LOOKS. */
static int look(bsk_self *self, bsk_file f, int64_t size, bsk_file_info_out *out, int64_t ms)
{
    struct file *one = file_mine(self, f);
    if (!one) return BSK_EBADF;
    const net_path_done *r =
        bsk_work_call(self, ms, run_file, net_file_look, .fd = one->fd, .size = size);
    if (!r) return bsk_error(self);
    if (r->made) memcpy(out, bsk_blob_bytes(r->made).ptr, sizeof *out);
    return (int)r->code;
}

int bsk_file_resize(bsk_self *self, bsk_file f, int64_t size, int64_t ms)
{
    return size < 0 ? BSK_EINVAL : look(self, f, size, NULL, ms);
}

int bsk_file_info(bsk_self *self, bsk_file f, bsk_file_info_out *out, int64_t ms)
{
    return look(self, f, LOOKS, out, ms);
}

int bsk_file_ask_read(bsk_self *self, bsk_file f, int64_t at, size_t n, int64_t ms)
{
    struct file *one = file_mine(self, f);
    int rc = check(one, at, n);
    if (rc) return rc;
    return bsk_work(self, ms, run_file, bsk_file_get, .file = f.id, .at = at, .n = n,
                    .fd = one->fd);
}

int bsk_file_ask_write(bsk_self *self, bsk_file f, int64_t at, bsk_bytes b, int64_t ms)
{
    struct file *one = file_mine(self, f);
    int rc = check(one, at, b.len);
    if (rc) return rc;
    return bsk_work(self, ms, run_file, bsk_file_put, .file = f.id, .at = at, .data = b,
                    .fd = one->fd);
}

int bsk_file_ask_sync(bsk_self *self, bsk_file f, bool data_only, int64_t ms)
{
    struct file *one = file_mine(self, f);
    if (!one) return BSK_EBADF;
    return bsk_work(self, ms, run_file, bsk_file_flush, .file = f.id, .data_only = data_only,
                    .fd = one->fd);
}

/* Paths. */

int bsk_path_info(bsk_self *self, const char *path, bsk_file_info_out *out, int64_t ms)
{
    bsk_blob *made;
    net_path q = {.op = PATH_INFO, .path = path};
    int rc = (int)ask_path(self, ms, &q, &made);
    if (rc == 0) memcpy(out, bsk_blob_bytes(made).ptr, sizeof *out);
    return rc;
}

int bsk_path_rename(bsk_self *self, const char *from, const char *to, int64_t ms)
{
    net_path q = {.op = PATH_RENAME, .path = from, .to = to};
    return to ? (int)ask_path(self, ms, &q, NULL) : BSK_EINVAL;
}

int bsk_path_remove(bsk_self *self, const char *path, int64_t ms)
{
    net_path q = {.op = PATH_REMOVE, .path = path};
    return (int)ask_path(self, ms, &q, NULL);
}

int bsk_path_mkdir(bsk_self *self, const char *path, unsigned mode, int64_t ms)
{
    net_path q = {.op = PATH_MKDIR, .path = path, .n = mode};
    return (int)ask_path(self, ms, &q, NULL);
}

int bsk_path_list(bsk_self *self, const char *path, bsk_list *out, int64_t ms)
{
    bsk_blob *made;
    net_path q = {.op = PATH_LIST, .path = path};
    int rc = (int)ask_path(self, ms, &q, &made);
    if (rc) return rc;
    bsk_bytes b = bsk_blob_bytes(made);
    *out = (bsk_list){b.ptr, (const char *)b.ptr + b.len};
    return 0;
}

int bsk_file_load(bsk_self *self, const char *path, size_t most, bsk_bytes *out, int64_t ms)
{
    bsk_blob *made;
    net_path q = {.op = PATH_LOAD, .path = path, .n = most};
    int64_t n = most > MOST ? BSK_EINVAL : ask_path(self, ms, &q, &made);
    if (n >= 0) *out = bsk_blob_bytes(made);
    return (int)n;
}

int bsk_file_save(bsk_self *self, const char *path, bsk_bytes b, unsigned mode, int64_t ms)
{
    net_path q = {.op = PATH_SAVE, .path = path, .n = mode, .data = b};
    return b.len > MOST ? BSK_EINVAL : (int)ask_path(self, ms, &q, NULL);
}
