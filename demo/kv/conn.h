/* SPDX-License-Identifier: MIT */
/* conn.h - a connection: what a client has sent, what is under way for it, and what it is to get.
 *
 *     bytes --> commands --> a batch: parts for shards, and its plan --> replies, in order --> bytes
 *
 * One batch is under way at a time. What comes meanwhile is the next one, so a client that sends
 * many commands at once has them executed many at a time. */
#ifndef KV_CONN_H
#define KV_CONN_H

#include "order.h"
#include "protocol.h"

/* The plan of a batch: a row of these says how the replies are put together. */
enum item_kind {
    ITEM_LOCAL,  /* n bytes of the connection's own */
    ITEM_NEXT,   /* the next n replies of the target */
    ITEM_SUM,    /* the next reply of each target of the mask: numbers to be added, */
    ITEM_SAME,   /* ... or of which one is enough, */
    ITEM_JOIN,   /* ... or arrays to be put behind each other */
    ITEM_VERSION /* the target's next reply is the version of the watched key at n */
};
struct item {
    enum item_kind kind;
    unsigned target;
    size_t n;
    uint64_t mask;
};

/* What one target does of a batch. */
struct part {
    enum outcome outcome;
    bool answered;
    uint64_t id;        /* of the hold */
    struct buffer kept; /* its orders, then its replies; if more than one target is asked, or */
    bool away;          /* it was not there, and is asked again */
    struct arg frames;  /* of the replies that are left */
};

enum phase { IDLE, ASKING, HOLDING, RUNNING, SEALING };

/* Commands between MULTI and EXEC, and keys that are watched. */
struct transaction {
    bool open, aborted;
    uint32_t count;
    struct buffer queue;
    struct buffer watches; /* each a struct watch and the key */
    uint64_t round;        /* counts the UNWATCHes */
};

struct subscription {
    struct subscription *next;
    bool pattern;
    uint32_t len;
    char name[];
};

struct conn {
    bsk_self *self;
    bsk_stream stream;
    uint64_t id;
    int64_t since_ms;
    struct parser parser;
    struct buffer in;  /* commands that wait, and the beginning of one that is not complete */
    struct buffer out; /* what the stream did not take yet */
    uint64_t counted;  /* bytes of these that kv.count.buffers has */

    enum phase phase;
    bool paused, closing, stopping, ended; /* ended: the client sends nothing more */
    bool going;                            /* goes on with what waits */
    bool barrier;                          /* the batch ends here */
    bool again;                            /* ... before the command in hand */
    bool atomic;                           /* the batch: at once on all shards, or */
    bool checked;                          /* ... if nothing watched has changed */
    bool mute;                             /* published messages wait until the batch is answered */
    unsigned waiting;                      /* parts that are not answered */
    uint64_t asked;                        /* targets that have a part */
    bool asks_channels;                    /* ... and the channels */
    size_t noted;                          /* local bytes that the plan has */
    unsigned turn;                         /* target whose hold is asked for */
    bool waits;                            /* ask_again will come */
    int64_t away_until;                    /* who is not there is waited for; 0: all were there */
    struct buffer items, local, pushes;
    struct part one, *parts; /* parts: if there are more than one */
    struct buffer marks, writes;

    uint8_t resp;
    bool authenticated;
    struct buffer name;
    const struct command *command;
    struct transaction *tx; /* NULL: none */
    struct subscription *subs;
    uint32_t nchannels, npatterns;
    bsk_monitor channels;
};

/* batch.c: building one, asking, and putting the replies together. */

/* Where the connection's own replies go. */
struct buffer *conn_reply(struct conn *c);
void batch_begin(struct conn *c);
/* The orders for a target; begins a part if there is none. */
struct buffer *batch_part(struct conn *c, unsigned target);
void batch_item(struct conn *c, struct item i);
bool batch_is_full(struct conn *c);
/* Sends what there is to be asked, or answers at once. */
void batch_send(struct conn *c);
void batch_on_answers(struct conn *c, const answers *a);
void batch_on_lost(struct conn *c);
/* Who should execute it is being started again, which is waited for. False: for too long. */
bool batch_waits(struct conn *c);
void batch_ask_again(struct conn *c);
/* All parts are answered: writes the replies and goes on. */
void batch_finish(struct conn *c);
struct part *batch_part_of(struct conn *c, unsigned target);
/* All parts have that outcome. */
void batch_fail(struct conn *c, enum outcome outcome);
bool batch_asks(const struct conn *c, unsigned target);
/* The channels' target number. */
unsigned channels_target(void);
/* The address of a shard or of the channels; `anew`: the one known has ended. */
bsk_addr target_addr(bsk_self *self, unsigned target, bool anew);

/* hold.c: a batch that several shards execute at once. */
void hold_start(struct conn *c);
void hold_again(struct conn *c);
void hold_on_held(struct conn *c, const held *h);
void hold_on_ran(struct conn *c, const ran *r);
void hold_on_sealed(struct conn *c, enum outcome outcome);
void hold_on_lost(struct conn *c);
/* All have run. */
void hold_after_run(struct conn *c);

/* route.c: which shards execute a command. */
void conn_do(struct conn *c, const struct command *command, const struct arg *argv, uint32_t argc);

/* connection.c */
/* Takes one command. */
void conn_take(struct conn *c, const struct arg *argv, uint32_t argc);
/* Writes bytes to the client, or keeps them until it takes them. */
void conn_write(struct conn *c, const char *at, size_t len);
/* Goes on with what waits. */
void conn_go_on(struct conn *c);

/* transaction.c */
bool conn_in_multi(const struct conn *c);
void multi_queue(struct conn *c, const struct arg *argv, uint32_t argc);
void multi_abort(struct conn *c);
/* Nothing is queued and nothing watched any more. */
void multi_end(struct conn *c);
void multi_free(struct conn *c);
/* Writes the watches that the shard has to look at. */
void watches_of(struct conn *c, unsigned target, struct buffer *out);
/* EXEC has been decided on. */
void watches_forget(struct conn *c);
void watches_set(struct conn *c, struct item i, struct arg version);

/* subscribe.c */
void subscriptions_free(struct conn *c);
void subscriptions_renew(struct conn *c);
void conn_on_pushed(struct conn *c, const pushed *p);
/* Writes what was published while that had to wait. */
void conn_let_pushes(struct conn *c);

#endif
