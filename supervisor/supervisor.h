/* SPDX-License-Identifier: MIT */
/* supervisor.h - floor 2: links, monitors, exits, scopes, supervisors, fault containment.
 *
 * Failure goes up the tree, cancellation, deadlines and shutdown go down it. An actor's parent is
 * the supervisor or scope that started it, or the runtime's root; it ends only after all its
 * children have. The rules for links, monitors and supervisors are those of Erlang/OTP. */
#ifndef BSK_SUPERVISOR_H
#define BSK_SUPERVISOR_H

#include "../actors/actors.h"

BSK_EXTERN_C_BEGIN_

/* Monitors.
 *
 * Who watches an actor gets one bsk_down when that has ended, however it did, after all that it
 * sent before; at once, with BSK_NO_ACTOR, if it had ended already. The message takes no place of
 * the mailbox; its memory is set aside here. */
typedef struct bsk_monitor {
    uint32_t slot, gen;
} bsk_monitor; /* zero: none */

/* A watched actor ended. `reason` is an enum bsk_reason; `text`, `file` and `line` are what
 * bsk_fail said; of a fault `signal`, `address` and `trace`; `name` is what bsk_watch_name was
 * asked for. Strings are "" where there is nothing to say; `keep` holds them: who keeps them
 * longer than the message holds it (bsk_blob_hold; may be NULL). */
BSK_MSG(bsk_down, (addr, who), (i64, reason), (str, text), (str, file), (i64, line), (i64, signal),
        (u64, address), (str, trace), (str, name), (u64, monitor), (blob, keep));

/* Watches `who`; any number of times. From the actor itself. Zero on failure: bsk_error says
 * BSK_ENOMEM, BSK_ELIMIT, or BSK_EINVAL (no address at all, no name, or the caller ends). */
BSK_API bsk_monitor bsk_watch(bsk_self *self, bsk_addr who);
/* The same for the holder of a name; the bsk_down bears the name. */
BSK_API bsk_monitor bsk_watch_name(bsk_self *self, const char *name);
/* Stops watching. Returns true if nothing of it was sent: then no bsk_down comes. False: it is in
 * the mailbox already, or was received, or the monitor is not one of the caller's. */
BSK_API bool bsk_unwatch(bsk_self *self, bsk_monitor m);
/* The same, and a bsk_down that is in the mailbox is taken out: none is seen after this. */
BSK_API void bsk_unwatch_flush(bsk_self *self, bsk_monitor m);
/* Tells whether the message is of that monitor. */
static inline bool bsk_is_of(const bsk_down *d, bsk_monitor m)
{
    return d->monitor == ((uint64_t)m.gen << 32 | m.slot);
}

/* Links and exit signals.
 *
 * When one of two linked actors ends, the other gets an exit signal. One that traps exits gets it
 * as the message bsk_left; another ends for the same reason, at its next wait or return, unless
 * that is BSK_NORMAL. A kill cannot be trapped, and is heard of as BSK_KILLED. */
BSK_MSG(bsk_left, (addr, who), (i64, reason), (str, text), (str, file), (i64, line), (i64, signal),
        (u64, address), (str, trace), (blob, keep));

/* Links the actor and `who`; once, however often it is asked for. If `who` has ended the caller
 * gets the exit signal with BSK_NO_ACTOR. 0, BSK_ENOMEM, BSK_EINVAL (oneself, no address). */
BSK_API int bsk_link(bsk_self *self, bsk_addr who) BSK_MUST_;
/* Unlinks them, whoever linked. An exit signal of the link that has come already still counts;
 * none comes after this. */
BSK_API void bsk_unlink(bsk_self *self, bsk_addr who);
/* Sets whether exit signals come as messages from now on; at first they do not. */
BSK_API void bsk_trap_exit(bsk_self *self, bool on);
/* bsk_spawn_link(self, fn, ...), bsk_spawn_watch(self, &monitor, fn, ...): bsk_spawn with the link
 * or monitor made in the same step. */
#define bsk_spawn_link(...) BSK_SPAWN_LINK_(__VA_ARGS__, .end_ = 0)
#define BSK_SPAWN_LINK_(self, fn, ...)                                                             \
    bsk_spawn_link_((self), BSK_BEHAVIOR(fn), &(bsk_opts){__VA_ARGS__})
#define bsk_spawn_watch(...) BSK_SPAWN_WATCH_(__VA_ARGS__, .end_ = 0)
#define BSK_SPAWN_WATCH_(self, m, fn, ...)                                                         \
    bsk_spawn_watch_((self), (m), BSK_BEHAVIOR(fn), &(bsk_opts){__VA_ARGS__})
/* Sends an exit signal as if a link said that `self` (NULL: nobody) had ended so; BSK_KILLED
 * cannot be trapped, BSK_NORMAL does nothing to another that does not trap. `text` is copied. 0,
 * BSK_EDEAD, BSK_ENOMEM, BSK_EINVAL. From any thread. */
BSK_API int bsk_send_exit(bsk_self *self, bsk_addr who, enum bsk_reason reason, const char *text);

/* How many an actor is tied to, for tests and tools. From any thread. 0 or BSK_EDEAD. */
typedef struct bsk_ties_out {
    uint32_t links, watchers; /* watchers: monitors on it */
} bsk_ties_out;
BSK_API int bsk_ties(bsk_addr who, bsk_ties_out *out);

/* Scopes: structured concurrency and cancellation in one.
 *
 * A scope is a node of the tree under the actor that opened it. What is started in it ends before
 * the scope does: join it, or let it end with its actor. A deadline, or a cancel, reaches all
 * below: waits of fibers return BSK_ECANCELED, handlers stop; whoever does not end in its time
 * (.shutdown_ms) is killed. A child that has ended has left the scope. All words but bsk_go's
 * actors' own are its opener's. */
typedef struct bsk_scope bsk_scope;

enum bsk_scope_kind {
    BSK_ALL,     /* the first failure cancels the others */
    BSK_RACE,    /* the first success cancels the others */
    BSK_COLLECT, /* each one's end is kept for bsk_scope_next; nothing cancels the others */
    BSK_EACH     /* each stands for itself: nothing cancels the others, no end is kept */
};

/* Opens a scope with a deadline for all inside: ms from now (BSK_FOREVER: only those it inherits).
 * Until it is joined a fiber's own waits end then as well, with BSK_ETIMEDOUT, and what it opens
 * meanwhile lies inside it. NULL: BSK_ENOMEM, or BSK_EINVAL. */
BSK_API bsk_scope *bsk_scope_open(bsk_self *self, int64_t ms);
/* The same for another kind. */
BSK_API bsk_scope *bsk_scope_open_kind(bsk_self *self, int64_t ms, enum bsk_scope_kind kind);
/* bsk_go(scope, fn, .state = ...) starts an actor in the scope. Nobody on failure: bsk_spawn's
 * codes, BSK_ECANCELED (the scope is cancelled). A child may use the opener's locals only until a
 * join: a fiber that returns, or ends, without one waits for its children, but its function's
 * locals are gone by then. What children need for longer goes into their own state. */
#define bsk_go(...) BSK_GO_(__VA_ARGS__, .end_ = 0)
#define BSK_GO_(scope, fn, ...) bsk_go_((scope), BSK_BEHAVIOR(fn), &(bsk_opts){__VA_ARGS__})
/* Waits until all in the scope have ended, then ends the scope, which is gone after this: of
 * several open ones the one opened last first. 0; BSK_ECHILD: a child failed (BSK_RACE: none
 * succeeded; BSK_COLLECT: one whose end was not taken), bsk_error_text says which and why;
 * BSK_ETIMEDOUT: its deadline passed; BSK_ECANCELED: it or its actor was cancelled. What came
 * first counts. A handler can join a scope where all have ended; BSK_EINVAL: some have not. */
BSK_API int bsk_scope_join(bsk_scope *s) BSK_MUST_;
/* Cancels all inside, with the scopes that a fiber opened after this one; nothing is started
 * there any more. Does not wait. */
BSK_API void bsk_scope_cancel(bsk_scope *s);
/* Gives the living children of the scope to the root: they outlive it. */
BSK_API void bsk_scope_detach(bsk_scope *s);
/* Children that have not ended, and of BSK_COLLECT those whose end was not taken yet. */
BSK_API uint32_t bsk_scope_len(const bsk_scope *s);
/* Waits up to ms for the next end of a child in a BSK_COLLECT scope, in the order of their ends.
 * Borrowed until the next word on this scope. NULL: bsk_error says BSK_ETIMEDOUT, BSK_ECANCELED,
 * BSK_EEOF (none is left), BSK_EINVAL. With 0 ms also from handlers. */
typedef struct bsk_finished {
    bsk_addr who;
    enum bsk_reason reason;
    const char *text; /* why; "" */
    bsk_msg *result;  /* what it gave; NULL: nothing */
} bsk_finished;
BSK_API const bsk_finished *bsk_scope_next(bsk_scope *s, int64_t ms);
/* Waits up to ms for the first success in a BSK_RACE scope. Borrowed until the join. NULL:
 * bsk_error says BSK_ETIMEDOUT, BSK_ECANCELED, BSK_ECHILD (none succeeded), BSK_EINVAL. With 0 ms
 * also from handlers. */
BSK_API const bsk_finished *bsk_scope_winner(bsk_scope *s, int64_t ms);
/* bsk_give(self, T, ...): gives the scope that started this actor its result, a message that
 * bsk_finished hands out. The last one counts. 0, BSK_ENOMEM, BSK_EINVAL (not in a scope). */
#define bsk_give(...) BSK_GIVE_(__VA_ARGS__, .bsk_end_ = 0)
#define BSK_GIVE_(self, T, ...) bsk_give_((self), &T##_bsk, &(T){__VA_ARGS__})

/* A section in which the fiber's waits are not cancelled, nor bounded by deadlines from before it,
 * to clean up; scopes opened in it are its own. It still is killed when its time to stop is over.
 * Nests. */
BSK_API void bsk_shield(bsk_self *self);
BSK_API void bsk_unshield(bsk_self *self);

/* Cancel tokens, for code that is no actor (a foreign thread, blocking work). A tree of their own:
 * cancelling one cancels all below. Counted; from any thread. */
typedef struct bsk_token bsk_token;
/* A new token, its count 1, below `parent` (which may be NULL, or cancelled: then it is cancelled
 * from birth). NULL: BSK_ENOMEM. */
BSK_API bsk_token *bsk_token_new(bsk_token *parent);
/* A new token that is cancelled with the scope; in the actor that opened it. NULL: BSK_ENOMEM. */
BSK_API bsk_token *bsk_scope_token(bsk_scope *s);
BSK_API bsk_token *bsk_token_hold(bsk_token *t);
BSK_API void bsk_token_drop(bsk_token *t);
BSK_API void bsk_token_cancel(bsk_token *t);
BSK_API bool bsk_token_cancelled(const bsk_token *t);
/* Blocks the thread until it is cancelled: 0; or BSK_ETIMEDOUT. Not from actors. */
BSK_API int bsk_token_wait(bsk_token *t, int64_t ms);

/* Returns more about why the last word of this actor (NULL: this thread) failed, "" if there is
 * nothing to say. Until its next wait. */
BSK_API const char *bsk_error_text(const bsk_self *self);

/* Supervisors. */

enum bsk_strategy {
    BSK_ONE_FOR_ONE,  /* who ended is started again */
    BSK_ONE_FOR_ALL,  /* all are stopped and started again */
    BSK_REST_FOR_ONE, /* it and those started after it */
    BSK_DYNAMIC       /* one spec, a template; instances are added as they are needed */
};
enum bsk_auto_shutdown {
    BSK_NEVER,           /* goes on whoever ends */
    BSK_ANY_SIGNIFICANT, /* stops when a significant child ends by itself */
    BSK_ALL_SIGNIFICANT  /* stops when the last of them does */
};

typedef struct bsk_sup_opts {
    const char *name; /* registered; also its id under another supervisor */
    enum bsk_strategy strategy;
    /* More than `intensity` restarts within period_ms: the supervisor stops its children and ends
     * with BSK_GAVE_UP. 0: the default, 1 in 5000; BSK_NONE: none at all. */
    int intensity, period_ms;
    /* A restart waits: min, then each time `factor` longer (in percent; default 200), up to max,
     * less or more `jitter` percent (default 10; BSK_NONE: none); from min again after reset_ms
     * without one (default: 10 times max). 0: no wait. The supervisor goes on meanwhile. */
    int backoff_min_ms, backoff_max_ms, backoff_factor, backoff_jitter, backoff_reset_ms;
    enum bsk_auto_shutdown auto_shutdown;
    char end_;
} bsk_sup_opts;
#define BSK_NONE (-1)

typedef struct bsk_child_spec {
    bsk_behavior behavior;
    bsk_opts opts;
    const bsk_sup_opts *sup;               /* a supervisor: its options */
    const struct bsk_child_spec *children; /* and its children */
    size_t nchildren;
} bsk_child_spec;
/* clang-format off */
#define bsk_child(...) BSK_CHILD_(__VA_ARGS__, .end_ = 0)
#define BSK_CHILD_(fn, ...) {.behavior = BSK_BEHAVIOR(fn), .opts = {__VA_ARGS__}}
/* bsk_child_sup(BSK_SUP(...), bsk_child(...), ...): a supervisor as a child. */
#define bsk_child_sup(SUP, ...)                                                                    \
    {.sup = SUP, .children = (const bsk_child_spec[]){__VA_ARGS__},                                \
     .nchildren = sizeof((const bsk_child_spec[]){__VA_ARGS__}) / sizeof(bsk_child_spec)}
#define BSK_SUP(...) (&(const bsk_sup_opts){__VA_ARGS__})
/* clang-format on */

/* bsk_supervise(rt, BSK_SUP(...), bsk_child(fn, .name = "a"), ...) starts a supervisor under the
 * root and returns its address when each child has reported ready, one after another. Specs are
 * copied. Nobody on failure: bsk_error, and bsk_error_text in words: BSK_EINVAL (a spec),
 * BSK_ECHILD (a child failed to start), bsk_spawn's codes. Called by a fiber or a thread it waits;
 * called in a handler it does not, and what fails is the supervisor's end. */
#define bsk_supervise(rt, sup, ...)                                                                \
    bsk_supervise_((rt), (sup), (const bsk_child_spec[]){__VA_ARGS__},                             \
                   sizeof((const bsk_child_spec[]){__VA_ARGS__}) / sizeof(bsk_child_spec))
/* A supervisor without children yet, of any strategy but BSK_DYNAMIC. */
#define bsk_supervise_none(rt, sup) bsk_supervise_((rt), (sup), NULL, 0)

/* A child is ready when its init has returned (at once without one); with .reports_ready when it
 * says so here, in its init or later. `info` is handed to who added or restarted it. Without
 * .reports_ready a call in init only sets that info, which is handed out when init returns; once
 * the child is ready a call does nothing. */
BSK_API void bsk_ready(bsk_self *self, int64_t info);
/* Ends a child that is starting, which is no failure: there is nothing for it to do. Its
 * supervisor goes on without it. From init, or before bsk_ready. */
BSK_API BSK_NORETURN_ void bsk_ignore(bsk_self *self);

/* Words to a supervisor, by fibers and by threads (self NULL). They wait up to ms for their turn:
 * starting, restarting and stopping are done one at a time. 0 or a code: BSK_EDEAD (no such
 * actor), BSK_EINVAL (no supervisor; a spec: see bsk_error_text), BSK_ETIMEDOUT, BSK_ECANCELED,
 * BSK_EEXIST (an id is present), BSK_ENOTFOUND, BSK_ERUNNING, BSK_ERESTARTING, BSK_EDYNAMIC (not
 * for a dynamic supervisor), BSK_ECHILD (it failed to start), BSK_ENOMEM. Then `out` is untouched
 * and nothing has changed: who failed to start is not added, or stays stopped. After
 * BSK_ETIMEDOUT and BSK_ECANCELED it may still be done. */
typedef struct bsk_started {
    bsk_addr who; /* nobody: it had nothing to do (bsk_ignore) */
    int64_t info; /* of bsk_ready */
} bsk_started;
/* Adds a child and starts it; to a dynamic one an instance of the template, whose state `spec` may
 * replace (NULL: the template's). `out` may be NULL. */
BSK_API int bsk_sup_add(bsk_self *self, bsk_addr sup, int64_t ms, const bsk_child_spec *spec,
                        bsk_started *out) BSK_MUST_;
/* Starts a child that is not running. */
BSK_API int bsk_sup_restart(bsk_self *self, bsk_addr sup, int64_t ms, const char *id,
                            bsk_started *out) BSK_MUST_;
/* Stops a child; its spec stays (but a temporary one's). Stopping a stopped one is a success. */
BSK_API int bsk_sup_stop(bsk_self *self, bsk_addr sup, int64_t ms, const char *id) BSK_MUST_;
/* The same by address, for instances too. */
BSK_API int bsk_sup_stop_actor(bsk_self *self, bsk_addr sup, int64_t ms, bsk_addr who) BSK_MUST_;
/* Forgets the spec of a child that is not running. */
BSK_API int bsk_sup_delete(bsk_self *self, bsk_addr sup, int64_t ms, const char *id) BSK_MUST_;
/* Applies new options and specs without touching who runs: new ids are stored and not started,
 * changed ones count from their next start, missing ones stay, and must suit the new
 * options as those given do (BSK_EINVAL: nothing is changed). `opts` may be NULL. */
BSK_API int bsk_sup_change(bsk_self *self, bsk_addr sup, int64_t ms, const bsk_sup_opts *opts,
                           const bsk_child_spec *specs, size_t n) BSK_MUST_;

typedef struct bsk_sup_counts {
    uint32_t specs, active, workers, supervisors; /* active: running, of either kind */
    uint64_t restarts;                            /* since it started */
} bsk_sup_counts;
BSK_API int bsk_sup_count(bsk_self *self, bsk_addr sup, int64_t ms, bsk_sup_counts *out) BSK_MUST_;
enum bsk_child_state { BSK_CHILD_STOPPED, BSK_CHILD_RUNNING, BSK_CHILD_RESTARTING };
typedef struct bsk_child_info {
    char id[BSK_NAME_MAX + 1];
    bsk_addr who; /* nobody, unless running */
    enum bsk_child_state state;
    enum bsk_restart restart;
    int64_t shutdown_ms; /* with its default */
    bool significant, supervisor;
    uint64_t restarts;
    enum bsk_reason last_reason; /* of its last end, and why */
    char last_text[96];
} bsk_child_info;
/* Writes up to `max` children, in order of start, to `out`; *n is how many there are. */
BSK_API int bsk_sup_list(bsk_self *self, bsk_addr sup, int64_t ms, bsk_child_info *out, size_t max,
                         size_t *n) BSK_MUST_;
/* Reads one child. */
BSK_API int bsk_sup_child(bsk_self *self, bsk_addr sup, int64_t ms, const char *id,
                          bsk_child_info *out) BSK_MUST_;

/* Calls line(arg, depth, who, text) for each actor, parents before their children. From any
 * thread; not one moment's picture while actors come and go. 0 or BSK_ENOMEM. */
BSK_API int bsk_tree(bsk_rt *rt, void (*line)(void *arg, int depth, bsk_addr who, const char *text),
                     void *arg);

BSK_API bsk_addr bsk_spawn_link_(bsk_self *, bsk_behavior, const bsk_opts *);
BSK_API bsk_addr bsk_spawn_watch_(bsk_self *, bsk_monitor *, bsk_behavior, const bsk_opts *);
BSK_API bsk_addr bsk_go_(bsk_scope *, bsk_behavior, const bsk_opts *);
BSK_API int bsk_give_(bsk_self *, const bsk_type *, const void *) BSK_MUST_;
BSK_API bsk_addr bsk_supervise_(bsk_rt *, const bsk_sup_opts *, const bsk_child_spec *, size_t);

BSK_EXTERN_C_END_

#endif
