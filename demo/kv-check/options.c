/* SPDX-License-Identifier: MIT */
/* options.c - the command line. */
#define _DEFAULT_SOURCE 1
#include "options.h"

#include "../common/command.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

const char *const command_name = "kv-check";

static const char help[] =
    "usage: kv-check [options]\n"
    "\n"
    "A client that knows each write that a server of the Redis protocol has acknowledged\n"
    "to it, and checks each answer against that: also when the server fails, refuses, ends\n"
    "and comes back meanwhile. What was under way then may have been done or not; nothing\n"
    "else may differ. Built with Buskin: a fiber a connection.\n"
    "\n"
    "  -p, --port N         where the server listens (default 6379)\n"
    "  -H, --host NAME      (default 127.0.0.1)\n"
    "  -c, --connections N  at once (default 8)\n"
    "  -s, --seconds S      how long to write and read (default 5)\n"
    "  -k, --keys K         of each connection (default 100)\n"
    "  -P, --pipeline D     requests at once, at most, in a connection (default 16)\n"
    "  -S, --seed N         of what is asked for (default: by the clock)\n"
    "  -l, --least N        writes that must have been acknowledged (default 20 a connection)\n"
    "  -e, --patience S     how long to wait for a server that does not answer in the end\n"
    "                       (default 30)\n"
    "  -w, --workers N      loops that run the connections (default 1)\n"
    "  -q, --quiet          print the verdict only\n"
    "  -h, --help           show this help\n"
    "\n"
    "SIGUSR1 ends the writing at once; then all is verified. Exit status: 0 if no\n"
    "acknowledged write was lost and no answer was wrong; 1 if not, or if too little was\n"
    "acknowledged to say so; 2 if the command line makes no sense.\n";

static const struct option longs[] = {{"port", required_argument, NULL, 'p'},
                                      {"host", required_argument, NULL, 'H'},
                                      {"connections", required_argument, NULL, 'c'},
                                      {"seconds", required_argument, NULL, 's'},
                                      {"keys", required_argument, NULL, 'k'},
                                      {"pipeline", required_argument, NULL, 'P'},
                                      {"seed", required_argument, NULL, 'S'},
                                      {"least", required_argument, NULL, 'l'},
                                      {"patience", required_argument, NULL, 'e'},
                                      {"workers", required_argument, NULL, 'w'},
                                      {"quiet", no_argument, NULL, 'q'},
                                      {"help", no_argument, NULL, 'h'},
                                      {NULL, 0, NULL, 0}};

static int64_t ms_from(const char *text)
{
    char *end;
    double s = strtod(text, &end);
    if (end == text || *end || !(s >= 0 && s <= 1000000))
        command_refuse("not a time in seconds", text);
    return (int64_t)(s * 1000);
}

static void read_one(struct options *o, int option)
{
    switch (option) {
    case 'p': o->port = (int)command_number(optarg, 65535); break;
    case 'H': o->host = optarg; break;
    case 'c': o->connections = (unsigned)command_number(optarg, 10000); break;
    case 's': o->load_ms = ms_from(optarg); break;
    case 'k': o->keys = (unsigned)command_number(optarg, 100000); break;
    case 'P': o->pipeline = (unsigned)command_number(optarg, 500); break;
    case 'S': o->seed = (uint64_t)command_number(optarg, INT64_MAX); break;
    case 'l': o->least = (uint64_t)command_number(optarg, INT64_MAX); break;
    case 'e': o->patience_ms = ms_from(optarg); break;
    case 'w': o->workers = (unsigned)command_number(optarg, 1024); break;
    case 'q': o->quiet = true; break;
    case 'h': fputs(help, stdout); exit(0);
    default: command_refuse(NULL, NULL);
    }
}

static uint64_t seed_by_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return ((uint64_t)now.tv_sec * 1000000007 + (uint64_t)now.tv_nsec) % 1000000 + 1;
}

void options_read(struct options *o, int argc, char **argv)
{
    int option;
    *o = (struct options){.host = "127.0.0.1",
                          .port = 6379,
                          .connections = 8,
                          .keys = 100,
                          .pipeline = 16,
                          .workers = 1,
                          .load_ms = 5000,
                          .patience_ms = 30000};
    while ((option = getopt_long(argc, argv, "p:H:c:s:k:P:S:l:e:w:qh", longs, NULL)) != -1)
        read_one(o, option);
    if (optind < argc) command_refuse("not an option", argv[optind]);
    if (!o->seed) o->seed = seed_by_clock();
    if (!o->least) o->least = 20 * (uint64_t)o->connections;
}
