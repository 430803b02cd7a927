/* SPDX-License-Identifier: MIT */
/* main.c - buskin-restart: a shop to do harm to.
 *
 * ctest: calm */
#include <stdio.h>

#include "live.h"
#include "terminal.h"

static int play(const struct options *o)
{
    int failed = 0, played = 0;
    for (const struct scenario *sc = o->all ? scenarios : o->scenario; sc->name; sc++) {
        failed += !stage_run(sc, o->seed);
        played++;
        if (!o->all) break;
    }
    printf("%d of %d scenarios went as they should\n", played - failed, played);
    return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
    static struct options o;
    options_read(&o, argc, argv);
    if (o.scenario) return play(&o);
    int status = o.plain ? -1 : terminal_guard();
    if (status >= 0) return status;
    if (status < -1) o.plain = true;
    return live_run(&o);
}
