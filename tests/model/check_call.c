/* SPDX-License-Identifier: MIT */
/* check_call.c - the real records of calls: each returns once, by a reply, a loss or its deadline,
 * and a fiber that is killed in one leaves nothing.
 *
 * model: actors/wheel.c */
#include "records.h"

#include "actors/ask.c"

#include <check.h>
#include <stdlib.h>

BSK_MSG(total, (i64, n));
BSK_CALL(want, total, (i64, n));

#define DEADLINE (10 * NS_PER_MS)

static alignas(64) struct ask asks[RECORDS];
static int replies, losses, answered;
static struct fiber fiber;
static struct act_more more;
static struct foreign foreigner;
static struct mdl_park bell;
static _Atomic uint64_t sent; /* the request has come to those who answer */
static bool timed_out, returned;

static void record_is_put(struct slab_item *item)
{
    struct ask *k = (struct ask *)(void *)item;
    mdl_assert(!k->block);
    mdl_write(&k->block);
}

static void with_fiber(void)
{
    model_reset();
    records_reset(&model_rt.asks, asks, sizeof *asks);
    replies = losses = answered = 0;
    memset(&fiber, 0, sizeof fiber);
    memset(&foreigner, 0, sizeof foreigner);
    memset(&bell, 0, sizeof bell);
    atomic_init(&sent, 0);
    timed_out = returned = false;
    bsk_self *a = model_actor(0, NULL, 4, BSK_REFUSE);
    a->worker = &model_workers[0];
    a->worker->in_fiber = true;
    atomic_init(&a->worker->self, a);
    fiber.budget = 2;
    more = (struct act_more){.fiber = &fiber};
    a->more = &more;
}

void act_poke(struct worker *w, struct bsk_rt *rt, bsk_self *a)
{
    mdl_assert(w->rt == rt && a == &model_slots[0]);
    mdl_unpark(&bell);
}

void act_set_error(bsk_self *self, int rc)
{
    mdl_assert(self == &model_slots[0]);
    fiber.error = rc;
}

struct bsk_msg *snd_block(struct worker *w, struct bsk_rt *rt, size_t body_size)
{
    mdl_assert(rt == &model_rt);
    return model_get(w ? &w->pool : &model_me()->pool, MSG_HEAD + body_size);
}

void snd_free_block(struct worker *w, struct bsk_rt *rt, struct bsk_msg *m)
{
    mdl_assert(rt == &model_rt);
    model_put(w ? &w->pool : &model_me()->pool, m);
}

void snd_free(struct worker *w, struct bsk_rt *rt, struct bsk_msg *m)
{
    snd_free_block(w, rt, m);
}

int room_send(bsk_self *self, struct bsk_rt *rt, bsk_addr to, uint64_t deadline,
              const bsk_type *type, const void *body, uint64_t ask)
{
    mdl_assert((self || rt) && to.gen && deadline && type == &want_bsk && body);
    atomic_store_explicit(&sent, ask, memory_order_release);
    return 0;
}

void fib_prepare(bsk_self *a, uint64_t state, uint64_t deadline, enum wait_kind kind, bsk_addr on)
{
    mdl_assert(a && state == MBOX_DEAF && deadline && kind == WAIT_REPLY && on.gen);
}

/* The fiber's sleep: until it is poked, or its deadline. */
void fib_swap(struct fib_context *from, struct fib_context *to)
{
    mdl_assert(from != to);
    if (!timed_out && mdl_choose(2)) {
        timed_out = true;
        model_rt.virtual_now = DEADLINE;
        return;
    }
    mdl_park(&bell);
}

bool bsk_cancelled(const bsk_self *self)
{
    return self != &model_slots[0];
}

void fib_turn(bsk_self *a)
{
    mdl_assert(a != &model_slots[0]);
}

struct foreign *thread_self(void)
{
    return &foreigner;
}

void thread_wait_begin(struct thread_wait *t)
{
    mdl_assert(t == &foreigner.wait);
}

int thread_wait_until(struct bsk_rt *rt, struct thread_wait *t, uint64_t deadline)
{
    mdl_assert(rt == &model_rt && t == &foreigner.wait);
    if (deadline != NEVER && mdl_choose(2)) return BSK_ETIMEDOUT;
    mdl_park(&bell);
    return 0;
}

void thread_wake(struct thread_wait *t)
{
    mdl_assert(t == &foreigner.wait && !returned);
    mdl_unpark(&bell);
}

const void *thread_keep(struct foreign *t, struct bsk_rt *rt, struct bsk_msg *m)
{
    mdl_assert(t == &foreigner && rt == &model_rt);
    t->reply = m;
    return m->body;
}

void thread_set_error(int rc)
{
    fiber.error = rc;
}

struct bsk_msg *pool_get_heap(struct pool *p, size_t size)
{
    return pool_get_shared(p, size);
}

/* A block knows no more where it came from: the class says so. */
void pool_put_heap(struct pool *p, struct bsk_msg *m)
{
    pool_put_shared(p, m);
}

static void check_reply(const void *body)
{
    const total *t = body;
    if (!t) {
        mdl_assert(fiber.error == BSK_ETIMEDOUT || fiber.error == BSK_ENOREPLY);
        losses++;
        return;
    }
    mdl_read(msg_of(t));
    mdl_assert(t->n == 5);
    replies++;
}

static void call_by_fiber(void)
{
    want q = {.n = 1};
    bsk_self *a = &model_slots[0];
    check_reply(call_in_fiber(a, DEADLINE, &want_bsk, &q, model_addr(1, 1), NULL));
    if (fiber.loans) snd_free(a->worker, &model_rt, fiber.loans);
    ask_release_call(a->worker, a);
}

/* The fiber is killed where it waits. */
static void call_and_be_killed(void)
{
    bsk_self *a = &model_slots[0];
    struct ask *k = call_record(a->worker, &fiber);
    k->owner = bsk_me(a);
    k->thread = NULL;
    k->call = true;
    mdl_assert(open_ask(a->worker, &model_rt, k, &want_bsk, sizeof(total), DEADLINE) == 0);
    atomic_store_explicit(&sent, ref_of(&model_rt, k), memory_order_release);
    ask_release_call(a->worker, a);
}

static void call_by_thread(void)
{
    want q = {.n = 1};
    check_reply(call_in_thread(&model_rt, DEADLINE, &want_bsk, &q, model_addr(1, 1), NULL));
    if (foreigner.reply) pool_put_shared(&model_rt.pool, foreigner.reply);
}

static bool was_sent(void *arg)
{
    (void)arg;
    return atomic_load_explicit(&sent, memory_order_acquire) != 0;
}

static void reply_to_call(void)
{
    mdl_wait(was_sent, NULL);
    total t = {.n = 5};
    uint64_t r = atomic_load_explicit(&sent, memory_order_relaxed);
    if (answer(model_me(), &model_rt, r, &want_bsk, &t) == 0) answered++;
}

static void drop_call(void)
{
    mdl_wait(was_sent, NULL);
    ask_dropped(model_me(), &model_rt, atomic_load_explicit(&sent, memory_order_relaxed));
}

static void all_is_free(void)
{
    mdl_assert(records_taken == 1 && records_put == 1 && model_nlive == 0 && answered <= 1);
}

static void it_returned_once(void)
{
    mdl_assert(replies + losses == 1 && replies <= answered);
    all_is_free();
}

START_TEST(a_call_returns_by_one_of_reply_loss_and_deadline)
{
    mdl_run(&(struct mdl_program){.name = "a fiber's call: reply, drop, deadline",
                                  .setup = with_fiber,
                                  .threads = {call_by_fiber, reply_to_call, drop_call},
                                  .stale = 1,
                                  .check = it_returned_once});
    mdl_run(&(struct mdl_program){.name = "a thread's call: reply, drop, deadline",
                                  .setup = with_fiber,
                                  .threads = {call_by_thread, reply_to_call, drop_call},
                                  .stale = 1,
                                  .check = it_returned_once});
    mdl_run(&(struct mdl_program){.name = "a fiber that is killed in a call",
                                  .setup = with_fiber,
                                  .threads = {call_and_be_killed, reply_to_call, drop_call},
                                  .stale = 1,
                                  .check = all_is_free});
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("call");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_call_returns_by_one_of_reply_loss_and_deadline);

    Suite *suite = suite_create("call");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
