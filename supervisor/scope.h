/* SPDX-License-Identifier: MIT */
/* scope.h - a node of the tree that owns children. */
#ifndef BSK_SCOPE_H
#define BSK_SCOPE_H

#include "kin.h"

#include "actors/arena.h"
#include "actors/timer.h"

struct bonds {
    struct bond *first, *last;
    uint32_t n;
};

struct bsk_scope {
    bsk_scope *outer;
    bsk_self *owner;
    struct bonds live, ended; /* ended: whose end was not taken yet */
    uint32_t number;          /* 1 to 15, to tell the scopes of one actor apart */
    enum bsk_scope_kind kind;
    bool supervises; /* the supervisor takes all ends, and none cancels anything */
    bool cancelled, timed_out, killed;
    uint32_t shields;         /* of its opener, when it was opened */
    uint64_t deadline;        /* NEVER: none */
    uint64_t own;             /* of that, what it was opened with */
    struct tim_notice notice; /* to look at the clock */
    uint64_t noticed;         /* when; NEVER: no notice is set */
    struct bond *winner;      /* of a race */
    bsk_addr failed;          /* who failed first; and why: */
    uint64_t cause;           /* packed, with a count */
    struct bond *taken;       /* what `out` is about */
    bsk_finished out;
    bsk_token *token;
};

/* A scope in the actor's kin, innermost; NULL: *rc says why. */
bsk_scope *scope_new(bsk_self *a, uint64_t deadline, enum bsk_scope_kind kind, int *rc);
/* Frees a scope whose children are gone. */
void scope_free(bsk_scope *s);
/* What a child begins with; NULL where it does not. */
struct start {
    struct child *child;   /* its supervisor's record of it */
    struct defer *undo;    /* a clean-up */
    struct bsk_msg **kept; /* what a predecessor has left, from which it takes */
    struct handle *handle; /* what it owns of its loop */
};
/* Starts a child; bsk_spawn's codes, or BSK_ECANCELED. The bond is the scope's. */
int scope_spawn(bsk_scope *s, bsk_behavior b, const bsk_opts *o, const struct start *with,
                struct bond **out);
/* A child of the scope has ended. */
void scope_ended(struct worker *w, bsk_scope *s, struct bond *b);
/* Tells the child to stop, or kills it; what it was told already is not told again. */
void scope_stop_child(struct worker *w, struct bond *b, bool kill);
/* The same for all who live, the youngest first; none is started from now on. */
void scope_stop_all(struct worker *w, bsk_scope *s, bool kill);
/* Cancels it, and what was opened inside it; not a supervisor's. */
void scope_cancel(struct worker *w, bsk_scope *s);
/* Looks at the clock: whose time is over is killed, a deadline cancels. */
void scope_look(struct worker *w, bsk_scope *s);
/* Takes that one, which has ended. */
void scope_take(bsk_scope *s, struct bond *b);
/* Takes the bond whose end comes next, or NULL; the caller frees it. */
struct bond *scope_take_ended(bsk_scope *s);
void bond_free(struct worker *w, struct bond *b);
/* Buries what was kept of the actor's queue and nobody will handle. */
void kept_bury(struct worker *w, bsk_addr who, struct bsk_msg **kept);

#endif
