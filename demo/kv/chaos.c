/* SPDX-License-Identifier: MIT */
/* chaos.c - does harm to the service while it runs: to the writer, the shards and the channels, and
 * to the supervisor of the shards. Connections are spared: a client takes the end of one as the end
 * of the service. */
#include <string.h>

#include "service.h"
#include "trouble.h"

BSK_MSG(harm_now);

struct chaos_state {
    uint64_t random;
};

static uint64_t next_random(struct chaos_state *s)
{
    s->random ^= s->random << 13;
    s->random ^= s->random >> 7;
    s->random ^= s->random << 17;
    return s->random;
}

/* The times between two faults vary around their mean. */
static int64_t next_ms(struct chaos_state *s)
{
    double mean = 1000 / kv.options.chaos, sum = 0;
    for (int i = 0; i < 12; i++) sum += (double)(next_random(s) >> 11) / 9007199254740992.0;
    double ms = mean * sum / 6;
    return ms < 1 ? 1 : (int64_t)ms;
}

static void chaos_init(bsk_self *self)
{
    struct chaos_state *s = bsk_state(self);
    s->random = kv.options.seed ? kv.options.seed : bsk_random(self) | 1;
    if (!bsk_after(self, next_ms(s), harm_now).gen) bsk_fail(self, "out of memory");
}

static const char *victim(struct chaos_state *s, char *name)
{
    unsigned shards = kv.options.shards, n = (unsigned)(next_random(s) % (shards + 3));
    if (n < shards) return shard_name(n, name);
    return n == shards ? "writer" : n == shards + 1 ? "channels" : "shards";
}

static void harm(bsk_self *self, struct chaos_state *s)
{
    char name[SHARD_NAME];
    const char *who = victim(s, name);
    bsk_addr to = bsk_whereis(bsk_rt_of(self), who);
    int64_t kind = (int64_t)(next_random(s) % TROUBLES);
    int rc;
    if (kind == KILL || strcmp(who, "shards") == 0)
        rc = bsk_kill(to);
    else
        rc = bsk_try(to, trouble, .kind = kind);
    if (rc == 0) count_up(&kv.count.faults, 1);
}

static void chaos(bsk_self *self, bsk_msg *m)
{
    struct chaos_state *s = bsk_state(self);
    bsk_match(m)
        bsk_on(harm_now, h) {
            harm(self, s);
            if (!bsk_after(self, next_ms(s), harm_now).gen) bsk_fail(self, "out of memory");
        }
}

bsk_child_spec chaos_spec(void)
{
    static const struct chaos_state fresh;
    return (bsk_child_spec)bsk_child(chaos, .name = "chaos", .init = chaos_init, .state = &fresh,
                                     .state_size = sizeof fresh);
}
