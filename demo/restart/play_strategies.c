/* SPDX-License-Identifier: MIT */
/* play_strategies.c - who starts again when one has failed. */
#include <inttypes.h>

#include "plays.h"

enum { SOON_MS = 2000, STEP_MS = 5, WORD_MS = 2000, MANY = 64 };

static void fail(struct stage *st, enum role r)
{
    stage_note(st);
    int rc = deed_trouble(st->self, r, CRASH);
    stage_check(st, rc == 0, "%s is told to fail: %s", roles[r].name, bsk_strerror(rc));
}

void play_one_for_one(struct stage *st)
{
    fail(st, WORKER_2);
    stage_await(st, WORKER_2, SOON_MS);
    stage_check_changed(st, ROLE(WORKER_2));
}

void play_one_for_all(struct stage *st)
{
    fail(st, LEDGER);
    stage_await(st, LEDGER, SOON_MS);
    stage_check_changed(st, ROLE(LEDGER) | ROLE(NOTIFIER));
}

void play_rest_for_one(struct stage *st)
{
    stage_note(st);
    stage_check(st, bsk_kill(shop_holder(st->rt, OFFICE)) == 0, "the office is killed");
    stage_await(st, INTAKE, SOON_MS);
    stage_check_changed(st, ROLE(OFFICE) | ROLE(LEDGER) | ROLE(NOTIFIER) | ROLE(FLOOR) |
                                ALL_WORKERS | ROLE(INTAKE));
    fail(st, INTAKE);
    stage_await(st, INTAKE, SOON_MS);
    stage_check_changed(st, ROLE(INTAKE));
}

static size_t under_way(struct stage *st, bsk_child_info *out)
{
    size_t n = 0;
    int rc = bsk_sup_list(st->self, shop_holder(st->rt, COURIERS), WORD_MS, out, MANY, &n);
    return rc == 0 ? n : 0;
}

static size_t await_couriers(struct stage *st, bsk_child_info *out, size_t least)
{
    int64_t until = bsk_now(st->rt) + SOON_MS;
    size_t n = under_way(st, out);
    while (n < least && bsk_now(st->rt) < until) {
        stage_sleep(st, STEP_MS);
        n = under_way(st, out);
    }
    return n;
}

static int64_t count_restarts(struct stage *st)
{
    bsk_sup_counts c;
    int rc = bsk_sup_count(st->self, shop_holder(st->rt, COURIERS), WORD_MS, &c);
    return rc ? rc : (int64_t)c.restarts;
}

void play_dynamic(struct stage *st)
{
    bsk_child_info some[MANY];
    size_t n = await_couriers(st, some, 2);
    if (!stage_check(st, n >= 2 && n <= MANY, "%zu couriers are under way", n)) return;
    stage_note(st);
    stage_check(st, bsk_try(some[0].who, trouble, .kind = CRASH) == 0, "the first one fails");
    stage_sleep(st, 50);
    stage_check(st, !bsk_alive(some[0].who) && count_restarts(st) == 1,
                "another took its parcel over");
    stage_check(st, bsk_alive(some[1].who), "the second one goes on");
    stage_check_changed(st, 0);
}
