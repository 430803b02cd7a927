/* SPDX-License-Identifier: MIT */
/* checks.h - what an order has to pass. Each is an actor of its own, in the worker's scope; its
 * state is the order, and it gives a verdict. */
#ifndef RESTART_CHECKS_H
#define RESTART_CHECKS_H

#include "words.h"

enum {
    CREDIT_MOST = 900,    /* orders of more are refused */
    AMOUNT_MOST = 1000,   /* of the customers' orders */
    AMOUNT_STUCK = 100000 /* an order of this much: the bank never answers */
};

bsk_fiber check_stock, check_credit;

#endif
