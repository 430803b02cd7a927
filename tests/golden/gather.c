/* SPDX-License-Identifier: MIT */
/* gather - structured concurrency: a deadline over four workers; when all goes well, when one of them
 * fails, and when one is too slow.
 * expect: all well: status 0, gathered 100
 * expect: one fails: status 1, gathered 10
 * expect: one is slow: status 1, gathered 70 */
#include <stdio.h>
#include <buskin.h>

struct part {
    int index;
};

static int gathered, failing, slow; /* indices of parts */

static void part(bsk_self *self)
{
    const struct part *p = bsk_state(self);
    int rc = bsk_sleep(self, p->index == slow ? 10000 : 1 + p->index);
    if (rc < 0) return; /* cancelled */
    if (p->index == failing) bsk_fail(self, "no such part");
    gathered += 10 * (p->index + 1);
}

/* clang-format off: to the letter as the documentation shows it */
static void gather(bsk_self *self)
{
    bsk_scope *s = bsk_scope_open(self, 2000);               /* deadline for all inside */
    for (int i = 0; i < 4; i++) bsk_go(s, part, BSK_STATE(struct part, .index = i));
    if (bsk_scope_join(s) < 0) bsk_fail(self, "a part failed"); /* the first failure cancelled the others */
}
/* clang-format on */

static void run(const char *what, int fails, int late)
{
    bsk_rt *rt = bsk_start(.seed = 1);
    gathered = 0;
    failing = fails;
    slow = late;
    bsk_spawn(rt, gather);
    int status = bsk_wait(rt);
    printf("%s: status %d, gathered %d\n", what, status, gathered);
}

int main(void)
{
    run("all well", -1, -1);
    run("one fails", 1, -1);
    run("one is slow", -1, 2);
    return 0;
}
