/* SPDX-License-Identifier: MIT */
#include "supervised.h"

enum init_end init_now;

static char text[8192];

void say(const char *what)
{
    ck_assert_uint_lt(strlen(text) + strlen(what), sizeof text);
    strcat(text, what);
}

const char *said(void)
{
    return text;
}

void hush(void)
{
    text[0] = '\0';
}

static void end_as(bsk_self *self, int64_t how)
{
    switch (how) {
    case SO_FAILED: bsk_fail(self, "meant to fail");
    case SO_SHUTDOWN: bsk_exit_as(self, BSK_SHUTDOWN, "with more to say");
    default: bsk_exit(self);
    }
}

void obedient(bsk_self *self, bsk_msg *m)
{
    bsk_match(m) {
        bsk_on(end_so, e) end_as(self, e->how);
    }
}

void obedient_fiber(bsk_self *self)
{
    for (bsk_msg *m; (m = bsk_recv(self, BSK_FOREVER));) obedient(self, m);
}

void init_as_told(bsk_self *self)
{
    if (init_now == INIT_FAIL) bsk_fail(self, "no luck");
    if (init_now == INIT_IGNORE) bsk_ignore(self);
}

void linger(bsk_self *self)
{
    const int *ms = bsk_state(self);
    expect(!bsk_recv(self, BSK_FOREVER));
    bsk_shield(self);
    bsk_sleep(self, *ms);
}

void end_child(bsk_self *self, bsk_addr who, enum so how)
{
    bsk_tell(who, end_so, .how = how);
    expect_eq(bsk_sleep(self, 1), 0);
}

void kill_child(bsk_self *self, bsk_addr who)
{
    expect_eq(bsk_kill(who), 0);
    expect_eq(bsk_sleep(self, 1), 0);
}

bsk_child_info info_of(bsk_self *self, bsk_addr sup, const char *id)
{
    bsk_child_info i;
    expect_eq(bsk_sup_child(self, sup, BSK_FOREVER, id, &i), 0);
    expect(!strcmp(i.id, id));
    return i;
}

bsk_addr child_of(bsk_self *self, bsk_addr sup, const char *id)
{
    return info_of(self, sup, id).who;
}

bsk_sup_counts counts_of(bsk_self *self, bsk_addr sup)
{
    bsk_sup_counts n;
    expect_eq(bsk_sup_count(self, sup, BSK_FOREVER, &n), 0);
    return n;
}

size_t list_len(bsk_self *self, bsk_addr sup)
{
    size_t n;
    expect_eq(bsk_sup_list(self, sup, BSK_FOREVER, NULL, 0, &n), 0);
    return n;
}

bsk_addr nth_child(bsk_self *self, bsk_addr sup, size_t i)
{
    static bsk_child_info all[64];
    size_t n;
    expect_eq(bsk_sup_list(self, sup, BSK_FOREVER, all, 64, &n), 0);
    expect(i < n && i < 64);
    return all[i].who;
}

void expect_counts(bsk_self *self, bsk_addr sup, unsigned specs, unsigned active, unsigned workers,
                   unsigned sups)
{
    bsk_sup_counts n = counts_of(self, sup);
    expect_eq(n.specs, specs);
    expect_eq(n.active, active);
    expect_eq(n.workers, workers);
    expect_eq(n.supervisors, sups);
}

bsk_addr add_instance(bsk_self *self, bsk_addr sup, int n)
{
    bsk_child_spec spec = bsk_child(obedient, BSK_STATE(int, n));
    bsk_started out;
    expect_eq(bsk_sup_add(self, sup, BSK_FOREVER, &spec, &out), 0);
    return out.who;
}

int stop_and_wait(bsk_self *self, bsk_addr who)
{
    int reason = -1;
    expect(bsk_watch(self, who).gen);
    expect_eq(bsk_stop(who, BSK_FOREVER), 0);
    bsk_match(bsk_recv_only(self, BSK_FOREVER, BSK_T(bsk_down))) {
        bsk_on(bsk_down, d) reason = (int)d->reason;
    }
    return reason;
}
