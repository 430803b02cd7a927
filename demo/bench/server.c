/* SPDX-License-Identifier: MIT */
/* server.c - the actor that answers v + 1. */
#include "server.h"

BSK_MSG(answers, (i64, count));
BSK_CALL(count_answers, answers);

struct server {
    int64_t answered;
};

static void server(bsk_self *self, bsk_msg *m)
{
    struct server *s = bsk_state(self);
    bsk_match(m) {
        bsk_on(question, q) {
            s->answered++;
            bsk_reply(q, question, .v = q->v + 1);
        }
        bsk_on(count_answers, q) bsk_reply(q, count_answers, .count = s->answered);
    }
}

bsk_addr server_spawn(bsk_rt *rt)
{
    return bench_born(NULL, bsk_spawn(rt, server, BSK_STATE(struct server, .answered = 0)));
}

void server_check(bsk_addr server, int64_t answered)
{
    const answers *a = bsk_call(NULL, server, BSK_FOREVER, count_answers);
    if (!a) bench_must(bsk_error(NULL), "count answers");
    bench_check(a->count, answered, "answers given");
}
