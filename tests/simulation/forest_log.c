/* SPDX-License-Identifier: MIT */
/* What supervisors say that they decided: whom they restart, and that they give up. */
#include "forest_books.h"

#include "supervisor/children.h"

#include <inttypes.h>
#include <stdio.h>

/* Counts the restarts within the period that ends now, this one included. */
static unsigned recent(struct life *sup, int64_t now)
{
    unsigned n = 0;
    for (unsigned i = 0; i < TIMES && i < sup->ntimes; i++)
        n += now - sup->times[i] <= sup->period_ns;
    return n;
}

/* Where others are stopped first the line is later than the decision: then fewer may count. */
static void check_intensity(struct life *sup, bool gives_up)
{
    bool at_once = sup->strategy == BSK_ONE_FOR_ONE || sup->strategy == BSK_DYNAMIC;
    struct forest *f = sup->forest;
    int64_t now = (int64_t)f->rt->virtual_now;
    unsigned before = recent(sup, now), most = (unsigned)sup->intensity;
    sup->times[sup->ntimes++ % TIMES] = now;
    if (gives_up && before < most && !f->setup.starve)
        fo_blame(f, "supervisor %u gives up after %u restarts of %u", sup->id, before, most);
    if (!gives_up && at_once && before >= most)
        fo_blame(f, "supervisor %u: restart %u of %u", sup->id, before + 1, most);
}

/* The calling supervisor's child that the line is about. */
static const struct child *child_in(const struct sup *s, const char *line)
{
    const char *id = strstr(line, ": child ") + 8;
    const struct child *c = s->first;
    size_t n;
    while (c && (strncmp(id, c->spec->id, n = strlen(c->spec->id)) != 0 || id[n] != ' '))
        c = c->next;
    return c;
}

/* Whom the strategy stops has ended when the decision is made known. */
static void check_stopped(struct life *sup, const struct sup *s, const struct child *fallen)
{
    bool behind = sup->strategy == BSK_ONE_FOR_ALL;
    if (!behind && sup->strategy != BSK_REST_FOR_ONE) return;
    for (const struct child *c = s->first; c; c = c->next) {
        struct life *l = behind && c->who.gen ? life_of(sup->forest, c->who) : NULL;
        if (l && !is_over(l))
            fo_blame(sup->forest, "supervisor %u restarts while its child %s lives", sup->id,
                     c->spec->id);
        if (c == fallen) behind = true;
    }
}

static void check_restart(struct life *sup, const char *line, bool later)
{
    const struct sup *s = *(struct sup *const *)bsk_state(rt_self(rt_worker()));
    /* Instances have one id in common. */
    const struct child *c = sup_is_dynamic(s) ? NULL : child_in(s, line);
    if (!c) return;
    bool done = c->last_reason == BSK_NORMAL || c->last_reason == BSK_SHUTDOWN;
    if (c->spec->given.opts.restart == BSK_TRANSIENT && done)
        fo_blame(sup->forest, "supervisor %u restarts %s, which was done", sup->id, c->spec->id);
    if (later && c->spec->given.opts.significant) sup->waiting |= id_bit(c->spec->id);
    check_stopped(sup, s, c);
}

static bool ends_with(const char *line, const char *what)
{
    size_t n = strlen(line), m = strlen(what);
    return n >= m && strcmp(line + n - m, what) == 0;
}

static struct life *sup_in(struct forest *f, const char *line)
{
    bsk_addr who = {0, 0, 0};
    const char *at = strchr(line, '<');
    if (!at || !strstr(line, ": child ")) return NULL;
    if (sscanf(at, "<%" SCNu32 ".%" SCNu32 ">", &who.slot, &who.gen) != 2) return NULL;
    return life_of(f, who);
}

void fo_log(void *forest, enum bsk_level level, const char *line)
{
    struct forest *f = forest;
    if (f->tells) fprintf(stderr, "%s\n", line);
    if (level > BSK_LOG_WARN) return;
    bool gives_up = ends_with(line, ": too many restarts, giving up");
    bool later = ends_with(line, ": restarted later");
    if (!gives_up && !later && !ends_with(line, ": restarted")) return;
    struct life *sup = sup_in(f, line);
    if (!sup) return;
    count(gives_up ? &f->gave_up : &f->restarts);
    if (gives_up) sup->gave_up = true;
    if (is_seeded(f)) check_intensity(sup, gives_up);
    if (!gives_up) check_restart(sup, line, later);
}
