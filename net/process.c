/* SPDX-License-Identifier: MIT */
/* Child processes.
 *
 * The end of one is seen by a descriptor of the process on the owner's loop: no SIGCHLD, so any
 * number of loops and runtimes, and the program's own use of that signal, do not meet.
 *
 *     runs --ends--> ended: the group killed, reaped --told--> closed
 *       `--its owner ends, or closes it--> killed --ends--> reaped
 *
 * The group is killed before its leader is reaped: until then no other group can have its
 * number. */
#include "adopt.h"
#include "disk.h"
#include "error.h"
#include "launch.h"
#include "note.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct process {
    struct handle h;
    uv_poll_t poll; /* of `fd` */
    int fd;         /* of the process */
    pid_t pid;
    bool polling; /* libuv has it */
    bool ended, waits;
    bsk_exit_out how;
    struct bsk_msg *notice; /* set aside; NULL: none is wanted, or it was sent */
};

static void release(struct handle *h);
static void close_now(struct handle *h);
static bool received(struct handle *h, struct bsk_msg *m);
static const struct handle_kind process_kind = {sizeof(struct process), release, close_now,
                                                received};
static_assert(sizeof(struct process) <= HANDLE_BYTES, "it has a place in the slab");

static void free_unused(struct process *p)
{
    if (p->h.owner || p->polling) return;
    note_drop(&p->h, p->notice);
    handle_free(&p->h);
}

static void on_closed(uv_handle_t *poll)
{
    struct process *p = poll->data;
    close(p->fd);
    p->polling = false;
    free_unused(p);
}

static void stop_polling(struct process *p)
{
    uv_handle_t *poll = (uv_handle_t *)&p->poll;
    if (p->polling && !uv_is_closing(poll)) uv_close(poll, on_closed);
}

static void kill_all(const struct process *p)
{
    /* Else it would be everybody. */
    assert(p->pid > 1 && !p->ended);
    kill(-p->pid, SIGKILL);
    kill(p->pid, SIGKILL);
}

/* Tells whether it has ended, and reaps it. */
static bool reap(struct process *p)
{
    siginfo_t info = {0};
    p->how = (bsk_exit_out){-1, 0};
    if (waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT)) return true;
    if (!info.si_pid) return false;
    kill(-p->pid, SIGKILL);
    if (waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG)) return true;
    if (info.si_code == CLD_EXITED)
        p->how.status = info.si_status;
    else
        p->how = (bsk_exit_out){0, info.si_status};
    return true;
}

static void tell(struct process *p)
{
    assert(p->ended);
    struct bsk_msg *m = p->notice;
    note_wake(&p->h, &p->waits);
    if (!m || !p->h.owner) return;
    p->notice = NULL;
    *(bsk_exited *)(void *)m->body =
        (bsk_exited){.process = handle_id(&p->h), .status = p->how.status, .signal = p->how.signal};
    note_send(&p->h, m);
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct process *p = poll->data;
    (void)status;
    (void)events;
    if (p->ended || !reap(p)) return;
    p->ended = true;
    stop_polling(p);
    tell(p);
}

/* Nobody's: it is killed, and reaped when it is gone. */
static void release(struct handle *h)
{
    struct process *p = (struct process *)h;
    if (p->polling && !p->ended) kill_all(p);
    free_unused(p);
}

static void close_now(struct handle *h)
{
    struct process *p = (struct process *)h;
    if (h->owner) handle_disown(h);
    if (!p->polling) {
        release(h);
        return;
    }
    if (!p->ended) kill_all(p);
    p->ended = p->ended || reap(p);
    stop_polling(p);
}

static bool received(struct handle *h, struct bsk_msg *m)
{
    (void)m;
    handle_disown(h);
    release(h);
    return true;
}

/* Its streams, before there is a process. */

struct pipes {
    int child[3];             /* its ends, or what else it gets */
    struct stream *stream[3]; /* ours; NULL: no pipe */
};

static void close_ends(const struct pipes *p)
{
    for (int i = 0; i < 3; i++)
        if (p->stream[i] && p->child[i] >= 0) close(p->child[i]);
}

static void undo_pipes(struct pipes *p)
{
    close_ends(p);
    for (int i = 0; i < 3; i++) {
        if (!p->stream[i]) continue;
        handle_disown(&p->stream[i]->h);
        stream_close(p->stream[i]);
    }
}

static int make_pipe(bsk_self *self, struct pipes *p, int i, const bsk_stream_opts *o)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC)) return net_code(-errno);
    int ours = ends[i == 0],
        rc = adopt_fd(self, ours, i == 0 ? ADOPT_WRITE : ADOPT_READ, o, &p->stream[i]);
    p->child[i] = ends[i != 0];
    if (rc) close(p->child[i]);
    return rc;
}

/* On failure nothing is left. */
static int make_pipes(bsk_self *self, const bsk_process_opts *o, struct pipes *p)
{
    enum bsk_stdio kinds[3] = {o->in, o->out, o->err};
    int rc = 0;
    for (int i = 0; i < 3 && rc == 0; i++) {
        switch (kinds[i]) {
        case BSK_STDIO_NULL: p->child[i] = LAUNCH_NULL; break;
        case BSK_STDIO_PIPE: rc = make_pipe(self, p, i, &o->stream); break;
        case BSK_STDIO_INHERIT: p->child[i] = i; break;
        case BSK_STDIO_OUT: rc = i == 2 ? 0 : BSK_EINVAL; break;
        default: rc = BSK_EINVAL;
        }
    }
    if (rc == 0 && note_handler(self))
        for (int i = 1; i < 3 && rc == 0; i++)
            if (p->stream[i]) rc = bsk_stream_messages(self, stream_id(p->stream[i]));
    if (rc) undo_pipes(p);
    return rc;
}

/* The process, once it runs. */

/* What was started and cannot be watched is taken back. */
static int take_back(const struct process *p, int rc)
{
    int status;
    kill_all(p);
    while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR) {
    }
    return net_code(rc);
}

static int watch(struct process *p)
{
    p->fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
    if (p->fd < 0) return take_back(p, -errno);
    fcntl(p->fd, F_SETFD, FD_CLOEXEC);
    int rc = uv_poll_init(&p->h.worker->loop, &p->poll, p->fd);
    if (rc) {
        close(p->fd);
        return take_back(p, rc);
    }
    p->poll.data = p;
    p->polling = true;
    return net_code(uv_poll_start(&p->poll, UV_READABLE, on_ready));
}

static int start(struct process *p, const bsk_process_opts *o, const struct pipes *pipes)
{
    int fds[3] = {pipes->child[0], pipes->child[1], pipes->child[2]};
    if (o->err == BSK_STDIO_OUT) fds[2] = fds[1];
    p->pid = launch(o, fds);
    if (p->pid < 0) return p->pid == -EAGAIN ? BSK_ELIMIT : disk_code(p->pid);
    return watch(p);
}

/* Owned by the actor; its message set aside. */
static struct process *process_new(bsk_self *self, bool messages, int *rc)
{
    struct process *p = (struct process *)handle_new(self->worker, &process_kind, rc);
    if (!p) return NULL;
    *rc = BSK_ENOMEM;
    if (handle_open(&p->h) == 0 && handle_own(self, &p->h) == 0) {
        if (!messages || (p->notice = note_new(&p->h, &bsk_exited_bsk, 0))) return p;
        handle_disown(&p->h);
    }
    handle_free(&p->h);
    return NULL;
}

static bsk_stream id_of(const struct stream *s)
{
    return s ? stream_id(s) : (bsk_stream){0};
}

int bsk_process_start_(bsk_self *self, bsk_process_out *out, const bsk_process_opts *o)
{
    struct pipes pipes = {.child = {-1, -1, -1}};
    int rc = handle_may_open(self);
    if (rc == 0 && (!o->argv || !o->argv[0] || o->stream.tls)) rc = BSK_EINVAL;
    if (rc) return rc;
    struct process *p = process_new(self, o->messages || note_handler(self), &rc);
    if (!p) return rc;
    rc = make_pipes(self, o, &pipes);
    if (rc) goto undo_process;
    rc = start(p, o, &pipes);
    if (rc) goto undo_pipes;
    close_ends(&pipes);
    *out = (bsk_process_out){{handle_id(&p->h)},
                             p->pid,
                             id_of(pipes.stream[0]),
                             id_of(pipes.stream[1]),
                             id_of(pipes.stream[2])};
    return 0;
undo_pipes:
    undo_pipes(&pipes);
undo_process:
    close_now(&p->h);
    return rc;
}

static struct process *process_mine(bsk_self *self, bsk_process p)
{
    return (struct process *)handle_mine(self, p.id, &process_kind);
}

int bsk_process_wait(bsk_self *self, bsk_process id, bsk_exit_out *out, int64_t ms)
{
    struct process *p = process_mine(self, id);
    int rc = note_begin(self, p ? &p->h : NULL);
    if (rc == 0 && p->notice) rc = BSK_EINVAL;
    if (rc) return rc;
    uint64_t until = note_due(self, ms);
    while (!p->ended)
        if ((rc = note_wait(self, &p->waits, until))) return rc;
    *out = p->how;
    bsk_process_close(self, id);
    return 0;
}

int bsk_process_signal(bsk_self *self, bsk_process id, int signum)
{
    struct process *p = process_mine(self, id);
    if (!p) return BSK_EBADF;
    if (p->ended) return BSK_EDEAD;
    return signum > 0 && kill(p->pid, signum) == 0 ? 0
           : signum <= 0                           ? BSK_EINVAL
                                                   : net_code(-errno);
}

void bsk_process_close(bsk_self *self, bsk_process id)
{
    struct process *p = process_mine(self, id);
    if (!p) return;
    handle_disown(&p->h);
    release(&p->h);
}
