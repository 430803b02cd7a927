/* SPDX-License-Identifier: MIT */
/* Links, monitors, exit signals and messages between lives, and what each has to hear of them.
 *
 * Whether the other had ended is noted before and after each word: where both say the same, only
 * one outcome is right. */
#include "forest_books.h"

#include <inttypes.h>
#include <stdio.h>

/* A link with one that had ended, or ended meanwhile. */
static void link_to_ended(struct life *l, struct life *o, struct pair *p, bool before)
{
    unsigned me = side_of(p, l);
    allow(l, BSK_NO_ACTOR);
    if (!before || !is_seeded(l->forest)) {
        p->linked = false;
        p->maybe[me]++;
        allow(l, reason_of(o));
    } else if (atomic_load(&l->traps)) {
        p->none[me]++;
    } else {
        atomic_store(&l->doomed, true);
    }
}

static void link_with(struct life *l, bsk_self *self, struct life *o)
{
    struct pair *p = pair_of(l, o);
    if (!p) return;
    pair_lock(p);
    bool before = is_over(o);
    int rc = bsk_link(self, o->who);
    bool after = is_over(o);
    if (rc == 0 && !after) p->linked = true;
    if (rc == 0 && after) link_to_ended(l, o, p, before);
    pair_unlock(p);
    if (rc && !excused(l->forest, rc)) fo_blame(l->forest, "link: %s", bsk_errname(rc));
}

static void unlink_from(struct life *l, bsk_self *self, struct life *o)
{
    struct pair *p = pair_of(l, o);
    if (!p) return;
    unsigned me = side_of(p, l);
    pair_lock(p);
    bsk_unlink(self, o->who);
    bool unsure = !is_seeded(l->forest) && is_over(o);
    if (unsure && (p->linked || p->due[me] == OWED_SIGNAL)) p->due[me] = OWED_MAYBE;
    p->linked = false;
    pair_unlock(p);
}

/* Somebody that it is linked to, if there is one among the first few. */
static struct life *partner(struct life *l)
{
    struct pair *p = atomic_load(&l->pairs);
    for (unsigned n = random_below(&l->random, 8); p && n; n--) p = p->next[side_of(p, l)];
    return p ? p->ends[1 - side_of(p, l)] : NULL;
}

struct watch *free_watch(struct life *l)
{
    for (int i = 0; i < WATCHES; i++)
        if (atomic_load(&l->watches[i].state) == WATCH_NONE) return &l->watches[i];
    return NULL;
}

void add_watch(struct life *l, bsk_monitor m, struct life *of, bool before, bool after)
{
    struct watch *w = free_watch(l);
    w->token = m;
    w->may_none = before || after;
    w->must_none = before && is_seeded(l->forest);
    w->named = false;
    atomic_store(&w->of, of);
    atomic_store(&w->state, WATCH_OPEN);
}

static void watch_by_name(struct life *l, bsk_self *self)
{
    char name[16];
    snprintf(name, sizeof name, "N%u", random_below(&l->random, SHARED_NAMES));
    bsk_addr who = bsk_whereis(bsk_rt_of(self), name);
    struct life *o = bsk_is_nobody(who) ? NULL : life_of(l->forest, who);
    bsk_monitor m = bsk_watch_name(self, name);
    if (m.gen) {
        struct watch *w = free_watch(l);
        add_watch(l, m, o, !o, !o);
        w->named = true;
    }
}

static void watch(struct life *l, bsk_self *self, struct life *o)
{
    if (!free_watch(l)) return;
    /* Who has the name may change meanwhile, where there are other threads. */
    if (is_seeded(l->forest) && random_one_in(&l->random, 6)) {
        watch_by_name(l, self);
        return;
    }
    bool before = is_over(o);
    bsk_monitor m = bsk_watch(self, o->who);
    if (m.gen)
        add_watch(l, m, o, before, is_over(o));
    else if (!excused(l->forest, bsk_error(self)))
        fo_blame(l->forest, "watch: %s", bsk_errname(bsk_error(self)));
}

static void unwatch_one(struct life *l, bsk_self *self, struct watch *w)
{
    struct life *o = atomic_load(&w->of);
    bool over = !o || is_over(o), was = bsk_unwatch(self, w->token);
    bool still = o && !is_over(o);
    if (still && !was) fo_blame(l->forest, "unwatch: %u lives, but its end was sent", o->id);
    if (was && over && is_seeded(l->forest))
        fo_blame(l->forest, "unwatch: nothing was sent of one that had ended");
    if (was && bsk_unwatch(self, w->token)) fo_blame(l->forest, "unwatched twice");
    atomic_store(&w->state, was ? WATCH_NONE : WATCH_SURE);
}

static void unwatch(struct life *l, bsk_self *self)
{
    struct watch *w = &l->watches[random_below(&l->random, WATCHES)];
    int state = atomic_load(&w->state);
    if (state == WATCH_NONE) return;
    if (state == WATCH_OPEN && random_one_in(&l->random, 2)) {
        unwatch_one(l, self, w);
        return;
    }
    bsk_unwatch_flush(self, w->token);
    atomic_store(&w->state, WATCH_NONE);
}

static void check_down(struct life *l, const struct watch *w, const bsk_down *d)
{
    struct life *o = atomic_load(&w->of);
    struct forest *f = l->forest;
    /* One that was linked to the dead ended so itself. */
    bool ambiguous = o && is_over(o) && reason_of(o) == BSK_NO_ACTOR;
    bool none = d->reason == BSK_NO_ACTOR;
    if (!ambiguous && (none ? !w->may_none : w->must_none))
        fo_blame(f, "%u hears that %u ended as %s", l->id, o ? o->id : 0,
                 bsk_reason_name((enum bsk_reason)d->reason));
    if (w->named != (*d->name != '\0')) fo_blame(f, "a down bears the name '%s'", d->name);
    if (!o) return;
    if (!bsk_same(d->who, o->who) || !is_over(o)) fo_blame(f, "a down of one that lives");
    if (!none && d->reason != (int64_t)reason_of(o))
        fo_blame(f, "%u hears of %u that it ended as %s: it was %s", l->id, o->id,
                 bsk_reason_name((enum bsk_reason)d->reason), bsk_reason_name(reason_of(o)));
    if (!none && !f->setup.starve && strncmp(d->text, o->why, FO_TEXT - 1) != 0)
        fo_blame(f, "%u hears of %u: %s, not %s", l->id, o->id, d->text, o->why);
}

/* All that one sent comes before its end. */
static void check_heard_out(struct life *l, struct life *o)
{
    struct pair *p = o ? pair_of(l, o) : NULL;
    if (!p) return;
    unsigned from = side_of(p, o);
    if (p->seen[from] != atomic_load(&p->accepted[from]))
        fo_blame(l->forest, "%u hears of %u's end before its message %" PRId64, l->id, o->id,
                 atomic_load(&p->accepted[from]));
}

void take_down(struct life *l, const bsk_down *d)
{
    count(&l->forest->downs);
    for (int i = 0; i < WATCHES; i++) {
        struct watch *w = &l->watches[i];
        if (atomic_load(&w->state) == WATCH_NONE || !bsk_is_of(d, w->token)) continue;
        check_down(l, w, d);
        if (d->reason != BSK_NO_ACTOR) check_heard_out(l, atomic_load(&w->of));
        atomic_store(&w->state, WATCH_NONE);
        return;
    }
    fo_blame(l->forest, "%u hears of an end once too often, or after it stopped watching", l->id);
}

static void trap(struct life *l, bsk_self *self)
{
    if (!is_seeded(l->forest) && !random_one_in(&l->random, 4)) return;
    bool on = !atomic_load(&l->traps);
    atomic_store(&l->toggled, true);
    atomic_store(&l->traps, on);
    bsk_trap_exit(self, on);
}

/* In a seeded run it is known whether it traps. */
static void count_exit(struct life *o, enum bsk_reason reason)
{
    if (!is_seeded(o->forest) || is_over(o)) return;
    if (atomic_load(&o->traps))
        atomic_fetch_add(&o->left_due, 1);
    else if (reason != BSK_NORMAL)
        atomic_store(&o->doomed, true);
}

void send_exit(struct life *l, bsk_self *self, struct life *o)
{
    static const enum bsk_reason reasons[] = {BSK_NORMAL, BSK_SHUTDOWN, BSK_FAILED, BSK_CANCELLED};
    enum bsk_reason reason = reasons[random_below(&l->random, 4)];
    struct pair *p = pair_of(l, o);
    char text[48] = "by a thread";
    if (!p) return;
    allow(o, reason);
    atomic_store(&o->struck, true);
    int64_t serial = ++p->exits[side_of(p, l)];
    if (self) snprintf(text, sizeof text, "exit %u %u %" PRId64, l->id, o->id, serial);
    int rc = bsk_send_exit(self, o->who, reason, text);
    if (rc == 0 && self) count_exit(o, reason);
    if (rc && rc != BSK_EDEAD && !excused(l->forest, rc))
        fo_blame(l->forest, "send_exit: %s", bsk_errname(rc));
}

/* An exit signal that was sent by itself: in the order sent, once. */
static bool take_sent(struct life *l, struct life *o, struct pair *p, const char *text)
{
    unsigned id, to, from = side_of(p, o);
    int64_t serial;
    if (sscanf(text, "exit %u %u %" SCNd64, &id, &to, &serial) != 3) return false;
    /* Others end for such a reason, and pass it on. */
    if (id != o->id || to != l->id) return false;
    if (serial <= p->heard[from])
        fo_blame(l->forest, "%u hears exit signal %" PRId64 " of %u after %" PRId64, l->id, serial,
                 o->id, p->heard[from]);
    p->heard[from] = serial;
    if (is_seeded(l->forest) && atomic_fetch_sub(&l->left_due, 1) <= 0)
        fo_blame(l->forest, "%u hears an exit signal that nobody sent", l->id);
    return true;
}

static bool is_its_end(struct life *l, struct life *o, const bsk_left *left)
{
    return is_over(o) && left->reason == (int64_t)reason_of(o) &&
           (l->forest->setup.starve || strncmp(left->text, o->why, FO_TEXT - 1) == 0);
}

static bool take_link_end(struct life *l, struct life *o, struct pair *p, const bsk_left *left)
{
    unsigned me = side_of(p, l);
    bool none = left->reason == BSK_NO_ACTOR;
    if (p->due[me] != OWED_NOTHING && p->due[me] != OWED_HEARD && is_its_end(l, o, left)) {
        p->due[me] = OWED_HEARD;
        return true;
    }
    if (none && p->none[me]) return p->none[me]--;
    if (p->maybe[me] && (none || is_its_end(l, o, left))) return p->maybe[me]--;
    return false;
}

void take_left(struct life *l, const bsk_left *left)
{
    count(&l->forest->exits);
    if (bsk_is_nobody(left->who)) return;
    struct life *o = life_of(l->forest, left->who);
    struct pair *p = o ? pair_of(l, o) : NULL;
    if (!p) return;
    pair_lock(p);
    if (!take_sent(l, o, p, left->text) && !take_link_end(l, o, p, left))
        fo_blame(l->forest, "%u hears of %u by a link: %s (%s), which it was not to", l->id, o->id,
                 bsk_reason_name((enum bsk_reason)left->reason), left->text);
    pair_unlock(p);
}

static void send_one(struct life *l, struct life *o, struct pair *p)
{
    unsigned me = side_of(p, l);
    int64_t seq = ++p->serial[me];
    int rc = bsk_try(o->who, fo_note, .from = l->id, .to = o->id, .seq = seq);
    if (rc == 0) {
        count(&l->forest->accepted);
        atomic_store(&p->accepted[me], seq);
    } else if (rc != BSK_EFULL && rc != BSK_EDEAD && rc != BSK_ECLOSED && !excused(l->forest, rc)) {
        fo_blame(l->forest, "try: %s", bsk_errname(rc));
    }
}

void send_note(struct life *l, struct life *o)
{
    struct pair *p = pair_of(l, o);
    for (unsigned n = random_below(&l->random, 4); p && n < 4; n++) send_one(l, o, p);
}

/* What was sent to another comes to its successor. */
static bool inherits(const struct life *l, struct life *from)
{
    return l->supervised && l->parent == from->parent && from->keeps && is_over(from);
}

void take_note(struct life *l, const fo_note *n)
{
    struct forest *f = l->forest;
    struct life *from = &f->lives[n->from], *to = &f->lives[n->to];
    struct pair *p = pair_of(from, to);
    count(&f->handled);
    if (l != to && !inherits(l, to)) fo_blame(f, "%u has a note to %u", l->id, to->id);
    if (!p) return;
    unsigned side = side_of(p, from);
    if (n->seq <= p->seen[side])
        fo_blame(f, "%u has note %" PRId64 " of %u after %" PRId64, l->id, n->seq, from->id,
                 p->seen[side]);
    p->seen[side] = n->seq;
}

/* One thing about another. */
void tie_act(struct life *l, bsk_self *self, struct life *o)
{
    struct life *p = partner(l);
    switch (random_below(&l->random, 10)) {
    case 0:
    case 1:
        /* Who is tied to a supervisor may end it. */
        if (!o->is_sup || random_one_in(&l->random, 8)) link_with(l, self, o);
        break;
    case 2: unlink_from(l, self, p ? p : o); break;
    case 3:
    case 4:
    case 5: watch(l, self, o); break;
    case 6: unwatch(l, self); break;
    case 7: trap(l, self); break;
    case 8:
        if (random_one_in(&l->random, o->is_sup ? 12 : 3)) send_exit(l, self, o);
        break;
    default: send_note(l, o); break;
    }
}
