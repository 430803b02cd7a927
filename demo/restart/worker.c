/* SPDX-License-Identifier: MIT */
/* worker.c - checks an order and has the ledger settle it.
 *
 * The checks run at the same time in a scope, with one deadline for all. Whatever becomes of the
 * worker meanwhile, its checks end with it. A worker keeps nothing: an order that it could not
 * bring to its end comes again, to this worker's successor or to another. */
#include <inttypes.h>

#include "book.h"
#include "checks.h"
#include "shop.h"
#include "trouble.h"

enum { CHECK_MS = 150, SETTLE_MS = 300 };

static bool start(bsk_scope *s, bsk_fiber *check, struct order o)
{
    return !bsk_is_nobody(bsk_go(s, check, BSK_STATE(struct order, o.id, o.amount)));
}

static bool approved(const bsk_finished *f)
{
    bool fine = false;
    bsk_match(f->result)
        bsk_on(verdict, v) fine = v->fine;
    return fine;
}

/* A check that could not start, failed, or was too late has not approved. */
static bool approved_by_all(bsk_self *self, struct order o)
{
    bsk_scope *s = bsk_scope_open_kind(self, CHECK_MS, BSK_COLLECT);
    if (!s) bsk_fail(self, "checks: %s", bsk_strerror(bsk_error(self)));
    bool fine = start(s, check_stock, o) && start(s, check_credit, o);
    for (const bsk_finished *f; (f = bsk_scope_next(s, BSK_FOREVER));) fine = approved(f) && fine;
    if (bsk_scope_join(s) == BSK_ETIMEDOUT)
        post_say(self, "%s: order %" PRId64 " refused: its checks took more than %d ms",
                 post_name(self), o.id, CHECK_MS);
    return fine;
}

static void on_job(bsk_self *self, struct order o)
{
    struct post *p = bsk_state(self);
    bool fine = approved_by_all(self, o);
    if (bsk_cancelled(self)) return;
    const entered *e = bsk_call(self, shop_holder(bsk_rt_of(self), LEDGER), SETTLE_MS, settle,
                                .id = o.id, .fine = fine, .worker = p->role - WORKER_1);
    if (e && !e->first)
        post_say(self, "%s: order %" PRId64 " was settled before", post_name(self), o.id);
}

void worker(bsk_self *self)
{
    for (bsk_msg *m; (m = bsk_recv(self, BSK_FOREVER));) {
        post_count(self);
        bsk_match(m) {
            bsk_on(job, j) on_job(self, (struct order){j->id, j->amount});
            bsk_on(trouble, t) trouble_make(self, t->kind);
            bsk_on(junk, j) trouble_chew(self, j);
        }
    }
}
