/* SPDX-License-Identifier: MIT */
/* view.c - what is seen of the shop. Its supervisors are asked, with little patience: one that is
 * busy stopping somebody must not stop the picture. */
#include "view.h"

#include <inttypes.h>
#include <stdio.h>

enum { PATIENCE_MS = 20, RATE_MS = 500, NEW_MS = 1500, BUSY_MS = 150, MANY = 8 };

static void see_child(struct view *v, const bsk_child_info *c)
{
    enum role r = shop_role(c->id);
    if (r == ROLES) return;
    struct row *row = &v->rows[r];
    row->state = c->state;
    row->restarts = c->restarts;
    row->ended = c->restarts > 0 || c->state != BSK_CHILD_RUNNING;
    row->last = c->last_reason;
    snprintf(row->why, sizeof row->why, "%s", c->last_text);
}

static void see_children(struct view *v, bsk_rt *rt, enum role above)
{
    bsk_child_info some[MANY];
    size_t n;
    if (bsk_sup_list(NULL, shop_holder(rt, above), PATIENCE_MS, some, MANY, &n)) return;
    for (size_t i = 0; i < n && i < MANY; i++) see_child(v, &some[i]);
}

static void see_couriers(struct view *v, bsk_rt *rt)
{
    bsk_sup_counts c;
    if (bsk_sup_count(NULL, shop_holder(rt, COURIERS), PATIENCE_MS, &c)) return;
    v->rows[COURIERS].under_way = c.active;
}

static void see_sums(struct view *v, bsk_rt *rt)
{
    const sums *s = bsk_call(NULL, shop_holder(rt, LEDGER), PATIENCE_MS, audit);
    v->answered = s;
    if (!s) return;
    v->open = s->open;
    v->booked = s->booked;
    v->refused = s->refused;
}

static void see_holders(struct view *v, bsk_rt *rt)
{
    for (enum role r = SHOP; r < ROLES; r++) {
        struct row *row = &v->rows[r];
        bsk_addr now = shop_holder(rt, r);
        if (!bsk_is_nobody(now) && !bsk_same(now, row->who)) row->since = v->ms;
        row->who = now;
        if (bsk_info(now, &row->info)) row->info = (bsk_info_out){0};
    }
}

static void see_rates(struct view *v, struct shop *s)
{
    int64_t passed = v->ms - v->rated;
    if (passed < RATE_MS) return;
    for (enum role r = SHOP; r < ROLES; r++) {
        uint64_t now = atomic_load_explicit(&s->handled[r], memory_order_relaxed);
        v->rows[r].rate = (double)(now - v->rows[r].handled) * 1000 / (double)passed;
        v->rows[r].handled = now;
    }
    v->rated = v->ms;
}

void view_take(struct view *v, struct shop *s, bsk_rt *rt)
{
    v->ms = events_now(&s->events);
    see_children(v, rt, SHOP);
    see_children(v, rt, OFFICE);
    see_children(v, rt, FLOOR);
    see_couriers(v, rt);
    see_sums(v, rt);
    see_rates(v, s);
    see_holders(v, rt);
}

static const char *absent(const struct view *v, enum role r)
{
    if (r == SHOP) return "gone";
    if (bsk_is_nobody(v->rows[roles[r].above].who)) return "-";
    return v->rows[r].state == BSK_CHILD_STOPPED ? "stopped" : "restarting";
}

void view_state(const struct view *v, enum role r, char *out, size_t size)
{
    const struct row *row = &v->rows[r];
    if (bsk_is_nobody(row->who))
        snprintf(out, size, "%s", absent(v, r));
    else if (row->info.busy_ms >= BUSY_MS)
        snprintf(out, size, "busy %.1f s", (double)row->info.busy_ms / 1000);
    else if (v->ms - row->since < NEW_MS && v->ms > NEW_MS)
        snprintf(out, size, "new");
    else if (r == COURIERS)
        snprintf(out, size, "%u under way", row->under_way);
    else
        snprintf(out, size, "running");
}

void view_last(const struct row *row, char *out, size_t size)
{
    if (row->ended && row->last == BSK_FAULT && *row->why)
        snprintf(out, size, "%s", row->why);
    else if (row->ended)
        snprintf(out, size, "%s%s%s", bsk_reason_name(row->last), *row->why ? ": " : "", row->why);
    else
        snprintf(out, size, "-");
}
