/* SPDX-License-Identifier: MIT */
/* stack.c - stacks carved from regions of 64 MiB, each one mapping, aligned to its size.
 *
 *     base                                                        base + 64 MiB
 *     | guard stack | guard stack | guard stack | ...             | guard | header, slots |
 *       slot 0        slot 1        slot 2
 *
 * So a stack's address leads to its region's header and its slot there, and a slot's address to its
 * stack, with no table; a million stacks of 64 KiB are a thousand mappings; and an idle stack needs
 * no page of its own. The header is touched no further than its stacks were handed out. A guard is
 * made when its stack is first handed out and outlives the trimming. */
#include "stack.h"

#include "../mailbox/mailbox.h"
#include "../mailbox/memory.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#if !defined(VALGRIND_STACK_REGISTER)
#define VALGRIND_STACK_REGISTER(low, high) 0u
#define VALGRIND_STACK_DEREGISTER(id) ((void)(id))
#endif

#define REGION STK_MOST
#define MADVISE_GUARD_INSTALL 102 /* Linux 6.13; younger than many a libc */
#define MOST_GUARD_PAGES 30000 /* each costs two of the 65,530 mappings that a process may have */
#define BATCH 64               /* stacks that a trim handles between two holds of the lock */

/* What is known of one stack. Its holder's while it is handed out, else under the lock. */
struct stk_slot {
    struct stk_slot *next; /* in `hot` or `cold` */
    unsigned valgrind_id;
    bool seen; /* handed out before: has its guard, if it gets one at all */
    bool busy; /* handed out now */
    bool page; /* its guard is one of the counted pages */
};

/* A region's header. Under the lock. */
struct stk_region {
    struct stk_region *next;
    char *base;
    unsigned bits; /* of a stack's size */
    uint32_t slots, carved, used;
    struct stk_slot slot[];
};

/* Guard pages of the process, for the limit is the process's. Relaxed: it stands for itself. */
static _Atomic uint32_t guard_pages;

static size_t round_up(size_t n, size_t unit)
{
    return (n + unit - 1) & ~(unit - 1);
}

static struct stk_region *region_of(const struct stk_pool *p, const void *inside)
{
    char *base = (char *)((uintptr_t)inside & ~(uintptr_t)(REGION - 1));
    return (struct stk_region *)(base + REGION + p->page);
}

/* A header lies within the REGION bytes that follow its stacks. */
static struct stk_region *region_of_slot(const struct stk_pool *p, const struct stk_slot *s)
{
    return (struct stk_region *)(((uintptr_t)s & ~(uintptr_t)(REGION - 1)) + p->page);
}

static struct stk stack_of(const struct stk_pool *p, const struct stk_slot *s)
{
    const struct stk_region *r = region_of_slot(p, s);
    char *start = r->base + ((size_t)(s - r->slot) << r->bits);
    return (struct stk){start + p->page, ((size_t)1 << r->bits) - p->page};
}

static size_t header_size(const struct stk_pool *p, unsigned bits)
{
    size_t slots = REGION >> bits;
    return round_up(sizeof(struct stk_region) + slots * sizeof(struct stk_slot), p->page);
}

static size_t region_size(const struct stk_pool *p, unsigned bits)
{
    return REGION + p->page + header_size(p, bits);
}

static struct stk_class *class_of(struct stk_pool *p, unsigned bits)
{
    return &p->classes[bits - STK_LEAST_BITS];
}

/* A class is twice a page at least: a guard, and some stack. */
static unsigned bits_for(const struct stk_pool *p, size_t size)
{
    unsigned bits = STK_LEAST_BITS;
    while (((size_t)1 << bits) < size || ((size_t)1 << bits) < 2 * p->page) bits++;
    return bits;
}

static bool guard_by_region(const struct stk_pool *p, void *at)
{
    return p->guards == STK_GUARD_REGIONS && madvise(at, p->page, MADVISE_GUARD_INSTALL) == 0;
}

static bool guard_by_page(const struct stk_pool *p, void *at)
{
    if (p->guards == STK_NO_GUARDS) return false;
    if (atomic_fetch_add_explicit(&guard_pages, 1, memory_order_relaxed) < MOST_GUARD_PAGES &&
        mprotect(at, p->page, PROT_NONE) == 0)
        return true;
    atomic_fetch_sub_explicit(&guard_pages, 1, memory_order_relaxed);
    return false;
}

/* Prepares a stack that was never handed out: outside the lock, for it takes a while. */
static void first_use(const struct stk_pool *p, struct stk_slot *s, struct stk stack)
{
    char *guard = (char *)stack.low - p->page;
    s->page = !guard_by_region(p, guard) && guard_by_page(p, guard);
    s->valgrind_id = VALGRIND_STACK_REGISTER(stack.low, (char *)stack.low + stack.size);
    s->seen = true;
}

/* Finds out what guards there are on a page of its own. Returns 0 or BSK_ENOMEM. */
static int try_guards(struct stk_pool *p)
{
    void *page = mem_map(p->page, p->page);
    if (!page) return BSK_ENOMEM;
    if (madvise(page, p->page, MADVISE_GUARD_INSTALL) == 0)
        p->guards = STK_GUARD_REGIONS;
    else if (mprotect(page, p->page, PROT_NONE) == 0)
        p->guards = STK_GUARD_PAGES;
    else
        p->guards = STK_NO_GUARDS;
    mem_unmap(page, p->page);
    return 0;
}

static struct stk_region *region_new(const struct stk_pool *p, unsigned bits)
{
    char *base = mem_map(region_size(p, bits), REGION);
    if (!base) return NULL;
    /* A huge page would give a fiber of some hundred bytes two megabytes. */
    (void)madvise(base, region_size(p, bits), MADV_NOHUGEPAGE);
    struct stk_region *r = region_of(p, base);
    r->base = base;
    r->bits = bits;
    r->slots = (uint32_t)(REGION >> bits);
    /* Keeps what runs over the end of the last stack off the header; it works without too. */
    (void)guard_by_region(p, base + REGION);
    return r;
}

static void region_free(const struct stk_pool *p, struct stk_region *r)
{
    uint32_t pages = 0;
    for (uint32_t i = 0; i < r->carved; i++) {
        pages += r->slot[i].page;
        if (r->slot[i].seen) VALGRIND_STACK_DEREGISTER(r->slot[i].valgrind_id);
    }
    mem_unmap(r->base, region_size(p, r->bits));
    atomic_fetch_sub_explicit(&guard_pages, pages, memory_order_relaxed);
}

static void regions_free(const struct stk_pool *p, struct stk_region *r)
{
    while (r) {
        struct stk_region *next = r->next;
        region_free(p, r);
        r = next;
    }
}

static struct stk_slot *pop(struct stk_slot **list)
{
    struct stk_slot *s = *list;
    if (s) *list = s->next;
    return s;
}

static void push(struct stk_slot **list, struct stk_slot *s)
{
    s->next = *list;
    *list = s;
}

/* Takes a stack that was never handed out, from a new region if need be; NULL: no memory. */
static struct stk_slot *carve_locked(struct stk_pool *p, struct stk_class *c, unsigned bits)
{
    struct stk_region *r = c->regions;
    if (!r || r->carved == r->slots) {
        r = region_new(p, bits);
        if (!r) return NULL;
        r->next = c->regions;
        c->regions = r;
    }
    return &r->slot[r->carved++];
}

static struct stk_slot *take_locked(struct stk_pool *p, struct stk_class *c, unsigned bits)
{
    struct stk_slot *s = pop(&c->hot);
    if (s)
        c->nhot--;
    else if (!(s = pop(&c->cold)) && !(s = carve_locked(p, c, bits)))
        return NULL;
    c->nused++;
    region_of_slot(p, s)->used++;
    s->busy = true;
    return s;
}

int stk_get(struct stk_pool *p, size_t size, struct stk *out)
{
    if (size > STK_MOST) return BSK_EINVAL;
    unsigned bits = bits_for(p, size);
    pthread_mutex_lock(&p->lock);
    struct stk_slot *s = take_locked(p, class_of(p, bits), bits);
    pthread_mutex_unlock(&p->lock);
    if (!s) return BSK_ENOMEM;
    struct stk stack = stack_of(p, s);
    if (!s->seen) first_use(p, s, stack);
    *out = stack;
    return 0;
}

void stk_put(struct stk_pool *p, struct stk stack)
{
    struct stk_region *r = region_of(p, stack.low);
    size_t offset = (size_t)((char *)stack.low - r->base);
    assert((offset & (((size_t)1 << r->bits) - 1)) == p->page);
    struct stk_slot *s = &r->slot[offset >> r->bits];
    struct stk_class *c = class_of(p, r->bits);
    pthread_mutex_lock(&p->lock);
    assert(s->busy && r->used && c->nused);
    s->busy = false;
    r->used--;
    c->nused--;
    c->nhot++;
    push(&c->hot, s);
    pthread_mutex_unlock(&p->lock);
}

/* Takes up to `most` stacks off the hot list. Returns how many, at `out`. */
static size_t take_hot(struct stk_pool *p, struct stk_class *c, struct stk_slot **out, size_t most)
{
    size_t n = 0;
    pthread_mutex_lock(&p->lock);
    while (n < most && c->hot) out[n++] = pop(&c->hot);
    c->nhot -= n;
    pthread_mutex_unlock(&p->lock);
    return n;
}

static void put_cold(struct stk_pool *p, struct stk_class *c, struct stk_slot **slots, size_t n)
{
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < n; i++) push(&c->cold, slots[i]);
    pthread_mutex_unlock(&p->lock);
}

/* Releases no more stacks than were idle at the start: it ends, however busy the others are. */
static void release_idle(struct stk_pool *p, struct stk_class *c)
{
    struct stk_slot *slots[BATCH];
    pthread_mutex_lock(&p->lock);
    size_t left = c->nhot;
    pthread_mutex_unlock(&p->lock);
    while (left > 0) {
        size_t n = take_hot(p, c, slots, left < BATCH ? left : BATCH);
        for (size_t i = 0; i < n; i++) {
            struct stk s = stack_of(p, slots[i]);
            mem_release(s.low, s.size);
        }
        put_cold(p, c, slots, n);
        left = n ? left - n : 0;
    }
}

/* Drops from the list what lies in unused regions; returns how many those are. */
static size_t forget_locked(const struct stk_pool *p, struct stk_slot **list)
{
    size_t n = 0;
    while (*list) {
        if (region_of_slot(p, *list)->used) {
            list = &(*list)->next;
        } else {
            *list = (*list)->next;
            n++;
        }
    }
    return n;
}

/* Takes the unused regions out of the class, with their stacks. */
static struct stk_region *take_unused_locked(const struct stk_pool *p, struct stk_class *c)
{
    struct stk_region *unused = NULL, **at = &c->regions;
    while (*at) {
        struct stk_region *r = *at;
        if (r->used) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        r->next = unused;
        unused = r;
    }
    if (!c->regions) { /* all idle: no need to walk */
        c->hot = c->cold = NULL;
        c->nhot = 0;
    } else if (unused) {
        c->nhot -= forget_locked(p, &c->hot);
        forget_locked(p, &c->cold);
    }
    return unused;
}

/* One trim at a time: the stacks that another is releasing stand in no list, count as unused, and
 * their region must not go. */
void stk_trim(struct stk_pool *p)
{
    pthread_mutex_lock(&p->trimming);
    for (size_t i = 0; i < STK_CLASSES; i++) {
        struct stk_class *c = &p->classes[i];
        release_idle(p, c);
        pthread_mutex_lock(&p->lock);
        struct stk_region *unused = take_unused_locked(p, c);
        pthread_mutex_unlock(&p->lock);
        regions_free(p, unused);
    }
    pthread_mutex_unlock(&p->trimming);
}

const char *stk_guard_kind(const struct stk_pool *p)
{
    static const char *const kinds[] = {"none", "guard pages", "guard regions"};
    return kinds[p->guards];
}

size_t stk_mapped(struct stk_pool *p)
{
    size_t bytes = 0;
    pthread_mutex_lock(&p->lock);
    for (unsigned bits = STK_LEAST_BITS; bits <= STK_MOST_BITS; bits++) {
        const struct stk_class *c = class_of(p, bits);
        bytes += (c->nhot + c->nused) * (((size_t)1 << bits) - p->page);
    }
    pthread_mutex_unlock(&p->lock);
    return bytes;
}

int stk_pool_init(struct stk_pool *p)
{
    *p = (struct stk_pool){.page = (size_t)sysconf(_SC_PAGESIZE)};
    int rc = try_guards(p);
    if (rc) return rc;
    if (pthread_mutex_init(&p->lock, NULL) != 0) return BSK_ENOMEM;
    if (pthread_mutex_init(&p->trimming, NULL) == 0) return 0;
    pthread_mutex_destroy(&p->lock);
    return BSK_ENOMEM;
}

void stk_pool_fini(struct stk_pool *p)
{
    for (size_t i = 0; i < STK_CLASSES; i++) regions_free(p, p->classes[i].regions);
    pthread_mutex_destroy(&p->trimming);
    pthread_mutex_destroy(&p->lock);
}
