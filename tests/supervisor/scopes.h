/* SPDX-License-Identifier: MIT */
/* scopes.h - what the tests of scopes share: under what they run, what children do, and each kind of
 * wait that an end must reach. */
#ifndef SCOPES_H
#define SCOPES_H

#include "../actors/fixture.h"

#include "buskin.h"

#define SEEDS 50

BSK_MSG(parcel, (i64, v), (str, text), (blob, data));

/* What actors of a run tell who started it; 0 when it begins. */
extern _Atomic int begun, over, seen, dropped;
extern bool in_virtual_time;

/* Runs the fiber in that runtime until all have ended; bsk_wait has to give the status. */
void run_on(bsk_rt *rt, int status, bsk_fiber *f);
bsk_rt *seeded(uint64_t seed);
/* The same under many seeds; truly parallel, again and again; in both ways. */
void run_seeded(int status, bsk_fiber *f);
void run_parallel(int status, bsk_fiber *f);
void run(int status, bsk_fiber *f);

int64_t now(bsk_self *self);
/* Opens a scope, or the test has failed. */
bsk_scope *opened(bsk_self *self, int64_t ms, enum bsk_scope_kind kind);

/* What children do. Their states: how many ms to sleep; none. */
void return_at_once(bsk_self *self);
void sleep_a_while(bsk_self *self);
void sleep_for_ever(bsk_self *self);
void ignore_stop(bsk_self *self);
void wait_handler(bsk_self *self, bsk_msg *m);
/* Starts one that has begun when this returns, so that a cancel finds it at work. */
bsk_addr go_sleeper(bsk_self *self, bsk_scope *s);

enum wait {
    IN_RECV,
    IN_RECV_ONLY,
    IN_CALL,
    IN_SEND,
    IN_SLEEP,
    IN_YIELD,
    IN_WORK,
    IN_JOIN,
    IN_NEXT,
    IN_WINNER,
    WAITS
};
/* For the waits: takes nothing, answers nobody; its mailbox is full. And until when work goes on. */
extern bsk_addr silent;
extern _Atomic bool work_may_end;

bsk_addr start_silent(bsk_self *self, uint32_t mailbox);
/* Waits so, until something is wrong; returns what that is. */
int wait_in(bsk_self *self, enum wait w);

#endif
