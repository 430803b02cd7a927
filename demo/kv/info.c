/* SPDX-License-Identifier: MIT */
/* info.c - INFO and CONFIG GET. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "conn.h"
#include "glob.h"
#include "tree.h"

static void say(struct buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct buffer *b, const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    buffer_text(b, line);
    buffer_text(b, "\r\n");
}

static uint64_t sum(size_t offset)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < kv.options.shards; i++) {
        const struct shard_face *f = &kv.shards[i];
        const _Atomic uint64_t *of[] = {&f->keys, &f->expiring, &f->bytes, &f->expired};
        n += count_of(of[offset]);
    }
    return n;
}

enum { KEYS, EXPIRING, BYTES, EXPIRED };

uint64_t memory_used(void)
{
    return sum(BYTES) + count_of(&kv.count.buffers);
}

static void say_server(struct buffer *b)
{
    int64_t up = (clock_ms() - kv.started_ms) / 1000;
    say(b, "redis_version:7.0.15");
    say(b, "redis_mode:standalone");
    say(b, "buskin_version:%d.%d.%d", BSK_VERSION_MAJOR, BSK_VERSION_MINOR, BSK_VERSION_PATCH);
    say(b, "process_id:%ld", (long)getpid());
    say(b, "tcp_port:%d", kv.port);
    say(b, "uptime_in_seconds:%" PRId64, up);
    say(b, "uptime_in_days:%" PRId64, up / 86400);
}

static void say_clients(struct buffer *b)
{
    say(b, "connected_clients:%" PRIu64, count_of(&kv.count.clients));
    say(b, "maxclients:%u", kv.options.max_clients);
}

static void say_memory(struct buffer *b)
{
    say(b, "used_memory:%" PRIu64, memory_used());
    say(b, "used_memory_keys:%" PRIu64, sum(BYTES));
    say(b, "used_memory_buffers:%" PRIu64, count_of(&kv.count.buffers));
    say(b, "maxmemory:%" PRIu64, kv.options.memory);
    say(b, "maxmemory_policy:noeviction");
}

static void say_persistence(struct buffer *b)
{
    bool loading = false;
    for (unsigned i = 0; i < kv.options.shards; i++)
        loading |= !atomic_load_explicit(&kv.shards[i].ready, memory_order_relaxed);
    say(b, "loading:%d", loading);
    say(b, "durability:%s", durability_names[kv.options.durability]);
    say(b, "last_write_status:%s", atomic_load(&kv.read_only) ? "err" : "ok");
}

static void say_stats(struct buffer *b)
{
    bsk_net_stats_out net;
    bsk_net_stats(kv.rt, &net);
    say(b, "total_connections_received:%" PRIu64, count_of(&kv.count.connections));
    say(b, "total_commands_processed:%" PRIu64, count_of(&kv.count.commands));
    say(b, "total_net_input_bytes:%" PRIu64, net.received);
    say(b, "total_net_output_bytes:%" PRIu64, net.sent);
    say(b, "rejected_connections:%" PRIu64, net.refused);
    say(b, "expired_keys:%" PRIu64, sum(EXPIRED));
    say(b, "pubsub_channels:%" PRIu64, count_of(&kv.count.channels));
    say(b, "pubsub_patterns:%" PRIu64, count_of(&kv.count.patterns));
    say(b, "total_error_replies:%" PRIu64, count_of(&kv.count.errors));
}

static void say_replication(struct buffer *b)
{
    say(b, "role:master");
    say(b, "connected_slaves:0");
}

static void say_keyspace(struct buffer *b)
{
    if (sum(KEYS))
        say(b, "db0:keys=%" PRIu64 ",expires=%" PRIu64 ",avg_ttl=0", sum(KEYS), sum(EXPIRING));
}

static void say_buskin(struct buffer *b)
{
    struct counters *n = &kv.count;
    uint64_t commits = count_of(&n->commits), restarts = 0;
    say(b, "workers:%u", kv.options.workers);
    say(b, "shards:%u", kv.options.shards);
    say(b, "commits:%" PRIu64, commits);
    say(b, "commit_failures:%" PRIu64, count_of(&n->failures));
    say(b, "commit_us:%" PRIu64, commits ? count_of(&n->commit_us) / commits : 0);
    say(b, "group_size:%.2f", commits ? (double)count_of(&n->committed) / (double)commits : 0.0);
    for (int i = 0; i < CAUSES; i++) {
        say(b, "restarts_%s:%" PRIu64, cause_names[i], count_of(&n->ended[i]));
        restarts += count_of(&n->ended[i]);
    }
    say(b, "restarts:%" PRIu64, restarts);
    say(b, "starts:%" PRIu64, count_of(&n->starts));
    say(b, "chaos_faults:%" PRIu64, count_of(&n->faults));
    say(b, "replies_busy:%" PRIu64, count_of(&n->busy));
    say(b, "replies_lost:%" PRIu64, count_of(&n->lost));
    say(b, "slow_subscribers:%" PRIu64, count_of(&n->slow));
}

/* On demand: told only to who asks for it by its name, or for everything. */
static const struct section {
    const char *name, *title;
    void (*say)(struct buffer *b);
    bool on_demand;
} sections[] = {{"server", "Server", say_server, false},
                {"clients", "Clients", say_clients, false},
                {"memory", "Memory", say_memory, false},
                {"persistence", "Persistence", say_persistence, false},
                {"stats", "Stats", say_stats, false},
                {"replication", "Replication", say_replication, false},
                {"keyspace", "Keyspace", say_keyspace, false},
                {"buskin", "Buskin", say_buskin, false},
                {"tree", "Tree", tree_say, true}};

static bool is_wanted(const struct section *s, const struct arg *argv, uint32_t argc)
{
    bool wanted = argc == 1 && !s->on_demand;
    for (uint32_t i = 1; i < argc; i++)
        wanted |= arg_is(argv[i], s->name) || arg_is(argv[i], "everything") ||
                  (!s->on_demand && (arg_is(argv[i], "all") || arg_is(argv[i], "default")));
    return wanted;
}

void info_local(struct conn *c, const struct arg *argv, uint32_t argc)
{
    struct buffer b = {0};
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        if (!is_wanted(&sections[i], argv, argc)) continue;
        if (b.len) buffer_text(&b, "\r\n");
        say(&b, "# %s", sections[i].title);
        sections[i].say(&b);
    }
    reply_verbatim(conn_reply(c), c->resp, b.at ? b.at : "", b.len);
    buffer_free(&b);
}

enum { SETTINGS = 10, VALUE = 32 };
struct setting {
    const char *name;
    char value[VALUE];
};

static unsigned list_settings(struct setting *s)
{
    const struct options *o = &kv.options;
    unsigned n = 0;
    const char *disk = o->durability == DURABLE_NONE ? "no" : "yes";
    const char *sync = o->durability == DURABLE_EVERYSEC ? "everysec" : "always";
#define SETTING(key, ...)                                                                          \
    do {                                                                                           \
        s[n].name = key;                                                                           \
        snprintf(s[n++].value, VALUE, __VA_ARGS__);                                                \
    } while (0)
    SETTING("save", "%s", "");
    SETTING("appendonly", "%s", disk);
    SETTING("appendfsync", "%s", sync);
    SETTING("maxmemory", "%" PRIu64, o->memory);
    SETTING("maxmemory-policy", "%s", "noeviction");
    SETTING("maxclients", "%u", o->max_clients);
    SETTING("databases", "%d", 1);
    SETTING("port", "%d", kv.port);
    SETTING("timeout", "%" PRId64, o->idle_ms / 1000);
    SETTING("proto-max-bulk-len", "%d", BULK_MAX);
#undef SETTING
    return n;
}

static bool is_asked_for(const char *name, const struct arg *argv, uint32_t argc)
{
    for (uint32_t i = 2; i < argc; i++)
        if (glob_match(argv[i].at, argv[i].len, name, strlen(name), true)) return true;
    return false;
}

static void config_get(struct conn *c, const struct arg *argv, uint32_t argc)
{
    struct setting s[SETTINGS];
    bool asked[SETTINGS];
    unsigned n = list_settings(s), found = 0;
    for (unsigned i = 0; i < n; i++) found += asked[i] = is_asked_for(s[i].name, argv, argc);
    reply_map(conn_reply(c), c->resp, found);
    for (unsigned i = 0; i < n; i++) {
        if (!asked[i]) continue;
        reply_text(conn_reply(c), s[i].name);
        reply_text(conn_reply(c), s[i].value);
    }
}

void config_local(struct conn *c, const struct arg *argv, uint32_t argc)
{
    if (!arg_is(argv[1], "get"))
        reply_error(conn_reply(c), "ERR unknown subcommand '%.*s'. Try CONFIG HELP.",
                    argv[1].len < 128 ? (int)argv[1].len : 128, argv[1].at);
    else if (argc < 3)
        reply_error(conn_reply(c), "ERR wrong number of arguments for 'config|get' command");
    else
        config_get(c, argv, argc);
}
