/* SPDX-License-Identifier: MIT */
/* wheel.c - a hierarchical timing wheel with sorted ends.
 *
 * Time is cut into ticks of 2^17 ns, and a tick's number into digits of six bits, one for each
 * level. A node stands at the level of the highest digit in which its tick differs from the
 * wheel's, in the slot that its own digit there names:
 *
 *             digit 2  digit 1  digit 0
 *     wheel       5       49       40
 *     a           5       49       43     differs in digit 0: slot 43 of level 0
 *     b           5       58       12     differs in digit 1: slot 58 of level 1
 *     c           9        0       40     differs in digit 2: slot  9 of level 2
 *
 *     level 0 ........................................^..a....................  ^ the wheel
 *     level 1 .................................................^........b.....
 *     level 2 .....^...c......................................................
 *
 *     runs     [0] 7      [1]      [2] 3 - 8 - 8 - 9       the ticks up to the wheel's, sorted
 *
 * The slots up to the wheel's digit are empty on each level. So nothing wraps round, a turn of a
 * higher level lies wholly after all that the lower ones hold, and the earliest node is always
 * in the first used slot of the lowest used level: two bit scans away, however long the time was
 * idle. Eight levels hold every 64-bit time. When the wheel enters a slot it files its nodes
 * anew, each at a lower level or, if of that very tick, in the runs. A node's place changes at
 * no other time, so its slot can be found again from `due` alone: removal is O(1), and a slot
 * needs no more than a pointer to its first node.
 *
 * The nodes of the current tick have to come out in the order of (due, seq), while more are
 * added to that tick. They stand in sorted lists, as the digits of a binary counter: a new node
 * goes to list 0, and two lists that meet in one place merge into the next. Adding costs O(log
 * n) on average, whatever the order; the first of all is the least of a few heads; and a slot
 * that is entered is sorted by the same merges, from the runs, up or down, that are in it
 * already.
 *
 * A slot remembers the earliest due ever added to it. While that node stays, the wheel knows to
 * the nanosecond how long it may sleep. When it is removed the slot is marked stale; what it
 * remembers is then too early, which costs at most a look at the wheel, never a late timer. */
#include "wheel.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

/* A stale slot with no more nodes than this is searched even where a bound would do: a few loads
 * cost less than to be woken for nothing. */
#define FEW 16

/* Where a node stands, and the first tick of that slot. */
struct place {
    unsigned level, slot;
    uint64_t start;
};

static uint64_t tick_of(uint64_t ns)
{
    return ns >> WHL_TICK_BITS;
}

static unsigned lowest_bit(uint64_t set)
{
    return (unsigned)__builtin_ctzll(set);
}

static unsigned highest_bit(uint64_t set)
{
    return 63 - (unsigned)__builtin_clzll(set);
}

/* No branch to mispredict: while sorting, either answer is as likely. */
static bool before(const struct whl_node *a, const struct whl_node *b)
{
    return (a->due < b->due) | ((a->due == b->due) & (a->seq < b->seq));
}

/* Merges two sorted lists, neither of them empty, into one. */
static struct whl_node *merge(struct whl_node *a, struct whl_node *b)
{
    struct whl_node *first = NULL, *last = NULL, **link = &first;

    while (a && b) {
        bool second = before(b, a);
        struct whl_node *n = second ? b : a;
        a = second ? a : a->next;
        b = second ? b->next : b;
        *link = n;
        n->prev = last;
        last = n;
        link = &n->next;
    }
    *link = a ? a : b;
    (*link)->prev = last;
    return first;
}

/* Puts a sorted list among the runs at place i, or further up if that is taken. */
static void put_run(struct whl *w, struct whl_node *list, unsigned i)
{
    for (; w->runs >> i & 1; i++) {
        list = merge(w->run[i], list);
        w->runs &= ~(1ull << i);
        assert(i + 1 < WHL_RUNS);
    }
    w->run[i] = list;
    w->runs |= 1ull << i;
}

static void drop_first_of_run(struct whl *w, unsigned i)
{
    struct whl_node *next = w->run[i]->next;

    w->run[i] = next;
    if (next)
        next->prev = NULL;
    else
        w->runs &= ~(1ull << i);
}

/* Returns the run that begins with the earliest node; there must be one. */
static unsigned earliest_run(const struct whl *w)
{
    unsigned best = lowest_bit(w->runs);

    for (uint64_t rest = w->runs & (w->runs - 1); rest; rest &= rest - 1) {
        unsigned i = lowest_bit(rest);
        if (before(w->run[i], w->run[best])) best = i;
    }
    return best;
}

static void remove_from_runs(struct whl *w, struct whl_node *n)
{
    uint64_t rest = w->runs;

    if (n->prev) {
        n->prev->next = n->next;
        if (n->next) n->next->prev = n->prev;
        return;
    }
    while (rest && w->run[lowest_bit(rest)] != n) rest &= rest - 1;
    assert(rest);
    drop_first_of_run(w, lowest_bit(rest));
}

/* Cuts from the list, which is linked by `next` alone, the first nodes that stand in order or in
 * reverse, and returns them sorted and linked both ways. */
static struct whl_node *cut_run(struct whl_node **list)
{
    struct whl_node *first = *list, *last = first, *n = first->next, *next;

    if (n && before(n, first)) {
        for (; n && before(n, first); n = next) {
            next = n->next;
            n->next = first;
            first->prev = n;
            first = n;
        }
    } else {
        for (; n && before(last, n); n = n->next) {
            n->prev = last;
            last = n;
        }
    }
    first->prev = NULL;
    last->next = NULL;
    *list = n;
    return first;
}

/* Returns the place of what is due in a tick later than the wheel's. */
static struct place place_of(const struct whl *w, uint64_t tick)
{
    unsigned level = highest_bit(tick ^ w->tick) / WHL_LEVEL_BITS;
    uint64_t digits = tick >> (level * WHL_LEVEL_BITS);

    assert(tick > w->tick);
    return (struct place){level, digits % WHL_SLOTS, digits << (level * WHL_LEVEL_BITS)};
}

/* Returns the used slot that comes first; there must be one. */
static struct place first_place(const struct whl *w)
{
    unsigned level = lowest_bit(w->levels), slot = lowest_bit(w->used[level]);
    uint64_t higher = w->tick >> (level * WHL_LEVEL_BITS) & ~(uint64_t)(WHL_SLOTS - 1);

    return (struct place){level, slot, (higher | slot) << (level * WHL_LEVEL_BITS)};
}

/* Files the node in its slot, whose list goes from the newest to the oldest: `newest` says at
 * which end. The list is open forwards and closed backwards: the first node's `prev` is the last
 * node. */
static void file_in_slot(struct whl *w, struct whl_node *n, bool newest)
{
    struct place at = place_of(w, tick_of(n->due));
    struct whl_slot *s = &w->slot[at.level][at.slot];
    struct whl_node *first = s->first;

    if (!first || n->due <= s->soonest) {
        s->soonest = n->due;
        /* Also where the slot was stale: nothing there is earlier than the bound, and this is. */
        w->stale[at.level] &= ~(1ull << at.slot);
    }
    if (!first) {
        n->prev = n;
        n->next = NULL;
        s->first = n;
        w->used[at.level] |= 1ull << at.slot;
        w->levels |= 1ull << at.level;
        return;
    }
    n->prev = first->prev;
    n->next = newest ? first : NULL;
    if (newest)
        s->first = n;
    else
        first->prev->next = n;
    first->prev = n;
}

static void empty_slot(struct whl *w, struct place at)
{
    w->slot[at.level][at.slot].first = NULL;
    w->stale[at.level] &= ~(1ull << at.slot);
    w->used[at.level] &= ~(1ull << at.slot);
    if (!w->used[at.level]) w->levels &= ~(1ull << at.level);
}

static void remove_from_slot(struct whl *w, struct whl_node *n)
{
    struct place at = place_of(w, tick_of(n->due));
    struct whl_slot *s = &w->slot[at.level][at.slot];

    if (n->due == s->soonest) w->stale[at.level] |= 1ull << at.slot;
    if (s->first == n)
        s->first = n->next;
    else
        n->prev->next = n->next;
    if (n->next)
        n->next->prev = n->prev;
    else if (s->first)
        s->first->prev = n->prev;
    if (!s->first) empty_slot(w, at);
}

/* Nodes of the tick that is being entered, linked by `next` alone. */
struct bucket {
    struct whl_node *list;
    uint64_t count;
};

static void file_anew(struct whl *w, struct bucket *b, struct whl_node *n, bool newest)
{
    if (tick_of(n->due) != w->tick) {
        file_in_slot(w, n, newest);
        return;
    }
    n->next = b->list;
    b->list = n;
    b->count++;
}

/* Makes one run of the nodes of the current tick. There must be no runs yet. */
static void sort_into_run(struct whl *w, struct bucket a, struct bucket b)
{
    struct whl_node *sorted = NULL;

    assert(!w->runs);
    while (a.list) put_run(w, cut_run(&a.list), 0);
    while (b.list) put_run(w, cut_run(&b.list), 0);
    for (; w->runs; w->runs &= w->runs - 1) {
        struct whl_node *run = w->run[lowest_bit(w->runs)];
        sorted = sorted ? merge(sorted, run) : run;
    }
    /* At the place that its length would have earned it, or the next few added would each walk
     * it. */
    if (sorted) put_run(w, sorted, highest_bit(a.count + b.count));
}

/* Advances the wheel into its first used slot and files the nodes of that slot anew. It walks
 * the list from both ends at once, since nearly all of the time goes into waiting for the nodes'
 * memory, and two waits overlap. The two halves go to the two ends of the lists below, so that
 * timers added in the order of their times stay in a few sorted pieces. */
static void enter(struct whl *w, struct place at)
{
    struct whl_node *n = w->slot[at.level][at.slot].first, *m = n->prev, *next, *prev;
    struct bucket newer = {0}, older = {0};

    empty_slot(w, at);
    w->tick = at.start;
    for (;; n = next, m = prev) {
        next = n->next;
        prev = m->prev;
        file_anew(w, &newer, n, true);
        if (n == m) break;
        file_anew(w, &older, m, false);
        if (next == m) break;
    }
    sort_into_run(w, newer, older);
}

/* Returns the earliest due in the slot, or, if it would take a search of more than `most` nodes,
 * the bound that the slot remembers. */
static uint64_t soonest_in(const struct whl *w, struct place at, uint64_t most)
{
    const struct whl_slot *s = &w->slot[at.level][at.slot];
    uint64_t soonest = UINT64_MAX;

    if (!(w->stale[at.level] >> at.slot & 1)) return s->soonest;
    for (const struct whl_node *n = s->first; n; n = n->next) {
        if (!most--) return s->soonest;
        if (n->due < soonest) soonest = n->due;
    }
    return soonest;
}

void whl_init(struct whl *w, uint64_t now)
{
    memset(w, 0, sizeof *w);
    w->tick = tick_of(now);
}

void whl_add(struct whl *w, struct whl_node *n, uint64_t due)
{
    assert(!whl_filed(n));
    n->due = due;
    n->seq = ++w->seq;
    w->count++;
    if (tick_of(due) > w->tick) {
        file_in_slot(w, n, true);
        return;
    }
    n->next = n->prev = NULL;
    put_run(w, n, 0);
}

void whl_remove(struct whl *w, struct whl_node *n)
{
    assert(whl_filed(n) && w->count);
    if (tick_of(n->due) > w->tick)
        remove_from_slot(w, n);
    else
        remove_from_runs(w, n);
    n->next = n->prev = NULL;
    n->seq = 0;
    w->count--;
}

bool whl_filed(const struct whl_node *n)
{
    return n->seq != 0;
}

struct whl_node *whl_collect(struct whl *w, uint64_t now)
{
    while (!w->runs && w->levels) {
        struct place first = first_place(w);
        if (first.start > tick_of(now)) break;
        enter(w, first);
    }
    if (!w->runs) {
        /* Nothing is before `now`: to stand there lets the next nodes be filed low. */
        if (tick_of(now) > w->tick) w->tick = tick_of(now);
        return NULL;
    }
    unsigned i = earliest_run(w);
    struct whl_node *n = w->run[i];
    if (n->due > now) return NULL;
    drop_first_of_run(w, i);
    n->next = n->prev = NULL;
    n->seq = 0;
    w->count--;
    return n;
}

uint64_t whl_next(const struct whl *w)
{
    if (w->runs) return w->run[earliest_run(w)]->due;
    if (!w->levels) return UINT64_MAX;
    struct place first = first_place(w);
    return soonest_in(w, first, first.level ? FEW : UINT64_MAX);
}

uint64_t whl_exact(const struct whl *w)
{
    if (w->runs) return w->run[earliest_run(w)]->due;
    return w->levels ? soonest_in(w, first_place(w), UINT64_MAX) : UINT64_MAX;
}

uint64_t whl_count(const struct whl *w)
{
    return w->count;
}
