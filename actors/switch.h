/* SPDX-License-Identifier: MIT */
/* switch.h - contexts with a stack of their own, switching between them, and marks to jump back to.
 *
 * Nothing here allocates memory, takes a lock or can fail. A context may go on on another thread
 * than the one it was suspended on; what a compiler may keep of a thread (pthread_self(), the
 * address of a _Thread_local) must then not be asked for on both sides of a switch in one function.
 * Neither switches nor marks keep the signal mask, the rounding mode or other floating-point
 * control: who changes one of them sets it back before he switches. */
#ifndef BSK_SWITCH_H
#define BSK_SWITCH_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIB_ASAN 1
#elif __has_feature(thread_sanitizer)
#define FIB_TSAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define FIB_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define FIB_TSAN 1
#endif

/* FIB_UCONTEXT chooses the portable way where the assembly would do. */
#if defined(__ELF__) && defined(__LP64__) && !defined(FIB_UCONTEXT)
#if defined(__x86_64__) || defined(__aarch64__)
#define FIB_ASM 1
#endif
#endif

#if defined(FIB_TSAN) || !defined(FIB_ASM)
#define FIB_SETJMP 1 /* ThreadSanitizer follows the marks of libc only */
#include <setjmp.h>
#endif

#define FIB_LEAST ((size_t)8192) /* a ucontext_t alone may take 4.5 KiB */

/* A context, suspended or running. It must stay where it is from fib_make or fib_adopt on. */
struct fib_context {
    void *sp; /* while suspended; first, where the assembly looks for it */
#if defined(FIB_ASAN) || defined(FIB_TSAN)
    void (*entry)(void *arg);
    void *arg;
#endif
#if defined(FIB_ASAN)
    void *low;
    size_t size;
    void *fake; /* while suspended: the frames that ASan keeps elsewhere */
#elif defined(FIB_TSAN)
    void *fiber;
    bool made; /* by fib_make: fib_drop destroys the fiber */
#endif
};

/* Prepares c to run entry(arg) on the stack [low, low + size), of FIB_LEAST bytes or more, when it
 * is first switched to. entry must not return: it ends in fib_leave. The stack stays the caller's
 * and must live until the context was left or is never resumed again. Whatever c held before must
 * have been dropped. */
void fib_make(struct fib_context *c, void *low, size_t size, void (*entry)(void *arg), void *arg);

/* Prepares c as the context that the calling thread runs in, so that others can be switched to from
 * it and it can be switched back to, on this thread only. */
void fib_adopt(struct fib_context *c);

/* Frees what sanitizers hold for a context that is never resumed again: one that was left, that was
 * suspended and is abandoned, or that never ran. To be called once others run and before its stack
 * is given away; the frames there are forgotten, not unwound. Does nothing for an adopted one. */
void fib_drop(struct fib_context *c);

#if defined(FIB_ASM)
void fib_swap(struct fib_context *from, struct fib_context *to);
#endif

#if defined(FIB_ASM) && !defined(FIB_ASAN) && !defined(FIB_TSAN)
/* Suspends the running context in `from` and goes on in `to`; returns when somebody switches to
 * `from`, maybe on another thread. Nobody may do so before it is suspended, nor is `to` `from`. */
static inline void fib_switch(struct fib_context *from, struct fib_context *to)
{
    fib_swap(from, to);
}

/* Goes on in `to` for good: `from`, the running context, is never resumed. Its stack and what
 * fib_drop frees are in use until `to` runs. */
__attribute__((noreturn)) static inline void fib_leave(struct fib_context *from,
                                                       struct fib_context *to)
{
    fib_swap(from, to);
    __builtin_unreachable();
}
#else
void fib_switch(struct fib_context *from, struct fib_context *to);
__attribute__((noreturn)) void fib_leave(struct fib_context *from, struct fib_context *to);
#endif

/* A place in a function to come back to, like a jmp_buf. */
struct fib_mark {
#if defined(FIB_SETJMP)
    jmp_buf place;
#elif defined(__x86_64__)
    void *reg[8];
#else
    void *reg[21];
#endif
};

/* FIB_MARK(struct fib_mark *m) marks this place: 0 at first, 1 each time fib_back(m) comes back to
 * it. As with setjmp, locals that were changed in between need `volatile`. It is a macro since
 * setjmp can be nothing else; elsewhere it expands to fib_mark(m). */
#if defined(FIB_SETJMP)
#define FIB_MARK(m) _setjmp((m)->place)
#else
#define FIB_MARK(m) fib_mark(m)
int fib_mark(struct fib_mark *m) __attribute__((returns_twice));
#endif

/* Goes back to the mark, once or many times. The function that marked must not have returned, and
 * must have marked in the context that runs now; a signal handler that interrupted it, on whatever
 * stack, may go back too, after it has set the signal mask back itself. The frames between are
 * forgotten, not unwound. */
__attribute__((noreturn)) void fib_back(struct fib_mark *m);

#endif
