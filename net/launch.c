/* SPDX-License-Identifier: MIT */
/* Starting a process.
 *
 * Not by libuv, nor posix_spawn: neither can set limits, and to set them from outside once the
 * program runs is too late. The child shares the memory of this thread, which stands still, until
 * it has the program's (vfork): so starting one does not take longer the more memory the program
 * has. Until then the child may only make system calls, and no signal may reach a handler of the
 * program's in it. What fails is told through a pipe that closes by itself on success. */
#include "launch.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define LAST_SIGNAL 64

/* Not the C library's: those would change all threads of the program, whose memory this is. */
static int become(uint32_t uid, uint32_t gid)
{
    if ((uid || gid) && syscall(SYS_getuid) == 0 && syscall(SYS_setgroups, 0, NULL)) return -1;
    if (gid && syscall(SYS_setresgid, gid, gid, gid)) return -1;
    return uid && syscall(SYS_setresuid, uid, uid, uid) ? -1 : 0;
}

static int limit(int what, uint64_t soft, uint64_t hard)
{
    struct rlimit l;
    if (!soft) return 0;
    if (getrlimit(what, &l)) return -1;
    if (l.rlim_max == RLIM_INFINITY || l.rlim_max > hard) l.rlim_max = hard;
    l.rlim_cur = soft < l.rlim_max ? soft : l.rlim_max;
    return setrlimit(what, &l);
}

/* Where a wanted descriptor would be overwritten by another it is moved out of the way first. */
static int set_streams(const int fds[3])
{
    int from[3];
    for (int i = 0; i < 3; i++) {
        from[i] = fds[i] == LAUNCH_NULL ? open("/dev/null", O_RDWR | O_CLOEXEC) : fds[i];
        if (from[i] >= 0 && from[i] < 3 && from[i] != i)
            from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 3);
        if (from[i] < 0) return -1;
    }
    for (int i = 0; i < 3; i++)
        if (from[i] == i ? fcntl(i, F_SETFD, 0) : dup2(from[i], i) < 0) return -1;
    return 0;
}

static void reset_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    for (int i = 1; i <= LAST_SIGNAL; i++) sigaction(i, &action, NULL);
}

/* The parent may have been killed before the child asked to be told. */
static int die_with(pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL)) return -1;
    if (getppid() != parent) _exit(127);
    return 0;
}

static void close_others(void)
{
#if defined(SYS_close_range)
    /* Older systems do not have it: then those stay that were not opened to be closed. */
    syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */);
#endif
}

/* In the child: runs the program, or returns. */
static void become_program(const bsk_process_opts *o, const int fds[3], pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    reset_signals();
    if (setpgid(0, 0) || set_streams(fds) || (o->dir && chdir(o->dir))) return;
    close_others();
    if (become(o->uid, o->gid) || die_with(parent)) return;
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (limit(RLIMIT_CPU, o->max_cpu_s, o->max_cpu_s + 1) ||
        limit(RLIMIT_NOFILE, o->max_files, o->max_files) ||
        limit(RLIMIT_AS, o->max_memory, o->max_memory))
        return;
    union {
        const char *const *given;
        char **wanted;
    } argv = {o->argv}, env = {o->env};
    execvpe(o->argv[0], argv.wanted, o->env ? env.wanted : environ);
}

/* A function of its own, which the child does not return from. */
static __attribute__((noinline)) pid_t split(const bsk_process_opts *o, const int fds[3], int say)
{
    pid_t parent = getpid(), pid = vfork();
    if (pid) return pid < 0 ? -errno : pid;
    become_program(o, fds, parent);
    int code = errno;
    ssize_t n = write(say, &code, sizeof code);
    _exit(n == sizeof code ? 127 : 126);
}

/* What the child had to say: 0, or why it ended. */
static int hear(int fd)
{
    int code = 0;
    ssize_t n;
    do n = read(fd, &code, sizeof code);
    while (n < 0 && errno == EINTR);
    return n == sizeof code ? code : 0;
}

/* The child's end lies above the three, which it gets others for. */
static int say_pipe(int ends[2])
{
    if (pipe2(ends, O_CLOEXEC)) return -errno;
    if (ends[1] > 2) return 0;
    int high = fcntl(ends[1], F_DUPFD_CLOEXEC, 3), rc = high < 0 ? -errno : 0;
    close(ends[1]);
    ends[1] = high;
    if (rc) close(ends[0]);
    return rc;
}

pid_t launch(const bsk_process_opts *o, const int fds[3])
{
    assert(o->argv && o->argv[0]);
    int ends[2], status;
    sigset_t all, before;
    pid_t pid = say_pipe(ends);
    if (pid) return pid;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = split(o, fds, ends[1]);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(ends[1]);
    int code = pid > 0 ? hear(ends[0]) : 0;
    close(ends[0]);
    if (!code) return pid;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return -code;
}
