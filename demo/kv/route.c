/* SPDX-License-Identifier: MIT */
/* route.c - which shards execute a command. */
#include "conn.h"

static uint64_t hash_arg(struct arg a)
{
    return hash_of(&kv.secret, a.at, a.len);
}

static unsigned shard_of_hash(uint64_t hash)
{
    return shard_of(hash, kv.options.shards);
}

/* The whole command is for one shard. */
static void order_all(struct conn *c, unsigned shard, uint64_t hash, const struct arg *argv,
                      uint32_t argc)
{
    struct buffer *b = batch_part(c, shard);
    order_begin(b, c->command, c->resp, hash, argc - 1);
    for (uint32_t i = 1; i < argc; i++) order_arg(b, argv[i]);
}

static void next_of(struct conn *c, unsigned shard)
{
    batch_item(c, (struct item){.kind = ITEM_NEXT, .target = shard, .n = 1});
}

static enum item_kind merging(unsigned flags)
{
    return flags & SUMS ? ITEM_SUM : flags & JOINS ? ITEM_JOIN : ITEM_SAME;
}

static void everywhere(struct conn *c, const struct arg *argv, uint32_t argc)
{
    unsigned n = kv.options.shards;
    for (unsigned s = 0; s < n; s++) order_all(c, s, 0, argv, argc);
    batch_item(c, (struct item){.kind = merging(c->command->flags),
                                .mask = n == 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1});
    c->atomic = true;
}

/* Which shard the cursor of SCAN stands for; of one that makes no sense, the first. */
static unsigned cursor_shard(struct arg cursor)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < cursor.len && cursor.len <= 20; i++)
        n = n * 10 + (unsigned char)cursor.at[i] - '0';
    return (unsigned)(n % kv.options.shards);
}

/* Keys of several shards: each is sent its own, in the order that they were named. */
struct split {
    uint64_t mask;
    uint32_t counts[SHARDS_MAX];
};

static struct split split_keys(const struct arg *argv, uint32_t argc, uint32_t step)
{
    struct split s = {0};
    for (uint32_t i = 1; i < argc; i += step) {
        unsigned shard = shard_of_hash(hash_arg(argv[i]));
        s.mask |= UINT64_C(1) << shard;
        s.counts[shard] += step;
    }
    return s;
}

static void order_split(struct conn *c, struct split *s, const struct arg *argv, uint32_t argc,
                        uint32_t step)
{
    for (uint32_t i = 1; i < argc; i += step) {
        uint64_t hash = hash_arg(argv[i]);
        unsigned shard = shard_of_hash(hash);
        struct buffer *b = batch_part(c, shard);
        /* The hash is that of the first key only. */
        if (s->counts[shard]) order_begin(b, c->command, c->resp, hash, s->counts[shard]);
        s->counts[shard] = 0;
        for (uint32_t k = 0; k < step; k++) order_arg(b, argv[i + k]);
    }
}

/* A key of several is asked for as if it were the only one. */
static void ask_each(struct conn *c, const struct arg *argv, uint32_t argc)
{
    static const struct command *get;
    if (!get) get = command_find((struct arg){"get", 3});
    c->command = get;
    reply_array(conn_reply(c), argc - 1);
    for (uint32_t i = 1; i < argc; i++) {
        uint64_t hash = hash_arg(argv[i]);
        unsigned shard = shard_of_hash(hash);
        order_begin(batch_part(c, shard), get, c->resp, hash, 1);
        order_arg(batch_part(c, shard), argv[i]);
        next_of(c, shard);
    }
    c->atomic = true;
}

static void by_keys(struct conn *c, const struct arg *argv, uint32_t argc)
{
    uint32_t step = c->command->flags & PAIRS ? 2 : 1;
    if (step == 2 && argc % 2 == 0) {
        reply_error(conn_reply(c), "ERR wrong number of arguments for '%s' command",
                    c->command->name);
        return;
    }
    struct split s = split_keys(argv, argc, step);
    if ((s.mask & (s.mask - 1)) == 0) {
        unsigned shard = (unsigned)__builtin_ctzll(s.mask);
        order_all(c, shard, hash_arg(argv[1]), argv, argc);
        next_of(c, shard);
    } else if (c->command->flags & EACH) {
        ask_each(c, argv, argc);
    } else {
        order_split(c, &s, argv, argc, step);
        batch_item(c, (struct item){.kind = merging(c->command->flags), .mask = s.mask});
        c->atomic = true;
    }
}

/* The store has no room for such keys, so there are none. */
static bool has_long_key(const struct command *command, const struct arg *argv, uint32_t argc)
{
    uint32_t last = command->last < 0 ? argc - 1 : (uint32_t)command->last;
    uint32_t step = command->flags & PAIRS ? 2 : 1;
    if (!(command->flags & GROWS)) return false;
    for (uint32_t i = 1; i <= last && i < argc; i += step)
        if (argv[i].len > KEY_MAX) return true;
    return false;
}

static void route(struct conn *c, const struct arg *argv, uint32_t argc)
{
    if (has_long_key(c->command, argv, argc)) {
        reply_error(conn_reply(c), "ERR key is longer than %d bytes", KEY_MAX);
    } else if (c->command->flags & EVERYWHERE) {
        everywhere(c, argv, argc);
    } else if (c->command->last < 0) {
        by_keys(c, argv, argc);
    } else {
        uint64_t hash = c->command->first ? hash_arg(argv[1]) : 0;
        unsigned shard = c->command->flags & CURSOR ? cursor_shard(argv[1]) : shard_of_hash(hash);
        order_all(c, shard, hash, argv, argc);
        next_of(c, shard);
    }
}

void conn_do(struct conn *c, const struct command *command, const struct arg *argv, uint32_t argc)
{
    c->command = command;
    if (command->local)
        command->local(c, argv, argc);
    else
        route(c, argv, argc);
}
