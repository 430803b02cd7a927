/* SPDX-License-Identifier: MIT */
/* actors.h - floor 1: actors, sending, receiving, calls, timers, blocking work, the runtime.
 *
 * Times are milliseconds and stand last before the message. A wait ends by its time, by what it
 * waits for, or by cancellation. `self` is "me": valid inside the actor that was given it, on
 * its own stack, until it ends. Where a `self` may be NULL, NULL says "a thread that is no
 * actor" (main, a pool). */
#ifndef BSK_ACTORS_H
#define BSK_ACTORS_H

#include "../mailbox/mailbox.h"

BSK_EXTERN_C_BEGIN_

typedef struct bsk_rt bsk_rt;
typedef struct bsk_self bsk_self;

#define BSK_FOREVER ((int64_t)-1) /* a wait without a deadline of its own */
#define BSK_KILL ((int64_t)-2)    /* as a time to finish: none */

#define BSK_MAILBOX_DEFAULT 1024
#define BSK_MAILBOX_MAX 65535
#define BSK_NAME_MAX 47 /* bytes of a name */

/* Sending.
 *
 * The message is copied, with its strings and bytes; blobs are held. All are safe with any
 * address and callable from any thread.
 *
 * bsk_tell(to, T, ...)
 *     never waits; what the receiver refuses is a counted dead letter
 * bsk_try(to, T, ...)
 *     0, BSK_EFULL, BSK_ECLOSED, BSK_EDEAD, BSK_ENOMEM; must be checked; nothing was sent on
 *     failure. A receiver that drops by its declared policy has accepted: 0
 * bsk_try_margin(to, n, T, ...)
 *     the same, but only if n places stay free after it
 * bsk_send(self, to, ms, T, ...)
 *     waits for room up to ms; fibers, and threads with self NULL; bsk_try's codes, BSK_ETIMEDOUT,
 *     BSK_ECANCELED; BSK_EINVAL at once in a handler, which must not wait */
#define bsk_tell(...) BSK_TELL_(__VA_ARGS__, .bsk_end_ = 0)
#define BSK_TELL_(to, T, ...) bsk_tell_((to), &T##_bsk, &(T){__VA_ARGS__})
#define bsk_try(...) BSK_TRY_(__VA_ARGS__, .bsk_end_ = 0)
#define BSK_TRY_(to, T, ...) bsk_try_((to), 0, &T##_bsk, &(T){__VA_ARGS__})
#define bsk_try_margin(...) BSK_TRY_MARGIN_(__VA_ARGS__, .bsk_end_ = 0)
#define BSK_TRY_MARGIN_(to, n, T, ...) bsk_try_((to), (n), &T##_bsk, &(T){__VA_ARGS__})
#define bsk_send(...) BSK_SEND_(__VA_ARGS__, .bsk_end_ = 0)
#define BSK_SEND_(self, to, ms, T, ...) bsk_send_((self), (to), (ms), &T##_bsk, &(T){__VA_ARGS__})

/* Requests and replies.
 *
 * bsk_call(self, to, ms, T, ...)
 *     waits up to ms for room and for the typed reply; fibers, and threads with self NULL. NULL:
 *     bsk_error(self) says why: BSK_ETIMEDOUT, BSK_ECANCELED, BSK_EDEAD, BSK_ECLOSED, BSK_ENOMEM,
 *     BSK_ENOREPLY (dropped unanswered), BSK_EDEADLK (to oneself), BSK_EINVAL (in a handler). The
 *     reply is borrowed until the next wait (a thread: until its next call).
 * bsk_ask(self, to, ms, T, ...)
 *     does not wait; handlers and fibers. The reply, or its absence, comes as bsk_on_reply(T, r)
 *     or bsk_on_no_reply(T, rc), once. 0 or a code; on failure nothing comes.
 * bsk_reply(r, T, ...)
 *     answers the request r of the case bsk_on(T, r); anything else does not compile. 0, or
 *     BSK_EDEAD: already answered or given up.
 * bsk_later(r, T)
 *     keeps the right to reply; bsk_answer(p, T, ...) uses it, from any thread, once. If its
 *     keeper ends first the asker gets BSK_ENOREPLY. A zero value (want of memory) answers
 *     BSK_EDEAD.
 * bsk_abandoned(r)
 *     whether nobody waits for the reply to r any more
 *
 * A request carries its deadline: it is skipped if that has passed, and what the receiver asks
 * of others while it handles it ends no later. Who ends without replying leaves BSK_ENOREPLY. A
 * late reply is dropped before the mailbox. */
#define bsk_call(...) BSK_CALL2_(__VA_ARGS__, .bsk_end_ = 0)
#define BSK_CALL2_(self, to, ms, T, ...)                                                           \
    ((const T##_bsk_reply *)bsk_call_((self), (to), (ms), &T##_bsk, &(T){__VA_ARGS__}))
#define bsk_ask(...) BSK_ASK_(__VA_ARGS__, .bsk_end_ = 0)
#define BSK_ASK_(self, to, ms, T, ...)                                                             \
    bsk_ask_((self), (to), (ms), &T##_bsk, &(T){__VA_ARGS__}, sizeof(T##_bsk_reply))
#define bsk_reply(...) BSK_REPLY_(__VA_ARGS__, .bsk_end_ = 0)
#define BSK_REPLY_(r, T, ...)                                                                      \
    bsk_reply_(_Generic((r), const T * : (r)), &T##_bsk, &(T##_bsk_reply){__VA_ARGS__})
typedef struct bsk_pending {
    uint64_t node, ref;
} bsk_pending;
#define bsk_later(r, T) bsk_later_(_Generic((r), const T * : (r)))
#define bsk_answer(...) BSK_ANSWER_(__VA_ARGS__, .bsk_end_ = 0)
#define BSK_ANSWER_(p, T, ...) bsk_answer_((p), &T##_bsk, &(T##_bsk_reply){__VA_ARGS__})
BSK_API bool bsk_abandoned(const void *request);

/* Receiving.
 *
 * bsk_match(m) {                   the same words in handlers and fibers
 *     bsk_on(T, v) ...             v is a `const T *`, borrowed
 *     bsk_on_reply(T, v) ...       the reply to a bsk_ask or bsk_work of T
 *     bsk_on_no_reply(T, rc) ...   why there is none
 *     bsk_else(v) ...              anything else; v is a `bsk_msg *`
 * }                                what matched no case is a counted dead letter
 * `break` and `continue` leave the case, as in a switch. */
#define bsk_match(m)                                                                               \
    for (bsk_msg *bsk_m_ = (m); bsk_m_; bsk_m_ = bsk_m_ ? bsk_unmatched_(bsk_m_) : NULL)
#define bsk_on(T, v) for (const T *v = (const T *)bsk_take_(&bsk_m_, &T##_bsk); v; v = NULL)
#define bsk_on_reply(T, v)                                                                         \
    for (const T##_bsk_reply *v = (const T##_bsk_reply *)bsk_take_reply_(&bsk_m_, &T##_bsk); v;    \
         v = NULL)
#define bsk_on_no_reply(T, rc) for (int rc = bsk_take_lost_(&bsk_m_, &T##_bsk); rc; rc = 0)
#define bsk_else(v) for (bsk_msg *v = bsk_take_any_(&bsk_m_); v; v = NULL)

/* Waits up to ms for the next message of any type. Fibers only. NULL: bsk_error(self) says why:
 * BSK_ETIMEDOUT, BSK_ECANCELED, BSK_ECLOSED (closed and empty), BSK_EINVAL (in a handler). */
BSK_API bsk_msg *bsk_recv(bsk_self *self, int64_t ms);
/* bsk_recv_only(self, ms, BSK_T(a), BSK_T(b)) waits for the first message of these types, also a
 * reply to or timer of one; others stay queued in order and are not looked at again. Otherwise
 * as bsk_recv. */
#define bsk_recv_only(self, ms, ...)                                                               \
    bsk_recv_only_((self), (ms), (const bsk_type *[]){__VA_ARGS__, NULL})
#define BSK_T(T) (&T##_bsk)
/* Returns the type of a message (of a reply: the request's). */
BSK_API const bsk_type *bsk_msg_type(const bsk_msg *m);

/* BSK_BEHAVE(actor, LIST): one function a message for large protocols; a missing one does not
 * compile. LIST is `#define LIST(X) X(actor, state, T1) X(actor, state, T2)`; each X declares
 * `static void actor_on_T1(bsk_self *, state *, const T1 *)`, and the handler `actor` calls
 * them. */
#define BSK_BEHAVE(actor, LIST)                                                                    \
    LIST(BSK_B_PROTO_)                                                                             \
    static void actor(bsk_self *self, bsk_msg *m)                                                  \
    {                                                                                              \
        bsk_match(m) {                                                                             \
            LIST(BSK_B_CASE_)                                                                      \
        }                                                                                          \
    }
#define BSK_B_PROTO_(actor, S, T) static void actor##_on_##T(bsk_self *, S *, const T *);
#define BSK_B_CASE_(actor, S, T)                                                                   \
    bsk_on(T, v_) actor##_on_##T(self, (S *)bsk_state(self), v_);

/* Runs to completion, once per message; `m` is borrowed until it returns. */
typedef void bsk_handler(bsk_self *self, bsk_msg *m);
/* Has a stack of its own and may wait; the actor ends when it returns. */
typedef void bsk_fiber(bsk_self *self);
typedef struct bsk_behavior {
    bsk_handler *handler;
    bsk_fiber *fiber;
} bsk_behavior;

/* What a full mailbox does with one more user message. */
enum bsk_overflow {
    BSK_REFUSE,      /* the sender is told, and keeps it */
    BSK_DROP_NEWEST, /* it is accepted and dropped: a counted dead letter */
    BSK_DROP_OLDEST, /* the one waiting longest is dropped for it: a counted dead letter */
    BSK_FAIL         /* the sender is told, and the actor fails with "mailbox overflow" */
};

/* What a supervisor does when a child has ended. */
enum bsk_restart {
    BSK_PERMANENT, /* starts it again */
    BSK_TRANSIENT, /* starts it again if it failed */
    BSK_TEMPORARY  /* forgets it */
};

/* Options of an actor; zero is the default of each. */
typedef struct bsk_opts {
    const char *name;  /* registered while the actor lives; copied; taken already: BSK_EEXIST */
    const char *label; /* for logs and dumps only, if there is no name; copied */
    const void *state; /* copied; see BSK_STATE */
    size_t state_size;
    void (*init)(bsk_self *self); /* runs in the actor before its first message; may fail it; must
                                   * not wait, a fiber's neither: it runs on the loop's stack */
    void (*fini)(bsk_self *self); /* runs in the actor when it ends, unless killed; must not wait */
    uint32_t mailbox;             /* capacity in user messages; up to BSK_MAILBOX_MAX */
    enum bsk_overflow overflow;
    size_t stack;        /* bytes of a fiber's stack, rounded up; default 64 KiB, least 16 KiB */
    int64_t shutdown_ms; /* to finish when it is to stop: 5000; BSK_FOREVER, BSK_KILL */
    bool high;           /* runs before others, within a cap that keeps these from starving */
    bool pinned;         /* stays on the loop it starts on */
    bool own_thread;     /* has a loop and a thread to itself */
    bool trap_stop;      /* a handler that gets bsk_stopping as a message, and ends by bsk_exit */
    /* For children of supervisors: */
    const char *id;           /* default: its name, or label; copied */
    enum bsk_restart restart; /* when it has ended */
    bool significant;         /* for auto_shutdown */
    bool keeps_mailbox;       /* what is queued when it fails is its successor's */
    bool reports_ready;       /* is ready when it calls bsk_ready, not when its init returns */
    char end_;
} bsk_opts;
/* BSK_STATE(struct s, .a = 1): the state a new actor starts with, as a value. */
#define BSK_STATE(T, ...) .state = &(T){__VA_ARGS__}, .state_size = sizeof(T)

#if !defined(__cplusplus)
static inline bsk_behavior bsk_h_(bsk_handler *h)
{
    return (bsk_behavior){.handler = h};
}
static inline bsk_behavior bsk_f_(bsk_fiber *f)
{
    return (bsk_behavior){.fiber = f};
}
/* clang-format off */
#define BSK_BEHAVIOR(fn) _Generic((fn), bsk_handler *: bsk_h_, bsk_fiber *: bsk_f_)(fn)
/* clang-format on */
#endif
/* bsk_spawn(rt, fn, .name = "x", BSK_STATE(...)) starts an actor under the runtime's root; `fn`
 * is a bsk_handler or a bsk_fiber. From any thread. Nobody on failure: bsk_error(self or NULL)
 * says why: BSK_ENOMEM, BSK_EINVAL (an option), BSK_EEXIST (the name), BSK_ELIMIT (max_actors),
 * BSK_ESTOPPING. */
#define bsk_spawn(...) BSK_SPAWN_(__VA_ARGS__, .end_ = 0)
#define BSK_SPAWN_(rt, fn, ...) bsk_spawn_((rt), BSK_BEHAVIOR(fn), &(bsk_opts){__VA_ARGS__})

/* Returns the actor's state: BSK_STATE's copy, aligned for any type, freed with the actor. */
BSK_API void *bsk_state(bsk_self *self);
BSK_API bsk_addr bsk_me(const bsk_self *self);
BSK_API bsk_rt *bsk_rt_of(const bsk_self *self);
/* Returns why the last word of this actor (of this thread, with NULL) that could fail did. */
BSK_API int bsk_error(const bsk_self *self);
/* Returns n bytes from the actor's arena, aligned for any type, freed with it; NULL: BSK_ENOMEM. */
BSK_API void *bsk_alloc(bsk_self *self, size_t n);
/* Runs undo(arg) when the actor ends, however it ends, last in first out, before anyone hears of
 * it. `undo` must not wait. BSK_ENOMEM: it will not run. */
BSK_API int bsk_defer(bsk_self *self, void (*undo)(void *arg), void *arg) BSK_MUST_;
/* Ends the actor, normally. From any depth. */
BSK_API BSK_NORETURN_ void bsk_exit(bsk_self *self);
/* bsk_exit_as(self, reason, "format", ...) ends it with another reason, NORMAL, SHUTDOWN or
 * FAILED, and a text. From any depth. */
#define bsk_exit_as(self, reason, ...)                                                             \
    bsk_exit_as_((self), (reason), __FILE__, __LINE__, __VA_ARGS__)
/* bsk_fail(self, "format", ...) ends the actor as failed, with a text and this place. From any
 * depth. */
#define bsk_fail(self, ...) bsk_exit_as_((self), BSK_FAILED, __FILE__, __LINE__, __VA_ARGS__)
/* Waits. 0, BSK_ECANCELED, or BSK_ETIMEDOUT: a scope of the fiber's own was over first. Fibers only
 * (BSK_EINVAL). */
BSK_API int bsk_sleep(bsk_self *self, int64_t ms);
/* Lets others run. 0 or BSK_ECANCELED. Fibers only (BSK_EINVAL). */
BSK_API int bsk_yield(bsk_self *self);
/* Tells whether somebody asked this actor to stop. */
BSK_API bool bsk_cancelled(const bsk_self *self);
/* Keeps the actor on the loop that it runs on, or lets it move again. */
BSK_API void bsk_pin(bsk_self *self, bool on);

/* Asks `who` to stop: a fiber's waits return BSK_ECANCELED from then on; a handler ends after
 * the message in hand, or gets bsk_stopping if it traps stops. What is still queued is a dead
 * letter. Who has not ended after ms is killed (BSK_FOREVER: never; BSK_KILL: at once). 0 or
 * BSK_EDEAD. */
BSK_API int bsk_stop(bsk_addr who, int64_t ms);
/* The same, but first the mailbox closes and what is queued is handled. */
BSK_API int bsk_drain(bsk_addr who, int64_t ms);
/* Ends `who` at its next wait or return, without fini; also one that ends already and waits for
 * its children: then this is why it ended. 0 or BSK_EDEAD. */
BSK_API int bsk_kill(bsk_addr who);
/* Tells whether `who` lives and was not told to stop or end. */
BSK_API bool bsk_alive(bsk_addr who);
/* Returns the holder of the name, or nobody. From any thread. */
BSK_API bsk_addr bsk_whereis(bsk_rt *rt, const char *name);

/* The actor's own mailbox: messages queued, places free, whether closed. */
BSK_API uint32_t bsk_mailbox_len(const bsk_self *self);
BSK_API uint32_t bsk_mailbox_room(const bsk_self *self);
BSK_API bool bsk_mailbox_closed(const bsk_self *self);
/* Sets the capacity, 1 to BSK_MAILBOX_MAX (else BSK_EINVAL). What is queued stays. */
BSK_API int bsk_mailbox_resize(bsk_self *self, uint32_t capacity);
/* Refuses user messages from now on (BSK_ECLOSED); what is queued can still be received. */
BSK_API void bsk_mailbox_close(bsk_self *self);

/* Asks for one bsk_room message when the mailbox of `who`, which refused, has room again: at
 * once if it has. 0, BSK_EDEAD, BSK_ENOMEM. */
BSK_API int bsk_want_room(bsk_self *self, bsk_addr who);
BSK_MSG(bsk_room, (addr, who)); /* a mailbox that refused me has room, or is gone */
BSK_MSG(bsk_stopping);          /* I was asked to stop, and trap stops */

typedef struct bsk_timer {
    uint32_t slot, gen;
} bsk_timer; /* zero: no timer */

/* What an interval does when its receiver was late for ticks. */
enum bsk_missed {
    BSK_SKIP,  /* one tick now, the missed ones never, the grid stays */
    BSK_BURST, /* all missed ticks, one after another, the grid stays */
    BSK_DELAY  /* one tick now, the next a full period later: a new grid */
};

/* bsk_after(self, ms, T, ...) sends the message to oneself when ms are over, never earlier;
 * bsk_every(self, ms, T, ...) at each multiple of ms from now. Neither takes a place of the
 * mailbox: the memory is set aside here. A tick follows only when the one before was received.
 * Zero on failure: bsk_error says BSK_ENOMEM, or BSK_EINVAL for a negative time or an interval
 * of 0. */
#define bsk_after(...) BSK_AFTER_(__VA_ARGS__, .bsk_end_ = 0)
#define BSK_AFTER_(self, ms, T, ...) bsk_after_((self), (ms), &T##_bsk, &(T){__VA_ARGS__})
#define bsk_every(...) BSK_EVERY_(__VA_ARGS__, .bsk_end_ = 0)
#define BSK_EVERY_(self, ms, T, ...) bsk_every_((self), (ms), &T##_bsk, &(T){__VA_ARGS__})
/* Stops a timer of one's own; nothing of it is received after. Stopping an ended one does
 * nothing. */
BSK_API void bsk_timer_stop(bsk_self *self, bsk_timer t);
/* bsk_timer_take(self, t, T) stops it and returns its message, borrowed until the next wait or
 * return, or NULL if it was received already or is of another type. */
#define bsk_timer_take(self, t, T) ((const T *)bsk_timer_take_((self), (t), &T##_bsk))
/* Sets when a timer fires next, from now; one that is due but not received yet starts anew.
 * BSK_EDEAD if it has ended, BSK_EINVAL for a negative time. */
BSK_API int bsk_timer_reset(bsk_self *self, bsk_timer t, int64_t ms);
/* Sets what an interval does about missed ticks; default BSK_SKIP. BSK_EDEAD if it has ended. */
BSK_API int bsk_timer_missed(bsk_self *self, bsk_timer t, enum bsk_missed policy);
/* Returns the runtime's time: monotonic ms, virtual in a seeded runtime. From any thread. */
BSK_API int64_t bsk_now(bsk_rt *rt);
/* Returns a random number: of the seed in a seeded runtime. Not for secrets. */
BSK_API uint64_t bsk_random(bsk_self *self);

/* Blocking work.
 *
 * A worker function runs on a thread of the runtime's blocking pool, where it may block; it is
 * given the request as a message, matches and answers it like a handler:
 *     static void hash(bsk_msg *m)
 *     {
 *         bsk_match(m) bsk_on(sum_file, q) bsk_reply(q, sum_file, .sum = 1);
 *     }
 * bsk_work(self, ms, fn, T, ...)
 *     as bsk_ask; BSK_EFULL: too much work is queued
 * bsk_work_call(self, ms, fn, T, ...)
 *     as bsk_call
 * bsk_abandoned(q) tells the function that its asker gave up, was cancelled or ended. */
typedef void bsk_work_fn(bsk_msg *request);
#define bsk_work(...) BSK_WORK_(__VA_ARGS__, .bsk_end_ = 0)
#define BSK_WORK_(self, ms, fn, T, ...)                                                            \
    bsk_work_((self), (ms), (fn), &T##_bsk, &(T){__VA_ARGS__}, sizeof(T##_bsk_reply))
#define bsk_work_call(...) BSK_WORK_CALL_(__VA_ARGS__, .bsk_end_ = 0)
#define BSK_WORK_CALL_(self, ms, fn, T, ...)                                                       \
    ((const T##_bsk_reply *)bsk_work_call_((self), (ms), (fn), &T##_bsk, &(T){__VA_ARGS__}))

/* Why an actor ended. */
enum bsk_reason {
    BSK_NORMAL,    /* returned, or bsk_exit */
    BSK_SHUTDOWN,  /* was asked to stop, and did */
    BSK_FAILED,    /* bsk_fail, or an overflow under BSK_FAIL */
    BSK_KILLED,    /* bsk_kill, or its time to stop ran out */
    BSK_FAULT,     /* a fault in its own code, contained */
    BSK_GAVE_UP,   /* a supervisor whose children failed too often */
    BSK_CANCELLED, /* its scope was cancelled, and it stopped */
    BSK_NO_ACTOR,  /* had ended before anyone asked */
    BSK_NODE_DOWN  /* the connection to its node broke */
};
BSK_API const char *bsk_reason_name(enum bsk_reason reason);

/* Why a message was not handled. */
enum bsk_dead {
    BSK_DEAD_GONE,      /* its receiver had ended, was never born, or is of another incarnation */
    BSK_DEAD_REFUSED,   /* told to a full or closed mailbox */
    BSK_DEAD_DROPPED,   /* by the receiver's overflow policy */
    BSK_DEAD_UNHANDLED, /* queued when its receiver ended */
    BSK_DEAD_UNMATCHED, /* received, and matched no case */
    BSK_DEAD_EXPIRED,   /* a request whose deadline passed before it was handled */
    BSK_DEAD_LATE,      /* a reply that nobody waits for any more */
    BSK_DEAD_NOMEM,     /* told without memory for it */
    BSK_DEAD_COUNT
};
BSK_API const char *bsk_dead_name(enum bsk_dead why);
typedef struct bsk_dead_letter {
    bsk_addr to;
    const bsk_type *type;
    enum bsk_dead why;
} bsk_dead_letter;

enum bsk_level { BSK_LOG_ERROR, BSK_LOG_WARN, BSK_LOG_INFO, BSK_LOG_DEBUG };

/* What happened, for traces; `what` names it, ids are the same in every run with the same seed. */
enum bsk_event_kind {
    BSK_EV_SPAWN, /* actor; type NULL */
    BSK_EV_SEND,  /* actor: the receiver; peer: the sender or nobody */
    BSK_EV_TAKE,  /* actor begins with a message of type */
    BSK_EV_TIMER, /* actor's timer fired */
    BSK_EV_DEAD,  /* dead letter to actor; value: enum bsk_dead */
    BSK_EV_END,   /* actor ended; value: enum bsk_reason; text: why */
    BSK_EV_COUNT
};
typedef struct bsk_event {
    enum bsk_event_kind kind;
    int64_t ns; /* runtime's time */
    bsk_addr actor, peer;
    const bsk_type *type;
    int64_t value;
    const char *text; /* borrowed for the call; may be NULL */
} bsk_event;

/* Options of a runtime; zero is the default of each. Hooks run on whatever thread has the news;
 * they must not wait and must not call back into the runtime, but for bsk_strerror and its like. */
typedef struct bsk_rt_opts {
    char end_;
    unsigned workers;    /* loops; default the cores this process may use, cgroup quota respected */
    uint64_t seed;       /* not 0: deterministic: one thread, virtual time, seeded order */
    int64_t shutdown_ms; /* time for all to stop; default 10000; BSK_FOREVER */
    uint32_t max_actors; /* alive at once; default 16,777,216; address space only */
    unsigned work_threads;  /* of the blocking pool, started when needed; default 4 */
    unsigned work_queue;    /* work waiting for them; default 1024 */
    int64_t slow_ms;        /* who holds a loop longer is reported, and others are relieved, see
                             * below; default 100; BSK_FOREVER: neither */
    int64_t hang_ms;        /* who holds a loop longer ends, as by a fault; default nobody; below */
    bool histograms;        /* measure time in mailbox and in handler */
    bool no_signals;        /* leave SIGINT and SIGTERM alone */
    bool dump_on_usr1;      /* SIGUSR1 logs all actors */
    bool contain_faults;    /* a fault in an actor's own code ends that actor; see below */
    bool quiet;             /* no log line for dead letters; they are counted */
    enum bsk_level verbose; /* least important level logged; default errors and warnings */
    void (*log)(void *arg, enum bsk_level level, const char *line); /* default: standard error */
    void (*dead_letter)(void *arg, const bsk_dead_letter *dead);
    void (*trace)(void *arg, const bsk_event *event);
    void *arg; /* handed to the hooks */
} bsk_rt_opts;

/* Contained faults. With .contain_faults an actor that commits SIGSEGV, SIGBUS, SIGFPE or
 * SIGILL, runs over its stack, calls abort() or fails an assert() ends with BSK_FAULT; everyone
 * else goes on. Promised only for faults in code of the program's executable file, and in
 * memcpy, strlen and their kin called by it, while it runs as an actor. Anywhere else (this
 * library, libuv, libc, other libraries) somebody may hold a lock: the process says what it
 * knows, and dies. What the actor's code held outside the runtime (a mutex, memory of malloc, a
 * FILE) it holds for ever, and what it had begun to change outside its own state stays half
 * changed. A handler's stack is cut back, not unwound. The same holds for who holds its loop for
 * longer than .hang_ms: it is ended once it is found in its own code. bsk_start fails with
 * BSK_EINVAL where this cannot be done: not on Linux with glibc, x86-64 or aarch64; or a build
 * of the library without its own section of code. */

/* Held loops. A handler, or a fiber between two waits, has its loop to itself. Who keeps it for
 * longer than .slow_ms is logged by name, again each time that this has doubled. What waits
 * behind it is not lost on it: actors queued there, messages that come for them from anywhere,
 * their timers, deadlines and sleeps, and signals. Idle loops take that over within
 * milliseconds; where none is idle, and .slow_ms is over, a relief does: a thread with a loop of
 * its own, started at the first need (8 at most, should what they take over hold them, too),
 * that sleeps while nobody is held. When the message ends its loop goes on as if nothing had
 * been. What cannot be moved waits: actors that are pinned there, and what owns handles of that
 * loop. Who holds the loop for longer than .hang_ms is ended, where that is sound (see above);
 * else its thread is written off: never waited for, and at the end named by bsk_wait, which
 * returns 2. A seeded runtime has one thread, and none of this. */

/* bsk_start(.workers = 2) starts a runtime, or returns NULL: bsk_error(NULL) says why. Runtimes
 * are independent of each other; start and end as many, as often, as you like. A seeded one runs
 * inside bsk_wait, bsk_advance and the waiting words of its thread, and must be used from one
 * thread only. */
#define bsk_start(...) bsk_start_(&(bsk_rt_opts){.end_ = 0, __VA_ARGS__})
BSK_API bsk_rt *bsk_start_(const bsk_rt_opts *opts);
/* Waits until the last actor has ended, a signal asked to stop, or bsk_shutdown was called;
 * stops what is left; frees the runtime. Returns main's exit status: 0; 1 if an actor failed
 * under the root; 2 if someone did not stop in time (logged by name; what it holds is not
 * freed), or if, seeded, all wait for what can never happen. */
BSK_API int bsk_wait(bsk_rt *rt);
/* Begins to stop all actors, in reverse order of their start, and lets bsk_wait return. From any
 * thread; does not wait. */
BSK_API void bsk_shutdown(bsk_rt *rt);
/* Seeded runtimes: runs until nothing more can happen before `ms` from now, and sets the time
 * there. */
BSK_API void bsk_advance(bsk_rt *rt, int64_t ms);
/* Returns a digest of all events so far in a seeded runtime: equal for equal runs. */
BSK_API uint64_t bsk_digest(bsk_rt *rt);

/* A log-linear histogram's summary, in nanoseconds. */
typedef struct bsk_quantiles {
    uint64_t count, p50, p90, p99, p999, max;
} bsk_quantiles;
typedef struct bsk_stats_out {
    uint64_t actors, spawned, ended, failed; /* actors: alive now */
    uint64_t handled_user, handled_signal, handled_reply;
    uint64_t refused; /* sends that were told so, or dropped for it */
    uint64_t dead[BSK_DEAD_COUNT];
    uint64_t runnable; /* actors in run queues */
    uint64_t steals, parks, wakeups;
    uint64_t timers;                                                      /* armed now */
    uint64_t memory_actors, memory_messages, memory_stacks, memory_other; /* bytes mapped in now */
    bsk_quantiles in_mailbox, in_handler; /* zero unless .histograms */
} bsk_stats_out;
/* Sums the figures without stopping anyone; each is exact for itself, none for another's moment. */
BSK_API void bsk_stats(bsk_rt *rt, bsk_stats_out *out);
/* A look at one actor while it runs; parts may be a moment older than others. From any thread. 0 or
 * BSK_EDEAD. */
typedef struct bsk_info_out {
    bool fiber, closed;        /* closed: its mailbox */
    uint32_t queued, capacity; /* messages in it, and most */
    const bsk_type *doing;     /* the message in hand; NULL: none */
    int64_t busy_ms;           /* for about how long; 0: none is */
} bsk_info_out;
BSK_API int bsk_info(bsk_addr who, bsk_info_out *out);
/* Calls line(arg, text) for each actor: name, state, message in hand and since when, mailbox, on
 * whom it waits. Takes no lock that an actor could hold. From any thread, also while actors are
 * stuck. */
BSK_API void bsk_dump(bsk_rt *rt, void (*line)(void *arg, const char *text), void *arg);

BSK_API void bsk_tell_(bsk_addr, const bsk_type *, const void *);
BSK_API int bsk_try_(bsk_addr, uint32_t, const bsk_type *, const void *) BSK_MUST_;
BSK_API int bsk_send_(bsk_self *, bsk_addr, int64_t, const bsk_type *, const void *) BSK_MUST_;
BSK_API const void *bsk_call_(bsk_self *, bsk_addr, int64_t, const bsk_type *,
                              const void *) BSK_MUST_;
BSK_API int bsk_ask_(bsk_self *, bsk_addr, int64_t, const bsk_type *, const void *,
                     size_t) BSK_MUST_;
BSK_API int bsk_reply_(const void *, const bsk_type *, const void *);
BSK_API bsk_pending bsk_later_(const void *);
BSK_API int bsk_answer_(bsk_pending, const bsk_type *, const void *);
/* What stands before a message's body. It is here, and not for use, so that a match of ten types is
 * ten comparisons and not ten calls: a call to each would cost a tenth of all that a message does. */
struct bsk_front_ {
    void *next_;
    const bsk_type *type_;
    uint32_t gen_;
    uint8_t lane_; /* from BSK_REPLIES_ on: it answers an ask */
    uint8_t rest_[11];
};
#define BSK_REPLIES_ 2
static inline const void *bsk_take_(bsk_msg **m, const bsk_type *type)
{
    const struct bsk_front_ *front = (const struct bsk_front_ *)(const void *)*m;
    if (!front || front->type_ != type || front->lane_ >= BSK_REPLIES_) return NULL;
    *m = NULL;
    return front + 1;
}
BSK_API const void *bsk_take_reply_(bsk_msg **, const bsk_type *);
BSK_API int bsk_take_lost_(bsk_msg **, const bsk_type *);
BSK_API bsk_msg *bsk_take_any_(bsk_msg **);
BSK_API bsk_msg *bsk_unmatched_(bsk_msg *);
BSK_API bsk_msg *bsk_recv_only_(bsk_self *, int64_t, const bsk_type **);
BSK_API bsk_timer bsk_after_(bsk_self *, int64_t, const bsk_type *, const void *);
BSK_API bsk_timer bsk_every_(bsk_self *, int64_t, const bsk_type *, const void *);
BSK_API const void *bsk_timer_take_(bsk_self *, bsk_timer, const bsk_type *);
BSK_API bsk_addr bsk_spawn_(bsk_rt *, bsk_behavior, const bsk_opts *);
BSK_API int bsk_work_(bsk_self *, int64_t, bsk_work_fn *, const bsk_type *, const void *,
                      size_t) BSK_MUST_;
BSK_API const void *bsk_work_call_(bsk_self *, int64_t, bsk_work_fn *, const bsk_type *,
                                   const void *) BSK_MUST_;
BSK_API BSK_NORETURN_ void bsk_exit_as_(bsk_self *, enum bsk_reason, const char *file, int line,
                                        const char *why, ...) BSK_PRINTF_(5, 6);

BSK_EXTERN_C_END_

#endif
