/* SPDX-License-Identifier: MIT */
/* options.c - the command line. */
#define _DEFAULT_SOURCE 1
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <buskin.h>

#include "bounds.h"

static const char help[] =
    "usage: buskin-kv [options]\n"
    "\n"
    "A server of keys and values, built with Buskin, that speaks the Redis protocol: use\n"
    "redis-cli, redis-benchmark or any client. What it has acknowledged is on disk. A part\n"
    "of it that fails is started again while the others go on; --chaos makes them fail.\n"
    "\n"
    "  -p, --port N            listen on this TCP port (default 6379; 0: any, which is\n"
    "                          printed)\n"
    "  -b, --bind ADDRESS      listen on this address (default 127.0.0.1)\n"
    "  -u, --unix PATH         listen on a unix socket instead\n"
    "  -d, --dir PATH          keep the data here (default buskin-kv.data)\n"
    "  -D, --durability HOW    group: answer a write when it is on disk, many of them in one\n"
    "                          commit (default); each: a commit for each request; everysec:\n"
    "                          when the system has it, which may lose the last two seconds'\n"
    "                          if the machine fails; none: keep all in memory, write nothing\n"
    "  -w, --workers N         loops that run actors (default: cores, at most 64)\n"
    "  -s, --shards N          parts that the keys are divided into (default: as workers)\n"
    "  -a, --requirepass WORD  clients must give this password; -a @FILE reads it from a file\n"
    "  -c, --max-clients N     connections at once (default 10000)\n"
    "  -m, --memory BYTES      of keys and buffers, with k, m or g behind it; writes that need\n"
    "                          more are refused (default: no limit)\n"
    "      --store-max BYTES   the largest that the file on disk may grow (default 64g)\n"
    "  -q, --queue N           requests that may wait for a shard; more are told -BUSY\n"
    "                          (default 16384)\n"
    "  -t, --timeout SECONDS   close a connection that is idle for that long (default: never)\n"
    "  -C, --chaos RATE        commit faults, so many a second: crash, kill and hang parts of\n"
    "                          the service (default 0)\n"
    "  -S, --seed N            of chaos\n"
    "  -h, --help              show this help\n"
    "  -V, --version           show the version\n"
    "\n"
    "Try:  buskin-kv --chaos 5 &  redis-cli set greeting hello;  redis-cli info buskin\n"
    "\n"
    "SIGTERM and SIGINT end it: what was taken is answered and written. Exit status: 0; 1 if\n"
    "it could not start, or had to give up; 2 if the command line makes no sense.\n";

enum { STORE_MAX = 1000 };
static const struct option longs[] = {{"port", required_argument, NULL, 'p'},
                                      {"bind", required_argument, NULL, 'b'},
                                      {"unix", required_argument, NULL, 'u'},
                                      {"dir", required_argument, NULL, 'd'},
                                      {"durability", required_argument, NULL, 'D'},
                                      {"workers", required_argument, NULL, 'w'},
                                      {"shards", required_argument, NULL, 's'},
                                      {"requirepass", required_argument, NULL, 'a'},
                                      {"max-clients", required_argument, NULL, 'c'},
                                      {"memory", required_argument, NULL, 'm'},
                                      {"store-max", required_argument, NULL, STORE_MAX},
                                      {"queue", required_argument, NULL, 'q'},
                                      {"timeout", required_argument, NULL, 't'},
                                      {"chaos", required_argument, NULL, 'C'},
                                      {"seed", required_argument, NULL, 'S'},
                                      {"help", no_argument, NULL, 'h'},
                                      {"version", no_argument, NULL, 'V'},
                                      {NULL, 0, NULL, 0}};

const char *const durability_names[] = {"none", "everysec", "group", "each"};

static void refuse(const char *what, const char *given)
{
    fprintf(stderr, "buskin-kv: %s: %s\nTry 'buskin-kv --help'.\n", given, what);
    exit(2);
}

static int64_t number_from(const char *text, int64_t least, int64_t most)
{
    char *end;
    errno = 0;
    int64_t n = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || n < least || n > most)
        refuse("not a number in range", text);
    return n;
}

static uint64_t bytes_from(const char *text)
{
    char *end;
    errno = 0;
    uint64_t n = strtoull(text, &end, 10), unit = 1;
    if (*end == 'k' || *end == 'K') unit = UINT64_C(1) << 10;
    if (*end == 'm' || *end == 'M') unit = UINT64_C(1) << 20;
    if (*end == 'g' || *end == 'G') unit = UINT64_C(1) << 30;
    if (errno || end == text || *text == '-' || end[unit > 1] || n > UINT64_MAX / 2 / unit)
        refuse("not a number of bytes", text);
    return n * unit;
}

static double rate_from(const char *text)
{
    char *end;
    double rate = strtod(text, &end);
    if (end == text || *end || !(rate >= 0 && rate <= 1000)) refuse("not a rate up to 1000", text);
    return rate;
}

static enum durability durability_from(const char *text)
{
    for (int i = DURABLE_NONE; i <= DURABLE_EACH; i++)
        if (strcmp(text, durability_names[i]) == 0) return (enum durability)i;
    refuse("is none of none, everysec, group, each", text);
    return DURABLE_NONE;
}

/* The first line of a file, so that a password need not stand in the list of processes. */
static const char *password_from(const char *text)
{
    static char line[512];
    if (*text != '@') return text;
    FILE *f = fopen(text + 1, "r");
    if (!f || !fgets(line, sizeof line, f)) refuse("not readable", text + 1);
    fclose(f);
    line[strcspn(line, "\r\n")] = '\0';
    return line;
}

static void show_version(void)
{
    printf("buskin-kv %d.%d.%d\n", BSK_VERSION_MAJOR, BSK_VERSION_MINOR, BSK_VERSION_PATCH);
    exit(0);
}

static void show_help(void)
{
    fputs(help, stdout);
    exit(0);
}

static void read_one(struct options *o, int option)
{
    switch (option) {
    case 'p': o->port = (int)number_from(optarg, 0, 65535); break;
    case 'b': o->bind = optarg; break;
    case 'u': o->unix_path = optarg; break;
    case 'd': o->dir = optarg; break;
    case 'D': o->durability = durability_from(optarg); break;
    case 'w': o->workers = (unsigned)number_from(optarg, 1, 1024); break;
    case 's': o->shards = (unsigned)number_from(optarg, 1, SHARDS_MAX); break;
    case 'a': o->password = password_from(optarg); break;
    case 'c': o->max_clients = (unsigned)number_from(optarg, 1, 1000000); break;
    case 'm': o->memory = bytes_from(optarg); break;
    case STORE_MAX: o->store = bytes_from(optarg); break;
    case 'q': o->queue = (unsigned)number_from(optarg, 1, BSK_MAILBOX_MAX); break;
    case 't': o->idle_ms = number_from(optarg, 0, 1000000) * 1000; break;
    case 'C': o->chaos = rate_from(optarg); break;
    case 'S': o->seed = (uint64_t)number_from(optarg, 1, INT64_MAX); break;
    case 'h': show_help(); break;
    case 'V': show_version(); break;
    default: fputs("Try 'buskin-kv --help'.\n", stderr); exit(2);
    }
}

static unsigned cores(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > SHARDS_MAX ? SHARDS_MAX : (unsigned)n;
}

void options_read(struct options *o, int argc, char **argv)
{
    int option;
    *o = (struct options){.bind = "127.0.0.1",
                          .dir = "buskin-kv.data",
                          .port = 6379,
                          .workers = cores(),
                          .max_clients = 10000,
                          .queue = 16384,
                          .durability = DURABLE_GROUP,
                          .store = UINT64_C(64) << 30};
    while ((option = getopt_long(argc, argv, "p:b:u:d:D:w:s:a:c:m:q:t:C:S:hV", longs, NULL)) != -1)
        read_one(o, option);
    if (optind < argc) refuse("not an option", argv[optind]);
    if (!o->shards) o->shards = o->workers > SHARDS_MAX ? SHARDS_MAX : o->workers;
}
