/* SPDX-License-Identifier: MIT */
/* stage.h - a scenario: the shop is opened, customers place orders, something happens, and what
 * should have come of it is checked. Then the orders are counted.
 *
 * Whoever plays it is a fiber outside the shop. With a seed all runs in virtual time. */
#ifndef RESTART_STAGE_H
#define RESTART_STAGE_H

#include "deeds.h"

enum { ORDERS = 120 }; /* of each customer, if a scenario says nothing else */

struct stage {
    struct shop *shop;
    bsk_self *self; /* who plays */
    bsk_rt *rt;
    bsk_addr top;
    bsk_addr before[ROLES]; /* who had the roles when stage_note was called */
    bool failed;            /* a check did */
};

struct scenario {
    const char *name, *about;
    void (*play)(struct stage *st);
    int64_t orders;  /* of each customer; 0: ORDERS */
    bool root_fails; /* the shop itself is to give up */
    bool fault;      /* needs faults to be contained */
};

/* Ends with a scenario without a name. */
extern const struct scenario scenarios[];

/* Runs one, in virtual time if `seed` is not 0. Prints what is checked; true: all was as it should
 * be. */
bool stage_run(const struct scenario *sc, uint64_t seed);

/* Prints one line, and remembers if the check failed. Returns `ok`. */
__attribute__((format(printf, 3, 4))) bool stage_check(struct stage *st, bool ok,
                                                       const char *format, ...);
/* Notes who has which role. */
void stage_note(struct stage *st);
/* Waits until somebody else than noted has the role. */
bool stage_await(struct stage *st, enum role r, int64_t ms);
/* Waits until all are there, then checks that these roles (bits 1 << role) changed hands since
 * stage_note, and no others. */
void stage_check_changed(struct stage *st, unsigned roles_changed);
/* What its supervisor says of a child. 0 or a code. */
int stage_child(struct stage *st, enum role r, bsk_child_info *out);
void stage_sleep(struct stage *st, int64_t ms);

#define ROLE(r) (1u << (r))
#define ALL_WORKERS (ROLE(WORKER_1) | ROLE(WORKER_2) | ROLE(WORKER_3))

#endif
