/* SPDX-License-Identifier: MIT */
/* service.c - the tree.
 *
 *     kv              one_for_one
 *     |- register     counts who ends
 *     |- store        rest_for_one: shards without their writer, their memory being ahead of it,
 *     |  |- writer    start again; none if nothing is written
 *     |  `- shards    one_for_one
 *     |     `- shard-0, shard-1, ...
 *     |- channels
 *     |- chaos        with --chaos
 *     `- gate         last, so that it stops first; the connections are its children
 */
#define _DEFAULT_SOURCE 1
#include "service.h"

#include <stdio.h>
#include <time.h>

#include "conn.h"

struct service kv;

enum { WRITE_HIGH = 1 << 20, STOP_MS = 5000 };
/* Harm is done on purpose here: only what fails without end gives up. */
enum { INTENSITY = 1000, PERIOD_MS = 5000 };

int64_t clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

const char *shard_name(unsigned shard, char *to)
{
    memcpy(to, "shard-", 6);
    to[6 + number_write(to + 6, shard)] = '\0';
    return to;
}

static bsk_child_spec gate_spec(void)
{
    const struct options *o = &kv.options;
    static bsk_listen_opts gate;
    gate = (bsk_listen_opts){
        .host = o->unix_path ? o->unix_path : o->bind,
        .port = o->unix_path ? 0 : o->port,
        .behavior = BSK_BEHAVIOR(connection),
        .conn = connection_opts(),
        .stream = {.idle_ms = o->idle_ms, .write_high = WRITE_HIGH},
        .max = o->max_clients,
    };
    return (bsk_child_spec)bsk_child(bsk_listener, .name = "gate", .init = bsk_listener_init,
                                     .trap_stop = true, .shutdown_ms = STOP_MS, .state = &gate,
                                     .state_size = sizeof gate);
}

#define KV_SUP(NAME, STRATEGY)                                                                     \
    BSK_SUP(.name = (NAME), .strategy = (STRATEGY), .intensity = INTENSITY, .period_ms = PERIOD_MS)

bsk_addr service_open(bsk_rt *rt)
{
    unsigned shards = kv.options.shards, n = 0, stored = 0;
    bsk_child_spec shard[SHARDS_MAX], store[2], all[5];
    for (unsigned i = 0; i < shards; i++) shard[i] = shard_spec(i);
    /* Its failure would cost what no store has: where there is none it is left out. */
    if (kv.options.durability != DURABLE_NONE) store[stored++] = writer_spec();
    store[stored++] = (bsk_child_spec){
        .sup = KV_SUP("shards", BSK_ONE_FOR_ONE), .children = shard, .nchildren = shards};
    all[n++] = registrar_spec();
    all[n++] = (bsk_child_spec){
        .sup = KV_SUP("store", BSK_REST_FOR_ONE), .children = store, .nchildren = stored};
    all[n++] = channels_spec();
    if (kv.options.chaos > 0) all[n++] = chaos_spec();
    all[n++] = gate_spec();
    return bsk_supervise_(rt, KV_SUP("kv", BSK_ONE_FOR_ONE), all, n);
}
