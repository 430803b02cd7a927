/* SPDX-License-Identifier: MIT */
/* cache - asks without waiting, answers later, forgets by a timer; in virtual time.
 * expect: first 70 after 5 ms
 * expect: again 70 after 5 ms
 * expect: swept 70 after 1010 ms
 * expect: loads 2 */
#include <inttypes.h>
#include <stdio.h>
#include <buskin.h>

BSK_MSG(value, (i64, v));
BSK_CALL(lookup, value, (i64, key)); /* of the cache */
BSK_CALL(load, value, (i64, key));   /* of the store */
BSK_MSG(sweep);
BSK_MSG(loaded, (i64, key));

struct store {
    bsk_pending who;
    int loads;
};

static void store(bsk_self *self, bsk_msg *m)
{
    struct store *s = bsk_state(self);
    bsk_match(m) {
        bsk_on(load, q) {
            s->who = bsk_later(q, load);
            s->loads++;
            bsk_after(self, 5, loaded, .key = q->key);
        }
        bsk_on(loaded, l) bsk_answer(s->who, load, .v = 10 * l->key);
    }
}

static void print_loads(bsk_self *self)
{
    struct store *s = bsk_state(self);
    printf("loads %d\n", s->loads);
}

struct cache {
    bsk_addr store;
    bsk_pending who;
    int64_t key, v;
    bool full;
};

static void cache(bsk_self *self, bsk_msg *m)
{
    struct cache *c = bsk_state(self);
    bsk_match(m) {
        bsk_on(lookup, q) {
            if (c->full && c->key == q->key) {
                bsk_reply(q, lookup, .v = c->v);
                break;
            }
            c->who = bsk_later(q, lookup); /* the right to reply, kept */
            c->key = q->key;
            int rc = bsk_ask(self, c->store, 500, load, .key = q->key);
            if (rc) bsk_fail(self, "store: %s", bsk_strerror(rc));
        }
        bsk_on_reply(load, r) {
            c->v = r->v;
            c->full = true;
            bsk_answer(c->who, lookup, .v = r->v);
        }
        bsk_on_no_reply(load, rc) bsk_fail(self, "store: %s", bsk_strerror(rc));
        bsk_on(sweep, s) c->full = false;
    }
}

static void start_sweeping(bsk_self *self)
{
    bsk_every(self, 1000, sweep);
}

static void look_up(bsk_self *self, bsk_addr c, const char *when)
{
    const value *v = bsk_call(self, c, 1000, lookup, .key = 7);
    if (!v) bsk_fail(self, "cache: %s", bsk_strerror(bsk_error(self)));
    printf("%s %" PRId64 " after %" PRId64 " ms\n", when, v->v, bsk_now(bsk_rt_of(self)));
}

static void client(bsk_self *self)
{
    bsk_rt *rt = bsk_rt_of(self);
    bsk_addr s = bsk_spawn(rt, store, BSK_STATE(struct store, .loads = 0), .fini = print_loads);
    bsk_addr c = bsk_spawn(rt, cache, BSK_STATE(struct cache, .store = s), .init = start_sweeping);
    look_up(self, c, "first");
    look_up(self, c, "again");
    bsk_sleep(self, 1000);
    look_up(self, c, "swept");
    bsk_shutdown(rt);
}

int main(void)
{
    bsk_rt *rt = bsk_start(.seed = 1);
    bsk_spawn(rt, client);
    return bsk_wait(rt);
}
