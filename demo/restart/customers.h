/* SPDX-License-Identifier: MIT */
/* customers.h - who places the orders. They stand outside the shop: whatever happens in there,
 * they place each order until it is accepted. */
#ifndef RESTART_CUSTOMERS_H
#define RESTART_CUSTOMERS_H

#include "shop.h"

enum { CUSTOMERS = 3 };

struct customer {
    struct shop *shop;
    int64_t orders; /* to place; 0: until the doors close */
    int64_t pause;  /* ms between two */
};

/* Lets customers in, who place `orders` each. False: bsk_error. */
bool customers_let_in(struct shop *s, bsk_rt *rt, int64_t orders, int64_t pause);
/* Places one more order of this amount, the next that any of them places. */
void customers_ask_for(struct shop *s, int64_t amount);
/* Nobody begins a new order; those who have begun finish it. */
void customers_close_doors(struct shop *s);

#endif
