/* SPDX-License-Identifier: MIT */
/* options.c - the command line. */
#define _DEFAULT_SOURCE 1
#include "options.h"

#include "../common/command.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const command_name = "buskin-restart";

static const char help[] =
    "usage: buskin-restart [options]\n"
    "       buskin-restart --scenario NAME|all [--seed N]\n"
    "\n"
    "A small shop, built with Buskin, that you can do harm to. Customers place orders;\n"
    "intake accepts them, three workers check them, a ledger books them in a journal,\n"
    "a notifier tells the customers and sends couriers. Supervisors watch over all of\n"
    "them and start again who ends. Choose somebody by number and press a key: the\n"
    "tree shows who falls and who starts again, the log below it says why. No order\n"
    "gets lost, and none is booked twice.\n"
    "\n"
    "  -p, --plain          print lines, no picture; the default if no terminal\n"
    "  -s, --script KEYS    press keys at given times: \"1:c +0.5:8k 9:q\" presses c\n"
    "                       after 1 s, 8 and k half a second later, q after 9 s;\n"
    "                       @FILE reads them from a file\n"
    "  -t, --seconds N      quit after N seconds\n"
    "  -w, --workers N      loops that run actors (default 2)\n"
    "  -S, --scenario NAME  play one scenario, or all, and check what comes of it\n"
    "      --seed N         play it in virtual time, the same for the same N\n"
    "  -l, --list           list the scenarios\n"
    "  -h, --help           show this help\n"
    "  -V, --version        show the version\n"
    "\n"
    "Keys: 1 to 9 and 0, or the arrows, choose whom the others are meant for.\n"
    "  c  it fails (bsk_fail)           k  it is killed, with all below it\n"
    "  n  it writes through null        x  it is stopped so, or started again\n"
    "  o  it runs over its stack        s  it fails until its supervisor gives up\n"
    "  a  it fails an assert            d  an order comes that hangs, and is cancelled\n"
    "  h  it hangs                      r  the shop, if it is gone, is opened again\n"
    "  f  it is flooded with messages   q  the shop is closed, in order\n"
    "\n"
    "Exit status: 0 if no order was lost or booked twice and, in scenarios, all went\n"
    "as it should; 1 if not; 2 if the command line makes no sense.\n";

static const struct option longs[] = {
    {"plain", no_argument, NULL, 'p'},          {"script", required_argument, NULL, 's'},
    {"seconds", required_argument, NULL, 't'},  {"workers", required_argument, NULL, 'w'},
    {"scenario", required_argument, NULL, 'S'}, {"seed", required_argument, NULL, 'e'},
    {"list", no_argument, NULL, 'l'},           {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},        {NULL, 0, NULL, 0}};

static void show_version(void)
{
    printf("buskin-restart %d.%d.%d\n", BSK_VERSION_MAJOR, BSK_VERSION_MINOR, BSK_VERSION_PATCH);
    exit(0);
}

static void show_list(void)
{
    for (const struct scenario *sc = scenarios; sc->name; sc++)
        printf("%-13s %s\n", sc->name, sc->about);
    exit(0);
}

static void show_help(void)
{
    fputs(help, stdout);
    exit(0);
}

static void read_scenario(struct options *o, const char *name)
{
    const struct scenario *sc = scenarios;
    while (sc->name && strcmp(sc->name, name) != 0) sc++;
    o->all = strcmp(name, "all") == 0;
    if (!o->all && !sc->name) command_refuse("no such scenario; --list shows them", name);
    o->scenario = sc;
}

static void read_script(struct options *o, const char *text)
{
    const char *wrong = text;
    if (!script_read(&o->script, text, &wrong))
        command_refuse("not TIME:KEYS, or not readable", wrong);
}

static void read_one(struct options *o, int option)
{
    switch (option) {
    case 'p': o->plain = true; break;
    case 's': read_script(o, optarg); break;
    case 't': o->seconds = command_number(optarg, 1000000); break;
    case 'w': o->workers = (unsigned)command_number(optarg, 1024); break;
    case 'S': read_scenario(o, optarg); break;
    case 'e': o->seed = (uint64_t)command_number(optarg, INT64_MAX); break;
    case 'l': show_list(); break;
    case 'h': show_help(); break;
    case 'V': show_version(); break;
    default: command_refuse(NULL, NULL);
    }
}

void options_read(struct options *o, int argc, char **argv)
{
    int option;
    memset(o, 0, sizeof *o);
    o->workers = 2;
    while ((option = getopt_long(argc, argv, "ps:t:w:S:lhV", longs, NULL)) != -1)
        read_one(o, option);
    if (optind < argc) command_refuse("not an option", argv[optind]);
    if (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO)) o->plain = true;
}
