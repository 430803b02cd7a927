/* SPDX-License-Identifier: MIT */
/* check_tie.c - the real ties: watching, unwatching, linking and unlinking against ends, and
 * against the next actor in the slot. Who is tied hears once, or took the tie out in time; nothing
 * leaks.
 *
 * model: actors/wheel.c actors/cause.c mailbox/blob.c
 * ctest: timeout=120 */
#include "records.h"

#include "heap.h"

#include "supervisor/tie.c"

#define key_of link_key_of
#define tie_spawned link_tie_spawned
#include "supervisor/link.c"
#undef key_of
#undef tie_spawned
#include "supervisor/monitor.c"

#include <check.h>
#include <stdlib.h>

/* The actor that ends, first with one reason, its slot's next one with another. */
enum { ENDS, OTHER, THIRD };
#define FIRST BSK_SHUTDOWN
#define SECOND BSK_GAVE_UP

static alignas(64) unsigned char monitors[RECORDS][MONITOR_BYTES];
static struct upper upper;
static struct kin kins[MODEL_SLOTS];
static struct act_more mores[MODEL_SLOTS];
static _Atomic int heard[MODEL_SLOTS]; /* signals to the actor */
static int reasons[MODEL_SLOTS];       /* of the last */
static bsk_monitor token;
static bool in_time; /* the tie was taken out */

static void record_is_put(struct slab_item *item)
{
    struct monitor *m = (struct monitor *)(void *)item;
    mdl_assert(!m->tie.listed);
    mdl_write(&m->down);
}

struct kin *kin_of(bsk_self *a)
{
    return act_kin(a);
}

void act_set_error(bsk_self *self, int rc)
{
    mdl_assert(self && !rc);
}

bool act_control(struct worker *w, struct bsk_rt *rt, bsk_self *a, uint32_t gen, uint32_t bits)
{
    mdl_assert(w && rt && a && gen && !bits);
    return false;
}

struct bsk_msg *snd_block(struct worker *w, struct bsk_rt *rt, size_t body_size)
{
    mdl_assert(rt == &model_rt);
    return model_get(&w->pool, MSG_HEAD + body_size);
}

void snd_free_block(struct worker *w, struct bsk_rt *rt, struct bsk_msg *m)
{
    mdl_assert(rt == &model_rt);
    model_put(&w->pool, m);
}

void snd_free(struct worker *w, struct bsk_rt *rt, struct bsk_msg *m)
{
    snd_free_block(w, rt, m);
}

/* The mailbox: what is pushed is seen by who looks at the count. */
void snd_urgent(struct worker *w, struct bsk_rt *rt, bsk_addr to, struct bsk_msg *m)
{
    reasons[to.slot] = m->type == &bsk_down_bsk ? (int)((bsk_down *)(void *)m->body)->reason
                                                : (int)((bsk_left *)(void *)m->body)->reason;
    snd_free(w, rt, m);
    atomic_fetch_add_explicit(&heard[to.slot], 1, memory_order_acq_rel);
}

static int heard_by(unsigned slot)
{
    return atomic_load_explicit(&heard[slot], memory_order_acquire);
}

static void setup(void)
{
    model_reset();
    heap_reset();
    memset(&upper, 0, sizeof upper);
    model_rt.upper = &upper;
    records_reset(&upper.monitors, monitors, MONITOR_BYTES);
    memset(kins, 0, sizeof kins);
    in_time = false;
    for (unsigned i = 0; i < MODEL_SLOTS; i++) {
        bsk_self *a = model_actor(i, NULL, 4, BSK_REFUSE);
        a->worker = &model_workers[i];
        mores[i] = (struct act_more){.kin = &kins[i]};
        a->more = &mores[i];
        atomic_init(&a->ties, act_no_ties(1));
        atomic_init(&a->flags, ACT_TRAP_EXIT);
        atomic_init(&heard[i], 0);
        reasons[i] = -1;
    }
}

static void setup_watched(void)
{
    setup();
    token = bsk_watch(&model_slots[OTHER], model_addr(ENDS, 1));
}

static void setup_linked(void)
{
    setup();
    mdl_assert(bsk_link(&model_slots[OTHER], model_addr(ENDS, 1)) == 0);
}

/* As act_end and the hooks do it. */
static void end(unsigned slot, enum bsk_reason reason)
{
    struct worker *w = model_me();
    bsk_self *a = &model_slots[slot];
    mon_release_all(w, &kins[slot]);
    atomic_store_explicit(&a->item.gen, act_gen(a) + 1, memory_order_release);
    uintptr_t ties = atomic_fetch_or_explicit(&a->ties, TIES_CLOSED, memory_order_acquire);
    if (ties && !(ties & TIES_NONE)) tie_fire_all(w, a, reason, NULL);
}

/* As spawn_actor does it. */
static void respawn(unsigned slot, struct tie *t)
{
    bsk_self *a = &model_slots[slot];
    uint32_t gen = act_gen(a) + 1;
    atomic_store_explicit(&a->ties, act_no_ties(gen), memory_order_relaxed);
    if (t) {
        t->of = model_addr(slot, gen);
        tie_list_new(a, t);
    }
    atomic_store_explicit(&a->item.gen, gen, memory_order_release);
}

static void end_first(void)
{
    end(ENDS, FIRST);
}

static void end_other(void)
{
    end(OTHER, SECOND);
}

static void end_and_end_again(void)
{
    end(ENDS, FIRST);
    respawn(ENDS, NULL);
    end(ENDS, SECOND);
}

/* The next one is born watched. */
static void end_and_be_watched(void)
{
    int rc;
    bsk_monitor own;
    bsk_self *third = &model_slots[THIRD];
    end(ENDS, FIRST);
    third->worker = model_me();
    struct tie *t = mon_new(third, "", &own, &rc);
    respawn(ENDS, t);
    end(ENDS, SECOND);
    mdl_assert(heard_by(THIRD) == 1 && reasons[THIRD] == SECOND);
    bsk_unwatch_flush(third, own);
}

static void watch_it(void)
{
    token = bsk_watch(&model_slots[OTHER], model_addr(ENDS, 1));
}

static void unwatch(void)
{
    in_time = bsk_unwatch(&model_slots[OTHER], token);
    if (!in_time) mdl_assert(heard_by(OTHER) == 1);
}

static void watch_and_unwatch(void)
{
    watch_it();
    unwatch();
}

static void count_ties(void)
{
    bsk_ties_out out = {0, 0};
    tie_count(&model_rt, model_addr(ENDS, 1), &out);
    mdl_assert(out.links <= 1 && out.watchers <= 1);
}

static void nothing_is_left(void)
{
    mdl_assert(model_nlive == 0);
    for (unsigned i = 0; i < LINK_STRIPES; i++) {
        mdl_assert(!upper.links[i].n);
        mem_free(upper.links[i].chains);
    }
    mdl_assert(heap_live == 0 && records_taken == records_put);
}

static void it_heard_once(void)
{
    mdl_assert(heard_by(OTHER) == 1);
    mdl_assert(reasons[OTHER] == FIRST || reasons[OTHER] == BSK_NO_ACTOR);
    bsk_unwatch_flush(&model_slots[OTHER], token);
    nothing_is_left();
}

static void it_heard_or_was_in_time(void)
{
    mdl_assert(heard_by(OTHER) == !in_time);
    bsk_unwatch_flush(&model_slots[OTHER], token);
    nothing_is_left();
}

static void it_heard_once_at_most(void)
{
    mdl_assert(heard_by(OTHER) <= 1);
    nothing_is_left();
}

static void link_them(void)
{
    mdl_assert(bsk_link(&model_slots[OTHER], model_addr(ENDS, 1)) == 0);
}

static bool has_heard(void *arg)
{
    mdl_assert(!arg);
    return atomic_load_explicit(&heard[OTHER], memory_order_relaxed) == 1;
}

/* It links again to one whose end it has heard of. */
static void link_again(void)
{
    mdl_wait(has_heard, NULL);
    mdl_assert(heard_by(OTHER) == 1);
    link_them();
    mdl_assert(heard_by(OTHER) == 2 && reasons[OTHER] == BSK_NO_ACTOR);
}

static void unlink_other(void)
{
    bsk_unlink(&model_slots[OTHER], model_addr(ENDS, 1));
    in_time = !heard_by(OTHER);
}

static void unlink_and_end(void)
{
    bsk_unlink(&model_slots[ENDS], model_addr(OTHER, 1));
    end_first();
    mdl_assert(!heard_by(OTHER));
}

static void unlink_then_link(void)
{
    bsk_unlink(&model_slots[OTHER], model_addr(ENDS, 1));
    link_them();
}

static void it_heard_of_the_link_once(void)
{
    mdl_assert(heard_by(OTHER) == 1);
    nothing_is_left();
}

static void it_heard_before_or_never(void)
{
    mdl_assert(heard_by(OTHER) == !in_time);
    nothing_is_left();
}

static void it_heard_twice(void)
{
    mdl_assert(heard_by(OTHER) == 2);
    nothing_is_left();
}

static void one_heard_at_most(void)
{
    mdl_assert(heard_by(OTHER) + heard_by(ENDS) <= 1);
    nothing_is_left();
}

static void it_heard_twice_at_most(void)
{
    mdl_assert(heard_by(OTHER) == 1 || heard_by(OTHER) == 2);
    nothing_is_left();
}

static void explore(const char *name, void (*before)(void), void (*one)(void), void (*two)(void),
                    void (*three)(void), void (*check)(void))
{
    mdl_run(&(struct mdl_program){.name = name,
                                  .setup = before,
                                  .threads = {one, two, three},
                                  .preemptions = three ? 2 : 4,
                                  .stale = 1,
                                  .check = check});
}

START_TEST(a_watcher_hears_once)
{
    explore("a watch and an end", setup, end_first, watch_it, NULL, it_heard_once);
    explore("a watch, an end, a count", setup, end_first, watch_it, count_ties, it_heard_once);
    explore("a watch and the slot's next actor", setup, end_and_end_again, watch_it, NULL,
            it_heard_once);
    explore("a watch and the slot's next actor, which is watched", setup, end_and_be_watched,
            watch_it, NULL, it_heard_once);
}
END_TEST

START_TEST(an_unwatch_is_in_time_or_the_message_is_there)
{
    explore("an unwatch and an end", setup_watched, end_first, unwatch, NULL,
            it_heard_or_was_in_time);
    explore("a watch, an unwatch and an end", setup, end_first, watch_and_unwatch, NULL,
            it_heard_or_was_in_time);
    explore("a watcher's end and an end", setup_watched, end_first, end_other, NULL,
            it_heard_once_at_most);
}
END_TEST

START_TEST(a_link_is_heard_of_once)
{
    explore("a link and an end", setup, end_first, link_them, NULL, it_heard_of_the_link_once);
    explore("a link and the slot's next actor", setup, end_and_end_again, link_them, NULL,
            it_heard_of_the_link_once);
    explore("a link, and another when that is heard of", setup_linked, end_first, link_again, NULL,
            it_heard_twice);
    explore("two linked ones end", setup_linked, end_first, end_other, NULL, one_heard_at_most);
    explore("two linked ones end, and are counted", setup_linked, end_first, end_other, count_ties,
            one_heard_at_most);
}
END_TEST

START_TEST(an_unlink_is_final)
{
    explore("an unlink and an end", setup_linked, end_first, unlink_other, NULL,
            it_heard_before_or_never);
    explore("both unlink and one ends", setup_linked, unlink_and_end, unlink_other, NULL,
            it_heard_before_or_never);
    explore("an unlink, a link and an end", setup_linked, end_first, unlink_then_link, NULL,
            it_heard_twice_at_most);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("tie");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_watcher_hears_once);
    tcase_add_test(tc, an_unwatch_is_in_time_or_the_message_is_there);
    tcase_add_test(tc, a_link_is_heard_of_once);
    tcase_add_test(tc, an_unlink_is_final);

    Suite *suite = suite_create("tie");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
