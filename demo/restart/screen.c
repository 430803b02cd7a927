/* SPDX-License-Identifier: MIT */
/* screen.c - the shop as a picture. 80 columns:
 *
 *     # name           state       restarts  mailbox  msg/s  last end
 *     1 shop           running            -   0/1024      -  -
 *    >4 | |-ledger     running            2    0/256    350  failed: a bug
 */
#include "screen.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { AT_NAME = 3, AT_STATE = 18, AT_MAILBOX = 40, AT_RATE = 49, AT_LAST = 57 };
enum { TEXT = 128, OTHER_LINES = 7, LEAST_EVENTS = 1 };

static const char *const voices[] = {
    [BY_HAND] = "you", [WHY] = "why", [BY_LIBRARY] = "buskin", [BY_SHOP] = "shop"};

static bool is_last_child(enum role r)
{
    for (enum role o = r + 1; o < ROLES; o++)
        if (roles[o].above == roles[r].above) return false;
    return true;
}

static void write_name(char *out, size_t size, enum role r, bool utf8)
{
    const char *fork = utf8 ? "├─" : "|-", *corner = utf8 ? "└─" : "`-", *bar = utf8 ? "│ " : "| ";
    enum role above = roles[r].above;
    const char *outer = r == SHOP || above == SHOP ? "" : is_last_child(above) ? "  " : bar;
    const char *inner = r == SHOP ? "" : is_last_child(r) ? corner : fork;
    snprintf(out, size, "%s%s%s", outer, inner, roles[r].name);
}

static void write_mailbox(char *out, size_t size, const struct row *row)
{
    if (row->info.capacity)
        snprintf(out, size, "%u/%u", row->info.queued, row->info.capacity);
    else
        snprintf(out, size, "-");
}

static void write_rate(char *out, size_t size, const struct row *row, enum role r)
{
    bool counted = !roles[r].supervisor || r == COURIERS;
    if (counted)
        snprintf(out, size, "%.0f", row->rate);
    else
        snprintf(out, size, "-");
}

static void write_restarts(char *out, size_t size, const struct row *row, enum role r)
{
    if (r == SHOP)
        snprintf(out, size, "-");
    else
        snprintf(out, size, "%" PRIu64, row->restarts);
}

static void write_orders(char *out, size_t size, const struct view *v, struct shop *s)
{
    snprintf(out, size,
             "orders: %" PRId64 " accepted; %s: %" PRId64 " booked, %" PRId64 " refused, %" PRId64
             " open; %" PRId64 " asked again",
             atomic_load(&s->tally.accepted), v->answered ? "book" : "book, a while ago", v->booked,
             v->refused, v->open, atomic_load(&s->tally.again));
}

static enum style style_of(const struct view *v, enum role r, const char *state)
{
    const struct row *row = &v->rows[r];
    if (bsk_is_nobody(row->who)) return strcmp(state, "restarting") == 0 ? WARN : BAD;
    if (strncmp(state, "busy", 4) == 0) return BAD;
    return strcmp(state, "new") == 0 ? FRESH : GOOD;
}

/* Right-aligned, to end two columns before the next one. */
static void put_number(struct frame *f, enum style style, int at, const char *text)
{
    frame_pad(f, PLAIN, at - 2 - (int)strlen(text));
    frame_put(f, style, "%s", text);
}

static void draw_row(struct frame *f, const struct view *v, enum role r, bool chosen)
{
    char text[TEXT];
    const struct row *row = &v->rows[r];
    bool full = row->info.capacity && row->info.queued >= row->info.capacity;
    frame_put(f, chosen ? BOLD : PLAIN, "%s%d", chosen ? ">" : " ", (r + 1) % 10);
    frame_pad(f, PLAIN, AT_NAME);
    write_name(text, sizeof text, r, f->utf8);
    frame_put(f, chosen ? CHOSEN : roles[r].supervisor ? BOLD : PLAIN, "%s", text);
    frame_pad(f, PLAIN, AT_STATE);
    view_state(v, r, text, sizeof text);
    frame_put(f, style_of(v, r, text), "%s", text);
    write_restarts(text, sizeof text, row, r);
    put_number(f, PLAIN, AT_MAILBOX, text);
    write_mailbox(text, sizeof text, row);
    put_number(f, full ? BAD : PLAIN, AT_RATE, text);
    write_rate(text, sizeof text, row, r);
    put_number(f, PLAIN, AT_LAST, text);
    frame_pad(f, PLAIN, AT_LAST);
    view_last(row, text, sizeof text);
    frame_put(f, row->ended ? PLAIN : DIM, "%s", text);
}

static void draw_title(struct frame *f, const struct view *v, const char *status)
{
    char text[TEXT];
    snprintf(text, sizeof text, "%s %.1f s ", status, (double)v->ms / 1000);
    frame_put(f, TITLE, " buskin-restart: a shop that survives its faults");
    frame_pad(f, TITLE, f->width - (int)strlen(text));
    frame_put(f, TITLE, "%s", text);
    frame_newline(f);
}

static void draw_head(struct frame *f)
{
    frame_put(f, DIM, " #");
    frame_pad(f, PLAIN, AT_NAME);
    frame_put(f, DIM, "name");
    frame_pad(f, PLAIN, AT_STATE);
    frame_put(f, DIM, "state");
    put_number(f, DIM, AT_MAILBOX, "restarts");
    put_number(f, DIM, AT_RATE, "mailbox");
    put_number(f, DIM, AT_LAST, "msg/s");
    frame_pad(f, PLAIN, AT_LAST);
    frame_put(f, DIM, "last end");
    frame_newline(f);
}

static void draw_event(struct frame *f, const struct event *e)
{
    frame_put(f, DIM, "%7.2f ", (double)e->ms / 1000);
    frame_put(f, e->voice == BY_HAND ? BOLD : DIM, "%-7s", voices[e->voice]);
    frame_put(f, e->voice == BY_HAND ? BOLD : PLAIN, "%s", e->text);
    frame_newline(f);
}

/* The last events, the newest at the bottom. */
static void draw_events(struct frame *f, struct events *log, int lines)
{
    struct event e;
    uint64_t n = events_count(log), from = n > (uint64_t)lines ? n - (uint64_t)lines : 0;
    for (int i = 0; i < lines; i++)
        if (events_get(log, from + (uint64_t)i, &e))
            draw_event(f, &e);
        else
            frame_newline(f);
}

static void draw_key(struct frame *f, const char *key, const char *what)
{
    frame_put(f, BOLD, " %s", key);
    frame_put(f, DIM, " %s ", what);
}

static void draw_keys(struct frame *f)
{
    draw_key(f, "1-9 0", "who:");
    draw_key(f, "c", "crash");
    draw_key(f, "n", "null pointer");
    draw_key(f, "o", "stack overflow");
    draw_key(f, "a", "assert");
    draw_key(f, "h", "hang");
    frame_newline(f);
    draw_key(f, "f", "flood");
    draw_key(f, "k", "kill");
    draw_key(f, "x", "stop/start");
    draw_key(f, "s", "fault storm");
    draw_key(f, "d", "deadline");
    draw_key(f, "r", "reopen");
    draw_key(f, "q", "quit");
}

void screen_draw(struct frame *f, const struct view *v, struct shop *s, enum role chosen,
                 const char *status)
{
    char text[TEXT];
    int lines = f->height - ROLES - OTHER_LINES;
    draw_title(f, v, status);
    write_orders(text, sizeof text, v, s);
    frame_put(f, PLAIN, " %s", text);
    frame_newline(f);
    draw_head(f);
    for (enum role r = SHOP; r < ROLES; r++) {
        draw_row(f, v, r, r == chosen);
        frame_newline(f);
    }
    frame_newline(f);
    draw_events(f, &s->events, lines < LEAST_EVENTS ? LEAST_EVENTS : lines);
    frame_newline(f);
    draw_keys(f);
}

void screen_print(const struct view *v, struct shop *s)
{
    char name[TEXT], state[TEXT], restarts[TEXT], mailbox[TEXT], rate[TEXT], last[TEXT];
    write_orders(name, sizeof name, v, s);
    printf("%7.2f %s\n", (double)v->ms / 1000, name);
    printf("        %-17s%-12s%8s %9s %7s  %s\n", "name", "state", "restarts", "mailbox", "msg/s",
           "last end");
    for (enum role r = SHOP; r < ROLES; r++) {
        const struct row *row = &v->rows[r];
        write_name(name, sizeof name, r, false);
        view_state(v, r, state, sizeof state);
        write_restarts(restarts, sizeof restarts, row, r);
        write_mailbox(mailbox, sizeof mailbox, row);
        write_rate(rate, sizeof rate, row, r);
        view_last(row, last, sizeof last);
        printf("        %-17s%-12s%8s %9s %7s  %s\n", name, state, restarts, mailbox, rate, last);
    }
}

void screen_print_events(struct events *log, uint64_t *from)
{
    struct event e;
    uint64_t n = events_count(log);
    if (n > *from + EVENTS_KEPT) *from = n - EVENTS_KEPT;
    for (; *from < n; ++*from)
        if (events_get(log, *from, &e))
            printf("%7.2f %-7s%s\n", (double)e.ms / 1000, voices[e.voice], e.text);
}
