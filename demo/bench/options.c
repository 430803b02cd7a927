/* SPDX-License-Identifier: MIT */
/* options.c - the command line. */
#define _DEFAULT_SOURCE 1
#include "options.h"

#include "../common/command.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const command_name = "buskin-bench";

static const char help[] =
    "usage: buskin-bench [options] [WORKLOAD ...]\n"
    "       buskin-bench [--workers N] echo PORT\n"
    "\n"
    "Measures the actor runtime Buskin on this machine: how fast messages, actors, calls and "
    "timers\n"
    "are, and how much memory they take. Without a WORKLOAD all of them run, which takes minutes.\n"
    "The second form serves a TCP echo for clients that measure it, until SIGTERM.\n"
    "\n"
    "  -w, --workers N      loops that run actors (default 2)\n"
    "  -r, --repeat N       runs of each workload; median, least and most are shown (default 7)\n"
    "  -n, --n N            size of the work, instead of each workload's own; see --list\n"
    "  -j, --json           one JSON object a line for each workload\n"
    "  -c, --compare FILE   also show how much better this is than an earlier --json run\n"
    "      --no-touch       do not touch fresh memory first\n"
    "  -l, --list           list the workloads\n"
    "  -h, --help           show this help\n"
    "  -V, --version        show the version\n"
    "\n"
    "Each run checks its result. Exit status: 0, 1 if a result was wrong, 2 if the command was.\n"
    "\n"
    "  buskin-bench pingpong ask                    two of them\n"
    "  buskin-bench --json > before                 keep the figures,\n"
    "  buskin-bench --compare before                change something, and compare\n";

static const struct option longs[] = {
    {"workers", required_argument, NULL, 'w'}, {"repeat", required_argument, NULL, 'r'},
    {"n", required_argument, NULL, 'n'},       {"json", no_argument, NULL, 'j'},
    {"compare", required_argument, NULL, 'c'}, {"no-touch", no_argument, NULL, 'T'},
    {"list", no_argument, NULL, 'l'},          {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},       {NULL, 0, NULL, 0}};

static void show(const char *text)
{
    fputs(text, stdout);
    exit(0);
}

static void show_version(void)
{
    printf("buskin-bench %d.%d.%d\n", BSK_VERSION_MAJOR, BSK_VERSION_MINOR, BSK_VERSION_PATCH);
    exit(0);
}

static void show_list(void)
{
    printf("%-15s %9s  %-13s %s\n", "workload", "n", "unit", "what");
    for (const struct workload *w = workloads; w->name; w++)
        printf("%-15s %9" PRId64 "  %-13s %s\n", w->name, w->n, w->unit, w->about);
    exit(0);
}

static const char *readable(const char *path)
{
    if (access(path, R_OK) < 0) command_refuse("cannot be read", path);
    return path;
}

static void read_one(struct options *o, int option)
{
    switch (option) {
    case 'w': o->workers = command_number(optarg, 1024); break;
    case 'r': o->repeat = command_number(optarg, REPEAT_MAX); break;
    case 'n': o->n = command_number(optarg, 1000000000); break;
    case 'j': o->json = true; break;
    case 'c': o->compare = readable(optarg); break;
    case 'T': o->no_touch = true; break;
    case 'l': show_list(); break;
    case 'h': show(help); break;
    case 'V': show_version(); break;
    default: command_refuse(NULL, NULL);
    }
}

static void choose(struct options *o, const struct workload *w)
{
    if (o->nchosen < WORKLOADS_MAX) o->chosen[o->nchosen++] = w;
}

void options_read(struct options *o, int argc, char **argv)
{
    int option;
    *o = (struct options){.workers = 2, .repeat = 7};
    while ((option = getopt_long(argc, argv, "w:r:n:jc:lhV", longs, NULL)) != -1)
        read_one(o, option);
    if (optind + 2 == argc && strcmp(argv[optind], "echo") == 0) {
        o->echo_port = (int)command_number(argv[optind + 1], 65535);
        return;
    }
    for (int i = optind; i < argc; i++) {
        const struct workload *w = workload_find(argv[i]);
        if (!w) command_refuse("no such workload; --list shows them", argv[i]);
        choose(o, w);
    }
    if (o->nchosen > 0) return;
    for (const struct workload *w = workloads; w->name; w++) choose(o, w);
}
