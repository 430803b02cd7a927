/* SPDX-License-Identifier: MIT */
/* tsan.c - linked to every program that is built with ThreadSanitizer: it sees what libuv closes.
 *
 * The sanitizer takes a descriptor for a thing that is made and closed by the C library's calls, and
 * orders who uses it after who made it. libuv closes by a system call of its own: then the number
 * comes again, and what one thread does with the new one looks unordered with what another did with
 * the old one. Here that system call passes by what tells the sanitizer. */
#include <dlfcn.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The sanitizer's; only clang has a header that says so. */
void __sanitizer_syscall_pre_impl_close(long fd);

typedef long call(long, long, long, long, long, long, long);

static call *pass_on;

static __attribute__((constructor)) void find(void)
{
    *(void **)&pass_on = dlsym(RTLD_NEXT, "syscall");
}

long syscall(long number, ...)
{
    long a[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++) a[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_close) __sanitizer_syscall_pre_impl_close(a[0]);
    return pass_on(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
