/* SPDX-License-Identifier: MIT */
/* fixture.h - what the tests of actors share: runtimes whose news are kept to be asked for. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "actors/actors.h"
#include "mailbox/memory.h"

#include <check.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

BSK_MSG(num, (i64, v));
BSK_MSG(other, (i64, v));
BSK_MSG(note, (str, text));
BSK_MSG(stop_it);
BSK_CALL(get, num, (i64, v));
BSK_CALL(say, note, (str, text));

/* Options of a runtime whose dead letters and log lines are kept; traced, its actors' ends too. A
 * traced runtime takes other ways through the scheduler than one that is not. */
#define FIX_HOOKS .log = fix_on_log, .dead_letter = fix_on_dead
#define FIX_TRACED FIX_HOOKS, .trace = fix_on_trace

void fix_on_log(void *arg, enum bsk_level level, const char *line);
void fix_on_dead(void *arg, const bsk_dead_letter *dead);
void fix_on_trace(void *arg, const bsk_event *event);

/* Checked fixtures: nothing is kept yet; and what a test left behind is nothing. */
void fix_setup(void);
void fix_teardown(void);

/* How many dead letters of the type (NULL: any) there were for that reason. */
unsigned fix_dead(const bsk_type *type, enum bsk_dead why);
unsigned fix_dead_all(void);
/* How many log lines hold the text. */
unsigned fix_lines(const char *part);

struct fix_end {
    bsk_addr who;
    enum bsk_reason reason;
    int64_t ns;
    const char *text; /* "" for none */
};
/* How many ends there were; the i-th; that of the actor, which must have ended. */
unsigned fix_ends(void);
struct fix_end fix_end_at(unsigned i);
struct fix_end fix_end_of(bsk_addr who);
bool fix_ended(bsk_addr who);

/* A text that grows: what happened in which order. From any thread. */
void fix_say(const char *what);
const char *fix_said(void);

/* What is allocated; and that it is the same again, after the n-th allocation (`onward`: and all
 * later ones) failed. */
struct fix_memory {
    int64_t live, mapped;
};
struct fix_memory fix_memory(void);
void fix_nothing_lost(struct fix_memory before, uint64_t n, int onward);

/* One more happened; waits until n have. From any thread; gives up after a minute. */
void fix_hit(void);
void fix_await(unsigned n);
unsigned fix_hits(void);
/* Stops the runtime and checks bsk_wait's status. */
void fix_stop(bsk_rt *rt, int status);
/* The address, after checking that it is somebody's. */
bsk_addr fix_born(bsk_addr who);
static inline bsk_addr fix_addr(uint64_t node, uint32_t slot, uint32_t gen)
{
    return (bsk_addr){node, slot, gen};
}
/* A Check program of one test case with this fixture. FIX_ONLY in the environment: only the tests
 * whose names hold its text. */
int fix_main(const char *name, const TTest *const *tests, unsigned n, int seconds);
#define FIX_MAIN(name, seconds, ...)                                                               \
    int main(void)                                                                                 \
    {                                                                                              \
        const TTest *const tests[] = {__VA_ARGS__};                                                \
        return fix_main(name, tests, sizeof tests / sizeof *tests, seconds);                       \
    }

#endif
