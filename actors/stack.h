/* SPDX-License-Identifier: MIT */
/* stack.h - a pool of stacks for fibers, with a guard below each.
 *
 * Stacks come in classes, powers of two from 16 KiB to 64 MiB. A class's size counts the guard
 * page, as with threads: the 64 KiB class has 60 KiB to use where pages have 4. Virtual size is all
 * but free; memory is what a fiber has touched. */
#ifndef BSK_STACK_H
#define BSK_STACK_H

#include <pthread.h>
#include <stddef.h>

#define STK_LEAST_BITS 14
#define STK_MOST_BITS 26
#define STK_CLASSES (STK_MOST_BITS - STK_LEAST_BITS + 1)
#define STK_LEAST ((size_t)1 << STK_LEAST_BITS)
#define STK_MOST ((size_t)1 << STK_MOST_BITS)

/* A stack: [low, low + size), both multiples of the page. The guard lies below low. */
struct stk {
    void *low;
    size_t size;
};

struct stk_slot;
struct stk_region;

/* Under the pool's lock. */
struct stk_class {
    struct stk_slot *hot;       /* idle, with memory; the last put is first */
    struct stk_slot *cold;      /* idle, without memory */
    struct stk_region *regions; /* the newest first; only it may have stacks never handed out */
    size_t nhot, nused;
};

/* The guards that the system grants. */
enum stk_guards { STK_NO_GUARDS, STK_GUARD_PAGES, STK_GUARD_REGIONS };

/* A pool, in the caller's storage; all fields are private to stack.c. */
struct stk_pool {
    pthread_mutex_t lock;
    pthread_mutex_t trimming; /* one trim at a time; taken before the lock */
    size_t page;              /* this and the next are set by init and only read after */
    enum stk_guards guards;
    struct stk_class classes[STK_CLASSES];
};

/* Makes an empty pool: 0, or BSK_ENOMEM with nothing made. */
int stk_pool_init(struct stk_pool *p);

/* Unmaps all stacks, those in use included: nothing may run on one, nor touch one afterwards. */
void stk_pool_fini(struct stk_pool *p);

/* Gets a stack of the class that `size` is rounded up to (0: the least), its contents unspecified;
 * the caller's until stk_put. The stack put last comes first, while its memory is in the caches.
 * From any thread. 0; BSK_ENOMEM; BSK_EINVAL when size is over STK_MOST. On failure *out is
 * untouched.
 *
 * Guarantee: where stk_guard_kind says "guard regions", running over low faults. With "guard pages"
 * it does for the first 30,000 stacks of the process; later ones, and those for which the system
 * refuses even that, have no guard, and overrun the stack below. */
int stk_get(struct stk_pool *p, size_t size, struct stk *out);

/* Puts back a stack that stk_get of this pool gave, and on which nothing runs any more. It keeps
 * the memory that it touched. From any thread. */
void stk_put(struct stk_pool *p, struct stk s);

/* Gives the memory of the idle stacks back to the system, and their addresses where a whole region
 * is idle. Others may get and put meanwhile; what they put may keep its memory. Takes about a
 * microsecond for each idle stack with memory, most of it outside the lock. From any thread. */
void stk_trim(struct stk_pool *p);

/* Returns "guard regions" (cheap, for any number), "guard pages" or "none". Static storage. */
const char *stk_guard_kind(const struct stk_pool *p);

/* Returns the bytes of the stacks that are in use, or idle with memory: a bound on what they
 * touched. From any thread. */
size_t stk_mapped(struct stk_pool *p);

#endif
