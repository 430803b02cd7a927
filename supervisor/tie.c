/* SPDX-License-Identifier: MIT */
#include "tie.h"

#include "link.h"
#include "monitor.h"

static struct tie *first_in(uintptr_t ties)
{
    return ties & TIES_NONE ? NULL : (struct tie *)(ties & ~TIES_CLOSED);
}

static bool list_locked(bsk_self *a, struct tie *t)
{
    /* Acquire pairs with tie_list_new; else the list is written under the stripe only, but for the
     * mark that closes it, and an empty one. */
    uintptr_t ties = atomic_load_explicit(&a->ties, memory_order_acquire);
    if (act_gen(a) != t->of.gen || (ties & TIES_CLOSED)) return false;
    t->next = first_in(ties);
    t->prev = NULL;
    if (!t->next) ties = act_no_ties(t->of.gen);
    /* Release pairs with the acquire in act_end, which finds the list not empty; or this fails. */
    if (!atomic_compare_exchange_strong_explicit(&a->ties, &ties, (uintptr_t)t,
                                                 memory_order_release, memory_order_relaxed))
        return false;
    if (t->next) t->next->prev = t;
    t->listed = true;
    return true;
}

bool tie_list(struct bsk_rt *rt, struct tie *t)
{
    bsk_self *a = rt_slot(rt, t->of.slot);
    if (!a || !(t->of.gen & 1)) return false;
    struct lock *stripe = rt_stripe(rt, a);
    lock_take(stripe);
    bool listed = list_locked(a, t);
    lock_give(stripe);
    return listed;
}

void tie_list_new(bsk_self *a, struct tie *t)
{
    assert(!t->listed);
    /* Relaxed: the actor is not known to anyone yet. */
    uintptr_t ties = atomic_load_explicit(&a->ties, memory_order_relaxed);
    t->next = first_in(ties);
    t->prev = NULL;
    if (t->next) t->next->prev = t;
    t->listed = true;
    /* Release: who has the slot's last actor in mind sees that this is another. */
    atomic_store_explicit(&a->ties, (uintptr_t)t, memory_order_release);
}

/* Takes the first one out, whatever mark is set meanwhile. */
static void behead_locked(bsk_self *a, const struct tie *t)
{
    uintptr_t rest = t->next ? (uintptr_t)t->next : act_no_ties(t->of.gen);
    /* Relaxed: who reads the list has the stripe; the mark may be set by others, so it is added. */
    atomic_fetch_add_explicit(&a->ties, rest - (uintptr_t)t, memory_order_relaxed);
}

static void unlist_locked(bsk_self *a, struct tie *t)
{
    assert(t->listed);
    if (t->prev)
        t->prev->next = t->next;
    else
        behead_locked(a, t);
    if (t->next) t->next->prev = t->prev;
    t->listed = false;
}

bool tie_unlist(struct bsk_rt *rt, struct tie *t)
{
    bsk_self *a = rt_slot(rt, t->of.slot);
    struct lock *stripe = rt_stripe(rt, a);
    lock_take(stripe);
    bool was = t->listed;
    if (was) unlist_locked(a, t);
    lock_give(stripe);
    return was;
}

/* Fires the first one, under the stripe. A link's other end is let go of outside it. */
static bool fire_first(struct worker *w, bsk_self *a, enum bsk_reason reason, bsk_blob *cause)
{
    struct lock *stripe = rt_stripe(w->rt, a);
    struct link *link = NULL;
    lock_take(stripe);
    /* Relaxed: read and written under the stripe, but for the mark. */
    struct tie *t = first_in(atomic_load_explicit(&a->ties, memory_order_relaxed));
    if (t) {
        unlist_locked(a, t);
        if (t->link)
            link = lnk_fire(w, t, reason, cause);
        else
            mon_fire(w, t, reason, cause);
    }
    lock_give(stripe);
    if (link) lnk_over(w->rt, link, t);
    return t;
}

void tie_fire_all(struct worker *w, bsk_self *a, enum bsk_reason reason, bsk_blob *cause)
{
    while (fire_first(w, a, reason, cause)) {
    }
}

int tie_count(struct bsk_rt *rt, bsk_addr who, bsk_ties_out *out)
{
    bsk_self *a = rt_slot(rt, who.slot);
    bsk_ties_out count = {0, 0};
    if (!a || !(who.gen & 1)) return BSK_EDEAD;
    struct lock *stripe = rt_stripe(rt, a);
    lock_take(stripe);
    /* Acquire: as in list_locked. */
    uintptr_t ties = atomic_load_explicit(&a->ties, memory_order_acquire);
    bool lives = act_gen(a) == who.gen && !(ties & TIES_CLOSED);
    for (struct tie *t = first_in(ties); lives && t; t = t->next)
        ++*(t->link ? &count.links : &count.watchers);
    lock_give(stripe);
    if (!lives) return BSK_EDEAD;
    *out = count;
    return 0;
}
