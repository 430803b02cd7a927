/* SPDX-License-Identifier: MIT */
/* deeds.c - what a person, or a script, can do to the shop. */
#include "deeds.h"

#include <inttypes.h>
#include <string.h>

#include "checks.h"
#include "customers.h"

enum { WORD_MS = 5000, STORM_MS = 8000, FLOOD_MS = 1500, STEP_MS = 5, HERD = 64 };

struct deed {
    struct shop *shop;
    enum role target;
    int key;
};

/* Who is hit: the holder, or of the couriers the first who is under way. */
static bsk_addr victim(bsk_self *self, enum role target)
{
    bsk_child_info herd[HERD];
    size_t n;
    bsk_rt *rt = bsk_rt_of(self);
    if (target != COURIERS) return shop_holder(rt, target);
    int rc = bsk_sup_list(self, shop_holder(rt, COURIERS), WORD_MS, herd, HERD, &n);
    return rc == 0 && n > 0 ? herd[0].who : (bsk_addr){0, 0, 0};
}

int deed_trouble(bsk_self *self, enum role target, enum trouble_kind kind)
{
    return bsk_try(victim(self, target), trouble, .kind = kind);
}

bool deed_storm(bsk_self *self, enum role target, int64_t ms)
{
    bsk_rt *rt = bsk_rt_of(self);
    int64_t until = bsk_now(rt) + ms;
    bsk_addr above = shop_holder(rt, roles[target].above), last = {0, 0, 0};
    while (bsk_now(rt) < until && bsk_alive(above)) {
        bsk_addr who = victim(self, target);
        if (!bsk_same(who, last) && bsk_try(who, trouble, .kind = CRASH) == 0) last = who;
        if (bsk_sleep(self, STEP_MS) < 0) return false;
    }
    return !bsk_alive(above);
}

int64_t deed_flood(bsk_self *self, enum role target, int64_t ms)
{
    bsk_rt *rt = bsk_rt_of(self);
    int64_t refused = 0, until = bsk_now(rt) + ms;
    while (bsk_now(rt) < until) {
        bsk_addr who = victim(self, target);
        for (int i = 0; i < 4096; i++)
            if (bsk_try(who, junk)) refused++;
        if (bsk_sleep(self, STEP_MS) < 0) break;
    }
    return refused;
}

/* What the supervisor of a role is going to do, in words. */
static void explain(struct events *e, enum role target)
{
    const char *above = roles[roles[target].above].name, *name = roles[target].name;
    switch (roles[roles[target].above].strategy) {
    case BSK_ONE_FOR_ALL:
        events_explain(e, "%s is one_for_all: its siblings are stopped, all start again", above);
        break;
    case BSK_REST_FOR_ONE:
        events_explain(e, "%s is rest_for_one: %s and all started after it start again", above,
                       name);
        break;
    default: events_explain(e, "%s is one_for_one: only %s starts again", above, name);
    }
}

static void explain_hang(struct events *e, enum role target)
{
    if (target >= WORKER_1 && target <= WORKER_3)
        events_explain(e, "nothing tells the supervisor; intake will miss it after a second");
    else if (!roles[target].fiber)
        events_explain(e, "a handler holds up its loop; calls to it are made again later");
    else
        events_explain(e, "nobody watches %s for this: k kills it", roles[target].name);
}

static const char *why_not(enum role target, enum trouble_kind kind)
{
    if (roles[target].supervisor && target != COURIERS)
        return "a supervisor runs no code of yours: choose who is below it, or k, x, s";
    if (kind == OVERFLOW && !roles[target].fiber && target != COURIERS)
        return "a handler runs on its loop's stack: choose a fiber";
    return NULL;
}

static void do_trouble(bsk_self *self, const struct deed *d, enum trouble_kind kind)
{
    struct events *e = &d->shop->events;
    const char *name = d->target == COURIERS ? "a courier" : roles[d->target].name;
    const char *no = why_not(d->target, kind);
    int rc = no ? 0 : deed_trouble(self, d->target, kind);
    if (no)
        events_do(e, "%s", no);
    else if (rc)
        events_do(e, "%s cannot be reached: %s", name, bsk_strerror(rc));
    else
        events_do(e, "%s %s", name, trouble_names[kind]);
    if (no || rc) return;
    if (kind == HANG)
        explain_hang(e, d->target);
    else if (d->target == COURIERS)
        events_explain(e, "couriers are transient: who fails starts again, who is done does not");
    else
        explain(&d->shop->events, d->target);
}

static void do_kill(bsk_self *self, const struct deed *d)
{
    struct events *e = &d->shop->events;
    if (bsk_kill(victim(self, d->target))) {
        events_do(e, "%s does not run", roles[d->target].name);
        return;
    }
    events_do(e, "%s is killed%s", roles[d->target].name,
              roles[d->target].supervisor ? ", and all below with it" : "");
    if (d->target == SHOP)
        events_explain(e, "nobody is above it; r opens it again, the journal has all");
    else
        explain(e, d->target);
}

static void do_restart(bsk_self *self, const struct deed *d, bsk_addr above)
{
    struct events *e = &d->shop->events;
    int rc = bsk_sup_restart(self, above, WORD_MS, roles[d->target].name, NULL);
    events_do(e, "%s is started again: %s", roles[d->target].name,
              rc ? bsk_strerror(rc) : "it runs");
}

/* Stops it, and says how it ended: one that does not stop in its time is killed. */
static void do_stop(bsk_self *self, const struct deed *d, bsk_addr above)
{
    struct events *e = &d->shop->events;
    const char *name = roles[d->target].name;
    bsk_child_info info;
    events_do(e, "%s is told to stop; x starts it again", name);
    int rc = bsk_sup_stop(self, above, WORD_MS, name);
    if (rc == 0) rc = bsk_sup_child(self, above, WORD_MS, name, &info);
    if (rc)
        events_explain(e, "%s: %s", name, bsk_strerror(rc));
    else
        events_explain(e, "%s has ended: %s; %s", name, bsk_reason_name(info.last_reason),
                       info.supervisor ? "those below first, the youngest first" : "no restart");
}

/* Stops who is there with all below, or starts it again. */
static void do_cancel(bsk_self *self, const struct deed *d)
{
    const char *name = roles[d->target].name;
    bsk_child_info info;
    bsk_addr above = shop_holder(bsk_rt_of(self), roles[d->target].above);
    int rc = d->target == SHOP ? BSK_EINVAL : bsk_sup_child(self, above, WORD_MS, name, &info);
    if (rc)
        events_do(&d->shop->events, "%s cannot be stopped: %s", name, bsk_strerror(rc));
    else if (info.state == BSK_CHILD_STOPPED)
        do_restart(self, d, above);
    else
        do_stop(self, d, above);
}

static void do_storm(bsk_self *self, const struct deed *d)
{
    struct events *e = &d->shop->events;
    enum role target = roles[d->target].supervisor ? WORKER_1 : d->target;
    const char *above = roles[roles[target].above].name;
    events_do(e, "%s fails again and again, until %s gives up", roles[target].name, above);
    if (deed_storm(self, target, STORM_MS))
        events_explain(e, "%s gave up: a failure of its own, one floor up", above);
}

static void do_flood(bsk_self *self, const struct deed *d)
{
    struct events *e = &d->shop->events;
    const char *no = why_not(d->target, HANG);
    if (no) {
        events_do(e, "%s", no);
        return;
    }
    events_do(e, "%s is flooded for %d ms", roles[d->target].name, FLOOD_MS);
    int64_t refused = deed_flood(self, d->target, FLOOD_MS);
    events_explain(e, "%" PRId64 " messages were refused: its mailbox has a bound", refused);
}

static void do_deadline(const struct deed *d)
{
    struct events *e = &d->shop->events;
    events_do(e, "an order comes whose bank never answers");
    events_explain(e, "the scope of its checks has a deadline, which cancels them");
    customers_ask_for(d->shop, AMOUNT_STUCK);
}

static void do_reopen(bsk_self *self, const struct deed *d)
{
    struct events *e = &d->shop->events;
    bsk_rt *rt = bsk_rt_of(self);
    if (!bsk_is_nobody(shop_holder(rt, SHOP)))
        events_do(e, "the shop is open");
    else if (bsk_is_nobody(shop_open(d->shop, rt)))
        events_do(e, "the shop does not open: %s", bsk_error_text(self));
    else
        events_do(e, "the shop is opened again, by the journal that it left");
}

static void deed(bsk_self *self)
{
    const struct deed *d = bsk_state(self);
    switch (d->key) {
    case 'c': do_trouble(self, d, CRASH); break;
    case 'n': do_trouble(self, d, NULL_POINTER); break;
    case 'o': do_trouble(self, d, OVERFLOW); break;
    case 'a': do_trouble(self, d, ASSERTION); break;
    case 'h': do_trouble(self, d, HANG); break;
    case 'f': do_flood(self, d); break;
    case 'k': do_kill(self, d); break;
    case 'x': do_cancel(self, d); break;
    case 's': do_storm(self, d); break;
    case 'r': do_reopen(self, d); break;
    default: do_deadline(d);
    }
}

bool deed_do(struct shop *s, bsk_rt *rt, int key, enum role target)
{
    bool known = key && strchr("cnoahfkxsdr", key);
    if (known &&
        bsk_is_nobody(bsk_spawn(rt, deed, .label = "deed", BSK_STATE(struct deed, s, target, key))))
        events_do(&s->events, "%c: %s", key, bsk_strerror(bsk_error(NULL)));
    return known;
}
