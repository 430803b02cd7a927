/* SPDX-License-Identifier: MIT */
/* play_ends.c - what goes up the tree, and what goes down it. */
#include <inttypes.h>
#include <string.h>

#include "checks.h"
#include "customers.h"
#include "plays.h"

enum { SOON_MS = 3000, STORM_MS = 4000, WORD_MS = 3000, STEP_MS = 2 };

void play_escalation(struct stage *st)
{
    bsk_child_info info;
    stage_note(st);
    stage_check(st, deed_storm(st->self, WORKER_1, STORM_MS),
                "worker.1 fails until the floor gives up");
    stage_await(st, INTAKE, SOON_MS);
    stage_check_changed(st, ROLE(FLOOR) | ALL_WORKERS | ROLE(INTAKE));
    int rc = stage_child(st, FLOOR, &info);
    stage_check(st, rc == 0 && info.last_reason == BSK_GAVE_UP && info.restarts == 1,
                "the shop says of the floor: %s: %s", bsk_reason_name(info.last_reason),
                rc ? bsk_strerror(rc) : info.last_text);
}

static void kill_floor(struct stage *st)
{
    int64_t until = bsk_now(st->rt) + SOON_MS;
    bsk_addr old = shop_holder(st->rt, FLOOR);
    bsk_kill(old);
    while (bsk_alive(st->top) && bsk_now(st->rt) < until) {
        bsk_addr now = shop_holder(st->rt, FLOOR);
        if (!bsk_is_nobody(now) && !bsk_same(now, old)) return;
        stage_sleep(st, STEP_MS);
    }
}

static void reopen(struct stage *st)
{
    st->top = shop_open(st->shop, st->rt);
    stage_check(st, !bsk_is_nobody(st->top), "the shop is opened again");
}

void play_collapse(struct stage *st)
{
    bsk_monitor on = bsk_watch(st->self, st->top);
    for (int i = 0; i < 4; i++) kill_floor(st);
    bsk_msg *m = bsk_recv_only(st->self, SOON_MS, BSK_T(bsk_down));
    bool down = false;
    bsk_match(m)
        bsk_on(bsk_down, d) {
            down = stage_check(st, bsk_is_of(d, on) && d->reason == BSK_GAVE_UP,
                               "the floor is lost 4 times; the shop ends: %s: %s",
                               bsk_reason_name((enum bsk_reason)d->reason), d->text);
        }
    if (!down) stage_check(st, false, "the shop has ended");
    stage_sleep(st, 100);
    reopen(st);
}

/* Those who stop, the last started first. */
static const enum role in_order[ROLES] = {INTAKE,   WORKER_3, WORKER_2, WORKER_1, FLOOR,
                                          NOTIFIER, LEDGER,   OFFICE,   COURIERS, SHOP};

static void check_end(struct stage *st, const bsk_down *d, enum role r)
{
    enum bsk_reason expected = r == WORKER_3 ? BSK_KILLED : BSK_SHUTDOWN;
    stage_check(st, strcmp(d->name, roles[r].name) == 0 && (enum bsk_reason)d->reason == expected,
                "%s: %s", d->name, bsk_reason_name((enum bsk_reason)d->reason));
}

void play_shutdown(struct stage *st)
{
    for (enum role r = SHOP; r < ROLES; r++)
        if (!bsk_watch_name(st->self, roles[r].name).gen)
            bsk_fail(st->self, "watch: %s", bsk_strerror(bsk_error(st->self)));
    stage_check(st, deed_trouble(st->self, WORKER_3, HANG) == 0, "worker.3 hangs");
    stage_sleep(st, 200);
    int64_t from = bsk_now(st->rt);
    bsk_stop(st->top, 5000);
    for (int i = 0; i < ROLES; i++) {
        bsk_msg *m = bsk_recv_only(st->self, SOON_MS, BSK_T(bsk_down));
        if (!m) stage_check(st, false, "%s has ended", roles[in_order[i]].name);
        bsk_match(m)
            bsk_on(bsk_down, d) check_end(st, d, in_order[i]);
    }
    int64_t took = bsk_now(st->rt) - from;
    stage_check(st, took >= 500 && took < 2000, "it took %" PRId64 " ms, 500 of them for worker.3",
                took);
    reopen(st);
}

void play_subtree(struct stage *st)
{
    bsk_child_info info;
    stage_note(st);
    int rc = bsk_sup_stop(st->self, st->top, WORD_MS, "floor");
    stage_check(st, rc == 0, "the floor is stopped: %s", bsk_strerror(rc));
    stage_sleep(st, 300);
    rc = stage_child(st, FLOOR, &info);
    stage_check(st, rc == 0 && info.state == BSK_CHILD_STOPPED, "it stays so while orders come");
    rc = bsk_sup_restart(st->self, st->top, WORD_MS, "floor", NULL);
    stage_check(st, rc == 0, "it is started again: %s", bsk_strerror(rc));
    stage_check_changed(st, ROLE(FLOOR) | ALL_WORKERS);
}

void play_cancel(struct stage *st)
{
    stage_note(st);
    customers_ask_for(st->shop, AMOUNT_STUCK);
    stage_sleep(st, 400);
    stage_check(st, events_tell(&st->shop->events, "its checks took more than 150 ms"),
                "an order whose bank never answers is refused after 150 ms");
    stage_check_changed(st, 0);
}

void play_kill(struct stage *st)
{
    stage_note(st);
    stage_check(st, bsk_kill(shop_holder(st->rt, FLOOR)) == 0, "the floor is killed");
    stage_await(st, INTAKE, SOON_MS);
    stage_check_changed(st, ROLE(FLOOR) | ALL_WORKERS | ROLE(INTAKE));
    for (enum role r = WORKER_1; r <= WORKER_3; r++)
        stage_check(st, !bsk_alive(st->before[r]), "the old %s is gone", roles[r].name);
}
