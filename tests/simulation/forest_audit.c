/* SPDX-License-Identifier: MIT */
/* The audits: at rest, when all who live wait to be stopped, and at the end. */
#include "forest_books.h"

#include "supervisor/upper.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define LIST 64
#define DEEP 64

/* Finds the first thing that is wrong, or all: whether somebody is to be blamed. */
struct audit {
    struct forest *f;
    bool blaming, ok;
};

static void wrong(struct audit *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void wrong(struct audit *a, const char *format, ...)
{
    char text[200];
    va_list args;
    a->ok = false;
    if (!a->blaming) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fo_blame(a->f, "%s", text);
}

static void same(struct audit *a, const char *what, uint64_t books, uint64_t figure)
{
    if (books != figure)
        wrong(a, "%s: %" PRIu64 " in the books, not %" PRIu64, what, books, figure);
}

static bool lives(struct life *l)
{
    return is_known(l) && !is_over(l);
}

static uint64_t in_use(const struct slab *s)
{
    uint64_t n = 0;
    uint32_t used = atomic_load_explicit(&s->used, memory_order_acquire);
    for (uint32_t i = 0; i < used; i++) {
        const struct slab_item *item = slab_at(s, i);
        n += atomic_load_explicit(&item->gen, memory_order_relaxed) & 1;
    }
    return n;
}

/* Each has done what it had to do, and heard what it had to hear. */
static void audit_life(struct audit *a, struct life *l)
{
    if (atomic_load(&l->doomed)) wrong(a, "%u lives, though its link's other end failed", l->id);
    if (l->is_sup || !atomic_load(&l->begun)) return;
    if (!atomic_load(&l->lingers)) wrong(a, "%u has not come to rest", l->id);
    if (atomic_load(&l->asks)) wrong(a, "%u waits for %u answers", l->id, atomic_load(&l->asks));
    if (is_seeded(a->f) && atomic_load(&l->left_due))
        wrong(a, "%u has not heard of an exit signal", l->id);
    for (int i = 0; i < WATCHES; i++) {
        struct life *o = atomic_load(&l->watches[i].of);
        int state = atomic_load(&l->watches[i].state);
        if (state != WATCH_NONE && (!o || is_over(o) || state == WATCH_SURE))
            wrong(a, "%u has not heard of the end of %u", l->id, o ? o->id : 0);
    }
}

static void audit_side(struct audit *a, struct pair *p, unsigned side)
{
    struct life *l = p->ends[side];
    enum bsk_reason reason = reason_of(p->ends[1 - side]);
    if (!lives(l)) return;
    bool unsure = !is_seeded(a->f) && atomic_load(&l->toggled) && reason == BSK_NORMAL;
    if (p->due[side] == OWED_SIGNAL && !unsure && (p->trapped[side] || reason != BSK_NORMAL))
        wrong(a, "%u has not heard by its link of the end of %u", l->id, p->ends[1 - side]->id);
    if (p->none[side]) wrong(a, "%u, linked to one that had ended, has not heard", l->id);
}

struct ties {
    uint32_t links, watchers;
};

static void audit_pairs(struct audit *a, struct life *l, struct ties *t)
{
    for (struct pair *p = atomic_load(&l->pairs); p; p = p->next[side_of(p, l)]) {
        pair_lock(p);
        audit_side(a, p, side_of(p, l));
        t->links += p->linked && !is_over(p->ends[1 - side_of(p, l)]);
        pair_unlock(p);
    }
}

static uint32_t watchers_of(struct forest *f, const struct life *l)
{
    uint32_t n = 0;
    for (unsigned i = 0; i < life_count(f); i++) {
        struct life *o = &f->lives[i];
        if (!lives(o) || o->is_sup) continue;
        for (int j = 0; j < WATCHES; j++)
            n += atomic_load(&o->watches[j].state) != WATCH_NONE &&
                 atomic_load(&o->watches[j].of) == l;
    }
    return n;
}

static void audit_ties(struct audit *a, struct life *l, struct ties *t)
{
    bsk_ties_out out = {0, 0};
    int rc = bsk_ties(l->who, &out);
    t->watchers = watchers_of(a->f, l);
    same(a, "code of bsk_ties", 0, (uint64_t)-rc);
    same(a, "links", t->links, out.links);
    same(a, "watchers", t->watchers, out.watchers);
}

/* The tree as it is told, against who was born where. */
struct walk {
    struct audit *audit;
    struct life *path[DEEP];
    uint64_t n;
};

static void look_at_line(void *arg, int depth, bsk_addr who, const char *text)
{
    struct walk *w = arg;
    struct life *l = life_of(w->audit->f, who);
    if (!l || depth >= DEEP || !*text) {
        wrong(w->audit, "a line of the tree is about <%u.%u>", who.slot, who.gen);
        return;
    }
    bool child = l->is_child && !atomic_load(&l->loose);
    struct life *parent = depth ? w->path[depth - 1] : NULL;
    if (!lives(l)) wrong(w->audit, "%u is in the tree after its end", l->id);
    if (parent != (child ? l->parent : NULL))
        wrong(w->audit, "%u has another parent in the tree, %u", l->id, parent ? parent->id : 0);
    w->path[depth] = l;
    w->n++;
}

static void audit_figures(struct audit *a, uint64_t alive)
{
    struct forest *f = a->f;
    struct walk w = {.audit = a};
    bsk_stats_out s;
    bsk_stats(f->rt, &s);
    same(a, "actors alive", alive, s.actors);
    same(a, "actors spawned", counted(&f->spawned), s.spawned);
    same(a, "actors ended", counted(&f->ended), s.ended);
    same(a, "actors failed", counted(&f->failed), s.failed);
    same(a, "code of bsk_tree", 0, (uint64_t)-bsk_tree(f->rt, look_at_line, &w));
    same(a, "actors in the tree", alive, w.n);
}

static uint64_t open_watches(struct life *l)
{
    uint64_t n = 0;
    for (int i = 0; i < WATCHES; i++) n += atomic_load(&l->watches[i].state) != WATCH_NONE;
    return n;
}

static uint64_t children_of(struct forest *f, const struct life *sup)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < life_count(f); i++)
        n += lives(&f->lives[i]) && f->lives[i].parent == sup;
    return n;
}

/* Who is to run always, or until it is done, runs, unless somebody had a hand in it. */
static void audit_child(struct audit *a, struct life *sup, const bsk_child_info *c)
{
    struct life *l = bsk_is_nobody(c->who) ? NULL : life_of(a->f, c->who);
    bool group = sup->strategy == BSK_ONE_FOR_ALL || sup->strategy == BSK_REST_FOR_ONE;
    uint32_t hands = atomic_load(&sup->touched);
    /* Who is stopped while it waits for its restart takes that of the others along. */
    bool touched = group ? hands : hands & id_bit(c->id);
    bool done = c->last_reason == BSK_NORMAL || c->last_reason == BSK_SHUTDOWN;
    if (l ? !lives(l) || l->parent != sup : c->state == BSK_CHILD_RUNNING)
        wrong(a, "supervisor %u lists child %s as running", sup->id, c->id);
    if (l || touched || sup->strategy == BSK_DYNAMIC) return;
    if (c->significant && done && sup->auto_shutdown == BSK_ANY_SIGNIFICANT)
        wrong(a, "supervisor %u goes on without its significant child %s", sup->id, c->id);
    if (c->restart == BSK_PERMANENT || c->restart == BSK_TEMPORARY || !done)
        wrong(a, "supervisor %u: child %s, which ended as %s (%s), does not run: state %d", sup->id,
              c->id, bsk_reason_name(c->last_reason), c->last_text, (int)c->state);
}

static void audit_counts(struct audit *a, struct life *sup, size_t n, uint64_t running)
{
    bsk_sup_counts c = {0, 0, 0, 0, 0};
    int rc = bsk_sup_count(NULL, sup->who, 60000, &c);
    uint64_t specs = sup->strategy == BSK_DYNAMIC ? 1 : n, alive = children_of(a->f, sup);
    if (rc) wrong(a, "supervisor %u: count: %s", sup->id, bsk_errname(rc));
    if (rc == 0 && (c.specs != specs || c.active != running || c.workers + c.supervisors != n))
        wrong(a, "supervisor %u counts %u specs, %u active, %u and %u; lists %zu", sup->id, c.specs,
              c.active, c.workers, c.supervisors, n);
    if (alive != running)
        wrong(a, "supervisor %u has %" PRIu64 " children, and counts %" PRIu64, sup->id, alive,
              running);
}

static void audit_supervisor(struct audit *a, struct life *sup)
{
    bsk_child_info info[LIST];
    size_t n = 0;
    uint64_t running = 0;
    int rc = bsk_sup_list(NULL, sup->who, 60000, info, LIST, &n);
    if (rc || n > LIST) {
        wrong(a, "supervisor %u: list of %zu: %s", sup->id, n, rc ? bsk_errname(rc) : "");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        audit_child(a, sup, &info[i]);
        running += info[i].state == BSK_CHILD_RUNNING;
    }
    audit_counts(a, sup, n, running);
}

static void audit_links(struct audit *a, uint64_t links)
{
    uint64_t chained = 0;
    for (unsigned i = 0; i < LINK_STRIPES; i++) {
        struct link_bucket *b = &a->f->rt->upper->links[i];
        lock_take(&b->lock);
        chained += b->n;
        lock_give(&b->lock);
    }
    same(a, "links in use", links, 2 * chained);
}

/* Tells whether it is worth while to look at more. */
static bool goes_on(const struct audit *a)
{
    return a->ok || a->blaming;
}

static void audit_lives(struct audit *a)
{
    struct forest *f = a->f;
    uint64_t alive = 0, watches = 0, links = 0;
    for (unsigned i = 0; i < life_count(f) && goes_on(a); i++) {
        struct life *l = &f->lives[i];
        struct ties t = {0, 0};
        if (!lives(l)) continue;
        alive++;
        audit_life(a, l);
        audit_pairs(a, l, &t);
        audit_ties(a, l, &t);
        links += t.links;
        if (!l->is_sup) watches += open_watches(l);
    }
    if (a->ok) audit_figures(a, alive);
    same(a, "monitors in use", watches, in_use(&f->rt->upper->monitors));
    audit_links(a, links);
}

bool at_rest(struct forest *f, bool blaming)
{
    struct audit a = {f, blaming, true};
    audit_lives(&a);
    for (unsigned i = 0; i < life_count(f) && a.ok; i++)
        if (lives(&f->lives[i]) && f->lives[i].is_sup) audit_supervisor(&a, &f->lives[i]);
    return a.ok;
}

void audit_end(struct forest *f, int status)
{
    struct audit a = {f, true, true};
    for (unsigned i = 0; i < life_count(f); i++)
        if (lives(&f->lives[i])) wrong(&a, "%u outlives the runtime", i);
    same(&a, "spawned and ended", counted(&f->spawned), counted(&f->ended));
    same(&a, "notes", counted(&f->accepted), counted(&f->handled) + counted(&f->dead));
    same(&a, "results given and dropped", counted(&f->gifts), counted(&f->dropped));
    if (status == 2) wrong(&a, "some did not end in time");
    if (status != 2 && !atomic_load(&f->root_unsure))
        same(&a, "exit status", atomic_load(&f->root_failed), (uint64_t)status);
}
