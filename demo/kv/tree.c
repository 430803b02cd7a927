/* SPDX-License-Identifier: MIT */
/* tree.c - the tree of the service as it is: INFO tree.
 *
 *     # name           state      restarts     mailbox  last end
 *     kv               running           0      0/1024  -
 *       store          running           0      0/1024  -
 *         shards       running           5      0/1024  killed
 *           shard-0    loading          11     7/16384  segmentation fault at 0
 *       gate           running           0      0/1024  -
 *         connections  52
 *
 * Nobody is asked: what bsk_tree says who lives, the registrar noted who ended. */
#include "tree.h"

#include <inttypes.h>
#include <stdio.h>

#include "places.h"

enum { BUSY_MS = 100, NAME = 16, LINE = 320, TEXT = 80 };

struct picture {
    bsk_addr holders[PLACES]; /* nobody: the place is empty */
    uint64_t below[PLACES];   /* children that have no place */
    uint64_t astray;          /* actors at no place and below none */
    unsigned above;           /* the last place seen, or PLACES */
    int depth;                /* of it */
};

static unsigned held_by(const struct picture *p, bsk_addr who)
{
    unsigned place = 0;
    while (place < PLACES && !bsk_same(p->holders[place], who)) place++;
    return place;
}

/* What comes behind a place, and deeper, is below it. */
static void see(void *arg, int depth, bsk_addr who, const char *text)
{
    struct picture *p = arg;
    unsigned place = held_by(p, who);
    (void)text;
    if (place < PLACES) {
        p->above = place;
        p->depth = depth;
    } else if (p->above < PLACES && depth > p->depth) {
        p->below[p->above]++;
    } else {
        p->astray++;
    }
}

static bool look(struct picture *p)
{
    char name[SHARD_NAME];
    *p = (struct picture){.above = PLACES};
    for (unsigned i = 0; i < PLACES; i++)
        if (place_is_used(i)) p->holders[i] = bsk_whereis(kv.rt, place_name(i, name));
    return bsk_tree(kv.rt, see, p) == 0;
}

static bool is_loading(unsigned place)
{
    if (place < PLACE_SHARD || place >= PLACE_SHARD + SHARDS_MAX) return false;
    return !atomic_load_explicit(&kv.shards[place - PLACE_SHARD].ready, memory_order_relaxed);
}

static const char *state_of(unsigned place, const bsk_info_out *info, char *to)
{
    if (info->busy_ms >= BUSY_MS)
        snprintf(to, TEXT, "busy %.1f s", (double)info->busy_ms / 1000);
    else
        snprintf(to, TEXT, "%s",
                 info->closed        ? "stopping"
                 : is_loading(place) ? "loading"
                                     : "running");
    return to;
}

static const char *last_of(unsigned place, char *to)
{
    struct last_end e;
    if (!place_last_end(place, &e))
        snprintf(to, TEXT, "-");
    else if (e.reason == BSK_NO_ACTOR) /* the registrar came too late to be told */
        snprintf(to, TEXT, "ended at once");
    else if (e.reason == BSK_FAULT && *e.text)
        snprintf(to, TEXT, "%s", e.text);
    else
        snprintf(to, TEXT, "%s%s%s", bsk_reason_name((enum bsk_reason)e.reason),
                 *e.text ? ": " : "", e.text);
    return to;
}

static void say_place(struct buffer *b, const struct picture *p, unsigned place)
{
    char name[SHARD_NAME], state[TEXT] = "restarting", mailbox[32] = "-", last[TEXT], line[LINE];
    bsk_info_out info;
    int indent = 2 * place_depth(place);
    if (bsk_info(p->holders[place], &info) == 0) {
        state_of(place, &info, state);
        snprintf(mailbox, sizeof mailbox, "%u/%u", info.queued, info.capacity);
    }
    snprintf(line, sizeof line, "%*s%-*s %-10s %8" PRIu64 " %11s  %s\r\n", indent, "",
             NAME - indent, place_name(place, name), state, place_restarts(place), mailbox,
             last_of(place, last));
    buffer_text(b, line);
}

static void say_below(struct buffer *b, unsigned place, uint64_t n)
{
    char line[LINE];
    int indent = place < PLACES ? 2 * place_depth(place) + 2 : 0;
    if (!n && place != PLACE_GATE) return;
    snprintf(line, sizeof line, "%*s%-*s %" PRIu64 "\r\n", indent, "", NAME - indent,
             place == PLACE_GATE ? "connections" : "others", n);
    buffer_text(b, line);
}

void tree_say(struct buffer *b)
{
    struct picture p;
    char line[LINE];
    if (!look(&p)) {
        buffer_text(b, "# out of memory\r\n");
        return;
    }
    snprintf(line, sizeof line, "# %-*s %-10s %8s %11s  %s\r\n", NAME - 2, "name", "state",
             "restarts", "mailbox", "last end");
    buffer_text(b, line);
    for (unsigned place = 0; place < PLACES; place++) {
        if (!place_is_used(place)) continue;
        say_place(b, &p, place);
        say_below(b, place, p.below[place]);
    }
    say_below(b, PLACES, p.astray);
}
