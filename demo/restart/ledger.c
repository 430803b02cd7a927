/* SPDX-License-Identifier: MIT */
/* ledger.c - keeps the orders, and settles each of them once.
 *
 * The journal is written first, then the book, then those who asked hear of it. If the ledger
 * ends between two of these steps nothing is lost: its successor reads the journal, and whoever
 * did not hear asks again. */
#include "ledger.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "trouble.h"

static void close_book(void *book)
{
    book_fini(book);
}

void ledger_init(bsk_self *self)
{
    struct ledger *l = bsk_state(self);
    if (bsk_defer(self, close_book, &l->book)) bsk_fail(self, "out of memory");
    if (book_replay(&l->book, l->post.shop->journal)) bsk_fail(self, "the journal is not readable");
    int64_t n = l->book.open + l->book.booked + l->book.refused;
    if (n)
        post_say(self, "ledger: the journal had %" PRId64 " orders, %" PRId64 " of them open", n,
                 l->book.open);
}

static void enter(bsk_self *self, struct ledger *l, struct record r)
{
    if (!book_reach(&l->book, r.id)) bsk_fail(self, "out of memory");
    if (journal_append(l->post.shop->journal, &r)) bsk_fail(self, "journal: %s", strerror(errno));
    book_write(&l->book, &r);
}

static void on_keep(bsk_self *self, struct ledger *l, const keep *q)
{
    if (!book_has(&l->book, q->id)) enter(self, l, (struct record){q->id, q->amount, KEPT});
    bsk_reply(q, keep, .settled = book_has_settled(&l->book, q->id));
}

static void on_settle(bsk_self *self, struct ledger *l, const settle *q)
{
    bsk_rt *rt = bsk_rt_of(self);
    bool first = book_has(&l->book, q->id) && !book_has_settled(&l->book, q->id);
    if (first) {
        enter(self, l, (struct record){.id = q->id, .entry = q->fine ? BOOKED : REFUSED});
        bsk_tell(shop_holder(rt, NOTIFIER), note, .id = q->id, .fine = q->fine);
    } else {
        l->again++;
    }
    bsk_tell(shop_holder(rt, INTAKE), settled, .id = q->id, .worker = q->worker);
    bsk_reply(q, settle, .first = first);
}

static void on_recall(struct ledger *l, const recall *q)
{
    struct order open[OPEN_MAX];
    size_t n = book_open_orders(&l->book, open, OPEN_MAX);
    bsk_reply(q, recall, .orders = {open, n * sizeof *open});
}

void ledger(bsk_self *self, bsk_msg *m)
{
    struct ledger *l = bsk_state(self);
    post_count(self);
    bsk_match(m) {
        bsk_on(keep, q) on_keep(self, l, q);
        bsk_on(settle, q) on_settle(self, l, q);
        bsk_on(recall, q) on_recall(l, q);
        bsk_on(audit, q)
            bsk_reply(q, audit, .open = l->book.open, .booked = l->book.booked,
                      .refused = l->book.refused, .again = l->again);
        bsk_on(trouble, t) trouble_make(self, t->kind);
        bsk_on(junk, j) trouble_chew(self, j);
    }
}
