/* SPDX-License-Identifier: MIT */
/* terminal.c - the terminal. */
#define _DEFAULT_SOURCE 1
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/prctl.h>
#endif

#include "events.h"

#define TAKE "\033[?1049h\033[?25l\033[2J"
#define GIVE_BACK "\033[0m\033[?25h\033[?1049l"

static struct termios before;
static bool taken;
static int real_stderr = -1, caught[2] = {-1, -1};
static volatile pid_t guarded;

static void say(const char *text)
{
    /* Nothing can be done about a terminal that is gone. */
    if (write(STDOUT_FILENO, text, strlen(text)) < 0) return;
}

static void pass_on(int signal)
{
    if (guarded > 0) kill(guarded, signal);
}

static void handle(int signal, void (*what)(int))
{
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_handler = what;
    sigaction(signal, &sa, NULL);
}

/* The parent's half. */
static int wait_for(pid_t child, const struct termios *kept)
{
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    tcsetattr(STDIN_FILENO, TCSADRAIN, kept);
    if (!WIFSIGNALED(status)) return WEXITSTATUS(status);
    say(GIVE_BACK);
    fprintf(stderr, "buskin-restart: ended by signal %d (%s)\n", WTERMSIG(status),
            strsignal(WTERMSIG(status)));
    return 128 + WTERMSIG(status);
}

int terminal_guard(void)
{
    struct termios kept;
    if (tcgetattr(STDIN_FILENO, &kept) < 0) return -2;
    fflush(NULL);
    pid_t parent = getpid(), child = fork();
    if (child < 0) return -2;
    if (child == 0) {
#if defined(__linux__)
        prctl(PR_SET_PDEATHSIG, SIGTERM);
#endif
        return getppid() == parent ? -1 : 1;
    }
    guarded = child;
    handle(SIGINT, pass_on);
    handle(SIGTERM, pass_on);
    handle(SIGHUP, pass_on);
    handle(SIGQUIT, SIG_IGN);
    return wait_for(child, &kept);
}

/* A line that anybody wrote into the middle of the picture would spoil it. */
static bool catch_stderr(void)
{
    if (pipe(caught) < 0) return false;
    real_stderr = dup(STDERR_FILENO);
    return real_stderr >= 0 && fcntl(caught[0], F_SETFL, O_NONBLOCK) == 0 &&
           dup2(caught[1], STDERR_FILENO) >= 0;
}

static void release_stderr(void)
{
    if (real_stderr >= 0) {
        dup2(real_stderr, STDERR_FILENO);
        close(real_stderr);
    }
    for (int i = 0; i < 2; i++)
        if (caught[i] >= 0) close(caught[i]);
    real_stderr = caught[0] = caught[1] = -1;
}

void terminal_collect(struct events *e)
{
    char text[1024];
    ssize_t n = caught[0] >= 0 ? read(caught[0], text, sizeof text - 1) : 0;
    if (n <= 0) return;
    text[n] = '\0';
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));)
        if (*line) events_add(e, BY_SHOP, line);
}

bool terminal_open(struct events *e)
{
    if (tcgetattr(STDIN_FILENO, &before) < 0) return false;
    struct termios raw = before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG | IEXTEN);
    raw.c_iflag &= ~(tcflag_t)(IXON | ICRNL);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    if (!catch_stderr() || tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) < 0) {
        release_stderr();
        return false;
    }
    taken = true;
    say(TAKE);
    terminal_collect(e);
    return true;
}

void terminal_close(void)
{
    if (!taken) return;
    taken = false;
    say(GIVE_BACK);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
    release_stderr();
}

void terminal_size(int *width, int *height)
{
    struct winsize w;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 && w.ws_row > 0;
    *width = known ? w.ws_col : 80;
    *height = known ? w.ws_row : 24;
}

bool terminal_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return strstr(value, "UTF-8") || strstr(value, "utf8") || strstr(value, "utf-8");
    }
    return false;
}

bool terminal_has_color(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return !(no && *no) && !(term && strcmp(term, "vt100") == 0);
}
