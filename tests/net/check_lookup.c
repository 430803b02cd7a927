/* SPDX-License-Identifier: MIT */
/* check_lookup.c - a resolver that does not answer: nobody waits for it longer than he said, and
 * the end of a runtime not at all; what it answers in the end is nobody's, and nothing is lost.
 *
 * ctest: timeout=120 */
#include "open.h"
#include "peer.h"

#include "actors/actor.h"
#include "actors/runtime.h"
#include "net/lookup.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>

#define MANY (2 * LOOKUP_THREADS + 3)

static bsk_rt *rt;
static bsk_addr who[MANY];
static _Atomic int code, port;
static _Atomic unsigned begun, born;

/* The resolver, in the place of the C library's. */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool mute;
static _Atomic unsigned asked, answered; /* for names that it may be mute about */

static void set_mute(bool on)
{
    pthread_mutex_lock(&lock);
    mute = on;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static int ask_system(const char *host, const struct addrinfo *hints, struct addrinfo **out)
{
    int (*f)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
    ck_assert_ptr_nonnull(symbol);
    memcpy(&f, &symbol, sizeof f);
    return f(host, NULL, hints, out);
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    ck_assert_ptr_null(service);
    if (strcmp(host, "again") == 0) return EAI_AGAIN;
    if (strcmp(host, "no memory") == 0) return EAI_MEMORY;
    errno = strcmp(host, "no descriptor") == 0 ? EMFILE : EIO;
    if (strcmp(host, "no descriptor") == 0 || strcmp(host, "broken") == 0) return EAI_SYSTEM;
    if (strcmp(host, "mute") != 0) return ask_system(host, hints, out);
    asked++;
    pthread_mutex_lock(&lock);
    while (mute) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    int rc = ask_system("127.0.0.1", hints, out);
    answered++;
    return rc;
}

static int64_t live;

static void start(void)
{
    set_mute(true);
    live = mem_live();
    rt = bsk_start(.workers = 2, FIX_HOOKS);
    ck_assert_ptr_nonnull(rt);
}

/* It speaks, after the runtime has ended; whatever that leaves. */
static void speak(unsigned n)
{
    ck_assert_uint_eq(answered, 0);
    set_mute(false);
    UNTIL(mem_live() == live);
    ck_assert_uint_eq(asked, n);
    ck_assert_uint_eq(answered, n);
}

static void resolve(bsk_self *self)
{
    bsk_host_address a;
    who[begun++] = bsk_me(self);
    born++;
    code = bsk_resolve(self, "mute", BSK_FOREVER, &a, 1);
    fix_hit();
}

static void connect_to(bsk_self *self)
{
    bsk_stream s;
    code = bsk_connect(self, "mute", 80, BSK_FOREVER, &s);
    fix_hit();
}

static void dial(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(num, n) OK(bsk_dial(self, "mute", port, n->v));
        bsk_on(bsk_dialed, d) {
            code = (int)d->code;
            fix_hit();
        }
    }
}

START_TEST(the_end_of_a_runtime_does_not_wait_for_it)
{
    start();
    fix_born(bsk_spawn(rt, resolve));
    fix_born(bsk_spawn(rt, resolve, .own_thread = true));
    fix_born(bsk_spawn(rt, connect_to));
    bsk_tell(fix_born(bsk_spawn(rt, dial)), num, BSK_FOREVER);
    UNTIL(asked == 4);
    fix_stop(rt, 0);
    ck_assert_uint_eq(fix_hits(), 3);
    IS(BSK_ECANCELED, code);
    speak(4);
}
END_TEST

START_TEST(who_is_killed_meanwhile_does_not_wait_for_it)
{
    start();
    for (int i = 0; i < 3; i++) fix_born(bsk_spawn(rt, resolve));
    UNTIL(asked == 3);
    for (int i = 0; i < 3; i++) ck_assert_int_eq(bsk_kill(who[i]), 0);
    UNTIL(rt_alive(rt) == 0 && open_now(rt) == 0);
    ck_assert_uint_eq(fix_hits(), 0);
    fix_stop(rt, 0);
    speak(3);
}
END_TEST

static void be_in_a_hurry(bsk_self *self)
{
    bsk_stream s = {77};
    bsk_host_address a = {"as it was"};
    IS(BSK_ETIMEDOUT, bsk_resolve(self, "mute", 20, &a, 1));
    ck_assert_str_eq(a.text, "as it was");
    IS(BSK_ETIMEDOUT, bsk_connect(self, "mute", 80, 20, &s));
    ck_assert_uint_eq(s.id, 77);
    /* Others are answered meanwhile. */
    ck_assert_int_eq(bsk_resolve(self, "192.0.2.7", BSK_FOREVER, &a, 1), 1);
    ck_assert_str_eq(a.text, "192.0.2.7");
    fix_hit();
}

START_TEST(who_asks_waits_no_longer_than_he_said)
{
    start();
    fix_born(bsk_spawn(rt, be_in_a_hurry));
    bsk_tell(fix_born(bsk_spawn(rt, dial)), num, 20);
    fix_await(2);
    IS(BSK_ETIMEDOUT, code);
    UNTIL(asked == 3 && open_now(rt) == 0);
    fix_stop(rt, 0);
    speak(3);
}
END_TEST

START_TEST(who_is_answered_late_is_told)
{
    start();
    int at, l = peer_listen(&at);
    port = at;
    code = 1;
    bsk_tell(fix_born(bsk_spawn(rt, dial)), num, BSK_FOREVER);
    UNTIL(asked == 1);
    ck_assert_uint_eq(fix_hits(), 0);
    set_mute(false);
    fix_await(1);
    IS(0, code);
    peer_close(peer_accept(l));
    peer_close(l);
    fix_stop(rt, 0);
    UNTIL(mem_live() == live);
}
END_TEST

static void ask_in_vain(bsk_self *self)
{
    bsk_host_address a;
    bsk_stream s;
    IS(BSK_EHOST, bsk_resolve(self, "again", BSK_FOREVER, &a, 1));
    IS(BSK_EHOST, bsk_resolve(self, "broken", BSK_FOREVER, &a, 1));
    IS(BSK_ENOMEM, bsk_resolve(self, "no memory", BSK_FOREVER, &a, 1));
    IS(BSK_EMFILE, bsk_resolve(self, "no descriptor", BSK_FOREVER, &a, 1));
    IS(BSK_EMFILE, bsk_connect(self, "no descriptor", 80, BSK_FOREVER, &s));
    char longest[300];
    memset(longest, 'x', sizeof longest);
    longest[255] = '\0';
    IS(BSK_EHOST, bsk_resolve(self, longest, BSK_FOREVER, &a, 1));
    longest[255] = 'x';
    longest[256] = '\0';
    IS(BSK_EINVAL, bsk_resolve(self, longest, BSK_FOREVER, &a, 1));
    IS(BSK_EINVAL, bsk_connect(self, longest, 80, BSK_FOREVER, &s));
    fix_hit();
}

START_TEST(why_it_does_not_know_is_said)
{
    start();
    fix_born(bsk_spawn(rt, ask_in_vain));
    fix_await(1);
    fix_stop(rt, 0);
    ck_assert_int_eq(mem_live(), live);
}
END_TEST

/* More than it is asked at once. */

static void hold_all_threads(void)
{
    for (int i = 0; i < MANY; i++) fix_born(bsk_spawn(rt, resolve));
    UNTIL(born == MANY && asked == LOOKUP_THREADS);
}

START_TEST(who_waits_in_the_queue_is_answered_in_the_end)
{
    start();
    hold_all_threads();
    ck_assert_uint_eq(asked, LOOKUP_THREADS);
    set_mute(false);
    fix_await(MANY);
    ck_assert_int_eq(code, 1);
    ck_assert_uint_eq(asked, MANY);
    fix_stop(rt, 0);
    UNTIL(mem_live() == live);
}
END_TEST

START_TEST(who_gives_up_in_the_queue_is_not_asked_for)
{
    start();
    hold_all_threads();
    /* In the middle, in the end, and at the beginning of it. */
    for (int i = 1; i < MANY; i += 2) ck_assert_int_eq(bsk_kill(who[i]), 0);
    UNTIL(open_now(rt) == MANY - MANY / 2);
    for (int i = MANY - 1; i >= 0; i -= 2) ck_assert_int_eq(bsk_kill(who[i]), 0);
    UNTIL(open_now(rt) == 0);
    fix_stop(rt, 0);
    speak(LOOKUP_THREADS);
}
END_TEST

static void add_one(unsigned n)
{
    fix_born(bsk_spawn(rt, resolve));
    UNTIL(born == n && open_now(rt) == n);
}

START_TEST(who_comes_after_one_who_has_given_up_is_answered)
{
    enum { N = LOOKUP_THREADS };
    start();
    for (unsigned i = 1; i <= N; i++) add_one(i);
    UNTIL(asked == N);
    add_one(N + 1);
    add_one(N + 2);
    ck_assert_int_eq(bsk_kill(who[N + 1]), 0);
    UNTIL(open_now(rt) == N + 1);
    fix_born(bsk_spawn(rt, resolve));
    UNTIL(open_now(rt) == N + 2);
    set_mute(false);
    fix_await(N + 2);
    fix_stop(rt, 0);
    UNTIL(mem_live() == live);
}
END_TEST

START_TEST(the_end_of_a_runtime_empties_the_queue)
{
    start();
    hold_all_threads();
    fix_stop(rt, 0);
    ck_assert_uint_eq(fix_hits(), MANY);
    IS(BSK_ECANCELED, code);
    speak(LOOKUP_THREADS);
}
END_TEST

/* Without threads. */

static void resolve_without_threads(bsk_self *self)
{
    struct rlimit old, huge;
    bsk_host_address a;
    ck_assert_int_eq(getrlimit(RLIMIT_STACK, &old), 0);
    huge = old;
    huge.rlim_cur = (rlim_t)1 << 46;
    ck_assert_int_eq(setrlimit(RLIMIT_STACK, &huge), 0);
    code = bsk_resolve(self, "192.0.2.7", BSK_FOREVER, &a, 1);
    ck_assert_int_eq(setrlimit(RLIMIT_STACK, &old), 0);
    fix_hit();
}

START_TEST(without_a_thread_it_says_so)
{
    start();
    fix_born(bsk_spawn(rt, resolve_without_threads));
    fix_await(1);
    IS(BSK_ENOMEM, code);
    UNTIL(open_now(rt) == 0);
    fix_stop(rt, 0);
    ck_assert_int_eq(mem_live(), live);
}
END_TEST

FIX_MAIN("lookup", 60, the_end_of_a_runtime_does_not_wait_for_it,
         who_is_killed_meanwhile_does_not_wait_for_it, who_asks_waits_no_longer_than_he_said,
         who_is_answered_late_is_told, why_it_does_not_know_is_said,
         who_waits_in_the_queue_is_answered_in_the_end, who_gives_up_in_the_queue_is_not_asked_for,
         who_comes_after_one_who_has_given_up_is_answered, the_end_of_a_runtime_empties_the_queue,
         without_a_thread_it_says_so)
