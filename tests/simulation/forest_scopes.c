/* SPDX-License-Identifier: MIT */
/* Scopes of the forest's actors: opened, filled, cancelled, detached, joined. What a join says is
 * compared with how the children ended. */
#include "forest_books.h"

#define DEPTH 2 /* sections inside sections */

/* How those ended that were a scope's. */
struct tally {
    bool unsure, failed, failed_unheard, won, lives;
};

static bool failed(struct life *c)
{
    enum bsk_reason r = reason_of(c);
    return r == BSK_FAILED || r == BSK_FAULT || r == BSK_GAVE_UP || r == BSK_KILLED;
}

static struct tally tally(struct life *l, const bsk_scope *s)
{
    struct tally t = {false, false, false, false, false};
    for (struct life *c = l->children; c; c = c->sibling) {
        if (c->scope != s) continue;
        c->scope = NULL;
        if (atomic_load(&c->loose)) {
            t.unsure = true;
        } else if (!is_over(c)) {
            t.lives = true;
        } else {
            t.failed |= failed(c);
            t.failed_unheard |= failed(c) && !c->handed;
            t.won |= reason_of(c) == BSK_NORMAL;
        }
    }
    return t;
}

static bool is_right(enum bsk_scope_kind kind, const struct tally *t, int rc)
{
    if (t->unsure) return true;
    switch (kind) {
    case BSK_RACE: return rc == 0 ? t->won : !(rc == BSK_ECHILD && t->won);
    case BSK_COLLECT: return rc == 0 ? !t->failed_unheard : rc != BSK_ECHILD || t->failed_unheard;
    default: return rc == 0 ? !t->failed : rc != BSK_ECHILD || t->failed;
    }
}

/* `cancelled`: perhaps somebody has. */
static void check_join(struct life *l, bsk_scope *s, enum bsk_scope_kind kind, bool cancelled,
                       int rc)
{
    struct forest *f = l->forest;
    struct tally t = tally(l, s);
    if (t.lives) fo_blame(f, "%u joined a scope where somebody lives", l->id);
    if (rc && rc != BSK_ECHILD && rc != BSK_ETIMEDOUT && rc != BSK_ECANCELED)
        fo_blame(f, "join: %s", bsk_errname(rc));
    if (rc == BSK_ECANCELED && !cancelled)
        fo_blame(f, "%u joins a scope of kind %d that nobody cancelled: cancelled", l->id,
                 (int)kind);
    if (!is_right(kind, &t, rc))
        fo_blame(f, "%u joins a scope of kind %d: %s; failed: %d, won: %d", l->id, (int)kind,
                 rc ? bsk_errname(rc) : "0", t.failed, t.won);
}

static void go(struct life *l, bsk_self *self, bsk_scope *s, bool brief)
{
    char name[16];
    struct seedling seed = {.forest = l->forest, .brief = brief};
    bsk_opts o = {.state = &seed, .state_size = sizeof seed};
    bsk_behavior b = choose(&l->random, &o, name, sizeof name);
    if (!bsk_is_nobody(bsk_go_(s, b, &o))) return;
    int rc = bsk_error(self);
    if (rc != BSK_EEXIST && rc != BSK_ESTOPPING && rc != BSK_ECANCELED && !excused(l->forest, rc))
        fo_blame(l->forest, "go: %s", bsk_errname(rc));
}

static void detach(struct life *l, bsk_scope *s)
{
    for (struct life *c = l->children; c; c = c->sibling)
        if (c->scope == s && !is_over(c)) atomic_store(&c->loose, true);
    bsk_scope_detach(s);
}

static void check_finished(struct life *l, bsk_scope *s, const bsk_finished *e)
{
    struct forest *f = l->forest;
    struct life *c = life_of(f, e->who);
    if (!c || c->parent != l || c->scope != s || !is_over(c)) {
        fo_blame(f, "%u is handed an end that is not of its child", l->id);
        return;
    }
    if (c->handed) fo_blame(f, "%u is handed %u's end twice", l->id, c->id);
    if (e->reason != reason_of(c) ||
        (!f->setup.starve && strncmp(e->text, c->why, FO_TEXT - 1) != 0))
        fo_blame(f, "%u hears that %u ended as %s (%s), not %s (%s)", l->id, c->id,
                 bsk_reason_name(e->reason), e->text, bsk_reason_name(reason_of(c)), c->why);
    if (e->result && bsk_msg_type(e->result) != BSK_T(fo_gift)) fo_blame(f, "a strange result");
}

static void take_end(struct life *l, bsk_scope *s, enum bsk_scope_kind kind, int64_t ms)
{
    const bsk_finished *e = NULL;
    if (kind == BSK_COLLECT) e = bsk_scope_next(s, ms);
    if (kind == BSK_RACE) e = bsk_scope_winner(s, ms);
    if (!e) return;
    check_finished(l, s, e);
    struct life *c = life_of(l->forest, e->who);
    if (kind == BSK_COLLECT && c) c->handed = true;
    if (kind == BSK_RACE && e->reason != BSK_NORMAL) fo_blame(l->forest, "a winner that failed");
}

/* One thing inside. Tells whether the scope was cancelled. */
static bool step(struct life *l, bsk_self *self, bsk_scope *s, enum bsk_scope_kind kind)
{
    switch (random_below(&l->random, 7)) {
    case 0: (void)!bsk_sleep(self, random_below(&l->random, 8)); break;
    case 1: take_end(l, s, kind, random_below(&l->random, 6)); break;
    case 2: go(l, self, s, true); break;
    case 3:
        if (random_one_in(&l->random, 3)) detach(l, s);
        break;
    case 4:
        if (random_one_in(&l->random, 2)) break;
        bsk_scope_cancel(s);
        return true;
    default: fo_act(l, self, bsk_rt_of(self)); break;
    }
    return false;
}

static bsk_scope *open_scope(struct life *l, bsk_self *self, int64_t ms, enum bsk_scope_kind kind)
{
    bsk_scope *s = bsk_scope_open_kind(self, ms, kind);
    if (!s && !excused(l->forest, bsk_error(self)))
        fo_blame(l->forest, "open: %s", bsk_errname(bsk_error(self)));
    return s;
}

static void run_section(struct life *l, bsk_self *self)
{
    enum bsk_scope_kind kind = (enum bsk_scope_kind)random_below(&l->random, 3);
    int64_t ms = random_one_in(&l->random, 2) ? random_below(&l->random, 40) : BSK_FOREVER;
    bool brief = !random_one_in(&l->random, 3);
    bsk_scope *s = open_scope(l, self, ms, kind);
    if (!s) return;
    for (unsigned n = 1 + random_below(&l->random, 3); n; n--) go(l, self, s, brief);
    /* What lies outside may be cancelled as well. */
    bool cancelled = l->depth > 1;
    for (unsigned n = random_below(&l->random, 6); n; n--) cancelled |= step(l, self, s, kind);
    if (random_one_in(&l->random, 12)) end_now(l, self, 1 + random_below(&l->random, 5));
    if (!brief && ms == BSK_FOREVER) {
        bsk_scope_cancel(s);
        cancelled = true;
    }
    if (random_one_in(&l->random, bsk_cancelled(self) ? 2 : 8)) detach(l, s);
    int rc = bsk_scope_join(s);
    check_join(l, s, kind, cancelled || bsk_cancelled(self), rc);
}

void scope_section(struct life *l, bsk_self *self)
{
    bool shielded = random_one_in(&l->random, 6);
    if (l->depth == DEPTH) return;
    l->depth++;
    if (shielded) bsk_shield(self);
    run_section(l, self);
    if (shielded) bsk_unshield(self);
    l->depth--;
}

/* A handler's scopes are all of one kind each, by their place. */
static const enum bsk_scope_kind kinds[SCOPES] = {BSK_COLLECT, BSK_ALL};

static bool all_ended(struct life *l, const bsk_scope *s)
{
    for (struct life *c = l->children; c; c = c->sibling)
        if (c->scope == s && !is_over(c) && !atomic_load(&c->loose)) return false;
    return true;
}

/* With children that live it cannot join. */
static void join_if_over(struct life *l, int i)
{
    bsk_scope *s = l->scopes[i];
    bool over = all_ended(l, s);
    int rc = bsk_scope_join(s);
    if (rc != BSK_EINVAL) {
        l->scopes[i] = NULL;
        check_join(l, s, kinds[i], true, rc);
    } else if (over && is_seeded(l->forest)) {
        fo_blame(l->forest, "%u cannot join a scope where all have ended", l->id);
    }
}

void handler_scope(struct life *l, bsk_self *self)
{
    int i = (int)random_below(&l->random, SCOPES);
    int64_t ms = random_one_in(&l->random, 3) ? 1 + random_below(&l->random, 40) : BSK_FOREVER;
    if (!l->scopes[i]) {
        l->scopes[i] = open_scope(l, self, ms, kinds[i]);
        if (l->scopes[i]) go(l, self, l->scopes[i], random_one_in(&l->random, 2));
        return;
    }
    switch (random_below(&l->random, 8)) {
    case 0: bsk_scope_cancel(l->scopes[i]); break;
    case 1: detach(l, l->scopes[i]); break;
    case 2: take_end(l, l->scopes[i], kinds[i], 0); break;
    case 3:
    case 4: join_if_over(l, i); break;
    default: go(l, self, l->scopes[i], random_one_in(&l->random, 2)); break;
    }
}
