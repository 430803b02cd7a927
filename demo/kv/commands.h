/* SPDX-License-Identifier: MIT */
/* commands.h - what clients can say. */
#ifndef KV_COMMANDS_H
#define KV_COMMANDS_H

#include "keyspace.h"
#include "reply.h"

struct conn;

/* A command as a shard executes it. */
struct call {
    struct keyspace *ks;
    const struct command *command;
    struct arg *argv;
    uint32_t argc;
    int resp;
    uint64_t hash;    /* of argv[1], if that is a key */
    int64_t now;      /* ms since 1970 */
    uint64_t durable; /* the version of the keyspace that is on disk */
    bool waits;       /* the answer tells of what is not on disk yet */
    unsigned shard, shards;
    struct buffer *out;    /* the answer */
    struct buffer *writes; /* for the store; NULL: there is none */
};

enum command_flags {
    WRITES = 1,       /* changes keys */
    GROWS = 2,        /* may need more memory */
    NOAUTH = 4,       /* before a password was given */
    LISTENING = 8,    /* also by a client of RESP2 that has subscribed */
    IN_MULTI = 16,    /* is executed between MULTI and EXEC, not queued */
    SUMS = 32,        /* of several shards: the answers are added, */
    SAME = 64,        /* or one stands for all, */
    JOINS = 128,      /* or they are arrays to be put behind each other, */
    EACH = 256,       /* or each key is asked for by itself (as GET) */
    EVERYWHERE = 512, /* of all shards */
    PAIRS = 1024,     /* keys and values in turn */
    CURSOR = 2048     /* its cursor says which shard */
};

typedef void call_fn(struct call *c);
typedef void local_fn(struct conn *c, const struct arg *argv, uint32_t argc);

struct command {
    const char *name;
    int arity; /* with the name; negative: at least */
    unsigned flags;
    int first, last; /* arguments that are keys; 0: none; last -1: to the end */
    call_fn *call;   /* by the shard of the key; or */
    local_fn *local; /* by the connection */
};

extern const struct command commands[];
extern const unsigned ncommands;

/* Prepares the look-up; once, before any. */
void commands_init(void);
/* Returns the command of that name, in whatever case, or NULL. */
const struct command *command_find(struct arg name);

call_fn get_call, mget_call, set_call, mset_call, setnx_call, setex_call, psetex_call, incr_call,
    decr_call, incrby_call, decrby_call, append_call, strlen_call, del_call, exists_call, type_call,
    keys_call, scan_call, dbsize_call, flush_call, expire_call, pexpire_call, expireat_call,
    pexpireat_call, ttl_call, pttl_call, persist_call, version_call;

local_fn ping_local, echo_local, hello_local, auth_local, select_local, quit_local, client_local,
    command_local, info_local, config_local, subscribe_local, unsubscribe_local, psubscribe_local,
    punsubscribe_local, publish_local, multi_local, exec_local, discard_local, watch_local,
    unwatch_local;

/* Looks a key up; what has expired goes first. As keyspace_find. */
struct entry **call_find(struct call *c, uint64_t hash, struct arg key);
uint64_t call_hash(const struct call *c, uint32_t arg);
/* Called before each key of a command that has many, at every `step`th argument: has the next ones
 * fetched, many at a time. */
enum { CALL_AHEAD = 16 };
void call_ahead(const struct call *c, uint32_t arg, uint32_t step);
/* Has the entry, as it is now, written to the store. */
void call_put(struct call *c, struct entry *e);
/* Removes an entry, from the store too. */
void call_remove(struct call *c, struct entry **place);
/* Checks that the key is none, or sets *n to its number. False: has answered. */
bool call_number(struct call *c, struct arg a, int64_t *n);
/* Adds to a time that is given in seconds or ms, from now on or since 1970. False: has answered. */
bool call_time(struct call *c, int64_t given, bool seconds, bool relative, int64_t *ms);
void call_nomem(struct call *c);

#endif
