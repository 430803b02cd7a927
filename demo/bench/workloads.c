/* SPDX-License-Identifier: MIT */
/* workloads.c - the list of workloads. */
#include "workloads.h"

#include <string.h>

/* clang-format off */
const struct workload workloads[] = {
    {"pingpong", run_pingpong, NS_PER_OP, "ns/roundtrip", 1000000, 0, 0,
     "two actors, one round trip in flight"},
    {"pingpong-fiber", run_pingpong_fiber, NS_PER_OP, "ns/roundtrip", 1000000, 0, 0,
     "the same, both are fibers"},
    {"ring", run_ring, NS_PER_OP, "ns/hop", 5000000, 0, 0,
     "1000 actors in a ring, one token"},
    {"ring-fiber", run_ring_fiber, NS_PER_OP, "ns/hop", 5000000, 0, 0,
     "the same, all are fibers"},
    {"ring100", run_ring100, OPS_PER_S, "hops/s", 10000000, 0, 0,
     "the same ring, 100 tokens; n is the hops in all"},
    {"fanin", run_fanin, OPS_PER_S, "msgs/s", 2000000, 0, 0,
     "4 producers send n each to 1 consumer, none is lost"},
    {"fanin-fiber", run_fanin_fiber, OPS_PER_S, "msgs/s", 2000000, 0, 0,
     "the same, all are fibers, which wait for room"},
    {"fanout", run_fanout, OPS_PER_S, "msgs/s", 60000, 0, 0,
     "1 master sends 60 workers n each, round robin"},
    {"spawn", run_spawn, OPS_PER_S, "actors/s", 1000000, 0, BIG,
     "n actors start, get one message and end"},
    {"skynet", run_skynet, WALL_S, "s", 1000000, 0, BIG,
     "a tree of actors with n leaves, summed to its root"},
    {"big", run_big, OPS_PER_S, "msgs/s", 20000, 0, 0,
     "120 actors send n pings each to random others"},
    {"chameneos", run_chameneos, OPS_PER_S, "meetings/s", 1000000, 0, 0,
     "100 creatures meet n times in pairs at a mall"},
    {"idle", run_idle, AS_GIVEN, "bytes/actor", 1000000, 1000, 0,
     "memory of n actors that wait"},
    {"idle-fiber", run_idle_fiber, AS_GIVEN, "bytes/actor", 100000, 1000, 0,
     "the same, all are fibers"},
    {"ask", run_ask, OPS_PER_S, "calls/s", 250000, 0, 0,
     "4 fibers call 1 server n times each"},
    {"ask-handler", run_ask_handler, OPS_PER_S, "calls/s", 250000, 0, 0,
     "the same, the clients are handlers"},
    {"timers", run_timers, CPU_S, "cpu_s", 1000000, 0, BIG,
     "processor time of n one-shot timers within a second"},
    {"mailbox", run_mailbox, OPS_PER_S, "msgs/s", 1000000, 0, FAILS,
     "n messages into a full mailbox, by each policy"},
    {"latency", run_latency, AS_GIVEN, "ns-p99", 200000, 0, 0,
     "n requests at 100,000 a second, from when each is due"},
    {"wake", run_wake, AS_GIVEN, "ns-p99", 1000, 0, 0,
     "from a thread's tell to the handler, all asleep"},
    {"restart", run_restart, AS_GIVEN, "ns-p50", 100000, 0, LOUD,
     "from a crash to its successor's first message, n times"},
    {"tree", run_tree, WALL_S, "s", 1000000, 0, BIG,
     "a tree of actors in scopes, with n leaves, is cancelled"},
    {"faults", run_faults, NS_PER_OP, "ns/hop", 50000000, 1000000, LOUD | FAULTS,
     "the ring, while an actor faults 1000 times a second"},
    {.name = NULL}};
/* clang-format on */

const struct workload *workload_find(const char *name)
{
    for (const struct workload *w = workloads; w->name; w++)
        if (strcmp(w->name, name) == 0) return w;
    return NULL;
}
