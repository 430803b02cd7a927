/* SPDX-License-Identifier: MIT */
/* customers.c - who places the orders. */
#include "customers.h"

#include "checks.h"

enum { ANSWER_MS = 700, AGAIN_MS = 20 };

static int64_t amount_of(struct tally *t, bsk_self *self)
{
    int64_t asked = atomic_exchange(&t->next_amount, 0);
    return asked ? asked : (int64_t)(1 + bsk_random(self) % AMOUNT_MOST);
}

static bool is_accepted(bsk_self *self, int64_t id, int64_t amount)
{
    bsk_addr to = shop_holder(bsk_rt_of(self), INTAKE);
    const placed *p = bsk_call(self, to, ANSWER_MS, place, .id = id, .amount = amount);
    return p && p->accepted;
}

/* An order whose answer did not come may have been accepted: it is placed again under the same id,
 * which makes it the same order. False: told to stop before there was an answer. */
static bool place_one(bsk_self *self, struct tally *t)
{
    int64_t id = atomic_fetch_add(&t->next_id, 1), amount = amount_of(t, self);
    while (!is_accepted(self, id, amount)) {
        atomic_fetch_add(&t->again, 1);
        if (bsk_sleep(self, AGAIN_MS) < 0) return false;
    }
    atomic_fetch_add(&t->accepted, 1);
    atomic_fetch_add(&t->sum, amount);
    return true;
}

static void customer(bsk_self *self)
{
    const struct customer *c = bsk_state(self);
    struct tally *t = &c->shop->tally;
    for (int64_t i = 0; !c->orders || i < c->orders; i++) {
        if (atomic_load(&t->closed) || !place_one(self, t)) break;
        if (c->pause && bsk_sleep(self, c->pause) < 0) break;
    }
    atomic_fetch_sub(&t->inside, 1);
}

bool customers_let_in(struct shop *s, bsk_rt *rt, int64_t orders, int64_t pause)
{
    for (int i = 0; i < CUSTOMERS; i++) {
        atomic_fetch_add(&s->tally.inside, 1);
        if (!bsk_is_nobody(bsk_spawn(rt, customer, .label = "customer",
                                     BSK_STATE(struct customer, s, orders, pause))))
            continue;
        atomic_fetch_sub(&s->tally.inside, 1);
        return false;
    }
    return true;
}

void customers_ask_for(struct shop *s, int64_t amount)
{
    atomic_store(&s->tally.next_amount, amount);
}

void customers_close_doors(struct shop *s)
{
    atomic_store(&s->tally.closed, true);
}
