/* SPDX-License-Identifier: MIT */
/* notifier.c - tells customers what became of their orders, and hands parcels to couriers. What is
 * told may be lost on the way: the book knows, the note is a courtesy. */
#include "shop.h"
#include "trouble.h"

enum { PARCEL = 25, ADD_MS = 200, WAY_MS = 450 };

/* Orders that were booked are packed together. False: there was no courier; the next one takes
 * more. */
static bool send_courier(bsk_self *self)
{
    return bsk_sup_add(self, shop_holder(bsk_rt_of(self), COURIERS), ADD_MS, NULL, NULL) == 0;
}

void notifier(bsk_self *self)
{
    int packed = 0;
    for (bsk_msg *m; (m = bsk_recv(self, BSK_FOREVER));) {
        post_count(self);
        bsk_match(m) {
            bsk_on(note, n) packed += n->fine;
            bsk_on(trouble, t) trouble_make(self, t->kind);
            bsk_on(junk, j) trouble_chew(self, j);
        }
        if (packed >= PARCEL && send_courier(self)) packed = 0;
    }
}

/* On its way for a while; a parcel that falls on the road is taken up by the one started for
 * this courier (it is transient: done is done, failed is started again). */
void courier(bsk_self *self)
{
    struct post *p = bsk_state(self);
    bsk_msg *m = bsk_recv_only(self, WAY_MS, BSK_T(trouble));
    bsk_match(m)
        bsk_on(trouble, t) trouble_make(self, t->kind);
    if (bsk_cancelled(self)) return;
    post_count(self);
    atomic_fetch_add(&p->shop->delivered, 1);
}
