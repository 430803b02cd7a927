/* SPDX-License-Identifier: MIT */
/* registrar.c - counts who ends, and why. Whoever starts says so here; who holds which place of the
 * tree is noted with it. */
#include <signal.h>
#include <string.h>

#include "places.h"

const char *const cause_names[CAUSES] = {
    [CAUSE_FAILED] = "failed", [CAUSE_FAULT] = "fault",       [CAUSE_HANG] = "hang",
    [CAUSE_KILLED] = "killed", [CAUSE_SHUTDOWN] = "shutdown",
};

static enum cause cause_of(const bsk_down *d)
{
    switch (d->reason) {
    case BSK_FAULT: return strstr(d->text, "hang") || !d->signal ? CAUSE_HANG : CAUSE_FAULT;
    case BSK_KILLED:
    case BSK_NO_ACTOR: return CAUSE_KILLED;
    case BSK_SHUTDOWN:
    case BSK_NORMAL: return CAUSE_SHUTDOWN;
    default: return CAUSE_FAILED;
    }
}

/* Who holds each place, and who did before: of him, who has ended, it may be heard later. */
struct registrar_state {
    struct {
        bsk_addr now, before;
    } holders[PLACES];
};

static void see_start(bsk_self *self, struct registrar_state *s, unsigned place, bsk_addr who)
{
    if (!bsk_watch(self, who).gen) bsk_fail(self, "out of memory");
    if (place >= PLACES) return;
    s->holders[place].before = s->holders[place].now;
    s->holders[place].now = who;
    place_note_start(place);
}

/* Those who do not say it themselves, supervisors above all: who starts again has started its
 * children as well. */
static void look_around(bsk_self *self, struct registrar_state *s)
{
    char name[SHARD_NAME];
    for (unsigned p = 0; p < PLACES; p++) {
        if (place_says_born(p) || p == PLACE_REGISTER || !place_is_used(p)) continue;
        bsk_addr who = bsk_whereis(bsk_rt_of(self), place_name(p, name));
        if (!bsk_is_nobody(who) && !bsk_same(who, s->holders[p].now)) see_start(self, s, p, who);
    }
}

static void on_born(bsk_self *self, struct registrar_state *s, const born *b)
{
    count_up(&kv.count.starts, 1);
    see_start(self, s, (unsigned)b->place, b->who);
    look_around(self, s);
}

static void on_down(struct registrar_state *s, const bsk_down *d)
{
    unsigned p = 0;
    while (p < PLACES && !bsk_same(s->holders[p].now, d->who) &&
           !bsk_same(s->holders[p].before, d->who))
        p++;
    if (p == PLACES || place_says_born(p)) count_up(&kv.count.ended[cause_of(d)], 1);
    if (p < PLACES) place_note_end(p, d);
}

static void registrar(bsk_self *self, bsk_msg *m)
{
    struct registrar_state *s = bsk_state(self);
    bsk_match(m) {
        bsk_on(born, b) on_born(self, s, b);
        bsk_on(bsk_down, d) on_down(s, d);
    }
}

void say_born(bsk_self *self)
{
    bsk_addr me = bsk_me(self), to = bsk_whereis(bsk_rt_of(self), "register");
    bsk_tell(to, born, .who = me, .place = place_of(bsk_rt_of(self), me));
}

bsk_child_spec registrar_spec(void)
{
    static const struct registrar_state fresh;
    return (bsk_child_spec)bsk_child(registrar, .name = "register", .state = &fresh,
                                     .state_size = sizeof fresh);
}
