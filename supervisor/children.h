/* SPDX-License-Identifier: MIT */
/* children.h - a supervisor's records of its children, and starting and stopping one of them. */
#ifndef BSK_CHILDREN_H
#define BSK_CHILDREN_H

#include "backoff.h"
#include "due.h"
#include "intensity.h"
#include "scope.h"
#include "spec.h"

#include "mailbox/table.h"

/* One child: in the order of start among all; in the table, by its id, or, of a dynamic supervisor,
 * by its address while it runs. */
struct child {
    struct table_node node; /* first */
    struct child *next, *prev;
    struct spec *spec;
    struct bond *bond; /* running, or being started or stopped */
    bsk_addr who;      /* of the bond */
    enum bsk_child_state state;
    struct bsk_msg *kept; /* of its last one's queue, for the next */
    bsk_addr kept_of;     /* that last one, which may never have been ready */
    void *own_state;      /* of an instance: what it starts with, instead of the template's */
    size_t own_state_size;
    struct due due; /* restarting: when */
    struct backoff backoff;
    uint64_t restarts;
    enum bsk_reason last_reason;
    char last_text[96];
};

/* A supervisor. Its fiber's alone, but for `start`. */
struct sup {
    bsk_self *self;
    bsk_scope *scope;
    bsk_sup_opts *opts;
    struct child *first, *last;
    uint32_t n, nrunning;
    struct table table;
    struct spec *template; /* dynamic */
    struct dues restarting;
    struct intensity intensity;
    uint64_t restarts;
    unsigned numbered;
    char why[192]; /* what went wrong last */
    struct sup_start *start;
    struct defer undo; /* frees it, however the fiber ends, also before it has run */
};

static inline bool sup_is_dynamic(const struct sup *s)
{
    return s->opts->strategy == BSK_DYNAMIC;
}

/* Who is restarted next, or NULL. */
static inline struct child *child_next_due(const struct sup *s)
{
    char *due = (char *)s->restarting.first;
    return due ? (struct child *)(void *)(due - offsetof(struct child, due)) : NULL;
}

/* Makes a record of a child that does not run, the last one; takes the spec over. BSK_EEXIST:
 * the id is taken; then the spec stays the caller's. BSK_ENOMEM. */
int child_add(struct sup *s, struct spec *spec, struct child **out);
/* Forgets a child that does not run. */
void child_remove(struct sup *s, struct child *c);
/* The child, or NULL. */
struct child *child_by_id(struct sup *s, const char *id);
struct child *child_by_addr(struct sup *s, bsk_addr who);
/* Starts it and waits until it is ready. 0: it runs. 1: it had nothing to do (bsk_ignore). Else a
 * code, and s->why says more. */
int child_start(struct sup *s, struct child *c, int64_t *info);
/* Its restart, if it waits for one, is not to come any more. */
void child_stop_waiting(struct sup *s, struct child *c);
/* Stops it, if it runs, and waits until it has ended. */
void child_stop(struct sup *s, struct child *c);
/* The child's end, which `b` is about, was taken from the scope: it does not run any more. */
void child_note_end(struct sup *s, struct child *c, struct bond *b);
/* Waits until there is news, a message, or `until`; may return early. */
void sup_wait(struct sup *s, uint64_t until);
/* Tells whether the supervisor was told to stop. */
bool sup_told_to_stop(const struct sup *s);
/* Frees what a supervisor has, its children gone. */
void sup_free(void *sup);
/* A supervisor's fiber; its state is a struct sup *. */
void sup_main(bsk_self *self);
/* A supervisor that does not run yet, from options and specs (or copies of specs); NULL for want
 * of memory. */
struct sup *sup_new(const bsk_sup_opts *o, const bsk_child_spec *specs, struct spec **copies,
                    size_t n);

#endif
