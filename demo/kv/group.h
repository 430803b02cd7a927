/* SPDX-License-Identifier: MIT */
/* group.h - what is written in one commit, who is told when it is on disk, and the line on which
 * groups go from the writer to the thread that commits.
 *
 *     writer --add--> open --take--> the thread: gather, write, sync, answer, and again
 *                      ^                   |
 *                      `----- spare -------'
 *
 * The thread does not come back to the writer for each group: each way costs as much as a sync. It
 * does when the writer has to see to a group (somebody attaches, or it could not be written), and
 * when the line is closed and nothing is left.
 *
 * Where nothing is synced, the writer commits itself, as long as the journal's file has room.
 *
 * Nothing is locked, as who ends while it holds a lock holds it for ever: who takes a group out of
 * the line has it until it puts it back, and a writer that ends meanwhile takes it along. */
#ifndef KV_GROUP_H
#define KV_GROUP_H

#include "buffer.h"
#include "service.h"

enum asker_kind { ASKED_COMMIT, ASKED_SEAL, ASKED_ATTACH };
struct asker {
    bsk_pending who;
    enum asker_kind kind;
    unsigned shard;   /* of ATTACH */
    uint64_t version; /* of COMMIT */
};

struct group {
    struct buffer writes, sizes, askers; /* sizes: of each batch in writes, uint64_t */
    uint64_t versions[SHARDS_MAX];       /* on disk after it; 0: nothing of that shard */
    uint64_t count;                      /* batches, or who asked for something else */
    bool attaches;                       /* a shard does: the writer has to see to it */
};

struct line;

/* A line lives in a blob: who commits has it, too, and may outlive the writer. NULL: want of
 * memory. */
bsk_blob *line_new(struct line **out);
/* Who commits ends as soon as nothing is left. */
void line_close(struct line *l);
/* Takes the group that gathers; NULL: want of memory. */
struct group *line_open(struct line *l);
/* Puts it back; `added`: what is more in it, as its count says. */
void line_put(struct line *l, struct group *g, uint64_t added);
/* Who commits waits for more: what is sent at once is in the next commit. A hint, from anywhere. */
bool line_gathers(void);
/* The group with which who committed came back; NULL: none. */
struct group *line_left(struct line *l);
/* Nothing has been added that was not taken. */
bool line_is_empty(struct line *l);
/* Writes something, too, when nothing has gathered: to see whether there is room. */
void line_probe(struct line *l);
/* Commits what has gathered on this thread, an actor's, if that waits for no disk and no store, while
 * nobody else commits; *rc and line_left as of who commits. False: a thread of the pool has to. */
bool line_commit_here(struct line *l, int *rc);
/* A group that was taken by line_open will not go back; while nobody commits. */
void line_skip(struct line *l, const struct group *g);
/* A group has been seen to, and may be used again. */
void line_recycle(struct line *l, struct group *g);
/* The line is given to the pool: until it is freed it counts as under way. */
void line_start(struct line *l);

size_t group_len(const struct group *g);
const struct asker *group_asker(const struct group *g, size_t i);
/* Tells all how it went, but for who attaches; and the shards, how far they are on disk. */
void group_answer_all(const struct group *g, enum outcome outcome);

/* On the pool: commits what comes on a line (the bsk_work of flush), moves what is in the journal
 * to the store (transfer), waits until nothing of a former writer is under way (settle), and reads
 * keys (load). */
void group_flush(bsk_msg *m);
void group_transfer(bsk_msg *m);
void group_settle(bsk_msg *m);
void group_load(bsk_msg *m);

#endif
