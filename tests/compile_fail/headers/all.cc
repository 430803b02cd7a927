/* SPDX-License-Identifier: MIT */
/* all.cc - the headers in C++17: declarations, values and functions, not the words that need C11. */
#include <buskin.h>

BSK_MSG(nothing);
BSK_MSG(one, (i64, n), (bool, b), (str, s));
BSK_CALL(get, one);

static_assert(sizeof(one) >= sizeof(int64_t) + sizeof(const char *), "a struct like any");

static void handler(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(one, o) if (o->n > 1) bsk_exit(self);
        bsk_else(other) if (bsk_msg_type(other)->reply) bsk_exit(self);
    }
}

int main()
{
    bsk_rt_opts with{};
    with.workers = 2;
    bsk_rt *rt = bsk_start_(&with);
    if (!rt) return -BSK_ENOMEM;
    bsk_opts opts{};
    bsk_behavior what{};
    what.handler = handler;
    bsk_addr who = bsk_spawn_(rt, what, &opts);
    one body{};
    body.n = 1;
    if (bsk_try_(who, 0, &one_bsk, &body) < 0) bsk_shutdown(rt);
    return bsk_wait(rt);
}
