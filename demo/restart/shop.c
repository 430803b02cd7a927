/* SPDX-License-Identifier: MIT */
/* shop.c - the tree.
 *
 *     shop            rest_for_one: who fails takes those with it that started later and need it
 *     |- couriers     dynamic: one for each parcel, while it is under way
 *     |- office       one_for_all: the ledger and who speaks for it start from the same page
 *     |  |- ledger
 *     |  `- notifier
 *     |- floor        one_for_one, with back-off: a worker's end is nobody else's affair
 *     |  |- worker.1 .. worker.3
 *     `- intake
 */
#define _DEFAULT_SOURCE 1
#include "shop.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ledger.h"

const struct role_info roles[ROLES] = {
    [SHOP] = {.name = "shop", .above = SHOP, .strategy = BSK_REST_FOR_ONE, .supervisor = true},
    [COURIERS] = {.name = "couriers", .above = SHOP, .strategy = BSK_DYNAMIC, .supervisor = true},
    [OFFICE] = {.name = "office", .above = SHOP, .strategy = BSK_ONE_FOR_ALL, .supervisor = true},
    [LEDGER] = {.name = "ledger", .above = OFFICE, .strategy = BSK_ONE_FOR_ONE},
    [NOTIFIER] = {.name = "notifier", .above = OFFICE, .strategy = BSK_ONE_FOR_ONE, .fiber = true},
    [FLOOR] = {.name = "floor", .above = SHOP, .strategy = BSK_ONE_FOR_ONE, .supervisor = true},
    [WORKER_1] = {.name = "worker.1", .above = FLOOR, .strategy = BSK_ONE_FOR_ONE, .fiber = true},
    [WORKER_2] = {.name = "worker.2", .above = FLOOR, .strategy = BSK_ONE_FOR_ONE, .fiber = true},
    [WORKER_3] = {.name = "worker.3", .above = FLOOR, .strategy = BSK_ONE_FOR_ONE, .fiber = true},
    [INTAKE] = {.name = "intake", .above = SHOP, .strategy = BSK_ONE_FOR_ONE, .fiber = true},
};

bool shop_init(struct shop *s)
{
    memset(s, 0, sizeof *s);
    s->tally.next_id = 1;
    s->journal = journal_open();
    if (s->journal >= 0 && events_init(&s->events)) return true;
    perror("buskin-restart: journal");
    return false;
}

void shop_fini(struct shop *s)
{
    events_fini(&s->events);
    close(s->journal);
}

enum role shop_role(const char *name)
{
    enum role p = SHOP;
    while (p < ROLES && strcmp(roles[p].name, name) != 0) p++;
    return p;
}

bsk_addr shop_holder(bsk_rt *rt, enum role p)
{
    return bsk_whereis(rt, roles[p].name);
}

void post_count(bsk_self *self)
{
    struct post *p = bsk_state(self);
    atomic_fetch_add_explicit(&p->shop->handled[p->role], 1, memory_order_relaxed);
}

const char *post_name(bsk_self *self)
{
    struct post *p = bsk_state(self);
    return roles[p->role].name;
}

/* clang-format off */
#define POST(p) BSK_STATE(struct post, .shop = s, .role = (p))
#define WORKER(p) \
    bsk_child(worker, .name = roles[p].name, POST(p), .mailbox = WORKER_MAILBOX, .shutdown_ms = 500)

bsk_addr shop_open(struct shop *s, bsk_rt *rt)
{
    return bsk_supervise(rt,
        BSK_SUP(.name = "shop", .strategy = BSK_REST_FOR_ONE, .intensity = 3, .period_ms = 10000),
        bsk_child_sup(
            BSK_SUP(.name = "couriers", .strategy = BSK_DYNAMIC, .intensity = 5),
            bsk_child(courier, .label = "courier", POST(COURIERS), .restart = BSK_TRANSIENT,
                      .shutdown_ms = 500)),
        bsk_child_sup(
            BSK_SUP(.name = "office", .strategy = BSK_ONE_FOR_ALL, .intensity = 3),
            bsk_child(ledger, .name = "ledger", .init = ledger_init,
                      BSK_STATE(struct ledger, .post = {s, LEDGER}), .mailbox = MAILBOX,
                      .shutdown_ms = 500),
            bsk_child(notifier, .name = "notifier", POST(NOTIFIER), .mailbox = MAILBOX,
                      .shutdown_ms = 500)),
        bsk_child_sup(
            BSK_SUP(.name = "floor", .strategy = BSK_ONE_FOR_ONE, .intensity = 5, .period_ms = 4000,
                    .backoff_min_ms = 50, .backoff_max_ms = 400),
            WORKER(WORKER_1), WORKER(WORKER_2), WORKER(WORKER_3)),
        bsk_child(intake, .name = "intake", POST(INTAKE), .mailbox = MAILBOX, .reports_ready = true,
                  .shutdown_ms = 500));
}
/* clang-format on */
