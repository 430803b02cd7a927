/* SPDX-License-Identifier: MIT */
/* play_restarts.c - whether, and when, one that has ended starts again. A clerk joins the floor
 * while the shop is open. */
#include <inttypes.h>
#include <string.h>

#include "plays.h"

enum { SOON_MS = 2000, STEP_MS = 2, WORD_MS = 2000, A_WHILE_MS = 300 };

static void clerk(bsk_self *self)
{
    for (bsk_msg *m; (m = bsk_recv(self, BSK_FOREVER));)
        bsk_match(m)
            bsk_on(trouble, t) trouble_make(self, t->kind);
}

static bsk_addr floor_of(struct stage *st)
{
    return shop_holder(st->rt, FLOOR);
}

static bool employ(struct stage *st, enum bsk_restart restart)
{
    bsk_child_spec spec = bsk_child(clerk, .name = "clerk", .restart = restart);
    int rc = bsk_sup_add(st->self, floor_of(st), WORD_MS, &spec, NULL);
    return stage_check(st, rc == 0, "a clerk joins the floor: %s", bsk_strerror(rc));
}

/* Ends the clerk so, and tells whether there is a new one after a while. */
static bool comes_back(struct stage *st, enum trouble_kind how)
{
    bsk_addr old = bsk_whereis(st->rt, "clerk");
    int64_t until = bsk_now(st->rt) + A_WHILE_MS;
    if (bsk_try(old, trouble, .kind = how)) return false;
    while (bsk_now(st->rt) < until) {
        bsk_addr now = bsk_whereis(st->rt, "clerk");
        if (!bsk_is_nobody(now) && !bsk_same(now, old)) return true;
        stage_sleep(st, STEP_MS);
    }
    return false;
}

void play_permanent(struct stage *st)
{
    stage_note(st);
    if (!employ(st, BSK_PERMANENT)) return;
    stage_check(st, comes_back(st, LEAVE), "it ends by itself, and starts again");
    stage_check(st, comes_back(st, CRASH), "it fails, and starts again");
    stage_check_changed(st, 0);
}

void play_transient(struct stage *st)
{
    bsk_child_info info;
    stage_note(st);
    if (!employ(st, BSK_TRANSIENT)) return;
    stage_check(st, comes_back(st, CRASH), "it fails, and starts again");
    stage_check(st, !comes_back(st, LEAVE), "it ends by itself, and does not");
    int rc = bsk_sup_child(st->self, floor_of(st), WORD_MS, "clerk", &info);
    stage_check(st, rc == 0 && info.state == BSK_CHILD_STOPPED && info.last_reason == BSK_NORMAL,
                "the floor still knows it");
    rc = bsk_sup_restart(st->self, floor_of(st), WORD_MS, "clerk", NULL);
    stage_check(st, rc == 0, "it is started by hand: %s", bsk_strerror(rc));
    stage_check_changed(st, 0);
}

void play_temporary(struct stage *st)
{
    bsk_child_info info;
    stage_note(st);
    if (!employ(st, BSK_TEMPORARY)) return;
    stage_check(st, !comes_back(st, CRASH), "it fails, and does not start again");
    int rc = bsk_sup_child(st->self, floor_of(st), WORD_MS, "clerk", &info);
    stage_check(st, rc == BSK_ENOTFOUND, "the floor knows no clerk: %s", bsk_strerror(rc));
    stage_check_changed(st, 0);
}

/* Fails worker.1; returns how long there was none. The floor must answer meanwhile. */
static int64_t time_restart(struct stage *st)
{
    bsk_child_info info = {.state = BSK_CHILD_RUNNING};
    bsk_addr old = shop_holder(st->rt, WORKER_1);
    if (deed_trouble(st->self, WORKER_1, CRASH)) return 0;
    while (bsk_alive(old)) stage_sleep(st, 1);
    int64_t from = bsk_now(st->rt);
    int rc = stage_child(st, WORKER_1, &info);
    stage_check(st, rc == 0 && info.state == BSK_CHILD_RESTARTING, "the floor says: restarting");
    int64_t until = from + SOON_MS;
    while (bsk_is_nobody(shop_holder(st->rt, WORKER_1)) && bsk_now(st->rt) < until)
        stage_sleep(st, 1);
    return bsk_now(st->rt) - from;
}

/* 50, 100, 200 ms, less or more a tenth; and it may be noticed a moment late that it ended. */
void play_backoff(struct stage *st)
{
    stage_note(st);
    for (int64_t least = 50; least <= 200; least *= 2) {
        int64_t took = time_restart(st);
        stage_check(st, took >= least * 8 / 10, "worker.1 is back after %" PRId64 " ms", took);
    }
    stage_check_changed(st, ROLE(WORKER_1));
}
