/* SPDX-License-Identifier: MIT */
/* order.h - orders: commands, as a connection has them sent to a shard or to the channels. */
#ifndef KV_ORDER_H
#define KV_ORDER_H

#include "commands.h"
#include "service.h"

/* Adds an order to the bytes of a batch. `n` of the arguments follow with order_arg, the command's
 * name is not among them. */
void order_begin(struct buffer *b, const struct command *command, int resp, uint64_t hash,
                 uint32_t n);
void order_arg(struct buffer *b, struct arg a);

/* Reads the order at *at and goes behind it: command, resp, hash, argv (with argv[0] the name) and
 * argc of the call. argv is put into `argv`, of struct arg. False: there is none left. */
bool order_next(const char **at, const char *end, struct call *c, struct buffer *argv);

/* The hash of the order at *at, behind which it goes. */
uint64_t order_skip(const char **at);

/* Puts what follows into a frame, and closes it. */
size_t frame_open(struct buffer *b);
void frame_close(struct buffer *b, size_t at);
/* Takes the next frame. */
struct arg frame_next(struct arg *frames);

#endif
