/* SPDX-License-Identifier: MIT */
/* words.h - the messages of the service.
 *
 *     connection --batch--> shard --commit--> writer --committed--> shard --answers--> connection
 *
 * is the whole way of a write. One commit of a shard is under way at a time; what the shard executes
 * meanwhile goes into the next, and all that a commit has is answered at once when it is on disk. A
 * read is answered by the shard, unless it saw what is not on disk yet: then it waits in the same
 * line. What several shards do together goes
 *
 *     connection --hold--> shard (one after another) --run--> all --seal--> writer
 *                --release--> all
 */
#ifndef KV_WORDS_H
#define KV_WORDS_H

#include <buskin.h>

/* What became of a part of a batch. */
enum outcome {
    DONE,
    LOST,    /* who had it ended; nobody knows whether it was done */
    AWAY,    /* not done: who should have it is being started again */
    BUSY,    /* not done: there is too much to do */
    LOADING, /* not done: the keys are being read */
    CHANGED, /* not done: a watched key is not what it was */
    REFUSED  /* not done: it could not be written to disk */
};

/* Commands for one shard, or for the channels, of one client, to be executed without a break. The
 * replies are for each: its length in four bytes, and the bytes. `watches`: see struct watch. */
BSK_MSG(answers, (i64, outcome), (u64, target), (bytes, replies));
BSK_CALL(batch, answers, (bytes, orders), (bytes, watches));

/* The shard is to do nothing until it is released, but for who holds it. It releases itself if the
 * holder ends. */
BSK_MSG(held, (i64, outcome), (u64, id));
BSK_CALL(hold, held, (addr, holder), (bytes, watches));
/* The commands, under a hold. What they write is not sent to the writer: the holder does that, in
 * one with what other shards write. */
BSK_MSG(ran, (i64, outcome), (u64, target), (bool, waits), (bytes, replies), (bytes, mark),
        (bytes, writes));
BSK_CALL(run, ran, (u64, id), (bytes, orders));
/* `undo`: what was run did not come to its end, so the shard goes back to what the store has. */
BSK_MSG(release, (u64, id), (bool, undo));

/* What the shard has written up to a version, see struct mark: answered when it is on disk. `sizes`:
 * how many bytes of the writes each batch has, uint64_t. */
BSK_MSG(committed, (i64, outcome), (u64, version));
BSK_CALL(commit, committed, (bytes, mark), (bytes, writes), (bytes, sizes));
/* The same for several shards in one. */
BSK_MSG(sealed, (i64, outcome));
BSK_CALL(seal, sealed, (bytes, marks), (bytes, writes));
/* A shard that starts: answered when all that its predecessor wrote is on disk. Only what bears the
 * epoch is written from then on. */
BSK_MSG(attached, (u64, epoch));
BSK_CALL(attach, attached, (u64, shard));
/* The shard goes back to what the store has. `outcome`: what those hear whose writes it has not sent
 * to the writer yet. */
BSK_MSG(go_back, (i64, outcome));

/* A connection asks again who was not there. */
BSK_MSG(ask_again);
/* A connection tries again to have its subscriptions known. */
BSK_MSG(renew_now);
/* A connection's subscriptions, for channels that have started anew. */
BSK_CALL(listen_again, answers, (bytes, orders));
/* A published message for a subscriber, as it is sent, but for its first byte. */
BSK_MSG(pushed, (blob, text));

/* Work on the blocking pool: writes groups to the journal (see group.h); moves from there to the
 * store; waits until who wrote for a former writer has ended; reads keys from the store. */
BSK_MSG(worked, (i64, rc));
BSK_CALL(flush, worked, (blob, line));
BSK_CALL(transfer, worked);
BSK_CALL(settle, worked);
BSK_MSG(chunk, (i64, rc), (bool, more), (bytes, records));
BSK_CALL(load, chunk, (u64, from), (u64, to), (bytes, after));

/* A fault is to happen; of enum trouble_kind. */
BSK_MSG(trouble, (i64, kind));
/* An actor has started, at a place of the tree (places.h): who ends is counted by reason. */
BSK_MSG(born, (addr, who), (i64, place));

/* In batch and hold: a key and the version that it must have. */
struct watch {
    uint64_t hash, version;
    uint32_t len; /* of the key, which follows */
};
/* In commit and seal. */
struct mark {
    uint64_t shard, epoch, version;
};

#endif
