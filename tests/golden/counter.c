/* SPDX-License-Identifier: MIT */
/* counter - a handler, called by a fiber. Reads as the documentation shows it, to the letter.
 * expect: total = 5 */
#include <inttypes.h>
#include <stdio.h>
#include <buskin.h>

BSK_MSG(total, (i64, n));
BSK_MSG(add, (i64, n));
BSK_CALL(get, total);                           /* get is a request; its reply is a total */

static void counter(bsk_self *self, bsk_msg *m) /* takes a message: a handler */
{
    int64_t *sum = bsk_state(self);
    bsk_match(m) {
        bsk_on(add, a) *sum += a->n;
        bsk_on(get, g) bsk_reply(g, get, .n = *sum);
    }                                           /* nothing matched: a dead letter, counted */
}

static void client(bsk_self *self)              /* takes none: a fiber, may wait */
{
    bsk_addr c = bsk_spawn(bsk_rt_of(self), counter, BSK_STATE(int64_t, 0));
    bsk_tell(c, add, .n = 5);
    const total *t = bsk_call(self, c, 1000, get);
    if (!t) bsk_fail(self, "counter: %s", bsk_strerror(bsk_error(self)));
    printf("total = %" PRId64 "\n", t->n);
    bsk_shutdown(bsk_rt_of(self));
}

int main(void)
{
    bsk_rt *rt = bsk_start();
    bsk_spawn(rt, client);
    return bsk_wait(rt);
}
