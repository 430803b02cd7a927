/* SPDX-License-Identifier: MIT */
#include "cores.h"

#if defined(__linux__)
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

/* The quota of a cgroup (version 2), in whole processors, rounded up; 0: none. */
static unsigned cgroup_quota(void)
{
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "r");
    unsigned long quota = 0, period = 0;
    if (!f) return 0;
    int got = fscanf(f, "%lu %lu", &quota, &period);
    fclose(f);
    return got == 2 && period ? (unsigned)((quota + period - 1) / period) : 0;
}

unsigned cores_allowed(void)
{
    cpu_set_t set;
    unsigned n = sched_getaffinity(0, sizeof set, &set) ? 1 : (unsigned)CPU_COUNT(&set);
    unsigned quota = cgroup_quota();
    return quota && quota < n ? quota : n;
}

/* Lines of cores come first, each "cpuN user nice system idle ...", after that of their sum. */
static uint64_t idle_ticks(FILE *f, const cpu_set_t *set)
{
    unsigned long long idle;
    uint64_t sum = 0;
    unsigned cpu;
    if (fscanf(f, "cpu %*[^\n]\n") < 0) return 0;
    while (fscanf(f, "cpu%u %*u %*u %*u %llu %*[^\n]\n", &cpu, &idle) == 2)
        if (cpu < CPU_SETSIZE && CPU_ISSET(cpu, set)) sum += idle;
    return sum;
}

bool cores_idle(uint64_t *ns)
{
    cpu_set_t set;
    long per_second = sysconf(_SC_CLK_TCK);
    if (per_second <= 0 || sched_getaffinity(0, sizeof set, &set)) return false;
    FILE *f = fopen("/proc/stat", "r");
    if (!f) return false;
    uint64_t ticks = idle_ticks(f, &set);
    fclose(f);
    if (ticks) *ns = ticks * (UINT64_C(1000000000) / (uint64_t)per_second);
    return ticks;
}
#else
#include <uv.h>

unsigned cores_allowed(void)
{
    uv_cpu_info_t *info;
    int n = 1;
    if (uv_cpu_info(&info, &n) == 0) uv_free_cpu_info(info, n);
    return n > 0 ? (unsigned)n : 1;
}

bool cores_idle(uint64_t *ns)
{
    uv_cpu_info_t *info;
    uint64_t ms = 0;
    int n;
    if (uv_cpu_info(&info, &n)) return false;
    for (int i = 0; i < n; i++) ms += info[i].cpu_times.idle;
    uv_free_cpu_info(info, n);
    *ns = ms * 1000000;
    return true;
}
#endif
