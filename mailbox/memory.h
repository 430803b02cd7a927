/* SPDX-License-Identifier: MIT */
/* memory.h - where all of the library's memory comes from, so that tests can make any of it
 * fail. */
#ifndef BSK_MEMORY_H
#define BSK_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* Returns n bytes aligned for any type, or NULL. */
void *mem_alloc(size_t n);
/* Returns n zeroed bytes aligned for any type, or NULL. */
void *mem_zalloc(size_t n);
/* Returns n bytes aligned to `align`, a power of two, or NULL. Freed by mem_free. */
void *mem_aligned(size_t align, size_t n);
void mem_free(void *p);
/* Maps `bytes` of zeroed pages, aligned to `align` (a power of two, at least a page), without
 * reserving memory for them; NULL when the system refuses. */
void *mem_map(size_t bytes, size_t align);
void mem_unmap(void *p, size_t bytes);
/* Gives the pages' memory back; they read as zero when touched again. */
void mem_release(void *p, size_t bytes);
/* Returns a copy of the text, or NULL. */
char *mem_text(const char *text);

#if defined(BSK_TESTING)
/* Makes the n-th allocation from now fail (1: the next), and, if `onward`, all after it; 0:
 * none. */
void mem_fail_at(uint64_t n, int onward);
/* Returns how many allocations were asked for since the process began. */
uint64_t mem_asked(void);
/* Returns how many allocations, and mapped bytes, are live. */
int64_t mem_live(void);
int64_t mem_mapped(void);
#endif

#endif
