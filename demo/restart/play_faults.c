/* SPDX-License-Identifier: MIT */
/* play_faults.c - what no actor would do on purpose. */
#include <inttypes.h>

#include "plays.h"

enum { SOON_MS = 3000, FLOOD_MS = 300 };

/* Has it commit a fault; checks why it ended, and who started again. */
static void commit(struct stage *st, enum role r, enum trouble_kind kind, enum bsk_reason reason,
                   unsigned again)
{
    bsk_child_info info = {.last_reason = BSK_NORMAL};
    stage_note(st);
    int rc = deed_trouble(st->self, r, kind);
    stage_check(st, rc == 0, "%s %s", roles[r].name, trouble_names[kind]);
    stage_await(st, r, SOON_MS);
    stage_check_changed(st, again);
    rc = stage_child(st, r, &info);
    stage_check(st, rc == 0 && info.last_reason == reason, "it ended: %s%s%s",
                bsk_reason_name(info.last_reason), *info.last_text ? ": " : "", info.last_text);
}

void play_hang(struct stage *st)
{
    commit(st, WORKER_2, HANG, BSK_KILLED, ROLE(WORKER_2));
    stage_check(st, events_tell(&st->shop->events, "worker.2 has orders and is silent"),
                "intake has missed it");
}

void play_flood(struct stage *st)
{
    stage_note(st);
    int64_t refused = deed_flood(st->self, WORKER_1, FLOOD_MS);
    stage_check(st, refused > 0, "worker.1 is flooded; %" PRId64 " messages were refused", refused);
    stage_check_changed(st, 0);
}

void play_null(struct stage *st)
{
    commit(st, WORKER_1, NULL_POINTER, BSK_FAULT, ROLE(WORKER_1));
    commit(st, LEDGER, NULL_POINTER, BSK_FAULT, ROLE(LEDGER) | ROLE(NOTIFIER));
}

void play_overflow(struct stage *st)
{
    commit(st, WORKER_2, OVERFLOW, BSK_FAULT, ROLE(WORKER_2));
}

void play_assert(struct stage *st)
{
    commit(st, WORKER_3, ASSERTION, BSK_FAULT, ROLE(WORKER_3));
}
