/* SPDX-License-Identifier: MIT */
/* The forest's supervisors: specs drawn at random, nested, and the words that change what runs. */
#include "forest_books.h"

#include <stdio.h>
#include <stdlib.h>

#define PLAN 48
#define IDS 32

/* A tree to be: specs of one supervisor stand next to each other. */
struct plan {
    bsk_child_spec specs[PLAN];
    struct seedling seeds[PLAN];
    char names[PLAN][24];
    bsk_sup_opts sups[PLAN];
    char sup_names[PLAN][24];
    unsigned nspecs, nsups;
};

static const char *id_text(unsigned n)
{
    static const char *const ids[IDS] = {"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7",
                                         "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"};
    return ids[n % 16];
}

static int draw(uint64_t *random, int least, int most)
{
    return least + (int)random_below(random, (unsigned)(most - least + 1));
}

static void draw_backoff(uint64_t *random, bsk_sup_opts *o)
{
    o->backoff_min_ms = draw(random, 1, 10);
    o->backoff_max_ms = draw(random, 10, 40);
    o->backoff_factor = draw(random, 100, 300);
    o->backoff_jitter = draw(random, 0, 100);
    o->backoff_reset_ms = draw(random, 0, 100);
}

static bsk_sup_opts *draw_sup(struct forest *f, struct plan *p, uint64_t *random, bool named)
{
    bsk_sup_opts *o = &p->sups[p->nsups];
    char *name = p->sup_names[p->nsups++];
    *o = (bsk_sup_opts){.strategy = (enum bsk_strategy)random_below(random, 4)};
    o->intensity = random_one_in(random, 8) ? BSK_NONE : draw(random, 0, 9);
    o->period_ms = random_one_in(random, 3) ? 0 : draw(random, 5, 500);
    if (random_one_in(random, 3)) o->auto_shutdown = (enum bsk_auto_shutdown)draw(random, 1, 2);
    /* Who waits for a restart is what makes the end of a significant one hard. */
    if (random_one_in(random, o->auto_shutdown ? 2 : 4)) draw_backoff(random, o);
    if (!named || !random_one_in(random, 3)) return o;
    snprintf(name, sizeof p->sup_names[0], "S%u", atomic_fetch_add(&f->nnames, 1));
    o->name = name;
    return o;
}

static void draw_common(uint64_t *random, bsk_child_spec *c, const bsk_sup_opts *parent)
{
    c->opts.restart = (enum bsk_restart)random_below(random, 3);
    c->opts.significant = parent->auto_shutdown != BSK_NEVER && c->opts.restart != BSK_PERMANENT &&
                          random_one_in(random, 2);
}

static void draw_worker(struct forest *f, struct plan *p, uint64_t *random, bsk_child_spec *c,
                        const bsk_sup_opts *parent)
{
    size_t i = (size_t)(c - p->specs);
    struct place *place = &f->places[atomic_fetch_add(&f->nplaces, 1) % PLACES];
    p->seeds[i] = (struct seedling){.forest = f, .place = place};
    c->behavior = choose(random, &c->opts, NULL, 0);
    c->opts.state = &p->seeds[i];
    c->opts.state_size = sizeof p->seeds[i];
    c->opts.keeps_mailbox = random_one_in(random, 3);
    c->opts.reports_ready = random_one_in(random, 5);
    draw_common(random, c, parent);
    if (parent->strategy == BSK_DYNAMIC || !random_one_in(random, 4)) return;
    snprintf(p->names[i], sizeof p->names[i], "P%u", atomic_fetch_add(&f->nnames, 1));
    c->opts.name = p->names[i];
}

static bsk_child_spec *draw_children(struct forest *f, struct plan *p, uint64_t *random,
                                     const bsk_sup_opts *parent, unsigned depth, size_t *n);

static void draw_child(struct forest *f, struct plan *p, uint64_t *random, bsk_child_spec *c,
                       const bsk_sup_opts *parent, unsigned depth)
{
    bool named = parent->strategy != BSK_DYNAMIC;
    if (depth < 2 && p->nspecs < PLAN - 8 && random_one_in(random, 3)) {
        c->sup = draw_sup(f, p, random, named);
        c->children = draw_children(f, p, random, c->sup, depth + 1, &c->nchildren);
        draw_common(random, c, parent);
        if (random_one_in(random, 4)) c->opts.shutdown_ms = draw(random, 1, 30);
    } else {
        draw_worker(f, p, random, c, parent);
    }
}

static bsk_child_spec *draw_children(struct forest *f, struct plan *p, uint64_t *random,
                                     const bsk_sup_opts *parent, unsigned depth, size_t *n)
{
    unsigned count = parent->strategy == BSK_DYNAMIC ? 1 : 1 + random_below(random, 5);
    bsk_child_spec *c = &p->specs[p->nspecs];
    p->nspecs += count;
    for (unsigned i = 0; i < count; i++) {
        c[i] = (bsk_child_spec){.opts = {.id = id_text(i)}};
        draw_child(f, p, random, &c[i], parent, depth);
    }
    *n = count;
    return c;
}

/* A killed fiber cannot free what it has: so a life keeps its plan. */
static struct plan *plan_of(struct life *l)
{
    if (!l->plan) l->plan = malloc(sizeof *l->plan);
    if (!l->plan) abort();
    l->plan->nspecs = l->plan->nsups = 0;
    return l->plan;
}

void grow_tree(struct life *l, bsk_self *self, bsk_rt *rt)
{
    struct forest *f = l->forest;
    struct plan *p = plan_of(l);
    size_t n;
    bsk_sup_opts *o = draw_sup(f, p, &l->random, true);
    const bsk_child_spec *c = draw_children(f, p, &l->random, o, 0, &n);
    if (!bsk_is_nobody(bsk_supervise_(rt, o, c, n))) return;
    int rc = bsk_error(self);
    if (rc == BSK_EINVAL) fo_blame(f, "supervise: %s", bsk_error_text(self));
}

/* What a supervisor may say. */
static void check_word(struct life *l, unsigned word, int rc)
{
    static const int known[] = {
        0,          BSK_EDEAD,     BSK_ECLOSED,  BSK_ETIMEDOUT,   BSK_ECANCELED,
        BSK_EEXIST, BSK_ENOTFOUND, BSK_ERUNNING, BSK_ERESTARTING, BSK_EDYNAMIC,
        BSK_ECHILD, BSK_ESTOPPING};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (rc == known[i]) return;
    /* An answer that there was no memory for: the request looks like one that nobody knows. */
    if (l->forest->setup.starve && rc == BSK_EINVAL) return;
    if (!excused(l->forest, rc))
        fo_blame(l->forest, "word %u to a supervisor: %s (%s)", word, bsk_errname(rc),
                 bsk_error_text(NULL));
}

static void touch(struct life *sup, const char *id)
{
    atomic_fetch_or(&sup->touched, id_bit(id));
}

static int add(struct life *l, bsk_self *self, struct life *sup, int64_t ms)
{
    static const bsk_sup_opts any = {.auto_shutdown = BSK_NEVER};
    struct forest *f = l->forest;
    struct plan *p = plan_of(l);
    bsk_started out = {{0, 0, 0}, 0};
    bsk_child_spec *c = &p->specs[0];
    bool dynamic = sup->strategy == BSK_DYNAMIC;
    *c = (bsk_child_spec){.opts = {.id = id_text(8 + random_below(&l->random, 8))}};
    draw_worker(f, p, &l->random, c, &any);
    if (!dynamic) touch(sup, c->opts.id);
    atomic_fetch_add(&sup->specs, 1);
    bool bare = dynamic && random_one_in(&l->random, 2);
    int rc = bsk_sup_add(self, sup->who, ms, bare ? NULL : c, &out);
    struct life *added = rc || bsk_is_nobody(out.who) ? NULL : life_of(f, out.who);
    if (added && added->parent != sup) fo_blame(f, "%u was not added to %u", added->id, sup->id);
    if (added && out.info && added->begun && out.info != added->id)
        fo_blame(f, "%u was started with the info of another", added->id);
    return rc;
}

static int change(struct life *l, bsk_self *self, struct life *sup, int64_t ms)
{
    static const bsk_sup_opts any = {.auto_shutdown = BSK_NEVER};
    struct plan *p = plan_of(l);
    bsk_child_spec *c = &p->specs[0];
    *c = (bsk_child_spec){.opts = {.id = id_text(random_below(&l->random, 10))}};
    draw_worker(l->forest, p, &l->random, c, &any);
    c->opts.name = NULL;
    touch(sup, c->opts.id);
    atomic_fetch_add(&sup->specs, 1);
    return bsk_sup_change(self, sup->who, ms, NULL, c, 1);
}

/* A child of the supervisor's, or anybody. */
static struct life *pick_child(struct life *l, const struct life *sup)
{
    struct life *o = NULL;
    for (int i = 0; i < 12; i++) {
        o = pick_life(l);
        if (o && o->parent == sup) return o;
    }
    return o;
}

static int stop_actor(struct life *l, bsk_self *self, struct life *sup, int64_t ms)
{
    struct life *o = pick_child(l, sup);
    if (!o) return 0;
    atomic_fetch_or(&sup->touched,
                    *o->text == 'c' || *o->text == 'a' ? id_bit(o->text) : UINT32_MAX);
    return bsk_sup_stop_actor(self, sup->who, ms, o->who);
}

static int ask_counts(struct life *l, bsk_self *self, struct life *sup, int64_t ms)
{
    bsk_sup_counts n;
    int rc = bsk_sup_count(self, sup->who, ms, &n);
    if (rc == 0 && n.active > n.workers + n.supervisors)
        fo_blame(l->forest, "supervisor %u: %u of %u active", sup->id, n.active,
                 n.workers + n.supervisors);
    return rc;
}

static int ask_list(struct life *l, bsk_self *self, struct life *sup, int64_t ms)
{
    bsk_child_info info[4];
    size_t n = 0;
    int rc = bsk_sup_list(self, sup->who, ms, info, 4, &n);
    for (size_t i = 0; rc == 0 && i < n && i < 4; i++)
        if ((info[i].state == BSK_CHILD_RUNNING) == bsk_is_nobody(info[i].who))
            fo_blame(l->forest, "supervisor %u lists a child that runs as nobody", sup->id);
    return rc;
}

void sup_word(struct life *l, bsk_self *self, struct life *sup)
{
    const char *id = id_text(random_below(&l->random, 16));
    int64_t ms = random_below(&l->random, 40);
    unsigned word = random_below(&l->random, 10);
    bsk_child_info info;
    int rc = 0;
    if (is_late(l->forest) && word < 3) return;
    if (word >= 2 && word <= 5) touch(sup, id);
    switch (word) {
    case 0:
    case 1: rc = add(l, self, sup, ms); break;
    case 2:
    case 3: rc = bsk_sup_restart(self, sup->who, ms, id, NULL); break;
    case 4: rc = bsk_sup_stop(self, sup->who, ms, id); break;
    case 5: rc = bsk_sup_delete(self, sup->who, ms, id); break;
    case 6: rc = stop_actor(l, self, sup, ms); break;
    case 7: rc = ask_counts(l, self, sup, ms); break;
    case 8: rc = ask_list(l, self, sup, ms); break;
    default:
        if (random_one_in(&l->random, 3))
            rc = change(l, self, sup, ms);
        else
            rc = bsk_sup_child(self, sup->who, ms, id, &info);
        break;
    }
    check_word(l, word, rc);
}
