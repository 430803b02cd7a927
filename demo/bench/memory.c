/* SPDX-License-Identifier: MIT */
/* memory.c - see memory.h. */
#define _DEFAULT_SOURCE 1
#include "memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

void memory_touch(unsigned gigabytes)
{
    size_t page = sysconf(_SC_PAGESIZE), half = sysconf(_SC_AVPHYS_PAGES) / 2 * page;
    size_t n = (size_t)gigabytes << 30;
    if (n > half) n = half;
    char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return; /* then the first run pays for it */
    madvise(p, n, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < n; i += page) p[i] = 1;
    munmap(p, n);
}

int64_t memory_resident(void)
{
    int64_t size, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f) return 0;
    if (fscanf(f, "%" SCNd64 " %" SCNd64, &size, &resident) != 2) resident = 0;
    fclose(f);
    return resident * sysconf(_SC_PAGESIZE);
}
