/* SPDX-License-Identifier: MIT */
/* Containing faults: an actor that does what the processor refuses, or that gives up by abort(),
 * ends as that actor.
 *
 * A fault is contained if it is synchronous, on a worker, while that runs an actor, and in code of
 * the program itself:
 *
 *     where the processor stood         contained?
 *     the program's own code            yes
 *     memcpy, strlen and their kin,     yes: they hold nothing
 *       called by the program's code
 *     abort() or a failed assert(),     yes: they hold nothing at the moment of the signal
 *       called by the program's code
 *     this library, libuv,              no: a lock may be held, a list half linked.
 *       the rest of libc, others          The process says what it knows, and dies
 *
 * The program's code is that of the executable file, but for this library's section, where it is
 * linked in. The handler, on a stack of its own, only looks; then the signal "returns" into
 * fault_land, on the worker's own stack, from where the actor is left as by bsk_fail. Nothing of
 * the stack that faulted is unwound: what its code held, it holds for ever.
 *
 * An actor that hangs is sent a signal by the watchdog, and ends in the same way if that finds it
 * in the program's own code, and where it was seen; else it is sent another one later. */
#include "fault.h"

#include "actors/end.h"
#include "actors/trace.h"
#include "supervisor.h"

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__)) && defined(__GLIBC__)
#define FAULTS 1
#endif

#if !defined(FAULTS)

int fault_start(void)
{
    return BSK_EINVAL;
}

void fault_stop(void)
{
}

void fault_enter_thread(struct worker *w)
{
    assert(!w->fault);
}

void fault_leave_thread(struct worker *w)
{
    assert(!w->fault);
}

void fault_free_worker(struct worker *w)
{
    assert(!w->fault);
}

void fault_interrupt(struct worker *w, const bsk_self *a, uint64_t ticks, int until)
{
    assert(!w->fault && a && ticks && until);
}

#else

#if defined(FIB_ASAN)
#include <sanitizer/asan_interface.h>
#endif

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>
#include <unistd.h>

#define ALT_STACK ((size_t)64 * 1024)
#define NEAR ((uintptr_t)65536)       /* bytes around the stack pointer */
#define STRING_CODE ((uintptr_t)4096) /* bytes behind the entry of memcpy and its kin */

struct range {
    uintptr_t from, to;
};

static bool within(const struct range *r, uintptr_t at)
{
    return at >= r->from && at < r->to;
}

/* The process has one table of signal handlers, so this is the process's, too. */
static struct {
    pthread_mutex_t lock;
    unsigned users;
    struct range program;   /* the executable's code */
    struct range library;   /* this library's, wherever it lies */
    struct range aborts[2]; /* abort, __assert_fail */
    uintptr_t strings[16];
    unsigned nstrings;
    struct sigaction before[NSIG];
} fault = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The last one interrupts who hangs: harmless by default, and hardly used otherwise. */
#define SIGHANG SIGURG
static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGHANG};
#define NSIGNALS (sizeof signals / sizeof *signals)

/* The section that the build puts the library's code in; none if it does not. */
extern const char __start_buskin_text[] __attribute__((weak, visibility("hidden")));
extern const char __stop_buskin_text[] __attribute__((weak, visibility("hidden")));

/* The executable is the first one. */
static int find_program(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct range *r = arg;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_LOAD || !(p->p_flags & PF_X)) continue;
        *r =
            (struct range){info->dlpi_addr + p->p_vaddr, info->dlpi_addr + p->p_vaddr + p->p_memsz};
    }
    return 1;
}

static void add_string_function(void *f)
{
    fault.strings[fault.nstrings++] = (uintptr_t)f;
}

/* Pointers to functions of libc are those of the variants that this processor uses. */
#define STRING_FUNCTION(f)                                                                         \
    do {                                                                                           \
        __typeof__(&(f)) volatile p = &(f);                                                        \
        add_string_function((void *)(uintptr_t)p);                                                 \
    } while (0)

static void find_string_functions(void)
{
    fault.nstrings = 0;
    STRING_FUNCTION(memcpy);
    STRING_FUNCTION(memmove);
    STRING_FUNCTION(memset);
    STRING_FUNCTION(memcmp);
    STRING_FUNCTION(memchr);
    STRING_FUNCTION(strlen);
    STRING_FUNCTION(strnlen);
    STRING_FUNCTION(strcpy);
    STRING_FUNCTION(strncpy);
    STRING_FUNCTION(strcmp);
    STRING_FUNCTION(strncmp);
    STRING_FUNCTION(strchr);
    STRING_FUNCTION(strrchr);
    STRING_FUNCTION(strcat);
}

/* Where a function of libc lies, by its entry in the table of symbols. */
static struct range range_of(const char *name)
{
    Dl_info info;
    ElfW(Sym) *symbol = NULL;
    void *f = dlsym(RTLD_DEFAULT, name);
    struct range none = {0, 0};
    if (!f || !dladdr1(f, &info, (void **)&symbol, RTLD_DL_SYMENT) || !symbol) return none;
    return (struct range){(uintptr_t)f, (uintptr_t)f + symbol->st_size};
}

static bool find_places(void)
{
    fault.library = (struct range){(uintptr_t)__start_buskin_text, (uintptr_t)__stop_buskin_text};
    dl_iterate_phdr(find_program, &fault.program);
    fault.aborts[0] = range_of("abort");
    fault.aborts[1] = range_of("__assert_fail");
    find_string_functions();
    /* The first one loads what unwinds, which a handler must not. */
    void *frames[2];
    backtrace(frames, 2);
    return fault.library.from && fault.program.from;
}

static bool in_program(uintptr_t at)
{
    return within(&fault.program, at) && !within(&fault.library, at);
}

static bool in_string_function(uintptr_t at)
{
    for (unsigned i = 0; i < fault.nstrings; i++)
        if (at >= fault.strings[i] && at < fault.strings[i] + STRING_CODE) return true;
    return false;
}

#if defined(__x86_64__)
static uintptr_t pc_of(const ucontext_t *c)
{
    return (uintptr_t)c->uc_mcontext.gregs[REG_RIP];
}

static uintptr_t sp_of(const ucontext_t *c)
{
    return (uintptr_t)c->uc_mcontext.gregs[REG_RSP];
}

/* Of a function that has not touched its stack. */
static uintptr_t return_of(const ucontext_t *c)
{
    return *(uintptr_t *)c->uc_mcontext.gregs[REG_RSP];
}

static void go_on_at(ucontext_t *c, void (*f)(void), uintptr_t sp)
{
    c->uc_mcontext.gregs[REG_RSP] = (greg_t)((sp & ~(uintptr_t)15) - 8);
    c->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)f;
}
#else
static uintptr_t pc_of(const ucontext_t *c)
{
    return (uintptr_t)c->uc_mcontext.pc;
}

static uintptr_t sp_of(const ucontext_t *c)
{
    return (uintptr_t)c->uc_mcontext.sp;
}

static uintptr_t return_of(const ucontext_t *c)
{
    return (uintptr_t)c->uc_mcontext.regs[30];
}

static void go_on_at(ucontext_t *c, void (*f)(void), uintptr_t sp)
{
    c->uc_mcontext.sp = sp & ~(uintptr_t)15;
    c->uc_mcontext.pc = (uintptr_t)f;
}
#endif

/* What a worker has for it. */
struct fault_site {
    stack_t before;       /* the thread's own */
    pthread_mutex_t lock; /* guards these two */
    pthread_t thread;
    bool entered;
    /* Who hangs, and where it was seen; written by the watchdog. */
    const bsk_self *_Atomic hangs;
    _Atomic uint64_t ticks;
    _Atomic int until;
    int signal;
    uintptr_t address, sp;
    int nframes;
    void *frames[16];
    unsigned char landing[32 * 1024];
    unsigned char signals[ALT_STACK];
};

/* Tells whether abort() was called by the program, itself or by assert(): malloc's own abort holds
 * locks. Frames are where calls return to, so one before is in the caller. */
static bool aborted_by_program(struct fault_site *site)
{
    for (int i = 0; i + 1 < site->nframes; i++) {
        uintptr_t at = (uintptr_t)site->frames[i] - 1, caller = (uintptr_t)site->frames[i + 1] - 1;
        if (!within(&fault.aborts[0], at) && !within(&fault.aborts[1], at)) continue;
        if (in_program(caller)) return true;
    }
    return false;
}

static bool in_own_code(struct fault_site *site, int sig, const siginfo_t *info,
                        const ucontext_t *c)
{
    uintptr_t pc = pc_of(c);
    if (in_program(pc)) return true;
    if (sig == SIGABRT) return aborted_by_program(site);
    /* A call to where there is no code: its caller is what counts. */
    bool nowhere = sig == SIGSEGV && (uintptr_t)info->si_addr == pc;
    return (nowhere || in_string_function(pc)) && in_program(return_of(c) - 1);
}

static bool synchronous(int sig, const siginfo_t *info)
{
    return sig == SIGABRT ? info->si_code == SI_TKILL && info->si_pid == getpid()
                          : info->si_code > 0;
}

static bool contain(struct worker *w, int sig, const siginfo_t *info, const ucontext_t *c)
{
    struct fault_site *site = w ? w->fault : NULL;
    if (!site || !site->entered || !rt_self(w) || w->hooked || !synchronous(sig, info))
        return false;
    site->signal = sig;
    site->address = sig == SIGABRT ? 0 : (uintptr_t)info->si_addr;
    site->sp = sp_of(c);
    site->nframes = backtrace(site->frames, sizeof site->frames / sizeof *site->frames);
    return in_own_code(site, sig, info, c);
}

static const char *name_of(int sig)
{
    switch (sig) {
    case SIGSEGV: return "segmentation fault";
    case SIGBUS: return "bus error";
    case SIGFPE: return "arithmetic fault";
    case SIGILL: return "illegal instruction";
    case SIGHANG: return "hang";
    default: return "abort";
    }
}

/* Writes where a call returns to, as far as the tables of symbols say it. */
static size_t describe_frame(char *out, size_t size, void *frame)
{
    Dl_info info = {0};
    bool known = dladdr((char *)frame - 1, &info) && info.dli_fname;
    const char *file = known ? strrchr(info.dli_fname, '/') : NULL;
    file = file ? file + 1 : known ? info.dli_fname : "?";
    int n = known && info.dli_sname
                ? snprintf(out, size, "%s+0x%tx (%s)\n", info.dli_sname,
                           (char *)frame - (char *)info.dli_saddr, file)
                : snprintf(out, size, "%s+0x%tx\n", file,
                           (char *)frame - (char *)(known ? info.dli_fbase : NULL));
    return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

/* From where the fault was, to where the actor's code begins. */
static void describe_trace(char *out, size_t size, struct fault_site *site)
{
    size_t used = 0;
    bool begun = false;
    out[0] = '\0';
    for (int i = 0; i < site->nframes; i++) {
        uintptr_t at = (uintptr_t)site->frames[i];
        if (!begun && !in_program(at - 1)) continue;
        if (begun && within(&fault.library, at - 1)) return;
        begun = true;
        used += describe_frame(out + used, size - used, site->frames[i]);
    }
}

/* Where the stack pointer was there is no stack any more: it ran over. */
static bool ran_over(const struct fault_site *site)
{
    return site->signal == SIGSEGV && site->address > site->sp - NEAR &&
           site->address < site->sp + NEAR;
}

static void describe(char *out, size_t size, const struct fault_site *site)
{
    const char *what = ran_over(site) ? "stack overflow" : name_of(site->signal);
    if (site->signal == SIGABRT || site->signal == SIGHANG)
        snprintf(out, size, "%s", what);
    else
        snprintf(out, size, "%s at %#tx", what, (ptrdiff_t)site->address);
}

/* A handler's frames are forgotten on the stack that the loop goes on using. */
static void forget_frames(struct worker *w, const struct fault_site *site)
{
#if defined(FIB_ASAN) && defined(__x86_64__)
    uintptr_t mark = (uintptr_t)w->mark.reg[6];
    if (!w->in_fiber) __asan_unpoison_memory_region((void *)site->sp, mark - site->sp);
#else
    (void)w;
    (void)site;
#endif
}

/* The signal returns here, on a stack of its own. */
static BSK_NORETURN_ void land(void)
{
    struct worker *w = rt_worker();
    struct fault_site *site = w->fault;
    char text[160], trace[1024];
    forget_frames(w, site);
    describe(text, sizeof text, site);
    describe_trace(trace, sizeof trace, site);
    end_fault(w, text, site->signal, site->address, trace);
    act_leave(rt_self(w), BSK_FAULT);
}

static void say(const char *text)
{
    /* Nothing can be done about a failure to say it. */
    if (write(STDERR_FILENO, text, strlen(text)) < 0) return;
}

/* The process dies of it, by whatever would have handled it; the instruction is tried again. */
static void die(int sig, siginfo_t *info, void *context)
{
    const struct sigaction *before = &fault.before[sig];
    if (rt_current && rt_self(rt_current)) {
        say("buskin: ");
        say(name_of(sig));
        say(" in code that may hold what others need: the process ends\n");
    }
    if ((before->sa_flags & SA_SIGINFO) && before->sa_sigaction) {
        before->sa_sigaction(sig, info, context);
        return;
    }
    struct sigaction plain = *before;
    if (plain.sa_handler == SIG_IGN) plain.sa_handler = SIG_DFL;
    sigaction(sig, &plain, NULL);
    /* One that was sent does not come again by itself. */
    if (!synchronous(sig, info) || sig == SIGABRT) raise(sig);
}

/* Acquire pairs with fault_interrupt: all three are of one look. */
static bool still_hangs(struct worker *w, struct fault_site *site)
{
    bsk_self *self = rt_self(w);
    return self && atomic_load_explicit(&site->hangs, memory_order_acquire) == self &&
           atomic_load_explicit(&site->ticks, memory_order_relaxed) ==
               atomic_load_explicit(&w->ticks, memory_order_relaxed) &&
           atomic_load_explicit(&site->until, memory_order_relaxed) ==
               atomic_load_explicit(&w->until, memory_order_relaxed);
}

static void on_hang(int sig, siginfo_t *info, void *context)
{
    struct worker *w = rt_current;
    struct fault_site *site = w ? w->fault : NULL;
    const struct sigaction *before = &fault.before[sig];
    ucontext_t *c = context;
    if (!site || !still_hangs(w, site)) {
        if ((before->sa_flags & SA_SIGINFO) && before->sa_sigaction)
            before->sa_sigaction(sig, info, context);
        return;
    }
    if (w->hooked || !in_program(pc_of(c))) return;
    int saved = errno;
    site->signal = sig;
    site->address = 0;
    site->sp = sp_of(c);
    site->nframes = backtrace(site->frames, sizeof site->frames / sizeof *site->frames);
    go_on_at(c, land, (uintptr_t)(site->landing + sizeof site->landing));
    errno = saved;
}

void fault_interrupt(struct worker *w, const bsk_self *a, uint64_t ticks, int until)
{
    struct fault_site *site = w->fault;
    if (!site) return;
    pthread_mutex_lock(&site->lock);
    atomic_store_explicit(&site->ticks, ticks, memory_order_relaxed);
    atomic_store_explicit(&site->until, until, memory_order_relaxed);
    atomic_store_explicit(&site->hangs, a, memory_order_release);
    if (site->entered) pthread_kill(site->thread, SIGHANG);
    pthread_mutex_unlock(&site->lock);
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
    int saved = errno;
    struct worker *w = rt_current;
    ucontext_t *c = context;
    if (contain(w, sig, info, c)) {
        struct fault_site *site = w->fault;
        go_on_at(c, land, (uintptr_t)(site->landing + sizeof site->landing));
    } else {
        die(sig, info, context);
    }
    errno = saved;
}

static void install(void)
{
    struct sigaction action = {.sa_sigaction = on_fault,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < NSIGNALS - 1; i++)
        sigaction(signals[i], &action, &fault.before[signals[i]]);
    action.sa_sigaction = on_hang;
    action.sa_flags |= SA_RESTART;
    sigaction(SIGHANG, &action, &fault.before[SIGHANG]);
}

static void uninstall(void)
{
    for (size_t i = 0; i < NSIGNALS; i++) sigaction(signals[i], &fault.before[signals[i]], NULL);
}

int fault_start(void)
{
    pthread_mutex_lock(&fault.lock);
    bool ready = fault.users || find_places();
    if (ready && fault.users++ == 0) install();
    pthread_mutex_unlock(&fault.lock);
    return ready ? 0 : BSK_EINVAL;
}

void fault_stop(void)
{
    pthread_mutex_lock(&fault.lock);
    if (--fault.users == 0) uninstall();
    pthread_mutex_unlock(&fault.lock);
}

static struct fault_site *new_site(struct worker *w)
{
    struct fault_site *site = mem_map(sizeof *site, 4096);
    if (site && pthread_mutex_init(&site->lock, NULL)) {
        mem_unmap(site, sizeof *site);
        site = NULL;
    }
    if (!site) trc_log(w->rt, BSK_LOG_ERROR, "no memory to contain faults on a thread");
    return site;
}

void fault_enter_thread(struct worker *w)
{
    struct fault_site *site = w->fault ? w->fault : new_site(w);
    if (!site) return;
    stack_t own = {.ss_sp = site->signals, .ss_size = sizeof site->signals};
    sigaltstack(&own, &site->before);
    pthread_mutex_lock(&site->lock);
    site->thread = pthread_self();
    site->entered = true;
    pthread_mutex_unlock(&site->lock);
    w->fault = site;
}

void fault_leave_thread(struct worker *w)
{
    struct fault_site *site = w->fault;
    if (!site) return;
    pthread_mutex_lock(&site->lock);
    site->entered = false;
    pthread_mutex_unlock(&site->lock);
    sigaltstack(&site->before, NULL);
}

void fault_free_worker(struct worker *w)
{
    struct fault_site *site = w->fault;
    if (!site) return;
    pthread_mutex_destroy(&site->lock);
    mem_unmap(site, sizeof *site);
}
#endif
