/* SPDX-License-Identifier: MIT */
#include "memory.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(BSK_TESTING)

static _Atomic uint64_t asked, fail_from, fail_to;
static _Atomic int64_t live, mapped;

/* Counters of a test build: relaxed, since each stands for itself. */
static int refuse(void)
{
    uint64_t n = atomic_fetch_add_explicit(&asked, 1, memory_order_relaxed) + 1;
    return n >= atomic_load_explicit(&fail_from, memory_order_relaxed) &&
           n <= atomic_load_explicit(&fail_to, memory_order_relaxed);
}

static void *count(void *p)
{
    if (p) atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    return p;
}

static void uncount(const void *p)
{
    if (p) atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
}

static void count_map(int64_t bytes)
{
    atomic_fetch_add_explicit(&mapped, bytes, memory_order_relaxed);
}

void mem_fail_at(uint64_t n, int onward)
{
    uint64_t first = atomic_load_explicit(&asked, memory_order_relaxed) + n;
    atomic_store_explicit(&fail_from, n ? first : 1, memory_order_relaxed);
    atomic_store_explicit(&fail_to, n ? (onward ? UINT64_MAX : first) : 0, memory_order_relaxed);
}

uint64_t mem_asked(void)
{
    return atomic_load_explicit(&asked, memory_order_relaxed);
}

int64_t mem_live(void)
{
    return atomic_load_explicit(&live, memory_order_relaxed);
}

int64_t mem_mapped(void)
{
    return atomic_load_explicit(&mapped, memory_order_relaxed);
}

#else
#define refuse() 0
#define count(p) (p)
#define uncount(p) ((void)(p))
#define count_map(bytes) ((void)(bytes))
#endif

void *mem_alloc(size_t n)
{
    return refuse() ? NULL : count(malloc(n));
}

void *mem_zalloc(size_t n)
{
    return refuse() ? NULL : count(calloc(1, n));
}

void *mem_aligned(size_t align, size_t n)
{
    size_t padded = (n + align - 1) & ~(align - 1);
    if (padded < n || refuse()) return NULL;
    return count(aligned_alloc(align, padded));
}

void mem_free(void *p)
{
    uncount(p);
    free(p);
}

void *mem_map(size_t bytes, size_t align)
{
    assert((align & (align - 1)) == 0);
    size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (bytes + page - 1) & ~(page - 1);
    size_t want = whole + align;
    if (whole < bytes || want < whole || refuse()) return NULL;
    char *p = mmap(NULL, want, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    if (p == MAP_FAILED) return NULL;
    size_t head = (align - ((uintptr_t)p & (align - 1))) & (align - 1);
    if (head) munmap(p, head);
    if (align > head) munmap(p + head + whole, align - head);
    count_map((int64_t)bytes);
    return p + head;
}

void mem_unmap(void *p, size_t bytes)
{
    if (!p) return;
    munmap(p, bytes);
    count_map(-(int64_t)bytes);
}

void mem_release(void *p, size_t bytes)
{
    madvise(p, bytes, MADV_DONTNEED);
}

char *mem_text(const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = mem_alloc(n);
    if (copy) memcpy(copy, text, n);
    return copy;
}
