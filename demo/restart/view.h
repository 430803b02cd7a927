/* SPDX-License-Identifier: MIT */
/* view.h - what is seen of the shop at one moment, from a thread outside. */
#ifndef RESTART_VIEW_H
#define RESTART_VIEW_H

#include "shop.h"

struct row {
    bsk_addr who;               /* nobody: it does not run */
    enum bsk_child_state state; /* as its supervisor says */
    int64_t since;              /* when this one was first seen */
    bsk_info_out info;          /* its mailbox, and what it is at */
    unsigned under_way;         /* couriers */
    uint64_t restarts, handled;
    double rate; /* messages a second */
    bool ended;  /* it has, at least once; then: */
    enum bsk_reason last;
    char why[96];
};

struct view {
    struct row rows[ROLES];
    int64_t ms;                    /* of the shop's log */
    int64_t rated;                 /* when rates were last taken */
    int64_t open, booked, refused; /* of the ledger, when it last answered */
    bool answered;                 /* it did just now */
};

/* Looks again; what does not answer at once stays as it was seen last. */
void view_take(struct view *v, struct shop *s, bsk_rt *rt);
/* Writes the state of a row in a word or two. */
void view_state(const struct view *v, enum role r, char *out, size_t size);
/* Writes how it last ended. */
void view_last(const struct row *row, char *out, size_t size);

#endif
