/* SPDX-License-Identifier: MIT */
/* ledger.h - the state of the ledger's actor. */
#ifndef RESTART_LEDGER_H
#define RESTART_LEDGER_H

#include "book.h"
#include "shop.h"

struct ledger {
    struct post post; /* first, as in every actor of the shop */
    struct book book;
    int64_t again; /* orders that were to be settled and were already */
};

#endif
