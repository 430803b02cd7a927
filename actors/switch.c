/* SPDX-License-Identifier: MIT */
/* switch.c - what of the contexts is not assembly: the first frame, the sanitizers' share, and the
 * portable way for other platforms. */
#undef _FORTIFY_SOURCE /* a fortified longjmp may refuse to leave a signal's stack */
#include "switch.h"

#include <assert.h>
#include <stdint.h>

#if !defined(FIB_ASM)
#include <ucontext.h>
#endif
#if defined(FIB_ASAN)
#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(FIB_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

#if defined(FIB_ASAN)
#define UNWATCHED __attribute__((no_sanitize_address))
#elif defined(FIB_TSAN)
#define UNWATCHED __attribute__((no_sanitize_thread))
#else
#define UNWATCHED
#endif

_Static_assert(offsetof(struct fib_context, sp) == 0, "the assembly looks for sp here");

#if defined(FIB_ASM)

void fib_start(void);

#if defined(__x86_64__)
enum { FRAME = 7, ENTRY = 3, ARG = 2, GO_ON = 6 };
#else
enum { FRAME = 20, ENTRY = 0, ARG = 1, GO_ON = 11 };
#endif

/* Lays out what fib_swap takes off the stack. */
static void first_frame(struct fib_context *c, void *top, void (*entry)(void *), void *arg)
{
    uintptr_t *frame = (uintptr_t *)top - FRAME;
    for (int i = 0; i < FRAME; i++) frame[i] = 0;
    frame[ENTRY] = (uintptr_t)entry;
    frame[ARG] = (uintptr_t)arg;
    frame[GO_ON] = (uintptr_t)fib_start;
    c->sp = frame;
}

#else

/* At the top of a new stack. Later suspensions keep their ucontext_t in the frame of fib_swap. */
struct first {
    ucontext_t place;
    void (*entry)(void *arg);
    void *arg;
};

/* makecontext passes ints only: a pointer travels in two. */
static void start(unsigned high, unsigned low)
{
    struct first *first = (struct first *)(uintptr_t)((uint64_t)high << 32 | low);
    first->entry(first->arg);
}

static void first_frame(struct fib_context *c, void *top, void (*entry)(void *), void *arg)
{
    struct first *first = (struct first *)(((uintptr_t)top - sizeof *first) & ~(uintptr_t)63);
    uint64_t bits = (uintptr_t)first;
    first->entry = entry;
    first->arg = arg;
    getcontext(&first->place);
    first->place.uc_link = NULL;
    /* makecontext takes from these no more than where the top is. */
    first->place.uc_stack.ss_sp = (char *)first - 1024;
    first->place.uc_stack.ss_size = 1024;
    makecontext(&first->place, (void (*)(void))start, 2, (unsigned)(bits >> 32), (unsigned)bits);
    c->sp = &first->place;
}

UNWATCHED static void fib_swap(struct fib_context *from, struct fib_context *to)
{
    ucontext_t here;
    from->sp = &here;
    swapcontext(&here, to->sp);
}

#endif

#if defined(FIB_ASAN)

/* The first frame of a context: tells ASan that the switch has come to its end. */
UNWATCHED static void arrive(void *context)
{
    struct fib_context *c = context;
    __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
    c->entry(c->arg);
}

static void prepare(struct fib_context *c, void *low, size_t size)
{
    c->low = low;
    c->size = size;
    c->fake = NULL;
}

/* Should the thread's stack be unknown, ASan's reports on it suffer, no more. */
void fib_adopt(struct fib_context *c)
{
    pthread_attr_t attr;
    *c = (struct fib_context){0};
    if (pthread_getattr_np(pthread_self(), &attr) != 0) return;
    pthread_attr_getstack(&attr, &c->low, &c->size);
    pthread_attr_destroy(&attr);
}

/* ASan destroys only the fake frames of who leaves: takes c's place for a moment and leaves it. */
UNWATCHED static void drop_fake(struct fib_context *c)
{
    const void *low;
    size_t size;
    void *mine;
    __sanitizer_start_switch_fiber(&mine, c->low, c->size);
    __sanitizer_finish_switch_fiber(c->fake, &low, &size);
    __sanitizer_start_switch_fiber(NULL, low, size);
    __sanitizer_finish_switch_fiber(mine, NULL, NULL);
    c->fake = NULL;
}

/* Frames that are not unwound leave red zones, which who gets the memory next must not meet. */
void fib_drop(struct fib_context *c)
{
    if (!c->entry) return;
    if (c->fake) drop_fake(c);
    __asan_unpoison_memory_region(c->low, c->size);
    c->entry = NULL;
}

UNWATCHED void fib_switch(struct fib_context *from, struct fib_context *to)
{
    __sanitizer_start_switch_fiber(&from->fake, to->low, to->size);
    fib_swap(from, to);
    __sanitizer_finish_switch_fiber(from->fake, NULL, NULL);
    from->fake = NULL;
}

UNWATCHED void fib_leave(struct fib_context *from, struct fib_context *to)
{
    __sanitizer_start_switch_fiber(NULL, to->low, to->size);
    fib_swap(from, to);
    __builtin_unreachable();
}

#elif defined(FIB_TSAN)

static void arrive(void *context)
{
    struct fib_context *c = context;
    c->entry(c->arg);
}

static void prepare(struct fib_context *c, void *low, size_t size)
{
    (void)low, (void)size;
    c->fiber = __tsan_create_fiber(0);
    c->made = true;
}

void fib_adopt(struct fib_context *c)
{
    *c = (struct fib_context){.fiber = __tsan_get_current_fiber()};
}

void fib_drop(struct fib_context *c)
{
    if (c->made) __tsan_destroy_fiber(c->fiber);
    c->made = false;
}

/* TSan's own stack of calls changes with the fiber: its switch stands in the very function that is
 * left here and returned from there. */
UNWATCHED void fib_switch(struct fib_context *from, struct fib_context *to)
{
    __tsan_switch_to_fiber(to->fiber, 0);
    fib_swap(from, to);
}

UNWATCHED void fib_leave(struct fib_context *from, struct fib_context *to)
{
    __tsan_switch_to_fiber(to->fiber, 0);
    fib_swap(from, to);
    __builtin_unreachable();
}

#else

void fib_adopt(struct fib_context *c)
{
    c->sp = NULL;
}

void fib_drop(struct fib_context *c)
{
    c->sp = NULL;
}

#if !defined(FIB_ASM)
void fib_switch(struct fib_context *from, struct fib_context *to)
{
    fib_swap(from, to);
}

void fib_leave(struct fib_context *from, struct fib_context *to)
{
    fib_swap(from, to);
    __builtin_unreachable();
}
#endif
#endif

void fib_make(struct fib_context *c, void *low, size_t size, void (*entry)(void *), void *arg)
{
    assert(low && size >= FIB_LEAST && entry);
    void *top = (void *)(((uintptr_t)low + size) & ~(uintptr_t)15);
#if defined(FIB_ASAN) || defined(FIB_TSAN)
    prepare(c, low, size);
    c->entry = entry;
    c->arg = arg;
    first_frame(c, top, arrive, c);
#else
    first_frame(c, top, entry, arg);
#endif
}

#if defined(FIB_SETJMP)
void fib_back(struct fib_mark *m)
{
#if defined(FIB_ASAN)
    __asan_handle_no_return();
#endif
#if defined(FIB_TSAN)
    longjmp(m->place, 1); /* TSan does not see _longjmp; with glibc both are the same */
#else
    _longjmp(m->place, 1);
#endif
}
#else
__attribute__((noreturn)) void fib_resume(struct fib_mark *m);

void fib_back(struct fib_mark *m)
{
#if defined(FIB_ASAN)
    __asan_handle_no_return();
#endif
    fib_resume(m);
}
#endif
