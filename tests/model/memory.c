/* SPDX-License-Identifier: MIT */
/* memory.c - what the operations do: the memory model that model.h describes.
 *
 *     location x:   store 0 -- store 1 -- store 2 -- store 3     in the order they were run
 *                      |           |          |
 *     T0.now.at[x] ----'           |          the view that an acquire of store 2 hands over
 *     T1.now.at[x] ----------------'
 *
 * T0 may read all four, T1 all but the first. Reading moves the mark up; acquiring takes the
 * maximum with the store's view, for all locations at once. The order of seq_cst operations is
 * one more set of marks, `sc`, which a seq_cst access raises and obeys for its own location and a
 * seq_cst fence for all. Real memory always holds the newest value.
 */
#include "internal.h"

#include <string.h>

enum { BUCKETS = 512, MAX_CELLS = 256, MAX_STAMP = 255, MAX_SPINS = 3 };

struct store {
    uint64_t value;
    struct mdl_view view;
};

struct location {
    volatile void *address;
    size_t size;
    uint8_t newest;
    uint8_t changed; /* the last store with a value that the one before it did not have */
    uint8_t floor;   /* nobody reads older ones: plain code has overwritten them */
    struct store stores[MDL_HISTORY];
};

/* The last accesses to plain memory, by the clocks of their threads. */
struct cell {
    int16_t written[MDL_CLOCKS];
    int16_t read[MDL_CLOCKS];
};

/* From address to index, open-addressed. An old round makes a bucket empty, so that to forget all
 * is to count. */
struct bucket {
    const volatile void *address;
    uint64_t round;
    unsigned index;
};

struct table {
    struct bucket buckets[BUCKETS];
    unsigned used, most;
};

static struct location locations[MDL_LOCATIONS];
static struct cell cells[MAX_CELLS];
static struct table atomics = {.most = MDL_LOCATIONS};
static struct table plain = {.most = MAX_CELLS};
static uint64_t round_now = 1;
static uint8_t sc[MDL_LOCATIONS];

void mdl_forget(void)
{
    round_now++;
    atomics.used = plain.used = 0;
    memset(sc, 0, sizeof sc);
}

/* Views */

static void raise_mark(uint8_t *mark, unsigned stamp)
{
    if (*mark < stamp) *mark = (uint8_t)stamp;
}

/* The restricts let the compiler use vectors. */
static void raise_marks(uint8_t *restrict to, const uint8_t *restrict from)
{
    for (unsigned i = 0; i < MDL_LOCATIONS; i++) to[i] = to[i] > from[i] ? to[i] : from[i];
}

static void join_clock(int16_t *restrict to, const int16_t *restrict from)
{
    for (unsigned i = 0; i < MDL_CLOCKS; i++) to[i] = to[i] > from[i] ? to[i] : from[i];
}

static void join_view(struct mdl_view *restrict to, const struct mdl_view *restrict from)
{
    raise_marks(to->at, from->at);
    join_clock(to->clock, from->clock);
}

void mdl_join(struct mdl_thread *to, const struct mdl_thread *from)
{
    join_view(&to->now, &from->now);
}

static bool acquires(memory_order order)
{
    return order != memory_order_relaxed && order != memory_order_release;
}

static bool releases(memory_order order)
{
    return order == memory_order_release || order == memory_order_acq_rel ||
           order == memory_order_seq_cst;
}

/* Locations */

static unsigned look_up(struct table *t, const volatile void *address, bool *is_new)
{
    size_t h = ((uintptr_t)address >> 2) * 0x9e3779b97f4a7c15u >> 40;

    for (;; h++) {
        struct bucket *b = &t->buckets[h % BUCKETS];
        *is_new = b->round != round_now;
        if (*is_new) {
            if (t->used == t->most) mdl_fail("", "more than %u locations", t->most);
            *b = (struct bucket){address, round_now, t->used++};
        }
        if (b->address == address) return b->index;
    }
}

static uint64_t peek(const volatile void *address, size_t size)
{
    switch (size) {
    case 1: return *(const volatile uint8_t *)address;
    case 2: return *(const volatile uint16_t *)address;
    case 4: return *(const volatile uint32_t *)address;
    default: return *(const volatile uint64_t *)address;
    }
}

static void poke(volatile void *address, size_t size, uint64_t value)
{
    switch (size) {
    case 1: *(volatile uint8_t *)address = (uint8_t)value; break;
    case 2: *(volatile uint16_t *)address = (uint16_t)value; break;
    case 4: *(volatile uint32_t *)address = (uint32_t)value; break;
    default: *(volatile uint64_t *)address = value;
    }
}

static uint64_t cut(uint64_t value, size_t size)
{
    return size == 8 ? value : value & ((UINT64_C(1) << 8 * size) - 1);
}

static struct store *store_at(struct location *l, unsigned stamp)
{
    return &l->stores[stamp % MDL_HISTORY];
}

static struct store *newest(struct location *l)
{
    return store_at(l, l->newest);
}

static void create(struct location *l, volatile void *address, size_t size, const char *site)
{
    if (size != 1 && size != 2 && size != 4 && size != 8)
        mdl_fail(site, "an atomic of %zu bytes", size);
    l->address = address;
    l->size = size;
    l->newest = l->floor = l->changed = 0;
    l->stores[0].value = peek(address, size);
    memset(&l->stores[0].view, 0, sizeof l->stores[0].view);
}

static unsigned locate(const volatile void *address, size_t size, const char *site)
{
    bool is_new;
    unsigned i = look_up(&atomics, address, &is_new);
    struct location *l = &locations[i];

    if (is_new)
        create(l, (volatile void *)(uintptr_t)address, size, site);
    else if (l->size != size)
        mdl_fail(site, "accessed with %zu bytes, before with %zu", size, l->size);
    return i;
}

static struct store *append(struct location *l, uint64_t value, const char *site)
{
    if (l->newest == MAX_STAMP) mdl_fail(site, "more than %d stores to one location", MAX_STAMP);
    bool changes = value != newest(l)->value;
    l->newest++;
    if (changes) l->changed = l->newest;
    newest(l)->value = value;
    return newest(l);
}

/* Takes note of a value that plain code has put there: a store from nowhere, known to all. */
static void notice_plain_store(struct location *l, const char *site)
{
    uint64_t value = peek(l->address, l->size);

    if (value == newest(l)->value) return;
    memset(&append(l, value, site)->view, 0, sizeof(struct mdl_view));
    l->floor = l->newest;
}

/* Giving way */

/* Whether some location has a value that the thread does not know of. */
static bool anything_new(void *arg)
{
    const struct mdl_thread *t = arg;

    for (unsigned i = 0; i < atomics.used; i++) {
        if (t->now.at[i] < locations[i].changed) return true;
    }
    return false;
}

void mdl_yield_at(const char *site)
{
    struct mdl_thread *t = &mdl_threads[mdl_here];
    struct mdl_op op = {MDL_YIELD, memory_order_relaxed, 0, site};

    t->pred = anything_new;
    t->arg = t;
    mdl_point(op);
    mdl_note(&op, "yield", 0, 0);
    for (unsigned i = 0; i < atomics.used; i++) raise_mark(&t->now.at[i], locations[i].newest);
}

/* Reading and writing */

static unsigned oldest_visible(const struct mdl_thread *t, unsigned i, memory_order order)
{
    const struct location *l = &locations[i];
    unsigned lo = t->now.at[i] > l->floor ? t->now.at[i] : l->floor;

    if (order == memory_order_seq_cst && sc[i] > lo) lo = sc[i];
    if (l->newest >= MDL_HISTORY && lo < l->newest - MDL_HISTORY + 1u)
        lo = l->newest - MDL_HISTORY + 1u;
    return lo;
}

/* The thread has read store `stamp`: it knows it and, if it acquires, all that the store tells. */
static void take(struct mdl_thread *t, unsigned i, unsigned stamp, memory_order order)
{
    const struct mdl_view *view = &store_at(&locations[i], stamp)->view;

    raise_mark(&t->now.at[i], stamp);
    if (order == memory_order_seq_cst) raise_mark(&sc[i], stamp);
    join_view(acquires(order) ? &t->now : &t->acquired, view);
}

/* Adds a store. `before` is the view of the store that a read-modify-write replaces, whose release
 * sequence it continues. */
static void put(struct mdl_thread *t, unsigned i, uint64_t value, memory_order order,
                const struct mdl_view *before, const char *site)
{
    struct location *l = &locations[i];
    struct store *s = append(l, value, site);

    t->changed = l->changed == l->newest;
    poke(l->address, l->size, value);
    raise_mark(&t->now.at[i], l->newest);
    if (order == memory_order_seq_cst) raise_mark(&sc[i], l->newest);
    s->view = releases(order) ? t->now : t->released;
    raise_mark(&s->view.at[i], l->newest);
    if (before != NULL) join_view(&s->view, before);
    if (releases(order)) t->now.clock[mdl_here]++;
}

/* Chooses the store to read among the visible ones, the newest first, leaving out older ones with
 * the value `*except`, if given. */
static unsigned choose_store(struct mdl_thread *t, unsigned i, memory_order order,
                             const uint64_t *except)
{
    struct location *l = &locations[i];
    uint8_t list[MDL_HISTORY] = {l->newest};
    unsigned n = 1;

    if (t->direct || !mdl_stale_left()) return l->newest;
    unsigned lo = oldest_visible(t, i, order);
    for (unsigned stamp = l->newest; stamp-- > lo;) {
        if (except == NULL || store_at(l, stamp)->value != *except) list[n++] = (uint8_t)stamp;
    }
    unsigned k = mdl_choose(n);
    if (k > 0) mdl_spend_stale();
    return list[k];
}

/* Makes a thread that spins give way, so that no schedule runs it for ever. */
static void give_way_if_spinning(struct mdl_thread *t, const struct mdl_op *op)
{
    bool same = t->next.site == op->site && t->next.location == op->location;

    t->spins = same && !t->changed ? t->spins + 1 : 0;
    if (t->spins < MAX_SPINS) return;
    mdl_yield_at(op->site);
    t->spins = MAX_SPINS - 1;
}

/* Waits for the thread's turn and finds its location. */
static struct mdl_thread *arrive(struct mdl_op *op, const volatile void *p, size_t size)
{
    struct mdl_thread *t = &mdl_threads[mdl_here];

    if (mdl_quiet) mdl_fail(op->site, "a predicate must only load");
    op->location = locate(p, size, op->site);
    if (!t->direct) {
        give_way_if_spinning(t, op);
        mdl_point(*op);
        t->changed = false;
    }
    notice_plain_store(&locations[op->location], op->site);
    return t;
}

uint64_t mdl_load(const volatile void *p, size_t size, memory_order order, const char *site)
{
    struct mdl_op op = {MDL_LOAD, order, 0, site};

    if (mdl_quiet) return peek(p, size);
    struct mdl_thread *t = arrive(&op, p, size);
    struct location *l = &locations[op.location];
    unsigned stamp = choose_store(t, op.location, order, NULL);
    uint64_t value = store_at(l, stamp)->value;
    take(t, op.location, stamp, order);
    mdl_note(&op, "load", value, l->newest - stamp);
    return value;
}

void mdl_store(volatile void *p, size_t size, uint64_t v, memory_order order, const char *site)
{
    struct mdl_op op = {MDL_STORE, order, 0, site};
    struct mdl_thread *t = arrive(&op, p, size);

    put(t, op.location, cut(v, size), order, NULL, site);
    mdl_note(&op, "store", cut(v, size), 0);
}

static uint64_t changed(uint64_t old, enum mdl_change change, uint64_t v)
{
    switch (change) {
    case MDL_ADD: return old + v;
    case MDL_SUB: return old - v;
    case MDL_OR: return old | v;
    case MDL_AND: return old & v;
    case MDL_XOR: return old ^ v;
    default: return v;
    }
}

static void replace(struct mdl_thread *t, unsigned i, uint64_t value, memory_order order,
                    const char *site)
{
    struct location *l = &locations[i];
    struct mdl_view before = newest(l)->view;

    take(t, i, l->newest, order);
    put(t, i, value, order, &before, site);
}

uint64_t mdl_rmw(volatile void *p, size_t size, enum mdl_change change, uint64_t v,
                 memory_order order, const char *site)
{
    struct mdl_op op = {MDL_RMW, order, 0, site};
    struct mdl_thread *t = arrive(&op, p, size);
    uint64_t old = newest(&locations[op.location])->value;
    uint64_t value = cut(changed(old, change, v), size);

    replace(t, op.location, value, order, site);
    mdl_note(&op, "rmw", value, 0);
    return old;
}

static bool fails_for_no_reason(const struct mdl_thread *t, bool weak)
{
    if (!weak || t->direct || !mdl_stale_left() || mdl_choose(2) == 0) return false;
    mdl_spend_stale();
    return true;
}

bool mdl_cas(volatile void *p, size_t size, void *expected, uint64_t v, memory_order order,
             memory_order failed, bool weak, const char *site)
{
    bool sc_step = order == memory_order_seq_cst || failed == memory_order_seq_cst;
    struct mdl_op op = {MDL_RMW, sc_step ? memory_order_seq_cst : order, 0, site};
    struct mdl_thread *t = arrive(&op, p, size);
    struct location *l = &locations[op.location];
    uint64_t want = peek(expected, size);
    unsigned stamp = choose_store(t, op.location, failed, &want);
    uint64_t found = store_at(l, stamp)->value;

    op.order = order;
    if (found == want && !fails_for_no_reason(t, weak)) {
        replace(t, op.location, cut(v, size), order, site);
        mdl_note(&op, "cas", cut(v, size), 0);
        return true;
    }
    op.order = failed;
    take(t, op.location, stamp, failed);
    mdl_note(&op, "cas no", found, l->newest - stamp);
    poke(expected, size, found);
    return false;
}

/* Not a step: nobody else may know the object yet. For those who do, a relaxed store. */
void mdl_init(volatile void *p, size_t size, uint64_t v, const char *site)
{
    unsigned i = locate(p, size, site);

    notice_plain_store(&locations[i], site);
    put(&mdl_threads[mdl_here], i, cut(v, size), memory_order_relaxed, NULL, site);
}

/* Fences */

static void release_fence(unsigned thread)
{
    struct mdl_thread *t = &mdl_threads[thread];

    t->released = t->now;
    t->now.clock[thread]++;
}

static void full_fence(unsigned thread)
{
    struct mdl_thread *t = &mdl_threads[thread];

    join_view(&t->now, &t->acquired);
    raise_marks(t->now.at, sc);
    raise_marks(sc, t->now.at);
    release_fence(thread);
}

/* Only a seq_cst fence is a step: the others touch nothing but their thread's own views. */
void mdl_fence(memory_order order, const char *site)
{
    struct mdl_thread *t = &mdl_threads[mdl_here];
    struct mdl_op op = {MDL_FENCE, order, 0, site};

    if (order == memory_order_seq_cst && !t->direct) mdl_point(op);
    if (acquires(order)) join_view(&t->now, &t->acquired);
    if (order == memory_order_seq_cst)
        full_fence(mdl_here);
    else if (releases(order))
        release_fence(mdl_here);
    mdl_note(&op, "fence", 0, 0);
}

static bool always(void *arg)
{
    (void)arg;
    return true;
}

void mdl_membarrier_at(const char *site)
{
    struct mdl_thread *self = &mdl_threads[mdl_here];
    struct mdl_op op = {MDL_WAIT, memory_order_seq_cst, 0, site};

    self->pred = always;
    mdl_point(op);
    /* One round publishes what each knows, the next one collects it. */
    for (unsigned i = 0; i < mdl_count; i++) full_fence(i);
    for (unsigned i = 0; i < mdl_count; i++) full_fence(i);
    mdl_note(&op, "barrier", 0, 0);
}

/* Waiting */

void mdl_wait_at(bool (*pred)(void *), void *arg, const char *site)
{
    struct mdl_thread *t = &mdl_threads[mdl_here];
    struct mdl_op op = {MDL_WAIT, memory_order_relaxed, 0, site};

    t->pred = pred;
    t->arg = arg;
    mdl_point(op);
    mdl_note(&op, "wait", 0, 0);
    /* Once more in the thread's own name, for what its loads acquire. */
    t->direct = true;
    (void)pred(arg);
    t->direct = false;
}

static bool has_token(void *arg)
{
    const struct mdl_park *park = arg;
    return peek(&park->token, sizeof park->token) != 0;
}

void mdl_park_at(struct mdl_park *park, const char *site)
{
    struct mdl_thread *t = &mdl_threads[mdl_here];

    mdl_wait_at(has_token, park, site);
    t->direct = true;
    (void)mdl_rmw(&park->token, sizeof park->token, MDL_SET, 0, memory_order_acquire, site);
    t->direct = false;
}

/* Races on plain memory */

static struct cell *cell_of(const volatile void *p)
{
    bool is_new;
    struct cell *c = &cells[look_up(&plain, p, &is_new)];

    if (is_new) memset(c, 0, sizeof *c);
    return c;
}

static void expect_past(const int16_t *clock, const char *what, const char *site)
{
    const int16_t *known = mdl_threads[mdl_here].now.clock;

    for (unsigned i = 0; i < MDL_CLOCKS; i++) {
        if (i != mdl_here && clock[i] > known[i])
            mdl_fail(site, "data race of thread %u with a %s by thread %u", mdl_here, what, i);
    }
}

void mdl_read_at(const volatile void *p, const char *site)
{
    struct cell *c = cell_of(p);

    expect_past(c->written, "write", site);
    c->read[mdl_here] = mdl_threads[mdl_here].now.clock[mdl_here];
}

void mdl_write_at(const volatile void *p, const char *site)
{
    struct cell *c = cell_of(p);

    expect_past(c->written, "write", site);
    expect_past(c->read, "read", site);
    c->written[mdl_here] = mdl_threads[mdl_here].now.clock[mdl_here];
}
