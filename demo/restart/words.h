/* SPDX-License-Identifier: MIT */
/* words.h - the messages of the shop.
 *
 *     customers --place--> intake --job--> workers --settle--> ledger --note--> notifier
 *                           |  ^                            |  ^                 |
 *                           |  `----------settled-----------'  |              couriers
 *                           `--------------keep----------------'
 *
 * What must not be lost is asked, kept and asked again: an order is accepted when the ledger has
 * it in its journal (keep), and is given out to workers until the ledger has settled it. The ledger
 * goes by the order's id, so that to ask twice does no harm. What may be lost is told: a note to
 * the customer goes out at most once. */
#ifndef RESTART_WORDS_H
#define RESTART_WORDS_H

#include <buskin.h>

/* A customer roles an order; not accepted: come again, with the same id. */
BSK_MSG(placed, (bool, accepted));
BSK_CALL(place, placed, (i64, id), (i64, amount));

/* Intake has an order kept. `settled`: it was given before, and is done with. */
BSK_MSG(kept, (bool, settled));
BSK_CALL(keep, kept, (i64, id), (i64, amount));

/* Intake, when it starts, asks for the orders that are kept and not settled: an array of
 * struct order. */
BSK_MSG(open_orders, (bytes, orders));
BSK_CALL(recall, open_orders);

/* A worker is to check an order ... */
BSK_MSG(job, (i64, id), (i64, amount));
/* ... and has the ledger book or refuse it. `first`: it was not settled before. */
BSK_MSG(entered, (bool, first));
BSK_CALL(settle, entered, (i64, id), (bool, fine), (i64, worker));
/* The ledger says so to intake. */
BSK_MSG(settled, (i64, id), (i64, worker));

/* The ledger has the customer told. */
BSK_MSG(note, (i64, id), (bool, fine));

/* What the book holds. */
BSK_MSG(sums, (i64, open), (i64, booked), (i64, refused), (i64, again));
BSK_CALL(audit, sums);

/* What one of the checks of an order found. */
BSK_MSG(verdict, (bool, fine));

/* A fault is to happen; of enum trouble. And a message without a meaning, for floods. */
BSK_MSG(trouble, (i64, kind));
BSK_MSG(junk);

#endif
