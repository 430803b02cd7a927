/* SPDX-License-Identifier: MIT */
/* actor.h - what an actor is: three cache lines in a slot that is never unmapped while the
 * runtime lives.
 *
 * The slot outlives the actor. Whoever has an address may look at the slot's generation and push
 * into its mailbox at any time; each message carries the generation that it was sent to, and who
 * consumes drops what does not match. So a slot is reused without waiting for stale senders. */
#ifndef BSK_ACTOR_H
#define BSK_ACTOR_H

#include "actors.h"
#include "mailbox/queue.h"
#include "slab.h"
#include "stack.h"
#include "switch.h"
#include "wheel.h"

struct worker;
struct waiter;
struct ask;
struct timer;
struct arena_chunk;
struct defer;
struct act_more;
struct kin;
struct handle;

enum act_flag {
    ACT_FIBER = 1,
    ACT_PINNED = 2,     /* runs on its home worker only */
    ACT_HIGH = 4,       /* high priority */
    ACT_FRESH = 8,      /* has not run yet */
    ACT_TRAP_STOP = 16, /* gets bsk_stopping */
    ACT_TRAP_EXIT = 32, /* gets bsk_left; read by who ends */
    ACT_LINGERS = 64,   /* ends when its children have */
    ACT_CHILD = 128     /* not the root's: `parent` is valid */
};

enum act_ctl {
    CTL_KILL = 1,
    CTL_STOP = 2,
    CTL_DRAIN = 4,
    CTL_OVERFLOW = 8, /* fail: the mailbox overflowed */
    CTL_START = 16,   /* init, or the fiber's first run, is due */
    CTL_TOLD = 32,    /* bsk_stopping was delivered */
    CTL_KIN = 64,     /* there is news of its children, or of its time */
    CTL_EXIT = 128,   /* an exit signal is in the mailbox */
    CTL_CAME = 256,   /* what it has open came from another loop with it */
    CTL_BITS = 511    /* all of these; above them stands for whom they are meant, see act_tag */
};

struct bsk_self {
    /* What senders touch. */
    alignas(64) struct slab_item item; /* gen: of the actor that lives here, odd while one does */
    bsk_self *link; /* of the run queue that it is in while its mailbox is busy */
    struct mbox_in in;
    _Atomic uint32_t ctl;           /* enum act_ctl; set by anyone, then poked */
    _Atomic uint16_t home;          /* the worker that ran it last, or that it is pinned to */
    _Atomic uint8_t flags;          /* enum act_flag; its consumer's but for loads */
    _Atomic uint8_t overflow;       /* enum bsk_overflow */
    struct waiter *_Atomic waiters; /* who waits for room here; written under the slot's stripe */
    _Atomic uint32_t name;          /* index + 1 of its name record; 0: none */
    union {
        _Atomic uint32_t finish; /* the root's children: time to stop, see spawn_finish_ms */
        _Atomic uint32_t parent; /* others: its slot and scope, for who walks the tree */
    };

    /* What its consumer touches for each message. */
    alignas(64) struct mbox_out out;
    union {
        bsk_handler *handler;
        bsk_fiber *fiber;
    } run;
    void *state;
    struct worker *worker;  /* that runs it now; its consumer's */
    struct bsk_msg *inhand; /* borrowed by user code */
    struct act_more *more;  /* what few handlers and all fibers have */

    /* What it owns. */
    alignas(64) struct arena_chunk *arena;
    struct defer *defers;
    struct timer *timers;
    struct ask *asks;
    _Atomic uintptr_t ties; /* who hears of its end: a struct tie, or none; see TIES_CLOSED */
    _Atomic uint64_t born;  /* order of start */
    alignas(16) unsigned char small[16];
};
static_assert(sizeof(struct bsk_self) == 192, "an actor is three cache lines");

/* A node of a worker's wheel, and whose it is. */
enum alarm_kind { ALARM_FIBER, ALARM_TIMER, ALARM_ASK };
struct alarm {
    struct whl_node node;
    enum alarm_kind kind;
};

/* A passed-over message type of a selective receive, with its messages in order. */
struct saved {
    const bsk_type *type;
    struct bsk_msg *head, *tail; /* their `gen` is their order among all passed over */
};

/* Who waits for room in a mailbox; lies with the waiter, and in the mailbox's list under its
 * stripe. */
struct waiter {
    struct waiter *next, *prev;
    bsk_self *actor;            /* to poke; or */
    struct bsk_msg *notice;     /* to push to `to`; or */
    struct thread_wait *thread; /* to signal */
    bsk_addr to;
    _Atomic bool listed;
};

/* What a fiber waits for, and on whom: in its item's link, for dumps and to report cycles. */
enum wait_kind {
    WAIT_NONE,
    WAIT_MESSAGE,
    WAIT_REPLY,
    WAIT_ROOM,
    WAIT_TIME,
    WAIT_TURN,
    WAIT_CHILDREN,
    WAIT_IO
};
#define WAIT_SHIFT 28
#define WAIT_SLOT ((UINT32_C(1) << WAIT_SHIFT) - 1)

struct fiber {
    struct fib_context ctx;
    struct stk stack;
    struct alarm alarm;          /* in the wheel of alarm_home, under its lock */
    _Atomic uint16_t alarm_home; /* worker index */
    _Atomic uint64_t armed;      /* when the alarm goes off, 0: not filed; see fiber.c */
    bool alarmed;                /* the alarm was filed at least once */
    _Atomic uint64_t deadline;   /* of the wait it is in, 0: none */
    uint64_t park;               /* the mailbox state to wait in; BUSY: only a turn for others */
    int error;
    struct ask *call;      /* its record for bsk_call, kept between calls */
    struct bsk_msg *loans; /* borrowed by the user until the next wait */
    bsk_self *self;
    struct bsk_rt *rt;
    struct waiter room;
    bsk_self *room_of;   /* whose list it may stand in */
    struct saved *saved; /* passed over by selective receives */
    uint32_t nsaved, saved_cap, saved_seq;
    uint32_t budget;  /* sends and receives before others get a turn */
    uint64_t serves;  /* the request received last, if the right to reply to it was kept; or 0 */
    uint32_t ignored; /* waits begun although it was asked to stop */
    uint32_t shields; /* it is not to hear that it was */
};

struct act_more {
    struct fiber *fiber;    /* NULL: a handler */
    struct kin *kin;        /* parent, children, monitors; NULL: none of them */
    struct handle *handles; /* open on its loop, the newest first */
    struct handle *conn;    /* of these, what it was started for */
    bool pinned;            /* stays on its loop also when it has no handles */
    void (*init)(bsk_self *);
    void (*fini)(bsk_self *);
    uint64_t *later; /* asks whose right to reply is kept */
    uint32_t nlater, later_cap;
};

static inline uint32_t act_gen(const bsk_self *a)
{
    /* Relaxed: a stale generation is caught again by the consumer, which compares the message's. */
    return atomic_load_explicit(&a->item.gen, memory_order_relaxed);
}

static inline unsigned act_flags(const bsk_self *a)
{
    /* Relaxed: a hint for where to run; what counts is seen with the mailbox word. */
    return atomic_load_explicit(&a->flags, memory_order_relaxed);
}

static inline uint32_t act_ctl(const bsk_self *a)
{
    /* Relaxed: who set it pokes afterwards, and the poke's release is acquired before parking. */
    return atomic_load_explicit(&a->ctl, memory_order_relaxed) & CTL_BITS;
}

/* Of a generation: stands above the ctl bits, so that none reaches the next actor in the slot. */
static inline uint32_t act_tag(uint32_t gen)
{
    return gen >> 1 << 9;
}

/* Where the oldest messages may be dropped for new ones, senders take from this end too. */
static inline bool act_guarded(const bsk_self *a)
{
    /* Relaxed: set before the actor is known, and left alone while it lives. */
    return atomic_load_explicit(&a->overflow, memory_order_relaxed) == BSK_DROP_OLDEST;
}

static inline struct kin *act_kin(const bsk_self *a)
{
    return a->more ? a->more->kin : NULL;
}

static inline struct fiber *act_fiber(const bsk_self *a)
{
    return a->more ? a->more->fiber : NULL;
}

/* Tells whether these ctl bits ask the actor to stop. */
static inline bool act_cancelled(const bsk_self *a, uint32_t ctl)
{
    if (!(ctl & CTL_STOP)) return ctl & CTL_KILL;
    struct fiber *f = act_fiber(a);
    return !f || !f->shields || (ctl & CTL_KILL);
}

/* Runs the actor's mailbox for a slice; the scheduler's call. Returns the messages handled. */
unsigned act_run(struct worker *w, bsk_self *a);
/* Ends the actor, or goes on with an end that user code within it left: on the worker's own
 * stack. */
void act_end(struct worker *w, bsk_self *a, enum bsk_reason reason);
/* Leaves the actor's code for good. From its handler, its fiber, or what its end runs. */
BSK_NORETURN_ void act_leave(bsk_self *self, enum bsk_reason reason);
/* Tells whether a message that was taken is for the actor to see; if not it is buried. */
bool act_deliver(struct worker *w, bsk_self *a, struct bsk_msg *m);
/* Takes the next message of any kind, or NULL, giving its place free. */
struct bsk_msg *act_take(bsk_self *a);
/* The same in two steps: a message passed over keeps its place until it is popped. */
struct bsk_msg *act_pass(bsk_self *a);
void act_unpass(bsk_self *a, struct bsk_msg *m);
void act_popped(bsk_self *a, const struct bsk_msg *m);
/* Makes the block of a message in hand free to be pushed again. */
void act_unmark(bsk_self *a, struct bsk_msg *m);
/* Drops the oldest queued message for a new one to the actor of that generation, whose policy
 * that is; false: there is none. The senders' call. */
bool act_evict(struct worker *w, struct bsk_rt *rt, bsk_self *a, uint32_t gen);
/* mbox_park, where senders may take from this end too. */
enum mbox_parked act_park(bsk_self *a, uint64_t state, struct bsk_msg **mark);
/* Tells whether nothing is left to take or to attend to; the consumer's question. */
bool act_drained(bsk_self *a);
/* Brings in what was pushed since, when all before was taken. */
void act_collect(struct worker *w, bsk_self *a);
/* Frees a message that its actor is done with: answers a dropped request, arms an interval anew. */
void act_finish(struct worker *w, bsk_self *a, struct bsk_msg *m);
/* Frees a message that nobody handled, counting it as a dead letter. */
void act_bury(struct worker *w, bsk_self *a, struct bsk_msg *m, enum bsk_dead why);
/* Frees the block of a message whose contents failed to be dropped, if there is one. */
void act_drop_failed(struct worker *w, bsk_self *a);
/* The actor waits, its mailbox closed, until its children have ended. */
void act_linger(struct worker *w, bsk_self *a);
/* Looks at the news that CTL_KIN stands for. */
void act_look(struct worker *w, bsk_self *a);
/* In `parent`: the slot, and above it the number of the scope, modulo 16; 0: a supervisor's. */
#define PARENT_SHIFT 28
#define PARENT_SLOT ((UINT32_C(1) << PARENT_SHIFT) - 1)
/* Set in the list of ties of one that has ended: nobody is added to it. */
#define TIES_CLOSED ((uintptr_t)1)
/* Set where nobody is in the list: then the generation stands above it, so that whoever found it
 * empty does not add to that of the next actor in the slot. */
#define TIES_NONE ((uintptr_t)2)
static inline uintptr_t act_no_ties(uint32_t gen)
{
    return (uintptr_t)gen << 2 | TIES_NONE;
}
/* Sets or clears a flag; the actor's own. */
void act_set_flag(bsk_self *a, unsigned flag, bool on);
/* Nobody runs on the worker any more. */
void act_over(struct worker *w);
/* Makes the actor look up from its wait, and sees that it runs. */
void act_poke(struct worker *w, struct bsk_rt *rt, bsk_self *a);
/* Sets ctl bits, then pokes. False: the actor of that generation has ended. */
bool act_control(struct worker *w, struct bsk_rt *rt, bsk_self *a, uint32_t gen, uint32_t bits);
/* Closes the mailbox, and pokes. False: the actor of that generation has ended. */
bool act_close(struct worker *w, struct bsk_rt *rt, bsk_self *a, uint32_t gen);
/* Sets what bsk_error returns: of the actor; or of whoever runs on this thread. */
void act_set_error(bsk_self *self, int rc);
void act_tell_error(struct worker *w, int rc);
/* The earliest of a deadline and of that of the request in hand, which what is done for it
 * inherits. */
uint64_t act_deadline(bsk_self *self, int64_t ms);

#endif
