/* SPDX-License-Identifier: MIT */
/* commands.c - the table of commands. */
#include "commands.h"

#include <ctype.h>

const struct command commands[] = {
    {"get", 2, 0, 1, 1, get_call, NULL},
    {"set", -3, WRITES | GROWS, 1, 1, set_call, NULL},
    {"mget", -2, EACH, 1, -1, mget_call, NULL},
    {"mset", -3, WRITES | GROWS | SAME | PAIRS, 1, -1, mset_call, NULL},
    {"setnx", 3, WRITES | GROWS, 1, 1, setnx_call, NULL},
    {"setex", 4, WRITES | GROWS, 1, 1, setex_call, NULL},
    {"psetex", 4, WRITES | GROWS, 1, 1, psetex_call, NULL},
    {"del", -2, WRITES | SUMS, 1, -1, del_call, NULL},
    {"unlink", -2, WRITES | SUMS, 1, -1, del_call, NULL},
    {"exists", -2, SUMS, 1, -1, exists_call, NULL},
    {"incr", 2, WRITES | GROWS, 1, 1, incr_call, NULL},
    {"decr", 2, WRITES | GROWS, 1, 1, decr_call, NULL},
    {"incrby", 3, WRITES | GROWS, 1, 1, incrby_call, NULL},
    {"decrby", 3, WRITES | GROWS, 1, 1, decrby_call, NULL},
    {"append", 3, WRITES | GROWS, 1, 1, append_call, NULL},
    {"strlen", 2, 0, 1, 1, strlen_call, NULL},
    {"expire", -3, WRITES, 1, 1, expire_call, NULL},
    {"pexpire", -3, WRITES, 1, 1, pexpire_call, NULL},
    {"expireat", -3, WRITES, 1, 1, expireat_call, NULL},
    {"pexpireat", -3, WRITES, 1, 1, pexpireat_call, NULL},
    {"ttl", 2, 0, 1, 1, ttl_call, NULL},
    {"pttl", 2, 0, 1, 1, pttl_call, NULL},
    {"persist", 2, WRITES, 1, 1, persist_call, NULL},
    {"type", 2, 0, 1, 1, type_call, NULL},
    {"keys", 2, EVERYWHERE | JOINS, 0, 0, keys_call, NULL},
    {"scan", -2, CURSOR, 0, 0, scan_call, NULL},
    {"dbsize", 1, EVERYWHERE | SUMS, 0, 0, dbsize_call, NULL},
    {"flushdb", -1, WRITES | EVERYWHERE | SAME, 0, 0, flush_call, NULL},
    {"flushall", -1, WRITES | EVERYWHERE | SAME, 0, 0, flush_call, NULL},
    {"ping", -1, LISTENING, 0, 0, NULL, ping_local},
    {"echo", 2, 0, 0, 0, NULL, echo_local},
    {"hello", -1, NOAUTH, 0, 0, NULL, hello_local},
    {"auth", -2, NOAUTH, 0, 0, NULL, auth_local},
    {"select", 2, 0, 0, 0, NULL, select_local},
    {"quit", -1, NOAUTH | LISTENING | IN_MULTI, 0, 0, NULL, quit_local},
    {"client", -2, 0, 0, 0, NULL, client_local},
    {"command", -1, 0, 0, 0, NULL, command_local},
    {"info", -1, 0, 0, 0, NULL, info_local},
    {"config", -2, 0, 0, 0, NULL, config_local},
    {"subscribe", -2, LISTENING, 0, 0, NULL, subscribe_local},
    {"unsubscribe", -1, LISTENING, 0, 0, NULL, unsubscribe_local},
    {"psubscribe", -2, LISTENING, 0, 0, NULL, psubscribe_local},
    {"punsubscribe", -1, LISTENING, 0, 0, NULL, punsubscribe_local},
    {"publish", 3, 0, 0, 0, NULL, publish_local},
    {"multi", 1, IN_MULTI, 0, 0, NULL, multi_local},
    {"exec", 1, IN_MULTI, 0, 0, NULL, exec_local},
    {"discard", 1, IN_MULTI, 0, 0, NULL, discard_local},
    {"watch", -2, IN_MULTI, 1, -1, NULL, watch_local},
    {"unwatch", 1, 0, 0, 0, NULL, unwatch_local},
    /* Not for clients: asked by WATCH. A name with a blank cannot be found. */
    {" version", 2, 0, 1, 1, version_call, NULL},
};
const unsigned ncommands = sizeof commands / sizeof *commands - 1;

enum { PLACES = 256, NAME_MAX_ = 16 };
static uint8_t places[PLACES]; /* 0: free; else the command's number, and 1 */

static unsigned place_of(const char *name, size_t len)
{
    unsigned h = (unsigned)len;
    for (size_t i = 0; i < len; i++) h = h * 31 + (unsigned char)name[i];
    return h;
}

void commands_init(void)
{
    for (unsigned i = 0; i < ncommands; i++) {
        unsigned p = place_of(commands[i].name, strlen(commands[i].name));
        while (places[p % PLACES]) p++;
        places[p % PLACES] = (uint8_t)(i + 1);
    }
}

const struct command *command_find(struct arg name)
{
    char lower[NAME_MAX_];
    if (name.len >= sizeof lower) return NULL;
    for (uint32_t i = 0; i < name.len; i++) lower[i] = (char)tolower((unsigned char)name.at[i]);
    for (unsigned p = place_of(lower, name.len); places[p % PLACES]; p++) {
        const struct command *c = &commands[places[p % PLACES] - 1];
        if (strlen(c->name) == name.len && memcmp(c->name, lower, name.len) == 0) return c;
    }
    return NULL;
}
