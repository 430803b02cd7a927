/* SPDX-License-Identifier: MIT */
/* check_kin.c - the real news from children to their parent: an end against the parent's look, and
 * against a detach. Each bond is freed once, by the one whose it is then; no end goes unnoticed.
 *
 * model: actors/cause.c mailbox/blob.c
 * ctest: timeout=60 */
#include "actors.h"

#include "heap.h"

#include "supervisor/kin.c"
#include "supervisor/scope.c"

#include <check.h>
#include <stdlib.h>

enum { PARENT, FIRST, SECOND };

static struct kin parent_kin;
static struct act_more mores[MODEL_SLOTS];
static bsk_scope scope;
static _Atomic bool told[MODEL_SLOTS]; /* CTL_KIN */
static _Atomic int left;               /* children that did not end yet */

bool act_control(struct worker *w, struct bsk_rt *rt, bsk_self *a, uint32_t gen, uint32_t bits)
{
    mdl_assert(w && rt == &model_rt && gen == 1 && bits == CTL_KIN);
    /* As the poke does: what was written before is seen by who looks then. */
    atomic_store_explicit(&told[a - model_slots], true, memory_order_release);
    return true;
}

void act_set_flag(bsk_self *a, unsigned flag, bool on)
{
    mdl_assert(a != &model_slots[PARENT] && flag == ACT_CHILD && !on);
}

void spawn_set_finish(bsk_self *a, int64_t ms)
{
    mdl_assert(a != &model_slots[PARENT] && ms == 5000);
}

static void have_child(unsigned slot)
{
    struct bond *b = mem_zalloc(sizeof *b);
    struct kin *kin = mem_zalloc(sizeof *kin);
    b->who = model_addr(slot, 1);
    b->parent = model_addr(PARENT, 1);
    b->home = &parent_kin;
    b->scope = &scope;
    b->finish_ms = 5000;
    b->kill_at = b->by = NEVER;
    kin->bond = b;
    mores[slot].kin = kin;
    append(&scope.live, b);
}

static void setup(unsigned children)
{
    model_reset();
    heap_reset();
    memset(&parent_kin, 0, sizeof parent_kin);
    memset(&scope, 0, sizeof scope);
    memset(mores, 0, sizeof mores);
    atomic_init(&left, (int)children);
    for (unsigned i = 0; i < MODEL_SLOTS; i++) {
        bsk_self *a = model_actor(i, NULL, 4, BSK_REFUSE);
        a->worker = &model_workers[i];
        a->more = &mores[i];
        atomic_init(&told[i], false);
    }
    mores[PARENT].kin = &parent_kin;
    scope.owner = &model_slots[PARENT];
    scope.deadline = scope.noticed = NEVER;
    parent_kin.scopes = &scope;
    for (unsigned i = 1; i <= children; i++) have_child(i);
}

static void with_one(void)
{
    setup(1);
}

static void with_two(void)
{
    setup(2);
}

/* As act_end and the hooks do it. */
static void end(unsigned slot)
{
    struct kin *kin = mores[slot].kin;
    mores[slot].kin = NULL;
    /* What is written into the bond is seen by who frees it. */
    if (kin->bond) mdl_write(kin->bond);
    kin_ended(model_me(), kin, BSK_NORMAL, NULL);
    atomic_fetch_sub_explicit(&left, 1, memory_order_relaxed);
}

static void look(unsigned slot)
{
    /* As act_look: taken back first. */
    if (!atomic_exchange_explicit(&told[slot], false, memory_order_acquire)) return;
    kin_look(model_me(), &model_slots[slot]);
}

static void end_first(void)
{
    end(FIRST);
}

static void end_second(void)
{
    end(SECOND);
}

/* It looks when it is told to, at any time; or does not come to that. */
static void look_and_end(void)
{
    look(FIRST);
    end(FIRST);
}

static bool parent_is_told(void *arg)
{
    mdl_assert(!arg);
    return atomic_load_explicit(&told[PARENT], memory_order_relaxed);
}

/* As a join: looks whenever it is told, until none is left. */
static void join(void)
{
    while (scope.live.n) {
        mdl_wait(parent_is_told, NULL);
        look(PARENT);
    }
}

static void detach_and_join(void)
{
    bsk_scope_detach(&scope);
    join();
}

static void look_detach_and_join(void)
{
    look(PARENT);
    detach_and_join();
}

static void nothing_is_left(void)
{
    mdl_assert(heap_live == 0 && !scope.live.n && !scope.ended.n && !parent_kin.news);
    mdl_assert(left == 0);
}

static void explore(const char *name, void (*before)(void), void (*one)(void), void (*two)(void),
                    void (*three)(void))
{
    mdl_run(&(struct mdl_program){.name = name,
                                  .setup = before,
                                  .threads = {one, two, three},
                                  .preemptions = 4,
                                  .check = nothing_is_left});
}

START_TEST(no_end_goes_unnoticed)
{
    explore("a child ends", with_one, join, end_first, NULL);
    explore("two children end", with_two, join, end_first, end_second);
}
END_TEST

START_TEST(a_detached_child_is_nobodys_and_leaves_nothing)
{
    explore("a child ends while it is detached", with_one, detach_and_join, end_first, NULL);
    explore("a child looks and ends while it is detached", with_one, detach_and_join, look_and_end,
            NULL);
    explore("two children end while they are detached", with_two, look_detach_and_join,
            look_and_end, end_second);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("kin");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, no_end_goes_unnoticed);
    tcase_add_test(tc, a_detached_child_is_nobodys_and_leaves_nothing);

    Suite *suite = suite_create("kin");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
