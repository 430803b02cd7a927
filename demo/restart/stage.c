/* SPDX-License-Identifier: MIT */
/* stage.c - how a scenario is run, and what holds for all of them: each order that a customer was
 * told is accepted has been booked or refused, once. What counts is the journal, read from its
 * beginning after everybody has gone. */
#include "stage.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "book.h"
#include "customers.h"

enum { PAUSE_MS = 4, DONE_MS = 15000, STEP_MS = 5, SETTLED_MS = 3000, WORD_MS = 3000 };

struct part {
    const struct scenario *scenario;
    struct stage *stage;
};

bool stage_check(struct stage *st, bool ok, const char *format, ...)
{
    char text[EVENT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    printf("  %-6s %s\n", ok ? "ok" : "FAILED", text);
    if (!ok) st->failed = true;
    return ok;
}

void stage_sleep(struct stage *st, int64_t ms)
{
    if (bsk_sleep(st->self, ms) < 0) bsk_exit(st->self);
}

void stage_note(struct stage *st)
{
    for (enum role r = SHOP; r < ROLES; r++) st->before[r] = shop_holder(st->rt, r);
}

static bool changed(struct stage *st, enum role r)
{
    bsk_addr now = shop_holder(st->rt, r);
    return !bsk_is_nobody(now) && !bsk_same(now, st->before[r]);
}

bool stage_await(struct stage *st, enum role r, int64_t ms)
{
    int64_t until = bsk_now(st->rt) + ms;
    while (!changed(st, r) && bsk_now(st->rt) < until) stage_sleep(st, STEP_MS);
    return stage_check(st, changed(st, r), "there is a new %s", roles[r].name);
}

static bool all_there(struct stage *st)
{
    enum role r = SHOP;
    while (r < ROLES && !bsk_is_nobody(shop_holder(st->rt, r))) r++;
    return r == ROLES;
}

static void list_roles(char *out, size_t size, unsigned set)
{
    size_t used = 0;
    *out = '\0';
    for (enum role r = SHOP; r < ROLES; r++)
        if (set & ROLE(r) && used < size)
            used += (size_t)snprintf(out + used, size - used, " %s", roles[r].name);
}

void stage_check_changed(struct stage *st, unsigned expected)
{
    char names[EVENT_MAX];
    unsigned set = 0;
    int64_t until = bsk_now(st->rt) + SETTLED_MS;
    while (!all_there(st) && bsk_now(st->rt) < until) stage_sleep(st, STEP_MS);
    stage_check(st, all_there(st), "all are there again");
    for (enum role r = SHOP; r < ROLES; r++)
        if (changed(st, r)) set |= ROLE(r);
    list_roles(names, sizeof names, set);
    stage_check(st, set == expected, "started again, and nobody else:%s", names);
}

int stage_child(struct stage *st, enum role r, bsk_child_info *out)
{
    return bsk_sup_child(st->self, shop_holder(st->rt, roles[r].above), WORD_MS, roles[r].name,
                         out);
}

static bool all_settled(struct stage *st)
{
    if (atomic_load(&st->shop->tally.inside)) return false;
    const sums *s = bsk_call(st->self, shop_holder(st->rt, LEDGER), WORD_MS, audit);
    return s && s->open == 0;
}

static void await_settled(struct stage *st)
{
    int64_t until = bsk_now(st->rt) + DONE_MS;
    bool done = all_settled(st);
    while (!done && bsk_now(st->rt) < until) {
        stage_sleep(st, STEP_MS);
        done = all_settled(st);
    }
    stage_check(st, done, "all orders are accepted and settled");
}

static void open_shop(struct stage *st, const struct scenario *sc)
{
    st->top = shop_open(st->shop, st->rt);
    if (bsk_is_nobody(st->top)) bsk_fail(st->self, "shop: %s", bsk_error_text(st->self));
    if (!customers_let_in(st->shop, st->rt, sc->orders ? sc->orders : ORDERS, PAUSE_MS))
        bsk_fail(st->self, "customers: %s", bsk_strerror(bsk_error(st->self)));
}

static void director(bsk_self *self)
{
    struct part *p = bsk_state(self);
    struct stage *st = p->stage;
    st->self = self;
    open_shop(st, p->scenario);
    stage_sleep(st, 100);
    p->scenario->play(st);
    await_settled(st);
    bsk_shutdown(st->rt);
}

/* The orders, counted from the journal alone, beside what the customers were told. */
static void count_orders(struct stage *st)
{
    struct book b = {.pages = NULL};
    struct tally *t = &st->shop->tally;
    bool read = book_replay(&b, st->shop->journal) == 0;
    stage_check(st, read && b.open == 0 && atomic_load(&t->accepted) == b.booked + b.refused,
                "%" PRId64 " orders accepted = %" PRId64 " booked + %" PRId64 " refused: none lost",
                atomic_load(&t->accepted), b.booked, b.refused);
    stage_check(st, b.astray == 0 && atomic_load(&t->sum) == b.sum,
                "their amounts agree, %" PRId64 ": none twice; %" PRId64 " were placed again",
                b.sum, atomic_load(&t->again));
    book_fini(&b);
}

static void keep_line(void *shop, enum bsk_level level, const char *line)
{
    struct shop *s = shop;
    if (level <= BSK_LOG_WARN) events_log(&s->events, line);
}

static void show_events(struct shop *s)
{
    struct event e;
    uint64_t n = events_count(&s->events);
    for (uint64_t i = n > EVENTS_KEPT ? n - EVENTS_KEPT : 0; i < n; i++)
        if (events_get(&s->events, i, &e)) printf("    %6.3f %s\n", (double)e.ms / 1000, e.text);
}

static bsk_rt *start(const struct scenario *sc, struct stage *st, uint64_t seed)
{
    bsk_rt *rt = bsk_start(.workers = 2, .seed = seed, .contain_faults = sc->fault, .quiet = true,
                           .log = keep_line, .arg = st->shop);
    if (!rt) {
        stage_check(st, false, "start: %s", bsk_strerror(bsk_error(NULL)));
        return NULL;
    }
    st->rt = rt;
    if (!bsk_is_nobody(
            bsk_spawn(rt, director, .label = "director", BSK_STATE(struct part, sc, st))))
        return rt;
    stage_check(st, false, "director: %s", bsk_strerror(bsk_error(NULL)));
    bsk_shutdown(rt);
    return rt;
}

bool stage_run(const struct scenario *sc, uint64_t seed)
{
    static struct shop shop;
    struct stage st = {.shop = &shop};
    printf("%s: %s\n", sc->name, sc->about);
    if (!shop_init(&shop)) return false;
    bsk_rt *rt = start(sc, &st, seed);
    int status = rt ? bsk_wait(rt) : 2;
    stage_check(&st, status == (sc->root_fails ? 1 : 0), "the runtime ended with status %d",
                status);
    count_orders(&st);
    if (st.failed) show_events(&shop);
    shop_fini(&shop);
    return !st.failed;
}
