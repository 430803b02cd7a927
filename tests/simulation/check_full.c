/* SPDX-License-Identifier: MIT */
/* check_full.c - 64,000 actors tell one full mailbox, under each policy: the books balance.
 *
 * ctest: timeout=120 */
#include "suite.h"

#include "actors/actors.h"
#include "tests/sanitizers.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <time.h>

#define SENDERS (UNDER_TSAN ? 16000 : 64000)
#define EACH 3
#define CAPACITY 100

BSK_MSG(full_go, (addr, to));
BSK_MSG(full_item, (i64, from), (i64, n));

static _Atomic uint64_t handled, dead[BSK_DEAD_COUNT], tried, refused;
static _Atomic int wrong;
static uint8_t last[SENDERS];

static void on_dead(void *arg, const bsk_dead_letter *d)
{
    if (arg != &handled) atomic_fetch_add(&wrong, 1);
    if (d->type == BSK_T(full_item))
        atomic_fetch_add_explicit(&dead[d->why], 1, memory_order_relaxed);
}

static void no_log(void *arg, enum bsk_level level, const char *line)
{
    if (arg != &handled || level > BSK_LOG_DEBUG || !line) atomic_fetch_add(&wrong, 1);
}

static void receive(bsk_self *self, bsk_msg *m)
{
    if (bsk_mailbox_len(self) > CAPACITY) atomic_fetch_add(&wrong, 1);
    bsk_match(m) {
        bsk_on(full_item, v) {
            if (v->n <= last[v->from]) atomic_fetch_add(&wrong, 1);
            last[v->from] = (uint8_t)v->n;
            atomic_fetch_add_explicit(&handled, 1, memory_order_relaxed);
        }
    }
}

/* Every second message is tried, the others are told. */
static void send(bsk_self *self, bsk_msg *m)
{
    int64_t me = *(int64_t *)bsk_state(self);
    bsk_match(m) {
        bsk_on(full_go, go) {
            for (int64_t n = 1; n <= EACH; n++) {
                if ((me + n) % 2) {
                    bsk_tell(go->to, full_item, .from = me, .n = n);
                    continue;
                }
                atomic_fetch_add_explicit(&tried, 1, memory_order_relaxed);
                if (bsk_try(go->to, full_item, .from = me, .n = n))
                    atomic_fetch_add_explicit(&refused, 1, memory_order_relaxed);
            }
            bsk_exit(self);
        }
    }
}

static uint64_t all_dead(void)
{
    uint64_t n = 0;
    for (int i = 0; i < BSK_DEAD_COUNT; i++) n += atomic_load(&dead[i]);
    return n;
}

/* Who is left is the receiver; all that was sent has come to its end. */
static void wait_for_rest(bsk_rt *rt)
{
    bsk_stats_out s;
    for (;;) {
        bsk_stats(rt, &s);
        if (s.actors <= 1 &&
            atomic_load(&handled) + all_dead() + atomic_load(&refused) == SENDERS * EACH)
            break;
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
}

static void flood(enum bsk_overflow overflow, unsigned workers, uint64_t seed)
{
    bsk_rt *rt = bsk_start(.workers = workers, .seed = seed, .no_signals = true, .quiet = true,
                           .dead_letter = on_dead, .log = no_log, .arg = &handled);
    ck_assert_ptr_nonnull(rt);
    bsk_addr to = bsk_spawn(rt, receive, .mailbox = CAPACITY, .overflow = overflow);
    for (int64_t i = 0; i < SENDERS; i++) {
        bsk_addr who = bsk_spawn(rt, send, BSK_STATE(int64_t, i));
        ck_assert(!bsk_is_nobody(who));
        ck_assert_int_eq(bsk_try(who, full_go, .to = to), 0);
    }
    if (seed)
        bsk_advance(rt, 1000);
    else
        wait_for_rest(rt);
    uint64_t in_hook = all_dead();
    bsk_stats_out s;
    bsk_stats(rt, &s);
    ck_assert_uint_eq(s.handled_user, atomic_load(&handled) + SENDERS);
    ck_assert_uint_eq(s.dead[BSK_DEAD_REFUSED], atomic_load(&dead[BSK_DEAD_REFUSED]));
    ck_assert_uint_eq(s.dead[BSK_DEAD_DROPPED], atomic_load(&dead[BSK_DEAD_DROPPED]));
    ck_assert_uint_eq(atomic_load(&handled) + in_hook + atomic_load(&refused), SENDERS * EACH);
    bsk_shutdown(rt);
    ck_assert_int_eq(bsk_wait(rt), overflow == BSK_FAIL && s.failed ? 1 : 0);
    ck_assert_uint_eq(all_dead(), in_hook);
    ck_assert_int_eq(atomic_load(&wrong), 0);
}

static const struct {
    enum bsk_overflow overflow;
    enum bsk_dead why; /* besides these, messages to a receiver that failed are gone */
} policies[] = {{BSK_REFUSE, BSK_DEAD_REFUSED},
                {BSK_DROP_NEWEST, BSK_DEAD_DROPPED},
                {BSK_DROP_OLDEST, BSK_DEAD_DROPPED},
                {BSK_FAIL, BSK_DEAD_REFUSED}};

START_TEST(sent_is_handled_refused_or_dropped)
{
    flood(policies[_i].overflow, 3, 0);
    if (policies[_i].overflow == BSK_FAIL) return;
    ck_assert_uint_eq(all_dead(), atomic_load(&dead[policies[_i].why]));
    if (policies[_i].overflow != BSK_REFUSE) ck_assert_uint_eq(atomic_load(&refused), 0);
}
END_TEST

START_TEST(sent_is_handled_refused_or_dropped_in_virtual_time)
{
    flood(policies[_i].overflow, 1, 7);
    ck_assert_uint_gt(all_dead(), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("full");
    TCase *c = tcase_create("policies");
    tcase_set_timeout(c, 30);
    tcase_add_loop_test(c, sent_is_handled_refused_or_dropped, 0, 4);
    tcase_add_loop_test(c, sent_is_handled_refused_or_dropped_in_virtual_time, 0, 4);
    suite_add_tcase(s, c);
    return run_suite(s);
}
