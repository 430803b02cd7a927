/* SPDX-License-Identifier: MIT */
/* bounds.h - what a client may ask for. buskin-kv(1) tells them to people. */
#ifndef KV_BOUNDS_H
#define KV_BOUNDS_H

enum {
    SHARDS_MAX = 64,
    TARGETS_MAX = SHARDS_MAX + 1,  /* the channels answer commands too */
    KEY_MAX = 500,                 /* bytes of a key: the store's own limit, less its prefix */
    BULK_MAX = 64 * 1024 * 1024,   /* bytes of an argument, and of a value */
    QUERY_MAX = 256 * 1024 * 1024, /* bytes of a command */
    ARGUMENTS_MAX = 1024 * 1024,   /* of a command */
    LINE_LEN_MAX = 64 * 1024,      /* bytes of an inline command, and of a length */
    QUEUED_MAX = 64 * 1024 * 1024, /* bytes of the commands between MULTI and EXEC */
    PUSHED_MAX = 32 * 1024 * 1024, /* bytes of published messages that a client has not taken */
    BATCH_COMMANDS = 1024,         /* of a pipeline that are under way at once */
    BATCH_BYTES = 256 * 1024,      /* the same in bytes, but one command may be larger */
    INPUT_HIGH = 256 * 1024,       /* bytes taken from a client ahead of what is under way */
    NOAUTH_BULK_MAX = 16384,       /* as Redis has it, of those who gave no password yet */
    NOAUTH_ARGUMENTS_MAX = 10
};

#endif
