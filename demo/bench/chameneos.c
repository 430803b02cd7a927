/* SPDX-License-Identifier: MIT */
/* chameneos.c - creatures meet in pairs at a mall and change colour.
 *
 * Four messages a meeting: two come to the mall, the second of them is forwarded to the creature
 * that waits, and that one tells the other its new colour. */
#include "workloads.h"

BSK_MSG(meet, (addr, from), (i64, color));
BSK_MSG(change, (i64, color));
BSK_MSG(enough);

enum { CREATURES = 100 };

struct mall {
    int64_t left;
    bsk_addr waiting;
};
struct creature {
    bsk_addr driver, mall;
    int64_t color, meetings;
};

static void pair(struct mall *s, const meet *q)
{
    bsk_tell(s->waiting, meet, .from = q->from, .color = q->color);
    s->waiting = (bsk_addr){0};
    s->left--;
}

static void mall(bsk_self *self, bsk_msg *m)
{
    struct mall *s = bsk_state(self);
    bsk_match(m)
        bsk_on(meet, q) {
            if (s->left == 0)
                bsk_tell(q->from, enough);
            else if (bsk_is_nobody(s->waiting))
                s->waiting = q->from;
            else
                pair(s, q);
        }
}

static int64_t complement(int64_t a, int64_t b)
{
    return a == b ? a : 3 - a - b;
}

static void enter(bsk_self *self, const struct creature *s)
{
    bsk_tell(s->mall, meet, .from = bsk_me(self), .color = s->color);
}

static void met(bsk_self *self, struct creature *s, int64_t color)
{
    s->color = color;
    s->meetings++;
    enter(self, s);
}

static void creature(bsk_self *self, bsk_msg *m)
{
    struct creature *s = bsk_state(self);
    bsk_match(m) {
        bsk_on(meet, q) {
            int64_t color = complement(s->color, q->color);
            bsk_tell(q->from, change, .color = color);
            met(self, s, color);
        }
        bsk_on(change, c) met(self, s, c->color);
        bsk_on(go, g) enter(self, s);
        bsk_on(enough, e) bsk_tell(s->driver, done, .sum = s->meetings);
    }
}

void run_chameneos(struct bench *b)
{
    bsk_addr at = bsk_spawn(b->rt, mall, BSK_STATE(struct mall, .left = b->n));
    bench_born(NULL, at);
    for (int i = 0; i < CREATURES; i++) {
        bsk_addr c =
            bsk_spawn(b->rt, creature,
                      BSK_STATE(struct creature, .driver = b->driver, .mall = at, .color = i % 3));
        bench_first(b, bench_born(NULL, c), 0);
    }
    bench_run(b, CREATURES);
    bench_check(b->sum, 2 * b->n, "meetings of all creatures");
    b->out.ops = b->n;
}
