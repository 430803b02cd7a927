/* SPDX-License-Identifier: MIT */
/* supervised - a worker that crashes again and again, until its supervisor gives up. Reads as the
 * documentation shows it, to the letter.
 * expect: worker up.worker up.worker up.worker up
 * exit: 1 */
#include <stdio.h>
#include <buskin.h>

static void worker(bsk_self *self)
{
    puts("worker up");
    bsk_sleep(self, 30);
    bsk_fail(self, "boom");                     /* from any depth; all it owns is freed */
}

int main(void)
{
    bsk_rt *rt = bsk_start();
    bsk_supervise(rt, BSK_SUP(.intensity = 3, .period_ms = 5000),
        bsk_child(worker, .name = "worker"));
    return bsk_wait(rt);                        /* not 0: the root supervisor gave up */
}
