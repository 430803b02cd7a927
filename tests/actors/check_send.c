/* SPDX-License-Identifier: MIT */
/* check_send.c - tell, try, send: their codes, what a full mailbox does, whose a message is. */
#include "fixture.h"

#include <pthread.h>

BSK_LOCAL(held, held_drop, (char *, text), (int, n));
BSK_MSG(parcel, (blob, data), (i64, n));

static bsk_rt *rt;
static unsigned drops;

void held_drop(void *body)
{
    struct held *h = body;
    ck_assert_ptr_nonnull(h->text);
    free(h->text);
    drops++;
}

static void setup(void)
{
    rt = bsk_start(.seed = 41, FIX_TRACED);
    ck_assert_ptr_nonnull(rt);
}

static void say_num(bsk_self *self, bsk_msg *m)
{
    char text[32];
    ck_assert_ptr_nonnull(self);
    bsk_match(m) {
        bsk_on(num, n) {
            snprintf(text, sizeof text, "%lld ", (long long)n->v);
            fix_say(text);
        }
        bsk_on(held, h) fix_say(h->text);
        bsk_on(note, n) fix_say(n->text);
        bsk_on(stop_it, s) bsk_exit(self);
    }
}

static void sleep_on(bsk_self *self)
{
    while (bsk_sleep(self, BSK_FOREVER) == 0) continue;
}

/* Receives only when it is told that it may. */
static void sluggish(bsk_self *self)
{
    bsk_msg *m;
    bsk_sleep(self, *(int64_t *)bsk_state(self));
    while ((m = bsk_recv(self, BSK_FOREVER))) say_num(self, m);
}

static bsk_addr slug(uint32_t mailbox, enum bsk_overflow overflow)
{
    int64_t ms = 100;
    return fix_born(
        bsk_spawn(rt, sluggish, .mailbox = mailbox, .overflow = overflow, BSK_STATE(int64_t, ms)));
}

static uint64_t refusals(void)
{
    bsk_stats_out out;
    bsk_stats(rt, &out);
    return out.refused;
}

/* A full mailbox. */

START_TEST(a_mailbox_holds_exactly_its_capacity)
{
    setup();
    uint32_t sizes[] = {1, 2, 3, 63, 64, 65, 1024};
    for (int i = 0; i < 7; i++) {
        bsk_addr a = fix_born(bsk_spawn(rt, sleep_on, .mailbox = sizes[i]));
        for (uint32_t k = 0; k < sizes[i]; k++) ck_assert_int_eq(bsk_try(a, num, k), 0);
        for (int k = 0; k < 3; k++) ck_assert_int_eq(bsk_try(a, num, k), BSK_EFULL);
    }
    ck_assert_uint_eq(refusals(), 21);
    ck_assert_uint_eq(fix_dead_all(), 0);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(what_is_told_to_a_full_mailbox_is_a_dead_letter)
{
    setup();
    bsk_addr a = slug(2, BSK_REFUSE);
    for (int i = 0; i < 5; i++) bsk_tell(a, num, i);
    ck_assert_uint_eq(fix_dead(&num_bsk, BSK_DEAD_REFUSED), 3);
    bsk_advance(rt, 200);
    ck_assert_str_eq(fix_said(), "0 1 ");
    ck_assert_uint_eq(refusals(), 3);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(the_newest_is_dropped_where_that_was_declared)
{
    setup();
    bsk_addr a = slug(2, BSK_DROP_NEWEST);
    for (int i = 0; i < 5; i++) ck_assert_int_eq(bsk_try(a, num, i), 0);
    bsk_tell(a, num, 5);
    ck_assert_uint_eq(fix_dead(&num_bsk, BSK_DEAD_DROPPED), 4);
    bsk_advance(rt, 200);
    ck_assert_str_eq(fix_said(), "0 1 ");
    ck_assert_uint_eq(fix_dead_all(), 4);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(the_oldest_is_dropped_where_that_was_declared)
{
    setup();
    bsk_addr a = slug(2, BSK_DROP_OLDEST);
    for (int i = 0; i < 5; i++) ck_assert_int_eq(bsk_try(a, num, i), 0);
    bsk_tell(a, num, 5);
    ck_assert_uint_eq(fix_dead(&num_bsk, BSK_DEAD_DROPPED), 4);
    bsk_advance(rt, 200);
    ck_assert_str_eq(fix_said(), "4 5 ");
    ck_assert_uint_eq(fix_dead_all(), 4);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(a_mailbox_of_one_that_drops_the_oldest_holds_the_last)
{
    setup();
    bsk_addr a = slug(1, BSK_DROP_OLDEST);
    for (int i = 0; i < 1000; i++) ck_assert_int_eq(bsk_try(a, num, i), 0);
    bsk_advance(rt, 200);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(bsk_try(a, num, i), 0);
        bsk_advance(rt, 1);
    }
    ck_assert_str_eq(fix_said(), "999 0 1 2 3 4 5 6 7 8 9 ");
    ck_assert_uint_eq(fix_dead(&num_bsk, BSK_DEAD_DROPPED), 999);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(the_actor_fails_where_that_was_declared)
{
    setup();
    bsk_addr a = slug(2, BSK_FAIL),
             b = fix_born(bsk_spawn(rt, say_num, .mailbox = 1, .overflow = BSK_FAIL));
    for (int i = 0; i < 2; i++) ck_assert_int_eq(bsk_try(a, num, i), 0);
    ck_assert(bsk_alive(a));
    ck_assert_int_eq(bsk_try(a, num, 2), BSK_EFULL);
    ck_assert(!bsk_alive(a));
    bsk_tell(b, num, 7);
    bsk_tell(b, num, 8);
    bsk_advance(rt, 1);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_FAILED);
    ck_assert_str_eq(fix_end_of(a).text, "mailbox overflow");
    ck_assert_str_eq(fix_end_of(b).text, "mailbox overflow");
    ck_assert_uint_eq(fix_dead(&num_bsk, BSK_DEAD_UNHANDLED), 3);
    ck_assert_uint_eq(fix_dead(&num_bsk, BSK_DEAD_REFUSED), 1);
    fix_stop(rt, 1);
}
END_TEST

START_TEST(a_margin_leaves_places_free)
{
    setup();
    bsk_addr a = slug(10, BSK_REFUSE);
    for (int i = 0; i < 6; i++) ck_assert_int_eq(bsk_try_margin(a, 4, num, i), 0);
    ck_assert_int_eq(bsk_try_margin(a, 4, num, 6), BSK_EFULL);
    ck_assert_int_eq(bsk_try_margin(a, 3, num, 6), 0);
    ck_assert_int_eq(bsk_try_margin(a, 3, num, 7), BSK_EFULL);
    ck_assert_int_eq(bsk_try_margin(a, UINT32_MAX, num, 7), BSK_EFULL);
    ck_assert_int_eq(bsk_try_margin(a, UINT32_MAX - 1, num, 7), BSK_EFULL);
    for (int i = 7; i < 10; i++) ck_assert_int_eq(bsk_try_margin(a, 0, num, i), 0);
    ck_assert_int_eq(bsk_try_margin(a, 0, num, 7), BSK_EFULL);
    bsk_advance(rt, 200);
    ck_assert_str_eq(fix_said(), "0 1 2 3 4 5 6 7 8 9 ");
    fix_stop(rt, 0);
}
END_TEST

/* A margin is the sender's wish: it drops and fails nobody. */
START_TEST(a_margin_does_not_call_the_policy)
{
    setup();
    enum bsk_overflow all[] = {BSK_REFUSE, BSK_DROP_NEWEST, BSK_DROP_OLDEST, BSK_FAIL};
    for (int i = 0; i < 4; i++) {
        bsk_addr a = fix_born(bsk_spawn(rt, sleep_on, .mailbox = 4, .overflow = all[i]));
        ck_assert_int_eq(bsk_try(a, num, 1), 0);
        ck_assert_int_eq(bsk_try_margin(a, 3, num, 2), BSK_EFULL);
        bsk_advance(rt, 1);
        ck_assert(bsk_alive(a));
    }
    ck_assert_uint_eq(fix_dead_all(), 0);
    fix_stop(rt, 0);
}
END_TEST

/* The codes. */

START_TEST(each_word_says_why_it_did_not_send)
{
    setup();
    bsk_addr dead = fix_born(bsk_spawn(rt, say_num)), full = slug(1, BSK_REFUSE);
    bsk_addr closed = slug(8, BSK_REFUSE), nobody = {0, 0, 0}, foreign = {dead.node + 1, 0, 1};
    ck_assert_int_eq(bsk_kill(dead), 0);
    ck_assert_int_eq(bsk_drain(closed, BSK_FOREVER), 0);
    ck_assert_int_eq(bsk_try(full, num, 0), 0);
    ck_assert_int_eq(bsk_try(closed, num, 0), BSK_ECLOSED);
    ck_assert_int_eq(bsk_send(NULL, closed, 10, num, 0), BSK_ECLOSED);
    ck_assert_int_eq(bsk_send(NULL, full, 0, num, 0), BSK_ETIMEDOUT);
    ck_assert_int_eq(bsk_try(full, num, 0), BSK_EFULL);
    bsk_advance(rt, 1);
    bsk_addr lost[] = {dead, nobody, foreign};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(bsk_try(lost[i], num, 0), BSK_EDEAD);
        ck_assert_int_eq(bsk_try_margin(lost[i], 1, num, 0), BSK_EDEAD);
        ck_assert_int_eq(bsk_send(NULL, lost[i], 10, num, 0), BSK_EDEAD);
        ck_assert_int_eq(bsk_send(NULL, lost[i], BSK_FOREVER, num, 0), BSK_EDEAD);
    }
    ck_assert_uint_eq(fix_dead_all(), 0);
    bsk_tell(dead, num, 0);
    bsk_tell(closed, num, 0);
    ck_assert_uint_eq(fix_dead(&num_bsk, BSK_DEAD_GONE), 1);
    ck_assert_uint_eq(fix_dead(&num_bsk, BSK_DEAD_REFUSED), 1);
    fix_stop(rt, 0);
}
END_TEST

static void tell_strangers(bsk_self *self)
{
    bsk_addr me = bsk_me(self);
    bsk_tell(fix_addr(0, 0, 0), num, 1);
    bsk_tell(fix_addr(me.node ^ 1, me.slot, me.gen), num, 1);
    bsk_tell(fix_addr(me.node, me.slot, me.gen + 2), num, 1);
    bsk_tell(fix_addr(me.node, UINT32_MAX, 1), num, 1);
}

START_TEST(what_an_actor_tells_to_strangers_is_a_dead_letter_at_home)
{
    setup();
    fix_born(bsk_spawn(rt, tell_strangers));
    bsk_advance(rt, 1);
    ck_assert_uint_eq(fix_dead(&num_bsk, BSK_DEAD_GONE), 4);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(without_memory_nothing_is_sent_and_all_say_so)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, say_num));
    char long_text[2000];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    mem_fail_at(1, 1);
    ck_assert_int_eq(bsk_try(a, note, long_text), BSK_ENOMEM);
    ck_assert_int_eq(bsk_send(NULL, a, 10, note, long_text), BSK_ENOMEM);
    bsk_tell(a, note, long_text);
    mem_fail_at(0, 0);
    ck_assert_uint_eq(fix_dead(&note_bsk, BSK_DEAD_NOMEM), 1);
    ck_assert_uint_eq(fix_dead_all(), 1);
    fix_stop(rt, 0);
}
END_TEST

/* bsk_send. */

static void send_three(bsk_self *self)
{
    bsk_addr to = *(bsk_addr *)bsk_state(self);
    for (int i = 0; i < 3; i++) ck_assert_int_eq(bsk_send(self, to, 1000, num, i), 0);
    fix_say("sent ");
}

START_TEST(a_fiber_waits_for_room_as_long_as_it_says)
{
    setup();
    bsk_addr a = slug(1, BSK_REFUSE);
    fix_born(bsk_spawn(rt, send_three, .state = &a, .state_size = sizeof a));
    bsk_advance(rt, 99);
    ck_assert_str_eq(fix_said(), "");
    bsk_advance(rt, 1);
    ck_assert_ptr_nonnull(strstr(fix_said(), "0 1 "));
    ck_assert_ptr_nonnull(strstr(fix_said(), "sent "));
    fix_stop(rt, 0);
}
END_TEST

static void send_late(bsk_self *self)
{
    bsk_addr to = *(bsk_addr *)bsk_state(self);
    int64_t times[] = {0, 1, 50};
    for (int i = 0; i < 3; i++) {
        int64_t begin = bsk_now(rt);
        ck_assert_int_eq(bsk_send(self, to, times[i], num, i), BSK_ETIMEDOUT);
        ck_assert_int_eq(bsk_now(rt) - begin, times[i]);
    }
    fix_say("late ");
}

START_TEST(a_send_ends_with_its_time)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, sleep_on, .mailbox = 1));
    ck_assert_int_eq(bsk_try(a, num, 0), 0);
    fix_born(bsk_spawn(rt, send_late, .state = &a, .state_size = sizeof a));
    bsk_advance(rt, 100);
    ck_assert_str_eq(fix_said(), "late ");
    int64_t begin = bsk_now(rt);
    ck_assert_int_eq(bsk_send(NULL, a, 30, num, 1), BSK_ETIMEDOUT);
    ck_assert_int_eq(bsk_now(rt) - begin, 30);
    fix_stop(rt, 0);
}
END_TEST

static void send_to_the_dying(bsk_self *self)
{
    bsk_addr to = *(bsk_addr *)bsk_state(self);
    int rc = bsk_send(self, to, BSK_FOREVER, num, 7);
    fix_say(bsk_errname(rc));
    fix_say(" ");
}

START_TEST(a_wait_for_room_ends_with_the_receiver_or_its_mailbox)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, sleep_on, .mailbox = 1)), b = slug(1, BSK_REFUSE);
    ck_assert_int_eq(bsk_try(a, num, 0), 0);
    ck_assert_int_eq(bsk_try(b, num, 0), 0);
    fix_born(bsk_spawn(rt, send_to_the_dying, .state = &a, .state_size = sizeof a));
    fix_born(bsk_spawn(rt, send_to_the_dying, .state = &a, .state_size = sizeof a));
    bsk_advance(rt, 10);
    ck_assert_int_eq(bsk_kill(a), 0);
    bsk_advance(rt, 10);
    ck_assert_str_eq(fix_said(), "EDEAD EDEAD ");
    fix_born(bsk_spawn(rt, send_to_the_dying, .state = &b, .state_size = sizeof b));
    bsk_advance(rt, 10);
    ck_assert_int_eq(bsk_drain(b, BSK_FOREVER), 0);
    bsk_advance(rt, 100);
    ck_assert_ptr_nonnull(strstr(fix_said(), "ECLOSED "));
    fix_stop(rt, 0);
}
END_TEST

static void *send_many(void *to)
{
    for (int64_t i = 0; i < 3000; i++)
        if (bsk_send(NULL, *(bsk_addr *)to, BSK_FOREVER, num, i)) return NULL;
    return to;
}

static void send_many_fiber(bsk_self *self)
{
    bsk_addr to = *(bsk_addr *)bsk_state(self);
    for (int64_t i = 0; i < 3000; i++) ck_assert_int_eq(bsk_send(self, to, BSK_FOREVER, num, i), 0);
}

static void count_num(bsk_self *self, bsk_msg *m)
{
    int64_t *n = bsk_state(self);
    bsk_match(m) {
        bsk_on(num, x) {
            ck_assert_uint_le(bsk_mailbox_len(self), 2);
            if (++*n == 15000) bsk_exit(self);
        }
    }
}

START_TEST(threads_and_fibers_share_a_mailbox_of_two)
{
    rt = bsk_start(.workers = 2, FIX_HOOKS);
    int64_t zero = 0;
    bsk_addr a = fix_born(bsk_spawn(rt, count_num, .mailbox = 2, BSK_STATE(int64_t, zero)));
    pthread_t t[2];
    for (int i = 0; i < 3; i++)
        fix_born(bsk_spawn(rt, send_many_fiber, .state = &a, .state_size = sizeof a));
    for (int i = 0; i < 2; i++) ck_assert_int_eq(pthread_create(&t[i], NULL, send_many, &a), 0);
    for (int i = 0; i < 2; i++) {
        void *ok;
        pthread_join(t[i], &ok);
        ck_assert_ptr_eq(ok, &a);
    }
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_uint_eq(fix_dead_all(), 0);
}
END_TEST

/* Whose it is: messages that carry a pointer. */

static char *text_of(const char *text)
{
    char *copy = malloc(strlen(text) + 1);
    return strcpy(copy, text);
}

START_TEST(a_local_message_is_dropped_once_after_it_was_handled)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, say_num));
    bsk_tell(a, held, .text = text_of("a "));
    ck_assert_int_eq(bsk_try(a, held, .text = text_of("b ")), 0);
    ck_assert_int_eq(bsk_send(NULL, a, 10, held, .text = text_of("c ")), 0);
    ck_assert_uint_eq(drops, 0);
    bsk_advance(rt, 1);
    ck_assert_str_eq(fix_said(), "a b c ");
    ck_assert_uint_eq(drops, 3);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(what_is_told_in_vain_is_dropped_for_the_teller)
{
    setup();
    bsk_addr full = slug(1, BSK_REFUSE), dead = fix_born(bsk_spawn(rt, say_num));
    ck_assert_int_eq(bsk_kill(dead), 0);
    bsk_advance(rt, 1);
    ck_assert_int_eq(bsk_try(full, num, 1), 0);
    bsk_tell(full, held, .text = text_of("full"));
    bsk_tell(dead, held, .text = text_of("dead"));
    bsk_tell(fix_addr(0, 0, 0), held, .text = text_of("nobody"));
    bsk_tell(fix_addr(12345, 0, 1), held, .text = text_of("stranger"));
    ck_assert_uint_eq(drops, 4);
    mem_fail_at(1, 1);
    char *nomem = text_of("nomem");
    for (int i = 0; i < 500; i++) {
        int rc = bsk_try(full, held, .text = nomem);
        ck_assert(rc == BSK_ENOMEM || rc == BSK_EFULL);
    }
    mem_fail_at(0, 0);
    ck_assert_uint_eq(drops, 4);
    free(nomem);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(what_a_try_or_send_refused_stays_the_senders)
{
    setup();
    bsk_addr full = slug(1, BSK_REFUSE), fails = slug(1, BSK_FAIL),
             dead = fix_born(bsk_spawn(rt, say_num));
    ck_assert_int_eq(bsk_try(full, num, 1), 0);
    ck_assert_int_eq(bsk_try(fails, num, 1), 0);
    ck_assert_int_eq(bsk_kill(dead), 0);
    bsk_advance(rt, 1);
    char *mine = text_of("mine ");
    ck_assert_int_eq(bsk_try(full, held, .text = mine), BSK_EFULL);
    ck_assert_int_eq(bsk_try_margin(full, 3, held, .text = mine), BSK_EFULL);
    ck_assert_int_eq(bsk_try(fails, held, .text = mine), BSK_EFULL);
    ck_assert_int_eq(bsk_try(dead, held, .text = mine), BSK_EDEAD);
    ck_assert_int_eq(bsk_send(NULL, full, 5, held, .text = mine), BSK_ETIMEDOUT);
    ck_assert_int_eq(bsk_send(NULL, dead, 5, held, .text = mine), BSK_EDEAD);
    ck_assert_uint_eq(drops, 0);
    bsk_advance(rt, 200);
    ck_assert_int_eq(bsk_try(full, held, .text = mine), 0);
    bsk_advance(rt, 1);
    ck_assert_uint_eq(drops, 1);
    ck_assert_str_eq(fix_said(), "1 mine ");
    fix_stop(rt, 1);
}
END_TEST

START_TEST(what_a_policy_drops_is_dropped_once)
{
    setup();
    bsk_addr newest = slug(1, BSK_DROP_NEWEST), oldest = slug(1, BSK_DROP_OLDEST);
    ck_assert_int_eq(bsk_try(newest, held, .text = text_of("first ")), 0);
    ck_assert_int_eq(bsk_try(newest, held, .text = text_of("second ")), 0);
    ck_assert_int_eq(bsk_try(oldest, held, .text = text_of("third ")), 0);
    bsk_tell(oldest, held, .text = text_of("fourth "));
    ck_assert_uint_eq(drops, 2);
    bsk_advance(rt, 200);
    ck_assert_uint_eq(drops, 4);
    ck_assert(strcmp(fix_said(), "first fourth ") == 0 || strcmp(fix_said(), "fourth first ") == 0);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(what_nobody_received_is_dropped_with_the_mailbox)
{
    setup();
    bsk_addr a = slug(10, BSK_REFUSE);
    for (int i = 0; i < 10; i++) bsk_tell(a, held, .text = text_of("x"));
    ck_assert_int_eq(bsk_kill(a), 0);
    bsk_advance(rt, 1);
    ck_assert_uint_eq(drops, 10);
    ck_assert_uint_eq(fix_dead(&held_bsk, BSK_DEAD_UNHANDLED), 10);
    a = slug(10, BSK_REFUSE);
    for (int i = 0; i < 10; i++) bsk_tell(a, held, .text = text_of("x"));
    fix_stop(rt, 0);
    ck_assert_uint_eq(drops, 20);
}
END_TEST

/* Blobs. */

static void release_it(void *data, void *arg)
{
    ck_assert_ptr_nonnull(data);
    ++*(int *)arg;
}

static const void *seen;

static void take_parcel(bsk_self *self, bsk_msg *m)
{
    bsk_blob **keep = bsk_state(self);
    bsk_match(m) {
        bsk_on(parcel, p) {
            seen = p->data ? bsk_blob_bytes(p->data).ptr : NULL;
            if (p->n == 1) *keep = bsk_blob_hold(p->data);
        }
        bsk_on(stop_it, s) bsk_blob_drop(*keep);
    }
}

START_TEST(a_blob_is_shared_and_lives_as_long_as_anyone_holds_it)
{
    setup();
    static char data[100000];
    int released = 0;
    bsk_blob *b = bsk_blob_take(data, sizeof data, release_it, &released), *none = NULL;
    ck_assert_ptr_nonnull(b);
    bsk_addr a = fix_born(bsk_spawn(rt, take_parcel, BSK_STATE(bsk_blob *, none)));
    int64_t live = mem_live();
    for (int i = 0; i < 10; i++) ck_assert_int_eq(bsk_try(a, parcel, .data = b, .n = i), 0);
    ck_assert_int_eq(mem_live(), live);
    bsk_blob_drop(b);
    ck_assert_int_eq(released, 0);
    bsk_advance(rt, 1);
    ck_assert_ptr_eq(seen, data);
    ck_assert_int_eq(released, 0);
    bsk_tell(a, stop_it);
    bsk_advance(rt, 1);
    ck_assert_int_eq(released, 1);
    bsk_tell(a, parcel, .data = NULL);
    bsk_advance(rt, 1);
    ck_assert_ptr_null(seen);
    fix_stop(rt, 0);
}
END_TEST

START_TEST(a_refused_blob_is_held_by_its_sender_only)
{
    setup();
    static char data[10];
    int released = 0;
    bsk_blob *b = bsk_blob_take(data, sizeof data, release_it, &released);
    bsk_addr full = slug(1, BSK_REFUSE), newest = slug(1, BSK_DROP_NEWEST),
             oldest = slug(1, BSK_DROP_OLDEST);
    ck_assert_int_eq(bsk_try(full, num, 1), 0);
    ck_assert_int_eq(bsk_try(newest, num, 1), 0);
    ck_assert_int_eq(bsk_try(full, parcel, .data = b), BSK_EFULL);
    ck_assert_int_eq(bsk_try(fix_addr(0, 0, 0), parcel, .data = b), BSK_EDEAD);
    bsk_tell(full, parcel, .data = b);
    bsk_tell(fix_addr(0, 0, 0), parcel, .data = b);
    ck_assert_int_eq(bsk_try(newest, parcel, .data = b), 0);
    for (int i = 0; i < 5; i++) ck_assert_int_eq(bsk_try(oldest, parcel, .data = b), 0);
    ck_assert_int_eq(released, 0);
    ck_assert_int_eq(bsk_try(oldest, num, 1), 0);
    bsk_blob_drop(b);
    ck_assert_int_eq(released, 1);
    fix_stop(rt, 0);
}
END_TEST

/* Exact counts, on real threads: sent = handled + refused + dropped. */

enum { EACH = 20000 };
static _Atomic unsigned handled, told_no;

static void handle_it(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) {
            atomic_fetch_add(&handled, 1);
            ck_assert_uint_le(bsk_mailbox_len(self), 8);
        }
    }
}

static void *try_each(void *to)
{
    for (int64_t i = 0; i < EACH; i++)
        if (bsk_try(*(bsk_addr *)to, num, i)) atomic_fetch_add(&told_no, 1);
    return NULL;
}

static void try_each_fiber(bsk_self *self)
{
    try_each(bsk_state(self));
}

static void conserve(enum bsk_overflow overflow)
{
    rt = bsk_start(.workers = 2, .quiet = true, FIX_HOOKS);
    bsk_addr a = fix_born(bsk_spawn(rt, handle_it, .mailbox = 8, .overflow = overflow));
    pthread_t t;
    for (int i = 0; i < 2; i++)
        fix_born(bsk_spawn(rt, try_each_fiber, .state = &a, .state_size = sizeof a));
    ck_assert_int_eq(pthread_create(&t, NULL, try_each, &a), 0);
    pthread_join(t, NULL);
    bsk_stats_out out;
    do bsk_stats(rt, &out);
    while (out.actors > 1);
    ck_assert_int_eq(bsk_drain(a, BSK_FOREVER), 0);
    ck_assert_int_eq(bsk_wait(rt), 0);
    ck_assert_uint_eq(handled + told_no + fix_dead(NULL, BSK_DEAD_DROPPED), 3 * EACH);
    if (overflow == BSK_REFUSE)
        ck_assert_uint_eq(fix_dead_all(), 0);
    else
        ck_assert_uint_eq(told_no, 0);
    atomic_store(&handled, 0);
    atomic_store(&told_no, 0);
}

START_TEST(nothing_vanishes_where_messages_are_refused)
{
    conserve(BSK_REFUSE);
}
END_TEST

START_TEST(nothing_vanishes_where_the_newest_is_dropped)
{
    conserve(BSK_DROP_NEWEST);
}
END_TEST

START_TEST(nothing_vanishes_where_the_oldest_is_dropped)
{
    conserve(BSK_DROP_OLDEST);
}
END_TEST

FIX_MAIN(
    "send", 30, a_mailbox_holds_exactly_its_capacity,
    what_is_told_to_a_full_mailbox_is_a_dead_letter, the_newest_is_dropped_where_that_was_declared,
    the_oldest_is_dropped_where_that_was_declared,
    a_mailbox_of_one_that_drops_the_oldest_holds_the_last, the_actor_fails_where_that_was_declared,
    a_margin_leaves_places_free, a_margin_does_not_call_the_policy,
    each_word_says_why_it_did_not_send, what_an_actor_tells_to_strangers_is_a_dead_letter_at_home,
    without_memory_nothing_is_sent_and_all_say_so, a_fiber_waits_for_room_as_long_as_it_says,
    a_send_ends_with_its_time, a_wait_for_room_ends_with_the_receiver_or_its_mailbox,
    threads_and_fibers_share_a_mailbox_of_two, a_local_message_is_dropped_once_after_it_was_handled,
    what_is_told_in_vain_is_dropped_for_the_teller, what_a_try_or_send_refused_stays_the_senders,
    what_a_policy_drops_is_dropped_once, what_nobody_received_is_dropped_with_the_mailbox,
    a_blob_is_shared_and_lives_as_long_as_anyone_holds_it,
    a_refused_blob_is_held_by_its_sender_only, nothing_vanishes_where_messages_are_refused,
    nothing_vanishes_where_the_newest_is_dropped, nothing_vanishes_where_the_oldest_is_dropped)
