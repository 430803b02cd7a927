/* SPDX-License-Identifier: MIT */
/* queue.h - the bounded mailbox: many senders, one consumer at a time, no lock.
 *
 * All that senders and the consumer have to agree on is one word:
 *
 *      63          48 47                       6   5     4      3      2     1 0
 *     +--------------+--------------------------+-----+------+------+------+-------+
 *     |   accepted   | newest message (64-byte) | ERA | POKE | WANT |CLOSED| state |
 *     +--------------+--------------------------+-----+------+------+------+-------+
 *
 * Each message points to the one that was newest before it:
 *
 *     word --> m7 --> m6 --> m5 --> m4 (mark) --> ...          list --> m2 --> m3 --> m4
 *              `-- not collected yet --'  `- examined -- collected, reversed: oldest first
 *
 * A sender links its message before the newest and swings the word to it: one compare-and-swap,
 * which also counts it, sees whether there is room, and wakes an idle consumer. The consumer
 * does not take messages off: it remembers the word that it last examined, whose newest message
 * is the mark, and collects what was linked in front of the mark since, reversing it into its
 * own list. While senders keep it busy it needs no atomic write at all. The mark's block is not
 * reused before there is a new mark, or none: so an address in the word never means two
 * messages.
 *
 * The bound. `popped` counts the user messages that the consumer has taken out, written by it
 * alone. accepted - popped is the number of messages held (both modulo 2^16, the capacity is
 * less). A sender compares with `seen`, an older value of popped in the senders' own cache line,
 * and looks at popped itself only when that says "full". popped grows only, so an old value
 * overstates what is held: the bound holds exactly, and who is refused was refused with popped
 * up to date. (An accepted count that stays equal while a sender is between load and swap,
 * although exactly k * 65536 messages went through and the same block is newest again, would
 * fool it; no other history does.)
 *
 * States. IDLE: nothing to do; any push makes it BUSY, and who did that must run the consumer.
 * DEAF: only an urgent push or a poke does (a fiber that sleeps, or waits for a reply). BUSY:
 * somebody runs it, or will. POKE says that something besides user messages has changed while it
 * was BUSY: the consumer does not go to sleep on a POKE that it has not examined. One that
 * sleeps is woken instead, and looks at everything then. WANT says that senders wait for room.
 * ERA turns when an actor parks for the last time: who closes its mailbox does not close that of
 * the next one in the slot.
 *
 * With the policy "drop oldest" senders take from the consumer's end too; for those mailboxes
 * alone a lock guards that end. */
#ifndef BSK_QUEUE_H
#define BSK_QUEUE_H

#include "lock.h"
#include "message.h"

#include <stdatomic.h>

#define MBOX_IDLE UINT64_C(0)
#define MBOX_BUSY UINT64_C(1)
#define MBOX_DEAF UINT64_C(2)
#define MBOX_STATE UINT64_C(3)
#define MBOX_CLOSED UINT64_C(4)
#define MBOX_WANT UINT64_C(8)
#define MBOX_POKE UINT64_C(16)
#define MBOX_ERA UINT64_C(32)
#define MBOX_ONE (UINT64_C(1) << 48)
#define MBOX_NEWEST ((MBOX_ONE - 1) & ~UINT64_C(63))

/* The senders' end: a cache line that they share. Zero is an idle, empty mailbox of capacity 0. */
struct mbox_in {
    _Atomic uint64_t word;
    _Atomic uint64_t seen; /* a value that popped has had */
    _Atomic uint32_t capacity;
    struct lock end_lock; /* guards mbox_out where the policy is "drop oldest" */
};

/* The consumer's end. */
struct mbox_out {
    _Atomic uint64_t popped; /* written by the consumer only; read by senders when full */
    uint64_t examined;       /* the word at the last collect; its newest message is the mark */
    struct bsk_msg *list;    /* collected, oldest first */
};

enum mbox_result {
    MBOX_QUEUED, /* pushed; the consumer is at work or will be */
    MBOX_WOKE,   /* pushed, and the pusher must see that the consumer runs */
    MBOX_FULL,
    MBOX_SHUT
};

static inline struct bsk_msg *mbox_newest(uint64_t word)
{
    return (struct bsk_msg *)(uintptr_t)(word & MBOX_NEWEST);
}

static inline uint32_t mbox_held(uint64_t word, uint64_t popped)
{
    return (uint16_t)((word >> 48) - popped);
}

/* Brings `seen` up to popped, and tells whether there is room then. */
static inline bool mbox_look_again(struct mbox_in *in, const struct mbox_out *out, uint64_t word,
                                   uint32_t need)
{
    /* Relaxed throughout: both are counts that only grow, and any value that popped has had is a
     * sound bound. The exchange keeps a delayed sender from setting `seen` back. */
    uint64_t seen = atomic_load_explicit(&in->seen, memory_order_relaxed);
    uint64_t popped = atomic_load_explicit(&out->popped, memory_order_relaxed);
    if (popped > seen)
        atomic_compare_exchange_strong_explicit(&in->seen, &seen, popped, memory_order_relaxed,
                                                memory_order_relaxed);
    return mbox_held(word, popped) + need <=
           atomic_load_explicit(&in->capacity, memory_order_relaxed);
}

/* Tells whether `need` more messages would fit. */
static inline bool mbox_has_room(struct mbox_in *in, const struct mbox_out *out, uint64_t word,
                                 uint32_t need)
{
    uint64_t seen = atomic_load_explicit(&in->seen, memory_order_relaxed);
    if (mbox_held(word, seen) + need <= atomic_load_explicit(&in->capacity, memory_order_relaxed))
        return true;
    return mbox_look_again(in, out, word, need);
}

/* Swings the word from `*w` to a message that is let in, or says what it is by now. Whether the
 * consumer was asleep stands in `*w`. */
static inline __attribute__((always_inline)) bool mbox_swing(struct mbox_in *in, uint64_t *w,
                                                             struct bsk_msg *m)
{
    m->next = mbox_newest(*w);
    uint64_t state = (*w & MBOX_STATE) == MBOX_IDLE ? MBOX_BUSY : *w & MBOX_STATE;
    uint64_t n = ((*w + MBOX_ONE) & ~(MBOX_NEWEST | MBOX_STATE)) | (uintptr_t)m | state;
    /* Release pairs with the acquire in mbox_collect: message and link are seen with the
     * word. Later swings are read-modify-writes and carry this one's release along. Acquire
     * pairs with the release in mbox_park: who wakes the consumer puts it in a run queue
     * after the last has let go. */
    return atomic_compare_exchange_weak_explicit(&in->word, w, n, memory_order_acq_rel,
                                                 memory_order_relaxed);
}

static inline enum mbox_result mbox_pushed(uint64_t w)
{
    return (w & MBOX_STATE) == MBOX_IDLE ? MBOX_WOKE : MBOX_QUEUED;
}

/* Pushes a user message, if the mailbox is open and more than `margin` places stay free. On
 * MBOX_FULL and MBOX_SHUT the message stays the caller's. */
static inline __attribute__((always_inline)) enum mbox_result
mbox_push(struct mbox_in *in, const struct mbox_out *out, struct bsk_msg *m, uint32_t margin)
{
    uint64_t w = atomic_load_explicit(&in->word, memory_order_relaxed);
    for (;;) {
        if (w & MBOX_CLOSED) return MBOX_SHUT;
        if (!mbox_has_room(in, out, w, margin + 1)) {
            /* Acquire pairs with the release in mbox_park: a consumer that is seen idle has its
             * last popped seen too, so the refusal was due. */
            uint64_t again = atomic_load_explicit(&in->word, memory_order_acquire);
            if (again == w && !mbox_has_room(in, out, w, margin + 1)) return MBOX_FULL;
            w = again;
            continue;
        }
        if (mbox_swing(in, &w, m)) return mbox_pushed(w);
    }
}

/* The same without a second look: what it calls full may have room, and be closed. */
static inline __attribute__((always_inline)) enum mbox_result
mbox_push_at_once(struct mbox_in *in, struct bsk_msg *m, uint32_t margin)
{
    uint64_t w = atomic_load_explicit(&in->word, memory_order_relaxed);
    do {
        uint64_t seen = atomic_load_explicit(&in->seen, memory_order_relaxed);
        uint32_t most = atomic_load_explicit(&in->capacity, memory_order_relaxed);
        if ((w & MBOX_CLOSED) || mbox_held(w, seen) + margin >= most) return MBOX_FULL;
    } while (!mbox_swing(in, &w, m));
    return mbox_pushed(w);
}

/* The word of a mailbox whose consumer must look up: woken if it sleeps, POKE if it is at work. */
static inline uint64_t mbox_poked(uint64_t word)
{
    if ((word & MBOX_STATE) == MBOX_BUSY) return word | MBOX_POKE;
    return (word & ~MBOX_STATE) | MBOX_BUSY;
}

/* Pushes a signal or a reply: never refused, takes no place, wakes a deaf consumer too. Tells
 * whether the caller must see that the consumer runs. */
static inline bool mbox_push_urgent(struct mbox_in *in, struct bsk_msg *m)
{
    uint64_t n, w = atomic_load_explicit(&in->word, memory_order_relaxed);
    do {
        m->next = mbox_newest(w);
        n = (mbox_poked(w) & ~MBOX_NEWEST) | (uintptr_t)m;
        /* Acq_rel: as in mbox_push. */
    } while (!atomic_compare_exchange_weak_explicit(&in->word, &w, n, memory_order_acq_rel,
                                                    memory_order_relaxed));
    return (w & MBOX_STATE) != MBOX_BUSY;
}

/* Wakes the consumer, if it must look. What the caller wrote before is seen by the consumer
 * then. Tells whether the caller must see that the consumer runs. */
static inline bool mbox_poke(struct mbox_in *in)
{
    uint64_t w = atomic_load_explicit(&in->word, memory_order_relaxed);
    /* Release pairs with the acquire in mbox_collect and mbox_park; acquire: as in mbox_push. */
    while (!atomic_compare_exchange_weak_explicit(&in->word, &w, mbox_poked(w),
                                                  memory_order_acq_rel, memory_order_relaxed)) {
    }
    return (w & MBOX_STATE) != MBOX_BUSY;
}

/* Closes the mailbox and pokes, if the word still is `*w`; else false, and `*w` is what it is. */
static inline bool mbox_close(struct mbox_in *in, uint64_t *w)
{
    /* Release: as in mbox_poke. Acquire on failure, too: with a word of the next actor's its
     * generation is seen. */
    return atomic_compare_exchange_weak_explicit(&in->word, w, mbox_poked(*w) | MBOX_CLOSED,
                                                 memory_order_acq_rel, memory_order_acquire);
}

/* Says that a sender waits for room. False, and nothing is said, if there is room (or it is
 * closed) by now: a consumer that goes idle afterwards finds WANT in the word that it swings. */
static inline bool mbox_want(struct mbox_in *in, const struct mbox_out *out)
{
    uint64_t w = atomic_load_explicit(&in->word, memory_order_acquire);
    for (;;) {
        if ((w & MBOX_CLOSED) || mbox_has_room(in, out, w, 1)) return false;
        if (w & MBOX_WANT) return true;
        /* Acquire on success, too, pairs with mbox_park's release: the look below is up to date
         * with every park before this swing; parks after it see WANT. */
        if (atomic_compare_exchange_weak_explicit(&in->word, &w, w | MBOX_WANT,
                                                  memory_order_acq_rel, memory_order_acquire))
            return !mbox_has_room(in, out, w, 1);
    }
}

/* Takes POKE off, if it is there: what was poked is seen by what the caller looks at next. */
static inline void mbox_attend(struct mbox_in *in)
{
    /* Acquire pairs with the releases of those who poked. */
    if (atomic_load_explicit(&in->word, memory_order_acquire) & MBOX_POKE)
        atomic_fetch_and_explicit(&in->word, ~MBOX_POKE, memory_order_acquire);
}

/* Collects what was pushed since the last time; only when the list is empty. Returns the mark
 * before, whose block is the caller's to free if it is done; or NULL. */
static inline struct bsk_msg *mbox_collect(struct mbox_in *in, struct mbox_out *out)
{
    assert(!out->list);
    /* Acquire pairs with the releases of the senders' swings. */
    uint64_t w = atomic_load_explicit(&in->word, memory_order_acquire);
    struct bsk_msg *mark = mbox_newest(out->examined), *newest = mbox_newest(w), *list = NULL;
    out->examined = w;
    if (newest == mark) return NULL;
    for (struct bsk_msg *m = newest, *next; m != mark; m = next) {
        next = m->next;
        m->next = list;
        list = m;
    }
    out->list = list;
    return mark;
}

/* Makes the mark, which was taken out of the list, no mark any more: its block is free to reuse. */
static inline void mbox_unmark(struct mbox_in *in, struct mbox_out *out)
{
    uint64_t w = atomic_load_explicit(&in->word, memory_order_acquire);
    while (mbox_newest(w) == mbox_newest(out->examined)) {
        /* Acq_rel: goes on with the senders' release sequence; pairs as in mbox_collect. */
        if (!atomic_compare_exchange_weak_explicit(&in->word, &w, w & ~MBOX_NEWEST,
                                                   memory_order_acq_rel, memory_order_acquire))
            continue;
        out->examined = w & ~MBOX_NEWEST;
        return;
    }
    /* What was pushed since comes behind what is left in the list. */
    struct bsk_msg *before = out->list, **end = &before;
    out->list = NULL;
    mbox_collect(in, out);
    while (*end) end = &(*end)->next;
    *end = out->list;
    out->list = before;
}

/* Tells whether a collect would find something: the consumer's own question. */
static inline bool mbox_has_more(struct mbox_in *in, const struct mbox_out *out)
{
    /* Relaxed: a question only; mbox_collect acquires what there is. */
    uint64_t w = atomic_load_explicit(&in->word, memory_order_relaxed);
    return mbox_newest(w) != mbox_newest(out->examined) || (w & MBOX_POKE);
}

/* Takes the oldest collected message out of the list, or NULL. A user message still counts as
 * held until mbox_popped. */
static inline struct bsk_msg *mbox_next(struct mbox_out *out)
{
    struct bsk_msg *m = out->list;
    if (m) out->list = m->next;
    return m;
}

/* Gives the place of one user message free. */
static inline void mbox_popped(struct mbox_out *out)
{
    /* Relaxed: a count for senders; what it lets them do needs no more than its value. */
    uint64_t n = atomic_load_explicit(&out->popped, memory_order_relaxed);
    atomic_store_explicit(&out->popped, n + 1, memory_order_relaxed);
}

/* Tells whether the block of a handled message may be reused; if not, it marks a place and is
 * freed with the next mark. */
static inline bool mbox_done(const struct mbox_out *out, struct bsk_msg *m)
{
    if (m != mbox_newest(out->examined)) return true;
    m->done = 1;
    return false;
}

enum mbox_parked {
    MBOX_STAYS,      /* there is more to do: the caller still is the consumer */
    MBOX_PARKED,     /* the caller is no longer the consumer */
    MBOX_PARKED_WANT /* the same, and senders wait for room: wake them */
};

/* Tells whether a consumer that examined `examined` has something left to look at in `w`. */
static inline bool mbox_unexamined(struct mbox_in *in, const struct mbox_out *out, uint64_t w,
                                   uint64_t examined, uint64_t state)
{
    if (w & MBOX_POKE) return true;
    if (state == MBOX_IDLE) return mbox_newest(w) != mbox_newest(examined);
    return (w & MBOX_WANT) && mbox_has_room(in, out, w, 1);
}

/* Goes to sleep as IDLE, or as DEAF, unless something unexamined is there; IDLE | ERA: for the
 * last time. Parked, the caller must not touch the consumer's end any more; `*mark` is a block
 * that marked a place and is free now, or NULL. */
static inline enum mbox_parked mbox_park(struct mbox_in *in, struct mbox_out *out, uint64_t sleep,
                                         struct bsk_msg **mark)
{
    uint64_t state = sleep & MBOX_STATE;
    uint64_t examined = out->examined;
    struct bsk_msg *place = state == MBOX_IDLE ? mbox_newest(examined) : NULL;
    *mark = place && place->done ? place : NULL;
    uint64_t w = atomic_load_explicit(&in->word, memory_order_acquire);
    for (;;) {
        if (mbox_unexamined(in, out, w, examined, state)) return MBOX_STAYS;
        uint64_t n = (w & ~MBOX_STATE) ^ sleep;
        if (state == MBOX_IDLE) n &= ~(MBOX_NEWEST | MBOX_WANT);
        out->examined = state == MBOX_IDLE ? 0 : examined;
        /* Release pairs with the acquire in the next consumer's mbox_collect, and with that of a
         * sender that looks for room: it sees all that this consumer wrote. Acquire pairs with
         * mbox_want. */
        if (atomic_compare_exchange_weak_explicit(&in->word, &w, n, memory_order_acq_rel,
                                                  memory_order_acquire))
            break;
        out->examined = examined;
    }
    return state == MBOX_IDLE && (w & MBOX_WANT) ? MBOX_PARKED_WANT : MBOX_PARKED;
}

/* Takes WANT off, if it is there: the consumer's, while busy, to wake those who wait. */
static inline bool mbox_take_want(struct mbox_in *in)
{
    uint64_t w = atomic_load_explicit(&in->word, memory_order_relaxed);
    if (!(w & MBOX_WANT)) return false;
    /* Acquire pairs with mbox_want: the waiter that set it is in the list of waiters. */
    atomic_fetch_and_explicit(&in->word, ~MBOX_WANT, memory_order_acquire);
    return true;
}

/* Opens the mailbox for a new actor, or closes it. */
static inline void mbox_open(struct mbox_in *in)
{
    /* Relaxed: the generation, which is published after it, carries it. */
    atomic_fetch_and_explicit(&in->word, ~MBOX_CLOSED, memory_order_relaxed);
}

static inline uint32_t mbox_len(const struct mbox_in *in, const struct mbox_out *out)
{
    uint64_t popped, word;
    /* Acquire: popped is looked at again after the word. Both are of one moment if it stayed. */
    do {
        popped = atomic_load_explicit(&out->popped, memory_order_relaxed);
        word = atomic_load_explicit(&in->word, memory_order_acquire);
    } while (atomic_load_explicit(&out->popped, memory_order_relaxed) != popped);
    return mbox_held(word, popped);
}

#endif
