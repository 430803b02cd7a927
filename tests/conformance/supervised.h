/* SPDX-License-Identifier: MIT */
/* supervised.h - what the conformance tests of supervisors share: children that end as they are
 * told, and short words about supervisors. */
#ifndef BSK_SUPERVISED_H
#define BSK_SUPERVISED_H

#include "conformance.h"

#include <string.h>

BSK_MSG(end_so, (i64, how));
enum so { SO_NORMAL, SO_FAILED, SO_SHUTDOWN, SO_COUNT };

/* Children: a handler, and a fiber, that end as they are told; one that ends its init as
 * `init_now` says. */
void obedient(bsk_self *self, bsk_msg *m);
void obedient_fiber(bsk_self *self);
void init_as_told(bsk_self *self);
extern enum init_end { INIT_WELL, INIT_FAIL, INIT_IGNORE } init_now;
/* A fiber that goes on for so many ms, its state, after it was told to stop. */
void linger(bsk_self *self);

/* Ends the child so and lets its supervisor act. */
void end_child(bsk_self *self, bsk_addr who, enum so how);
/* The same, by a kill. */
void kill_child(bsk_self *self, bsk_addr who);

/* What the supervisor says, which must be a success. */
bsk_addr child_of(bsk_self *self, bsk_addr sup, const char *id);
bsk_child_info info_of(bsk_self *self, bsk_addr sup, const char *id);
bsk_sup_counts counts_of(bsk_self *self, bsk_addr sup);
/* How many records of children it has; the address of the i-th. */
size_t list_len(bsk_self *self, bsk_addr sup);
bsk_addr nth_child(bsk_self *self, bsk_addr sup, size_t i);
/* Expects specs, active, workers and supervisors. */
void expect_counts(bsk_self *self, bsk_addr sup, unsigned specs, unsigned active, unsigned workers,
                   unsigned sups);
/* Adds an instance of a dynamic supervisor, whose state is the number. */
bsk_addr add_instance(bsk_self *self, bsk_addr sup, int n);

/* Stops an actor and waits for its end; returns the reason. */
int stop_and_wait(bsk_self *self, bsk_addr who);

/* A text that grows: what happened in which order; and an empty one again. */
void say(const char *what);
const char *said(void);
void hush(void);
#define expect_said(text)                                                                          \
    do {                                                                                           \
        if (strcmp(said(), (text)) != 0)                                                           \
            ck_abort_msg("seed %" PRIu64 ": said \"%s\", not \"%s\"", seed_now, said(), (text));   \
    } while (0)

/* The supervisor that a test started; it must have been. */
static inline bsk_addr born(bsk_self *self, bsk_addr who)
{
    if (bsk_is_nobody(who))
        ck_abort_msg("seed %" PRIu64 ": %s: %s", seed_now, bsk_errname(bsk_error(self)),
                     bsk_error_text(self));
    return who;
}
#define supervise(self, ...) born((self), bsk_supervise(bsk_rt_of(self), __VA_ARGS__))

/* Ends the test's runtime. */
static inline void finish(bsk_self *self)
{
    bsk_shutdown(bsk_rt_of(self));
}

#endif
