/* SPDX-License-Identifier: MIT */
/* check_nomem.c - every word with the n-th allocation failing, or all from it on, for each n.
 *
 * A word that cannot be done says BSK_ENOMEM or leaves a dead letter; nothing is half made, and
 * when the runtime has ended all memory is back.
 *
 * ctest: timeout=120 */
#include "fixture.h"

#include <pthread.h>

BSK_LOCAL(held, held_drop, (char *, text));
BSK_MSG(parcel, (str, text), (bytes, bytes), (blob, data));
BSK_CALL(fetch, parcel, (str, text));

static unsigned made, dropped; /* local messages' contents */
static _Atomic unsigned told, handled, buried, began, finished, undone;

void held_drop(void *body)
{
    free(((struct held *)body)->text);
    dropped++;
}

static void on_dead(void *arg, const bsk_dead_letter *dead)
{
    ck_assert(!arg && dead->type);
    if (dead->type == BSK_T(parcel) || dead->type == BSK_T(num)) atomic_fetch_add(&buried, 1);
}

static void on_log(void *arg, enum bsk_level level, const char *line)
{
    ck_assert(!arg && line && level <= BSK_LOG_WARN);
}

#define HOOKS .log = on_log, .dead_letter = on_dead, .quiet = true

/* On a thread of its own, so that what the library keeps for a thread is made and freed too. */
static void *run_scenario(void *scenario)
{
    void (*f)(void);
    memcpy(&f, scenario, sizeof f);
    f();
    return scenario;
}

static void run_once(void (*scenario)(void))
{
    pthread_t t;
    void *ok;
    atomic_store(&told, 0);
    atomic_store(&handled, 0);
    atomic_store(&buried, 0);
    atomic_store(&began, 0);
    atomic_store(&finished, 0);
    atomic_store(&undone, 0);
    ck_assert_int_eq(pthread_create(&t, NULL, run_scenario, &scenario), 0);
    pthread_join(t, &ok);
    ck_assert_ptr_eq(ok, &scenario);
}

static void run_all(void (*scenario)(void))
{
    for (int onward = 0; onward < 2; onward++) {
        uint64_t n = 0, asked;
        do {
            struct fix_memory before = fix_memory();
            asked = mem_asked();
            mem_fail_at(++n, onward);
            run_once(scenario);
            mem_fail_at(0, 0);
            asked = mem_asked() - asked;
            fix_nothing_lost(before, n, onward);
            ck_assert_uint_eq(made, dropped);
        } while (asked >= n);
        ck_assert_uint_gt(n, 5);
    }
}

/* The codes that a word may give. */
static bool done(int rc)
{
    ck_assert_msg(rc == 0 || rc == BSK_ENOMEM, "%s", bsk_errname(rc));
    return rc == 0;
}

static bool born(bsk_addr who)
{
    if (!bsk_is_nobody(who)) return true;
    ck_assert_int_eq(bsk_error(NULL), BSK_ENOMEM);
    return false;
}

static bsk_rt *seeded(void)
{
    bsk_rt *rt = bsk_start(.seed = 1, HOOKS);
    if (!rt) ck_assert_int_eq(bsk_error(NULL), BSK_ENOMEM);
    return rt;
}

static void end(bsk_rt *rt)
{
    bsk_shutdown(rt);
    ck_assert_int_le(bsk_wait(rt), 1);
    ck_assert_uint_eq(told, handled + buried);
    ck_assert_uint_eq(began, finished);
}

/* Starting. */

static void start_and_end(void)
{
    bsk_rt *rt = seeded();
    if (rt) end(rt);
}

static void start_threads(void)
{
    bsk_rt *rt = bsk_start(.workers = 2, .histograms = true, .dump_on_usr1 = true, HOOKS);
    if (rt)
        end(rt);
    else
        ck_assert_int_eq(bsk_error(NULL), BSK_ENOMEM);
}

START_TEST(a_seeded_runtime_starts_or_does_not)
{
    run_all(start_and_end);
}
END_TEST

START_TEST(a_runtime_starts_or_does_not)
{
    run_all(start_threads);
}
END_TEST

static void undo(void *arg)
{
    ck_assert_ptr_nonnull(arg);
    atomic_fetch_add(&undone, 1);
}

static void begin_it(bsk_self *self)
{
    atomic_fetch_add(&began, 1);
    unsigned before = undone;
    ck_assert_uint_eq(undone, before);
    (void)done(bsk_defer(self, undo, self));
    void *p = bsk_alloc(self, 5000);
    if (p)
        memset(p, 1, 5000);
    else
        ck_assert_int_eq(bsk_error(self), BSK_ENOMEM);
}

static void finish_it(bsk_self *self)
{
    ck_assert_ptr_nonnull(self);
    atomic_fetch_add(&finished, 1);
}

static void handle(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) {
            atomic_fetch_add(&handled, 1);
            if (n->v == 7) bsk_fail(self, "%0400d", 7);
        }
        bsk_on(parcel, p) {
            atomic_fetch_add(&handled, 1);
            ck_assert(!p->text || strlen(p->text) == 600);
        }
        bsk_on(held, h) ck_assert_str_eq(h->text, "held");
        bsk_on(bsk_stopping, s) bsk_exit(self);
        bsk_on(get, g) bsk_reply(g, get, .v = g->v + 1);
        bsk_on(fetch, f) {
            int rc = bsk_reply(f, fetch, .text = f->text, .bytes = {f->text, strlen(f->text)});
            ck_assert(rc == 0 || rc == BSK_ENOMEM);
        }
    }
}

static void receive(bsk_self *self)
{
    bsk_msg *m;
    while ((m = bsk_recv(self, BSK_FOREVER))) handle(self, m);
}

static const char *text600(void)
{
    static char text[601];
    memset(text, 't', 600);
    return text;
}

static void spawn_all(bsk_rt *rt, bool real)
{
    char state[2000] = {1};
    bsk_addr a[6];
    bool ok[6];
    a[0] = bsk_spawn(rt, handle);
    a[1] = bsk_spawn(rt, receive);
    a[2] = bsk_spawn(rt, handle, .name = "handler", .state = state, .state_size = sizeof state,
                     .init = begin_it, .fini = finish_it, .mailbox = 5, .high = true,
                     .trap_stop = true, .overflow = BSK_DROP_OLDEST);
    a[3] = bsk_spawn(rt, receive, .name = "fiber", .state = state, .state_size = sizeof state,
                     .init = begin_it, .fini = finish_it, .stack = 200000, .pinned = true);
    a[4] = bsk_spawn(rt, handle, .label = "handler", .own_thread = real, .shutdown_ms = 10);
    a[5] = bsk_spawn(rt, receive, .label = "fiber", .own_thread = real);
    for (int i = 0; i < 6; i++) ok[i] = !bsk_is_nobody(a[i]);
    if (!ok[5]) ck_assert_int_eq(bsk_error(NULL), BSK_ENOMEM);
    ck_assert(bsk_same(bsk_whereis(rt, "handler"), a[2]));
    ck_assert(bsk_same(bsk_whereis(rt, "fiber"), a[3]));
    for (int i = 0; i < 6; i++) {
        atomic_fetch_add(&told, 1);
        bsk_tell(a[i], num, 1);
        /* Told to nobody by a thread: there is no runtime to count it. */
        if (!ok[i]) atomic_fetch_add(&handled, 1);
    }
    bsk_stats_out out;
    bsk_stats(rt, &out);
    unsigned n = 0;
    for (int i = 0; i < 6; i++) n += ok[i];
    ck_assert_uint_eq(out.spawned, n);
}

static void ignore_line(void *arg, const char *line)
{
    ck_assert(arg && line);
}

static void spawn_seeded(void)
{
    bsk_rt *rt = seeded();
    if (!rt) return;
    spawn_all(rt, false);
    bsk_advance(rt, 5);
    bsk_dump(rt, ignore_line, rt);
    end(rt);
    ck_assert_uint_le(undone, began);
}

static void spawn_threads(void)
{
    bsk_rt *rt = bsk_start(.workers = 1, .histograms = true, HOOKS);
    if (!rt) return;
    spawn_all(rt, true);
    end(rt);
}

START_TEST(actors_start_or_do_not)
{
    run_all(spawn_seeded);
}
END_TEST

START_TEST(actors_with_threads_start_or_do_not)
{
    run_all(spawn_threads);
}
END_TEST

/* Sending. */

static void tell_parcel(bsk_addr to, bsk_blob *blob)
{
    atomic_fetch_add(&told, 1);
    bsk_tell(to, parcel, .text = text600(), .bytes = {text600(), 600}, .data = blob);
}

static void send_all_to(bsk_addr to)
{
    bsk_blob *blob = bsk_blob_new(text600(), 600), *held_blob = bsk_blob_hold(blob);
    for (int i = 0; i < 3; i++) tell_parcel(to, blob);
    if (done(bsk_try(to, parcel, .text = text600(), .data = held_blob))) atomic_fetch_add(&told, 1);
    if (done(bsk_send(NULL, to, 10, parcel, .text = text600()))) atomic_fetch_add(&told, 1);
    bsk_blob_drop(held_blob);
    bsk_blob_drop(blob);
    char *text = malloc(5);
    strcpy(text, "held");
    made++;
    if (!done(bsk_try(to, held, .text = text))) {
        free(text);
        made--;
    }
    for (int i = 0; i < 200; i++) {
        text = malloc(5);
        strcpy(text, "held");
        made++;
        bsk_tell(to, held, .text = text);
        atomic_fetch_add(&told, 1);
        bsk_tell(to, num, i == 150 ? 7 : i);
    }
}

static void send_scenario(void)
{
    bsk_rt *rt = seeded();
    if (!rt) return;
    bsk_addr h = bsk_spawn(rt, handle), f = bsk_spawn(rt, receive);
    if (!bsk_is_nobody(h)) send_all_to(h);
    if (!bsk_is_nobody(f)) send_all_to(f);
    bsk_advance(rt, 5);
    end(rt);
}

START_TEST(messages_arrive_or_do_not)
{
    run_all(send_scenario);
}
END_TEST

/* A small mailbox that drops, a full one that is waited for, room that is wanted. */
static void sleep_then_receive(bsk_self *self)
{
    bsk_sleep(self, 20);
    receive(self);
}

static void want(bsk_self *self, bsk_msg *m)
{
    bsk_addr to = *(bsk_addr *)bsk_state(self);
    bsk_match(m) {
        bsk_on(stop_it, s) {
            for (int i = 0; i < 3; i++) {
                int rc = bsk_try(to, num, i);
                if (rc == 0) atomic_fetch_add(&told, 1);
                ck_assert(rc == 0 || rc == BSK_EFULL || rc == BSK_ENOMEM);
            }
            if (done(bsk_want_room(self, to))) atomic_fetch_add(&began, 1);
        }
        bsk_on(bsk_room, r) {
            ck_assert(bsk_same(r->who, to));
            atomic_fetch_add(&finished, 1);
        }
    }
}

static void wait_for_room(bsk_self *self)
{
    bsk_addr to = *(bsk_addr *)bsk_state(self);
    for (int i = 0; i < 5; i++) {
        int rc = bsk_send(self, to, 10 * i, num, i);
        ck_assert(rc == 0 || rc == BSK_ENOMEM || rc == BSK_ETIMEDOUT);
        if (rc == 0) atomic_fetch_add(&told, 1);
    }
}

static void room_scenario(void)
{
    bsk_rt *rt = seeded();
    if (!rt) return;
    bsk_addr to = bsk_spawn(rt, sleep_then_receive, .mailbox = 1);
    bsk_addr h = bsk_spawn(rt, want, .state = &to, .state_size = sizeof to);
    bsk_addr f = bsk_spawn(rt, wait_for_room, .state = &to, .state_size = sizeof to);
    bsk_addr oldest = bsk_spawn(rt, sleep_then_receive, .mailbox = 1, .overflow = BSK_DROP_OLDEST);
    bsk_addr newest = bsk_spawn(rt, sleep_then_receive, .mailbox = 1, .overflow = BSK_DROP_NEWEST);
    bool all = !bsk_is_nobody(to) && !bsk_is_nobody(h) && !bsk_is_nobody(f) &&
               !bsk_is_nobody(oldest) && !bsk_is_nobody(newest);
    if (bsk_is_nobody(to)) {
        (void)bsk_kill(h);
        (void)bsk_kill(f);
    } else if (all) {
        bsk_tell(h, stop_it);
        for (int i = 0; i < 5; i++) {
            tell_parcel(oldest, NULL);
            tell_parcel(newest, NULL);
        }
        int rc = bsk_send(NULL, to, 5, num, 1);
        ck_assert(rc == 0 || rc == BSK_ENOMEM || rc == BSK_ETIMEDOUT);
        if (rc == 0) atomic_fetch_add(&told, 1);
    }
    bsk_advance(rt, 200);
    end(rt);
}

START_TEST(who_waits_for_room_hears_of_it_or_why_not)
{
    run_all(room_scenario);
}
END_TEST

/* Asking. */

/* One loss or reply for each ask that began. */
static void ask_all(bsk_self *self, bsk_msg *m)
{
    bsk_addr to = *(bsk_addr *)bsk_state(self);
    bsk_match(m) {
        bsk_on(stop_it, s) {
            for (int i = 0; i < 100; i++)
                if (done(bsk_ask(self, to, 100, get, i))) atomic_fetch_add(&began, 1);
            for (int i = 0; i < 5; i++)
                if (done(bsk_ask(self, to, 100, fetch, text600()))) atomic_fetch_add(&began, 1);
        }
        bsk_on_reply(get, r) atomic_fetch_add(&finished, 1);
        bsk_on_reply(fetch, r) {
            ck_assert_uint_eq(strlen(r->text), 600);
            atomic_fetch_add(&finished, 1);
        }
        bsk_on_no_reply(get, rc) {
            ck_assert_msg(rc == BSK_ENOREPLY, "%s", bsk_errname(rc));
            atomic_fetch_add(&finished, 1);
        }
        bsk_on_no_reply(fetch, rc) {
            ck_assert_msg(rc == BSK_ENOMEM || rc == BSK_ENOREPLY, "%s", bsk_errname(rc));
            atomic_fetch_add(&finished, 1);
        }
    }
}

static void call_all(bsk_self *self)
{
    bsk_addr to = *(bsk_addr *)bsk_state(self);
    for (int i = 0; i < 10; i++) {
        const num *n = bsk_call(self, to, 100, get, i);
        if (!n) ck_assert(bsk_error(self) == BSK_ENOMEM || bsk_error(self) == BSK_ENOREPLY);
        const parcel *p = bsk_call(self, to, 100, fetch, text600());
        if (!p)
            ck_assert(bsk_error(self) == BSK_ENOMEM || bsk_error(self) == BSK_ENOREPLY);
        else
            ck_assert_uint_eq(strlen(p->text), 600);
    }
}

struct rights {
    bsk_pending all[150];
    int n;
};

static void keep_rights(bsk_self *self, bsk_msg *m)
{
    struct rights *r = bsk_state(self);
    bsk_match(m) {
        bsk_on(get, g) {
            r->all[r->n] = bsk_later(g, get);
            if (r->all[r->n].node) r->n++;
        }
        bsk_on(fetch, f) {
            bsk_pending p = bsk_later(f, fetch);
            int rc = bsk_answer(p, fetch, .text = f->text);
            ck_assert(rc == 0 || rc == BSK_ENOMEM || (rc == BSK_EDEAD && !p.node));
        }
        bsk_on(stop_it, s) {
            for (int i = 0; i < r->n; i += 2)
                ck_assert_int_eq(bsk_answer(r->all[i], get, .v = 1), 0);
            r->n = 0;
            bsk_exit(self);
        }
    }
}

static void ask_scenario(void)
{
    static const struct rights none;
    bsk_rt *rt = seeded();
    if (!rt) return;
    bsk_addr h = bsk_spawn(rt, handle), f = bsk_spawn(rt, receive);
    bsk_addr k = bsk_spawn(rt, keep_rights, .state = &none, .state_size = sizeof none);
    bsk_addr to[] = {h, f, k};
    for (int i = 0; i < 3; i++) {
        if (bsk_is_nobody(to[i])) continue;
        bsk_addr a = bsk_spawn(rt, ask_all, .state = &to[i], .state_size = sizeof to[i]);
        bsk_tell(a, stop_it);
        bsk_advance(rt, 5);
        if (i < 2) {
            (void)bsk_spawn(rt, call_all, .state = &to[i], .state_size = sizeof to[i]);
            bsk_advance(rt, 5);
            const num *n = bsk_call(NULL, to[i], 100, get, 1);
            if (!n) ck_assert(bsk_error(NULL) == BSK_ENOMEM);
            const parcel *p = bsk_call(NULL, to[i], 100, fetch, text600());
            if (p)
                ck_assert_uint_eq(strlen(p->text), 600);
            else
                ck_assert(bsk_error(NULL) == BSK_ENOMEM);
        }
    }
    if (!bsk_is_nobody(k) && !done(bsk_try(k, stop_it))) (void)bsk_kill(k);
    bsk_advance(rt, 200);
    end(rt);
}

START_TEST(every_request_that_began_is_answered_or_lost)
{
    run_all(ask_scenario);
}
END_TEST

/* Timers, work, waits. */

static void set_timers(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(stop_it, s) {
            for (int i = 0; i < 100; i++) {
                bsk_timer t = i % 3 ? bsk_after(self, i % 7, parcel, .text = text600())
                                    : bsk_every(self, 1 + i % 7, num, 1);
                if (!t.gen) {
                    ck_assert_int_eq(bsk_error(self), BSK_ENOMEM);
                    continue;
                }
                if (i % 5 == 0) (void)done(bsk_timer_reset(self, t, 3));
                if (i % 5 == 1) bsk_timer_stop(self, t);
                if (i % 5 == 2) (void)bsk_timer_take(self, t, num);
            }
        }
        bsk_on(num, n) continue;
        bsk_on(parcel, p) ck_assert_uint_eq(strlen(p->text), 600);
    }
}

static void set_timers_fiber(bsk_self *self)
{
    bsk_msg *m;
    while ((m = bsk_recv(self, BSK_FOREVER))) set_timers(self, m);
}

static void timer_scenario(void)
{
    bsk_rt *rt = seeded();
    if (!rt) return;
    bsk_tell(bsk_spawn(rt, set_timers), stop_it);
    bsk_tell(bsk_spawn(rt, set_timers_fiber), stop_it);
    bsk_advance(rt, 30);
    atomic_store(&handled, 0);
    atomic_store(&buried, 0);
    end(rt);
}

START_TEST(timers_are_set_or_are_not)
{
    run_all(timer_scenario);
}
END_TEST

static void work_at(bsk_msg *request)
{
    bsk_match(request) {
        bsk_on(get, g) bsk_reply(g, get, .v = g->v + 1);
        bsk_on(fetch, f) {
            bsk_pending p = bsk_later(f, fetch);
            int rc = bsk_answer(p, fetch, .text = f->text);
            ck_assert(rc == 0 || rc == BSK_ENOMEM);
        }
    }
}

static void give_work(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(stop_it, s) {
            for (int i = 0; i < 5; i++) {
                if (done(bsk_work(self, 1000, work_at, get, i))) atomic_fetch_add(&began, 1);
                if (done(bsk_work(self, 1000, work_at, fetch, text600())))
                    atomic_fetch_add(&began, 1);
            }
        }
        bsk_on_reply(get, r) atomic_fetch_add(&finished, 1);
        bsk_on_reply(fetch, r) atomic_fetch_add(&finished, 1);
        bsk_on_no_reply(get, rc) atomic_fetch_add(&finished, 1);
        bsk_on_no_reply(fetch, rc) atomic_fetch_add(&finished, 1);
    }
}

static void call_work(bsk_self *self)
{
    for (int i = 0; i < 5; i++) {
        const num *n = bsk_work_call(self, 1000, work_at, get, i);
        if (!n)
            ck_assert_int_eq(bsk_error(self), BSK_ENOMEM);
        else
            ck_assert_int_eq(n->v, i + 1);
        const parcel *p = bsk_work_call(self, 1000, work_at, fetch, text600());
        if (!p) ck_assert_int_eq(bsk_error(self), BSK_ENOMEM);
    }
}

static void work_scenario(void)
{
    bsk_rt *rt = seeded();
    if (!rt) return;
    bsk_tell(bsk_spawn(rt, give_work), stop_it);
    (void)bsk_spawn(rt, call_work);
    bsk_advance(rt, 30);
    end(rt);
}

static void work_in_threads(void)
{
    bsk_rt *rt = bsk_start(.workers = 1, HOOKS);
    if (!rt) return;
    for (int i = 0; i < 3; i++) (void)bsk_spawn(rt, call_work);
    ck_assert_int_eq(bsk_wait(rt), 0);
}

START_TEST(work_is_done_or_is_not)
{
    run_all(work_scenario);
}
END_TEST

START_TEST(work_is_done_in_threads_or_is_not)
{
    run_all(work_in_threads);
}
END_TEST

static bsk_type types[40];

static void pass_over(bsk_self *self)
{
    const bsk_type *never[] = {BSK_T(other), NULL};
    for (int i = 0; i < 3; i++) {
        if (bsk_recv_only_(self, 10, never)) continue;
        ck_assert(bsk_error(self) == BSK_ETIMEDOUT || bsk_error(self) == BSK_ENOMEM);
    }
    while (bsk_recv(self, 0)) atomic_fetch_add(&handled, 1);
    ck_assert_int_eq(bsk_error(self), BSK_ETIMEDOUT);
}

static void select_scenario(void)
{
    bsk_rt *rt = seeded();
    if (!rt) return;
    bsk_addr a = bsk_spawn(rt, pass_over);
    for (int i = 0; i < 80 && !bsk_is_nobody(a); i++) {
        types[i % 40] = num_bsk;
        if (done(bsk_try_(a, 0, &types[i % 40], &(num){.v = i}))) atomic_fetch_add(&told, 1);
    }
    bsk_advance(rt, 100);
    end(rt);
}

START_TEST(a_selective_receive_loses_nothing)
{
    run_all(select_scenario);
}
END_TEST

/* Stopping. */

static void stop_scenario(void)
{
    bsk_rt *rt = seeded();
    if (!rt) return;
    bsk_addr a[6];
    for (int i = 0; i < 6; i++)
        a[i] = i % 2 ? bsk_spawn(rt, receive, .fini = finish_it)
                     : bsk_spawn(rt, handle, .fini = finish_it, .trap_stop = i == 4);
    bsk_advance(rt, 1);
    for (int i = 0; i < 6; i++) {
        if (bsk_is_nobody(a[i])) continue;
        if (i != 4) atomic_fetch_add(&began, 1);
        (void)done(i < 2 ? bsk_stop(a[i], 10) : i < 4 ? bsk_drain(a[i], 10) : bsk_stop(a[i], 20));
    }
    bsk_advance(rt, 100);
    /* Who traps has ended by kill, without fini; or, for want of memory, now. */
    bsk_shutdown(rt);
    ck_assert_int_le(bsk_wait(rt), 1);
    ck_assert_uint_ge(finished, began);
}

static void stop_in_threads(void)
{
    bsk_rt *rt = bsk_start(.workers = 2, HOOKS);
    if (!rt) return;
    for (int i = 0; i < 20; i++) {
        bsk_addr a = i % 2 ? bsk_spawn(rt, receive) : bsk_spawn(rt, handle);
        if (i % 3 && born(a)) (void)done(bsk_stop(a, 1000));
    }
    bsk_shutdown(rt);
    ck_assert_int_eq(bsk_wait(rt), 0);
}

START_TEST(a_stop_comes_through)
{
    run_all(stop_scenario);
}
END_TEST

START_TEST(threads_stop)
{
    run_all(stop_in_threads);
}
END_TEST

/* Blobs alone. */

static void release_nothing(void *data, void *arg)
{
    ck_assert_ptr_eq(data, arg);
}

static void blob_scenario(void)
{
    char data[10] = "123456789";
    for (int i = 0; i < 3; i++) {
        bsk_blob *b = bsk_blob_new(data, sizeof data),
                 *c = bsk_blob_take(data, 10, release_nothing, data);
        if (b) ck_assert_uint_eq(bsk_blob_bytes(b).len, 10);
        bsk_blob_drop(b);
        bsk_blob_drop(c);
    }
}

START_TEST(blobs_are_made_or_are_not)
{
    run_all(blob_scenario);
}
END_TEST

FIX_MAIN("nomem", 100, a_seeded_runtime_starts_or_does_not, a_runtime_starts_or_does_not,
         actors_start_or_do_not, actors_with_threads_start_or_do_not, messages_arrive_or_do_not,
         who_waits_for_room_hears_of_it_or_why_not, every_request_that_began_is_answered_or_lost,
         timers_are_set_or_are_not, work_is_done_or_is_not, work_is_done_in_threads_or_is_not,
         a_selective_receive_loses_nothing, a_stop_comes_through, threads_stop,
         blobs_are_made_or_are_not)
