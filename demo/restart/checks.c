/* SPDX-License-Identifier: MIT */
/* checks.c - what an order has to pass. The waits stand for a warehouse and a bank far away. */
#include "checks.h"

#include "book.h"

enum { STOCK_MS = 2, CREDIT_MS = 3 };

static void find(bsk_self *self, bool fine)
{
    if (bsk_give(self, verdict, .fine = fine)) bsk_fail(self, "out of memory");
}

void check_stock(bsk_self *self)
{
    const struct order *o = bsk_state(self);
    if (bsk_sleep(self, STOCK_MS) == 0) find(self, o->id % 10 != 7);
}

void check_credit(bsk_self *self)
{
    const struct order *o = bsk_state(self);
    if (bsk_sleep(self, o->amount == AMOUNT_STUCK ? BSK_FOREVER : CREDIT_MS) == 0)
        find(self, o->amount <= CREDIT_MOST);
}
