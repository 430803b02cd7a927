/* SPDX-License-Identifier: MIT */
/* kin.h - an actor's place in the tree: its parent, the scopes that its children live in, the
 * monitors that it holds.
 *
 *     actor --kin--> scope --> scope (outer)
 *       ^              |
 *       |            bond  bond  bond        a child each, in the order of start
 *       |              |
 *       `----------- child --kin--> ...
 *
 * All of a kin is its actor's own, but for `news`: children that have ended push their bonds
 * there, and set CTL_KIN. A parent ends after all its children, so whoever has a bond may use its
 * parent's kin. */
#ifndef BSK_KIN_H
#define BSK_KIN_H

#include "actors/cause.h"
#include "actors/runtime.h"
#include "supervisor.h"

struct monitor;
struct child;

enum bond_state { BOND_TIED, BOND_ENDED, BOND_LOOSE };

/* A child's tie to its parent: the parent's, unless the child finds it loose at its end. */
struct bond {
    struct bond *next, *prev; /* in the scope, by order of start; or, ended, by order of end */
    struct bond *news;        /* the one that ended before */
    bsk_addr who, parent;
    struct kin *home; /* of the parent */
    bsk_scope *scope;
    struct child *child;    /* a supervisor's record of it; NULL in a scope of the user's */
    int64_t finish_ms;      /* time to stop */
    uint64_t kill_at;       /* once it was told to; NEVER: not by time */
    uint64_t cause;         /* of its end; packed, with a count */
    struct bsk_msg *result; /* what it gave */
    uint64_t by;            /* deadline of all that it does; NEVER: none */
    int64_t info;           /* of bsk_ready */
    bool ignored, over;     /* bsk_ignore; its end is known to the parent */
    bool keeps;             /* what is queued at its end is its successor's */
    enum bsk_restart restart;
    struct bsk_msg *kept, *kept_last; /* that, in order */
    _Atomic bool ready;               /* a supervisor's child: it has started */
    _Atomic int state;                /* enum bond_state: the child's end and a detach meet here */
    _Atomic bool cancelled;           /* told to stop by its scope */
};

struct kin {
    struct bond *bond; /* to the parent; NULL: a child of the root */
    bsk_scope *scopes; /* the innermost first */
    struct monitor *monitors;
    struct bond *_Atomic news;
    bool lingers, told;
    enum bsk_reason reason; /* of a lingering end */
    bsk_blob *cause;
};

/* Returns the actor's kin, made if it has none; NULL for want of memory. The actor's own call. */
struct kin *kin_of(bsk_self *a);
/* See actors/hooks.h. */
void kin_look(struct worker *w, bsk_self *a);
bool kin_linger(struct worker *w, bsk_self *a);
bool kin_keep(struct worker *w, bsk_self *a, struct bsk_msg *m);
void kin_release(struct worker *w, bsk_self *a);
uint64_t kin_deadline(const bsk_self *a);
uint64_t kin_waits_until(const bsk_self *a);
enum bsk_reason kin_stopped(const bsk_self *a);
/* Tells whether a supervisor starts one again that ended so. */
bool kin_restarts(enum bsk_restart restart, enum bsk_reason reason);
/* The actor has ended: its parent hears. Frees the kin. */
void kin_ended(struct worker *w, struct kin *kin, enum bsk_reason reason, bsk_blob *cause);

#endif
