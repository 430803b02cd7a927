/* SPDX-License-Identifier: MIT */
/* blocks.h - for models of one mailbox: messages whose blocks are taken again as soon as they are
 * free, which is where an ABA mistake would show, and a consumer that is whoever woke it. */
#ifndef MODEL_BLOCKS_H
#define MODEL_BLOCKS_H

#include "model.h"

#include "mailbox/queue.h"

enum { BLOCK_OWNERS = 4, BLOCKS_EACH = 3 };

struct block {
    _Alignas(64) unsigned char bytes[sizeof(struct bsk_msg)];
    int sender, number;
    _Atomic bool used;
};

static struct mbox_in in;
static struct mbox_out out;
static struct block blocks[BLOCK_OWNERS][BLOCKS_EACH];
static int last[BLOCK_OWNERS]; /* the consumer's: the last number of each sender */
static int handled;            /* the consumer's */
static bool running;           /* somebody is the consumer */

static inline void blocks_reset(uint32_t capacity)
{
    memset(&in, 0, sizeof in);
    memset(&out, 0, sizeof out);
    memset(blocks, 0, sizeof blocks);
    memset(last, 0, sizeof last);
    handled = 0;
    running = false;
    atomic_init(&in.capacity, capacity);
}

static inline struct bsk_msg *block_message(struct block *b)
{
    return (struct bsk_msg *)(void *)b;
}

static inline struct block *block_of(struct bsk_msg *m)
{
    return (struct block *)(void *)m;
}

static inline void block_release(struct bsk_msg *m)
{
    struct block *b = block_of(m);
    mdl_write(b);
    mdl_assert(b->used);
    m->next = NULL;
    atomic_store_explicit(&b->used, false, memory_order_release);
}

/* The first free block of the thread's; in a program's setup, of the last owner. */
static inline struct block *block_take(int number)
{
    unsigned self = mdl_self() < BLOCK_OWNERS ? mdl_self() : BLOCK_OWNERS - 1;
    struct block *b = blocks[self];
    while (atomic_load_explicit(&b->used, memory_order_acquire)) b++;
    mdl_assert(b < blocks[self] + BLOCKS_EACH);
    atomic_store_explicit(&b->used, true, memory_order_relaxed);
    mdl_write(b);
    block_message(b)->done = 0;
    block_message(b)->lane = MSG_USER;
    b->sender = (int)self;
    b->number = number;
    return b;
}

/* The consumer's: whoever runs it has taken over from whoever ran it last. */
static inline void consumer_begins(void)
{
    mdl_assert(!running);
    running = true;
    mdl_write(&out);
}

static inline void consumer_ends(void)
{
    mdl_assert(running);
    running = false;
}

static inline void block_handle(struct bsk_msg *m)
{
    struct block *b = block_of(m);
    mdl_read(b);
    mdl_assert(b->number > last[b->sender]);
    last[b->sender] = b->number;
    handled++;
    if (m->lane == MSG_USER) mbox_popped(&out);
    if (mbox_done(&out, m)) block_release(m);
}

static inline void collect_and_handle(void)
{
    struct bsk_msg *m, *mark = mbox_collect(&in, &out);
    mdl_write(&out);
    if (mark && mark->done) block_release(mark);
    while ((m = mbox_next(&out))) block_handle(m);
}

/* Holds at the end of each program: all is quiet, and every block is free again. */
static inline void all_is_quiet(void)
{
    mdl_assert((in.word & MBOX_STATE) == MBOX_IDLE && !mbox_newest(in.word));
    mdl_assert(mbox_len(&in, &out) == 0 && !out.list && !running);
    for (int i = 0; i < BLOCK_OWNERS; i++)
        for (int k = 0; k < BLOCKS_EACH; k++) mdl_assert(!blocks[i][k].used);
}

#endif
