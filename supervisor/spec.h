/* SPDX-License-Identifier: MIT */
/* spec.h - what a supervisor is told of a child: checked, copied, and counted. */
#ifndef BSK_SPEC_H
#define BSK_SPEC_H

#include "supervisor.h"

#include <stdatomic.h>

struct spec {
    _Atomic unsigned refs; /* a supervisor below shares its specs with its parent's */
    const char *id;
    bsk_child_spec given;   /* strings, state and nested options are copies */
    struct spec **children; /* of a supervisor: as many as given.nchildren */
};

/* Check a spec by itself, where it is to stand, a supervisor's options by themselves, and those
 * with its specs. 0, or BSK_EINVAL and `why`, which names the value. */
int spec_check_form(const bsk_child_spec *c, char *why, size_t size);
int spec_check_place(const bsk_child_spec *c, const bsk_sup_opts *parent, char *why, size_t size);
int spec_check_sup_form(const bsk_sup_opts *o, char *why, size_t size);
int spec_check_sup(const bsk_sup_opts *o, const bsk_child_spec *specs, size_t n, char *why,
                   size_t size);
/* Checks that no two have the same id. The same, or BSK_ENOMEM. */
int spec_check_ids(const bsk_child_spec *specs, size_t n, char *why, size_t size);
/* Returns a copy, held once, or NULL for want of memory. `number` makes an id for who has none;
 * with 0 it has none yet. */
struct spec *spec_new(const bsk_child_spec *c, unsigned number);
/* Makes an id for who has none. 0 or BSK_ENOMEM. */
int spec_number(struct spec *s, unsigned number);
struct spec *spec_hold(struct spec *s);
void spec_drop(struct spec *s);
/* Forgets the state that the child starts with, since it starts once; unless others hold the spec,
 * who start it once more. */
void spec_drop_state(struct spec *s);
/* Returns a copy of options, or NULL for want of memory; one mem_free frees it. */
bsk_sup_opts *spec_copy_sup(const bsk_sup_opts *o);
/* Returns the child's time to stop, with its default. */
int64_t spec_shutdown_ms(const bsk_child_spec *c);
static inline bool spec_is_sup(const bsk_child_spec *c)
{
    return c->sup;
}

#endif
