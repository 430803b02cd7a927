/* SPDX-License-Identifier: MIT */
/* check_end.c - the end of an actor: in which order, why, and what is left of it: nothing. */
#include "fixture.h"

#include "actors/ask.h"
#include "actors/send.h"

BSK_LOCAL(held, held_drop, (bsk_self *, fails), (const char *, what), (int, n));
BSK_LOCAL(bulky, bulky_drop, (bsk_self *, fails), (char, bytes[2000]));

static bsk_rt *rt;

void held_drop(void *body)
{
    struct held *h = body;
    fix_say(h->what);
    if (h->fails) bsk_fail(h->fails, "drop of %d", h->n);
}

void bulky_drop(void *body)
{
    struct bulky *b = body;
    fix_say("bulky ");
    if (b->fails) bsk_fail(b->fails, "bulky drop");
}

static void setup(void)
{
    rt = bsk_start(.seed = 21, FIX_TRACED);
    ck_assert_ptr_nonnull(rt);
}

static void say_it(void *what)
{
    fix_say(what);
}

/* The order. */

static void look_for_me(void *arg)
{
    bsk_self *self = arg;
    ck_assert(bsk_same(bsk_whereis(bsk_rt_of(self), "me"), bsk_me(self)));
    fix_say("named ");
}

static void fini_me(bsk_self *self)
{
    look_for_me(self);
    ck_assert_int_eq(*(int *)bsk_state(self), 77);
    fix_say("fini ");
}

static void init_me(bsk_self *self)
{
    char *text = bsk_alloc(self, 100);
    strcpy(text, "arena ");
    ck_assert_int_eq(bsk_defer(self, say_it, (void *)(uintptr_t) "first "), 0);
    ck_assert_int_eq(bsk_defer(self, look_for_me, self), 0);
    ck_assert_int_eq(bsk_defer(self, say_it, text), 0);
}

static void keep_request(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(get, g) (void)bsk_later(g, get);
        bsk_on(stop_it, s) bsk_exit(self);
    }
}

static void ask_it(bsk_self *self)
{
    bsk_addr me = bsk_whereis(bsk_rt_of(self), "me");
    ck_assert_ptr_null(bsk_call(self, me, BSK_FOREVER, get, 1));
    ck_assert_int_eq(bsk_error(self), BSK_ENOREPLY);
    ck_assert(bsk_is_nobody(bsk_whereis(bsk_rt_of(self), "me")));
    fix_say("asker ");
}

START_TEST(all_goes_last_in_first_out_before_anyone_hears_of_it)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, keep_request, .name = "me", .init = init_me,
                                    .fini = fini_me, BSK_STATE(int, 77)));
    fix_born(bsk_spawn(rt, ask_it));
    bsk_advance(rt, 1);
    ck_assert_str_eq(fix_said(), "");
    bsk_tell(a, stop_it);
    bsk_advance(rt, 1);
    ck_assert_str_eq(fix_said(), "named fini arena named first asker ");
    ck_assert_int_eq(fix_end_of(a).reason, BSK_NORMAL);
    fix_stop(rt, 0);
}
END_TEST

struct chain {
    bsk_self *self;
    int left;
};

static void defer_more(void *arg)
{
    struct chain *c = arg;
    fix_say("more ");
    if (c->left-- > 0) ck_assert_int_eq(bsk_defer(c->self, defer_more, c), 0);
}

static void defer_in_defer(bsk_self *self)
{
    struct chain *c = bsk_alloc(self, sizeof *c);
    *c = (struct chain){self, 3};
    ck_assert_int_eq(bsk_defer(self, say_it, (void *)(uintptr_t) "last "), 0);
    ck_assert_int_eq(bsk_defer(self, defer_more, c), 0);
}

START_TEST(a_clean_up_may_ask_for_another)
{
    setup();
    fix_born(bsk_spawn(rt, defer_in_defer));
    bsk_advance(rt, 1);
    ck_assert_str_eq(fix_said(), "more more more more last ");
    fix_stop(rt, 0);
}
END_TEST

static void fini_waits(bsk_self *self)
{
    ck_assert_int_eq(bsk_sleep(self, 1), BSK_EINVAL);
    ck_assert_int_eq(bsk_yield(self), BSK_EINVAL);
    ck_assert_ptr_null(bsk_recv(self, 1));
    ck_assert_int_eq(bsk_error(self), BSK_EINVAL);
    ck_assert_ptr_null(bsk_recv_only(self, 1, BSK_T(num)));
    ck_assert_int_eq(bsk_error(self), BSK_EINVAL);
    ck_assert_ptr_null(bsk_call(self, bsk_me(self), 1, get, 1));
    ck_assert_int_eq(bsk_error(self), BSK_EINVAL);
    ck_assert_int_eq(bsk_send(self, bsk_me(self), 1, num, 1), BSK_EINVAL);
    fix_say("refused ");
}

static void nothing(bsk_self *self)
{
    ck_assert_ptr_nonnull(self);
}

static void exit_at_once(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_else(any) bsk_exit(self);
    }
}

START_TEST(fini_must_not_wait)
{
    setup();
    fix_born(bsk_spawn(rt, nothing, .fini = fini_waits));
    bsk_tell(fix_born(bsk_spawn(rt, exit_at_once, .fini = fini_waits)), num, 1);
    bsk_advance(rt, 1);
    ck_assert_str_eq(fix_said(), "refused refused ");
    fix_stop(rt, 0);
}
END_TEST

static void fini_works(bsk_self *self)
{
    bsk_addr to = *(bsk_addr *)bsk_state(self);
    ck_assert_int_eq(bsk_try(to, num, 5), 0);
    bsk_addr child = bsk_spawn(bsk_rt_of(self), exit_at_once);
    ck_assert(!bsk_is_nobody(child));
    bsk_tell(child, num, 1);
    /* Its own end has begun: this comes to nobody. */
    ck_assert_int_eq(bsk_ask(self, to, 1000, get, 1), 0);
    bsk_timer t = bsk_after(self, 5, num, 1);
    ck_assert_uint_ne(t.gen, 0);
    bsk_tell(bsk_me(self), num, 9);
    fix_say("worked ");
}

static void count_num(bsk_self *self, bsk_msg *m)
{
    ck_assert_ptr_nonnull(self);
    bsk_match(m) {
        bsk_on(num, n) fix_say("num ");
        bsk_on(get, g) bsk_reply(g, get, .v = 1);
    }
}

START_TEST(fini_may_send_spawn_ask_and_set_timers)
{
    setup();
    bsk_addr to = fix_born(bsk_spawn(rt, count_num));
    fix_born(bsk_spawn(rt, nothing, .fini = fini_works, .state = &to, .state_size = sizeof to));
    bsk_tell(fix_born(bsk_spawn(rt, exit_at_once, .fini = fini_works, .state = &to,
                                .state_size = sizeof to)),
             num, 1);
    bsk_advance(rt, 100);
    ck_assert_uint_eq(fix_dead(&num_bsk, BSK_DEAD_UNHANDLED), 2);
    bsk_stats_out out;
    bsk_stats(rt, &out);
    ck_assert_uint_eq(out.timers, 0);
    ck_assert_uint_eq(out.actors, 1);
    ck_assert_uint_eq(strlen(fix_said()), strlen("worked num worked num "));
    fix_stop(rt, 0);
}
END_TEST

/* Why. */

static int fail_deep(bsk_self *self, int depth)
{
    volatile char some[64];
    memset((void *)some, depth, sizeof some);
    if (depth == 0) bsk_fail(self, "valve %d at %s", 7, "dusk");
    return depth > 0 ? fail_deep(self, depth - 1) + some[0] : 0;
}

static void fail_fiber(bsk_self *self)
{
    fix_say(fail_deep(self, 50) ? "came back " : "");
}

static void fail_handler(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) fix_say(fail_deep(self, 50) ? "came back " : "");
    }
}

START_TEST(a_failure_has_a_code_a_text_and_a_place)
{
    setup();
    bsk_addr f = fix_born(bsk_spawn(rt, fail_fiber, .name = "fiber"));
    bsk_addr h = fix_born(bsk_spawn(rt, fail_handler, .label = "handler"));
    bsk_tell(h, num, 1);
    bsk_tell(h, num, 2);
    bsk_advance(rt, 1);
    ck_assert_int_eq(fix_end_of(f).reason, BSK_FAILED);
    ck_assert_int_eq(fix_end_of(h).reason, BSK_FAILED);
    ck_assert_str_eq(fix_end_of(f).text, "valve 7 at dusk");
    ck_assert_str_eq(fix_end_of(h).text, "valve 7 at dusk");
    ck_assert_uint_eq(fix_lines(" failed: valve 7 at dusk ("), 2);
    ck_assert_uint_eq(fix_lines("check_end.c:"), 2);
    ck_assert_uint_eq(fix_lines("fiber <"), 1);
    ck_assert_uint_eq(fix_lines("handler <"), 1);
    ck_assert_uint_eq(fix_dead(&num_bsk, BSK_DEAD_UNHANDLED), 1);
    bsk_stats_out out;
    bsk_stats(rt, &out);
    ck_assert_uint_eq(out.failed, 2);
    fix_stop(rt, 1);
}
END_TEST

static void end_by(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) {
            if (n->v == 0) bsk_exit(self);
            if (n->v == 1) bsk_fail(self, "%s", "");
        }
    }
}

START_TEST(each_way_to_end_has_its_reason)
{
    setup();
    bsk_addr returned = fix_born(bsk_spawn(rt, nothing));
    bsk_addr exited = fix_born(bsk_spawn(rt, end_by)), failed = fix_born(bsk_spawn(rt, end_by));
    bsk_addr stopped = fix_born(bsk_spawn(rt, end_by)), killed = fix_born(bsk_spawn(rt, end_by));
    bsk_addr over = fix_born(bsk_spawn(rt, end_by, .mailbox = 1, .overflow = BSK_FAIL));
    bsk_tell(exited, num, 0);
    bsk_tell(failed, num, 1);
    ck_assert_int_eq(bsk_stop(stopped, 5), 0);
    ck_assert_int_eq(bsk_kill(killed), 0);
    ck_assert_int_eq(bsk_try(over, num, 9), 0);
    ck_assert_int_eq(bsk_try(over, num, 9), BSK_EFULL);
    bsk_advance(rt, 1);
    ck_assert_int_eq(fix_end_of(returned).reason, BSK_NORMAL);
    ck_assert_int_eq(fix_end_of(exited).reason, BSK_NORMAL);
    ck_assert_int_eq(fix_end_of(failed).reason, BSK_FAILED);
    ck_assert_int_eq(fix_end_of(stopped).reason, BSK_SHUTDOWN);
    ck_assert_int_eq(fix_end_of(killed).reason, BSK_KILLED);
    ck_assert_int_eq(fix_end_of(over).reason, BSK_FAILED);
    ck_assert_str_eq(fix_end_of(over).text, "mailbox overflow");
    ck_assert_str_eq(fix_end_of(returned).text, "");
    ck_assert_str_eq(fix_end_of(failed).text, "");
    ck_assert_str_eq(fix_end_of(killed).text, "");
    fix_stop(rt, 1);
}
END_TEST

START_TEST(each_reason_has_a_name)
{
    ck_assert_str_eq(bsk_reason_name(BSK_NORMAL), "normal");
    ck_assert_str_eq(bsk_reason_name(BSK_SHUTDOWN), "shutdown");
    ck_assert_str_eq(bsk_reason_name(BSK_FAILED), "failed");
    ck_assert_str_eq(bsk_reason_name(BSK_KILLED), "killed");
    ck_assert_str_eq(bsk_reason_name(BSK_NO_ACTOR), "no such actor");
    ck_assert_str_eq(bsk_reason_name((enum bsk_reason)99), "unknown");
    ck_assert_str_eq(bsk_reason_name((enum bsk_reason) - 1), "unknown");
}
END_TEST

static void fail_with(bsk_self *self)
{
    size_t n = *(size_t *)bsk_state(self);
    char *text = bsk_alloc(self, n + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, 'x', n);
    text[n] = '\0';
    if (n) text[n - 1] = 'y';
    bsk_fail(self, "%s", text);
}

START_TEST(a_text_of_any_length_is_kept)
{
    setup();
    size_t n[] = {0, 1, 254, 255, 256, 257, 1000, 5000, 1000000};
    for (int i = 0; i < 9; i++) {
        bsk_addr a = fix_born(bsk_spawn(rt, fail_with, BSK_STATE(size_t, n[i])));
        bsk_advance(rt, 1);
        const char *text = fix_end_of(a).text;
        ck_assert_uint_eq(strlen(text), n[i]);
        if (n[i]) ck_assert_int_eq(text[n[i] - 1], 'y');
    }
    ck_assert_uint_eq(fix_lines(" failed: "), 9);
    fix_stop(rt, 1);
}
END_TEST

START_TEST(without_memory_for_a_long_text_its_beginning_is_kept)
{
    setup();
    size_t n = 5000;
    bsk_addr a = fix_born(bsk_spawn(rt, fail_with, BSK_STATE(size_t, n)));
    mem_fail_at(2, 1);
    bsk_advance(rt, 1);
    mem_fail_at(0, 0);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_FAILED);
    ck_assert_uint_ge(strlen(fix_end_of(a).text), 200);
    ck_assert_uint_le(strlen(fix_end_of(a).text), 255);
    fix_stop(rt, 1);
}
END_TEST

/* Failures on the way. */

static void fini_fails(bsk_self *self)
{
    fix_say("fini ");
    bsk_fail(self, "fini of it");
}

static void undo_fails(void *arg)
{
    fix_say("undo ");
    bsk_fail(arg, "undo of it");
}

static void undo_exits(void *arg)
{
    fix_say("exit ");
    bsk_exit(arg);
}

static void init_fragile(bsk_self *self)
{
    ck_assert_ptr_nonnull(bsk_alloc(self, 3000));
    ck_assert_int_eq(bsk_defer(self, say_it, (void *)(uintptr_t) "last "), 0);
    ck_assert_int_eq(bsk_defer(self, undo_fails, self), 0);
    ck_assert_int_eq(bsk_defer(self, undo_exits, self), 0);
    ck_assert_int_eq(bsk_defer(self, undo_fails, self), 0);
    ck_assert_int_eq(bsk_defer(self, say_it, (void *)(uintptr_t) "first "), 0);
    ck_assert_uint_ne(bsk_every(self, 10, num, 1).gen, 0);
}

static void fragile(bsk_self *self, bsk_msg *m)
{
    ck_assert_ptr_nonnull(self);
    bsk_match(m) {
        bsk_on(num, n) fix_say("");
        bsk_on(stop_it, s) bsk_exit(self);
        bsk_on(note, n) bsk_fail(self, "the first");
    }
}

static void fragile_fiber(bsk_self *self)
{
    bsk_msg *m;
    while ((m = bsk_recv(self, BSK_FOREVER))) fragile(self, m);
}

#define ALL_UNDONE "first undo exit undo last "

START_TEST(an_end_goes_on_behind_what_fails_in_it)
{
    for (int fiber = 0; fiber < 2; fiber++) {
        setup();
        bsk_behavior b = fiber ? BSK_BEHAVIOR(fragile_fiber) : BSK_BEHAVIOR(fragile);
        bsk_opts o = {.init = init_fragile, .fini = fini_fails};
        bsk_addr ended = fix_born(bsk_spawn_(rt, b, &o)), failed = fix_born(bsk_spawn_(rt, b, &o));
        bsk_addr killed = fix_born(bsk_spawn_(rt, b, &o)),
                 stopped = fix_born(bsk_spawn_(rt, b, &o));
        bsk_advance(rt, 1);
        bsk_tell(ended, stop_it);
        bsk_tell(ended, num, 1);
        bsk_advance(rt, 1);
        bsk_tell(failed, note, "x");
        bsk_advance(rt, 1);
        ck_assert_int_eq(bsk_kill(killed), 0);
        bsk_advance(rt, 1);
        ck_assert_int_eq(bsk_stop(stopped, 5), 0);
        bsk_advance(rt, 1);
        /* An end in which something fails is a failure; a failure or a kill stays what it is. */
        ck_assert_int_eq(fix_end_of(ended).reason, BSK_FAILED);
        ck_assert_str_eq(fix_end_of(ended).text, "fini of it");
        ck_assert_int_eq(fix_end_of(stopped).reason, BSK_FAILED);
        ck_assert_str_eq(fix_end_of(stopped).text, "fini of it");
        ck_assert_int_eq(fix_end_of(failed).reason, BSK_FAILED);
        ck_assert_str_eq(fix_end_of(failed).text, "the first");
        ck_assert_int_eq(fix_end_of(killed).reason, BSK_KILLED);
        fix_stop(rt, 1);
    }
    const char *one = "fini " ALL_UNDONE "fini " ALL_UNDONE ALL_UNDONE "fini " ALL_UNDONE;
    ck_assert_uint_eq(strlen(fix_said()), 2 * strlen(one));
    ck_assert_int_eq(strncmp(fix_said(), one, strlen(one)), 0);
    ck_assert_uint_eq(fix_dead(&num_bsk, BSK_DEAD_UNHANDLED), 2);
}
END_TEST

static void tell_held(bsk_self *self, const char *what, int n, bool fails)
{
    bsk_tell(bsk_me(self), held, .what = what, .n = n, .fails = fails ? self : NULL);
}

/* Messages whose contents fail when they are dropped: one in hand, the others unhandled. */
static void hold_three(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(stop_it, s) {
            tell_held(self, "a ", 1, true);
            tell_held(self, "b ", 2, true);
            tell_held(self, "c ", 3, false);
            tell_held(self, "d ", 4, true);
            bsk_tell(bsk_me(self), bulky, .fails = self);
        }
        bsk_on(held, h) fix_say("handled ");
    }
}

START_TEST(a_message_whose_contents_fail_to_be_dropped_ends_the_actor)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, hold_three));
    bsk_tell(a, stop_it);
    bsk_advance(rt, 1);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_FAILED);
    ck_assert_str_eq(fix_end_of(a).text, "drop of 1");
    ck_assert_str_eq(fix_said(), "handled a b c d bulky ");
    ck_assert_uint_eq(fix_dead(&held_bsk, BSK_DEAD_UNHANDLED), 3);
    ck_assert_uint_eq(fix_dead(&bulky_bsk, BSK_DEAD_UNHANDLED), 1);
    fix_stop(rt, 1);
}
END_TEST

static void hold_three_fiber(bsk_self *self)
{
    bsk_msg *m;
    while ((m = bsk_recv(self, BSK_FOREVER))) hold_three(self, m);
}

START_TEST(in_a_fiber_too)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, hold_three_fiber));
    bsk_tell(a, stop_it);
    bsk_advance(rt, 1);
    ck_assert_int_eq(fix_end_of(a).reason, BSK_FAILED);
    ck_assert_str_eq(fix_end_of(a).text, "drop of 1");
    ck_assert_str_eq(fix_said(), "handled a b c d bulky ");
    fix_stop(rt, 1);
}
END_TEST

static void bulky_first(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(stop_it, s)
            for (int i = 0; i < 5; i++) bsk_tell(bsk_me(self), bulky, .fails = self);
        bsk_on(bulky, b) fix_say("handled ");
    }
}

static void bulky_first_fiber(bsk_self *self)
{
    bsk_msg *m;
    bsk_sleep(self, 1);
    while ((m = bsk_recv_only(self, BSK_FOREVER, BSK_T(stop_it)))) bulky_first(self, m);
}

START_TEST(the_memory_of_such_messages_comes_back)
{
    setup();
    bsk_addr h = fix_born(bsk_spawn(rt, bulky_first));
    bsk_addr f = fix_born(bsk_spawn(rt, bulky_first_fiber));
    bsk_tell(h, stop_it);
    bsk_advance(rt, 1);
    bsk_tell(f, stop_it);
    bsk_advance(rt, 1);
    ck_assert_int_eq(bsk_stop(f, 10), 0);
    bsk_advance(rt, 1);
    ck_assert_int_eq(fix_end_of(h).reason, BSK_FAILED);
    ck_assert_int_eq(fix_end_of(f).reason, BSK_FAILED);
    ck_assert_str_eq(fix_end_of(f).text, "bulky drop");
    ck_assert_str_eq(fix_said(),
                     "handled bulky bulky bulky bulky bulky bulky bulky bulky bulky bulky ");
    fix_stop(rt, 1);
}
END_TEST

/* The arena. */

static void use_arena(bsk_self *self)
{
    unsigned char *p[200];
    for (size_t i = 0; i < 200; i++) {
        size_t n = i * i % 977;
        p[i] = bsk_alloc(self, n);
        ck_assert_ptr_nonnull(p[i]);
        ck_assert_uint_eq((uintptr_t)p[i] % alignof(max_align_t), 0);
        memset(p[i], (int)i, n);
    }
    for (size_t i = 0; i < 200; i++)
        for (size_t k = 0; k < i * i % 977; k++) ck_assert_uint_eq(p[i][k], i);
    char *large = bsk_alloc(self, 1 << 20);
    ck_assert_ptr_nonnull(large);
    memset(large, 1, 1 << 20);
    ck_assert_ptr_null(bsk_alloc(self, SIZE_MAX));
    ck_assert_int_eq(bsk_error(self), BSK_ENOMEM);
    ck_assert_ptr_null(bsk_alloc(self, SIZE_MAX - 15));
    ck_assert_ptr_null(bsk_alloc(self, SIZE_MAX / 2 + 1));
    ck_assert_ptr_null(bsk_alloc(self, (size_t)PTRDIFF_MAX));
    fix_say("used ");
}

static void use_in_handler(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) use_arena(self);
    }
}

START_TEST(the_arena_gives_aligned_memory_until_the_end)
{
    setup();
    fix_born(bsk_spawn(rt, use_arena));
    bsk_addr h = fix_born(bsk_spawn(rt, use_in_handler));
    bsk_tell(h, num, 1);
    bsk_advance(rt, 1);
    int64_t live = mem_live();
    ck_assert_int_eq(bsk_kill(h), 0);
    bsk_advance(rt, 1);
    ck_assert_int_lt(mem_live(), live);
    ck_assert_str_eq(fix_said(), "used used ");
    fix_stop(rt, 0);
}
END_TEST

/* Many ends at once, on real threads. */

static void churn_end(bsk_self *self)
{
    ck_assert_ptr_nonnull(self);
    fix_hit();
}

static void churn(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) {
            ck_assert_ptr_nonnull(bsk_alloc(self, 600));
            ck_assert_int_eq(bsk_defer(self, say_it, (void *)(uintptr_t) ""), 0);
            if (n->v % 3 == 0) bsk_exit(self);
            if (n->v % 3 == 1) bsk_fail(self, "number %lld", (long long)n->v);
            ck_assert_int_eq(bsk_stop(bsk_me(self), BSK_FOREVER), 0);
        }
    }
}

static struct bsk_msg *build_large(bsk_addr to)
{
    char text[4096];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct bsk_msg *m = snd_build(NULL, rt, BSK_T(note), &(note){.text = text}, to.gen);
    ck_assert_ptr_nonnull(m);
    return m;
}

/* A thread that sends may be kept off its core between its look at the address and its push: then
 * the actor and the workers may have ended meanwhile. The blocks are large, so that they do not
 * go with the pool. */
START_TEST(what_is_pushed_when_all_have_ended_comes_back)
{
    setup();
    bsk_addr a = fix_born(bsk_spawn(rt, keep_request));
    bsk_self *slot = rt_slot(rt, a.slot);
    struct bsk_msg *large[] = {build_large(a), build_large(a)};
    bsk_tell(a, stop_it);
    bsk_advance(rt, 1);
    ck_assert(fix_ended(a));
    for (int i = 0; i < 2; i++)
        ck_assert_int_lt(mbox_push(&slot->in, &slot->out, large[i], 0), MBOX_FULL);
    fix_stop(rt, 0);
    ck_assert_uint_eq(fix_dead_all(), 2);
}
END_TEST

START_TEST(actors_end_while_others_send_to_them)
{
    enum { ALL = 3000 };
    rt = bsk_start(.workers = 2, .quiet = true, .log = fix_on_log);
    bsk_addr last = {0, 0, 0};
    for (int i = 0; i < ALL; i++) {
        bsk_addr a = fix_born(bsk_spawn(rt, churn, .fini = churn_end));
        for (int k = 0; k < 5; k++) {
            bsk_tell(a, num, i);
            bsk_tell(last, held, .what = "");
        }
        last = a;
    }
    ck_assert_int_eq(bsk_wait(rt), 1);
    ck_assert_uint_eq(fix_hits(), ALL);
}
END_TEST

FIX_MAIN("end", 30, all_goes_last_in_first_out_before_anyone_hears_of_it,
         a_clean_up_may_ask_for_another, fini_must_not_wait, fini_may_send_spawn_ask_and_set_timers,
         a_failure_has_a_code_a_text_and_a_place, each_way_to_end_has_its_reason,
         each_reason_has_a_name, a_text_of_any_length_is_kept,
         without_memory_for_a_long_text_its_beginning_is_kept,
         an_end_goes_on_behind_what_fails_in_it,
         a_message_whose_contents_fail_to_be_dropped_ends_the_actor, in_a_fiber_too,
         the_memory_of_such_messages_comes_back, the_arena_gives_aligned_memory_until_the_end,
         what_is_pushed_when_all_have_ended_comes_back, actors_end_while_others_send_to_them)
